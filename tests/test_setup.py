"""What setup.py builds: the instruction sets of the platform that the build is for, not of the machine it runs on."""

import os
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from source_tree import ROOT, needs_sources

import crnn
from crnn._kernels.entry import core

pytestmark = needs_sources
setuptools = pytest.importorskip("setuptools", minversion="77", reason="setup.py needs it")

FLOATS = ["baseline", "avx2", "avx512"]
ALL = [*FLOATS, "avx512_vnni", "avx512_bf16", "amx"]  # of x86; the last three multiply int8 or bfloat16 alone
ARM = ["baseline", "neon_dotprod"]


@pytest.fixture(scope="module")
def setup_script():
    return runpy.run_path(str(ROOT / "setup.py"), run_name="setup_script")


def test_pip_can_ask_what_an_older_python_needs(monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.setitem(sys.modules, "tomllib", None)  # new in Python 3.11
    assert "/blob/v" in runpy.run_path("setup.py", run_name="setup_script")["index_page"]()


def test_instruction_sets_are_the_targets(setup_script):
    for platform, archflags, wanted in (
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
    ):
        assert setup_script["instruction_sets"](platform, archflags) == wanted, (platform, archflags)
    assert setup_script["instruction_sets"]("win-amd64", clang=True) == ALL[:-1]
    assert setup_script["instruction_sets"]("win-arm64", clang=True) == ARM


def build_of(setup_script, modules=(), platform=None, **attributes):
    """Return the command that builds some modules for a platform, not yet run."""
    command = setup_script["BuildExt"](setuptools.Distribution({"ext_modules": [*modules], "package_dir": {"": "src"}}))
    if platform is not None:
        command.plat_name = platform
    for name, value in attributes.items():
        setattr(command, name, value)
    return command


@pytest.mark.parametrize(("platform", "wanted"), [("linux-x86_64", ALL), ("linux-aarch64", ARM)])
def test_a_build_has_the_modules_of_its_platform(setup_script, monkeypatch, platform, wanted):
    monkeypatch.delenv("ARCHFLAGS", raising=False)
    kernels = setup_script["Kernels"]
    modules = [kernels(name, dtype) for name in {*ALL, *ARM} for dtype in ("float32", "int8")]
    modules.append(setuptools.Extension("crnn._kernels.entry.core", []))
    command = build_of(setup_script, modules, platform)
    command.ensure_finalized()
    names = {ext.name.split(".")[2] for ext in command.extensions}
    assert names == {"entry", *wanted}


def test_extensions_are_compiled_side_by_side(setup_script, monkeypatch):
    for cores, wanted, used in ((2, None, 2), (64, None, 4), (2, 3, 3), (None, None, 1)):
        monkeypatch.setattr("os.cpu_count", lambda cores=cores: cores)
        command = build_of(setup_script, parallel=wanted)
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
    monkeypatch.setenv("CC", compiler)
    program = tmp_path / "cc"
    program.write_text(f"#!/bin/sh\necho {compiler} version 19\n", encoding="utf-8")
    program.chmod(0o755)
    compiled = monkeypatched_compiler(setup_script, monkeypatch, tmp_path)
    extension = setuptools.Extension("crnn._kernels.entry.core", [])
    command = build_of(setup_script, [extension], build_lib=str(tmp_path / "lib"))
    command.ensure_finalized()
    command.plat_name = "win-amd64" if compiler_type == "msvc" else "linux-x86_64"
    command.compiler = SimpleNamespace(compiler_type=compiler_type, compiler_so=[str(program)])
    found = setup_script["Kernels"]("avx2", "float32") if name == "kernels" else extension
    found.sources = [str(tmp_path / "module.c")]
    command.build_extension(found)
    flags = compiled[0].extra_compile_args
    assert flag in flags
    assert ("-finline-limit=200" in flags) == (compiler == "gcc" and name == "kernels")
    assert any("avx2" in given.lower() for given in flags) == (name == "kernels")
    assert compiled[0].libraries == ["synchronization" if compiler_type == "msvc" else "m"]


@pytest.mark.parametrize(
    ("build", "processor", "little"),
    [
        ("machine", (2, False), {"baseline"}), ("machine", (0, False), set()), ("machine", None, set()),
        ("all", (2, False), set()), ("baseline", (2, False), set()),
    ],
)  # fmt: skip
def test_what_only_another_processor_uses_is_optimized_little(
    setup_script, monkeypatch, tmp_path, build, processor, little
):
    monkeypatch.setenv("CRNN_BUILD", build)
    compiled = monkeypatched_compiler(setup_script, monkeypatch, tmp_path)
    names = setup_script["BuildExt"].build_extensions.__globals__
    monkeypatch.setitem(names, "probe", lambda compiler: processor)
    monkeypatch.setitem(names, "translate", lambda modules: None)
    modules = [setup_script["Kernels"](name, "float32") for name in ("baseline", "avx2", "avx512")]
    modules += [setuptools.Extension(f"crnn._kernels.{name}", []) for name in ("entry.core", "ngram.ngrams")]
    command = setup_script["BuildExt"](setuptools.Distribution({"ext_modules": modules}))
    command.build_lib, command.parallel = str(tmp_path / "lib"), 1
    command.ensure_finalized()
    command.compiler = SimpleNamespace(compiler_type="unix", compiler_so=["no-such-cc"])
    for ext in modules:
        ext.sources = [str(tmp_path / "module.c")]
    command.build_extensions()
    assert {"baseline", "core", "ngrams"} <= {built_as(ext) for ext in compiled}
    assert {built_as(ext) for ext in compiled if optimization(ext) == "-O1"} == little
    assert [built_as(ext) for ext in compiled if optimization(ext) == "-Og"] == ["core"]


def built_as(ext):
    """Return the instruction set of an extension, or else the name of its module."""
    return getattr(ext, "instruction_set", ext.name.split(".")[-1])


def optimization(ext):
    """Return the last flag of an extension that sets a level, which holds."""
    return [flag for flag in ext.extra_compile_args if flag.startswith("-O")][-1]


def test_an_instruction_set_for_products_of_one_kind_has_no_other_build(setup_script):
    built = {ext.name.split(".", 2)[2] for ext in setup_script["extensions"]() if ext.name.endswith(".kernels")}
    floats = {f"{name}.{dtype}.kernels" for name in FLOATS for dtype in ("float32", "float64")}
    bfloat16 = {f"{name}.bfloat16.kernels" for name in ALL if name != "avx512_vnni"}
    assert built == floats | bfloat16 | {f"{name}.int8.kernels" for name in [*FLOATS, "avx512_vnni", "neon_dotprod"]}


# ------------------------------------------------------------------ CRNN_BUILD

FLOAT = {("baseline", "float32"), ("baseline", "float64")}
KINDS = ["float32", "float64", "bfloat16", "int8"]


def test_a_machine_gets_the_best_set_of_each_kind_and_the_baseline(setup_script):
    choose, of_avx512 = setup_script["chosen_builds"], {("avx512", "float32"), ("avx512", "float64")}
    for names, processor, wanted in (
        (ALL, (4, True), FLOAT | of_avx512 | {("amx", "bfloat16"), ("avx512_vnni", "int8")}),
        (ALL, (2, False), FLOAT | {("avx512", kind) for kind in KINDS}),
        (ALL, (1, False), FLOAT | {("avx2", kind) for kind in KINDS}),
        (ALL, (0, False), {("baseline", kind) for kind in KINDS}),
        (FLOATS, (4, True), FLOAT | {("avx512", kind) for kind in KINDS}),  # by Microsoft's compiler
        (ALL[:-1], (4, True), FLOAT | of_avx512 | {("avx512_bf16", "bfloat16"), ("avx512_vnni", "int8")}),
        (ARM, (0, True), {*(("baseline", kind) for kind in KINDS[:3]), ("neon_dotprod", "int8")}),
        (ARM, (0, False), {("baseline", kind) for kind in KINDS}),
    ):
        assert choose("machine", names, processor) == wanted, (names, processor)
    for build, processor in (("all", (1, False)), ("machine", None)):  # an unknown processor gets everything
        found = choose(build, ALL, processor)
        assert (len(found), {name for name, _ in found}) == (15, set(ALL))
    named = FLOAT | {("avx2", kind) for kind in KINDS} | {("avx512_vnni", "int8")}
    assert choose("avx2, avx512_vnni", ALL, None) == named


def test_unknown_sets_are_errors(setup_script, monkeypatch):
    for build in ("sse", "avx2,sse", "neon_dotprod", "machine,avx2", "avx2,"):
        monkeypatch.setenv("CRNN_BUILD", build)
        with pytest.raises(
            setuptools.errors.OptionError, match=r"machine, all, or some of baseline, avx2, avx512, avx"
        ):
            build_of(setup_script, platform="linux-x86_64").ensure_finalized()


def new_compiler():
    from distutils.ccompiler import new_compiler
    from distutils.sysconfig import customize_compiler

    compiler = new_compiler()
    customize_compiler(compiler)
    return compiler


@pytest.mark.skipif(not shutil.which("cc"), reason="there is no compiler")
def test_the_probe_finds_what_the_package_finds(setup_script, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert setup_script["probe"](new_compiler()) == core.processor()


@pytest.mark.parametrize("program", ["exit 1", "echo 'int main;' > /dev/null; touch probe"])
def test_a_probe_that_fails_knows_nothing(setup_script, monkeypatch, tmp_path, program):
    monkeypatch.chdir(ROOT)
    compiler = tmp_path / "cc"
    compiler.write_text(f"#!/bin/sh\n{program}\n", encoding="utf-8")
    compiler.chmod(0o755)
    found = new_compiler()
    found.set_executables(compiler_so=str(compiler), linker_exe=str(compiler))
    monkeypatch.chdir(tmp_path)
    assert setup_script["probe"](found) is None


@pytest.mark.parametrize(
    ("platform", "archflags", "machine", "probed"),
    [
        ("linux-x86_64", "", "x86_64", True),
        ("win-amd64", "", "AMD64", True),
        ("linux-aarch64", "", "x86_64", False),
        ("macosx-11.0-arm64", "-arch x86_64", "arm64", False),  # Rosetta would run the probe, without AVX
        ("macosx-11.0-universal2", "", "x86_64", False),
    ],
)
def test_only_a_build_for_this_machine_asks_its_processor(
    setup_script, monkeypatch, platform, archflags, machine, probed
):
    monkeypatch.setenv("ARCHFLAGS", archflags)
    monkeypatch.setenv("CRNN_BUILD", "machine")
    monkeypatch.setattr("platform.machine", lambda: machine)
    names, asked = setup_script["BuildExt"].build_extensions.__globals__, []
    monkeypatch.setitem(names, "probe", asked.append)
    monkeypatch.setitem(names, "translate", lambda modules: None)
    command = build_of(setup_script, platform=platform)
    command.ensure_finalized()
    command.compiler = SimpleNamespace(compiler_type="unix")
    command.build_extensions()
    assert bool(asked) == probed


# ------------------------------------------------------------------ what is built again


def monkeypatched_compiler(setup_script, monkeypatch, folder):
    """Change to a folder with a C file and a header, and let extensions be recorded in place of being compiled."""
    monkeypatch.chdir(folder)
    monkeypatch.setitem(setup_script["included"].__globals__, "ROOMS", ["room"])
    (folder / "room").mkdir()
    (folder / "room" / "header.h").write_text('#include "inner.h"\n', encoding="utf-8")
    (folder / "room" / "inner.h").write_text('#include "header.h"\n', encoding="utf-8")
    (folder / "room" / "other.h").write_text("", encoding="utf-8")
    (folder / "module.c").write_text('#include "header.h"\n#include <stdio.h>\n#include "absent.h"', encoding="utf-8")
    compiled = []

    def compile_it(command, ext):
        compiled.append(ext)
        path = folder / command.get_ext_fullpath(ext.name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(str(len(compiled)), encoding="utf-8")

    monkeypatch.setattr(setup_script["build_ext"], "build_extension", compile_it)
    return compiled


def test_a_module_is_compiled_again_if_what_it_is_made_of_changes(setup_script, monkeypatch, tmp_path):
    compiled = monkeypatched_compiler(setup_script, monkeypatch, tmp_path)

    def number(lib="lib", name="core"):
        """Build into a folder, and return the number of the compilation that made the module there."""
        extension = setuptools.Extension(f"crnn._kernels.entry.{name}", ["module.c"])
        command = build_of(setup_script, [extension], build_lib=lib)
        command.ensure_finalized()
        command.compiler = SimpleNamespace(compiler_type="unix", compiler_so=["no-such-cc", *flags])
        command.build_extension(extension)
        return int((tmp_path / command.get_ext_fullpath(extension.name)).read_text())

    flags = []
    assert [number(), number(), number("elsewhere")] == [1, 1, 1]
    (tmp_path / "room" / "other.h").write_text("int unused;", encoding="utf-8")
    (tmp_path / "module.c").touch()
    assert number() == 1
    (tmp_path / "room" / "inner.h").write_text("int changed;", encoding="utf-8")
    assert [number(), number()] == [2, 2]
    (tmp_path / "room" / "inner.h").write_text('#include "header.h"\n', encoding="utf-8")
    assert number() == 1
    monkeypatch.setitem(setup_script["compile_flags"].__globals__, "DEBUG", True)
    assert number() == 3
    monkeypatch.setitem(setup_script["compile_flags"].__globals__, "DEBUG", False)
    flags = ["-m32"]
    assert number() == 4
    for i in range(setup_script["KEPT_MODULES"]):
        flags = [f"-D{i}"]
        number()
    kept = list((tmp_path / "build" / "modules").glob("crnn._kernels.entry.core-*"))
    assert len(kept) == setup_script["KEPT_MODULES"]
    assert number(name="cpu") == len(compiled)


@pytest.mark.parametrize(
    ("options", "debug", "wanted"),
    [({}, False, False), ({"inplace": True}, False, True), ({"editable_mode": True}, False, True),
     ({"for_tests": True}, False, True), ({}, True, True)],
)  # fmt: skip
def test_modules_for_tests_are_built_for_developers_alone(setup_script, monkeypatch, tmp_path, options, debug, wanted):
    monkeypatch.chdir(tmp_path)
    names = setup_script["BuildExt"].build_extensions.__globals__
    monkeypatch.setitem(names, "translate", lambda modules: None)
    monkeypatch.setitem(names, "DEBUG", debug)
    monkeypatch.setenv("CRNN_BUILD", "avx2")
    built = []
    monkeypatch.setattr(setup_script["BuildExt"], "build_extension", lambda command, ext: built.append(ext.name))
    modules = [setup_script["Kernels"](name, "float64", "for_tests") for name in ("baseline", "avx2", "avx512")]
    command = build_of(setup_script, modules, "linux-x86_64", **options)
    command.ensure_finalized()
    command.compiler = SimpleNamespace(compiler_type="unix")
    command.build_extensions()
    names = {f"crnn._kernels.{name}.float64.for_tests" for name in ("baseline", "avx2")}
    assert set(built) == (names if wanted else set())


def test_modules_left_by_a_larger_build_are_removed(setup_script, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CRNN_BUILD", "baseline")
    names = setup_script["BuildExt"].build_extensions.__globals__
    monkeypatch.setitem(names, "translate", lambda modules: None)
    monkeypatch.setattr(setup_script["BuildExt"], "build_extension", lambda command, ext: None)
    modules = [setup_script["Kernels"](name, "float32") for name in ("baseline", "avx2")]
    command = build_of(setup_script, modules, "linux-x86_64", inplace=True, build_lib="lib")
    command.ensure_finalized()
    paths = [Path(folder, command.get_ext_filename(ext.name)) for folder in ("lib", "src") for ext in modules]
    for path in paths:
        path.parent.mkdir(parents=True)
        path.touch()
    command.run()
    assert [path.exists() for path in paths] == [True, False, True, False]


TRANSLATION = """
import os, runpy, sys
import Cython.Build
from setuptools import Extension
names = runpy.run_path(sys.argv[1], run_name="setup_script")["translate"].__globals__
names["FOLDER"] = "src"
for line in sys.stdin:
    names["DIRECTIVES"]["boundscheck"] = line == "True\\n"
    if not (child := os.fork()):  # Cython remembers the files that it has read
        module = Extension("crnn._kernels.one", ["src/one.pyx"])
        names["translate"]([module])
        print(*module.sources, flush=True)
        os._exit(0)
    os.waitpid(child, 0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes as POSIX has them")
def test_cython_files_are_translated_again_if_they_changed(tmp_path):
    pytest.importorskip("Cython")
    kernels = "src/crnn/_kernels"
    (tmp_path / kernels).mkdir(parents=True)
    shutil.copy(ROOT / kernels / "instruction_sets.py", tmp_path / kernels)
    source, other = tmp_path / "src" / "one.pyx", tmp_path / "src" / "part.pxi"
    source.write_text('include "part.pxi"\n', encoding="utf-8")
    other.write_text("a = 1\n", encoding="utf-8")
    command = [sys.executable, "-c", TRANSLATION, ROOT / "setup.py"]

    def translated(boundscheck=False):
        """Return the C file, and whether it is a new one."""
        process.stdin.write(f"{boundscheck}\n")
        process.stdin.flush()
        while not (line := process.stdout.readline()).endswith(".c\n"):  # Cython may report its progress
            assert line
        path = tmp_path / line.rstrip()
        new = path.stat().st_mtime > 2000
        os.utime(path, (2000, 2000))  # all ages are made: files written in one moment differ by nothing
        return path, new

    os.utime(source, (1000, 1000))
    os.utime(other, (1000, 1000))
    with subprocess.Popen(command, cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        first = translated()
        assert first[1]
        assert translated() == (first[0], False)
        os.utime(other, (3000, 3000))
        assert translated() == first
        os.utime(other, (1000, 1000))
        with_checks = translated(boundscheck=True)
        assert with_checks[1]
        assert with_checks[0] != first[0]


def test_links_of_the_index_page_are_complete(setup_script, monkeypatch):
    monkeypatch.chdir(ROOT)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    page = setup_script["index_page"]()
    assert page.count("](https://") + page.count("](#") == readme.count("](")
    assert f"/blob/v{crnn.__version__}/docs/generate.md)" in page
    assert re.search(r"!\[[^]]*\]\(https://[^)]*/raw/[^)]*/docs/images/learning\.svg\)", page)
