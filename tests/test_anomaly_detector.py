"""AnomalyDetector: the promised rate, scores and verdicts, models taken as they are, and what is refused."""

import io
import itertools
import re
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from examples import saved
from texts import SIMILAR_NAMES as NAMES

from crnn import (
    UNKNOWN,
    AnomalyDetector,
    CharNGram,
    CharRNN,
    InvalidInputError,
    Lines,
    Mixture,
    NotFittedError,
    TextClassifier,
)
from crnn.detection import clean_texts, fold_counts, verdicts
from crnn.files.model_file import contains_text
from crnn.ngram import building


def words(n, seed=0, repeat=0.0):
    """Words of three syllables; a fraction `repeat` of them are drawn from a hundred frequent ones."""
    rng = np.random.default_rng(seed)
    syllables = np.array(["ka", "no", "mi", "ru", "te", "sol", "va", "en", "dis", "qu"])
    found = ["".join(word) for word in rng.choice(syllables, (n, 5))]
    frequent = ["".join(word) for word in np.random.default_rng(99).choice(syllables, (100, 3))]
    again = rng.random(n) < repeat
    return [frequent[rng.integers(100)] if often else word for word, often in zip(found, again, strict=True)]


def counts(order=4):
    return CharNGram(order, min_count=2)


def small_network():
    return CharRNN(7, max_steps=20, min_count=2, random_state=0)


def detector_of(model=None, contamination=0.05, **parameters):
    return AnomalyDetector(model or counts(), contamination, random_state=0, **parameters)


@pytest.mark.parametrize(
    ("reduce", "repeat"), [("joint", 0.0), ("min", 0.8), ("sum", 0.0), ("mean", 0.8), ("scaled", 0.0)]
)
def test_the_promised_rate_holds_on_fresh_texts(reduce, repeat):
    """Order 6 memorizes words: a threshold from the training texts would be far off."""
    detector = detector_of(counts(6), reduce=reduce).fit(words(12_000, 1, repeat))
    rate = np.mean(detector.predict(words(20_000, 2, repeat)) == -1)
    assert 0.033 < rate < 0.055
    assert detector.n_calibration_ == 12_000
    low, high = detector.rate_interval_
    assert 0.035 < low < 0.047
    assert 0.053 < high < 0.065


def test_the_promised_rate_holds_if_nearly_all_texts_occur_again():
    """A few texts occur once, and many twice or thrice: scores that the model memorized set the threshold."""
    different, rng, found = [*dict.fromkeys(words(3000))][:1000], np.random.default_rng(1), []
    for seed, reduce in enumerate(("min", "sum")):
        detector = AnomalyDetector(counts(6), 0.05, reduce, random_state=seed)
        detector.fit([different[i] for i in rng.integers(1000, size=3000)])
        found.append(np.mean(detector.predict([different[i] for i in rng.integers(1000, size=3000)]) == -1))
    assert 0.03 < np.mean(found) < 0.065


@pytest.mark.parametrize(("contamination", "repeat"), [(0.05, 0.0), (0.01, 0.8)])
def test_the_mean_rate_holds_down_to_ten_texts_in_all(contamination, repeat):
    n, fresh, rates = round(10 / contamination), words(5000, 100, repeat), []
    for seed in range(12):
        detector = AnomalyDetector(counts(6), contamination, "sum", random_state=seed).fit(words(n, seed, repeat))
        rates.append(np.mean(detector.predict(fresh) == -1))
    assert contamination / 2 < np.mean(rates) < 2 * contamination


def test_scores_and_verdicts_by_the_reduction_of_the_threshold():
    detector = detector_of(reduce="sum").fit(words(3000))
    texts = [*words(50, 3), "xyz", "", "kano!"]
    scores = detector.score_samples(texts)
    np.testing.assert_array_equal(scores, detector.estimator_.score_samples(texts, reduce="sum"))
    np.testing.assert_array_equal(detector.decision_function(texts), scores - detector.offset_)
    np.testing.assert_array_equal(detector.predict(texts), np.where(scores < detector.offset_, -1, 1))
    assert detector.predict(["xyz"]) == -1
    before = detector.score_samples(["kano"])
    detector.set_params(reduce="min", contamination=0.2)
    assert detector.score_samples(["kano"]) == before
    assert detector.calibrate(words(500, 3)).score_samples(["kano"]) > before


