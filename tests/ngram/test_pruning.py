"""Pruned counts: the n-grams that cost least go first, and what is left is the reference's model."""

import io
import itertools
import pickle

import numpy as np
import pytest

from crnn import CharNGram, InvalidInputError
from crnn.ngram.counts import Counts
from crnn.ngram.frozen import FrozenCounts
from crnn.ngram.pruning import CountLevels, prune
from crnn.reference.kneser_ney import KneserNey
from crnn.reference.pruned_counts import PrunedKneserNey

V = 4
RANDOM = np.random.default_rng(5)
SYLLABLES = ["an", "na", "h", "bo", "by", "ot", "to", "s", "e", "li", "sa", "mar", "ta"]
NAMES = ["".join(RANDOM.choice(SYLLABLES, RANDOM.integers(1, 5))) for _ in range(500)] + ["hanna"]
TEXT = " ".join(NAMES)


def levels(order=4, boundary=None, n=250, seed=0, **options):
    ids = np.random.default_rng(seed).choice(V, n, p=[0.5, 0.2, 0.1, 0.2])
    counts = Counts(order, V, boundary, **options)
    counts.add(ids, [] if boundary is None else [boundary])
    return ids, counts, CountLevels(counts)


def n_grams(found):
    """Return all n-grams of levels, with their costs, and those kept."""
    names, all_of, kept = [()], [], set()
    for level, flags in zip(found.levels, found.kept, strict=True):
        grams = [(*names[owner], w) for owner, w in zip(level.owners.tolist(), level.symbols.tolist(), strict=True)]
        kept |= {gram for gram, flag in zip(grams, flags, strict=True) if flag}
        names = [gram for gram, child in zip(grams, level.children, strict=True) if child >= 0]
        all_of.append(grams)
    return all_of, kept


@pytest.mark.parametrize("boundary", [None, 3])
@pytest.mark.parametrize("n_bytes", [1e9, 400, 150, 60])
def test_probabilities_are_the_references(boundary, n_bytes):
    ids, _, found = levels(boundary=boundary)
    prune([found], n_bytes)
    _, kept = n_grams(found)
    whole = KneserNey([ids.tolist()], 4, V, boundary)
    reference = PrunedKneserNey(whole, kept)
    frozen = FrozenCounts.of(found.frozen(4), V, boundary, 16)
    texts = itertools.product(range(V), repeat=3)
    contexts = [text for text in texts if boundary is None or boundary not in text[1:]]
    rows = np.exp(frozen.rows(np.array(contexts)))
    np.testing.assert_allclose(rows.sum(axis=1), 1, rtol=1e-12)
    wanted = [[reference.probability(context, w) for w in range(V)] for context in contexts]
    np.testing.assert_allclose(rows, wanted, rtol=2e-3)  # numbers of 16 bits


@pytest.mark.parametrize("n_bytes", [1e9, 200])
def test_costs_are_the_references(n_bytes):
    ids, _, found = levels(order=3)
    prune([found], n_bytes)
    all_of, kept = n_grams(found)
    reference = PrunedKneserNey(KneserNey([ids.tolist()], 3, V), kept)
    costs = found.losses()
    found_costs = costs[-1] * found._bytes_of(2)
    for gram, cost in zip(all_of[-1], found_costs, strict=True):
        if gram in kept:
            assert cost == pytest.approx(reference.cost(gram), rel=1e-9, abs=1e-9)
        else:
            assert cost < 0
    assert max(found_costs) > 0.1
    for depth in range(1, len(all_of)):
        for gram, cost in zip(all_of[depth], costs[depth], strict=True):
            own = costs[depth - 1][all_of[depth - 1].index(gram[:-1])]
            assert own >= cost  # it goes no earlier than what extends it


def test_counts_that_keep_their_text_give_the_n_grams_of_contexts_that_occurred_twice():
    _, plain, _ = levels(order=5)
    _, _, kept_text = levels(order=5, keeps_text=True)
    all_of, _ = n_grams(kept_text)
    occurrences = dict(zip(itertools.chain(*n_grams(CountLevels(plain))[0]), itertools.count(), strict=False))
    assert {gram for grams in all_of for gram in grams} < occurrences.keys()
    found = CountLevels(plain)
    for depth, grams in enumerate(all_of):
        of_plain = dict(zip(n_grams(found)[0][depth], found.occurrences[depth], strict=True))
        assert [of_plain[gram] for gram in grams] == kept_text.occurrences[depth].tolist()


def size(model):
    file = io.BytesIO()
    model.save(file)
    return len(file.getvalue())


