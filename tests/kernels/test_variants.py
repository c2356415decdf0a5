"""Every variant of the network in every instruction set: one test a property, over a table of variants.

The plain network is in test_kernels.py, products alone are in test_products.py, and documents in test_boundary.py.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import math
import os
import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from examples import (
    Run,
    check_packed_weights,
    drawn,
    in_double,
    in_turns,
    instruction_set,
    memory,
    network,
    not_built,
    repeated,
    sets,
    state_in_double,
    states,
    symbols,
)
from reference_checks import (
    check_against_reference,
    check_gradients,
    check_run,
    check_scores,
    check_threads,
    expected_in_double,
    expected_scores,
    gradient_of,
)
from wrong_arrays import wrong_arrays

from crnn import _kernels
from crnn._kernels.entry import core
from crnn._kernels.entry.structures import Packing
from crnn.inference.network import Use
from crnn.inference.packed_network import PackedNetwork
from crnn.model.int8_weights import int8_weights
from crnn.model.layout import Layout, SymbolPairs, aligned_zeros
from crnn.parameters.kinds import CELLS, OPTIMIZERS
from crnn.reference import network as reference
from crnn.reference.products import operands_in_bfloat16, operands_in_int8
from crnn.reference.sampled_softmax import candidates, sampled_softmax_loss
from crnn.reference.sampling import sample as reference_sample
from crnn.training.team import cut

SINGLE = np.dtype("float32")
WIDE = {"rnn": 192, "gru": 112, "cifg": 112, "lstm": 96}  # multiples of 16, and weights enough not to be packed
# Streams, steps and threads; first few rows and then many, which a BLAS and packed weights multiply: one stream or
# several; fewer rows than symbols; several blocks of time steps; a thread for each stream.
SHAPES = [(1, 7, 1), (3, 3, 1), (7, 2, 2), (1, 67, 1), (5, 31, 1), (50, 23, 1), (5, 1, 3)]
ONE_THREAD = [shape for shape in SHAPES if shape[2] == 1]


@dataclasses.dataclass
class Variant:
    """A variant of the network, how it is trained, and the sizes that it is trained at."""

    network: dict[str, Any] = dataclasses.field(default_factory=dict)  # arguments of `network`
    options: dict[str, Any] = dataclasses.field(default_factory=dict)  # of a run
    V: int = 13
    H: int | dict[str, int] = 11
    shapes: list[tuple[int, int, int]] = dataclasses.field(default_factory=lambda: SHAPES)

    @property
    def boundary(self):
        return self.options.get("boundary")

    @property
    def sampled(self):
        return self.options.get("n_sampled_symbols", 0)

    def start(self, dtype, B, T, *, cell="lstm", num_layers=1, optimizer="adagrad", V=None, H=None, **of_network):
        """Return what a run starts from: layout, parameters, optimizer state, hidden state, four chunks of text."""
        V, H = V or self.V, H or (self.H[cell] if isinstance(self.H, dict) else self.H)
        arguments = {**self.network, **of_network}
        layout, params = network(V, H, dtype, cell=cell, num_layers=num_layers, **arguments)
        of_pairs = V if arguments.get("n_bigrams") else None
        state = states(B, H, dtype, cell=cell, num_layers=num_layers, V=of_pairs)
        return layout, params, memory(layout, optimizer), state, symbols(V, B * (4 * T + 1) + 1, np.uint16)


DROPOUT = {"dropout": 0.2, "dropout_seed": 5}
VARIANTS = {
    "embedding": Variant({"embedding_size": 5}, {**DROPOUT, "weight_dropout": 0.1}),
    "bigrams": Variant({"n_bigrams": 67}, {**DROPOUT, "weight_dropout": 0.1, "state_reset": 0.3, "boundary": 11}),
    "boundary": Variant({}, {"dropout": 0.3, "dropout_seed": 2**62 + 11, "state_reset": 0.4, "boundary": 2}, V=3, H=5),
    "labels": Variant({}, {"boundary": 5}, V=9, H=5),  # the symbols above the boundary are labels
    "in_place": Variant({}, {**DROPOUT, "state_reset": 0.5}, V=7, H=WIDE, shapes=[(1, 5, 1), (1, 3, 1)]),
    "sampled": Variant({"embedding_size": 5}, {**DROPOUT, "n_sampled_symbols": 29}, V=131, shapes=ONE_THREAD),
}
WITH_TABLES = ["embedding", "bigrams"]
PACKED = [*WITH_TABLES, "sampled"]


# ------------------------------------------------------------------------------ training

STEPS = [
    (name, *kind, num_layers, *shape)
    for name, variant in VARIANTS.items()
    for kind, num_layers, shape in zip(
        itertools.product(CELLS, OPTIMIZERS), itertools.cycle([1, 2]), itertools.cycle(variant.shapes), strict=False
    )
]


@in_turns("name, cell, optimizer, num_layers, B, T, n_threads", STEPS)
def test_training_step_matches_reference(kernels, dtype, name, cell, optimizer, num_layers, B, T, n_threads):
    variant, rate = VARIANTS[name], 0.003 if name == "in_place" else 0.01
    arguments = variant.start(dtype, B, T, cell=cell, num_layers=num_layers, optimizer=optimizer)
    options = {"T": T, "learning_rate": rate, "optimizer": optimizer, "clip_norm": 0.7, **variant.options}
    options |= {"weight_decay": 0.1} if optimizer == "adam" else {}
    run = Run(*arguments, n_threads=n_threads, **options)
    assert run.trainer.network.in_place == (name == "in_place")
    check_run(run.steps(1, 1, 3), expected_in_double(arguments, 5, **options))  # past the end of an epoch


# Symbols, units, and the size of the variant: around the width of a vector and of a panel; vectors longer than the
# layer, and than the alphabet; fewer pairs than rows; all pairs of a large alphabet; strips of weights used in place.
SIZES = [
    *(("embedding", V, H, {"embedding_size": E}, 5) for V, H, E in [
        (1, 1, 1), (2, 16, 3), (67, 31, 16), (17, 3, 37), (131, 67, 33), (5, 97, 130)
    ]),
    *(("bigrams", V, H, {"n_bigrams": R, "embedding_size": E}, 5) for V, H, R, E in [
        (2, 1, 7, None), (17, 37, 1, None), (13, 67, 100, 5), (300, 5, 9001, None)
    ]),
]  # fmt: skip
CELLS_AND_SIZES = [(cell, *size, T) for (cell, size), T in zip(
    itertools.product(CELLS, SIZES), itertools.cycle([3, 17, 17, 3, 17]), strict=False
) if size[0] == "embedding" or cell == "cifg"]  # fmt: skip
CELLS_AND_SIZES += [(cell, "in_place", 7, H, {}, 1, 3) for cell, H in [("rnn", 208), ("gru", 144), ("lstm", 176)]]
CELLS_AND_SIZES += [("rnn", "in_place", 7, 192, {}, 1, 67)]  # from 64 rows on, the update computes no gradients
CELLS_AND_SIZES += [("gru", "embedding", 1009, 5, {}, 31, 50)]  # more symbols than a block has rows


@in_turns("cell, name, V, H, of_network, B, T", CELLS_AND_SIZES)
def test_training_matches_reference_at_any_size(kernels, dtype, cell, name, V, H, of_network, B, T):
    arguments = VARIANTS[name].start(dtype, B, T, cell=cell, V=V, H=H, **of_network)
    check_against_reference(arguments, 2, T=T, learning_rate=0.001 if name == "in_place" else 0.01)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(
    ("of_network", "parts", "options"),
    [
        ({"embedding_size": 2}, lambda p: [p.embedding, p.layers[0].Wx], {}),
        ({"n_bigrams": 11}, lambda p: [p.pair_table[:7]], {}),
        ({}, tuple, {"dropout": 0.4, "weight_dropout": 0.5, "dropout_seed": 11}),
    ],
    ids=["embedding", "bigrams", "dropout"],
)
def test_gradients_match_central_differences(cell, of_network, parts, options):
    B, T = 3, 7
    layout, params, _, state, ids = Variant(of_network, V=5, H=3).start("float64", B, T, cell=cell, num_layers=2)
    check_gradients(layout, params, ids, state, parts, T=T, n_threads=2, boundary=3, every=2, **options)


# A thread for each shard, fewer, and groups of threads; tests/kernels/test_thread_groups.py has every cell in groups.
ON_THREADS = [("rnn", 2, (2, 4)), ("gru", 5, (3, 5)), ("gru", 1, (2,)), ("lstm", 1, (2, 3)), ("cifg", 1, (2, 3))]


@in_turns("name, cell, n_shards, n_threads", [(name, *case) for name in PACKED for case in ON_THREADS])
def test_threads_do_not_change_bits(kernels, dtype, name, cell, n_threads, n_shards):
    arguments = VARIANTS[name].start(dtype, 11, 29, cell=cell, num_layers=2, H=101, optimizer="adam")
    options = {"T": 29, "weight_dropout": 0.1, "state_reset": 0.3, "n_sampled_symbols": VARIANTS[name].sampled}
    check_threads(arguments, n_threads, n_shards, **options)


SAMPLED = Variant({"embedding_size": 37}, {"n_sampled_symbols": 5})


@in_turns(
    "variant, cell, n_shards, n_threads",
    [(variant, *case) for variant in (Variant(), SAMPLED) for case in ON_THREADS],
    "bfloat16_kernels",
)
def test_threads_do_not_change_bits_of_bfloat16(bfloat16_kernels, variant, cell, n_threads, n_shards):
    arguments = variant.start(SINGLE, 11, 29, cell=cell, num_layers=2, H=101, optimizer="adam")
    check_threads(arguments, n_threads, n_shards, T=29, weight_dropout=0.1, bfloat16=True, **variant.options)


@in_turns("name, B, T", [(name, *size) for name in PACKED for size in [(3, 5), (5, 31)]])
def test_packed_weights_follow_update(kernels, dtype, name, B, T):
    arguments, options = VARIANTS[name].start(dtype, B, T, num_layers=2), {"n_sampled_symbols": VARIANTS[name].sampled}
    check_packed_weights(Run(*arguments, T=T, n_threads=2, **options), kernels)


def table_of(layout, flat):
    """Return the rows of a network's embedding, or of its pairs."""
    parts = layout.tensors(flat)
    return parts.embedding if layout.embedding_size else parts.pair_table


