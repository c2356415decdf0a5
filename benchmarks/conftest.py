"""Skip missing contenders with a message, and don't run benchmarks in parallel."""

from __future__ import annotations

import pytest

from benchmarks import peers
from crnn.runtime.machine import usable_cores

collect_ignore = [] if peers.available("torch") else ["peers/torch_char_classifier.py"]  # a subclass of PyTorch's


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Use one process, because parallel processes would slow each other down; two if nothing is timed."""
    return 2 if config.getoption("benchmark_disable") and usable_cores() > 1 else 0


def needs(contender: str) -> None:
    """Skip unless the contender's framework is installed."""
    framework = contender.partition("-")[0]
    if framework != "crnn" and not peers.available(framework):
        pytest.skip(peers.reason(framework))
