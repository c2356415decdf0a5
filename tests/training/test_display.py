import io
import math
import os
import re
import struct
import sys
import unicodedata
from contextlib import contextmanager, redirect_stderr
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_models import learned_state
from texts import PHRASES as TEXT

from crnn import CharRNN
from crnn.char_rnn import SAMPLE_LENGTH, SAMPLES
from crnn.training import progress as module
from crnn.training import run as training
from crnn.training.plan import Budget
from crnn.training.progress import CountingProgress, Progress, printable


def train(verbose, text=TEXT, **parameters):
    return CharRNN(**({"hidden_size": 5, "max_steps": 50, "random_state": 0} | parameters), verbose=verbose).fit(text)


class Terminal(io.StringIO):
    def isatty(self):
        return True


def progress_of(budget, *, verbose=1, sample=lambda: ["a sample"]):
    return Progress(budget, 25, verbose=verbose, summary="data", sample=sample)


terminal_and_log = pytest.mark.parametrize("kind", [Terminal, io.StringIO], ids=["terminal", "log"])


# --- what is shown


def test_quiet_models_write_nothing(capfd):
    train(0).partial_fit(TEXT).sample(10)
    assert capfd.readouterr() == ("", "")


def loss_of(model):
    loss = model.smooth_loss_ / model.seq_length
    return f"loss {loss:.3f} nats, {loss / math.log(2):.3f} bits/char"


def test_bar_on_a_terminal(capsys):
    with redirect_stderr(Terminal()) as terminal:
        model = train(1)
    assert terminal.getvalue().startswith("data: 600 characters, 8 different ones\n")
    last = terminal.getvalue().split("\r")[-1]
    assert last.startswith("100%")
    assert loss_of(model) in last
    assert "char/s" in last
    assert re.search(r"\[\d\d:\d\d<\d\d:\d\d", last)  # time gone by, time left
    assert terminal.getvalue().endswith("\n")
    assert "----" not in terminal.getvalue()
    assert capsys.readouterr().out == ""


@contextmanager
def pseudo_terminal():
    """Give a terminal as a file, its other end, and a function that sets its lines and columns."""
    import fcntl
    import pty
    import termios

    controller, end = pty.openpty()
    try:
        with open(end, "w", encoding="utf-8") as terminal:
            resize = lambda *size: fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("4H", *size, 0, 0))  # noqa: E731
            yield controller, terminal, resize
    finally:
        os.close(controller)


@pytest.mark.skipif(sys.platform == "win32", reason="terminals as POSIX has them")
def test_the_bar_fits_a_terminal_that_changes_its_width():
    with pseudo_terminal() as (controller, terminal, resize):
        resize(24, 131)
        with redirect_stderr(terminal), progress_of(Budget(40)) as display:
            display.show(10, 1.0)
            resize(24, 97)
            display.show(40, 1.0)
        written = b""
        while b"100%|" not in written or not written.endswith(b"\n"):  # the system may pass it on in parts
            written += os.read(controller, 1 << 16)
        shown = written.decode()
    lines = [line.rstrip() for line in re.split("[\r\n]+", shown)]
    assert len(next(line for line in lines if line.startswith("  0%|"))) in (130, 131)
    assert len(next(line for line in lines if line.startswith("100%|"))) in (96, 97)


def test_line_in_a_log(capsys):
    model = train(1)
    captured = capsys.readouterr()
    assert captured.out == ""
    first, last = captured.err.splitlines(keepends=True)
    assert first == "data: 600 characters, 8 different ones\n"
    assert last.startswith("100%  1.25k/1.25k [00:00, 00:00 left, ")  # 50 steps of 25 characters
    assert last.endswith("char/s, " + loss_of(model) + "]\n")


@pytest.mark.parametrize(
    ("parameters", "text", "chars"),
    [
        ({"seq_length": 7, "batch_size": 3, "max_steps": 11}, TEXT, "231"),  # 7 * 3 * 11
        ({"seq_length": 100, "max_steps": 4}, "abcdef", "20.0"),  # 4 chunks of 5
    ],
)
def test_characters_of_all_streams_and_of_short_chunks_count(capsys, parameters, text, chars):
    train(1, text, **parameters)
    assert capsys.readouterr().err.splitlines()[1].startswith(f"100%  {chars}/{chars} ")


def test_every_call_starts_at_zero(capsys):
    train(0).set_params(verbose=1, max_steps=3).partial_fit(TEXT)
    assert capsys.readouterr().err.splitlines()[1].startswith("100%  75.0/75.0 ")


@terminal_and_log
def test_zero_steps_show_nothing(kind, capsys):
    with redirect_stderr(kind()):
        train(2, max_steps=0)
    assert capsys.readouterr().out == ""


