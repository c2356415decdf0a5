from types import ModuleType
from typing import Any

from numpy.typing import NDArray

Array = NDArray[Any]
Shape = tuple[int, ...]

MANY_ROWS: int

def use(float32: ModuleType, float64: ModuleType) -> None: ...

class Network:
    @property
    def panels_size(self) -> int: ...
    @property
    def boundary(self) -> int | None: ...
    @property
    def itemsize(self) -> int: ...
    def __init__(
        self,
        layout: Any,
        *,
        one_row: bool,
        many: bool,
        training: bool,
        one_row_products: bool = False,
        units: int | None = None,
        symbols: int | None = None,
        boundary: int | None = None,
        group_size: int = 1,
    ) -> None: ...

class Optimizer:
    def __init__(
        self,
        name: str,
        clip: float,
        clip_norm: float,
        weight_decay: float,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
    ) -> None: ...

class Controls:
    def __init__(self, **numbers: float) -> None: ...  # the fields of the struct in interface.pxd

class Barrier:
    def __init__(self, n_threads: int, crowded: bool = False) -> None: ...
    def break_(self) -> None: ...

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
    def copy(self) -> Cursor: ...

class Batch:
    @property
    def begun(self) -> int: ...
    @property
    def going(self) -> int: ...
    def __init__(self, texts: Array) -> None: ...

def packed_size(K: int, N: int, itemsize: int) -> int: ...
def pack_panels(W: Array, transposed: bool, one_row: bool, panels: Array) -> None: ...
def multiply(a: Array, panels: Array, one_row: bool, c: Array, times: int = 1) -> None: ...
def pack_weights(network: Network, params: Array, panels: Array) -> None: ...
def multiply_by_mask(a: Array, rate: float, seed: int, step: int, layer: int, first_stream: int) -> None: ...
def multiply_by_weight_mask(w: Array, rate: float, seed: int, step: int, layer: int, first: int = 0) -> None: ...
def thread_workspace(network: Network, T: int, B: int) -> dict[str, Shape]: ...
def reduced_size(network: Network) -> int: ...
def workspace(network: Network, T: int, B: int, dropout: bool) -> dict[str, Shape]: ...
def sums_size(V: int) -> int: ...
def inference_workspace(network: Network, T: int, B: int) -> dict[str, Shape]: ...
def space_streams(states: Array, multiplier: Array, plus: Array) -> None: ...
def uniforms(states: Array, increment: Array, out: Array) -> None: ...
def exp(x: Array) -> None: ...
def tanh(x: Array) -> None: ...
def sigmoid(x: Array) -> None: ...
def rsqrt(x: Array) -> None: ...
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
def feed(network: Network, params: Array, panels: Array, x: Array, h: Array, c: Array, gates: Array) -> None: ...
def sample(
    network: Network,
    params: Array,
    panels: Array,
    uniforms: Array,
    temperature: float,
    h: Array,
    c: Array,
    gates: Array,
    y: Array,
    sums: Array,
    out: Array,
    controls: Controls | None = None,
    bias: Array | None = None,
    seen: Array | None = None,
    order: Array | None = None,
) -> None: ...
def sample_texts(
    network: Network,
    params: Array,
    panels: Array,
    start: list[Array],
    start_y: Array,
    temperature: float,
    batch: Batch,
    symbols: Array,
    lengths: Array,
    most: int,
    steps: int,
    streams: Array,
    increment: Array,
    stops: Array,
    stop_ends: Array,
    h: Array,
    c: Array,
    gates: Array,
    y: Array,
    sums: Array,
    x: Array,
    controls: Controls | None = None,
    bias: Array | None = None,
    seen: Array | None = None,
    order: Array | None = None,
) -> None: ...
def filter_logits(
    y: Array, temperature: float, controls: Controls, bias: Array | None, seen: Array | None, order: Array
) -> None: ...
def logits(network: Network, params: Array, panels: Array, top: Array, y: Array) -> None: ...
def log_probabilities(
    network: Network,
    params: Array,
    panels: Array,
    x: Array,
    h: Array,
    c: Array,
    gates: Array,
    y: Array,
    out: Array,
) -> None: ...
def log_likelihoods(
    network: Network,
    params: Array,
    panels: Array,
    ids: Array,
    starts: Array,
    lengths: Array,
    first: int,
    last: int,
    h: Array,
    c: Array,
    gates: Array,
    x: Array,
    y: Array,
    out: Array,
) -> None: ...
