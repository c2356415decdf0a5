"""`sample(matching=...)` and `match_probability`: the law, what it combines with, what it refuses."""

import itertools
import math
import re

import numpy as np
import pytest
from scipy.stats import chi2

from crnn import BOUNDARY, CharNGram, CharRNN, InvalidInputError, Mixture
from crnn.inference import model_cache
from crnn.inference.network import Use
from crnn.matching import goal, prefix_tree
from crnn.matching import trials as trials_module
from crnn.matching.limits import LIMITS, MatchingLimits
from crnn.matching.samples import MatchingSamples
from crnn.matching.trials import checked_controls, trials_of
from crnn.ngram.counts_network import CountsNetwork
from crnn.sampling.samples import SampleRequest

NAMES = ["anna", "bob", "hanna", "ann", "nan", "bann", "hannah", "otto", "tina"] * 3
LETTERS = sorted(set("".join(NAMES)))


def network(X=NAMES, **parameters):
    return CharRNN(**{"hidden_size": 7, "max_steps": 400, "random_state": 0, "n_threads": 1} | parameters).fit(X)


@pytest.fixture(scope="module")
def counts():
    return CharNGram(order=3, n_threads=1).fit(NAMES)


@pytest.fixture(scope="module")
def lstm():
    return network(cell="lstm")


@pytest.fixture(scope="module")
def mixture(counts):
    by_place = [[0.3, 0.3, 0.4], [0.1, 0.6, 0.2], [0.5, 0.3, 0.2], [0.0, 0.4, 0.7]]
    return Mixture.from_fitted([network(dtype="float64"), network(cell="gru"), counts], by_place)


@pytest.fixture(params=["counts", "lstm", "mixture", "int8"])
def model(request):
    if request.param == "int8":
        return request.getfixturevalue("lstm").quantize()
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize(
    ("model", "pattern", "seed"),
    [("counts", ".*nn.*", 1), ("lstm", "[ab].{1,3}(a|b)", 2), ("mixture", "[bh].*", 3), ("int8", ".*nn.*", 1)],
    indirect=["model"],
)
def test_samples_follow_the_conditional_law(model, pattern, seed):
    texts = ["".join(t) for k in range(1, 6) for t in itertools.product(LETTERS, repeat=k)]
    texts = [text for text in texts if re.fullmatch(pattern, text)]
    p, n = np.exp(model.score_samples(texts)), 2500
    whole = model.match_probability(pattern)
    assert whole.lower * (1 - 1e-9) <= whole.estimate <= whole.upper * (1 + 1e-9)
    exact = isinstance(model, CharNGram) or pattern == "[ab].{1,3}(a|b)"
    total = whole.upper if isinstance(model, CharNGram) else p.sum()
    expected = n * p[n * p >= 10 * total] / total
    cells = [text for text, probability in zip(texts, p, strict=True) if n * probability >= 10 * total]
    drawn = model.sample(n_samples=n, matching=pattern, random_state=seed)
    assert all(re.fullmatch(pattern, text) for text in drawn)
    if not exact:  # longer texts match, too
        drawn = [text for text in drawn if len(text) <= 5]
        expected = expected * len(drawn) / n
    counted = np.array([drawn.count(text) for text in cells], float)
    rest = len(drawn) - expected.sum()
    if rest >= 10:
        expected, counted = np.append(expected, rest), np.append(counted, len(drawn) - counted.sum())
    assert len(expected) > 8
    statistic = ((counted - expected) ** 2 / expected).sum()
    assert chi2.sf(statistic, len(expected) - 1) > 1e-3


