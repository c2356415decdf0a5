"""A disk that is full or broken at any call of the system: an OSError, and the old file or the new one, whole."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

from trials import HERE, Outcome, environment

NO_COMPILER = "not tried: it needs Linux and a C compiler"
ERRORS = [errno.ENOSPC, errno.EIO, errno.EACCES, errno.EDQUOT]
TEXT = "to be or not to be, that is the question. "


def run(count: int, seed: int = 0) -> Outcome:
    """Let each call of saves and loads fail with each error; at most `count` of them."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None or not sys.platform.startswith("linux"):
        return Outcome(0, [NO_COMPILER])
    with tempfile.TemporaryDirectory(prefix="crnn-reliability-") as folder:
        library = str(Path(folder) / "faults.so")
        flags = ["-shared", "-fPIC", "-O1", "-o", library, str(HERE / "fault_shim.c"), "-ldl"]
        subprocess.run([compiler, *flags], check=True)
        result = subprocess.run(
            [sys.executable, __file__, folder, str(count)], env=environment() | {"LD_PRELOAD": library},
            capture_output=True, text=True,
        )  # fmt: skip
    if result.returncode:
        return Outcome(1, [f"exit code {result.returncode}: {result.stderr[-500:]}"])
    tries, *failures = result.stdout.splitlines()
    return Outcome(int(tries), failures)


def actions(folder):
    """Yield what is done with the disk: a name, and a function that does it."""
    from crnn import CharRNN

    model = CharRNN(5, max_steps=3, random_state=0).fit(TEXT)
    path = folder / "model"
    model.save(path)
    old = path.read_bytes()
    new = CharRNN(7, max_steps=3, random_state=0).fit(TEXT)
    new.save(folder / "new")
    wanted = (folder / "new").read_bytes()
    yield "save", lambda: new.save(path), old, wanted
    yield "save weights", lambda: new.save(path, training_state=False), old, None
    yield "load", lambda: CharRNN.load(path), old, old
    checkpointed = CharRNN(5, max_steps=4, random_state=0)
    yield "checkpoint", lambda: checkpointed.fit(TEXT, checkpoint=path, checkpoint_every=2), old, None


def try_all(folder: Path, count: int) -> tuple[int, list[str]]:
    """Let call after call fail until an action is through without a fault."""
    from crnn import CharRNN

    shim, tries, failures = ctypes.CDLL(None), 0, []
    path = folder / "model"
    for name, action, old, wanted in actions(folder):
        for error in ERRORS:
            n, through = 0, False
            while not through and tries < count:
                n += 1
                at = f"{name}, call {n}, {os.strerror(error)}"
                path.write_bytes(old)
                raised = None
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # an unwritten checkpoint is a warning
                    shim.fault_arm(n, error)
                    try:
                        action()
                    except OSError as found:
                        raised = found
                    except BaseException as found:
                        failures.append(f"{at}: {type(found).__name__}: {found}")
                    through = shim.fault_calls() < n
                    shim.fault_arm(0, 0)
                tries += 1
                try:
                    CharRNN.load(path)
                    data = path.read_bytes()
                    if wanted is not None and data not in (old, wanted):
                        failures.append(f"{at}: a file that is neither the old one nor the new one")
                    if raised is None and wanted is not None and data != wanted:
                        failures.append(f"{at}: no error, and the old file")
                except Exception as found:
                    failures.append(f"{at}: then {type(found).__name__}: {found}")
                for left in folder.glob(".crnn-*.tmp"):
                    left.unlink()  # of a removal that failed
    return tries, failures


if __name__ == "__main__":
    tried, wrong = try_all(Path(sys.argv[1]), int(sys.argv[2]))
    print(tried, *wrong, sep="\n")
