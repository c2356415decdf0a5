"""The look-ahead of counts: its values solve a dense system, and a trial has exactly the conditional law."""

import itertools
import math

import numpy as np
import pytest

from crnn.matching.goal import Goal
from crnn.ngram import lookahead as module
from crnn.ngram.counts import Counts
from crnn.ngram.counts_network import CountsNetwork
from crnn.reference.lookahead import lookahead as reference
from crnn.sampling.controls import Uniforms, root
from crnn.text.vocabulary import Vocabulary

DOCUMENTS, TEXT = Vocabulary([97, 98, 99, 100], boundary=True), Vocabulary([97, 98, 99, 100])
PATTERNS = ["a.*", ".*bb.*", "[ab]{1,3}", ".{2,}(ad|ba)", ".*", "(ab|c)*", "a?b?c?d?"]
BIAS = np.array([0.5, -1.0, -np.inf, 0.3, 0.2])


def network(order, vocabulary):
    V, end = len(vocabulary), vocabulary.boundary
    counts = Counts(order, V, end)
    p = [0.4, 0.1, 0.1, 0.1, 0.3][:V]
    ids = np.random.default_rng(1).choice(V, 300, p=np.array(p) / sum(p))
    ids[50:60] = 0
    counts.add(ids, [] if end is None else [end])
    return CountsNetwork(counts)


def dense(net, temperature, bias):
    """Return all contexts (N, k), their probabilities and the numbers of the contexts after them, (N, V)."""
    k, V, end = net.counts.order - 1, net.symbols, net.boundary
    contexts = [text for n in range(k + 1) for text in itertools.product(range(V), repeat=n)]
    padded = np.array([(-1,) * (k - len(text)) + text for text in contexts], np.int32).reshape(len(contexts), k)
    p = np.exp(net.counts.rows(padded) / temperature + (0 if bias is None else bias[:V] / temperature))
    p /= p.sum(axis=1, keepdims=True)

    def after(text, symbol):
        return (symbol,)[:k] if symbol == end else (*text, symbol)[max(0, len(text) + 1 - k) :]

    numbers = {text: i for i, text in enumerate(contexts)}
    return padded, p, np.array([[numbers[after(text, s)] for s in range(V)] for text in contexts])


def of(net, pattern, temperature=1.0, bias=None, **options):
    vocabulary = TEXT if net.boundary is None else DOCUMENTS
    goal = Goal.of(pattern, vocabulary, "", None if bias is None else bias[: len(vocabulary)])
    return net.lookahead(goal, net.start(), temperature, None if bias is None else bias[: len(vocabulary)], **options)


@pytest.mark.parametrize("vocabulary", [DOCUMENTS, TEXT], ids=["documents", "text"])
@pytest.mark.parametrize(("order", "temperature", "bias"), [(1, 1.7, BIAS), (3, 0.6, None), (3, 1.7, BIAS)])
@pytest.mark.parametrize("pattern", PATTERNS)
def test_values_match_a_dense_solver(vocabulary, order, temperature, bias, pattern):
    net = network(order, vocabulary)
    if vocabulary is TEXT and pattern in (".*", "(ab|c)*", "a?b?c?d?"):
        return  # the empty text matches
    found = of(net, pattern, temperature, bias)
    contexts, p, nexts = dense(net, temperature, bias)
    values = found.values[:, found.contexts.locate(contexts)]
    expected = reference(p, nexts, found.goal.after_each(slice(None)))
    if vocabulary is TEXT:  # a text that matches has ended
        expected[:-2][found.goal.steps == 0] = 1
    np.testing.assert_allclose(values, expected, rtol=1e-10)
    assert found.upper == values[found.goal.start, [*map(tuple, contexts)].index(tuple(net.start()[0]))]
    # Superharmonic up to the rounding of this sum: what makes a trial exact.
    after = np.array([(p * values[row, nexts]).sum(axis=1) for row in found.goal.after_each(slice(None))])
    assert (after / values[:-2]).max() < 1 + 1e-15


