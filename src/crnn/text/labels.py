"""Labels and counts of documents: checked, numbered, and read with the documents."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InvalidInputError, short_repr
from ..parameters.checks import checked_times, did_you_mean, has_items, require_unmasked
from .documents import boundaries, document_numbers, n_unpredicted
from .file_reader import BLOCK_SIZE
from .id_cache import Fingerprint
from .sources import TextLike, TextSource, documents_of, rereadable, text_source
from .vocabulary import Ids, Vocabulary

Labels = NDArray[Any]
Numbers = NDArray[np.intp]

MAX_SHOWN_LABELS = 10  # maximum labels in an error message


class NumberedLabels(NamedTuple):
    """The distinct labels, sorted, and the index of each document's label."""

    labels: Labels  # (K,)
    numbers: Numbers  # (n,)


def checked_labels(values: ArrayLike, n: int | None = None, *, name: str = "y") -> NumberedLabels:
    """Return the labels of n documents (by default at least one): all str, all integers, all floats or all bool."""
    array = _array(values, name)
    if array.ndim != 1:
        raise InvalidInputError(
            f"{name} must be one label for each document, not of shape {array.shape}", argument=name
        )
    if len(array) != n if n is not None else not len(array):
        wanted = "at least one label" if n is None else f"{n} labels, one for each document"
        raise InvalidInputError(f"{name} must be {wanted}, not {len(array)}", argument=name)
    labels, numbers = np.unique(array, return_inverse=True)
    return NumberedLabels(labels, numbers)


def label_number(label: Any, labels: Labels, *, name: str = "label") -> int:
    """Return the index of a label among a model's sorted labels."""
    value = label.item() if isinstance(label, np.generic) else label
    choices = labels.tolist()
    if not isinstance(value, np.ndarray) and value in choices:
        return int(choices.index(value))
    shown = ", ".join(map(repr, choices[:MAX_SHOWN_LABELS])) + (", ..." if len(choices) > MAX_SHOWN_LABELS else "")
    near = did_you_mean(value, map(str, choices))
    raise InvalidInputError(f"{name} must be one of {shown}, not {short_repr(value)}{near}")


def label_numbers(values: Any, labels: Labels, n: int | None = None, *, name: str = "y") -> Numbers:
    """Return the indices of n documents' labels among a model's sorted labels."""
    labeled = checked_labels(values, n, name=name)
    places = []
    for k, label in enumerate(labeled.labels):
        first = int(np.argmax(labeled.numbers == k))
        try:
            places.append(label_number(label, labels, name=f"{name}[{first}]"))
        except InvalidInputError as error:
            raise InvalidInputError(str(error), argument=name, index=first) from None
    return np.array(places, np.intp)[labeled.numbers]


def labeled_ids(packed: NDArray[Any], boundary: int, numbers: Numbers, n_labels: int) -> NDArray[Any]:
    """Return packed documents (see `documents.pack`), each with its label's symbol, boundary + 1 + k, at the start."""
    dtype = np.promote_types(packed.dtype, np.min_scalar_type(boundary + n_labels))
    starts = boundaries(packed, boundary)[:-1].astype(np.intp)
    return np.insert(packed.astype(dtype), starts + 1, (boundary + 1 + numbers).astype(dtype))


def documents_by_label(
    packed: NDArray[Any], numbers: Numbers, n_labels: int, boundary: int | None
) -> Iterator[NDArray[Any]]:
    """Yield the packed documents (see `documents.pack`) of each label, given the number of each document's label."""
    lengths = np.diff(np.flatnonzero(packed == boundary))
    labels = np.repeat(numbers, lengths)  # of each symbol; an end belongs to its document
    order = np.argsort(labels, kind="stable")
    ends = np.cumsum(np.bincount(labels, minlength=n_labels))
    for documents in np.split(packed[1:][order], ends[:-1]):
        yield np.concatenate([packed[:1], documents])


