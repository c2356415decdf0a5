"""CountsNetwork: all that sampling and scoring ask of a network, with the bits of one symbol after another."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from crnn.inference.network import InferenceNetwork
from crnn.ngram import counts_network as module
from crnn.ngram.counts import Counts
from crnn.ngram.counts_network import CountsNetwork
from crnn.scoring.string_scores import log_likelihoods
from crnn.scoring.strings import Strings

V, BOUNDARY = 5, 4
RNG = np.random.default_rng(7)


def network(order, boundary=BOUNDARY):
    counts = Counts(order, V, boundary)
    counts.add(np.random.default_rng(0).integers(0, V, 2000), [] if boundary is None else [boundary])
    return CountsNetwork(counts)


@pytest.fixture(params=[1, 2, 5])
def net(request):
    return network(request.param)


def test_every_method_gives_the_same_bits(net):
    net_: InferenceNetwork = net
    x = RNG.integers(0, V, (37, 3)).astype(np.int32)
    state = net_.zero_state(3)
    log_p = net_.log_probabilities(x, state)
    for b in range(3):
        one = net_.zero_state(1)
        rows = net_.logits_before(x[:20, b : b + 1], one)[:, 0]
        np.testing.assert_array_equal(rows[np.arange(20), x[:20, b]], log_p[:20, b])
        np.testing.assert_array_equal(net_.log_probabilities(x[20:, b : b + 1], one)[:, 0], log_p[20:, b])
        np.testing.assert_array_equal(one[0], state[b])
        fed = net_.zero_state(1)
        net_.feed(x[:, b : b + 1], fed)
        np.testing.assert_array_equal(net_.logits_after(fed)[0], net_.logits_after(state)[b])
    p = net_.probabilities_after(state)
    np.testing.assert_allclose(p, np.exp(net_.logits_after(state)))
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-14)


@pytest.mark.parametrize("n_threads", [1, 2])
def test_strings_of_all_lengths(net, n_threads, monkeypatch):
    monkeypatch.setattr(module, "CALL_SYMBOLS", 11)
    lengths = np.array([7, 0, 13, 1, 5, 13], np.intp)
    strings = Strings(RNG.integers(0, V, lengths.sum()).astype(np.int32), lengths)
    found = log_likelihoods(net, strings, net.start(), n_threads)
    for i, (start, length) in enumerate(zip(strings.starts, lengths, strict=True)):
        x = strings.ids[start : start + length].reshape(-1, 1)
        alone = net.log_probabilities(x, net.start())[:, 0]
        assert found[i] == (np.add.accumulate(alone)[-1] if length else 0)
        one = (strings.ids, np.array([start]), np.array([length]), net.start())
        assert net.string_log_likelihoods(*one)[0] == found[i]
        assert net.string_log_likelihoods(*one, least=True)[0] == alone.min(initial=0)


def test_rows_at_a_time_are_limited_by_memory():
    assert network(2).rows_at_a_time(64) == 64
    assert CountsNetwork(Counts(2, 10**6)).rows_at_a_time(64) == 4


@pytest.mark.parametrize("keeps_text", [False, True])
def test_equal_counts_with_other_discounts_are_not_the_same(keeps_text):
    ids = np.random.default_rng(0).integers(0, V, 2000)
    nets = []
    for cut in (1000, 2000):  # the discounts come from the text before the cut
        counts = Counts(6, V, BOUNDARY, keeps_text=keeps_text)
        counts.add(ids[:cut], [BOUNDARY])
        counts.update_discounts()
        before = counts.discounts
        counts.add(ids[cut:], ids[:cut])
        counts.set_discounts(before)
        nets.append(CountsNetwork(counts))
    assert [[a.same_as(b) for a in nets] for b in nets] == [[True, False], [False, True]]
    assert all(net.same_as(pickle.loads(pickle.dumps(net))) for net in nets)