@pytest.mark.parametrize("options", [{}, {"temperature": 0.7, "logit_bias": {"b": 1.5, "o": -math.inf}}])
def test_a_trial_in_the_tree_has_the_conditional_probability(lstm, options):
    network, vocabulary = lstm._network("test", use=Use.MANY_STREAMS)
    controls = checked_controls(vocabulary, options)
    request = SampleRequest(None, "", None, options, ".*nn.*")
    tree = trials_of(lstm, network, vocabulary, request, controls)
    assert isinstance(tree, prefix_tree.PrefixTree)
    temperature, bias = options.get("temperature", 1.0), controls.bias if options else 0
    for text in ["anna", "nn", "hannah", "nannnanna", "bannnn", "ttttttnnnnt"]:
        state, log_p, log_q, node, q = network.start(), 0.0, 0.0, 0, tree._goal.start
        for symbol in [*vocabulary.encode(text).tolist(), vocabulary.boundary]:
            row = network.logits_after(state)[0, : network.symbols].astype(float) / temperature + bias / temperature
            log_p += float((row - np.logaddexp.reduce(row))[symbol])
            if node >= 0:  # the interval of u that draws the symbol
                low = tree._cumulated[node, symbol - 1] if symbol else 0.0
                log_q += math.log((tree._cumulated[node, symbol] - low) / tree._cumulated[node, -1])
                node = tree._children[node, symbol]
            else:
                log_q += float((row - np.logaddexp.reduce(row))[symbol])
            assert tree._goal.after(q, symbol) <= len(tree._goal.table)
            q = tree._goal.after(q, symbol)
            network.feed(np.array([[symbol]], np.int32), state)
        assert q == len(tree._goal.table)
        assert log_q == pytest.approx(log_p - math.log(tree.upper), abs=2e-13)


def test_counts_whose_look_ahead_takes_too_long_reject_texts(counts, monkeypatch):
    exact, stopped = counts.match_probability("a.*").estimate, CharNGram(order=3, n_threads=1).fit(NAMES)
    monkeypatch.setattr("crnn.ngram.lookahead.MAX_VISITS", -1)
    found = stopped.match_probability("a.*")
    assert (found.lower, found.upper) == (0, 1)
    assert found.estimate == pytest.approx(exact, abs=5 * math.sqrt(exact * (1 - exact) / LIMITS.estimate_trials))


def test_sample_i_depends_on_the_seed_and_i_alone(model):
    pattern = "(.*nn|[bh]).*"  # what begins with b or h matches whatever follows

    def drawn(k, n_threads=1, limits=LIMITS):
        request = SampleRequest(None, "", None, {}, pattern)
        trials, vocabulary = model._trials("test", request, any_length=False)
        return MatchingSamples(trials, vocabulary, request, 3, n_threads, limits).texts(range(k))

    many = model.sample(n_samples=300, matching=pattern, random_state=3)
    assert drawn(7) == many[:7]
    assert drawn(1) == many[:1]
    assert drawn(300, n_threads=2, limits=MatchingLimits(min_trials_per_thread=16)) == many
    assert drawn(40, limits=MatchingLimits(min_block=5, max_block=11)) == many[:40]


def test_matching_combines_with_prime_lengths_unique_and_exclude(model):
    kept = {"matching": "[hb]an+(ah?)?", "random_state": 4, "n_samples": 40}
    drawn = model.sample(**kept | {"n_samples": 3}, unique=True, exclude=["hanna", "bann"])
    assert len({*drawn} - {"hanna", "bann"}) == 3
    assert all(text.startswith("han") for text in model.sample(**kept, prime="han"))
    short = model.sample(**kept, max_length=4)
    assert max(map(len, short)) == 4
    assert short == [text for text in model.sample(**kept | {"n_samples": 400}) if len(text) <= 4][:40]
    assert {len(text) for text in model.sample(**kept, length=1, prime="han")} == {3, 4}
    assert model.sample(matching="bob", temperature=0.5, logit_bias={"o": -3}) == "bob"
    assert model.sample(matching=re.compile("BOB", re.IGNORECASE)) == "bob"


def test_the_empty_document_may_match(model):
    assert set(model.sample(n_samples=50, matching="(bob)?", random_state=0)) <= {"", "bob"}
    assert model.match_probability("").estimate == pytest.approx(math.exp(model.score_samples([""])[0]), rel=1e-6)
    assert model.match_probability("b.*", 0).estimate == 0


def test_running_text_ends_at_its_first_match():
    text = "the cat sat. a dog ran! the end. " * 20
    for model in (CharNGram(order=4).fit(text), network(text, max_steps=1500)):
        drawn = model.sample(60, prime="the ", n_samples=50, matching="[^.!]*[.!]", random_state=0)
        assert all(re.fullmatch("[^.!]{0,59}[.!]", text) for text in drawn)
        assert model.sample(5, matching="a?") == ""
        assert set(map(len, model.sample(9, n_samples=20, matching=".{6,}t", random_state=1))) <= {7, 8, 9}
        near, far = (model.match_probability(".*!", n, prime="the ") for n in (4, 200))
        assert 0 <= near.estimate < far.estimate <= 1 + 1e-9


