import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int32]
Floats = NDArray[np.float64]
Places = NDArray[np.intp]

class ContextReader:
    def row_source(self) -> object: ...

def log_probabilities(reader: ContextReader, x: Ids, contexts: Ids, out: Floats) -> None: ...
def log_likelihoods(
    reader: ContextReader, ids: Ids, starts: Places, lengths: Places, context: Ids, least: bool, out: Floats
) -> None: ...
def read(
    reader: ContextReader,
    ids: Ids,
    starts: Places,
    lengths: Places,
    contexts: Ids,
    rows: Places,
    after: Ids,
    sums: Floats,
    first: int,
    last: int,
) -> None: ...
def rows_after(reader: ContextReader, contexts: Ids, out: Floats) -> None: ...
def rows_before(reader: ContextReader, x: Ids, contexts: Ids, out: Floats) -> None: ...
