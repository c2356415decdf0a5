"""Restoring texts whose originals stand in a list: `LanguageModel.restore` with `among`."""

from __future__ import annotations

import math
from collections.abc import Iterable
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._kernels.inference.closed_list import ListSearch, TextTrie
from ..errors import InvalidInputError
from ..inference.model_cache import cached_per_model
from ..inference.network import Context, InferenceNetwork
from ..runtime.machine import check_free_memory
from ..runtime.signals import check_canceled
from ..runtime.threads import inference_threads, run_tasks
from ..scoring.listed_texts import as_list, checked_texts_of_list
from ..scoring.string_scores import log_likelihoods
from ..scoring.strings import Strings, text_blocks
from ..text.primes import encoded_prime
from ..text.vocabulary import Vocabulary, immutable, pieces
from .channel import Channel
from .confusions import MAX_KEY
from .damage import TYPO_KINDS, Damage, unread_log_p
from .restorer import Change, Restored

FIRST_MARGIN = 24.0  # nats below the highest score: the first search is for better originals alone
MARGIN_GROWTH = 1.25  # the next margin, if too few are found
MAX_MARGIN = 1e4  # nats: a margin beyond which all texts are searched
CELLS_OF_CALL = 1 << 20  # of the search's rows between two looks for Ctrl-C: milliseconds
BYTES_PER_CELL = 8

Costs = NDArray[np.float64]


class TextList:
    """The texts of a list as a trie, with their log-probabilities by a model."""

    def __init__(self, network: InferenceNetwork, vocabulary: Vocabulary, texts: list[Any], prime: Any) -> None:
        codes = [np.concatenate([np.zeros(0, np.uint32), *pieces(text)]) for text in texts]
        every = np.unique(np.concatenate([vocabulary.codes, *codes]))
        self.texts = texts
        self.model_vocabulary = vocabulary
        self.vocabulary = Vocabulary(every, vocabulary.kind, boundary=True)  # it may have no symbols
        log_p = text_log_p(network, vocabulary, codes, prime)
        first = {text: i for i, text in reversed([*enumerate(texts)])}
        order = [first[text] for text in sorted(first)]
        strings = Strings.join([self.vocabulary.ids_of_codes(codes[i]) for i in order])
        numbers = np.array(order, np.intp)
        self.trie = TextTrie(strings.ids, strings.lengths, log_p[numbers], numbers, len(every))
        self._damage: Damage | None = None
        self._tables: DamageTables | None = None
        self._lock = Lock()

    def tables(self, damage: Damage, codes: NDArray[Any]) -> DamageTables:
        """Return the tables of a damage for these distinct codes; those of the last damage are kept."""
        with self._lock:
            if self._tables is None or damage != self._damage:
                self._tables = DamageTables(damage, self.vocabulary)
                self._damage = damage
            self._tables.add(codes)
            return self._tables


def text_log_p(network: InferenceNetwork, vocabulary: Vocabulary, codes: list[NDArray[Any]], prime: Any) -> Costs:
    """Return log P of each text, with its end if the model has ends; a symbol that the model lacks counts as usual."""
    state = Context.after(network, encoded_prime(prime, vocabulary)).state
    end = np.array([] if vocabulary.boundary is None else [vocabulary.boundary], np.int32)
    ids = [np.append(vocabulary.ids_of_codes(of_text), end) for of_text in codes]
    lacking = np.array([np.count_nonzero(of_text < 0) for of_text in ids])
    log_p = log_likelihoods(network, Strings.join([of_text[of_text >= 0] for of_text in ids]), state)
    return log_p + lacking * unread_log_p(vocabulary)


class Row(NamedTuple):
    """The log-probabilities of one damaged symbol, minus what undoing the damage must gain."""

    reads: Costs  # (V,): that each symbol of the list is its original
    plain: Costs  # (V,): the same without typos and confusions, which is how swapped symbols are read
    skip: float  # that it is in excess


