"""What the entry points check once, where they unpack a network or a call's arrays: no kernel checks it again."""

import numpy as np
import pytest
from examples import Run, memory, network, symbols

from crnn._kernels.entry import core
from crnn._kernels.entry.structures import Packing
from crnn._kernels.ngram import ngrams
from crnn.inference.network import Use
from crnn.inference.packed_network import PackedNetwork
from crnn.model.layout import Layout
from crnn.model.state import zero_hidden
from crnn.parameters.kinds import MAX_LAYERS

V, H = 16, 16  # whole vectors of every instruction set

TINY = np.finfo(np.float32).tiny / 4  # a denormal number


def test_logits_take_denormal_units_for_zero_and_leave_others_theirs():
    layout, params = network(V, H, "float32")
    params[:] = 1
    layout.tensors(params).by[:] = 0
    packed = PackedNetwork.pack(layout, params, use=Use.ONE_STREAM)
    y = np.empty((1, V), np.float32)
    core.logits(packed.kernel_arguments, np.full((1, H), TINY), y, np.empty(0, np.float32))
    assert not y.any()
    assert (np.full(3, TINY) * np.float32(2) > TINY).all()


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros((3, 3), np.int32), "type is 'i', but must be float32 or float64"),
        (np.zeros(3, np.float32), r"shape is \(3,\), but must have 2 dimensions"),
    ],
)
def test_refuses_other_types_and_dimensions(x, message):
    with pytest.raises(ValueError, match=message):
        core.multiply(x, np.zeros(16, np.float32), False, np.zeros((3, 3), np.float32))


@pytest.mark.parametrize(
    "call",
    [
        lambda found: core.workspace(found, 3, 2, False),
        lambda found: core.thread_workspace(found, 3, 2),
        core.reduced_size,
        core.squares_size,
    ],
)
@pytest.mark.parametrize("options", [{}, {"int8": True}, {"bfloat16": True}], ids=str)
def test_training_refuses_a_network_that_is_packed_for_inference(call, options):
    found = core.Network(network(V, H, "float32")[0], Packing(one_row=True, **options))
    with pytest.raises(ValueError, match="packed for inference, but must be packed for training"):
        call(found)


@pytest.mark.parametrize(("T", "B"), [(0, 3), (3, 0), (-1, 2), (2, -1), (0, 0)])
@pytest.mark.parametrize("of_thread", [False, True])
def test_workspace_refuses_to_hold_no_symbol(T, B, of_thread):
    found = core.Network(network(V, H, "float32")[0], Packing(one_row=False, training=True))
    with pytest.raises(ValueError, match=f"at least 1 time step and 1 stream, not {T} x {B}"):
        core.thread_workspace(found, T, B) if of_thread else core.workspace(found, T, B, False)


TRAINS = {"training": True, "many": False}
REFUSED = [
    ("float32", {}, {"bfloat16": True, **TRAINS}, {}, "the BLAS does not round operands"),
    ("float64", {}, {"bfloat16": True, "training": True}, {}, "4 for products in bfloat16"),
    ("float64", {}, {"int8": True}, {}, "4 for products in bfloat16 or int8"),
    *(("float32", {}, {"int8": True, name: value}, {}, "int8 is only for inference")
      for name, value in (("training", True), ("many", False), ("bfloat16", True))),
    ("float32", {"embedding_size": 5}, {}, {}, "fold it into the first layer's Wx"),
    ("float32", {"cell": "gru", "num_layers": MAX_LAYERS + 1}, TRAINS, {}, f"at most {MAX_LAYERS} layers, not"),
    *(("float32", {}, {"many": many, "training": True, "group_size": size}, {}, f"group_size must be .*, not {size}")
      for size, many in ((0, True), (2, False))),
    *(("float32", {}, {"training": True, **packing}, {"sampled": 3}, "that trains with all weights packed")
      for packing in ({"training": False}, {"many": False})),
    *(("float64", {}, TRAINS, {"labels": labels, "boundary": boundary}, f"labels={labels}")
      for labels, boundary in ((-1, 5), (1, None), (V - 5, 5))),
    *(("float64", {}, {}, wrong, "do not fit") for wrong in (
        {"units": H + 1}, {"units": 0}, {"symbols": V + 1}, {"boundary": V}, {"boundary": -2})),
]  # fmt: skip


@pytest.mark.parametrize(("dtype", "of_network", "packing", "options", "message"), REFUSED)
def test_refuses_networks_that_cannot_be(dtype, of_network, packing, options, message):
    def made(**shape):
        core.Network(Layout(V, H, np.dtype(dtype), **shape), Packing(**{"one_row": True, **packing}), **options)

    with pytest.raises(ValueError, match=message):
        made(**of_network)
    if "num_layers" in of_network:
        made(cell="gru", num_layers=MAX_LAYERS)


def guarded(array):
    """Return a copy of an array between bytes that a caller can look at, and these bytes before and after it."""
    n = array.nbytes + (-array.nbytes) % 64
    room = max(4 * n, 1 << 14)
    block = np.full(2 * room + n + 64, 0xA5, np.uint8)
    start = room + (-block[room:].ctypes.data) % 64
    found = block[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    found[...] = array
    return found, (block[:start], block[start + array.nbytes :])


@pytest.mark.parametrize(
    ("of_network", "options"),
    [
        ({"cell": "lstm", "embedding_size": 5, "num_layers": 2}, {"dropout": 0.2, "clip_norm": 0.7}),
        ({"cell": "gru", "num_layers": 2}, {"bfloat16": True, "weight_dropout": 0.2, "boundary": 3}),
        ({"cell": "cifg", "n_bigrams": 29}, {"state_reset": 0.3, "boundary": 3}),
        ({"cell": "rnn", "embedding_size": 5}, {"n_sampled_symbols": 2}),
    ],
    ids=str,
)
@pytest.mark.parametrize(("B", "T", "n_threads"), [(1, 7, 1), (5, 23, 1), (5, 23, 2)])
def test_training_writes_nothing_beside_its_arrays(of_network, options, B, T, n_threads):
    V, H = 13, 37
    layout, params = network(V, H, "float32", **of_network)
    hidden, text = zero_hidden(layout, B), symbols(V, B * (3 * T + 1) + 1)
    run = Run(layout, params, memory(layout), hidden, text, T=T, n_threads=n_threads, **options)
    guards = []
    for shard in run.trainer.team.shards:
        for owner in (shard, *shard.threads):
            for name, array in list(vars(owner).items()):
                if isinstance(array, np.ndarray) and array.size:
                    inside, around = guarded(array)
                    setattr(owner, name, inside)
                    guards += [(name, part) for part in around]
    run.steps(3)
    assert [name for name, part in guards if (part != 0xA5).any()] == []


@pytest.mark.parametrize(
    "kind",
    [found for module in (core, ngrams) for found in vars(module).values() if isinstance(found, type)],
    ids=lambda kind: kind.__name__,
)
def test_objects_cannot_be_made_without_arguments(kind):
    with pytest.raises(TypeError):  # what follows could read addresses that nobody has set
        kind.__new__(kind)
