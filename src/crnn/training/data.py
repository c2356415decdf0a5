"""Training data: ids to train on and to validate with, the memory that training needs, and a classifier's texts."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._kernels.entry import core
from .._kernels.entry.structures import Packing
from ..errors import InvalidInputError, short_repr
from ..model.layout import Layout
from ..parameters.checks import checked_float, checked_sample_weights, has_items
from ..parameters.kinds import OPTIMIZERS
from ..parameters.settings import Settings, checked_parameter, rounds_operands
from ..runtime.machine import available_bytes, check_free_memory
from ..text.documents import boundaries, n_documents, python_values, refuse_other_collections
from ..text.labels import NumberedLabels, checked_labels, label_number
from ..text.sources import TextSource, text_source
from ..text.streams import DocumentStreams, Streams, TextStreams, min_symbols
from ..text.vocabulary import Ids, Vocabulary
from .team import packs_all, shard_ranges, workspace_bytes

# ---------------------------------------------------------------- training and validation


def training_and_validation_ids(
    source: TextSource, validation: TextSource | None, vocabulary: Vocabulary, settings: Settings
) -> tuple[Ids, Ids | None]:
    """Return the ids to train on, and those for validation if any."""
    fraction = settings.validation_fraction
    if validation is not None and fraction:
        raise InvalidInputError(
            f"validation is given, but validation_fraction is {fraction:g}. Set validation_fraction to 0."
        )
    if settings.patience is not None and validation is None and not fraction:
        raise InvalidInputError(
            f"patience is {settings.patience}, but there is no validation text. Set validation_fraction, pass "
            f"validation, or set patience to None."
        )
    ids = source.ids(vocabulary)
    if fraction and vocabulary.boundary is not None:
        return split_documents(ids, vocabulary.boundary, fraction)
    if fraction:
        return split_text(ids, fraction, settings.batch_size)
    if validation is None:
        return ids, None
    validation_ids = validation.ids(vocabulary)
    if not len(validation_ids):
        raise InvalidInputError("validation is empty. Pass at least 1 symbol.", argument="validation")
    return ids, validation_ids


def split_text(ids: Ids, fraction: float, batch_size: int) -> tuple[Ids, Ids]:
    """Return a text for training and its last `fraction`, to the nearest symbol, for validation, as views."""
    n = len(ids)
    held_out = round(len(ids) * fraction)
    needed = min_symbols(batch_size)
    if not held_out or n - held_out < needed:
        raise InvalidInputError(
            f"validation_fraction={fraction:g} of a text of {n} symbols leaves {held_out} for validation and "
            f"{n - held_out} for training, but at least 1 and {needed} are needed. Change "
            f"validation_fraction, or pass a longer text."
        )
    return ids[: n - held_out], ids[n - held_out :]


def split_documents(packed: Ids, boundary: int, fraction: float) -> tuple[Ids, Ids]:
    """Return views of packed documents for training, and of the last ones, to the nearest document the `fraction`, for
    validation; both include the boundary between them.
    """
    n = n_documents(packed, boundary)
    held_out = round(n * fraction)
    if not 0 < held_out < n:
        raise InvalidInputError(
            f"validation_fraction={fraction:g} of {n} documents leaves {held_out} for validation and {n - held_out} "
            f"for training, but at least 1 of each is needed. Change validation_fraction, or pass more documents."
        )
    cut = int(boundaries(packed, boundary)[n - held_out])
    return packed[: cut + 1], packed[cut:]


def streams_for(
    ids: Ids,
    vocabulary: Vocabulary,
    settings: Settings,
    rng: np.random.Generator,
    n_steps: int,
    weights: NDArray[np.float64] | None = None,
) -> Streams:
    """Return the streams of a text or, if the vocabulary has a boundary, of documents, in an order that continues from
    `n_steps` earlier steps; `rng` does not advance. `weights` are for the training documents, then the held-out ones.
    """
    if vocabulary.boundary is None:
        return TextStreams(ids, settings.batch_size, settings.seq_length)
    seed = int(copy.deepcopy(rng).integers(2**63))
    order = np.random.default_rng([seed, n_steps])
    if weights is not None:
        weights = weights[: n_documents(ids, vocabulary.boundary)]
    return DocumentStreams(
        ids, vocabulary.boundary, settings.batch_size, settings.seq_length, rng=order, weights=weights
    )


# ---------------------------------------------------------------- data summary


def data_summary(ids: Ids, validation_ids: Ids | None, vocabulary: Vocabulary) -> str:
    """Return a line with the numbers of training symbols, distinct symbols and validation symbols."""
    symbols = _count(len(vocabulary.codes), "different one")
    if vocabulary.unknown is not None:
        symbols += " and one symbol for all others"
    line = f"data: {_amount(ids, vocabulary)}, {symbols}"
    return line if validation_ids is None else f"{line}; validation: {_amount(validation_ids, vocabulary)}"


def _amount(ids: Ids, vocabulary: Vocabulary) -> str:
    symbol = vocabulary.kind.removesuffix("s")
    if vocabulary.boundary is None:
        return _count(len(ids), symbol)
    n = n_documents(ids, vocabulary.boundary)
    return f"{_count(n, 'document')} of {_count(len(ids) - n - 1, symbol)} in all"


def _count(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


# ---------------------------------------------------------------- memory need

STREAM_SIZE = 1600  # bytes of Python objects per stream of documents, measured with 100,000 and a million


def check_memory(layout: Layout, streams: Streams, settings: Settings, **options: Any) -> None:
    """Raise if training needs more memory than is available, if that is known; `options` are `training_bytes`'s."""
    available = available_bytes()
    if available is None:
        return
    needed = training_bytes(layout, streams, settings, **options, enough=available)
    inputs = "" if layout.embedding_size is None else f", embedding_size={layout.embedding_size}"
    inputs += "" if layout.pairs is None else f", n_bigrams={layout.n_bigrams}"
    network = f"hidden_size={layout.hidden_size}{inputs} and num_layers={layout.num_layers}"
    what = f"{network} with batch_size={streams.batch_size} and seq_length={streams.seq_length}"
    check_free_memory(needed, what, "Lower one of these parameters.", available=available)