@terminal_and_log
@pytest.mark.parametrize("text", [TEXT, TEXT.encode(), "a\0b\ud800" * 30, "naïve 🙂\r\n\ufeff\x1b[2J" * 30])
def test_samples_are_shown(kind, monkeypatch, text):
    monkeypatch.setattr(module, "SAMPLE_SECONDS", 0.0)
    monkeypatch.setattr(module, "GROWTH", 0.0)
    with redirect_stderr(kind()) as shown:
        train(2, text)
    parts = shown.getvalue().split("----\n")
    assert len(parts) > 2
    assert len(parts) % 2
    assert len(parts[1]) > 0.6 * SAMPLE_LENGTH
    assert not set("\0\x1b\r") & set(parts[1])
    parts[1].encode("utf-8")


def test_samples_of_documents_are_several():
    assert len(CharRNN(5, max_steps=0, random_state=0).fit(["anna", "bob", "eva"])._samples()) == SAMPLES


@pytest.mark.skipif(sys.platform == "win32", reason="terminals as POSIX has them")
@pytest.mark.parametrize(("lines", "found"), [(0, False), (1, True), (24, True)])
def test_a_terminal_has_lines(lines, found):
    with pseudo_terminal() as (_, terminal, resize):
        resize(lines, 80)
        assert module.is_terminal(terminal) is found


def test_a_terminal_where_no_size_can_be_asked_for(monkeypatch):
    monkeypatch.delattr(os, "get_terminal_size")  # as in Pyodide
    monkeypatch.setattr(Terminal, "fileno", lambda self: 1)
    assert module.is_terminal(Terminal())


def test_closed_stream_is_not_a_terminal():
    stream = io.StringIO()
    stream.close()
    assert not module.is_terminal(stream)


@pytest.fixture
def clock(monkeypatch):
    """A clock that a test sets: a list of one number of seconds."""
    now = [0.0]
    monkeypatch.setattr(module, "time", SimpleNamespace(perf_counter=lambda: now[0]))
    return now


def test_samples_and_lines_come_every_so_often_and_then_ever_less(capsys, clock):
    with progress_of(Budget(10_000), verbose=2) as display:
        for done in range(1, 10_001):
            clock[0] = done / 10
            display.show(done, 1.0)
            if done in (500, 10_000):
                err = capsys.readouterr().err
                samples, lines = err.count("----\n") // 2, err.count("char/s")
                if done == 500:  # 50 seconds, at one in five
                    assert 8 <= samples <= 10
                    assert 8 <= lines <= 10
                else:  # 950 seconds more: those up to 100 at one in five, then each a twentieth later
                    expected = 10 + math.log(10) * 20
                    assert samples == pytest.approx(expected, abs=6)
                    assert lines == pytest.approx(expected, abs=6)


def test_log_tells_the_time_left(capsys, clock):
    with progress_of(Budget(40)) as display:
        clock[0] = 10.0
        display.show(10, math.log(2))
    line = " 25%  250/1.00k [00:10, 00:30 left, 25.0char/s, loss 0.693 nats, 1.000 bits/char]\n"
    assert capsys.readouterr().err == "data\n" + line


@pytest.mark.parametrize(("part", "chars"), [(0.0, 0), (0.0, 7), (1.0, 0)])
def test_no_estimate_without_progress(part, chars):
    stream = io.StringIO()
    display = module.display_on(stream, 9)
    display.update(part, chars, 3.0, "text", (1.0, None))
    display.close()
    assert stream.getvalue() == f"{part:4.0%}  {chars:.2f}/9.00\n"


def test_the_end_of_a_log_tells_the_end_of_the_call(capsys, clock):
    with progress_of(Budget(40)) as display:
        for done in (10, 20):
            clock[0] = done / 1.25  # 8 seconds, and 16: a line each
            display.show(done, 1.0)
        clock[0] = 17.0  # too early for a line
        display.show(40, 1.0)
    assert [line[:4] for line in capsys.readouterr().err.splitlines()] == ["data", " 25%", " 50%", "100%"]


def test_a_resumed_call_counts_the_seconds_before(capsys, clock):
    clock[0] = 100.0
    with Progress(Budget(40), 25, verbose=1, summary="data", sample=list, elapsed=10.0) as display:
        clock[0] = 110.0
        display.show(20, math.log(2))
    assert " 50%  500/1.00k [00:20, 00:20 left, 25.0char/s, " in capsys.readouterr().err


@terminal_and_log
def test_a_budget_of_seconds(kind, clock):
    with redirect_stderr(kind()) as shown, progress_of(Budget(seconds=40.0)) as display:
        clock[0] = 10.0
        display.show(10, math.log(2))
    if kind is Terminal:
        assert " 25%|" in shown.getvalue()
        assert "25.0char/s, loss 0.693 nats, 1.000 bits/char" in shown.getvalue()
    else:
        assert shown.getvalue() == (
            "data\n 25%  250 [00:10, 00:30 left, 25.0char/s, loss 0.693 nats, 1.000 bits/char]\n"
        )


@terminal_and_log
def test_the_validation_loss_stays_in_view(kind, monkeypatch):
    monkeypatch.setattr(module, "LINE_SECONDS", -1.0)
    monkeypatch.setattr(module, "GROWTH", 0.0)
    with redirect_stderr(kind()) as shown, progress_of(Budget(40)) as display:
        display.show(10, 1.0)
        assert "validation" not in shown.getvalue()
        display.show(20, 1.0, 1.25)
        display.show(30, 1.0)
    assert shown.getvalue().replace("\r", "\n").splitlines()[-1].count("validation 1.250 nats") == 1


