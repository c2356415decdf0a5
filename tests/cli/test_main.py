import inspect
import io
import os
import re
import signal
import subprocess
import sys

import numpy as np
import pytest

import crnn
from crnn import CharRNN, DivergenceError
from crnn.cli import commands
from crnn.cli import files as command_files
from crnn.cli import main as cli
from crnn.training import progress
from crnn.training import run as training
from crnn.training.recommended import LEAST_STEPS

TEXT = "to be or not to be, " * 31
POSIX = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals and files")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working directory with a text and a small model of it."""
    monkeypatch.chdir(tmp_path)
    # A path that is relative to another directory would hide the package from `run`.
    monkeypatch.setenv("PYTHONPATH", os.path.dirname(os.path.dirname(os.path.abspath(crnn.__file__))))
    (tmp_path / "text.txt").write_bytes(TEXT.encode())
    CharRNN(7, seq_length=5, max_steps=50, random_state=0).fit(TEXT).save("model.crnn")
    return tmp_path


def run(*arguments, **rest):
    """Run ``python -m crnn`` for real."""
    rest = {"capture_output": True, "timeout": 120, **rest}
    return subprocess.run([sys.executable, "-m", "crnn", *arguments], **rest)


def run_with_closed(closed, *arguments, **rest):
    """Run ``python -m crnn`` without some of its standard streams, such as ``2>&-``."""
    command = ["sh", "-c", f'exec "$@" {closed}', "sh", sys.executable, "-m", "crnn", *arguments]
    return subprocess.run(command, **{"capture_output": True, "timeout": 120, **rest})


def usage_error(capsys, *arguments):
    """Return what is said of wrong usage."""
    with pytest.raises(SystemExit) as caught:
        cli.main(list(arguments))
    assert caught.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("usage: crnn")
    return err.splitlines()[-1]


def error(capsys, *arguments):
    """Return the one line that an error is told in."""
    assert cli.main(list(arguments)) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("crnn: error: ")
    assert err.count("\n") == 1
    return err


def rows(out):
    """Return a table as a dict."""
    return dict(re.split(" {2,}", line, maxsplit=1) for line in out.splitlines())


# --- the whole way, as users go it


def test_from_text_to_scores(folder):
    trained = run("train", "text.txt", "-o", "new.crnn", "--hidden-size", "11", "--max-steps", "300", "--seed", "3")
    assert (trained.returncode, trained.stdout) == (0, b"")
    last = trained.stderr.decode().splitlines()[-1]
    assert re.fullmatch(r"crnn: saved new\.crnn: 300 steps in .* s, loss .* nats, .* bits per symbol", last)
    assert b"bits/char" in trained.stderr
    model = CharRNN.load("new.crnn")
    assert (model.hidden_size, model.n_steps_, model.verbose) == (11, 300, 0)
    fitted = CharRNN(11, max_steps=300, random_state=3).fit(TEXT)
    np.testing.assert_array_equal(model._learned.params, fitted._learned.params)
    sampled = run("sample", "new.crnn", "-n", "41", "--prime", "to be", "--temperature", "0.5", "--seed", "2")
    expected = model.sample(41, prime="to be", temperature=0.5, random_state=2)
    assert (sampled.returncode, sampled.stdout, sampled.stderr) == (0, (expected + "\n").encode(), b"")
    told = run("info", "new.crnn")
    assert (told.returncode, told.stderr) == (0, b"")
    assert b"300 steps" in told.stdout


@POSIX
def test_pipes(folder):
    with open("text.txt", "rb") as text:
        trained = run("train", "-", "-o", "-", "--max-steps", "20", "--seed", "0", stdin=text)
    assert trained.returncode == 0
    assert trained.stderr.endswith(b" bits per symbol\n")
    model = CharRNN(max_steps=20, random_state=0).fit(TEXT)
    sampled = run("sample", "-", "-n", "13", "--seed", "1", input=trained.stdout)
    assert sampled.stdout.decode() == model.sample(13, random_state=1) + "\n"


