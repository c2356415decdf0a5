"""Print a hash of the weights after a short training run, for each cell, number type and instruction set.

    python tools/weight_hashes.py                   the hashes of this build
    python tools/weight_hashes.py FILE FILE ...     compare outputs of several builds; exit code 1 if some differ

Builds with the same instructions should agree, whatever the compiler and the system: initial weights come from NumPy,
all else from crnn's kernels. With 128 rows to a step, no product goes through a BLAS.
"""

from __future__ import annotations

import hashlib
import platform
import sys
from pathlib import Path

CELLS = ("rnn", "gru", "lstm")


def weight_hash(cell: str, dtype: str) -> str:
    """Return the start of the SHA-256 of a small network's weights after 40 steps."""
    from crnn import CharRNN

    text = "".join(chr(97 + i * i % 23) for i in range(5000))
    model = CharRNN(
        100, cell=cell, dtype=dtype, batch_size=8, seq_length=16, max_steps=40, n_threads=1, random_state=1
    ).fit(text)
    bits = hashlib.sha256()
    for name in sorted(model.params_):
        bits.update(model.params_[name].tobytes())
    return bits.hexdigest()[:16]


def differences(files: list[Path]) -> list[str]:
    """Return a line for each build of the kernels whose weights are not the same in all files that have it."""
    found: dict[str, set[str]] = {}
    for file in files:
        for line in file.read_text(encoding="utf-8").splitlines():
            key, _, value = line.rpartition(" ")
            found.setdefault(key, set()).add(value)
    return [f"{key}: {', '.join(sorted(values))}" for key, values in sorted(found.items()) if len(values) > 1]


def main() -> None:
    """Print the hashes, or compare files of them."""
    if len(sys.argv) > 1:
        if different := differences([Path(name) for name in sys.argv[1:]]):
            raise SystemExit("\n".join(different))
        return
    from crnn import _kernels

    machine = "ARM" if platform.machine().lower() in ("arm64", "aarch64") else "x86"
    for name in _kernels.available("float32"):
        _kernels.use(name)
        for dtype in ("float32", "float64"):
            for cell in CELLS:
                print(f"{machine} {name} {dtype} {cell} {weight_hash(cell, dtype)}", flush=True)


if __name__ == "__main__":
    main()
