"""Restorer: the most probable original of a damaged text."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypedDict

import numpy as np
from numpy.typing import NDArray

from .._kernels.inference.selection import INSERTED_STEP, REPLACED_STEP, SWAPPED_STEP, UNREAD_SYMBOL, Selection
from ..inference.beams import MANY_SYMBOLS, check_beam_memory
from ..inference.network import Context, InferenceNetwork, State
from ..runtime.signals import check_canceled
from ..runtime.threads import inference_threads, run_tasks
from ..scoring.string_scores import log_likelihoods
from ..scoring.strings import Strings, text_blocks
from ..text.primes import encoded_prime
from ..text.vocabulary import Vocabulary, pieces
from .channel import Channel
from .damage import SKIPPED, Damage, unread_log_p

GAP_LOGITS = 1 << 22  # maximum of a text's default hypotheses after a gap: 32 MB; above 2,048 symbols, fewer are kept
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
    def from_search(cls, symbols: Ids, obligations: Ids, costs: NDArray[np.float64], replacement_steps: Ids) -> _Path:
        """Return the path that a `Selection` found for a text.

        The obligation after a step says what the next step must do: the second half of a swap after SWAPPED_STEP, or
        row ``obligation - REPLACED_STEP`` of `replacement_steps`; the other obligations leave it free.
        """
        swapped = obligations == SWAPPED_STEP
        replaced = obligations >= REPLACED_STEP
        taken = np.where(obligations == INSERTED_STEP, 0, 1)
        # The step itself is the row before that of the next step.
        taken[replaced] = replacement_steps[obligations[replaced] - REPLACED_STEP - 1, 1]
        return cls(symbols=symbols, taken=taken, goes_on=swapped | replaced, swapped=swapped, costs=costs)

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
        if n_beams is None:
            self.n_beams = usual
            self.margin = DEFAULT_MARGIN
        else:  # an explicit number is kept, whatever the hypotheses' scores
            self.n_beams = n_beams
            self.margin = math.inf
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
        logits = network.logits_after(state)
        while True:
            check_canceled()
            inserted_logits = logits[:0]  # of all insertions at this position
            latest = logits  # of the hypotheses that may insert a symbol now
            while may_insert:
                rows, symbols = selection.insert(latest)
                if not len(rows):
                    break
                inserted = network.select(state, rows)
                network.feed(symbols[None], inserted)
                state = network.join([state, inserted])
                latest = network.logits_after(inserted)
                inserted_logits = np.concatenate([inserted_logits, latest])
            rows, symbols = selection.advance(logits, inserted_logits)
            if not selection.left:
                return [_Path.from_search(*selection.path(i), channel.steps) for i in range(len(parts))]
            state = self._after(state, rows, symbols)
            logits = network.logits_after(state)

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
        sources[p - 1] = p
        sources[p] = p - 1
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