@POSIX
def test_reader_that_has_seen_enough(folder):
    command = [sys.executable, "-m", "crnn", "sample", "model.crnn", "-n", "100000000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert len(process.stdout.read(100)) == 100
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 1


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_full_disk_behind_standard_output(folder):
    with open("/dev/full", "wb") as full:
        sampled = run("sample", "model.crnn", stdout=full, stderr=subprocess.PIPE, capture_output=False)
    assert sampled.returncode == 1
    assert sampled.stderr == b"crnn: error: [Errno 28] No space left on device\n"


@POSIX
def test_ctrl_c_saves_what_there_is(folder):
    program = (
        "import sys; from crnn.cli import main; from crnn.training import progress; progress.LINE_SECONDS = 0.2; "
        "sys.exit(main.main())"
    )
    command = [sys.executable, "-c", program, "train", "text.txt", "-o", "model.crnn", "--epochs", "1000000"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert "bits/char" in process.stderr.readline()  # it is training now
        process.send_signal(signal.SIGINT)
        err = process.stderr.read()
        assert process.wait(60) == 130
    assert "crnn: stopped by Ctrl-C; saving the model as it was after step" in err
    assert "crnn: saved model.crnn: " in err
    assert "Traceback" not in err
    model = CharRNN.load("model.crnn")
    assert (model.hidden_size, model.n_steps_ > 0) == (100, True)
    assert sorted(os.listdir()) == ["model.crnn", "text.txt"]


def test_terminal_that_knows_ascii_alone(folder):
    CharRNN(5, max_steps=0, random_state=0).fit("naïve 🙂").save("emoji.crnn")
    sampled = run("sample", "emoji.crnn", env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert sampled.returncode == 0
    assert b"\\U0001f642" in sampled.stdout


# --- closed standard streams


@POSIX
@pytest.mark.parametrize("option", [["--max-steps", "2"], ["--time", "0.1s"], ["--max-steps", "2", "--verbose", "1"]])
def test_closed_standard_error_leaves_the_model_alone(folder, option):
    trained = run_with_closed("2>&-", "train", "text.txt", "-o", "-", *option)
    assert trained.returncode == 0
    (folder / "new.crnn").write_bytes(trained.stdout)
    assert CharRNN.load("new.crnn").n_steps_ > 0


@POSIX
@pytest.mark.parametrize(("arguments", "code"), [(["info", "missing.crnn"], 1), (["dance"], 2), (["info"], 2)])
def test_closed_standard_error_means_silence(folder, arguments, code):
    failed = run_with_closed("2>&-", *arguments)
    assert (failed.returncode, failed.stdout) == (code, b"")


def test_standard_error_is_left_as_it_was(folder, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    assert cli.main(["info", "missing.crnn"]) == 1
    assert sys.stderr is None
    assert capsys.readouterr() == ("", "")


@POSIX
def test_training_needs_no_standard_stream(folder):
    trained = run_with_closed("<&- >&- 2>&-", "train", "text.txt", "-o", "new.crnn", "--max-steps", "2")
    assert (trained.returncode, trained.stdout, trained.stderr) == (0, b"", b"")
    assert CharRNN.load("new.crnn").n_steps_ == 2
    failed = run_with_closed(">&-", "train", "missing.txt", "-o", "new.crnn")
    assert (failed.returncode, failed.stderr) == (1, b"crnn: error: missing.txt: No such file or directory\n")


@POSIX
@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "text.txt", "-o", "-", "--epochs", "1000000"],
        ["sample", "model.crnn"],
        ["sample", "model.crnn", "-n", "0"],
        ["score", "model.crnn", "text.txt"],
        ["score", "model.crnn", "text.txt", "--lines"],
        ["info", "model.crnn"],
        ["info", "--build"],
        ["demo"],
    ],
)
def test_closed_standard_output(folder, arguments):
    failed = run_with_closed(">&-", *arguments)
    assert failed.returncode == 1
    assert failed.stderr == b"crnn: error: standard output is closed: send it to a file or a program\n"
    assert sorted(os.listdir()) == ["model.crnn", "text.txt"]


@POSIX
@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "-", "-o", "new.crnn"],
        ["train", "-", "-o", "new.crnn", "--lines"],
        ["sample", "-"],
        ["sample", "model.crnn", "--exclude", "-"],
        ["score", "model.crnn", "-", "--lines"],
    ],
)
def test_closed_standard_input(folder, arguments):
    failed = run_with_closed("<&-", *arguments)
    assert (failed.returncode, failed.stdout) == (1, b"")
    assert failed.stderr == b"crnn: error: standard input is closed: name a file in place of -\n"


@pytest.mark.parametrize("option", [[], ["--lines"]])
def test_score_of_a_file_needs_no_standard_input(folder, capsys, monkeypatch, option):
    monkeypatch.setattr(sys, "stdin", None)
    assert cli.main(["score", "model.crnn", "text.txt", *option]) == 0


# --- help


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


def test_every_parameter_of_the_constructor_is_an_option(capsys):
    with pytest.raises(SystemExit):
        cli.main(["train", "--help"])
    out = capsys.readouterr().out
    for name in inspect.signature(CharRNN).parameters.keys() - {"callbacks"}:
        assert re.search(rf"\n  --{name.replace('_', '-')}[ ,]", out)
    assert "--no-restore-best" in out
    assert "callbacks" not in out


