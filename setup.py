"""Extensions, directives and compiler flags; all metadata and tool settings are in pyproject.toml.

CRNN_BUILD     which kernels to build: "machine" (the default), for each number type those of the best instruction set
               of this processor, and slow ones of the baseline, which only another processor would use; "all"; or
               instruction sets with commas between them
CRNN_DEBUG=1   bounds checks on every index into an array from Python, no optimization that hides them
CRNN_NATIVE=1  adds -march=native to every build of the kernels: for measuring only, never for a wheel
CRNN_CFLAGS    flags added to all builds (sanitizers)
CC=clang-cl    on Windows: Clang in place of Microsoft's compiler, which neither unrolls loops nor has VNNI and bfloat16

What is translated and compiled is kept in build/, and used again until something that goes into it changes.
"""

import copy
import functools
import hashlib
import os
import platform
import re
import runpy
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import CCompilerError, OptionError

FOLDER = "src/crnn/_kernels"
ROOMS = sorted(str(path.parent) for path in Path(FOLDER).glob("*/__init__.py"))
DEBUG = os.environ.get("CRNN_DEBUG") == "1"
EXTRA = os.environ.get("CRNN_CFLAGS", "").split()

TABLE = runpy.run_path(f"{FOLDER}/instruction_sets.py")
INSTRUCTION_SETS = TABLE["INSTRUCTION_SETS"]
DTYPES = {
    "float32": ["CRNN_SINGLE"],
    "float64": [],
    "bfloat16": ["CRNN_SINGLE", "CRNN_BFLOAT16"],
    "int8": ["CRNN_SINGLE", "CRNN_INT8"],
}
# Less inlining of what runs once: a tenth smaller, as fast. More copies of functions for a constant argument: a cell's
# function for the width of most panels then takes three quarters of the instructions.
OPTIMIZE = ["-O3", "-g0"]
OPTIMIZE_ONCE = ["-O2", "-g0"]
# For modules that only check arguments and call kernels: as fast as with -O1, and compiled in three fifths of the time.
OPTIMIZE_CHECKS = "-Og"
OPTIMIZE_LITTLE = "-O1"  # for kernels that only another processor would use, which -Og makes three times as slow
FOR_GCC = ["-fno-unswitch-loops", "-finline-limit=200", "--param=max-inline-insns-auto=15"]
FOR_GCC += ["--param=ipa-cp-eval-threshold=100"]
# gcc stops inlining when a file has grown by 40 %: tanh and sigmoid then stay calls, and the cells' loops scalar.
FOR_GCC += ["--param=max-inline-insns-single=150", "--param=inline-unit-growth=300"]
# With fused multiply-add, a loop and its remainder might round differently.
ARITHMETIC = ["-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math"]

# Modules compiled once. Cython generates the last one: the code of all modules for views of arrays.
ONCE = [
    "entry.core",
    "ngram.ngrams",
    "ngram.reading",
    "ngram.frozen",
    "ngram.compact",
    "ngram.lookahead",
    "ngram.words",
    "ngram.longest_match",
    "inference.selection",
    "inference.closed_list",
    "inference.copies",
]
ARRAY_VIEWS = "platform.array_views"
ONLY_CHECKS = [f"crnn._kernels.{name}" for name in ("entry.core", ARRAY_VIEWS)]
KEPT_MODULES = 4  # of one name, for example a release build and one with bounds checks

DIRECTIVES = {
    "language_level": 3,
    "boundscheck": DEBUG,
    "wraparound": False,
    "initializedcheck": DEBUG,
    "cdivision": True,
    "embedsignature": False,
    "emit_code_comments": DEBUG,
    "auto_pickle": False,
    "binding": True,
    "freethreading_compatible": True,
}


class Kernels(Extension):
    """The kernels of one instruction set and number type, compiled from the C file that all of them share.

    "bfloat16" is float32 with the operands of products rounded to bfloat16, "int8" with integers of 8 bits; the
    latter is for inference alone. The module `for_tests` has functions of the kernels that only tests call.
    """

    def __init__(self, instruction_set: str, dtype: str, module: str = "kernels") -> None:
        super().__init__(f"crnn._kernels.{instruction_set}.{dtype}.{module}", [f"{FOLDER}/entry/{module}.pyx"])
        self.instruction_set, self.dtype, self.for_tests = instruction_set, dtype, module == "for_tests"
        self.define_macros = [(name, "1") for name in DTYPES[dtype]]


class Classic(Kernels):
    """The gist's algorithm, compiled for an instruction set wherever the kernels for float64 are."""

    def __init__(self, instruction_set: str) -> None:
        super().__init__(instruction_set, "float64")
        self.name = f"crnn.classic.{instruction_set}.classic"
        self.sources = ["src/crnn/classic/classic.pyx"]


