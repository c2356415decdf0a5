"""Progress in a notebook: a bar and a curve that grow in one output."""

import io
import re
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from texts import PHRASES as TEXT

import crnn
from crnn import CharRNN
from crnn.training import progress
from crnn.training.progress import LEFT, MAX_POINTS, RIGHT, WIDTH, NotebookDisplay, in_notebook


@pytest.fixture
def outputs(monkeypatch):
    """Pretend that this process is a notebook's kernel; give each output as the list of what it showed in turn."""
    outputs = []

    def display(bundle, *, raw, display_id):
        assert raw
        assert display_id
        outputs.append([bundle])
        return SimpleNamespace(update=lambda bundle, *, raw: outputs[-1].append(bundle))

    ipython, module = ModuleType("IPython"), ModuleType("IPython.display")
    ipython.get_ipython = lambda: SimpleNamespace(kernel=object())
    module.display = display
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", module)
    monkeypatch.setattr(progress, "INTERVAL", 0.0)
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


def test_quiet_models_draw_nothing(outputs):
    CharRNN(5, max_steps=5, random_state=0).fit(TEXT)
    assert outputs == []


def test_a_curve_that_grows_keeps_few_points(outputs):
    display = NotebookDisplay(sys.stderr, 10**6)
    for i in range(1, 5 * MAX_POINTS):
        display.update(i / (5 * MAX_POINTS), 100 * i, float(i), "text", (1 / i, None))
    display.close()
    (shown,) = outputs
    assert MAX_POINTS / 4 < points(shown[-1]) <= MAX_POINTS
    assert points(shown[3]) == 4  # one picture for each point


def test_points_are_spread_evenly(outputs):
    display, n = NotebookDisplay(sys.stderr, None), 9 * MAX_POINTS
    for i in range(1, n):
        display.update(i / n, 1000 * i, float(i), "text", (1 / i, None))
    (shown,) = outputs
    path = re.search("<path d='([^']*)'", shown[-1]["text/html"])[1]
    gaps = np.diff([float(x) for x in re.findall(r"[ML](\S+) ", path)])
    assert gaps.max() < 3 * np.median(gaps)


@pytest.mark.parametrize(("part", "total", "place"), [(0.5, 1000, 0.5), (0.5, None, 1.0), (1.0, 1000, 1.0)])
def test_the_axis_ends_with_the_call_if_its_end_is_known(outputs, part, total, place):
    display = NotebookDisplay(sys.stderr, total)
    display.update(0.0, 0, 0.0, "text", (2.0, None))
    display.update(part, 500, 1.0, "text", (1.0, None))
    xs = [float(x) for x in re.findall(r"[ML](\S+) ", outputs[0][-1]["text/html"])]
    assert (xs[-1] - LEFT) / (WIDTH - LEFT - RIGHT) == pytest.approx(place, abs=1e-3)


def test_without_progress_nothing_is_drawn(outputs):
    NotebookDisplay(sys.stderr, 1000).close()
    assert outputs == []


def test_pictures_are_not_drawn_at_every_poll(outputs, monkeypatch):
    monkeypatch.setattr(progress, "INTERVAL", 1.0)
    display = NotebookDisplay(sys.stderr, None)
    for i in range(100):
        display.update(i / 100, i, i / 20, "text", (1.0, None))  # 5 seconds in all
    assert len(outputs[0]) == 5
    for _ in range(2):
        display.close()
        assert len(outputs[0]) == 6


def test_the_remaining_time_is_that_of_the_rest_at_the_same_speed(outputs):
    NotebookDisplay(sys.stderr, None).update(0.25, 7, 60.0, "text", (None, None))
    assert outputs[0][0]["text/plain"] == "25% [01:00<03:00, text]"


def test_samples_are_written_below(outputs):
    stream = io.StringIO()
    NotebookDisplay(stream, None).write("----\nto be\n----")
    assert stream.getvalue() == "----\nto be\n----\n"
    assert outputs == []


def test_display_has_a_text_form(outputs):
    NotebookDisplay(sys.stderr, None).update(0.0, 0, 0.0, "<img>", (None, None))
    assert "<img>" not in outputs[0][0]["text/html"]


NOTEBOOK = """
from crnn import CharRNN
model = CharRNN(8, max_steps=400, seq_length=10, verbose=1, random_state=0).fit("to be or not to be, " * 30)
"""


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