def test_version(capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"crnn {crnn.__version__}\n"


# --- train


def test_options_reach_the_model(folder):
    options = {
        "hidden_size": 5, "num_layers": 2, "cell": "gru", "seq_length": 3, "batch_size": 2, "optimizer": "adam",
        "learning_rate": 0.05, "schedule": "cosine", "warmup": 0.25, "clip": None, "clip_norm": 3, "weight_decay": 0.1,
        "beta_1": 0.8, "beta_2": 0.99,
        "dropout": 0.5, "weight_dropout": 0.25,
        "epochs": 2, "max_steps": 7, "max_seconds": 50.5, "validation_fraction": 0.25, "eval_every": 3,
        "patience": 9, "init_scale": 0.1, "min_count": 2, "dtype": "float64", "n_threads": 1,
        "random_state": 4,
    }  # fmt: skip
    words = [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    words += ["--no-restore-best", "--verbose", "0"]
    assert cli.main(["train", "text.txt", "-o", "new.crnn", *words]) == 0
    expected = {**options, "restore_best": False, "callbacks": None, "verbose": 0}
    assert CharRNN.load("new.crnn").get_params() == expected


@pytest.mark.parametrize(("option", "loud"), [([], True), (["--verbose", "1"], True), (["-q"], False)])
def test_quiet(folder, capsys, option, loud):
    assert cli.main(["train", "text.txt", "-o", "new.crnn", "--max-steps", "3", *option]) == 0
    assert (capsys.readouterr().err != "") is loud


def test_samples_while_training(folder, capsys, monkeypatch):
    monkeypatch.setattr(progress, "SAMPLE_SECONDS", 0.0)
    assert cli.main(["train", "text.txt", "-o", "new.crnn", "--max-steps", "300"]) == 0
    assert "----\n" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--hidden-size", "0"], "--hidden-size: hidden_size must be a whole number of at least 1, not 0"),
        (["--hidden-size", "1.5"], "--hidden-size"),
        (["--hidden-size", "many"], "--hidden-size"),
        (["--seq-length", "-3"], "--seq-length"),
        (["--batch-size", "none"], "--batch-size"),
        (["--optimizer", "magic"], "--optimizer"),
        (["--learning-rate", "nan"], "--learning-rate"),
        (["--learning-rate", "inf"], "--learning-rate"),
        (["--clip", "0"], "--clip"),
        (["--dtype", "float16"], "--dtype: dtype must be 'float32' or 'float64', not 'float16'"),
        (["--max-steps", "-1"], "--max-steps"),
        (["--seed", "-1"], "--random-state"),
        (["--dropout", "1"], "--dropout: dropout must be a finite number of at least 0 and below 1, not 1"),
        (["--cell", "grue"], "--cell"),
        (["--warmup", "1.5"], "--warmup"),
        (["--time", "soon"], "--time: time must be above 0 and have a unit, as 10s, 3m or 1h, not 'soon'"),
        (["--time", "0s"], "--time"),
        (["--time", "nan"], "--time"),
        (["--time", ""], "--time"),
        (["--time", "3m", "--max-seconds", "5"], "--time and --max-seconds are the same"),
        (["--restore-best", "maybe"], "maybe"),
        (["--hidden", "5"], "--hidden"),  # no abbreviations: a later parameter could make them ambiguous
        (["--magic", "5"], "--magic"),
    ],
)
def test_bad_option_of_train(folder, capsys, options, named):
    assert named in usage_error(capsys, "train", "text.txt", "-o", "new.crnn", *options)
    assert not os.path.exists("new.crnn")


def test_output_is_needed(folder, capsys):
    assert "-o/--output" in usage_error(capsys, "train", "text.txt")


def test_text_is_not_overwritten(folder, capsys):
    assert "-o/--output" in usage_error(capsys, "train", "text.txt", "-o", os.path.join("..", folder.name, "text.txt"))
    assert (folder / "text.txt").read_text() == TEXT


@pytest.mark.parametrize("output", ["other.txt", pytest.param("link", marks=POSIX)])
@pytest.mark.parametrize("file", ["text.txt", "-"])
@pytest.mark.parametrize("origin", [[], ["--from", "model.crnn"]])
def test_validation_text_is_not_overwritten(folder, capsys, output, file, origin):
    (folder / "other.txt").write_text(TEXT)
    if output == "link":
        (folder / "link").symlink_to("other.txt")
    message = usage_error(capsys, "train", file, "--validation", "other.txt", "-o", output, *origin)
    assert message.endswith("this is the FILE of --validation, and the model would take the place of the text")
    assert (folder / "other.txt").read_text() == TEXT


def test_model_is_not_shown_on_a_terminal(folder, capsys, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert "-o/--output" in usage_error(capsys, "train", "text.txt", "-o", "-")


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "odd.txt is empty"),
        (b"a", "odd.txt is too short: its length is 1, but at least 2"),
        (b"good" * 9 + b"\xff bad", "odd.txt is not UTF-8: 'utf-8' codec can't decode byte 0xff in position 36"),
    ],
)
@pytest.mark.parametrize("through", ["file", "pipe"])
def test_bad_text(folder, capsys, monkeypatch, data, complaint, through):
    (folder / "odd.txt").write_bytes(data)
    if through == "pipe":
        complaint = complaint.replace("odd.txt", "standard input")
        with open("odd.txt", encoding="utf-8") as stdin:
            monkeypatch.setattr(sys, "stdin", stdin)
            assert complaint in error(capsys, "train", "-", "-o", "new.crnn")
    else:
        assert complaint in error(capsys, "train", "odd.txt", "-o", "new.crnn")
    assert not os.path.exists("new.crnn")


@pytest.mark.parametrize("name", ["missing.txt", "."])
def test_text_that_cannot_be_read(folder, capsys, name):
    assert f"crnn: error: {name}: " in error(capsys, "train", name, "-o", "new.crnn")