class DamageTables:
    """Damage as tables for `ListSearch`.

    They have the costs of `Channel`. With typos, also symbols other than letters may be substituted, missing, in excess
    or swapped: since the original is in the list, nothing can be invented.
    """

    def __init__(self, damage: Damage, vocabulary: Vocabulary) -> None:
        self.damage = damage
        self.vocabulary = vocabulary
        self.rows: dict[int, Row] = {}
        V = len(vocabulary.codes)
        channel = Channel.of(damage, vocabulary, [])
        self.inserts = np.full(V, -math.inf)
        np.maximum.at(self.inserts, channel.inserted, channel.insert_costs[:, 0] - channel.insert_costs[:, 1])
        self.kept = channel.kept
        self.swap = float(channel.swap[0] - channel.swap[1])
        self.any_substitution = self.any_excess = -math.inf
        if damage.typos:
            rate = damage.typos / TYPO_KINDS
            toll = damage.least["typos"]
            self.any_substitution = math.log(rate / max(V, 1)) - toll
            self.any_excess = math.log(rate / (V + 1)) - toll
            self.inserts = np.maximum(self.inserts, math.log(rate) - toll)
        self.replacements = self._replacements()

    def _replacements(self) -> dict[tuple[int, ...], list[tuple[NDArray[np.int32], float]]]:
        """Return by the codes that stand in the text what they may have been, and the costs; single symbols aside."""
        known = set(self.vocabulary.codes.tolist())
        found: dict[tuple[int, ...], list[tuple[NDArray[np.int32], float]]] = {}
        for before, options in (self.damage.confusions or {}).items():
            for after, rate in options.items():
                if before and max(len(before), len(after)) > 1 and known.issuperset(after):
                    ids = self.vocabulary.ids_of_codes(np.array(after, np.int64))
                    cost, toll = self.damage.cost(rate, "confusions")
                    found.setdefault(before, []).append((ids, cost - toll))
        return found

    def add(self, codes: NDArray[Any]) -> None:
        """Add the rows of further codes."""
        new = [code for code in codes.tolist() if code not in self.rows]
        if not new:
            return
        channel = Channel.of(self.damage, self.vocabulary, new)
        V = len(self.vocabulary.codes)
        costs = channel.costs[:, 0] - channel.costs[:, 1]
        for k, code in enumerate(new):
            places = np.arange(channel.first[k], channel.first[k + 1])
            is_known = channel.symbols[places] >= 0
            is_known &= channel.symbols[places] < V
            reads = np.full(V, self.any_substitution)
            plain = np.full(V, -math.inf)
            symbols = channel.symbols[places[is_known]]
            np.maximum.at(reads, symbols, costs[places[is_known]])
            is_plain = is_known & (places < channel.first[k] + channel.plain[k])
            plain[channel.symbols[places[is_plain]]] = costs[places[is_plain]] - self.kept * channel.letters[k]
            skip = max(float(channel.skip[k, 0] - channel.skip[k, 1]), self.any_excess)
            self.rows[code] = Row(reads, plain, skip)

    def search(self, trie: TextTrie, codes: NDArray[Any], count: int) -> ListSearch:
        """Return the search for the originals of a text."""
        V = trie.vocab_size
        rows = [self.rows[code] for code in codes.tolist()]
        reads = np.array([row.reads for row in rows]).reshape(-1, V).T
        plain = np.array([row.plain for row in rows]).reshape(-1, V).T
        skips = np.array([row.skip for row in rows])
        replacements = self._replacements_in(codes.tolist()) if self.replacements else NO_REPLACEMENTS
        return ListSearch(
            trie,
            np.ascontiguousarray(reads),
            np.ascontiguousarray(plain),
            skips,
            self.inserts,
            self.swap,
            replacements,
            count,
        )

    def _replacements_in(self, codes: list[int]) -> tuple[NDArray[np.intp], Costs, NDArray[np.int32]]:
        """Return the replacements that a text may have, as `ListSearch` wants them."""
        places = list[tuple[int, int, int, int]]()
        costs = list[float]()
        symbols = [np.zeros(0, np.int32)]
        n_symbols = 0
        for start in range(len(codes)):
            for stop in range(start + 1, min(start + MAX_KEY, len(codes)) + 1):
                for after, cost in self.replacements.get(tuple(codes[start:stop]), ()):
                    places.append((start, stop - start, n_symbols, n_symbols + len(after)))
                    costs.append(cost)
                    symbols.append(after)
                    n_symbols += len(after)
        return np.array(places, np.intp).reshape(-1, 4), np.array(costs), np.concatenate(symbols)


