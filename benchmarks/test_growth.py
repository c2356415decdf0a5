"""Does the cost of a character grow with the text's length, or the cost of a step with the vocabulary?"""

from functools import cache

import numpy as np
import pytest

from benchmarks.cases import Case, crnn_model, crnn_steps, peer_of, ready, smoothed
from benchmarks.conftest import needs
from crnn import CharRNN

CONTENDERS = ("crnn", "numpy", "torch", "jax")


def text_of(n: int) -> bytes:
    """A text of n bytes and 64 different ones."""
    return bytes(range(32, 96)) * (n // 64)


def symbols_and_ids(contender, text):
    """A text as its symbols and their numbers in the text, as one would find them with that library."""
    if contender == "crnn":
        return CharRNN(8, max_steps=0).fit(text).vocabulary_, None
    if contender == "min-char-rnn":
        symbols = sorted(set(text))
        number = {s: i for i, s in enumerate(symbols)}
        return symbols, np.array([number[s] for s in text])
    if contender == "numpy":
        return np.unique(np.frombuffer(text, np.uint8), return_inverse=True)
    import torch

    # of a copy: PyTorch warns of memory that it may not write to
    return torch.unique(torch.frombuffer(bytearray(text), dtype=torch.uint8), return_inverse=True)


@pytest.mark.parametrize("contender", ["crnn", "min-char-rnn", "numpy", "torch"])
@pytest.mark.parametrize("megabytes", [1, 10, 100])
def test_preparing_a_text(timed, sized, megabytes, contender):
    if contender == "torch":
        needs(contender)
    if contender != "crnn" and megabytes == 100:
        pytest.skip("this peer holds several numbers of 8 bytes for each character: gigabytes")
    text = text_of(megabytes * sized(10**6, 10**4))
    symbols, ids = timed(symbols_and_ids, contender, text, group="vocabulary and ids, for each text", rounds=1)
    assert len(symbols) == 64
    assert ids is None or len(ids) == len(text)


@pytest.mark.parametrize("contender", CONTENDERS)
@pytest.mark.parametrize("megabytes", [1, 10, 100])
def test_steps_in_a_long_text(timed, sized, megabytes, contender):
    needs(contender)
    case, text = Case(100, 25, 1, sized(500, 50), vocab_size=64), text_of(megabytes * sized(10**6, 10**5))
    if contender == "crnn":
        model = crnn_model(case, text=text)

        def read_and_train() -> float:
            return crnn_steps(model, text)
    else:
        peer = peer_of(contender, case, 1)
        number = np.zeros(256, np.uint8)
        number[32:96] = range(64)
        n = case.steps * case.seq_length

        def read_and_train() -> float:
            ids = number[np.frombuffer(text, np.uint8)][: n + 1]
            return smoothed(peer.train(*(part.reshape(case.steps, -1, 1) for part in (ids[:-1], ids[1:]))))

    # every text begins alike, and the first epoch starts from the case's weights
    assert read_and_train() == pytest.approx(first_steps(case), rel=1e-3)
    assert timed(read_and_train, group=f"{case.steps} steps and the reading of the text", rounds=2) > 0


@cache
def first_steps(case):
    """Loss of the steps that `test_steps_in_a_long_text` takes first."""
    return crnn_steps(crnn_model(case, dtype="float64", text=text_of(10**5)), text_of(10**5))


@pytest.mark.parametrize("contender", CONTENDERS)
@pytest.mark.parametrize("V", [32, 256, 4096])
def test_step_and_vocabulary(timed, sized, V, contender):
    needs(contender)
    # more steps of the large vocabulary would be minutes of NumPy's
    case = Case(100, 25, 1, sized(100 if V < 4096 else 20, 5), vocab_size=V)
    epoch = ready(contender, case, 1)
    assert epoch() == pytest.approx(ready("crnn-float64", case, 1)(), rel=1e-3)
    assert timed(epoch, group=f"{case.steps} online steps, V = {V}", rounds=3) > 0