@pytest.mark.parametrize("X", [TEXT, NAMES], ids=["text", "documents"])
def test_files_have_the_size_asked_for_and_lose_less_if_larger(X):
    model = CharNGram(6).fit(X)
    losses = []
    for max_bytes in (size(model), 5000, 3500, 2500, 2200):
        small = model.prune(max_bytes)
        assert size(small) <= max_bytes
        assert small.order_ <= model.order_
        losses.append(-np.sum(small.score_samples([X] if isinstance(X, str) else X)))
    assert losses == sorted(losses)
    assert losses[0] < losses[-1]
    with pytest.raises(InvalidInputError, match=r"max_bytes is 900, but the symbols alone take 9\d\d\. Pass at least"):
        model.prune(900)


@pytest.mark.parametrize("y", [None, ["x", "y"] * 250 + ["x"]], ids=["no labels", "labels"])
def test_every_size_from_that_of_the_symbols_alone_is_reached(y):
    model = CharNGram(4).fit(NAMES, y)
    with pytest.raises(InvalidInputError, match=r"alone take [\d,]+\. Pass at least [\d,]+\.") as error:
        model.prune(1)
    least = int(str(error.value).rpartition(" ")[2].rstrip(".").replace(",", ""))
    symbols = model.prune(least)
    assert symbols.order_ == 1
    assert size(symbols) == least
    with pytest.raises(InvalidInputError, match=f"take {least:,}. Pass at least {least:,}"):
        model.prune(least - 1)
    n_grams = [sum(model.prune(least + n).n_grams_) for n in (0, 40, 100, 250, 600)]
    assert n_grams == sorted(set(n_grams))


@pytest.mark.parametrize("is_loaded", [False, True], ids=["fitted", "loaded"])
def test_counts_whose_file_is_small_because_it_has_the_text_are_pruned_too(is_loaded):
    model = CharNGram(13).fit(TEXT)
    if is_loaded:
        model.save(file := io.BytesIO())
        file.seek(0)
        model = CharNGram.load(file)
    max_bytes = size(model)  # the n-grams would take several times as much
    small = model.prune(max_bytes)
    assert size(small) <= max_bytes
    assert size(small.quantize()) < max_bytes
    assert sum(small.n_grams_) < sum(model.n_grams_) / 2
    assert model.prune(1000 * max_bytes).n_grams_ == model.n_grams_


@pytest.fixture(params=["pruned", "quantized", "quantized whole"])
def small(request):
    model = CharNGram(5).fit(NAMES)
    if request.param == "quantized whole":
        return model.quantize()
    return model.prune(4000) if request.param == "pruned" else model.prune(4000).quantize()


def test_compact_models_are_models(small, tmp_path):
    small.save(tmp_path / "small.crnn")
    again = CharNGram.load(tmp_path / "small.crnn")
    for other in (again, pickle.loads(pickle.dumps(small))):
        np.testing.assert_array_equal(other.score_samples(NAMES), small.score_samples(NAMES))
        assert other.n_grams_ == small.n_grams_
        assert other.sample(n_samples=5, random_state=0) == small.sample(n_samples=5, random_state=0)
    prefixes = ["", "a", "han", "bobb", "ott"]
    p = small.next_proba(prefixes)
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-12)
    for text in NAMES[:8]:
        steps = small.next_proba([text[:i] for i in range(len(text) + 1)])
        codes = [*(small.vocabulary_.codes.tolist().index(ord(c)) for c in text), small.vocabulary_.boundary]
        assert small.score_samples([text])[0] == pytest.approx(np.log(steps[np.arange(len(codes)), codes]).sum())
    matched = small.sample(matching="h.*", n_samples=20, random_state=1)
    assert all(text.startswith("h") for text in matched)
    found = small.match_probability("[ab].*")
    firsts = [list(small.vocabulary_.codes).index(ord(c)) for c in "ab"]
    assert found.lower == found.upper == pytest.approx(p[0, firsts].sum(), abs=1e-9)
    state = small.start("han")
    np.testing.assert_allclose(state.next_proba(), p[2])


@pytest.mark.parametrize("call", [lambda m: m.partial_fit(["ab"]), lambda m: m.adapt(["ab"]), lambda m: m.prune(1800)])
def test_what_needs_counts_says_so(small, call):
    with pytest.raises(InvalidInputError, match="needs counts, but prune and quantize have replaced them"):
        call(small)


def test_labels_are_pruned_together():
    model = CharNGram(4).fit(NAMES, ["h" if "h" in name else "x" for name in NAMES])
    small = model.prune(4500).quantize()
    assert size(small) < 4500 < size(model)
    assert small.for_label("h").sample(temperature=0).startswith("h")
    again = CharNGram.load(io.BytesIO(saved_bytes(small)))
    np.testing.assert_array_equal(again.score_samples(NAMES), small.score_samples(NAMES))


def saved_bytes(model):
    file = io.BytesIO()
    model.save(file)
    return file.getvalue()


def test_8_bits_cost_little():
    model = CharNGram(5).fit(TEXT)
    assert abs(model.quantize().score(TEXT) - model.score(TEXT)) < 0.01