@in_turns("name, optimizer", itertools.product(WITH_TABLES, OPTIMIZERS))
def test_unread_rows_of_tables_stay(kernels, dtype, name, optimizer):
    layout, params, memories, state, ids = VARIANTS[name].start(dtype, 3, 5, optimizer=optimizer)
    ids %= 7
    if name == "bigrams":
        state[-1][:] = 0
        read = set(zip(ids[:-1].tolist(), ids[1:].tolist(), strict=True))
        unread = [i for i, pair in enumerate(layout.pairs.pairs.tolist()) if tuple(pair) not in read]
    else:
        unread = list(range(7, 13))
    run = Run(layout, params, memories, state, ids, T=5, optimizer=optimizer, learning_rate=0.1).steps(3)
    before, after = (table_of(layout, flat) for flat in (params, run.params))
    assert (np.delete(after, unread, axis=0) != np.delete(before, unread, axis=0)).any()
    # Adam continues in the direction of its mean, except for pairs, whose rows are skipped.
    stays = name == "bigrams" or optimizer == "adagrad" or optimizer == "rmsprop"
    assert (after[unread] == before[unread]).all() == stays
    if name == "bigrams":
        for old, new in zip(memories, run.memory, strict=True):
            assert (table_of(layout, new)[unread] == table_of(layout, old)[unread]).all()


