"""The doors of the kernels: each against its NumPy twin, in every instruction set and both dtypes.

Training goes through `Trainer` and inference through `PackedNetwork`, which are no more than the kernels with their
buffers; exp, tanh and sigmoid have a file of their own.
"""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from examples import Run, expected_run, memory, network, states, symbols
from hypothesis import given
from hypothesis import strategies as st

from crnn import _kernels, reference
from crnn.inference import PackedNetwork
from crnn.parameters import Layout, aligned_zeros

BUILDS = [_kernels.load(name) for name in _kernels.available()]
K_BLOCK = 256  # of register_tile.h: a deeper product is added up in pieces


def tolerance(dtype):
    return 1e-4 if dtype == np.float32 else 1e-10


def pack(layout, params, *, one_row=False):
    return PackedNetwork.pack(layout, params, one_row=one_row)


# ------------------------------------------------------------------ instruction sets


def test_the_build_can_be_forced():
    code = "import crnn._kernels as k; print(k.instruction_set, k.core.__name__)"
    for name in _kernels.available():
        environment = {**os.environ, "CRNN_ISA": name}
        out = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        assert out.stdout.split() == [name, f"crnn._kernels.{name}.core"]


def test_the_baseline_is_always_there_and_an_unknown_set_is_refused():
    assert _kernels.available()[0] == "baseline"
    with pytest.raises(ValueError, match="'mmx' is not available here; choose from baseline"):
        _kernels.load("mmx")


# --------------------------------------------------------------------- panel product


def packed(core, W, *, transposed=False, one_row=False):
    """Pack W into a buffer of NaN, so that what packing leaves out shows."""
    K, N = W.shape[::-1] if transposed else W.shape
    panels = aligned_zeros(core.packed_size(K, N, W.itemsize), W.dtype)
    panels[:] = np.nan
    core.pack_panels(W, transposed, one_row, panels)
    return panels


def check_product(core, M, K, N, dtype, transposed, one_row, seed=0):
    rng = np.random.default_rng(seed)
    a = rng.standard_normal((M, K)).astype(dtype)
    W = rng.standard_normal((N, K) if transposed else (K, N)).astype(dtype)
    start = rng.standard_normal((M, N)).astype(dtype)
    beyond = np.full(M * N + 64, 7, dtype)  # whatever a kernel writes outside c
    c = beyond[: M * N].reshape(M, N)
    c[...] = start
    core.multiply(a, packed(core, W, transposed=transposed, one_row=one_row), one_row, c)
    right = W.T if transposed else W
    bound = np.finfo(dtype).eps * (K + 1) * (np.abs(a) @ np.abs(right) + np.abs(start))
    assert (np.abs(c - (start + a.astype(np.float64) @ right)) <= bound).all()
    assert (beyond[M * N :] == 7).all()


SIZES = [(1, 1, 1), (1, 1, 97), (7, 1, 1), (1, 7, 1), (31, 2, 1), (1, 101, 67), (8, 17, 48), (9, 13, 49)]
SIZES += [(3, K_BLOCK, 31), (13, K_BLOCK + 1, 16), (6, 2 * K_BLOCK + 9, 33), (101, 5, 3)]


@pytest.mark.parametrize("one_row", [False, True])
@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("size", SIZES, ids=lambda size: "x".join(map(str, size)))
def test_panel_product(kernels, dtype, size, transposed, one_row):
    check_product(kernels, *size, dtype, transposed, one_row)


@given(
    st.sampled_from(BUILDS),
    st.integers(1, 19),
    st.integers(1, 2 * K_BLOCK),
    st.integers(1, 103),
    st.sampled_from([np.dtype("float32"), np.dtype("float64")]),
    st.booleans(),
    st.booleans(),
)
def test_panel_product_of_any_size(core, M, K, N, dtype, transposed, one_row):
    check_product(core, M, K, N, dtype, transposed, one_row)


@pytest.mark.parametrize("K", [11, K_BLOCK + 11])
@pytest.mark.parametrize("N", [7, 16, 53])
def test_a_row_of_the_product_is_the_same_bits_among_any_others(kernels, dtype, K, N):
    rng = np.random.default_rng(1)
    M = 19
    a, start = rng.standard_normal((M, K)).astype(dtype), rng.standard_normal((M, N)).astype(dtype)
    W = rng.standard_normal((K, N)).astype(dtype)
    together = start.copy()
    kernels.multiply(a, packed(kernels, W), False, together)
    for one_row in (False, True):  # nor does it depend on how the matrix is packed
        panels = packed(kernels, W, one_row=one_row)
        for first in range(M):
            for last in range(first + 1, M + 1):
                c = start[first:last].copy()
                kernels.multiply(a[first:last], panels, one_row, c)
                np.testing.assert_array_equal(c, together[first:last])


