"""How long does a step of training take, compared with the peers?

Each contender takes the same steps from the same weights, in its framework's process, and must end with the same loss.
JAX takes every core of its process: for one thread, the process has one core.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from benchmarks.cases import Case, dtype_of, ready
from benchmarks.conftest import needs
from benchmarks.work import SGEMM_SIZE
from benchmarks.workers import Workers

SMALL_STEPS = 5  # where nothing is timed
SLOW = ("numpy", "torch")  # far slower than the others with one stream
SLOWNESS = 20
# steps that take crnn 20 to 40 ms
ONE_STREAM = [Case(100, 25, 1, 500), Case(256, 25, 1, 100), Case(512, 25, 1, 40)]
SIXTEEN_STREAMS = [Case(100, 25, 16, 60), Case(512, 25, 16, 10)]
TANH = [Case(128, 50, 50, 40), Case(256, 50, 50, 12), Case(512, 50, 50, 4)]
# enough steps that the room for 20 to 60 MB of states and gates, which a call makes ready, does not count
GATED = [
    Case(128, 50, 50, 30, cell="lstm"),
    Case(256, 50, 50, 10, cell="lstm"),
    Case(512, 50, 50, 4, cell="lstm"),
    Case(256, 50, 50, 15, cell="gru"),
]
# what no page quotes: several layers, odd sizes, and float32 against float64
OTHERS = [
    Case(13, 7, 3, 40),
    Case(13, 7, 3, 40, cell="lstm", num_layers=2),
    Case(384, 64, 32, 2, cell="lstm"),
    Case(128, 50, 50, 3, cell="lstm", num_layers=2),
]
BY_ONE_STREAM = [
    "numpy",
    "numpy-float32",
    "numpy-hoisted",
    "numpy-hoisted-float32",
    "torch-float64",
    "torch",
    "torch-compiled",
    "jax",
    "jax-by-hand-float64",
    "jax-by-hand",
    "classic-float64",
    "classic",
    "crnn-float64",
    "crnn",
]


@cache
def expected(case: Case) -> float:
    """Return the loss of a case's steps in float64."""
    return ready("crnn-float64", case, 1)()


def time_steps(
    timed: Callable[..., Any], workers: Workers, contender: str, case: Case, n_threads: int, *, table: str, column: str
) -> None:
    """Let a contender take the steps of a case, check their loss, and time them."""
    needs(contender)
    if contender == "sgemm":
        worker = workers.of(contender, n_threads)
        worker.prepare("sgemm", n_threads)
        units = 2 * SGEMM_SIZE**3 / case.flops
    else:
        worker = workers.of(contender, n_threads)
        sizes = (case.cell, case.num_layers, case.hidden_size, case.seq_length, case.batch_size, case.steps)
        loss = worker.prepare("train", contender, *sizes, n_threads)
        tolerance = 0.05 if "bfloat16" in contender else 1e-3
        assert loss == pytest.approx(expected(case), rel=tolerance), "it does something else"
        units = case.steps
    timed(worker.repeat, table=table, contender=contender, column=column, units=units, dtype=dtype_of(contender))


def of_min_char_rnn(case: Case, contender: str) -> Case:
    """Return the case with as many steps as can be timed."""
    if contender.startswith(SLOW) and case.batch_size == 1:
        return replace(case, steps=max(2, case.steps // SLOWNESS))
    return case


@pytest.mark.parametrize("contender", BY_ONE_STREAM)
@pytest.mark.parametrize("case", [*ONE_STREAM, *SIXTEEN_STREAMS], ids=lambda case: case.name)
def test_step_of_min_char_rnn(timed, workers, sized, case, contender):
    if contender.startswith("numpy") and case.batch_size > 1:
        pytest.skip("the script has one stream")
    if contender == "torch-compiled" and case.hidden_size == 256:
        pytest.skip("compiling takes long: the other sizes show its gain")
    case = sized(of_min_char_rnn(case, contender), replace(case, steps=SMALL_STEPS))
    column = f"H = {case.hidden_size}" + f", {case.batch_size} streams" * (case.batch_size > 1)
    time_steps(timed, workers, contender, case, 1, table="step", column=column)


@pytest.mark.parametrize("contender", ["torch", "jax", "jax-by-hand", "sgemm", "crnn"])
@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("case", TANH, ids=lambda case: case.name)
def test_step_of_many_streams(timed, workers, sized, case, n_threads, contender):
    case = sized(case, replace(case, steps=2))
    column = f"H = {case.hidden_size}" + ", two threads" * (n_threads == 2)
    time_steps(timed, workers, contender, case, n_threads, table="tanh", column=column)


@pytest.mark.parametrize("contender", ["torch", "torch-bfloat16", "jax", "sgemm", "crnn", "crnn-bfloat16"])
@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("case", GATED, ids=lambda case: case.name)
def test_step_of_gates(timed, workers, sized, case, n_threads, contender):
    case = sized(case, replace(case, steps=2))
    table = "gated" + ", two threads" * (n_threads == 2)
    column = f"{case.cell.upper()}, H = {case.hidden_size}"
    time_steps(timed, workers, contender, case, n_threads, table=table, column=column)


@pytest.mark.parametrize("contender", ["torch", "jax", "crnn"])
@pytest.mark.parametrize("case", OTHERS, ids=lambda case: case.name)
def test_step_of_another_size(timed, workers, case, contender):
    time_steps(timed, workers, contender, case, 2, table="other sizes", column=case.name)
