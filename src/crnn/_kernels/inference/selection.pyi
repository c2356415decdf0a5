from typing import Any

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int32]

UNREAD_SYMBOL: int
SWAPPED_STEP: int
INSERTED_STEP: int
REPLACED_STEP: int
RECENT_SYMBOLS: int

class Selection:
    def __init__(
        self,
        x: Ids,
        lengths: NDArray[np.intp],
        tables: tuple[Any, ...],
        vocab_size: int,
        end: int | None,
        context: int | None,
        beams: Ids,
        margin: float,
        penalty: float,
    ) -> None: ...
    @property
    def left(self) -> int: ...
    def insert(self, y: NDArray[Any]) -> tuple[NDArray[np.intp], Ids]: ...
    def advance(self, y: NDArray[Any], z: NDArray[Any]) -> tuple[NDArray[np.intp], Ids]: ...
    def path(self, text: int) -> tuple[Ids, Ids, NDArray[np.float64]]: ...
