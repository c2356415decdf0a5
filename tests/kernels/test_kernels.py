"""The entry points of the kernels: each against its NumPy reference, in every instruction set and both dtypes.

Training goes through `Trainer` and inference through `PackedNetwork`, which are no more than the kernels with their
buffers. Products, variants of the network, and exp, tanh and sigmoid have files of their own.
"""

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
    in_turns,
    memory,
    network,
    single_kernels,
    states,
    symbols,
)
from reference_checks import (
    check_against_reference,
    check_run,
    check_scores,
    expected_in_double,
    expected_scores,
    tolerance,
)
from wrong_arrays import wrong_arrays

from crnn import _kernels
from crnn._kernels.entry import core
from crnn._kernels.entry.structures import DrawnTexts, PackedWeights, Packing
from crnn.inference.network import Context, Use
from crnn.inference.packed_network import PackedNetwork
from crnn.model.layout import Layout
from crnn.ngram.counts import Counts
from crnn.ngram.counts_network import CountsNetwork
from crnn.parameters.kinds import CELLS, OPTIMIZERS
from crnn.reference import dropout as reference_dropout
from crnn.reference import network as reference
from crnn.reference import optimizers as reference_optimizers
from crnn.sampling.controls import MODULUS, MULTIPLIER, OFF, CheckedControls, Uniforms, root
from crnn.sampling.text_sampler import text_sampler
from crnn.training.team import MAX_SHARDS, Shard

K_BLOCK = 512  # of register_tile.h: a deeper product is added up in pieces


def pack(layout, params, *, use=Use.MANY_STREAMS):
    return PackedNetwork.pack(layout, params, use=use)


# ------------------------------------------------------------------ instruction sets


def test_the_build_can_be_forced():
    name = _kernels.available("float32")[-1]
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
    monkeypatch.setattr(core, "processor", lambda: (level, bytes_too))
    general, narrow = ("baseline", "avx2", "avx512"), ("avx512_bf16", "amx")
    assert _kernels.available("float32") == general[: level + 1]
    assert _kernels.available("bfloat16") == (*general, *narrow)[: level + 1]
    with_bytes = (*general[: level + 1], "avx512_vnni" if level else "neon_dotprod")
    built = tuple(name for name in with_bytes if name != "neon_dotprod")
    assert _kernels.supported("int8") == (with_bytes if bytes_too else general[: level + 1])
    assert _kernels.available("int8") == (built if bytes_too else general[: level + 1])
    monkeypatch.setattr(_kernels, "_built", lambda name, kind: name in ("baseline", "neon_dotprod"))  # for ARM
    assert _kernels.available("float32") == ("baseline",)
    assert _kernels.available("int8") == ("baseline", "neon_dotprod")[: 1 + (bytes_too and not level)]


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
    monkeypatch.setattr(core, "processor", lambda: (2, False))
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


@in_turns("cell, num_layers, optimizer, B, T, n_threads, options", RUNS)
def test_training_step_matches_reference(kernels, dtype, cell, num_layers, optimizer, B, T, n_threads, options):
    # Six steps of a text of four chunks: across the end of the epoch.
    arguments = start(dtype, B, T, cell=cell, num_layers=num_layers, optimizer=optimizer)
    options = {"T": T, "learning_rate": 0.01, "optimizer": optimizer, **options}
    if optimizer == "adam":
        options |= {"weight_decay": 0.2, "optimizer_start": 2, "beta_1": 0.7, "beta_2": 0.96}
    run = Run(*arguments, n_steps=3, n_threads=n_threads, **options).steps(*[1] * 6)
    check_run(run, expected_in_double(arguments, 6, n_before=3, **options))


