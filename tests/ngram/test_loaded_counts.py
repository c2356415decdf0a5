"""Counts as a file gives them: the same bits as counts that can grow, in less memory, and refusals of damaged bytes."""

import io
import pickle

import numpy as np
import pytest
from examples import saved
from texts import NAMES, PHRASES

from crnn import AnomalyDetector, CharNGram, Mixture, TextClassifier
from crnn._kernels.ngram import reading
from crnn._kernels.ngram.compact import MAX_SYMBOLS, CompactCounts
from crnn.errors import InvalidInputError
from crnn.inference.scratch import Scratch
from crnn.ngram import packed_counts
from crnn.ngram.counts import Counts
from crnn.ngram.counts_network import CountsNetwork
from crnn.ngram.loaded_counts import LoadedCounts
from crnn.ngram.settings import MAX_ORDER

TRIALS = 300


def random_counts(rng):
    """Return counts of several random texts: few or many symbols, short or long contexts, small and large counts."""
    V = int(rng.choice([1, 2, 3, 7, 31, 256, 257, 311]))
    order = int(rng.choice([1, 2, 3, 5, 8]))
    boundary = None if rng.random() < 0.4 else int(rng.integers(V))
    counts = Counts(order, V, boundary)
    for _ in range(rng.integers(0, 5)):
        n = int(rng.integers(0, 400))
        ids = np.minimum(rng.zipf(1.3, n) - 1, V - 1) if rng.random() < 0.7 else rng.integers(0, V, n)
        if rng.random() < 0.2:
            ids[:] = ids[:1]
        times = np.full(n, rng.integers(1, 3000), np.int32) if rng.random() < 0.3 else None
        counts.add(ids.astype(np.int32), [] if boundary is None else [boundary], times)
    return counts


def both(counts):
    """Return counts that can grow and loaded ones, both from the same bytes, and these."""
    arrays = packed_counts.pack(counts)
    grown = packed_counts.unpack(arrays, counts.symbols, counts.boundary)
    return grown, LoadedCounts(arrays, counts.symbols, counts.boundary), arrays


def results(counts, seed):
    """Return what a network of counts says of random texts, each as bytes."""
    rng = np.random.default_rng(seed)
    network, V, k = CountsNetwork(counts), counts.symbols, counts.order - 1
    contexts = rng.integers(-1, V, (9, k)).astype(np.int32)
    x = rng.integers(0, V, (13, 9)).astype(np.int32)
    ids = x.ravel()
    starts = np.arange(0, 100, 10, dtype=np.intp)
    lengths = np.sort(rng.integers(0, 10, 10)).astype(np.intp)[::-1].copy()
    sums = rng.normal(size=(3, 10))
    rows = rng.integers(0, 9, 10).astype(np.intp)
    after = network.read(ids, starts, lengths, contexts, rows, sums, Scratch())
    found = [
        network.logits_after(contexts),
        network.log_probabilities(x, contexts.copy()),
        network.logits_before(x, contexts.copy()),
        network.string_log_likelihoods(ids, starts, lengths, contexts[:1]),
        network.string_log_likelihoods(ids, starts, lengths, contexts[:1], least=True),
        after,
        sums,
    ]
    return [array.tobytes() for array in found]


def test_loaded_counts_have_the_bits_of_counts_that_grow():
    rng = np.random.default_rng(0)
    large = 0
    for trial in range(TRIALS):
        grown, loaded, arrays = both(random_counts(rng))
        assert loaded.n_grams == grown.n_grams
        assert np.array_equal(loaded.discounts, grown.discounts)
        assert results(loaded, trial) == results(grown, trial)
        again = loaded.arrays
        assert again.keys() == arrays.keys()
        assert all(np.array_equal(again[name], arrays[name]) for name in arrays)
        assert CountsNetwork(loaded).same_as(CountsNetwork(grown))
        large += (packed_counts.numbers_of(arrays["counts"]) > 0x7FF).any()
    assert large > TRIALS // 20  # counts beyond a cell, of both widths


def test_loaded_counts_take_less_than_half_of_the_memory():
    counts = Counts(8, 40)
    counts.add(np.minimum(np.random.default_rng(0).zipf(1.5, 30_000) - 1, 39).astype(np.int32))
    grown, loaded, arrays = both(counts)
    size = sum(array.nbytes for array in arrays.values())
    assert loaded.nbytes < 3.1 * size
    assert loaded.nbytes < 0.5 * grown.nbytes


MODELS = {
    "counts": lambda: CharNGram(5).fit(PHRASES),
    "documents": lambda: CharNGram(4).fit(NAMES),
    "order 1": lambda: CharNGram(1).fit(NAMES),
    "labels": lambda: CharNGram(3).fit(NAMES, y=["a", "b"] * 3),
    "many symbols": lambda: CharNGram(3).fit("".join(map(chr, range(300))) * 2),
    "mixture": lambda: Mixture.from_fitted([CharNGram(2).fit(NAMES), CharNGram(4).fit(NAMES)]),
    "classifier": lambda: TextClassifier(CharNGram(3)).fit(NAMES, ["a", "b"] * 3),
    "detector": lambda: AnomalyDetector(CharNGram(3).fit(NAMES), contamination=0.5).calibrate(NAMES * 9),
    "adapted": lambda: CharNGram(4).fit(NAMES).adapt(["anna"] * 9),
}