# --- what it must not do


@terminal_and_log
def test_showing_does_not_change_training(kind, monkeypatch):
    monkeypatch.setattr(module, "SAMPLE_SECONDS", 0.0)
    monkeypatch.setattr(training, "POLL_SECONDS", 0.0)
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    silent = train(0)
    with redirect_stderr(kind()):
        loud = train(2)
    np.testing.assert_array_equal(learned_state(silent).params, learned_state(loud).params)
    np.testing.assert_array_equal(silent.state_, loud.state_)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


class Full(io.StringIO):
    def write(self, text):
        raise OSError(28, "No space left on device")


class FullTerminal(Full):
    def isatty(self):
        return True


def closed():
    stream = io.StringIO()
    stream.close()
    return stream


@pytest.mark.parametrize(
    "stream",
    [Full, FullTerminal, closed, lambda: None, lambda: io.TextIOWrapper(io.BytesIO(), encoding="ascii")],
    ids=["full", "full terminal", "closed", "none", "ascii"],
)
def test_training_continues_where_nothing_can_be_shown(stream, monkeypatch):
    monkeypatch.setattr(module, "SAMPLE_SECONDS", 0.0)
    monkeypatch.setattr(training, "POLL_SECONDS", 0.0)
    text = "naïve 🙂 " * 50
    with redirect_stderr(stream()):
        loud = train(2, text)
    np.testing.assert_array_equal(learned_state(loud).params, learned_state(train(0, text)).params)


def test_after_one_error_nothing_more_is_shown(clock):
    class FullOnce(io.StringIO):
        def write(self, text):
            calls.append(text)
            if len(calls) > 2:
                raise OSError(28, "No space left on device")

    calls = []
    with redirect_stderr(FullOnce()), progress_of(Budget(40), verbose=2) as display:
        for done in (10, 20, 30):
            clock[0] = 10.0 * done
            display.show(done, 1.0)
    assert calls[:2] == ["data", "\n"]
    assert len(calls) == 3


@terminal_and_log
def test_display_is_closed_when_training_is_interrupted(kind, monkeypatch):
    show = Progress.show

    def stop(self, steps_done, loss, validation_loss):
        show(self, steps_done, loss, validation_loss)
        raise KeyboardInterrupt

    monkeypatch.setattr(Progress, "show", stop)
    with redirect_stderr(kind()) as shown, pytest.raises(KeyboardInterrupt):
        train(1)
    assert shown.getvalue().endswith("\n")
    assert "loss " in shown.getvalue()


def test_model_errors_are_not_display_errors(monkeypatch):
    def fail(self, *arguments, **rest):
        raise ZeroDivisionError

    monkeypatch.setattr(module, "SAMPLE_SECONDS", 0.0)
    monkeypatch.setattr(CharRNN, "sample", fail)
    with pytest.raises(ZeroDivisionError):
        train(2)


# --- printable


@given(st.text(st.characters()) | st.text(st.characters(categories=["Cc", "Cs"])))
def test_printable_text_can_be_written_anywhere(text):
    shown = printable(text)
    controls = {c for c in shown if unicodedata.category(c) in ("Cc", "Cs")}
    assert controls <= {"\n", "\t"}
    assert shown.encode("utf-8").decode("utf-8") == shown
    if text.isprintable() and not any("\ud800" <= c <= "\udfff" for c in text):
        assert shown == text


@given(st.binary())
def test_printable_bytes_are_latin_1(data):
    assert printable(data) == printable(data.decode("latin-1"))


def test_printable():
    assert printable("naïve\n🙂\t") == "naïve\n🙂\t"
    assert printable(b"\xe9\0") == "é\\0"
    assert printable("\ud83d\ude42") == "\\ud83d\\ude42"
    assert printable("a\r\nb\rc") == "a\nb\\x0dc"


def shown(stream, monkeypatch, verbose=1):
    monkeypatch.setattr(sys, "stderr", stream)
    with CountingProgress(verbose, "data: 5 characters") as progress:
        progress.show(2, 5)
        progress.show(5, 5)
    progress.write("done")


def test_a_log_has_the_summary_and_a_line(monkeypatch):
    stream = io.StringIO()
    shown(stream, monkeypatch)
    first, second, last = stream.getvalue().splitlines()
    assert (first, last) == ("data: 5 characters", "done")
    assert second.startswith("100%  5.00/5.00 [")
    assert "char/s" in second


def test_silent_command_shows_no_progress(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    with CountingProgress(0, "data") as progress:
        progress.show(5, 5)
    assert stream.getvalue() == ""


@pytest.mark.parametrize("stream", [Full(), None])
def test_broken_streams_are_ignored(monkeypatch, stream):
    shown(stream, monkeypatch)


def test_stream_that_breaks_later_is_ignored(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    with CountingProgress(1, "data") as progress:
        progress.show(2, 5)
        stream.close()
        progress.show(5, 5)
    progress.write("done")
