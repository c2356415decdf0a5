"""CharNGram: a language model like the others, with probabilities from counts."""

import copy
import io
import pickle
import tracemalloc

import numpy as np
import pytest
from examples import saved
from hypothesis import given, settings
from hypothesis import strategies as st
from small_models import learned_state

from crnn import BOUNDARY, UNKNOWN, CharNGram, InvalidInputError, Lines
from crnn.files.model_file import contains_text
from crnn.ngram import building
from crnn.ngram.counts import Counts
from crnn.reference.kneser_ney import KneserNey
from crnn.text import sources

SENTENCE = "to be or not that is the question whether tis nobler in mind suffer slings and arrows of outrageous"
TEXT = " ".join(np.random.default_rng(0).choice(SENTENCE.split(), 700))
NAMES = ["anna", "bob", "", "nana", "abba", "nan", "o"] * 3
BLOCKS = st.lists(st.text("abc", max_size=20), min_size=1, max_size=5)


@pytest.fixture(scope="module")
def model():
    return CharNGram(order=5).fit(TEXT)


@pytest.fixture(scope="module")
def namer():
    return CharNGram(order=4).fit(NAMES)


def test_probabilities_match_the_definition(model, namer):
    for fitted, texts in ((model, [TEXT]), (namer, NAMES)):
        vocabulary, boundary = fitted.vocabulary_, fitted.vocabulary_.boundary
        end = [] if boundary is None else [boundary]
        counted = [[*vocabulary.encode(text).tolist(), *end] for text in texts]
        reference = KneserNey(counted, fitted.order_, len(vocabulary), boundary)
        prefixes = ["", "n", "no", "ano", "oooooo"]
        expected = [reference.probabilities([*end, *vocabulary.encode(prefix).tolist()]) for prefix in prefixes]
        np.testing.assert_allclose(fitted.next_proba(prefixes), expected, rtol=1e-11)


def test_documents_start_and_end(namer):
    assert namer.vocabulary_[-1] is BOUNDARY
    assert namer.score_samples([""])[0] == pytest.approx(np.log(namer.next_proba([""])[0, -1]))
    total = np.exp(namer.score_samples(NAMES)).sum() / 3
    found = namer.enumerate_documents(20)
    np.testing.assert_allclose(found.log_probs, namer.score_samples(found.documents), rtol=1e-12)
    assert set(NAMES) <= set(found.documents)
    assert 0.5 < total < 1
    assert namer.score(NAMES) == pytest.approx(namer.score_samples(NAMES).sum() / sum(len(x) + 1 for x in NAMES))
    samples = namer.sample(n_samples=30, random_state=0)
    assert set(samples) & set(NAMES)
    assert namer.start().feed("bob").end().log_prob == namer.score_samples(["bob"])[0]
    guesses = namer.guess_number(["anna", "ooooo"], n_samples=500, random_state=0)
    assert guesses.estimate[0] < 20 < guesses.estimate[1]


def test_samples_are_drawn_from_the_probabilities(model):
    p = model.next_proba(["to b"])[0]
    drawn = model.sample(1, prime="to b", n_samples=4000, random_state=0)
    found = np.bincount(model.vocabulary_.encode("".join(drawn)), minlength=len(p)) / 4000
    assert np.abs(found - p).max() < 0.03
    assert model.sample(30, prime="quest", random_state=3) == "".join(model.stream(30, prime="quest", random_state=3))
    (best, log_prob), *_ = model.beam_search(4, prime="quest")
    assert best == "ion "
    assert log_prob == pytest.approx(model.score_samples(["question "])[0] - model.score_samples(["quest"])[0])


@given(st.text("abc", min_size=1, max_size=30), st.text("abc", max_size=9), st.integers(1, 7))
@settings(max_examples=30, deadline=None)
def test_probabilities_sum_to_one_for_every_text(text, prefix, order):
    model = CharNGram(order, vocabulary="abc").fit(text)
    p = model.next_proba([prefix])[0]
    assert p.sum() == pytest.approx(1, rel=1e-13)
    assert (p > 0).all()
    assert model.n_grams_[0] == len(set(text))


def keeps_text(model):
    return contains_text(io.BytesIO(saved(model)))


