"""What the entry points check once, where they unpack a network or a call's arrays: no kernel checks it again."""

from __future__ import annotations

import numpy as np
import pytest
from examples import Run, memory, network, states, symbols

from crnn._kernels.entry import core
from crnn._kernels.entry.structures import Packing
from crnn._kernels.ngram import ngrams
from crnn.inference.packed_network import PackedNetwork
from crnn.model.state import zero_hidden
from crnn.training.team import Shard

V, H = 16, 16  # whole vectors of every instruction set

TINY = np.finfo(np.float32).tiny / 4  # a denormal number


def test_logits_take_denormal_units_for_zero_and_leave_others_theirs():
    layout, params = network(V, H, "float32")
    params[:] = 1
    layout.tensors(params).by[:] = 0
    packed = PackedNetwork.pack(layout, params, one_row=True)
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


@pytest.mark.parametrize("options", [{}, {"int8": True}], ids=str)
def test_a_step_refuses_a_network_that_is_packed_for_inference(options):
    layout, params = network(V, H, "float32")
    run = Run(layout, params, memory(layout), states(3, H, "float32"), symbols(V, 40), T=4)
    before = run.bits()
    with run.trainer as trainer:
        wanted = trainer.network
        trainer.network = core.Network(layout, Packing(one_row=False, **options))
        with pytest.raises(ValueError, match="packed for inference, but must be packed for training"):
            trainer._train(0, np.full(1, 0.1))
        trainer.network = wanted
    assert run.bits() == before


@pytest.mark.parametrize(("T", "B"), [(0, 3), (3, 0), (-1, 2), (2, -1), (0, 0)])
@pytest.mark.parametrize("of_thread", [False, True])
def test_workspace_refuses_to_hold_no_symbol(T, B, of_thread):
    found = core.Network(network(V, H, "float32")[0], Packing(one_row=False, training=True))
    with pytest.raises(ValueError, match=f"at least 1 time step and 1 stream, not {T} x {B}"):
        core.thread_workspace(found, T, B) if of_thread else core.workspace(found, T, B, False)


@pytest.mark.parametrize("s", [0, 1])
@pytest.mark.parametrize("T", [3, 5])
def test_refuses_shards_of_other_time_steps(s, T):
    layout, params = network(V, H, "float64")
    run = Run(layout, params, memory(layout), states(5, H), symbols(V, 100), T=4, n_threads=2)
    before = run.bits()
    with run.trainer as trainer:
        wanted = trainer.team.shards[s]
        trainer.team.shards[s] = Shard(trainer.network, layout, T, wanted.streams, False)
        for rank in range(2):  # each thread sees it, whichever shards are its own
            with pytest.raises(ValueError, match="time steps of a shard: size"):
                trainer._train(rank, np.full(1, 0.1))
        trainer.team.shards[s] = wanted
    assert run.bits() == before


def test_step_refuses_a_team_without_shards():
    layout, params = network(V, H, "float64")
    run = Run(layout, params, memory(layout), states(5, H), symbols(V, 100), T=4)
    with run.trainer as trainer:
        shards, trainer.team.shards = trainer.team.shards, []
        with pytest.raises(ValueError, match="at least 1 shard"):
            trainer._train(0, np.full(1, 0.1))
        trainer.team.shards = shards


@pytest.mark.parametrize(
    ("of", "name", "value", "message"),
    [
        ("team", "barrier", None, "the team has no barrier"),
        ("team", "barrier", core.Barrier(3), "threads at the barrier: size is 3, but must be 2"),
        ("shard", "barrier", None, "a shard has no barrier"),
        ("shard", "barrier", core.Barrier(2), "threads at a shard's barrier: size is 2, but must be 1"),
        ("shard", "threads", [], "needs the arrays of 1 threads, but has those of 0"),
        ("shard", "gradient", None, "gradient must be an array, not None"),
        ("shard", "losses", None, "losses must be an array, not None"),
        ("thread", "x", None, "x and occurs must be arrays, not None"),
        ("thread", "occurs", None, "x and occurs must be arrays, not None"),
        ("thread", "x", np.empty((1, 2), np.int32), "at least 1 time step and 1 stream, not 0 x 2"),
        ("thread", "x", np.empty((5, 0), np.int32), "at least 1 time step and 1 stream, not 4 x 0"),
    ],
)
def test_step_refuses_an_incomplete_team(of, name, value, message, monkeypatch):
    layout, params = network(V, H, "float64")
    run = Run(layout, params, memory(layout), states(5, H), symbols(V, 100), T=4, n_threads=2)
    before = run.bits()
    with run.trainer as trainer:
        team, shard = trainer.team, trainer.team.shards[0]
        owner = {"team": team, "shard": shard, "thread": shard.threads[0]}[of]
        wanted = getattr(owner, name)
        monkeypatch.setattr(core, "break_barriers", lambda team: None)  # nobody waits
        setattr(owner, name, value)
        with pytest.raises((ValueError, TypeError), match=message):
            trainer._train(0, np.full(1, 0.1))
        setattr(owner, name, wanted)
    assert run.bits() == before


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
        ({"cell": "rnn", "embedding_size": 5}, {"sampled_softmax": 2}),
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