WRONG_SIZES = [("embedding", name) for name in ("table", "vectors", "rows", "symbols", "numbers")]
WRONG_SIZES += [("bigrams", name) for name in ("before", "rows_of_pairs", "occurs")]
WRONG_SIZES += [("sampled", name) for name in (
    "columns", "dcolumns", "column_bias", "dcolumn_bias", "column_panels", "column_panels_back", "targets",
    "candidates", "candidate_places",
)]  # fmt: skip


@pytest.mark.parametrize(("variant", "name"), WRONG_SIZES)
def test_training_refuses_arrays_of_another_size(variant, name):
    run = Run(*VARIANTS[variant].start("float64", 5, 13), T=13, n_sampled_symbols=VARIANTS[variant].sampled)
    with run.trainer:
        shard = run.trainer.team.shards[0]
        owner = shard if hasattr(shard, name) else shard.threads[0]
        for wrong in wrong_arrays(getattr(owner, name), [0]):
            setattr(owner, name, wrong)
            with pytest.raises((ValueError, TypeError)):
                run.trainer._take_steps(np.full(1, 0.1))


# ------------------------------------------------------------------------------ inference

SCORED = [
    *((name, {}, cell) for name in ("embedding", "bigrams", "boundary", "labels") for cell in CELLS),
    *(("bigrams", {"embedding_size": 5}, cell) for cell in CELLS),
]


