"""TextSampler: texts drawn in parallel, symbol by symbol, until each has ended."""

from __future__ import annotations

import sys

import numpy as np
from numpy.typing import NDArray

from ..inference.network import Context, InferenceNetwork
from ..runtime.signals import check_canceled
from ..scoring.strings import Strings
from .controls import CheckedControls, Stops, Uniforms
from .limits import LIMITS, SamplingLimits
from .symbol_draws import SymbolDraws, symbol_draws


class TextSampler:
    """Draws one text from each stream of random numbers, all from the same context: see `text_sampler`.

    `lengths` counts the symbols of each text so far, without a stop that it has met. A text that meets no stop has n
    symbols; None: no limit. Memory is allocated for `room` symbols at first, or for n if None.
    """

    def __init__(self, draws: SymbolDraws, n: int | None, stops: Stops, room: int | None = None) -> None:
        self.draws = draws
        self._stops = stops
        self._n = sys.maxsize if n is None else n
        self.lengths = np.zeros(draws.count, np.intp)
        self._symbols = np.empty((draws.count, min(self._n, room or self._n)), np.int32)

    @property
    def finished(self) -> bool:
        """Whether every text is complete."""
        return self._n == 0 or self.draws.finished

    def symbols(self, n: int) -> NDArray[np.int32]:
        """Return the first n symbols of each text, (count, n), which must have been drawn."""
        return self._symbols[:, :n].copy()

    def run(self) -> Strings:
        """Draw until every text is complete, and return all texts."""
        while not self.finished:
            self._make_room()
            self.draws.advance(self._symbols, self.lengths, self._n, self._n)
        if not self._stops:  # all have the same length
            return Strings(self._symbols.ravel(), self.lengths)
        return Strings(self._symbols[np.arange(self._symbols.shape[1]) < self.lengths[:, None]], self.lengths)

    def advance(self, steps: int) -> None:
        """Draw up to `steps` symbols of each incomplete text."""
        self._make_room()
        self.draws.advance(self._symbols, self.lengths, self._n, steps)

    def _make_room(self) -> None:
        """Enlarge the array of the drawn symbols if the longest text fills it; first, let Ctrl-C get through."""
        check_canceled()
        width = self._symbols.shape[1]
        if width < self._n and self.lengths.max() == width:
            more = np.empty((len(self.lengths), min(width, self._n - width)), np.int32)
            self._symbols = np.concatenate([self._symbols, more], axis=1)

    def take(self) -> NDArray[np.int32]:
        """Return the new symbols of the only text that cannot belong to a stop, and forget them."""
        length = int(self.lengths[0])
        text = self._symbols[0, :length]
        certain = length if self.finished else length - self._stops.begun_length(text)
        taken = text[:certain].copy()
        self._symbols[0, : length - certain] = text[certain:].copy()
        self.lengths[0] -= certain
        self._n -= certain
        self.draws.forget(taken)
        return taken

    def ended_by(self, symbol: int) -> NDArray[np.bool_]:
        """Return which of the complete texts met `symbol` as their stop."""
        met = self.lengths < self._n
        stop = self._symbols[met, self.lengths[met]]  # the stop is left after the text
        met[met] = stop == symbol
        return met


def text_sampler(
    network: InferenceNetwork,
    context: Context,
    n: int | None,
    uniforms: Uniforms,
    controls: CheckedControls,
    *,
    room: int | None = None,
    limits: SamplingLimits = LIMITS,
) -> TextSampler:
    """Return a network's sampler, whose texts start from `context` and take a uniform number for each symbol."""
    if room is None and controls.stops:
        room = limits.initial_room
    return TextSampler(symbol_draws(network, context, uniforms, controls, limits), n, controls.stops, room)
