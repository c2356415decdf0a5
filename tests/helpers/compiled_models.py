"""Exported C compiled as a user would, but with every warning an error."""

import ctypes
import os
import shutil
import subprocess

import numpy as np
import pytest

FLAGS = ["-std=c99", "-O1", "-Wall", "-Wextra", "-Werror", "-pedantic"]
CHECKED = ["-O0", "-fsanitize=address,undefined"]  # compiled in half the time of -O1


def available(*names):
    """Return parameters of a test for these compilers; missing compilers are skipped."""
    absent = [name for name in names if os.name == "nt" or not shutil.which(name)]  # Windows has its own line ends
    return [pytest.param(name, marks=pytest.mark.skipif(name in absent, reason=f"no {name}")) for name in names]


def compiled(model, folder, compiler, *flags, **options):
    """Return the path of what a compiler makes of a model."""
    source, program = folder / "model.c", folder / "model"
    model.export_c(source, **options)
    subprocess.run([compiler, *FLAGS, *flags, str(source), "-o", str(program)], check=True)
    return program


def output(program, *arguments, given=b""):
    """Return what a program writes."""
    return subprocess.run([program, *arguments], input=given, capture_output=True, check=True).stdout


class Library:
    """An exported model in this process."""

    def __init__(self, model, folder, compiler, **options):
        path = compiled(model, folder, compiler, "-DCRNN_NO_MAIN", "-shared", "-fPIC", **options)
        self.functions = ctypes.CDLL(str(path))
        self.functions.crnn_uniform.restype = self.functions.crnn_score.restype = ctypes.c_double
        self.functions.crnn_read.restype = self.functions.crnn_symbol.restype = ctypes.c_size_t
        weights = model.params_["Why"]
        size = 2 * model.num_layers * weights.shape[1] + 1  # h, perhaps c, and the symbol that was read last
        self.symbols, self.state = len(weights), (ctypes.c_float * size)()

    def log_probabilities(self, ids):
        """Return those after each of the ids, and before the first, (n + 1, V)."""
        out = np.empty((len(ids) + 1, self.symbols))
        self.functions.crnn_start(self.state)
        for i in range(len(out)):
            row = out[i].ctypes.data_as(ctypes.POINTER(ctypes.c_double))
            self.functions.crnn_log_probabilities(self.state, row)
            if i < len(ids):
                self.functions.crnn_feed(self.state, int(ids[i]))
        return out

    def uniforms(self, seed, sample, n):
        stream = (ctypes.c_uint64 * 4)()
        self.functions.crnn_seed(stream, ctypes.c_uint64(seed), ctypes.c_uint64(sample))
        return [self.functions.crnn_uniform(stream) for _ in range(n)]

    def score(self, text):
        return self.functions.crnn_score(text, ctypes.c_size_t(len(text)))

    def read(self, text):
        """Return how many bytes the first symbol takes, and its id."""
        symbol = ctypes.c_int(-7)
        size = self.functions.crnn_read(text, ctypes.c_size_t(len(text)), ctypes.byref(symbol))
        return size, symbol.value

    def symbol(self, i):
        out = ctypes.create_string_buffer(4)
        size = self.functions.crnn_symbol(i, out)
        return out.raw[:size]
