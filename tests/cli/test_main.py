"""The command line as a whole: from a text to scores, closed standard streams, help, Ctrl-C."""

import io
import os
import re
import signal
import subprocess
import sys

import numpy as np
import pytest
from command_line import POSIX, error, run, run_with_closed
from small_models import learned_state
from texts import PHRASES as TEXT

import crnn
from crnn import CharRNN
from crnn.cli import main as cli
from crnn.parameters.settings import GROUPS, PARAMETERS

FULL = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")

# --- in processes of their own


@POSIX
def test_from_text_to_samples_through_pipes(folder, capsys):
    with open("text.txt", "rb") as text:
        trained = run(
            "train", "-", "-o", "-", "--hidden-size", "11", "--max-steps", "70", "--random-state", "3", stdin=text
        )
    assert trained.returncode == 0
    assert b"bits/char" in trained.stderr
    assert re.search(
        rb"\ncrnn: saved to standard output: 70 steps in .* s, training loss .* nats \(.* bits\) per symbol\n$",
        trained.stderr,
    )
    (folder / "new.crnn").write_bytes(trained.stdout)
    model, fitted = CharRNN.load("new.crnn"), CharRNN(11, max_steps=70, random_state=3).fit(TEXT)
    assert model.get_params() == fitted.get_params()
    np.testing.assert_array_equal(learned_state(model).params, learned_state(fitted).params)
    sampled = run("sample", "-", "--length", "41", "--prime", "to be", "--random-state", "2", input=trained.stdout)
    expected = model.sample(41, prime="to be", random_state=2)
    assert (sampled.returncode, sampled.stdout, sampled.stderr) == (0, (expected + "\n").encode(), b"")


