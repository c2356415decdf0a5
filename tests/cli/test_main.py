"""The command line as a whole: from a text to scores, closed standard streams, help, wrong usage."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys

import numpy as np
import pytest
from command_line import POSIX, feed_standard_input, run, run_with_closed, usage_error
from small_models import learned_state
from texts import PHRASES as TEXT

import crnn
from crnn import CharRNN
from crnn.cli import main as cli
from crnn.parameters.table import GROUPS, PARAMETERS

# --- the whole way, as users go it


def test_from_text_to_scores(folder):
    trained = run("train", "text.txt", "-o", "new.crnn", "--hidden-size", "11", "--max-steps", "300", "--seed", "3")
    assert (trained.returncode, trained.stdout) == (0, b"")
    last = trained.stderr.decode().splitlines()[-1]
    assert re.fullmatch(r"crnn: saved new\.crnn: 300 steps in .* s, training loss .* nats \(.* bits\) per symbol", last)
    assert b"bits/char" in trained.stderr
    model = CharRNN.load("new.crnn")
    assert (model.hidden_size, model.n_steps_, model.verbose) == (11, 300, 0)
    fitted = CharRNN(11, max_steps=300, random_state=3).fit(TEXT)
    np.testing.assert_array_equal(learned_state(model).params, learned_state(fitted).params)
    sampled = run("sample", "new.crnn", "-n", "41", "--prime", "to be", "--temperature", "0.5", "--seed", "2")
    expected = model.sample(41, prime="to be", temperature=0.5, random_state=2)
    assert (sampled.returncode, sampled.stdout, sampled.stderr) == (0, (expected + "\n").encode(), b"")
    told = run("info", "new.crnn")
    assert (told.returncode, told.stderr) == (0, b"")
    assert b"300 steps" in told.stdout


@POSIX
def test_models_go_through_pipes(folder):
    with open("text.txt", "rb") as text:
        trained = run("train", "-", "-o", "-", "--max-steps", "20", "--seed", "0", stdin=text)
    assert trained.returncode == 0
    assert re.search(rb"\ncrnn: saved to standard output: 20 steps in .* per symbol\n$", trained.stderr)
    model = CharRNN(max_steps=20, random_state=0).fit(TEXT)
    sampled = run("sample", "-", "-n", "13", "--seed", "1", input=trained.stdout)
    assert sampled.stdout.decode() == model.sample(13, random_state=1) + "\n"


@POSIX
def test_reader_that_closes_the_pipe_ends_quietly(folder):
    command = [sys.executable, "-m", "crnn", "sample", "model.crnn", "-n", "100000000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert len(process.stdout.read(100)) == 100
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 1


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.parametrize(
    ("words", "unbuffered"),
    [("sample model.crnn", ""), ("--help", ""), ("info model.crnn", ""), ("train text.txt -o -", ""),
     ("score model.crnn --lines text.txt", ""),
     ("detect model.crnn text.txt --calibrate text.txt --errors replace", ""),
     # Each write fails at once: of the parser, of a text, of bytes.
     ("train --help", "1"), ("info model.crnn", "1"), ("train text.txt -o -", "1")],
)  # fmt: skip
def test_full_disk_behind_standard_output(folder, words, unbuffered):
    steps, environment = ["--max-steps", "1"] if "-o" in words else [], os.environ | {"PYTHONUNBUFFERED": unbuffered}
    environment["TMPDIR"] = str(folder)  # where a model goes that cannot be written
    with open("/dev/full", "wb") as full:
        streams = {"stdout": full, "stderr": subprocess.PIPE, "capture_output": False}
        ended = run(*words.split(), *steps, env=environment, **streams)
    assert ended.returncode == 1
    assert b"standard output: No space left on device" in ended.stderr.splitlines()[-1]
    assert b"Traceback" not in ended.stderr


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_full_disk_behind_standard_error():
    with open("/dev/full", "wb") as full:
        assert run("sample", stdout=subprocess.PIPE, stderr=full, capture_output=False).returncode == 2


@pytest.mark.parametrize("words", ["info --build", "--help", "sample model.crnn"])
def test_unavailable_instruction_set_is_an_error(folder, words):
    ended = run(*words.split(), env=os.environ | {"CRNN_ISA": "mmx"})
    assert (ended.returncode, ended.stdout) == (2, b"")
    assert ended.stderr.startswith(b"crnn: error: instruction set 'mmx' is not available here. Set CRNN_ISA to one of ")
    assert ended.stderr.count(b"\n") == 1


@POSIX
def test_ctrl_c_saves_what_there_is(folder):
    program = (
        "import sys; from crnn.cli import main; from crnn.training import progress; progress.LINE_SECONDS = 0.2; "
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


# --- closed standard streams

OUTPUT_IS_CLOSED = "crnn: error: standard output is closed. Redirect it to a file or a program.\n"
INPUT_IS_CLOSED = "crnn: error: standard input is closed. Name a file instead of -.\n"


@POSIX
def test_closed_standard_error_changes_no_model(folder):
    trained = run_with_closed("2>&-", "train", "text.txt", "-o", "-", "--max-steps", "2", "--verbose", "1")
    assert trained.returncode == 0
    (folder / "new.crnn").write_bytes(trained.stdout)
    assert CharRNN.load("new.crnn").n_steps_ == 2


@POSIX
def test_training_needs_no_standard_stream(folder):
    trained = run_with_closed("<&- >&- 2>&-", "train", "text.txt", "-o", "new.crnn", "--max-steps", "2")
    assert (trained.returncode, trained.stdout, trained.stderr) == (0, b"", b"")
    assert CharRNN.load("new.crnn").n_steps_ == 2


@POSIX
@pytest.mark.parametrize(
    "arguments", [["train", "text.txt", "-o", "-", "--epochs", "1000000"], ["sample", "model.crnn"]]
)
def test_closed_standard_output(folder, arguments):
    failed = run_with_closed(">&-", *arguments)
    assert failed.returncode == 1
    assert failed.stderr == OUTPUT_IS_CLOSED.encode()
    assert sorted(os.listdir()) == ["model.crnn", "text.txt"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["sample", "model.crnn", "-n", "0"],
        ["score", "model.crnn", "text.txt"],
        ["score", "model.crnn", "text.txt", "--lines"],
        ["info", "model.crnn"],
        ["info", "--build"],
        ["demo"],
    ],
)
def test_every_command_needs_standard_output(folder, capsys, monkeypatch, arguments):
    monkeypatch.setattr(sys, "stdout", None)  # as Python has it where the stream is closed
    assert cli.main(arguments) == 1
    assert capsys.readouterr().err == OUTPUT_IS_CLOSED
    assert sorted(os.listdir()) == ["model.crnn", "text.txt"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "-", "-o", "new.crnn"], ["train", "-", "-o", "new.crnn", "--lines"],
        ["sample", "model.crnn", "--exclude", "-"], ["score", "model.crnn", "-", "--lines"],
    ],
)  # fmt: skip
def test_dash_needs_standard_input(folder, capsys, monkeypatch, arguments):
    monkeypatch.setattr(sys, "stdin", None)
    assert cli.main(arguments) == 1
    assert capsys.readouterr() == ("", INPUT_IS_CLOSED)


@pytest.mark.parametrize("option", [[], ["--lines"]])
def test_score_of_a_file_needs_no_standard_input(folder, capsys, monkeypatch, option):
    monkeypatch.setattr(sys, "stdin", None)
    assert cli.main(["score", "model.crnn", "text.txt", *option]) == 0


# --- help


def test_help_goes_to_standard_error_if_standard_output_is_closed(capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(SystemExit) as caught:
        cli.main(["--help"])
    assert caught.value.code == 0
    assert capsys.readouterr().err.startswith("usage: crnn ")


def test_help_names_every_command(capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(["--help"])
    assert caught.value.code == 0
    out = capsys.readouterr().out
    assert all(f"\n    {command} " in out for command in ("train", "sample", "score", "info", "demo"))


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
    with pytest.raises(SystemExit) as caught:
        cli.main([command, "--help"])
    assert caught.value.code == 0
    out = " ".join(capsys.readouterr().out.split())
    assert [default for default in defaults if default not in out] == []


FIRST = ["output", "time", "model", "lines", "from", "resume", "hidden-size", "cell", "epochs", "random-state"]


def test_help_of_train_shows_ten_options_first_and_groups_the_others(capsys):
    with pytest.raises(SystemExit):
        cli.main(["train", "--help"])
    out = capsys.readouterr().out
    assert out.startswith("usage: crnn train [options] -o MODEL FILE [FILE ...]\n\n")
    _, *parts = re.split(r"(?m)^([a-z-]+):\n", out.partition("positional arguments:\n")[2])
    options = {
        title: re.findall(r"(?m)^  (?:-\w.*, )?--([a-z0-9-]+)", text)
        for title, text in zip(parts[::2], parts[1::2], strict=True)
    }
    assert list(options) == ["options", "text", *GROUPS, "n-grams", "detector"]
    assert options["options"] == ["help", *FIRST]
    for title in GROUPS:
        names = [name.replace("_", "-") for name, entry in PARAMETERS.items() if entry.group == title]
        assert [name for name in options[title] if name in names] == [
            name for name in names if name not in [*FIRST, "callbacks", "vocabulary"]
        ]
    every = [name for names in options.values() for name in names]
    assert len(set(every)) == len(every)


def test_version(capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"crnn {crnn.__version__}\n"


# --- the rest


@pytest.mark.parametrize(
    ("arguments", "inputs"),
    [
        (["train", "-", "-o", "new.crnn", "--validation", "-"], "FILE and --validation"),
        (["train", "-", "-o", "new.crnn", "--from", "-"], "FILE and --from"),
        (["train", "text.txt", "-o", "new.crnn", "--from", "-", "--validation", "-"], "--validation and --from"),
        (["train", "-", "-o", "new.crnn", "--from", "-", "--validation", "-"], "FILE and --validation"),
        (["sample", "-", "--exclude", "-"], "MODEL and --exclude"),
        (["score", "-", "-"], "MODEL and FILE"),
        (["score", "-", "-", "--lines"], "MODEL and FILE"),
    ],
)
def test_standard_input_is_read_once(folder, capsys, monkeypatch, arguments, inputs):
    feed_standard_input(monkeypatch, (folder / "model.crnn").read_bytes())
    assert usage_error(capsys, *arguments).endswith(f": error: {inputs} cannot both be standard input")
    assert not os.path.exists("new.crnn")


# --- Ctrl-C while modules are imported


@POSIX
@pytest.mark.parametrize("module", ["numpy", "argparse"])
@pytest.mark.parametrize("start", [["-m", "crnn"], ["-c", "from crnn.__main__ import main; raise SystemExit(main())"]])
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
