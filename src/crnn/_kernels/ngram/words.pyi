from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

LEVELS: int
WINDOW: int

Ids = NDArray[np.int32]
Floats = NDArray[np.float64]
Bytes = NDArray[np.uint8]
Keys = NDArray[np.uint32]

class SymbolKinds:
    def __init__(self, letters: Bytes, folds: Ids, boundary: int | None = None) -> None: ...

class WordTables:
    symbols: SymbolKinds
    def __init__(
        self,
        symbols: SymbolKinds,
        lengths: Sequence[int],
        keys: Keys,
        firsts: Ids,
        escapes: Bytes,
        entries: Keys,
        shares: Floats,
        base: Floats,
    ) -> None: ...

class WordRows:
    def __init__(self, tables: WordTables, other: object) -> None: ...
    def row_source(self) -> object: ...

class WeightedRows:
    def __init__(self, sources: list[object], contexts: NDArray[np.intp], weights: Floats, letters: Bytes) -> None: ...
    def row_source(self) -> object: ...

def hash_all(symbols: SymbolKinds, ids: Ids, first: int, keys: Keys) -> None: ...
def spread_rows(tables: WordTables, x: Ids, before: Ids, others: Floats, rows: Floats) -> None: ...
