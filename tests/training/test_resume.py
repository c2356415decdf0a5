"""Runs that survive: checkpoints, and resumed runs that are the same to the bit as uninterrupted ones."""

import shutil
import signal
import threading

import numpy as np
import pytest
from command_line import POSIX
from interrupted_runs import interrupted_after, train_until
from small_models import bits, learned_state, small
from texts import SOLILOQUY as TEXT

from crnn import CharRNN, InvalidInputError, ModelFileError
from crnn.display.progress import Progress
from crnn.files import run_file
from crnn.training import validation
from crnn.training.checkpoints import CheckpointWriter, RunState

NAMES = ["anna", "bob", "", "eve", "otto", "a", "maximilian the second", "lena"]
CLOCK = {"seconds", "chars_per_second"}
RATES = {"adagrad": 0.1, "rmsprop": 0.01, "adam": 0.01}
MANY, TEAM = {"batch_size": 3}, {"batch_size": 16, "n_threads": 2}
DROPOUT = {"dropout": 0.3, "weight_dropout": 0.2, "state_reset": 0.3, "n_sampled_symbols": 2}
BOOK = TEXT[:331]
SHAPES = [
    ("rnn", "adagrad", "float32", BOOK, {}), ("rnn", "adam", "float64", NAMES, {**TEAM, **DROPOUT}),
    ("gru", "rmsprop", "float64", NAMES, {}), ("gru", "adam", "float32", BOOK, {**MANY, **DROPOUT, "n_bigrams": 17}),
    ("lstm", "adam", "float32", NAMES, {**MANY, "embedding_size": 3}),
    ("lstm", "rmsprop", "float64", BOOK, {**TEAM, **DROPOUT}), ("cifg", "adagrad", "float32", NAMES, DROPOUT),
    ("cifg", "adam", "float64", BOOK, {**TEAM, "embedding_size": 3}),
]  # fmt: skip


def records(model):
    """Return the history without what the clock decides."""
    return [{name: value for name, value in record.items() if name not in CLOCK} for record in model.history_]


def check_parts(tmp_path, monkeypatch, text, parameters, **rest):
    """Interrupt a run after a step, two further steps, seven and so on: it must end as the whole one does."""
    whole, path = small(24, **parameters).fit(text, **rest), tmp_path / "run.crnn"
    train_until(1, small(24, **parameters), monkeypatch, path, text, **rest)
    for step in (3, 10, 21):
        with interrupted_after(step, monkeypatch):
            CharRNN.resume(path, text)
    resumed = CharRNN.resume(path, text)
    assert bits(resumed) == bits(whole) == bits(CharRNN.load(path))
    assert records(resumed) == records(whole)


# ------------------------------------------------------------------ the same bits


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_resumed_again_and_again_it_is_the_same_to_the_bit(tmp_path, monkeypatch, shape):
    cell, optimizer, dtype, text, options = shape
    parameters = {"cell": cell, "optimizer": optimizer, "dtype": dtype, "num_layers": 2, **options}
    parameters |= {"schedule": "linear", "warmup_fraction": 0.2, "clip_norm": 3.0, "learning_rate": RATES[optimizer]}
    check_parts(tmp_path, monkeypatch, text, parameters)


@pytest.mark.parametrize("rest", [{"restore_best": False}, {"schedule": "exponential", "batch_size": 2, "patience": 2}])
def test_validation_patience_and_the_best_weights_continue_too(tmp_path, monkeypatch, rest):
    held_out = "".join(sorted(TEXT))[::3]
    parameters = {"eval_every": 3, "learning_rate": 0.3, **rest}
    whole = small(26, **parameters).fit(TEXT, validation=held_out)
    for step in range(1, whole.history_[-1]["step"], 4):
        path, model = tmp_path / f"{step}.crnn", small(26, **parameters)
        train_until(step, model, monkeypatch, path, TEXT, validation=held_out)
        assert bits(CharRNN.load(path)) == bits(model)
        resumed = CharRNN.resume(path, TEXT, validation=held_out)
        assert bits(resumed) == bits(whole), step
        assert records(resumed) == records(whole), step
    if rest.get("restore_best", True):
        assert whole.n_steps_ < whole.history_[-1]["step"]  # or the test shows little


