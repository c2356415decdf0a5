"""How long does a training step take, beside the peers? One stream and many."""

import math

import pytest

from benchmarks.cases import VOCAB_SIZE, Case, ready
from benchmarks.conftest import TRAINERS, needs

ONLINE = [Case(H, 25, 1, K) for H, K in ((64, 200), (100, 200), (256, 60), (512, 30))]
BATCHED = [Case(H, 50, 50, K) for H, K in ((128, 6), (256, 3), (512, 2))] + [Case(512, 100, 100, 1)]


def check(loss, case):
    assert 0 < loss < 1.1 * case.seq_length * math.log(VOCAB_SIZE)


@pytest.mark.parametrize("contender", [*TRAINERS, "crnn-float64"])
@pytest.mark.parametrize("case", ONLINE, ids=lambda case: case.name)
def test_online_step(timed, case, contender):
    needs(contender)
    check(timed(ready(contender, case, 1), group=f"online {case.name}, {case.steps} steps"), case)


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("contender", [name for name in TRAINERS if name != "numpy"])
@pytest.mark.parametrize("case", BATCHED, ids=lambda case: case.name)
def test_batched_step(timed, case, contender, n_threads):
    needs(contender)
    if contender.startswith("jax") and n_threads == 1:
        pytest.skip("JAX takes every core of its process: benchmarks.report runs it on one")
    check(timed(ready(contender, case, n_threads), group=f"batched {case.name}, {case.steps} steps", rounds=3), case)


@pytest.mark.parametrize("contender", [name for name in TRAINERS if name not in ("numpy", "crnn")])
def test_contenders_agree(contender):
    needs(contender)
    case = Case(13, 7, 3, 40)
    expected = ready("crnn-float64", case, 1)()
    assert ready(contender, case, 1 if contender == "torch" else 2)() == pytest.approx(expected, rel=1e-2)
