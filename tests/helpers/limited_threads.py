"""A system that starts no more threads."""

import threading


def refuse_threads_after(monkeypatch, allowed):
    """Let the first `allowed` threads start, and refuse the others as a system at its limit does."""
    start, left = threading.Thread.start, [allowed]

    def limited(thread):
        if not left[0]:
            raise RuntimeError("can't start new thread")
        left[0] -= 1
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", limited)
