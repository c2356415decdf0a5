"""Ctrl-C within a long training step: it is broken off, changes nothing, and leaves the bits of other steps alone."""

import _thread
import contextlib
import gc
import operator
import signal
import traceback

import numpy as np
import pytest
from command_line import POSIX
from small_models import bits, small
from texts import SOLILOQUY as TEXT

from crnn import CharRNN
from crnn._kernels.entry import core
from crnn._kernels.entry.structures import Packing
from crnn.model.layout import Layout
from crnn.training.team import Team
from crnn.training.trainer import Trainer

pytestmark = POSIX

# Each step takes some hundredths of a second or more, so that a signal after 5 ms comes within the first one, or one of
# the next.
LONG = [
    {"cell": "gru", "hidden_size": 300, "num_layers": 2, "batch_size": 16, "seq_length": 90, "n_threads": 1},
    {"cell": "lstm", "hidden_size": 500, "batch_size": 2, "seq_length": 300, "n_threads": 2, "dropout": 0.2},
]
LONG_TEXT = TEXT * 9


@contextlib.contextmanager
def alarms(seconds, repeat, handler):
    """Send signals at regular times, whose handler is called the way Ctrl-C's is.

    Python ignores its exception in functions that the garbage collector calls, and hypothesis has it call one.
    """
    callbacks, gc.callbacks[:] = gc.callbacks[:], []
    before = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, seconds, repeat)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        gc.callbacks[:] = callbacks


@pytest.mark.parametrize("kind", LONG, ids=lambda kind: f"{kind['cell']}-{kind['hidden_size']}")
def test_aborted_step_changes_nothing(kind):
    seen = []

    def interrupt(number, frame):
        seen.append(["_train" in line.name for line in traceback.extract_stack(frame)])
        raise KeyboardInterrupt

    model = small(0, **kind).fit(LONG_TEXT)
    model.set_params(max_steps=50)
    with pytest.raises(KeyboardInterrupt), alarms(0.005, 0.0, interrupt):
        model.partial_fit(LONG_TEXT, epochs=9)
    assert any(seen[0])  # it came within the kernel
    assert model.n_steps_ < 50
    whole = small(0, **kind).fit(LONG_TEXT)
    if model.n_steps_:
        whole.set_params(max_steps=model.n_steps_).partial_fit(LONG_TEXT)
    for _ in range(2):
        assert bits(model) == bits(whole)
        for each in (model, whole):
            each.set_params(max_steps=1).partial_fit(LONG_TEXT)


def test_handlers_may_save_the_model_within_a_step_and_change_no_bit(tmp_path):
    def save(number, frame):
        calls.append(number)
        if hasattr(model, "vocabulary_") and not saved:  # once: a save may take longer than the time to the next signal
            saved.append(model.n_steps_)
            model.save(tmp_path / "saved.crnn")

    calls, saved, model = [], [], small(2, **LONG[1])
    with alarms(0.01, 0.01, save):
        model.fit(LONG_TEXT)
    assert calls
    assert bits(model) == bits(small(2, **LONG[1]).fit(LONG_TEXT))
    for steps in saved:
        assert bits(CharRNN.load(tmp_path / "saved.crnn")) == bits(small(steps, **LONG[1]).fit(LONG_TEXT))


def test_interrupted_step_computes_nothing_more(monkeypatch):
    """Neither the logits of later time steps nor anything of the next shard."""
    train, teams = Trainer._train, []

    def marked(trainer, rank, rates):
        for shard in trainer.team.shards:
            shard.y[...] = shard.gradient[...] = 7
        teams.append(trainer.team)
        train(trainer, rank, rates)

    def interrupt(number, frame):
        if teams:  # else the step has not begun
            raise KeyboardInterrupt

    monkeypatch.setattr(Trainer, "_train", marked)
    model = small(1, hidden_size=1200, batch_size=24, seq_length=600, n_threads=1)
    with pytest.raises(KeyboardInterrupt), alarms(0.01, 0.01, interrupt):
        model.fit(TEXT * 30)
    first, last = teams[0].shards
    assert (first.y[-1] == 7).all()
    assert (last.gradient == 7).all()


# Weights that fill some dozen parts of memory, and the seconds after which a signal comes: within the first of them.
LARGE, SOON = {"cell": "lstm", "hidden_size": 1200}, 0.0003


def in_compiled_code(caught):
    """Return whether an error was raised there; Cython may name another function with a line of the same number."""
    return not str(caught.traceback[-1].path).endswith(".py")


class InterruptedTeam(Team):
    """A team whose reducer, when compiled code looks for it, makes Ctrl-C wait for the next poll."""

    reduce = property(operator.methodcaller("interrupt"))  # Python code here would handle the signal itself
    interrupt = staticmethod(_thread.interrupt_main)


def test_the_first_update_is_prepared_with_polls(monkeypatch):
    """The step is too short for a poll within it, but the optimizer state is touched for the first time before."""
    train = Trainer._train

    def interrupted(trainer, rank, rates):
        trainer.team.__class__ = InterruptedTeam
        train(trainer, rank, rates)

    monkeypatch.setattr(Trainer, "_train", interrupted)
    model = small(1, **LARGE, seq_length=1, optimizer="adam", n_threads=1)
    with pytest.raises(KeyboardInterrupt) as interrupt:
        model.fit(TEXT)
    assert in_compiled_code(interrupt)  # in the poll, not in Python code before it
    assert model.n_steps_ == 0


def test_packing_is_broken_off():
    def interrupt(number, frame):
        if not np.isnan(panels[0]):  # else packing has not begun
            signal.setitimer(signal.ITIMER_REAL, 0)
            raise KeyboardInterrupt

    layout = Layout(7, dtype=np.dtype("float32"), **LARGE)
    network, weights = core.Network(layout, Packing(one_row=False, training=True)), layout.zeros()
    panels = np.full(network.panels_size, np.nan, layout.dtype)  # shows the writes
    with pytest.raises(KeyboardInterrupt), alarms(SOON, SOON, interrupt):
        core.pack_weights(network, weights, panels)
    assert np.isnan(panels).any()
    core.pack_weights(network, weights, panels)
    assert not np.isnan(panels).any()
