"""The model file of a mixture: one sealed file that contains its models' files and their weights.

In addition to a sealed file's entries, the ``__metadata__`` contains ``models``, the names of the models' classes in
JSON. The tensor ``weights`` has the weights, and ``models.0``, ``models.1`` and so on the bytes of each model's file.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelFileError
from ..parameters.checks import MAX_SCALE
from .plain_json import plain_json, read_json
from .sealed_file import (
    Path,
    read_path,
    read_sealed_header,
    read_sealed_tensors,
    sealed_bytes,
    with_format,
    write_path,
)

MEMBERS = ("CharRNN", "CharNGram")
"""The classes of models that a file can contain."""

MAX_MODELS = 64  # in a mixture; the kernels take no more

Parts = list[tuple[str, bytes]]  # each model's class, and the bytes of its file


def write(path: Path, parts: Sequence[tuple[str, bytes]], weights: NDArray[np.float64]) -> None:
    """Write a mixture to a file, all or nothing.

    If the file cannot be written, an existing file is unchanged.
    """
    write_path(path, partial(_content, parts, weights))


def read(path: Path) -> tuple[Parts, NDArray[np.float64]]:
    """Return the arguments of `write`; the models' bytes are not examined."""
    return read_path(path, _read)


def _content(parts: Sequence[tuple[str, bytes]], weights: NDArray[np.float64]) -> bytes:
    tensors = {f"models.{i}": np.frombuffer(content, np.uint8) for i, (_, content) in enumerate(parts)}
    metadata = {"models": plain_json([name for name, _ in parts])}
    return sealed_bytes(with_format("mixture", metadata), {"weights": weights, **tensors})


def _read(stream: BinaryIO, size: int) -> tuple[Parts, NDArray[np.float64]]:
    header = read_sealed_header(stream, size, "mixture")
    names = read_json(header.metadata.get("models", "").encode("ascii", "replace"), "list of models")
    if not isinstance(names, list) or not 1 <= len(names) <= MAX_MODELS or any(name not in MEMBERS for name in names):
        raise ModelFileError(f"its models are not a list of up to {MAX_MODELS} of {', '.join(MEMBERS)}")
    wanted = {"weights": ("F64", (len(names),))}
    for i in range(len(names)):
        declared = header.declared.get(f"models.{i}")
        wanted[f"models.{i}"] = ("U8", declared.shape if declared is not None and len(declared.shape) == 1 else (0,))
    if header.declared != wanted:
        raise ModelFileError("its tensors do not form a mixture")
    tensors = read_sealed_tensors(stream, header)
    weights = tensors["weights"].astype(np.float64)
    if not ((weights >= 0) & (weights <= MAX_SCALE)).all():
        raise ModelFileError(f"its weights must be numbers from 0 to {MAX_SCALE:g}")
    return [(name, tensors[f"models.{i}"].tobytes()) for i, name in enumerate(names)], weights
