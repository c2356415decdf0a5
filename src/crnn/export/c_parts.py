"""Pieces of C source: files of the folder ``c_source``, and the definitions of arrays."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from ..arrays import Array
from ..text.vocabulary import Vocabulary

WIDTH = 110  # maximum length of a line of numbers


def c_source(name: str) -> str:
    """Return a part of the C code that is the same for all models."""
    return resources.files(__package__).joinpath("c_source", name).read_text("ascii")


def c_array(kind: str, name: str, numbers: Iterable[str]) -> str:
    """Return the definition of an array, wrapped into lines."""
    lines = []
    line = "   "
    count = 0
    for number in numbers:
        count += 1
        if len(line) + len(number) > WIDTH:
            lines.append(line)
            line = "   "
        line += f" {number},"
    lines.append(line)
    return f"static const {kind} {name}[{count}] = {{\n" + "\n".join(lines) + "\n};\n"


def c_integers(kind: str, name: str, numbers: NDArray[np.integer]) -> str:
    """Return the definition of an array of integers."""
    return c_array(kind, name, map(str, numbers.tolist()))


def c_floats(array: Array) -> list[str]:
    """Return float32 numbers as hexadecimal constants, which every compiler reads identically."""
    parts = (value.hex().split("p") for value in array.ravel().tolist())
    return [f"{digits.rstrip('0').rstrip('.') if '.' in digits else digits}p{exponent}f" for digits, exponent in parts]


def c_codes(vocabulary: Vocabulary) -> str:
    """Return the definition of the characters of a vocabulary."""
    codes = vocabulary.codes if len(vocabulary.codes) else np.zeros(1, np.uint32)  # C has no array of length 0
    return "/* Code points or byte values, in id order. */\n" + c_integers("uint32_t", "crnn_codes", codes)
