"""Compile crnn's C code for other systems and processors, and run what an emulator can run.

    python tools/cross_compile.py          compile modules for five targets with zig; warnings are errors
    python tools/cross_compile.py --run    also link them, compile tools/cross_compile.c as clang-cl does on Windows,
                                           and run that program here, under Wine and under QEMU, with equal hashes

The first needs Cython, setuptools, SciPy and the package ziglang, which brings the libraries and headers of every
target; the second clang, Wine and QEMU as well (Debian's and Ubuntu's packages clang, wine64, wine and qemu-user).
"""

from __future__ import annotations

import argparse
import os
import re
import runpy
import shutil
import subprocess
import sys
import sysconfig
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "cross"
CYTHON_FILES = [f"src/crnn/{name}.pyx" for name in ("_kernels/entry/core", "_kernels/entry/kernels", "classic/classic")]
TARGETS = {  # names of zig's targets and of Python's platforms
    "x86_64-windows-gnu": "win-amd64",
    "aarch64-windows-gnu": "win-arm64",
    "x86_64-macos": "macosx-11.0-x86_64",
    "aarch64-macos": "macosx-11.0-arm64",
    "aarch64-linux-musl": "linux-aarch64",
}
# Cython's code has functions and parameters that not every module uses.
WARNINGS = ["-Wall", "-Wextra", "-Werror", "-Wno-unused-function", "-Wno-unused-parameter", "-Wno-sign-compare"]
WARNINGS += ["-Wno-missing-field-initializers", "-Wno-unused-but-set-variable"]
SYNCHRONIZATION = "-lapi-ms-win-core-synch-l1-2-0"  # the library that setup.py calls "synchronization"
# What Python's headers must know of a system with addresses of 64 bits.
PYCONFIG = """\
#define SIZEOF_VOID_P 8
#define SIZEOF_SIZE_T 8
#define SIZEOF_SHORT 2
#define SIZEOF_INT 4
#define SIZEOF_LONG_LONG 8
#define SIZEOF_FLOAT 4
#define SIZEOF_DOUBLE 8
#define ALIGNOF_MAX_ALIGN_T 16
#define HAVE_STDINT_H 1
#define HAVE_INTTYPES_H 1
#define HAVE_STDDEF_H 1
#if defined(_WIN32)
#define MS_WINDOWS 1
#define MS_WIN64 1
#define SIZEOF_LONG 4
#define SIZEOF_WCHAR_T 2
#define SIZEOF_PID_T 4
#define HAVE_DECLSPEC_DLL 1
#define Py_ENABLE_SHARED 1
#define HAVE_PY_SSIZE_T 1
typedef long long Py_ssize_t;
#define PY_SSIZE_T_MAX 0x7fffffffffffffffLL
#define PYLONG_BITS_IN_DIGIT 30
#define NT_THREADS 1
#else
#define SIZEOF_LONG 8
#define SIZEOF_WCHAR_T 4
#define SIZEOF_PID_T 4
#define HAVE_SSIZE_T 1
#define HAVE_PTHREAD_H 1
#define HAVE_UNISTD_H 1
#define HAVE_SYS_TYPES_H 1
#define HAVE_SYS_TIME_H 1
#define HAVE_SYS_STAT_H 1
#endif
"""
# What crnn takes from Microsoft's headers, which only Windows has.
STUBS = {
    "windows.h": """\
#pragma once
typedef void *HANDLE; typedef void *LPVOID; typedef unsigned long DWORD; typedef int BOOL;
typedef union { long long QuadPart; } LARGE_INTEGER;
#define WINAPI __stdcall
#define INFINITE 0xffffffffu
BOOL QueryPerformanceCounter(LARGE_INTEGER *); BOOL QueryPerformanceFrequency(LARGE_INTEGER *);
BOOL WaitOnAddress(volatile void *, void *, size_t, DWORD); void WakeByAddressAll(void *);
BOOL IsProcessorFeaturePresent(DWORD); DWORD WaitForSingleObject(HANDLE, DWORD); BOOL CloseHandle(HANDLE);
HANDLE CreateThread(void *, size_t, DWORD(WINAPI *)(LPVOID), LPVOID, DWORD, DWORD *);
""",
    "math.h": "#pragma once\ndouble fabs(double); double sqrt(double); float sqrtf(float);\n",
    "string.h": "#pragma once\n#include <stddef.h>\nvoid *memcpy(void *, const void *, size_t);\n"
    "void *memset(void *, int, size_t);\n",
    "stdlib.h": "#pragma once\n",
    "malloc.h": "#pragma once\n#include <stddef.h>\nvoid *malloc(size_t); void free(void *);\n",
    "stdio.h": "#pragma once\ntypedef struct FILE FILE;\n#define stdout ((FILE *)0)\n#define _IONBF 4\n"
    "int printf(const char *, ...); int setvbuf(FILE *, char *, int, unsigned long long);\n",
}


