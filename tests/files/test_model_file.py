"""The files of mixtures, classifiers and detectors: they come back, and nothing in a crafted one is believed."""

import io
import json

import numpy as np
import pytest
from examples import saved
from texts import SIMILAR_NAMES as NAMES

from crnn import AnomalyDetector, CharNGram, CharRNN, Mixture, ModelFileError, TextClassifier
from crnn.files import model_file
from crnn.files.entries import plain_json
from crnn.files.sealed_file import read_header, read_sealed_tensors, require_kind, sealed_bytes

# --------------------------------------------------------------------- mixture

PARTS = [("CharNGram", saved(CharNGram(2).fit(["ab", "ba"]))), ("CharNGram", saved(CharNGram(3).fit(["ab"])))]


def sealed(kind, parts, weights, tensors=(), **entries):
    """Return the bytes of a file with these parts, under a true checksum."""
    files = {f"models.{i}": np.frombuffer(content, np.uint8) for i, (_, content) in enumerate(parts)}
    entries = {"models": plain_json([name for name, _ in parts]), **entries}
    metadata = {"format": "crnn", "format_version": "2", "kind": kind, **entries}
    return sealed_bytes(metadata, {"weights": np.array(weights, np.float64), **files, **dict(tensors)})


def mixture_file(weights, *, models=("CharNGram", "CharNGram"), **tensors):
    """Return the bytes of a file with these weights, names of models and other tensors."""
    return sealed("mixture", PARTS, weights, tensors, models=plain_json(list(models)))


def test_mixtures_come_back():
    for weights in ([0.25, 0.75], [0, 1e-300], [1e30, 1e30], [0.0, 0.0], [[1, 2], [3, 4], [5, 6], [7, 8]]):
        content = mixture_file(weights)
        stored = model_file.read_mixture(io.BytesIO(content))
        assert (stored.parts, stored.weights.tolist()) == (PARTS, weights)
        assert stored.words is stored.weights_without_words is stored.fitting is None
        assert model_file.mixture_bytes(stored) == content


FOREIGN = np.frombuffer(saved(CharNGram(2).fit(["xy"])), np.uint8)


@pytest.mark.parametrize(("content", "words"), [
    *(({"weights": weights}, r": its weights must be numbers from 0 to 1e\+30")
      for weights in ([-0.1, 1], [np.nan, 1], [1, np.inf], [1.1e30, 1])),
    *((content, r": it has (no|a) tensor '.*'|: its tensor '.*' is .*, but its model has ") for content in (
        {"weights": [1]}, {"weights": [[1, 1]]}, {"weights": [[1, 1]] * 5}, {"weights": [[1]] * 4},
        {"weights": [1, 1, 1]}, {"more": np.zeros(1)},
        {"models.1": np.zeros(3)}, {"models.1": np.zeros((3, 3), np.uint8)}, {"models": ["CharNGram"]},
        {"models": ["CharNGram"] * 3}, {"models": ["CharNGram"] * 64})),
    *(({"models": models}, ".*models must be a list of 1 to 64 of CharRNN, CharNGram")
      for models in ([], ["CharNGram", "Mixture"], ["CharNGram", 3], ["CharNGram"] * 65)),
    ({"models.1": FOREIGN}, ": its models do not fit together: models"),
    ({"models.1": np.zeros(99, np.uint8)}, r", models\[1\]: it is not a safetensors file"),
])  # fmt: skip
def test_refuses_crafted_mixtures(content, words, tmp_path):
    (tmp_path / "two.crnn").write_bytes(mixture_file(**{"weights": [1, 1], **content}))
    with pytest.raises(ModelFileError, match=rf"^model file '.*two\.crnn'({words})"):
        Mixture.load(tmp_path / "two.crnn")


# ------------------------------------------------------------------ classifier

LABELED = ("CharNGram", saved(CharNGram(2).fit(["ab", "ba"], y=["f", "m"])))
OTHER = ("CharNGram", saved(CharNGram(2).fit(["ab", "ba"], y=["f", "x"])))
GOOD = {
    "class_weight": None, "min_steps": 0, "directions": ["forward", "backward"], "listed": True, "prior": [0.25, 0.75],
}  # fmt: skip


def classifier_file(parts=(LABELED,) * 4, classifier=None, **own):
    """Return a stream with a classifier's file, some of its values exchanged or removed."""
    values = {name: value for name, value in {**GOOD, **own}.items() if value != "removed"}
    weights = np.repeat([0.5, 2.0], 2)[: len(parts)]
    entry = plain_json(values) if classifier is None else classifier
    return io.BytesIO(sealed("classifier", parts, weights, classifier=entry))


def test_the_good_file_is_read():
    assert TextClassifier.load(classifier_file()).weights_.tolist() == [0.5, 2.0]


@pytest.mark.parametrize(("given", "words"), [
    *((own, f"its classifier cannot be used: .*{next(iter(own))}") for own in (
        {"min_steps": 0.5}, {"more": 1}, {"prior": "removed"}, {"class_weight": "unbalanced"},
        {"class_weight": [["f", 1.0, 2.0]]}, {"class_weight": [[["f"], 1.0]]}, {"class_weight": ["f1"]},
        {"prior": [0.5, 2]}, {"prior": [1.5, 0.5]}, {"prior": [-0.5, 1.0]}, {"prior": [0.0, 0.0]}, {"prior": [1.0]},
        {"directions": ["backward", "forward"]}, {"directions": "forward"}, {"listed": 1},
        *({"directions": value, "listed": False}
          for value in (0, 2, None, True, [], "both", {"forward": 1}, [["f"]])))),
    ({"class_weight": [[-0.0, 1.0]]}, "class_weight"), ({"min_steps": -1}, "min_steps"),
    *((given, "its models do not fit its directions") for given in ({"parts": [LABELED] * 3}, {"listed": False})),
    *(({"parts": parts, "prior": prior}, "its models have different labels") for parts, prior in (
        ([LABELED, LABELED, OTHER, LABELED], [0.5, 0.5]), ([LABELED] * 4, [0.2, 0.2, 0.6]))),
    ({"classifier": "{"}, "its classifier cannot be read as JSON"),
])  # fmt: skip
def test_refuses_crafted_classifiers(given, words):
    with pytest.raises(ModelFileError, match=f"^model file .*{words}"):
        TextClassifier.load(classifier_file(**given))


