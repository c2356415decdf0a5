"""TextFile and Lines: text files as one text, or line by line as documents, and the reader of their blocks."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from ..errors import InvalidInputError
from ..parameters.checks import FilePath, checked_choice, checked_path, has_items
from .file_reader import BLOCK_SIZE, FileReader
from .vocabulary import MAX_CODE, Kind

Paths = FilePath | Iterable[FilePath]


def paths_of(paths: Paths) -> tuple[str, ...]:
    """Return one or more paths as a tuple of str."""
    if isinstance(paths, (str, bytes, os.PathLike)):
        paths = [paths]
    if not has_items(paths):
        raise InvalidInputError(f"paths is of type {type(paths).__name__}. Pass a path or a list of paths.")
    names = tuple(checked_path(f"paths[{i}]", path) for i, path in enumerate(paths))
    if not names:
        raise InvalidInputError("paths is an empty list. Pass at least 1 file.")
    return names


def is_pipe(path: str) -> bool:
    """Return whether a path names a pipe or device, which can be read only once."""
    return os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path)


class NamedFiles:
    """Files named now and read later."""

    def __init__(self, paths: Paths, *, kind: Kind = "characters", cache: FilePath | None = None) -> None:
        self.paths = paths_of(paths)
        checked_choice("kind", kind, MAX_CODE)
        self.kind = kind
        self.cache = None if cache is None else checked_path("cache", cache)

    @property
    def is_read_once(self) -> bool:
        """Whether one of the files is a pipe or device, which can be read only once."""
        return any(map(is_pipe, self.paths))

    @property
    def reader(self) -> FileReader:
        """The reader of the files."""
        return FileReader(self.paths, self.kind)

    @property
    def max_length(self) -> int:
        """An upper bound of the symbols, line ends included, before a transform. Only gzip files are read for it."""
        return self.reader.max_length

    def __repr__(self) -> str:
        shown = self.paths[0] if len(self.paths) == 1 else list(self.paths)
        kind = "" if self.kind == "characters" else f", kind={self.kind!r}"
        cache = "" if self.cache is None else f", cache={self.cache!r}"
        return f"{type(self).__name__}({shown!r}{kind}{cache})"


class TextFile(NamedFiles):
    r"""One text in one or more files, concatenated, for `CharRNN.fit` and other methods that take a text.

    ``fit(Path("book.txt"))`` and ``fit([Path("a.txt"), Path("b.txt")])`` are shortcuts for it. Files of more than 64 MB
    in total are mapped from a cache file, to which their symbols are written once, as ids. It takes as many bytes as
    the text has symbols, or 2 or 4 times as many if there are more than 256 different ones. It is reused while the
    files have the same size, and the same modification time or contents.

    Parameters
    ----------
    paths : path or list of paths
        UTF-8 files. gzip files are decompressed as they are read, and ``\r\n`` is read as ``\n``.
    kind : {"characters", "bytes"}, default="characters"
        "bytes": the symbols are bytes, and the files may have any contents; they are read unchanged.
    cache : path or None, default=None
        The folder for the cache file; a text of any size is then read from it. None: the folder named by the
        environment variable ``CRNN_CACHE``, or else ``crnn`` in the user's folder for caches, such as ``~/.cache``. If
        it cannot be written, a temporary file is used, and a UserWarning says so.

    Attributes
    ----------
    paths : tuple of str
        The paths of the files.
    kind : str
        The kind of symbols, "characters" or "bytes".
    cache : str or None
        The folder for the cache file; None if none was given.
    is_read_once : bool
        Whether one of the files is a pipe or device, which can be read only once.
    max_length : int
        An upper bound of the symbols, line ends included, before a transform. Only gzip files are read for it.
    reader : FileReader
        The reader of the files.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from crnn import CharRNN, TextFile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ("one.txt", "two.txt"):
    ...         _ = Path(folder, name).write_text(f"this is {name}")
    ...     text = TextFile(sorted(Path(folder).glob("*.txt")), cache=folder)
    ...     model = CharRNN(8, epochs=1, random_state=0).fit(text)
    ...     len(model.vocabulary_), len(list(Path(folder).glob("*.crnn-ids")))
    (11, 1)
    """

    def read(self) -> Any:
        """Return the whole text, str or bytes."""
        blocks = [*self.reader.blocks(BLOCK_SIZE)]
        return "".join(blocks) if self.kind == "characters" else b"".join(blocks)