def test_unscorable_texts_are_anomalies():
    detector = AnomalyDetector(CharNGram(3).fit(NAMES), 0.1).calibrate(["nana"] * 100)
    texts = ["nana", "bob", None, np.nan, b"nan\xff", b"nan"]
    assert detector.score_samples(texts)[1] == -np.inf
    assert np.isnan(detector.score_samples(texts)).tolist() == [False, False, True, True, False, False]
    assert detector.predict(texts).tolist()[:5] == [1, -1, -1, -1, -1]
    assert np.isnan(detector.score_samples(texts, errors="skip")[1])
    with pytest.raises(InvalidInputError, match=r"X\[2\]"):
        detector.predict(texts, errors="strict")


@pytest.mark.parametrize("ask", ["decision_function", "predict", "explain"])
def test_a_new_threshold_in_the_middle_of_a_call_counts_from_the_next_call(ask, monkeypatch):
    """As when another thread calls `calibrate` while texts are scored."""
    strict, lenient = detector_of().fit(words(3000)), detector_of().fit(words(3000))
    lenient.set_params(reduce="sum").calibrate(words(500, 3))
    text = min(words(100, 5), key=lambda text: strict.score_samples([text])[0])
    argument = text if ask == "explain" else [text]
    expected = getattr(strict, ask)(argument)
    for name in ("start", "score_samples"):
        original = getattr(CharNGram, name)

        def replaced_meanwhile(*args, original=original, **how):
            found = original(*args, **how)
            strict._learned = lenient.__dict__["_learned"]
            return found

        monkeypatch.setattr(CharNGram, name, replaced_meanwhile)
    again = getattr(strict, ask)(argument)
    assert str(again) == str(expected)
    assert strict.offset_ == lenient.offset_


MODELS = {
    "quantized": lambda: small_network().fit(NAMES).quantize(),
    "mixture": lambda: Mixture.from_fitted([counts().fit(NAMES), small_network().fit(NAMES)]),
    "running text": lambda: counts().fit("".join(NAMES)),
}


@pytest.mark.parametrize("kind", MODELS)
def test_a_fitted_model_is_taken_as_it_is(kind):
    model = MODELS[kind]()
    detector = detector_of(model, 0.1).calibrate(["ana", "hana", "nana", "nnn"] * 60)
    assert detector.estimator_ is model
    assert detector.n_calibration_ == 240
    assert np.mean(detector.predict(["ana", "hana", "nana", "nnn"]) == 1) >= 0.75
    explanation = detector.explain("nab")
    assert explanation.score == detector.score_samples(["nab"])
    assert explanation.is_anomaly == (detector.predict(["nab"]) == -1)


@pytest.mark.filterwarnings("ignore:.* are anomalies, but of texts like those")
def test_calibration_after_more_training():
    detector = detector_of(counts(6)).fit(words(3000, 1))
    assert detector.estimator is not detector.estimator_
    other = [word[::-1] for word in words(6000, 4)]
    assert np.mean(detector.predict(other) == -1) > 0.5
    detector.estimator_.partial_fit(other[:3000])
    detector.calibrate(other[3000:])
    assert 0.03 < np.mean(detector.predict([word[::-1] for word in words(5000, 5)]) == -1) < 0.08
    new = counts().fit(NAMES)
    assert detector.set_params(estimator=new).calibrate(["nana"] * 300).estimator_ is new


def test_detector_accepts_any_collection_of_texts(tmp_path):
    texts = words(3000)
    path = tmp_path / "words"
    path.write_text("\n".join(texts) + "\n")
    offset = detector_of().fit(texts).offset_
    assert detector_of().fit(iter(texts)).offset_ == offset
    masked = detector_of().fit(Lines(path, transform=str.upper))
    assert masked.offset_ == offset
    assert masked.predict(["kano"]) == -1
    as_bytes = detector_of().fit([text.encode() for text in texts])
    assert type(as_bytes.explain(memoryview(b"xyz")).text) is bytes
    model = counts().fit(texts)
    path.write_bytes(b"kano\n\xff\nmi\n")
    with pytest.warns(UserWarning, match="one of the 2 calibration texts"):
        assert detector_of(model).calibrate(Lines(path, errors="skip")).n_calibration_ == 2


