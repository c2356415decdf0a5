"""Check whether a file can be written before doing any work."""

from __future__ import annotations

import os
import stat

from .atomic_file import mode_of_target


def check_writable(path: str) -> None:
    """Raise an error now if writing there later would fail; see `write_atomically`."""
    mode = mode_of_target(path)
    if mode is None or stat.S_ISREG(mode):  # a new file is created next to it; /dev/null is written to
        try:
            import tempfile  # here, since `import crnn` should be fast

            with tempfile.TemporaryFile(dir=os.path.dirname(os.path.realpath(path))):
                pass
        except OSError as error:
            raise OSError(error.errno, error.strerror, path) from None
