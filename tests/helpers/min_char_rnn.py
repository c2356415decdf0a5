"""An independent min-char-rnn, in plain NumPy with one-hot columns; it shares no code with the library."""

import numpy as np

NAMES = {"Wxh": "Wxh_l0", "Whh": "Whh_l0", "bh": "bh_l0", "Why": "Why", "by": "by"}  # there, and in the library


class MinCharRNN:
    """min-char-rnn over a text of ids; matrices are (output, input), vectors are columns."""

    def __init__(self, ids, V, H, T, *, seed, learning_rate=0.1, clip=5.0):
        rng = np.random.default_rng(seed)
        self.ids, self.V, self.H, self.T = ids, V, H, T
        self.learning_rate, self.clip = learning_rate, clip
        shapes = {"Wxh": (H, V), "Whh": (H, H), "bh": (H, 1), "Why": (V, H), "by": (V, 1)}
        self.params = {
            name: 0.01 * rng.standard_normal(shape) if name.startswith("W") else np.zeros(shape)
            for name, shape in shapes.items()
        }
        self.memory = {name: np.zeros(shape) for name, shape in shapes.items()}
        self.h = np.zeros((H, 1))
        self.position = 0
        self.smooth_loss = T * np.log(V)

    def rewind(self):
        """Begin the text again, if its end is near, as the next step would do."""
        if self.position + self.T + 1 >= len(self.ids):
            self.position, self.h = 0, np.zeros((self.H, 1))

    def step(self):
        """Train on the next chunk and return its loss."""
        self.rewind()
        p, T = self.position, self.T
        loss, gradients = self.back_propagate(self.ids[p : p + T], self.ids[p + 1 : p + T + 1])
        for name, d in gradients.items():
            d = np.clip(d, -self.clip, self.clip)
            self.memory[name] += d**2
            self.params[name] -= self.learning_rate * d / np.sqrt(self.memory[name] + 1e-8)
        self.position += T
        self.smooth_loss = 0.999 * self.smooth_loss + 0.001 * loss
        return loss

    def back_propagate(self, inputs, targets):
        """Return the loss and the gradients, and move the hidden state on."""
        P = self.params
        one_hot, h, p, loss = np.eye(self.V), [self.h], [], 0.0
        for i, target in zip(inputs, targets, strict=True):
            h.append(np.tanh(P["Wxh"] @ one_hot[:, [i]] + P["Whh"] @ h[-1] + P["bh"]))
            y = np.exp(P["Why"] @ h[-1] + P["by"])
            p.append(y / np.sum(y))
            loss -= np.log(p[-1][target, 0])
        d = {name: np.zeros_like(value) for name, value in P.items()}
        from_later = np.zeros_like(self.h)
        for t in range(len(inputs) - 1, -1, -1):
            dy = p[t] - one_hot[:, [targets[t]]]
            d["Why"] += dy @ h[t + 1].T
            d["by"] += dy
            dz = (P["Why"].T @ dy + from_later) * (1 - h[t + 1] ** 2)
            d["Wxh"] += dz @ one_hot[:, [inputs[t]]].T
            d["Whh"] += dz @ h[t].T
            d["bh"] += dz
            from_later = P["Whh"].T @ dz
        self.h = h[-1]
        return loss, d
