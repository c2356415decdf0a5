"""Exported mixtures give Python's numbers and samples."""

import ctypes

import numpy as np
import pytest
from compiled_models import CHECKED, available, compiled, output
from examples import random_language_model
from node import in_node, needs_node

from crnn import CharNGram, CharRNN, InvalidInputError, Mixture

TEXT = "to be, or not to be: that is the question_1 \n" * 9
NAMES = ["Anna", "Bob", "Hannah", "Otto", "", "Ana"]
ODD = "\0a\u00e9\u20ac\U0001f600 \n" * 20
FOUR = [[0.7, 0.3], [0.2, 0.9], [1.5, 0.25], [0.0, 1.0]]


def mixture_of(X, weights=(0.6, 0.4), *, quantized=False, **parameters):
    """Return a mixture of a random network and counts.

    Larger weights would make a vanilla network chaotic: differences of roundings would grow with every symbol.
    """
    parameters = {"scale": 0.2, **parameters}
    network = random_language_model(X, hidden_size=13, dtype="float32", **parameters)
    counts = CharNGram(3, min_count=parameters.get("min_count", 1)).fit(X)
    models = [network, counts.quantize()]
    mixture = Mixture.from_fitted([network.quantize(), models[1]] if quantized else models)
    mixture.weights_ = np.array(weights)
    return mixture


VERSES = [f"{a} {b} {c}" for a in ("an", "On", "no") for b in ("Nan", "o", "ann") for c in ("nan.", "No", "a a")]


def with_words(X, n_counts=1, network=True, weights=None, **parameters):
    """Return a mixture with counts of words, whose models have 8-bit numbers."""
    parameters = {"max_steps": 5, "dtype": "float32", "random_state": 0, **parameters}
    counts = [CharNGram(order) for order in range(3, 3 + n_counts)]
    models = [CharRNN(7, **parameters), *counts] if network else counts
    mixture = Mixture(models, words=True).fit(X, validation=X[:90]).quantize()
    mixture.weights_ = np.array(weights or [0.3] * (len(models) + 1))
    return mixture


MIXTURES = {
    "text": lambda: mixture_of(TEXT, cell="gru"),
    "classes of weights": lambda: mixture_of(TEXT, FOUR, cell="lstm", quantized=True),
    "documents": lambda: mixture_of(NAMES, FOUR, cell="cifg", n_bigrams=9),
    "unknown characters": lambda: mixture_of([*NAMES, "x"], min_count=2),
    "odd characters": lambda: mixture_of(ODD, FOUR),
    "bytes": lambda: mixture_of(ODD.encode(), FOUR),
    "one symbol": lambda: mixture_of("aaaa"),
    "two networks, two counts": lambda: Mixture.from_fitted(
        [
            random_language_model(TEXT, hidden_size=5, cell="gru", dtype="float32", embedding_size=3),
            CharNGram(5).fit(TEXT).quantize(),
            random_language_model(TEXT, hidden_size=7, num_layers=2, dtype="float32").quantize(),
            CharNGram(2).fit(TEXT).quantize(),
        ],
        weights=[0.4, 0.3, 0.2, 0.1],
    ),
    "words": lambda: with_words(TEXT, weights=[[0.5, 0.2, 0.6], [0.1, 0.9, 0.3], [0.3, 0.4, 0.2], [0.0, 0.2, 0.7]]),
    "words of documents": lambda: with_words(VERSES),
    "words alone": lambda: with_words(VERSES, network=False, weights=[0.0, 1.0]),
    "words with odd characters": lambda: with_words(ODD + " \u0130iI\u0131 \u00df\u1e9esS " * 9, n_counts=2),
    "words of bytes": lambda: with_words((TEXT + TEXT.upper() + ODD).encode()),
    "long words": lambda: with_words("A" * 60 + "a" * 70 + " aA." * 20),
    "words in a mixture": lambda: Mixture.from_fitted(
        [with_words(TEXT, n_counts=2), CharNGram(2).fit(TEXT).quantize()]
    ),
    "a mixture": lambda: Mixture.from_fitted([mixture_of(TEXT, FOUR), CharNGram(2).fit(TEXT).quantize()]),
}


def texts_of(model):
    """Return texts of a model's characters, among them an empty one."""
    random = np.random.default_rng(1)
    codes = [code for code in model.vocabulary_.codes.tolist() if model.vocabulary_.kind != "bytes" or code < 128]
    texts = ["".join(map(chr, random.choice(codes, n))) for n in (0, 1, 2, 5, 30)]
    return [*texts, ODD[:8] if model.vocabulary_.kind == "bytes" else texts[-1][::-1]]


