import math
import os
import re
import shlex
import subprocess
import sys
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
from examples import SEEDS, instruction_set, share_of_spaces

import crnn
from crnn import CharRNN
from crnn.cli import demo
from crnn.cli import main as cli
from crnn.training.progress import printable

REPORT = re.compile(r"^ *([\d.]+) s +([\d,]+) characters read +([\d.]+) bits  (#+)$", re.MULTILINE)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_demo_in_a_process_and_its_next_steps(folder, capsys, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.path.dirname(os.path.dirname(os.path.abspath(crnn.__file__))))
    monkeypatch.setenv("PYTHONIOENCODING", "utf-8")
    command = [sys.executable, "-m", "crnn", "demo", "--seconds", "1"]
    shown = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=120)
    assert (shown.returncode, shown.stderr) == (0, "")  # a log has no bar
    first, _, last = shown.stdout.partition("The model is saved in ")
    assert [line for line in first.splitlines() if len(line) > 80 and not line.startswith("  machine ")] == []
    reports = REPORT.findall(first)
    assert len(reports) == 5
    seconds = [float(report[0]) for report in reports]
    assert seconds == sorted(seconds)
    assert 1 <= seconds[-1] < 10
    bits = [float(report[2]) for report in reports]
    assert 6 < bits[0] < 8
    assert bits[-1] < bits[0] - 1
    assert len(reports[-1][-1]) < len(reports[0][-1])
    # Each report is followed by a sample, which starts with what it was given; a line within it may begin so by chance.
    samples = REPORT.split(first)[5::5]
    assert [sample.lstrip("\n").startswith("  | The ") for sample in samples] == [True] * len(reports)
    model = CharRNN.load("crnn-demo.crnn")
    assert (model.max_steps, model.verbose) == (None, 0)
    if os.name == "posix":
        sample, report, info = re.findall(r":  +(.* (?:sample|report|info) .*)$", last, re.MULTILINE)
        assert len(subprocess.check_output(sample, shell=True, encoding="utf-8")) == 501
        own = sample.partition("sample ")[0]
        for command in (info, report):
            assert command.startswith(own)
            assert cli.main(shlex.split(command.removeprefix(own))) == 0
        assert f"{model.n_steps_:,} steps" in capsys.readouterr().out
        assert os.path.getsize("report.html") > 100_000
    assert "CharRNN.load('crnn-demo.crnn')" in last


def test_the_time_is_an_option(folder, capsys):
    assert cli.main(["demo", "--seconds", "0.1", "-o", "short.crnn"]) == 0
    assert "The model is saved in short.crnn (" in capsys.readouterr().out
    assert CharRNN.load("short.crnn").history_[-1]["seconds"] < 10


def test_demo_reports_falling_held_out_loss(capsys):
    model = demo.network()
    demo.learn(model, 0.4)
    out = capsys.readouterr().out
    loss = [float(bits) for _, _, bits, _ in REPORT.findall(out)]
    held_out = demo.text()[-round(len(demo.text()) * demo.HELD_OUT) :]
    assert loss[-1] == pytest.approx(model.bits_per_char(held_out, exact=False), abs=0.006)
    assert loss[0] == pytest.approx(math.log2(len(set(demo.text()))), abs=0.01)
    read = int(REPORT.findall(out)[-1][1].replace(",", ""))
    assert read == model.n_steps_ * model.seq_length * model.batch_size
    assert [record["step"] for record in model.history_] == sorted({record["step"] for record in model.history_})
    assert model.history_[-1]["step"] == model.n_steps_
    assert 0.4 <= model.history_[-1]["seconds"] < 10
    # What it says of the text and of the network comes first, what the network wrote last.
    blind, n = math.log2(len(set(demo.text()))), len(held_out)
    frequencies = -sum(k / n * math.log2(k / n) for k in Counter(held_out).values())
    weights = sum(array.size for array in model.params_.values())
    introduction = " ".join(out[: REPORT.search(out).start()].split())
    for words in (
        f"text {len(demo.text()):,} characters, {len(set(demo.text()))} distinct; the last 10% is held out",
        f"network 160 tanh units, {weights:,} weights, initially near zero",
        f"In bits per character: {blind:.2f} is blind guessing, {frequencies:.2f} is knowing",
    ):
        assert words in introduction
    *_, bits, bar = REPORT.findall(out)[-1]
    assert abs(len(bar) - 28 * float(bits) / blind) <= 0.6
    sample = out[list(REPORT.finditer(out))[-1].end() :].strip("\n").splitlines()
    *written, _, speed = sample
    assert all(line.startswith("  | ") and len(line) <= 76 for line in written)
    expected = printable("The " + model.sample(210, prime="The ", temperature=0.6, random_state=1))
    assert " ".join(line[4:] for line in written).split() == expected.split()
    assert re.fullmatch(r"[\d,]+ characters per second\.", speed)
    assert float(speed.split()[0].replace(",", "")) == pytest.approx(read / model.history_[-1]["seconds"], rel=0.01)


@pytest.mark.parametrize(("isa", "seed"), SEEDS)
def test_the_network_writes_words(capsys, monkeypatch, isa, seed):
    model = demo.network().set_params(random_state=seed, n_threads=1)
    clock = SimpleNamespace(perf_counter=lambda: model.n_steps_ / 400)  # of a machine that takes 400 steps a second
    monkeypatch.setattr(demo, "time", clock)
    with instruction_set(isa):
        demo.learn(model, 20.0 if seed else 4.0)  # the quick test has seed 0
    assert len(REPORT.findall(capsys.readouterr().out)) == 5
    assert model.n_steps_ >= 1600
    for text in model.sample(210, num_samples=20, prime="The ", temperature=0.6, random_state=1):
        assert 0.1 < share_of_spaces(text) < 0.3, text


