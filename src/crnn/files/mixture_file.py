"""The model file of several models, a mixture or a classifier: one sealed file with their files and weights.

In addition to a sealed file's entries, the ``__metadata__`` contains ``models``, the names of the models' classes in
JSON, and the entries of a classifier. The tensor ``weights`` has the weights, and ``models.0``, ``models.1`` and so on
the bytes of each model's file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelFileError
from ..parameters.checks import MAX_SCALE
from .container import Header, read_header
from .plain_json import plain_json, read_json
from .sealed_file import (
    Path,
    opened,
    read_sealed_tensors,
    require_kind,
    sealed_bytes,
    with_format,
    write_path,
)

MEMBERS = ("CharRNN", "CharNGram")
"""The classes of models that a file can contain."""

MAX_MODELS = 64  # in a mixture; the kernels take no more

NO_ENTRIES: Mapping[str, str] = {}
Parts = Sequence[tuple[str, bytes]]  # each model's class, and the bytes of its file


def write(
    path: Path,
    parts: Parts,
    weights: NDArray[np.float64],
    entries: Mapping[str, str] = NO_ENTRIES,
) -> None:
    """Write several models to a file, all or nothing; with `entries`, the models of a classifier.

    If the file cannot be written, an existing file is unchanged.
    """
    write_path(path, partial(_content, parts, weights, entries))


def read(path: Path, kind: str = "mixture") -> tuple[Parts, NDArray[np.float64], dict[str, str]]:
    """Return the arguments of `write`, the entries with the file's others; the models' bytes are not examined."""
    with opened(path) as (stream, size):
        header = require_kind(read_header(stream, size), kind)
        names = _class_names(header)
        tensors = read_sealed_tensors(stream, header)
        weights = tensors["weights"].astype(np.float64)
        if not ((weights >= 0) & (weights <= MAX_SCALE)).all():
            raise ModelFileError(f"its weights must be numbers from 0 to {MAX_SCALE:g}")
        parts = [(name, tensors[f"models.{i}"].tobytes()) for i, name in enumerate(names)]
        return parts, weights, dict(header.metadata)


def _content(parts: Parts, weights: NDArray[np.float64], entries: Mapping[str, str]) -> bytes:
    tensors = {f"models.{i}": np.frombuffer(content, np.uint8) for i, (_, content) in enumerate(parts)}
    metadata = {"models": plain_json([name for name, _ in parts]), **entries}
    return sealed_bytes(with_format("classifier" if entries else "mixture", metadata), {"weights": weights, **tensors})


def _class_names(header: Header) -> list[str]:
    """Return the class of each model, after checking the tensors declared for them."""
    names = read_json(header.metadata.get("models", "").encode("ascii", "replace"), "list of models")
    if not isinstance(names, list) or not 1 <= len(names) <= MAX_MODELS or any(name not in MEMBERS for name in names):
        raise ModelFileError(f"its models are not a list of up to {MAX_MODELS} of {', '.join(MEMBERS)}")
    wanted = {"weights": ("F64", (len(names),))}
    for i in range(len(names)):
        declared = header.declared.get(f"models.{i}")
        wanted[f"models.{i}"] = ("U8", declared.shape if declared is not None and len(declared.shape) == 1 else (0,))
    if header.declared != wanted:
        raise ModelFileError("its tensors do not belong to its models")
    return names
