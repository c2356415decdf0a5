"""WordCounts: the probabilities of the definition, whatever is pruned, and tables that come back from their arrays."""

import math
import pickle

import numpy as np
import pytest

from crnn import InvalidInputError
from crnn.inference.mixed_network import letters_of
from crnn.ngram import word_counts as module
from crnn.ngram.word_counts import LEAST_COUNTS, WordCounts, folds_of, has_words
from crnn.reference.word_counts import WordCounts as Reference
from crnn.text.vocabulary import Vocabulary

DOCUMENTS = Vocabulary([ord(c) for c in " .Aab"], boundary=True)
TEXT = Vocabulary([ord(c) for c in " .Aab"])
MEMORY = 10**9


def ids_of(vocabulary, n=1500, seed=0):
    """Return a text of few short words; with a boundary, of documents that begin and end with one."""
    rng = np.random.default_rng(seed)
    p = [0.25, 0.05, 0.1, 0.3, 0.2, 0.1][: len(vocabulary)]
    ids = rng.choice(len(vocabulary), n, p=np.array(p) / sum(p))
    if vocabulary.boundary is not None:
        ids[[0, -1]] = vocabulary.boundary
    return ids.astype(vocabulary.id_dtype)


def nearest_share(share):
    """Return the share as the tables round it."""
    return float(module.SHARES[min(max(round(math.log(max(share, module.SHARES[-1])) / -module.SHARE_STEP), 0), 255)])


def rows_after(counts, text, others):
    """Return log P of all symbols after a text."""
    before = np.array([text], np.int32).reshape(1, -1)
    rows = others[None, None]
    return counts.spread(np.empty((0, 1), np.int32), before, rows, np.empty_like(rows))[0, 0]


@pytest.mark.parametrize("vocabulary", [DOCUMENTS, TEXT], ids=["documents", "text"])
@pytest.mark.parametrize("kept", [LEAST_COUNTS[0], LEAST_COUNTS[3]])
def test_probabilities_are_those_of_the_definition(vocabulary, kept, monkeypatch):
    monkeypatch.setattr(module, "LEAST_COUNTS", (kept,))
    ids = ids_of(vocabulary)
    V = len(vocabulary)
    counts = WordCounts.of(ids, vocabulary, MEMORY)
    letters = letters_of(vocabulary)[:-1].tolist()
    folds = folds_of(vocabulary).tolist()
    expected = Reference(ids.tolist(), letters, folds, vocabulary.boundary, kept, nearest_share)
    exact = Reference(ids.tolist(), letters, folds, vocabulary.boundary, kept)
    others = np.log(np.random.default_rng(3).dirichlet(np.ones(V)))
    for seed in range(40):
        text = ids_of(vocabulary, 1 + seed, seed)[: 1 + seed].tolist()
        found = np.exp(rows_after(counts, text, others))
        np.testing.assert_allclose(found, expected.probabilities(text, np.exp(others)), rtol=1e-12)
        of_definition = np.array(exact.probabilities(text, np.exp(others)))
        assert of_definition.sum() == pytest.approx(1)
        assert np.abs(np.log(found / of_definition)).max() < 4 * module.SHARE_STEP / 2  # four rounded factors


def test_rows_do_not_depend_on_how_a_text_is_cut():
    counts = WordCounts.of(ids_of(TEXT), TEXT, MEMORY)
    x = ids_of(TEXT, 300, 5).astype(np.int32).reshape(100, 3)
    others = np.log(np.random.default_rng(3).dirichlet(np.ones(5), (101, 3)))
    before = np.full((3, 60), -1, np.int32)
    rows = others.copy()
    counts.spread(x, before, rows, rows)  # in place
    texts = np.concatenate([before, x.T], axis=1)
    for first, last in ((0, 1), (1, 37), (37, 101)):
        part = np.empty_like(others[first:last])
        counts.spread(x[first : last - 1], texts[:, first : first + 60].copy(), others[first:last], part)
        np.testing.assert_array_equal(part, rows[first:last])


def test_counting_in_pieces_gives_the_same_tables(monkeypatch):
    expected = WordCounts.of(ids_of(DOCUMENTS), DOCUMENTS, MEMORY)
    monkeypatch.setattr(module, "CALL_SYMBOLS", 7)
    assert WordCounts.of(ids_of(DOCUMENTS), DOCUMENTS, MEMORY).same_as(expected)