def test_weights_of_documents_and_a_part_held_out_continue_too(tmp_path, monkeypatch):
    parameters = {"validation_fraction": 0.3, "eval_every": 2, "batch_size": 2, "optimizer": "adam"}
    check_parts(tmp_path, monkeypatch, NAMES, parameters, sample_weight=range(1, 9))


@pytest.mark.parametrize("text", [TEXT[:80], NAMES], ids=["text", "documents"])
def test_a_call_of_partial_fit_is_finished_as_well(tmp_path, monkeypatch, text):
    def before():
        seed = np.random.default_rng(7)
        return small(9, dropout=0.2, random_state=seed, optimizer="adam").fit(text).set_params(max_steps=None)

    more = [name + "é" for name in text] if isinstance(text, list) else text + "é" * 9
    rest = {"epochs": 3, "extend_vocabulary": True}
    whole = before().partial_fit(more, **rest)
    train_until(5, before(), monkeypatch, tmp_path / "run", more, "partial_fit", **rest)
    resumed = CharRNN.resume(tmp_path / "run", more)
    assert bits(resumed) == bits(whole)
    assert records(resumed) == records(whole)
    assert bits(resumed.partial_fit(more)) == bits(whole.partial_fit(more))


@pytest.mark.parametrize("where", ["measuring", "showing", "first callback", "second callback"])
def test_interrupted_poll_is_repeated(tmp_path, monkeypatch, where):
    def told(steps, fail=None):
        return lambda model, record: steps.append(record["step"]) or fail_at(record["step"], fail)

    def fail_at(step, name):
        if step == 6 and name == where:
            raise KeyboardInterrupt

    def parts(callbacks):
        return {"eval_every": 3, "learning_rate": 0.3, "patience": 4, "callbacks": callbacks}

    held_out = "".join(sorted(TEXT))[::3]
    whole = small(20, **parts(None)).fit(TEXT, validation=held_out)
    calls = []
    model = small(20, **parts([told([], "first callback"), told([], "second callback")]))
    with monkeypatch.context() as patch:
        evaluate, show = validation.evaluate, Progress.show

        def interrupted_evaluate(*arguments, **options):
            calls.append(1)
            if where == "measuring" and len(calls) == 2:
                raise KeyboardInterrupt
            return evaluate(*arguments, **options)

        def interrupted_show(progress, done, *rest, **named):
            if where == "showing" and done == 6:
                raise KeyboardInterrupt
            show(progress, done, *rest, **named)

        patch.setattr(validation, "evaluate", interrupted_evaluate)
        patch.setattr(Progress, "show", interrupted_show)
        with pytest.raises(KeyboardInterrupt):
            model.fit(TEXT, validation=held_out, checkpoint=tmp_path / "run")
    seen = []
    resumed = CharRNN.resume(tmp_path / "run", TEXT, validation=held_out, callbacks=[told(seen)])
    assert bits(resumed) == bits(whole)
    assert records(resumed) == records(whole)
    assert seen[0] == 6
    assert seen[-1] == whole.history_[-1]["step"]


# -------------------------------------------------------------------- checkpoints


def test_every_file_on_the_way_leads_to_the_same_model(tmp_path, monkeypatch):
    path, copies = tmp_path / "run.crnn", []

    def copying(state, **rest):  # as kill -9 would leave it
        write(state, **rest)
        copies.append(tmp_path / f"{len(copies)}.crnn")
        shutil.copy(path, copies[-1])

    def start(writer, *arguments):
        begin(writer, *arguments)
        writer.wait()

    write, begin = run_file.write_run, CheckpointWriter.start
    monkeypatch.setattr("crnn.char_rnn.write_run", copying)
    monkeypatch.setattr(CheckpointWriter, "start", start)
    parameters = {"batch_size": 2, "validation_fraction": 0.2, "eval_every": 4, "learning_rate": 0.5}
    whole = small(40, **parameters).fit(TEXT, checkpoint=path, checkpoint_every=9)
    monkeypatch.setattr("crnn.char_rnn.write_run", write)
    assert len(copies) == 5
    assert bits(CharRNN.load(path)) == bits(whole) == bits(small(40, **parameters).fit(TEXT))
    for copy in copies:
        assert bits(CharRNN.resume(copy, TEXT)) == bits(whole)