def training_bytes(
    layout: Layout,
    streams: Streams,
    settings: Settings,
    *,
    keep_best: bool,
    checkpoints: bool = False,
    own_streams: range | None = None,
    enough: int | None = None,
) -> int:
    """Return the approximate number of bytes for training apart from the text.

    Further weights are kept as the best ones (`keep_best`) and as snapshots for `checkpoints`. `own_streams` are this
    process's, by default all. If the vectors of weights and the streams' objects alone take more than `enough` bytes,
    their size is returned: the other sizes might overflow the kernels' integers.
    """
    own_streams = range(streams.batch_size) if own_streams is None else own_streams
    bfloat16 = rounds_operands(settings.matmul_precision, settings.dtype)
    n_sampled_symbols = settings.n_sampled_symbols or 0
    dropout = settings.dropout > 0
    parts = shard_ranges(layout, streams, own_streams, bfloat16=bfloat16)
    weights_and_state = 1 + len(OPTIMIZERS[settings.optimizer].state)
    # Two snapshots in addition: the last good one, and the next until a step confirms it.
    vectors = 3 * weights_and_state
    vectors += weights_and_state if keep_best else 0
    # A snapshot, its parts for a file with the best weights, and the bytes of the file.
    if checkpoints:
        vectors += weights_and_state * (5 if keep_best else 3)
    vectors += len(parts)  # gradients
    needed = layout.dtype.itemsize * vectors * layout.size
    needed += streams.batch_size * STREAM_SIZE if isinstance(streams, DocumentStreams) else 0
    if enough is not None and needed > enough:
        return needed
    many = packs_all(streams.seq_length, parts, bfloat16=bfloat16, n_sampled_symbols=n_sampled_symbols)
    packing = Packing(len(own_streams) == 1, many, training=True, bfloat16=bfloat16)
    network = core.Network(layout, packing, sampled=n_sampled_symbols)
    needed += layout.dtype.itemsize * network.panels_size
    return needed + sum(workspace_bytes(network, streams.seq_length, len(part), dropout) for part in parts)


# ---------------------------------------------------------------- class data

# One text in MIN_HELD_OUT, and about MAX_HELD_OUT in all, choose the weights.
MIN_HELD_OUT = 10
MAX_HELD_OUT = 500
LEAST_SECONDS = 1e-3  # for a direction whose time the others have used up


