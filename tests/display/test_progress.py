"""Progress: on a terminal, in a log, in a notebook with a curve; what cannot be shown changes nothing."""

import io
import math
import os
import re
import struct
import sys
import unicodedata
from contextlib import contextmanager, redirect_stderr
from functools import partial
from pathlib import Path
from types import ModuleType, SimpleNamespace
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_models import bits
from texts import PHRASES as TEXT

import crnn
from crnn import CharRNN
from crnn.char_rnn import SAMPLE_LENGTH, SAMPLES
from crnn.display import bars
from crnn.display.bars import MAX_POINTS, NotebookDisplay, in_notebook
from crnn.display.loss_curve import BOTTOM, HEIGHT, LEFT, RIGHT, TICKS, TOP, WIDTH, loss_curve, points_of, ticks
from crnn.display.pace import Pace
from crnn.display.progress import CountingProgress, Progress
from crnn.display.terminal import is_terminal, printable
from crnn.parameters.budget import Budget
from crnn.training import run as training


def train(verbose, text=TEXT, **parameters):
    return CharRNN(**({"hidden_size": 5, "max_steps": 50, "random_state": 0} | parameters), verbose=verbose).fit(text)


class Terminal(io.StringIO):
    def isatty(self):
        return True


ALWAYS = Pace(line_seconds=-1.0, sample_seconds=0.0, pause_share=0.0, notebook_seconds=0.0, curve_share=0.0)


def progress_of(budget, *, verbose=1, sample=lambda: ["a sample"], **options):
    return Progress(budget, 25, verbose=verbose, summary="data", sample=sample, **options)


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
    model.set_params(max_steps=3).partial_fit(TEXT)
    assert capsys.readouterr().err.splitlines()[1].startswith("100%  75.0/75.0 ")


def stop_after_20_steps(model, record):
    return record["step"] >= 20


@terminal_and_log
@pytest.mark.parametrize(
    "ending",
    [
        {"max_steps": 30, "max_seconds": 1e6},  # the steps end first
        {"max_steps": 10**6, "callbacks": [stop_after_20_steps], "eval_every": 10, "validation_fraction": 0.2},
        {"max_steps": 10**6, "eval_every": 1, "validation_fraction": 0.2, "patience": 1, "learning_rate": 1e-30},
    ],
    ids=["steps", "callback", "patience"],
)
def test_the_bar_is_full_however_a_call_ends(kind, ending):
    with redirect_stderr(kind()) as shown:
        train(1, **ending)
    assert re.split("[\r\n]+", shown.getvalue().strip())[-1].startswith("100%")


def test_the_bar_of_an_interrupted_call_is_not_full():
    def interrupt(model, record):
        raise KeyboardInterrupt

    with redirect_stderr(io.StringIO()) as shown, pytest.raises(KeyboardInterrupt):
        train(1, max_steps=10**6, callbacks=[interrupt], eval_every=10, validation_fraction=0.2)
    assert shown.getvalue().splitlines()[-1].startswith("  0%")


def test_characters_of_all_streams_and_of_short_chunks_count(capsys):
    train(1, "abcdefghijklmnop", seq_length=100, batch_size=3, max_steps=4)  # chunks of 5
    assert capsys.readouterr().err.splitlines()[1].startswith("100%  60.0/60.0 ")


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (Terminal, TEXT), (io.StringIO, TEXT.encode()), (io.StringIO, "a\0b\ud800" * 30),
        (Terminal, "naïve 🙂\r\n\ufeff\x1b[2J" * 30),
    ],
)  # fmt: skip
def test_samples_are_shown(kind, text):
    model = train(0, text)
    with redirect_stderr(kind()) as shown, progress_of(Budget(40), verbose=2, sample=model._samples, pace=ALWAYS) as it:
        for done in (10, 20, 40):
            it.show(done, 1.0)
    parts = shown.getvalue().split("----\n")
    assert len(parts) > 2
    assert len(parts) % 2
    assert len(parts[1]) > 0.6 * SAMPLE_LENGTH
    assert not set("\0\x1b\r") & set(parts[1])
    parts[1].encode("utf-8")


def test_samples_of_documents_are_several():
    assert len(CharRNN(5, max_steps=0, random_state=0).fit(["anna", "bob", "eva"])._samples()) == SAMPLES


@pytest.mark.skipif(sys.platform == "win32", reason="terminals as POSIX has them")
def test_a_terminal_is_open_and_has_lines(monkeypatch):
    with pseudo_terminal() as (_, terminal, resize):
        for lines, found in ((0, False), (1, True), (24, True)):
            resize(lines, 80)
            assert is_terminal(terminal) is found
    assert not is_terminal(closed())
    monkeypatch.delattr(os, "get_terminal_size")  # as in Pyodide
    monkeypatch.setattr(Terminal, "fileno", lambda self: 1)
    assert is_terminal(Terminal())