def as_given(model, texts):
    return [text.encode() for text in texts] if model.vocabulary_.kind == "bytes" else texts


@pytest.fixture(scope="module", params=MIXTURES)
def mixture(request):
    return MIXTURES[request.param]()


@needs_node
def test_javascript_gives_the_numbers_and_samples_of_python(mixture, tmp_path):
    mixture.export_js(tmp_path / "model.mjs")
    texts = texts_of(mixture)
    has_ends = mixture.vocabulary_.boundary is not None
    given = as_given(mixture, texts)
    found = in_node(
        tmp_path / "model.mjs",
        "score, nextProba, sample, complete",
        "{ scores: texts.map(score), next: nextProba(texts[3]), best: complete(texts[2], { length: 9 }),"
        " samples: [0.5, 1].map((temperature) => sample({ ...options, temperature })) }",
        texts=texts,
        options={"length": 25, "prime": texts[1], "seed": 7, "number": 2},
    )
    np.testing.assert_allclose(found["scores"], mixture.score_samples(given), rtol=1e-6, atol=1e-5)
    p = mixture.next_proba([given[3]])[0]
    np.testing.assert_allclose([each["probability"] for each in found["next"]], -np.sort(-p), atol=1e-5)
    if mixture.vocabulary_.kind == "bytes":
        return
    limit = {"max_length": 25} if has_ends else {"length": 25}
    for text, temperature in zip(found["samples"], (0.5, 1), strict=True):
        options = {"prime": texts[1], "n_samples": 3, "random_state": 7, "temperature": temperature}
        assert text == mixture.sample(**limit, **options)[2]
    best = {"max_length": 9 + len(texts[2])} if has_ends else {"length": 9}
    expected = mixture.sample(**best, prime=texts[2], temperature=0)
    assert found["best"] == (expected[len(texts[2]) :] if has_ends else expected)


@needs_node
def test_int8_rounds_every_member(tmp_path):
    network = random_language_model(NAMES, hidden_size=13, dtype="float32")
    counts = CharNGram(3).fit(NAMES)
    mixture = Mixture.from_fitted([network, counts], weights=FOUR)
    rounded = Mixture.from_fitted([network.quantize(), counts.quantize()], weights=FOUR)
    mixture.export_js(tmp_path / "model.mjs", int8=True)
    found = in_node(tmp_path / "model.mjs", "score", "texts.map(score)", texts=NAMES)
    np.testing.assert_allclose(found, rounded.score_samples(NAMES), rtol=0, atol=1e-5)
    assert np.abs(found - mixture.score_samples(NAMES)).max() > 1e-4


@needs_node
@pytest.mark.parametrize("kind", ["mixture", "network"])
def test_guess_numbers_are_pythons(kind, tmp_path):
    mixture = MIXTURES["documents"]()
    model = mixture if kind == "mixture" else mixture.models_[0]
    model.export_js(tmp_path / "model.mjs", n_guess_samples=500, random_state=4)
    found = in_node(tmp_path / "model.mjs", "guessNumber", "texts.map(guessNumber)", texts=NAMES)
    wanted = np.log10(model.guess_number(NAMES, 500, random_state=4).estimate)
    np.testing.assert_allclose(found, wanted, atol=1e-3)


