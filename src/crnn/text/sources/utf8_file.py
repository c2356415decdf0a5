"""A UTF-8 file read block by block: gzip files are decompressed; line ends and byte order marks are kept."""

from __future__ import annotations

import codecs
import os
from collections.abc import Callable, Iterator
from typing import Literal

from .decompressed import Decompressed

Path = str | os.PathLike[str] | os.PathLike[bytes]


def utf8_blocks(
    path: Path,
    block_size: int,
    seen: Callable[[bytes], object] | None = None,
    *,
    errors: Literal["strict", "replace"] = "strict",
) -> Iterator[str]:
    """Yield the text of a file, pipe or device, opened with the first block, in non-empty blocks.

    `block_size` is the number of bytes per read, and therefore the maximum number of characters in a block. `seen` is
    called with the raw bytes as they are read. The `start` of a UnicodeDecodeError counts bytes from the start of the
    text; in its `object` the bytes of earlier blocks are NUL. A note names the file.
    """
    decoder = codecs.getincrementaldecoder("utf-8")(errors)
    position = 0  # of the next byte to read
    with open(path, "rb") as file:
        contents = Decompressed(file, os.fsdecode(path), seen=seen)
        while True:
            data = contents.read1(block_size)
            # The decoder keeps up to three bytes of an incomplete character.
            held = len(decoder.getstate()[0])
            try:
                text = decoder.decode(data, final=not data)
            except UnicodeDecodeError as error:
                raise _located(error, position - held, path) from None
            if text:
                yield text
            if not data:
                return
            position += len(data)


def _located(error: UnicodeDecodeError, offset: int, path: Path) -> UnicodeDecodeError:
    """Move a decoding error of the bytes at `offset` of a file to its position in the file."""
    # A UnicodeDecodeError's `start` refers to its object, so that must be as long as the file so far. Earlier
    # bytes are replaced by NUL, since a pipe cannot be read again.
    data = error.object.rjust(offset + len(error.object), b"\0")
    moved = UnicodeDecodeError(error.encoding, data, offset + error.start, offset + error.end, error.reason)
    moved.add_note(
        f"in the file {os.fspath(path)!r}. Convert it to UTF-8, or pass its bytes instead of its path."
    )
    return moved
