"""exp, tanh, sigmoid and 1/sqrt against a wider type: error, order, range, special values.

`test_every_single_precision_number` (marked slow) proves for float32 what the others sample.
"""

import numpy as np
import pytest
from examples import single_kernels
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

DTYPES = [np.float32, np.float64]
RISING = ["exp", "tanh", "sigmoid"]
# Where the code changes its formula, its range reduction or its mind, and where results leave the normal numbers.
EDGES = [0.0, np.arctanh(0.5), 9.01, 17.3, 18.7, 19.06, 20.0, 37.4, 40.0, 87.33, 88.72, 89.0, 103.97, 104.0]
EDGES += [708.4, 709.78, 710.0, 745.13, 746.0]


def apply(name, x):
    """Return the function of each number, leaving `x` as it is."""
    y = np.array(x, order="C")
    getattr(single_kernels(y.dtype), name)(y)
    return y


def exact(name, x):
    """Return the function in a wider type."""
    x = x.astype(np.float64 if x.dtype == np.float32 else np.longdouble)
    with np.errstate(all="ignore"):
        match name:
            case "sigmoid":
                e = np.exp(-np.abs(x))
                return np.where(x < 0, e, 1.0) / (1.0 + e)
            case "rsqrt":
                return 1.0 / np.sqrt(x)
            case _:
                return getattr(np, name)(x)


def errors(name, x, y):
    """Return the distance of `y` from the exact value in units in the last place of the latter."""
    info = np.finfo(y.dtype)
    wanted = exact(name, x)
    beyond = np.ldexp(wanted.dtype.type(1), info.maxexp)  # the number infinity stands for
    wanted = np.minimum(wanted, beyond)
    _, exponent = np.frexp(wanted)
    unit = np.ldexp(wanted.dtype.type(1), exponent - info.nmant - 1)
    unit = np.where(wanted == 0, info.smallest_subnormal, np.maximum(unit, info.smallest_subnormal))
    return np.abs(np.where(np.isinf(y), beyond, y) - wanted) / unit


def bound(dtype):
    """Return the promised bound, plus the reference's own error where no wider type exists."""
    return 2.0 if dtype == np.float32 or np.finfo(np.longdouble).nmant > 60 else 3.5


def ranks_of(x):
    """Number the floats in order, 0 being rank 0: neighbors differ by 1."""
    bits = x.view(np.int32 if x.dtype == np.float32 else np.int64).astype(np.int64)
    return np.where(bits < 0, np.iinfo(np.int32 if x.dtype == np.float32 else np.int64).min - bits, bits)


def of_ranks(ranks, dtype):
    """Return the floats of these ranks."""
    magnitude = np.abs(ranks).astype(np.uint32 if dtype == np.float32 else np.uint64).view(dtype)
    return np.copysign(magnitude, np.where(ranks < 0, -1.0, 1.0).astype(dtype))


def neighborhoods(dtype):
    """Return consecutive floats around every edge and every change of the exponent n, sorted."""
    half_way = np.log(2.0) * (np.arange(-1080, 1030) + 0.5)
    edges = np.array(EDGES)
    wide = ranks_of(np.concatenate([edges, -edges]).astype(dtype))[:, None] + np.arange(-1009, 1010)
    narrow = ranks_of(np.concatenate([half_way, half_way / 2]).astype(dtype))[:, None] + np.arange(-31, 32)
    return of_ranks(np.union1d(wide, narrow), dtype)


def spread(dtype):
    """Return numbers from everywhere on the line, infinities among them, sorted."""
    infinity = int(ranks_of(np.array([np.inf], dtype))[0])
    if dtype == np.float32:
        return of_ranks(np.append(np.arange(-infinity, infinity, 1009), infinity), dtype)
    rng = np.random.default_rng(7)
    anywhere = of_ranks(rng.integers(-infinity, infinity, 100_003), dtype)
    useful = [rng.uniform(-746, 710, 100_003), rng.uniform(-20, 20, 100_003), rng.uniform(-2, 2, 100_003)]
    return np.unique(np.concatenate([anywhere, *useful, [-np.inf, np.inf]]))