def test_few_texts_and_a_fraction_without_effect_warn():
    with pytest.warns(
        UserWarning, match="^no alarm .* one of the 11 calibration texts.* = 40 calibration texts.*Fit more te"
    ):
        detector_of().fit([*dict.fromkeys(words(11))])
    with pytest.warns(UserWarning, match="one of the 7 calibration texts.*Calibrate with more texts, or set a larger"):
        detector_of(counts().fit(words(100))).calibrate(words(7))
    with pytest.warns(UserWarning, match="set by 99 calibration texts, fewer.* = 200.*contamination.$"):
        detector_of().fit([*dict.fromkeys(words(1000))][:99])
    with pytest.warns(UserWarning, match=r"set by 99 calib.*contamination or calibration_fraction\.$"):
        detector_of(small_network()).fit([*dict.fromkeys(words(1000))][:990])
    with pytest.warns(UserWarning, match=r"calibration_fraction=0\.3 has no effect on fit with counts.*Omit it"):
        detector_of(calibration_fraction=0.3).fit(words(3000))


@pytest.mark.parametrize("contamination", [5e-324, 1e-300])
def test_the_smallest_contaminations_are_valid(contamination):
    """Even if 10 / contamination is infinite."""
    X = words(211)
    with pytest.warns(UserWarning, match="211 calibration texts"):
        detector = AnomalyDetector(contamination=contamination, random_state=0).fit(X)
    assert (detector.predict(X) == 1).all()
    with pytest.warns(UserWarning, match="calibration texts"):
        again = AnomalyDetector.load(io.BytesIO(saved(detector))).partial_fit(words(100, 3))
    assert again.n_calibration_ == 21 + 10


def test_default_detector_chooses_a_model(capsys, monkeypatch):
    monkeypatch.setattr(fold_counts, "available_bytes", lambda: None)
    now = itertools.count(0, 0.001)
    monkeypatch.setattr(fold_counts, "time", SimpleNamespace(perf_counter=lambda: next(now)))
    detector = AnomalyDetector(contamination=0.05, max_seconds=1, random_state=0, verbose=1).fit(words(3000))
    assert detector.estimator is None
    model = detector.estimator_
    assert (model.order_, model.min_count, model.max_memory) == (12, 2, 10**9)
    assert detector.predict(["kanomi", "xyzxyz", "kanomi\N{SNOWMAN}\N{SNOWMAN}"]).tolist() == [1, -1, -1]
    shown = capsys.readouterr().err
    cost = re.search(r"in 0\.0 s: .*; (\S+) µs a character to score", shown)[1]
    assert float(cost) == pytest.approx(1000 / sum(len(word) + 1 for word in words(3000)), rel=0.1)
    assert f"below {detector.offset_:.3f} are anomalies" in shown


@pytest.mark.parametrize("memory", [60_000, 1_500_000])
def test_counted_texts_are_limited_by_memory(memory, monkeypatch, capsys):
    """The error of a model that needs more memory would name parameters that a detector lacks."""
    monkeypatch.setattr(fold_counts, "available_bytes", lambda: 2 * memory)
    AnomalyDetector(contamination=0.05, random_state=0, verbose=1).fit(words(3000, repeat=0.3))
    n = int(re.search(r"CharNGram of ([\d,]+) of 3,000 texts", capsys.readouterr().err)[1].replace(",", ""))
    assert memory / 10_000 < n < memory / 700


def test_counted_texts_are_limited_by_time(monkeypatch, capsys):
    monkeypatch.setattr(building, "LIMITS", building.Limits(block=2048))
    for seconds, counted in ((1e-9, r"1\d\d"), (1e9, "3,000")):  # no time for more than the first block, or for all
        AnomalyDetector(contamination=0.05, max_seconds=seconds, random_state=0, verbose=1).fit(words(3000))
        assert re.search(rf"CharNGram of {counted} of 3,000 texts in ", capsys.readouterr().err)


