"""Exported classifiers give Python's labels and probabilities."""

import ctypes

import numpy as np
import pytest
from compiled_models import CHECKED, available, compiled, output
from node import in_node, needs_node

from crnn import CharNGram, CharRNN, InvalidInputError, TextClassifier

RANDOM = np.random.default_rng(5)
X = [
    "".join(RANDOM.choice(list(letters), RANDOM.integers(1, 9)))
    for letters in ("abé", "bc😀", "\0ca ")
    for _ in range(20)
]
LABELS = [label for label in ("x", "y", "</script>\u2028") for _ in range(20)]
NEW = ["", "a", "bé😀", "zzz", "\ud800", "c a\0", "abéabéabé", "bc😀cb"]


def network(**parameters):
    return CharRNN(7, cell="gru", max_steps=30, random_state=0, dtype="float32", **parameters)


def fitted(estimator, y=LABELS, **parameters):
    return TextClassifier(estimator, **parameters).fit(X, y)


CLASSIFIERS = {
    "counts": lambda: fitted(CharNGram(3)).quantize(),
    "network": lambda: fitted(network()),
    "pairs of symbols": lambda: fitted(network(n_bigrams=11, embedding_size=3), directions="forward"),
    "both": lambda: fitted([CharNGram(4, min_count=2), network(min_count=3)]).quantize(),
    "backward": lambda: fitted(CharNGram(2), directions="backward", class_weight={"x": 3.0}).quantize(),
    "integers": lambda: fitted([network(), CharNGram(1)], [i % 5 - 1 for i in range(60)]).quantize(),
    "bool": lambda: fitted(CharNGram(2), [i < 20 for i in range(60)], class_weight="balanced").quantize(),
    "bytes": lambda: TextClassifier([CharNGram(3), network()]).fit([text.encode() for text in X], LABELS).quantize(),
}


@pytest.fixture(scope="module", params=CLASSIFIERS)
def classifier(request):
    return CLASSIFIERS[request.param]()


@needs_node
def test_javascript_gives_the_labels_and_probabilities_of_python(classifier, tmp_path):
    as_bytes = classifier.vocabulary_.kind == "bytes"
    texts = [text for text in NEW if not (as_bytes and text == "\ud800")] + X[::7]
    given = [text.encode() for text in texts] if as_bytes else texts
    classifier.export_js(tmp_path / "model.mjs")
    found = in_node(tmp_path / "model.mjs", "classify", "texts.map(classify)", texts=texts)
    assert [each["label"] for each in found] == classifier.predict(given).tolist()
    labels = classifier.classes_.tolist()
    p = [{row["label"]: row["probability"] for row in each["probabilities"]} for each in found]
    np.testing.assert_allclose(
        [[each[label] for label in labels] for each in p], classifier.predict_proba(given), rtol=0, atol=1e-5
    )
    for each in found:
        shares = [row["probability"] for row in each["probabilities"]]
        assert shares == sorted(shares, reverse=True)


def test_int8_is_quantize_for_every_model(tmp_path):
    model = fitted([CharNGram(3), network()])
    model.export_js(tmp_path / "int8.js", int8=True)
    model.quantize().export_js(tmp_path / "quantized.js")
    assert (tmp_path / "int8.js").read_bytes() == (tmp_path / "quantized.js").read_bytes()
    assert (tmp_path / "int8.js").read_text().startswith("// Classifier of 3 labels: Counts of ")


def test_what_cannot_be_exported_is_refused(tmp_path):
    large = fitted(CharNGram(2), [2**60 + i % 2 for i in range(60)])
    with pytest.raises(InvalidInputError, match=rf"the label {2**60} is too large for a number in JavaScript"):
        large.export_js(tmp_path / "model.js")
    with pytest.raises(InvalidInputError, match="float16 is True, but the model has no network"):
        large.export_js(tmp_path / "model.js", float16=True)
    with pytest.raises(InvalidInputError, match="float16=True stores 16-bit weights"):
        fitted(network()).export_js(tmp_path / "model.js", float16=True, int8=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("compiler", available("gcc", "clang"))
def test_c_gives_the_labels_and_probabilities_of_python(classifier, compiler, tmp_path):
    as_bytes = classifier.vocabulary_.kind == "bytes"
    texts = [text for text in NEW if not (as_bytes and text == "\ud800")] + X[::7]
    given = [text.encode() for text in texts] if as_bytes else texts
    flags = ["-DCRNN_NO_MAIN", "-shared", "-fPIC", "-fsanitize=undefined"]
    functions = ctypes.CDLL(str(compiled(classifier, tmp_path, compiler, *flags)))
    functions.crnn_label.restype = ctypes.c_char_p
    labels = classifier.classes_.tolist()
    assert [functions.crnn_label(k).decode() for k in range(len(labels))] == list(map(str, labels))
    p = np.empty(len(labels))
    wanted = classifier.predict_proba(given)
    for text, row in zip(given, wanted, strict=True):
        encoded = text if as_bytes else text.encode("utf-8", "surrogatepass")
        best = functions.crnn_classify(encoded, ctypes.c_size_t(len(encoded)), p.ctypes.data_as(ctypes.c_void_p))
        np.testing.assert_allclose(p, row, rtol=0, atol=1e-5)
        assert best == row.argmax()
    if not as_bytes:
        assert functions.crnn_classify(b"a\xff", ctypes.c_size_t(2), p.ctypes.data_as(ctypes.c_void_p)) == -1


@pytest.mark.parametrize("compiler", available("gcc"))
def test_c_program_labels_lines(compiler, tmp_path):
    classifier = CLASSIFIERS["both"]()
    program = compiled(classifier, tmp_path, compiler, *CHECKED)
    found = [
        line.split("\t") for line in output(program, given="ab\r\n\nbc\U0001f600".encode()).decode().split("\n")[:-1]
    ]
    lines = ["ab", "", "bc\U0001f600"]
    # A line separator of Unicode may be in a label.
    assert [label for label, _ in found] == classifier.predict(lines).tolist()
    shares = classifier.predict_proba(lines).max(axis=1)
    np.testing.assert_allclose([float(p) for _, p in found], shares, rtol=0, atol=1e-5)


def test_a_label_with_nul_is_refused_in_c(tmp_path):
    model = fitted(CharNGram(2), ["a\0c", "b"] * 30)
    with pytest.raises(InvalidInputError, match=r"the label 'a\\x00c' has a NUL character"):
        model.export_c(tmp_path / "model.c")
    assert list(tmp_path.iterdir()) == []
