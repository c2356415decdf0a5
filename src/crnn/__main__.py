"""The command ``crnn``, also ``python -m crnn``, which Ctrl-C ends quietly at any moment."""

from __future__ import annotations

import sys


def main() -> int:
    """Import the command line, which takes a moment, run it and return its exit code."""
    try:
        from .runtime.signals import signals_deferred

        try:
            with signals_deferred():
                from .cli.main import main as run
        except ValueError as error:  # of CRNN_ISA, in which only the compiled modules see a mistake
            print(f"crnn: error: {error}", file=sys.stderr)
            return 2
        return run()
    except KeyboardInterrupt:  # before a command has begun, or after its end
        return 130


if __name__ == "__main__":
    sys.exit(main())
