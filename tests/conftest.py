"""Fixtures that the tests share: every instruction set of this machine, both dtypes."""

import functools
import gc
import os
import signal
import sys
from pathlib import Path

# Containers often forbid bytecode. Each Python process that tests start would then compile the whole package anew.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# ruff: noqa: E402
import numpy as np
import pytest
from examples import instruction_set, sets
from hypothesis import settings

from crnn import _kernels
from crnn._kernels.entry import core
from crnn.runtime import threads
from crnn.runtime.machine import usable_cores
from crnn.training import machine_speed

# A machine with fewer cores than threads makes single examples slow, which must not fail the test.
settings.register_profile("crnn", deadline=None, max_examples=50)  # fuzz/ tries many more
settings.load_profile("crnn")

# What `pytest -m quick` runs, with the best instruction set alone.
QUICK = {
    "contracts/test_messages.py",
    "contracts/test_refusals.py",
    "files/test_network_file.py",
    "files/test_sealed_file.py",
    "kernels/test_elementwise.py",
    "kernels/test_entry_points.py",
    "kernels/test_kernels.py",
    "kernels/test_products.py",
    "sampling/test_controls.py",
    "sampling/test_text_sampler.py",
    "scoring/test_text_scores.py",
    "test_golden.py",
    "test_imports.py",
    "text/test_vocabulary.py",
    "training/test_interruption.py",
    "training/test_trainer.py",
}
TESTS = Path(__file__).parent

os.environ.setdefault("MPLBACKEND", "Agg")  # pictures of the tests, doctests and guides open no windows


def pytest_xdist_auto_num_workers(config):
    """Two processes share folders of tests, whose tests have threads of their own; a few files need no second one."""
    whole_folders = any(os.path.isdir(argument) for argument in config.args)
    return 2 if whole_folders and usable_cores() > 1 else 0


def pytest_ignore_collect(collection_path, config):
    """Import no file in vain for the quick tests."""
    is_other = collection_path.suffix == ".py" and collection_path.relative_to(TESTS).as_posix() not in QUICK
    return True if config.option.markexpr == "quick" and is_other else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Mark the quick tests."""
    fixtures = {"kernels": "float32", "int8_kernels": "int8", "bfloat16_kernels": "bfloat16"}
    best = {name: (_kernels.available(kind) or [None])[-1] for name, kind in fixtures.items()}
    for item in items:
        is_listed = item.path.is_relative_to(TESTS) and item.path.relative_to(TESTS).as_posix() in QUICK
        is_slow = item.get_closest_marker("slow") or item.get_closest_marker("peers")
        given = item.callspec.params if hasattr(item, "callspec") else {}
        if is_listed and not is_slow and all(given.get(name, best[name]) == best[name] for name in best):
            item.add_marker("quick")


def pytest_collection_finish():
    """Freeze the collected tests and modules, so that the garbage collector does not traverse them again and again."""
    gc.freeze()


@pytest.fixture(params=sets("float32"))
def kernels(request):
    """Run the test once with each instruction set's kernels behind the entry points."""
    with instruction_set(request.param):
        yield core


@pytest.fixture(params=sets("bfloat16"))
def bfloat16_kernels(request):
    """The same, also for the instruction sets that serve products in bfloat16 alone."""
    with instruction_set(request.param):
        yield core


@pytest.fixture(params=sets("int8"))
def int8_kernels(request):
    """The same for products in int8."""
    with instruction_set(request.param):
        yield core


@pytest.fixture(params=["float32", "float64"])
def dtype(request):
    return np.dtype(request.param)


@pytest.fixture(scope="session")
def torch():
    """PyTorch, for tests marked `peers`."""
    return pytest.importorskip("torch")


@pytest.fixture(scope="module")
def seven_cores():
    """Pretend that the machine has as many cores as a test asks for threads."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threads, "cores", lambda: 7)
        patch.setattr(threads, "default_threads", lambda: 7)
        yield


@pytest.fixture(scope="session", autouse=True)
def _fast_speed_measurement():
    """`recommended` trains for half a second on all cores to measure the machine's speed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(machine_speed, "measured_speed", functools.partial(machine_speed.measured_speed, seconds=0.02))
        yield


@pytest.fixture(scope="session", autouse=True)
def _caches_are_deleted(tmp_path_factory):
    """Write caches of large files into a folder of the tests, not into the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CRNN_CACHE", str(tmp_path_factory.mktemp("caches")))
        yield


@pytest.fixture(autouse=True)
def _pictures_are_closed():
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


@pytest.fixture(scope="session", autouse=True)
def _ctrl_c_interrupts():
    """A shell has the commands that it starts in the background ignore Ctrl-C, and Python then never sees it."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