def test_a_checkpoint_is_a_snapshot_though_training_continues(tmp_path, monkeypatch):
    written, may_write, seen = threading.Event(), threading.Event(), []

    def slow(state, *, run, **rest):
        if not seen:
            seen.append((state.n_steps, state.params.tobytes()))
            written.set()
            assert may_write.wait(60)
            seen.append((state.n_steps, state.params.tobytes()))

    def look(model, record):
        if record["step"] == 12:
            assert written.wait(60)
            seen.append((model.n_steps_, learned_state(model).params.tobytes()))
            may_write.set()

    monkeypatch.setattr("crnn.char_rnn.write_run", slow)
    small(20, callbacks=[look]).fit(TEXT, checkpoint=tmp_path / "run", checkpoint_every=5)
    assert seen[0] == seen[2]
    assert [step for step, _ in seen] == [5, 12, 5]


class StopError(RuntimeError):
    """What a handler raises; it does not mean that threads are missing."""


@POSIX
@pytest.mark.parametrize(("number", "error"), [(signal.SIGTERM, StopError), (signal.SIGINT, KeyboardInterrupt)])
def test_a_signal_as_the_thread_that_writes_starts(tmp_path, monkeypatch, number, error):
    def stop(number, frame):
        raise StopError

    def interrupted(thread):
        started.append(thread)
        signal.raise_signal(number)
        start(thread)

    start, started, before = threading.Thread.start, [], signal.signal(signal.SIGTERM, stop)
    path, model = tmp_path / "run", small(20, n_threads=1)
    monkeypatch.setattr(threading.Thread, "start", interrupted)
    try:
        with pytest.raises(error):
            model.fit(TEXT, checkpoint=path, checkpoint_every=7)
    finally:
        signal.signal(signal.SIGTERM, before)
        monkeypatch.undo()
    assert len(started) == 1
    assert CharRNN.load(path).n_steps_ == model.n_steps_ == 7
    assert bits(CharRNN.resume(path, TEXT)) == bits(small(20).fit(TEXT))


# ------------------------------------------------------------------------- resume


def test_the_interval_to_the_next_checkpoint_begins_at_the_interruption(tmp_path, monkeypatch):
    train_until(9, small(20), monkeypatch, tmp_path / "run", TEXT, checkpoint_every=7)
    written = []
    monkeypatch.setattr("crnn.char_rnn.write_run", lambda state, **rest: written.append(state.n_steps))
    CharRNN.resume(tmp_path / "run", TEXT)
    assert written == [16, 20]


def test_resume_returns_a_finished_model(tmp_path):
    path = tmp_path / "run.crnn"
    model, before = small(20).fit(TEXT, checkpoint=path), path.read_bytes()
    assert bits(CharRNN.resume(path, TEXT)) == bits(model)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("ended", "text", "own", "validation", "message"),
    [
        (False, TEXT + "t", None, None, "^X is not the text of the interrupted run: it has 596 characters, not 595"),
        (True, TEXT[1:] + "t", None, None, "^X is not the .*: it has as many characters, but different ones"),
        (False, [TEXT], None, None, "^X is not the .*: it is documents, not one text"),
        (True, TEXT.encode(), None, None, "^X is not the .*: it has bytes, not characters"),
        (False, TEXT, "to", None, "^validation is missing. Pass the text on which the interrupted run measures"),
        (True, TEXT, "to", "to!", "^validation is not the .*: it has 3 characters, not 2"),
        (True, TEXT, None, "to", "^validation is given, but the interrupted run has none"),
    ],
)
def test_resume_refuses_another_text_and_names_the_difference(
    tmp_path, monkeypatch, ended, text, own, validation, message
):
    path = tmp_path / "run.crnn"
    if ended:
        small(20).fit(TEXT, validation=own, checkpoint=path)
    else:
        train_until(9, small(20), monkeypatch, path, TEXT, validation=own)
    before = path.read_bytes()
    with pytest.raises(InvalidInputError, match=message):
        CharRNN.resume(path, text, validation=validation)
    assert path.read_bytes() == before