@pytest.mark.parametrize("output", [os.path.join("missing", "new.crnn"), "."])
def test_output_is_checked_before_training(folder, capsys, monkeypatch, output):
    monkeypatch.setattr(CharRNN, "fit", None)
    assert f"crnn: error: {output}: " in error(capsys, "train", "text.txt", "-o", output)


def test_more_streams_than_text(folder, capsys):
    assert "text.txt is too short for batch_size=900" in error(
        capsys, "train", "text.txt", "-o", "new.crnn", "--batch-size", "900"
    )


def test_out_of_memory(folder, capsys):
    message = error(capsys, "train", "text.txt", "-o", "new.crnn", "--hidden-size", "20000000")
    assert re.search(r"hidden_size=20000000 .* need about [\d,.]+ GB of memory, but [\d,.]+ GB are available", message)


def test_settings_that_do_not_go_together(folder, capsys):
    message = error(capsys, "train", "text.txt", "-o", "new.crnn", "--weight-decay", "0.1")
    assert "weight_decay must be 0 with optimizer='adagrad'" in message
    message = error(capsys, "train", "text.txt", "-o", "new.crnn", "--patience", "3")
    assert "patience=3 needs a validation text" in message


def stop_after(monkeypatch, looks, exception):
    """Let training be ended by an exception at one of its looks at the clock."""
    monkeypatch.setattr(training, "POLL_SECONDS", 0.0)
    left = iter(range(looks))

    def show(self, steps_done, loss, validation_loss):
        if next(left, None) is None:
            raise exception

    monkeypatch.setattr(progress.Progress, "show", show)


def test_interrupted(folder, capsys, monkeypatch):
    handler = signal.getsignal(signal.SIGINT)
    stop_after(monkeypatch, 4, KeyboardInterrupt)
    assert cli.main(["train", "text.txt", "-o", "new.crnn", "-q"]) == 130
    assert "after step 5" in capsys.readouterr().err
    assert CharRNN.load("new.crnn").n_steps_ == 5
    assert signal.getsignal(signal.SIGINT) is handler


def test_second_ctrl_c_does_not_stop_the_saving(folder, capsys, monkeypatch):
    stop_after(monkeypatch, 4, KeyboardInterrupt)
    save = CharRNN.save

    def slow_save(self, path, **rest):
        signal.raise_signal(signal.SIGINT)
        save(self, path, **rest)

    monkeypatch.setattr(CharRNN, "save", slow_save)
    assert cli.main(["train", "text.txt", "-o", "new.crnn", "-q"]) == 130
    assert CharRNN.load("new.crnn").n_steps_ == 5


def test_interrupted_before_the_first_step(folder, capsys, monkeypatch):
    def fit(self, X, validation):
        raise KeyboardInterrupt

    before = (folder / "model.crnn").read_bytes()
    monkeypatch.setattr(CharRNN, "fit", fit)
    assert cli.main(["train", "text.txt", "-o", "model.crnn"]) == 130
    assert capsys.readouterr().err == "crnn: stopped by Ctrl-C; there was nothing to save yet\n"
    assert (folder / "model.crnn").read_bytes() == before


def test_divergence(folder, capsys, monkeypatch):
    stop_after(monkeypatch, 4, DivergenceError(6, 7.5))
    assert cli.main(["train", "text.txt", "-o", "new.crnn", "-q"]) == 1
    err = capsys.readouterr().err
    assert err.startswith("crnn: error: the loss of step 6 is not finite (last finite loss: 7.5 nats per chunk)")
    assert "crnn: saved new.crnn" in err
    assert CharRNN.load("new.crnn").n_steps_ == 5


def test_divergence_at_once(folder, capsys):
    message = error(capsys, "train", "text.txt", "-o", "new.crnn", "-q", "--learning-rate", "1e300")
    assert "lower learning_rate" in message
    assert "nothing to save" in message
    assert not os.path.exists("new.crnn")


def test_disk_that_filled_up_meanwhile(folder, capsys, monkeypatch):
    save = CharRNN.save

    def full(self, path, **rest):
        if path == "new.crnn":
            raise OSError(28, "No space left on device", path)
        save(self, path, **rest)

    monkeypatch.setattr(CharRNN, "save", full)
    monkeypatch.setattr(command_files.tempfile, "tempdir", str(folder))
    message = error(capsys, "train", "text.txt", "-o", "new.crnn", "-q", "--max-steps", "3")
    where = re.search(r"new\.crnn: No space left on device: the model is saved in (.*) instead\n", message)[1]
    assert CharRNN.load(where).n_steps_ == 3


def test_disk_that_filled_up_everywhere(folder, capsys, monkeypatch):
    def full(self, path, **rest):
        raise OSError(28, "No space left on device", path)

    monkeypatch.setattr(CharRNN, "save", full)
    monkeypatch.setattr(command_files.tempfile, "tempdir", str(folder))
    message = error(capsys, "train", "text.txt", "-o", "new.crnn", "-q", "--max-steps", "3")
    assert "new.crnn: No space left on device" in message
    assert sorted(os.listdir()) == ["model.crnn", "text.txt"]


# --- train --from