def targets(plat_name: str, archflags: str = "") -> list[str]:
    """Return the platforms that the build is for, which in a cross build are not the machine's own.

    Apple's compiler can build for two processors at once ("universal2").
    """
    named = re.findall(r"-arch\s+(\w+)", archflags) if plat_name.startswith("macosx") else []
    return [f"macosx-{name}" for name in named] or [plat_name]


def instruction_sets(plat_name: str, archflags: str = "", *, clang: bool = False) -> list[str]:
    """Return the instruction sets of a platform: what all of its processors share, and what some of them add.

    A build for two processors takes one set of flags for both. Microsoft's compiler, unlike `clang`-cl, has no flags
    for bfloat16, VNNI and dot products.
    """
    msvc = plat_name.startswith("win") and not clang
    return [
        name
        for name, entry in INSTRUCTION_SETS.items()
        if all(re.search(entry.platforms, target) for target in targets(plat_name, archflags))
        and not (msvc and entry.msvc is None)
    ]


def chosen_builds(build: str, names: list[str], processor: tuple[int, bool] | None) -> set[tuple[str, str]]:
    """Return the instruction sets and number types that a value of CRNN_BUILD means.

    `names` are the platform's instruction sets. `processor` is the level of this machine's processor and whether it
    multiplies bytes; None: the build is not for this machine, or the processor is not known.
    """
    everything = {(name, dtype) for name in names for dtype in INSTRUCTION_SETS[name].kinds}
    if build == "all" or (build == "machine" and processor is None):
        return everything
    needed = {("baseline", "float32"), ("baseline", "float64")}
    if build == "machine":
        for dtype in DTYPES:
            usable = [name for name in TABLE["sets_for_processor"](dtype, *processor) if (name, dtype) in everything]
            needed.add((usable[-1], dtype))
        return needed
    given = [name.strip() for name in build.split(",")]
    if unknown := [name for name in given if name not in names]:
        raise OptionError(
            f"CRNN_BUILD={build}: {unknown[0]!r} is not an instruction set of this platform. Set CRNN_BUILD to "
            f"machine, all, or some of {', '.join(names)}, with commas between them."
        )
    return needed | {(name, dtype) for name, dtype in everything if name in given}


PROBE = """
#include <stdio.h>
#include "cpu_features.h"
int main(void) {
    int level = instruction_set_level();
    printf("%d %d", level, multiplies_bytes(level) != 0);
    return 0;
}
"""


