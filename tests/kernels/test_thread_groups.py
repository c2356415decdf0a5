"""Thread groups: threads that share streams, each with units of its own."""

import itertools

import numpy as np
import pytest
from examples import Run, in_turns, memory, network, states, symbols
from reference_checks import check_threads

from crnn._kernels.entry import core
from crnn.parameters.kinds import CELLS

V = 7
GROUPS = [(2, 2), (4, 2), (3, 3)]  # threads, and how many of them share streams
BLOCKS = [(11, 13), (29, 23)]  # streams and time steps: one block of a chunk, or two


def start(dtype, B, T, *, cell, num_layers=1, optimizer="adagrad", V=V, H=101):
    layout, params = network(V, H, dtype, cell=cell, num_layers=num_layers)
    text = symbols(V, B * (3 * T + 1) + 1)
    return layout, params, memory(layout, optimizer), states(B, H, dtype, cell=cell, num_layers=num_layers), text


# Layers, dropout, boundary, and one block or two: any two values of two of them meet in one of these.
KINDS = [
    (1, 0.0, None, *BLOCKS[0]), (1, 0.3, 2, *BLOCKS[1]), (2, 0.0, 2, *BLOCKS[1]), (2, 0.3, None, *BLOCKS[1]),
    (2, 0.3, 2, *BLOCKS[0]),
]  # fmt: skip
# Every cell with each of them, and two of the groups. Coupled gates are like an LSTM's to a group: one kind.
CELLS_AND_KINDS = [(cell, *kind) for cell in CELLS for kind in (KINDS[3:4] if cell == "cifg" else KINDS)]
CASES = [(*case, groups) for case, groups in zip(CELLS_AND_KINDS, itertools.cycle(itertools.combinations(GROUPS, 2)))]


@in_turns("cell, num_layers, dropout, boundary, B, T, groups", CASES)
def test_a_group_gives_the_bits_of_one_thread(kernels, dtype, cell, num_layers, dropout, boundary, B, T, groups):
    arguments = start(dtype, B, T, cell=cell, num_layers=num_layers, optimizer="adam")
    options = {"T": T, "dropout": dropout, "dropout_seed": 3, "boundary": boundary}
    for n_threads, size in groups:
        more = {"weight_dropout": dropout / 2, "state_reset": dropout}
        check_threads(arguments, [n_threads], n_threads // size, **options, **more)


def test_a_group_learns_the_symbols_left_over_from_whole_vectors(kernels, dtype):
    check_threads(start(dtype, 5, 13, cell="gru", V=17, optimizer="adam"), [3], 1, T=13)


def test_groups_are_of_no_more_threads_than_there_are_units_for():
    alone, shared = (Run(*start("float32", 5, 13, cell="lstm", H=53), T=13, n_threads=n, n_shards=1) for n in (1, 5))
    assert shared.trainer.arrangement == (1, 1)  # 53 units
    assert alone.steps(3).bits() == shared.steps(3).bits()


def test_small_shards_get_one_thread_each():
    arguments = start("float32", 2, 3, cell="rnn")
    assert Run(*arguments, T=3, n_threads=2, n_shards=1).trainer.arrangement == (1, 1)
    assert Run(*arguments, T=3, n_threads=2, n_shards=2).trainer.arrangement == (2, 1)


@pytest.mark.parametrize("thread", [0, 1])
@pytest.mark.parametrize("name", ["x", "occurs", "scratch"])
def test_a_thread_that_fails_holds_nobody_up(name, thread):
    run = Run(*start("float64", 5, 13, cell="lstm"), T=13, n_threads=2, n_shards=1)
    before = run.bits()
    with run.trainer:
        own = run.trainer.team.shards[0].threads[thread]
        setattr(own, name, np.ascontiguousarray(getattr(own, name)[:-1]))
        with pytest.raises(ValueError, match=r"size|shape"):
            run.trainer._take_steps(np.full(2, 0.1))
    assert run.bits() == before
    assert run.trainer.team.fresh  # the next call prepares the memory


@pytest.mark.parametrize("n_threads", [1, 3, 5])
def test_a_team_has_the_threads_of_all_its_groups(n_threads):
    run = Run(*start("float64", 11, 13, cell="rnn"), T=13, n_threads=4, n_shards=2)
    with run.trainer as trainer:
        team, wanted, barrier = trainer.team, trainer.team.n_threads, trainer.team.barrier
        team.n_threads, team.barrier = n_threads, core.Barrier(n_threads)
        with pytest.raises(ValueError, match=f"2 shards in groups of 2 threads cannot use {n_threads}"):
            trainer._train(0, np.full(1, 0.1))
        team.n_threads, team.barrier = wanted, barrier