def test_bytes_take_a_pattern_of_bytes():
    model = CharNGram(order=2).fit([b"ab\xff", b"\xffa"])
    pattern = rb"[\x80-\xff].*"
    assert all(re.fullmatch(pattern, text) for text in model.sample(n_samples=20, matching=pattern))
    assert model.sample(prime=bytearray(b"a"), matching=memoryview(b"ab\xff")) == b"ab\xff"
    assert model.beam_search(2, prime=bytearray(b"a"), matching=b"ab\xff")[0][0] == b"b\xff"
    with pytest.raises(InvalidInputError, match="matching"):
        model.sample(matching="a")


def test_a_label_is_drawn_given_that_its_text_matches():
    labels = ["x" if "b" in name else "y" for name in NAMES]
    model = CharRNN(7, max_steps=600, random_state=0).fit(NAMES, y=labels)
    n = 1500
    drawn = model.sample(n_samples=n, matching=".{3}", random_state=0)
    assert model.sample(n_samples=9, matching=".{3}", random_state=0) == drawn[:9]
    texts = ["".join(text) for text in itertools.product(LETTERS, repeat=3)]
    p = np.exp(model.score_samples(texts))
    p /= p.sum()
    cells = n * p >= 10
    expected = np.append(n * p[cells], n * p[~cells].sum())
    counted = [drawn.count(text) for text in np.array(texts)[cells]]
    counted = np.append(counted, n - sum(counted))
    assert chi2.sf(((counted - expected) ** 2 / expected).sum(), len(expected) - 1) > 1e-3
    assert {len(text) for text in model.sample(n_samples=5, label="x", matching=".{3}")} == {3}


def test_unknown_characters_occur_in_the_prime_alone():
    for model in (CharNGram(order=3, min_count=4).fit(NAMES), network(min_count=4)):
        drawn = model.sample(n_samples=30, matching="(?i)Z?.*a.*", prime="Z", random_state=0)
        assert all(text[0] == "Z" and set(text[1:]) < set(LETTERS) for text in drawn)
        with pytest.raises(InvalidInputError, match="starts with prime='Z'"):
            model.sample(matching="a.*", prime="Z")


@pytest.mark.parametrize(("options", "message"), [
    *(({name: value}, f"{name} does not work together with matching") for name, value in (
        ("top_k", 3), ("top_p", 0.5), ("min_p", 0.1), ("repetition_penalty", 1.1), ("stop", np.array(["a", "b"])))),
    ({"temperature": 0}, "temperature is 0"),
    ({"matching": "a{2"}, "no text of the model's symbols matches it: it has no '{', '2'"),
    ({"matching": "123456"}, r"it has no '1', '2', '3', '4', '5'\."),
    ({"matching": r"a\Ab"}, r"matches it\. Change the pattern\."),
    ({"matching": "an", "logit_bias": {"n": -math.inf}}, "logit_bias forbids"),
    ({"matching": "an", "logit_bias": {BOUNDARY: -math.inf}}, "forbids the end"),
])  # fmt: skip
def test_refuses_invalid_controls(counts, options, message):
    with pytest.raises(InvalidInputError, match=message):
        counts.sample(**{"matching": ".*"} | options)


@pytest.mark.parametrize(("options", "message"), [
    ({"max_length": 7}, "max_length is 7, .* has length 8. Raise max_length to 8 or more, or "),
    ({"length": 7}, "length is 7, .* has length 8. Raise length to 8 or more, .* For 7 documents, pass n_samples=7.$"),
    ({"length": 9, "max_length": 7}, "max_length is 7, .* has length 8. "),
    ({"max_length": 2, "prime": "ann"}, "max_length is 2, .* has length 8. "),
    ({"length": 4, "prime": "ann"}, "length is 4, .* has length 5 after the prime. Raise length to 5 or more, or "),
    ({"max_length": 9, "logit_bias": {"b": -math.inf}}, "max_length is 9, .* has length 10. "),
])  # fmt: skip
def test_refuses_at_once_a_pattern_whose_matches_are_too_long(model, options, message, monkeypatch):
    pattern = "a(.{6}b|.{9})"
    for known in (False, True):  # whether the pattern has been used before
        if known:
            model.sample(matching=pattern, **{**options, "length": None, "max_length": 12}, random_state=0)
        with monkeypatch.context() as patch:
            patch.setattr(trials_module, "PrefixTree", lambda *_: pytest.fail("it would take long"))
            patch.setattr(CountsNetwork, "lookahead", lambda *_: pytest.fail("it would take long"))
            with pytest.raises(InvalidInputError, match=f"^{message}"):
                model.sample(matching=pattern, **options)


