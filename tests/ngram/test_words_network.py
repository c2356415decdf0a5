"""WordsNetwork: all that sampling and scoring ask of a network, with the bits of one symbol after another."""

import pickle

import numpy as np
import pytest

from crnn.inference.mixed_network import MixedNetwork, letters_of
from crnn.inference.network import Context, Use, log_softmax
from crnn.inference.packed_network import PackedNetwork
from crnn.model.layout import Layout
from crnn.ngram.counts import Counts
from crnn.ngram.counts_network import CountsNetwork
from crnn.ngram.word_counts import WordCounts
from crnn.ngram.words_network import WordsNetwork
from crnn.sampling.controls import CheckedControls, Uniforms, root
from crnn.sampling.symbol_draws import NetworkDraws, PythonDraws, RowDraws, symbol_draws
from crnn.sampling.text_sampler import TextSampler
from crnn.text.vocabulary import Vocabulary

RNG = np.random.default_rng(7)
DOCUMENTS = Vocabulary([ord(c) for c in " .Aab"], boundary=True)
TEXT = Vocabulary([ord(c) for c in " .Aab"])


def network(vocabulary, order=3):
    V = len(vocabulary)
    ids = np.random.default_rng(0).integers(0, V, 2000)
    if vocabulary.boundary is not None:
        ids[[0, -1]] = vocabulary.boundary
    counts = Counts(order, V, vocabulary.boundary)
    counts.add(ids, [] if vocabulary.boundary is None else [vocabulary.boundary])
    return WordsNetwork(WordCounts.of(ids, vocabulary, 10**9), CountsNetwork(counts))


@pytest.fixture(params=[(TEXT, 1), (TEXT, 4), (DOCUMENTS, 3)], ids=["order 1", "text", "documents"])
def net(request):
    return network(*request.param)


def test_every_method_gives_the_same_bits(net):
    V = net.symbols
    x = RNG.integers(0, V, (67, 3)).astype(np.int32)
    state = net.zero_state(3)
    rows = net.logits_before(x, state).copy()
    log_p = net.log_probabilities(x, net.zero_state(3))
    for b in range(3):
        one = net.zero_state(1)
        for first, last in ((0, 1), (1, 20), (20, 67)):
            np.testing.assert_array_equal(net.logits_before(x[first:last, b : b + 1], one)[:, 0], rows[first:last, b])
        np.testing.assert_array_equal(one[0], state[b])
        expected = log_softmax(rows[:, b])[np.arange(67), x[:, b]]
        np.testing.assert_allclose(log_p[:, b], expected, rtol=1e-14)
        fed = net.zero_state(1)
        net.feed(x[:, b : b + 1], fed)
        np.testing.assert_array_equal(net.logits_after(fed)[0], net.logits_after(state)[b])
    np.testing.assert_allclose(net.probabilities_after(state).sum(axis=1), 1, rtol=1e-14)


def test_a_boundary_ends_the_words_before():
    net = network(DOCUMENTS)
    end = np.full((1, 1), DOCUMENTS.boundary, np.int32)
    fresh = net.start()
    used = net.zero_state(1)
    net.feed(np.array([[3, 4, 0, 3, 0]], np.int32).T, used)
    net.feed(end, used)
    np.testing.assert_array_equal(net.logits_after(used), net.logits_after(fresh))


def test_states_are_copied_selected_joined_and_put(net):
    x = RNG.integers(0, net.symbols, (9, 3)).astype(np.int32)
    state = net.zero_state(3)
    net.feed(x, state)
    copy = net.copy(state)
    net.feed(x[:2], copy)
    assert not np.array_equal(copy, state)
    selected = net.select(state, np.array([2, 0]))
    np.testing.assert_array_equal(selected, state[[2, 0]])
    np.testing.assert_array_equal(net.join([selected, state]), state[[2, 0, 0, 1, 2]])
    put = net.put(net.copy(state), 3, [np.array([2]), np.array([0])], [state[:1].copy(), state[1:2].copy()])
    np.testing.assert_array_equal(put, state[[1, 1, 0]])


