"""Reading the limits of control groups loses no signal."""

import signal

from command_line import POSIX

from crnn.runtime.machine import whole_number


@POSIX
def test_a_signal_during_a_refusal_is_not_lost():
    """In Python 3.11 `int("max")` in its place lost every third signal."""

    def interrupt(number, frame):
        seen.append(number)
        raise KeyboardInterrupt

    def refuse():  # Python 3.13 leaves the jump back of a loop out of the try statement around it
        while not seen:
            whole_number("max")

    seen, caught, before = [], 0, signal.signal(signal.SIGALRM, interrupt)
    try:
        for _ in range(60):
            seen.clear()
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.0005)
                refuse()
            except KeyboardInterrupt:
                caught += 1
    finally:
        signal.signal(signal.SIGALRM, before)
    assert caught == 60
