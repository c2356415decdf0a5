"""CleanTexts: counts, the sample of too many texts, and parts as new texts would be."""

from collections import Counter

import numpy as np
import pytest

from crnn import InvalidInputError, Lines
from crnn.detection.clean_texts import CleanTexts, SymbolCounts, Whole, _remove_copies, newest_held_out


def rng():
    return np.random.default_rng(0)


def test_each_occurrence_is_held_out_or_learned():
    words = [f"once {i}" for i in range(50)] + ["twice"] * 2 + ["often"] * 348
    split = CleanTexts(words, rng()).split(0.2, rng())
    held = Counter(dict(zip(split.calibration, split.weights.astype(int).tolist(), strict=True)))
    assert held.total() == 80
    assert Counter(split.train) + held == Counter(words)
    assert 60 < held["often"] < 79
    assert not split.all_repeated


def test_held_out_texts_are_as_new_as_further_texts():
    """As many of them as of further texts were never read, or read once."""
    texts = rng().geometric(0.003, 20_000).astype(str).tolist()
    held, further = Counter(), Counter()
    for seed in range(10):
        split = CleanTexts(texts[:1000], rng()).split(0.3, np.random.default_rng(seed))
        counts = Counter(split.train)
        for text, weight in zip(split.calibration, split.weights.tolist(), strict=True):
            held[counts[text]] += weight / 300
        further.update({n: m / 19_000 for n, m in Counter(counts[text] for text in texts[1000:]).items()})
    assert held[0] / 10 == pytest.approx(further[0] / 10, abs=0.03)
    assert held[1] / 10 == pytest.approx(further[1] / 10, abs=0.03)
    assert 0.2 < held[0] / 10 < 0.6


@pytest.mark.parametrize("more", [0, 1, 15, 40])
def test_accidental_copies_count_once(more):
    """Whatever the fraction of texts without copies."""
    words = [f"word {i}" for i in range(40)]
    split = CleanTexts(words * 2 + [f"other {i}" for i in range(more)], rng()).split(0.25, rng())
    assert split.weights.tolist() == [1] * round((40 + more) / 4)
    assert not set(split.train) & set(split.calibration)


@pytest.mark.parametrize(("given", "expected"), [
    ([2] * 20, [1] * 20),
    ([2] * 19, [2] * 19),  # too few
    ([2] * 20 + [1] * 39, [1] * 59),
    ([2] * 20 + [1] * 40, [2] * 20 + [1] * 40),  # half of the texts do not repeat
    ([2] * 18 + [3] * 2, [1] * 18 + [2] * 2),
    ([2] * 17 + [3] * 3, [2] * 17 + [3] * 3),  # more than a tenth have an odd number
    ([1500] * 20, [3] * 20),
])  # fmt: skip
def test_copies_need_many_equal_numbers(given, expected):
    assert _remove_copies(np.array(given)).tolist() == expected


@pytest.mark.parametrize(("n", "kept"), [
    (2, ["ab", "ef"]), (3, ["ab", "cd", "ef"]), (5, ["ab", "cd", "ef", "old"]), (6, ["ab", "cd", "ef", "old", "older"]),
])  # fmt: skip
def test_the_newest_held_out_texts_are_kept(n, kept, monkeypatch):
    new, older = (("ab", 1, None), ("cd", 1, -2.0), ("ef", 1, -3.0)), (("old", 2, -1.0), ("older", 1, None))
    found = newest_held_out(new, older, n)
    assert [text for text, *_ in found] == kept
    assert set(found) <= {*new, *older}
    monkeypatch.setattr("crnn.detection.clean_texts.MAX_HELD", 14)  # symbols, and 5 more a text
    assert len(newest_held_out(new, older, n)) == 2


def test_texts_that_all_repeat_are_told():
    assert CleanTexts(["a", "a", "b", "b", "b"], rng()).split(0.5, rng()).all_repeated
    assert not CleanTexts(["a", "a", "b", "b"], rng()).split(0.5, rng()).all_repeated


@pytest.mark.parametrize(("given", "removed"), [
    ([1] * 7, [1] * 7),
    ([1, 2, 3, 7, 8, 1, 1], [1, 1, 1, 3, 3, 1, 1]),  # a third, at least 1
    ([1] * 6 + [2] * 25, [1] * 6 + [2] * 25),  # accidental copies
    ([3, 6, 12], [3, 3, 6]),
])  # fmt: skip
def test_a_share_of_each_text_is_taken_out_with_its_fold(given, removed):
    texts = [f"word {i}" for i in range(len(given))]
    whole = CleanTexts([text for text, n in zip(texts, given, strict=True) for _ in range(n)], rng()).whole(3, rng())
    assert whole.counts.tolist() == given
    assert np.bincount(whole.folds).max() - np.bincount(whole.folds).min() <= 1
    parts = [whole.taken_out(fold) for fold in range(3)]
    np.testing.assert_array_equal(np.sum(parts, axis=0), removed)
    for fold, part in enumerate(parts):
        assert set(whole.folds[part > 0].tolist()) == {fold}
    order = whole.order(whole.counts - parts[0], rng()).tolist()
    assert Counter(order) == Counter(dict(enumerate((whole.counts - parts[0]).tolist())))


