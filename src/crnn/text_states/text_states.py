"""TextStates: many texts read by one model, piece by piece, with the states of all sessions in one array."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Unpack, overload

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidInputError
from ..inference.network import Context, InferenceNetwork, State
from ..inference.scratch import ScratchPool
from ..parameters.checks import checked_int
from ..runtime.threads import inference_threads, run_tasks
from ..sampling.controls import CheckedControls, GivenControls, Uniforms, root, with_controls
from ..sampling.text_sampler import text_sampler
from ..scoring.strings import Strings, TextBlock, text_blocks
from ..text.vocabulary import Text, Vocabulary
from ..text.vocabulary import pieces as codes_of
from .text_state import FixedReading, Sums, TextState

ROWS = 256  # minimum sessions of a thread's task, and those whose probabilities are computed at a time

Indices = NDArray[np.intp]


class Sessions(NamedTuple):
    """The state of each of N sessions. The arrays are changed only by `TextStates`, their owner."""

    state: State
    seen: NDArray[np.bool_]  # (N, V): symbols since the start of each text or document
    sums: NDArray[np.float64]  # (2, N): `log_prob` and `min_log_prob`


class Advance(NamedTuple):
    """What sessions become after reading their pieces, computed but not yet stored."""

    which: Indices  # (n,)
    sums: NDArray[np.float64]  # (2, n)
    streams: Sequence[Indices]  # the sessions of each part of the new state
    parts: Sequence[State]
    readers: Indices  # (symbols,): the session of each symbol read
    ids: NDArray[np.int32]  # (symbols,): the symbols read
    ended: Indices  # sessions whose document has ended


class TextStates:
    """The states of many sessions with one model: each reads, predicts and draws a text of its own.

    `CharRNN.start_many` creates it from the beginnings of texts. Every session has the bits of a `TextState` fed the
    same pieces alone, but the sessions of a call are read together, which is several times faster. The sessions keep
    the model's weights at the time of `start_many`.

    A call advances all its sessions. If it fails or is interrupted, it advances none; only its last step, which stores
    the results, is finished before Ctrl-C takes effect. Use a `TextStates` on one thread at a time; different ones can
    be used in parallel. A call itself uses the model's `n_threads` threads. A session takes the memory of the network's
    state, plus 1 byte per symbol of the vocabulary and 16 bytes. The state of an LSTM has
    ``2 * num_layers * hidden_size`` numbers of its `dtype`, and the state of counts ``order - 1`` numbers of 4 bytes.

    The parameter `which` of each method has the indices of the sessions it applies to; None means all sessions, in
    order. An index must not occur twice.

    Attributes
    ----------
    log_prob : ndarray of float64 and shape (N,)
        The log-probability, in nats, of everything each session was fed or drew, (N,); see `TextState.log_prob`.
    min_log_prob : ndarray of float64 and shape (N,)
        The log-probability, in nats, of each session's least probable symbol so far, (N,); 0 before the first.

    Examples
    --------
    >>> from crnn import CharRNN
    >>> model = CharRNN(8, max_steps=100, random_state=0).fit("abc" * 100)
    >>> states = model.start_many(["", "a", ""])
    >>> log_p = states.feed(["ab", "bcab", "c"])
    >>> bool(log_p[0] == states.log_prob[0] == model.start().feed("ab").log_prob)
    True
    >>> states.feed(["c"], which=[0]).shape, states[[0, 0, 2]].log_prob.shape
    ((1,), (3,))
    """

    __slots__ = ("_n_threads", "_network", "_pending", "_pool", "_sessions", "_vocabulary")

    def __init__(
        self, vocabulary: Vocabulary, network: InferenceNetwork, sessions: Sessions, n_threads: int | None
    ) -> None:
        self._vocabulary = vocabulary
        self._network = network
        self._sessions = sessions
        self._n_threads = n_threads
        self._pool = ScratchPool()
        self._pending: Advance | None = None  # being stored; an interruption may leave it to the next call

    @property
    def log_prob(self) -> NDArray[np.float64]:
        """The log-probability, in nats, of everything each session was fed or drew, (N,); see `TextState.log_prob`."""
        return np.array(self._current_sessions().sums[0])

    @property
    def min_log_prob(self) -> NDArray[np.float64]:
        """The log-probability, in nats, of each session's least probable symbol so far, (N,); 0 before the first.

        Sessions keep it when they are selected or joined.
        """
        return np.array(self._current_sessions().sums[1])

    def feed(self, X: Iterable[Text], which: Any = None) -> NDArray[np.float64]:
        """Read a piece of text in each session.

        Parameters
        ----------
        X : iterable of str or bytes
            One piece for each session of `which`; it may be empty. If a piece contains an unknown symbol, no session
            advances.
        which : array-like of int, default=None
            The sessions that read; None: all, in order. Name the few that have something to read, since empty pieces
            take time, too.

        Returns
        -------
        ndarray of shape (n,)
            The log-probability of each piece, in nats.

        Raises
        ------
        ValueError
            If the number of pieces is not the number of sessions, an index is out of range or occurs twice, or a piece
            contains a symbol unknown to the model.

        Examples
        --------
        >>> from crnn import CharRNN
        >>> states = CharRNN(8, max_steps=0, random_state=0).fit("abcd").start_many(["", ""])
        >>> states.feed(["ab", "d"]).round(1).tolist()  # untrained: 2 ln 1/4 and ln 1/4
        [-2.8, -1.4]
        """
        streams = self._indices(which)
        strings = _encode(X, self._vocabulary, "X")
        if len(strings.lengths) != len(streams):
            raise InvalidInputError(
                f"X has {len(strings.lengths)} texts, but {len(streams)} sessions are to read. Pass one piece for "
                f"each session, or which=indices of the sessions that read."
            )
        return self._advance(streams, strings)

    def end(self, which: Any = None) -> NDArray[np.float64]:
        """End the documents of some sessions, which then start new documents; see `TextState.end`.

        Returns
        -------
        ndarray of shape (n,)
            The log-probability of each end, in nats. It also counts in `log_prob`.

        Examples
        --------
        >>> from crnn import CharRNN
        >>> model = CharRNN(8, max_steps=100, random_state=0).fit(["abc", "ab"] * 50)
        >>> states = model.start_many(["", ""])
        >>> _ = states.feed(["abc", "ab"]), states.end(which=[1])
        >>> bool(states.log_prob[1] == model.score_samples(["ab"])[0])
        True
        """
        boundary = self._vocabulary.boundary
        if boundary is None:
            raise InvalidInputError("the model was fitted on running text, which has no end. Fit it on documents.")
        streams = self._indices(which)
        n = len(streams)
        return self._advance(streams, Strings(np.full(n, boundary, np.int32), np.ones(n, np.intp)))

    def next_proba(self, which: Any = None) -> NDArray[np.float64]:
        """Return the probability of each symbol to come next in each session, (n, V), in the order of `vocabulary_`.

        Examples
        --------
        >>> from crnn import CharRNN
        >>> states = CharRNN(8, max_steps=0, random_state=0).fit("abcd").start_many(["", "a"])
        >>> states.next_proba(which=[1]).round(2).tolist()
        [[0.25, 0.25, 0.25, 0.25]]
        """
        streams = self._indices(which)
        state = self._current_sessions().state
        p = np.empty((len(streams), len(self._vocabulary)))
        rows = self._network.rows_at_a_time(ROWS)
        for i in range(0, len(streams), rows):
            p[i : i + rows] = self._network.probabilities_after(self._network.select(state, streams[i : i + rows]))
        return p

    @with_controls
    def sample(
        self, length: int = 1, which: Any = None, *, random_state: Any = None, **controls: Unpack[GivenControls]
    ) -> list[Any]:
        """Draw the next characters of each session, read them and return a list of them; see `TextState.sample`.

        Parameters
        ----------
        length : int, default=1
            Characters to draw in each session, fewer if a `stop` or a document's end comes first.
        which : array-like of int, default=None
            The sessions that draw; None: all.
        logit_bias : dict, default=None
            Numbers to add to the logits of some characters, or of `crnn.BOUNDARY`, the end of a document; -inf forbids
            a character, even one that the model lacks.
        repetition_penalty : float, default=1.0
            Divides the logit of each character that occurs in the prime or the text so far, or multiplies it if
            negative. Above 1, these characters become less likely; below 1, more likely.
        temperature : float, default=1.0
            Divides the logits: below 1, likely characters become more likely; 0 always takes the most likely one.
        top_k : int, default=None
            Draw only from this many of the most probable characters. None: from all.
        top_p : float, default=None
            Draw from the smallest set of most probable characters whose probabilities add up to this (the nucleus), at
            least one. None or 1: from all.
        min_p : float, default=None
            Never draw a character whose probability is below this fraction of the largest. None or 0: no limit.
        stop : list of str, or of bytes, default=None
            Texts that end the sample: it ends before the first of them to occur, or before the longest if several end
            at the same character. The prime does not count. A stop with an unknown character never occurs.
        random_state : int, SeedSequence, Generator or None, default=None
            Session i draws the numbers of sample i of `CharRNN.sample`, whichever sessions draw with it.

        Examples
        --------
        >>> from crnn import CharNGram
        >>> model = CharNGram(order=3).fit("ab" * 100)
        >>> model.start_many(["a", "ab"]).sample(3, temperature=0)
        ['bab', 'aba']
        """
        streams = self._indices(which)
        vocabulary = self._vocabulary
        sessions = self._current_sessions()
        length = checked_int("length", length, 0)
        checked = CheckedControls.check(vocabulary, controls)
        boundary = vocabulary.boundary
        drawn: list[NDArray[np.int32]] = []
        ended = np.zeros(len(streams), np.bool_)
        bits = root(random_state)
        for k, i in enumerate(streams.tolist()):
            context = Context(self._network.select(sessions.state, streams[k : k + 1]), sessions.seen[i])
            sampler = text_sampler(self._network, context, length, Uniforms(bits, range(i, i + 1)), checked)
            drawn.append(sampler.run().ids)
            ended[k] = boundary is not None and sampler.ended_by(boundary)[0]
        read = [np.append(ids, np.int32(boundary or 0)) if end else ids for ids, end in zip(drawn, ended, strict=True)]
        self._advance(streams, Strings.join(read))
        return Strings.join(drawn).decode(vocabulary)

    def join(self, other: TextStates) -> TextStates:
        """Return the sessions of these states, followed by the sessions of other states of the same model.

        Examples
        --------
        >>> from crnn import CharRNN
        >>> model = CharRNN(8, max_steps=0, random_state=0).fit("abcd")
        >>> len(model.start_many(["", ""]).join(model.start_many(["a"])))
        3
        """
        if not isinstance(other, TextStates):
            raise InvalidInputError(
                f"other must be TextStates, not {type(other).__name__}. Use model.start_many([text])."
            )
        if self._vocabulary != other._vocabulary or not self._network.same_as(other._network):
            raise InvalidInputError(
                "these states belong to another model, or to the model before it changed, and cannot be joined. "
                "Keep the states of each model apart."
            )
        states, seen, sums = zip(self._current_sessions(), other._current_sessions(), strict=True)
        joined = Sessions(self._network.join(states), np.concatenate(seen), np.concatenate(sums, axis=1))
        return TextStates(self._vocabulary, self._network, joined, self._n_threads)

    def copy(self) -> TextStates:
        """Return states that change independently of these."""
        return self[np.arange(len(self))]

    __copy__ = copy

    def __len__(self) -> int:
        return len(self._sessions.seen)

    @overload
    def __getitem__(self, which: int) -> TextState: ...
    @overload
    def __getitem__(self, which: Any) -> TextStates: ...
    def __getitem__(self, which: Any) -> TextState | TextStates:
        """Return a copy of one session as a `TextState`, or of several, in this order; an index may occur twice."""
        sessions = self._current_sessions()
        i = np.arange(len(self))[_index_array(which)]  # raises an IndexError, as a list does
        if i.ndim > 1:
            raise IndexError("too many indices: name sessions by a list of one dimension, such as [3]")
        state = self._network.select(sessions.state, np.atleast_1d(i))
        seen = sessions.seen[i]
        sums = sessions.sums[:, i]
        if i.ndim:
            return TextStates(self._vocabulary, self._network, Sessions(state, seen, sums), self._n_threads)
        return TextState(self._vocabulary, FixedReading(self._network, state), seen.copy(), Sums(*sums.tolist()))

    def __reduce__(self) -> tuple[Any, ...]:
        return TextStates, (self._vocabulary, self._network, self._current_sessions(), self._n_threads)

    def __repr__(self) -> str:
        return f"TextStates({len(self)} sessions)"

    def _indices(self, which: Any) -> Indices:
        """Return the sessions named by `which`, after checking that they exist and differ."""
        N = len(self)
        if which is None:
            return np.arange(N)
        try:
            indices: Indices = np.arange(N)[_index_array(which)]
        except (IndexError, TypeError, ValueError) as error:
            raise InvalidInputError(f"which is invalid for {N} sessions: {error}.", argument="which") from None
        if indices.ndim != 1:
            raise InvalidInputError("which must be a list of indices, such as [3] for one session", argument="which")
        times = np.bincount(indices, minlength=1)
        if times.max() > 1:
            raise InvalidInputError(
                f"which has the index {times.argmax()} more than once. Name each session once.", argument="which"
            )
        return indices

    def _advance(self, which: Indices, strings: Strings) -> NDArray[np.float64]:
        """Read a string in each of these sessions; return log P of each string, (n,)."""
        sessions = self._current_sessions()
        network = self._network
        ids, lengths = strings
        n = len(which)
        parts = list[tuple[Indices, State]]()
        sums = np.zeros((3, n))
        sums[1:] = sessions.sums.take(which, axis=1)

        def read(first: Indices, length: Indices, streams: Indices, total: NDArray[np.float64]) -> None:
            with self._pool.scratch() as scratch:
                parts.append((streams, network.read(ids, first, length, sessions.state, streams, total, scratch)))

        def read_group(group: Indices) -> None:
            group_sums = sums.take(group, axis=1)
            read(starts[group], lengths[group], which[group], group_sums)
            sums[:, group] = group_sums

        n_threads = inference_threads(self._n_threads) if n > ROWS else 1
        length = int(lengths[0]) if n else 0
        same = len(ids) == n * length > 0 and bool((lengths == length).all())
        starts = np.arange(0, len(ids), length) if same else strings.starts
        if same and n_threads == 1:  # often a character each: no need to sort
            read(starts, lengths, which, sums)
        else:
            order = np.argsort(-lengths, kind="stable")[: np.count_nonzero(lengths)]  # the longest first
            size = max(ROWS, n if n_threads == 1 else -(-n // (4 * n_threads)))
            run_tasks([order[i : i + size] for i in range(0, len(order), size)], read_group, n_threads)
        readers = which if len(ids) == n and same else np.repeat(which, lengths)
        ended = readers[ids == self._vocabulary.boundary] if self._vocabulary.boundary is not None else readers[:0]
        streams = [sessions_of_part for sessions_of_part, _ in parts]
        states = [state for _, state in parts]
        self._pending = Advance(
            which=which, sums=sums[1:], streams=streams, parts=states, readers=readers, ids=ids, ended=ended
        )
        self._current_sessions()
        return np.asarray(sums[0])

    def _current_sessions(self) -> Sessions:
        """Return the sessions, after storing what the last call read if Ctrl-C interrupted its storing.

        Stored values do not depend on earlier ones, so storing them again after an interruption is right.
        """
        new = self._pending
        sessions = self._sessions
        if new is None:
            return sessions
        if len(new.parts) == 1 and len(new.which) == len(self) and np.array_equal(new.streams[0], np.arange(len(self))):
            self._sessions = sessions = sessions._replace(state=new.parts[0])
        elif new.parts:
            state = self._network.put(sessions.state, len(self), new.streams, new.parts)
            self._sessions = sessions = sessions._replace(state=state)
        for row, new_row in zip(sessions.sums, new.sums, strict=True):
            row[new.which] = new_row
        sessions.seen[new.readers, new.ids] = True
        if len(new.ended):
            sessions.seen[new.ended] = False  # an end is the last symbol of its piece
        self._pending = None
        return sessions


def start_sessions(
    network: InferenceNetwork, vocabulary: Vocabulary, X: Iterable[str | bytes], n_threads: int | None
) -> TextStates:
    """Return a session for each text's beginning, which does not count in its sums; see `CharRNN.start_many`."""
    if type(X) is list and vocabulary.kind == "bytes":
        X = [b"" if text == "" else text for text in X]  # as for a single text
    strings = _encode(X, vocabulary, "X")
    N = len(strings.lengths)
    start = network.repeat(network.start(), N)
    seen = np.zeros((N, len(vocabulary)), np.bool_)
    states = TextStates(vocabulary, network, Sessions(start, seen, np.zeros((2, N))), n_threads)
    states._advance(np.arange(N), strings)
    states._sessions.sums[:] = 0
    return states


