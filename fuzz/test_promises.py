"""The promises of docs/promises.md, tried a few times; ``python tools/reliability.py`` tries them by thousands."""

import os
import re
import sys
from pathlib import Path

import pytest
from promises import PROMISES
from worker_processes import NO_GUNICORN
from write_faults import NO_COMPILER

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes and signals as Linux has them")
STARTED_ANEW = {"terminate", "hashes", "spawn", "forkserver", "loky", "gunicorn", "preload"}  # processes of Python
SLOW = STARTED_ANEW | {"soak"}
PAGE = Path(__file__).parents[1] / "docs" / "development" / "guarantees.md"


@linux
@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.slow] * (n in SLOW)) for n in PROMISES])
def test_promise(name):
    promise = PROMISES[name]
    outcome = promise.run(promise.short, seed=int(os.environ.get("CRNN_SEED", "0")))
    if outcome.failures in ([NO_COMPILER], [NO_GUNICORN]):
        pytest.skip(outcome.failures[0])
    assert outcome.tries
    assert outcome.failures == []


def test_every_promise_is_named_beside_a_guarantee():
    rows = [line.split("|") for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row[3])} == PROMISES.keys()