def test_missing_values_are_left_out(monkeypatch):
    monkeypatch.setattr("crnn.detection.clean_texts.BATCH_TEXTS", 2)
    for a, b in (("a", "b"), (b"a", bytearray(b"b"))):
        texts = CleanTexts([None, float("nan"), a, np.nan, b, None, a], rng())
        assert texts.counts == {a: 2, bytes(b) if isinstance(b, bytearray) else b: 1}
        assert (texts.n_given, texts.n_missing) == (3, 4)


@pytest.mark.parametrize(("X", "message"), [
    ([], "it is empty"), (["a"] * 7, "all 7 texts are equal"), (["a", None], "it has 1 text"), ([None], "all are miss"),
])  # fmt: skip
def test_one_text_cannot_be_split(X, message):
    with pytest.raises(InvalidInputError, match=f"at least 2 different texts.*{message}"):
        CleanTexts(X, rng()).split(0.1, rng())


@pytest.mark.parametrize("n", [1, 3])
def test_a_text_longer_than_the_sample_is_not_called_empty(n):
    texts = CleanTexts([str(i) * 100 for i in range(n)], rng(), max_symbols=70)
    with pytest.raises(InvalidInputError, match=r"a random sample.*70 characters, contains 0\. Pass shorter"):
        texts.split(0.1, rng())


def test_random_sample_of_too_many_texts_is_held(monkeypatch):
    monkeypatch.setattr("crnn.detection.clean_texts.BATCH_TEXTS", 64)
    words = ["common"] * 2000 + [f"{i:06}" for i in range(2000)]
    texts = CleanTexts(words, rng(), max_symbols=7000)
    assert texts.share == 0.125  # 28,000 symbols were given
    assert 400 < texts.n_texts < 600
    assert 200 < texts.counts["common"] < 300
    assert texts.n_given == 4000
    assert CleanTexts(words, rng(), max_symbols=28_000).share == 1


def test_lines_bytes_arrays_and_generators(tmp_path):
    path = tmp_path / "lines"
    path.write_bytes(b"a\nb\n\xff\na\n")
    expected = {"a": 2, "b": 1}
    assert CleanTexts(Lines(path, errors="skip"), rng()).counts == expected
    assert CleanTexts(Lines(path, errors="replace"), rng()).counts == expected | {"\ufffd": 1}
    assert CleanTexts(Lines(path, kind="bytes"), rng()).counts == {b"a": 2, b"b": 1, b"\xff": 1}
    assert CleanTexts(iter(["a", "b", "a"]), rng()).counts == expected
    assert CleanTexts(np.array(["a", "b", "a"]), rng()).counts == expected
    assert CleanTexts([b"a", bytearray(b"b"), memoryview(b"a")], rng()).counts == {b"a": 2, b"b": 1}
    with pytest.raises(UnicodeDecodeError):
        CleanTexts(Lines(path), rng())


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ([None, None, "a", 3], r"X\[3\] must be str or bytes, not int"),
        (["a", "b", "c", "d", "e", b"f"], r"X\[5\] is bytes, but X\[0\] is str"),
        ([None, None, None, b"b", "c"], r"X\[4\] is str, but X\[3\] is bytes"),
    ],
)
def test_texts_of_other_types_are_refused(monkeypatch, X, message):
    monkeypatch.setattr("crnn.detection.clean_texts.BATCH_TEXTS", 2)
    with pytest.raises(InvalidInputError, match=message):
        CleanTexts(X, rng())


def whole_of(texts, counts, n_folds=2):
    folds = np.arange(len(texts)) % n_folds
    return Whole(texts, np.array(counts), np.array(counts, float), folds, False)


def test_texts_that_decide_the_threshold_are_scored_again_with_few_others_left_out():
    texts = [f"text {i}" for i in range(1000)]
    whole, taken = whole_of(texts, [2] * 1000), []

    def score(taken_out, part):
        taken.append(taken_out)
        assert [texts[i] for i in np.flatnonzero(taken_out)] == part
        return np.full(len(part), -5000.0)

    scores = np.arange(-1000.0, 0.0)
    found = whole.refine_scores(scores, 0.01, rng(), score)
    assert (found[:30] == -5000).all()  # three times as many as are flagged
    np.testing.assert_array_equal(found[31:], scores[31:])
    assert max(times.sum() for times in taken) <= 0.02 * 2000
    assert {int(n) for times in taken for n in times} == {0, 1}  # of each text, an occurrence stays
    of_one = whole_of(texts[:3], [1, 1, 1], 3)
    np.testing.assert_array_equal(of_one.refine_scores(scores[:3], 0.01, rng(), score), scores[:3])


@pytest.mark.parametrize("as_bytes", [False, True])
def test_a_symbol_that_too_few_other_texts_have_is_read_as_unknown(as_bytes):
    texts = ["abc", "abd", "bad", "xa", "xb"]
    if as_bytes:
        texts = [text.encode() for text in texts]
    symbols = SymbolCounts(whole_of(texts, [1] * 5), 2)
    taken_out = np.array([0, 0, 1, 1, 0])
    (bad, xa) = symbols.as_new([texts[2], texts[3]], taken_out)
    assert bad[:2] == texts[2][:2]
    assert bad[2] == xa[0]  # d and x remain once, fewer than twice
    assert bad[2:] not in {text[i : i + 1] for text in texts for i in range(3)}
    assert symbols.as_new([texts[0]], np.array([1, 0, 0, 0, 0]))[0][:2] == texts[0][:2]
