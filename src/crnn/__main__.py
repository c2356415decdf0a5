"""The command ``crnn``, also ``python -m crnn``, which Ctrl-C ends quietly at any moment."""

from __future__ import annotations

import os
import signal
import sys

TYPE_CHECKING = False  # see the package
if TYPE_CHECKING:
    from typing import Any


def main() -> int:
    """Import the command line, which takes a moment, and run it.

    Returns
    -------
    int
        The exit code.
    """
    usual = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # and not ignored
    if usual:
        signal.signal(signal.SIGINT, _leave)  # an exception could strike within any import
    try:
        try:
            from .cli.main import main as run
        except ValueError as error:  # of CRNN_ISA, in which only the compiled modules see a mistake
            if sys.stderr is not None:
                print(f"crnn: error: {error}", file=sys.stderr)
            return 2

        if usual:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        return run()
    except KeyboardInterrupt:  # before a command has begun, or after its end
        return 130


def _leave(number: int, frame: Any) -> None:
    os._exit(130)


if __name__ == "__main__":
    sys.exit(main())