def step(text: str) -> None:
    """Print what follows, with the time since the start."""
    print(f"{time.perf_counter() - START:5.0f} s  {text}", flush=True)


def run(command: list[str], **variables: str) -> str:
    """Run a command with further environment variables, and return its output; end the program if it fails."""
    environment = os.environ | variables
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment, check=False
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stdout}\nfailed with exit code {done.returncode}")
    return done.stdout


def zig(*arguments: object) -> None:
    """Run `zig` with its cache beside what it makes."""
    cache = str(BUILD / "zig")
    command = [sys.executable, "-m", "ziglang", *map(str, arguments)]
    run(command, ZIG_GLOBAL_CACHE_DIR=cache, ZIG_LOCAL_CACHE_DIR=cache)


def generated() -> dict[str, Path]:
    """Return the C files that Cython makes of some modules, by name."""
    directives = [f"-X{name}={value}" for name, value in SETUP["DIRECTIVES"].items()]
    files = {}
    for name in CYTHON_FILES:
        source = ROOT / name
        files[source.stem] = BUILD / f"{source.stem}.c"
        run([sys.executable, "-m", "cython", *directives, str(source), "-o", str(files[source.stem])])
    return files


def headers() -> Path:
    """Return a folder with this Python's headers for the targets, and with the names that its library exports."""
    folder = BUILD / "include"
    shutil.copytree(sysconfig.get_path("include"), folder, dirs_exist_ok=True)
    (folder / "pyconfig.h").write_text(PYCONFIG)
    text = "\n".join(path.read_text(errors="replace") for path in sorted(folder.rglob("*.h")))
    functions = set(re.findall(r"PyAPI_FUNC\([^)]*\)[\s\w]*?\b(\w+)\s*\(", text))
    data = set(re.findall(r"PyAPI_DATA\([^)]*\)\s*(\w+)\s*(?:\[\])?;", text)) - functions
    lines = ["LIBRARY python3.dll", "EXPORTS", *sorted(functions), *(f"{name} DATA" for name in sorted(data))]
    (BUILD / "python.def").write_text("\n".join(lines))
    return folder


def modules(target: str) -> list[tuple[str, str, str]]:
    """Return the modules for a target: what each is of, its instruction set, and its number type if it has one."""
    sets = SETUP["instruction_sets"](TARGETS[target], clang=True)
    kernels = [("kernels", name, kind) for name in sets for kind in ("float32", "int8")]
    classics = [("classic", name, "") for name in sets if "float64" in SETUP["INSTRUCTION_SETS"][name].kinds]
    return [("core", "baseline", ""), *classics] + [
        (of, name, kind) for of, name, kind in kernels if kind in SETUP["INSTRUCTION_SETS"][name].kinds
    ]


def make_module(target: str, source: Path, instruction_set: str, kind: str, include: Path, link: bool) -> None:
    """Compile one module, and perhaps link it."""
    module = BUILD / target / f"{source.stem}-{instruction_set}-{kind or 'once'}"
    once = ["CRNN_ENTRY_POINTS"] if source.stem == "core" else []
    defines = [f"-D{name}=1" for name in SETUP["DTYPES"].get(kind, once)]
    flags = [*SETUP["compile_flags"]("clang", instruction_set, WARNINGS), "-O1", "-fno-sanitize=undefined", "-fPIC"]
    places = [f"-I{folder}" for folder in (include, *ROOMS)]
    zig("cc", "-target", target, *flags, *defines, *places, "-c", source, "-o", f"{module}.o")
    if not link:
        return
    if "windows" in target:
        libraries = [BUILD / target / "python.lib", SYNCHRONIZATION]
    else:
        libraries = ["-Wl,-undefined,dynamic_lookup"] if "macos" in target else ["-Wl,-z,undefs"]
    zig("cc", "-target", target, "-shared", f"{module}.o", *libraries, "-o", f"{module}.so")


def make_all(*, link: bool) -> None:
    """Compile the modules for all targets, and perhaps link them."""
    BUILD.mkdir(parents=True, exist_ok=True)
    sources, include = generated(), headers()
    jobs = [(target, sources[of], name, kind) for target in TARGETS for of, name, kind in modules(target)]
    for target in TARGETS:
        (BUILD / target).mkdir(parents=True, exist_ok=True)
        if "windows" in target:
            machine = "arm64" if "aarch64" in target else "i386:x86-64"
            zig("dlltool", "-m", machine, "-d", BUILD / "python.def", "-l", BUILD / target / "python.lib")
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        made = [pool.submit(make_module, *job, include, link) for job in jobs]
        for (target, source, name, kind), one in zip(jobs, made, strict=True):
            one.result()
            step(f"{target}: {source.stem} {name} {kind}")


