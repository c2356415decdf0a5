"""The entry points of the kernels: each against its NumPy reference, in every instruction set and both dtypes.

Training goes through `Trainer` and inference through `PackedNetwork`, which are no more than the kernels with their
buffers. Products, variants of the network, and exp, tanh and sigmoid have files of their own.
"""

from __future__ import annotations

import functools
import itertools
import math
import os
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from examples import (
    Run,
    check_packed_weights,
    contiguous_parts,
    drawn,
    in_double,
    instruction_set,
    memory,
    network,
    repeated,
    sets,
    single_kernels,
    state_in_double,
    states,
    symbols,
)
from reference_checks import (
    check_against_reference,
    check_gradients,
    check_run,
    check_scores,
    expected_in_double,
    in_dtype,
    tolerance,
)

from crnn import _kernels
from crnn._kernels.entry import core
from crnn._kernels.entry.structures import DrawnTexts, PackedWeights, Packing
from crnn.inference.controls import MODULUS, MULTIPLIER, OFF, SamplingControls, Uniforms, root
from crnn.inference.network import Context
from crnn.inference.packed_network import PackedNetwork
from crnn.inference.sampling import text_sampler
from crnn.model.layout import Layout
from crnn.ngram.counts import Counts
from crnn.ngram.counts_network import CountsNetwork
from crnn.parameters.kinds import CELLS, MAX_LAYERS, OPTIMIZERS
from crnn.reference import dropout as reference_dropout
from crnn.reference import network as reference
from crnn.reference import optimizers as reference_optimizers
from crnn.training.team import MAX_SHARDS, Shard

K_BLOCK = 512  # of register_tile.h: a deeper product is added up in pieces


def pack(layout, params, *, one_row=False):
    return PackedNetwork.pack(layout, params, one_row=one_row)


# ------------------------------------------------------------------ instruction sets


@pytest.mark.parametrize("name", sets("float32"))
def test_the_build_can_be_forced(name):
    code = "import crnn._kernels as k, sys; print(k.instruction_set, *[m for m in sys.modules if '.float64.' in m])"
    environment = {**os.environ, "CRNN_ISA": name}
    out = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert out.stdout.split() == [name, f"crnn._kernels.{name}.float64.kernels"]


def test_baseline_is_always_there_and_unknown_sets_are_errors():
    assert _kernels.available("float32")[0] == "baseline"
    message = r"'mmx' is not available here\. Set CRNN_ISA to one of baseline.*, or build .* with CRNN_BUILD=all"
    with pytest.raises(ValueError, match=message):
        _kernels.use("mmx")


@pytest.mark.parametrize("level", range(5))
@pytest.mark.parametrize("bytes_too", [False, True])
def test_a_processor_has_the_sets_up_to_its_level(monkeypatch, level, bytes_too):
    monkeypatch.setattr(_kernels, "_built", lambda name, kind: name != "neon_dotprod")
    monkeypatch.setattr(_kernels, "cpu", SimpleNamespace(level=lambda: level, has_byte_products=lambda: bytes_too))
    general, narrow = ("baseline", "avx2", "avx512"), ("avx512_bf16", "amx")
    assert _kernels.available("float32") == general[: level + 1]
    assert _kernels.available("bfloat16") == (*general, *narrow)[: level + 1]
    with_bytes = (*general[: level + 1], "avx512_vnni" if level else "neon_dotprod")
    built = tuple(name for name in with_bytes if name != "neon_dotprod")
    assert _kernels.supported("int8") == (with_bytes if bytes_too else general[: level + 1])
    assert _kernels.available("int8") == (built if bytes_too else general[: level + 1])


@pytest.mark.parametrize("bytes_too", [False, True])
def test_an_arm_processor_may_add_dot_products_to_the_baseline(monkeypatch, bytes_too):
    monkeypatch.setattr(_kernels, "_built", lambda name, kind: name in ("baseline", "neon_dotprod"))
    monkeypatch.setattr(_kernels, "cpu", SimpleNamespace(level=lambda: 0, has_byte_products=lambda: bytes_too))
    assert _kernels.available("float32") == ("baseline",)
    assert _kernels.available("int8") == ("baseline", "neon_dotprod")[: 1 + bytes_too]


def test_by_default_the_best_set_of_each_kind_is_used():
    before = _kernels.forced
    try:
        for name in {*_kernels.available("bfloat16"), *_kernels.available("int8")} - {*_kernels.available("float32")}:
            _kernels.use(name)
            assert _kernels.instruction_set == _kernels.available("float32")[-1]
            for kind, used in (("bfloat16", _kernels.bfloat16_set), ("int8", _kernels.int8_set)):
                wanted = name if name in _kernels.available(kind) else _kernels.instruction_set
                assert used == (wanted if wanted in _kernels.available(kind) else None)
        _kernels.use(None)
        assert _kernels.forced is None
        assert _kernels.instruction_set == _kernels.available("float32")[-1]
        assert _kernels.bfloat16_set == _kernels.available("bfloat16")[-1]
        assert _kernels.int8_set == _kernels.available("int8")[-1]
    finally:
        _kernels.use(before)


@pytest.mark.parametrize(
    ("built", "system", "faster"),
    [
        ({"baseline"}, "linux-x86_64", "avx512"),
        ({"baseline", "avx2"}, "win-amd64", "avx512"),
        ({"baseline", "avx2", "avx512"}, "linux-x86_64", None),
        ({"baseline"}, "macosx-10.13-universal2", None),  # such a build can have no other set
    ],
)
def test_a_faster_set_that_is_not_built(monkeypatch, built, system, faster):
    monkeypatch.setattr(_kernels, "_built", lambda name, kind: name in built)
    monkeypatch.setattr(_kernels, "cpu", SimpleNamespace(level=lambda: 2, has_byte_products=lambda: False))
    monkeypatch.setattr("sysconfig.get_platform", lambda: system)
    assert _kernels.faster("float32") == faster


@pytest.mark.parametrize(("kind", "options"), [("bfloat16", {"bfloat16": True}), ("int8", {"int8": True})])
def test_number_types_that_are_not_built_are_errors(monkeypatch, kind, options):
    before, built = _kernels.forced, _kernels._built
    try:
        monkeypatch.setattr(_kernels, "_built", lambda name, of_kind: of_kind != kind and built(name, of_kind))
        _kernels.use(None)
        assert getattr(_kernels, f"{kind}_set") is None
        layout = Layout(3, 5, np.dtype("float32"))
        message = rf"no kernels for {kind} that this processor supports\. Build crnn again with CRNN_BUILD=all"
        with pytest.raises(ValueError, match=message):
            core.Network(layout, Packing(one_row=True, **options))
        core.Network(layout, Packing(one_row=True))
    finally:
        monkeypatch.undo()
        _kernels.use(before)