class ClassData(NamedTuple):
    """Texts, their labels and weights."""

    texts: list[Any]
    labeled: NumberedLabels
    sample_weight: ArrayLike | None  # weights, not yet checked
    n_symbols: int  # total number of symbols, with an end and a label for each text

    @classmethod
    def checked(cls, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> Self:
        """Check the texts and labels of a call of `fit`, and number the labels."""
        texts = _text_list(X)
        source = text_source(texts)
        labeled = checked_labels(y, source.n_documents, name="y")
        if len(labeled.labels) < 2:
            (label,) = labeled.labels.tolist()
            raise InvalidInputError(f"y has only one class, {short_repr(label)}. Pass texts of at least two classes.")
        return cls(texts, labeled, sample_weight, source.max_length + source.n_documents)

    def held_out(self) -> tuple[ClassData, ClassData] | None:
        """Return the texts to learn and, always the same, those held out for weights: a tenth of each class or about
        500 in all; None if no class has ten texts.
        """
        n = len(self.texts)
        numbers = self.labeled.numbers
        every = max(MIN_HELD_OUT, n // MAX_HELD_OUT)
        order = np.random.default_rng(0).permutation(n)
        by_class = order[np.argsort(numbers[order], kind="stable")]
        counts = np.bincount(numbers, minlength=len(self.labeled.labels))
        rank = np.arange(n) - np.repeat(np.cumsum(counts) - counts, counts)  # within the class
        is_held_out = rank % every == every - 1
        to_learn = by_class[~is_held_out]
        held_out = by_class[is_held_out]
        return (self._part(np.sort(to_learn)), self._part(np.sort(held_out))) if len(held_out) else None

    def _part(self, places: NDArray[np.intp]) -> ClassData:
        texts = [self.texts[i] for i in places.tolist()]
        labeled = self.labeled._replace(numbers=self.labeled.numbers[places])
        weights = None if self.sample_weight is None else np.asarray(self.sample_weight)[places]
        return ClassData(texts, labeled, weights, sum(map(len, texts)) + 2 * len(texts) + 1)

    def in_direction(self, direction: str, *, shuffled: bool) -> tuple[list[Any], Any, Any]:
        """Return the texts as a direction, "forward" or "backward", reads them, with their labels and weights.
        Shuffling is always the same.
        """
        order = np.arange(len(self.texts))
        if shuffled:
            order = np.random.default_rng(0).permutation(order)
        texts = [self.texts[i] if direction == "forward" else self.texts[i][::-1] for i in order.tolist()]
        weights = None if self.sample_weight is None else np.asarray(self.sample_weight)[order]
        return texts, self.labeled.labels[self.labeled.numbers[order]], weights

    def limits(self, parameters: Mapping[str, Any], min_steps: int, seconds: float, directions: int) -> dict[str, Any]:
        """Return the language model's parameters that limit training in the next of `directions`, which share the rest
        of `max_seconds`, of which `seconds` are used; epochs are added until `min_steps` steps are taken.
        """
        names = ("epochs", "batch_size", "seq_length", "max_steps", "max_seconds")
        epochs, B, T, max_steps, max_seconds = (checked_parameter(name, parameters[name]) for name in names)
        if max_seconds is not None:
            return {"max_seconds": max((max_seconds - seconds) / directions, LEAST_SECONDS)}
        if max_steps is not None:
            return {}
        per_epoch = -(-self.n_symbols // (B * min(T, max(self.n_symbols // B, 1))))
        return {"epochs": max(epochs, -(-min_steps // per_epoch))}


def _text_list(X: Any) -> list[Any]:
    """Return texts as a list, or raise an error with the remedy."""
    if isinstance(X, str | bytes):
        raise InvalidInputError("X is a single text. Pass a list of texts.")
    refuse_other_collections(X, "X")
    if not has_items(X):
        raise InvalidInputError(f"X is of type {type(X).__name__}. Pass a list of texts.")
    return list(python_values(X))


def class_prior(
    labeled: NumberedLabels, class_weight: Any, sample_weight: ArrayLike | None = None
) -> NDArray[np.float64]:
    """Return the classes' relative frequencies times their weights, normalized, (K,)."""
    weights = None if sample_weight is None else checked_sample_weights(sample_weight, len(labeled.numbers))
    counts = np.bincount(labeled.numbers, weights, len(labeled.labels)).astype(np.float64)
    if isinstance(class_weight, str) and class_weight == "balanced":
        counts = np.ones(len(counts))
    elif isinstance(class_weight, Mapping):
        for label, value in class_weight.items():
            k = label_number(label, labeled.labels, name="a label of class_weight")
            counts[k] *= checked_float(f"class_weight[{short_repr(label)}]", value, minimum=0.0)
    elif class_weight is not None:
        raise InvalidInputError(
            f"class_weight is {short_repr(class_weight)}. Pass None, 'balanced', or a dict from labels to numbers."
        )
    if not counts.sum() > 0 or not np.isfinite(counts).all():
        raise InvalidInputError("the weights of all classes are 0 or not finite. Give at least one a weight above 0.")
    return np.asarray(counts / counts.sum())