@in_turns("name, more, cell, B", [(*case, B) for case in SCORED for B in (1, 3)])
def test_scores_match_reference(kernels, dtype, name, more, cell, B):
    variant = VARIANTS[name]
    layout, params, _, state, ids = variant.start(dtype, B, 11, cell=cell, num_layers=2, **more)
    x = ids[: 31 * B].reshape(31, B).astype(np.int32)
    packed = PackedNetwork.pack(
        layout, params, use=Use.ONE_STREAM if B == 1 else Use.MANY_STREAMS, boundary=variant.boundary
    )
    check_scores(packed, x, state, expected_scores(layout, params, x, state, variant.boundary), cut=11)


DRAWN = [Variant(V=67, H=37), VARIANTS["bigrams"], VARIANTS["boundary"]]
CELLS_AND_STREAMS = [("rnn", 1), ("gru", 9), ("cifg", 3), ("lstm", 1)]


@in_turns("variant, cell, B", [(variant, *case) for variant in DRAWN for case in CELLS_AND_STREAMS])
def test_draws_match_reference(kernels, dtype, variant, cell, B):
    layout, params, _, state, _ = variant.start(dtype, 1, 7, cell=cell, num_layers=2)
    packed = PackedNetwork.pack(
        layout, params, use=Use.ONE_STREAM if B == 1 else Use.MANY_STREAMS, boundary=variant.boundary
    )
    found, after, uniforms = drawn(packed, state, range(B), 47, temperature=0.7)
    wide, flat = in_double(layout, params)
    before = repeated(state_in_double(state), B)
    arguments = wide.tensors(flat), cell, before, uniforms
    wanted, last = reference_sample(*arguments, temperature=0.7, boundary=variant.boundary)
    assert (wanted == variant.boundary).any() or variant.boundary is None
    np.testing.assert_array_equal(found, wanted)
    for mine, right in zip(after, last[: len(after)], strict=True):
        np.testing.assert_allclose(mine, right, atol=1e-4 if dtype == np.float32 else 1e-9)


# ------------------------------------------------------------------------------ rounded operands

# Where a number to be rounded is itself a sum, two right programs may round it to different neighbors. Such cases are
# rare: what is computed must be far nearer to the reference with rounding than the reference without.

ROUNDING = {"bfloat16": operands_in_bfloat16, "int8": operands_in_int8, "": contextlib.nullcontext}


@pytest.fixture(params=sets("bfloat16", "int8"))
def precision(request):
    """Run the test with each rounding of operands and each instruction set that has it; return the rounding."""
    precision, name = request.param
    with instruction_set(name):
        yield precision


def check_nearness(found, rounded, plain):
    """Check that `found` is less than half as far from the result of rounded operands as the result of plain ones is.

    A single state rounded to its other neighbor causes up to a third of that distance; an unrounded operand, 0.7.
    """
    scale = np.linalg.norm(rounded)
    assert np.linalg.norm(found - rounded) <= 0.45 * np.linalg.norm(plain - rounded) + 2e-6 * scale


def expected_rounded_step(rounding, arguments, options):
    """Return layout, gradient, states and loss of a step by the reference, in double precision."""
    with ROUNDING[rounding]():
        wide, after, (sum_,), state, (loss,) = expected_in_double(arguments, 1, **options)
    return wide, gradient_of(in_double(*arguments[:2])[1], after, sum_), state, loss


# Units and symbols around the width of a vector, of a panel, of a tile, odd and even; few rows and many; an embedding,
# whose sums of dz are operands; dropout.
ROUNDED_STEPS = [(13, 11, None, B, T, {}) for B, T in [(1, 3), (1, 67), (3, 5), (50, 23)]]
ROUNDED_STEPS += [(V, H, None, 5, 17, {}) for V, H in [(2, 16), (17, 1), (67, 31), (13, 97), (131, 67), (65, 128)]]
ROUNDED_STEPS += [(13, 11, 5, B, T, {}) for B, T in [(1, 3), (5, 31), (50, 23)]]
ROUNDED_STEPS += [(13, 11, None, 5, 7, {"dropout_seed": 5, rate: 0.3}) for rate in ("dropout", "weight_dropout")]
ROUNDED_STEPS += [(13, 11, None, 5, 31, {"n_threads": 2})]


