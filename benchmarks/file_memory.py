"""How much memory do a model file and a long line take?

``python -m benchmarks.file_memory`` prints, for each, the size and the growth of the process at its peak, in MB. The
limit for a model file is 3 times its size and 16 MB. Linux only.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from crnn import CharRNN

LINE = 200_000_000  # bytes; all are scored, one after the other

PEAK = """
import sys
from crnn import CharRNN, ModelFileError
from crnn.cli.main import main
def peak():
    return int(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))) / 1024
{warm_up}
before = peak()
{measured}
print(peak() - before)
"""
LOAD = "CharRNN.load({!r})"
REFUSED = "try:\n    CharRNN.load({!r})\nexcept ModelFileError: pass"
SCORE = "main(['score', {!r}, '--lines', {!r}])"


def growth(warm_up: str, measured: str) -> float:
    """Return by how many MB a new process grows at most."""
    command = [sys.executable, "-c", PEAK.format(warm_up=warm_up, measured=measured)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[-1])


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as name:
        small, large, hostile, line = (str(Path(name) / file) for file in ("small", "large", "hostile", "line"))
        CharRNN(4, max_steps=1, random_state=0).fit("ab").save(small)
        CharRNN(1024, cell="lstm", optimizer="adam", num_layers=2, max_steps=1, n_threads=1).fit("ab" * 50).save(large)
        header = b'{"__metadata__":{},' + b'"a":[[],[],[]],' * 1_000_000 + b"}"
        Path(hostile).write_bytes(len(header).to_bytes(8, "little") + header)
        Path(line).write_bytes(b"ab" * (LINE // 2))
        Path(name, "short").write_bytes(b"ab\n")
        print(f"{'':<36}{'MB':>8}{'growth, MB':>12}{'seconds':>10}")
        for what, path, warm_up, measured in (
            ("load a model", large, LOAD.format(small), LOAD.format(large)),
            ("refuse a header of a million lists", hostile, LOAD.format(small), REFUSED.format(hostile)),
            ("score one line", line, SCORE.format(small, str(Path(name, "short"))), SCORE.format(small, line)),
        ):
            start = time.perf_counter()
            found = growth(warm_up, measured)
            seconds = time.perf_counter() - start
            print(f"{what:<36}{Path(path).stat().st_size / 1e6:8.0f}{found:12.0f}{seconds:10.1f}", flush=True)


if __name__ == "__main__":
    main()
