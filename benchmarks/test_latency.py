"""How long does a short call take, compared with PyTorch, and with what its characters take in a long text?"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest

from benchmarks.conftest import needs
from crnn import CharRNN

STRING = 15  # characters of a string
LONGER = 50
LONG = 2000  # characters of a long text


@cache
def fitted(hidden_size: int) -> tuple[CharRNN, str]:
    """Return a model of 65 symbols and a long text."""
    text = "".join(map(chr, np.random.default_rng(0).integers(33, 98, LONG)))
    model = CharRNN(hidden_size, cell="lstm", batch_size=4, max_steps=1, n_threads=1, random_state=0)
    return model.fit(text), text


def by_pytorch(model: CharRNN, string: str) -> Callable[[], float]:
    """Return a call of PyTorch's eager module with the model's weights."""
    import torch

    torch.set_num_threads(1)
    module = model.to_torch()

    def log_likelihood() -> float:
        with torch.inference_mode():
            return float(module.log_probabilities(module.encode(string)).sum())

    return log_likelihood


@pytest.mark.parametrize("H", [256, 512])
@pytest.mark.parametrize("call", ["long text", "string", "longer string", "string, PyTorch", "character", "draw"])
def test_call(timed, sized, H, call):
    model, text = fitted(sized(H, 7))
    string = text[:STRING]

    def measure(function: Callable[[], object], what: str, characters: int = 1, iterations: int = 20) -> None:
        options = {"rounds": sized(20, 1), "iterations": sized(iterations, 1)}
        timed(function, table="latency", contender=what, column=f"LSTM, H = {H}", units=characters, **options)

    if call == "long text":
        expected = model.score_samples([text])[0]
        assert model.score(text) * LONG == pytest.approx(expected, rel=1e-5)
        measure(lambda: model.score(text), "a character of a long text, `score`", LONG, 1)
    elif call == "string":
        expected = model.start().feed(string).log_prob
        assert model.score_samples([string])[0] == pytest.approx(expected, rel=1e-5)
        measure(lambda: model.score_samples([string]), f"a text of {STRING} characters, `score_samples`")
    elif call == "longer string":
        longer = text[:LONGER]
        expected = model.start().feed(longer).log_prob
        assert model.score_samples([longer])[0] == pytest.approx(expected, rel=1e-5)
        measure(lambda: model.score_samples([longer]), f"a text of {LONGER} characters, `score_samples`")
    elif call == "string, PyTorch":
        needs("torch")
        run = by_pytorch(model, string)
        assert run() == pytest.approx(model.score_samples([string])[0], rel=1e-5)
        measure(run, f"a text of {STRING} characters, PyTorch, eager")
    elif call == "character":
        assert model.start().feed(text[0]).log_prob == model.score_samples([text[0]])[0]
        measure(lambda: model.start().feed(text[0]).log_prob, "a text of one character, `start().feed`")
    else:
        assert len(model.sample(1, random_state=0)) == 1
        measure(lambda: model.sample(1, random_state=0), "a drawn character, `sample(1)`")