# -------------------------------------------------------------------- detector

CLEAN = ["ana", "nan", "hana"] * 40


def network():
    return CharRNN(5, max_steps=5, random_state=0).fit(NAMES)


COUNTS = CharNGram(3).fit(NAMES)
MODELS = {
    "network": network,
    "quantized": lambda: network().quantize(),
    "mixture": lambda: Mixture.from_fitted([COUNTS, network()]),
    "bytes": lambda: CharNGram(2).fit([b"ab", b"ba"]),
}


def loaded(detector):
    """Return the detector in the file of another one."""
    return AnomalyDetector.load(io.BytesIO(saved(detector)))


@pytest.mark.parametrize("kind", MODELS)
def test_a_detector_of_any_model_comes_back(kind):
    model = MODELS[kind]()
    clean = CLEAN if kind != "bytes" else [b"ab"] * 200
    detector = AnomalyDetector(model, 0.1, "sum", 0.3, max_seconds=7, random_state=3).calibrate(clean)
    again = loaded(detector)
    own = {name: value for name, value in detector.get_params(deep=False).items() if name != "estimator"}
    assert {name: again.get_params(deep=False)[name] for name in own} == own
    assert (again.offset_, again.rate_interval_) == (detector.offset_, detector.rate_interval_)
    assert again.score_samples(clean[:3]).tolist() == detector.score_samples(clean[:3]).tolist()
    assert type(again.estimator_) is type(model)
    assert type(model).load(io.BytesIO(saved(detector))).score(clean) == model.score(clean)
    assert saved(again) == saved(detector)


def test_any_seed_that_fit_accepts_can_be_saved_and_no_chosen_model():
    detector = AnomalyDetector(COUNTS, 0.1).calibrate(CLEAN)
    for seed, kept in ((2**127 - 1,) * 2, (np.uint64(2**64 - 1), 2**64 - 1), (np.random.default_rng(0), None)):
        assert loaded(detector.set_params(random_state=seed)).random_state == kept
    assert loaded(detector.set_params(estimator=None)).estimator is None


@pytest.fixture(scope="module")
def detector_file():
    return saved(AnomalyDetector(COUNTS, 0.1).calibrate(CLEAN))


def resealed(detector_file, entry):
    """The file with another entry and a checksum that fits."""
    stream = io.BytesIO(detector_file)
    header = require_kind(read_header(stream, len(detector_file)), "ngram")
    metadata = {**header.metadata, "detector": entry(header.metadata["detector"])}
    metadata.pop("checksum")
    return io.BytesIO(sealed_bytes(metadata, read_sealed_tensors(stream, header)))


def changed(**values):
    return lambda text: json.dumps({**json.loads(text), **values})


HELD = "held must be texts with their numbers of occurrences and scores"
CRAFTED = [
    (lambda text: text[:-1], "cannot be read as JSON"),
    (lambda text: "[]", "must be a JSON object"),
    (lambda text: text.replace("n_texts", "n_text"), "has no n_texts"),
    (lambda text: "[" * 10**6, "cannot be read as"),
    *((changed(**{name: value}), message) for name, message, *values in (
        ("other", "has an unknown field 'other'", 1),
        ("contamination", "contamination must be a finite number above 0", 0, float("nan")),
        ("calibration_fraction", "calibration_fraction must be", 1),
        ("reduce", "reduce must be", "max"),
        ("scored_by", "reduce must be", ["min"]),
        ("offset", "offset must be", 0.5, -float("inf")),
        ("n_texts", "n_texts must be", 0.5),
        ("held", HELD, "a", *([row] for row in (
            ["a", 0, -1.5], ["a", 1, 0.5], ["a", 1, "-1"], ["a", 1, float("nan")], ["a", 1], [1, 1, None],
            ["a", "b", None]))),
        ("folds", "folds must be", 1),
        ("rank", "rank must be", 0.5, "1"),
        ("rank", "rank exceeds n_texts", 1e6),
        ("chosen", "chosen must be True or False", 1),
        ("random_state", "random_state must be", -1, [1]),
        ("max_seconds", "max_seconds must be", None),
        ("verbose", "verbose must be at most", 10**400)) for value in values),
]  # fmt: skip


def test_crafted_detectors_are_refused(detector_file):
    extreme = {"contamination": 0.5, "offset": 0.0, "n_texts": 1.0, "rank": 1.0, "verbose": 0}
    assert AnomalyDetector.load(resealed(detector_file, changed(**extreme))).contamination == 0.5
    for entry, message in CRAFTED:
        with pytest.raises(ModelFileError, match=message):
            AnomalyDetector.load(resealed(detector_file, entry))


def test_damage_in_the_model_is_told_with_the_file_name(detector_file, tmp_path):
    """The model is read from memory, after the entry."""
    (tmp_path / "d.crnn").write_bytes(detector_file[:-1] + bytes([detector_file[-1] ^ 1]))
    with pytest.raises(ModelFileError, match=r"^model file '.*d\.crnn': .*checksum"):
        AnomalyDetector.load(tmp_path / "d.crnn")