# Symbols, units, streams, steps and threads: every cell with every shape.
SIZES = [(cell, V, H, *shape) for cell, shape in itertools.product(CELLS, FEW + MANY)]
# Units and symbols around the width of a vector and of a panel; few rows (T = 3) and many (T = 17) in turns. The last
# are as wide as panels come: more columns than the strip of any register file.
NETWORKS = [(1, 1), (2, 16), (17, 2), (67, 31), (13, 97), (131, 67), (5, 137)]
SIZES += [(cell, *size, 5, T, 1) for (cell, size), T in zip(
    itertools.product(CELLS, NETWORKS), itertools.cycle([3, 17])
)] + [(cell, 5, 149, 1, 3, 1) for cell in CELLS]  # fmt: skip
# A product that is cut: 2 H or more are deeper than a block. One symbol more than whole vectors, over several blocks.
# More rows than the gradient of weights adds up at a time, in one time step.
SIZES += [("gru", 3, K_BLOCK // 2 + 7, 3, 23, 1), ("rnn", 17, 11, 50, 31, 1), ("rnn", 13, 11, 521, 2, 1)]


@in_turns("cell, V, H, B, T, n_threads", SIZES)
def test_training_matches_reference_at_any_size(kernels, dtype, cell, V, H, B, T, n_threads):
    arguments = start(dtype, B, T, V=V, H=H, cell=cell, num_layers=2)
    options = {"dropout": 0.2, "weight_dropout": 0.1, "dropout_seed": 3} if (V, H) == (13, 11) else {}
    check_against_reference(arguments, 2, n_threads=n_threads, T=T, learning_rate=0.01, **options)


def test_products_so_large_that_threads_poll_between_their_parts():
    # More than 2^28 multiplications for 128 rows of one backward product, and for all columns of the other one.
    arguments, options = start("float32", 13, 11, V=16411, H=131, ids=np.uint16), {"T": 11, "learning_rate": 0.01}
    run = Run(*arguments, **options).steps(1)
    check_run(run, expected_in_double(arguments, 1, **options))
    with run.trainer as trainer:
        core.break_barriers(trainer.team)
        trainer.team.shards[0].gradient[:] = 7
        trainer._train(0, np.full(1, 0.1))
        assert (trainer.team.shards[0].gradient == 7).all()  # a broken barrier ends the step before its first product


@in_turns("ids, V", [(np.uint8, 256), (np.uint16, 257), (np.uint32, 1009)])
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


# Every cell, and rows of more than 2048 elements.
NORMS = [("rnn", V, H, 1, 7, 1, 0.3), ("gru", V, H, 5, 3, 3, math.inf), ("lstm", V, H, 5, 31, 2, 0.3)]
NORMS += [("cifg", V, H, 5, 3, 3, 0.3), ("rnn", 4099, 3, 2, 5, 1, math.inf)]


@in_turns("cell, V, H, B, T, n_threads, clip_norm", NORMS)
def test_the_norm_of_the_gradient_is_that_of_the_last_step(kernels, dtype, cell, V, H, B, T, n_threads, clip_norm):
    arguments = start(dtype, B, T, V=V, H=H, cell=cell, num_layers=2, ids=np.uint16)
    options = {"T": T, "n_threads": n_threads, "learning_rate": 0.01, "clip": 0.05, "clip_norm": clip_norm}
    run, before = Run(*arguments, **options).steps(3), Run(*arguments, **options).steps(2)
    wide, params = in_double(before.layout, before.params)
    text = contiguous_parts(before.streams).T[2 * T :]
    _, gradients, _ = reference.loss_and_gradients(
        wide.tensors(params), cell, text[:T].astype(np.intp), text[1 : T + 1].astype(np.intp), before.state
    )
    _, norm = reference_optimizers.clipped(gradients, math.inf, math.inf)
    assert run.cursor.gradient_norm == pytest.approx(norm, rel=tolerance(dtype))


def test_huge_logits_keep_the_loss_finite(kernels, dtype):
    layout, params, memories, state, ids = start(dtype, 1, 5)
    layout.tensors(params).by[:] = np.linspace(-1e4, 1e4, V)
    check_against_reference((layout, params, memories, state, ids), 1, T=5)


@in_turns("cell, B, T, n_threads, V, H", [
    ("rnn", 1, 3, 1, 13, 37), ("gru", 5, 3, 1, 13, 16), ("lstm", 5, 3, 3, 13, 131), ("cifg", 5, 17, 2, 13, 37),
    ("gru", 5, 67, 5, 13, 131), ("lstm", 1, 67, 1, 13, 1), ("rnn", 5, 37, 2, 17, 37),
])  # fmt: skip
def test_packed_weights_follow_update(kernels, dtype, cell, B, T, n_threads, V, H):
    run = Run(*start(dtype, B, T, V=V, H=H, cell=cell, num_layers=2), T=T, n_threads=n_threads)
    check_packed_weights(run, kernels)


# -------------------------------------------------------------------------- dropout

MASKS = in_turns(
    "rate, seed, step, layer",
    [
        (0.0, 7, 1, 1), (2**-24, 2**63, 2**33 + 1, 63), (0.1, 0, 0, 0), (0.5, 2**32 + 7, 1, 1),
        (0.97, 2**64 - 1, 2**32 - 1, 2), (1 - 2**-24, 7, 1, 1),
    ],
)  # fmt: skip


@MASKS
def test_dropout_masks_match_reference(kernels, dtype, rate, seed, step, layer):
    T, B, H, first_stream = 3, 2, 131, 5 * layer
    factors = np.ones((T, B, H), dtype)
    single_kernels(dtype).multiply_by_mask(factors, rate, seed, step, layer, first_stream)
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


# ------------------------------------------------------------------------- inference


def with_lengths(*lengths):
    """Return symbols, units, streams and steps: one block of the workspace or several."""
    sizes = [(1, 1, 1), (2, 3, 2), (13, 11, 1), (67, 37, 7), (257, 101, 3)]
    return [(*size, n) for size, n in zip(sizes, itertools.cycle(lengths))]


@in_turns("cell, V, H, B, n", [(cell, *size) for cell in CELLS for size in with_lengths(523, 5, 67, 1)])
def test_scores_match_reference(kernels, dtype, cell, V, H, B, n):
    layout, params = network(V, H, dtype, cell=cell, num_layers=2, scale=0.3)
    x, before = symbols(V, n * B, np.int32).reshape(n, B), states(B, H, dtype, cell=cell, num_layers=2)
    check_scores(pack(layout, params), x, before, expected_scores(layout, params, x, before))


def numbers_that_begin_with(u, count):
    """Return this many streams of random numbers; each begins with u."""
    uniforms = Uniforms(root(0), range(count))
    increment = int(uniforms.increment[0]) << 64 | int(uniforms.increment[1])
    after = int(u * 2.0**53) << 11  # a state whose upper half is 0 becomes the number as it is
    before = (after - increment) * pow(MULTIPLIER, -1, MODULUS) % MODULUS
    uniforms.states[:] = before >> 64, before & 2**64 - 1
    return uniforms


@in_turns("u", [(0.0,), (0.5,), (np.nextafter(1.0, 0.0),)])
def test_a_symbol_without_probability_is_never_drawn(kernels, dtype, u):
    # Not the first, nor the last, nor the padding after it, nor at a temperature that leaves one symbol alone.
    layout = Layout(5, 3, dtype)
    params = layout.zeros()
    layout.tensors(params).by[:] = [-np.inf, 0, -1e5, 0.5, -np.inf]
    network = pack(layout, params)
    assert (numbers_that_begin_with(u, 2).draw(1) == u).all()
    for temperature, allowed in [(1.0, {1, 3}), (1e-4, {3}), (1e-300, {3}), (0.0, {3}), (1e6, {1, 2, 3})]:
        controls = CheckedControls(numbers={**OFF, "temperature": temperature})
        uniforms = numbers_that_begin_with(u, 2)
        sampler = text_sampler(network, Context.empty(network), 3, uniforms, controls)
        for _ in range(3):
            uniforms.states[:] = numbers_that_begin_with(u, 2).states
            sampler.advance(1)
        assert set(sampler.run().ids) <= allowed


def test_draw_at_the_border_of_two_symbols_takes_the_second(kernels, dtype):
    # The symbols are in different blocks of those that a draw skips, and nothing before the first one has probability.
    layout = Layout(35, 3, dtype)
    params = layout.zeros()
    layout.tensors(params).by[:] = -np.inf
    layout.tensors(params).by[[17, 34]] = 0
    network = pack(layout, params)
    for u, symbol in ((0.0, 17), (0.5, 34)):
        uniforms = numbers_that_begin_with(u, 1)
        assert text_sampler(network, Context.empty(network), 1, uniforms, CheckedControls()).run().ids == [symbol]


def test_temperature_zero_takes_the_first_of_equal_logits(kernels, dtype):
    layout = Layout(19, 3, dtype)
    params = layout.zeros()
    layout.tensors(params).by[[5, 18]] = 1
    network = pack(layout, params)
    assert drawn(network, network.zero_state(1), range(1), 1, temperature=0.0)[0] == 5


# ------------------------------------------------------------------------- the checks


# The arrays that a training call reads.
ARRAYS = {
    "trainer": ["params", "panels", "optimizer_state"],
    "team": ["losses", "squares"],
    "shard": ["gradient", "h", "c", "gates", "dropped", "y", "dh", "carry", "losses"],
    "thread": ["x", "scratch", "occurs"],
}


class Refusal:
    """A training call, which must refuse a wrong array before it changes anything."""

    def __init__(self, cell="lstm"):
        arguments = start("float64", 5, 3, cell=cell, num_layers=2, optimizer="adam")
        self.run = Run(*arguments, T=3, n_threads=2, optimizer="adam", dropout=0.3)
        self.before = self.run.bits()
        trainer, shard = self.run.trainer, self.run.trainer.team.shards[1]
        self.owners = {"trainer": trainer, "team": trainer.team, "shard": shard, "thread": shard.threads[0]}

    def array(self, of, name):
        value = getattr(self.owners[of], name)
        return value[-1] if name == "optimizer_state" else value

    def check(self, of, name, array):
        before = getattr(self.owners[of], name)
        setattr(self.owners[of], name, (*before[:-1], array) if name == "optimizer_state" else array)
        with pytest.raises((ValueError, TypeError)), self.run.trainer as trainer:
            trainer._take_steps(np.full(2, 0.1))
        assert self.run.bits() == self.before


@pytest.mark.parametrize(("of", "name"), [(of, name) for of, names in ARRAYS.items() for name in names])
def test_training_refuses_an_array_of_another_size_dtype_or_order(of, name):
    for wrong in wrong_arrays(Refusal().array(of, name)):
        Refusal().check(of, name, wrong)


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
        ("threads", [], "needs arrays for 1 threads, but has arrays for 0"),
        ("gradient", None, "gradient must be an array, not None"), ("losses", None,
         "losses must be an array, not None"))),
    *((attribute("thread", name, value), 0, words) for name, value, words in (
        ("x", None, "x and occurs must be arrays, not None"), ("occurs", None, "x and occurs must be arrays, not None"),
        ("x", np.empty((1, 2), np.int32), "at least 1 time step and 1 stream, not 0 x 2"),
        ("x", np.empty((5, 0), np.int32), "at least 1 time step and 1 stream, not 4 x 0"))),
]  # fmt: skip


