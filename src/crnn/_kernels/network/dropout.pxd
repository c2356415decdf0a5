"""Dropout: factors of 0 or 1 / (1 - rate), computed from their position whenever they are needed, so none is stored.

A factor is a hash (lowbias32) of the seed, the training step, the layer, the time step, the stream and the unit.
Recurrent weights are dropped for a whole training step: their position is the layer and the weight's index.
"""
# The same in NumPy: `reference/dropout.py`.
from libc.stdint cimport uint32_t, uint64_t
from ..common.interface cimport Dropout, real
from ..products.panels cimport Range

cdef enum:
    UNIT_STEP = 0x9E3779B9


cdef inline uint32_t mix(uint32_t x) noexcept nogil:
    """Return a hash of a 32-bit number."""
    x ^= x >> 16
    x *= <uint32_t>0x7FEB352D
    x ^= x >> 15
    x *= <uint32_t>0x846CA68B
    x ^= x >> 16
    return x


cdef inline uint32_t dropout_key(uint64_t seed, uint64_t step) noexcept nogil:
    """Return the key for a training step's masks."""
    return mix(mix(mix(<uint32_t>seed) ^ <uint32_t>(seed >> 32)) ^ <uint32_t>step)


cdef inline uint32_t weights_key(uint32_t step_key, Py_ssize_t layer) noexcept nogil:
    """Return the key of the mask of a layer's recurrent weights."""
    return mix(~step_key ^ <uint32_t>layer * <uint32_t>UNIT_STEP)


cdef inline void apply_mask(double rate, uint32_t key, Py_ssize_t first, Py_ssize_t n, real* a) noexcept nogil:
    """a *= mask                                       (n,): units of a stream, or weights, starting at `first`"""
    cdef uint32_t bound = <uint32_t>(rate * 16777216.0 + 0.5)
    cdef uint32_t place = key + <uint32_t>first * <uint32_t>UNIT_STEP
    cdef real factor = <real>(1 / (1 - rate))
    cdef Py_ssize_t i
    for i in range(n):
        a[i] *= factor if (mix(place + <uint32_t>i * <uint32_t>UNIT_STEP) >> 8) >= bound else <real>0


cdef inline void apply_dropout(const Dropout* drop, Py_ssize_t layer, Py_ssize_t first, Py_ssize_t last, Py_ssize_t B,
                               Py_ssize_t H, Range units, real* a) noexcept nogil:
    """a *= mask                                       (last - first, B, H): a layer's outputs in these time steps

    Only for these units.
    """
    cdef uint32_t row, key
    cdef Py_ssize_t t, b
    for t in range(first, last):
        row = mix(drop.step_key ^ (<uint32_t>layer * <uint32_t>UNIT_STEP + <uint32_t>t))
        for b in range(B):
            key = mix(row ^ <uint32_t>(drop.first_stream + b))
            apply_mask(drop.rate, key, units.first, units.count, a + units.first)
            a += H