def test_samples_and_lines_come_every_so_often_and_then_ever_less(capsys):
    now = [0.0]
    with progress_of(Budget(10_000), verbose=2, clock=lambda: now[0]) as display:
        for done in range(1, 10_001):
            now[0] = done / 10
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


@pytest.mark.parametrize(("part", "chars"), [(0.0, 0), (0.0, 7), (1.0, 0)])
def test_no_estimate_without_progress(part, chars):
    stream = io.StringIO()
    display = bars.display_on(stream, 9)
    display.update(part, chars, 3.0, "text", (1.0, None))
    display.close()
    assert stream.getvalue() == f"{part:4.0%}  {chars:.2f}/9.00\n"


def test_the_end_of_a_log_tells_the_end_of_the_call(capsys):
    now = [0.0]
    with progress_of(Budget(40), clock=lambda: now[0]) as display:
        for done in (10, 20):
            now[0] = done / 1.25  # 8 seconds, and 16: a line each
            display.show(done, 1.0)
        now[0] = 17.0  # too early for a line
        display.show(40, 1.0)
    assert [line[:4] for line in capsys.readouterr().err.splitlines()] == ["data", " 25%", " 50%", "100%"]


def test_a_resumed_call_counts_the_seconds_before(capsys):
    now = [100.0]
    with progress_of(Budget(40), elapsed=10.0, clock=lambda: now[0]) as display:
        now[0] = 110.0
        display.show(20, math.log(2))
    assert " 50%  500/1.00k [00:20, 00:20 left, 25.0char/s, " in capsys.readouterr().err


@terminal_and_log
def test_a_budget_of_seconds(kind):
    now = [0.0]
    with redirect_stderr(kind()) as shown, progress_of(Budget(seconds=40.0), clock=lambda: now[0]) as display:
        now[0] = 10.0
        display.show(10, math.log(2))
    if kind is Terminal:
        assert " 25%|" in shown.getvalue()
        assert "25.0char/s, loss 0.693 nats, 1.000 bits/char" in shown.getvalue()
    else:
        assert shown.getvalue() == (
            "data\n 25%  250 [00:10, 00:30 left, 25.0char/s, loss 0.693 nats, 1.000 bits/char]\n"
        )


@terminal_and_log
def test_the_validation_loss_stays_in_view(kind):
    with redirect_stderr(kind()) as shown, progress_of(Budget(40), pace=ALWAYS) as display:
        display.show(10, 1.0)
        assert "validation" not in shown.getvalue()
        display.show(20, 1.0, 1.25)
        display.show(30, 1.0)
    assert shown.getvalue().replace("\r", "\n").splitlines()[-1].count("validation 1.250 nats") == 1


# --- what it must not do


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
    [Terminal, io.StringIO, Full, FullTerminal, closed, lambda: None,
     lambda: io.TextIOWrapper(io.BytesIO(), encoding="ascii")],
    ids=["terminal", "log", "full", "full terminal", "closed", "none", "ascii"],
)  # fmt: skip
def test_showing_does_not_change_training(stream, monkeypatch):
    monkeypatch.setattr(training, "Progress", partial(Progress, pace=ALWAYS))
    monkeypatch.setattr(training, "POLL_SECONDS", 0.0)
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    text = "naïve 🙂 " * 50
    with redirect_stderr(stream()):
        loud = train(2, text)
    assert bits(loud) == bits(train(0, text))
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


@terminal_and_log
def test_display_is_closed_when_training_is_interrupted(kind, monkeypatch):
    show = Progress.show

    def stop(self, *arguments, **named):
        show(self, *arguments, **named)
        raise KeyboardInterrupt

    monkeypatch.setattr(Progress, "show", stop)
    with redirect_stderr(kind()) as shown, pytest.raises(KeyboardInterrupt):
        train(1)
    assert shown.getvalue().endswith("\n")
    assert "loss " in shown.getvalue()


def test_model_errors_are_not_display_errors(monkeypatch):
    def fail(self, *arguments, **rest):
        raise ZeroDivisionError

    monkeypatch.setattr(training, "Progress", partial(Progress, pace=ALWAYS))
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


def test_printable():
    assert printable("naïve\n🙂\t") == "naïve\n🙂\t"
    assert printable(b"\xe9\0") == "é\\0"
    assert printable("\ud83d\ude42") == "\\ud83d\\ude42"
    assert printable("a\r\nb\rc") == "a\nb\\x0dc"


# --- progress of counts


def shown(stream, monkeypatch, verbose=1):
    monkeypatch.setattr(sys, "stderr", stream)
    with CountingProgress(verbose, "data: 5 characters") as progress:
        progress.show(2, 5)
        progress.show(5, 5)
    progress.write("done")
    return stream