@pytest.mark.parametrize(("spoil", "rank", "words"), STEPS, ids=[words for *_, words in STEPS])
def test_a_step_refuses_an_invalid_trainer(monkeypatch, spoil, rank, words):
    refusal = Refusal()
    with refusal.run.trainer as trainer:
        core.break_barriers(trainer.team)  # a step that is not refused waits for nobody
        monkeypatch.setattr(core, "break_barriers", lambda team: None)
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


@pytest.mark.parametrize(("n", "position", "dtype"), [(1, 0, np.uint8), (2, 3, np.uint16), (5, 7, np.uint32)])
def test_training_reads_no_further_than_a_block_holds(n, position, dtype):
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


@pytest.mark.parametrize(("B", "T"), [(7, 83), (263, 2)])
def test_network_packed_for_few_rows_refuses_chunks_of_many(B, T):
    layout, params = network(V, H)
    run = Run(layout, params, *start("float64", B, T)[2:], T=T)
    run.trainer.network = core.Network(layout, Packing(one_row=False, many=False, training=True))
    run.trainer.panels = np.zeros(run.trainer.network.panels_size)
    with pytest.raises(ValueError, match="for few rows"), run.trainer as trainer:
        trainer._train(0, np.full(1, 0.1))


@pytest.mark.parametrize("cell", ["rnn", "gru"])
def test_other_cells_refuse_an_array_of_another_size(cell):
    for name in ARRAYS["shard"]:
        array = Refusal(cell).array("shard", name)
        Refusal(cell).check("shard", name, next(wrong_arrays(array)) if array.size else np.ones([2] * array.ndim))


