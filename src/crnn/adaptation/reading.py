"""Scores and text states of a text read by a model that learns from it, and the readings.

`AdaptiveReading` predicts each block of a text with weights that learned from earlier ones, by the rule of dynamic
evaluation (`WeightLearner`); `MixedReading` is the reading of a mixture, whose own weights follow the text, too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, fields, replace
from functools import cached_property, partial
from typing import Any, Literal, NamedTuple, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..arrays import Array
from ..errors import DivergenceError, InvalidInputError, short_repr
from ..inference.mixed_network import ROWS, MixedNetwork, letters_before
from ..inference.network import State, Use, seen_after
from ..inference.packed_network import PackedNetwork, PackedState
from ..model.layout import Layout
from ..model.state import ModelState, gradient_rms, spread_rms
from ..parameters.checks import checked_float, checked_int, did_you_mean
from ..scoring.limits import ScoringLimits
from ..scoring.text_scores import log_probabilities, scored_ids
from ..text.primes import encoded_prime
from ..text.sources import TextLike
from ..text.vocabulary import Vocabulary
from ..text_states.text_state import Reading, TextState
from ..training.gradients import ChunkGradient

Ids = NDArray[Any]
Adapt = bool | Mapping[str, Any] | Literal["counts"]  # the parameter `adapt`; a mapping has options of `CharRNN.adapt`


AnyReading = TypeVar("AnyReading", bound=Reading)


def adaptive_score(reading: Reading, vocabulary: Vocabulary, X: TextLike, *, exact: bool) -> float:
    """Return the mean of log P over the symbols of a text, in nats, while learning from it."""
    if not exact:
        raise InvalidInputError(
            "adapt reads a text from its start, but exact=False reads parts of it in parallel. Omit one of them."
        )
    ids, given = scored_ids(X, vocabulary)
    reading, _ = reading.read(ids[:given].astype(np.int32), learn=False)
    sums = [math.fsum(log_p) for _, log_p in read_all(reading, ids[given:])]
    return math.fsum(sums) / (len(ids) - given)


def adaptive_surprisal(reading: Reading, vocabulary: Vocabulary, ids: Ids) -> NDArray[np.float64]:
    """Return -log P of each symbol of a text, (n,), in nats, while learning from it."""
    return -reading.read(encoded_prime("", vocabulary), learn=False)[0].read(ids)[1]


def read_all(
    reading: AnyReading, ids: Ids, n_at_a_time: int = ScoringLimits.call_symbols
) -> Iterator[tuple[AnyReading, NDArray[np.float64]]]:
    """Read a text in blocks that fit into memory, and yield the result of `Reading.read` for each."""
    for i in range(0, len(ids), n_at_a_time):
        reading, log_p = reading.read(ids[i : i + n_at_a_time].astype(np.int32))
        yield reading, log_p


def adaptive_text_state(vocabulary: Vocabulary, reading: Reading, ids: Ids) -> TextState:
    """Start a state that will learn from the text it is fed, after a prime that it does not learn from."""
    reading, _ = reading.read(ids, learn=False)
    return TextState(vocabulary, reading, seen_after(np.zeros(len(vocabulary), np.bool_), ids, vocabulary.boundary))


class MixedReading:
    """A `Reading` that mixes the logits of several readings of the same text, by models with the same symbols.

    Its weights follow the text, too, from those of the mixture; see `MixedNetwork.move_weights`.
    """

    learns = True

    def __init__(
        self,
        readings: Sequence[Reading],
        weights: NDArray[np.float64],
        letters: NDArray[np.uint8],
        last: NDArray[np.int32] | None = None,
    ) -> None:
        self._readings = tuple(readings)
        self._weights = np.array(weights, np.float64, ndmin=2)
        self._letters = letters
        self._last = np.full((1, len(self._weights) - 1), -1, np.int32) if last is None else last  # never changed

    @property
    def network(self) -> MixedNetwork:
        """The network that has learned from the text so far."""
        return MixedNetwork([reading.network for reading in self._readings], self._weights, self._letters)

    @property
    def state(self) -> State:
        """The network's state after the text so far."""
        return [*(reading.state for reading in self._readings), self._last]

    def read(self, ids: Ids, *, learn: bool = True) -> tuple[MixedReading, NDArray[np.float64]]:
        """Read more symbols; see `Reading.read`. With `learn`, the weights move after each symbol."""
        network = self.network  # first, since counts handed over to another reading would have to be recounted
        readings = self._readings
        weights = self._weights.copy()
        last = self._last.copy()
        out = np.empty(len(ids))
        steps = network.rows_at_a_time(ROWS)
        for i in range(0, len(ids), steps):
            piece = ids[i : i + steps].astype(np.int32)
            advanced = [member.read_rows(piece, learn=learn) for member in readings]
            rows = [rows for _, rows in advanced]
            if learn:
                out[i : i + steps], _ = network.move_weights(rows, piece, last, weights)
            else:
                out[i : i + steps] = network.log_probabilities_of(rows, piece[:, None], last)[:, 0]
            readings = tuple(member for member, _ in advanced)
        return MixedReading(readings, weights, self._letters, last), out

    def read_rows(self, ids: Ids, *, learn: bool) -> tuple[MixedReading, Array]:
        """Read more symbols; see `Reading.read_rows`."""
        network = self.network  # first, as in `read`
        piece = ids.astype(np.int32)
        weights = self._weights.copy()
        last = self._last.copy()
        advanced = [member.read_rows(piece, learn=learn) for member in self._readings]
        rows = [rows for _, rows in advanced]
        if learn:
            _, used = network.move_weights(rows, piece, last, weights)
            mixed = MixedNetwork(network.members, used, self._letters).mixed(
                rows, np.arange(len(piece), dtype=np.int32)
            )
        else:
            mixed = network.mixed(rows, letters_before(self._letters, piece[:, None], last)[:-1, 0])
        return MixedReading([member for member, _ in advanced], weights, self._letters, last), mixed

    def copy(self) -> MixedReading:
        """Return a reading from here on that does not change this one."""
        return MixedReading([member.copy() for member in self._readings], self._weights, self._letters, self._last)


