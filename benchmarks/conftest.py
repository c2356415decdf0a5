"""Skip missing contenders with a message, and don't run benchmarks in parallel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks import peers
from crnn.runtime.machine import usable_cores

TRAINERS = ("crnn", "numpy", "torch", "jax", "jax-by-hand")


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Use one process, because parallel processes would slow each other down; two if nothing is timed."""
    return 2 if config.getoption("benchmark_disable") and usable_cores() > 1 else 0


@pytest.fixture
def sized(pytestconfig: pytest.Config) -> Callable[[Any, Any], Any]:
    """Choose a size that can be timed, or a small one where nothing is timed: the same code, and the same checks."""
    return lambda to_time, small: small if pytestconfig.getoption("benchmark_disable") else to_time


@pytest.fixture
def timed(benchmark: BenchmarkFixture) -> Callable[..., Any]:
    """Time a function over a few rounds, one round more to warm up; return its last result."""

    def run(function: Callable[..., Any], *arguments: Any, group: str, rounds: int = 5) -> Any:
        benchmark.group = group
        return benchmark.pedantic(function, arguments, rounds=rounds, warmup_rounds=1)

    return run


def needs(contender: str) -> None:
    """Skip unless the contender's framework is installed."""
    framework = contender.partition("-")[0]
    if framework != "crnn" and not peers.available(framework):
        pytest.skip(peers.reason(framework))
