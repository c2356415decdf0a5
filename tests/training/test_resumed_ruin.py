"""A resumed run decides on ruin as the uninterrupted one does, and returns to the same model."""

import math
import warnings

import numpy as np
import pytest
from interrupted_runs import train_until
from test_char_rnn import TEXT, bits, small

from crnn import CharRNN, DivergenceError, InvalidInputError, ModelFileError
from crnn.files import run_checkpoint
from crnn.parameters.cells import CELLS
from crnn.training.checkpoints.run_state import RunState
from crnn.training.loop.ruin import RuinWatch
from crnn.training.loop.sound_state import sound_arrays, sound_from

RUIN = {"learning_rate": 1e30}
LEARNED = 60  # steps before the learning rate ruins the model


def diverged(run):
    """Return step, loss and kind of the error that a run must end with."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(DivergenceError) as raised:
            run()
    return raised.value.step, raised.value.last_loss, raised.value.kind


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("step", [1, 2, 40, 199])
def test_resumed_after_any_step_it_ends_in_the_same_ruin(tmp_path, monkeypatch, cell, step):
    parameters = {**RUIN, "cell": cell, "batch_size": 2, "optimizer": "adam", "clip": 5.0, "num_layers": 2}
    whole, path = small(200, **parameters), tmp_path / "run"
    expected = diverged(lambda: whole.fit(TEXT))
    assert expected[2] == "ruin"
    train_until(step, small(200, **parameters), monkeypatch, path, TEXT)
    assert diverged(lambda: CharRNN.resume(path, TEXT)) == expected
    if step > 1:  # after the first update no loss has shown yet what it has done
        assert bits(CharRNN.load(path)) == bits(whole)


def test_interrupted_before_the_last_loss_was_seen_it_ends_in_the_same_ruin(tmp_path, monkeypatch):
    """Ctrl-C comes between the last step and a look at its loss."""
    path, see = tmp_path / "run", RuinWatch.see

    def interrupted_see(watch, step, *rest):
        if step == 2:
            raise KeyboardInterrupt
        see(watch, step, *rest)

    expected = diverged(lambda: small(2, **RUIN).fit(TEXT))
    with monkeypatch.context() as patch:
        patch.setattr(RuinWatch, "see", interrupted_see)
        with pytest.raises(KeyboardInterrupt):
            small(2, **RUIN).fit(TEXT, checkpoint=path)
    assert expected[2] == "ruin"
    assert CharRNN.load(path).n_steps_ == 2
    assert diverged(lambda: CharRNN.resume(path, TEXT)) == expected


def test_a_call_that_goes_on_with_a_trained_model_returns_to_it(tmp_path, monkeypatch):
    def before():
        return small(LEARNED).fit(TEXT).set_params(max_steps=150, **RUIN)

    whole, path = before(), tmp_path / "run"
    expected = diverged(lambda: whole.partial_fit(TEXT, epochs=99))
    assert whole.n_steps_ == LEARNED
    train_until(80, before(), monkeypatch, path, TEXT, "partial_fit", epochs=99)
    train_until_resumed(70, monkeypatch, path)  # interrupted twice
    assert diverged(lambda: CharRNN.resume(path, TEXT)) == expected
    assert bits(CharRNN.load(path)) == bits(whole)


def train_until_resumed(step, monkeypatch, path):
    """Resume a run, and interrupt it again after some more steps."""

    class Resumed:
        n_steps_ = CharRNN.load(path).n_steps_

        def partial_fit(self, text, checkpoint):
            CharRNN.resume(checkpoint, text)

    train_until(step, Resumed(), monkeypatch, path, TEXT, "partial_fit")


@pytest.mark.parametrize(("step", "parts"), [(990, (0, 1)), (1600, (1, 0))])
def test_the_warning_comes_when_it_would_have_come(tmp_path, monkeypatch, step, parts):
    path, counts = tmp_path / "run", []

    def end():
        with pytest.raises(DivergenceError):
            CharRNN.resume(path, TEXT)

    for part in (lambda: train_until(step, small(3000, **RUIN), monkeypatch, path, TEXT), end):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            part()
        counts.append(sum("is ruining the model" in str(warning.message) for warning in caught))
    assert tuple(counts) == parts


def test_only_a_model_that_is_being_ruined_needs_the_one_before(tmp_path, monkeypatch):
    sizes = []
    for parameters in ({}, RUIN):
        path = tmp_path / "run"
        train_until(90, small(200, **parameters), monkeypatch, path, TEXT)
        _, state, run = run_checkpoint.read_run(path, CharRNN._defaults())
        sizes.append(path.stat().st_size)
        assert (run.sound is not None) == run.ruin.above == bool(parameters)
    assert sizes[1] - sizes[0] > 2 * state.params.nbytes


def test_a_file_without_the_watch_is_resumed(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        to_dict = RunState.to_dict
        patch.setattr(RunState, "to_dict", lambda run: {k: v for k, v in to_dict(run).items() if k != "ruin"})
        train_until(9, small(20), monkeypatch, tmp_path / "run", TEXT)
    assert bits(CharRNN.resume(tmp_path / "run", TEXT)) == bits(small(20).fit(TEXT))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda ruin: 3, "its ruin watch is missing or incomplete"),
        (lambda ruin: {**ruin, "more": 1}, "its ruin watch is missing or incomplete"),
        (lambda ruin: {**ruin, "above": 1}, "its above is 1, but must be"),
        (lambda ruin: {**ruin, "factor": 0.5}, "its factor is 0.5, but must be a number of at least 1"),
        (lambda ruin: {**ruin, "step": 91}, "its ruin watch refers to a step outside the run"),
        (lambda ruin: {**ruin, "sound_step": ruin["step"] + 1}, "its ruin watch refers to a step outside the run"),
        (lambda ruin: {**ruin, "sound": [1]}, "its sound model is incomplete"),
        (lambda ruin: {**ruin, "sound": {"n_steps": -1, "smooth_loss": 2.0}}, "its n_steps is -1, but must be"),
        (lambda ruin: {**ruin, "sound": {"n_steps": 91, "smooth_loss": 2.0}}, "its sound model refers to a step"),
        (lambda ruin: {**ruin, "sound": {"n_steps": 1, "smooth_loss": -math.inf}}, "its smooth_loss is -inf"),
    ],
)
def test_a_watch_that_none_can_be(tmp_path, monkeypatch, change, message):
    with monkeypatch.context() as patch:
        to_dict = RunState.to_dict
        patch.setattr(RunState, "to_dict", lambda run: {**to_dict(run), "ruin": change(to_dict(run)["ruin"])})
        train_until(90, small(200, **RUIN), monkeypatch, tmp_path / "run", TEXT)
    with pytest.raises(ModelFileError, match=f"its training run cannot be resumed: {message}"):
        CharRNN.resume(tmp_path / "run", TEXT)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a | {"sound.state.h": a["sound.state.h"][:, :1]}, r"^sound\.state\.h of its sound model differs"),
        (lambda a: a | {"sound.state.h": a["sound.state.h"].astype(float)}, "differs in shape or type"),
        (lambda a: {n: v for n, v in a.items() if n != "sound.params.decoder.bias"}, "have different arrays"),
        (lambda a: a | {"sound.x": np.zeros(1)}, "have different arrays"),
        (lambda a: a | {"sound.params.decoder.bias": a["sound.params.decoder.bias"] * np.nan}, "non-finite weights"),
    ],
)
def test_arrays_that_are_not_those_of_the_model(change, message):
    state = small(3, batch_size=3).fit(TEXT)._learned
    with pytest.raises(InvalidInputError, match=message):
        sound_from(change(sound_arrays(state)), state, 1, 2.0)