def test_only_as_much_is_counted_and_kept_as_fits_in_the_memory():
    ids = ids_of(TEXT, 20_000)
    whole = WordCounts.of(ids, TEXT, MEMORY)
    small = WordCounts.of(ids, TEXT, 100_000)
    assert 0 < small.nbytes < whole.nbytes
    assert 9 * small.arrays["lengths"].sum() + 4 * small.n_grams <= 25_000
    last = ids[-(100_000 // module.BUILD_BYTES) :]
    assert (
        small.arrays["base"].tolist()
        == WordCounts.of(ids[-len(last) - module.words.WINDOW :], TEXT, 100_000).arrays["base"].tolist()
    )


def test_a_pickle_and_the_arrays_restore_the_counts():
    counts = WordCounts.of(ids_of(DOCUMENTS), DOCUMENTS, MEMORY)
    copy = pickle.loads(pickle.dumps(counts))
    assert copy.same_as(counts)
    others = np.log(np.full(6, 1 / 6))
    np.testing.assert_array_equal(rows_after(copy, [3, 0, 4], others), rows_after(counts, [3, 0, 4], others))
    assert not WordCounts.of(ids_of(DOCUMENTS, seed=1), DOCUMENTS, MEMORY).same_as(counts)


DAMAGE = [
    ("lengths", lambda array: array[:2]), ("lengths", lambda array: array + 1), ("lengths", lambda array: -array),
    ("keys", lambda array: array[:-1]), ("keys", lambda array: array | 128), ("keys", lambda array: array * 0),
    ("sizes", lambda array: array[1:]), ("sizes", lambda array: np.append(array[1:], array[:1] + 1).astype(np.uint8)),
    ("escapes", lambda array: array[1:]), ("escapes", lambda array: array.astype(np.int32)),
    ("symbols", lambda array: array | 127), ("symbols", lambda array: array[:-1]),
    ("symbols", lambda array: array * 0 + 2), ("shares", lambda array: array[1:]),
    ("base", lambda array: array[1:]), ("base", lambda array: array * np.nan),
    ("base", lambda array: -array), ("letters", lambda array: array + 1), ("folds", lambda array: array + 1),
    ("folds", lambda array: array[::-1].copy()), ("folds", lambda array: array[None]),
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(DAMAGE)))
def test_refuses_damaged_arrays(number):
    name, damage = DAMAGE[number]
    counts = WordCounts.of(ids_of(TEXT), TEXT, MEMORY)
    damaged = {**counts.arrays, name: damage(counts.arrays[name])}
    with pytest.raises(InvalidInputError, match="the counts of words are damaged: "):
        WordCounts(damaged, None)


def test_refuses_missing_arrays():
    arrays = WordCounts.of(ids_of(TEXT), TEXT, MEMORY).arrays
    with pytest.raises(InvalidInputError, match="the counts of words are damaged: keys missing"):
        WordCounts({name: array for name, array in arrays.items() if name != "keys"}, None)


def test_letters_fold_to_their_lower_case_if_the_text_has_it():
    vocabulary = Vocabulary.from_text("aABcÉéßẞ ")
    folds = folds_of(vocabulary)
    symbols = "".join(vocabulary)
    assert {symbols[i]: symbols[fold] for i, fold in enumerate(folds) if fold != i} == {"A": "a", "É": "é", "ẞ": "ß"}
    assert folds_of(Vocabulary.from_text("aAÃã".encode("latin-1"))).tolist() == [1, 1, 2, 3]


@pytest.mark.parametrize(("text", "expected"), [
    ("to be or not to be, that is the question", True), ("tobeornottobethatisthequestion", False),
    ("天地玄黄,宇宙洪荒。日月盈昃,辰宿列张。", False), ("...", False), (["anna", "bob"], False),
    (["to be", "or not to"], True), (b"to be or not", True),
])  # fmt: skip
def test_texts_with_spaces_between_words_have_words(text, expected):
    if isinstance(text, list):
        vocabulary = Vocabulary.from_blocks(text, boundary=True)
        end = np.array([vocabulary.boundary])
        ids = np.concatenate([end, *(np.append(vocabulary.encode(document), end) for document in text)])
    else:
        vocabulary = Vocabulary.from_text(text)
        ids = vocabulary.encode(text)
    assert has_words(ids, vocabulary) is expected