@POSIX
def test_reader_that_closes_the_pipe_ends_quietly(folder):
    command = [sys.executable, "-m", "crnn", "sample", "model.crnn", "--length", "100000000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert len(process.stdout.read(100)) == 100
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 1


@FULL
@pytest.mark.parametrize("words", ["info model.crnn", "sample"])
def test_a_process_with_full_disks_behind_its_streams_ends(folder, words):
    """The interpreter has nothing left to write when it exits."""
    with open("/dev/full", "wb") as full:
        ended = run(*words.split(), stdout=full, stderr=subprocess.PIPE, capture_output=False)
        assert ended.returncode == (1 if "model" in words else 2)
        assert b"Traceback" not in ended.stderr
        assert (b"standard output: No space left on device" in ended.stderr.splitlines()[-1]) == ("model" in words)
        assert run(*words.split(), stdout=full, stderr=full, capture_output=False).returncode == ended.returncode


def test_unavailable_instruction_set_is_an_error():
    ended = run("--help", env=os.environ | {"CRNN_ISA": "mmx"})
    assert (ended.returncode, ended.stdout) == (2, b"")
    assert ended.stderr.startswith(b"crnn: error: instruction set 'mmx' is not available here. Set CRNN_ISA to one of ")
    assert ended.stderr.count(b"\n") == 1


@POSIX
def test_ctrl_c_saves_what_there_is(folder):
    program = (
        "import sys; from functools import partial; from crnn.cli import main; from crnn.display.pace import Pace; "
        "from crnn.training import run; run.Progress = partial(run.Progress, pace=Pace(line_seconds=0.2)); "
        "sys.exit(main.main())"
    )
    command = [sys.executable, "-c", program, "train", "text.txt", "-o", "new.crnn", "--epochs", "1000000"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr.readline().startswith("data: ")
        assert "bits/char" in process.stderr.readline()  # it is training now
        process.send_signal(signal.SIGINT)
        err = process.stderr.read()
        assert process.wait(60) == 130
    assert "crnn: stopped by Ctrl-C; saving the model after step" in err
    assert "crnn: saved new.crnn: " in err
    assert "Traceback" not in err
    model = CharRNN.load("new.crnn")
    assert (model.hidden_size, model.n_steps_ > 0) == (100, True)
    assert sorted(os.listdir()) == ["model.crnn", "new.crnn", "new.crnn.checkpoint", "text.txt"]


@POSIX
@pytest.mark.parametrize(
    ("module", "start"),
    [("numpy", ["-m", "crnn"]), ("argparse", ["-c", "from crnn.__main__ import main; raise SystemExit(main())"])],
)
def test_ctrl_c_during_an_import_is_quiet(folder, module, start):
    (folder / "first").mkdir()
    program = "import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n"
    (folder / "first" / f"{module}.py").write_text(program)
    path = os.pathsep.join([str(folder / "first"), os.environ["PYTHONPATH"]])
    done = subprocess.run(
        [sys.executable, *start, "info", "--build"], env={**os.environ, "PYTHONPATH": path}, capture_output=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler), timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")


# --- closed and full standard streams

OUTPUT_IS_CLOSED = "crnn: error: standard output is closed. Redirect it to a file or a program.\n"
INPUT_IS_CLOSED = "crnn: error: standard input is closed. Name a file instead of -.\n"


@POSIX
@pytest.mark.parametrize(("closed", "output"), [("<&- 2>&-", "-"), ("<&- >&- 2>&-", "new.crnn"), (">&-", "-")])
def test_training_needs_only_the_streams_that_it_names(folder, closed, output):
    trained = run_with_closed(closed, "train", "text.txt", "-o", output, "--max-steps", "2", "--verbose", "1")
    if closed == ">&-":
        assert (trained.returncode, trained.stderr) == (1, OUTPUT_IS_CLOSED.encode())
        assert sorted(os.listdir()) == ["model.crnn", "text.txt"]
        return
    assert (trained.returncode, trained.stderr) == (0, b"")
    if output == "-":  # what would go to standard error is not in the model
        (folder / "new.crnn").write_bytes(trained.stdout)
    assert CharRNN.load("new.crnn").n_steps_ == 2


@pytest.mark.parametrize(
    "words",
    ["sample model.crnn --length 0", "score model.crnn text.txt",
     "score model.crnn text.txt --lines", "info model.crnn",
     "info --build", "demo"],
)  # fmt: skip
def test_every_other_command_needs_standard_output(folder, capsys, monkeypatch, words):
    monkeypatch.setattr(sys, "stdout", None)  # as Python has it where the stream is closed
    assert cli.main(words.split()) == 1
    assert capsys.readouterr().err == OUTPUT_IS_CLOSED
    assert sorted(os.listdir()) == ["model.crnn", "text.txt"]


@pytest.mark.parametrize(
    "words",
    ["train - -o new.crnn", "train - -o new.crnn --lines", "sample model.crnn --exclude -",
     "score model.crnn - --lines"],
)  # fmt: skip
def test_dash_needs_standard_input(folder, capsys, monkeypatch, words):
    monkeypatch.setattr(sys, "stdin", None)
    assert error(capsys, *words.split()) == INPUT_IS_CLOSED


@FULL
@pytest.mark.parametrize(
    ("words", "buffered"),
    [
        *((words, True) for words in (
            "sample model.crnn", "--help", "train text.txt -o - --max-steps 1", "score model.crnn --lines text.txt",
            "detect model.crnn text.txt --calibrate text.txt --errors replace",
        )),
        # Each write fails at once: of the parser, of a table, of bytes.
        *((words, False) for words in ("train --help", "info model.crnn", "train text.txt -o - --max-steps 1")),
    ],
)  # fmt: skip
def test_full_disk_behind_standard_output(folder, capsys, monkeypatch, words, buffered):
    monkeypatch.setattr("tempfile.tempdir", str(folder))  # where a model goes that cannot be written
    full = open("/dev/full", "wb", buffering=-1 if buffered else 0)  # noqa: SIM115
    with io.TextIOWrapper(full, write_through=not buffered) as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        assert cli.main(words.split()) == 1
    assert "standard output: No space left on device" in capsys.readouterr().err.splitlines()[-1]


# --- help


def shown(capsys, *words):
    """Return what is written before the command ends without an error."""
    with pytest.raises(SystemExit) as caught:
        cli.main([*words])
    assert caught.value.code == 0
    return capsys.readouterr().out


def test_version_and_help_name_this_program(capsys, monkeypatch):
    assert shown(capsys, "--version") == f"crnn {crnn.__version__}\n"
    out = shown(capsys, "--help")
    assert "--min-char-rnn" in out
    assert "--raw" in out
    assert all(f"\n    {command} " in out for command in cli.COMMANDS)
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    assert capsys.readouterr().err.startswith("usage: crnn ")


@pytest.mark.parametrize(
    ("command", "defaults"),
    [
        ("train", ["(default: 100)", "(default: adagrad)", "(default: none)", "(default: 2)"]),
        ("sample", ["(default: 200)", "(default: 1.0)", "(default: none)", "(default: 1)"]),
        ("score", ["(the default)"]),
        ("info", ["--build"]),
        ("demo", ["(default: crnn-demo.crnn)", "(default: 20)"]),
    ],
)
def test_help_of_a_command_tells_the_defaults(capsys, command, defaults):
    option = "--help-all" if command == "train" else "--help"
    out = " ".join(shown(capsys, command, option).split())
    assert [default for default in defaults if default not in out] == []


FIRST = ["output", "time", "model", "lines", "from", "resume", "hidden-size", "cell", "epochs", "random-state"]


def test_help_of_train_shows_the_first_options_alone(capsys):
    short, long = (shown(capsys, "train", option) for option in ("--help", "--help-all"))
    assert long.startswith(short)
    assert long.removeprefix(short).startswith("\ntext:\n")
    assert short.endswith("\n")


def test_all_help_of_train_shows_ten_options_first_and_groups_the_others(capsys):
    out = shown(capsys, "train", "--help-all")
    assert out.startswith("usage: crnn train [options] -o MODEL FILE [FILE ...]\n\n")
    _, *parts = re.split(r"(?m)^([a-z-]+):\n", out.partition("positional arguments:\n")[2])
    options = {
        title: re.findall(r"(?m)^  (?:-\w.*, )?--([a-z0-9-]+)", text)
        for title, text in zip(parts[::2], parts[1::2], strict=True)
    }
    assert list(options) == ["options", "text", *GROUPS, "n-grams", "detector"]
    assert options["options"] == ["help", "help-all", *FIRST]
    for title in GROUPS:
        names = [name.replace("_", "-") for name, entry in PARAMETERS.items() if entry.group == title]
        assert [name for name in options[title] if name in names] == [
            name for name in names if name not in [*FIRST, "callbacks", "vocabulary"]
        ]
    every = [name for names in options.values() for name in names]
    assert len(set(every)) == len(every)