def test_a_forced_set_is_not_replaced_by_a_wider_one(monkeypatch):
    before = _kernels.forced
    built = {("baseline", "float32"), ("baseline", "float64"), (_kernels.available("int8")[-1], "int8")}
    try:
        monkeypatch.setattr(_kernels, "_built", lambda name, kind: (name, kind) in built)
        _kernels.use("baseline")
        assert _kernels.int8_set == ("baseline" if ("baseline", "int8") in built else None)
        assert _kernels.bfloat16_set is None
        _kernels.use(None)
        assert _kernels.int8_set == _kernels.available("int8")[-1]
    finally:
        monkeypatch.undo()
        _kernels.use(before)


# -------------------------------------------------------------------------- training

V, H = 13, 11
# Streams, steps and threads, first with few rows and then with many, which the BLAS and packed weights multiply: alone;
# a thread for each; more threads than divide the streams or H; several blocks of time steps.
FEW = [(1, 1, 1), (1, 7, 1), (3, 5, 1), (5, 3, 2), (7, 2, 7), (17, 2, 13)]
MANY = [(1, 67, 1), (5, 31, 1), (5, 31, 2), (50, 31, 1), (50, 23, 7)]
OPTIONS = [
    {},
    {"clip": 0.03},
    {"clip": math.inf, "clip_norm": 0.3},
    {"dropout": 0.3, "dropout_seed": 2**61 + 7},
    {"clip": 0.05, "clip_norm": 0.7, "dropout": 0.6, "dropout_seed": 5},
    {"weight_dropout": 0.4, "dropout_seed": 5},
    {"clip_norm": 0.7, "dropout": 0.3, "weight_dropout": 0.4, "dropout_seed": 2**61 + 7},
    {"state_reset": 0.4, "dropout": 0.3, "dropout_seed": 2**33 + 5},
]


def start(dtype, B, T, *, chunks=4, ids=np.uint8, V=V, H=H, cell="rnn", num_layers=1, optimizer="adagrad"):
    """Return what a run starts from: a layout, parameters, memory, a state and a text of some chunks."""
    layout, params = network(V, H, dtype, cell=cell, num_layers=num_layers)
    state = states(B, H, dtype, cell=cell, num_layers=num_layers)
    return layout, params, memory(layout, optimizer), state, symbols(V, B * (chunks * T + 1) + 1, ids)


# Every cell, number of layers and optimizer meets another one of the shapes and options.
RUNS = [
    (*kind, *shape, options)
    for kind, shape, options in zip(
        itertools.product(CELLS, [1, 2, 3], OPTIMIZERS), itertools.cycle(FEW + MANY), itertools.cycle(OPTIONS)
    )
]


@functools.cache
def a_run(i):
    """Return arguments, options and the expected result of one of RUNS: every build is compared with the same."""
    cell, num_layers, optimizer, B, T, n_threads, options = RUNS[i]
    # Six steps of a text of four chunks: across the end of the epoch.
    options = {"T": T, "learning_rate": 0.01, "optimizer": optimizer, "optimizer_start": 0, **options}
    options["n_steps"], options["weight_decay"] = 3, 0.2 if optimizer == "adam" else 0.0
    arguments = start("float32", B, T, cell=cell, num_layers=num_layers, optimizer=optimizer)
    theirs = {key: value for key, value in options.items() if key != "n_steps"}
    return arguments, {**options, "n_threads": n_threads}, expected_in_double(arguments, 6, n_before=3, **theirs)


@pytest.mark.parametrize("i", range(len(RUNS)), ids=lambda i: "-".join(map(str, RUNS[i][:6])))
def test_training_step_matches_reference(kernels, dtype, i):
    arguments, options, expected = a_run(i)
    check_run(Run(*in_dtype(arguments, dtype), **options).steps(*[1] * 6), expected)


@functools.cache
def a_shape(cell, B, T):
    arguments = start("float32", B, T, cell=cell, num_layers=2)
    options = {"T": T, "learning_rate": 0.01, "dropout": 0.2, "weight_dropout": 0.1, "dropout_seed": 3}
    return arguments, options, expected_in_double(arguments, 2, **options)


# Every cell and shape that RUNS leaves out, and every other one of all.
OF_RUNS = {(run[0], *run[3:6]) for run in RUNS}
CELLS_AND_SHAPES = [(cell, *shape) for cell, shape in itertools.product(CELLS, FEW + MANY)]
CELLS_AND_SHAPES = [case for i, case in enumerate(CELLS_AND_SHAPES) if i % 2 or case not in OF_RUNS]


@pytest.mark.parametrize(("cell", "B", "T", "n_threads"), CELLS_AND_SHAPES)
def test_training_matches_reference_on_any_streams_and_threads(kernels, dtype, cell, B, T, n_threads):
    arguments, options, expected = a_shape(cell, B, T)
    check_run(Run(*in_dtype(arguments, dtype), n_threads=n_threads, **options).steps(1, 1), expected)


# Units and symbols around the width of a vector, of a panel, and of the depth that a product is cut at.
NETWORKS = [(1, 1), (2, 16), (17, 2), (67, 31), (13, 97), (131, 67), (5, 137)]


@functools.cache
def a_size(cell, V, H, T):
    arguments = start("float32", 5, T, V=V, H=H, cell=cell, num_layers=2)
    options = {"T": T, "learning_rate": 0.01}
    return arguments, options, expected_in_double(arguments, 2, **options)


# Every cell with every size; few rows (T = 3) and many (T = 17) in turns.
CELLS_AND_SIZES = [(*pair[0], *pair[1], T) for pair, T in zip(
    itertools.product([(cell,) for cell in CELLS], NETWORKS), itertools.cycle([3, 17])
)]  # fmt: skip


@pytest.mark.parametrize(("cell", "V", "H", "T"), CELLS_AND_SIZES)
def test_training_matches_reference_at_any_size(kernels, dtype, cell, V, H, T):
    arguments, options, expected = a_size(cell, V, H, T)
    check_run(Run(*in_dtype(arguments, dtype), **options).steps(1, 1), expected)


