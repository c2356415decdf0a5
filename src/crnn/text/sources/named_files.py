"""NamedFiles: the files of a text or of lines, their kind of symbols, and a folder for their ids."""

from __future__ import annotations

from ...parameters.checks import FilePath, checked_choice, checked_path
from ..symbols.codes import MAX_CODE, Kind
from .file_blocks import Paths, paths_of


class NamedFiles:
    """Files named now and read later.

    Examples
    --------
    >>> NamedFiles(b"names.txt", kind="bytes")
    NamedFiles('names.txt', kind='bytes')
    >>> NamedFiles(["a.txt", "b.txt"]).paths
    ('a.txt', 'b.txt')
    """

    def __init__(self, paths: Paths, *, kind: Kind = "characters", cache: FilePath | None = None) -> None:
        self.paths = paths_of(paths)
        checked_choice("kind", kind, MAX_CODE)
        self.kind = kind
        self.cache = None if cache is None else checked_path("cache", cache)

    def __repr__(self) -> str:
        shown = self.paths[0] if len(self.paths) == 1 else list(self.paths)
        kind = "" if self.kind == "characters" else f", kind={self.kind!r}"
        cache = "" if self.cache is None else f", cache={self.cache!r}"
        return f"{type(self).__name__}({shown!r}{kind}{cache})"