@pytest.mark.filterwarnings("ignore:.* are anomalies, but of texts like those")
def test_the_default_score_finds_single_odd_places_and_texts_odd_as_a_whole():
    """The minimum alone misses a text of many slightly odd places; the mean alone misses one odd place."""
    clean = [" ".join(words(4, seed)) for seed in range(2000)]
    place = [text[:9] + "x" + text[10:] for text in clean[:50]]
    whole = ["".join(np.random.default_rng(i).permutation([*text])) for i, text in enumerate(clean[50:100])]
    found = {}
    for reduce in ("joint", "min", "mean"):
        detector = AnomalyDetector(counts(5), 0.01, reduce, random_state=0).fit(clean[100:])
        assert detector.reduce_ == reduce
        found[reduce] = [np.mean(detector.predict(texts) == -1) for texts in (place, whole)]
    assert found["joint"][0] == 1
    assert found["joint"][1] == 1
    assert AnomalyDetector().reduce == "joint"


def test_the_joint_score_is_explained():
    explanation = detector_of().fit(words(3000)).explain("kaxyznoka")
    nats = explanation.surprisal
    assert explanation.score == pytest.approx(-nats.max() - 3 * nats.mean())
    assert str(explanation).startswith(
        f"anomaly, score {explanation.score:.2f}: -{nats.max():.1f} for the least probable symbol, and 3 times the "
        f"mean, -{nats.mean():.2f}\n"
    )
    assert "the scaled sum of " in str(detector_of(reduce="scaled").fit(words(3000)).explain("xyz"))


# A call of a detector, and the words of its message.
REFUSED = [
    *((lambda d, model=model: d.set_params(estimator=model).fit(NAMES), words) for model, words in (
        (TextClassifier(), "estimator must be None, a CharRNN, a CharNGram or another language model, not "),
        (CharNGram(order=0), "order must be"),
        (Mixture.from_fitted([CharNGram(2).fit(NAMES)]), r"fit cannot train\. Call calibrate\(X\)"))),
    (lambda d: d.set_params(estimator="lstm").calibrate(NAMES), r"estimator must be None, a CharRNN, .* not 'lstm'"),
    *((lambda d, wrong=wrong: d.set_params(**wrong).save("never.crnn"), f"{next(iter(wrong))} must be")
      for wrong in ({"contamination": 0.6}, {"folds": 1}, {"random_state": -1})),
    *((lambda d, X=X: d.fit(X), words) for X, words in (
        ([], "at least 2 different texts.*it is empty"), (["same"] * 50, "all 50 texts are equal"),
        ("a text", "Put a single text in a list"), (["a", 3], r"X\[1\] must be str or bytes, not int"),
        (["a", b"b"], r"X\[1\] is bytes"), ({"a": 1}, "keys"))),
    *((lambda d, X=X: d.calibrate(X), words) for X, words in (
        ([], "X is empty"), ("a text", "Put a single text in a list"), ([None, np.nan], "X is empty"),
        ([b"nana", 7], "7|int"), (["bob"] * 50, "symbols that the model never saw"))),
    *((lambda d, X=X: d.partial_fit(X), "X|text") for X in (["ab", 3], [], "ab")),
    *((lambda d, texts=texts: AnomalyDetector().fit(texts), r"no character of X occurs twice\. Pass more texts\.")
      for texts in (["a", "b", "c"], ["ab", "cd"])),
    (lambda d: AnomalyDetector(CharRNN(5, max_steps=3).fit(NAMES, y=[0, 1, 0, 1, 0])).calibrate(NAMES),
     r"Pass estimator.for_label\(0\)"),
    (lambda d: d.explain(["nan"]), "text"),
]  # fmt: skip


def test_wrong_models_and_texts_are_refused_and_nothing_changes():
    for call, message in REFUSED:
        detector = detector_of(CharNGram(3).fit(NAMES)).calibrate(["nana"] * 200)
        learned = detector.__dict__["_learned"]
        with pytest.raises(InvalidInputError, match=message):
            call(detector)
        assert detector.__dict__["_learned"] is learned


