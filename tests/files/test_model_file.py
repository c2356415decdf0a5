"""The files of mixtures, classifiers and detectors: they come back, and nothing in a crafted one is believed."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from examples import saved
from texts import SIMILAR_NAMES as NAMES

from crnn import AnomalyDetector, CharNGram, CharRNN, Mixture, ModelFileError, TextClassifier
from crnn.files import model_file
from crnn.files.entries import plain_json
from crnn.files.model_file import StoredClassifier
from crnn.files.sealed_file import read_header, read_sealed_tensors, require_kind, sealed_bytes

# --------------------------------------------------------------------- mixture

PARTS = [("CharNGram", saved(CharNGram(2).fit(["ab", "ba"]))), ("CharNGram", saved(CharNGram(3).fit(["ab"])))]


def sealed(kind, parts, weights, tensors=(), **entries):
    """Return the bytes of a file with these parts, under a true checksum."""
    files = {f"models.{i}": np.frombuffer(content, np.uint8) for i, (_, content) in enumerate(parts)}
    entries = {"models": plain_json([name for name, _ in parts]), **entries}
    metadata = {"format": "crnn", "format_version": "1", "kind": kind, **entries}
    return sealed_bytes(metadata, {"weights": np.array(weights, np.float64), **files, **dict(tensors)})


def mixture_file(weights, *, models=("CharNGram", "CharNGram"), **tensors):
    """Return the bytes of a file with these weights, names of models and other tensors."""
    return sealed("mixture", PARTS, weights, tensors, models=plain_json(list(models)))


def read(content):
    return model_file.read_mixture(io.BytesIO(content))


@pytest.mark.parametrize(
    "weights", [[0.25, 0.75], [0, 1e-300], [1e30, 1e30], [0.0, 0.0], [[1, 2], [3, 4], [5, 6], [7, 8]]]
)
def test_mixtures_come_back(weights):
    parts, found = read(mixture_file(weights))
    assert parts == PARTS
    assert found.tolist() == weights
    assert model_file.mixture_bytes(PARTS, np.array(weights, np.float64)) == mixture_file(weights)


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
    ({"models.1": np.zeros(99, np.uint8)}, r", models\[1\]: its header"),
])  # fmt: skip
def test_refuses_crafted_mixtures(content, words, tmp_path):
    (tmp_path / "two.crnn").write_bytes(mixture_file(**{"weights": [1, 1], **content}))
    with pytest.raises(ModelFileError, match=rf"^model file '.*two\.crnn'({words})"):
        Mixture.load(tmp_path / "two.crnn")


# ------------------------------------------------------------------ classifier

LABELED = ("CharNGram", saved(CharNGram(2).fit(["ab", "ba"], labels=["f", "m"])))
OTHER = ("CharNGram", saved(CharNGram(2).fit(["ab", "ba"], labels=["f", "x"])))
GOOD = {
    "class_weight": None, "min_steps": 0, "directions": ["forward", "backward"], "listed": True, "prior": [0.25, 0.75],
}  # fmt: skip


def classifier_file(parts=(LABELED,) * 4, classifier=None, **own):
    """Return a stream with a classifier's file, some of its values exchanged or removed."""
    values = {name: value for name, value in {**GOOD, **own}.items() if value != "removed"}
    weights = np.repeat([0.5, 2.0], 2)[: len(parts)]
    entry = plain_json(values) if classifier is None else classifier
    return io.BytesIO(sealed("classifier", parts, weights, classifier=entry))


@pytest.mark.parametrize("class_weight", [None, "balanced", {"f": 2.0}])
@pytest.mark.parametrize("directions", [("forward", "backward"), ("backward",)])
def test_classifiers_come_back(class_weight, directions):
    own = {"class_weight": class_weight, "min_steps": 7}
    parts = [LABELED] * 2 * len(directions)
    stored = StoredClassifier(parts, np.array([0.25, 3.0]), np.array([0.0, 1.0]), directions, True, own)
    found = model_file.read_classifier(io.BytesIO(model_file.classifier_bytes(stored)))
    for name, value in stored._asdict().items():
        assert (
            np.array_equal(getattr(found, name), value)
            if isinstance(value, np.ndarray)
            else (getattr(found, name) == value)
        )


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


MODELS = {
    "network": network,
    "quantized": lambda: network().quantize(),
    "counts": lambda: CharNGram(3).fit(NAMES),
    "mixture": lambda: Mixture([CharNGram(3).fit(NAMES), network()]),
    "bytes": lambda: CharNGram(2).fit([b"ab", b"ba"]),
}


@pytest.mark.parametrize("kind", MODELS)
def test_a_detector_of_any_model_comes_back(kind, tmp_path):
    model = MODELS[kind]()
    clean = CLEAN if kind != "bytes" else [b"ab"] * 200
    detector = AnomalyDetector(model, 0.1, "sum", 0.3, max_seconds=7, random_state=3).calibrate(clean)
    detector.save(tmp_path / "d.crnn")
    again = AnomalyDetector.load(tmp_path / "d.crnn")
    own = {name: value for name, value in detector.get_params(deep=False).items() if name != "estimator"}
    assert {name: again.get_params(deep=False)[name] for name in own} == own
    assert again.offset_ == detector.offset_
    assert again.rate_interval_ == detector.rate_interval_
    assert again.score_samples(clean[:3]).tolist() == detector.score_samples(clean[:3]).tolist()
    assert type(again.estimator_) is type(model)
    assert type(model).load(tmp_path / "d.crnn").score(clean) == model.score(clean)
    stream = io.BytesIO()
    again.save(stream)
    stream.seek(0)
    assert stream.getvalue() == (tmp_path / "d.crnn").read_bytes()
    assert AnomalyDetector.load(stream).offset_ == detector.offset_