# ---------------------------------------------------------------- options

MAX_BLOCK_LENGTH = 1_000_000  # a block's states and logits are in memory together


@dataclass(frozen=True)
class AdaptationOptions:
    """The rates of adaptation per symbol, and the length of a block."""

    learning_rate: float = 1.5e-4
    decay: float = 3e-6
    block_length: int = 100

    @classmethod
    def of(cls, adapt: bool | str | Mapping[str, Any]) -> Self:
        """Make the options that the argument `adapt` means: True, or a dict of some of them."""
        if adapt is True:
            return cls()
        if not isinstance(adapt, Mapping):
            raise InvalidInputError(f"adapt is {short_repr(adapt)}. Pass True, False or a dict of {_NAMES}.")
        names = [field.name for field in fields(cls)]
        for name in adapt:
            if name not in names:
                near = did_you_mean(name, names, {"rate": "learning_rate", "seq_length": "block_length"})
                raise InvalidInputError(f"adapt has no option {short_repr(name)}, only {_NAMES}{near}")
        return cls(**{name: checked_option(name, value) for name, value in adapt.items()})


_NAMES = "learning_rate, decay and block_length"


def checked_option(name: str, value: Any) -> Any:
    """Return an option's value, or raise InvalidInputError."""
    if name == "block_length":
        return checked_int(name, value, 1, MAX_BLOCK_LENGTH)
    return checked_float(name, value, minimum=0.0, maximum=1.0 if name == "decay" else None)


# ---------------------------------------------------------------- weights that learn

Predict = Callable[[PackedNetwork, Ids, PackedState], Array]