def test_a_log_has_the_summary_and_a_line(monkeypatch):
    first, second, last = shown(io.StringIO(), monkeypatch).getvalue().splitlines()
    assert (first, last) == ("data: 5 characters", "done")
    assert second.startswith("100%  5.00/5.00 [")
    assert "char/s" in second
    assert shown(io.StringIO(), monkeypatch, verbose=0).getvalue() == "done\n"


class BreaksLater(io.StringIO):
    def write(self, text):
        if "%" in text:
            self.close()
        return super().write(text)


@pytest.mark.parametrize("stream", [Full, lambda: None, BreaksLater])
def test_broken_streams_are_ignored(monkeypatch, stream):
    shown(stream(), monkeypatch)


@pytest.fixture
def outputs(monkeypatch):
    """Pretend that this process is a notebook's kernel; give each output as the list of what it showed in turn."""
    outputs = []

    def display(bundle, *, raw, display_id):
        assert raw
        assert display_id
        outputs.append([bundle])
        return SimpleNamespace(update=lambda bundle, *, raw: outputs[-1].append(bundle))

    ipython, displays = ModuleType("IPython"), ModuleType("IPython.display")
    ipython.get_ipython = lambda: SimpleNamespace(kernel=object())
    displays.display = display
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", displays)
    return outputs


def points(bundle):
    return len(re.findall("[ML]", re.search("<path d='([^']*)'", bundle["text/html"])[1]))


def test_a_kernel_is_told_from_a_terminal(outputs, monkeypatch):
    assert in_notebook()
    for shell in (None, SimpleNamespace()):  # plain Python that has imported IPython; IPython in a terminal
        monkeypatch.setattr(sys.modules["IPython"], "get_ipython", lambda shell=shell: shell)
        assert not in_notebook()


def test_fit_draws_a_curve_in_one_output(outputs, capsys):
    model = CharRNN(5, max_steps=60, validation_fraction=0.2, eval_every=20, verbose=1, random_state=0).fit(TEXT)
    (shown,) = outputs
    last = shown[-1]
    assert "value='1.0000'" in last["text/html"]
    assert last["text/plain"].startswith("100% [00:00<00:00, ")
    assert f"loss {model.smooth_loss_ / model.seq_length:.3f} nats" in last["text/plain"]
    assert last["text/html"].count("<circle") == sum(r["validation_loss"] is not None for r in model.history_) > 0
    assert capsys.readouterr().err.startswith("data: ")
    model.partial_fit(TEXT)
    assert len(outputs) == 2


def test_a_curve_that_grows_keeps_few_points_spread_evenly(outputs):
    display, n = NotebookDisplay(sys.stderr, None, ALWAYS), 5 * MAX_POINTS
    for i in range(1, n):
        display.update(i / n, 100 * i, float(i), "text", (1 / i, None))
    display.close()
    (shown,) = outputs
    assert MAX_POINTS / 4 < points(shown[-1]) <= MAX_POINTS
    assert points(shown[3]) == 4  # one picture for each point
    path = re.search("<path d='([^']*)'", shown[-1]["text/html"])[1]
    gaps = np.diff([float(x) for x in re.findall(r"[ML](\S+) ", path)])
    assert gaps.max() < 3 * np.median(gaps)


@pytest.mark.parametrize(("part", "total", "place"), [(0.5, 1000, 0.5), (0.5, None, 1.0), (1.0, 1000, 1.0)])
def test_the_axis_ends_with_the_call_if_its_end_is_known(outputs, part, total, place):
    display = NotebookDisplay(sys.stderr, total, ALWAYS)
    display.update(0.0, 0, 0.0, "text", (2.0, None))
    display.update(part, 500, 1.0, "text", (1.0, None))
    xs = [float(x) for x in re.findall(r"[ML](\S+) ", outputs[0][-1]["text/html"])]
    assert (xs[-1] - LEFT) / (WIDTH - LEFT - RIGHT) == pytest.approx(place, abs=1e-3)


def test_pictures_are_not_drawn_at_every_poll(outputs):
    display = NotebookDisplay(sys.stderr, None, Pace(notebook_seconds=1.0))
    for i in range(100):
        display.update(i / 100, i, i / 20, "text", (1.0, None))  # 5 seconds in all
    assert len(outputs[0]) == 5
    for _ in range(2):
        display.close()
        assert len(outputs[0]) == 6


def test_the_remaining_time_is_that_of_the_rest_at_the_same_speed(outputs, capsys):
    display = NotebookDisplay(sys.stderr, None, ALWAYS)
    display.close()  # without progress nothing is drawn
    display.write("----\nto be\n----")  # a sample
    assert outputs == []
    assert capsys.readouterr().err == "----\nto be\n----\n"
    display.update(0.25, 7, 60.0, "<img>", (None, None))
    assert outputs[0][0]["text/plain"] == "25% [01:00<03:00, <img>]"
    assert "<img>" not in outputs[0][0]["text/html"]