@pytest.mark.parametrize("as_bytes", [False, True])
@pytest.mark.parametrize("model", [CharNGram(3), CharRNN(5, max_steps=3, random_state=0)], ids=repr)
def test_a_model_without_rare_characters_scores_any_text(model, as_bytes):
    """No character of the texts is rare with min_count=1, yet the copy has a symbol for unknown ones."""
    texts, odd = [*words(300), *map(chr, range(0x21, 0x31))], ["kano\0", "𝄞"]
    if as_bytes:
        texts, odd = ([text.encode() for text in some] for some in (texts, odd))
    given = {"contamination": 0.2} if isinstance(model, CharNGram) else {"calibration_fraction": 0.5}
    detector = detector_of(model, **{"contamination": 0.1, **given}).fit(texts)
    learned = detector.estimator_
    assert learned.get_params() == model.get_params()
    assert UNKNOWN in learned.vocabulary_
    assert np.isfinite(detector.score_samples([*texts, *odd])).all()
    held = {text for text, _, score in detector._learned.held if score is None}
    assert bool(held) == isinstance(model, CharRNN)  # counts learn all texts
    single = [text for text in texts if len(text) == 1]
    assert [text in learned.vocabulary_ for text in single] == [text not in held for text in single]
    before = detector.score_samples(odd)[1]
    with pytest.warns(UserWarning, match="has characters that the model does not know"):
        detector.partial_fit([text + odd[1] for text in texts])
    assert detector.score_samples(odd)[1] > before


def test_calibration_needs_a_fitted_model():
    for detector, message in (
        (AnomalyDetector(counts()), "CharNGram is not fitted yet"),
        (AnomalyDetector(), "before ca"),
    ):
        with pytest.raises(NotFittedError, match=message):
            detector.calibrate(NAMES)
        assert not hasattr(detector, "offset_")
        assert "not fitted" in detector._repr_html_()


def test_the_same_seed_gives_the_same_detector():
    one, two = (detector_of(small_network()).fit(words(3000)) for _ in range(2))
    assert one.offset_ == two.offset_
    other = AnomalyDetector(small_network(), 0.05, random_state=1).fit(words(3000))
    assert other.offset_ != one.offset_


def odd_among(n=600, seed=0):
    """Different words, of which every fiftieth is odd."""
    rng, different = np.random.default_rng(seed), [*dict.fromkeys(words(2 * n, seed))][:n]
    return ["".join(rng.choice([*"xyzwjq"], 9)) if i % 50 == 7 else word for i, word in enumerate(different)]


@pytest.mark.parametrize(("folds", "reduce"), [(2, "joint"), (600, "sum")])
def test_each_text_is_judged_by_the_counts_of_the_other_folds(folds, reduce, monkeypatch):
    X, parts = odd_among(), []
    without = CharNGram._without
    monkeypatch.setattr(clean_texts.Whole, "refine_scores", lambda whole, scores, *rest: scores)

    def note(model, part, times):
        parts.append(part)
        return without(model, part, times)

    monkeypatch.setattr(CharNGram, "_without", note)
    detector = AnomalyDetector(counts(5), 0.02, reduce, folds=folds, random_state=0)
    found = dict(zip(X, detector.fit_predict(X), strict=True))
    scores = dict(zip(X, detector.outlier_scores_.tolist(), strict=True))
    assert len(parts) == folds
    assert sorted(text for part in parts for text in part) == sorted(X)
    model, letters = detector.estimator_, "".join(sorted(set("".join(X))))
    assert model.score_samples(X).tolist() == CharNGram(5, min_count=2).fit(X).score_samples(X).tolist()
    for part in parts[:7]:
        others = [text for text in X if text not in set(part)]
        anew = CharNGram(5, min_count=2, vocabulary=letters).fit(others)
        assert list(anew.vocabulary_) == list(model.vocabulary_)
        expected = anew.score_samples(part, reduce=detector.reduce_)
        np.testing.assert_allclose([scores[text] for text in part], expected, rtol=1e-12)
    assert [text for text in X if found[text] == -1] == X[7::50]


@pytest.mark.parametrize("as_bytes", [False, True])
def test_outliers_are_found_where_they_lie(as_bytes, capsys):
    X = [text.encode() if as_bytes else text for text in odd_among()]
    X[3], X[5] = None, float("nan")
    detector = AnomalyDetector(counts(5), 0.02, random_state=0, verbose=1)
    verdicts = detector.fit_predict(iter(X))
    assert "2 of 600 values are missing" in capsys.readouterr().err
    assert np.flatnonzero(verdicts == -1).tolist() == [3, 5, *range(7, 600, 50)]
    assert detector.outlier_scores_.dtype == np.float64
    assert np.flatnonzero(np.isnan(detector.outlier_scores_)).tolist() == [3, 5]
    assert (detector.predict([X[7]]) == 1) or detector.score_samples([X[7]]) > detector.outlier_scores_[7] + 1
    fitted = AnomalyDetector(counts(5), 0.02, random_state=0).fit(X)
    assert fitted.offset_ == detector.offset_
    with pytest.raises(NotFittedError, match=r"outlier_scores_ exist only after fit_predict\(X\)"):
        fitted.outlier_scores_  # noqa: B018