@pytest.mark.parametrize("cell", CELLS)
def test_training_matches_reference_where_a_product_is_cut(kernels, cell):
    arguments = start("float32", 3, 23, V=3, H=K_BLOCK // 2 + 7, cell=cell)  # the gates of a GRU or an LSTM go beyond
    check_run(Run(*arguments, T=23, learning_rate=0.01).steps(1), a_cut_product(cell))


@functools.cache
def a_cut_product(cell):
    arguments = start("float32", 3, 23, V=3, H=K_BLOCK // 2 + 7, cell=cell)
    return expected_in_double(arguments, 1, T=23, learning_rate=0.01)


def test_the_symbols_left_over_from_whole_vectors_add_up_over_blocks(kernels, dtype):
    arguments = start(dtype, 50, 31, V=17)  # one more than a whole number of vectors
    check_against_reference(arguments, 1, T=31, learning_rate=0.01)


def test_products_of_many_streams_are_cut_within_a_time_step(kernels, dtype):
    arguments = start(dtype, 521, 2)  # more rows than the gradient of weights adds up at a time, in one time step
    check_against_reference(arguments, 1, T=2, learning_rate=0.01)


def test_products_so_large_that_threads_poll_between_their_parts(kernels):
    # More than 2^28 multiplications for 128 rows of one backward product, and for all columns of the other one.
    arguments = start("float32", 13, 11, V=16411, H=131, ids=np.uint16)
    run = Run(*arguments, **LARGE).steps(1)
    check_run(run, a_large_product())
    with run.trainer as trainer:
        core.break_barriers(trainer.team)
        trainer.team.shards[0].gradient[:] = 7
        trainer._train(0, np.full(1, 0.1))
        assert (trainer.team.shards[0].gradient == 7).all()  # a broken barrier ends the step before its first product


LARGE = {"T": 11, "learning_rate": 0.01}


@functools.cache
def a_large_product():
    return expected_in_double(start("float32", 13, 11, V=16411, H=131, ids=np.uint16), 1, **LARGE)


@pytest.mark.parametrize("cell", CELLS)
def test_training_of_one_wide_stream_matches_reference(kernels, dtype, cell):
    # Its panels are as wide as they come: more columns than the strip of any register file.
    arguments = start(dtype, 1, 3, V=5, H=149, cell=cell, num_layers=2)
    check_against_reference(arguments, 2, T=3, learning_rate=0.01)


@pytest.mark.parametrize(("ids", "V"), [(np.uint8, 256), (np.uint16, 257), (np.uint32, 1009)])
def test_training_reads_ids_of_every_width(kernels, dtype, ids, V):
    arguments = start(dtype, 3, 5, ids=ids, V=V, H=5)
    check_against_reference(arguments, 3, T=5, n_threads=2, learning_rate=0.03)


def test_an_infinite_sum_of_adagrad_stops_the_parameter(kernels, dtype):
    layout, params, (sum_,), *rest = start(dtype, 3, 5)
    sum_[:] = np.inf
    run = Run(layout, params, [sum_], *rest, T=5).steps(2)
    np.testing.assert_array_equal(run.params, params)


def give_size(trainer, layout, T, streams, **packing):
    """Replace what a trainer has by the weights and the shard of another size; of its arrays nothing is touched."""
    trainer.network = core.Network(layout, Packing(one_row=True, training=True, **packing))
    try:
        trainer.team.shards[0] = Shard(trainer.network, layout, T, range(streams), dropout=False)
    except MemoryError:
        pytest.skip("not enough memory for arrays of this size")
    trainer.params, trainer.optimizer_state = layout.zeros(), (layout.zeros(),)
    trainer.panels = np.zeros(trainer.network.panels_size, np.float32)
    trainer.team.squares = np.zeros(core.squares_size(trainer.network))


def test_training_has_no_limit_of_a_blas_that_it_does_not_call():
    trainer = Run(*start("float32", 1, 3), T=3).trainer
    give_size(trainer, Layout(1, 2, np.dtype("float32"), "lstm"), 2**28, 1)
    with pytest.raises(ValueError, match="too few for 1 steps"), trainer:
        trainer._train(0, np.full(1, 0.1))
    del trainer.team.shards[0]  # not read when training ends


def test_training_has_no_more_rows_than_a_blas_counts():
    trainer = Run(*start("float32", 1, 3), T=3).trainer
    give_size(trainer, Layout(1, 1, np.dtype("float32")), 1, 2**31, many=False)
    with pytest.raises(ValueError, match="a BLAS's largest size, 2147483647"), trainer:
        trainer._train(0, np.full(1, 0.1))
    del trainer.team.shards[0]  # not read when training ends


def test_memory_that_is_touched_before_the_first_step_keeps_its_contents():
    arguments = start("float64", 2, 3, H=521, cell="lstm", optimizer="adam", V=5)  # 8 MB and more are touched
    runs = [Run(*arguments, T=3, optimizer="adam", learning_rate=0.01, n_threads=2) for _ in range(2)]
    assert runs[0].trainer.team.fresh
    runs[1].trainer.team.fresh = False
    assert runs[0].steps(1).bits() == runs[1].steps(1).bits()


def check_norm(arguments, options, cell):
    """Compare the norm of the third step's gradient with the reference's."""
    run, before = Run(*arguments, **options).steps(3), Run(*arguments, **options).steps(2)
    wide, params = in_double(before.layout, before.params)
    T = options["T"]
    text = contiguous_parts(before.streams).T[2 * T :]
    _, gradients, _ = reference.loss_and_gradients(
        wide.tensors(params), cell, text[:T].astype(np.intp), text[1 : T + 1].astype(np.intp), before.state
    )
    _, norm = reference_optimizers.clipped(gradients, math.inf, math.inf)
    assert run.cursor.gradient_norm == pytest.approx(norm, rel=tolerance(before.layout.dtype))


@pytest.mark.parametrize(("B", "T", "n_threads", "clip_norm"), [(1, 7, 1, 0.3), (5, 3, 3, math.inf), (5, 31, 2, 0.3)])
@pytest.mark.parametrize("cell", CELLS)
def test_the_norm_of_the_gradient_is_that_of_the_last_step(kernels, dtype, cell, B, T, n_threads, clip_norm):
    arguments = start(dtype, B, T, cell=cell, num_layers=2)
    options = {"T": T, "n_threads": n_threads, "learning_rate": 0.01, "clip": 0.05, "clip_norm": clip_norm}
    check_norm(arguments, options, cell)


def test_the_norm_is_also_that_of_rows_of_more_than_2048_elements(kernels, dtype):
    arguments = start(dtype, 2, 5, V=4099, H=3, ids="uint16")
    check_norm(arguments, {"T": 5, "learning_rate": 0.01}, "rnn")


@pytest.mark.parametrize(
    ("B", "T", "dropout", "weight_dropout"),
    [(2, 3, 0.0, 0.0), (3, 5, 0.4, 0.0), (7, 11, 0.4, 0.0), (2, 3, 0.0, 0.5)],
    ids=["few", "dropout", "many", "weights"],
)
@pytest.mark.parametrize("cell", CELLS)
def test_gradients_match_central_differences(kernels, cell, B, T, dropout, weight_dropout):
    layout, params = network(5, 3, cell=cell, num_layers=2)
    ids, state = symbols(5, B * (T + 1) + 1), states(B, 3, cell=cell, num_layers=2)
    options = {"T": T, "dropout": dropout, "weight_dropout": weight_dropout, "dropout_seed": 11}
    gradients = check_gradients(layout, params, ids, state, **options)
    assert [gradient.shape for gradient in gradients] == list(layout.shapes)


@pytest.mark.parametrize(("B", "T"), [(7, 3), (7, 13)], ids=["few", "many"])
@pytest.mark.parametrize(("cell", "optimizer"), list(zip(CELLS, itertools.cycle(OPTIMIZERS), strict=False)))
def test_shards_change_rounding_alone(kernels, dtype, cell, optimizer, B, T):
    arguments = start(dtype, B, T, cell=cell, num_layers=2, optimizer=optimizer)
    options = {"T": T, "learning_rate": 0.01, "optimizer": optimizer, "dropout": 0.3, "clip_norm": 1.0}
    one = Run(*arguments, **options).steps(3)
    for n_threads in (2, 3, 5, 7):
        run = Run(*arguments, n_threads=n_threads, **options).steps(3)
        rtol = tolerance(dtype)
        assert len(run.trainer.team.shards) == n_threads
        assert run.loss == pytest.approx(one.loss, rel=rtol)
        for a, b in zip((run.params, *run.memory, *run.state), (one.params, *one.memory, *one.state), strict=True):
            np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol)


@pytest.mark.parametrize(("B", "T", "n_threads"), [(1, 7, 1), (5, 7, 2), (5, 31, 2)])
@pytest.mark.parametrize("cell", CELLS)
def test_instruction_sets_agree(dtype, cell, B, T, n_threads):
    results = []
    for name in _kernels.available("float32"):
        with instruction_set(name):
            arguments = start(dtype, B, T, cell=cell, num_layers=2)
            run = Run(*arguments, T=T, n_threads=n_threads, dropout=0.3, learning_rate=0.01).steps(2)
            state = tuple(np.ascontiguousarray(array[:, :1]) for array in run.state)
            log_p = pack(run.layout, run.params).log_probabilities(symbols(V, 31, np.int32)[:, None], state)
            results.append((run.loss, run.params, run.sum, *run.state, log_p, *state))
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            np.testing.assert_allclose(b, a, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("B", "T", "n_threads"), [(1, 5, 1), (5, 31, 2)])
@pytest.mark.parametrize("cell", CELLS)
def test_of_a_network_of_zeros_only_the_last_bias_learns(kernels, cell, B, T, n_threads):
    layout, _, memories, state, ids = start("float64", B, T, cell=cell, num_layers=2)
    zero = tuple(np.zeros_like(array) for array in state)
    run = Run(layout, layout.zeros(), memories, zero, ids, T=T, n_threads=n_threads).steps(2)
    by = layout.tensors(run.params).by
    assert by.all()
    by[:] = 0
    assert not any(array.any() for array in (run.params, *run.state))


def test_huge_logits_keep_the_loss_finite(kernels, dtype):
    layout, params, memories, state, ids = start(dtype, 1, 5)
    layout.tensors(params).by[:] = np.linspace(-1e4, 1e4, V)
    check_against_reference((layout, params, memories, state, ids), 1, T=5)


@pytest.mark.parametrize(
    ("B", "T", "n_threads", "H"),
    [(1, 3, 1, 37), (5, 3, 1, 16), (5, 3, 3, 131), (5, 17, 2, 37), (5, 67, 5, 131), (1, 67, 1, 1)],
)
@pytest.mark.parametrize("cell", CELLS)
def test_packed_weights_follow_update(kernels, dtype, cell, B, T, n_threads, H):
    run = Run(*start(dtype, B, T, H=H, cell=cell, num_layers=2), T=T, n_threads=n_threads)
    check_packed_weights(run, kernels)


def test_packed_columns_of_symbols_left_over_from_whole_vectors_follow_the_update(kernels, dtype):
    check_packed_weights(Run(*start(dtype, 5, 37, V=17, H=37), T=37, n_threads=2), kernels)


# -------------------------------------------------------------------------- dropout


def masks_of(shape, dtype, *arguments):
    """Return the factors (T, B, H) of one layer."""
    a = np.ones(shape, dtype)
    single_kernels(dtype).multiply_by_mask(a, *arguments)
    return a


MASKS = pytest.mark.parametrize(
    ("rate", "seed", "step", "layer"),
    [
        (0.0, 7, 1, 1), (2**-24, 2**63, 2**33 + 1, 63), (0.1, 0, 0, 0), (0.5, 2**32 + 7, 1, 1),
        (0.97, 2**64 - 1, 2**32 - 1, 2), (1 - 2**-24, 7, 1, 1),
    ],
)  # fmt: skip


@MASKS
def test_dropout_masks_match_reference(kernels, dtype, rate, seed, step, layer):
    T, B, H, first_stream = 3, 2, 131, 5 * layer
    factors = masks_of((T, B, H), dtype, rate, seed, step, layer, first_stream)
    for t, b in np.ndindex(T, B):
        expected = reference_dropout.dropout_mask(seed, step, layer, t, first_stream + b, H, rate)
        assert factors[t, b].tobytes() == expected.astype(dtype).tobytes()


@MASKS
def test_weight_masks_match_reference(kernels, dtype, rate, seed, step, layer):
    shape = 37, 4 * 37
    expected = reference_dropout.weight_mask(seed, step, layer, shape, rate).astype(dtype).ravel()
    for first in (0, 1, 3001):
        w = np.ones(expected.size - first, dtype)
        single_kernels(dtype).multiply_by_weight_mask(w, rate, seed, step, layer, first)
        assert w.tobytes() == expected[first:].tobytes()
    single_kernels(dtype).multiply_by_weight_mask(np.empty(0, dtype), rate, seed, step, layer, 0)


def test_dropout_masks_do_not_depend_on_how_streams_are_dealt_out(kernels, dtype):
    whole = masks_of((5, 7, 11), dtype, 0.4, 3, 17, 1, 2)
    for first, last in itertools.combinations(range(8), 2):
        some = masks_of((5, last - first, 11), dtype, 0.4, 3, 17, 1, 2 + first)
        np.testing.assert_array_equal(some, whole[:, first:last])


@pytest.mark.parametrize("rate", [0.05, 0.5, 0.9])
def test_dropout_keeps_the_mean_everywhere(kernels, rate):
    shape = (101, 31, 97)
    factors = masks_of(shape, np.float64, rate, 5, 13, 0, 0)
    assert set(np.unique(factors)) == {0, 1 / (1 - rate)}
    deviation = np.sqrt(rate / (1 - rate))
    for axes in [(0, 1, 2), (0, 1), (0, 2), (1, 2)]:  # of all, of each unit, stream and time step
        n = math.prod(shape[axis] for axis in axes)
        assert np.abs(factors.mean(axis=axes) - 1).max() < 5 * deviation / np.sqrt(n)
    for axis in range(3):  # neighbors have nothing to do with each other
        a, b = np.delete(factors, 0, axis), np.delete(factors, -1, axis)
        assert abs(np.mean((a - 1) * (b - 1))) < 5 * deviation**2 / np.sqrt(a.size)


# ------------------------------------------------------------------------- inference

INFERRED = [(1, 1, 1), (2, 3, 2), (13, 11, 1), (67, 37, 7), (257, 101, 3)]  # V, H, B


def a_network(dtype, V, H, B, cell, num_layers=2):
    """Return a layout, parameters, the same for the reference in double precision, and states."""
    layout, params = network(V, H, dtype, cell=cell, num_layers=num_layers, scale=0.3)
    wide, doubled = in_double(layout, params)
    return layout, params, wide.tensors(doubled), states(B, H, dtype, cell=cell, num_layers=num_layers)


def copied(state):
    return tuple(array.copy() for array in state)


def states_are_close(state, expected, dtype):
    for a, b in zip(state, expected, strict=True):
        np.testing.assert_allclose(a, b, atol=tolerance(dtype))


def with_lengths(*lengths):
    """Return the sizes of INFERRED, each with one of these numbers of steps: one block of the workspace or several."""
    return [(*size, n) for size, n in zip(INFERRED, itertools.cycle(lengths))]


@functools.cache
def a_text(name, cell, V, H, B, n):
    """Return a network, its states, symbols, and the log-probabilities and last states of the reference."""
    layout, params, p, before = a_network(np.dtype(name), V, H, B, cell)
    x = symbols(V, n * B, np.int32).reshape(n, B)
    return layout, params, before, x, *reference.log_probabilities(p, cell, x, state_in_double(before))


@pytest.mark.parametrize(("V", "H", "B", "n"), with_lengths(523, 5, 67, 1))
@pytest.mark.parametrize("cell", CELLS)
def test_scores_match_reference(kernels, dtype, cell, V, H, B, n):
    layout, params, before, x, *wanted = a_text(dtype.name, cell, V, H, B, n)
    check_scores(pack(layout, params), x, before, wanted)


# Every network at every size, and each of these with some of the temperatures.
SAMPLED = [
    (*pair[0], *pair[1], temperature)
    for pair, temperature in zip(
        itertools.product([("rnn", 1), ("rnn", 2), ("gru", 1), ("gru", 3), ("lstm", 2)], INFERRED[::2]),
        itertools.cycle([0.0, 0.3, 1.0, 3.0]),
    )
]


@pytest.mark.parametrize(("cell", "num_layers", "V", "H", "B", "temperature"), SAMPLED)
def test_samples_match_reference(kernels, dtype, cell, num_layers, V, H, B, temperature):
    n = 41
    layout, params, p, before = a_network(dtype, V, H, 1, cell, num_layers)
    out, state, uniforms = drawn(pack(layout, params), before, range(B), n, temperature=temperature)
    # Compare the states for the drawn symbols, since rounding may decide a draw differently.
    layers, _ = reference.forward(p, cell, out, repeated(state_in_double(before), B))
    states_are_close(state, reference.state_after(layers), dtype)
    margin = tolerance(dtype)
    differing = 0
    for t, b in np.ndindex(n, B):
        y = layers[-1].h[t, b] @ p.Wy + p.by
        if out[t, b] == reference.draw(y, uniforms[t, b], temperature):
            continue
        differing += 1
        if temperature == 0:
            assert y[out[t, b]] >= y.max() - margin
        else:
            low, high = (reference.draw(y, uniforms[t, b] + e, temperature) for e in (-margin, margin))
            assert low <= out[t, b] <= high
    assert differing <= n * B // 100
    assert V == 1 or temperature == 0 or len(np.unique(out)) > 1


def test_sampled_symbols_have_the_probabilities_of_the_softmax(kernels, dtype):
    layout, params = network(7, 5, dtype)
    n, packed = 20_011, pack(layout, params)
    uniforms = Uniforms(root(6), range(n))
    out = text_sampler(packed, Context.empty(packed), 1, uniforms, SamplingControls()).run().ids
    p = np.exp(reference.log_softmax(layout.tensors(params).by.astype(np.float64)))
    assert (np.abs(np.bincount(out, minlength=7) / n - p) < 5 * np.sqrt(p * (1 - p) / n)).all()


def numbers_that_begin_with(u, count):
    """Return this many streams of random numbers; each begins with u."""
    uniforms = Uniforms(root(0), range(count))
    increment = int(uniforms.increment[0]) << 64 | int(uniforms.increment[1])
    after = int(u * 2.0**53) << 11  # a state whose upper half is 0 becomes the number as it is
    before = (after - increment) * pow(MULTIPLIER, -1, MODULUS) % MODULUS
    uniforms.states[:] = before >> 64, before & 2**64 - 1
    return uniforms


@pytest.mark.parametrize("u", [0.0, 0.5, np.nextafter(1.0, 0.0)])
def test_a_symbol_without_probability_is_never_drawn(kernels, dtype, u):
    # Not the first, nor the last, nor the padding after it, nor at a temperature that leaves one symbol alone.
    layout = Layout(5, 3, dtype)
    params = layout.zeros()
    layout.tensors(params).by[:] = [-np.inf, 0, -1e5, 0.5, -np.inf]
    network = pack(layout, params)
    assert (numbers_that_begin_with(u, 2).draw(1) == u).all()
    for temperature, allowed in [(1.0, {1, 3}), (1e-4, {3}), (1e-300, {3}), (0.0, {3}), (1e6, {1, 2, 3})]:
        controls = SamplingControls(numbers={**OFF, "temperature": temperature})
        uniforms = numbers_that_begin_with(u, 2)
        sampler = text_sampler(network, Context.empty(network), 3, uniforms, controls)
        for _ in range(3):
            uniforms.states[:] = numbers_that_begin_with(u, 2).states
            sampler.advance(1)
        assert set(sampler.run().ids) <= allowed


@pytest.mark.parametrize(("u", "symbol"), [(0.0, 17), (0.5, 34)])
def test_draw_at_the_border_of_two_symbols_takes_the_second(kernels, dtype, u, symbol):
    # The symbols are in different blocks of those that a draw skips, and nothing before the first one has probability.
    layout = Layout(35, 3, dtype)
    params = layout.zeros()
    layout.tensors(params).by[:] = -np.inf
    layout.tensors(params).by[[17, 34]] = 0
    network, uniforms = pack(layout, params), numbers_that_begin_with(u, 1)
    assert text_sampler(network, Context.empty(network), 1, uniforms, SamplingControls()).run().ids == [symbol]


def test_temperature_zero_takes_the_first_of_equal_logits(kernels, dtype):
    layout = Layout(19, 3, dtype)
    params = layout.zeros()
    layout.tensors(params).by[[5, 18]] = 1
    network = pack(layout, params)
    assert drawn(network, network.zero_state(1), range(1), 1, temperature=0.0)[0] == 5


# ------------------------------------------------------------------------- the checks


def grown(a, axis):
    return np.concatenate([a, a[(slice(None),) * axis + (slice(1),)]], axis=axis)


def shrunk(a, axis):
    return np.ascontiguousarray(np.delete(a, -1, axis=axis))


OWN = ["params", "panels"]
OF_THE_TEAM = ["losses", "squares"]
OF_A_SHARD = ["gradient", "h", "c", "gates", "dropped", "y", "dh", "carry", "losses"]
OF_A_THREAD = ["x", "scratch", "occurs"]


class Refusal:
    """Replace an array of a training call, which the call must refuse before changing anything."""

    def __init__(self, cell="lstm"):
        arguments = start("float64", 5, 3, cell=cell, num_layers=2, optimizer="adam")
        self.run = Run(*arguments, T=3, n_threads=2, optimizer="adam", dropout=0.3)
        self.before = self.run.bits()

    def arrays(self):
        """Return the names of all arrays and themselves."""
        trainer, shard = self.run.trainer, self.run.trainer.team.shards[1]
        own = {name: getattr(trainer, name) for name in OWN}
        own |= {f"team {name}": getattr(trainer.team, name) for name in OF_THE_TEAM}
        own |= {f"state {i}": array for i, array in enumerate(trainer.optimizer_state)}
        own |= {f"thread {name}": getattr(shard.threads[0], name) for name in OF_A_THREAD}
        return own | {f"shard {name}": getattr(shard, name) for name in OF_A_SHARD}

    def check(self, name, array):
        trainer = self.run.trainer
        kind, *rest = name.split()
        if kind == "state":
            state = tuple(array if i == int(rest[0]) else a for i, a in enumerate(trainer.optimizer_state))
            trainer.optimizer_state = state
        elif kind == "shard":
            setattr(trainer.team.shards[1], rest[0], array)
        elif kind == "thread":
            setattr(trainer.team.shards[1].threads[0], rest[0], array)
        elif kind == "team":
            setattr(trainer.team, rest[0], array)
        else:
            setattr(trainer, name, array)
        with pytest.raises((ValueError, TypeError)), trainer:
            trainer._take_steps(np.full(2, 0.1))
        assert self.run.bits() == self.before


ARRAYS = [(name, array.ndim) for name, array in Refusal().arrays().items()]
PLACES = [(name, axis) for name, ndim in ARRAYS for axis in range(ndim)]


@pytest.mark.parametrize("change", [grown, shrunk])
@pytest.mark.parametrize(("name", "axis"), PLACES)
def test_training_refuses_an_array_of_another_size(name, axis, change):
    refusal = Refusal()
    refusal.check(name, change(refusal.arrays()[name], axis))


def block_of(spoil):
    """Return a function that gives a trainer's block other ids."""
    return lambda trainer: setattr(
        trainer, "_block", SimpleNamespace(ids=spoil(trainer._block.ids), starts_epoch=False)
    )


def attribute(of, name, value):
    """Return a function that replaces an attribute of a trainer, its team, a shard, or the shard's thread."""

    def spoil(trainer):
        shard = trainer.team.shards[1 if of == "second shard" else 0]
        owners = {"team": trainer.team, "trainer": trainer, "cursor": trainer.cursor, "thread": shard.threads[0]}
        setattr(owners.get(of, shard), name, value(trainer) if callable(value) else value)

    return spoil


def other_shard(s, T):
    """Return a function that gives a team a shard of another number of time steps."""

    def spoil(trainer):
        streams = trainer.team.shards[s].streams
        trainer.team.shards = [*trainer.team.shards[:s], *trainer.team.shards[s + 1 :]]
        trainer.team.shards.insert(s, Shard(trainer.network, trainer.state.layout, T, streams, True))

    return spoil


# What is wrong with a trainer, the threads that see it, and the words of the message.
STEPS = [
    *((lambda trainer: None, rank, f"rank must be from 0 to 1, not {rank}") for rank in (-1, 2)),
    *((block_of(spoil), 1, words) for spoil, words in (
        (lambda ids: ids[1:], "streams in the block: size is 4, but must be 5"),
        (lambda ids: np.repeat(ids, 2, axis=1)[:, ::2], "contiguous"), (lambda ids: ids[:, ::-1], "contiguous"),
        (lambda ids: ids[0], "dimensions"), (lambda ids: ids.astype("V3"), "with 3 bytes"),
        (lambda ids: ids.astype(np.uint64), "with 8 bytes"),
        (lambda ids: ids.astype(np.int16), "of type 'h' with 2 bytes"))),
    *((attribute("second shard", "first_stream", value), 1, "exceed") for value in (3, -1)),
    (attribute("cursor", "position", -1), 1, "position must be at least 0"),
    *((attribute("trainer", "optimizer_state", lambda trainer, n=n: (trainer.optimizer_state * 2)[:n]), 1,
       "optimizer state") for n in (0, 1, 3)),
    (attribute("trainer", "network", None), 1, "network"), (attribute("trainer", "cursor", None), 1, "cursor"),
    (attribute("trainer", "network", lambda trainer: core.Network(trainer.state.layout, Packing(one_row=False))), 0,
     "packed for inference, but must be packed for training"),
    (attribute("team", "shards", lambda trainer: trainer.team.shards[:1] * (MAX_SHARDS + 1)), 0,
     f"at most {MAX_SHARDS} shards, not {MAX_SHARDS + 1}$"),
    (attribute("team", "shards", lambda trainer: []), 0, "at least 1 shard"),
    # Each thread sees it, whichever shards are its own.
    *((other_shard(s, T), rank, "time steps of a shard: size") for s in (0, 1) for T in (2, 4) for rank in (0, 1)),
    (attribute("team", "barrier", None), 0, "the team has no barrier"),
    (attribute("team", "barrier", core.Barrier(3)), 0, "threads at the barrier: size is 3, but must be 2"),
    *((attribute("shard", name, value), 0, words) for name, value, words in (
        ("barrier", None, "a shard has no barrier"),
        ("barrier", core.Barrier(2), "threads at a shard's barrier: size is 2, but must be 1"),
        ("threads", [], "needs the arrays of 1 threads, but has those of 0"),
        ("gradient", None, "gradient must be an array, not None"), ("losses", None,
         "losses must be an array, not None"))),
    *((attribute("thread", name, value), 0, words) for name, value, words in (
        ("x", None, "x and occurs must be arrays, not None"), ("occurs", None, "x and occurs must be arrays, not None"),
        ("x", np.empty((1, 2), np.int32), "at least 1 time step and 1 stream, not 0 x 2"),
        ("x", np.empty((5, 0), np.int32), "at least 1 time step and 1 stream, not 4 x 0"))),
]  # fmt: skip


@pytest.mark.parametrize(("spoil", "rank", "words"), STEPS, ids=[words for *_, words in STEPS])
def test_a_step_refuses_an_invalid_trainer(monkeypatch, spoil, rank, words):
    monkeypatch.setattr(core, "break_barriers", lambda team: None)  # nobody waits
    refusal = Refusal()
    with refusal.run.trainer as trainer:
        shards = trainer.team.shards
        owners = [trainer, trainer.team, *shards, *(shard.threads[0] for shard in shards)]
        before, position = [dict(vars(owner)) for owner in owners], trainer.cursor.position
        spoil(trainer)
        with pytest.raises((ValueError, TypeError), match=words):
            trainer._train(rank, np.full(2, 0.1))
        for owner, attributes in zip(owners, before, strict=True):
            vars(owner).update(attributes)
        trainer.cursor.position = position
    assert refusal.run.bits() == refusal.before


@pytest.mark.parametrize("n", [1, 2, 5])
@pytest.mark.parametrize("position", [0, 3, 7])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32])
def test_training_reads_no_further_than_a_block_holds(dtype, position, n):
    arguments = start("float64", 5, 3)
    wanted = position + n * 3 + 1  # the last target as well
    block = symbols(V, 5 * wanted, dtype).reshape(5, wanted)
    expected, refused = Run(*arguments, T=3), Run(*arguments, T=3, n_threads=2)
    before = refused.bits()
    for run, ids in ((expected, block), (refused, block[:, :-1])):
        run.trainer._block = run.trainer._block._replace(ids=ids)
        run.cursor.position = position
    with expected.trainer as trainer:
        trainer._train(0, np.full(n, 0.1))
    assert (expected.cursor.position, expected.cursor.n_steps) == (wanted - 1, n)
    with pytest.raises(ValueError, match=f"too few for {n} steps of 3 at"), refused.trainer as trainer:
        trainer._train(1, np.full(n, 0.1))
    refused.cursor.position = 0
    assert refused.bits() == before


