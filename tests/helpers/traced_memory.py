"""How much memory a block of a test takes."""

import tracemalloc
from contextlib import contextmanager
from types import SimpleNamespace


@contextmanager
def traced_memory():
    """Give an object whose `value` is how much memory the block used at most, once the block has ended."""
    peak = SimpleNamespace()
    tracemalloc.start()
    try:
        yield peak
    finally:
        peak.value = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
