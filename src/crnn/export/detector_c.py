"""Write a detector's reduction, threshold and mask as C source."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np

from ..errors import InvalidInputError, short_repr
from ..text.mask import BUILT_IN, Rule
from .c_parts import c_integers, c_source
from .models import ExportedDetector, Reduction

DIVISORS = {  # by the power of the length
    0.0: "1 + 0 * length",
    0.75: "crnn_root(length) * crnn_root(crnn_root(length))",
    1.0: "length",
}
ROOT = """/* The square root of a number of at least 1, by Newton's method. */
static double crnn_root(double x) {
    double y = x;
    for (int i = 0; i < 64; i++) y = 0.5 * (y + x / y);
    return y;
}

"""


def detector_sizes(model: ExportedDetector) -> dict[str, object]:
    """Return the macros that describe a detector."""
    if math.isfinite(model.threshold):
        threshold = model.threshold.hex()
    else:
        threshold = "INFINITY" if model.threshold > 0 else "-INFINITY"
    return {"CRNN_RULES": len(_names_of(model.mask)), "CRNN_THRESHOLD": f"({threshold})"}


def detector_code(model: ExportedDetector) -> Iterator[str]:
    """Yield the functions of a detector, which follow those of its model."""
    names = _names_of(model.mask)
    yield c_source("characters.c")
    if names:
        rules = ", ".join(f"CRNN_MASK_{name.upper()}" for name in names)
        # "digits" looks at no words; then the table is as small as it can be.
        bounds = [ord("0"), ord("9") + 1] if names == ["digits"] else _word_bounds()
        words = c_integers("uint32_t", "crnn_words", np.array(bounds))
        yield c_source("mask.c").replace("{rules}", rules).replace("{words}", words)
    else:
        yield "#define crnn_next(cursor, rules, out) crnn_read_character(cursor, out)\n"
    reduction = Reduction.of(model.reduce)
    divisor = DIVISORS[reduction.power]
    source = c_source("detector.c").replace("{root}", ROOT if "crnn_root" in divisor else "")
    source = source.replace("{least}", repr(reduction.least)).replace("{total}", repr(reduction.total))
    yield source.replace("{divisor}", divisor)
    yield c_source("lines.c")
    yield c_source("detector_program.c")


def _names_of(mask: Sequence[Rule]) -> list[str]:
    """Return the names of a mask's rules in the order in which they are applied, or refuse a user's own pattern."""
    for rule in mask:
        if not isinstance(rule, str):
            raise InvalidInputError(
                f"the mask's pattern {short_repr(rule[0])} cannot be exported to C, which has no regular expressions. "
                f"Use the built-in masks ({', '.join(BUILT_IN)}), or export JavaScript."
            )
    return [name for name in BUILT_IN if name in mask]


@lru_cache(maxsize=1)
def _word_bounds() -> list[int]:
    r"""Return the code points where ``\w`` of Python's patterns starts and ends to match."""
    is_word = [chr(code).isalnum() or code == ord("_") for code in range(0x110000)]
    changes = np.flatnonzero(np.diff(np.array(is_word, np.int8), prepend=0, append=0))
    return [int(code) for code in changes]
