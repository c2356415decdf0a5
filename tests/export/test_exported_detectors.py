"""Exported detectors give Python's scores, verdicts and places."""

import ctypes
import random

import numpy as np
import pytest
from compiled_models import CHECKED, available, compiled, output
from node import in_node, needs_node

from crnn import AnomalyDetector, CharNGram, CharRNN, InvalidInputError, Mixture
from crnn.text.mask import BUILT_IN

RANDOM = np.random.default_rng(8)
NAMES = ["anna", "bob", "évé", "o\U0001f600o"]
LINES = [f"user {RANDOM.choice(NAMES)} job {RANDOM.integers(1000)} done" for _ in range(200)]
NEW = [
    *LINES[:9],
    "",
    "user anna job 5 gone",
    "user évé jib 77 done",
    "\U0001f600\U0001f600 user bob",
    "user bob job \u0663 done",
    "zzz",
    "user anna job 3 done!",
    "123456 done",
    "a0b1c2 0xFF 10.0.0.1 2026-01-02 03:04:05 user",
    "\ud800 x",
    "\0",
]
OWN = [("user (anna|bob)", "user X$&"), (r"[^\W\d_]\U0001f600|\bé", ""), "digits", "hex"]


def calibrated(model, texts=LINES, **options):
    return AnomalyDetector(model, contamination=0.05, **options).calibrate(texts)


def counts(X=LINES, order=4, **options):
    return CharNGram(order, **options).fit(X).quantize()


def network(X=LINES):
    return CharRNN(9, cell="gru", max_steps=200, random_state=0, dtype="float32", min_count=2).fit(X)


DETECTORS = {
    "counts": lambda: calibrated(counts(min_count=2)),
    "mask": lambda: calibrated(counts(min_count=2), mask=["digits", "hex", "ip", "time", "uuid"]),
    "own mask": lambda: calibrated(counts(min_count=2), mask=OWN),
    "no unknown character": lambda: calibrated(counts(), LINES + ["user anna"] * 9, mask=["digits"]),
    "network": lambda: calibrated(network()),
    "mixture": lambda: calibrated(Mixture.from_fitted([network(), counts(min_count=2)]), reduce="min"),
    "sum": lambda: calibrated(counts(min_count=2), reduce="sum"),
    "mean": lambda: calibrated(counts(min_count=2), reduce="mean", mask=["digits"]),
    "scaled": lambda: calibrated(counts(min_count=2), reduce="scaled"),
    "running text": lambda: calibrated(counts("\n".join(LINES), min_count=2)),
    "bytes": lambda: calibrated(
        counts([line.encode() for line in LINES], min_count=2),
        [line.encode() for line in LINES],
        mask=["digits", ("[\xc3]", "\u20ac!")],
    ),
}


@pytest.fixture(scope="module", params=DETECTORS)
def detector(request):
    return DETECTORS[request.param]()


def units(text, place):
    """Return a place in a text as an index of JavaScript."""
    return len(text[:place].encode("utf-16-le", "surrogatepass")) // 2


@needs_node
def test_javascript_gives_the_scores_verdicts_and_places_of_python(detector, tmp_path):
    as_bytes = detector.estimator_.vocabulary_.kind == "bytes"
    texts = [text for text in NEW if not (as_bytes and "\ud800" in text)]
    given = [text.encode() for text in texts] if as_bytes else texts
    detector.export_js(tmp_path / "model.mjs")
    # Infinity is no JSON.
    expression = "texts.map(detect).map((found) => ({ ...found, score: String(found.score) }))"
    found = in_node(tmp_path / "model.mjs", "detect", expression, texts=texts)
    scores = [float(each["score"].replace("Infinity", "inf")) for each in found]
    np.testing.assert_allclose(scores, detector.score_samples(given), rtol=1e-6, atol=1e-5)
    verdicts = [{"normal": 1, "anomaly": -1}[each["verdict"]] for each in found]
    assert verdicts == detector.predict(given).tolist()
    assert set(verdicts) == {1, -1}
    assert {each["threshold"] for each in found} == {detector.offset_}
    for text, each, item in zip(texts, found, given, strict=True):
        explained = detector.explain(item)
        if not explained.symbols:
            assert each["place"] is None
            continue
        worst = int(explained.surprisal.argmax())
        place = worst if explained.places is None else explained.places[worst]
        if as_bytes:
            place = len(item[:place].decode("utf-8", "ignore"))
        assert each["place"] == units(text, place)
        if not as_bytes:
            shown = [(symbol if isinstance(symbol, str) else "", p) for symbol, p in explained.alternatives[worst]]
            assert [row["probability"] for row in each["expected"]] == pytest.approx([p for _, p in shown], abs=1e-5)


def test_what_cannot_be_exported_is_refused(tmp_path):
    detector = calibrated(counts(min_count=2), mask=[("(?i)anna", "x")])
    with pytest.raises(InvalidInputError, match=r"the mask's pattern '\(\?i\)anna' cannot be exported to JavaScript"):
        detector.export_js(tmp_path / "model.js")
    with pytest.raises(InvalidInputError, match="float16 is True, but the model has no network"):
        calibrated(counts(min_count=2)).export_js(tmp_path / "model.js", float16=True)
    assert list(tmp_path.iterdir()) == []


# ---------------------------------------------------------------- C

# Pieces of what the built-in masks match, and what may stand around it.
PIECES = ["0x", "0", "12", "255", "a", "F", "e3", "deadbeef", "-", ":", ".", ",", " ", "T", "Z", "+01:30", "-0200", "_"]
PIECES += [
    "2026-01-02",
    "23:59:07",
    "Jan ",
    " 3 ",
    "Dec 31 ",
    "10.0.0.1",
    "fe80:",
    "1:2:3:4:5:6:7:8",
    "\u00e9",
    "\u0663",
]
PIECES += ["123e4567-e89b-12d3-a456-426614174000", "123e4567-e89b", "\U0001f600", "\ud800", "g", "\n", "\0"]


