import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int32]
Floats = NDArray[np.float64]
Places = NDArray[np.intp]

class FrozenContexts:
    def __init__(
        self, context: int, suffixes: Ids, scales: Floats, firsts: Ids, symbols: Ids, nexts: Ids, p: Floats
    ) -> None: ...
    def row_source(self) -> object: ...

def log_probabilities(contexts: FrozenContexts, x: Ids, before: Ids, out: Floats) -> None: ...
def log_likelihoods(
    contexts: FrozenContexts, ids: Ids, starts: Places, lengths: Places, before: Ids, least: bool, out: Floats
) -> None: ...
def read(
    contexts: FrozenContexts,
    ids: Ids,
    starts: Places,
    lengths: Places,
    before: Ids,
    rows: Places,
    after: Ids,
    sums: Floats,
    first: int,
    last: int,
) -> None: ...
def rows_after(contexts: FrozenContexts, before: Ids, out: Floats) -> None: ...
def rows_before(contexts: FrozenContexts, x: Ids, before: Ids, out: Floats) -> None: ...
