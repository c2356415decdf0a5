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
{}
loaded = set(sys.modules) - before
tasks = len(os.listdir("/proc/self/task")) if os.path.exists("/proc/self/task") else threading.active_count()
print(tasks, *sorted(loaded))
"""


def loaded_by(statement):
    """Return the number of threads after a statement, and the modules except NumPy's."""
    environment = {"OPENBLAS_NUM_THREADS": "1"}  # of NumPy's own BLAS
    result = subprocess.run(
        [sys.executable, "-c", PROBE.format(statement)], capture_output=True, text=True, check=True,
        env=dict(os.environ) | environment,
    )  # fmt: skip
    tasks, *modules = result.stdout.split()
    return int(tasks), modules


def test_import_of_the_package():
    tasks, modules = loaded_by("import crnn")
    assert tasks == 1
    assert [name for name in modules if name.startswith("crnn")] == ["crnn", "crnn._version"]
    assert len(modules) < 12


def test_import_of_the_class():
    tasks, modules = loaded_by("from crnn import CharRNN")
    assert tasks == 1
    heavy = ("scipy", "threadpoolctl", "tqdm", "safetensors", "sklearn", "matplotlib", "tempfile", "difflib")
    assert [name for name in modules if name.split(".")[0] in heavy] == []
    assert not any(name.startswith(("crnn.export.web", "crnn.plot", "crnn.report", "crnn.cli")) for name in modules)


def test_import_of_the_command_line():
    tasks, modules = loaded_by("import crnn.cli.main")
    assert tasks == 1
    heavy = ("scipy", "threadpoolctl", "tqdm", "safetensors", "sklearn", "matplotlib")
    assert [name for name in modules if name.split(".")[0] in heavy] == []


@pytest.mark.parametrize("name", crnn.__all__)
def test_public_names_can_be_imported(name):
    assert getattr(crnn, name) is not None
    assert name in dir(crnn)


def test_modules_are_found_as_attributes():
    _, modules = loaded_by("import crnn; crnn.errors.InvalidInputError")
    assert "crnn.errors" in modules


def test_failed_import_is_not_a_missing_attribute(monkeypatch):
    monkeypatch.delattr(crnn, "loading", raising=False)
    monkeypatch.delitem(sys.modules, "crnn.loading", raising=False)
    monkeypatch.setitem(sys.modules, "crnn.mixture", None)
    with pytest.raises(ModuleNotFoundError, match=r"crnn\.mixture"):
        crnn.loading  # noqa: B018 (it raises)


@pytest.mark.parametrize("name", ["no_such_name", "_private", "charrnn"])
def test_unknown_names_are_attribute_errors(name):
    with pytest.raises(AttributeError, match=f"module 'crnn' has no attribute '{name}'"):
        getattr(crnn, name)