def test_a_loss_above_blind_guessing_fits_the_line(monkeypatch):
    model = demo.network().set_params(max_steps=0).fit(demo.text())
    monkeypatch.setattr(CharRNN, "bits_per_char", lambda self, X, exact: 12.77)
    assert demo._report(model, "held out", 0.1, 4000).splitlines()[0].endswith("  12.77 bits  " + 28 * "#")


def test_the_network_is_tested_at_the_documented_times(capsys, monkeypatch):
    def advance(self, seconds_left):
        self.seconds += seconds_left
        self.characters += 1000

    monkeypatch.setattr(demo._TimedTraining, "advance", advance)
    demo.learn(demo.network(), 20.0)
    assert [report[0] for report in REPORT.findall(capsys.readouterr().out)] == ["0.0", "0.1", "2.0", "8.0", "20.0"]


def test_a_terminal_has_a_bar_that_is_gone_at_the_end(capsys, monkeypatch):
    monkeypatch.setattr(demo, "is_terminal", lambda stream: True)
    demo.learn(demo.network(), 0.1)
    shown = capsys.readouterr().err
    assert re.search(r"\d%\|.*\| 0 of 0 seconds, loss \d\.\d{3} nats", shown)
    assert shown.endswith(" \r")


def test_the_end_of_the_text_is_never_read(monkeypatch):
    text = demo.text()
    pieces = []
    partial_fit = CharRNN.partial_fit

    def spy(self, X):
        pieces.append(X)
        return partial_fit(self, X)

    monkeypatch.setattr(CharRNN, "partial_fit", spy)
    model = demo.network().set_params(max_steps=0).fit(text)
    training = demo._TimedTraining(model, text[:9000])
    for _ in range(5):
        training.advance(0.05)
    assert all(piece in text[:9000] for piece in pieces)
    assert len({text.index(piece) for piece in pieces}) > 1  # nor only the beginning
    assert training.characters == model.n_steps_ * 200


def test_a_slow_machine_reads_at_least_a_step():
    model = demo.network().set_params(max_steps=0).fit(demo.text())
    training = demo._TimedTraining(model, demo.text())
    training.advance(1.0)
    training.seconds = 1e6
    training.advance(1e-9)
    assert model.n_steps_ == demo.FIRST_STEPS + 1


def test_a_piece_takes_a_moment_of_the_time_left():
    model = demo.network().set_params(max_steps=0).fit(demo.text())
    training = demo._TimedTraining(model, demo.text())
    training.advance(1.0)
    for seconds_left, part in ((1e6, demo.PIECE_SECONDS), (demo.PIECE_SECONDS / 4, demo.PIECE_SECONDS / 4)):
        training.seconds, before = 0.5, model.n_steps_  # as if all steps so far had taken half a second
        training.advance(seconds_left)
        assert model.n_steps_ - before == round(before / 0.5 * part)


def test_text_is_of_a_size_that_every_python_has():
    assert len(demo.text()) > 300_000
    assert 80 < len(set(demo.text())) < 300
    assert demo.text().count(" the ") > 2000


def test_python_without_the_text(folder, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "pydoc_data.topics", None)
    assert cli.main(["demo"]) == 1
    out, err = capsys.readouterr()
    assert err.startswith("crnn: error: this Python lacks pydoc_data.topics")
    assert (out, err.count("\n")) == ("", 1)


def test_ctrl_c(folder, capsys, monkeypatch):
    advance = demo._TimedTraining.advance

    def stop(self, seconds_left):
        if self.model.n_steps_:
            raise KeyboardInterrupt
        advance(self, seconds_left)

    monkeypatch.setattr(demo._TimedTraining, "advance", stop)
    assert cli.main(["demo", "-o", "stopped.crnn"]) == 130
    assert "crnn: saved stopped.crnn: 20 steps" in capsys.readouterr().err
    model = CharRNN.load("stopped.crnn")
    assert (model.n_steps_, model.max_steps) == (demo.FIRST_STEPS, None)


def test_output_is_checked_first(folder, capsys, monkeypatch):
    monkeypatch.setattr(demo, "learn", None)
    path = os.path.join("missing", "x")
    assert cli.main(["demo", "-o", path]) == 1
    assert capsys.readouterr().err.startswith(f"crnn: error: {path}: ")


def test_shown_commands_run_this_program(folder, monkeypatch):
    installed = folder / "my bin" / "crnn"
    installed.parent.mkdir()
    installed.touch()
    monkeypatch.setattr(sys, "argv", [str(installed)])
    monkeypatch.setattr(demo.shutil, "which", {"crnn": str(installed), "python": sys.executable}.get)
    assert demo._own_command() == "crnn"
    monkeypatch.setattr(demo.shutil, "which", lambda name: None)
    assert demo._own_command() == shlex.quote(str(installed))
    monkeypatch.setattr(sys, "argv", [os.path.join("crnn", "__main__.py")])
    assert demo._own_command() == f"{shlex.quote(sys.executable)} -m crnn"
    monkeypatch.setattr(demo.shutil, "which", {"python": sys.executable}.get)
    assert demo._own_command() == "python -m crnn"


def test_every_piece_starts_from_the_zero_state(monkeypatch):
    states = []
    monkeypatch.setattr(CharRNN, "partial_fit", lambda self, X: states.append(self.state_.copy()) or self)
    model = demo.network().set_params(max_steps=0).fit(demo.text())
    with model.editing():
        model.state_[...] = 0.5
    model.history_.append({})
    demo._TimedTraining(model, demo.text()).advance(1.0)
    np.testing.assert_array_equal(states, 0)
