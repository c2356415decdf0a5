"""Runs that survive: checkpoints, and resumed runs that are the same to the bit as uninterrupted ones."""

from __future__ import annotations

import itertools
import shutil
import signal
import threading

import numpy as np
import pytest
from command_line import POSIX
from interrupted_runs import interrupted_after, train_until
from small_models import bits, everything, learned_state, small
from texts import SOLILOQUY as TEXT

from crnn import CharRNN, DivergenceError, InvalidInputError, ModelFileError
from crnn.files import network_file
from crnn.parameters.kinds import CELLS
from crnn.training import validation
from crnn.training.checkpoints import CheckpointWriter
from crnn.training.progress import Progress

NAMES = ["anna", "bob", "", "eve", "otto", "a", "maximilian the second", "lena"]
CLOCK = {"seconds", "chars_per_second"}
RATES = {"adagrad": 0.1, "rmsprop": 0.01, "adam": 0.01}
STREAMS = [{}, {"batch_size": 3}, {"batch_size": 16}, {"batch_size": 16, "n_threads": 2}]
DROPOUT = [{}, {"dropout": 0.3, "weight_dropout": 0.2, "state_reset": 0.3, "sampled_softmax": 2}]
# Each value of one setting occurs with each value of every other one.
SHAPES = [
    (cell, [*RATES][(i ^ j) % 3], f"float{32 << ((i ^ j >> 1) & 1)}", streams, DROPOUT[(i >> 1 ^ j ^ j >> 1) & 1],
     (TEXT[:331], NAMES)[(i ^ j ^ j >> 1) & 1])
    for (i, cell), (j, streams) in itertools.product(enumerate(CELLS), enumerate(STREAMS))
]  # fmt: skip


def records(model):
    """Return the history without what the clock decides."""
    return [{name: value for name, value in record.items() if name not in CLOCK} for record in model.history_]


def check_parts(tmp_path, monkeypatch, text, parameters, **rest):
    """Interrupt a run after a step, two further steps, three and so on: it must end as the whole one does."""
    whole, path = small(24, **parameters).fit(text, **rest), tmp_path / "run.crnn"
    train_until(1, small(24, **parameters), monkeypatch, path, text, **rest)
    for step in (3, 6, 10, 15, 21):
        with interrupted_after(step, monkeypatch):
            CharRNN.resume(path, text)
    resumed = CharRNN.resume(path, text)
    assert bits(resumed) == bits(whole) == bits(CharRNN.load(path))
    assert records(resumed) == records(whole)


# ------------------------------------------------------------------ the same bits


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_resumed_again_and_again_it_is_the_same_to_the_bit(tmp_path, monkeypatch, shape):
    cell, optimizer, dtype, streams, dropout, text = shape
    parameters = {"cell": cell, "optimizer": optimizer, "dtype": dtype, "num_layers": 2, **streams, **dropout}
    parameters |= {"schedule": "linear", "warmup": 0.2, "clip_norm": 3.0, "learning_rate": RATES[optimizer]}
    check_parts(tmp_path, monkeypatch, text, parameters)


@pytest.mark.parametrize("text", [TEXT[:331], NAMES], ids=["text", "documents"])
@pytest.mark.parametrize("option", [{"embedding_size": 3}, {"n_bigrams": 17}], ids=["embedding", "bigrams"])
def test_a_model_with_other_inputs_continues_too(tmp_path, monkeypatch, text, option):
    parameters = {"cell": "lstm", "optimizer": "adam", **option, "batch_size": 3, "learning_rate": 0.01}
    check_parts(tmp_path, monkeypatch, text, parameters)


@pytest.mark.parametrize(
    "rest",
    [
        {"patience": 3}, {"restore_best": False},
        {"schedule": "exponential", "batch_size": 2, "patience": 2},
    ],
)  # fmt: skip
def test_validation_patience_and_the_best_weights_continue_too(tmp_path, monkeypatch, rest):
    held_out = "".join(sorted(TEXT))[::3]
    parameters = {"eval_every": 3, "learning_rate": 0.3, **rest}
    whole = small(26, **parameters).fit(TEXT, validation=held_out)
    for step in range(1, whole.history_[-1]["step"], 3):
        path = tmp_path / f"{step}.crnn"
        train_until(step, small(26, **parameters), monkeypatch, path, TEXT, validation=held_out)
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
    for step in (1, 5, 14):
        path = tmp_path / f"{step}.crnn"
        train_until(step, before(), monkeypatch, path, more, "partial_fit", **rest)
        resumed = CharRNN.resume(path, more)
        assert bits(resumed) == bits(whole)
        assert records(resumed) == records(whole)
        assert bits(resumed.partial_fit(more)) == bits(before().partial_fit(more, **rest).partial_fit(more))


@pytest.mark.parametrize("where", ["measuring", "measured", "showing", "first callback", "second callback"])
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

        def interrupted_show(progress, done, *rest):
            if where in ("showing", "measured") and done == 6:
                raise KeyboardInterrupt
            show(progress, done, *rest)

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


