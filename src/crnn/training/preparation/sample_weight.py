"""Sample weight: a factor for each document's loss."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...errors import InvalidInputError
from ...parameters.checks import checked_sample_weights
from ...text.sources.text_source import TextSource
from ...text.symbols.vocabulary import Vocabulary


def checked_weights(sample_weight: ArrayLike, source: TextSource, vocabulary: Vocabulary) -> NDArray[np.float64]:
    """Return the weights of n documents, or raise an error that names the faulty weight and its position.

    If the vocabulary has a boundary, a single text is one document.

    Examples
    --------
    >>> from crnn.text.sources.sources import text_source
    >>> names = text_source(["Anna", "Bob"])
    >>> checked_weights([3, 1], names, names.vocabulary())
    array([3., 1.])
    """
    if vocabulary.boundary is None:
        raise InvalidInputError("sample_weight needs documents, but X is a single text. Pass a list of texts.")
    return checked_sample_weights(sample_weight, source.n_documents)
