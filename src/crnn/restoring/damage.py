"""Damage: what may have happened to a text, and how probable it is."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Container, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._kernels.inference.selection import REPLACED_STEP
from ..errors import InvalidInputError, short_repr
from ..parameters.checks import checked_bool, checked_float
from ..text.vocabulary import Vocabulary
from .confusions import (
    CONFUSION_RATE,
    MAX_KEY,
    NOISE_RATE,
    TYPOGRAPHY,
    Codes,
    checked_confusions,
    checked_rate,
    includes_ocr,
)

Cost = tuple[float, float]  # the log-probability of a damage, and what undoing it must gain

SKIPPED = -1  # the symbol of a step that adds nothing to the restored text
TYPOGRAPHIC_STAYS = 1e-4  # the share of typographic symbols that stand in the original, though the model lacks them


def checked_least(least: Any) -> dict[str, float]:
    """Return the nats that a change must gain, by kind."""
    if not isinstance(least, Mapping):
        return dict.fromkeys(CHANGE_KINDS, checked_float("least", least, minimum=0))
    for kind in least:
        if kind not in CHANGE_KINDS:
            known = ", ".join(CHANGE_KINDS)
            raise InvalidInputError(f"least has the key {short_repr(kind)}, but the kinds of changes are {known}")
    return {k: checked_float(f"least[{k!r}]", least.get(k, 0.0), minimum=0) for k in CHANGE_KINDS}


TYPO_KINDS = 4  # substitution, missing letter, excess letter, swap
CHANGE_KINDS = ("case", "spaces", "accents", "typos", "confusions")
USUAL_LEAST = 3.0  # nats that a change must gain by default, with typos or confusions

FREE: Cost = (0.0, 0.0)


class Damage(NamedTuple):
    """The checked arguments of `LanguageModel.restore`: what may have happened to a text."""

    case: float  # a rate; 0 without, 1 if the given case says nothing
    accents: bool
    spaces: float  # a rate; 0 without, 1 if any space may be missing at no cost
    gap: int | None  # the code of the character that stands for an unknown one
    typos: float  # the rate; 0 without typos
    confusions: dict[Codes, dict[Codes, float]] | None = None
    least: Mapping[str, float] = dict.fromkeys(CHANGE_KINDS, 0.0)
    is_scan: bool = False  # whether the confusions are those of scanned text, too

    @classmethod
    def check(
        cls,
        vocabulary: Vocabulary,
        *,
        case: Any = False,
        accents: Any = False,
        spaces: Any = False,
        gaps: Any = None,
        typos: Any = None,
        confusions: Any = None,
        least: Any = None,
    ) -> Damage:
        """Return the damage if the arguments are valid, and ask for what a model of these symbols can restore."""
        rate = 0.0 if typos is None else checked_float("typos", typos, above=0, below=1)
        of_bytes = vocabulary.kind == "bytes"
        if gaps is not None and (not isinstance(gaps, bytes if of_bytes else str) or len(gaps) != 1):
            kind = "bytes of length 1" if of_bytes else "a str of one character"
            raise InvalidInputError(f"gaps is {short_repr(gaps)}, but must be {kind}, which marks an unknown symbol")
        case_rate = checked_rate("case", case)
        space_rate = checked_rate("spaces", spaces)
        known = set(vocabulary.codes.tolist())
        table = None if confusions is None else checked_confusions(confusions, of_bytes, known)
        if least is None:
            usual = USUAL_LEAST if rate or table else 0.0
            least = dict.fromkeys(("typos", "confusions"), usual)
            least["case"] = 0.0 if case_rate == 1 else usual
            least["spaces"] = 0.0 if space_rate == 1 else usual
        damage = cls(
            case=case_rate,
            accents=checked_bool("accents", accents),
            spaces=space_rate,
            gap=None if gaps is None else ord(gaps),
            typos=rate,
            confusions=table,
            least=checked_least(least),
            is_scan=includes_ocr(confusions) and not of_bytes,
        )
        if not any((damage.case, damage.accents, damage.spaces, gaps is not None, rate, damage.confusions)):
            raise InvalidInputError(
                "restore needs the kind of damage. Pass at least one of case=True, accents=True, spaces=True, "
                'gaps="_", typos=0.05 or confusions="ocr".'
            )
        if damage.accents and of_bytes:
            raise InvalidInputError(
                "accents=True needs a model of characters, since an accented letter takes several bytes. Fit the model "
                "on str."
            )
        if damage.spaces and ord(" ") not in vocabulary.codes:
            raise InvalidInputError(f"spaces={spaces}, but the model has no space. Fit it on text with spaces.")
        return damage

    def fold(self, code: int, vocabulary: Vocabulary) -> int | str:
        """Return what remains of a symbol, "e" of "É": symbols with the same rest can stand for each other."""
        if vocabulary.kind == "bytes" and code > ord("\x7f"):
            return code
        symbol = chr(code)
        if not symbol.isalpha():
            return symbol
        if self.accents:
            symbol = unicodedata.normalize("NFD", symbol)[0]
        return symbol.lower() if self.case else symbol

    def cost(self, rate: float, *kinds: str) -> Cost:
        """Return the cost of a change at this rate."""
        return math.log(rate), sum(self.least[kind] for kind in kinds)

    def refolding(self, code: int, other: int) -> Cost:
        """Return the cost of the change to another symbol with the same rest."""
        before = chr(code)
        after = chr(other)
        if code in (other, self.gap):
            return FREE
        accent = before.lower() != after.lower()
        case = before.isupper() != after.isupper() or not accent
        kinds = []
        if case:
            kinds.append("case")
        if accent:
            kinds.append("accents")
        return self.cost(self.case if case and self.case else 1.0, *kinds)

    def confusions_of(self, code: int, index: dict[int, int], vocabulary: Vocabulary) -> list[tuple[int, Cost]]:
        """Return what a symbol may be confused with, and the costs: ids, or SKIPPED if nothing stood there."""
        if self.confusions is None or code == self.gap:
            return []
        is_word = chr(code).isalnum() or (vocabulary.kind == "bytes" and code > ord("\x7f"))
        unknown = () if code in index or chr(code).isspace() else (SKIPPED, *index.values())
        is_rare = is_word or self.staying(code, index) < 0
        rates = dict.fromkeys(unknown, CONFUSION_RATE if is_rare else NOISE_RATE)
        for after, rate in self.confusions.get((code,), {}).items():
            if len(after) < 2 and index.keys() >= set(after):
                i = index[after[0]] if after else SKIPPED
                rates[i] = max(rate, rates.get(i, 0.0))
        return [(i, self.cost(rate, "confusions")) for i, rate in rates.items()]

    def staying(self, code: int, known: Container[int]) -> float:
        """Return the log-probability that a symbol stood in the original, apart from the model's and from typos.

        A text whose training text has straight quotes alone has no curly ones either.
        """
        if not self.is_scan or code in known or code == self.gap:
            return 0.0
        forms = TYPOGRAPHY.get(chr(code), ())
        is_written = any(all(ord(symbol) in known for symbol in form) for form in forms)
        return math.log(TYPOGRAPHIC_STAYS) if is_written else 0.0

    def keeping(self, codes: Iterable[int], vocabulary: Vocabulary) -> NDArray[np.float64]:
        """Return the log-probability of each symbol's damage if it stays."""
        known = set(vocabulary.codes.tolist())
        untouched = math.log1p(-self.typos)
        return np.array(
            [self.staying(code, known) + untouched * self.is_marked(code, vocabulary) for code in codes], np.float64
        )

    def replacements(self, codes: list[int], index: dict[int, int]) -> tuple[NDArray[Any], ...]:
        """Return the confusions of other than single symbols as the last tables of a `Channel`."""
        kinds = {code: kind for kind, code in enumerate(codes) if code != self.gap}
        rows = list[tuple[int, ...]]()
        costs = list[Cost]()
        steps = list[tuple[int, int, int]]()
        for before, options in (self.confusions or {}).items():
            if not before or not kinds.keys() >= set(before):
                continue
            for after, rate in options.items():
                if max(len(before), len(after)) < 2 or not index.keys() >= set(after):
                    continue
                key = [kinds[code] for code in before]
                rows.append((*key, *[-1] * (MAX_KEY - len(key)), len(steps)))
                costs.append(self.cost(rate, "confusions"))
                taken = [0] * (len(after) - len(before)) + [1] * len(before)
                symbols = [index[code] for code in after] + [SKIPPED] * (len(before) - len(after))
                n = len(steps) + 1 + REPLACED_STEP
                obligations = [*range(n, n + len(taken) - 1), 0]
                steps += zip(symbols, taken, obligations, strict=True)
        table = np.array(rows, np.int32).reshape(-1, MAX_KEY + 1)
        order = np.argsort(table[:, 0], kind="stable")
        openings = np.searchsorted(table[order, 0], np.arange(len(codes) + 1)).astype(np.int32)
        return (
            openings,
            table[order, 1:].copy(),
            np.array(costs).reshape(-1, 2)[order],
            np.array(steps, np.int32).reshape(-1, 3),
        )

    def is_marked(self, code: int, vocabulary: Vocabulary) -> bool:
        """Return whether a symbol may be a typo: a letter, or a symbol that the model lacks, but no white space."""
        may_be = is_letter(code, vocabulary) or (code not in vocabulary.codes and not chr(code).isspace())
        return bool(self.typos) and code != self.gap and may_be


def unread_log_p(vocabulary: Vocabulary) -> float:
    """Return the log-probability of a symbol that the model lacks, less than that of a substitution."""
    return -math.log(len(vocabulary.codes) + 1)


def is_letter(code: int, vocabulary: Vocabulary) -> bool:
    """Return whether a symbol is a letter; of bytes, the letters of ASCII."""
    return (vocabulary.kind == "characters" or code < 128) and chr(code).isalpha()