def _index_array(which: Any) -> NDArray[Any]:
    """Return indices as an array; an empty list would be one of floats."""
    indices = np.asarray(which)
    if not indices.size:
        return indices.astype(np.intp)
    if indices.dtype.kind not in "iu":
        raise IndexError(
            f"indices must be whole numbers, not of type {indices.dtype}. Pass a list such as [0, 2], or "
            f"np.flatnonzero(mask)"
        )
    if indices.dtype.kind == "u" and (largest := int(indices.max())) > np.iinfo(np.intp).max:
        raise IndexError(f"index {largest} is out of bounds")
    return indices.astype(np.intp, copy=False)


def _encode(pieces: Iterable[Text], vocabulary: Vocabulary, name: str) -> Strings:
    """Return the ids of all pieces; nothing has been read if one has an unknown symbol."""
    wanted = str if vocabulary.kind == "characters" else bytes
    if type(pieces) is list and set(map(type, pieces)) == {wanted}:  # a check of each takes as long as counts read it
        parts = [vocabulary.ids_of_codes(codes) for codes in codes_of(wanted().join(pieces))]
        if len(parts) == 1 and np.minimum.reduce(parts[0]) >= 0:
            return Strings(parts[0], np.fromiter(map(len, pieces), np.intp, len(pieces)))
        return Strings.encode(TextBlock(0, pieces), vocabulary, name=name, ended=False)
    blocks = text_blocks(pieces, vocabulary, name=name)
    encoded = [Strings.encode(block, vocabulary, name=name, ended=False) for block in blocks]
    return Strings.concatenate([Strings.join([]), *encoded])
