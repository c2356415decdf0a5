"""Extensions, directives and compiler flags; all metadata and tool settings are in pyproject.toml.

CRNN_DEBUG=1   bounds checks on every index into an array from Python, no optimization that hides them
CRNN_NATIVE=1  adds -march=native to every build of the kernels: for measuring only, never for a wheel
CRNN_CFLAGS    flags added to all builds (sanitizers)
CC=clang-cl    on Windows: Clang in place of Microsoft's compiler, which neither unrolls loops nor has VNNI and bfloat16
"""

import copy
import os
import re
import runpy
import subprocess
import tomllib
from pathlib import Path
from typing import Any

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

FOLDER = "src/crnn/_kernels"
ROOMS = sorted(str(path.parent) for path in Path(FOLDER).glob("*/__init__.py"))
DEBUG = os.environ.get("CRNN_DEBUG") == "1"
EXTRA = os.environ.get("CRNN_CFLAGS", "").split()

INSTRUCTION_SETS = runpy.run_path(f"{FOLDER}/instruction_sets.py")["INSTRUCTION_SETS"]
DTYPES = {
    "float32": ["CRNN_SINGLE"],
    "float64": [],
    "bfloat16": ["CRNN_SINGLE", "CRNN_BFLOAT16"],
    "int8": ["CRNN_SINGLE", "CRNN_INT8"],
}
# Less inlining of what runs once: a tenth smaller, as fast. More copies of functions for a constant argument: a cell's
# function for the width of most panels then takes three quarters of the instructions.
OPTIMIZE = ["-O3", "-g0"]
FOR_GCC = ["-fno-unswitch-loops", "-finline-limit=200", "--param=max-inline-insns-auto=15"]
FOR_GCC += ["--param=ipa-cp-eval-threshold=100"]
# gcc stops inlining when a file has grown by 40 %: tanh and sigmoid then stay calls, and the cells' loops scalar.
FOR_GCC += ["--param=max-inline-insns-single=150", "--param=inline-unit-growth=300"]
# With fused multiply-add, a loop and its remainder might round differently.
ARITHMETIC = ["-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math"]

# Modules compiled once.
ONCE = ["entry.core", "platform.cpu", "ngram.ngrams", "ngram.lookahead", "inference.selection", "inference.copies"]

DIRECTIVES = {
    "language_level": 3,
    "boundscheck": DEBUG,
    "wraparound": False,
    "initializedcheck": DEBUG,
    "cdivision": True,
    "embedsignature": False,
    "auto_pickle": False,
    "binding": True,
    "freethreading_compatible": True,
}


class Kernels(Extension):
    """The kernels of one instruction set and number type, compiled from the C file that all of them share.

    "bfloat16" is float32 with the operands of products rounded to bfloat16, "int8" with integers of 8 bits; the
    latter is for inference alone.
    """

    def __init__(self, instruction_set: str, dtype: str, sources: list[str]) -> None:
        super().__init__(f"crnn._kernels.{instruction_set}.{dtype}.kernels", sources, include_dirs=ROOMS)
        self.instruction_set = instruction_set
        self.define_macros = [(name, "1") for name in DTYPES[dtype]]


def instruction_sets(plat_name: str, archflags: str = "", *, clang: bool = False) -> list[str]:
    """Return the instruction sets to build for a platform: what all of its processors share, and what some of them add.

    The platform is the one that the build is for, which in a cross build is not the machine's own. Apple's compiler can
    build for two processors at once ("universal2"), and takes one set of flags for both. Microsoft's compiler, unlike
    `clang`-cl, has no flags for bfloat16, VNNI and dot products.
    """
    named = re.findall(r"-arch\s+(\w+)", archflags) if plat_name.startswith("macosx") else []
    targets = [f"macosx-{name}" for name in named] or [plat_name]
    msvc = plat_name.startswith("win") and not clang
    return [
        name
        for name, entry in INSTRUCTION_SETS.items()
        if all(re.search(entry.platforms, target) for target in targets) and not (msvc and entry.msvc is None)
    ]


def compiler_kind(compiler: Any) -> str:
    """Return "gcc", "clang", "msvc" or "clang-cl"."""
    if compiler.compiler_type == "msvc":
        return "clang-cl" if Path(os.environ.get("CC", "")).stem == "clang-cl" else "msvc"
    command = [*getattr(compiler, "compiler_so", [])[:1], "--version"]
    try:
        version = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    except OSError:
        return "gcc"
    return "clang" if "clang" in version else "gcc"