@pytest.mark.parametrize(
    ("cell", "n_threads", "ids", "bad"),
    [
        ("rnn", 1, "uint8", V), ("gru", 3, "uint8", 255), ("lstm", 1, "uint16", 2**16 - 1), ("rnn", 3, "uint32", 2**31),
        ("lstm", 1, "uint32", 2**32 - 1),
    ],
)  # fmt: skip
def test_training_refuses_an_id_out_of_range(cell, n_threads, ids, bad):
    layout, params, sum_, state, text = start("float64", 5, 3, ids=ids, cell=cell)
    text[len(text) // 2] = bad
    run = Run(layout, params, sum_, state, text, T=3, n_threads=n_threads)
    with pytest.raises(ValueError, match="below the vocabulary's size 13"):
        run.steps(4)
    assert np.isfinite(run.params).all()


def test_packing_refuses_arrays_of_another_size_or_dtype(dtype):
    layout, params = network(V, H, dtype, cell="lstm")
    net = core.Network(layout, Packing(one_row=False, training=True))
    panels = np.zeros(net.panels_size, dtype)
    core.pack_weights(net, params, panels)
    other = np.float32 if dtype == np.float64 else np.float64
    pairs = [(wrong, panels) for wrong in wrong_arrays(params)] + [(params, wrong) for wrong in wrong_arrays(panels)]
    for wrong in (*pairs, (params.astype(other), panels.astype(other))):
        with pytest.raises((ValueError, TypeError)):
            core.pack_weights(net, *wrong)


def draw_texts(arguments, mixture=None):
    """Call `sample_texts` with its arguments by name, those it takes as one structure gathered; return its session."""

    def some(structure):
        return structure(**{name: arguments[name] for name in structure._fields if name in arguments})

    controls = core.Controls(
        OFF | {"repetition_penalty": 1.3}, **{name: arguments[name] for name in ("bias", "seen", "order")}
    )
    session = core.Session(some(PackedWeights), 1, 2)
    core.sample_texts(session, some(DrawnTexts), controls, 3, mixture)
    return session


def arguments_of_texts(cell):
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


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_refuses_texts_of_another_size_dtype_or_order(cell):
    arguments = arguments_of_texts(cell)
    draw_texts(arguments)
    assert arguments["batch"].begun >= arguments["batch"].active == 2
    wrong, start = [("start", arguments["start"][1:]), ("start", arguments["start"] * 2)], arguments["start"]
    wrong += [("start", [*start[:i], a, *start[i + 1 :]]) for i, part in enumerate(start) for a in wrong_arrays(part)]
    free = {"stops": [], "stop_ends": [], "symbols": [0]}  # axes whose length is not free
    for name, array in arguments.items():
        wrong += [(name, a) for a in wrong_arrays(array, free.get(name))] if isinstance(array, np.ndarray) else []
    for name, value in wrong:
        with pytest.raises((ValueError, TypeError)):
            draw_texts({**arguments, "batch": core.Batch(np.zeros(2, np.intp)), name: value})


def test_drawing_takes_denormal_numbers_for_zero_and_leaves_others_theirs(kernels):
    tiny = np.finfo(np.float64).tiny / 4
    layout, params = network(V, H, num_layers=2, n_bigrams=29)
    params[:] = 0
    layout.tensors(params).layers[0].bh[:] = tiny
    packed = pack(layout, params)
    arguments = arguments_of_texts("rnn") | {"params": packed.params, "panels": packed.panels}
    session = draw_texts(arguments)
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
def test_refuses_invalid_arguments_of_drawn_texts(wrong, begun, words):
    arguments = arguments_of_texts("gru")
    if begun:
        draw_texts(arguments)
    arguments |= wrong(arguments) if callable(wrong) else wrong
    with pytest.raises((ValueError, TypeError), match=words or None):
        draw_texts(arguments)


def test_refuses_a_mixture_with_other_symbols():
    counts = CountsNetwork(Counts(order=2, symbols=V + 1))
    letters = np.zeros(V + 1, np.uint8)
    mixture = core.MixedRows(np.ones((1, 2)), letters, *counts.row_source(counts.zero_state(1)))
    with pytest.raises(ValueError, match=f"symbols of the mixture: size is {V + 1}, but must be {V}"):
        draw_texts(arguments_of_texts("rnn"), mixture)