# ------------------------------------------------------------------------------ running


def program(target: str, instruction_set: str, kind: str) -> Path:
    """Compile tools/cross_compile.c for a target, and return the program."""
    file = BUILD / target / f"check-{instruction_set}-{kind}"
    file.parent.mkdir(parents=True, exist_ok=True)
    flags = SETUP["compile_flags"]("clang", instruction_set, WARNINGS)
    defines = [f"-D{name}=1" for name in SETUP["DTYPES"][kind]]
    places = [f"-I{folder}" for folder in ROOMS]
    zig("cc", "-target", target, *flags, *defines, *places, "-c", ROOT / "tools" / "cross_compile.c", "-o", f"{file}.o")
    libraries = [SYNCHRONIZATION] if "windows" in target else ["-lm", "-lpthread"]
    zig("cc", "-target", target, f"{file}.o", *libraries, "-o", f"{file}.exe")
    return file.with_suffix(".exe")


def run_all() -> None:
    """Run the program on this processor, under Wine and under QEMU, and compare the hashes of its products."""
    emulators: dict[str, list[str]] = {
        "x86_64-linux-musl": [], "x86_64-windows-gnu": ["wine"], "aarch64-linux-musl": ["qemu-aarch64"],
    }  # fmt: skip
    variables = {"WINEDEBUG": "-all", "WINEPREFIX": str(BUILD / "wine"), "QEMU_CPU": "neoverse-n1"}
    hashes: dict[tuple[str, str, str], list[str]] = {}
    for target, emulator in emulators.items():
        sets = ("baseline", "neon_dotprod") if "aarch64" in target else ("baseline", "avx2")
        for kind in SETUP["DTYPES"]:
            for name in sets:
                if kind in SETUP["INSTRUCTION_SETS"][name].kinds:
                    out = run([*emulator, str(program(target, name, kind))], **variables)
                    hashes[target, name, kind] = re.findall(r"[0-9a-f]{16}", out)
                    step(f"{target}: {name} {kind} {' '.join(hashes[target, name, kind])}")
    for (target, name, kind), found in hashes.items():
        # Integers are exact. On ARM, as with AVX2, additions are fused; tail columns are summed in lanes, of which
        # there are fewer.
        arm = "aarch64" in target
        same = ("x86_64-linux-musl", "avx2" if arm or kind == "int8" else name, kind)
        n = 2 if arm and kind != "int8" else 3
        if found[:n] != hashes[same][:n] or len(found) != 3:
            raise SystemExit(f"{target}, {name}, {kind}: {found} is not {hashes[same]} as for {' '.join(same)}")


def try_clang_cl() -> None:
    """Compile tools/cross_compile.c as clang-cl would for Windows, with stubs for Microsoft's headers."""
    clang = next((path for name in ("clang", "clang-19", "clang-18") if (path := shutil.which(name))), None)
    if clang is None:
        raise SystemExit("apt-get install clang")
    stubs = BUILD / "stubs"
    stubs.mkdir(parents=True, exist_ok=True)
    for name, text in STUBS.items():
        (stubs / name).write_text(text)
    for machine, platform in (("x86_64", "win-amd64"), ("aarch64", "win-arm64")):
        for name in SETUP["instruction_sets"](platform, clang=True):
            for kind in SETUP["INSTRUCTION_SETS"][name].kinds:
                flags = SETUP["compile_flags"]("clang-cl", name, [*WARNINGS, "-ffreestanding"])
                defines = [f"/D{define}=1" for define in SETUP["DTYPES"][kind]]
                places = [f"/I{folder}" for folder in (stubs, *ROOMS)]
                command = [clang, "--driver-mode=cl", f"--target={machine}-pc-windows-msvc", *flags, *defines, *places]
                command += [f"/Fo{stubs / 'object.obj'}", "/c"]
                source = ["--", str(ROOT / "tools" / "cross_compile.c")]  # without "--", its slash begins an option
                run([*command, *source])
                if "-ffp-contract=off" not in run([*command, "-###", *source]):
                    raise SystemExit("clang-cl may fuse multiplications with additions")
                step(f"clang-cl for {machine}: {name} {kind}")


def main() -> None:
    """Compile and, if asked, link and run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    what = "also link, try clang-cl, and run a program under Wine and QEMU"
    parser.add_argument("--run", action="store_true", help=what)
    options = parser.parse_args()
    make_all(link=options.run)
    if options.run:
        try_clang_cl()
        run_all()


os.chdir(ROOT)  # where setup.py runs
START = time.perf_counter()
SETUP = runpy.run_path(str(ROOT / "setup.py"))
ROOMS = [ROOT / room for room in SETUP["ROOMS"]]

if __name__ == "__main__":
    main()