NO_REPLACEMENTS = (np.zeros((0, 4), np.intp), np.zeros(0), np.zeros(0, np.int32))


class KeptList:
    """The last list of a model, as given, and its trie."""

    def __init__(self) -> None:
        self.last: tuple[list[Any], TextList] | None = None


def text_list(owner: Any, network: InferenceNetwork, vocabulary: Vocabulary, among: Any, prime: Any) -> TextList:
    """Return the texts of a list with their log-probabilities; the last list is kept with its owner, the model."""
    given = as_list(among)
    kept = cached_per_model(owner, network, ("among", immutable(prime)), KeptList)
    if kept.last is not None and kept.last[0] == given:  # fast: the same objects are not compared
        return kept.last[1]
    texts = checked_texts_of_list(given, vocabulary)
    if not texts:
        raise InvalidInputError("among is empty. Pass at least one text.")
    choices = TextList(network, vocabulary, texts, prime)
    kept.last = (list(given), choices)  # the caller's list may change
    return choices


def restored_among(
    choices: TextList, damage: Damage, texts: Iterable[Any], n_threads: int | None, *, changes: bool
) -> list[Any]:
    """Return the most probable original of each text in the list, or with `changes` a `Restored` for each."""
    threads = inference_threads(n_threads)
    originals = list[Any]()
    for block in text_blocks(texts, choices.model_vocabulary, name="X"):
        codes = [np.concatenate([np.zeros(0, np.uint32), *pieces(text)]) for text in block.texts]
        tables = choices.tables(damage, np.unique(np.concatenate(codes)))
        found: list[Any] = [None] * len(codes)

        def restore(i: int, block: Any = block, codes: Any = codes, tables: Any = tables, found: Any = found) -> None:
            found[i] = _original(choices, tables, block.texts[i], codes[i], changes=changes)

        run_tasks(range(len(codes)), restore, threads)
        originals += found
    return originals


def _original(choices: TextList, tables: DamageTables, text: Any, codes: NDArray[Any], *, changes: bool) -> Any:
    """Return the most probable original of one text."""
    n_cells = (choices.trie.longest + 1) * (len(codes) + 1)
    check_free_memory(n_cells * BYTES_PER_CELL, f"a text has {len(codes)} symbols", "Pass shorter texts with among.")
    count = 2 if changes else 1
    search = tables.search(choices.trie, codes, count)
    margin = FIRST_MARGIN
    while True:
        floor = search.highest - margin if margin < MAX_MARGIN else -math.inf
        search.start(floor)
        while not search.advance(CELLS_OF_CALL):
            check_canceled()
        numbers, scores = search.found()
        if numbers[-1] >= 0 or floor == -math.inf:
            break
        margin *= MARGIN_GROWTH
    original = choices.texts[numbers[0]] if numbers[0] >= 0 else text
    if not changes:
        return original
    log_odds = float(scores[0] - scores[1]) if numbers[-1] >= 0 else math.inf
    return Restored(original, [] if original == text else [single_change(text, original, log_odds)])


def single_change(text: Any, original: Any, log_odds: float) -> Change:
    """Return the change from the first to the last difference."""
    shorter = min(len(text), len(original))
    start = 0
    while start < shorter and text[start] == original[start]:
        start += 1
    end = 0
    while end < shorter - start and text[len(text) - 1 - end] == original[len(original) - 1 - end]:
        end += 1
    stop = len(text) - end
    return Change(start, stop, text[start:stop], original[start : len(original) - end], log_odds)