def results(model, path):
    """Return what a model says and generates."""
    reading = model.start(adapt=True).feed("be na").feed("be na")
    adapted = pickle.loads(pickle.dumps(model.adapt(["be na"] if model.vocabulary_.boundary else "be na")))
    with pytest.warns(UserWarning, match="KenLM"):
        model.export_arpa(path)
    return [
        model.n_grams_,
        model.score_samples(["to be", "anna", "nab"]).tolist(),
        model.next_proba(["", "a", "na", "anna", TEXT[50:90]]).tolist(),
        [reading.log_prob, reading.next_proba().tolist()],
        model.score(["be na", "be na be na"] if model.vocabulary_.boundary else "be na be na", adapt=True),
        model.sample(30, n_samples=5, random_state=0),
        model.sample(9, matching="[abeno ]+", n_samples=3, random_state=0),
        model.restore("an?a", gaps="?"),
        adapted.next_proba(["be", "be n"]).tolist(),
        path.read_text(),
    ]


@pytest.mark.parametrize(
    ("order", "texts", "more"),
    [(24, TEXT[:400], TEXT[350:500]), (11, [*NAMES, "be to"], ["hanna", "bob", "nanna"])],
)
def test_long_contexts_read_from_the_text_change_no_result(texts, more, order, tmp_path, monkeypatch):
    """Models that keep their text and models that store all n-grams do the same, before and after more text."""
    parameters = {"order": order, "min_count": 2, "vocabulary": SENTENCE}
    with monkeypatch.context() as patched:
        patched.setattr(building, "LONGEST_STORED", 64)
        stored = CharNGram(**parameters).fit(texts)
    kept = CharNGram(**parameters).fit(texts)
    assert (keeps_text(stored), keeps_text(kept)) == (False, True)
    for _ in range(2):
        expected = results(stored, tmp_path / "counts.arpa")
        loaded, plain = CharNGram.load(io.BytesIO(saved(kept))), kept._without_text()
        for model in (kept, loaded, pickle.loads(pickle.dumps(kept)), plain):
            assert results(model, tmp_path / "counts.arpa") == expected
        assert (keeps_text(loaded), keeps_text(plain)) == (True, False)
        loaded.partial_fit(more)
        stored.partial_fit(more)
        kept = loaded


def test_texts_with_labels_or_weights_are_not_kept(tmp_path):
    labeled = CharNGram(12).fit(NAMES, y=[len(name) for name in NAMES])
    weighted = CharNGram(12).fit(NAMES, sample_weight=[2] * len(NAMES))
    kept = CharNGram(12).fit(NAMES)
    assert [keeps_text(model) for model in (labeled, weighted, kept)] == [False, False, True]
    kept.partial_fit(["anna", "bob"], sample_weight=[2, 1])
    again = CharNGram(12).fit([*NAMES, "anna", "anna", "bob"])
    assert not keeps_text(kept)
    np.testing.assert_array_equal(kept.next_proba(["an"]), again.next_proba(["an"]))


