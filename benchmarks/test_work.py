"""How long do a training step, a drawn character and a score take, compared with the peers?"""

from dataclasses import replace
from functools import cache

import pytest

from benchmarks import work
from benchmarks.cases import Case, ready
from benchmarks.conftest import needs

CASES = [
    Case(13, 7, 3, 40),
    Case(13, 7, 3, 40, cell="lstm", num_layers=2),
    *(Case(H, 25, 1, K) for H, K in ((64, 200), (100, 200), (256, 60), (512, 30))),
    *(Case(H, 50, 50, K) for H, K in ((128, 6), (256, 3), (512, 2))),
    Case(512, 100, 100, 1),
    *(Case(H, 50, 50, K, cell="lstm") for H, K in ((128, 4), (256, 2), (512, 2))),
    Case(384, 64, 32, 2, cell="lstm"),
    Case(128, 50, 50, 3, cell="lstm", num_layers=2),
    Case(256, 50, 50, 2, cell="gru"),
]


def runs(case):
    """Yield the contenders that know a case, each with a number of threads; JAX takes every core of its process."""
    plain = ("crnn-float64", "jax-by-hand", *(["numpy"] if case.batch_size == 1 else []))
    for contender in ("crnn", "torch", "jax", *(plain if case.plain else ())):
        both = case.batch_size > 1 and contender != "crnn-float64"
        yield from ((case, contender, n) for n in ((2,) if contender.startswith("jax") else (1, 2) if both else (1,)))


@pytest.fixture
def sized(pytestconfig):
    """Choose a size that can be timed, or a small one where nothing is timed: the same code, and the same checks."""
    return lambda to_time, small: small if pytestconfig.getoption("benchmark_disable") else to_time


@pytest.fixture
def timed(benchmark):
    """Time a function over a few rounds, one round more to warm up; return its last result."""

    def run(function, *arguments, group, rounds=5):
        benchmark.group = group
        return benchmark.pedantic(function, arguments, rounds=rounds, warmup_rounds=1)

    return run


@cache
def expected(case):
    return ready("crnn-float64", case, 1)()


@pytest.mark.parametrize(
    ("case", "contender", "n_threads"),
    [run for case in CASES for run in runs(case)],
    ids=lambda value: getattr(value, "name", str(value)),
)
def test_training_step(timed, sized, case, contender, n_threads):
    needs(contender)
    case = replace(case, steps=sized(case.steps, min(case.steps, 5)))
    epoch = ready(contender, case, n_threads)
    assert epoch() == pytest.approx(expected(case), rel=1e-3)
    assert timed(epoch, group=f"{case.name}, {case.steps} steps", rounds=3) > 0


@pytest.mark.parametrize("contender", ["crnn", "numpy", "torch", "jax"])
@pytest.mark.parametrize("n_samples", ["1", "64"])
@pytest.mark.parametrize("H", ["100", "512"])
def test_sampling(timed, H, n_samples, contender):
    needs(contender)
    n = "200" if n_samples == "64" else "1000"
    if contender == "numpy" and n_samples != "1":
        pytest.skip("min-char-rnn draws one text at a time")
    drawn = timed(work.sample(contender, "rnn", H, n, n_samples, "1"), group=f"{n_samples} samples of {n}, H = {H}")
    assert drawn == int(n) * int(n_samples)


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
