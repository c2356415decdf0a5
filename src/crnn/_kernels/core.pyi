from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

Array = NDArray[Any]

class Barrier:
    def __init__(self, parties: int) -> None: ...
    def break_(self) -> None: ...

class Cursor:
    position: int
    n_steps: int
    smooth_loss: float
    last_loss: float
    diverged: bool
    def __init__(self, position: int, n_steps: int, smooth_loss: float, last_loss: float) -> None: ...

def packed_size(K: int, N: int, itemsize: int) -> int: ...
def pack_panels(W: Array, transposed: bool, one_row: bool, panels: Array) -> None: ...
def multiply(a: Array, panels: Array, one_row: bool, c: Array, times: int = 1) -> None: ...
def workspace(T: int, B: int, H: int, V: int, itemsize: int) -> tuple[int, int]: ...
def transposed_product(a: Array, b: Array, scratch: Array, c: Array) -> None: ...
def exp(x: Array) -> None: ...
def tanh(x: Array) -> None: ...
def sigmoid(x: Array) -> None: ...
def rsqrt(x: Array) -> None: ...
def train(
    params: Array,
    sum_: Array,
    layout: Any,
    Wh_panels: Array,
    WhT_panels: Array,
    ids: Array,
    id_width: int,
    stride: int,
    shards: Sequence[Any],
    rank: int,
    barrier: Barrier,
    losses: Array,
    cursor: Cursor,
    loss_scale: float,
    n_steps: int,
    learning_rate: float,
    clip: float,
) -> None: ...
def feed(Wx: Array, bh: Array, Wh_panels: Array, one_row: bool, x: Array, h: Array, scratch: Array) -> None: ...
def sample(
    Wx: Array,
    bh: Array,
    Wh_panels: Array,
    one_row: bool,
    Wy_panels: Array,
    Wy_one_row: bool,
    by: Array,
    uniforms: Array,
    temperature: float,
    h: Array,
    scratch: Array,
    y: Array,
    out: Array,
) -> None: ...
def log_probabilities(
    Wx: Array,
    bh: Array,
    Wh_panels: Array,
    one_row: bool,
    Wy_panels: Array,
    Wy_one_row: bool,
    by: Array,
    x: Array,
    h: Array,
    y: Array,
    out: Array,
) -> None: ...
