"""Tell which regular expressions may take forever on some text, before they are used.

`re` tries every way to divide a text among the repetitions of a pattern before it gives up. Two kinds of pattern are
therefore slow. A repetition within a repetition has exponentially many ways. Repetitions that match the same symbol,
one after the other, have as many ways as the product of their choices: ``a+a+a+b`` divides a run of n letters a in
about n**2 / 2 ways for each of its n beginnings. Fixed parts between the repetitions do not help if a text can repeat
them: for ``.*ab.*ab.*c`` that is ``abababab…``.

The module `re._parser` is private to Python, see `crnn.matching.pattern`.
"""

from __future__ import annotations

import re
import re._constants as constants  # type: ignore[import-not-found]
import re._parser as parser  # type: ignore[import-not-found]
import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

LONG_RUN = 1000  # equal symbols of a text: the choices of a repetition without a limit
MAX_WAYS = LONG_RUN**2  # to divide a run of equal symbols among the repetitions of a pattern
MAX_WAYS_OF_DOTS = LONG_RUN**4  # where fixed parts separate the repetitions: a text has far fewer places for these
USUAL_SYMBOLS = "aZ0_ \n-é日"  # tried besides the symbols of a pattern

REPEATS = (constants.MAX_REPEAT, constants.MIN_REPEAT, constants.POSSESSIVE_REPEAT)
ATOMS = (constants.LITERAL, constants.NOT_LITERAL, constants.ANY, constants.IN)
CATEGORIES: dict[Any, Callable[[str], bool]] = {
    constants.CATEGORY_DIGIT: str.isdigit,
    constants.CATEGORY_NOT_DIGIT: lambda symbol: not symbol.isdigit(),
    constants.CATEGORY_WORD: lambda symbol: symbol.isalnum() or symbol == "_",
    constants.CATEGORY_NOT_WORD: lambda symbol: not (symbol.isalnum() or symbol == "_"),
    constants.CATEGORY_SPACE: str.isspace,
    constants.CATEGORY_NOT_SPACE: lambda symbol: not symbol.isspace(),
}
Matches = Callable[[Any, Any], bool]  # whether an atom, given by its kind and value, matches the tried symbol


class Tried(NamedTuple):
    """A text to try in thought: a symbol or a few symbols, again and again."""

    matches: Matches  # whether an atom matches one of the symbols
    matches_all: Matches  # whether an atom matches each of the symbols
    n_places: int  # where a repetition can end: the choices of a repetition without a limit


class Ways(NamedTuple):
    """In how many ways parts of a pattern match a run of one symbol."""

    whole: float  # the whole pattern; 0 if it cannot match such a run
    beginning: float  # its beginnings, at least 1
    end: float  # its ends, at least 1
    most: float  # the part with the most ways, at least 1


NOTHING = Ways(1.0, 1.0, 1.0, 1.0)
RESET = Ways(0.0, 1.0, 1.0, 1.0)


def may_take_forever(pattern: str) -> bool:
    """Return whether matching a valid pattern may need exponential time, or a high power of a text's length.

    Examples
    --------
    >>> from crnn.text.slow_patterns import may_take_forever
    >>> [may_take_forever(pattern) for pattern in ("(a+)+b", "a+a+a+b", "[a-z]+ [a-z]+ [a-z]+")]
    [True, True, False]
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = parser.parse(pattern)
    if _repeats_choices(tree):
        return True
    ignores_case = bool(tree.state.flags & re.IGNORECASE) or any(
        kind is constants.SUBPATTERN and value[1] & re.IGNORECASE for kind, value in _all_items(tree)
    )
    for symbol in _symbols_to_try(tree):
        variants = {symbol, symbol.swapcase()} if ignores_case else {symbol}

        def matches(kind: Any, value: Any, variants: set[str] = variants) -> bool:
            return any(_matches(kind, value, variant) for variant in variants)

        if _ways(tree, Tried(matches, matches, LONG_RUN)).most > MAX_WAYS:
            return True
    if _ways(tree, Tried(_is_dot_or_fixed, _is_dot_or_fixed, LONG_RUN)).most > MAX_WAYS_OF_DOTS:
        return True
    can_fail = list(tree)
    if can_fail and can_fail[-1][0] in REPEATS:  # the last repetition needs no other way to match
        can_fail.pop()
    return any(_ways(can_fail, _tried_period(period)).most > MAX_WAYS for period in _periods(tree))


def _periods(tree: Any) -> set[str]:
    """Return what a pattern's fixed parts match, each part and all of them together."""
    parts = dict.fromkeys(filter(None, _fixed_parts(tree)))
    return {*parts, "".join(parts)} - {""}


def _fixed_parts(tree: Any) -> list[str]:
    """Return a text for each sequence of atoms between the repetitions and choices of a pattern."""
    parts = [""]
    for kind, value in tree:
        if kind in ATOMS:
            parts[-1] += _matched_symbol(kind, value)
        elif kind is constants.SUBPATTERN or (kind in REPEATS and value[0] == value[1]):
            inner = _fixed_parts(_parts(kind, value)[0])
            parts[-1] += inner[0]
            parts += inner[1:]
        elif kind is constants.BRANCH:
            for part in _parts(kind, value):
                parts += _fixed_parts(part)
            parts.append("")
        elif kind in REPEATS:
            parts.append("")
    return parts


def _matched_symbol(kind: Any, value: Any) -> str:
    """Return a symbol that an atom matches, one of its own if it has any."""
    tried = [*sorted(_symbols_to_try([(kind, value)]) - {*USUAL_SYMBOLS}), *USUAL_SYMBOLS]
    return next((symbol for symbol in tried if _matches(kind, value, symbol)), "")


