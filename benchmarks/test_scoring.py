"""How long does it take to score a text of a million characters, compared with the peers?

The peers read as many streams as crnn cuts the text into; `crnn-exact` carries one state through the whole text.
"""

from __future__ import annotations

from functools import cache

import pytest

from benchmarks import work
from benchmarks.conftest import needs

STREAMS = 64


@pytest.mark.parametrize("contender", ["torch", "jax", "crnn-exact", "crnn"])
@pytest.mark.parametrize("n_threads", [1, 2])
def test_scoring(timed, workers, sized, n_threads, contender):
    needs(contender)
    if contender == "crnn-exact" and n_threads > 1:
        pytest.skip("one state is carried by one thread")
    characters = sized(1_000_000, 50_000)
    worker = workers.of(contender, n_threads)
    nats = worker.prepare("score", contender, 256, characters, STREAMS, n_threads)
    assert nats == pytest.approx(exact(characters), rel=1e-3)
    column = "one thread" if n_threads == 1 else "two threads"
    timed(worker.repeat, table="scoring", contender=contender, column=column, units=characters, rounds=3)


@cache
def exact(characters: int) -> float:
    """Return the nats per character of a text that is read from its beginning to its end."""
    return work.score("crnn-exact", "256", str(characters), str(STREAMS), "1")()