class AdaptiveReading(NamedTuple):
    """A `Reading` whose weights learn from each block of the text.

    The first input of a block is the last target of the previous block. It is read again with the new weights, so that
    a block's loss is that of one training chunk.
    """

    learner: WeightLearner
    state: PackedState  # after everything read
    start: PackedState  # before the first symbol of the block
    symbols: Ids  # of the current block: its first input, and its targets; empty before a text
    counted: NDArray[np.bool_]  # for each target, whether to learn from it

    @property
    def learns(self) -> bool:
        """Whether the network can learn from the text."""
        return True

    @property
    def network(self) -> PackedNetwork:
        """The network with weights that have learned from the complete blocks."""
        return self.learner.network

    def copy(self) -> AdaptiveReading:
        """Return the reading itself, because it never changes."""
        return self

    def read(self, ids: Ids, *, learn: bool = True) -> tuple[AdaptiveReading, NDArray[np.float64]]:
        """Read symbols; with `learn`, the weights learn from them once their block is complete."""
        reading, out = self._read(ids, learn, log_probabilities)
        return reading, np.concatenate([np.empty(0), *out])

    def read_rows(self, ids: Ids, *, learn: bool) -> tuple[AdaptiveReading, Array]:
        """Read more symbols; see `Reading.read_rows`."""
        reading, rows = self._read(ids, learn, _logits)
        return reading, np.concatenate([np.empty((0, self.network.symbols), self.network.params.dtype), *rows])

    def _read(self, ids: Ids, learn: bool, predict: Predict) -> tuple[AdaptiveReading, list[Array]]:
        """Read more symbols; `predict` computes the result for each piece."""
        reading = self
        out = list[Array]()
        done = 0
        while done < len(ids):
            piece = ids[done : done + reading._room]
            reading, pieces = reading._read_piece(piece.astype(np.int32), learn, predict)
            out += pieces
            done += len(piece)
        return reading, out

    def learn_rest(self) -> WeightLearner:
        """Return weights that have learned from the incomplete block, too."""
        return self.learner.learn(self.symbols, self.counted, self.start) if self.counted.any() else self.learner

    @property
    def _room(self) -> int:
        """The number of symbols until the block is complete."""
        return self.learner.block_length + 1 - len(self.symbols)

    def _read_piece(self, piece: Ids, learn: bool, predict: Predict) -> tuple[AdaptiveReading, list[Array]]:
        """Read symbols of one block."""
        network = self.learner.network
        state = network.copy(self.state)
        symbols = np.concatenate([self.symbols, piece])
        counted = np.append(self.counted, np.full(len(symbols) - 1 - len(self.counted), learn))
        if len(piece) < self._room:
            return AdaptiveReading(self.learner, state, self.start, symbols, counted), [predict(network, piece, state)]
        before_last = predict(network, piece[:-1], state)
        start = network.copy(state)
        out = [before_last, predict(network, piece[-1:], state)]
        learner = self.learner
        last = symbols[-1:]
        if counted.any():
            learner = learner.learn(symbols, counted, self.start)
            state = network.copy(start)
            learner.network.feed(last.reshape(1, 1), state)
        return AdaptiveReading(learner, state, start, last, counted[:0]), out


def _logits(network: PackedNetwork, ids: Ids, state: PackedState) -> Array:
    """Return the logits (n, V) that predict each symbol, and advance the state in place."""
    return network.logits_before(ids[:, None], state)[:, 0, : network.symbols]


def adapted_state(state: ModelState, reading: AdaptiveReading, X: TextLike) -> ModelState:
    """Return a copy of a model's state, with weights adapted to a text; see `CharRNN.adapt`."""
    ids, _ = scored_ids(X, state.vocabulary)
    for after, _ in read_all(reading, ids):
        reading = after
    weights = reading.learn_rest().params
    adapted = state.copy_between_steps()
    adapted.params[...] = weights
    return adapted


# ---------------------------------------------------------------- weight learner

RMS_FLOOR = 0.01  # of the mean of all root mean squares, added to each
# A weight's step against the gradient of m symbols is at most LIMIT sqrt(m) learning rates, the step for LIMIT standard
# deviations of a training gradient. The bound matters for texts unlike the training text, and exploding gradients.
MAX_DEVIATIONS = 5.0


