"""StoredRecord: values and arrays that a model file keeps for one part of the library."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

RECORD_DTYPES = ("float16", "float32", "float64", "int8", "int32", "int64", "uint8", "uint32", "uint64")


@dataclass(eq=False)
class StoredRecord:
    """What one part of the library keeps in a model file, which stores it and does not know its meaning.

    Parameters
    ----------
    values : dict
        Names, and values that JSON can hold: at most some ten thousand of them.
    tensors : dict of str to ndarray
        Arrays of one of `RECORD_DTYPES`, under names of letters, digits, ``_``, ``-`` and ``.``.

    Examples
    --------
    >>> StoredRecord({"epoch": 3}, {"order": np.arange(3)}).values
    {'epoch': 3}
    """

    values: dict[str, Any]
    tensors: dict[str, NDArray[Any]] = field(default_factory=dict)

    def copy(self) -> StoredRecord:
        """Return a record that shares no array with this one."""
        return StoredRecord(dict(self.values), {name: np.array(array) for name, array in self.tensors.items()})