@pytest.mark.parametrize(("temperature", "bias", "maximum"), [(1.0, None, True), (0.7, BIAS, False)])
def test_a_text_that_matches_has_its_conditional_probability(temperature, bias, maximum):
    net = network(3, DOCUMENTS)
    found = of(net, ".*[ab]d", temperature, bias, maximum=maximum)
    goal, total = found.goal, 0.0
    for text in (text for n in range(6) for text in itertools.product(range(4), repeat=n)):
        state, q, log_p, log_q = net.start(), found.goal.start, 0.0, 0.0
        for symbol in (*text, 4):
            row = net.logits_after(state)[0] / temperature + (0 if bias is None else bias / temperature)
            row = row - np.logaddexp.reduce(row)
            ahead = found.log_values(state, np.array([q]))[0]
            log_p += row[symbol]
            log_q += row[symbol] + ahead[symbol] - math.log(found.values[q, found.contexts.locate(state)[0]])
            q = goal.after(q, symbol)
            net.feed(np.array([[symbol]], np.int32), state)
            if q >= len(goal.table):
                break
        if q == len(goal.table) and log_p > -np.inf:
            assert abs(log_q - (log_p - math.log(found.upper))) < 1e-14 * max(1, -log_q)
            total += math.exp(log_p)
    assert 0.1 < total / found.upper <= 1 or maximum


def test_the_maximum_bounds_every_continuation():
    net = network(3, DOCUMENTS)
    found = of(net, ".*ca.*", maximum=True)
    best = max(
        sum(net.log_probabilities(np.array([[*text, 4]], np.int32).T, net.start())[:, 0])
        for n in range(7)
        for text in itertools.product(range(4), repeat=n)
        if "2, 0" in str(text)
    )
    assert best - 1e-12 <= math.log(found.upper) < best + 1


def test_no_lookahead_beyond_memory_or_float64(monkeypatch):
    net = network(3, DOCUMENTS)
    for temperature, bias, known in ((0.05, 0, True), (0.04, 0, False), (0.5, 50, True), (0.5, 51, False)):
        assert (of(net, "a.*", temperature, np.array([0, -np.inf, 0, -bias, 0])) is not None) == known
    needed = 8 * (2 + 2) * net.counts.trie.node_count + 60 * sum(net.counts.n_grams)  # a pattern of two states
    for limit, free, known in ((needed, None, True), (needed - 1, None, False), (needed, 2 * needed, True),
                               (needed, 2 * needed - 1, False)):  # fmt: skip
        monkeypatch.setattr(module, "MAX_BYTES", limit)
        monkeypatch.setattr(module, "available_bytes", lambda free=free: free)
        assert (of(net, "a.*") is not None) == known


@pytest.mark.parametrize(("change", "message"), [
    ({"table": 5}, "a state is out of range"), ({"table": -1}, "a state is out of range"),
    ({"class_of": 99}, "a class of symbols is out of range"), ({"class_of": -1}, "a class of symbols is out of range"),
])  # fmt: skip
def test_a_goal_out_of_range_is_refused(change, message):
    net = network(3, DOCUMENTS)
    found = of(net, "ab.*")
    for name, value in change.items():
        array = getattr(found.goal, name).copy()
        array.flat[-1] = value
        found.goal = found.goal._replace(**{name: array})
    with pytest.raises(ValueError, match=message):
        found.run(Uniforms(root(5), range(3)), 3)
    with pytest.raises(ValueError, match=message):
        found.log_values(net.start(), np.array([0]))


def test_shortened_search_is_still_a_bound(monkeypatch):
    net = network(3, DOCUMENTS)
    whole = of(net, ".{2,}(ad|ba)")
    monkeypatch.setattr(module, "MAX_VISITS", 100)
    part = of(net, ".{2,}(ad|ba)")
    assert part.probability(None) is None
    assert part.probability(50) is None
    assert (part.values >= whole.values * (1 - 1e-12)).all()
    assert (part.values > whole.values).any()
