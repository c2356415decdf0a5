"""Restoring: the most probable originals of damaged texts, and what was changed."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable
from typing import Any, NamedTuple, TypedDict

import numpy as np
from numpy.typing import NDArray

from .._kernels.inference.selection import UNREAD_SYMBOL, Selection
from ..errors import InvalidInputError, short_repr
from ..parameters.checks import checked_bool, checked_float
from ..runtime.signals import check_canceled
from ..runtime.threads import inference_threads, run_tasks
from ..text.vocabulary import Vocabulary, pieces
from .network import Context, InferenceNetwork, State
from .sampling import encoded_prime
from .search import LONG, check_beam_memory
from .string_scores import text_blocks

# ---------------------------------------------------------------- damage

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
    def check(cls, vocabulary: Vocabulary, *, case: Any, accents: Any, spaces: Any, gaps: Any, typos: Any) -> Damage:
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
        return beams if self.gap is None else max(beams, min(V, GAP_LOGITS // max(V, 1)))


class Channel(NamedTuple):
    """The damage as tables for `Selection`; each distinct symbol of a damaged text is a kind."""

    first: NDArray[np.int32]  # (kinds + 1,): where a kind's candidates start
    plain: NDArray[np.int32]  # (kinds,): how many of them come before the substitutions
    symbols: NDArray[np.int32]  # the candidates' ids, UNREAD_SYMBOL for a symbol that the model lacks, and
    costs: NDArray[np.float64]  # the log-probability of the damage
    skip: NDArray[np.float64]  # (kinds,): the cost of a letter typed in excess
    letters: NDArray[np.uint8]  # (kinds,): which are letters, if there may be typos
    inserted: NDArray[np.int32]  # the ids of symbols that may be missing,
    insert_costs: NDArray[np.float64]  # what that costs,
    near_letters: NDArray[np.uint8]  # and whether they are missing next to letters only
    swap: float
    unread: float  # the log-probability of a symbol that the model lacks

    @classmethod
    def of(cls, damage: Damage, vocabulary: Vocabulary, codes: list[int]) -> Channel:
        """Return the tables for texts with these distinct codes."""
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
        for code in codes:
            letter = bool(damage.typos) and code != damage.gap and is_letter(code, vocabulary)
            candidates = list(range(len(known))) if code == damage.gap else same.get(damage.fold(code, vocabulary), [])
            if not candidates:
                candidates = [UNREAD_SYMBOL if vocabulary.unknown is None else vocabulary.unknown]
            others = sorted({*alphabet[True], *alphabet[False]} if damage.case else alphabet[chr(code).isupper()])
            others = [i for i in others if i not in candidates] if letter else []
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
            unread_log_p(vocabulary),
        )


def unread_log_p(vocabulary: Vocabulary) -> float:
    """Return the log-probability of a symbol that the model lacks: a uniform guess among the model's symbols and it.

    A substitution, which has one of fewer letters, is therefore more probable than a letter that the model lacks next
    to a missing letter.
    """
    return -math.log(len(vocabulary.codes) + 1)


def is_letter(code: int, vocabulary: Vocabulary) -> bool:
    """Return whether a symbol is a letter; of bytes, the letters of ASCII."""
    return (vocabulary.kind == "characters" or code < 128) and chr(code).isalpha()


# ---------------------------------------------------------------- restored texts

ROWS = 128  # hypotheses of texts read side by side
PENALTY = 12.0  # nats by which a hypothesis ranks lower if it ends in the same symbols as a better one
MARGIN = 14.0  # nats below its text's best hypothesis, at which a hypothesis is dropped by default
SKIPPED = -1  # the symbol of a step that adds nothing to the restored text
AFTER = 48  # read symbols after a change that decide its log-odds

Ids = NDArray[np.int32]


class RestoreOptions(TypedDict, total=False):
    """The keyword arguments of `LanguageModel.restore` that do not decide the type of its result."""

    case: bool
    accents: bool
    spaces: bool
    gaps: str | bytes | None
    typos: float | None
    beams: int | None
    prime: str | bytes
    label: Any


class Change(NamedTuple):
    """A changed piece of a text.

    `start` and `stop` are its place in the given text, `before` is what was there, `after` what it became. `log_odds`
    is log P of the restored text minus log P of the text without this change, in nats; at a gap, against all other
    symbols.
    """

    start: int
    stop: int
    before: Any
    after: Any
    log_odds: float


class Restored(NamedTuple):
    """A restored text, and its changes in order."""

    text: Any
    changes: list[Change]


class _Path(NamedTuple):
    """The steps from a damaged text to the restored one."""

    symbols: Ids  # of the restored text; SKIPPED for none
    taken: Ids  # symbols of the damaged text that each stands for, 0 or 1
    costs: NDArray[np.float64]  # the log-probability of the damage


class _Edit(NamedTuple):
    """A change as ids: restored[at : at + len(after)] stands for damaged[start:stop]."""

    start: int
    stop: int
    at: int
    after: Ids  # UNREAD_SYMBOL for those that the model lacks
    cost: float  # the log-probability of the damage


class Restorer:
    """Restores texts with one network."""

    def __init__(
        self,
        network: InferenceNetwork,
        vocabulary: Vocabulary,
        damage: Damage,
        beams: int | None,
        prime: Any,
        n_threads: Any,
    ) -> None:
        self.network, self.vocabulary, self.damage = network, vocabulary, damage
        self.beams, self.margin = (damage.default_beams(vocabulary), MARGIN) if beams is None else (beams, math.inf)
        self.n_threads = inference_threads(n_threads)
        check_beam_memory(len(vocabulary), LONG, self.beams)
        self.start: State = Context.after(network, encoded_prime(prime, vocabulary)).state

    def restored(self, texts: Iterable[Any], *, changes: bool) -> list[Any]:
        """Return the restored texts, or with `changes` a `Restored` for each."""
        originals = []
        for block in text_blocks(texts, self.vocabulary, name="texts"):
            originals += self._restored_block(block.texts, changes)
        return originals

    def _restored_block(self, texts: list[Any], changes: bool) -> list[Any]:
        codes = [np.concatenate([np.zeros(0, np.uint32), *pieces(text)]) for text in texts]
        distinct, kinds = np.unique(np.concatenate(codes), return_inverse=True)
        channel = Channel.of(self.damage, self.vocabulary, distinct.tolist())
        lengths = np.array([*map(len, codes)], np.intp)
        parts = np.split(kinds.astype(np.int32), np.cumsum(lengths)[:-1])
        order, originals = np.argsort(-lengths, kind="stable"), list[Any](texts)
        rows = max(1, min(self.network.rows_at_a_time(ROWS) // self.beams, -(-len(texts) // self.n_threads)))

        def restore(group: NDArray[np.intp]) -> None:
            paths = self._search([parts[i] for i in group], channel)
            for i, path in zip(group, paths, strict=True):
                text = self._decoded(path, codes[i])
                originals[i] = Restored(text, self._changes(path, texts[i], codes[i], text)) if changes else text

        run_tasks([order[i : i + rows] for i in range(0, len(order), rows)], restore, self.n_threads)
        return originals

    def _search(self, parts: list[Ids], channel: Channel) -> list[_Path]:
        """Return the best path of each text, given as kinds of symbols, from the longest to the shortest."""
        network, vocabulary = self.network, self.vocabulary
        lengths = np.array([*map(len, parts)], np.intp)
        selection = Selection(
            np.concatenate(parts), lengths, channel, network.symbols, vocabulary.boundary, network.context_length,
            self.beams, self.margin, PENALTY,
        )  # fmt: skip
        state, may_insert = network.repeat(self.start, len(parts)), len(channel.inserted) > 0
        y = network.logits_after(state)
        while True:
            check_canceled()
            z = y[:0]
            if may_insert:
                rows, symbols = selection.insert(y)
                if len(rows):
                    inserted = network.select(state, rows)
                    network.feed(symbols[None], inserted)
                    state, z = network.join([state, inserted]), network.logits_after(inserted)
            rows, symbols = selection.advance(y, z)
            if not selection.left:
                return [_Path(*selection.path(i)) for i in range(len(parts))]
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

    def _decoded(self, path: _Path, codes: NDArray[Any]) -> Any:
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
        sources, places = np.arange(len(codes)), np.cumsum(path.taken) - 1
        for p in places[(path.taken > 0) & (path.costs == 0)].tolist() if self.damage.typos else ():
            if codes[p] != self.damage.gap and is_letter(int(codes[p]), self.vocabulary):  # free only after a swap
                sources[p - 1], sources[p] = p, p - 1
        return sources

    # ---------------------------------------------------------------- changes

    def _changes(self, path: _Path, text: Any, codes: NDArray[Any], restored: Any) -> list[Change]:
        """Return what the restored text changes, with log-odds; `codes` are the damaged text's."""
        network, symbols = self.network, path.symbols[path.symbols != SKIPPED]
        ids, known_before = symbols[symbols >= 0], np.append(0, np.cumsum(symbols >= 0))
        changes, state, read = list[Change](), network.copy(self.start), 0
        for edit in self._edits(path, codes, restored):
            stop = edit.at + len(edit.after)
            first, last = known_before[edit.at], known_before[stop]
            if first > read:
                network.feed(ids[read:first, None], state)
                read = first
            rest = ids[last : last + AFTER]
            if self.vocabulary.boundary is not None and last + AFTER >= len(ids):
                rest = np.append(rest, np.int32(self.vocabulary.boundary))
            others, cost = self._alternatives(edit, codes)
            log_p = self._log_probabilities(state, [np.concatenate([piece, rest]) for piece in (edit.after, *others)])
            odds = log_p[0] + edit.cost - np.logaddexp.reduce(log_p[1:]) - cost if others else math.inf
            place = slice(edit.start, edit.stop)
            changes.append(Change(edit.start, edit.stop, text[place], restored[edit.at : stop], float(odds)))
        return changes

    def _edits(self, path: _Path, codes: NDArray[Any], restored: Any) -> list[_Edit]:
        """Return the edits of a path in order; adjacent ones are joined, except at gaps."""
        edits, joins, start, at = list[_Edit](), False, 0, 0
        read = np.concatenate([np.zeros(0, np.uint32), *pieces(restored)])
        for symbol, taken, cost in zip(*[part.tolist() for part in path], strict=True):
            is_gap = bool(taken) and codes[start] == self.damage.gap
            adds = symbol != SKIPPED
            if is_gap or not taken or not adds or read[at] != codes[start]:
                new = _Edit(start, start + taken, at, np.array([symbol] * adds, np.int32), cost)
                if joins and not is_gap:
                    last = edits.pop()
                    new = _Edit(last.start, new.stop, last.at, np.append(last.after, new.after), last.cost + cost)
                edits.append(new)
                joins = not is_gap
            else:
                joins = False
            start, at = start + taken, at + adds
        return edits

    def _alternatives(self, edit: _Edit, codes: NDArray[Any]) -> tuple[list[Ids], float]:
        """Return what might stand there instead of a change, and the log-probability of that damage."""
        before = codes[edit.start : edit.stop]
        if len(before) == 1 and before[0] == self.damage.gap:
            return [np.array([i], np.int32) for i in range(len(self.vocabulary.codes)) if i != edit.after[0]], 0.0
        ids = self.vocabulary.ids_of_codes(before)
        letters = sum(is_letter(code, self.vocabulary) for code in before.tolist())
        return [np.where(ids < 0, np.int32(UNREAD_SYMBOL), ids)], letters * math.log1p(-self.damage.typos)

    def _log_probabilities(self, state: State, strings: list[Ids]) -> NDArray[np.float64]:
        """Return log P of each of some strings after the state of one stream, which stays as it is."""
        rows, found = self.network.rows_at_a_time(ROWS), list[NDArray[np.float64]]()
        for first in range(0, len(strings), rows):  # a gap has as many alternatives as the model has symbols
            part = [ids[ids >= 0] for ids in strings[first : first + rows]]
            lengths = np.array([*map(len, part)])
            x = np.zeros((lengths.max(), len(part)), np.int32)
            for i, ids in enumerate(part):
                x[: len(ids), i] = ids
            log_p = self.network.log_probabilities(x, self.network.repeat(state, len(part)))
            found.append(np.where(np.arange(len(x))[:, None] < lengths, log_p, 0.0).sum(axis=0))
        unread = np.array([np.count_nonzero(ids < 0) for ids in strings])
        return np.concatenate(found) + unread * unread_log_p(self.vocabulary)