@in_turns(
    "cell, V, H, E, B, T, options", [(cell, *case) for cell in CELLS for case in ROUNDED_STEPS], "bfloat16_kernels"
)
def test_bfloat16_gradients_match_reference(bfloat16_kernels, cell, V, H, E, B, T, options):
    variant = Variant({"embedding_size": E})
    layout, params, _, state, ids = variant.start(SINGLE, B, T, cell=cell, num_layers=1 if E else 2, V=V, H=H)
    arguments = layout, params, [layout.zeros()], state, ids
    options = {"clip": math.inf, "learning_rate": 0.001, "T": T, **options}
    run = Run(*arguments, bfloat16=True, **options).steps(1)
    options.pop("n_threads", None)
    rounded, plain = (expected_rounded_step(rounding, arguments, options) for rounding in ("bfloat16", ""))
    assert run.loss == pytest.approx(rounded[-1], rel=1e-4)
    found = layout.tensors(gradient_of(params, run.params, run.sum))
    for part in zip(found, rounded[0].tensors(rounded[1]), plain[0].tensors(plain[1]), strict=True):
        check_nearness(*part)
    for part in zip(run.state, rounded[2], plain[2], strict=True):
        check_nearness(*part)


# The last has an embedding, bigrams and a boundary.
ROUNDED_SIZES = [(13, 5), (65, 16), (13, 37), (67, 65), (97, 100), (2, 1)]
ROUNDED_NETWORKS = [(V, H, {}, None) for V, H in ROUNDED_SIZES]
ROUNDED_NETWORKS += [(13, 37, {"embedding_size": 7, "n_bigrams": 17}, 11)]


def rounded_network(precision, V, H, cell, boundary=None, **of_network):
    """Return a layout and its weights, and the arguments that pack them for this precision."""
    layout, params = network(V, H, SINGLE, cell=cell, num_layers=2, **of_network)
    if precision == "bfloat16":
        return layout, params, {"bfloat16": True, "boundary": boundary}
    params, scales = int8_weights(layout, params)
    return layout, params, {"scales": scales, "boundary": boundary}


@in_turns(
    "cell, V, H, of_network, boundary", [(cell, *case) for cell in CELLS for case in ROUNDED_NETWORKS], "precision"
)
def test_rounded_scores_match_reference(precision, cell, V, H, of_network, boundary):
    layout, params, packing = rounded_network(precision, V, H, cell, boundary, **of_network)
    B, n = 3, 29
    x, state = (
        symbols(V, n * B, np.int32).reshape(n, B),
        states(B, H, SINGLE, cell=cell, num_layers=2, V=V if layout.pairs else None),
    )
    wanted = {}
    for rounding in (precision, ""):
        with ROUNDING[rounding]():
            wanted[rounding] = expected_scores(layout, params, x, state, boundary)
    found = PackedNetwork.pack(layout, params, use=Use.MANY_STREAMS, **packing).log_probabilities(x, state)
    (rounded, after), (plain, _) = wanted[precision], wanted[""]
    check_nearness(found, rounded, plain)
    for a, b in zip(state, after, strict=True):
        np.testing.assert_allclose(a, b, atol=2e-2)


@in_turns("cell", [(cell,) for cell in CELLS] * 3, "precision")
def test_rounded_results_do_not_depend_on_batch(precision, cell):
    V, H, B, n = 13, 37, 35, 23
    layout, params, packing = rounded_network(precision, V, H, cell)
    x, state = symbols(V, n * B, np.int32).reshape(n, B), states(B, H, SINGLE, cell=cell, num_layers=2)
    many = PackedNetwork.pack(layout, params, use=Use.MANY_STREAMS, **packing)
    together, first_state = tuple(a.copy() for a in state), tuple(a[:, :1].copy() for a in state)
    log_p = many.log_probabilities(x, together)
    out, after, _ = drawn(many, first_state, range(B), n)
    for first, last in [(0, 1), (34, 35), (3, 20), (1, 34)]:
        for use in Use:
            packed = PackedNetwork.pack(layout, params, use=use, **packing)
            part = slice(first, last)
            own = tuple(a[:, part].copy() for a in state)
            np.testing.assert_array_equal(packed.log_probabilities(x[:, part].copy(), own), log_p[:, part])
            np.testing.assert_array_equal(own[0], together[0][:, part])
            ids, own, _ = drawn(packed, first_state, range(first, last), n)
            np.testing.assert_array_equal(ids, out[:, part])
            np.testing.assert_array_equal(packed.logits_after(own), many.logits_after(after)[part])


