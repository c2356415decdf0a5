"""Symbols as single visible characters."""

from __future__ import annotations

import unicodedata
from typing import Any

from ..text.symbols.special import BOUNDARY

_SHOWN = {" ": "\N{OPEN BOX}", "\n": "\N{DOWNWARDS ARROW WITH CORNER LEFTWARDS}", "\t": "\N{RIGHTWARDS ARROW}"}
_END = "\N{END OF PROOF}"
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def glyph(symbol: Any, *, space: bool = False) -> str:
    r"""Return one visible character for any symbol; bytes are read as Latin-1.

    Line ends and tabs become arrows, the end of a document a square; a combining mark stands on a dotted circle.
    Everything else that cannot be shown becomes the replacement character: control characters, surrogates, characters
    that change the writing direction, unknown symbols. With `space`, a space becomes an open box.

    Examples
    --------
    >>> glyph("a"), glyph("\n"), glyph("\u202e"), glyph(b"\xe9"), glyph(BOUNDARY)
    ('a', '↵', '�', 'é', '∎')
    >>> from crnn import UNKNOWN
    >>> glyph(" "), glyph(" ", space=True), glyph(b" ", space=True), glyph(UNKNOWN)
    (' ', '␣', '␣', '�')
    """
    if symbol is BOUNDARY:
        return _END
    if isinstance(symbol, bytes):
        symbol = symbol.decode("latin-1")
    if not isinstance(symbol, str):
        return _REPLACEMENT
    if symbol == " ":
        return _SHOWN[" "] if space else " "
    if symbol in _SHOWN:
        return _SHOWN[symbol]
    if unicodedata.combining(symbol):
        return "\N{DOTTED CIRCLE}" + symbol
    return symbol if symbol.isprintable() else _REPLACEMENT
