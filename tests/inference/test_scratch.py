"""Scratch: calls use the same memory one after another, and none sees what another has left there."""

import numpy as np
import pytest
from examples import packed, random_language_model

from crnn.inference.network import Use
from crnn.inference.scratch import Scratch, ScratchPool
from crnn.parameters.kinds import CELLS
from crnn.scoring.limits import ScoringLimits
from crnn.scoring.string_scores import log_likelihoods
from crnn.scoring.strings import Strings
from crnn.scoring.text_scores import parallel_log_likelihood

pytestmark = pytest.mark.usefixtures("seven_cores")

SYMBOLS = "abcdefghijk"


def test_a_pool_lends_a_scratch_to_one_thread_at_a_time():
    pool = ScratchPool()
    with pool.scratch() as first, pool.scratch() as second:
        assert first is not second
    with pool.scratch() as third:
        assert third in (first, second)
    with pytest.raises(ZeroDivisionError), pool.scratch():
        raise ZeroDivisionError
    with pool.scratch() as fourth, pool.scratch() as fifth:
        assert fourth is not fifth


# --- what uses them


@pytest.fixture
def made(monkeypatch):
    """The scratches that are made, which are full of NaN."""
    found, plain, plain_init = [], Scratch.empty, Scratch.__init__

    def init(scratch):
        plain_init(scratch)
        found.append(scratch)

    def empty(scratch, name, shape, dtype):
        array = plain(scratch, name, shape, dtype)
        array.fill(np.nan)
        return array

    monkeypatch.setattr(Scratch, "__init__", init)
    monkeypatch.setattr(Scratch, "empty", empty)
    return found


def random_ids(n, longest=29):
    rng = np.random.default_rng(0)
    return [rng.integers(len(SYMBOLS), size=k).astype(np.int32) for k in rng.integers(0, longest, n)]


def some_start(network):
    start = network.start()
    network.feed(np.array([[2], [0], [1]], np.int32), start)
    return start


def network_of(cell):
    return packed(random_language_model(SYMBOLS, cell=cell, num_layers=2), use=Use.MANY_STREAMS)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("n_threads", [1, 3])
def test_strings_in_groups_share_a_scratch_a_thread(made, cell, n_threads):
    network, arrays = network_of(cell), random_ids(5 * 16 + 3)
    start = some_start(network)
    alone = [log_likelihoods(network, Strings.join([ids]), start, 1)[0] for ids in arrays]
    made.clear()
    found = log_likelihoods(network, Strings.join(arrays), start, n_threads, limits=ScoringLimits(rows=16))
    np.testing.assert_array_equal(found, alone)
    assert 1 <= len(made) <= n_threads


def test_parts_of_a_text_share_a_scratch(made):
    limits = ScoringLimits(min_part_symbols=5, parts_at_a_time=7, call_symbols=21, max_parts=11, warm_up=3)
    network, ids = network_of("lstm"), np.concatenate(random_ids(31))
    expected = parallel_log_likelihood(network, ids, 1, limits=limits)
    made.clear()
    assert parallel_log_likelihood(network, ids, 1, limits=limits) == expected
    assert len(made) == 2  # one for each group of up to 7 parts
