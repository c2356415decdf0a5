import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int32]
Floats = NDArray[np.float64]
Halves = NDArray[np.uint64]

class Contexts:
    n: int
    V: int
    def __init__(
        self,
        suffixes: Ids,
        scales: Floats,
        firsts: Ids,
        symbols: Ids,
        nexts: Ids,
        shorter: Ids,
        weights: Floats,
        lower_weights: Floats,
    ) -> None: ...
    def sweep(self, rows: Ids, ahead: Floats, out: Floats, maximum: bool) -> float: ...
    def locate(self, texts: Ids) -> Ids: ...
    def values(self, table: Ids, class_of: Ids, ahead: Floats, contexts: Ids, states: Ids, out: Floats) -> None: ...
    def draw(
        self,
        table: Ids,
        class_of: Ids,
        steps: Ids,
        ahead: Floats,
        context: int,
        state: int,
        end: int,
        random: Halves,
        increment: Halves,
        texts: Ids,
        lengths: NDArray[np.intp],
    ) -> None: ...
