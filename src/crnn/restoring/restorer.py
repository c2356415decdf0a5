"""Restoring: the most probable originals of damaged texts, and what was changed."""

from __future__ import annotations

import itertools
import math
import unicodedata
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypedDict

import numpy as np
from numpy.typing import NDArray

from .._kernels.inference.selection import INSERTED_STEP, REPLACED_STEP, SWAPPED_STEP, UNREAD_SYMBOL, Selection
from ..errors import InvalidInputError, short_repr
from ..inference.network import Context, InferenceNetwork, State
from ..parameters.checks import checked_bool, checked_float
from ..runtime.signals import check_canceled
from ..runtime.threads import inference_threads, run_tasks
from ..sampling.text_sampler import encoded_prime
from ..scoring.string_scores import log_likelihoods
from ..scoring.strings import Strings, text_blocks
from ..search.beam_search import MANY_SYMBOLS, check_beam_memory
from ..text.vocabulary import MAX_CODE, Vocabulary, pieces

# ---------------------------------------------------------------- confusions

Codes = tuple[int, ...]
Cost = tuple[float, float]  # the log-probability of a damage, and what undoing it must gain
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
TYPOGRAPHIC_STAYS = 1e-4  # the share of typographic symbols that stand in the original, though the model lacks them
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


def checked_least(least: Any) -> dict[str, float]:
    """Return the nats that a change must gain, by kind."""
    if not isinstance(least, Mapping):
        return dict.fromkeys(CHANGE_KINDS, checked_float("least", least, minimum=0))
    for kind in least:
        if kind not in CHANGE_KINDS:
            known = ", ".join(CHANGE_KINDS)
            raise InvalidInputError(f"least has the key {short_repr(kind)}, but the kinds of changes are {known}")
    return {k: checked_float(f"least[{k!r}]", least.get(k, 0.0), minimum=0) for k in CHANGE_KINDS}


# ---------------------------------------------------------------- damage

TYPO_KINDS = 4  # substitution, missing letter, excess letter, swap
CHANGE_KINDS = ("case", "spaces", "accents", "typos", "confusions")
USUAL_LEAST = 3.0  # nats that a change must gain by default, with typos or confusions
NEVER: Cost = (-math.inf, 0.0)
FREE: Cost = (0.0, 0.0)
SKIPPED = -1  # the symbol of a step that adds nothing to the restored text
GAP_LOGITS = 1 << 22  # maximum of a text's default hypotheses after a gap: 32 MB; above 2,048 symbols, fewer are kept


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


