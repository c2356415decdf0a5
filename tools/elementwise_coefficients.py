"""Derive every constant of the element-wise kernels, and check that the kernels use them.

Each polynomial is the minimax one (Remez exchange, in 50-digit decimal arithmetic) for the relative error of
the function it serves. Its coefficients are rounded to the working precision one at a time, lowest power first,
and those that remain are fitted again around what rounding did, so that rounding costs next to nothing.

    python tools/elementwise_coefficients.py            print the derived part of elementwise.pxd
    python tools/elementwise_coefficients.py --check    exit with status 1 if elementwise.pxd differs from it
"""

from __future__ import annotations

import argparse
import struct
import sys
from collections.abc import Callable, Sequence
from decimal import Decimal, localcontext
from pathlib import Path
from typing import NamedTuple

KERNEL = Path(__file__).resolve().parents[1] / "src" / "crnn" / "_kernels" / "cells" / "elementwise.pxd"
DIGITS = 50
GRID_SIZE = 600
EXCHANGES = 12


class Precision(NamedTuple):
    """A floating type: `struct` code, significand bits, and the degrees of the two polynomials."""

    code: str
    bits: int
    exp_degree: int
    tanh_degree: int


SINGLE = Precision("f", 24, exp_degree=4, tanh_degree=4)
DOUBLE = Precision("d", 53, exp_degree=9, tanh_degree=10)


class Fit(NamedTuple):
    """Rounded coefficients, lowest power first, and the relative error they leave in units of 2**-bits."""

    coefficients: list[float]
    error: float


class Sample(NamedTuple):
    """A grid point: the variable, the value wanted there, and how much an error there weighs."""

    t: Decimal
    value: Decimal
    weight: Decimal


def working_value(x: Decimal, precision: Precision) -> float:
    """Round `x` to the nearest number of the working precision."""
    packed = struct.pack(precision.code, float(x))
    (value,) = struct.unpack(precision.code, packed)
    return float(value)


def literal(x: float, precision: Precision) -> str:
    """Write `x` with as many digits as identify it."""
    return f"{x:.9g}" if precision is SINGLE else repr(x)


def tanh(x: Decimal) -> Decimal:
    """Hyperbolic tangent."""
    e = (2 * x).exp()
    return (e - 1) / (e + 1)


def solve(matrix: list[list[Decimal]], right: list[Decimal]) -> list[Decimal]:
    """Solve a small linear system by Gaussian elimination with row exchanges."""
    size = len(right)
    rows = [[*row, b] for row, b in zip(matrix, right, strict=True)]
    for k in range(size):
        pivot = max(range(k, size), key=lambda i: abs(rows[i][k]))
        rows[k], rows[pivot] = rows[pivot], rows[k]
        for i in range(k + 1, size):
            factor = rows[i][k] / rows[k][k]
            rows[i] = [a - factor * b for a, b in zip(rows[i], rows[k], strict=True)]
    solution = [Decimal(0)] * size
    for k in reversed(range(size)):
        known = sum((rows[k][j] * solution[j] for j in range(k + 1, size)), Decimal(0))
        solution[k] = (rows[k][size] - known) / rows[k][k]
    return solution


def horner(coefficients: Sequence[Decimal], t: Decimal) -> Decimal:
    """Evaluate a polynomial given lowest power first."""
    value = Decimal(0)
    for c in reversed(coefficients):
        value = value * t + c
    return value


def extrema(errors: Sequence[Decimal]) -> list[int]:
    """Return the index of the largest error in each run of errors of one sign."""
    found: list[int] = []
    for i, e in enumerate(errors):
        if found and (e > 0) == (errors[found[-1]] > 0):
            if abs(e) > abs(errors[found[-1]]):
                found[-1] = i
        else:
            found.append(i)
    return found


def strongest(alternating: list[int], errors: Sequence[Decimal], count: int) -> list[int]:
    """Drop the weakest of too many extrema so that the signs of those left still alternate."""
    kept = list(alternating)
    while len(kept) > count:
        weakest = min(range(len(kept)), key=lambda j: abs(errors[kept[j]]))
        if len(kept) == count + 1:
            weakest = 0 if abs(errors[kept[0]]) < abs(errors[kept[-1]]) else len(kept) - 1
        if weakest in (0, len(kept) - 1):
            del kept[weakest]
        else:
            # An inner one goes with its weaker neighbor.
            before = abs(errors[kept[weakest - 1]]) < abs(errors[kept[weakest + 1]])
            del kept[weakest - before : weakest - before + 2]
    return kept


def remez(samples: Sequence[Sample], degree: int) -> list[Decimal]:
    """Fit the polynomial of least greatest weighted error over the samples."""
    count = degree + 2
    reference = [round(i * (len(samples) - 1) / (count - 1)) for i in range(count)]
    polynomial: list[Decimal] = []
    for _ in range(EXCHANGES):
        rows = [
            [samples[i].t ** k for k in range(degree + 1)] + [(-1) ** j / samples[i].weight]
            for j, i in enumerate(reference)
        ]
        polynomial = solve(rows, [samples[i].value for i in reference])[:-1]
        errors = [s.weight * (horner(polynomial, s.t) - s.value) for s in samples]
        found = strongest(extrema(errors), errors, count)
        if len(found) < count or found == reference:
            break
        reference = found
    return polynomial


