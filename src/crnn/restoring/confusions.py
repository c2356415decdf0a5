"""Confusions: which symbols damage replaces by which others, and how often."""

from __future__ import annotations

import itertools
from collections.abc import Container, Mapping
from typing import Any

import numpy as np

from ..errors import InvalidInputError, short_repr
from ..parameters.checks import checked_float
from ..text.vocabulary import MAX_CODE

Codes = tuple[int, ...]

CONFUSION_RATE = 0.01  # of a confusion, if none is given
NOISE_RATE = 0.5  # of a symbol that the model lacks, if it is neither letter nor digit

OCR_SPACES = 0.003  # the rate of missing spaces in scans
MAX_KEY = 3  # symbols
SIMILAR_SHAPES = "1lIi!| 0Oo 5Ss 8B 6b 9g 2Zz ceo ao uvn hbk ftſs CG EF nr ij gq"  # groups of symbols that look alike
SIMILAR_PAIRS = "rn/m cl/d li/h vv/w VV/W ii/u in/m ri/n ni/m tl/d lc/k I3/B l3/B"
LIGATURES = "fi/ﬁ fl/ﬂ ff/ﬀ ffi/ﬃ ffl/ﬄ st/ﬆ ſt/ﬅ ae/æ oe/œ"
TYPOGRAPHY = {
    **dict.fromkeys("“”„‟«»″", ('"', "''")),
    **dict.fromkeys("‘’‚‛`´′", ("'",)),
    **dict.fromkeys("–—―", ("--", "-", " - ")),
    **dict.fromkeys("‐‑‒−", ("-",)),
    "…": ("...", ". . ."),
    **{one: (several,) for several, one in (pair.split("/") for pair in LIGATURES.split())},
}  # typographic symbols, and how a text that lacks them writes them

STRAY_MARKS = ".,'`’‘\"^~*_|•·-:;°\\"


def ocr_confusions(known: Container[int] = range(MAX_CODE["characters"] + 1)) -> dict[str, dict[str, float]]:
    """Return the confusions of scanned text, "ocr", for a model of these codes, by default of all.

    The empty key has the rate of missing spaces.
    """
    table = {"": {" ": OCR_SPACES}}

    def add(before: str, after: str, rate: float) -> None:
        table.setdefault(before, {})[after] = rate

    for shapes in [*SIMILAR_SHAPES.split(), ".,;:"]:
        for before, after in itertools.permutations(shapes, 2):
            add(before, after, CONFUSION_RATE)
    for pairs, rate in ((SIMILAR_PAIRS, CONFUSION_RATE), (LIGATURES, NOISE_RATE)):
        for several, one in (pair.split("/") for pair in pairs.split()):
            add(several, one, CONFUSION_RATE)
            add(one, several, rate)
    for symbol, forms in TYPOGRAPHY.items():
        for form in forms:
            if ord(symbol) not in known:
                add(symbol, form, 1.0)
    for symbol in STRAY_MARKS:
        add(symbol, "", CONFUSION_RATE)
        add(f" {symbol}", "", CONFUSION_RATE)
    for hyphen in "-¬\u00ad":
        for end in ("\n", " \n"):
            add(hyphen + end, "", NOISE_RATE)
            add(hyphen + end, "-", CONFUSION_RATE)
    add(" ", "", CONFUSION_RATE)
    for symbol in ".,":
        for space in " \n":
            add(space, symbol + space, CONFUSION_RATE)
    return table


def checked_rate(name: str, value: Any) -> float:
    """Return the rate of a kind of damage: 0 for False, 1 for True, which costs nothing."""
    if isinstance(value, bool | np.bool_) or (isinstance(value, float | np.floating) and 0 < value < 1):
        return float(value)
    raise InvalidInputError(f"{name} must be True, False or a rate above 0 and below 1, not {short_repr(value)}")


def includes_ocr(confusions: Any) -> bool:
    """Return whether the confusions of scanned text are among these."""
    tables = confusions if isinstance(confusions, list | tuple) else [confusions]
    return any(isinstance(table, str) and table == "ocr" for table in tables)


def checked_confusions(
    confusions: Any, of_bytes: bool, known: Container[int] = range(MAX_CODE["characters"] + 1)
) -> dict[Codes, dict[Codes, float]]:
    """Return the rates of confusions by what stands in the text, then by what it may have been; of tables, the last.

    `known` are the codes of the model's symbols.
    """
    checked: dict[Codes, dict[Codes, float]] = {}

    def codes_of(text: Any, what: str) -> Codes:
        if isinstance(text, str | bytes) and isinstance(text, bytes) == of_bytes:
            return tuple(map(ord, text) if isinstance(text, str) else text)
        raise InvalidInputError(
            f"{what} is {short_repr(text)}, but must be {'bytes' if of_bytes else 'a str'}, as the model's texts are"
        )

    tables = confusions if isinstance(confusions, list | tuple) else [confusions]
    for table in tables:
        is_ocr = isinstance(table, str) and table == "ocr"
        found: Any = ocr_confusions(known) if is_ocr else table
        if is_ocr and of_bytes:
            found = {k.encode(): {v.encode(): rate for v, rate in of.items()} for k, of in found.items() if k.isascii()}
        if not isinstance(found, Mapping):
            raise InvalidInputError(
                f'confusions must be a dict such as {{"rn": "m"}}, "ocr" or a list of these, not {short_repr(table)}'
            )
        for key, values in found.items():
            before = codes_of(key, "confusions' key")
            name = f"confusions[{short_repr(key)}]"
            if not (1 - is_ocr) <= len(before) <= MAX_KEY:
                raise InvalidInputError(
                    f"confusions has the key {short_repr(key)}, but a key must have 1 to {MAX_KEY} symbols"
                )
            if isinstance(values, str | bytes):
                values = [values]
            if not isinstance(values, Mapping | list | tuple):
                raise InvalidInputError(f"{name} must be a string, a list or a dict of rates, not {short_repr(values)}")
            rates = values.items() if isinstance(values, Mapping) else ((value, CONFUSION_RATE) for value in values)
            for value, rate in rates:
                after = codes_of(value, name)
                if after == before:
                    raise InvalidInputError(f"{name} contains the key itself. Leave it out: no symbol has to change.")
                rate = checked_float(f"{name}[{short_repr(value)}]", rate, above=0, maximum=1)
                checked.setdefault(before, {})[after] = rate
    return checked