class Channel(NamedTuple):
    """The damage as tables for `Selection`; each distinct symbol of a damaged text is a kind."""

    first: NDArray[np.int32]  # (kinds + 1,): where a kind's candidates start
    plain: NDArray[np.int32]  # (kinds,): how many of them come before the substitutions
    symbols: NDArray[np.int32]  # the candidates' ids, UNREAD_SYMBOL for a symbol that the model lacks, and
    costs: NDArray[np.float64]  # (n, 2): their costs
    skip: NDArray[np.float64]  # (kinds, 2): the costs of a symbol in excess
    letters: NDArray[np.uint8]  # (kinds,): which may be typos
    inserted: NDArray[np.int32]  # the ids of symbols that may be missing,
    insert_costs: NDArray[np.float64]  # (n, 2): what that costs,
    near_letters: NDArray[np.uint8]  # and whether they are missing next to letters only
    swap: NDArray[np.float64]  # (2,)
    kept: float  # the log-probability of no typo
    unread: float  # the log-probability of a symbol that the model lacks
    openings: NDArray[np.int32]  # (kinds + 1,): where the replacements that begin with a kind start
    replacements: NDArray[np.int32]  # (n, 3): the next two kinds, -1 for none, and the first step
    replacement_costs: NDArray[np.float64]  # (n, 2)
    steps: NDArray[np.int32]  # (n, 3): a symbol or SKIPPED, how many symbols it takes, and the obligation after it

    @classmethod
    def of(cls, damage: Damage, vocabulary: Vocabulary, codes: list[int]) -> Channel:
        """Return the tables for texts with these distinct codes."""
        known = vocabulary.codes.tolist()
        confusions = damage.confusions or {}
        index = {code: i for i, code in enumerate(known)}
        same: dict[int | str, list[int]] = {}
        for i, code in enumerate(known):
            same.setdefault(damage.fold(code, vocabulary), []).append(i)
        alphabet: dict[bool, list[int]] = {True: [], False: []}  # the ids of upper-case letters, and of all others
        for i, code in enumerate(known):
            if is_letter(code, vocabulary):
                alphabet[chr(code).isupper()].append(i)
        letters = sorted(alphabet[True] + alphabet[False])
        rate = damage.typos / TYPO_KINDS
        kept = math.log1p(-damage.typos)
        rows = list[list[tuple[int, Cost]]]()
        plain = list[int]()
        skip = list[Cost]()
        marked = list[bool]()
        for code in codes:
            plain_ids = range(len(known)) if code == damage.gap else same.get(damage.fold(code, vocabulary), [])
            row = [(i, damage.refolding(code, known[i])) for i in plain_ids]
            if not row or (code not in index and code != damage.gap):
                stays = UNREAD_SYMBOL if vocabulary.unknown is None else vocabulary.unknown
                row.append((stays, (damage.staying(code, index), 0.0)))
            marked.append(damage.is_marked(code, vocabulary))
            changed: dict[int, Cost] = {}  # by symbol; SKIPPED: the symbol is in excess
            if marked[-1]:
                row = [(i, (cost + kept, toll)) for i, (cost, toll) in row]
                others = letters if damage.case else alphabet[chr(code).isupper()]
                others = [i for i in others if i not in plain_ids]
                changed = dict.fromkeys(others, damage.cost(rate / max(len(others), 1), "typos"))
                changed[SKIPPED] = damage.cost(rate / (len(others) + 1), "typos")
            for i, cost in damage.confusions_of(code, index, vocabulary):
                changed[i] = max(cost, changed.get(i, NEVER), key=lambda cost: cost[0] - cost[1])
            skip.append(changed.pop(SKIPPED, NEVER))
            plain.append(len(row))
            rows.append(row + sorted(changed.items()))
        missing = [(i, *damage.cost(rate, "typos"), 1) for i in letters] if rate else []
        spaces = damage.spaces or confusions.get((), {}).get((ord(" "),), 0.0)
        space = index.get(ord(" "))
        if spaces and space is not None:
            missing.append((space, *damage.cost(spaces, "spaces"), 0))
        inserted = np.array(missing).reshape(-1, 4)
        table = np.array([(i, *cost) for row in rows for i, cost in row]).reshape(-1, 3)
        openings, replacements, replacement_costs, steps = damage.replacements(codes, index)
        return cls(
            first=np.cumsum([0, *map(len, rows)], dtype=np.int32),
            plain=np.array(plain, np.int32),
            symbols=table[:, 0].astype(np.int32),
            costs=table[:, 1:].copy(),
            skip=np.array(skip).reshape(-1, 2),
            letters=np.array(marked, np.uint8),
            inserted=inserted[:, 0].astype(np.int32),
            insert_costs=inserted[:, 1:3].copy(),
            near_letters=inserted[:, 3].astype(np.uint8),
            swap=np.array(damage.cost(rate, "typos") if rate else NEVER),
            kept=kept,
            unread=unread_log_p(vocabulary),
            openings=openings,
            replacements=replacements,
            replacement_costs=replacement_costs,
            steps=steps,
        )


def unread_log_p(vocabulary: Vocabulary) -> float:
    """Return the log-probability of a symbol that the model lacks, less than that of a substitution."""
    return -math.log(len(vocabulary.codes) + 1)


def is_letter(code: int, vocabulary: Vocabulary) -> bool:
    """Return whether a symbol is a letter; of bytes, the letters of ASCII."""
    return (vocabulary.kind == "characters" or code < 128) and chr(code).isalpha()


# ---------------------------------------------------------------- restored texts

