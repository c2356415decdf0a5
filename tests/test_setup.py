"""What setup.py builds: the instruction sets of the platform that the build is for, not of the machine it runs on."""

from __future__ import annotations

import re
import runpy
from types import SimpleNamespace

import pytest
from source_tree import ROOT, needs_sources

import crnn

pytestmark = needs_sources
pytest.importorskip("Cython", reason="setup.py needs it")

FLOATS = ["baseline", "avx2", "avx512"]
ALL = [*FLOATS, "avx512_vnni", "avx512_bf16", "amx"]  # of x86; the last three multiply int8 or bfloat16 alone
ARM = ["baseline", "neon_dotprod"]


@pytest.fixture(scope="module")
def setup_script():
    return runpy.run_path(str(ROOT / "setup.py"), run_name="setup_script")


@pytest.mark.parametrize(
    ("platform", "archflags", "wanted"),
    [
        ("linux-x86_64", "", ALL),
        ("win-amd64", "", FLOATS),
        ("linux-aarch64", "", ARM),
        ("win-arm64", "", ["baseline"]),
        ("macosx-11.0-arm64", "", ["baseline"]),  # which has dot products
        ("linux-ppc64le", "", ["baseline"]),
        ("macosx-10.13-x86_64", "", ALL[:-1]),
        ("macosx-10.13-universal2", "", ["baseline"]),
        ("macosx-10.13-universal2", "-arch x86_64", ALL[:-1]),
        ("macosx-10.13-universal2", "-arch arm64 -arch x86_64", ["baseline"]),
        ("macosx-11.0-arm64", "-arch x86_64", ALL[:-1]),
        ("linux-x86_64", "-arch arm64", ALL),  # a variable of Apple's compiler alone
    ],
)
def test_instruction_sets_are_the_targets(setup_script, platform, archflags, wanted):
    assert setup_script["instruction_sets"](platform, archflags) == wanted


@pytest.mark.parametrize(("platform", "wanted"), [("linux-x86_64", ALL), ("linux-aarch64", ARM)])
def test_a_build_has_the_modules_of_its_platform(setup_script, monkeypatch, platform, wanted):
    setuptools = pytest.importorskip("setuptools")
    monkeypatch.delenv("ARCHFLAGS", raising=False)
    kernels = setup_script["Kernels"]
    modules = [kernels(name, dtype, []) for name in {*ALL, *ARM} for dtype in ("float32", "int8")]
    modules.append(setuptools.Extension("crnn._kernels.entry.core", []))
    command = setup_script["BuildExt"](setuptools.Distribution({"ext_modules": modules}))
    command.plat_name = platform
    command.ensure_finalized()
    names = {ext.name.split(".")[2] for ext in command.extensions}
    assert names == {"entry", *wanted}


@pytest.mark.parametrize(("cores", "wanted", "used"), [(2, None, 2), (64, None, 4), (2, 3, 3), (None, None, 1)])
def test_extensions_are_compiled_side_by_side(setup_script, monkeypatch, cores, wanted, used):
    setuptools = pytest.importorskip("setuptools")
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    command = setup_script["BuildExt"](setuptools.Distribution({"ext_modules": []}))
    command.parallel = wanted
    command.ensure_finalized()
    assert command.parallel == used


@pytest.mark.parametrize(
    ("compiler_type", "compiler", "flag"),
    [
        ("unix", "gcc", "-ffp-contract=off"), ("unix", "clang", "-ffp-contract=off"),
        ("msvc", "clang-cl", "/clang:-ffp-contract=off"), ("msvc", "", "/fp:precise"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["kernels", "core"])
def test_compilers_may_not_fuse_multiplications_with_additions(
    setup_script, monkeypatch, tmp_path, name, compiler_type, compiler, flag
):
    """gcc 16 fused them in loops over vectors and not in the remainders, and bits depended on the threads."""
    setuptools = pytest.importorskip("setuptools")
    monkeypatch.setenv("CC", compiler)
    program = tmp_path / "cc"
    program.write_text(f"#!/bin/sh\necho {compiler} version 19\n", encoding="utf-8")
    program.chmod(0o755)
    compiled = []
    monkeypatch.setattr(setup_script["build_ext"], "build_extension", lambda command, ext: compiled.append(ext))
    extension = setuptools.Extension("crnn._kernels.entry.core", [])
    command = setup_script["BuildExt"](setuptools.Distribution({"ext_modules": [extension]}))
    command.ensure_finalized()
    command.plat_name = "win-amd64" if compiler_type == "msvc" else "linux-x86_64"
    command.compiler = SimpleNamespace(compiler_type=compiler_type, compiler_so=[str(program)])
    command.build_extension(setup_script["Kernels"]("avx2", "float32", []) if name == "kernels" else extension)
    flags = compiled[0].extra_compile_args
    assert flag in flags
    assert ("-finline-limit=200" in flags) == (compiler == "gcc")
    assert any("avx2" in given.lower() for given in flags) == (name == "kernels")
    assert compiled[0].libraries == ["synchronization" if compiler_type == "msvc" else "m"]


def test_clang_builds_every_number_type_for_windows(setup_script):
    assert setup_script["instruction_sets"]("win-amd64", clang=True) == ALL[:-1]
    assert setup_script["instruction_sets"]("win-arm64", clang=True) == ARM


def test_an_instruction_set_for_products_of_one_kind_has_no_other_build(setup_script, monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.setitem(setup_script["extensions"].__globals__, "cythonize", lambda modules, **options: modules)
    built = {ext.name.split(".", 2)[2] for ext in setup_script["extensions"]() if ext.name.endswith(".kernels")}
    floats = {f"{name}.{dtype}.kernels" for name in FLOATS for dtype in ("float32", "float64")}
    bfloat16 = {f"{name}.bfloat16.kernels" for name in ALL if name != "avx512_vnni"}
    assert built == floats | bfloat16 | {f"{name}.int8.kernels" for name in [*FLOATS, "avx512_vnni", "neon_dotprod"]}


def test_links_of_the_index_page_are_complete(setup_script, monkeypatch):
    monkeypatch.chdir(ROOT)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    page = setup_script["index_page"]()
    assert page.count("](https://") == readme.count("](")
    assert f"/blob/v{crnn.__version__}/docs/tutorial.md)" in page
    assert re.search(r"!\[[^]]*\]\(https://[^)]*/raw/[^)]*/docs/speed\.svg\)", page)
