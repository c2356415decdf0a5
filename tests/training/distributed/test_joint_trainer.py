"""Training by several processes through MPI: the same as by one, and ends that are the same for all."""

import json

import numpy as np
import pytest
from mpi_processes import TRAINING, joint_training, mpi, needs_mpi

from crnn import CharRNN

PROGRAM = joint_training()

pytestmark = needs_mpi


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
        np.testing.assert_allclose(
            found["numbers"], PROGRAM.numbers(alone), rtol=0, atol=tolerance, err_msg=name
        )
        assert found["loss"] == pytest.approx(alone.smooth_loss_, rel=tolerance)


def test_a_process_that_dies_ends_the_others_and_leaves_a_checkpoint(tmp_path):
    path = tmp_path / "run.crnn"
    done = mpi(2, TRAINING, path, "dies", timeout=50)
    assert done.returncode != 0
    assert CharRNN.load(path).n_steps_ > 0


@pytest.mark.parametrize("rank", [0, 1])
def test_an_error_of_one_process_ends_all(tmp_path, rank):
    done = mpi(2, TRAINING, tmp_path / "none", "fails", rank, timeout=50)
    assert done.returncode != 0
    assert f"process {rank} of 2 failed" in done.stderr
    assert "no memory left in one process" in done.stderr


def test_ctrl_c_in_one_process_ends_all_and_one_process_can_finish(tmp_path):
    path = tmp_path / "run.crnn"
    done = mpi(2, TRAINING, path, "interrupted", timeout=50)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("interrupted") == 2
    assert CharRNN.load(path).n_steps_ > 0


@pytest.mark.parametrize(("case", "what"), [("text differs", "a text"), ("weights differ", "sample_weight")])
def test_what_differs_between_processes_is_refused_in_all(tmp_path, case, what):
    done = mpi(2, TRAINING, tmp_path / "none", case, timeout=50)
    assert done.returncode != 0
    assert f"{what} differs between processes" in done.stderr