HYPOTHESES_AT_A_TIME = 128  # hypotheses of texts read side by side
SAME_ENDING_PENALTY = 12.0  # nats by which a hypothesis ranks lower if it ends in the same symbols as a better one
DEFAULT_MARGIN = 14.0  # nats below its text's best hypothesis, at which a hypothesis is dropped by default
# Each adjoining gap multiplies the beams by 4, up to 512 or, if that is more, the number of symbols.
BEAMS_PER_GAP = 4
MAX_GAP_BEAMS = 512
HALVED_AFTER_GAP = 4  # symbols from a gap on, at each of which half as many hypotheses are kept
JUDGED_SYMBOLS = 48  # read symbols after a change that decide its log-odds

Ids = NDArray[np.int32]


class RestoreOptions(TypedDict, total=False):
    """The keyword arguments of `LanguageModel.restore` that do not decide the type of its result."""

    case: bool | float
    accents: bool
    spaces: bool | float
    gaps: str | bytes | None
    typos: float | None
    confusions: Any
    least: float | Mapping[str, float] | None
    n_beams: int | None
    among: Any
    prime: str | bytes
    label: Any


class Change(NamedTuple):
    """A changed piece of a text; see `LanguageModel.restore`.

    Attributes
    ----------
    start : int
        Where the piece begins in the damaged text.
    stop : int
        Where the piece ends in the damaged text: ``text[start:stop] == before``.
    before : str or bytes
        The piece as it stands in the damaged text; empty if something was inserted.
    after : str or bytes
        What replaces the piece in the restored text; empty if it was removed.
    log_odds : float
        How much more probable the restored text is than the text without this change: the difference of their
        log-probabilities, in nats.
    """

    start: int
    stop: int
    before: Any
    after: Any
    log_odds: float


class Restored(NamedTuple):
    """A restored text, and its changes.

    Attributes
    ----------
    text : str or bytes
        The restored text.
    changes : list of Change
        The changed pieces, in the order of the text.
    """

    text: Any
    changes: list[Change]


class _Path(NamedTuple):
    """The steps from a damaged text to the restored one."""

    symbols: Ids  # of the restored text; SKIPPED for none
    taken: Ids  # symbols of the damaged text that each stands for, 0 or 1
    goes_on: NDArray[np.bool_]  # whether the next step belongs to the same change
    swapped: NDArray[np.bool_]  # whether the step stands for the symbol after it, and the next step for the one before
    costs: NDArray[np.float64]  # (n, 2): the log-probability of the damage, and what undoing it must gain

    @classmethod
    def of(cls, symbols: Ids, obligations: Ids, costs: NDArray[np.float64], steps: Ids) -> _Path:
        """Return the path whose obligations after each step are given, with the steps of replacements."""
        swapped = obligations == SWAPPED_STEP
        replaced = obligations >= REPLACED_STEP
        taken = np.where(obligations == INSERTED_STEP, 0, 1)
        taken[replaced] = steps[obligations[replaced] - REPLACED_STEP - 1, 1]
        return cls(symbols, taken, swapped | replaced, swapped, costs)

    def with_steps(self, first: int, stop: int, replacing: _Path) -> _Path:
        """Return the path with other steps from `first` to `stop`."""

        def joined(part: NDArray[Any], new: NDArray[Any]) -> NDArray[Any]:
            return np.concatenate([part[:first], new, part[stop:]])

        return _Path(
            symbols=joined(self.symbols, replacing.symbols),
            taken=joined(self.taken, replacing.taken),
            goes_on=joined(self.goes_on, replacing.goes_on),
            swapped=joined(self.swapped, replacing.swapped),
            costs=joined(self.costs, replacing.costs),
        )


@dataclass
class _Edit:
    """A change as ids: `after` stands for damaged[start:stop], and begins at `place_in_restored`."""

    start: int
    stop: int
    place_in_restored: int
    first_step: int  # of the path
    stop_step: int
    after: list[int]  # UNREAD_SYMBOL for those that the model lacks
    cost: float  # the log-probability of the damage
    toll: float  # what undoing it must gain


class _Judged(NamedTuple):
    """The edits of a path with their log-odds."""

    path: _Path
    edits: list[_Edit]
    log_odds: list[float]


