"""Translate regular expressions to JavaScript, with exactly the same matches, or refuse them.

The result is for the flag "u". Python's classes of characters are written out, since JavaScript's words and white space
differ. A repetition of what may be empty is refused, and so is a pattern that may match an empty text, because the two
languages differ after an empty match. A character that a newer version of Unicode calls a letter may match
in one language alone.
"""

from __future__ import annotations

import re
import re._constants as constants  # type: ignore[import-not-found]
import re._parser as parser  # type: ignore[import-not-found]
from typing import Any

from ..errors import InvalidInputError, short_repr

WORD = r"\p{L}\p{N}_"
SPACE = r"\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
CATEGORIES = {
    constants.CATEGORY_DIGIT: r"\p{Nd}",
    constants.CATEGORY_NOT_DIGIT: r"[^\p{Nd}]",
    constants.CATEGORY_WORD: rf"[{WORD}]",
    constants.CATEGORY_NOT_WORD: rf"[^{WORD}]",
    constants.CATEGORY_SPACE: rf"[{SPACE}]",
    constants.CATEGORY_NOT_SPACE: rf"[^{SPACE}]",
}
PLACES = {
    constants.AT_BEGINNING: "(?<![^])",
    constants.AT_BEGINNING_STRING: "(?<![^])",
    constants.AT_END: r"(?![^\n]|\n[^])",
    constants.AT_END_STRING: "(?![^])",
    constants.AT_BOUNDARY: rf"(?:(?<=[{WORD}])(?![{WORD}])|(?<![{WORD}])(?=[{WORD}]))",
    constants.AT_NON_BOUNDARY: rf"(?:(?<=[{WORD}])(?=[{WORD}])|(?<![{WORD}])(?![{WORD}]))",
}


def javascript_pattern(pattern: str) -> str:
    """Return the JavaScript expression with the matches of a valid Python pattern."""
    tree = parser.parse(pattern)
    if tree.state.flags & ~re.UNICODE:
        raise _untranslatable(pattern, "it sets a flag")
    if tree.getwidth()[0] == 0:
        raise _untranslatable(pattern, "it may match an empty text")
    return _sequence(tree, pattern)


def _untranslatable(pattern: str, reason: str) -> InvalidInputError:
    return InvalidInputError(
        f"the mask's pattern {short_repr(pattern)} cannot be exported to JavaScript: {reason}. Use a simpler pattern."
    )


def _sequence(items: Any, pattern: str) -> str:
    return "".join(_item(kind, value, pattern) for kind, value in items)


def _item(kind: Any, value: Any, pattern: str) -> str:
    """Return one item of a parsed pattern."""
    if kind is constants.LITERAL:
        return _character(value)
    if kind is constants.NOT_LITERAL:
        return f"[^{_character(value)}]"
    if kind is constants.ANY:
        return r"[^\n]"
    if kind is constants.IN:
        return _set(value, pattern)
    if kind is constants.AT and value in PLACES:
        return PLACES[value]
    if kind is constants.BRANCH:
        return f"(?:{'|'.join(_sequence(part, pattern) for part in value[1])})"
    if kind is constants.SUBPATTERN and not value[1] and not value[2]:
        return f"(?:{_sequence(value[3], pattern)})"
    if kind in (constants.ASSERT, constants.ASSERT_NOT):
        direction, part = value
        sign = "=" if kind is constants.ASSERT else "!"
        return f"(?{'<' if direction < 0 else ''}{sign}{_sequence(part, pattern)})"
    if kind in (constants.MAX_REPEAT, constants.MIN_REPEAT):
        low, high, part = value
        if part.getwidth()[0] == 0:
            raise _untranslatable(pattern, "it repeats what may be empty")
        most = "" if high is constants.MAXREPEAT else high
        lazy = "?" if kind is constants.MIN_REPEAT else ""
        return f"(?:{_sequence(part, pattern)}){{{low},{most}}}{lazy}"
    raise _untranslatable(pattern, f"JavaScript has no {str(kind).lower()}")


def _set(items: Any, pattern: str) -> str:
    """Return a set of characters: alternatives, each of one character, or any other character."""
    parts = []
    is_negated = False
    for kind, value in items:
        if kind is constants.NEGATE:
            is_negated = True
        elif kind is constants.LITERAL:
            parts.append(_character(value))
        elif kind is constants.RANGE:
            parts.append(f"[{_character(value[0])}-{_character(value[1])}]")
        elif kind is constants.CATEGORY and value in CATEGORIES:
            parts.append(CATEGORIES[value])
        else:
            raise _untranslatable(pattern, f"JavaScript has no {str(kind).lower()}")
    return f"(?!{'|'.join(parts)})[^]" if is_negated else f"(?:{'|'.join(parts)})"


def _character(code: int) -> str:
    """Return a character, escaped unless it is a letter or a digit of ASCII."""
    character = chr(code)
    return character if code < 128 and character.isalnum() else f"\\u{{{code:x}}}"
