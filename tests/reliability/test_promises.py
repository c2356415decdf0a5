"""The promises of docs/reliability.md, tried a few times; ``python tools/reliability.py`` tries them by thousands."""

import os
import sys

import pytest
from measurements import FIGURES
from promises import PROMISES
from write_faults import NO_COMPILER

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes and signals as Linux has them")
SLOW = {"terminate", "hashes", "soak"}  # processes that start Python anew, and time


@linux
@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.slow] * (n in SLOW)) for n in PROMISES])
def test_promise(name):
    promise = PROMISES[name]
    outcome = promise.run(promise.short, seed=int(os.environ.get("CRNN_SEED", "0")))
    if outcome.failures == [NO_COMPILER]:
        pytest.skip(NO_COMPILER)
    assert outcome.tries
    assert outcome.failures == []


@linux
@pytest.mark.slow
@pytest.mark.parametrize(("name", "count"), [("responses", 1), ("pauses", 20), ("memory", 1), ("imports", 1)])
def test_figures(name, count):
    header, _, *rows = FIGURES[name][0](count)
    assert len(rows) > 1
    assert all(row.count("|") == header.count("|") for row in rows)