def go_on(*options):
    return cli.main(["train", "text.txt", "--from", "model.crnn", "-o", "more.crnn", "-q", *options])


@pytest.mark.parametrize(("options", "sweeps"), [([], 1), (["--epochs", "3"], 3)])
def test_go_on_sweep_by_sweep(folder, options, sweeps):
    assert go_on(*options) == 0
    expected = CharRNN.load("model.crnn").set_params(max_steps=None)
    for sweep in range(sweeps):
        if sweep:
            expected.state_[:] = 0  # as between the sweeps of `fit`
        expected.partial_fit(TEXT)
    model = CharRNN.load("more.crnn")
    assert model.n_steps_ == expected.n_steps_ > 50
    np.testing.assert_array_equal(model._learned.params, expected._learned.params)
    assert model.max_steps == 50  # a parameter of the model, as it was


def test_a_schedule_runs_over_all_sweeps(folder):
    assert go_on("--epochs", "4", "--schedule", "linear") == 0
    model = CharRNN.load("more.crnn")
    rates = [record["learning_rate"] for record in model.history_[-10:]]
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] == pytest.approx(0.1 / (model.n_steps_ - 50))


@pytest.mark.parametrize("steps", [0, 3, 1000])
def test_go_on_for_so_many_steps(folder, steps):
    assert go_on("--max-steps", str(steps)) == 0
    model = CharRNN.load("more.crnn")
    assert model.n_steps_ == 50 + steps
    assert model.max_steps == steps
    assert model.history_[-1]["step"] == 50 + steps


def test_sweeps_share_one_display(folder, capsys):
    assert go_on("--epochs", "7", "--verbose", "1") == 0
    lines = [line for line in capsys.readouterr().err.splitlines() if "bits/char" in line]
    assert len(lines) == 1
    assert lines[0].startswith("100%")
    assert len(CharRNN.load("more.crnn").history_) < 200


@pytest.mark.parametrize("origin", [[], ["--from", "model.crnn"]])
@pytest.mark.parametrize(("time", "seconds"), [("90", 90.0), ("0.5m", 30.0), ("2h", 7200.0)])
def test_time(folder, monkeypatch, time, seconds, origin):
    seen = []
    monkeypatch.setattr(training.TrainingRun, "run", lambda self: seen.append(self._budget))
    monkeypatch.setattr(commands, "_learn", lambda arguments, model, learn: learn() and 0)
    cli.main(["train", "text.txt", "-o", "new.crnn", "--time", time, *origin])
    assert [budget.seconds for budget in seen] == [seconds]
    assert [budget.n_steps for budget in seen] == [None if origin else LEAST_STEPS]  # for so short a text


def test_what_is_given_beside_a_time_replaces_what_is_recommended(folder, capsys):
    command = ["train", "text.txt", "-o", "new.crnn", "--time", "0.05s", "--optimizer", "adagrad", "--hidden-size", "7"]
    assert cli.main([*command, "--batch-size", "1"]) == 0
    model = CharRNN.load("new.crnn")
    assert (model.optimizer, model.hidden_size, model.batch_size) == ("adagrad", 7, 1)
    assert (model.learning_rate, model.weight_decay) == (None, 0.0)  # those that were recommended are Adam's
    said = next(line for line in capsys.readouterr().err.splitlines() if line.startswith("as given: "))
    assert {"hidden_size=7", "optimizer=adagrad"} <= set(said.removeprefix("as given: ").split(", "))