def test_what_cannot_be_exported_is_refused(tmp_path):
    mixture = MIXTURES["documents"]()
    mixture.weights_ = np.array([0.3, 0.3, 0.4])
    with pytest.raises(InvalidInputError, match="weights_ has 3 columns, but the mixture has 2 members"):
        mixture.export_js(tmp_path / "model.mjs")
    labeled = Mixture.from_fitted([CharNGram(2).fit(["ab", "b"], ["x", "y"])])
    with pytest.raises(InvalidInputError, match=r"export_js needs a label"):
        labeled.export_js(tmp_path / "model.mjs")
    counts = Mixture.from_fitted([CharNGram(2).fit("abab")])
    with pytest.raises(InvalidInputError, match=r"float16 is True, but the model has no network"):
        counts.export_js(tmp_path / "model.mjs", float16=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("compiler", available("gcc", "clang"))
def test_c_gives_the_numbers_and_samples_of_python(mixture, compiler, tmp_path):
    functions = loaded(mixture, tmp_path, compiler, "-fsanitize=undefined")
    texts = as_given(mixture, texts_of(mixture))
    found = [functions.crnn_score(encoded(text), ctypes.c_size_t(len(encoded(text)))) for text in texts]
    np.testing.assert_allclose(found, mixture.score_samples(texts), rtol=1e-6, atol=1e-5)
    vocabulary = mixture.vocabulary_
    state = ctypes.create_string_buffer(1 << 16)
    row = np.empty(len(vocabulary))
    for text in texts:
        functions.crnn_start(state)
        for symbol in vocabulary.encode(text).tolist():
            functions.crnn_feed(state, symbol)
        functions.crnn_log_probabilities(state, row.ctypes.data_as(ctypes.c_void_p))
        p = mixture.next_proba([text])[0]
        np.testing.assert_allclose(row[p > 0], np.log(p[p > 0]), rtol=0, atol=1e-5)
        functions.crnn_next_proba(state, row.ctypes.data_as(ctypes.c_void_p))
        np.testing.assert_allclose(row, p, rtol=0, atol=1e-6)


@pytest.mark.parametrize("compiler", available("gcc"))
def test_c_writes_the_texts_of_python(mixture, compiler, tmp_path):
    program = compiled(mixture, tmp_path, compiler, *CHECKED)
    for temperature in ("0", "0.7", "1"):
        options = {"random_state": 5, "temperature": float(temperature)}
        written = output(program, "--length", "60", "--seed", "5", "--temperature", temperature)
        if mixture.vocabulary_.boundary is None:
            text = mixture.sample(60, **options)
            assert written == (text if isinstance(text, bytes) else text.encode() + b"\n"), temperature
        else:
            documents = mixture.sample(n_samples=written.count(b"\n"), max_length=1000, **options)
            assert written == "".join(f"{document}\n" for document in documents).encode(), temperature


@pytest.mark.parametrize("compiler", available("gcc"))
@pytest.mark.parametrize("outer", [[[0.5, 0.5]], [[0.5, 0.5], [0.25, 0.75]], [[0.5, 0.5]] * 5])
def test_c_of_mixtures_with_different_numbers_of_classes(outer, compiler, tmp_path):
    mixture = Mixture.from_fitted([mixture_of(TEXT, FOUR), CharNGram(2).fit(TEXT).quantize()])
    mixture.weights_ = np.array(outer)
    functions = loaded(mixture, tmp_path, compiler)
    texts = texts_of(mixture)
    found = [functions.crnn_score(text.encode(), ctypes.c_size_t(len(text))) for text in texts]
    np.testing.assert_allclose(found, mixture.score_samples(texts), rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize("compiler", available("gcc"))
def test_c_rounds_every_member_and_estimates_guess_numbers(compiler, tmp_path):
    network = random_language_model(NAMES, hidden_size=13, dtype="float32")
    counts = CharNGram(3).fit(NAMES)
    mixture = Mixture.from_fitted([network, counts], weights=FOUR)
    rounded = Mixture.from_fitted([network.quantize(), counts.quantize()], weights=FOUR)
    options = {"int8": True, "n_guess_samples": 500, "random_state": 4}
    functions = loaded(mixture, tmp_path, compiler, **options)
    found = [functions.crnn_score(name.encode(), ctypes.c_size_t(len(name))) for name in NAMES]
    np.testing.assert_allclose(found, rounded.score_samples(NAMES), rtol=0, atol=1e-5)
    assert np.abs(found - mixture.score_samples(NAMES)).max() > 1e-4
    guesses = [functions.crnn_guess_number(name.encode(), ctypes.c_size_t(len(name))) for name in NAMES]
    wanted = np.log10(rounded.guess_number(NAMES, 500, random_state=4).estimate)
    np.testing.assert_allclose(guesses, wanted, atol=1e-3)
    assert functions.crnn_guess_number(b"?", ctypes.c_size_t(1)) == -1


def encoded(text):
    return text if isinstance(text, bytes) else text.encode()


def loaded(model, folder, compiler, *flags, **options):
    """Return the functions of a compiled library."""
    library = compiled(model, folder, compiler, "-DCRNN_NO_MAIN", "-shared", "-fPIC", *flags, **options)
    functions = ctypes.CDLL(str(library))
    functions.crnn_score.restype = ctypes.c_double
    if options.get("n_guess_samples"):
        functions.crnn_guess_number.restype = ctypes.c_double
    return functions