def test_refuses_longer_matches_than_by_default(counts):
    with pytest.raises(InvalidInputError, match=r"^max_length is 1,000, .* has length 1,001\."):
        counts.sample(matching=".{1001}")
    text = CharNGram(3).fit("the cat sat. the end. " * 9)
    with pytest.raises(InvalidInputError, match=r"^length is 200, .* length 201\. Raise length to 201 .* matches\.$"):
        text.sample(matching=".{201}", prime="the ")


def test_too_rare_a_match_names_what_to_do(model):
    request = SampleRequest(None, "", 5, {}, "t{5}|.{6,}")
    trials, vocabulary = model._trials("test", request, any_length=False)
    samples = MatchingSamples(trials, vocabulary, request, 0, 1, MatchingLimits(max_trials=200))
    with pytest.raises(InvalidInputError, match=r"only [0-4] of 5 samples .* in [\d,]+ trials: .*enumerate_documents"):
        samples.texts(range(5))


def test_a_sampler_is_kept_until_the_model_changes(lstm, monkeypatch):
    made, plain = [], goal.Goal.of
    monkeypatch.setattr(goal.Goal, "of", lambda *arguments: made.append(arguments) or plain(*arguments))
    model = CharNGram(order=3).fit(NAMES)
    for _ in range(3):
        model.sample(matching="a.*")
    assert len(made) == 1
    model.partial_fit(["anna"])
    model.sample(matching="a.*")
    assert len(made) == 2
    pair = Mixture.from_fitted([model, lstm])
    pair.sample(matching="a.*")
    pair.sample(matching="a.*", n_samples=3)
    assert len(made) == 3
    pair.weights_ = np.array([0.3, 0.7])
    pair.sample(matching="a.*")
    assert len(made) == 4
    for i in range(20):
        pair.sample(matching=f"a.{{1,{i + 1}}}")
    assert len(model_cache._caches[pair][1]) == model_cache.MAX_CACHED_PATTERNS


# ------------------------------------------------------------- the most probable


@pytest.mark.parametrize("pattern", [".*nn.*", "[bo].*", "(bob|anna|zzz)?"])
def test_the_most_probable_matches_are_listed_in_order(model, pattern):
    n = 8 if ".*" in pattern else 3
    try:
        found = model.enumerate_documents(n, matching=pattern)
    except InvalidInputError:
        assert "z" in pattern
        return
    texts = ["".join(t) for k in range(6) for t in itertools.product(LETTERS, repeat=k)]
    texts = [text for text in texts if re.fullmatch(pattern, text)]
    log_p = dict(zip(texts, model.score_samples(texts), strict=True))
    best = sorted(log_p.values(), reverse=True)
    listed = [log_p[text] for text in found.documents if text in log_p]
    assert all(re.fullmatch(pattern, text) for text in found.documents)
    assert listed == sorted(listed, reverse=True)
    np.testing.assert_allclose(found.log_probs, model.score_samples(found.documents), rtol=1e-5)
    if len(listed) == len(found.documents):  # none is longer
        np.testing.assert_allclose(found.log_probs, best[: len(found.documents)], rtol=1e-5)
    lower, upper = found.match_log_prob
    estimate = model.match_probability(pattern)
    assert lower <= math.log(estimate.upper) + 1e-5
    assert upper >= math.log(max(estimate.lower, 1e-300)) - 1e-5
    if isinstance(model, CharNGram):
        assert lower == upper == math.log(estimate.estimate)


def test_counts_read_few_prefixes_for_a_rare_match(counts):
    options = {"matching": ".{6,}(tt|bb)o", "max_prefixes": 1500}
    found = counts.enumerate_documents(3, **options)
    assert len(found.documents) == 3
    assert not Mixture.from_fitted([counts]).enumerate_documents(3, **options).documents  # without the look-ahead


def test_beams_end_in_a_match(model):
    for prime, pattern in (("", ".*nn.*"), ("ha", "ha.{2,3}"), ("", "bob")):
        found = model.beam_search(6, prime=prime, n_beams=4, matching=pattern)
        assert all(re.fullmatch(pattern, prime + text) for text, _ in found)
        scores = model.score_samples([prime + text for text, _ in found])
        before = 0 if not prime else -model.surprisal(prime).sum()
        np.testing.assert_allclose([log_p for _, log_p in found], scores - before, rtol=1e-4)
    assert len(model.beam_search(3, n_beams=1, matching="...")[0][0]) == 3
    assert model.beam_search(2, matching="...") == []
    everything = model.beam_search(3, n_beams=1000, matching="[an]{3}")
    assert len(everything) == 8
    assert [text for text, _ in everything] == model.enumerate_documents(8, matching="[an]{3}").documents