def test_equal_texts_are_outliers_only_if_they_count_once():
    X = [*words(1900, 1), *["zzzzqzz"] * 5]
    for unique, expected in ((False, 1), (True, -1)):
        detector = AnomalyDetector(counts(5), 0.006, "scaled", unique=unique, random_state=0)
        assert detector.fit_predict(X)[-5:].tolist() == [expected] * 5
        assert len(set(detector.outlier_scores_[-5:].tolist())) == 1
        assert detector.n_calibration_ == (len(set(X)) if unique else len(X))


def test_outliers_by_networks(monkeypatch):
    X = [*words(600, 1)[:300], "zzzzqzz", None, "qqqqqzz"]
    trained = []
    network = CharRNN(5, max_steps=150, min_count=2, random_state=0, learning_rate=0.1)
    fit = CharRNN.fit
    monkeypatch.setattr(CharRNN, "fit", lambda self, X: trained.append([*X]) or fit(self, X))
    with pytest.warns(UserWarning, match="^these texts have been judged by each other, but .*calibration texts"):
        verdicts = AnomalyDetector(network, 0.01, "mean", folds=3, random_state=0).fit_predict(X)
    assert len(trained) == 4
    assert sum("zzzzqzz" in part for part in trained[1:]) == 2
    assert np.flatnonzero(verdicts == -1)[-3:].tolist() == [300, 301, 302]


@pytest.mark.parametrize(("scores", "share", "flagged"), [
    ([-3, -1, -2, -4, -5, -6, -7, -8, -9, -10], 0.2, [8, 9]),
    ([-3, -3, -3, -1, -1, -1, -1, -1, -1, -1], 0.1, []),  # none or all of equal scores: nearer to the share
    ([-3, -3, -3, -1, -1, -1, -1, -1, -1, -1], 0.2, [0, 1, 2]),
    ([-3, np.nan, -1, -1, -1, -1, -1], 0.17, [0, 1]),
    ([-3, -2, -1], 0.1, []),
    ([np.nan], 0.5, [0]),
])  # fmt: skip
def test_the_share_is_flagged(scores, share, flagged):
    found = verdicts.flag_lowest(np.array(scores, float), share)
    assert np.flatnonzero(found == -1).tolist() == flagged


def test_texts_beyond_the_sample_have_scores(monkeypatch):
    monkeypatch.setattr("crnn.detection.clean_texts.CleanTexts.__init__.__defaults__", (4000,))
    X = odd_among()
    detector = AnomalyDetector(counts(5), 0.02, random_state=0)
    with pytest.warns(UserWarning, match="set by 3.. calibration texts"):
        verdicts = detector.fit_predict(X)
    assert np.isfinite(detector.outlier_scores_).all()
    assert (verdicts == -1).sum() == 12


def test_explain_finds_the_odd_place():
    detector = detector_of(counts(6), reduce="min").fit(words(5000))
    explanation = detector.explain("kanoxmiru", n_alternatives=3)
    assert explanation.surprisal.argmax() == 4
    assert explanation.is_anomaly
    assert explanation.score == pytest.approx(-explanation.surprisal.max())
    assert len(explanation.alternatives[4]) == 3
    assert detector.explain("ka", n_alternatives=0).alternatives == [[], [], []]
    assert [len(best) for best in detector.explain("ka").alternatives] == [2, 2, 2]
    assert "\nkanoxmiru\n    ^\nat 4: 'x'" in str(explanation)


def test_nothing_is_printed_unless_asked(capsys):
    detector_of().fit(words(3000)).calibrate(words(500, 3))
    assert capsys.readouterr() == ("", "")


def new_words(n, seed):
    return [word[::-1] for word in words(n, seed)]


