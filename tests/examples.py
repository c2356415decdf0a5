"""Small networks, texts and runs that several test files share."""

from __future__ import annotations

import numpy as np

from crnn import reference
from crnn.corpus import Streams
from crnn.parameters import Layout
from crnn.trainer import Trainer


def network(V, H, dtype=np.float64, *, seed=0, scale=0.5):
    """Return a layout and parameters in it, biases and all drawn from N(0, scale^2).

    Only Wh is smaller where H is large: the network must forget, or it would make rounding errors grow.
    """
    layout = Layout(V, H, np.dtype(dtype))
    flat = layout.zeros()
    rng = np.random.default_rng(seed)
    for part in layout.tensors(flat):
        part[...] = scale * rng.standard_normal(part.shape)
    layout.tensors(flat).Wh[:] *= min(1, 0.8 / (scale * np.sqrt(H)))
    return layout, flat


def memory(layout, *, seed=1):
    """Return Adagrad's memory of a network that has been trained for a while: 0.1 … 2."""
    flat = layout.zeros()
    rng = np.random.default_rng(seed)
    for part in layout.tensors(flat):
        part[...] = rng.uniform(0.1, 2, part.shape)
    return flat


def states(B, H, dtype=np.float64, *, seed=2):
    """Return a carried state, (1, B, H)."""
    return np.random.default_rng(seed).uniform(-0.9, 0.9, (1, B, H)).astype(dtype)


def symbols(V, n, dtype=np.uint8, *, seed=3):
    """Return n ids; the largest possible one is among them."""
    ids = np.random.default_rng(seed).integers(V, size=n).astype(dtype)
    ids[n // 2] = V - 1
    return ids


class Run:
    """A network in training: everything the trainer changes, and the trainer, which trains once."""

    def __init__(self, layout, params, sum_, state, ids, *, T, n_threads=1, learning_rate=0.1, clip=5.0):
        B = state.shape[1]
        self.layout, self.params, self.sum, self.state = layout, params.copy(), sum_.copy(), state.copy()
        self.streams = Streams(ids, B, T)
        self.losses, self.positions = [], []
        self.trainer = Trainer(
            layout,
            self.params,
            self.sum,
            self.state,
            self.streams,
            seq_length=T,
            n_steps=0,
            smooth_loss=T * float(np.log(layout.vocab_size)),
            learning_rate=learning_rate,
            clip=clip,
            n_threads=n_threads,
        )

    def steps(self, *counts, every=10**9, look=lambda: None):
        """Take steps, in one call of `run` for each of the counts, and note where it ends; returns the run itself."""
        with self.trainer as trainer:
            for n in counts:
                trainer.run(n, every, look)
                self.losses.append(self.loss)
                self.positions.append(self.cursor.position)
        return self

    @property
    def cursor(self):
        return self.trainer.cursor

    @property
    def loss(self):
        """The loss of the last step, before its update."""
        return self.cursor.last_loss

    def bits(self):
        """Return all that training changes, as bytes."""
        c = self.cursor
        numbers = np.array([c.position, c.n_steps, c.smooth_loss, c.last_loss])
        return b"".join(a.tobytes() for a in (self.params, self.sum, self.state, numbers))


def expected_run(layout, params, sum_, state, ids, n_steps, *, T, learning_rate=0.1, clip=5.0):
    """Return parameters, memory, state and losses after `n_steps` steps of min-char-rnn's loop over the twin."""
    params, sum_, h = params.copy(), sum_.copy(), state[0].copy()
    streams = Streams(ids, len(h), T)
    text, T = streams.parts.astype(np.intp).T, streams.seq_length
    losses, p = [], 0
    for _ in range(n_steps):
        if p + T + 1 >= len(text):
            h, p = np.zeros_like(h), 0
        x, targets = text[p : p + T], text[p + 1 : p + T + 1]
        loss, h = reference.train_step(
            layout.tensors(params), layout.tensors(sum_), x, targets, h, learning_rate, clip
        )
        losses.append(loss)
        p += T
    return params, sum_, h[None], losses