@pytest.mark.parametrize("kind", [{}, {"validation_fraction": 0.2, "eval_every": 4, "learning_rate": 0.5}])
def test_every_file_on_the_way_leads_to_the_same_model(tmp_path, monkeypatch, kind):
    path, copies = tmp_path / "run.crnn", []

    def copying(state, **rest):  # as kill -9 would leave it
        write(state, **rest)
        copies.append(tmp_path / f"{len(copies)}.crnn")
        shutil.copy(path, copies[-1])

    def start(writer, *arguments):
        begin(writer, *arguments)
        writer.wait()

    write, begin = network_file.write_run, CheckpointWriter.start
    monkeypatch.setattr("crnn.char_rnn.write_run", copying)
    monkeypatch.setattr(CheckpointWriter, "start", start)
    parameters = {"cell": "lstm", "optimizer": "adam", "batch_size": 2, **kind}
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


def test_checkpoint_equals_the_interrupted_model(tmp_path, monkeypatch):
    parameters = {"eval_every": 2, "learning_rate": 0.5, "validation_fraction": 0.2}
    for step in (1, 4, 9, 16):
        model = small(20, **parameters)
        train_until(step, model, monkeypatch, tmp_path / "run", TEXT)
        assert bits(CharRNN.load(tmp_path / "run")) == bits(model)


def test_refuses_an_unwritable_file_before_training(tmp_path):
    model = small().fit(TEXT)
    before = everything(model)
    with pytest.raises(FileNotFoundError):
        model.fit(TEXT, checkpoint=tmp_path / "no" / "folder")
    assert everything(model) == before


@POSIX
def test_runtime_error_of_a_handler_is_not_a_lack_of_threads(tmp_path, monkeypatch):
    class StopError(RuntimeError):
        """What a handler raises."""

    def stop(number, frame):
        raise StopError

    def interrupted(thread):
        signal.raise_signal(signal.SIGTERM)
        start(thread)

    start, before = threading.Thread.start, signal.signal(signal.SIGTERM, stop)
    monkeypatch.setattr(threading.Thread, "start", interrupted)
    try:
        with pytest.raises(StopError):
            small(20, n_threads=1).fit(TEXT, checkpoint=tmp_path / "run", checkpoint_every=7)
    finally:
        signal.signal(signal.SIGTERM, before)


@POSIX
def test_ctrl_c_waits_until_the_thread_that_writes_has_started(tmp_path, monkeypatch):
    start, started = threading.Thread.start, []

    def interrupted(thread):
        started.append(thread)
        signal.raise_signal(signal.SIGINT)
        start(thread)

    path, model = tmp_path / "run", small(20, n_threads=1)
    monkeypatch.setattr(threading.Thread, "start", interrupted)
    with pytest.raises(KeyboardInterrupt):
        model.fit(TEXT, checkpoint=path, checkpoint_every=7)
    monkeypatch.undo()
    assert len(started) == 1
    assert CharRNN.load(path).n_steps_ == model.n_steps_ == 7
    assert bits(CharRNN.resume(path, TEXT)) == bits(small(20).fit(TEXT))


def test_refuses_to_resume_documents_with_another_batch_size(tmp_path, monkeypatch):
    path, model = tmp_path / "run", small(20, batch_size=2)
    train_until(3, model, monkeypatch, path, NAMES)
    parameters, state, run = network_file.read_run(path, CharRNN().get_params())
    network_file.write_run(state, parameters=dict(parameters) | {"batch_size": 3}, path=path, run=run)
    with pytest.raises(InvalidInputError, match="the position is for batch_size=2"):
        CharRNN.resume(path, NAMES)


# ------------------------------------------------------------------------- resume


def finished(tmp_path, **rest):
    path = tmp_path / "run.crnn"
    return path, small(20).fit(TEXT, checkpoint=path, **rest)


def test_the_interval_to_the_next_checkpoint_begins_at_the_interruption(tmp_path, monkeypatch):
    train_until(9, small(20), monkeypatch, tmp_path / "run", TEXT, checkpoint_every=7)
    written = []
    monkeypatch.setattr("crnn.char_rnn.write_run", lambda state, **rest: written.append(state.n_steps))
    CharRNN.resume(tmp_path / "run", TEXT)
    assert written == [16, 20]


def test_resume_returns_a_finished_model(tmp_path):
    path, model = finished(tmp_path)
    before = path.read_bytes()
    assert bits(CharRNN.resume(path, TEXT)) == bits(model)
    assert path.read_bytes() == before