@pytest.mark.filterwarnings("ignore:.* are anomalies, but of texts like those")
def test_learning_more_texts_moves_the_threshold():
    detector = detector_of(counts(6), reduce="min").fit(words(4000, 1))
    assert np.mean(detector.predict(new_words(2000, 2)) == -1) > 0.5
    assert detector.partial_fit(new_words(4000, 3)) is detector
    low, high = detector.rate_interval_
    assert low - 0.01 < np.mean(detector.predict(new_words(20_000, 2)) == -1) < high + 0.01
    assert detector.n_calibration_ == 400  # 20 / contamination, all of them new
    assert detector.predict(["xyzxyzxyz"]) == -1
    before = detector.offset_, detector.estimator_.n_grams_
    detector.set_params(estimator=detector.estimator, reduce="sum").partial_fit(new_words(100, 5))
    assert detector.reduce_ == "min"  # until the next fit or calibrate
    assert detector.estimator_.n_grams_ != before[1]


def test_old_texts_keep_their_scores_and_held_out_ones_are_scored_again():
    detector = AnomalyDetector(counts(6), 0.05, "sum", random_state=0).fit(words(2000, 1))
    old = detector._learned.held
    assert sum(n for _, n, _ in old) == 200  # as many as would have been held out
    assert [score for *_, score in old] != detector.score_samples([text for text, *_ in old]).tolist()
    for seed in (2, 3):
        detector.partial_fit(words(500, seed))
        held = detector._learned.held
        assert held[-len(old) :] == old
        assert [score for *_, score in held[: -len(old)]] == [None] * (50 * (seed - 1))
        known = {text: score for text, _, score in old}
        again = detector.score_samples([text for text, *_ in held]).tolist()
        scores = np.array([known.get(text, score) for (text, *_), score in zip(held, again, strict=True)])
        assert detector.n_calibration_ == 200 + 50 * (seed - 1)
        wanted = int(0.05 * (detector.n_calibration_ + 1)) - 1
        assert wanted - 1 <= (scores < detector.offset_).sum() <= wanted  # or one less, if two scores are close


def test_changed_texts_are_told_once():
    detector = detector_of(counts(6)).fit(words(4000, 1))
    assert detector.contamination_ == 0.05
    detector.predict(words(1000, 2))
    with pytest.warns(
        UserWarning, match=r"of 1,000 texts \(.*%\) are anomalies, .* partial_fit, or fit a new detector"
    ):
        detector.predict(new_words(1000, 2))
    detector.predict(new_words(1000, 2))  # is silent
    detector.partial_fit(new_words(4000, 3)).predict(new_words(1000, 2))


def test_few_texts_support_a_rate_that_is_told():
    with pytest.warns(UserWarning, match=r"about 1 of 300 normal texts will be flagged: contamination=0\.0033"):
        detector = AnomalyDetector(counts(), random_state=0).fit([*dict.fromkeys(words(1000))][:900])
    assert detector.contamination_ == pytest.approx(1 / 300)
    assert (detector.predict(["xxxxxxx"]) == -1).all()
    loaded = AnomalyDetector.load(io.BytesIO(saved(detector)))
    assert (loaded.contamination, loaded.contamination_) == ("auto", detector.contamination_)


def test_a_mask_is_applied_to_every_text_and_travels_with_the_detector(tmp_path):
    lines = [f"job {i} of {name} done" for i, name in enumerate(words(3000, repeat=0.5))]
    mask = ["digits", ("done|ended", "over")]
    detector = AnomalyDetector(counts(5), 0.05, mask=mask, random_state=0).fit(iter(lines))
    by_hand = [re.sub(r"\d+", "0", line).replace("done", "over") for line in lines]
    expected = AnomalyDetector(counts(5), 0.05, random_state=0).fit(by_hand)
    assert detector.offset_ == expected.offset_
    new = ["job 123456 of kanomi ended", "job 7 of xxxx done", None]
    loaded = AnomalyDetector.load(io.BytesIO(saved(detector)))
    path = tmp_path / "lines"
    path.write_text("\n".join(new[:2]) + "\n")
    for one in (detector, loaded):
        assert one.score_samples(new)[0] == expected.score_samples(["job 0 of kanomi over"])
        assert one.predict(new).tolist() == [1, -1, -1]
        assert one.predict(iter(new)).tolist() == [1, -1, -1]
        assert one.predict(Lines(path)).tolist() == [1, -1]
        explanation = one.explain("job 123456 of xxxx done")
        assert explanation.text == "job 123456 of xxxx done"
        place = explanation.places[int(explanation.surprisal.argmax())]
        assert explanation.text[place] == "x"
        assert f"at {place}: 'x'" in str(explanation)
    assert loaded.get_params()["mask"] == ("digits", ("done|ended", "over"))
    assert loaded.partial_fit(lines).calibrate(lines).predict(new).tolist() == [1, -1, -1]
    verdicts = AnomalyDetector(counts(5), 0.01, mask=mask, random_state=0).fit_predict([*lines, "jbo 3"])
    assert verdicts[-1] == -1
    with pytest.raises(InvalidInputError, match="may take forever"):
        AnomalyDetector(mask=[("(a+)+", "")]).fit(lines)


