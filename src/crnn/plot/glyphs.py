"""Symbols as single characters that a picture can show."""

from __future__ import annotations

import unicodedata
from typing import Any

from ..text.symbols.special import BOUNDARY

__all__ = ["glyph"]

_SHOWN = {" ": "\N{OPEN BOX}", "\n": "\N{DOWNWARDS ARROW WITH CORNER LEFTWARDS}", "\t": "\N{RIGHTWARDS ARROW}"}
_END = "\N{END OF PROOF}"
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def glyph(symbol: Any, *, space: bool = False) -> str:
    r"""Return one visible character for a symbol, whatever it is.

    Parameters
    ----------
    symbol : str of length 1, bytes of length 1 or Special
    space : bool, default=False
        Whether a space is shown as an open box.

    Returns
    -------
    str
        Line ends and tabs are arrows, the end of a document is a square, a combining mark stands on a dotted circle.
        The replacement character stands for all others that cannot be shown: control characters, surrogates, characters
        that change the direction of writing, unknown symbols. Bytes are Latin-1.

    Examples
    --------
    >>> glyph("a"), glyph("\n"), glyph("\u202e"), glyph(b"\xe9"), glyph(BOUNDARY)
    ('a', '↵', '�', 'é', '∎')
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

