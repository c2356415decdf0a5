"""Training by several processes through MPI: the same as by one, and ends that are the same for all."""

import json
import signal
from functools import partial

import numpy as np
import pytest
from command_line import POSIX
from mpi_processes import TRAINING, Communicator, joint_training, mpi, needs_mpi, trainer_after

from crnn import CharRNN, DivergenceError
from crnn.training import trainer as trainer_module
from crnn.training.processes import Processes
from crnn.training.trainer import JointTrainer, Trainer

PROGRAM = joint_training()


@needs_mpi
@pytest.mark.parametrize(("n", "cases"), [(2, list(PROGRAM.CASES)), (4, ["adam", "documents"])])
def test_processes_train_as_one_with_all_streams(tmp_path, n, cases):
    output = tmp_path / "found.json"
    done = mpi(n, TRAINING, output, *cases)
    assert done.returncode == 0, done.stderr
    for name, found in json.loads(output.read_text()).items():
        case, dtype = name.split(", ")
        alone = PROGRAM.trained(case, dtype)
        assert found["same"], f"{name}: the processes differ"
        assert found["n_steps"] == alone.n_steps_
        tolerance = 1e-5 * alone.n_steps_ if dtype == "float32" else 1e-10
        np.testing.assert_allclose(found["numbers"], PROGRAM.numbers(alone), rtol=0, atol=tolerance, err_msg=name)
        assert found["loss"] == pytest.approx(alone.smooth_loss_, rel=tolerance)


@needs_mpi
def test_calls_that_continue_and_divergence(tmp_path):
    output = tmp_path / "found.json"
    done = mpi(2, TRAINING, output, "goes on")
    assert done.returncode == 0, done.stderr
    found = json.loads(output.read_text())
    for case in PROGRAM.RESUMED:
        assert found[case]["same"], f"{case}: an interrupted call differs from an uninterrupted one"
        assert 0 < found[case]["stopped"] < 23
    assert found["continued"]["same"]
    assert "the model differs between processes" in found["continued"]["error"]
    assert found["timed"]["same"]
    assert found["timed"]["n_steps"] == 13
    assert found["timed"]["seconds"] > 0.2
    assert found["diverged"]["same"]
    assert found["diverged"]["n_steps"] < found["diverged"]["step"]


@needs_mpi
def test_a_process_that_dies_ends_the_others_and_leaves_a_checkpoint(tmp_path):
    path = tmp_path / "run.crnn"
    done = mpi(2, TRAINING, path, "dies", timeout=50)
    assert done.returncode != 0
    assert CharRNN.load(path).n_steps_ > 0


@needs_mpi
def test_an_error_of_one_process_ends_all(tmp_path):
    done = mpi(2, TRAINING, tmp_path / "none", "fails", 1, timeout=50)
    assert done.returncode != 0
    assert "process 1 of 2 failed" in done.stderr
    assert "no memory left in one process" in done.stderr


@needs_mpi
def test_ctrl_c_in_one_process_ends_all_and_one_process_can_finish(tmp_path):
    path = tmp_path / "run.crnn"
    done = mpi(2, TRAINING, path, "interrupted", timeout=50)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("interrupted") == 2
    assert CharRNN.load(path).n_steps_ > 0


@needs_mpi
def test_all_processes_refuse_differences_between_them(tmp_path):
    done = mpi(2, TRAINING, tmp_path / "none", "weights differ", timeout=50)
    assert done.returncode != 0
    assert "sample_weight differs between processes" in done.stderr


# ------------------------------------------------- one process, told what the others say


def joint(rank=0, size=1):
    """Return a trainer, the commands that it tells or hears, and the errors that it sends to end all processes."""
    processes, told, ended, shared = Processes(Communicator(rank, size)), [], [], []

    def from_first(value):
        if not isinstance(value, tuple):
            return value
        told.append(value[0]) if rank == 0 else None
        return value if rank == 0 else told.pop(0)

    processes.from_first, processes.abort = from_first, ended.append
    processes.reduce, processes.share_rows = (lambda vector: None), (lambda array: shared.append(array.shape))
    trainer = trainer_after(3, partial(Trainer, processes=processes))
    trainer = JointTrainer(trainer, processes)
    trainer.shared = shared  # what was completed with the rows of others
    return trainer, told, ended