def compile_flags(kind: str, instruction_set: str, extra: list[str]) -> list[str]:
    """Return a compiler's flags for an instruction set, with further flags spelt as for gcc."""
    flags = INSTRUCTION_SETS[instruction_set]
    if kind == "msvc":
        return ["/Od" if DEBUG else "/O2", "/fp:precise", *flags.msvc, *EXTRA]
    own = [*ARITHMETIC, *flags.gcc, *extra]
    if kind == "clang-cl":
        return ["/Od" if DEBUG else "/O2", *(f"/clang:{flag}" for flag in own), *EXTRA]
    optimize = ["-O1", "-g"] if DEBUG else [*OPTIMIZE, *(FOR_GCC if kind == "gcc" else [])]
    return [*optimize, *own, *EXTRA]


class BuildExt(build_ext):
    """Builds what the platform can run, with the flags of each instruction set, spelt for the compiler at hand."""

    def finalize_options(self) -> None:
        """Leave out the kernels for processors that the platform does not have."""
        self.set_undefined_options("build", ("plat_name", "plat_name"))
        clang = Path(os.environ.get("CC", "")).stem == "clang-cl"
        names = instruction_sets(self.plat_name, os.environ.get("ARCHFLAGS", ""), clang=clang)
        modules = self.distribution.ext_modules
        kept = [ext for ext in modules if not isinstance(ext, Kernels) or ext.instruction_set in names]
        self.distribution.ext_modules = kept
        super().finalize_options()
        if self.parallel is None:  # as for pip, which has no option for it; a compiler takes 0.25 GB
            self.parallel = min(4, os.cpu_count() or 1)

    def run(self) -> None:
        """Make the folders that an in-place build copies into."""
        if self.inplace:
            for ext in self.extensions:
                Path("src", *ext.name.split(".")[:-1]).mkdir(parents=True, exist_ok=True)
        super().run()

    def build_extensions(self) -> None:
        """Choose the compiler before extensions are compiled side by side."""
        compiler = os.environ.get("CC", "")
        if self.compiler.compiler_type == "msvc" and Path(compiler).stem == "clang-cl":
            if not self.compiler.initialized:
                self.compiler.initialize(self.plat_name)
            self.compiler.cc = compiler
        super().build_extensions()

    def build_extension(self, ext: Extension) -> None:
        """Compile one extension."""
        instruction_set = ext.instruction_set if isinstance(ext, Kernels) else "baseline"
        kind = compiler_kind(self.compiler)
        native = ["-march=native"] if os.environ.get("CRNN_NATIVE") == "1" and isinstance(ext, Kernels) else []
        ext.extra_compile_args = compile_flags(kind, instruction_set, native)
        if kind in ("gcc", "clang"):
            ext.extra_link_args = EXTRA or (["-s"] if self.plat_name.startswith("linux") and not DEBUG else [])
        # On Windows, waiting for a word in memory is in a library of its own.
        ext.libraries = ["synchronization"] if self.plat_name.startswith("win") else ["m"]
        # The builds of the kernels share a source: each needs an object file of its own, and they may run side by side.
        command = copy.copy(self)
        command.build_temp = os.path.join(self.build_temp, *ext.name.split(".")[2:])
        build_ext.build_extension(command, ext)


def extensions() -> list[Extension]:
    """The kernels once for each instruction set and number type, from one C file; all other modules once."""
    *once, kernels = cythonize(
        [
            Extension(f"crnn._kernels.{name}", [f"{FOLDER}/{name.replace('.', '/')}.pyx"])
            for name in [*ONCE, "entry.kernels"]
        ],
        compiler_directives=DIRECTIVES,
        force=True,  # the C file's age does not tell which directives made it
    )
    once[0].define_macros = [("CRNN_ENTRY_POINTS", "1")]
    for ext in once:
        ext.include_dirs = ROOMS
    kinds = [(name, dtype) for name, entry in INSTRUCTION_SETS.items() for dtype in DTYPES if dtype in entry.kinds]
    builds = [Kernels(name, dtype, kernels.sources) for name, dtype in kinds]
    headers = sorted(str(p) for pattern in ("*.h", "*.pxd", "*.pxi") for p in Path(FOLDER).rglob(pattern))
    for ext in (*once, *builds):
        ext.depends = headers
    return [*builds, *once]  # what takes longest to compile comes first


def index_page() -> str:
    """Return the README for the package index, where a link to a file of the repository needs the whole address."""
    repository = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]["urls"]["Repository"]
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
