import math
import os
import re
import shlex
import sys
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
from command_line import error
from examples import SEEDS, instruction_set, share_of_spaces
from tqdm import tqdm

from crnn import CharNGram, CharRNN, Mixture
from crnn.cli import demo
from crnn.cli import main as cli
from crnn.datasets import python_manual
from crnn.display.terminal import printable

REPORT = re.compile(r"^ *([\d.]+) s +([\d,]+) characters read +([\d.]+) bits  (#+)$", re.MULTILINE)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def untrained():
    return demo.network().set_params(max_steps=0).fit(python_manual())


def test_demo_and_its_next_steps(folder, capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", [os.path.join("crnn", "__main__.py"), "demo"])
    assert cli.main(["demo", "--min-char-rnn", "--seconds", "1", "-o", "short demo.crnn"]) == 0
    shown, err = capsys.readouterr()
    assert err == ""  # a log has no bar
    model, text = CharRNN.load("short demo.crnn"), python_manual()
    assert (model.max_steps, model.verbose) == (None, 0)
    assert [record["step"] for record in model.history_] == sorted({record["step"] for record in model.history_})
    assert model.history_[-1]["step"] == model.n_steps_
    assert 1 <= model.history_[-1]["seconds"] < 10
    first, _, last = shown.partition("The model is saved in ")
    assert [line for line in first.splitlines() if len(line) > 80 and not line.startswith("  machine ")] == []

    # What it says of the text and of the network comes first.
    blind, held_out = math.log2(len(set(text))), text[-round(len(text) * demo.HELD_OUT) :]
    n, weights = len(held_out), sum(array.size for array in model.params_.values())
    frequencies = -sum(k / n * math.log2(k / n) for k in Counter(held_out).values())
    introduction = " ".join(first[: REPORT.search(first).start()].split())
    for words in (
        f"text {len(text):,} characters, {len(set(text))} distinct; the last 10% is held out",
        f"network 160 tanh units, {weights:,} weights, initially near zero",
        f"In bits per character: {blind:.2f} is blind guessing, {frequencies:.2f} is knowing",
    ):
        assert words in introduction

    # Each report is followed by a sample, which starts with what it was given.
    seconds, read, bits, bars = zip(*REPORT.findall(first), strict=True)
    seconds, bits, read = [*map(float, seconds)], [*map(float, bits)], int(read[-1].replace(",", ""))
    assert len(seconds) == 5
    assert seconds == sorted(seconds)
    assert 1 <= seconds[-1] < 10
    assert bits[0] == pytest.approx(blind, abs=0.01)
    assert bits[-1] < bits[0] - 1
    assert bits[-1] == pytest.approx(model.bits_per_char(held_out, exact=False), abs=0.006)
    assert read == model.n_steps_ * model.seq_length * model.batch_size
    assert abs(len(bars[-1]) - 28 * bits[-1] / blind) <= 0.6
    samples = REPORT.split(first)[5::5]
    assert [sample.lstrip("\n").startswith("  | The ") for sample in samples] == [True] * 5
    *written, _, speed = samples[-1].strip("\n").splitlines()
    assert all(line.startswith("  | ") and len(line) <= 76 for line in written)
    expected = printable("The " + model.sample(210, prime="The ", temperature=0.6, random_state=1))
    assert " ".join(line[4:] for line in written).split() == expected.split()
    assert re.fullmatch(r"[\d,]+ characters per second\.", speed)
    assert float(speed.split()[0].replace(",", "")) == pytest.approx(read / model.history_[-1]["seconds"], rel=0.01)

    own, found = demo._own_command(), []
    for name in ("sample", "info", "report"):
        command = re.search(rf":  +{re.escape(own)} ({name} .*)$", last, re.MULTILINE)[1]
        assert cli.main(shlex.split(command)) == 0
        found.append(capsys.readouterr().out)
    assert len(found[0]) == 501
    assert f"{model.n_steps_:,} steps" in found[1]
    assert os.path.getsize("report.html") > 100_000
    assert "CharRNN.load('short demo.crnn')" in last


def test_the_last_stage_is_a_mixture(folder, capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", [os.path.join("crnn", "__main__.py"), "demo"])
    assert cli.main(["demo", "--seconds", "1", "-o", "demo.crnn"]) == 0
    shown, err = capsys.readouterr()
    assert err == ""
    mixture, text = Mixture.load("demo.crnn"), python_manual()
    network, counts = mixture.models_
    assert mixture.vocabulary_ == CharNGram(1).fit(text).vocabulary_
    read, held_out = demo._split(text)
    assert text == read + held_out
    assert sum(counts.n_grams_[:2]) <= sum(CharNGram(2).fit(read).n_grams_)
    assert f"a CIFG of {network.hidden_size} units, and counts of n-grams" in shown
    lines = re.findall(r"^ *[\d.]+ s +[\d,]+ characters read +([\d.]+) bits  #+  (.*)$", shown, re.MULTILINE)
    assert [kind for _, kind in lines][-1] == "network and counts"
    assert {kind for _, kind in lines[:-1]} <= {"network"}
    assert float(lines[-1][0]) == pytest.approx(mixture.bits_per_char(held_out, exact=False), abs=0.006)
    assert "from crnn import Mixture" in shown


def test_ctrl_c_saves_the_mixture(folder, capsys, monkeypatch):
    def stop(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "_report", stop)
    assert cli.main(["demo", "-o", "stopped.crnn"]) == 130
    assert "crnn: stopped by Ctrl-C; saving the model after step" in capsys.readouterr().err
    assert Mixture.load("stopped.crnn").bits_per_char("The ") > 0


@pytest.mark.parametrize(
    ("place", "options"),
    [
        ("crnn.mixture.Mixture.recommended", []),
        ("crnn.mixture.CharNGram._fit", []),
        ("crnn.cli.demo.learn", ["--min-char-rnn"]),
    ],
    ids=["before the training", "while counting", "before the first step"],
)
def test_ctrl_c_before_a_model_has_learned_saves_nothing(folder, capsys, monkeypatch, place, options):
    def stop(*arguments, **rest):
        raise KeyboardInterrupt

    monkeypatch.setattr(place, stop)
    assert cli.main(["demo", "-o", "stopped.crnn", *options]) == 130
    assert capsys.readouterr().err.startswith("crnn: stopped by Ctrl-C")
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(("isa", "seed"), SEEDS)
def test_the_network_writes_words(capsys, monkeypatch, isa, seed):
    model = demo.network().set_params(random_state=seed, n_threads=1)
    clock = SimpleNamespace(perf_counter=lambda: model.n_steps_ / 400)  # of a machine that takes 400 steps a second
    monkeypatch.setattr(demo, "time", clock)
    with instruction_set(isa):
        demo.learn(model, 20.0 if seed else 4.0)  # the quick test has seed 0
    assert len(REPORT.findall(capsys.readouterr().out)) == 5
    assert model.n_steps_ >= 1600
    for text in model.sample(210, n_samples=20, prime="The ", temperature=0.6, random_state=1):
        assert 0.1 < share_of_spaces(text) < 0.3, text


def test_a_loss_above_blind_guessing_fits_the_line(untrained, monkeypatch):
    monkeypatch.setattr(CharRNN, "bits_per_char", lambda self, X, exact: 12.77)
    assert demo._report(untrained, "held out", 0.1, 4000).splitlines()[0].endswith("  12.77 bits  " + 28 * "#")


def test_a_terminal_has_a_bar_and_reports_at_the_documented_times(capsys, monkeypatch):
    def advance(self, seconds_left):
        self.seconds += seconds_left
        self.characters += 1000

    monkeypatch.setattr(demo._TimedTraining, "advance", advance)
    monkeypatch.setattr(demo, "is_terminal", lambda stream: True)
    demo.learn(demo.network(), 20.0)
    out, err = capsys.readouterr()
    assert [report[0] for report in REPORT.findall(out)] == ["0.0", "0.1", "2.0", "8.0", "20.0"]
    assert re.search(r"\d%\|.*\| \d+ of 20 seconds, loss \d\.\d{3} nats", err)
    assert err.endswith(" \r")  # it is gone at the end


def test_reports_are_written_without_the_lock_of_bars(capsys, monkeypatch):
    monkeypatch.setattr(tqdm, "get_lock", None)  # Ctrl-C while it is held would cause another error
    demo._say("words")
    assert capsys.readouterr().out == "words\n"


def test_the_end_of_the_text_is_never_read(untrained, monkeypatch):
    text, pieces, partial_fit = python_manual(), [], CharRNN.partial_fit

    def spy(self, X):
        pieces.append(X)
        return partial_fit(self, X)

    monkeypatch.setattr(CharRNN, "partial_fit", spy)
    training = demo._TimedTraining(untrained, text[:9000])
    for _ in range(5):
        training.advance(0.05)
    assert all(piece in text[:9000] for piece in pieces)
    assert len({text.index(piece) for piece in pieces}) > 1  # nor only the beginning
    assert training.characters == untrained.n_steps_ * 200


def test_a_piece_takes_a_moment_of_the_time_left_and_at_least_a_step(untrained):
    training, moment = demo._TimedTraining(untrained, python_manual()), demo.PIECE_SECONDS
    training.advance(1.0)
    assert untrained.n_steps_ == demo.FIRST_STEPS
    for seconds_left, part in ((1e6, moment), (moment / 4, moment / 4), (1e-9, None)):
        training.seconds, before = 0.5, untrained.n_steps_  # as if all steps so far had taken half a second
        training.advance(seconds_left)
        assert untrained.n_steps_ - before == (1 if part is None else round(before / 0.5 * part))


def test_every_piece_starts_from_the_zero_state(untrained, monkeypatch):
    states = []
    monkeypatch.setattr(CharRNN, "partial_fit", lambda self, X: states.append(self.state_.copy()) or self)
    with untrained.editing():
        untrained.state_[...] = 0.5
    untrained.history_.append({})
    demo._TimedTraining(untrained, python_manual()).advance(1.0)
    np.testing.assert_array_equal(states, 0)


def test_python_without_the_text(folder, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "pydoc_data.topics", None)
    assert "crnn: error: this Python lacks pydoc_data.topics" in error(capsys, "demo")


def test_ctrl_c(folder, capsys, monkeypatch):
    advance = demo._TimedTraining.advance

    def stop(self, seconds_left):
        if self.model.n_steps_:
            raise KeyboardInterrupt
        advance(self, seconds_left)

    monkeypatch.setattr(demo._TimedTraining, "advance", stop)
    assert cli.main(["demo", "--min-char-rnn", "-o", "stopped.crnn"]) == 130
    assert "crnn: saved stopped.crnn: 20 steps" in capsys.readouterr().err
    model = CharRNN.load("stopped.crnn")
    assert (model.n_steps_, model.max_steps) == (demo.FIRST_STEPS, None)


def test_output_is_checked_first(folder, capsys, monkeypatch):
    monkeypatch.setattr(demo, "learn_mixture", None)
    path = os.path.join("missing", "x")
    assert f"crnn: error: {path}: " in error(capsys, "demo", "-o", path)


def test_shown_commands_run_this_program(folder, monkeypatch):
    installed = folder / "my bin" / "crnn"
    installed.parent.mkdir()
    installed.touch()
    module = os.path.join("crnn", "__main__.py")
    for program, found, command in (
        (installed, {"crnn": str(installed)}, "crnn"),
        (installed, {}, shlex.quote(str(installed))),
        (module, {}, f"{shlex.quote(sys.executable)} -m crnn"),
        (module, {"python": sys.executable}, "python -m crnn"),
    ):
        monkeypatch.setattr(sys, "argv", [str(program)])
        monkeypatch.setattr(demo.shutil, "which", found.get)
        assert demo._own_command() == command
