"""TextFile: one text in one or more files, with a folder for its ids."""

from __future__ import annotations

import os
from typing import Any

from .file_reader import FileReader
from .named_files import NamedFiles

BLOCK_SIZE = 1 << 20


class TextFile(NamedFiles):
    """One text in one or more files, concatenated, for `CharRNN.fit` and other methods that take a text.

    ``fit(Path("book.txt"))`` and ``fit([Path("a.txt"), Path("b.txt")])`` are shortcuts for it. Files of more than 64 MB
    in total are mapped from a cache file, to which their symbols are written once, as ids. It takes as many bytes as
    the text has symbols, or 2 or 4 times as many if there are more than 256 different ones. It is reused while the
    files have the same size, and the same modification time or contents.

    Parameters
    ----------
    paths : path or list of paths
        UTF-8 files, whose line ends are kept. gzip files are decompressed as they are read.
    kind : {"characters", "bytes"}, default="characters"
        "bytes": the symbols are bytes, and the files may have any contents; they are read unchanged.
    cache : path or None, default=None
        The folder for the cache file; a text of any size is then read from it. None: the folder of the first file, or
        the folder named by the environment variable ``CRNN_CACHE``. If it cannot be written, a temporary file is
        used, and a UserWarning says so.

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

    @property
    def max_length(self) -> int:
        """The bytes of all files, at least the number of symbols.

        Examples
        --------
        >>> TextFile([os.devnull, os.devnull]).max_length
        0
        """
        return self.reader.max_length

    @property
    def is_read_once(self) -> bool:
        """Whether one of the files is a pipe or device, which can be read only once.

        Examples
        --------
        >>> TextFile(os.devnull).is_read_once
        True
        """
        return any(os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path) for path in self.paths)

    def read(self) -> Any:
        """Return the whole text, str or bytes.

        Examples
        --------
        >>> TextFile(os.devnull, kind="bytes").read()
        b''
        """
        blocks = [*self.reader.blocks(BLOCK_SIZE)]
        return "".join(blocks) if self.kind == "characters" else b"".join(blocks)

    @property
    def reader(self) -> FileReader:
        """The reader of the files."""
        return FileReader(self.paths, self.kind)