def test_a_time_that_the_model_was_given_is_no_wish_for_the_next_call(folder):
    CharRNN(7, seq_length=5, max_seconds=1e-9, random_state=0).fit(TEXT).save("model.crnn")
    assert go_on() == 0
    model = CharRNN.load("more.crnn")
    assert model.n_steps_ == 1 + -(-(len(TEXT) - 1 - 5) // 5)
    assert model.max_seconds == 1e-9


# --- validation


@pytest.mark.parametrize("origin", [[], ["--from", "model.crnn"]])
def test_validation(folder, origin):
    (folder / "other.txt").write_text("not to be" * 5)
    assert cli.main(["train", "text.txt", "--validation", "other.txt", "-o", "new.crnn", "-q", *origin]) == 0
    model = CharRNN.load("new.crnn")
    losses = [r["validation_loss"] for r in model.history_ if r["validation_loss"] is not None]
    assert losses
    assert -model.score("not to be" * 5) == pytest.approx(min(losses), rel=1e-6)


def test_bad_validation(folder, capsys):
    train = ["train", "text.txt", "-o", "new.crnn", "--validation"]
    assert "missing.txt: No such file" in error(capsys, *train, "missing.txt")
    (folder / "odd.txt").write_text("to bé")
    assert "odd.txt holds 'é' (U+00E9) at position 4" in error(capsys, *train, "odd.txt")
    (folder / "odd.txt").write_bytes(b"to be\xff")
    assert "odd.txt is not UTF-8" in error(capsys, *train, "odd.txt")
    (folder / "odd.txt").write_bytes(b"")
    assert "odd.txt is empty" in error(capsys, *train, "odd.txt")


def test_go_on_with_a_new_symbol(folder, capsys):
    (folder / "text.txt").write_text("to be!" * 9)
    message = error(capsys, "train", "text.txt", "--from", "model.crnn", "-o", "more.crnn")
    assert "text.txt holds '!' (U+0021) at position 5" in message


def test_go_on_with_bytes(folder):
    (folder / "text.txt").write_bytes(b"\xff\0" * 50)
    train = ["train", "text.txt", "-q", "--max-steps", "3", "-o", "model.crnn"]
    assert cli.main([*train, "--bytes"]) == 0
    assert cli.main([*train, "--from", "model.crnn"]) == 0
    assert CharRNN.load("model.crnn").n_steps_ == 6


def test_go_on_interrupted(folder, capsys, monkeypatch):
    stop_after(monkeypatch, 4, KeyboardInterrupt)
    assert go_on() == 130
    model = CharRNN.load("more.crnn")
    assert (model.n_steps_, model.max_steps) == (55, 50)


def test_go_on_from_what_is_no_model(folder, capsys):
    assert "model file 'text.txt'" in error(capsys, "train", "text.txt", "--from", "text.txt", "-o", "more.crnn")


# --- sample


def test_many_samples(folder, capsysbinary):
    assert cli.main(["sample", "model.crnn", "-n", "11", "--num-samples", "3", "--seed", "5"]) == 0
    expected = CharRNN.load("model.crnn").sample(11, num_samples=3, random_state=5)
    assert capsysbinary.readouterr().out.decode() == "\n----\n".join(expected) + "\n"


def test_long_sample(folder, capsysbinary):
    n = 2 * commands.BLOCK + 1
    assert cli.main(["sample", "model.crnn", "-n", str(n), "--seed", "5"]) == 0
    expected = CharRNN.load("model.crnn").sample(n, random_state=5)
    assert capsysbinary.readouterr().out.decode() == expected + "\n"


def test_bytes_are_written_as_they_are(folder, capsysbinary):
    CharRNN(5, max_steps=0, random_state=0).fit(bytes(range(256))).save("bytes.crnn")
    prime = os.fsdecode(b"\xff\xfe") if os.name == "posix" else "ab"
    assert cli.main(["sample", "bytes.crnn", "-n", "300", "--seed", "5", "--prime", prime]) == 0
    expected = CharRNN.load("bytes.crnn").sample(300, random_state=5, prime=os.fsencode(prime))
    assert capsysbinary.readouterr().out == expected


def test_lone_surrogates_and_line_ends(folder, capsysbinary):
    CharRNN(5, max_steps=0, random_state=0).fit("\ud800\r\n\ufeff").save("odd.crnn")
    assert cli.main(["sample", "odd.crnn", "-n", "50", "--seed", "5"]) == 0
    out = capsysbinary.readouterr().out
    assert b"\\ud800" in out
    sample = CharRNN.load("odd.crnn").sample(50, random_state=5)
    assert out.decode().count("\r") == sample.count("\r") > 0
    assert out.decode().count("\n") == sample.count("\n") + 1


@pytest.mark.parametrize(
    "option",
    [
        ["-n", "-1"], ["-n", "x"], ["-n", "none"], ["--temperature", "nan"], ["--temperature", "-1"], ["--seed", "-1"],
        ["--seed", "x"], ["--num-samples", "0"],
    ],
)  # fmt: skip
def test_bad_option_of_sample(folder, capsys, option):
    assert f"argument {option[0]}: " in usage_error(capsys, "sample", "model.crnn", *option)


def test_prime_with_an_unknown_symbol(folder, capsys):
    assert "prime holds 'é' (U+00E9) at position 2" in error(capsys, "sample", "model.crnn", "--prime", "toé")


@pytest.mark.parametrize("command", [["sample"], ["info"], ["score", "text.txt"]])
def test_bad_models(folder, capsys, command):
    name, *rest = command
    assert "missing.crnn: No such file or directory" in error(capsys, name, "missing.crnn", *rest)
    assert "model file 'text.txt'" in error(capsys, name, "text.txt", *rest)


def test_interrupted_elsewhere(folder, capsys, monkeypatch):
    def stream(self, n, **rest):
        raise KeyboardInterrupt

    monkeypatch.setattr(CharRNN, "stream", stream)
    assert cli.main(["sample", "model.crnn"]) == 130
    assert capsys.readouterr() == ("", "crnn: stopped by Ctrl-C\n")


# --- score


@pytest.mark.parametrize(("option", "exact"), [([], True), (["--exact"], True), (["--fast"], False)])
def test_score(folder, capsys, option, exact):
    (folder / "text.txt").write_text(TEXT * 10)
    assert cli.main(["score", "model.crnn", "text.txt", *option]) == 0
    table = rows(capsys.readouterr().out)
    nats = -CharRNN.load("model.crnn").score(TEXT * 10, exact=exact)
    assert list(table) == ["characters", "nats per character", "bits per character", "perplexity"]
    assert table["characters"] == f"{len(TEXT) * 10:,}"
    assert float(table["nats per character"]) == pytest.approx(nats, abs=1e-6)
    assert float(table["bits per character"]) == pytest.approx(nats / np.log(2), abs=1e-6)
    assert float(table["perplexity"]) == pytest.approx(np.exp(nats), rel=1e-6)


def test_score_of_standard_input(folder, capsys, monkeypatch):
    assert cli.main(["score", "model.crnn", "text.txt"]) == 0
    expected = capsys.readouterr().out
    with open("text.txt", encoding="utf-8") as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        assert cli.main(["score", "model.crnn", "-"]) == 0
    assert capsys.readouterr().out == expected


def test_score_of_bytes(folder, capsys):
    (folder / "data").write_bytes(b"\xff\0" * 50)
    CharRNN(5, max_steps=0, random_state=0).fit(b"\xff\0" * 50).save("bytes.crnn")
    assert cli.main(["score", "bytes.crnn", "data"]) == 0
    assert rows(capsys.readouterr().out)["bytes"] == "100"


def test_score_that_no_number_holds(folder, capsys, monkeypatch):
    monkeypatch.setattr(CharRNN, "score", lambda self, X, exact: -1000.0)
    assert cli.main(["score", "model.crnn", "text.txt"]) == 0
    assert rows(capsys.readouterr().out)["perplexity"] == "inf"


def feed_standard_input(monkeypatch, data):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(data))))


