"""Properties of a text that a unit may follow: one number per character, known from the text up to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_OPENING, _CLOSING = "([{", ")]}"
_QUOTES = {'"': '"', "\N{LEFT DOUBLE QUOTATION MARK}": "\N{RIGHT DOUBLE QUOTATION MARK}"}


def inside_quotes(text: str) -> Array:
    """Return 1 for characters of a double-quoted passage, including its opening quote, otherwise 0.

    An empty line ends a passage, since authors do not close a quote that continues in the next paragraph.

    Examples
    --------
    >>> inside_quotes('a "b" c').tolist()
    [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0]
    """
    inside, closing, before = np.zeros(len(text)), "", ""
    for i, character in enumerate(text):
        if closing:
            if character == closing or (character == before == "\n"):
                closing = ""
        else:
            closing = _QUOTES.get(character, "")
        inside[i] = bool(closing)
        before = character
    return inside


def inside_brackets(text: str) -> Array:
    """Return the number of open brackets (round, square or curly) after each character.

    Examples
    --------
    >>> inside_brackets("a(b[c])d").tolist()
    [0.0, 1.0, 1.0, 2.0, 2.0, 1.0, 0.0, 0.0]
    """
    depth, open_ = np.zeros(len(text)), 0
    for i, character in enumerate(text):
        if character in _OPENING:
            open_ += 1
        elif character in _CLOSING:
            open_ = max(0, open_ - 1)
        depth[i] = open_
    return depth


def line_length(text: str) -> Array:
    r"""Return the length of the line so far; 0 after a line end.

    Examples
    --------
    >>> line_length("ab\nc").tolist()
    [1.0, 2.0, 0.0, 1.0]
    """
    return _since(text, lambda character: character == "\n")


def word_length(text: str) -> Array:
    """Return the number of letters and digits in the word so far; 0 after any other character.

    Examples
    --------
    >>> word_length("to be.").tolist()
    [1.0, 2.0, 0.0, 1.0, 2.0, 0.0]
    """
    return _since(text, lambda character: not character.isalnum())


def indentation(text: str) -> Array:
    """Return the number of leading spaces in the line so far; a tab counts as 4."""
    spaces, count, at_head = np.zeros(len(text)), 0, True
    for i, character in enumerate(text):
        if character == "\n":
            count, at_head = 0, True
        elif at_head and character in " \t":
            count += 4 if character == "\t" else 1
        else:
            at_head = False
        spaces[i] = count
    return spaces


def between_words(text: str) -> Array:
    """Return 1 for a character that is neither a letter nor a digit, otherwise 0.

    Examples
    --------
    >>> between_words("a b.").tolist()
    [0.0, 1.0, 0.0, 1.0]
    """
    return np.array([not character.isalnum() for character in text], float)


def capital_letter(text: str) -> Array:
    """Return 1 for a capital letter, otherwise 0.

    Examples
    --------
    >>> capital_letter("A BC d").tolist()
    [1.0, 0.0, 1.0, 1.0, 0.0, 0.0]
    """
    return np.array([character.isupper() for character in text], float)


def _since(text: str, ends: Callable[[str], bool]) -> Array:
    """Return the number of characters since the last one that ends something."""
    counts, count = np.zeros(len(text)), 0
    for i, character in enumerate(text):
        count = 0 if ends(character) else count + 1
        counts[i] = count
    return counts


PROPERTIES: dict[str, Callable[[str], Any]] = {
    "inside quotes": inside_quotes,
    "inside brackets": inside_brackets,
    "line length": line_length,
    "indentation": indentation,
    "word length": word_length,
    "between words": between_words,
    "capital letter": capital_letter,
}
