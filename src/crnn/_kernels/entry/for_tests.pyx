"""Single functions of the kernels, for their tests alone: `pip install -e` builds this module, and no wheel has it.

It is compiled for float32 and float64 of each instruction set, with the flags of `kernels`.
"""
from libc.stdint cimport uint64_t
from ..cells.elementwise cimport exp_array, rsqrt_, sigmoid_, tanh_array
from ..common.interface cimport Dropout, real
from ..network.dropout cimport apply_dropout, apply_mask, dropout_key, weights_key
from ..products.panels cimport Range


def multiply_by_mask(real[:, :, ::1] a not None, double rate, uint64_t seed, uint64_t step, Py_ssize_t layer,
                     Py_ssize_t first_stream):
    """a *= mask for the outputs a (T, B, H) of a layer in a training step; see `dropout`."""
    cdef Dropout drop
    drop.rate = rate
    drop.first_stream = first_stream
    drop.step_key = dropout_key(seed, step)
    if a.size:
        apply_dropout(&drop, layer, 0, a.shape[0], a.shape[1], a.shape[2], Range(0, a.shape[2]), &a[0, 0, 0])


def multiply_by_weight_mask(real[::1] w not None, double rate, uint64_t seed, uint64_t step, Py_ssize_t layer,
                            Py_ssize_t first):
    """w *= mask for a layer's recurrent weights, starting with number `first`, in a training step; see `dropout`."""
    if w.size:
        apply_mask(rate, weights_key(dropout_key(seed, step), layer), first, w.shape[0], &w[0])


def exp(real[::1] x not None):
    """x = exp(x)"""
    if x.size:
        exp_array(&x[0], x.shape[0])


def tanh(real[::1] x not None):
    """x = tanh(x)"""
    if x.size:
        tanh_array(&x[0], x.shape[0])


def sigmoid(real[::1] x not None):
    """x = 1 / (1 + exp(-x))"""
    cdef Py_ssize_t i
    for i in range(x.shape[0]):
        x[i] = sigmoid_(x[i])


def rsqrt(real[::1] x not None):
    """x = 1 / sqrt(x)"""
    cdef Py_ssize_t i
    for i in range(x.shape[0]):
        x[i] = rsqrt_(x[i])