def test_resume_replaces_given_parameters(tmp_path, monkeypatch, capsys):
    steps = []
    train_until(9, small(20, batch_size=2, n_threads=2), monkeypatch, tmp_path / "run", TEXT)
    callbacks = [lambda model, record: steps.append(record["step"])]
    model = CharRNN.resume(tmp_path / "run", TEXT, callbacks=callbacks, n_threads=1, verbose=1)
    assert (model.n_threads, model.verbose, model.callbacks) == (1, 1, callbacks)
    assert steps[0] in (9, 10)
    assert steps[-1] == 20
    assert "100%" in capsys.readouterr().err


def test_a_seed_that_a_callback_draws_from_changes_no_dropout(tmp_path, monkeypatch):
    def draw(model, record):
        model.random_state.random()

    def parameters():
        return {"dropout": 0.4, "random_state": np.random.default_rng(3), "callbacks": [draw]}

    whole = small(20, **parameters()).fit(TEXT)
    train_until(9, small(20, **parameters()), monkeypatch, tmp_path / "run", TEXT)
    assert bits(CharRNN.resume(tmp_path / "run", TEXT)) == bits(whole)


# --------------------------------------------------------------------------- stop


def test_stop_from_another_thread(tmp_path):
    model = small(10**9, batch_size=2)
    thread = threading.Thread(target=model.fit, args=(TEXT,), kwargs={"checkpoint": tmp_path / "run"})
    thread.start()
    while not hasattr(model, "vocabulary_"):
        pass
    model.stop()
    thread.join(60)
    assert not thread.is_alive()
    assert 0 < model.n_steps_ < 10**9
    assert bits(CharRNN.resume(tmp_path / "run", TEXT)) == bits(model)
    assert small(7).fit(TEXT).n_steps_ == 7


def test_stop_from_a_callback_and_without_training():
    model = small(30, callbacks=[lambda model, record: model.stop() if record["step"] == 6 else None]).fit(TEXT)
    assert model.n_steps_ == model.history_[-1]["step"] == 6
    model.set_params(callbacks=None).stop()  # does nothing
    assert model.partial_fit(TEXT).n_steps_ == 36


# --------------------------------------------------------- a run that cannot be used


def test_a_run_with_another_optimizer_than_the_model(tmp_path, monkeypatch):
    train_until(9, small(20), monkeypatch, tmp_path / "run", TEXT)
    parameters, state, run = run_file.read_run(tmp_path / "run", CharRNN().get_params())
    parameters = dict(parameters) | {"optimizer": "rmsprop"}
    run_file.write_run(state, parameters=parameters, path=tmp_path / "run", run=run)
    with pytest.raises(ModelFileError, match="different optimizers"):
        CharRNN.resume(tmp_path / "run", TEXT)


@pytest.mark.parametrize(("name", "change"), [
    ("position.numbers", lambda a: a + 10**6), ("position.parts", lambda a: a + 1),
    ("position.begun", lambda a: a + 99),
])  # fmt: skip
def test_resume_refuses_a_position_of_other_documents(tmp_path, monkeypatch, name, change):
    arrays = RunState.arrays
    with monkeypatch.context() as patch:
        patch.setattr(RunState, "arrays", lambda run: {**arrays(run), name: change(arrays(run)[name])})
        train_until(650, small(700, batch_size=2, seq_length=7), monkeypatch, tmp_path / "run", NAMES * 9)
    with pytest.raises((ModelFileError, InvalidInputError), match=r"position (is invalid|does not fit)"):
        CharRNN.resume(tmp_path / "run", NAMES * 9)