def probe(compiler: Any) -> tuple[int, bool] | None:
    """Return the level of this machine's processor and whether it multiplies bytes; None if a program cannot tell."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "probe.c")
        source.write_text(PROBE, encoding="utf-8")
        try:
            objects = compiler.compile([str(source)], folder, include_dirs=[f"{FOLDER}/platform"])
            compiler.link_executable(objects, "probe", folder)
            program = Path(folder, compiler.executable_filename("probe"))
            level, multiplies = subprocess.run([program], capture_output=True, check=True).stdout.split()
        except (CCompilerError, OSError, subprocess.SubprocessError, ValueError):
            return None
    return int(level), multiplies == b"1"


@functools.cache
def version_of(compiler: str) -> str:
    """Return what a compiler says about itself."""
    try:
        return subprocess.run([compiler, "--version"], capture_output=True, text=True, check=False).stdout
    except OSError:
        return ""


def compiler_kind(compiler: Any) -> str:
    """Return "gcc", "clang", "msvc" or "clang-cl"."""
    if compiler.compiler_type == "msvc":
        return "clang-cl" if Path(os.environ.get("CC", "")).stem == "clang-cl" else "msvc"
    return "clang" if "clang" in version_of(*getattr(compiler, "compiler_so", ["gcc"])[:1]) else "gcc"


def compile_flags(kind: str, instruction_set: str | None, extra: list[str]) -> list[str]:
    """Return a compiler's flags for the kernels of an instruction set, with further flags spelt as for gcc.

    None: for a module compiled once.
    """
    flags = INSTRUCTION_SETS[instruction_set or "baseline"]
    if kind == "msvc":
        return ["/Od" if DEBUG else "/O2", "/fp:precise", *flags.msvc, *EXTRA]
    own = [*ARITHMETIC, *flags.gcc, *extra]
    if kind == "clang-cl":
        return ["/Od" if DEBUG else "/O2", *(f"/clang:{flag}" for flag in own), *EXTRA]
    if DEBUG:
        optimize = ["-O1", "-g"]
    elif instruction_set is None:
        optimize = OPTIMIZE_ONCE
    else:
        optimize = [*OPTIMIZE, *(FOR_GCC if kind == "gcc" else [])]
    return [*optimize, *own, *EXTRA]


def included(source: Path) -> list[Path]:
    """Return the headers of the kernels that a C file includes, and those that these include."""
    found: dict[str, Path] = {}
    unread = [source]
    while unread:
        for name in re.findall(r'#include "([\w.]+)"', unread.pop().read_text(encoding="utf-8")):
            paths = [path for room in ROOMS if (path := Path(room, name)).exists()]
            unread += paths if name not in found else []
            found |= dict.fromkeys([name], *paths) if paths else {}
    return sorted(found.values())


class BuildExt(build_ext):
    """Builds the chosen kernels, with the flags of each instruction set, spelt for the compiler at hand.

    Builds in place, with bounds checks or with the option --for-tests have the modules `for_tests`; wheels do not.
    """

    user_options: ClassVar[list[Any]] = [*build_ext.user_options, ("for-tests", None, "for tests alone, see above")]
    boolean_options: ClassVar[list[str]] = [*build_ext.boolean_options, "for-tests"]

    def initialize_options(self) -> None:
        """Set the default of the option --for-tests."""
        super().initialize_options()
        self.for_tests = False
        self.fallback = False

    def finalize_options(self) -> None:
        """Leave out the kernels for processors that the platform does not have."""
        self.set_undefined_options("build", ("plat_name", "plat_name"))
        clang = Path(os.environ.get("CC", "")).stem == "clang-cl"
        self.names = instruction_sets(self.plat_name, os.environ.get("ARCHFLAGS", ""), clang=clang)
        chosen_builds(self.choice(), self.names, None)  # raises an error before anything is compiled
        modules = self.distribution.ext_modules
        kept = [ext for ext in modules if not isinstance(ext, Kernels) or ext.instruction_set in self.names]
        self.distribution.ext_modules = kept
        super().finalize_options()
        self.for_tests = self.for_tests or self.inplace or DEBUG
        if self.parallel is None:  # as for pip, which has no option for it; a compiler takes 0.25 GB
            self.parallel = min(4, os.cpu_count() or 1)

    def choice(self) -> str:
        """Return the value of CRNN_BUILD."""
        return os.environ.get("CRNN_BUILD") or "machine"

    def run(self) -> None:
        """Make the folders that an in-place build copies into, and remove modules that an earlier build has left."""
        if self.inplace:
            for ext in self.extensions:
                Path("src", *ext.name.split(".")[:-1]).mkdir(parents=True, exist_ok=True)
        everything = self.extensions
        super().run()
        for ext in everything:
            if ext not in self.extensions:
                for folder in (self.build_lib, *(["src"] if self.inplace else [])):
                    Path(folder, self.get_ext_filename(ext.name)).unlink(missing_ok=True)

    def build_extensions(self) -> None:
        """Choose the compiler and the kernels, and translate Cython, before extensions are compiled side by side."""
        compiler = os.environ.get("CC", "")
        if self.compiler.compiler_type == "msvc" and Path(compiler).stem == "clang-cl":
            if not self.compiler.initialized:
                self.compiler.initialize(self.plat_name)
            self.compiler.cc = compiler
        machine = "-" + platform.machine().lower()
        here = all(name.endswith(machine) for name in targets(self.plat_name, os.environ.get("ARCHFLAGS", "")))
        processor = probe(self.compiler) if here and self.choice() == "machine" else None
        self.fallback = processor is not None and processor[0] > 0  # the baseline is for other processors
        chosen = chosen_builds(self.choice(), self.names, processor)
        self.extensions = [
            ext
            for ext in self.extensions
            if not isinstance(ext, Kernels)
            or ((ext.instruction_set, ext.dtype) in chosen and (self.for_tests or not ext.for_tests))
        ]
        translate(self.extensions)
        super().build_extensions()

    def build_extension(self, ext: Extension) -> None:
        """Compile one extension, unless a module made of the same things is at hand."""
        kind = compiler_kind(self.compiler)
        kernels = isinstance(ext, Kernels)
        more = ["-march=native"] if os.environ.get("CRNN_NATIVE") == "1" and kernels else []
        more += ["-Wno-unused-function"] if kernels and ext.for_tests else []  # it includes the headers of all kernels
        more += [OPTIMIZE_CHECKS] if ext.name in ONLY_CHECKS else []
        more += [OPTIMIZE_LITTLE] if kernels and self.fallback and ext.instruction_set == "baseline" else []
        ext.extra_compile_args = compile_flags(kind, ext.instruction_set if kernels else None, more)
        if kind in ("gcc", "clang"):
            ext.extra_link_args = EXTRA or (["-s"] if self.plat_name.startswith("linux") and not DEBUG else [])
        # On Windows, waiting for a word in memory is in a library of its own.
        ext.libraries = ["synchronization"] if self.plat_name.startswith("win") else ["m"]
        module, made = Path(self.get_ext_fullpath(ext.name)), self.kept_module(ext)
        if made.exists() and not self.force:
            module.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(made, module)
            return
        # The builds of the kernels share a source: each needs an object file of its own, and they may run side by side.
        command = copy.copy(self)
        command.build_temp = os.path.join(self.build_temp, *ext.name.split(".")[2:])
        command.force = True  # the ages of files do not tell which flags made them
        build_ext.build_extension(command, ext)
        made.parent.mkdir(parents=True, exist_ok=True)
        part = made.with_name(f"part-{made.name}")
        shutil.copyfile(module, part)
        part.replace(made)  # an interrupted build leaves no half of a module
        others = sorted(made.parent.glob(f"{ext.name}-*"), key=lambda path: path.stat().st_mtime)
        for path in others[:-KEPT_MODULES]:
            path.unlink()

    def kept_module(self, ext: Extension) -> Path:
        """Return where an extension is kept: its name has a hash of all that it is made of."""
        source = Path(ext.sources[0])
        programs = [getattr(self.compiler, name, "") for name in ("compiler_so", "linker_so", "cc")]
        settings = [sys.version, sysconfig.get_config_var("EXT_SUFFIX"), self.plat_name, programs, ext.define_macros]
        settings += [version_of(programs[0][0]) if programs[0] else "", ext.extra_compile_args, ext.extra_link_args]
        key = hashlib.sha256(repr(settings).encode())
        for path in (source, *included(source)):
            key.update(path.read_bytes())
        return Path("build", "modules", f"{ext.name}-{key.hexdigest()[:16]}")


def translate(modules: Iterable[Extension]) -> None:
    """Make C files of the Cython files, if these, what they include, the directives or Cython have changed."""
    from Cython.Build import cythonize

    folder = Path("build", "cython-" + hashlib.sha256(repr(DIRECTIVES).encode()).hexdigest()[:8])
    sources = {ext.sources[0]: Path(ext.sources[0]).relative_to("src").with_suffix("") for ext in modules}
    cythonize(
        [Extension(".".join(name.parts), [source]) for source, name in sources.items()],
        compiler_directives=DIRECTIVES,
        build_dir=str(folder),
        nthreads=len(sources) if sys.platform == "linux" else 0,  # side by side where processes can be forked
        shared_utility_qualified_name=f"crnn._kernels.{ARRAY_VIEWS}",
    )
    for ext in modules:
        ext.sources = [str(folder / Path(ext.sources[0]).with_suffix(".c"))]
        ext.include_dirs = ROOMS


def extensions() -> list[Extension]:
    """The kernels once for each instruction set and number type, from one C file; all other modules once."""
    kinds = [(name, dtype) for name, entry in INSTRUCTION_SETS.items() for dtype in entry.kinds]
    builds = [Kernels(name, dtype) for name, dtype in kinds]
    builds += [Kernels(name, dtype, "for_tests") for name, dtype in kinds if dtype in ("float32", "float64")]
    once = [Extension(f"crnn._kernels.{name}", [f"{FOLDER}/{name.replace('.', '/')}.pyx"]) for name in ONCE]
    once[0].define_macros = [("CRNN_ENTRY_POINTS", "1")]
    classics = [Classic(name) for name, dtype in kinds if dtype == "float64"]
    views = Extension(f"crnn._kernels.{ARRAY_VIEWS}", [f"{FOLDER}/{ARRAY_VIEWS.replace('.', '/')}.c"])
    return [*builds, *classics, *once, views]  # what takes longest to compile comes first


def index_page() -> str:
    """Return the README for the package index, where a link to a file of the repository needs the whole address."""
    # Without tomllib, an older Python gets as far as pip's message that it is too old.
    project = Path("pyproject.toml").read_text(encoding="utf-8")
    (repository,) = re.findall('^Repository = "(.*)"$', project, re.MULTILINE)
    tag = "v" + runpy.run_path("src/crnn/_version.py")["__version__"]
    return re.sub(
        r"(!?\[[^]]*\]\()(?!https:|#)",
        lambda link: f"{link[1]}{repository}/{'raw' if link[1].startswith('!') else 'blob'}/{tag}/",
        Path("README.md").read_text(encoding="utf-8"),
    )


if __name__ == "__main__":
    setup(
        ext_modules=extensions(),
        cmdclass={"build_ext": BuildExt},
        long_description=index_page(),
        long_description_content_type="text/markdown",
    )