WEIGHTS = np.array([[0.7, 0.4, 0.2], [0.1, 0.0, 0.9], [1.2, 0.3, 0.0], [0.5, 0.6, 0.1]])


class CountingCalls(CountsNetwork):
    """Counts that note how many rows they compute."""

    n_rows = 0

    def logits_after(self, state):
        self.n_rows += len(state)
        return super().logits_after(state)

    def logits_before(self, x, state, scratch=None):
        self.n_rows += x.size
        return super().logits_before(x, state, scratch)


def test_a_mixture_computes_the_rows_of_its_counts_once(net):
    letters = letters_of(TEXT)
    if net.boundary is not None:
        letters = letters_of(DOCUMENTS)
    counts = CountingCalls(net.characters.counts)
    shared = MixedNetwork([counts, WordsNetwork(net.word_counts, counts)], WEIGHTS[:, 1:], letters)
    alone = MixedNetwork([counts, net], WEIGHTS[:, 1:], letters)
    assert shared.same_as(alone)
    x = RNG.integers(0, net.symbols, (67, 3)).astype(np.int32)
    state = shared.zero_state(3)
    expected_state = alone.zero_state(3)
    expected_log_p = alone.log_probabilities(x, alone.zero_state(3))
    expected_rows = alone.logits_before(x, expected_state)
    expected_next = alone.logits_after(expected_state)
    counts.n_rows = 0
    np.testing.assert_array_equal(shared.log_probabilities(x, shared.zero_state(3)), expected_log_p)
    assert counts.n_rows == x.size
    np.testing.assert_array_equal(shared.logits_before(x, state), expected_rows)
    assert counts.n_rows == 2 * x.size
    np.testing.assert_array_equal(shared.logits_after(state), expected_next)
    assert counts.n_rows == 2 * x.size + 3
    for part, expected in zip(state, expected_state, strict=True):
        np.testing.assert_array_equal(part, expected)


@pytest.mark.parametrize("members", ["words", "counts and words", "network, counts and words"])
@pytest.mark.parametrize("controls", [{}, {"temperature": 0.7, "top_k": 3, "repetition_penalty": 1.3}], ids=str)
def test_texts_drawn_in_a_compiled_loop_are_those_drawn_in_python(net, members, controls):
    V = net.symbols
    if net.boundary is not None:
        return  # its texts end
    layout = Layout(V, 7, np.dtype("float64"), "gru")
    params = np.random.default_rng(2).normal(size=layout.size)
    packed = PackedNetwork.pack(layout, params, use=Use.MANY_STREAMS, n_threads=1)
    chosen = {"words": [net], "counts and words": [net.characters, net]}.get(members, [packed, net.characters, net])
    letters = letters_of(TEXT)
    mixed = MixedNetwork(chosen, WEIGHTS[:, 3 - len(chosen) :] + 0.01, letters)
    checked = CheckedControls.check(TEXT, controls)
    state = mixed.zero_state(1)
    mixed.feed(np.array([[3, 3, 0, 2, 4]], np.int32).T, state)
    seen = np.arange(V) < 2

    def drawn(draws):
        return TextSampler(
            draws(mixed, Context(state, seen), Uniforms(root(5), range(23)), checked), 67, checked.stops
        ).run()

    assert type(symbol_draws(mixed, Context(state, seen), Uniforms(root(5), range(23)), checked)) is (
        NetworkDraws if packed in chosen else RowDraws
    )
    found, expected = drawn(symbol_draws), drawn(PythonDraws)
    np.testing.assert_array_equal(found.lengths, expected.lengths)
    np.testing.assert_array_equal(found.ids, expected.ids)


def test_a_pickled_network_is_the_same(net):
    copy = pickle.loads(pickle.dumps(net))
    assert copy.same_as(net)
    assert not network(DOCUMENTS, order=2).same_as(net)
    state = net.zero_state(1)
    net.feed(np.array([[3, 0, 2]], np.int32).T, state)
    np.testing.assert_array_equal(copy.logits_after(state), net.logits_after(state))
