"""The programs in tools/ that no other test runs."""

from __future__ import annotations

import importlib.util
import zipfile

import pytest
from source_tree import ROOT, needs_sources

pytestmark = needs_sources


def tool(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def wheel(tmp_path):
    path = tmp_path / "crnn-0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:  # not compressed: the sizes are those of the files
        for name, size in {
            "crnn/__init__.py": 7,
            "crnn/text/codes.py": 11,
            "crnn/_kernels/core.cpython-311-x86_64-linux-gnu.so": 31,
            "crnn/_kernels/avx2/float32/kernels.cpython-311-x86_64-linux-gnu.so": 101,
            "crnn/_kernels/avx2/float64/kernels.cpython-311-x86_64-linux-gnu.so": 103,
        }.items():
            archive.writestr(name, bytes(size))
    return path


def test_an_instruction_set_is_one_part_of_a_wheel(wheel):
    assert tool("check_wheel").sizes(wheel) == {"avx2": 204, "core and cpu": 31, "Python": 18}


@pytest.mark.parametrize(("limit", "message"), [("MAX_BYTES", "more than 203"), ("MAX_INSTRUCTION_SET_BYTES", "avx2")])
def test_a_wheel_or_a_part_too_large_is_a_fault(wheel, monkeypatch, limit, message):
    check_wheel = tool("check_wheel")
    assert check_wheel.fault(wheel) is None
    monkeypatch.setattr(check_wheel, limit, 203)
    assert message in check_wheel.fault(wheel)


def test_the_sanitizers_run_tests_that_exist():
    for files in tool("sanitize").TESTS.values():
        assert all((ROOT / "tests" / file).is_file() for file in files)
