"""Verdicts on the very texts that a detector has learned."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .learned import Judged, Learned


def scores_in_order(blocks: Iterable[list[Any]], judged: Judged, learned: Learned) -> NDArray[np.float64]:
    """Arrange the scores of judged texts in the order of the user's texts; None gets NaN.

    A text that was left out of the sample has not been learned, so the model itself scores it.
    """
    known = dict(zip(judged.texts, judged.scores.tolist(), strict=True))
    parts = [np.empty(0)]
    for block in blocks:
        new = [text for text in dict.fromkeys(block) if text is not None and text not in known]
        others = dict(zip(new, learned.scores_of_masked(new, "replace").tolist(), strict=True))
        others[None] = np.nan
        parts.append(np.array([known[text] if text in known else others[text] for text in block]))
    return np.concatenate(parts)


def flag_lowest(scores: NDArray[np.float64], share: float) -> NDArray[np.int64]:
    """Return -1 for about a share of the texts, with the lowest scores, and for NaN; 1 for others."""
    ordered = np.sort(scores[~np.isnan(scores)])
    wanted = round(share * len(ordered))
    if not wanted:
        return np.where(np.isnan(scores), -1, 1)
    below, upto = (int(np.searchsorted(ordered, ordered[wanted - 1], side=side)) for side in ("left", "right"))
    limit = ordered[wanted - 1] if upto - wanted < wanted - below else np.nextafter(ordered[wanted - 1], -np.inf)
    return np.where(scores > limit, 1, -1)