@pytest.mark.parametrize("kind", MODELS)
def test_a_loaded_model_is_saved_and_pickled_with_the_same_bytes(kind):
    model = MODELS[kind]()
    data = saved(model)
    loaded = type(model).load(io.BytesIO(data))
    assert saved(loaded) == data
    assert saved(pickle.loads(pickle.dumps(loaded))) == data


def fresh(model):
    return type(model).load(io.BytesIO(saved(model)))


CHANGES = {
    "partial_fit": lambda model, X: model.partial_fit(X),
    "partial_fit twice": lambda model, X: model.partial_fit(X).partial_fit(X[:1]),
    "adapt": lambda model, X: model.adapt(X),
    "prune": lambda model, X: model.prune(max_bytes=1500),
    "quantize": lambda model, X: model.quantize(),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("X", [[PHRASES], NAMES], ids=["text", "documents"])
def test_a_loaded_model_changes_like_one_never_saved(change, X):
    model = CharNGram(4).fit(X)
    loaded = fresh(model)
    expected = saved(CHANGES[change](model, X[::-1]))
    assert saved(CHANGES[change](loaded, X[::-1])) == expected


@pytest.mark.parametrize(("X", "text"), [(PHRASES, "not to be"), (NAMES, "hanna")], ids=["text", "documents"])
def test_a_loaded_model_samples_matches_and_adapts_like_one_never_saved(X, text):
    model = CharNGram(4).fit(X)
    loaded = fresh(model)
    for use in (
        lambda m: m.sample(30, random_state=0) if X is PHRASES else m.sample(random_state=0, n_samples=9),
        lambda m: m.sample(matching=".{3,9}", random_state=0),
        lambda m: m.match_probability("[a-n]*", max_length=9),
        lambda m: m.start(text, adapt=True).feed(text).log_prob,
        lambda m: m.start(text).feed(text).next_proba(),
        lambda m: m.surprisal(text),
        lambda m: m.beam_search(5, n_beams=3),
    ):
        assert np.array_equal(use(loaded), use(model))


def test_labels_can_grow_after_loading():
    model = CharNGram(3).fit(NAMES, y=["a", "b"] * 3)
    loaded = fresh(model)
    assert saved(loaded.partial_fit(["hanna"], y=["b"])) == saved(model.partial_fit(["hanna"], y=["b"]))


# --- what is refused

DAMAGED = r"^the n-grams are damaged: "


def damaged(arrays, **changes):
    return {**arrays, **{name: np.asarray(value) for name, value in changes.items()}}


def test_any_changed_byte_is_refused_or_read_alike():
    counts = Counts(3, 3, 2)
    counts.add(np.array([0, 1, 0, 0, 1, 2, 1, 1, 0, 2], np.int32), [2])
    arrays = packed_counts.pack(counts)
    n_refused = n_read = 0
    for name in packed_counts.ARRAY_NAMES:
        for i in range(len(arrays[name])):
            for byte in (0, 1, 2, 3, 127, 128, 255):
                changed = arrays[name].copy()
                changed[i] = byte
                case = damaged(arrays, **{name: changed})
                try:
                    grown = packed_counts.unpack(case, 3, 2)
                except InvalidInputError:
                    n_refused += 1
                    with pytest.raises(InvalidInputError, match=DAMAGED):
                        LoadedCounts(case, 3, 2)
                else:
                    n_read += 1
                    assert results(LoadedCounts(case, 3, 2), i) == results(grown, i)
    assert n_refused > 100
    assert n_read > 10


def test_bytes_cut_off_or_added_are_refused():
    counts = Counts(3, 3)
    counts.add(np.array([0, 1, 0, 0, 1, 2, 1, 1, 0, 2], np.int32))
    arrays = packed_counts.pack(counts)
    for name in packed_counts.ARRAY_NAMES:
        for changed in (arrays[name][:-1], np.append(arrays[name], np.uint8(1)), np.empty(0, np.uint8)):
            with pytest.raises(InvalidInputError, match=DAMAGED):
                LoadedCounts(damaged(arrays, **{name: changed}), 3, None)
    for lengths in (arrays["lengths"] + 1, arrays["lengths"][:-1], np.append(arrays["lengths"], 1)):
        with pytest.raises(InvalidInputError, match=DAMAGED):
            LoadedCounts(damaged(arrays, lengths=lengths), 3, None)


BYTES = [np.array([1], np.uint8), np.array([0], np.uint8), np.array([1], np.uint8)]


@pytest.mark.parametrize(
    ("order", "symbols", "boundary"),
    [(0, 2, None), (MAX_ORDER + 1, 2, None), (1, 0, None), (1, MAX_SYMBOLS + 1, None), (1, 2, 2), (1, 2, -1)],
)
def test_impossible_sizes_are_refused(order, symbols, boundary):
    with pytest.raises(ValueError, match="must be"):
        CompactCounts(order, symbols, boundary, *BYTES)


def test_contexts_are_read_only_when_all_levels_are_there():
    compact = CompactCounts(1, 2, None, *BYTES)
    out = np.empty((1, 2))
    before = np.empty((1, 0), np.int32)
    with pytest.raises(ValueError, match="the reader has no contexts"):
        reading.rows_after(compact, before, out)
    with pytest.raises(ValueError, match="levels are missing"):
        compact.pack()
    compact.unpack()
    compact.set_discounts(np.array([[0, 0.5, 1.0, 1.5]]))
    reading.rows_after(compact, before, out)
    np.testing.assert_allclose(np.exp(out), [[0.75, 0.25]])
    with pytest.raises(ValueError, match="all levels have been added"):
        compact.unpack()