LINES = ["to be", "", "or not", "to be, " * 20, "not"]


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("last", [b"", b"\n"])
@pytest.mark.parametrize("size", [1, 7, 1 << 18])
def test_score_of_lines(folder, capsys, monkeypatch, end, last, size):
    monkeypatch.setattr(command_files, "LINES_SIZE", size)
    data = end.join(line.encode() for line in LINES) + last
    model = CharRNN.load("model.crnn")
    (folder / "lines.txt").write_bytes(data)
    for options, expected in {
        (): model.score_samples(LINES),
        ("--bits",): model.score_samples(LINES) / np.log(2),
        ("--normalize", "char"): model.score_samples(LINES, normalize="char"),
    }.items():
        for path in ("lines.txt", "-"):
            feed_standard_input(monkeypatch, data)
            assert cli.main(["score", "model.crnn", "--lines", path, *options]) == 0
            out, err = capsys.readouterr()
            assert out == "".join(f"{score:.6f}\n" for score in expected)
            assert err == ""


def test_score_of_lines_of_bytes(folder, capsys):
    CharRNN(3, max_steps=0, random_state=0).fit(b"\xff\x00\r\n").save("bytes.crnn")
    (folder / "lines").write_bytes(b"\xff\n\x00\xff\x00\n\n")
    assert cli.main(["score", "bytes.crnn", "--lines", "lines"]) == 0
    scores = CharRNN.load("bytes.crnn").score_samples([b"\xff", b"\x00\xff\x00", b""])
    assert capsys.readouterr().out == "".join(f"{score:.6f}\n" for score in scores)


def test_no_lines_have_no_scores(folder, capsys):
    (folder / "empty").write_bytes(b"")
    assert cli.main(["score", "model.crnn", "--lines", "empty"]) == 0
    assert capsys.readouterr() == ("", "")


