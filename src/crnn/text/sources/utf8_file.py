"""A UTF-8 file read block by block: gzip files are decompressed; line ends are kept, a byte-order mark is not."""

from __future__ import annotations

import codecs
import os
from collections.abc import Callable, Iterator
from typing import Literal

from .decompressed import Decompressed

MARK = "\ufeff"  # the byte-order mark, which some editors on Windows write at the start of a file

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
    called with the raw bytes as they are read. A byte-order mark at the start is dropped.
    The `start` of a UnicodeDecodeError counts bytes from the start of the file's text; in its `object` the bytes of
    earlier blocks are NUL. A note names the file.
    """
    decoder = codecs.getincrementaldecoder("utf-8")(errors)
    position, begun = 0, False  # of the next byte to read; whether a character was decoded
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
            if text and not begun:
                text, begun = text.removeprefix(MARK), True
            if text:
                yield text
            if not data:
                return
            position += len(data)


def conversion(error: UnicodeDecodeError) -> str:
    r"""Name the encoding that a file probably has instead of UTF-8, and say how to convert it.

    Examples
    --------
    >>> conversion(UnicodeDecodeError("utf-8", b"\xff\xfea\0", 0, 1, "invalid start byte"))
    'It looks like UTF-16. Save it as UTF-8 in an editor, or convert it: iconv -f UTF-16 -t UTF-8 FILE > NEW.'
    """
    utf16 = error.object.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    name, likely = ("UTF-16", "looks like UTF-16") if utf16 else ("CP1252", "may be Windows-1252 (cp1252)")
    return f"It {likely}. Save it as UTF-8 in an editor, or convert it: iconv -f {name} -t UTF-8 FILE > NEW."


def _located(error: UnicodeDecodeError, offset: int, path: Path) -> UnicodeDecodeError:
    """Move a decoding error of the bytes at `offset` of a file to its position in the file."""
    # A UnicodeDecodeError's `start` refers to its object, so the object needs the length of the file so far. Earlier
    # bytes are replaced by NUL, since a pipe cannot be read again.
    data = error.object.rjust(offset + len(error.object), b"\0")
    moved = UnicodeDecodeError(error.encoding, data, offset + error.start, offset + error.end, error.reason)
    moved.add_note(
        f"in the file {os.fspath(path)!r}. {conversion(moved)} Or pass its bytes instead of its path."
    )
    return moved
