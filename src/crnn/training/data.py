"""Training data: a classifier's texts by class, the summary of a text, and the memory that training needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._kernels.entry import core
from .._kernels.entry.structures import Packing
from ..errors import InvalidInputError, short_repr
from ..model.layout import Layout
from ..parameters.checks import checked_float, checked_sample_weights, has_items
from ..parameters.settings import checked_parameter
from ..runtime.machine import available_bytes, check_free_memory
from ..text.documents import n_documents, python_values, refuse_other_collections
from ..text.labels import Labeled, checked_labels, label_number
from ..text.sources import text_source
from ..text.streams import DocumentStreams, Streams
from ..text.vocabulary import Ids, Vocabulary
from .team import packs_all, shard_ranges, workspace_bytes

# ---------------------------------------------------------------- class data

MIN_HELD_OUT, MAX_HELD_OUT = 10, 500  # one text in this many, and about this many in all, choose the weights
LEAST_SECONDS = 1e-3  # for a direction when the others have used up its time


class ClassData(NamedTuple):
    """Texts, their labels and weights."""

    texts: list[Any]
    labeled: Labeled
    sample_weight: ArrayLike | None  # weights, not yet checked
    n_symbols: int  # total number of symbols, with an end and a label for each text

    @classmethod
    def checked(cls, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> Self:
        """Return the data of a call of `fit`, or raise InvalidInputError."""
        texts = _listed(X)
        source = text_source(texts)
        labeled = checked_labels(y, source.n_documents, name="y")
        if len(labeled.labels) < 2:
            (label,) = labeled.labels.tolist()
            raise InvalidInputError(f"y has only one class, {short_repr(label)}. Pass texts of at least two classes.")
        return cls(texts, labeled, sample_weight, source.max_length + source.n_documents)

    def held_out(self) -> tuple[ClassData, ClassData] | None:
        """Return the texts to learn and those held out for weights, a tenth of each class or about 500 in all.

        None: no class has ten texts. The choice is always the same.
        """
        n, numbers = len(self.texts), self.labeled.numbers
        every, order = max(MIN_HELD_OUT, n // MAX_HELD_OUT), np.random.default_rng(0).permutation(n)
        by_class = order[np.argsort(numbers[order], kind="stable")]
        counts = np.bincount(numbers, minlength=len(self.labeled.labels))
        rank = np.arange(n) - np.repeat(np.cumsum(counts) - counts, counts)  # within the class
        chosen = rank % every == every - 1
        learned, held = by_class[~chosen], by_class[chosen]
        return (self._part(np.sort(learned)), self._part(np.sort(held))) if len(held) else None

    def _part(self, places: NDArray[np.intp]) -> ClassData:
        texts = [self.texts[i] for i in places.tolist()]
        labeled = self.labeled._replace(numbers=self.labeled.numbers[places])
        weights = None if self.sample_weight is None else np.asarray(self.sample_weight)[places]
        return ClassData(texts, labeled, weights, sum(map(len, texts)) + 2 * len(texts) + 1)

    def in_direction(self, direction: str, *, shuffled: bool) -> tuple[list[Any], Any, Any]:
        """Return the texts as a direction, "forward" or "backward", reads them, with their labels and weights.

        Shuffling is always the same; the last texts are held out for validation.
        """
        order = np.arange(len(self.texts))
        if shuffled:
            order = np.random.default_rng(0).permutation(order)
        turned = [self.texts[i] if direction == "forward" else self.texts[i][::-1] for i in order.tolist()]
        weights = None if self.sample_weight is None else np.asarray(self.sample_weight)[order]
        return turned, self.labeled.labels[self.labeled.numbers[order]], weights

    def limits(self, parameters: Mapping[str, Any], min_steps: int, seconds: float, directions: int) -> dict[str, Any]:
        """Return the language model's parameters that limit training in the next direction.

        The texts are read more than `epochs` times until `min_steps` steps are taken. `directions` share the rest of
        `max_seconds`; `seconds` of them are used.
        """
        known = ("epochs", "batch_size", "seq_length", "max_steps", "max_seconds")
        epochs, B, T, max_steps, max_seconds = (checked_parameter(name, parameters[name]) for name in known)
        if max_seconds is not None:
            return {"max_seconds": max((max_seconds - seconds) / directions, LEAST_SECONDS)}
        if max_steps is not None:
            return {}
        per_epoch = -(-self.n_symbols // (B * min(T, max(self.n_symbols // B, 1))))
        return {"epochs": max(epochs, -(-min_steps // per_epoch))}


def _listed(X: Any) -> list[Any]:
    """Return texts as a list, or raise an error with the remedy."""
    if isinstance(X, str | bytes):
        raise InvalidInputError("X is a single text. Pass a list of texts.")
    refuse_other_collections(X, "X")
    if not has_items(X):
        raise InvalidInputError(f"X is of type {type(X).__name__}. Pass a list of texts.")
    return list(python_values(X))


def class_prior(labeled: Labeled, class_weight: Any, sample_weight: ArrayLike | None = None) -> NDArray[np.float64]:
    """Return the classes' relative frequencies times their weights, normalized, (K,).

    Examples
    --------
    >>> from crnn.text.labels import checked_labels
    >>> labeled = checked_labels(["a", "b", "b", "b"])
    >>> class_prior(labeled, None).round(2).tolist(), class_prior(labeled, "balanced").round(2).tolist()
    ([0.25, 0.75], [0.5, 0.5])
    >>> class_prior(labeled, {"a": 3}).round(2).tolist()
    [0.5, 0.5]
    """
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


# ---------------------------------------------------------------- data summary


def data_summary(ids: Ids, validation_ids: Ids | None, vocabulary: Vocabulary) -> str:
    """Return a line with the numbers of training symbols, distinct symbols and validation symbols.

    Examples
    --------
    >>> import numpy as np
    >>> data_summary(np.zeros(1500, np.uint8), np.zeros(300, np.uint8), Vocabulary.from_text("abcd"))
    'data: 1,500 characters, 4 different ones; validation: 300 characters'
    """
    known = _count(len(vocabulary.codes), "different one")
    if vocabulary.unknown is not None:
        known += " and one symbol for all others"
    line = f"data: {_amount(ids, vocabulary)}, {known}"
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


def check_memory(
    layout: Layout,
    streams: Streams,
    optimizer_arrays: int,
    *,
    keep_best: bool,
    checkpoints: bool = False,
    own: range | None = None,
    bfloat16: bool = False,
    sampled_softmax: int = 0,
    dropout: bool = False,
) -> None:
    """Raise if training needs more memory than is available; nothing is checked if the available memory is unknown.

    The optimizer keeps `optimizer_arrays` of the size of the weights. Further weights are kept as the best ones
    (`keep_best`) and as snapshots for `checkpoints`. `own` are this process's streams, by default all.
    """
    available = available_bytes()
    if available is None:
        return
    needed = training_bytes(
        layout,
        streams,
        optimizer_arrays,
        keep_best=keep_best,
        checkpoints=checkpoints,
        own=own,
        bfloat16=bfloat16,
        sampled_softmax=sampled_softmax,
        dropout=dropout,
        enough=available,
    )
    inputs = "" if layout.embedding_size is None else f", embedding_size={layout.embedding_size}"
    inputs += "" if layout.pairs is None else f", n_bigrams={layout.n_bigrams}"
    network = f"hidden_size={layout.hidden_size}{inputs} and num_layers={layout.num_layers}"
    what = f"{network} with batch_size={streams.batch_size} and seq_length={streams.seq_length}"
    check_free_memory(needed, what, "Lower one of these parameters.", available=available)


def training_bytes(
    layout: Layout,
    streams: Streams,
    optimizer_arrays: int,
    *,
    keep_best: bool,
    checkpoints: bool = False,
    own: range | None = None,
    bfloat16: bool = False,
    sampled_softmax: int = 0,
    dropout: bool = False,
    enough: int | None = None,
) -> int:
    """Return the approximate number of bytes for training apart from the text; arguments as for `check_memory`.

    If the vectors of weights and the streams' objects alone take more than `enough` bytes, their size is returned:
    the other sizes might overflow the kernels' integers.
    """
    own = range(streams.batch_size) if own is None else own
    parts = shard_ranges(layout, streams, own, bfloat16=bfloat16)
    # Weights and optimizer state, and two snapshots: the last good one, and the next until a step confirms it.
    vectors = 3 * (1 + optimizer_arrays)
    vectors += 1 + optimizer_arrays if keep_best else 0
    # A snapshot, its parts for a file with the best weights, and the bytes of the file.
    vectors += (1 + optimizer_arrays) * (5 if keep_best else 3) if checkpoints else 0
    vectors += len(parts)  # gradients
    needed = layout.dtype.itemsize * vectors * layout.size
    needed += streams.batch_size * STREAM_SIZE if isinstance(streams, DocumentStreams) else 0
    if enough is not None and needed > enough:
        return needed
    many = packs_all(streams.seq_length, parts, bfloat16=bfloat16, sampled_softmax=sampled_softmax)
    packing = Packing(len(own) == 1, many, training=True, bfloat16=bfloat16)
    network = core.Network(layout, packing, sampled=sampled_softmax)
    needed += layout.dtype.itemsize * network.panels_size
    return needed + sum(workspace_bytes(network, streams.seq_length, len(part), dropout) for part in parts)