# -------------------------------------------------------------------------- training

V, H = 13, 11
# Streams, steps and threads: alone; no thread; a thread for each; more threads than divide the streams or H.
SHAPES = [(1, 1, 1), (1, 7, 1), (3, 5, 1), (5, 3, 2), (5, 3, 3), (7, 2, 7), (17, 2, 13)]


def start(dtype, B, T, *, chunks=4, ids=np.uint8, V=V, H=H):
    """Return what a run starts from: a layout, parameters, memory, a state and a text of some chunks."""
    layout, params = network(V, H, dtype)
    return layout, params, memory(layout), states(B, H, dtype), symbols(V, B * (chunks * T + 1) + 1, ids)


def check_against_twin(arguments, n_steps, dtype, **options):
    run = Run(*arguments, **options).steps(*[1] * n_steps)
    options.pop("n_threads", None)
    params, sum_, state, expected_losses = expected_run(*arguments, n_steps, **options)
    rtol = tolerance(dtype)
    np.testing.assert_allclose(run.losses, expected_losses, rtol=rtol)
    np.testing.assert_allclose(run.params, params, rtol=rtol, atol=rtol)
    np.testing.assert_allclose(run.sum, sum_, rtol=rtol, atol=rtol)
    np.testing.assert_allclose(run.state, state, rtol=rtol, atol=rtol)


@pytest.mark.parametrize(("B", "T", "n_threads"), SHAPES)
def test_training_is_its_twin(kernels, dtype, B, T, n_threads):
    # Six steps of a text of four chunks: across the end of the sweep.
    check_against_twin(start(dtype, B, T), 6, dtype, T=T, n_threads=n_threads, learning_rate=0.03)


@pytest.mark.parametrize("H", [1, 2, 16, 31, 97])
@pytest.mark.parametrize("V", [1, 2, 17, 67])
def test_training_is_its_twin_at_any_size_of_the_network(kernels, dtype, V, H):
    arguments = start(dtype, 5, 3, V=V, H=H)
    check_against_twin(arguments, 2, dtype, T=3, n_threads=2, learning_rate=0.03)


@pytest.mark.parametrize(("ids", "V"), [(np.uint8, 256), (np.uint16, 257), (np.uint32, 1009)])
def test_training_reads_ids_of_every_width(kernels, dtype, ids, V):
    arguments = start(dtype, 3, 5, ids=ids, V=V, H=5)
    check_against_twin(arguments, 3, dtype, T=5, n_threads=2, learning_rate=0.03)


def test_training_clips_each_element_as_its_twin_does(kernels, dtype):
    arguments = start(dtype, 3, 5)
    check_against_twin(arguments, 1, dtype, T=5, clip=0.01)
    clipped = Run(*arguments, T=5, clip=0.01).steps(1)
    growth = clipped.layout.tensors(clipped.sum - arguments[2])
    assert growth.Wy.max() == pytest.approx(0.01**2, rel=1e-2)