def beams_at(kinds: Ids, gap: int, n_beams: int, V: int) -> Ids:
    """Return how many hypotheses to keep at each symbol of a text: more at gaps, and for a while after them."""
    widths = np.full(len(kinds), n_beams, np.int32)
    run = 0  # gaps in a row up to this one
    V = max(V, 1)
    for p in np.flatnonzero(kinds == gap).tolist():
        run = run + 1 if p and kinds[p - 1] == gap else 1
        most = min(max(V, min(V * BEAMS_PER_GAP ** (run - 1), MAX_GAP_BEAMS)), GAP_LOGITS // V)
        for after in range(min(HALVED_AFTER_GAP, len(kinds) - p)):
            widths[p + after] = max(widths[p + after], most >> after)
    return widths


class Restorer:
    """Restores texts with one network."""

    def __init__(
        self,
        network: InferenceNetwork,
        vocabulary: Vocabulary,
        damage: Damage,
        n_beams: int | None,
        prime: Any,
        n_threads: Any,
    ) -> None:
        self.network = network
        self.vocabulary = vocabulary
        self.damage = damage
        usual = 16 if damage.typos or damage.confusions else 4  # except after gaps
        self.n_beams, self.margin = (usual, DEFAULT_MARGIN) if n_beams is None else (n_beams, math.inf)
        self.n_threads = inference_threads(n_threads)
        check_beam_memory(len(vocabulary), MANY_SYMBOLS, self.n_beams)
        self.start: State = Context.after(network, encoded_prime(prime, vocabulary)).state

    def restore(self, texts: Iterable[Any], *, changes: bool) -> list[Any]:
        """Return the restored texts, or with `changes` a `Restored` for each."""
        originals = []
        for block in text_blocks(texts, self.vocabulary, name="X"):
            originals += self._restored_block(block.texts, changes)
        return originals

    def _restored_block(self, texts: list[Any], changes: bool) -> list[Any]:
        """Restore some texts side by side; see `restore`."""
        codes = [np.concatenate([np.zeros(0, np.uint32), *pieces(text)]) for text in texts]
        distinct, kinds = np.unique(np.concatenate(codes), return_inverse=True)
        channel = Channel.of(self.damage, self.vocabulary, distinct.tolist())
        lengths = np.array([*map(len, codes)], np.intp)
        parts = np.split(kinds.astype(np.int32), np.cumsum(lengths)[:-1])
        more = math.isfinite(self.margin) and self.damage.gap in distinct
        gap = distinct.tolist().index(self.damage.gap) if more else -1
        order = np.argsort(-lengths, kind="stable")
        originals = list[Any](texts)
        rows = min(self.network.rows_at_a_time(HYPOTHESES_AT_A_TIME) // self.n_beams, -(-len(texts) // self.n_threads))
        if gap >= 0:
            V = max(len(self.vocabulary.codes), 1)
            rows = min(rows, GAP_LOGITS // (V * max(V, MAX_GAP_BEAMS)))
        rows = max(1, rows)

        def restore(group: NDArray[np.intp]) -> None:
            paths = self._search([parts[i] for i in group], channel, gap)
            for i, path in zip(group, paths, strict=True):
                if changes or any(self.damage.least.values()):
                    judged = self._without_weak_changes(path, codes[i])
                    text = self._decode(judged.path, codes[i])
                    originals[i] = Restored(text, self._changes(judged, texts[i], text)) if changes else text
                else:
                    originals[i] = self._decode(path, codes[i])

        run_tasks([order[i : i + rows] for i in range(0, len(order), rows)], restore, self.n_threads)
        return originals

    def _search(self, parts: list[Ids], channel: Channel, gap: int) -> list[_Path]:
        """Return the best path of each text, given as kinds of symbols, from the longest to the shortest.

        `gap` is the kind that stands for an unknown symbol, or -1 if gaps need no more beams.
        """
        network = self.network
        vocabulary = self.vocabulary
        lengths = np.array([*map(len, parts)], np.intp)
        beams = [beams_at(part, gap, self.n_beams, len(vocabulary.codes)) for part in parts]
        selection = Selection(
            np.concatenate(parts),
            lengths,
            channel,
            network.symbols,
            vocabulary.boundary,
            network.context_length,
            np.concatenate(beams),
            self.margin,
            SAME_ENDING_PENALTY,
        )
        state = network.repeat(self.start, len(parts))
        may_insert = len(channel.inserted) > 0 or not channel.steps[:, 1].all()
        y = network.logits_after(state)
        while True:
            check_canceled()
            z = y[:0]
            last = y
            while may_insert:
                rows, symbols = selection.insert(last)
                if not len(rows):
                    break
                inserted = network.select(state, rows)
                network.feed(symbols[None], inserted)
                state = network.join([state, inserted])
                last = network.logits_after(inserted)
                z = np.concatenate([z, last]) if len(z) else last
            rows, symbols = selection.advance(y, z)
            if not selection.left:
                return [_Path.of(*selection.path(i), channel.steps) for i in range(len(parts))]
            state = self._after(state, rows, symbols)
            y = network.logits_after(state)

    def _after(self, state: State, rows: NDArray[np.intp], symbols: Ids) -> State:
        """Return the state of these rows after their symbols; negative ones are not read."""
        reading = symbols >= 0
        if reading.all():
            state = self.network.select(state, rows)
            self.network.feed(symbols[None], state)
            return state
        places = np.argsort(np.argsort(~reading, kind="stable"), kind="stable")
        if not reading.any():
            return self.network.select(state, rows)
        read = self.network.select(state, rows[reading])
        self.network.feed(symbols[None, reading], read)
        return self.network.select(self.network.join([read, self.network.select(state, rows[~reading])]), places)

    def _decode(self, path: _Path, codes: NDArray[Any]) -> Any:
        """Return a restored text; a symbol unknown to the model stays as it was."""
        symbols = path.symbols[path.symbols != SKIPPED]
        read = (symbols >= 0) & (symbols != self.vocabulary.unknown)
        text = self.vocabulary.decode(symbols[read])
        if read.all():
            return text
        places = self._sources(path, codes)[np.cumsum(path.taken) - 1][path.symbols != SKIPPED]
        if isinstance(text, str):
            characters = iter(text)
            return "".join(next(characters) if known else chr(codes[i]) for known, i in zip(read, places, strict=True))
        values = iter(text)
        return bytes(next(values) if known else codes[i] for known, i in zip(read, places, strict=True))

    def _sources(self, path: _Path, codes: NDArray[Any]) -> NDArray[np.intp]:
        """Return the place in the damaged text that each of its symbols was swapped with, or its own place."""
        sources = np.arange(len(codes))
        p = np.cumsum(path.taken)[path.swapped]
        sources[p - 1], sources[p] = p, p - 1
        return sources

    # ---------------------------------------------------------------- changes

    def _changes(self, judged: _Judged, text: Any, restored: Any) -> list[Change]:
        """Return what the restored text changes."""
        return [
            Change(
                start=edit.start,
                stop=edit.stop,
                before=text[edit.start : edit.stop],
                after=restored[edit.place_in_restored : edit.place_in_restored + len(edit.after)],
                log_odds=odds,
            )
            for edit, odds in zip(judged.edits, judged.log_odds, strict=True)
        ]

    def _without_weak_changes(self, path: _Path, codes: NDArray[Any]) -> _Judged:
        """Return a path without changes that gain less than they must, and the log-odds of the others.

        A search that keeps few hypotheses may drop the one without a change, which then gains too little. Changes are
        judged from left to right, each after those that stay; as soon as one is undone, the others are judged again,
        since they may have gained from it.
        """
        while True:
            judged, undone = self._judge(path, codes)
            if not undone:
                return judged
            for edit in reversed(undone):
                path = path.with_steps(edit.first_step, edit.stop_step, self._staying(edit, codes))

    def _judge(self, path: _Path, codes: NDArray[Any]) -> tuple[_Judged, list[_Edit]]:
        """Return the edits of a path with their log-odds, and those that gain too little."""
        network = self.network
        symbols = path.symbols[path.symbols != SKIPPED]
        reads = symbols >= 0
        ids = symbols[reads]
        n_read_before = np.append(0, np.cumsum(reads))
        edits = self._edits(path, codes)
        all_odds = list[float]()
        undone = list[_Edit]()
        state = network.copy(self.start)
        n_read = 0
        for edit in edits:
            first = n_read_before[edit.place_in_restored]
            last = n_read_before[edit.place_in_restored + len(edit.after)]
            if first > n_read:
                network.feed(ids[n_read:first, None], state)
                n_read = first
            rest = ids[last : last + JUDGED_SYMBOLS]
            if self.vocabulary.boundary is not None and last + JUDGED_SYMBOLS >= len(ids):
                rest = np.append(rest, np.int32(self.vocabulary.boundary))
            others, cost = self._alternatives(edit, codes)
            after = np.array(edit.after, np.int32)
            log_p = self._log_probabilities(state, [np.concatenate([piece, rest]) for piece in (after, *others)])
            odds = log_p[0] + edit.cost - np.logaddexp.reduce(log_p[1:]) - cost if others else math.inf
            all_odds.append(float(odds))
            if edit.toll > 0 and not odds >= edit.toll:
                undone.append(edit)
                staying = others[0][others[0] >= 0]
                if len(staying):
                    network.feed(staying[:, None], state)
                n_read = last
        return _Judged(path, edits, all_odds), undone

    def _staying(self, edit: _Edit, codes: NDArray[Any]) -> _Path:
        """Return the steps that leave a piece of the damaged text as it is."""
        [symbols], _ = self._alternatives(edit, codes)
        n = len(symbols)
        costs = np.zeros((n, 2))
        costs[:, 0] = self.damage.keeping(codes[edit.start : edit.stop].tolist(), self.vocabulary)
        return _Path(symbols, np.ones(n, np.int32), np.zeros(n, np.bool_), np.zeros(n, np.bool_), costs)

    def _edits(self, path: _Path, codes: NDArray[Any]) -> list[_Edit]:
        """Return the edits of a path in order; adjacent ones are joined, except at gaps."""
        edits = list[_Edit]()
        joins = False  # whether the next edit belongs to the last one
        to_be_continued = False  # whether the step is the first or a middle one of a change
        start = 0  # place in the damaged text
        place_in_restored = 0
        known = self.vocabulary.codes
        for step, symbol in enumerate(path.symbols.tolist()):
            taken = int(path.taken[step])
            adds = symbol != SKIPPED
            continued = to_be_continued
            to_be_continued = bool(path.goes_on[step])
            is_gap = bool(taken) and codes[start] == self.damage.gap
            is_kept = bool(taken) and adds and (not 0 <= symbol < len(known) or known[symbol] == codes[start])
            if is_gap or continued or to_be_continued or not is_kept:
                cost, toll = path.costs[step].tolist()
                after = [symbol] if adds else []
                if joins and not is_gap:
                    last = edits[-1]
                    last.stop = start + taken
                    last.stop_step = step + 1
                    last.after += after
                    last.cost += cost
                    last.toll += toll
                else:
                    new = _Edit(
                        start=start,
                        stop=start + taken,
                        place_in_restored=place_in_restored,
                        first_step=step,
                        stop_step=step + 1,
                        after=after,
                        cost=cost,
                        toll=toll,
                    )
                    edits.append(new)
                joins = not is_gap
            else:
                joins = False
            start += taken
            place_in_restored += adds
        return edits

    def _alternatives(self, edit: _Edit, codes: NDArray[Any]) -> tuple[list[Ids], float]:
        """Return what might stand there instead of a change, and the log-probability of that damage."""
        before = codes[edit.start : edit.stop]
        if len(before) == 1 and before[0] == self.damage.gap:
            return [np.array([i], np.int32) for i in range(len(self.vocabulary.codes)) if i != edit.after[0]], 0.0
        ids = self.vocabulary.ids_of_codes(before)
        cost = float(self.damage.keeping(before.tolist(), self.vocabulary).sum())
        return [np.where(ids < 0, np.int32(UNREAD_SYMBOL), ids)], cost

    def _log_probabilities(self, state: State, strings: list[Ids]) -> NDArray[np.float64]:
        """Return log P of each of some strings after the state of one stream, which stays as it is."""
        log_p = log_likelihoods(self.network, Strings.join([ids[ids >= 0] for ids in strings]), state, 1)
        unread = np.array([np.count_nonzero(ids < 0) for ids in strings])
        return log_p + unread * unread_log_p(self.vocabulary)