def test_the_order_is_chosen_and_reported():
    model = CharNGram().fit(TEXT)
    assert 1 < model.order_ == len(model.n_grams_) < 20
    assert model.order is None
    losses = [-CharNGram(order).fit(TEXT[: -len(TEXT) // 20]).score(TEXT) for order in (1, model.order_)]
    assert losses[1] < losses[0]
    assert model.partial_fit(TEXT).order_ == len(model.n_grams_)


def test_bytes_are_symbols_and_rare_symbols_unknown():
    model = CharNGram(3).fit(b"\x00\xff\x00\xff" * 9)
    assert model.vocabulary_.kind == "bytes"
    assert model.sample(4, prime=b"\xff", temperature=0) == b"\x00\xff\x00\xff"
    model = CharNGram(3, min_count=2).fit("abababq")
    assert model.vocabulary_[-1] is UNKNOWN
    assert model.score("abz") == model.score("abq")
    assert "\ufffd" not in model.sample(200, random_state=0)


@pytest.mark.parametrize("lines", [False, True])
def test_files_are_read_in_blocks(tmp_path, monkeypatch, lines):
    monkeypatch.setattr(sources, "IN_MEMORY", 0)
    monkeypatch.setattr(building, "LIMITS", building.Limits(block=499))
    path = tmp_path / "text.txt"
    path.write_text(TEXT.replace(" ", "\n"))
    stored = CharNGram().fit(Lines(path, cache=tmp_path) if lines else path)
    whole = CharNGram().fit(TEXT.split(" ") if lines else TEXT.replace(" ", "\n"))
    assert pickle.dumps(stored) == pickle.dumps(whole)


def test_adaptation_counts_what_is_read(model):
    before, text, expected = pickle.dumps(model), "slings of slings and slings of mind " * 9, []
    counts = Counts(5, len(model.vocabulary_))
    counts.add(model.vocabulary_.encode(TEXT))
    counts, ids = counts.over(), model.vocabulary_.encode(text)
    for i in range(len(ids)):
        context = ids[max(0, i - 4) : i].astype(np.int32)
        expected.append(-counts.rows([context])[0, ids[i]])
        counts.add(ids[i : i + 1], context)
    found = model.surprisal(text, adapt=True)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert found.mean() < 0.9 * model.surprisal(text).mean()
    assert model.score(text, adapt=True) == pytest.approx(-found.mean(), rel=1e-12)
    state = model.start(adapt=True)
    for i in range(0, len(text), 7):
        state.feed(text[i : i + 7])
    assert state.log_prob == pytest.approx(-found.sum(), rel=1e-12)
    assert pickle.dumps(model) == before


def test_adaptive_documents_start_anew(namer):
    names = ["bobobo", "anna"] * 4
    assert namer.score(names, adapt=True) > namer.score(names)
    state = namer.start(adapt=True)
    for name in names:
        state.feed(name).end()
    assert state.log_prob == pytest.approx(namer.score(names, adapt=True) * sum(len(name) + 1 for name in names))


def test_adapt_returns_the_model_that_an_adapting_score_leaves(model):
    before, text, new = pickle.dumps(model), "slings of slings and slings of mind " * 9, "mind of slings"
    state, adapted = model.start(adapt=True).feed(text), model.adapt(text)
    after = state.copy().feed(new, adapt=False)
    assert adapted.start(text).feed(new).log_prob == pytest.approx(after.log_prob - state.log_prob, rel=1e-12)
    assert pickle.dumps(model) == before
    assert CharNGram.load(io.BytesIO(saved(adapted))).score(new) == adapted.score(new)
    again = pickle.loads(pickle.dumps(adapted.start("mi")))
    assert again.feed("nd").log_prob == adapted.start("mi").feed("nd").log_prob
    counted = copy.deepcopy(model).partial_fit(text)
    assert counted.score(new) != adapted.score(new)  # it estimates the discounts anew
    assert counted.partial_fit(new).score(new) == adapted.partial_fit(new).score(new)


def test_adapt_reads_documents_in_order(namer):
    state = namer.start(adapt=True).feed("bobo").end().feed("").end().feed("anna").end()
    expected = state.copy().feed("bab", adapt=False).log_prob - state.log_prob
    assert namer.adapt(["bobo", "", "anna"]).start().feed("bab").log_prob == pytest.approx(expected, rel=1e-12)


LABELED = ["anna", "hanna", "bob", "", "otto"], [3, 3, 1, 1, 1]


@pytest.fixture(scope="module")
def labeled():
    return CharNGram(order=4).fit(LABELED[0], y=LABELED[1])


def test_each_label_has_the_counts_of_its_texts(labeled):
    texts, numbers = LABELED
    assert (labeled.labels_.tolist(), labeled.order_) == ([1, 3], 4)
    for label in (1, 3):
        own = [text for text, number in zip(texts, numbers, strict=True) if number == label]
        alone = CharNGram(order=4, vocabulary="abhnot").fit(own)
        assert labeled.for_label(label).vocabulary_ == alone.vocabulary_
        assert labeled.for_label(label).n_grams_ == alone.n_grams_
        assert (labeled.score_samples(texts, y=label) == alone.score_samples(texts)).all()
        assert labeled.sample(label=label, random_state=5) == alone.sample(random_state=5)
    assert labeled.n_grams_ == np.add(labeled.for_label(1).n_grams_, labeled.for_label(3).n_grams_).tolist()
    assert CharNGram().fit(["anna", "b"] * 9, y=[1, 2] * 9).order_ == 5  # one for all labels


def test_without_a_label_texts_are_summed_over_labels_and_labels_are_drawn(labeled):
    scores = [labeled.score_samples(["bob", "q"[:0]], y=label) for label in (1, 3)]
    expected = np.log(0.6 * np.exp(scores[0]) + 0.4 * np.exp(scores[1]))
    np.testing.assert_allclose(labeled.score_samples(["bob", ""]), expected, rtol=1e-12)
    drawn = labeled.sample(n_samples=300, random_state=0, temperature=0)
    assert 0.3 < np.mean([text in ("anna", "hanna") for text in drawn]) < 0.5


def test_all_labels_together_stay_within_the_memory(labeled):
    limit = 2 * sum(counts.nbytes for counts in learned_state(labeled).labeled.parts)
    assert CharNGram(4, max_memory=limit).fit(LABELED[0], y=LABELED[1]).n_grams_ == labeled.n_grams_
    with pytest.raises(InvalidInputError, match="which needs more than max_memory"):
        CharNGram(4, max_memory=limit - 1).fit(LABELED[0], y=LABELED[1])


COUNTED = ["anna", "bob", "", "otto", "Zoë", "hannah", "nan"]
TIMES = [3, 1, 2, 7, 0, 40, 1]


def repeated(texts, times=TIMES):
    return [text for text, n in zip(texts, times, strict=True) for _ in range(n)]


@pytest.mark.parametrize(
    ("parameters", "labels"),
    [({"order": 1}, None), ({"order": None}, list("xyxxzyx")), ({"order": 3, "min_count": 3}, None),
     ({"vocabulary": "abn", "order": 3, "min_count": 2}, list("xyxxzyx"))],
)  # fmt: skip
def test_weights_count_documents_as_if_they_occurred_so_often(parameters, labels):
    """Bit for bit: the files are equal. A document of weight 0 is absent, as are its symbols and its label."""
    expected = CharNGram(**parameters).fit(repeated(COUNTED), y=None if labels is None else repeated(labels))
    model = CharNGram(**parameters).fit(COUNTED, sample_weight=TIMES, y=labels)
    assert saved(model) == saved(expected)
    assert (model.score_samples(COUNTED[:4]) == expected.score_samples(COUNTED[:4])).all()
    more = {"sample_weight": np.array([0, 5.0]), "y": None if labels is None else ["unknown", "x"]}
    model.partial_fit(["!", "abba"], **more)
    expected.partial_fit(["abba"] * 5, y=None if labels is None else ["x"] * 5)
    assert saved(model) == saved(expected)
    first = CharNGram(**parameters).partial_fit(iter(COUNTED), sample_weight=TIMES, y=labels)
    assert saved(first) != saved(model)
    assert saved(first) == saved(CharNGram(**parameters).fit(COUNTED, sample_weight=TIMES, y=labels))


def test_lines_of_a_file_may_have_weights(tmp_path):
    (tmp_path / "names").write_text("\n".join(COUNTED) + "\n", encoding="utf-8")
    expected = saved(CharNGram(3, min_count=3).fit(repeated(COUNTED)))
    for cache in (None, tmp_path):
        lines = Lines(tmp_path / "names", cache=cache)
        assert saved(CharNGram(3, min_count=3).fit(lines, sample_weight=TIMES)) == expected


def test_large_weights_take_little_memory():
    texts, weights = ["anna", "bob", "otto"], np.array([10**6, 10**4, 2 * 10**8])
    tracemalloc.start()
    model = CharNGram(5).fit(texts, sample_weight=weights)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1e7
    np.testing.assert_allclose(np.exp(model.score_samples(texts)), weights / weights.sum(), rtol=1e-3)


def test_progress_is_shown(capsys):
    CharNGram(3, verbose=1).fit(TEXT)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith(f"data: {len(TEXT):,} characters")
    assert lines[1].startswith("100%")
    assert lines[-1].endswith(f"n-grams of up to 3 of {len(set(TEXT))} symbols")
    model = CharNGram(3).fit(TEXT)
    assert capsys.readouterr().err == ""
    for again, symbols in (
        (lambda: model.set_params(verbose=1).partial_fit("to be"), f"{len(set(TEXT))} symbols"),
        (lambda: CharNGram(3, verbose=1).fit(["ab", "b", "a"], y=[0, 1, 0]), "3 symbols, 2 labels"),
    ):
        again()
        _, *progress, last = capsys.readouterr().err.splitlines()
        assert progress[-1].startswith("100%")
        assert last.endswith(f"n-grams of up to 3 of {symbols}")


def test_notebooks_show_it(namer):
    html = namer._repr_html_()
    assert "CharNGram" in html
    assert "n-grams of up to 4 of 5 symbols<div></div>" in html  # and no training curves
    assert "not fitted yet" in CharNGram()._repr_html_()