class AdaptationRule:
    """One step on a block: against its gradient, and back toward the trained weights.

    `trained` are the trained weights (layout.size,); `rms` (n_weights,) comes from `gradient_rms`.
    """

    def __init__(self, layout: Layout, trained: Array, rms: Array, options: AdaptationOptions) -> None:
        self.layout = layout
        self.trained = trained
        self.rms = rms
        self.options = options
        scale = spread_rms(layout, rms)
        mean = float(rms.mean(dtype=np.float64))
        # The gradient of a symbol's loss by the output bias is p - onehot, whose norm is about 1. It sets the scale,
        # since training gradients may be sums or means over streams and time steps, and may be clipped by norm.
        unit = float(np.linalg.norm(layout.tensors(scale).by.astype(np.float64)))
        # If the mean is 0, no weight has ever had a gradient, and there is nothing to learn.
        with np.errstate(over="ignore"):  # the learner refuses non-finite weights
            self._rate = (options.learning_rate * unit) / (scale + (RMS_FLOOR * mean or np.inf))
            self._pull = scale * (options.decay / (mean or np.inf))

    def __reduce__(self) -> tuple[Any, ...]:
        return AdaptationRule, (self.layout, self.trained, self.rms, self.options)

    def step(self, params: Array, gradient: Array, count: int) -> Array:
        """Return the weights after a block; `gradient`, of the sum of `count` losses, is overwritten."""
        limit = MAX_DEVIATIONS * self.options.learning_rate * math.sqrt(count)
        with np.errstate(over="ignore", invalid="ignore"):
            gradient *= self._rate
            np.clip(gradient, -limit, limit, out=gradient)
            stepped: Array = params - gradient
            if self.options.decay:
                pull = np.multiply(self._pull, count, out=gradient)
                np.minimum(pull, 1, out=pull)
                pull *= self.trained - params
                stepped += pull
        return stepped


@dataclass(eq=False)
class WeightLearner:
    """Weights that learn from blocks. A learner never changes: learning returns a new one."""

    rule: AdaptationRule
    params: Array
    boundary: int | None
    n_blocks: int = 0
    _: KW_ONLY
    scoring: bool
    bfloat16: bool
    spare: list[ChunkGradient] = field(default_factory=list)  # unused ones of whole blocks, shared within a text

    def __reduce__(self) -> tuple[Any, ...]:  # copies on other threads make their own gradients
        options: Any = {"scoring": self.scoring, "bfloat16": self.bfloat16}
        return partial(WeightLearner, **options), (self.rule, self.params, self.boundary, self.n_blocks)

    @property
    def block_length(self) -> int:
        """The number of targets in a block."""
        return self.rule.options.block_length

    @cached_property
    def network(self) -> PackedNetwork:
        """The network with these weights."""
        use = Use.ONE_TEXT if self.scoring else Use.ONE_STREAM
        return PackedNetwork.pack(
            self.rule.layout, self.params, use=use, boundary=self.boundary, bfloat16=self.bfloat16
        )

    def learn(self, symbols: Ids, counted: NDArray[np.bool_], state: PackedState) -> WeightLearner:
        """Return the weights after one step on a block of T + 1 symbols, given which of the T losses count."""
        gradient = self._gradient(len(counted))
        loss = gradient.compute(self.params, symbols, counted, state)
        params = self.rule.step(self.params, gradient.flat, int(counted.sum()))
        if not (np.isfinite(loss) and np.isfinite(params).all()):
            raise DivergenceError(self.n_blocks + 1, loss, "adaptation")
        if len(counted) == self.block_length:
            self.spare.append(gradient)
        return replace(self, params=params, n_blocks=self.n_blocks + 1)

    def _gradient(self, length: int) -> ChunkGradient:
        """Return a gradient buffer for a block that no other thread uses."""
        try:
            if length == self.block_length:
                return self.spare.pop()
        except IndexError:
            pass
        return ChunkGradient(self.rule.layout, length, self.boundary, bfloat16=self.bfloat16)


def adaptive_reading(
    state: ModelState, beta_2: float, options: AdaptationOptions, *, scoring: bool, bfloat16: bool
) -> AdaptiveReading:
    """Return the reading before a text, whose weights start from a copy of a model's weights."""
    with state.gate.turn, state.gate.steps():  # another thread may be training the model
        trained = state.params.copy()
        rms = gradient_rms(state, beta_2)
    if rms is None:
        raise InvalidInputError(
            "adapt needs the sizes of the training gradients, but this model was not trained, or was loaded from a "
            "file of weights without them. Call partial_fit with a text like the training text first."
        )
    rule = AdaptationRule(state.layout, trained, rms, options)
    learner = WeightLearner(rule, trained, state.vocabulary.boundary, scoring=scoring, bfloat16=bfloat16)
    zero = learner.network.zero_state(1)
    return AdaptiveReading(learner, zero, zero, np.empty(0, np.int32), np.empty(0, np.bool_))
