"""WordsNetwork: counts of words as a network, for mixtures."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._kernels.ngram import words
from ..inference.scratch import Scratch
from ..text.vocabulary import Vocabulary
from .counts_network import CountsNetwork
from .recent_symbols import RecentSymbolsNetwork, State
from .word_counts import WordCounts


class MixedWords(NamedTuple):
    """Counts of words as a member of a mixture, whose last column of weights is theirs."""

    counts: WordCounts
    vocabulary: Vocabulary  # of the mixture's models
    weights_without: NDArray[np.float64]  # of the models alone


class WordsNetwork(RecentSymbolsNetwork):
    """A network whose logits are the log-probabilities of counts of words.

    Counts of characters, which have read the same text, tell a letter's cases apart.
    """

    def __init__(self, word_counts: WordCounts, characters: CountsNetwork) -> None:
        self.word_counts = word_counts
        self.characters = characters

    def __reduce__(self) -> tuple[Any, ...]:
        return WordsNetwork, (self.word_counts, self.characters)

    @property
    def symbols(self) -> int:
        """The number of symbols, V."""
        return self.characters.symbols

    @property
    def boundary(self) -> int | None:
        """The symbol that ends a document."""
        return self.characters.boundary

    @property
    def context_length(self) -> int:
        """The number of latest symbols that predictions depend on."""
        return max(words.WINDOW, self.characters.context_length)

    def same_as(self, other: object) -> bool:
        """Return whether another network has the same counts, possibly unpickled."""
        return (
            isinstance(other, WordsNetwork)
            and other.word_counts.same_as(self.word_counts)
            and other.characters.same_as(self.characters)
        )

    @property
    def basis(self) -> CountsNetwork:
        """The network whose logits tell cases apart; see `DerivedNetwork`."""
        return self.characters

    def logits_after(self, state: State) -> NDArray[np.float64]:
        """Return the logits (B, V) of the next symbols, which are log-probabilities."""
        rows = self.characters.logits_after(self._of_characters(state))
        return self._spread_after(rows, state, out=rows)

    def logits_after_from(self, rows: NDArray[np.float64], state: State) -> NDArray[np.float64]:
        """Return the logits (B, V) of the next symbols, given those of the counts of characters."""
        return self._spread_after(rows, state, out=np.empty_like(rows))

    def _spread_after(self, rows: NDArray[np.float64], state: State, out: NDArray[np.float64]) -> NDArray[np.float64]:
        """Write the logits (B, V) of the next symbols into `out`, given those of the counts of characters."""
        nothing = np.empty((0, len(state)), np.int32)
        self.word_counts.spread(nothing, state, rows[None], out[None])
        return out

    def logits_before(self, x: NDArray[np.int32], state: State, scratch: Scratch | None = None) -> NDArray[np.float64]:
        """Return the logits (n, B, V) that predict each symbol x (n, B); advance the state in place."""
        rows = self.characters.logits_before(x, self._of_characters(state), scratch)
        self.word_counts.spread(x, state, rows, rows)
        self.feed(x, state)
        return rows

    def logits_before_from(
        self, rows: NDArray[np.float64], x: NDArray[np.int32], state: State, scratch: Scratch | None = None
    ) -> NDArray[np.float64]:
        """Return the logits (n, B, V) like `logits_before`, given those of the counts of characters."""
        out = (scratch or Scratch()).empty("logits", rows.shape, np.float64)
        self.word_counts.spread(x, state, rows, out)
        self.feed(x, state)
        return out

    def row_source(self, state: State) -> tuple[object, NDArray[np.int32]]:
        """Return an object that fills rows of logits in a compiled loop, and the context of a state with one stream."""
        source, _ = self.characters.row_source(self._of_characters(state))
        return words.WordRows(self.word_counts.tables, source).row_source(), state[0].copy()

    def rows_at_a_time(self, wanted: int) -> int:
        """Return the number of logits rows to compute at once."""
        return self.characters.rows_at_a_time(wanted)

    def _of_characters(self, state: State) -> State:
        """Return the state of the counts of characters."""
        return np.array(state[:, state.shape[1] - self.characters.context_length :])
