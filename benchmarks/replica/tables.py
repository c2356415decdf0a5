"""Tables whose rows the last symbols choose: of the first layer's input, or of the logits. See `tricks`."""

from __future__ import annotations

from typing import Any

import numpy as np
from jax import numpy as jnp

from .lstm import Lstm, Weights


def hashed(x: Any, order: int, n_symbols: int, rows: int) -> Any:
    """The row of a table for the last `order` symbols: exact if the table has rows enough, else Knuth's hash."""
    number = x[0].astype(jnp.uint32)
    for k in range(1, order):
        number = number * n_symbols + x[k].astype(jnp.uint32)
    if n_symbols**order <= rows:
        return number
    return (number * jnp.uint32(2654435761) >> jnp.uint32(8)) % rows


class Bigrams(Lstm):
    """The last two symbols choose a row of a second table that is added to the input of all gates."""

    rows, table_rate = 65**2, 0.1

    @property
    def rate_factors(self) -> dict[str, float]:
        return {"Wxx": self.table_rate}

    def shapes(self) -> dict[str, tuple[int, ...]]:
        return super().shapes() | {"Wxx": (self.rows, self.G * self.H)}

    def first_weights(self, seed: int) -> Weights:
        w = super().first_weights(seed)
        return w | {"Wxx": np.zeros_like(w["Wxx"])}

    def inputs(self, w: Weights, x: Any) -> Any:
        return super().inputs(w, x) + w["Wxx"][hashed(x, 2, self.V, self.rows)]


class HashedBigrams(Bigrams):
    """The same with 1024 rows, which bigrams share."""

    rows = 1024


class SparseHashedBigrams(HashedBigrams):
    """A row of the table, and its moments, change only in steps that read it ("lazy" Adam)."""

    sparse = frozenset(("Wxx",))


class LowRankBigrams(Bigrams):
    """The second table as a product: a row of `width` for the hashed last two symbols, then a matrix to all gates."""

    rows, width = 1024, 64

    def shapes(self) -> dict[str, tuple[int, ...]]:
        return super().shapes() | {"Wxx": (self.rows, self.width), "Wx": (self.width, self.G * self.H)}

    def input_rows(self, w: Weights, x: Any) -> Any:
        return w["Wxx"][hashed(x, 2, self.V, self.rows)]

    def inputs(self, w: Weights, x: Any) -> Any:
        return Lstm.inputs(self, w, x) + self.input_rows(w, x) @ w["Wx"]

    def multiply_adds(self) -> float:
        return super().multiply_adds() + self.width * self.G * self.H


class LowRankBigrams16(LowRankBigrams):
    """With rows of 16."""

    width = 16


class SmallBigrams(LowRankBigrams):
    """The same matrix for the rows of both tables: the input is the symbol's vector and the bigram's, added up."""

    def shapes(self) -> dict[str, tuple[int, ...]]:
        shapes = super().shapes() | {"E": (self.V, self.width)}
        del shapes["Wx0"]
        return shapes

    def input_rows(self, w: Weights, x: Any) -> Any:
        return w["E"][x[0]] + super().input_rows(w, x)

    def inputs(self, w: Weights, x: Any) -> Any:
        return self.input_rows(w, x) @ w["Wx"] + w["b0"]


class SmallBigrams4096(SmallBigrams):
    """With 4096 rows."""

    rows = 4096


class Embedded(SmallBigrams):
    """The symbol's vector alone."""

    def shapes(self) -> dict[str, tuple[int, ...]]:
        shapes = super().shapes()
        del shapes["Wxx"]
        return shapes

    def first_weights(self, seed: int) -> Weights:
        return Lstm.first_weights(self, seed)

    def input_rows(self, w: Weights, x: Any) -> Any:
        return w["E"][x[0]]


class Direct(Lstm):
    """Direct connections to the logits from the last one, two and three symbols (Mikolov et al. 2011, RNNME)."""

    orders, rows, table_rate = (1, 2, 3), 8192, 0.1

    @property
    def rate_factors(self) -> dict[str, float]:
        return {f"D{k}": self.table_rate for k in self.orders}

    def shapes(self) -> dict[str, tuple[int, ...]]:
        return super().shapes() | {f"D{k}": (min(self.rows, self.V**k), self.V) for k in self.orders}

    def first_weights(self, seed: int) -> Weights:
        w = super().first_weights(seed)
        return w | {f"D{k}": np.zeros_like(w[f"D{k}"]) for k in self.orders}

    def logits(self, w: Weights, hs: Any, x: Any) -> Any:
        tables = [w[f"D{k}"] for k in self.orders]
        rows = [table[hashed(x, k, self.V, len(table))] for k, table in zip(self.orders, tables, strict=True)]
        return super().logits(w, hs, x) + sum(rows)


class SparseDirect(Direct):
    """A row of a table, and its moments, change only in steps that read it."""

    sparse = frozenset(f"D{k}" for k in Direct.orders)
