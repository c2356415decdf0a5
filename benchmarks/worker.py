"""A process that times one contender when told to: `python -m benchmarks.worker KIND NAME ...`.

The report runs each contender in a process of its own, with the threads and cores it is to use, and lets them take
turns: so that the machine's drift falls on all alike, and no framework's settings reach another. A line on standard
input asks for one repeat; the answer is a line of JSON with seconds, and what the work returned.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable

from benchmarks import work


def main() -> None:
    """Make the work ready, run it once, then once more for every line on standard input."""
    kind, *arguments = sys.argv[1:]
    run: Callable[[], float] = work.KINDS[kind](*arguments)
    first = run()
    print(json.dumps({"first": first}), flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        value = run()
        print(json.dumps({"seconds": time.perf_counter() - start, "value": value}), flush=True)


if __name__ == "__main__":
    main()
