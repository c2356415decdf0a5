"""Extensions, directives and compiler flags; all metadata and tool settings are in pyproject.toml.

CRNN_DEBUG=1   bounds checks on every index, no optimisation that hides them
CRNN_NATIVE=1  adds -march=native to every build of core: for measuring only, never for a wheel
CRNN_CFLAGS    flags added to all builds (sanitizers)
"""

import os
import platform
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

KERNELS = "src/crnn/_kernels"
DEBUG = os.environ.get("CRNN_DEBUG") == "1"
EXTRA = os.environ.get("CRNN_CFLAGS", "").split()
X86_64 = platform.machine().lower() in {"x86_64", "amd64"} and "arm64" not in os.environ.get("ARCHFLAGS", "")

GCC_SETS = {
    "baseline": [],
    "avx2": ["-mavx2", "-mfma"],
    "avx512": ["-mavx512f", "-mavx512dq", "-mavx512bw", "-mavx512vl", "-mfma", "-mprefer-vector-width=512"],
}
# Less inlining of what runs once: a tenth smaller, as fast.
OPTIMISE = ["-O3", "-fno-unswitch-loops", "-finline-limit=200", "--param=max-inline-insns-auto=15", "-g0"]
OPTIMISE += ["-fno-asynchronous-unwind-tables", "-fno-unwind-tables"]  # nothing is thrown through C
MSVC_SETS = {"baseline": [], "avx2": ["/arch:AVX2"], "avx512": ["/arch:AVX512"]}

DIRECTIVES = {
    "language_level": 3,
    "boundscheck": DEBUG,
    "wraparound": False,
    "initializedcheck": DEBUG,
    "cdivision": True,
    "embedsignature": False,
    "auto_pickle": False,
    "binding": True,
    "freethreading_compatible": False,
}


class BuildExt(build_ext):
    """Adds the flags of each extension's instruction set, spelt for the compiler at hand."""

    def run(self) -> None:
        """Make the folders that an in-place build copies into."""
        if self.inplace:
            for ext in self.extensions:
                Path("src", *ext.name.split(".")[:-1]).mkdir(exist_ok=True)
        super().run()

    def build_extension(self, ext: Extension) -> None:
        """Compile one extension."""
        instruction_set = ext.name.split(".")[-2]
        if self.compiler.compiler_type == "msvc":
            ext.extra_compile_args = ["/O2", "/fp:precise", *MSVC_SETS.get(instruction_set, [])]
        else:
            optimise = ["-O1", "-g"] if DEBUG else OPTIMISE
            ext.extra_compile_args = [
                *optimise,
                "-fno-math-errno",
                "-fno-trapping-math",
                *GCC_SETS.get(instruction_set, []),
                *(["-march=native"] if os.environ.get("CRNN_NATIVE") == "1" and instruction_set != "_kernels" else []),
                *EXTRA,
            ]
            ext.extra_link_args = EXTRA or ([] if DEBUG or platform.system() != "Linux" else ["-s"])
        # The three builds of core share a source: each needs an object file of its own.
        build_temp, self.build_temp = self.build_temp, os.path.join(self.build_temp, instruction_set)
        super().build_extension(ext)
        self.build_temp = build_temp


def extensions() -> list[Extension]:
    """`core` once for each instruction set, from one generated C file; `cpu` once."""
    core, cpu = cythonize(
        [Extension(f"crnn._kernels.{name}", [f"{KERNELS}/{name}.pyx"]) for name in ("core", "cpu")],
        compiler_directives=DIRECTIVES,
        force=True,  # the C file's age does not tell which directives made it
    )
    headers = sorted(str(p) for pattern in ("*.h", "*.pxd") for p in Path(KERNELS).glob(pattern))
    sets = GCC_SETS if X86_64 else {"baseline": []}
    builds = [
        Extension(f"crnn._kernels.{name}.core", core.sources, depends=headers, include_dirs=[KERNELS]) for name in sets
    ]
    cpu.include_dirs = [KERNELS]
    cpu.depends = headers
    return [*builds, cpu]


setup(ext_modules=extensions(), cmdclass={"build_ext": BuildExt})
