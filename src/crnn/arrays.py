"""The type of arrays whose elements a signature leaves open."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

Array = NDArray[Any]