def test_beams_of_running_text_end_at_the_first_match():
    model = CharNGram(order=4).fit("the cat sat. a dog ran! the end. " * 20)
    found = model.beam_search(30, prime="the", n_beams=5, matching="[^.]*[.]")
    assert all(re.fullmatch("[^.]*[.]", text) for text, _ in found)
    assert {" cat sat.", " end."} <= {text for text, _ in found}
    assert model.beam_search(3, matching="a?") == [("", 0.0)]
    within = [[text for text, _ in model.beam_search(n, prime="the", matching="[^.]*[.]")] for n in (4, 5)]
    assert [" end." in texts for texts in within] == [False, True]


@pytest.mark.parametrize("pattern", ["a*", "(ab)*|c", "", "a", "b+a", ".*c", "[^a]{2}", "(a|bc){2}"])
def test_the_probability_within_a_length_of_running_text_is_a_sum_over_texts(pattern):
    model = CharNGram(3, n_threads=1).fit("abcab" * 7 + "aacbbc")
    whole, symbols = re.compile(pattern), list(model.vocabulary_)
    for n, prime in itertools.product((0, 1, 4), ("", "b")):
        expected = 0.0
        for text in map("".join, itertools.product(symbols, repeat=n)):
            if any(whole.fullmatch(text[:k]) for k in range(n + 1)):
                p = model.next_proba([prime + text[:k] for k in range(n)])
                expected += math.prod(row[symbols.index(symbol)] for row, symbol in zip(p, text, strict=True))
        found = model.match_probability(pattern, n, prime=prime)
        assert found.lower == found.estimate == found.upper == pytest.approx(expected, rel=1e-12, abs=0)


class Scripted(prefix_tree.Trials):
    """A sampler whose trials succeed with a letter a where `succeeds` says so."""

    upper = 0.5

    def __init__(self, succeeds):
        self.succeeds, self.blocks = succeeds, []

    def run(self, uniforms, n):
        done, B = sum(self.blocks), len(uniforms.states)
        self.blocks.append(B)
        return np.zeros((B, n), np.int32), np.array([0 if self.succeeds(i) else -1 for i in range(done, done + B)])


@pytest.mark.parametrize(("first", "length", "blocks", "message"), [
    (None, 9, [64, 358, 1024], "only 0 of 5 .* in 1,446 trials: .* is probably below 0.001"),
    (7, 9, [64, 143, 458, 1024, 1024], "only 1 of 5 .* in 2,713 trials: .* is about 0.0002"),
    (None, 4096, [64, 256, 256, 256, 256], "only 0 of 5 .* in 1,088 trials"),
])  # fmt: skip
def test_blocks_of_trials_grow_up_to_a_limit(counts, first, length, blocks, message):
    sampler = Scripted(lambda i: i == first)
    request = SampleRequest(None, "", length, {}, "a*")
    samples = MatchingSamples(sampler, counts.vocabulary_, request, 0, 1, MatchingLimits(max_trials=1000))
    with pytest.raises(InvalidInputError, match=message):
        samples.texts(range(5))
    assert sampler.blocks == blocks


def test_the_limit_of_a_document_includes_its_prime():
    names = CharNGram(3).fit(NAMES)
    assert names.match_probability("hanna.*", 4, prime="ha").estimate == 0
    assert names.match_probability("hanna.*", 5, prime="ha").estimate == pytest.approx(
        names.match_probability("hanna", prime="ha").estimate, rel=1e-12
    )


def test_refuses_texts_that_do_not_fit_in_memory():
    model = CharRNN(5, max_steps=0, random_state=0).fit("banana. ax " * 9)
    with pytest.raises(InvalidInputError, match=r"^max_length is 2,147,483,647, and 1,024 .* need about 8,796\.1 GB"):
        model.match_probability("b.*x", 2**31 - 1)
    with pytest.raises(InvalidInputError, match=r"^length is 2,147,483,647, and "):
        model.sample(2**31 - 1, matching="b.*x")
