"""The network's states in and after strings, and the features made of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Array
from ..errors import InvalidInputError
from ..inference.network import InferenceNetwork, State, read_pieces
from ..inference.packed_network import PackedNetwork, PackedState
from ..model.layout import Layout
from ..parameters.checks import checked_bool, checked_choice
from ..runtime.threads import inference_threads, run_tasks
from ..text.vocabulary import Text, Vocabulary
from .limits import LIMITS, ScoringLimits
from .strings import Strings, text_blocks


def checked_part(layout: Layout, *, cells: bool) -> int:
    """Return the index of the requested part of a state: 0 for h, 1 for an LSTM's cells."""
    if checked_bool("cells", cells) and "c" not in layout.kind.states:
        raise InvalidInputError(f"cells=True needs LSTM layers, but the model has cell={layout.cell!r}. Omit cells.")
    return int(cells)


def states_of_text(
    network: PackedNetwork, vocabulary: Vocabulary, text: Any, n_threads: int | None, *, part: int
) -> Array:
    """Return the states (n, L, H) after each symbol of one text, read by one thread."""
    strings = Strings.join([vocabulary.encode(text, name="X")])
    return all_states(network, strings, network.start(), 1, part=part)[0]


def states_of_texts(
    network: PackedNetwork, vocabulary: Vocabulary, texts: Any, n_threads: int | None, *, part: int
) -> list[Array]:
    """Return the states (length, L, H) after each symbol of each text."""
    start = network.start()
    threads = inference_threads(n_threads)
    states = list[Array]()
    for block in text_blocks(texts, vocabulary, name="X"):
        strings = Strings.encode(block, vocabulary, name="X", ended=False)
        states += all_states(network, strings, start, threads, part=part)
    return states


def features(
    network: PackedNetwork, vocabulary: Vocabulary, texts: Iterable[Text], n_threads: int | None, *, pooling: str
) -> Array:
    """Return the features (n, L H) of texts; see `CharRNN.transform`."""
    pooling = checked_choice("pooling", pooling, POOLING)
    start = network.start()
    threads = inference_threads(n_threads)
    pooled = [np.empty((0, network.layout.num_layers * network.hidden_size), network.layout.dtype)]
    for block in text_blocks(texts, vocabulary, name="X"):
        strings = Strings.encode(block, vocabulary, name="X", ended=False)
        states = POOLING[pooling](network, strings, start, threads)
        pooled.append(states.reshape(len(states), -1))
    return np.concatenate(pooled)


def all_states(
    network: PackedNetwork, strings: Strings, start: PackedState, n_threads: int, *, part: int
) -> list[Array]:
    """Return the states (length, L, H) after each symbol of each string; `part` is 0 for h and 1 for c."""
    shape = (network.layout.num_layers, network.hidden_size)
    out = [np.empty((n, *shape), network.layout.dtype) for n in strings.lengths.tolist()]

    def read(group: NDArray[np.intp]) -> None:
        t = 0
        for rows, states in _advance(network, strings, group, start):
            for k, i in enumerate(rows):
                out[i][t : t + len(states[part])] = states[part][:, k]
            t += len(states[part])

    run_tasks(_groups(network, strings, n_threads), read, n_threads)
    return out


def last_states(network: PackedNetwork, strings: Strings, start: PackedState, n_threads: int) -> Array:
    """Return the activations (n, L, H) after each string; the bits of a row do not depend on other rows."""
    out = _features(network, strings)

    def read(group: NDArray[np.intp]) -> None:
        for rows, (h, *_) in final_states(network, strings, group, start):
            out[rows] = h.swapaxes(0, 1)

    run_tasks(_groups(network, strings, n_threads), read, n_threads)
    return out


def mean_states(network: PackedNetwork, strings: Strings, start: PackedState, n_threads: int) -> Array:
    """Return the mean over each string of the activations (n, L, H); for an empty string, its initial activations."""
    out = _features(network, strings)
    out[:] = start[0][:, 0]

    def read(group: NDArray[np.intp]) -> None:
        sums = np.zeros((len(group), *out.shape[1:]))
        for rows, (h, *_) in _advance(network, strings, group, start):
            for step in h:  # in order, so that the sum has the same bits whatever the other strings are
                sums[: len(rows)] += step
        filled = strings.lengths[group] > 0
        lengths = strings.lengths[group][filled][:, None, None]
        out[group[filled]] = sums[filled] / lengths

    run_tasks(_groups(network, strings, n_threads), read, n_threads)
    return out


POOLING = {"last": last_states, "mean": mean_states}


def _features(network: PackedNetwork, strings: Strings) -> Array:
    shape = (len(strings.lengths), network.layout.num_layers, network.hidden_size)
    return np.empty(shape, network.layout.dtype)


def _groups(network: PackedNetwork, strings: Strings, n_threads: int) -> list[NDArray[np.intp]]:
    return strings.groups(n_threads, network.rows_at_a_time(ScoringLimits.rows))


def _advance(
    network: PackedNetwork, strings: Strings, group: NDArray[np.intp], start: PackedState
) -> Iterator[tuple[NDArray[np.intp], PackedState]]:
    """Read a group of strings; yield indices (B,) of those that go on, and the next states (steps, B, L, H)."""
    starts = strings.starts[group]
    lengths = strings.lengths[group]
    for x, state in read_pieces(network, strings.ids, starts, lengths, network.repeat(start, len(group))):
        yield group[: x.shape[1]], network.states(x, state)


def final_states(
    network: InferenceNetwork,
    strings: Strings,
    group: NDArray[np.intp],
    start: State,
    limits: ScoringLimits = LIMITS,
) -> Iterator[tuple[NDArray[np.intp], State]]:
    """Yield indices of k strings of a group with the state of k streams after them, the shortest strings first."""
    starts = strings.starts[group]
    lengths = strings.lengths[group]
    done = list[tuple[slice, State]]()
    state = network.repeat(start, len(group))
    symbols = limits.block_symbols // 64
    for x, part in read_pieces(network, strings.ids, starts, lengths, state, symbols, done):
        network.feed(x, part)
    yield from ((group[ended], after) for ended, after in done)