@pytest.mark.parametrize(
    ("seed", "saved"), [(2**127 - 1, 2**127 - 1), (np.uint64(2**64 - 1), 2**64 - 1), (np.random.default_rng(0), None)]
)
def test_any_seed_that_fit_accepts_can_be_saved(seed, saved, tmp_path):
    AnomalyDetector(MODELS["counts"](), 0.1, random_state=seed).calibrate(CLEAN).save(tmp_path / "d.crnn")
    assert AnomalyDetector.load(tmp_path / "d.crnn").random_state == saved


def test_chosen_model_is_not_a_parameter(tmp_path):
    detector = AnomalyDetector(MODELS["counts"](), 0.1).calibrate(CLEAN).set_params(estimator=None)
    detector.save(tmp_path / "d.crnn")
    assert AnomalyDetector.load(tmp_path / "d.crnn").estimator is None


@pytest.fixture
def detector_file():
    stream = io.BytesIO()
    AnomalyDetector(MODELS["counts"](), 0.1).calibrate(CLEAN).save(stream)
    return stream.getvalue()


def resealed(detector_file, entry):
    """The file with another entry and a checksum that fits."""
    stream = io.BytesIO(detector_file)
    header = require_kind(read_header(stream, len(detector_file)), "ngram")
    metadata = {**header.metadata, "detector": entry(header.metadata["detector"])}
    metadata.pop("checksum")
    return io.BytesIO(sealed_bytes(metadata, read_sealed_tensors(stream, header)))


def changed(**values):
    return lambda text: json.dumps({**json.loads(text), **values})


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (lambda text: text[:-1], "cannot be read as JSON"),
        (lambda text: "[]", "must be a JSON object"),
        (changed(other=1), "has an unknown field 'other'"),
        (lambda text: text.replace("n_texts", "n_text"), "has no n_texts"),
        (lambda text: "[" * 10**6, "cannot be read as"),
        (changed(contamination=0), "contamination must be a finite number above 0"),
        (changed(contamination=float("nan")), "contamination must be"),
        (changed(calibration_fraction=1), "calibration_fraction must be"),
        (changed(reduce="max"), "reduce must be"),
        (changed(scored_by=["min"]), "reduce must be"),
        (changed(offset=0.5), "offset must be"),
        (changed(offset=-float("inf")), "offset must be"),
        (changed(n_texts=0.5), "n_texts must be"),
        (changed(rank=0.5), "rank must be"),
        (changed(held=[["a", 0, -1.5]]), "held must be texts with their numbers of occurrences and scores"),
        (changed(held=[["a", 1, 0.5]]), "held must be"),
        (changed(held=[["a", 1, "-1"]]), "held must be"),
        (changed(held=[["a", 1, float("nan")]]), "held must be"),
        (changed(held=[["a", 1]]), "held must be"),
        (changed(held=[[1, 1, None]]), "held must be"),
        (changed(held=[["a", "b", None]]), "held must be"),
        (changed(folds=1), "folds must be"),
        (changed(held="a"), "held must be"),
        (changed(rank="1"), "rank must be"),
        (changed(rank=1e6), "rank exceeds n_texts"),
        (changed(chosen=1), "chosen must be True or False"),
        (changed(random_state=-1), "random_state must be"),
        (changed(random_state=[1]), "random_state must be"),
        (changed(max_seconds=None), "max_seconds must be"),
        (changed(verbose=10**400), "verbose must be at most"),
    ],
)
def test_a_crafted_entry_is_refused(detector_file, entry, message):
    extreme = {"contamination": 0.5, "offset": 0.0, "n_texts": 1.0, "rank": 1.0, "verbose": 0}
    assert AnomalyDetector.load(resealed(detector_file, changed(**extreme))).contamination == 0.5
    with pytest.raises(ModelFileError, match=message):
        AnomalyDetector.load(resealed(detector_file, entry))


def test_damage_in_the_model_is_told_with_the_file_name(detector_file, tmp_path):
    """The model is read from memory, after the entry."""
    (tmp_path / "d.crnn").write_bytes(detector_file[:-1] + bytes([detector_file[-1] ^ 1]))
    with pytest.raises(ModelFileError, match=r"^model file '.*d\.crnn': .*checksum"):
        AnomalyDetector.load(tmp_path / "d.crnn")


def test_refuses_models_without_a_threshold(tmp_path):
    MODELS["counts"]().save(tmp_path / "m.crnn")
    with pytest.raises(ModelFileError, match=r"m\.crnn.*contains a model but no detector.*call calibrate"):
        AnomalyDetector.load(tmp_path / "m.crnn")


def test_loading_as_another_kind_of_model_says_that_the_file_contains_a_detector(detector_file):
    message = (
        r"it contains a detector whose model is a CharNGram; load it with AnomalyDetector\.load, or the model alone "
        r"with CharNGram\.load$"
    )
    for kind in (CharRNN, Mixture, TextClassifier):
        with pytest.raises(ModelFileError, match=message):
            kind.load(io.BytesIO(detector_file))