def test_lines_are_answered_as_they_come(folder):
    command = [sys.executable, "-m", "crnn", "score", "model.crnn", "--lines", "-"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        for line in ("to be", "or not"):
            process.stdin.write(line.encode() + b"\n")
            process.stdin.flush()
            assert float(process.stdout.readline()) == pytest.approx(
                CharRNN.load("model.crnn").score_samples([line])[0], abs=1e-6
            )
        process.stdin.close()
        assert process.wait(60) == 0


def test_score_of_bad_lines(folder, capsys, monkeypatch):
    monkeypatch.setattr(command_files, "LINES_SIZE", 1)  # every line comes by itself
    (folder / "lines").write_bytes(b"to be\nor\nZ\n")
    assert cli.main(["score", "model.crnn", "--lines", "lines"]) == 1
    assert capsys.readouterr().err.startswith("crnn: error: line 3 holds 'Z' (U+005A) at position 0, ")
    (folder / "lines").write_bytes(b"to be\nor\n\xff\n")
    assert cli.main(["score", "model.crnn", "--lines", "lines"]) == 1
    assert "line 3 is not UTF-8: convert the lines" in capsys.readouterr().err
    assert "no such" in error(capsys, "score", "model.crnn", "--lines", "missing").lower()
    for option in (["--bits"], ["--normalize", "char"]):
        assert "are for --lines" in usage_error(capsys, "score", "model.crnn", "text.txt", *option)
    assert "not allowed with" in usage_error(capsys, "score", "model.crnn", "lines", "--lines", "--fast")


def test_score_of_bad_texts(folder, capsys):
    assert "missing.txt: No such file" in error(capsys, "score", "model.crnn", "missing.txt")
    (folder / "odd.txt").write_text("to bé")
    assert "odd.txt holds 'é' (U+00E9) at position 4" in error(capsys, "score", "model.crnn", "odd.txt")
    (folder / "odd.txt").write_bytes(b"to be\xff")
    assert "odd.txt is not UTF-8" in error(capsys, "score", "model.crnn", "odd.txt")


# --- info


def test_info(folder, capsys):
    assert cli.main(["info", "model.crnn"]) == 0
    table = rows(capsys.readouterr().out)
    model = CharRNN.load("model.crnn")
    assert table["file"] == f"model.crnn, {os.path.getsize('model.crnn'):,} bytes"
    assert table["architecture"] == "rnn, layers: 1, hidden units: 7, float32"
    assert table["weights"] == str(7 * 8 + 7 * 7 + 7 + 7 * 8 + 8)
    assert table["vocabulary"] == "8 characters: ' ,benort'"
    assert table["trained"] == "50 steps of 1 x 5 characters"
    assert table["loss"].startswith(f"{model.smooth_loss_ / 5:.4f} nats, ")
    assert table["can go on"].startswith("yes")
    assert "hidden_size=7" in table["parameters"]


def test_info_of_weights_alone(folder, capsys):
    CharRNN.load("model.crnn").save("weights.crnn", training_state=False)
    assert cli.main(["info", "weights.crnn"]) == 0
    table = rows(capsys.readouterr().out)
    assert table["can go on"].startswith("only")
    assert table["trained"].startswith("not known")


def test_info_of_a_large_vocabulary(folder, capsys):
    CharRNN(5, max_steps=0, random_state=0).fit("".join(map(chr, range(33, 2000)))).save("large.crnn")
    assert cli.main(["info", "large.crnn"]) == 0
    shown = rows(capsys.readouterr().out)["vocabulary"]
    assert shown.startswith("1967 characters: ")
    assert len(shown) < 100


def test_info_of_this_build(capsys):
    assert cli.main(["info", "--build"]) == 0
    assert rows(capsys.readouterr().out)["crnn"] == crnn.__version__


@pytest.mark.parametrize("arguments", [[], ["model.crnn", "--build"]])
def test_info_of_one_thing_at_a_time(folder, capsys, arguments):
    assert "MODEL or --build" in usage_error(capsys, "info", *arguments)


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


@pytest.mark.parametrize("arguments", [[], ["dance"], ["sample"], ["score", "model.crnn"]])
def test_wrong_usage(capsys, arguments):
    usage_error(capsys, *arguments)


def test_import_leaves_the_command_line_alone():
    program = "import sys, crnn; print([name for name in ('tqdm', 'crnn.cli') if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"


# --- documents


def test_lines_are_documents_from_training_to_samples(folder, capsysbinary):
    names = ["anna", "bob", "eve", "otto", ""]
    (folder / "names.txt").write_bytes(b"anna\r\nbob\neve\notto\n\n")
    (folder / "exclude.txt").write_text("bob\notto\n\n", encoding="utf-8")
    options = ["--optimizer", "adam", "--max-steps", "400", "--seed", "3", "-q"]
    assert cli.main(["train", "names.txt", "--lines", "-o", "names.crnn", "--validation", "exclude.txt", *options]) == 0
    model = CharRNN.load("names.crnn")
    expected = CharRNN(optimizer="adam", max_steps=400, random_state=3).fit(names, validation=["bob", "otto", ""])
    np.testing.assert_array_equal(model._learned.params, expected._learned.params)

    def written(*arguments):
        assert cli.main(["sample", "names.crnn", *arguments, "--seed", "1"]) == 0
        return capsysbinary.readouterr().out.decode()

    assert written() == model.sample(random_state=1) + "\n"
    several = written("--num-samples", "9", "--prime", "o")
    assert several == "".join(text + "\n" for text in model.sample(num_samples=9, prime="o", random_state=1))
    assert all(line.startswith("o") for line in several.splitlines())
    few = written("--num-samples", "2", "--unique", "--exclude", "exclude.txt")
    expected = model.sample(num_samples=2, unique=True, exclude=["bob", "otto", ""], random_state=1)
    assert few.splitlines() == expected
    assert cli.main(["info", "names.crnn"]) == 0
    table = rows(capsysbinary.readouterr().out.decode())
    assert table["vocabulary"] == "7 characters: 'abenotv'"
    assert table["other symbols"] == "boundary"
    assert cli.main(["train", "exclude.txt", "--lines", "--from", "names.crnn", "-o", "more.crnn", "-q"]) == 0
    assert CharRNN.load("more.crnn").n_steps_ > 400


def test_lines_of_bytes(folder):
    (folder / "lines").write_bytes(b"a\xff\nb")
    assert cli.main(["train", "lines", "--lines", "--bytes", "-o", "new.crnn", "--max-steps", "3", "-q"]) == 0
    assert list(CharRNN.load("new.crnn").vocabulary_) == [b"a", b"b", b"\xff", crnn.BOUNDARY]


def test_faults_of_lines(folder, capsys):
    (folder / "empty").write_bytes(b"")
    assert "empty" in error(capsys, "train", "empty", "--lines", "-o", "new.crnn", "-q")
    (folder / "bad").write_bytes(b"abc\nd\xff\n")
    assert "position 5" in error(capsys, "train", "bad", "--lines", "-o", "new.crnn", "-q")
