"""`import crnn` loads next to nothing and starts no thread; its names are imported when they are asked for."""

import os
import subprocess
import sys

import pytest

import crnn

PROBE = """
import os, sys, threading
import numpy
before = set(sys.modules)
for statement in sys.argv[1:]:
    exec(statement)
    tasks = len(os.listdir("/proc/self/task")) if os.path.exists("/proc/self/task") else threading.active_count()
    print(tasks, *sorted(set(sys.modules) - before))
"""
HEAVY = ("scipy", "threadpoolctl", "tqdm", "sklearn", "matplotlib")


@pytest.fixture(scope="module")
def loaded():
    """The threads and the modules, but for NumPy's, after each of these statements of one process."""
    statements = ["import crnn", "crnn.errors.InvalidInputError", "from crnn import CharRNN", "import crnn.cli.main",
                  "import crnn.plot"]  # fmt: skip
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}  # of NumPy's own BLAS
    command = [sys.executable, "-c", PROBE, *statements]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return dict(zip(statements, (line.split() for line in done.stdout.splitlines()), strict=True))


def test_import_of_the_package(loaded):
    tasks, *modules = loaded["import crnn"]
    assert tasks == "1"
    assert [name for name in modules if name.startswith("crnn")] == ["crnn", "crnn._version"]
    assert len(modules) < 12
    assert "crnn.errors" in loaded["crnn.errors.InvalidInputError"]


def test_import_of_the_class(loaded):
    tasks, *modules = loaded["from crnn import CharRNN"]
    assert tasks == "1"
    assert [name for name in modules if name.split(".")[0] in (*HEAVY, "tempfile", "difflib")] == []
    assert not any(name.startswith(("crnn.export.web", "crnn.plot", "crnn.report", "crnn.cli")) for name in modules)


def test_import_of_the_command_line(loaded):
    tasks, *modules = loaded["import crnn.cli.main"]
    assert tasks == "1"
    assert [name for name in modules if name.split(".")[0] in HEAVY] == []
    assert "matplotlib" not in loaded["import crnn.plot"]


def test_public_names_can_be_imported():
    for name in crnn.__all__:
        assert getattr(crnn, name) is not None
        assert name in dir(crnn)


def test_failed_import_is_not_a_missing_attribute(monkeypatch):
    monkeypatch.delattr(crnn, "loading", raising=False)
    monkeypatch.delitem(sys.modules, "crnn.loading", raising=False)
    monkeypatch.setitem(sys.modules, "crnn.mixture", None)
    with pytest.raises(ModuleNotFoundError, match=r"crnn\.mixture"):
        crnn.loading  # noqa: B018 (it raises)


def test_unknown_names_are_attribute_errors():
    for name in ("no_such_name", "_private", "charrnn"):
        with pytest.raises(AttributeError, match=f"module 'crnn' has no attribute '{name}'"):
            getattr(crnn, name)
