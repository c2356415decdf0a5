"""Time functions by pytest-benchmark, skip missing contenders with a message, and run benchmarks one after another."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from benchmarks import machine, peers
from benchmarks.workers import Workers
from crnn.runtime.machine import usable_cores

collect_ignore = [] if peers.available("torch") else ["peers/torch_char_classifier.py"]  # a subclass of PyTorch's


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Use one process, because parallel processes would slow each other down; two if nothing is timed."""
    return 2 if config.getoption("benchmark_disable") and usable_cores() > 1 else 0


@pytest.hookimpl(optionalhook=True)
def pytest_benchmark_update_json(config: pytest.Config, benchmarks: list[Any], output_json: dict[str, Any]) -> None:
    """Add to a file of measurements what the pages say about the machine."""
    output_json["crnn"] = {"where": machine.processor_and_commit(), "software": machine.software()}


def needs(contender: str) -> None:
    """Skip unless the contender's framework is installed."""
    framework = contender.partition("-")[0]
    if framework in peers.NAMES and not peers.available(framework):
        pytest.skip(peers.reason(framework))


@pytest.fixture(scope="session")
def workers() -> Iterator[Workers]:
    """Return the processes of the contenders."""
    pool = Workers()
    yield pool
    pool.stop()


@pytest.fixture
def sized(pytestconfig: pytest.Config) -> Callable[[Any, Any], Any]:
    """Choose a size that can be timed, or a small one where nothing is timed: the same code, and the same checks."""
    return lambda to_time, small: small if pytestconfig.getoption("benchmark_disable") else to_time


@pytest.fixture
def timed(benchmark: Any) -> Callable[..., Any]:
    """Time a function over some rounds, and note where the figure belongs; return the function's last result.

    `units` is the work of a call: steps, characters. Short calls are repeated `iterations` times in a round. The
    function should have been called once before.
    """

    def run(
        function: Callable[[], Any],
        *,
        table: str,
        contender: str,
        column: str,
        units: float,
        dtype: str = "float32",
        rounds: int = 5,
        iterations: int = 1,
    ) -> Any:
        benchmark.group = f"{table}: {column}"
        benchmark.extra_info.update(table=table, contender=contender, column=column, units=units, dtype=dtype)
        return benchmark.pedantic(function, rounds=rounds, iterations=iterations)

    return run