def test_network_texts_are_scored_again():
    detector = detector_of(small_network(), reduce="sum").fit(words(2000, 1))
    steps = detector.estimator_.n_steps_
    assert detector.partial_fit(words(500, 2)).estimator_.n_steps_ > steps
    texts = [text for text, _, score in detector._learned.held if score is None]
    assert len(texts) == detector.n_calibration_ == 250
    scores = np.sort(detector.score_samples(texts))
    assert scores[11 - 1] <= detector.offset_ <= scores[12]


def test_a_detector_without_texts_learns_from_new_ones():
    content = saved(AnomalyDetector(counts(), 0.05, keep_texts=False, random_state=0).fit(words(3000)))
    assert b"kano" not in content
    assert AnomalyDetector.load(io.BytesIO(content)).partial_fit(words(2000, 2)).n_calibration_ == 200


def test_counts_do_not_keep_the_texts_of_fit_nor_after_calibration_without_texts():
    fitted = AnomalyDetector(CharNGram(12, min_count=2), 0.1, random_state=0).fit(words(3000))
    assert not contains_text(io.BytesIO(saved(fitted)))
    mixture = Mixture.from_fitted([CharNGram(12).fit(words(300)), CharNGram(3).fit(words(300))])
    for keep_texts in (False, True):
        detector = AnomalyDetector(mixture, 0.1, keep_texts=keep_texts).calibrate(words(300))
        assert contains_text(io.BytesIO(saved(detector))) == keep_texts
        assert detector.estimator_.score(words(9, 3)) == mixture.score(words(9, 3))


@pytest.mark.parametrize("as_bytes", [False, True])
def test_learning_goes_on_after_loading(as_bytes):
    first, more = ([w.encode() if as_bytes else w for w in words(3000, seed)] for seed in (1, 2))
    one = AnomalyDetector(counts(), 0.05, random_state=0).fit(first)
    two = AnomalyDetector.load(io.BytesIO(saved(one))).partial_fit(more)
    assert two.offset_ == one.partial_fit(more).offset_
    assert saved(two.estimator_) == saved(one.estimator_)


def test_what_partial_fit_refuses_and_warns_of():
    mixture = Mixture.from_fitted([counts().fit(NAMES), counts(3).fit(NAMES)])
    detector = AnomalyDetector(mixture, 0.3).calibrate(["nana", "anna"] * 40)
    with pytest.raises(InvalidInputError, match="estimator is a Mixture, which partial_fit cannot train"):
        detector.partial_fit(words(100))
    detector = detector_of().fit(words(3000))
    detector.partial_fit([*words(99, 1), "no?"])  # not more than one in a hundred
    with pytest.warns(UserWarning, match="a fraction of 0.5 of the texts has characters .* unknown, such as|does not"):
        detector.partial_fit([*words(1000, 2), *(f"{word}?" for word in words(1000, 3))])


def test_n_grams_stay_within_their_memory():
    model = CharNGram(8, min_count=2, max_memory=2_000_000)
    detector = detector_of(model, reduce="sum").fit(words(2000))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for seed in range(1, 6):
            detector.partial_fit(words(10_000, seed))
            assert detector.estimator_._fitted("a test").counts.nbytes <= 1_000_000
    assert "rare, long ones were dropped" in str(caught[0].message)
    assert detector.predict(["xyzxyzxyz"]) == -1
    assert np.mean(detector.predict(words(5000, 77)) == -1) < 0.09
