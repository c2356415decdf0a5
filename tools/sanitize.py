"""Run the kernels' tests under a sanitizer: python tools/sanitize.py thread | address | valgrind.

Builds the package with the sanitizer's flags in build/sanitize-NAME, leaving the working tree alone, and runs the tests
of the kernels there with the interpreter that runs this script (which needs the `test` extra). Exits with 0 when the
tests pass and nothing in crnn's own code was reported. Linux with gcc; `valgrind` needs the program of that name.

    python tools/sanitize.py address tests/files            other tests
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COMPILED = (
    "kernels",
    "ngram",
    "text/test_copies.py",
    *(f"training/test_{name}.py" for name in ("trainer", "shards", "gradients")),
    "model/test_exclusive_use.py",
    *(f"inference/test_{name}.py" for name in ("packed_network", "shared_stream")),
    *(f"text_states/test_{name}.py" for name in ("text_state", "text_states")),
    *(f"matching/test_{name}.py" for name in ("pattern", "trials")),
    "restoring/test_restorer.py",
)
TESTS = {
    "thread": COMPILED,
    "address": COMPILED,
    "valgrind": ("test_golden.py",),  # fifty times slower: steps of training through every kernel
}
# The thread sanitizer has memory of its own for each byte that a test allocates, here tens of GB that nothing touches.
TOO_LARGE = "--deselect=tests/kernels/test_kernels.py::test_training_has_no_more_rows_than_a_blas_counts"
FLAGS = {
    "thread": "-fsanitize=thread -g -O1",
    # gcc's object-size check is wrong about a table chosen by a condition; the address sanitizer guards tables anyway
    "address": "-fsanitize=address,undefined -fno-sanitize=object-size -fno-sanitize-recover=undefined "
    "-fno-omit-frame-pointer -g -O1",
    "valgrind": "-g -O1",
}
LIBRARIES = {"thread": ("libtsan.so",), "address": ("libasan.so", "libubsan.so"), "valgrind": ()}
# Python itself never frees some of its allocations, so leaks are not reported. Use-after-return detection moves frames,
# and moved frames lack the alignment that gcc's vector stores need (gcc bug 110027).
OPTIONS = {
    "TSAN_OPTIONS": "exitcode=66 report_signal_unsafe=0",
    "ASAN_OPTIONS": "detect_leaks=0:detect_stack_use_after_return=0",
    "UBSAN_OPTIONS": "print_stacktrace=1",
}


def build(name: str) -> Path:
    """Build the package with the flags of a sanitizer; return the folder to import it from."""
    target = ROOT / "build" / f"sanitize-{name}"
    folders = ["--build-base", str(target), "--build-lib", str(target / "lib")]
    command = [sys.executable, "setup.py", "-q", "build", *folders, "build_ext", "--for-tests"]
    subprocess.run(command, cwd=ROOT, env={**os.environ, "CRNN_BUILD": "all", "CRNN_CFLAGS": FLAGS[name]}, check=True)
    return target / "lib"


def environment(name: str, library: Path) -> dict[str, str]:
    """Return the environment of the tests: the build first on the path, the sanitizer's library before all others."""
    found = [
        subprocess.run(["gcc", f"-print-file-name={file}"], capture_output=True, text=True, check=True).stdout.strip()
        for file in LIBRARIES[name]
    ]
    env = {**os.environ, **OPTIONS, "PYTHONPATH": f"{library}{os.pathsep}{ROOT / 'tests' / 'helpers'}"}
    if name == "thread":
        # The BLAS is not instrumented: what its own threads do with NumPy's arrays looks like races, and is not ours.
        suppressions = library.parent / "suppressions"
        suppressions.write_text("race:libscipy_openblas\n", encoding="utf-8")
        env["TSAN_OPTIONS"] += f" suppressions={suppressions}"
    if found:
        env["LD_PRELOAD"] = " ".join(found)
    if name == "valgrind":
        env |= {"PYTHONMALLOC": "malloc", "CRNN_ISA": "avx2"}  # valgrind knows no AVX-512
    return env


def main() -> int:
    """Build, run, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sanitizer", choices=FLAGS)
    parser.epilog = "All else is passed on. By default pytest runs the tests of the kernels."
    options, arguments = parser.parse_known_args()
    library = build(options.sanitizer)
    log = library.parent / "valgrind.log"
    named = [str(ROOT / part) if (ROOT / part).exists() else part for part in arguments]  # pytest runs elsewhere
    tests = named or [str(ROOT / "tests" / file) for file in TESTS[options.sanitizer]]
    # In one process: the thread sanitizer reports a race by its process's exit code.
    command = [sys.executable, "-m", "pytest", "-qs", "-n", "0", "-p", "no:cacheprovider", "-o", "testpaths=", *tests]
    if options.sanitizer == "thread":
        command.append(TOO_LARGE)
    if options.sanitizer == "valgrind":
        command = ["valgrind", "--leak-check=no", f"--log-file={log}", "--num-callers=30", *command]
    env = environment(options.sanitizer, library)
    code = subprocess.run(command, cwd=library.parent, env=env, check=False).returncode
    if options.sanitizer == "valgrind":
        # Reports about the interpreter or the BLAS alone are not ours.
        reports = re.split(r"\n==\d+== \n", log.read_text(errors="replace"))
        ours = [report for report in reports if re.search(r"core\.c|kernels\.c|register_tile\.h", report)]
        print("\n".join(ours) or "valgrind: nothing in crnn's own code", flush=True)
        return code or int(bool(ours))
    return code


if __name__ == "__main__":
    sys.exit(main())
