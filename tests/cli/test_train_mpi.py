"""The command ``mpiexec -n 2 crnn train``."""

import re
import signal

import numpy as np
import pytest
from command_line import POSIX
from mpi_processes import TRAINING, mpi, needs_mpi
from texts import SOLILOQUY as TEXT

from crnn import CharRNN

pytestmark = needs_mpi

OPTIONS = ["--hidden-size", "11", "--batch-size", "5", "--seq-length", "7", "--random-state", "3", "-q"]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "text.txt").write_text(TEXT)
    return tmp_path


def train(n, folder, *options):
    files = [folder / "text.txt", "-o", folder / "new.crnn"]
    return mpi(n, "-m", "crnn", "train", *files, *OPTIONS, *options, timeout=100)


@pytest.mark.parametrize("n", [3, pytest.param(4, marks=pytest.mark.slow)])  # four are more than many machines' cores
def test_processes_train_a_new_model_and_continue_with_it(folder, n):
    done = train(n, folder, "--max-steps", "13", "--dtype", "float64", "--cell", "gru", "--verbose", "1")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.count("crnn: saved ") == 1  # by the first process alone
    parameters = {"hidden_size": 11, "batch_size": 5, "seq_length": 7, "random_state": 3, "cell": "gru"}
    alone = CharRNN(**parameters, max_steps=13, dtype="float64").fit(TEXT)
    model = CharRNN.load(folder / "new.crnn")
    np.testing.assert_allclose(model.params_["Whh_l0"], alone.params_["Whh_l0"], rtol=0, atol=1e-10)
    if n > 3:
        return
    done = train(n, folder, "--from", folder / "new.crnn", "--max-steps", "8")
    assert (done.returncode, done.stderr) == (0, "")
    assert CharRNN.load(folder / "new.crnn").n_steps_ == 21


def test_an_error_of_one_process_is_told_once_and_ends_all(folder):
    (folder / "text.txt").write_bytes(b"\xff")
    done = train(2, folder, "--max-steps", "13")
    assert done.returncode != 0
    assert "is not UTF-8" in done.stderr
    (folder / "text.txt").unlink()
    done = train(2, folder, "--max-steps", "13")
    assert done.returncode != 0
    assert re.search("crnn: error: process [01]: .*text.txt: No such file", done.stderr)


def test_an_error_that_only_the_first_process_finds_ends_all(folder, monkeypatch):
    monkeypatch.chdir(folder)
    done = train(2, folder, "-o", "text.txt")
    assert done.returncode != 0
    assert "the model would replace the text" in done.stderr


@POSIX
def test_a_process_that_dies_leaves_the_last_checkpoint(folder):
    done = mpi(2, TRAINING, "none", "command", int(signal.SIGKILL), folder)
    assert done.returncode != 0
    assert "signal 9" in done.stderr
    assert not (folder / "new.crnn").exists()
    assert CharRNN.load(folder / "new.crnn.checkpoint").n_steps_ > 0


@POSIX
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_all_and_resume_finishes(folder, number):
    done = mpi(2, TRAINING, "none", "command", int(number), folder)
    assert done.returncode != 0
    assert done.stderr.count("saving the model after step") == done.stderr.count("stopped by") == 1
    stopped = CharRNN.load(folder / "new.crnn").n_steps_
    assert 0 < stopped == CharRNN.load(folder / "new.crnn.checkpoint").n_steps_ < 97
    done = mpi(2, "-m", "crnn", "train", folder / "text.txt", "-o", folder / "new.crnn", "--resume", "-q")
    assert (done.returncode, done.stderr) == (0, "")
    assert CharRNN.load(folder / "new.crnn").n_steps_ == 97
