"""How long does a training step take, compared with the peers? One stream and many."""

from dataclasses import replace
from functools import cache

import pytest

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
