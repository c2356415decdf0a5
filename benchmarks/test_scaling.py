"""Does `benchmarks.scaling` measure and predict what it says? Its figures are that command's to print."""

import importlib.util
import shutil
import sys
from pathlib import Path

import pytest

from benchmarks import scaling
from benchmarks.network_model import EmulatedCommunicator, Network, step_seconds
from crnn import CharRNN

needs_mpi4py = pytest.mark.skipif(importlib.util.find_spec("mpi4py") is None, reason="needs mpi4py")
SMALL = ["--hidden-size", "5", "--streams", "4", "--steps", "24", "--repeats", "1"]


def test_a_ring_sends_every_part_twice():
    connected = Network(8.0, alpha=1e-3)  # 1e9 bytes a second
    assert connected.all_reduce_seconds(4_000_000, 4) == pytest.approx(6e-3 + 2 * 3 * 1e-3)
    assert step_seconds(0.5, 4_000_000, 4, connected, every=2) == pytest.approx(0.5 + 6e-3)


@needs_mpi4py
def test_emulated_processes_train_as_one_and_wait(capsys):
    text = "to be or not to be, " * 30
    options = {"max_steps": 20, "random_state": 0, "optimizer": "adam", "batch_size": 4}
    comm = EmulatedCommunicator(2, Network(1.0, alpha=1e-3))
    model = CharRNN(6, **options).fit(text, comm=comm, average_every=5)
    assert comm.delay > 4 * 3 * 2e-3  # four averages of three arrays
    assert model.history_[-1]["seconds"] > comm.delay
    first = CharRNN(6, **(options | {"batch_size": 2})).fit(text[: len(text) // 2])  # all do as the first does
    assert model.score(text) == pytest.approx(first.score(text), abs=0.02)


def test_the_table_is_written_between_its_markers(tmp_path, capsys):
    page = tmp_path / "scaling.md"
    page.write_text("# A\n<!-- benchmarks.scaling table: begin -->\nold\n<!-- benchmarks.scaling table: end -->\n# B\n")
    scaling.main(["table", "--page", str(page), "--step-seconds", "0.1"])
    text = page.read_text()
    assert "old" not in text
    assert text.startswith("# A\n")
    assert text.endswith("# B\n")
    row = next(line for line in text.splitlines() if line.startswith("| 100 GbE | 16 |"))
    speedups = [float(cell) for cell in row.strip("|").split("|")[2:]]
    assert speedups[0] == 2.0
    assert 60 < speedups[-1] < 64


@needs_mpi4py
def test_the_network_is_measured(capsys):
    scaling.main(["network", *SMALL])
    assert capsys.readouterr().out.count("GbE") == 8


@pytest.mark.slow
@needs_mpi4py
@pytest.mark.skipif(shutil.which("mpiexec", path=str(Path(sys.executable).parent)) is None, reason="needs mpiexec")
def test_two_processes_are_timed_and_learn(tmp_path, capsys):
    scaling.main(["speed", *SMALL])
    assert capsys.readouterr().out.count("| 2 processes") == 2
    (tmp_path / "text").write_text("to be or not to be, that is the question: " * 300)
    scaling.main(["loss", str(tmp_path / "text"), *SMALL])
    out = capsys.readouterr().out
    assert out.count("\n| ") == 6
    assert "| 64 | " in out
