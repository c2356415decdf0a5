"""Training by several processes through MPI: the same as by one, and ends that are the same for all."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from crnn import CharRNN

PROGRAM = Path(__file__).with_name("joint_training.py")
spec = importlib.util.spec_from_file_location("joint_training", PROGRAM)
joint_training = importlib.util.module_from_spec(spec)
spec.loader.exec_module(joint_training)
# The MPI of the environment that runs the tests, which may be a wheel, comes before that of the system.
MPIEXEC = shutil.which("mpiexec", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")

pytestmark = pytest.mark.skipif(
    MPIEXEC is None or importlib.util.find_spec("mpi4py") is None, reason="needs mpi4py and mpiexec"
)


def mpi(n, *command, timeout=120):
    """Run a command as so many processes, more than there may be cores, on either kind of MPI."""
    settings = {
        "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "PRTE_MCA_rmaps_default_mapping_policy":
        ":oversubscribe", "OMPI_MCA_rmaps_base_oversubscribe": "1", "OMPI_MCA_mpi_yield_when_idle": "1",
        "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join([p for p in sys.path if p]),
    }  # fmt: skip
    return subprocess.run(
        [MPIEXEC, "-n", str(n), sys.executable, *map(str, command)],
        env=os.environ | settings, capture_output=True, text=True, timeout=timeout, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(("n", "cases"), [(2, list(joint_training.CASES)), (4, ["adam", "documents"])])
def test_processes_train_as_one_with_all_streams(tmp_path, n, cases):
    output = tmp_path / "found.json"
    done = mpi(n, PROGRAM, output, *cases)
    assert done.returncode == 0, done.stderr
    for name, found in json.loads(output.read_text()).items():
        case, dtype = name.split()
        alone = joint_training.trained(case, dtype)
        assert found["same"], f"{name}: the processes differ"
        assert found["n_steps"] == alone.n_steps_
        tolerance = 1e-5 * alone.n_steps_ if dtype == "float32" else 1e-10
        np.testing.assert_allclose(
            found["numbers"], joint_training.numbers(alone), rtol=0, atol=tolerance, err_msg=name
        )
        assert found["loss"] == pytest.approx(alone.smooth_loss_, rel=tolerance)


def test_a_process_that_dies_ends_the_others_and_leaves_a_checkpoint(tmp_path):
    path = tmp_path / "run.crnn"
    done = mpi(2, PROGRAM, path, "dies", timeout=50)
    assert done.returncode != 0
    assert CharRNN.load(path).n_steps_ > 0


def test_ctrl_c_in_one_process_ends_all_and_one_process_can_finish(tmp_path):
    path = tmp_path / "run.crnn"
    done = mpi(2, PROGRAM, path, "interrupted", timeout=50)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("interrupted") == 2
    assert CharRNN.load(path).n_steps_ > 0


def test_another_text_in_a_process_is_refused_in_all(tmp_path):
    done = mpi(2, PROGRAM, tmp_path / "none", "differs", timeout=50)
    assert done.returncode != 0
    assert "a text differs between the processes" in done.stderr