def test_the_first_process_tells_each_command_and_the_end():
    trainer, told, ended = joint()
    with trainer as entered:
        assert entered is trainer
        changes = trainer.trainer.state.gate.changes
        trainer.advance(np.full(2, 0.1))
        trainer.resume_from_arrays()
        trainer.finish()
        assert trainer.shared == [(1, 5, 7)] * 3
        assert trainer.trainer.state.gate.changes == changes + 2  # the steps, and the replaced arrays
    assert (told, ended) == (["advance", "load", "finish", "end"], [])
    assert trainer.trainer.state.n_steps == 5


@pytest.mark.parametrize(
    ("command", "error", "message"),
    [
        (None, None, ""), ((True, "stop now"), KeyboardInterrupt, "^stop now$"),
        ((False, "no disk"), RuntimeError, "^training has ended because process 0 failed: no disk$"),
    ],
)  # fmt: skip
def test_the_others_follow_until_the_end(command, error, message):
    trainer, commands, ended = joint(1, 2)
    state = trainer.trainer.state
    arrays = (state.params * 0.5, state.optimizer_state, state.hidden)
    commands += [("advance", np.full(2, 0.1)), ("advance", np.full(1, 0.1)), ("load", arrays), ("finish", None)]
    commands += [("end", command)]
    with trainer:
        if error is None:
            trainer.follow()
        else:
            with pytest.raises(error, match=message):
                trainer.follow()
    assert (trainer.trainer.state.n_steps, commands, ended) == (6, [], [])
    np.testing.assert_array_equal(trainer.trainer.params, arrays[0])


@pytest.mark.parametrize("error", [KeyboardInterrupt("enough"), ValueError("no disk")])
def test_an_error_between_two_commands_is_told_to_the_others(error):
    trainer, told, ended = joint()
    said = []
    from_first = trainer._processes.from_first
    trainer._processes.from_first = lambda value: said.append(value) or from_first(value)
    with pytest.raises(type(error)), trainer:
        raise error
    assert (told, ended) == (["end"], [])
    assert said[-1] == ("end", (isinstance(error, KeyboardInterrupt), str(error)))


@pytest.mark.parametrize("error", [MemoryError("no memory left"), DivergenceError(4, 2.5)])
def test_an_error_within_a_command_ends_all_processes_but_a_divergence_is_known_to_all(monkeypatch, error):
    def fail(trainer, rates):
        raise error

    trainer, told, ended = joint()
    monkeypatch.setattr(Trainer, "advance", fail)
    with pytest.raises(type(error)), trainer:
        trainer.advance(np.full(2, 0.1))
    known = isinstance(error, DivergenceError)
    assert (told, ended) == (["advance"], [] if known else [error])
    assert trainer.shared == [(1, 5, 7)] * known


def test_the_first_process_decides_when_to_take_a_snapshot(monkeypatch):
    monkeypatch.setattr(trainer_module, "SNAPSHOT_SECONDS", 1e9)
    trainer, _, _ = joint()
    copy, taken = trainer.trainer.state.copy, []
    trainer.trainer.state.copy = lambda: taken.append(trainer.trainer.cursor.n_steps) or copy()
    with trainer:
        from_first = trainer.trainer._processes.from_first
        for due in (False, True, False):

            def decided(value, due=due):
                return due if isinstance(value, bool) else from_first(value)

            trainer.trainer._processes.from_first = decided
            trainer.advance(np.full(2, 0.1))
    assert taken == [5]


@POSIX
def test_a_signal_is_known_to_all_processes():
    def work():
        with trainer:
            signal.raise_signal(signal.SIGINT)
            assert trainer.trainer.cursor.n_steps == 3
            trainer.advance(np.full(2, 0.1))

    trainer, told, ended = joint()
    with pytest.raises(KeyboardInterrupt):
        work()
    assert (told, ended, trainer.trainer.state.n_steps) == ([], [], 3)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
