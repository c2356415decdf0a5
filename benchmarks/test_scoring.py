"""How long does it take to score a text, exactly and in parts?"""

from functools import cache

import pytest

from benchmarks import work
from benchmarks.conftest import needs


@pytest.mark.parametrize("contender", ["crnn-exact", "crnn", "torch", "jax"])
@pytest.mark.parametrize("n_threads", ["1", "2"])
def test_scoring(timed, sized, n_threads, contender):
    needs(contender)
    if contender == "jax" and n_threads == "1":
        pytest.skip("JAX takes every core of its process: benchmarks.report runs it on one")
    n = sized("200000", "50000")
    nats = timed(work.score(contender, "256", n, "64", n_threads), group=f"score, {n_threads} threads", rounds=3)
    assert nats == pytest.approx(exact(n), rel=1e-3)


@cache
def exact(n):
    """The nats per character of a text that is read from its beginning to its end."""
    return work.score("crnn-exact", "256", n, "1", "1")()
