"""Learn which symbols a scanner mistakes for which, from scans whose original is known."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from difflib import SequenceMatcher
from typing import Any

from ..errors import InvalidInputError, short_repr
from .confusions import MAX_KEY

MAX_AFTER = 4  # symbols of an original that a confusion stands for
LEAST_COUNT = 2  # a mistake seen once may be a misprint
LEAST_SHARE = 0.5  # of the symbols that a scan and its original must have in common


def learn_confusions(pairs: Iterable[tuple[str, str]] | Iterable[tuple[bytes, bytes]]) -> dict[Any, dict[Any, float]]:
    """Return the confusions in scans whose originals are known, for ``restore(confusions=...)``.

    The texts of each pair are aligned, first by words, then by characters. A rate is the share of the original's
    occurrences that the scan shows like this; for an excess mark, it is the share of all characters. Mistakes that
    occur once are left out.

    Parameters
    ----------
    pairs : iterable of tuples (scan, original)
        Two str or two bytes each, such as a page as an engine read it and as it should be. Some thousand words show the
        frequent mistakes. Pass each page as a pair of its own: 2,000 words take about a second, and twice as many in
        one pair four times as long.

    Returns
    -------
    dict
        From 1 to 3 characters of a scan to what they may have been, with rates: ``{"rn": {"m": 0.01}}``. Pass it alone,
        or after "ocr" in a list, whose rates it then replaces.

    Raises
    ------
    ValueError
        If a pair is not two texts of the same kind, or the texts have little in common.

    Examples
    --------
    >>> from crnn import learn_confusions
    >>> pairs = [("the rnan carne home", "the man came home"), ("a rnouse", "a mouse")]
    >>> learn_confusions(pairs)
    {'rn': {'m': 0.75}}
    """
    counts: defaultdict[Any, Counter[Any]] = defaultdict(Counter)
    originals = list[Any]()
    for i, pair in enumerate(_checked_pairs(pairs)):
        scan, original = pair
        n_equal = 0
        for before, after in _differences(scan, original):
            if before == after:
                n_equal += len(before)
            elif len(before) <= MAX_KEY and len(after) <= MAX_AFTER:
                counts[before][after] += 1
        if 2 * n_equal < LEAST_SHARE * (len(scan) + len(original)):
            raise InvalidInputError(
                f"pairs[{i}] has two texts with little in common: {short_repr(scan)} and {short_repr(original)}. Pass "
                "each scan with the original of the same page."
            )
        originals.append(original)
    n_symbols = sum(map(len, originals))
    learned: dict[Any, dict[Any, float]] = {}
    for before in sorted(counts):
        for after, count in sorted(counts[before].items()):
            if count >= LEAST_COUNT:
                occurrences = sum(text.count(after) for text in originals) if after else n_symbols
                learned.setdefault(before, {})[after] = min(1.0, count / occurrences)
    return learned


def _checked_pairs(pairs: Any) -> Iterator[tuple[Any, Any]]:
    """Yield the pairs after checking that each has two texts of the kind of the first."""
    if isinstance(pairs, str | bytes | bytearray | Mapping) or not isinstance(pairs, Iterable):
        raise InvalidInputError(f"pairs must be a list of tuples (scan, original), not {short_repr(pairs)}")
    wanted: type | None = None
    for i, pair in enumerate(pairs):
        texts = tuple(pair) if isinstance(pair, tuple | list) else ()
        if wanted is None and texts:
            wanted = bytes if isinstance(texts[0], bytes) else str
        if len(texts) != 2 or wanted is None or not all(isinstance(text, wanted) for text in texts):
            raise InvalidInputError(
                f"pairs[{i}] must be a tuple (scan, original) of two str, or two bytes, like the first pair, not "
                f"{short_repr(pair)}"
            )
        yield texts[0], texts[1]


def _differences(scan: Any, original: Any) -> Iterator[tuple[Any, Any]]:
    """Yield a scan's pieces with what stands for them in the original; equal pieces, too.

    What the scan lacks is yielded with its neighbor, since a confusion needs at least one symbol.
    """
    words = r"\s+|\S+" if isinstance(scan, str) else rb"\s+|\S+"
    pieces = re.findall(words, scan)
    wanted = re.findall(words, original)
    empty = scan[:0]
    for tag, i, j, k, m in SequenceMatcher(None, pieces, wanted, autojunk=False).get_opcodes():
        before = empty.join(pieces[i:j])
        after = empty.join(wanted[k:m])
        if tag == "equal":
            yield before, after
        else:
            yield from _letter_differences(before, after)


def _letter_differences(before: Any, after: Any) -> Iterator[tuple[Any, Any]]:
    """Yield the pieces of a few differing words with what stands for them in the original."""
    for tag, i, j, k, m in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if tag == "insert" and i < len(before):
            yield before[i : i + 1], after[k:m] + before[i : i + 1]
        elif tag == "insert" and i:
            yield before[i - 1 : i], before[i - 1 : i] + after[k:m]
        elif tag != "insert":  # a word without any neighbor is no confusion
            yield before[i:j], after[k:m]