def _array(values: Any, name: str) -> Labels:
    """Return labels as an array of str, int, float or bool, with their values preserved."""
    if isinstance(values, Iterator):
        values = list(values)
    sized = hasattr(values, "__len__") and (hasattr(values, "__array__") or has_items(values))
    if isinstance(values, str | bytes | dict | set) or not sized:
        raise InvalidInputError(
            f"{name} must be a list or an array, one label for each document, not {type(values).__name__}"
        )
    require_unmasked(name, values, "Leave out its document.")
    is_array = hasattr(values, "__array__")
    array = _plain_array(values if is_array else list(values), name)
    if array.ndim == 1 and (array.dtype.kind in "OT" or not is_array):
        values = array.tolist() if is_array else list(values)
        _refuse_mixture(values, name)
        array = _plain_array(values, name)
    if array.dtype.kind not in "OUiufb":
        raise InvalidInputError(f"{name} must be str, whole numbers, floats or bool, not {array.dtype}")
    if array.dtype.kind == "f" and np.isnan(array).any():
        raise InvalidInputError(f"{name}[{int(np.argmax(np.isnan(array)))}] is missing (NaN). Leave out its document.")
    stored = array.astype(np.float64) if array.dtype.type is np.longdouble else array  # files store no more digits
    if array.ndim == 1 and not (isinstance(values, np.ndarray) and stored.dtype == values.dtype):
        _refuse_changes(list(values), stored, name)
    return stored


def _plain_array(values: Any, name: str) -> Labels:
    try:
        return np.asarray(values)
    except ValueError as error:  # lists of different lengths
        raise InvalidInputError(f"{name} must be labels, one for each document: {error}") from None


_KINDS = {str: "text", bool: "bool", np.bool_: "bool", int: "number", float: "number", np.number: "number"}


def _refuse_mixture(values: list[Any], name: str) -> None:
    """Reject labels that are neither text nor numbers, and mixed kinds, which NumPy would convert to one kind."""
    kinds = {
        value_type: next((kind for base, kind in _KINDS.items() if issubclass(value_type, base)), None)
        for value_type in set(map(type, values))
    }
    if len(set(kinds.values())) <= 1 and None not in kinds.values():
        return
    for i, value in enumerate(values):
        if kinds[type(value)] is None:
            raise InvalidInputError(f"{name}[{i}] must be a str or a number, not {type(value).__name__}")
        if kinds[type(value)] != kinds[type(values[0])]:
            raise InvalidInputError(
                f"{name}[{i}] is {type(value).__name__}, but {name}[0] is {type(values[0]).__name__}. Pass labels that "
                f"are all text, all numbers or all bool."
            )


def _refuse_changes(values: list[Any], stored: Labels, name: str) -> None:
    """Reject labels that their common type would change, since different labels might become equal."""
    if stored.dtype.kind == "O":
        i = next(i for i, value in enumerate(values) if isinstance(value, int) and not -(2**63) <= value < 2**64)
        raise InvalidInputError(
            f"{name}[{i}] is {short_repr(values[i])}, an integer of more than 64 bits. Pass all labels as str."
        )
    for i, (label, value) in enumerate(zip(stored.tolist(), values, strict=True)):
        if label != value:
            remedy = "Remove trailing null characters." if isinstance(value, str) else "Pass all labels as str."
            raise InvalidInputError(
                f"{name}[{i}] is {short_repr(value)}, but NumPy would store it as {label!r}, which may be another "
                f"label. {remedy}"
            )


