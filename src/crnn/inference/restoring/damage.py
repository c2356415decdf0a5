"""Damage: what may have happened to the symbols of a text, with the log-probability of each kind of damage."""

from __future__ import annotations

import math
import unicodedata
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import InvalidInputError, short_repr
from ...parameters.checks import checked_bool, checked_float
from ...text.symbols.vocabulary import Vocabulary

KINDS = 4  # of typos: substitution, missing letter, excess letter, swap
NEVER = -math.inf
GAP_LOGITS = 1 << 22  # maximum of a text's default hypotheses after a gap: 32 MB; above 2,048 symbols, fewer are kept


class Damage(NamedTuple):
    """The checked arguments of `LanguageModel.restore`: what may have happened to a text."""

    case: bool
    accents: bool
    spaces: bool
    gap: int | None  # the code of the character that stands for an unknown one
    typos: float  # the rate; 0 without typos

    @classmethod
    def check(
        cls, vocabulary: Vocabulary, *, case: Any, accents: Any, spaces: Any, gaps: Any, typos: Any
    ) -> Damage:
        """Return the damage if the arguments are valid, and ask for what a model of these symbols can restore."""
        rate = 0.0 if typos is None else checked_float("typos", typos, above=0, below=1)
        of_bytes = vocabulary.kind == "bytes"
        if gaps is not None and (not isinstance(gaps, bytes if of_bytes else str) or len(gaps) != 1):
            kind = "bytes of length 1" if of_bytes else "a str of one character"
            raise InvalidInputError(f"gaps is {short_repr(gaps)}, but must be {kind}, which marks an unknown symbol")
        damage = cls(
            checked_bool("case", case),
            checked_bool("accents", accents),
            checked_bool("spaces", spaces),
            None if gaps is None else ord(gaps),
            rate,
        )
        if not any((damage.case, damage.accents, damage.spaces, gaps is not None, rate)):
            raise InvalidInputError(
                'restore needs the kind of damage. Pass at least one of case=True, accents=True, spaces=True, gaps="_" '
                "or typos=0.05."
            )
        if damage.accents and of_bytes:
            raise InvalidInputError(
                "accents=True needs a model of characters, since an accented letter takes several bytes. Fit the model "
                "on str."
            )
        if damage.spaces and ord(" ") not in vocabulary.codes:
            raise InvalidInputError("spaces=True, but the model has no space. Fit it on text with spaces.")
        return damage

    def fold(self, code: int, vocabulary: Vocabulary) -> int | str:
        """Return what remains of a symbol: symbols with the same rest can stand for each other.

        Examples
        --------
        >>> damage, letters = Damage(True, True, False, None, 0.0), Vocabulary.from_text("Éé")
        >>> [damage.fold(ord(c), letters) for c in "Éé."]
        ['e', 'e', '.']
        """
        if vocabulary.kind == "bytes" and code > ord("\x7f"):
            return code
        symbol = chr(code)
        if not symbol.isalpha():
            return symbol
        if self.accents:
            symbol = unicodedata.normalize("NFD", symbol)[0]
        return symbol.lower() if self.case else symbol

    def default_beams(self, vocabulary: Vocabulary) -> int:
        """Return how many hypotheses are worth keeping."""
        beams, V = 16 if self.typos else 4, len(vocabulary.codes)
        return beams if self.gap is None else max(beams, min(V, GAP_LOGITS // V))


class Channel(NamedTuple):
    """The damage as tables for `Selection`; each distinct symbol of a damaged text is a kind."""

    first: NDArray[np.int32]  # (kinds + 1,): where a kind's candidates start
    plain: NDArray[np.int32]  # (kinds,): how many of them come before the substitutions
    symbols: NDArray[np.int32]  # the candidates' ids, and
    costs: NDArray[np.float64]  # the log-probability of the damage
    skip: NDArray[np.float64]  # (kinds,): the cost of a letter typed in excess
    letters: NDArray[np.uint8]  # (kinds,): which are letters, if there may be typos
    inserted: NDArray[np.int32]  # the ids of symbols that may be missing,
    insert_costs: NDArray[np.float64]  # what that costs,
    near_letters: NDArray[np.uint8]  # and whether they are missing next to letters only
    swap: float

    @classmethod
    def of(cls, damage: Damage, vocabulary: Vocabulary, codes: list[int]) -> Channel | int:
        """Return the tables for texts with these distinct codes, or the place of the first code that is unreadable."""
        known = vocabulary.codes.tolist()
        same: dict[int | str, list[int]] = {}
        for i, code in enumerate(known):
            same.setdefault(damage.fold(code, vocabulary), []).append(i)
        letters = [is_letter(code, vocabulary) for code in known]
        alphabet: dict[bool, list[int]] = {True: [], False: []}  # the ids of upper-case letters, and of all others
        for i, code in enumerate(known):
            if letters[i]:
                alphabet[chr(code).isupper()].append(i)
        rate = damage.typos / KINDS
        kept = math.log1p(-damage.typos)
        rows, plain, skip, are_letters = list[list[tuple[int, float]]](), list[int](), list[float](), list[bool]()
        for at, code in enumerate(codes):
            letter = bool(damage.typos) and code != damage.gap and is_letter(code, vocabulary)
            if code == damage.gap:
                candidates = list(range(len(known)))
            else:
                candidates = same.get(damage.fold(code, vocabulary), [])
                if not candidates and vocabulary.unknown is not None:
                    candidates = [vocabulary.unknown]
            others = sorted({*alphabet[True], *alphabet[False]} if damage.case else alphabet[chr(code).isupper()])
            others = [i for i in others if i not in candidates] if letter else []
            if not candidates and not others:
                return at
            if not candidates:  # a letter that the model lacks can only be a typo
                candidates, others = others, []
            substitution = math.log(rate / max(len(others), 1)) if letter else NEVER
            rows.append([(i, kept if letter else 0.0) for i in candidates] + [(i, substitution) for i in others])
            plain.append(len(candidates))
            skip.append(math.log(rate / max(len(others) + 1, 1)) if letter else NEVER)
            are_letters.append(letter)
        missing = [(i, math.log(rate), 1) for i, letter in enumerate(letters) if letter] if damage.typos else []
        if damage.spaces:
            missing.append((known.index(ord(" ")), 0.0, 0))
        table = np.array([pair for row in rows for pair in row]).reshape(-1, 2)
        inserted = np.array(missing).reshape(-1, 3)
        return cls(
            np.cumsum([0, *map(len, rows)], dtype=np.int32),
            np.array(plain, np.int32),
            table[:, 0].astype(np.int32),
            table[:, 1].copy(),
            np.array(skip),
            np.array(are_letters, np.uint8),
            inserted[:, 0].astype(np.int32),
            inserted[:, 1].copy(),
            inserted[:, 2].astype(np.uint8),
            math.log(rate) if damage.typos else NEVER,
        )


def is_letter(code: int, vocabulary: Vocabulary) -> bool:
    """Return whether a symbol is a letter; of bytes, the letters of ASCII."""
    return (vocabulary.kind == "characters" or code < 128) and chr(code).isalpha()
