"""How long do counting and scoring take, compared with PPMd, which compresses the text?

Each round scores another text, so that none finds what it reads in the processor's caches.
"""

from __future__ import annotations

from operator import gt

import pytest

from benchmarks.counts import compressed
from crnn import CharNGram
from crnn.datasets import python_manual

ORDER = 7
ROUNDS = 5


@pytest.fixture(scope="module")
def parts() -> tuple[str, str]:
    """Return nine tenths of Python's manual, and the rest."""
    text = python_manual()
    cut = len(text) * 9 // 10
    return text[:cut], text[cut:]


@pytest.mark.parametrize("contender", ["PPMd", "crnn"])
def test_learning(timed, parts, contender):
    text = parts[0]
    if contender == "PPMd":
        pytest.importorskip("pyppmd", reason="pyppmd is missing: pip install --group bench")
        assert 0 < timed(
            lambda: compressed(text.encode(), ORDER), table="counting", contender="PPMd, which compresses as it learns",
            column="learned", units=len(text),
        ) < len(text)  # fmt: skip
        return
    model = timed(
        lambda: CharNGram(ORDER, n_threads=1).fit(text), table="counting", contender="crnn", column="learned",
        units=len(text),
    )  # fmt: skip
    assert -2.5 < model.score(parts[1]) < 0


@pytest.mark.parametrize("adapt", [False, True])
def test_scoring(timed, parts, adapt):
    known, held_out = parts
    model = CharNGram(ORDER, n_threads=1).fit(known)
    length = len(held_out) // (ROUNDS + 1)
    texts = [held_out[i * length : (i + 1) * length] for i in range(ROUNDS + 1)]
    model.score(texts[0], adapt=adapt)
    others = iter(texts[1:])
    scores = []
    timed(
        lambda: scores.append(model.score(next(others), adapt=adapt)), table="counting", contender="crnn",
        column="scored and learned, `adapt=True`" if adapt else "scored", units=length, rounds=ROUNDS,
    )  # fmt: skip
    usual = [model.score(text) for text in texts[1 : len(scores) + 1]]
    assert len(scores) > 0
    assert all(map(gt, scores, usual)) if adapt else scores == usual
