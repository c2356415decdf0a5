"""Does `benchmarks.scaling` measure what it says? Its figures are that command's to print."""

import importlib.util
import shutil
import sys
from pathlib import Path

import pytest

from benchmarks import scaling

SMALL = ["--hidden-size", "5", "--streams", "4", "--steps", "24", "--repeats", "1"]


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("mpi4py") is None, reason="needs mpi4py")
@pytest.mark.skipif(shutil.which("mpiexec", path=str(Path(sys.executable).parent)) is None, reason="needs mpiexec")
def test_two_processes_are_timed_and_learn(tmp_path, capsys):
    scaling.main(["speed", *SMALL])
    assert capsys.readouterr().out.count("| 2 processes") == 2
    (tmp_path / "text").write_text("to be or not to be, that is the question: " * 300)
    scaling.main(["loss", str(tmp_path / "text"), *SMALL])
    out = capsys.readouterr().out
    assert out.count("\n| ") == 6
    assert "| 64 | " in out
