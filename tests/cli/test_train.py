"""The command ``crnn train``."""

import math
import os
import re
import signal
import sys
from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pytest
from command_line import POSIX, error, rows, stop_after, usage_error
from small_models import learned_state
from texts import PHRASES as TEXT

from crnn import AnomalyDetector, CharNGram, CharRNN, DivergenceError, char_rnn
from crnn.cli import files as command_files
from crnn.cli import main as cli
from crnn.cli.train_mpi import MPI_SIZES, aborting, communicator
from crnn.display import progress as progress_display
from crnn.ngram.building import Builder


def test_options_reach_the_model(folder):
    options = {
        "hidden_size": 5, "num_layers": 2, "cell": "gru", "seq_length": 3, "batch_size": 2, "optimizer": "adam",
        "learning_rate": 0.05, "schedule": "cosine", "warmup_fraction": 0.25, "clip": None, "clip_norm": 3,
        "weight_decay": 0.1, "beta_1": 0.8, "beta_2": 0.99,
        "dropout": 0.5, "weight_dropout": 0.25, "state_reset": 0.125, "n_sampled_symbols": 3,
        "epochs": 2, "max_steps": 7, "max_seconds": 50.5, "validation_fraction": 0.25, "eval_every": 3,
        "patience": 9, "init_scale": 0.1, "min_count": 2, "dtype": "float32",
        "matmul_precision": "bfloat16", "n_threads": 1, "embedding_size": 3, "n_bigrams": 7,
        "random_state": 4,
    }  # fmt: skip
    words = [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    words += ["--no-restore-best", "--verbose", "0"]
    assert cli.main(["train", "text.txt", "-o", "new.crnn", *words]) == 0
    expected = {**options, "restore_best": False, "callbacks": None, "vocabulary": None, "verbose": 0}
    expected |= {"warmup_steps": None, "eval_seconds": None}
    assert CharRNN.load("new.crnn").get_params() == expected


@pytest.mark.parametrize(("option", "loud"), [([], True), (["-q"], False)])
def test_quiet_training_writes_nothing(folder, capsys, option, loud):
    assert cli.main(["train", "text.txt", "-o", "new.crnn", "--max-steps", "3", *option]) == 0
    assert (capsys.readouterr().err != "") is loud


def test_model_is_not_shown_on_a_terminal(folder, capsys, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")  # Python 3.14 colors the usage
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert "-o/--output" in usage_error(capsys, "train", "text.txt", "-o", "-")


@pytest.mark.parametrize(
    ("options", "owner", "name", "reason"),
    [
        (["--model", "network"], CharRNN, "fit", "there was nothing to save yet"),
        (["--model", "ngram"], Builder, "build", "nothing is saved, because the text was counted only in part"),
        ([], CharNGram, "_fit", "there was nothing to save yet"),
        (["--model", "mixture", "--time", "1s"], CharRNN, "fit", "there was nothing to save yet"),
        (["--model", "detector"], AnomalyDetector, "fit", "there was nothing to save yet"),
    ],
)
def test_an_early_interruption_leaves_the_old_file(folder, capsys, monkeypatch, options, owner, name, reason):
    def interrupted(*arguments, **rest):
        raise KeyboardInterrupt

    before = (folder / "model.crnn").read_bytes()
    monkeypatch.setattr(owner, name, interrupted)
    assert cli.main(["train", "text.txt", "-o", "model.crnn", *options]) == 130
    assert capsys.readouterr().err.endswith(f"crnn: stopped by Ctrl-C; {reason}\n")
    assert (folder / "model.crnn").read_bytes() == before


def test_divergence_saves_the_last_good_model(folder, capsys, monkeypatch):
    stop_after(monkeypatch, 4, DivergenceError(6, 7.5))
    assert cli.main(["train", "text.txt", "-o", "new.crnn", "-q", "--model", "network"]) == 1
    err = capsys.readouterr().err
    assert err.startswith("crnn: error: the loss of step 6 is not finite (last finite loss: 7.5 nats per chunk)")
    assert "crnn: saved new.crnn" in err
    assert CharRNN.load("new.crnn").n_steps_ == 5


def test_finite_ruin_leaves_the_old_file(folder, capsys):
    """The loss ends near 10^29: a failure, although all numbers are finite."""
    assert cli.main(["train", "text.txt", "-o", "new.crnn", "-q", "--max-steps", "30"]) == 0
    before = (folder / "new.crnn").read_bytes()
    too_fast = ["--learning-rate", "1e30", "--max-steps", "200"]
    message = error(capsys, "train", "text.txt", "-o", "new.crnn", "-q", *too_fast)
    assert "more than 10 times that of a uniform guess" in message
    assert (folder / "new.crnn").read_bytes() == before


@pytest.mark.parametrize(
    ("options", "kind", "noun"),
    [
        (["--max-steps", "3"], CharRNN, "model"),
        (["--model", "detector", "--contamination", "0.3"], AnomalyDetector, "detector"),
    ],
)
def test_full_disk_at_the_end_saves_elsewhere(folder, capsys, monkeypatch, options, kind, noun):
    save = kind.save

    def full(self, path, **rest):
        if path == "new.crnn":
            raise OSError(28, "No space left on device", path)
        save(self, path, **rest)

    (folder / "lines.txt").write_text("\n".join(f"job {i}" for i in range(400)))
    monkeypatch.setattr(kind, "save", full)
    monkeypatch.setattr(command_files.tempfile, "tempdir", str(folder))
    message = error(capsys, "train", "lines.txt", "-o", "new.crnn", "-q", *options)
    where = re.search(rf"new\.crnn: No space left on device. The {noun} is saved in (.*) instead\.\n", message)[1]
    assert isinstance(kind.load(where), kind)


def full(*args, path, **rest):
    raise OSError(28, "No space left on device", path)


def test_a_finished_model_that_was_not_saved_is_not_replaced(folder, capsys, monkeypatch):
    train = ["train", "text.txt", "-o", "new.crnn", "-q", "--max-steps", "3"]
    (folder / "new.crnn").write_bytes((folder / "model.crnn").read_bytes())
    with monkeypatch.context() as patch:
        patch.setattr(CharRNN, "save", lambda self, path, **rest: full(path=path))
        patch.setattr(command_files.tempfile, "tempdir", str(folder))
        error(capsys, *train)
    before = (folder / "new.crnn.checkpoint").read_bytes()
    for output in ("another model", "none"):
        assert error(capsys, *train) == (
            "crnn: error: new.crnn.checkpoint contains a finished training run whose model is not in new.crnn. "
            "Add --resume to save it, or remove the file to start anew.\n"
        ), output
        assert (folder / "new.crnn.checkpoint").read_bytes() == before
        if output != "none":
            os.unlink("new.crnn")
    assert cli.main([*train, "--resume"]) == 0
    assert CharRNN.load("new.crnn").n_steps_ == 3
    assert not os.path.exists("new.crnn.checkpoint")


# --- validation


@pytest.mark.parametrize("best", ["--restore-best", "--no-restore-best"])
def test_the_last_line_names_both_losses(folder, capsys, best):
    (folder / "other.txt").write_text("e,n" * 20)
    options = ["--validation", "other.txt", "--eval-every", "30", "--max-steps", "100", "--learning-rate", "0.05", best]
    assert cli.main(["train", "text.txt", "-o", "new.crnn", "--random-state", "1", *options]) == 0
    last, model = capsys.readouterr().err.splitlines()[-1], CharRNN.load("new.crnn")
    training, bits, validation = map(float, re.search(
        r" s, training loss (.*) nats \((.*) bits\), validation loss (.*) nats \(.* bits\) per symbol$", last
    ).groups())  # fmt: skip
    assert training == pytest.approx(model.smooth_loss_ / model.seq_length, abs=6e-4)
    assert bits == pytest.approx(training / math.log(2), abs=2e-3)
    assert validation == pytest.approx(-model.score("e,n" * 20), abs=6e-4)
    assert (model.n_steps_ == 100) == (best == "--no-restore-best")


# --- documents


def test_lines_are_documents(folder, capsysbinary):
    names = ["anna", "bob", "eve", "otto", ""]
    (folder / "names.txt").write_bytes(b"anna\r\nbob\neve\notto\n\n")
    (folder / "exclude.txt").write_text("bob\notto\n\n", encoding="utf-8")
    options = ["--optimizer", "adam", "--max-steps", "50", "--random-state", "3", "-q"]
    assert cli.main(["train", "names.txt", "--lines", "-o", "names.crnn", "--validation", "exclude.txt", *options]) == 0
    model = CharRNN.load("names.crnn")
    expected = CharRNN(optimizer="adam", max_steps=50, random_state=3).fit(names, validation=["bob", "otto", ""])
    np.testing.assert_array_equal(learned_state(model).params, learned_state(expected).params)
    assert cli.main(["info", "names.crnn"]) == 0
    table = rows(capsysbinary.readouterr().out.decode())
    assert table["vocabulary"] == "7 characters: 'abenotv'"
    assert table["other symbols"] == "boundary"
    more = ["train", "exclude.txt", "--lines", "--from", "names.crnn", "-o", "more.crnn", "--validation", "names.txt"]
    assert cli.main([*more, "-q"]) == 0
    assert CharRNN.load("more.crnn").n_steps_ > 50
    assert CharRNN.load("more.crnn").history_[-1]["validation_loss"] is not None


# --- checkpoints


def stopped(monkeypatch, *arguments, polls=4, exception=KeyboardInterrupt):
    with monkeypatch.context() as patch:
        stop_after(patch, polls, exception)
        return cli.main(["train", "text.txt", "-o", "new.crnn", "-q", "--model", "network", *arguments])


def test_a_training_is_resumed(folder, capsys, monkeypatch):
    options = [
        "--max-steps",
        "40",
        "--cell",
        "lstm",
        "--dropout",
        "0.2",
        "--random-state",
        "3",
        "--validation-fraction",
        "0.1",
    ]
    assert cli.main(["train", "text.txt", "-o", "whole.crnn", "-q", *options]) == 0
    assert sorted(os.listdir()) == ["model.crnn", "text.txt", "whole.crnn"]  # the checkpoint is removed
    assert stopped(monkeypatch, *options) == 130
    assert "; add --resume to continue from new.crnn.checkpoint\n" in capsys.readouterr().err
    assert CharRNN.load("new.crnn").n_steps_ <= 5
    assert cli.main(["train", "text.txt", "-o", "new.crnn", "-q", "--resume", *options]) == 0
    whole, resumed = (CharRNN.load(name) for name in ("whole.crnn", "new.crnn"))
    assert resumed.get_params() == whole.get_params()
    assert resumed.n_steps_ == whole.n_steps_
    np.testing.assert_array_equal(learned_state(resumed).params, learned_state(whole).params)
    assert not os.path.exists("new.crnn.checkpoint")


def test_an_older_model_stays_until_training_has_ended(folder, capsys, monkeypatch):
    (folder / "new.crnn").write_bytes((folder / "model.crnn").read_bytes())
    before = (folder / "new.crnn").read_bytes()
    assert stopped(monkeypatch) == 130
    assert capsys.readouterr().err == (
        "crnn: stopped by Ctrl-C; the model after step 5 is in new.crnn.checkpoint, and new.crnn is "
        "unchanged; add --resume to continue from new.crnn.checkpoint\n"
    )
    assert (folder / "new.crnn").read_bytes() == before
    assert CharRNN.load("new.crnn.checkpoint").n_steps_ == 5
    assert stopped(monkeypatch, "--resume", polls=2) == 130
    assert "after step 7 is in new.crnn.checkpoint" in capsys.readouterr().err
    os.unlink("new.crnn.checkpoint")
    assert stopped(monkeypatch, exception=DivergenceError(6, 7.5)) == 1
    assert "the model after step 5 is in new.crnn.checkpoint, and new.crnn is unchanged" in capsys.readouterr().err
    assert (folder / "new.crnn").read_bytes() == before
    assert "diverged, and would diverge again" in error(capsys, "train", "text.txt", "-o", "new.crnn", "--resume")
    assert cli.main(["train", "text.txt", "-o", "new.crnn", "-q", "--max-steps", "3"]) == 0
    assert CharRNN.load("new.crnn").n_steps_ == 3


@pytest.mark.parametrize(("ending", "earlier"), [(KeyboardInterrupt(), True), (DivergenceError(6, 7.5), False)])
def test_the_model_is_kept_if_the_last_checkpoint_was_not_written(folder, capsys, monkeypatch, ending, earlier):
    """Whether or not an earlier checkpoint of the run was written."""
    (folder / "new.crnn").write_bytes((folder / "model.crnn").read_bytes())
    before, left = (folder / "new.crnn").read_bytes(), iter([char_rnn.write_run] * earlier)

    monkeypatch.setattr("crnn.char_rnn.write_run", lambda *args, **rest: (next(left, full))(*args, **rest))
    code = stopped(monkeypatch, "--checkpoint-every", "2", exception=ending)
    assert code == (130 if isinstance(ending, KeyboardInterrupt) else 1)
    said = capsys.readouterr().err
    assert "crnn: warning: the checkpoint new.crnn.checkpoint was not written: [Errno 28]" in said
    assert (
        "the model after step 5 is not in new.crnn.checkpoint; saving it in new.crnn.interrupted, and new.crnn is "
        "unchanged\n"
    ) in said
    assert "--resume" not in said
    assert os.path.exists("new.crnn.checkpoint") == earlier
    assert (folder / "new.crnn").read_bytes() == before
    assert CharRNN.load("new.crnn.interrupted").n_steps_ == 5


def test_a_failed_checkpoint_is_not_recommended_for_resuming(folder, capsys, monkeypatch):
    monkeypatch.setattr("crnn.char_rnn.write_run", full)
    assert stopped(monkeypatch) == 130
    said = capsys.readouterr().err
    assert all(line.startswith("crnn: ") for line in said.splitlines())
    assert "crnn: warning: the checkpoint new.crnn.checkpoint was not written" in said
    assert "crnn: stopped by Ctrl-C; saving the model after step 5\ncrnn: saved" in said
    assert CharRNN.load("new.crnn").n_steps_ == 5


def test_resume_refuses_another_text_or_other_settings(folder, capsys, monkeypatch):
    assert stopped(monkeypatch, "--hidden-size", "9") == 130
    capsys.readouterr()
    resume = ["train", "text.txt", "-o", "new.crnn", "--resume"]
    assert "hidden_size is 7, but new.crnn.checkpoint" in error(capsys, *resume, "--hidden-size", "7")
    assert "learning_rate is 0.5, but" in error(capsys, *resume, "--learning-rate", "0.5")
    message = error(capsys, *resume, "--validation", "text.txt")
    assert "text.txt is given, but the interrupted run has none. Omit it." in message
    (folder / "text.txt").write_text(TEXT + "!")
    said = f"text.txt is not the text of the interrupted run: it has {len(TEXT) + 1} characters"
    assert said in error(capsys, *resume)


def test_an_interrupted_training_is_not_replaced_by_a_new_one(folder, capsys, monkeypatch):
    assert stopped(monkeypatch) == 130
    before = (folder / "new.crnn.checkpoint").read_bytes()
    capsys.readouterr()
    message = error(capsys, "train", "text.txt", "-o", "new.crnn")
    assert message == (
        "crnn: error: new.crnn.checkpoint contains a training run interrupted after step 5. Add --resume to finish "
        "it, or remove the file to start anew.\n"
    )
    assert (folder / "new.crnn.checkpoint").read_bytes() == before
    (folder / "new.crnn.checkpoint").write_bytes((folder / "model.crnn").read_bytes())
    assert "is a model, but a checkpoint would replace it" in error(capsys, "train", "text.txt", "-o", "new.crnn")


class Killed(BaseException):
    """What ends the command in place of SIGKILL."""


def test_a_kill_between_saving_the_model_and_removing_the_checkpoint(folder, monkeypatch):
    """Both files are whole; --resume finds nothing left to train, and a new training may begin."""
    options = ["train", "text.txt", "-o", "new.crnn", "-q", "--max-steps", "40", "--random-state", "3"]

    def killed(path):
        raise Killed

    for resume in ([], ["--resume"]):
        with monkeypatch.context() as patch:
            patch.setattr("crnn.cli.train_network.remove_checkpoint", killed)
            with pytest.raises(Killed):
                cli.main(options)
        finished = CharRNN.load("new.crnn")
        assert finished.n_steps_ == CharRNN.load("new.crnn.checkpoint").n_steps_ == 40
        assert cli.main([*options, *resume]) == 0
        assert sorted(os.listdir()) == ["model.crnn", "new.crnn", "text.txt"]
        np.testing.assert_array_equal(learned_state(CharRNN.load("new.crnn")).params, learned_state(finished).params)


def test_unremovable_checkpoint_is_a_warning(folder, capsys, monkeypatch):
    def refused(path):
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr("crnn.cli.train_checkpoint.os.unlink", refused)
    assert cli.main(["train", "text.txt", "-o", "new.crnn", "-q", "--max-steps", "3"]) == 0
    assert "its checkpoint cannot be removed: new.crnn.checkpoint: Permission denied" in capsys.readouterr().err
    assert CharRNN.load("new.crnn").n_steps_ == 3


@POSIX
def test_a_signal_saves_what_there_is(folder, capsys, monkeypatch):
    show, polls = progress_display.Progress.show, iter(range(4))

    def show_and_kill(self, *arguments, **named):
        show(self, *arguments, **named)
        if next(polls, None) is None:
            os.kill(os.getpid(), signal.SIGTERM)
            os.kill(os.getpid(), signal.SIGTERM)  # while the model is being saved it is ignored

    monkeypatch.setattr("crnn.training.run.POLL_SECONDS", 0.0)
    monkeypatch.setattr(progress_display.Progress, "show", show_and_kill)
    assert cli.main(["train", "text.txt", "-o", "new.crnn", "-q", "--model", "network"]) == 143
    assert "crnn: stopped by SIGTERM; saving the model after step 5" in capsys.readouterr().err
    assert CharRNN.load("new.crnn").n_steps_ == CharRNN.load("new.crnn.checkpoint").n_steps_ == 5


# --- several processes


class Processes:
    """A communicator that notes how it was ended."""

    def __init__(self, n, rank=0):
        self.n, self.rank, self.aborted = n, rank, []

    def Get_size(self):
        return self.n

    def Get_rank(self):
        return self.rank

    def bcast(self, what, root):
        return what

    def Abort(self, code):
        self.aborted.append(code)


@pytest.fixture(autouse=True)
def _no_launcher(monkeypatch):
    for name in MPI_SIZES:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("name", MPI_SIZES)
def test_several_processes_need_mpi4py(folder, capsys, monkeypatch, name):
    worlds = [Processes(1), Processes(2)]
    for world in worlds:
        monkeypatch.setitem(sys.modules, "mpi4py", SimpleNamespace(MPI=SimpleNamespace(COMM_WORLD=world)))
        for size in ("", "1", "2"):
            monkeypatch.setenv(name, size)
            assert communicator() is (world if size == "2" and world is worlds[1] else None)
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    message = error(capsys, "train", "text.txt", "-o", "new.crnn")
    assert "training with several processes needs mpi4py (" in message
    assert message.endswith("Install it with pip install 'crnn[mpi]'.\n")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--time 3s", "argument --time: not allowed with several processes"),
        ("--model ngram", "argument --model: n-grams are counted by one process"),
        ("--validation -", "argument FILE: several processes cannot share standard input"),
    ],
)
def test_refuses_options_that_several_processes_cannot_use(folder, capsys, monkeypatch, options, message):
    comm = Processes(2)
    monkeypatch.setattr("crnn.cli.train.communicator", lambda: comm)
    assert message in usage_error(capsys, "train", "text.txt", "-o", "new.crnn", *options.split())
    assert comm.aborted == [2]


@pytest.mark.parametrize(
    ("raised", "codes", "told"),
    [
        (ValueError("X is\nodd"), [1], "crnn: error: process 1: X is odd\n"),
        (SystemExit(2), [2], ""),
        (KeyboardInterrupt(), [], ""),
        (None, [], ""),
    ],
)
def test_a_process_that_fails_ends_all(capsys, raised, codes, told):
    comm = Processes(2, 1)
    with pytest.raises(type(raised)) if raised else nullcontext(), aborting(comm):
        if raised:
            raise raised
    assert comm.aborted == codes
    assert capsys.readouterr().err == told
