"""How the tests run several processes that MPI connects."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from small_models import learned_state

from crnn import CharRNN
from crnn.parameters.settings import Settings
from crnn.text.streams import TextStreams
from crnn.training.trainer import StepSettings

# The MPI in the tests' environment, which may be a wheel, comes before the system's MPI.
MPIEXEC = shutil.which("mpiexec", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
SETTINGS = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "PRTE_MCA_rmaps_default_mapping_policy":
    ":oversubscribe", "OMPI_MCA_rmaps_base_oversubscribe": "1", "OMPI_MCA_mpi_yield_when_idle": "1",
    "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join([p for p in sys.path if p]),
}  # fmt: skip
TRAINING = Path(__file__).parent / "joint_training.py"  # a program

needs_mpi = pytest.mark.skipif(
    MPIEXEC is None or importlib.util.find_spec("mpi4py") is None, reason="needs mpi4py and mpiexec"
)


def mpi(n, *command, timeout=120):
    """Run a Python program in n processes under Open MPI or MPICH; there may be fewer cores."""
    process = subprocess.Popen(
        [MPIEXEC, "-n", str(n), sys.executable, *map(str, command)],
        env=os.environ | SETTINGS, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        raise AssertionError(f"it has not ended: {process.communicate()}") from None
    return subprocess.CompletedProcess(command, process.returncode, out, err)


def joint_training():
    """Return the program that trains as one of several processes, as a module."""
    spec = importlib.util.spec_from_file_location("joint_training", TRAINING)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Communicator:
    """A communicator from one rank's point of view, where all processes pass the same values."""

    def __init__(self, rank, size):
        self.rank, self.size = rank, size

    def Get_rank(self):
        return self.rank

    def Get_size(self):
        return self.size

    def allgather(self, value):
        return [value] * self.size

    def bcast(self, value, root):
        assert root == 0
        return value


def trainer_after(n_steps, kind):
    """Return a trainer of some kind, of a model after some steps, with 5 streams."""
    text = "to be or not to be, that is the question. " * 9
    model = CharRNN(7, seq_length=3, batch_size=5, max_steps=n_steps, random_state=0).fit(text)
    state = learned_state(model).copy()
    streams = TextStreams(state.vocabulary.encode(text), 5, 3)
    return kind(state, streams, StepSettings.of(Settings.check(model.get_params()), state.rng))
