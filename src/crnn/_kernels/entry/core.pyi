from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .structures import DrawnTexts, PackedWeights, Packing

Array = NDArray[Any]
Shape = tuple[int, ...]
State = tuple[Array, ...]
Ids = NDArray[np.int32]
Floats = NDArray[np.float64]
Places = NDArray[np.intp]

MANY_ROWS: int
SMOOTHING: float

def processor() -> tuple[int, bool]: ...
def use(float32: ModuleType, float64: ModuleType, bfloat16: ModuleType | None, int8: ModuleType | None) -> None: ...

class Network:
    @property
    def panels_size(self) -> int: ...
    @property
    def scales_size(self) -> int: ...
    @property
    def in_place(self) -> bool: ...
    @property
    def itemsize(self) -> int: ...
    def __init__(
        self,
        layout: Any,
        packing: Packing,
        *,
        units: int | None = None,
        symbols: int | None = None,
        boundary: int | None = None,
        labels: int = 0,
        sampled: int = 0,
    ) -> None: ...

class Optimizer:
    def __init__(
        self, kind: Any, clip: float, clip_norm: float, weight_decay: float, beta_1: float = 0.9, beta_2: float = 0.999
    ) -> None: ...

class Controls:
    def __init__(
        self,
        numbers: dict[str, float],
        *,
        order: Array | None = None,
        bias: Array | None = None,
        seen: Array | None = None,
    ) -> None: ...

class SharedStep:
    def __init__(self, network: Network, n_threads: int) -> None: ...
    def serve(self, rank: int) -> None: ...
    def wait_for_all(self) -> None: ...
    def __enter__(self) -> SharedStep: ...
    def __exit__(self, *exception: object) -> None: ...

class Session:
    @property
    def network(self) -> Network: ...
    @property
    def T(self) -> int: ...
    @property
    def B(self) -> int: ...
    def __init__(self, weights: PackedWeights, T: int, B: int) -> None: ...
    def resize(self, T: int, B: int) -> None: ...
    def feed(self, x: Ids, state: State, shared: SharedStep | None = None) -> None: ...
    def log_probabilities(self, x: Ids, state: State, out: Floats, shared: SharedStep | None = None) -> None: ...
    def read(self, x: Ids, state: State, rows: Places, after: State, sums: Floats, first: int, last: int) -> None: ...
    def logits_before(self, x: Ids, state: State, y: Array, shared: SharedStep | None = None) -> None: ...
    def log_likelihoods(
        self,
        ids: Ids,
        starts: Places,
        lengths: Places,
        first: int,
        last: int,
        least: bool,
        start: State | None,
        out: Floats,
        shared: SharedStep | None = None,
    ) -> None: ...
    def hidden(self) -> State: ...

class Barrier:
    def __init__(self, n_threads: int, crowded: bool = False) -> None: ...
    def break_(self) -> None: ...

def break_barriers(team: Any) -> None: ...

class Cursor:
    position: int
    n_steps: int
    smooth_loss: float
    last_loss: float
    optimizer_start: int
    gradient_norm: float
    diverged: bool
    def __init__(
        self,
        position: int,
        n_steps: int,
        smooth_loss: float,
        last_loss: float,
        optimizer_start: int = 0,
        gradient_norm: float = ...,
    ) -> None: ...

class MixedRows:
    before: Ids
    def __init__(self, weights: Floats, letters: NDArray[np.uint8], source: object, before: Ids) -> None: ...

class Batch:
    @property
    def begun(self) -> int: ...
    @property
    def active(self) -> int: ...
    def __init__(self, texts: Array) -> None: ...

def packed_size(K: int, N: int, itemsize: int, bfloat16: bool = False, int8: bool = False) -> int: ...
def operand_size(rows: int, K: int, bfloat16: bool, int8: bool = False) -> int: ...
def pack_panels(
    W: Array, transposed: bool, one_row: bool, panels: Array, bfloat16: bool = False, scales: Array | None = None
) -> None: ...
def multiply(
    a: Array, panels: Array, one_row: bool, c: Array, room: Array | None = None, int8: bool = False
) -> None: ...
def pack_weights(network: Network, params: Array, panels: Array, scales: Array | None = None) -> None: ...
def thread_workspace(network: Network, T: int, B: int) -> dict[str, tuple[Shape, str]]: ...
def reduced_size(network: Network) -> int: ...
def squares_size(network: Network) -> int: ...
def workspace(network: Network, T: int, B: int, dropout: bool) -> dict[str, tuple[Shape, str]]: ...
def sums_size(V: int) -> int: ...
def space_streams(states: Array, multiplier: Array, plus: Array) -> None: ...
def uniforms(states: Array, increment: Array, out: Array) -> None: ...
def train(
    network: Network,
    params: Array,
    panels: Array,
    optimizer: Optimizer,
    optimizer_state: list[Array],
    team: Any,
    rank: int,
    ids: Array,
    zero_state: bool,
    cursor: Cursor,
    rates: Array,
    settings: Any,
) -> None: ...
def loss_and_gradients(network: Network, params: Array, panels: Array, team: Any, ids: Array) -> float: ...
def sample_texts(
    session: Session,
    drawn: DrawnTexts,
    controls: Controls,
    max_steps: int,
    mixture: MixedRows | None = None,
    shared: SharedStep | None = None,
) -> None: ...
def draw_from_rows(
    rows: MixedRows, drawn: DrawnTexts, controls: Controls, max_symbols: int, y: Floats, sums: Floats
) -> None: ...
def filter_logits(y: Array, controls: Controls) -> None: ...
def logits(weights: PackedWeights, top: Array, y: Array, scratch: Array) -> None: ...
def logits_scratch(network: Network, rows: int) -> int: ...
def mixture_log_probabilities(
    logits: State, weights: Floats, classes: Ids, x: Ids, row: Floats, out: Floats
) -> None: ...
def moving_mixture_log_probabilities(
    logits: State,
    weights: Floats,
    classes: Ids,
    x: Ids,
    rate: float,
    limit: float,
    row: Floats,
    used: Floats,
    out: Floats,
) -> None: ...
