import platform
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from types import SimpleNamespace

import pytest
from examples import instruction_set, sets

import crnn
from crnn import _kernels
from crnn.runtime import build_info


def test_build_info_names_what_is_in_use(capsys):
    info = build_info.build_info()
    assert build_info.show_config() is None
    lines = capsys.readouterr().out.splitlines()
    assert (len(lines), lines[0].split()) == (len(info), ["crnn", crnn.__version__])
    assert info["crnn"] == crnn.__version__
    assert info["instruction set"].startswith(_kernels.instruction_set)
    assert info["instruction set"].endswith(f"(available: {', '.join(_kernels.available('float32'))})")
    assert platform.python_version() in info["Python"]
    assert {name: info[name] for name in build_info.PACKAGES} == {name: version(name) for name in build_info.PACKAGES}
    assert int(info["cores"]) >= 1
    assert all(isinstance(value, str) and value and "\n" not in value for value in info.values())


def test_blas_is_named(monkeypatch):
    library = {"internal_api": "openblas", "version": "0.3.30", "architecture": "Haswell", "num_threads": 3}
    other = {"internal_api": "mkl", "version": None, "num_threads": 1}
    monkeypatch.setattr(build_info.scipy_blas, "_controller", SimpleNamespace(info=lambda: [library, other]))
    assert build_info.build_info()["BLAS"] == (
        "openblas 0.3.30, Haswell kernels, threads: 3; mkl of unknown version, unknown kernels, threads: 1"
    )
    monkeypatch.setattr(build_info.scipy_blas, "_controller", SimpleNamespace(info=list))
    assert build_info.build_info()["BLAS"] == "unknown to threadpoolctl"


def test_missing_packages_have_no_version(monkeypatch):
    def missing(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr("importlib.metadata.version", missing)
    assert build_info.build_info()["numpy"] == "not installed under this name"


def test_variables_of_the_environment_are_listed_if_set(monkeypatch):
    for name in build_info.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    assert not build_info.build_info().keys() & set(build_info.VARIABLES)
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    assert build_info.build_info()["OPENBLAS_CORETYPE"] == "Haswell"


def test_a_build_without_the_best_set_names_it_and_the_remedy(monkeypatch):
    monkeypatch.setattr(_kernels, "faster", lambda kind: "avx2" if kind == "float32" else None)
    monkeypatch.setattr(_kernels, "bfloat16_set", None)
    monkeypatch.setattr(_kernels, "available", lambda kind: () if kind == "bfloat16" else ("baseline",))
    info = build_info.build_info()
    assert info["instruction set"].endswith("(available: baseline; avx2 is faster, but not built: use CRNN_BUILD=all)")
    assert info["for bfloat16"] == "none (available: none)"


def test_a_slower_build_is_named_once(monkeypatch):
    monkeypatch.setattr(build_info, "_told", False)
    monkeypatch.setattr(_kernels, "forced", None)
    monkeypatch.setattr(_kernels, "instruction_set", "baseline")
    monkeypatch.setattr(_kernels, "faster", lambda kind: "avx2" if kind == "float32" else None)
    assert build_info.slower_build("bfloat16") is None
    message = build_info.slower_build("float32")
    assert re.search("kernels for baseline.* none for avx2.*Build crnn again with CRNN_BUILD=all", message)
    assert build_info.slower_build("float32") is None
    monkeypatch.setattr(build_info, "_told", False)
    monkeypatch.setattr(_kernels, "forced", "baseline")
    assert build_info.slower_build("float32") is None


@pytest.mark.parametrize("name", sets("float32"))
def test_forced_instruction_set_is_used(monkeypatch, name):
    monkeypatch.setenv("CRNN_ISA", name)
    with instruction_set(name):
        info = build_info.build_info()
    assert info["instruction set"].startswith(f"{name} (")
    assert info["CRNN_ISA"] == name


def test_processor_name_on_each_system(monkeypatch, tmp_path):
    assert build_info.processor_name()
    monkeypatch.setattr(sys, "platform", "sunos5")
    monkeypatch.setattr(platform, "processor", lambda: "sparc")
    assert build_info.processor_name() == "sparc"
    monkeypatch.setattr(platform, "processor", lambda: "")
    monkeypatch.setattr(platform, "machine", lambda: "sun4v")
    assert build_info.processor_name() == "sun4v"
    monkeypatch.setattr(platform, "machine", lambda: "")
    assert build_info.processor_name() == "unknown"
    monkeypatch.setattr(sys, "platform", "darwin")
    run, answer = subprocess.run, [sys.executable, "-c", "print('Apple M9')"]
    monkeypatch.setattr(subprocess, "run", lambda command, **options: run(answer, **options))
    assert build_info.processor_name() == "Apple M9"

    def fail(*command, **rest):
        raise FileNotFoundError

    monkeypatch.setattr(subprocess, "run", fail)
    assert build_info.processor_name() == "unknown"
