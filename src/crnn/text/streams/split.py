"""Split: the part of a text or of documents for training, and the part held out for validation."""

from __future__ import annotations

from ...errors import InvalidInputError
from ..sources.documents import boundaries, n_documents
from ..symbols.vocabulary import Ids
from .text_streams import min_symbols


def split_text(ids: Ids, fraction: float, batch_size: int) -> tuple[Ids, Ids]:
    """Return the beginning of a text for training, and its end for validation, as views.

    The `fraction` is held out, to the nearest symbol. More training streams (`batch_size`) need more symbols.
    """
    n, held_out, needed = len(ids), round(len(ids) * fraction), min_symbols(batch_size)
    if not held_out or n - held_out < needed:
        raise InvalidInputError(
            f"validation_fraction={fraction:g} of a text of {n} symbols leaves {held_out} for validation and "
            f"{n - held_out} for training, but at least 1 and {needed} are needed. Change "
            f"validation_fraction, or pass a longer text."
        )
    return ids[: n - held_out], ids[n - held_out :]


def split_documents(packed: Ids, boundary: int, fraction: float) -> tuple[Ids, Ids]:
    """Return the first of packed documents for training, and the last ones for validation, as views.

    The `fraction` is held out, to the nearest document. Both views include the boundary between them.
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
