"""Test a file's description of a training run: the limits of its numbers, and their consistency."""

from __future__ import annotations

import copy
import json
import math

import numpy as np
import pytest
from interrupted_runs import train_until
from texts import TEXT

from crnn import CharRNN, InvalidInputError
from crnn.files.network_file import read_run
from crnn.training.checkpoints import RunState

FIRST, DONE, STEPS = 7, 41, 60  # steps before the call, and in it until it is interrupted, of those it may take


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """What the checkpoint of an interrupted call says, and the model in it."""
    path = tmp_path_factory.mktemp("run") / "checkpoint"
    model = CharRNN(5, seq_length=3, max_steps=FIRST, random_state=0).fit(TEXT).set_params(max_steps=STEPS)
    with pytest.MonkeyPatch.context() as patch:
        train_until(DONE, model, patch, path, TEXT, "partial_fit", epochs=99)
    _, state, run = read_run(path, CharRNN._defaults())
    assert (run.first_step, state.n_steps, run.max_steps) == (FIRST, FIRST + DONE, STEPS)
    return run.to_dict(), run.arrays(), state


def changed(stored, place, value):
    """Return the run that a file would describe if one number were another; a place is the names on the way to it."""
    document, arrays, state = stored
    document = copy.deepcopy(document)
    *way, name = place.split(".")
    inner = document
    for key in way:
        inner = inner[key]
    assert name in inner
    inner[name] = value
    return RunState.from_dict(document, arrays, state)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("polled.recorded_step", FIRST + DONE), ("polled.recorded_step", 0), ("polled.step", DONE), ("polled.step", 0),
        ("max_steps", DONE), ("block_step", FIRST), ("block_step", FIRST + DONE),
        ("dropout_seed", 0), ("dropout_seed", 2**63 - 1), ("seconds", 0), ("seconds", 1e300), ("last_loss", -1.0),
        ("polled.validation.last_step", -1), ("polled.validation.since_best", 0), ("polled.stopped", True),
        ("texts.X.symbols", 0),
        ("texts.X.documents", 0), ("checkpoint_every", 3), ("checkpoint_every", 3.0), ("max_steps", 2**63 - 1),
        ("first_step", 0), ("max_seconds", 0.0), ("polled.recorded_seconds", 0), ("polled.validation.cost", 0),
        ("polled.validation.last_seconds", 0), ("checkpoint_every", 0),
    ],
)  # fmt: skip
def test_extreme_numbers_are_read(stored, place, value):
    found = changed(stored, place, value)
    for name in place.split("."):
        found = found[name] if isinstance(found, dict) else getattr(found, name)
    assert found == value


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ("polled.recorded_step", FIRST + DONE + 1, "its last record comes after its last step"),
        ("polled.step", DONE + 1, "its last poll comes after its last step"),
        ("max_steps", DONE - 1, "it has taken more than max_steps steps"),
        ("max_steps", None, "it has no limit"),
        ("first_step", FIRST + DONE + 1, "its step counts are not in order"),
        ("block_step", FIRST - 1, "its step counts are not in order"),
        ("block_step", FIRST + DONE + 1, "its step counts are not in order"),
        ("dropout_seed", -1, "its dropout_seed is -1"), ("dropout_seed", 2**63, "its dropout_seed is 9"),
        ("dropout_seed", 1.0, "its dropout_seed is 1.0"), ("seconds", -0.1, "its seconds is -0.1"),
        ("seconds", None, "its seconds is None"), ("seconds", math.inf, "its seconds is inf"),
        ("last_loss", math.nan, "its last_loss is nan"), ("last_loss", True, "its last_loss is True"),
        ("polled.validation.last_step", -2, "its last_step is -2"), ("polled.stopped", 1, "its stopped is 1"),
        ("outcome", "begun", "its outcome is unknown"),
        ("polled", [], "its polls are missing or incomplete"), ("polled.validation", {}, "its validation is missing"),
        ("texts", {}, "it must name the text X"), ("texts.X", {}, "its text X has no fingerprint"),
        ("texts.X.symbols", -1, "its text X has no fingerprint"),
        ("texts.X.symbols", 1.0, "its text X has no fingerprint"), ("texts.X.symbols", None, "its text X has no f"),
        ("texts.X.documents", -1, "its text X has no fingerprint"), ("texts.X.kind", "words", "its text X has no f"),
        ("texts.X.sha256", 7, "its text X has no fingerprint"), ("texts", {"X": 3}, "its text X has no fingerprint"),
        ("texts", [], "it must name the text X, and may name the text validation"),
        ("polled.validation", [], "its validation is missing"),
        ("first_step", -1, "its first_step is -1"), ("polled.step", -1, "its step is -1"),
        ("checkpoint_every", -1, "its checkpoint_every is -1"), ("max_seconds", -0.1, "its max_seconds is -0.1"),
        ("polled.validation.since_best", -1, "its since_best is -1"), ("polled.validation.cost", -1, "its cost is -1"),
        ("max_steps", 0, "it has taken more than max_steps steps"), ("max_steps", -1, "its max_steps is -1"),
        ("block_step", -1, "its block_step is -1"), ("polled.recorded_step", -1, "its recorded_step is -1"),
        ("polled.recorded_seconds", -0.1, "its recorded_seconds is -0.1"),
        ("polled.validation.last_seconds", -0.1, "its last_seconds is -0.1"),
    ],
)  # fmt: skip
def test_numbers_beyond_their_limits(stored, place, value, message):
    with pytest.raises(InvalidInputError, match=f"^its training run cannot be resumed: {message}"):
        changed(stored, place, value)


def test_a_run_as_json_leads_to_the_same_run(stored):
    document, arrays, state = stored
    document = {**document, "texts": dict.fromkeys(("X", "validation"), document["texts"]["X"])}
    assert json.dumps(RunState.from_dict(document, arrays, state).to_dict()) == json.dumps(document)  # 3 is not 3.0


@pytest.mark.parametrize("every", [3, 3.0])
def test_a_number_of_seconds_stays_one_although_it_is_whole(stored, every):
    assert type(changed(stored, "checkpoint_every", every).checkpoint_every) is type(every)
    assert type(changed(stored, "max_seconds", every).max_seconds) is float


def test_non_finite_numbers_are_stored_as_none(stored):
    assert math.isnan(changed(stored, "last_loss", None).last_loss)
    assert changed(stored, "polled.validation.best_loss", None).polled.validation.best_loss == math.inf


def test_refuses_missing_and_unknown_fields(stored):
    document, arrays, state = stored
    for name in document:
        with pytest.raises(InvalidInputError, match="it must have exactly the fields"):
            RunState.from_dict({key: value for key, value in document.items() if key != name}, arrays, state)
    with pytest.raises(InvalidInputError, match="it must have exactly the fields"):
        RunState.from_dict(document | {"more": 1}, arrays, state)


@pytest.mark.parametrize("weights", [[0.0, 1e30], [1e-300]])
def test_weights_of_documents(stored, weights):
    document, arrays, state = stored
    found = RunState.from_dict(document, arrays | {"sample_weight": np.array(weights)}, state)
    assert found.sample_weight.tolist() == weights


@pytest.mark.parametrize(
    "weights", [np.array([-1.0]), np.array([np.nan]), np.array([1.1e30]), np.ones((1, 1)), np.ones(2, np.float32)]
)
def test_weights_that_are_refused(stored, weights):
    document, arrays, state = stored
    with pytest.raises(InvalidInputError, match=r"its sample_weight must be float64 numbers from 0 to 1e\+30"):
        RunState.from_dict(document, arrays | {"sample_weight": weights}, state)
