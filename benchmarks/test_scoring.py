"""How long does it take to score a text, exactly and in parts?"""

import pytest

from benchmarks import work
from benchmarks.conftest import needs


@pytest.mark.parametrize("contender", ["crnn-exact", "crnn", "torch", "jax"])
@pytest.mark.parametrize("n_threads", ["1", "2"])
def test_scoring(timed, n_threads, contender):
    needs(contender)
    if contender == "jax" and n_threads == "1":
        pytest.skip("JAX takes every core of its process: benchmarks.report runs it on one")
    nats = timed(work.score(contender, "256", "200000", "64", n_threads), group=f"score, {n_threads} threads", rounds=3)
    exact = work.score("crnn-exact", "256", "200000", "1", "1")()
    assert nats == pytest.approx(exact, rel=1e-3)