def test_training_zeroes_the_states_when_told_to():
    arguments = start("float64", 5, 3, cell="lstm", num_layers=2)
    zero = tuple(np.zeros_like(array) for array in arguments[3])
    told, expected = Run(*arguments, T=3, n_threads=2), Run(*arguments[:3], zero, arguments[4], T=3, n_threads=2)
    told.trainer._block = told.trainer._block._replace(starts_epoch=True)
    assert told.steps(2).bits() == expected.steps(2).bits()


def test_network_packed_for_few_rows_refuses_long_chunks(kernels):
    layout, params = network(V, H)
    run = Run(layout, params, *start("float64", 7, 83)[2:], T=83)
    run.trainer.network = kernels.Network(layout, Packing(one_row=False, many=False, training=True))
    run.trainer.panels = np.zeros(run.trainer.network.panels_size)
    with pytest.raises(ValueError, match="for few rows"), run.trainer as trainer:
        trainer._train(0, np.full(1, 0.1))


@pytest.mark.parametrize(
    "wrong", [{"units": H + 1}, {"units": 0}, {"symbols": V + 1}, {"boundary": V}, {"boundary": -2}]
)
def test_refuses_units_and_symbols_beyond_the_layout(kernels, wrong):
    with pytest.raises(ValueError, match="do not fit"):
        kernels.Network(network(V, H)[0], Packing(one_row=False), **wrong)


