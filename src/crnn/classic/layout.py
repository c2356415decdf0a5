"""The vector of all parameters, and what the loops of `classic.pyx` count on."""

import numpy as np
from numpy.typing import NDArray

from ..arrays import Array
from ..errors import InvalidInputError


def cut(vector: Array, V: int, H: int) -> tuple[Array, Array, Array, Array, Array]:
    """Return views of a vector of all parameters: Wx (V, H), Wh (H, H), bh (H,), Wy (H, V) and by (V,)."""
    Wx, Wh, bh, Wy, by = np.split(np.asarray(vector), np.cumsum([V * H, H * H, H, H * V]))
    return Wx.reshape(V, H), Wh.reshape(H, H), bh, Wy.reshape(H, V), by


def require_fitting(
    w: Array,
    ids: NDArray[np.int32],
    part: int,
    T: int,
    V: int,
    H: int,
    memory: Array | None = None,
    position: int = 0,
) -> None:
    """Raise an error unless arrays have the sizes and values that the loops count on.

    Each stream has `part` inputs, of which a chunk has T. `memory` is Adagrad's.
    """
    wanted = V * H + H * H + H + H * V + V
    if w.shape[0] != wanted:
        raise InvalidInputError(f"w has {w.shape[0]} numbers, but {V} symbols and {H} units need {wanted}")
    if T < 1 or part < T:
        raise InvalidInputError(f"a stream of {part} inputs has no chunk of {T}")
    if np.min(ids) < 0 or np.max(ids) >= V:
        raise InvalidInputError(f"ids must be at least 0 and below {V}")
    if memory is not None and memory.shape[0] != wanted:
        raise InvalidInputError(f"memory must have {wanted} numbers, not {memory.shape[0]}")
    if position < 0:
        raise InvalidInputError(f"position must not be negative, not {position}")