@pytest.mark.parametrize("ended", [False, True])
@pytest.mark.parametrize(
    ("text", "rest", "message"),
    [
        (TEXT + "t", {}, "^X is not the text of the interrupted run: it has 596 characters, not 595"),
        (TEXT[1:] + "t", {}, "^X is not the .*: it has as many characters, but different ones"),
        ([TEXT], {}, "^X is not the .*: it is documents, not one text"),
        (TEXT.encode(), {}, "^X is not the .*: it has bytes, not characters"),
        (TEXT, {"validation": None}, "^validation is missing. Pass the text on which the interrupted run measures"),
        (TEXT, {"validation": "to be!"}, "^validation is not the .*: it has 6 characters, not 5"),
    ],
)
def test_resume_refuses_another_text_and_names_the_difference(tmp_path, monkeypatch, ended, text, rest, message):
    path = tmp_path / "run.crnn"
    if ended:
        small(20).fit(TEXT, validation="to be", checkpoint=path)
    else:
        train_until(9, small(20), monkeypatch, path, TEXT, validation="to be")
    before = path.read_bytes()
    with pytest.raises(InvalidInputError, match=message):
        CharRNN.resume(path, text, **{"validation": "to be", **rest})
    assert path.read_bytes() == before


def test_refuses_a_validation_text_that_the_run_lacks(tmp_path):
    path, _ = finished(tmp_path)
    with pytest.raises(InvalidInputError, match=r"^validation is given, but the interrupted run has none"):
        CharRNN.resume(path, TEXT, validation="to be")


def test_the_text_may_come_from_elsewhere(tmp_path, monkeypatch):
    train_until(9, small(20), monkeypatch, tmp_path / "run", TEXT)
    (tmp_path / "text").write_text(TEXT, encoding="utf-8")
    assert bits(CharRNN.resume(tmp_path / "run", tmp_path / "text")) == bits(small(20).fit(TEXT))


def test_a_run_on_a_file_of_windows_resumes_with_the_text_as_read(tmp_path, monkeypatch):
    text, path = TEXT.replace(". ", ".\n"), tmp_path / "text"
    windows = text.replace("\n", "\r\n")
    path.write_bytes(windows.encode())
    train_until(9, small(20), monkeypatch, tmp_path / "run", path)
    with pytest.raises(InvalidInputError, match="it has 602 characters, not 595"):
        CharRNN.resume(tmp_path / "run", windows)
    assert bits(CharRNN.resume(tmp_path / "run", text)) == bits(small(20).fit(path))


def test_a_model_that_was_saved_holds_no_run(tmp_path):
    small(20).fit(TEXT).save(tmp_path / "model")
    with pytest.raises(InvalidInputError, match=r"model contains a model, but no unfinished training run. Load it and"):
        CharRNN.resume(tmp_path / "model", TEXT)


def test_a_run_that_diverged_is_not_repeated(tmp_path):
    with pytest.raises(DivergenceError):
        small(20, learning_rate=1e300).fit(TEXT, checkpoint=tmp_path / "run")
    with pytest.raises(InvalidInputError, match=r"run diverged, and would diverge again. Load it, lower "):
        CharRNN.resume(tmp_path / "run", TEXT)


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


def test_stop_from_a_callback():
    model = small(10**6, callbacks=[lambda model, record: model.stop() if record["step"] >= 200 else None]).fit(TEXT)
    assert model.n_steps_ == model.history_[-1]["step"] == 5000


def test_stop_from_another_thread(tmp_path):
    begun = threading.Event()
    model = small(10**9, callbacks=[lambda model, record: begun.set()], batch_size=2)
    model.set_params(max_steps=10**9, max_seconds=None)
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


def test_stop_without_training_does_nothing():
    model = small(20).fit(TEXT)
    model.stop()
    assert model.partial_fit(TEXT).n_steps_ == 40


# --------------------------------------------------------- a run that cannot be used


def test_a_run_with_another_optimizer_than_the_model(tmp_path, monkeypatch):
    to_bytes = network_file.to_bytes

    def changed(state, parameters, *arguments, **options):
        return to_bytes(state, {**parameters, "optimizer": "rmsprop"}, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(network_file, "to_bytes", changed)
        train_until(9, small(20), monkeypatch, tmp_path / "run", TEXT)
    with pytest.raises(ModelFileError, match="different optimizers"):
        CharRNN.resume(tmp_path / "run", TEXT)


@pytest.mark.parametrize(("name", "change"), [
    ("position.numbers", lambda a: a + 10**6), ("position.numbers", lambda a: a - 10**6),
    ("position.parts", lambda a: a + 1), ("position.begun", lambda a: a + 99), ("position.begun", lambda a: a[:1]),
])  # fmt: skip
def test_resume_refuses_a_position_of_other_documents(tmp_path, monkeypatch, name, change):
    arrays = network_file.RunState.arrays
    with monkeypatch.context() as patch:
        patch.setattr(network_file.RunState, "arrays", lambda run: {**arrays(run), name: change(arrays(run)[name])})
        train_until(650, small(700, batch_size=2, seq_length=7), monkeypatch, tmp_path / "run", NAMES * 9)
    with pytest.raises((ModelFileError, InvalidInputError), match=r"position (is invalid|does not fit)"):
        CharRNN.resume(tmp_path / "run", NAMES * 9)
