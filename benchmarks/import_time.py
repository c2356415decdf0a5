"""What does the import cost, beyond NumPy's?

``python -m benchmarks.import_time`` prints the shortest of 15 runs, each in a process of its own.
"""

from __future__ import annotations

import subprocess
import sys

PROBE = """
import time
{before}
start = time.perf_counter()
{measured}
print(time.perf_counter() - start)
"""
STATEMENTS = {
    "import numpy": ("", "import numpy"),
    "import crnn, after it": ("import numpy", "import crnn"),
    "from crnn import CharRNN, after it": ("import numpy", "from crnn import CharRNN"),
    "import scipy.linalg, after it": ("import numpy", "import scipy.linalg"),
}


def shortest(before: str, measured: str, runs: int) -> float:
    """Return the shortest time of a statement, in seconds."""
    command = [sys.executable, "-c", PROBE.format(before=before, measured=measured)]
    return min(
        float(subprocess.run(command, capture_output=True, text=True, check=True).stdout) for _ in range(runs)
    )


def main(runs: int = 15) -> None:
    """Print the table."""
    for name, (before, measured) in STATEMENTS.items():
        print(f"{name:<36}{1000 * shortest(before, measured, runs):8.1f} ms")


if __name__ == "__main__":
    main()