@pytest.fixture(scope="module", params=DTYPES, ids=["float32", "float64"])
def points(request):
    """Sorted distinct floats, millions of them in float32."""
    return np.union1d(spread(request.param), neighborhoods(request.param))


@pytest.mark.parametrize("name", RISING)
def test_error_is_at_most_two_units_in_the_last_place(name, points):
    distance = errors(name, points, apply(name, points))
    worst = distance.argmax()
    assert distance[worst] <= bound(points.dtype), points[worst]


@pytest.mark.parametrize("name", RISING)
def test_larger_arguments_never_give_smaller_results(name, points):
    y = apply(name, points)
    falls = np.flatnonzero(y[1:] < y[:-1])
    assert not falls.size, points[falls[0]]


def test_results_span_their_range_and_tanh_is_odd(points):
    for name, low, high in (("exp", 0, np.inf), ("tanh", -1, 1), ("sigmoid", 0, 1)):
        y = apply(name, points)  # infinities are among them
        assert (y[0], y[-1]) == (y.min(), y.max()) == (low, high)
    np.testing.assert_array_equal(apply("tanh", -points), -apply("tanh", points))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("name", [*RISING, "rsqrt"])
def test_nan_stays_nan(name, sign, dtype):
    # Among numbers, at every place in a vector, and alone.
    x = np.linspace(0.5, 2.0, 37, dtype=dtype)
    for i in range(x.size):
        one = x.copy()
        one[i] = np.copysign(dtype(np.nan), dtype(sign))
        assert np.flatnonzero(np.isnan(apply(name, one))).tolist() == [i]
    assert np.isnan(apply(name, one[-1:])).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_zeros_and_denormal_arguments(dtype):
    tiny = np.finfo(dtype).smallest_subnormal
    x = np.array([0.0, -0.0, tiny, -tiny, 3 * tiny, -np.finfo(dtype).smallest_normal / 2], dtype)
    np.testing.assert_array_equal(apply("exp", x), np.ones_like(x))
    np.testing.assert_array_equal(apply("sigmoid", x), np.full_like(x, 0.5))
    y = apply("tanh", x)
    np.testing.assert_array_equal(y, x)
    np.testing.assert_array_equal(np.signbit(y), np.signbit(x))


@given(
    st.sampled_from(DTYPES).flatmap(
        lambda dtype: arrays(dtype, st.integers(1, 41), elements=st.floats(-800, 800, width=16))
    )
)
def test_a_result_does_not_depend_on_its_place(x):
    # Whole vectors, what is left over and single numbers go through different machine code.
    for name in RISING:
        alone = np.concatenate([apply(name, x[i : i + 1]) for i in range(x.size)])
        np.testing.assert_array_equal(apply(name, x), alone)


@pytest.mark.parametrize("dtype", DTYPES)
def test_reciprocal_square_root(dtype):
    info = np.finfo(dtype)
    lowest, highest = ranks_of(np.array([2 * info.smallest_normal, info.max]))
    everywhere = np.linspace(lowest, highest, 200_003).astype(np.int64)
    x = np.append(of_ranks(np.append(everywhere[:-1], highest), dtype), np.linspace(1, 4, 500_009, dtype=dtype))
    assert errors("rsqrt", x, apply("rsqrt", x)).max() <= bound(dtype)


@pytest.mark.slow
@pytest.mark.parametrize("name", RISING)
def test_every_single_precision_number(name):
    infinity, step = 0x7F800000, 1 << 15  # small enough for a cache
    for first in range(-infinity, infinity, step):
        # One number more than the step, so that order is compared across the seam.
        x = of_ranks(np.arange(first, min(first + step, infinity) + 1), np.float32)
        y = apply(name, x)
        assert errors(name, x, y).max() <= 2.0
        assert (y[1:] >= y[:-1]).all()
