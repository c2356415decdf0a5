"""StoredRecord: values and arrays that a model file keeps for a part of the library."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

RECORD_DTYPES = ("float16", "float32", "float64", "int8", "int32", "int64", "uint8", "uint32", "uint64")


@dataclass(eq=False)
class StoredRecord:
    """Data of a part of the library, stored in a model file without knowledge of its meaning."""

    values: dict[str, Any]  # names and JSON values, at most about ten thousand
    # Arrays of one of `RECORD_DTYPES`, under names of letters, digits, ``_``, ``-`` and ``.``.
    tensors: dict[str, NDArray[Any]] = field(default_factory=dict)

    def copy(self) -> StoredRecord:
        """Return a record that shares no arrays with this one."""
        return StoredRecord(dict(self.values), {name: np.array(array) for name, array in self.tensors.items()})
