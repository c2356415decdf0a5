"""Settings under which training goes wrong: the weights stay finite, the model can be saved, and ruin is an error."""

from __future__ import annotations

import math

import numpy as np

from crnn import CharRNN, DivergenceError

TEXT = "to be or not to be, that is the question. " * 5


def settings_of(rng):
    """Return random settings, most of them foolish."""
    optimizer = ["adagrad", "rmsprop", "adam"][rng.integers(3)]
    given = {
        "hidden_size": int(rng.integers(1, 9)), "cell": ["rnn", "gru", "lstm", "cifg"][rng.integers(4)],
        "num_layers": int(rng.integers(1, 3)), "seq_length": int(rng.integers(1, 26)),
        "batch_size": int(rng.integers(1, 4)), "optimizer": optimizer, "dtype": ["float32", "float64"][rng.integers(2)],
        "learning_rate": float(10 ** rng.uniform(-3, [2, 8, 38, 300][rng.integers(4)])),
        "clip": [None, 5.0, 1e30][rng.integers(3)], "clip_norm": [None, 1.0, 1e30][rng.integers(3)],
        "init_scale": [None, None, 1.0, 1e10, 1e29][rng.integers(5)], "max_steps": int(rng.integers(1, 400)),
        "dropout": [0.0, 0.3][rng.integers(2)], "random_state": int(rng.integers(9)), "n_threads": 1,
    }  # fmt: skip
    if optimizer == "adam":
        decay = float(10 ** rng.uniform(-2, 6))
        given |= {"weight_decay": [0.0, decay][rng.integers(2)], "beta_2": [0.0, 0.999][rng.integers(2)]}
    return given


def case(i, folder):
    """Train with random settings."""
    given = settings_of(np.random.default_rng([13, i]))
    model = CharRNN(**given)
    diverged = False
    try:
        model.fit(TEXT)
    except DivergenceError:
        diverged = True
    except Exception as error:
        return f"{type(error).__name__}: {error} with {given}"
    for name, array in model.params_.items():
        if not np.isfinite(array).all():
            return f"{name} is not finite with {given}"
    try:
        model.save(folder / "model")
        CharRNN.load(folder / "model")
    except Exception as error:
        return f"{type(error).__name__}: {error} with {given}"
    uniform = model.seq_length * math.log(len(model.vocabulary_))
    losses = [record["train_loss"] * model.seq_length for record in model.history_[-5:]]
    if not diverged and model.n_steps_ >= 100 and min(losses) > 1e6 * uniform:  # shorter calls are not judged
        return f"success with losses of {losses} nats, {given}"
    return None