def test_gradients_are_those_of_central_differences(kernels):
    T, B = 5, 3
    layout, params = network(7, 5)
    ids, state = symbols(7, B * (T + 1) + 1), states(B, 5)

    def one_step(params):
        return Run(layout, params, layout.zeros(), state, ids, T=T, n_threads=2, clip=np.inf).steps(1)

    # From no memory, and without a clip, the memory after a step is the square of the gradient.
    run = one_step(params)
    gradient = np.sqrt(run.sum) * np.sign(params - run.params)
    places = np.concatenate([part.ravel() for part in layout.tensors(np.arange(layout.size))])
    assert len(places) == 2 * 7 * 5 + 5 * 5 + 5 + 7
    for i in places:

        def loss(step, i=i):
            moved = params.copy()
            moved[i] += step
            return one_step(moved).loss

        e = 1e-3  # fourth order
        numeric = (8 * (loss(e) - loss(-e)) - (loss(2 * e) - loss(-2 * e))) / (12 * e)
        assert gradient[i] == pytest.approx(numeric, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize(("B", "n_threads"), [(1, 1), (5, 2)])
def test_a_step_in_single_precision_is_that_in_double(kernels, B, n_threads):
    runs = [Run(*start(name, B, 7), T=7, n_threads=n_threads).steps(1) for name in ("float32", "float64")]
    assert runs[0].loss == pytest.approx(runs[1].loss, rel=1e-4)
    for what in ("params", "sum", "state"):
        single, double = (getattr(run, what) for run in runs)
        if what == "state":
            np.testing.assert_allclose(single, double, atol=1e-4)
        else:
            for a, b in zip(runs[0].layout.tensors(single), runs[1].layout.tensors(double), strict=True):
                np.testing.assert_allclose(a, b, atol=1e-4)


@pytest.mark.parametrize(("B", "n_threads"), [(1, 1), (5, 2)])
def test_instruction_sets_agree(request, dtype, B, n_threads):
    results = []
    for name in _kernels.available():
        with pytest.MonkeyPatch.context() as patch:
            for user in ("crnn.trainer", "crnn.inference"):
                patch.setattr(f"{user}.core", _kernels.load(name))
            run = Run(*start(dtype, B, 7), T=7, n_threads=n_threads).steps(2)
            log_p = pack(run.layout, run.params).log_probabilities(symbols(V, 31, np.int32)[:, None], run.state[0, :1])
            results.append((run.loss, run.params, run.sum, run.state, log_p))
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            np.testing.assert_allclose(b, a, rtol=1e-5, atol=1e-5)


def test_huge_logits_keep_the_loss_finite(kernels, dtype):
    layout, params, sum_, state, ids = start(dtype, 1, 5)
    layout.tensors(params).by[:] = np.linspace(-1e4, 1e4, V)
    check_against_twin((layout, params, sum_, state, ids), 1, dtype, T=5)


@pytest.mark.parametrize(("B", "n_threads"), [(1, 1), (5, 1), (5, 2), (5, 3), (5, 5)])
@pytest.mark.parametrize("H", [1, 7, 16, 37, 131])
def test_packed_weights_follow_the_update(kernels, dtype, B, n_threads, H):
    run = Run(*start(dtype, B, 3, H=H), T=3, n_threads=n_threads).steps(3)
    Wh = run.layout.tensors(run.params).Wh
    np.testing.assert_array_equal(run.trainer.Wh_panels, packed(kernels, Wh, one_row=B == 1))
    np.testing.assert_array_equal(run.trainer.WhT_panels, packed(kernels, Wh, transposed=True, one_row=B == 1))


# ------------------------------------------------------------------------- inference


@pytest.mark.parametrize(("V", "H", "B"), [(1, 1, 1), (2, 3, 2), (13, 11, 1), (67, 37, 7), (257, 101, 19)])
def test_feed_is_its_twin(kernels, dtype, V, H, B):
    layout, params = network(V, H, dtype, scale=0.3)
    x = symbols(V, 5 * B, np.int32).reshape(5, B)
    h0 = states(B, H, dtype)[0]
    h = h0.copy()
    pack(layout, params).feed(x, h)
    expected, _ = reference.forward(layout.tensors(params), x, h0)
    np.testing.assert_allclose(h, expected[-1], atol=tolerance(dtype))


@pytest.mark.parametrize(("V", "H", "B"), [(1, 1, 1), (2, 3, 2), (13, 11, 1), (67, 37, 7), (257, 101, 3)])
@pytest.mark.parametrize("n", [1, 64, 131])  # one and several blocks of the workspace
def test_log_probabilities_are_their_twin(kernels, dtype, V, H, B, n):
    layout, params = network(V, H, dtype, scale=0.3)
    x = symbols(V, n * B, np.int32).reshape(n, B)
    h0 = states(B, H, dtype)[0]
    h = h0.copy()
    log_p = pack(layout, params).log_probabilities(x, h)
    assert log_p.shape == (n, B)
    assert log_p.dtype == np.float64
    for b in range(B):
        expected, last = reference.log_probabilities(layout.tensors(params.astype(np.float64)), x[:, b], h0[b])
        np.testing.assert_allclose(log_p[:, b], expected, rtol=tolerance(dtype), atol=tolerance(dtype))
        np.testing.assert_allclose(h[b], last, atol=tolerance(dtype))


@pytest.mark.parametrize("temperature", [0.0, 0.3, 1.0, 3.0])
@pytest.mark.parametrize(("V", "H", "B"), [(1, 1, 1), (13, 11, 1), (67, 37, 7)])
def test_sample_is_its_twin(kernels, dtype, V, H, B, temperature):
    n = 41
    layout, params = network(V, H, dtype, scale=0.3)
    p = layout.tensors(params.astype(np.float64))
    uniforms = np.random.default_rng(5).random((n, B))
    h0 = states(B, H, dtype)[0]
    h = h0.copy()
    out = pack(layout, params).sample(uniforms, temperature, h)
    # The states that these symbols lead through: a draw that rounding decides otherwise is no difference.
    reached, _ = reference.forward(p, out, h0.astype(np.float64))
    np.testing.assert_allclose(h, reached[-1], atol=tolerance(dtype))
    margin = tolerance(dtype)
    differing = 0
    for t, b in np.ndindex(n, B):
        y = reached[t, b] @ p.Wy + p.by
        if out[t, b] == reference.draw(y, uniforms[t, b], temperature):
            continue
        differing += 1
        if temperature == 0:
            assert y[out[t, b]] >= y.max() - margin
        else:
            low, high = (reference.draw(y, uniforms[t, b] + e, temperature) for e in (-margin, margin))
            assert low <= out[t, b] <= high
    assert differing <= n * B // 100
    assert V == 1 or len(np.unique(out)) > 1


def test_sampled_symbols_have_the_probabilities_of_the_softmax(kernels, dtype):
    layout, params = network(7, 5, dtype)
    n = 20_011
    h = np.zeros((n, 5), dtype)
    out = pack(layout, params).sample(np.random.default_rng(6).random((1, n)), 1.0, h)
    log_p = [reference.log_probabilities(layout.tensors(params), np.array([v]), np.zeros(5))[0][0] for v in range(7)]
    P = np.exp(log_p)
    assert (np.abs(np.bincount(out[0], minlength=7) / n - P) < 5 * np.sqrt(P * (1 - P) / n)).all()


@pytest.mark.parametrize("u", [0.0, 0.5, np.nextafter(1.0, 0.0)])
def test_a_symbol_without_probability_is_never_drawn(kernels, dtype, u):
    # Not the first, nor the last, nor at a temperature that leaves one symbol alone.
    layout = Layout(5, 3, dtype)
    params = layout.zeros()
    layout.tensors(params).by[:] = [-np.inf, 0, -1e5, 0.5, -np.inf]
    network = pack(layout, params)
    for temperature, allowed in [(1.0, {1, 3}), (1e-4, {3}), (1e-300, {3}), (0.0, {3}), (1e6, {1, 2, 3})]:
        assert set(network.sample(np.full((3, 2), u), temperature, np.zeros((2, 3), dtype)).ravel()) <= allowed


def test_the_first_of_equal_logits_is_the_likeliest(kernels, dtype):
    layout = Layout(19, 3, dtype)
    params = layout.zeros()
    layout.tensors(params).by[[5, 18]] = 1
    assert pack(layout, params).sample(np.zeros((1, 1)), 0.0, np.zeros((1, 3), dtype)) == 5


# ------------------------------------------------------------------------- the checks


def trainer_with(kernels, change, **options):
    run = Run(*start("float64", 5, 3), T=3, n_threads=2, **options)
    change(run.trainer)
    return run


def assign(name, make):
    """Return a change of an attribute of the trainer, or of one of its shards if there is a dot."""

    def change(trainer):
        owner, attribute = (trainer.shards[1], name[6:]) if name.startswith("shard.") else (trainer, name)
        setattr(owner, attribute, make(getattr(owner, attribute)))

    return change


WRONG_SIZES = ["params", "sum", "Wh_panels", "WhT_panels", "_ids", "shard.gradient", "shard.x", "shard.h", "shard.y"]
WRONG_SIZES += ["shard.dz", "shard.seen"]


@pytest.mark.parametrize("name", WRONG_SIZES)
def test_training_refuses_an_array_that_is_too_short(kernels, name):
    before = start("float64", 5, 3)[1]
    run = trainer_with(kernels, assign(name, lambda a: a[: len(a) - len(a) // 4 - 1].copy()))
    with pytest.raises(ValueError, match=r"size|too few|shape"):
        run.steps(1)
    np.testing.assert_array_equal(run.params, before)


@pytest.mark.parametrize("name", [n for n in WRONG_SIZES if n not in ("_ids", "shard.seen", "shard.x")])
def test_training_refuses_another_dtype(kernels, name):
    run = trainer_with(kernels, assign(name, lambda a: a.astype(np.float32)))
    with pytest.raises((ValueError, TypeError)):
        run.steps(1)


@pytest.mark.parametrize(
    ("ids", "bad"), [("uint8", V), ("uint8", 255), ("uint16", 2**16 - 1), ("uint32", 2**31), ("uint32", 2**32 - 1)]
)
@pytest.mark.parametrize("n_threads", [1, 3])
def test_training_refuses_an_id_out_of_range(kernels, ids, bad, n_threads):
    layout, params, sum_, state, text = start("float64", 5, 3, ids=ids)
    text[len(text) // 2] = bad
    run = Run(layout, params, sum_, state, text, T=3, n_threads=n_threads)
    with pytest.raises(ValueError, match="id is not below the vocabulary's size 13"):
        run.steps(4)
    assert np.isfinite(run.params).all()


@pytest.fixture
def doors():
    """Arguments that each door of inference takes, by name: 3 steps of 2 streams."""
    layout, params = network(V, H)
    weights = pack(layout, params)._asdict()
    x, h = np.zeros((3, 2), np.int32), np.zeros((2, H))
    recurrence = {name: weights[name] for name in ("Wx", "bh", "Wh_panels", "one_row")}
    return {
        "feed": {**recurrence, "x": x, "h": h, "scratch": h.copy()},
        "sample": {
            **weights,
            "uniforms": np.zeros((3, 2)),
            "temperature": 1.0,
            "h": h,
            "scratch": h.copy(),
            "y": np.zeros((2, V)),
            "out": x.copy(),
        },
        "log_probabilities": {
            **weights,
            "x": x,
            "h": np.zeros((4, 2, H)),
            "y": np.zeros((3, 2, V)),
            "out": np.zeros((3, 2)),
        },
    }


def grown(a, axis):
    return np.concatenate([a, a], axis=axis)


def shrunk(a, axis):
    return np.ascontiguousarray(np.delete(a, -1, axis=axis))


@pytest.mark.parametrize("change", [grown, shrunk])
@pytest.mark.parametrize("door", ["feed", "sample", "log_probabilities"])
def test_inference_refuses_shapes_that_do_not_fit(kernels, doors, door, change):
    arguments = doors[door]
    getattr(kernels, door)(*arguments.values())
    free = {("feed", "x", 0), ("feed", "Wx", 0)}  # any number of symbols, of a vocabulary of any size
    for name, value in arguments.items():
        for axis in range(np.ndim(value)):
            if (door, name, axis) not in free:
                wrong = {**arguments, name: change(value, axis)}
                with pytest.raises(ValueError, match=r"size|shape"):
                    getattr(kernels, door)(*wrong.values())


@pytest.mark.parametrize("door", ["feed", "sample", "log_probabilities"])
def test_inference_refuses_another_dtype_or_order(kernels, doors, door):
    arguments = doors[door]
    for name, value in arguments.items():
        if isinstance(value, np.ndarray):
            for wrong in (value.astype(np.float32), np.repeat(value, 2, axis=-1)[..., ::2]):
                with pytest.raises((ValueError, TypeError)):
                    getattr(kernels, door)(*{**arguments, name: wrong}.values())


@pytest.mark.parametrize("bad", [-1, V, 2**31 - 1, -(2**31)])
@pytest.mark.parametrize("door", ["feed", "log_probabilities"])
def test_inference_refuses_an_id_out_of_range(kernels, doors, door, bad):
    arguments = doors[door]
    arguments["x"][1, 1] = bad
    with pytest.raises(ValueError, match="vocabulary's size 13"):
        getattr(kernels, door)(*arguments.values())
    assert not arguments["h"].any()


def test_panels_refuse_shapes_that_do_not_fit(kernels, dtype):
    W = np.ones((3, 5), dtype)
    panels = packed(kernels, W)
    for transposed in (False, True):
        with pytest.raises(ValueError, match="size"):
            kernels.pack_panels(W, transposed, False, panels[:-1])
    a, c = np.ones((2, 3), dtype), np.ones((2, 5), dtype)
    for bad in [(a[:1], panels, c), (a[:, :2].copy(), panels, c), (a, panels[:-1], c), (a, panels, c[:1])]:
        with pytest.raises(ValueError, match="size"):
            kernels.multiply(bad[0], bad[1], False, bad[2])
    other = np.float32 if dtype == np.float64 else np.float64
    for wrong in (a.astype(other), np.asfortranarray(a)):
        with pytest.raises((ValueError, TypeError)):
            kernels.multiply(wrong, panels, False, c)