class Verdict(ctypes.Structure):
    """What ``crnn_detect`` returns."""

    _fields_ = (
        ("score", ctypes.c_double),
        ("is_anomaly", ctypes.c_int),
        ("place", ctypes.c_size_t),
        ("expected", ctypes.c_int),
    )


def compiled_function(detector, folder, compiler, *flags):
    """Return a function that gives the verdict of C on a text or bytes."""
    library = compiled(detector, folder, compiler, "-DCRNN_NO_MAIN", "-shared", "-fPIC", *flags)
    functions = ctypes.CDLL(str(library))
    functions.crnn_detect.restype = Verdict

    def detect(text):
        encoded = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
        return functions.crnn_detect(encoded, ctypes.c_size_t(len(encoded)))

    return detect


def bytes_before(text, place):
    before = text[:place]
    return len(before if isinstance(before, bytes) else before.encode("utf-8", "surrogatepass"))


def assert_verdicts_are_pythons(detect, detector, texts, *, n_explained=None):
    """Check scores and verdicts, and places in bytes and expected symbols of all or some texts."""
    found = [detect(text) for text in texts]
    np.testing.assert_allclose([each.score for each in found], detector.score_samples(texts), rtol=1e-6, atol=1e-5)
    assert [each.is_anomaly for each in found] == (detector.predict(texts) == -1).tolist()
    vocabulary = detector.estimator_.vocabulary_
    symbols = [vocabulary[i] for i in range(len(vocabulary))]
    for text, each in list(zip(texts, found, strict=True))[:n_explained]:
        explained = detector.explain(text, n_alternatives=len(vocabulary))
        if not explained.symbols:
            assert each.place == 0
            continue
        places = [bytes_before(text, place) for place in explained.places or range(len(explained.symbols))]
        worst = places.index(each.place)
        # Two places with equal contexts may differ by a rounding.
        assert explained.surprisal[worst] == pytest.approx(explained.surprisal.max(), abs=1e-5)
        p = {i: share for (symbol, share) in explained.alternatives[worst] for i in [symbols.index(symbol)]}
        p.pop(vocabulary.unknown, None)
        assert p[each.expected] == pytest.approx(max(p.values()), rel=1e-5)


@pytest.mark.parametrize("compiler", available("gcc", "clang"))
@pytest.mark.parametrize("name", [name for name in DETECTORS if name not in ("own mask", "bytes")])
def test_c_gives_the_scores_verdicts_and_places_of_python(name, compiler, tmp_path):
    detector = DETECTORS[name]()
    detect = compiled_function(detector, tmp_path, compiler, "-fsanitize=undefined")
    assert_verdicts_are_pythons(detect, detector, NEW)
    assert {detect(text).is_anomaly for text in NEW} == {0, 1}


@pytest.mark.parametrize("compiler", available("gcc"))
def test_c_of_a_detector_of_bytes(compiler, tmp_path):
    lines = [line.encode() for line in LINES]
    detector = calibrated(counts(lines, min_count=2), lines, mask=["digits", "hex", "time"])
    detect = compiled_function(detector, tmp_path, compiler)
    texts = [text.encode("utf-8", "replace") for text in NEW]
    assert_verdicts_are_pythons(detect, detector, [*texts, b"\xff 12 \xe9a1b2c3 \xc3", b"\xb2123456ab"])


@pytest.mark.parametrize("compiler", available("gcc"))
@pytest.mark.parametrize("mask", [[name] for name in BUILT_IN] + [list(BUILT_IN), ["hex", "time"]])
def test_c_masks_like_python(mask, compiler, tmp_path):
    """The model tells each character of a masked text from the others: a score belongs to one masked text."""
    draw = random.Random(str(mask))
    texts = ["".join(draw.choices(PIECES, k=draw.randrange(1, 9))) for _ in range(700)]
    detector = calibrated(counts(texts, order=2, min_count=1), texts, mask=mask, reduce="sum")
    detect = compiled_function(detector, tmp_path, compiler, "-fsanitize=undefined")
    assert_verdicts_are_pythons(detect, detector, texts, n_explained=101)


@pytest.mark.parametrize("compiler", available("gcc"))
def test_c_program_judges_lines(compiler, tmp_path):
    detector = DETECTORS["mask"]()
    program = compiled(detector, tmp_path, compiler, *CHECKED)
    lines = ["user anna job 5 gone", "user bob job 77 done", "", "user \u00e9v\u00e9 jib 77 done"]
    found = [line.split("\t") for line in output(program, given="\r\n".join(lines).encode()).decode().splitlines()]
    np.testing.assert_allclose([float(score) for score, _, _ in found], detector.score_samples(lines), atol=1e-5)
    assert [verdict for _, verdict, _ in found] == ["anomaly", "normal", "anomaly", "anomaly"]
    assert found[3][2] == str(len("user \u00e9v\u00e9 j".encode()))
    assert output(program, given=b"") == b""
    assert b"usage" in output(program, "--help")
    invalid = output(program, given=b"user \xff\n").decode().split("\t")
    assert float(invalid[0]) == pytest.approx(detector.score_samples(["user \ufffd"])[0], abs=1e-5)


def test_a_pattern_of_ones_own_is_refused_in_c(tmp_path):
    with pytest.raises(
        InvalidInputError, match=r"the mask's pattern 'user \(anna\|bob\)' cannot be exported to C, which has"
    ):
        DETECTORS["own mask"]().export_c(tmp_path / "model.c")
    assert list(tmp_path.iterdir()) == []
