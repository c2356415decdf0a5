from typing import Any

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int32]
Places = NDArray[np.intp]

UNREAD_SYMBOL: int
SWAPPED_STEP: int
INSERTED_STEP: int
REPLACED_STEP: int
RECENT_SYMBOLS: int

class Selection:
    def __init__(
        self,
        x: Ids,
        lengths: Places,
        channel: Any,
        vocab_size: int,
        end: int | None,
        context: int | None,
        beams: Ids,
        margin: float,
        penalty: float,
    ) -> None: ...
    @property
    def left(self) -> int: ...
    def insert(self, logits: NDArray[Any]) -> tuple[Places, Ids]: ...
    def advance(self, logits: NDArray[Any], inserted: NDArray[Any]) -> tuple[Places, Ids]: ...
    def path(self, text: int) -> tuple[Ids, Ids, NDArray[np.float64]]: ...
