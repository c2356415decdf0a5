"""How long do a training step, a drawn character and a score take, compared with the peers?"""

from dataclasses import replace
from functools import cache

import pytest

from benchmarks import work
from benchmarks.cases import Case, ready
from benchmarks.conftest import TRAINERS, needs

ONLINE = [Case(H, 25, 1, K) for H, K in ((64, 200), (100, 200), (256, 60), (512, 30))]
BATCHED = [Case(H, 50, 50, K) for H, K in ((128, 6), (256, 3), (512, 2))] + [Case(512, 100, 100, 1)]
GATED = [Case(H, 50, 50, K, cell="lstm") for H, K in ((128, 4), (256, 2), (512, 2))] + [
    Case(384, 64, 32, 2, cell="lstm"),
    Case(128, 50, 50, 3, cell="lstm", num_layers=2),
    Case(256, 50, 50, 2, cell="gru"),
]


@cache
def expected(case):
    return ready("crnn-float64", case, 1)()


@pytest.fixture
def fewer(sized):
    """A case with fewer steps where nothing is timed."""
    return lambda case: replace(case, steps=sized(case.steps, min(case.steps, 5)))


def checked(contender, case, n_threads):
    """Make a contender ready, and check that its first steps equal all others'."""
    epoch = ready(contender, case, n_threads)
    assert epoch() == pytest.approx(expected(case), rel=1e-3)
    return epoch


@pytest.mark.parametrize("contender", [*TRAINERS, "crnn-float64"])
@pytest.mark.parametrize("case", ONLINE, ids=lambda case: case.name)
def test_online_step(timed, fewer, case, contender):
    needs(contender)
    case = fewer(case)
    assert timed(checked(contender, case, 1), group=f"online {case.name}, {case.steps} steps") > 0


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("contender", [name for name in TRAINERS if name != "numpy"])
@pytest.mark.parametrize("case", BATCHED, ids=lambda case: case.name)
def test_batched_step(timed, case, contender, n_threads):
    needs(contender)
    if contender.startswith("jax") and n_threads == 1:
        pytest.skip("JAX takes every core of its process: benchmarks.report runs it on one")
    epoch = checked(contender, case, n_threads)
    assert timed(epoch, group=f"batched {case.name}, {case.steps} steps", rounds=3) > 0


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("contender", ["crnn", "torch", "jax"])
@pytest.mark.parametrize("case", GATED, ids=lambda case: case.name)
def test_gated_step(timed, case, contender, n_threads):
    needs(contender)
    if contender == "jax" and n_threads == 1:
        pytest.skip("JAX takes every core of its process: benchmarks.report runs it on one")
    epoch = checked(contender, case, n_threads)
    assert timed(epoch, group=f"gated {case.name}, {case.steps} steps", rounds=3) > 0


def test_gated_peers_agree():
    needs("torch")
    needs("jax")
    case = Case(13, 7, 3, 40, cell="lstm", num_layers=2)
    assert ready("torch", case, 2)() == pytest.approx(ready("jax", case, 2)(), rel=1e-3)


@pytest.mark.parametrize("contender", [name for name in TRAINERS if name not in ("numpy", "crnn")])
def test_contenders_agree(contender):
    needs(contender)
    case = Case(13, 7, 3, 40)
    threads = 1 if contender == "torch" else 2
    assert ready(contender, case, threads)() == pytest.approx(expected(case), rel=1e-3)


@pytest.mark.parametrize("contender", ["crnn", "numpy", "torch", "jax"])
@pytest.mark.parametrize("num_samples", ["1", "64"])
@pytest.mark.parametrize("H", ["100", "512"])
def test_sampling(timed, H, num_samples, contender):
    needs(contender)
    n = "200" if num_samples == "64" else "1000"
    if contender == "numpy" and num_samples != "1":
        pytest.skip("min-char-rnn draws one text at a time")
    drawn = timed(work.sample(contender, H, n, num_samples, "1"), group=f"{num_samples} samples of {n}, H = {H}")
    assert drawn == int(n) * int(num_samples)


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
