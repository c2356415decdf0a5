import numpy as np
from numpy.typing import NDArray

from .reading import ContextReader

Ids = NDArray[np.int32]
Floats = NDArray[np.float64]

class FrozenContexts(ContextReader):
    def __init__(
        self, context: int, suffixes: Ids, scales: Floats, firsts: Ids, symbols: Ids, nexts: Ids, p: Floats
    ) -> None: ...
