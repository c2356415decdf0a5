"""The promises of docs/promises.md, tried a few times; ``python tools/reliability.py`` tries them by thousands."""

import os
import re
import sys
from pathlib import Path

import pytest
from promises import PROMISES
from write_faults import NO_COMPILER

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes and signals as Linux has them")
SLOW = {"terminate", "hashes", "soak"}  # processes that start Python anew, and time
PAGE = Path(__file__).parents[1] / "docs" / "development" / "guarantees.md"


@linux
@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.slow] * (n in SLOW)) for n in PROMISES])
def test_promise(name):
    promise = PROMISES[name]
    outcome = promise.run(promise.short, seed=int(os.environ.get("CRNN_SEED", "0")))
    if outcome.failures == [NO_COMPILER]:
        pytest.skip(NO_COMPILER)
    assert outcome.tries
    assert outcome.failures == []


def test_every_promise_is_named_beside_a_guarantee():
    rows = [line.split("|") for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row[3])} == PROMISES.keys()