def _tried_period(period: str) -> Tried:
    variants = [{symbol, symbol.swapcase()} for symbol in period]

    def matches(kind: Any, value: Any) -> bool:
        return any(_matches(kind, value, symbol) for symbols in variants for symbol in symbols)

    def matches_all(kind: Any, value: Any) -> bool:
        return all(any(_matches(kind, value, symbol) for symbol in symbols) for symbols in variants)

    return Tried(matches, matches_all, max(2, LONG_RUN // len(period)))


def _repeats_choices(tree: Any) -> bool:
    """Return whether a repeated part has a choice in it, or a part refers to a group."""
    for kind, value in _all_items(tree):
        if kind in (constants.GROUPREF, constants.GROUPREF_EXISTS):
            return True
        if kind in REPEATS and value[1] > 1 and any(map(_has_choice, _all_items(value[2]))):
            return True
    return False


def _has_choice(item: Any) -> bool:
    kind, value = item
    return kind is constants.BRANCH or (kind in REPEATS and value[0] != value[1])


def _all_items(tree: Any) -> Iterator[Any]:
    """Yield the items of a pattern, and those of the parts that they contain."""
    for item in tree:
        yield item
        for part in _parts(*item):
            yield from _all_items(part)


def _parts(kind: Any, value: Any) -> list[Any]:
    """Return the patterns within an item."""
    if kind in REPEATS:
        return [value[2]]
    if kind is constants.BRANCH:
        return list(value[1])
    if kind is constants.SUBPATTERN:
        return [value[3]]
    if kind in (constants.ASSERT, constants.ASSERT_NOT):
        return [value[1]]
    if kind is constants.ATOMIC_GROUP:
        return [value]
    return []


def _symbols_to_try(tree: Any) -> set[str]:
    """Return some usual symbols and those that a pattern contains."""
    codes = set[int]()
    for kind, value in _all_items(tree):
        for of_set, content in value if kind is constants.IN else [(kind, value)]:
            if of_set in (constants.LITERAL, constants.NOT_LITERAL):
                codes.add(content)
            elif of_set is constants.RANGE:
                codes.update(content)
    return {*USUAL_SYMBOLS, *map(chr, codes)}


def _matches(kind: Any, value: Any, symbol: str) -> bool:
    """Return whether an atom, or an item of a set, matches a symbol."""
    if kind is constants.LITERAL:
        return bool(value == ord(symbol))
    if kind is constants.NOT_LITERAL:
        return bool(value != ord(symbol))
    if kind is constants.RANGE:
        return bool(value[0] <= ord(symbol) <= value[1])
    if kind is constants.CATEGORY:
        return value not in CATEGORIES or CATEGORIES[value](symbol)
    if kind is constants.IN:
        negated = value[0][0] is constants.NEGATE
        return negated != any(_matches(of_set, content, symbol) for of_set, content in value[int(negated) :])
    return True  # a dot


def _is_dot_or_fixed(kind: Any, value: Any) -> bool:
    """Match what a text of all the pattern's fixed parts matches: each fixed part, and dots."""
    return kind is constants.ANY or kind is constants.LITERAL


def _ways(tree: Any, tried: Tried) -> Ways:
    """Return in how many ways a pattern without repeated choices matches a text."""
    total = NOTHING
    for kind, value in tree:
        found = _ways_of_item(kind, value, tried)
        total = Ways(
            whole=total.whole * found.whole,
            beginning=max(total.beginning, total.whole * found.beginning),
            end=max(found.end, total.end * found.whole),
            most=max(total.most, found.most, total.end * found.beginning),
        )
    return total


def _ways_of_item(kind: Any, value: Any, tried: Tried) -> Ways:
    """Return the ways of one item of a parsed pattern: an atom, a repetition, a group, a choice or an assertion."""
    if kind in ATOMS:
        return NOTHING if tried.matches(kind, value) else RESET
    parts = [_ways(part, tried) for part in _parts(kind, value)]
    if not parts:  # the place of an anchor
        return NOTHING
    if kind in REPEATS:
        return _ways_of_repeat(kind, value, parts[0], tried)
    most = max(part.most for part in parts)
    if kind in (constants.ASSERT, constants.ASSERT_NOT):
        return NOTHING._replace(most=most)
    whole = sum(part.whole for part in parts)
    if kind is constants.ATOMIC_GROUP:
        whole = min(whole, 1.0)
    return Ways(whole, max(part.beginning for part in parts), max(part.end for part in parts), most)


def _ways_of_repeat(kind: Any, value: Any, part: Ways, tried: Tried) -> Ways:
    """Return the ways of a repetition of a part: one for each number of repetitions, if the part itself has one."""
    least, largest, tree = value
    n_parts = part.whole
    if largest > 1:  # a fixed part of several symbols, such as ab, divides a run of itself
        matches = tried.matches_all if len(tree) == 1 else tried.matches
        n_parts = float(any(item[0] in ATOMS and matches(*item) for item in _all_items(tree)))
    if not n_parts:
        return part._replace(whole=float(least == 0))
    if kind is constants.POSSESSIVE_REPEAT:
        return NOTHING._replace(most=part.most)
    n_choices = max(1.0, min(largest, least + tried.n_places) - least)
    whole = n_choices + (n_parts if largest == 1 and least == 0 else 0.0)
    return Ways(whole, max(whole, part.beginning), max(whole, part.end), max(whole, part.most))
