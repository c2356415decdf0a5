"""The machine's speed: what is noise, which precision is chosen, and that the speed is one of a few."""

import itertools
import math
import time
from contextlib import nullcontext
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crnn import _kernels
from crnn.training import machine_speed
from crnn.training.machine_speed import MIN_GAIN, Speed, best_speed, measured_speed, round_speed, usable_precisions

GRID = 2**0.25


@given(st.floats(1e6, 1e15), st.floats(1.0, 1.1))
def test_a_rounded_speed_is_near_rounded_again_the_same_and_after_a_tenth_a_neighbor_at_most(speed, factor):
    found = round_speed(speed)
    ratio = round_speed(speed * factor) / found
    assert ratio == pytest.approx(1) or ratio == pytest.approx(GRID)
    assert abs(math.log(found / speed)) <= math.log(GRID) / 2 + 1e-9
    assert round_speed(found) == found


def test_runs_that_another_program_disturbed_do_not_count():
    quiet = best_speed({"float32": [1.0] * 20}, 1e11)
    rng = np.random.default_rng(0)
    disturbed = rng.permutation([1.0] * 8 + [*rng.uniform(1.3, 9.0, 12)])
    assert best_speed({"float32": disturbed}, 1e11) == quiet
    assert best_speed({"float32": [1.5] * 20}, 1e11) != quiet


@pytest.mark.parametrize("gain", [0.5, 1.0, 1.09, 1.11, 2.6])
def test_bfloat16_is_chosen_only_where_it_is_clearly_faster(gain):
    found = best_speed({"float32": [3.0, 3.0], "bfloat16": [3.0 / gain] * 5}, 7e11)
    if gain < MIN_GAIN:
        assert found == best_speed({"float32": [3.0]}, 7e11)
    else:
        assert found == Speed(round_speed(7e11 / 3.0 * gain), "bfloat16")


def test_only_a_processor_that_multiplies_bfloat16_is_asked_for_it(monkeypatch):
    for name, precisions in (("avx512", ("float32",)), ("amx", ("float32", "bfloat16"))):
        monkeypatch.setattr(_kernels, "bfloat16_set", name)
        assert usable_precisions(None) == usable_precisions(None, np.float32) == precisions
        assert usable_precisions(None, "float64") == ("float32",)
        for given_one in ("float32", "bfloat16"):
            assert usable_precisions(given_one) == (given_one,)


def test_precisions_take_turns(monkeypatch):
    """A clock that runs only while steps are taken, in bfloat16 half as fast: the found speeds are those."""
    now, ran = [0.0], []

    def advance(precision, rates):
        ran.append(precision)
        now[0] += len(rates) * (0.002 if precision == "float32" else 0.001)

    def trainer(precision, *arguments):
        return nullcontext(SimpleNamespace(advance=partial(advance, precision)))

    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(machine_speed, "_trainer", trainer)
    alone = measured_speed(precisions=("float32",), seconds=0.5)
    ran.clear()
    found = measured_speed(precisions=("float32", "bfloat16"), seconds=0.5)
    assert found.matmul_precision == "bfloat16"
    assert found.operations == pytest.approx(2 * alone.operations, rel=1e-6)
    assert all(a != b for a, b in itertools.pairwise(ran))
    assert len(ran) == pytest.approx(2 * 0.5 / 0.012, abs=4)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_speed_is_that_of_some_training(precision):
    speed, chosen = measured_speed(1, precisions=(precision,), seconds=0.01)
    assert 1e7 < speed < 1e14
    assert chosen == precision