NOTEBOOK = """
from crnn import CharRNN
model = CharRNN(8, max_steps=400, seq_length=10, verbose=1, random_state=0).fit("to be or not to be, " * 30)
"""


@pytest.mark.slow
def test_in_a_real_notebook(tmp_path, monkeypatch):
    """A kernel is started, runs two cells, and the notebook holds one picture of training and one of the model."""
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    monkeypatch.setenv("PYTHONPATH", str(Path(crnn.__file__).parent.parent))  # from a checkout, too
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in (NOTEBOOK, "model")])
    nbclient.NotebookClient(book, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    trained, (shown,) = ([output for output in cell.outputs if "data" in output] for cell in book.cells)
    assert len(trained) == 1
    html = trained[0]["data"]["text/html"]
    assert "value='1.0000'" in html
    assert "<path" in html
    assert trained[0]["data"]["text/plain"].startswith("100% ")
    assert "RNN of 8 units, 8 symbols" in shown["data"]["text/html"]


def drawn(picture):
    """Return the points of each path, and the centres of the dots."""
    root = ElementTree.fromstring(picture)
    paths = [re.findall(r"[ML](\S+) ([\d.]+)", path.get("d")) for path in root.iter("path")]
    paths = [[(float(x), float(y)) for x, y in path] for path in paths]
    return paths, [(float(dot.get("cx")), float(dot.get("cy"))) for dot in root.iter("circle")]


def test_points_lie_where_their_numbers_say():
    """The axis goes from 0 to the end; a loss of 3 lies halfway between 4 and 2."""
    (path, line), dots = drawn(loss_curve([(0, 4.0), (50, 3.0), (100, 2.0)], [(50, 3.0), (100, 4.0)], end=200))
    width = WIDTH - LEFT - RIGHT
    assert [x for x, _ in path] == pytest.approx([LEFT, LEFT + width / 4, LEFT + width / 2], abs=0.06)
    assert path[1][1] == pytest.approx((path[0][1] + path[2][1]) / 2, abs=0.06)
    assert path[0][1] < path[2][1]
    assert dots == line
    assert dots[0] == path[1]


def test_labels_are_numbers_of_the_axes():
    picture = loss_curve([(0, 4.0), (12_300, 1.4)], unit="characters")
    texts = [element.text for element in ElementTree.fromstring(picture).iter("text")]
    assert texts == ["2", "3", "4", "0", "5,000", "10,000", "characters", "training", "nats per character"]


def test_curve_needs_two_points_and_one_validation_is_a_dot():
    for points in ([], [(1, 2.0)], [(1, math.nan), (2, math.inf), (3, 1.0)]):
        assert loss_curve(points) == ""
    paths, dots = drawn(loss_curve([(0, 4.0), (1, 2.0)], [(1, 2.5)]))
    assert (len(paths), len(dots)) == (1, 1)


FINITE = st.floats(0, 1e30)


@given(st.lists(st.tuples(st.integers(0, 10**15), FINITE), min_size=2, max_size=7), st.none() | st.integers(0, 10**15))
def test_everything_lies_in_the_frame(points, end):
    picture = loss_curve(points, points[:1], end=end)
    for x, y in [point for path in drawn(picture)[0] for point in path] + drawn(picture)[1]:
        assert LEFT - 0.1 <= x <= WIDTH - RIGHT + 0.1
        assert TOP - 0.1 <= y <= HEIGHT - BOTTOM + 0.1


@given(st.floats(0, 1e6), st.floats(1e-3, 1e12))
def test_ticks_are_round_and_few(low, size):
    found = ticks(low, low + size)
    assert len(found) <= TICKS + 1
    assert all(low - size / 1e6 <= value <= low + size * (1 + 1e-6) for value in found)


def test_records_that_a_callback_damaged_are_not_drawn_and_all_others_are():
    whole = {"step": 3, "train_loss": 1.5}
    for odd in (None, "1.5", [1.5], {"a": 1}, math.nan, math.inf, -math.inf, -1, 1e300, 10**400, 1j, np.ones(2)):
        damaged = [whole | {"step": odd}, whole | {"train_loss": odd}, {"train_loss": 1.5}, {"step": 3}, {}, odd]
        assert points_of([*damaged, whole], "train_loss") == [(3.0, 1.5)]
    for number in (0, 3, 2.5, np.float32(0.5), np.int64(7), np.longdouble(2), 2**80):
        assert points_of([{"step": number, "train_loss": number}], "train_loss") == [(float(number), float(number))]
