from typing import Any

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int32]
Places = NDArray[np.intp]
Costs = NDArray[np.float64]

class TextTrie:
    @property
    def nodes(self) -> int: ...
    @property
    def longest(self) -> int: ...
    @property
    def vocab_size(self) -> int: ...
    @property
    def best_log_p(self) -> float: ...
    def __init__(self, ids: Ids, lengths: Places, log_p: Costs, numbers: Places, vocab_size: int) -> None: ...

class ListSearch:
    @property
    def trie(self) -> TextTrie: ...
    @property
    def highest(self) -> float: ...
    def __init__(
        self,
        trie: TextTrie,
        reads: Costs,
        plain: Costs,
        skips: Costs,
        inserts: Costs,
        swap: float,
        replacements: tuple[Any, ...],
        count: int,
    ) -> None: ...
    def start(self, floor: float) -> None: ...
    def advance(self, cells: int) -> bool: ...
    def found(self) -> tuple[Places, Costs]: ...
