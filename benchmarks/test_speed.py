"""Is crnn still as fast, compared with work that never changes? Both take turns here, so the machine's speed cancels.

The least processor time of many short runs counts: other programs slow down most of them, but not all. A limit is three
fifths of what a Xeon with AVX-512 measures, busy or idle, so it notices a speed that has halved.
"""

from __future__ import annotations

import math
import time

import pytest

from benchmarks import work
from benchmarks.cases import Case
from crnn import _kernels

ROUNDS = 20
PRODUCT = "sgemm 1", 2 * work.SGEMM_SIZE**3  # what to do, and how many units of work it is
BATCHED, GATED = Case(256, 50, 50, 2), Case(128, 50, 50, 2, cell="lstm")


@pytest.mark.skipif(
    _kernels.available("float32")[-1] != "avx512" or _kernels.forced is not None, reason="the limits are for AVX-512"
)
@pytest.mark.parametrize(
    ("own", "other", "limit"),
    [
        (("train crnn rnn 1 100 25 1 500 1", 500), ("train numpy rnn 1 100 25 1 10 1", 10), 24),
        (("sample crnn rnn 100 20000 1 1", 20_000), ("sample numpy rnn 100 1000 1 1", 1000), 17),
        (("train crnn rnn 1 256 50 50 2 1", BATCHED.steps * BATCHED.flops), PRODUCT, 0.55),
        (("train crnn lstm 1 128 50 50 2 1", GATED.steps * GATED.flops), PRODUCT, 0.43),
    ],
    ids=["online step", "sampling", "batched step", "gated batched step"],
)
def test_the_speed_has_not_halved(own, other, limit):
    runs = []
    for command, units in (own, other):
        kind, *arguments = command.split()
        runs.append((work.KINDS[kind](*arguments), units))
    fastest = [math.inf, math.inf]  # seconds a unit
    for _ in range(ROUNDS):
        for i, (run, units) in enumerate(runs):
            start = time.process_time()
            run()
            fastest[i] = min(fastest[i], (time.process_time() - start) / units)
    assert fastest[1] / fastest[0] > limit
