"""Mask what always changes in a text, such as numbers, before a detector reads it."""

from __future__ import annotations

import copy
import re
import warnings
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any, NamedTuple

from ..errors import InvalidInputError, short_repr
from .documents import python_values
from .lines import Lines
from .slow_patterns import may_take_forever

# The built-in masks, the most specific first, as they are applied. C files find their matches by functions.
BUILT_IN = {
    "uuid": r"\b[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\b",
    "time": r"\b[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"(?:[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]+)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?)?"
    r"|\b(?:(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [ 0-9][0-9] )?"
    r"[0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]+)?",
    "ip": r"\b[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}\b|\b(?:[0-9a-fA-F]{1,4}:){7}[0-9a-fA-F]{1,4}\b",
    "hex": r"\b0[xX][0-9a-fA-F]+\b|\b(?=[0-9a-fA-F]*[0-9])(?=[0-9a-fA-F]*[a-fA-F])[0-9a-fA-F]{6,}\b",
    "digits": r"[0-9]+",
}
REPLACEMENT = "0"  # of the built-in masks
MAX_RULES = 64  # of a mask
MAX_LENGTH = 1000  # characters of a pattern or replacement

Rule = str | tuple[str, str]


class Masked(NamedTuple):
    """A masked text."""

    text: Any
    places: list[int]  # of each of its symbols in the original text, and of the end


class Mask:
    """Rules that replace what matches a pattern: a user's own first, then built-in ones."""

    def __init__(self, rules: tuple[Rule, ...]) -> None:
        self._rules = [(re.compile(pattern), replacement) for pattern, replacement in pairs_of(rules)]

    def text(self, text: Any) -> Any:
        """Return a masked text; a value that is no text stays as it is."""
        if not isinstance(text, str):
            if not isinstance(text, bytes | bytearray | memoryview):
                return text
            return self.text(bytes(text).decode("latin-1")).encode("latin-1", "replace")
        for pattern, replacement in self._rules:
            text = pattern.sub(replacement.replace("\\", r"\\"), text)
        return text

    def read(self, text: Any) -> Masked:
        """Return a masked text with the place of each of its symbols in the original text."""
        if not isinstance(text, str):
            masked, places = self.read(bytes(text).decode("latin-1"))
            return Masked(masked.encode("latin-1", "replace"), places)
        places = [*range(len(text) + 1)]
        for pattern, replacement in self._rules:
            parts = list[str]()
            new_places = list[int]()
            end = 0
            for match in pattern.finditer(text):
                parts += [text[end : match.start()], replacement]
                new_places += places[end : match.start()] + [places[match.start()]] * len(replacement)
                end = match.end()
            text = "".join([*parts, text[end:]])
            places = new_places + places[end:]
        return Masked(text, places)


def masked_texts(X: Iterable[Any], rules: tuple[Rule, ...] | None) -> Iterable[Any]:
    """Return texts as a mask leaves them."""
    if not rules:
        return X
    mask = mask_of(rules)
    if isinstance(X, list):
        return [mask.text(text) for text in X]
    if not isinstance(X, Lines):
        return MaskedTexts(X, mask)
    lines = copy.copy(X)
    first = X.transform
    lines.transform = mask.text if first is None else lambda line: mask.text(first(line))
    return lines


def pairs_of(rules: tuple[Rule, ...]) -> list[tuple[str, str]]:
    """Return the patterns of rules with their replacements, in the order in which they are applied."""
    user_rules = [rule for rule in rules if not isinstance(rule, str)]
    return user_rules + [(pattern, REPLACEMENT) for name, pattern in BUILT_IN.items() if name in rules]


class MaskedTexts:
    """Texts that are masked each time they are read."""

    def __init__(self, X: Iterable[Any], mask: Mask) -> None:
        self._texts = X
        self._mask = mask

    def __iter__(self) -> Iterator[Any]:
        return map(self._mask.text, python_values(self._texts))


@lru_cache(maxsize=64)
def mask_of(rules: tuple[Rule, ...]) -> Mask:
    """Compile checked rules to a mask, or return the one compiled earlier."""
    return Mask(rules)


def checked_mask(name: str, value: Any) -> tuple[Rule, ...] | None:
    """Return the rules of a mask: None, a name, or a list of names and of pairs of a pattern and its replacement."""
    if value is None:
        return None
    rules = [value] if isinstance(value, str) else value
    if not isinstance(rules, list | tuple) or len(rules) > MAX_RULES:
        raise InvalidInputError(
            f"{name} must be None, or a list of at most {MAX_RULES} names ({', '.join(BUILT_IN)}) and pairs (pattern, "
            f"replacement), not {short_repr(value)}"
        )
    return tuple(_checked_rule(f"{name}[{i}]", rule) for i, rule in enumerate(rules))


def _checked_rule(name: str, rule: Any) -> Rule:
    """Check a rule of a mask: a known name, or a valid pattern that is neither empty nor slow, with its replacement."""
    if isinstance(rule, str) and rule in BUILT_IN:
        return rule
    is_pair = isinstance(rule, list | tuple) and len(rule) == 2 and all(isinstance(part, str) for part in rule)
    if not is_pair or max(map(len, rule)) > MAX_LENGTH:
        raise InvalidInputError(
            f"{name} must be one of {', '.join(BUILT_IN)}, or a pair (pattern, replacement) of at most {MAX_LENGTH:,} "
            f"characters each, not {short_repr(rule)}"
        )
    pattern, replacement = rule
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of a set such as [[]: the meaning today counts
            compiled = re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise InvalidInputError(f"{name} has the invalid pattern {short_repr(pattern)}: {error}") from None
    if compiled.match("") is not None:
        raise InvalidInputError(
            f"{name} has the pattern {short_repr(pattern)}, which matches an empty text. Use + for *."
        )
    if may_take_forever(pattern):
        raise InvalidInputError(
            f"{name} has the pattern {short_repr(pattern)}, which may take forever on some texts: a repetition "
            "contains another one, several match the same characters, or it refers back to a group. Repeat only single "
            "characters or fixed parts, and separate repetitions by characters that they do not match."
        )
    return pattern, replacement
