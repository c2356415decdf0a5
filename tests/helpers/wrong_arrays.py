"""Arrays that a compiled call must refuse in place of another one."""

import numpy as np


def wrong_arrays(array, axes=None):
    """Yield arrays of other sizes along these axes (by default all), of another dtype, and of another order."""
    for axis in range(array.ndim) if axes is None else axes:
        yield np.concatenate([array, array[(slice(None),) * axis + (slice(1),)]], axis)
        yield np.ascontiguousarray(np.delete(array, -1, axis))
    if array.size > 1:
        yield array.astype(np.float32 if array.dtype == np.float64 else np.float64)
        yield np.repeat(array, 2, axis=-1)[..., ::2]