class LabeledSource(TextSource):
    """Documents from another source, each starting with the symbol of its label, one of `known` unless it is None."""

    holds_documents = True

    def __init__(
        self, source: TextSource, labels: ArrayLike, known: Sequence[Any] | None = None, name: str = "y"
    ) -> None:
        super().__init__(source.name)
        if not source.holds_documents:
            raise InvalidInputError(
                f"{name} needs documents, but {source.name} is a single text. Pass a list of texts."
            )
        self.kind = source.kind
        self._source = source
        self._labels, self._numbers = checked_labels(labels, source.n_documents, name=name)
        if known is not None:
            self._numbers = label_numbers(labels, np.array(known), source.n_documents, name=name)
            self._labels = np.array(known)
        self.labels: tuple[Any, ...] = tuple(self._labels.tolist())  # distinct and sorted

    @property
    def n_documents(self) -> int:
        """The number of documents."""
        return self._source.n_documents

    @property
    def max_length(self) -> int:
        """The number of symbols, including boundaries and labels."""
        return self._source.max_length + self.n_documents

    def vocabulary(self, min_count: int = 1, *, boundary: bool = False, given: str | bytes | None = None) -> Vocabulary:
        """Collect the symbols and the labels: see `TextSource.vocabulary`."""
        return self._source.vocabulary(min_count, given=given).with_labels(self.labels)

    def ids(self, vocabulary: Vocabulary) -> Ids:
        """Turn the documents into ids, with a boundary and the label before each: see `TextSource.ids`."""
        packed = self._source.ids(vocabulary)
        assert vocabulary.boundary is not None  # the source has refused a vocabulary without it
        return labeled_ids(packed, vocabulary.boundary, self._numbers, len(vocabulary.labels))

    def fingerprint(self) -> Fingerprint:
        """Return the fingerprint of the texts with their labels."""
        plain = self._source.fingerprint()
        labels = hashlib.sha256(repr(self._labels[self._numbers].tolist()).encode())
        return plain._replace(sha256=hashlib.sha256(f"{plain.sha256} {labels.hexdigest()}".encode()).hexdigest())

    def blocks(self, block_size: int = BLOCK_SIZE) -> Iterator[str] | Iterator[bytes]:
        """Yield the texts in blocks, without the labels."""
        return self._source.blocks(block_size)


class CountedSource(TextSource):
    """Documents with a weight above 0, each once in the ids, which count as often as `times` (n,) say."""

    holds_documents = True

    def __init__(self, X: TextLike, sample_weight: ArrayLike, name: str = "X") -> None:
        super().__init__(name)
        texts = rereadable(X)
        source = text_source(texts, name)
        if not source.holds_documents:
            raise InvalidInputError(f"sample_weight needs documents, but {name} is a single text. Pass a list.")
        times = checked_times(sample_weight, source.n_documents)
        self._n_weights = len(times)
        self._positions = np.flatnonzero(times)
        if not len(self._positions):
            raise InvalidInputError("sample_weight is 0 for every document. Give at least one a weight above 0.")
        if len(self._positions) < len(times):
            documents = documents_of(texts)
            source = text_source([documents[i] for i in self._positions.tolist()], name)
        self.kind = source.kind
        self._source = source
        self.times = times[self._positions]

    @property
    def n_documents(self) -> int:
        """The number of documents with a weight above 0."""
        return len(self.times)

    @property
    def max_length(self) -> int:
        """The number of symbols, including boundaries, of the documents once each."""
        return self._source.max_length

    def labels(self, y: ArrayLike) -> NDArray[Any]:
        """Return the labels of the documents with a weight above 0, given one for each document."""
        labeled = checked_labels(y, self._n_weights)
        return np.asarray(labeled.labels[labeled.numbers[self._positions]])

    def vocabulary(self, min_count: int = 1, *, boundary: bool = False, given: str | bytes | None = None) -> Vocabulary:
        """Collect the symbols that occur `min_count` times in all, or take the given ones."""
        if min_count == 1 or given is not None:
            return self._source.vocabulary(min_count, given=given)
        every = self._source.vocabulary()
        assert every.boundary is not None  # the source has documents
        ids = self._source.ids(every)
        occurrences = np.zeros(len(every))
        document = 0
        for i in range(n_unpredicted(every.boundary), len(ids), BLOCK_SIZE):
            block = ids[i : i + BLOCK_SIZE]
            times = self.times[document_numbers(block, every.boundary, document)]
            occurrences += np.bincount(block, times, len(every))
            document += int(np.count_nonzero(block == every.boundary))
        codes = every.codes[occurrences[: len(every.codes)] >= min_count]
        return Vocabulary.of_codes(codes, self.kind, not len(every.codes), min_count=min_count, boundary=True)

    def ids(self, vocabulary: Vocabulary) -> Ids:
        """Convert the documents to ids, each once: see `TextSource.ids`."""
        return self._source.ids(vocabulary)

    def blocks(self, block_size: int = BLOCK_SIZE) -> Iterator[str] | Iterator[bytes]:
        """Yield the texts in blocks."""
        return self._source.blocks(block_size)
