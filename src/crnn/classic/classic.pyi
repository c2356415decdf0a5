import numpy as np
from numpy.typing import NDArray

from ..arrays import Array

def train_steps(
    w: Array,
    memory: Array,
    state: Array,
    ids: NDArray[np.int32],
    position: int,
    T: int,
    V: int,
    learning_rate: float,
    limit: float,
    losses: NDArray[np.float64],
) -> int: ...
def read_symbols(w: Array, state: Array, ids: NDArray[np.int32], V: int) -> float: ...