def fit(samples: Sequence[Sample], degree: int, precision: Precision) -> Fit:
    """Fit a polynomial whose coefficients are all numbers of the working precision."""
    rounded: list[float] = []
    remaining = list(samples)
    for k in range(degree, -1, -1):
        c = working_value(remez(remaining, k)[0], precision)
        rounded.append(c)
        remaining = [Sample(s.t, (s.value - Decimal(c)) / s.t, abs(s.weight * s.t)) for s in remaining]
    exact = [Decimal(c) for c in rounded]
    worst = max(abs(s.weight * (horner(exact, s.t) - s.value)) for s in samples)
    return Fit(rounded, float(worst * 2**precision.bits))


def graded_grid(low: Decimal, high: Decimal) -> list[Decimal]:
    """Return points denser towards both ends, none of them an end or the middle."""
    middle, half = (low + high) / 2, (high - low) / 2
    # Zero, an end or the middle of each interval used, is where the wanted values are 0/0.
    steps = [Decimal(2 * i + 1) / GRID_SIZE - 1 for i in range(GRID_SIZE)]
    return [middle + half * (3 * s - s**3) / 2 for s in steps]


def exp_fit(precision: Precision) -> Fit:
    """Fit q of exp(r) = 1 + r + r**2 q(r) for |r| <= ln(2) / 2."""
    # A hair wider than ln(2) / 2: the reduction picks the nearest integer with a rounded product.
    edge = Decimal(2).ln() / 2 * (1 + Decimal(2) ** -12)
    samples = [Sample(r, (r.exp() - 1 - r) / r**2, r**2 / r.exp()) for r in graded_grid(-edge, edge)]
    return fit(samples, precision.exp_degree, precision)


def tanh_fit(precision: Precision) -> Fit:
    """Fit p of tanh(a) = a + a z p(z), z = a**2, for 0 <= a <= atanh(1/2)."""
    edge = Decimal(3).ln() ** 2 / 4 * (1 + Decimal(2) ** -12)
    samples = []
    for z in graded_grid(Decimal(0), edge):
        a = z.sqrt()
        ratio = tanh(a) / a
        samples.append(Sample(z, (ratio - 1) / z, z / ratio))
    return fit(samples, precision.tanh_degree, precision)


def logarithm_parts(precision: Precision) -> tuple[float, float]:
    """Split ln(2) so that the first part times any exponent the type can hold is exact."""
    exponent_bits = 8 if precision is SINGLE else 11
    scale = 2 ** (precision.bits - exponent_bits)
    high = Decimal(int(Decimal(2).ln() * scale)) / scale
    return float(high), working_value(Decimal(2).ln() - high, precision)


def constant_function(name: str, summary: str, single: str, double: str) -> list[str]:
    """Render a function without arguments."""
    return [
        f"cdef inline real {name}() noexcept nogil:",
        f"    # {summary}",
        "    if SINGLE:",
        f"        return <real>{single}",
        "    else:",
        f"        return <real>{double}",
    ]


def horner_branch(result: Fit, variable: str, precision: Precision) -> list[str]:
    """Render the Horner steps of one precision."""
    terms = [f"<real>{literal(c, precision)}" for c in reversed(result.coefficients)]
    return [
        f"        # largest relative error {result.error:.3f} * 2**-{precision.bits}",
        f"        value = {terms[0]}",
        *(f"        value = FUSED(value, {variable}, {term})" for term in terms[1:]),
    ]


def polynomial_function(name: str, variable: str, summary: str, make: Callable[[Precision], Fit]) -> list[str]:
    """Render a polynomial in both precisions."""
    return [
        f"cdef inline real {name}(real {variable}) noexcept nogil:",
        f"    # {summary}",
        "    cdef real value",
        "    if SINGLE:",
        *horner_branch(make(SINGLE), variable, SINGLE),
        "    else:",
        *horner_branch(make(DOUBLE), variable, DOUBLE),
        "    return value",
    ]


def render() -> str:
    """Return the derived part of elementwise.pxd."""
    with localcontext() as context:
        context.prec = DIGITS
        pair = [logarithm_parts(SINGLE), logarithm_parts(DOUBLE)]
        inverse = 1 / Decimal(2).ln()
        values = {
            "_log2e": ("log2(e)", [working_value(inverse, p) for p in (SINGLE, DOUBLE)]),
            "_ln2_high": ("ln(2), so short that its product with an exponent is exact", [h for h, _ in pair]),
            "_ln2_low": ("the remainder of ln(2) after _ln2_high", [low for _, low in pair]),
            "_tanh_edge": ("atanh(1/2)", [working_value(Decimal(3).ln() / 2, p) for p in (SINGLE, DOUBLE)]),
        }
        parts = [
            constant_function(name, summary, literal(single, SINGLE), literal(double, DOUBLE))
            for name, (summary, (single, double)) in values.items()
        ]
        parts.append(polynomial_function("_exp_tail", "r", "(exp(r) - 1 - r) / r**2 for |r| <= ln(2) / 2", exp_fit))
        parts.append(
            polynomial_function(
                "_tanh_tail", "z", "(tanh(a) / a - 1) / z where z = a**2, for 0 <= a <= atanh(1/2)", tanh_fit
            )
        )
    return "\n\n\n".join("\n".join(lines) for lines in parts) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the derived part, or check that the kernels contain it."""
    parser = argparse.ArgumentParser(description="Derive the constants of elementwise.pxd.")
    parser.add_argument("--check", action="store_true", help="fail if elementwise.pxd differs")
    options = parser.parse_args(arguments)
    derived = render()
    if not options.check:
        print(derived, end="")
        return 0
    if derived in KERNEL.read_text(encoding="utf-8"):
        return 0
    print(f"{KERNEL.name} differs from the derived constants", file=sys.stderr)
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
