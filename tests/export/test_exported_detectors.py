"""Exported detectors give Python's scores, verdicts and places."""

import numpy as np
import pytest
from node import in_node, needs_node

from crnn import AnomalyDetector, CharNGram, CharRNN, InvalidInputError, Mixture

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