@pytest.mark.parametrize("cell", ["rnn", "gru"])
@pytest.mark.parametrize("name", OF_A_SHARD)
def test_other_cells_refuse_an_array_of_another_size(cell, name):
    refusal = Refusal(cell)
    array = refusal.arrays()[f"shard {name}"]
    refusal.check(f"shard {name}", grown(array, 0) if array.size else np.ones([2] * array.ndim))


@pytest.mark.parametrize("name", [name for name, _ in ARRAYS])
def test_training_refuses_another_dtype_or_order(name):
    for wrong in (lambda a: a.astype(np.float32), lambda a: np.repeat(a, 2, axis=-1)[..., ::2]):
        refusal = Refusal()
        refusal.check(name, wrong(refusal.arrays()[name]))


@pytest.mark.parametrize(
    ("cell", "n_threads", "ids", "bad"),
    [
        ("rnn", 1, "uint8", V), ("gru", 3, "uint8", 255), ("lstm", 1, "uint16", 2**16 - 1), ("rnn", 3, "uint32", 2**31),
        ("lstm", 1, "uint32", 2**32 - 1),
    ],
)  # fmt: skip
def test_training_refuses_an_id_out_of_range(kernels, cell, ids, bad, n_threads):
    layout, params, sum_, state, text = start("float64", 5, 3, ids=ids, cell=cell)
    text[len(text) // 2] = bad
    run = Run(layout, params, sum_, state, text, T=3, n_threads=n_threads)
    with pytest.raises(ValueError, match="below the vocabulary's size 13"):
        run.steps(4)
    assert np.isfinite(run.params).all()


@pytest.mark.parametrize("cell", CELLS)
def test_packing_refuses_arrays_of_another_size_or_dtype(kernels, dtype, cell):
    layout, params = network(V, H, dtype, cell=cell)
    net = kernels.Network(layout, Packing(one_row=False, training=True))
    panels = np.zeros(net.panels_size, dtype)
    kernels.pack_weights(net, params, panels)
    other = np.float32 if dtype == np.float64 else np.float64
    for wrong in [(params[:-1], panels), (params, panels[:-1]), (params.astype(other), panels.astype(other))]:
        with pytest.raises(ValueError, match=r"shape|bytes"):
            kernels.pack_weights(net, *wrong)
    with pytest.raises((ValueError, TypeError)):
        kernels.pack_weights(net, params.astype(other), panels)


def test_refuses_too_many_layers(kernels):
    def stacked(layers):
        layout = Layout(2, 1, np.dtype("float32"), "gru", layers)
        return kernels.Network(layout, Packing(one_row=True, many=False, training=True))

    stacked(MAX_LAYERS)
    with pytest.raises(ValueError, match=f"at most {MAX_LAYERS} layers, not {MAX_LAYERS + 1}"):
        stacked(MAX_LAYERS + 1)


def draw_texts(core, arguments, mixture=None):
    """Call `sample_texts` with its arguments by name, those it takes as one structure gathered; return its session."""

    def some(structure):
        return structure(**{name: arguments[name] for name in structure._fields if name in arguments})

    controls = core.Controls(
        OFF | {"repetition_penalty": 1.3}, **{name: arguments[name] for name in ("bias", "seen", "order")}
    )
    session = core.Session(some(PackedWeights), 1, 2)
    core.sample_texts(session, some(DrawnTexts), controls, 3, mixture)
    return session


def arguments_of_texts(core, cell):
    """Return the arguments of `sample_texts`: 5 texts of up to 7 symbols, 2 at a time, with two stops and controls."""
    layout, params = network(V, H, cell=cell, num_layers=2, n_bigrams=29)
    packed = pack(layout, params)
    wide = packed.layout.vocab_size
    return {
        "network": packed.network, "params": packed.params, "panels": packed.panels, "start_logits": np.zeros(wide),
        "start": [*(np.zeros((2, 1, packed.layout.hidden_size)) for _ in layout.kind.states),
                  np.zeros((1, 1, 1), np.int32)],
        "batch": core.Batch(np.zeros(2, np.intp)), "symbols": np.zeros((5, 7), np.int32),
        "lengths": np.zeros(5, np.intp), "max_length": 7, "increment": np.ones(2, np.uint64),
        "random_states": np.arange(10, dtype=np.uint64).reshape(5, 2), "stops": np.array([1, 2, 3], np.int32),
        "stop_ends": np.array([2, 3], np.intp), "bias": np.zeros(wide), "seen": np.zeros((5, wide), np.uint8),
        "order": np.zeros(wide, np.int32),
    }  # fmt: skip


@pytest.mark.parametrize("change", [grown, shrunk])
@pytest.mark.parametrize("cell", CELLS)
def test_refuses_texts_of_another_shape(kernels, cell, change):
    arguments = arguments_of_texts(kernels, cell)
    draw_texts(kernels, arguments)
    assert arguments["batch"].begun >= arguments["batch"].active == 2
    for name, value in arguments.items():
        if not isinstance(value, np.ndarray):
            continue
        for axis in range(value.ndim):
            if name in ("stops", "stop_ends") or (name, axis) == ("symbols", 1) or not value.size:
                continue  # the length is free
            wrong = {**arguments, "batch": kernels.Batch(np.zeros(2, np.intp)), name: change(value, axis)}
            with pytest.raises(ValueError, match=r"size|shape"):
                draw_texts(kernels, wrong)
    start = arguments["start"]
    changed = [[*start[:i], change(start[i], axis), *start[i + 1 :]] for i in range(len(start)) for axis in range(3)]
    for wrong in (start[1:], [*start, start[0]], *changed):
        with pytest.raises(ValueError, match=r"size|shape"):
            draw_texts(kernels, {**arguments, "start": wrong})


@pytest.mark.parametrize("cell", CELLS)
def test_refuses_texts_of_another_dtype_or_order(kernels, cell):
    arguments = arguments_of_texts(kernels, cell)
    for name, value in arguments.items():
        if isinstance(value, np.ndarray) and value.size > 1:
            for wrong in (value.astype(np.float32), np.repeat(value, 2, axis=-1)[..., ::2]):
                with pytest.raises((ValueError, TypeError)):
                    draw_texts(kernels, {**arguments, name: wrong})


def test_drawing_takes_denormal_numbers_for_zero_and_leaves_others_theirs(kernels):
    tiny = np.finfo(np.float64).tiny / 4
    layout, params = network(V, H, num_layers=2, n_bigrams=29)
    params[:] = 0
    layout.tensors(params).layers[0].bh[:] = tiny
    packed = pack(layout, params)
    arguments = arguments_of_texts(kernels, "rnn") | {"params": packed.params, "panels": packed.panels}
    session = draw_texts(kernels, arguments)
    assert arguments["lengths"][:2].min() > 0
    assert not any(array[:, 0].any() for array in session.hidden())
    assert (np.full(3, tiny) * 2 > tiny).all()


def shorter_arrays(arguments):
    """Return what belongs to fewer texts than the batch has begun."""
    return {name: arguments[name][:1] for name in ("symbols", "lengths", "random_states", "seen")}


# What is wrong with arguments of drawn texts; whether texts are drawn before; and the words of the message.
TEXTS = [
    ({"stop_ends": np.array([2, 4], np.intp)}, False, "stop 1 is empty, or ends outside the 3 symbols"),
    ({"stop_ends": np.array([2, 2], np.intp)}, False, "stop 1 is empty"),
    ({"stop_ends": np.array([0, 2], np.intp)}, False, "stop 0 is empty"),
    ({"max_length": 0}, False, "nothing to draw: 5 texts of at most 0 symbols, in 7 columns"),
    ({"symbols": np.zeros((5, 0), np.int32)}, False, "nothing to draw: .* in 0 columns"),
    ({"batch": core.Batch(np.zeros(3, np.intp))}, False, "rows of the batch: size is 3, but must be 2"),
    *(({name: None}, False, "") for name in (
        "network", "params", "panels", "start_logits", "start", "batch", "symbols", "lengths", "increment",
        "random_states", "stops", "stop_ends")),
    (shorter_arrays, True, "batch does not belong to these"),
    *(({"lengths": np.full(5, length, np.intp)}, True, "batch does not belong to these") for length in (-1, 8)),
]  # fmt: skip


@pytest.mark.parametrize(("wrong", "begun", "words"), TEXTS)
def test_refuses_invalid_arguments_of_drawn_texts(kernels, wrong, begun, words):
    arguments = arguments_of_texts(kernels, "gru")
    if begun:
        draw_texts(kernels, arguments)
    arguments |= wrong(arguments) if callable(wrong) else wrong
    with pytest.raises((ValueError, TypeError), match=words or None):
        draw_texts(kernels, arguments)


def test_refuses_a_mixture_with_other_symbols(kernels):
    counts = CountsNetwork(Counts(order=2, symbols=V + 1))
    letters = np.zeros(V + 1, np.uint8)
    mixture = kernels.MixedRows(np.ones((1, 2)), letters, *counts.row_source(counts.zero_state(1)))
    with pytest.raises(ValueError, match=f"symbols of the mixture: size is {V + 1}, but must be {V}"):
        draw_texts(kernels, arguments_of_texts(kernels, "rnn"), mixture)