def test_rounded_network_keeps_its_bits_when_pickled_or_repacked(precision):
    layout, params, packing = rounded_network(precision, 13, 37, "lstm")
    packed, x = PackedNetwork.pack(layout, params, use=Use.MANY_STREAMS, **packing), symbols(13, 29, np.int32)[:, None]
    wanted = packed.log_probabilities(x, packed.zero_state(1))
    for same in (pickle.loads(pickle.dumps(packed)), packed.repack(Use.ONE_TEXT)):
        np.testing.assert_array_equal(same.log_probabilities(x, same.zero_state(1)), wanted)


def test_bfloat16_steps_multiply_by_updated_weights(bfloat16_kernels):
    arguments = Variant().start(SINGLE, 5, 7, H=17, num_layers=2)
    options = {"T": 7, "learning_rate": 0.1, "weight_dropout": 0.2, "dropout_seed": 3}
    run = Run(*arguments, bfloat16=True, **options).steps(3)
    with operands_in_bfloat16():
        wide, expected, _, _, losses = expected_in_double(arguments, 3, **options)
    for a, b in zip(run.layout.tensors(run.params), wide.tensors(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-2, atol=1e-3)
    assert run.loss == pytest.approx(losses[-1], rel=1e-3)


SMALL_SIGNAL_STACK = """
import ctypes
class Stack(ctypes.Structure):
    _fields_ = [("first", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t)]
room = ctypes.create_string_buffer(4096)  # too small for the registers of AMX: Linux then refuses them
assert ctypes.CDLL(None).sigaltstack(ctypes.byref(Stack(ctypes.addressof(room), 0, 4096)), None) == 0
from crnn import CharRNN, _kernels
CharRNN(5, max_steps=3, matmul_precision="bfloat16").fit("to be or not to be")
print(_kernels.bfloat16_set)
"""


@pytest.mark.skipif("amx" not in _kernels.supported("bfloat16"), reason="this processor has no AMX")
@pytest.mark.skipif("avx512_bf16" not in _kernels.available("bfloat16"), reason=not_built("avx512_bf16", "bfloat16"))
def test_amx_refused_by_the_system_falls_back_to_avx512_bf16():
    environment = {name: value for name, value in os.environ.items() if name != "CRNN_ISA"}
    command = [sys.executable, "-c", SMALL_SIGNAL_STACK]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["avx512_bf16"]


@pytest.mark.parametrize("scales", [None, np.ones(1, SINGLE)])
def test_packing_int8_refuses_missing_scales(scales):
    layout = Layout(16, 16, SINGLE)
    network = core.Network(layout, Packing(one_row=True, int8=True))
    with pytest.raises((TypeError, ValueError), match="scales"):
        core.pack_weights(network, layout.zeros(), aligned_zeros(network.panels_size, SINGLE), scales)


# ------------------------------------------------------------------------------ sampled softmax


# Each shard draws symbols of its own; one symbol, or all of them; weights used in place.
@in_turns("name, B, n_shards, sampled", [
    ("sampled", 11, 3, 13), ("sampled", 7, 1, 1), ("sampled", 2, 1, 200), ("in_place", 1, 1, 2),
])  # fmt: skip
def test_sampled_softmax_matches_reference(kernels, dtype, name, B, n_shards, sampled):
    arguments = VARIANTS[name].start(dtype, B, 7)
    options = {"T": 7, "learning_rate": 0.003, "n_sampled_symbols": sampled}
    wanted = expected_in_double(arguments, 3, shards=cut(range(B), n_shards), **options)
    check_run(Run(*arguments, n_shards=n_shards, **options).steps(3), wanted)


def logits_and_targets():
    rng = np.random.default_rng(0)
    return rng.normal(size=(3, 2, 131)), rng.integers(131, size=(3, 2))


def test_sampled_sum_is_on_average_the_sum_over_all_symbols():
    y, targets = logits_and_targets()
    whole, sums = np.exp(y).sum(axis=-1), []
    for step in range(2000):
        drawn, more = candidates(targets, vocab_size=131, sampled=20, seed=3, step=step)
        assert len(set(drawn.tolist())) == len(drawn) == len(set(targets.ravel().tolist())) + 26
        sums.append(np.exp(y[..., drawn] + more).sum(axis=-1))
    error = np.std(sums, axis=0) / np.sqrt(len(sums))
    assert (np.abs(np.mean(sums, axis=0) - whole) < 4 * error).all()
    assert (error < 0.015 * whole).all()


def test_sampled_softmax_of_all_symbols_is_the_softmax():
    y, targets = logits_and_targets()
    loss, dy = sampled_softmax_loss(y, targets, sampled=131, seed=0, step=0, shards=[range(2)])
    wanted, gradient = reference.softmax_loss(y, targets)
    assert loss == pytest.approx(wanted, rel=1e-12)
    np.testing.assert_allclose(dy, gradient, rtol=1e-12, atol=1e-15)


# ------------------------------------------------------------------------------ bigrams


def test_bigrams_read_by_another_process_are_updated(kernels, dtype):
    layout, params, memories, state, ids = VARIANTS["bigrams"].start(dtype, 5, 7)
    place, n = layout.tensors(np.arange(layout.size)).pair_table, len(layout.pairs)
    pairs = np.where(np.arange(n)[:, None] == n - 1, -1, layout.pairs.pairs)  # no text reads the last row
    layout = dataclasses.replace(layout, pairs=SymbolPairs(pairs))

    def other(gradient):
        gradient[place[-1]] += 1
        gradient[layout.size + layout.vocab_size + n - 1] = 1  # its flag

    run = Run(layout, params, memories, state, ids, T=7, reduce=other).steps(1)
    assert (layout.tensors(run.params).pair_table[-1] != layout.tensors(params).pair_table[-1]).all()


@pytest.mark.parametrize("written", [-(2**31), -3, 2**31 - 1])
def test_previous_symbol_out_of_range_means_none(written):
    layout, params, _, state, ids = VARIANTS["bigrams"].start("float64", 1, 7)
    packed, x = PackedNetwork.pack(layout, params, use=Use.ONE_STREAM), ids[:5].astype(np.int32)[:, None]
    none = tuple(array.copy() for array in state)
    state[-1][:], none[-1][:] = written, 0
    assert (packed.log_probabilities(x, state) == packed.log_probabilities(x, none)).all()


# ------------------------------------------------------------------------------ weights used in place


@in_turns("cell, optimizer", itertools.product(CELLS, OPTIMIZERS))
def test_gradient_has_the_same_bits_in_the_update_and_before_it(kernels, dtype, cell, optimizer):
    # The last step of a call measures the whole gradient, and a reducer sees it.
    arguments = VARIANTS["in_place"].start(dtype, 1, 5, cell=cell, num_layers=2, optimizer=optimizer)
    options = {"T": 5, "optimizer": optimizer, "learning_rate": 0.01, "clip": 0.02}
    together = Run(*arguments, **options).steps(4)
    assert Run(*arguments, **options).steps(1, 1, 1, 1).bits() == together.bits()
    reduced = Run(*arguments, reduce=lambda vector: None, **options).steps(4)
    assert reduced.trainer.network.in_place
    for ours, theirs in zip((reduced.params, *reduced.memory), (together.params, *together.memory), strict=True):
        np.testing.assert_array_equal(ours, theirs)


IN_PLACE = Packing(one_row=True, many=False, training=True, in_place=True)
NOT_IN_PLACE = [{"one_row": False}, {"in_place": False}]
NOT_IN_PLACE += [{"bfloat16": True, "many": True}, {"group_size": 2, "many": True}]


@pytest.mark.parametrize("change", NOT_IN_PLACE, ids=str)
def test_other_networks_pack_their_weights(change):
    assert core.Network(Layout(7, 192, SINGLE), IN_PLACE).in_place
    assert not core.Network(Layout(7, 192, SINGLE), IN_PLACE._replace(**change)).in_place
    assert not core.Network(Layout(7, 193, SINGLE), IN_PLACE).in_place


def test_weight_dropout_needs_packed_weights():
    arguments = VARIANTS["in_place"].start("float64", 1, 5)
    run = Run(*arguments, T=5, weight_dropout=0.2)
    assert not run.trainer.network.in_place
    run = Run(*arguments, T=5)
    run.trainer.settings = dataclasses.replace(run.trainer.settings, weight_dropout=0.2)
    with pytest.raises(ValueError, match="need packed recurrent weights"):
        run.steps(1)
