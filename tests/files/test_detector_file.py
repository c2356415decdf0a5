"""The file of a detector: a model's file with an entry, and nothing that others wrote into it is believed."""

import io
import json

import numpy as np
import pytest

from crnn import AnomalyDetector, CharNGram, CharRNN, Mixture, ModelFileError, TextClassifier
from crnn.files.container import read_header
from crnn.files.sealed_file import read_sealed_tensors, require_kind, sealed_bytes

NAMES = ["anna", "hanna", "nan", "ann", "hannah"]
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
def content():
    stream = io.BytesIO()
    AnomalyDetector(MODELS["counts"](), 0.1).calibrate(CLEAN).save(stream)
    return stream.getvalue()


def resealed(content, entry):
    """The file with another entry and a checksum that fits."""
    stream = io.BytesIO(content)
    header = require_kind(read_header(stream, len(content)), "ngram")
    metadata = {**header.metadata, "detector": entry(header.metadata["detector"])}
    metadata.pop("checksum")
    return io.BytesIO(sealed_bytes(metadata, read_sealed_tensors(stream, header)))


def changed(**values):
    return lambda text: json.dumps({**json.loads(text), **values})


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (lambda text: text[:-1], "not readable JSON"),
        (lambda text: "[]", "does not have the entries"),
        (changed(other=1), "does not have the entries"),
        (lambda text: "[" * 10**6, "larger than any|not readable"),
        (changed(contamination=0), "contamination must be a finite number above 0"),
        (changed(contamination=float("nan")), "contamination must be"),
        (changed(calibration_fraction=1), "calibration_fraction must be"),
        (changed(reduce="max"), "reduce must be"),
        (changed(scored_by=["min"]), "reduce must be"),
        (changed(offset=0.5), "offset must be"),
        (changed(offset=-float("inf")), "offset must be"),
        (changed(n_texts=0.5), "n_texts must be"),
        (changed(rank=0.5), "rank must be"),
        (changed(held=[["a", 0]]), "held must contain texts with their numbers of occurrences"),
        (changed(held=[["a", 1, 1]]), "held must contain"),
        (changed(held=[[1, 1]]), "held must contain"),
        (changed(held=[["a", "b"]]), "held must contain"),
        (changed(held="a"), "held must contain"),
        (changed(rank="1"), "rank must be"),
        (changed(rank=1e6), "its rank exceeds its n_texts"),
        (changed(chosen=1), "chosen must be True or False"),
        (changed(random_state=-1), "random_state must be"),
        (changed(random_state=[1]), "random_state must be"),
        (changed(max_seconds=None), "max_seconds must be"),
        (changed(verbose=10**400), "verbose must be at most"),
    ],
)
def test_a_crafted_entry_is_refused(content, entry, message):
    extreme = {"contamination": 0.5, "offset": 0.0, "n_texts": 1.0, "rank": 1.0, "verbose": 0}
    assert AnomalyDetector.load(resealed(content, changed(**extreme))).contamination == 0.5
    with pytest.raises(ModelFileError, match=message):
        AnomalyDetector.load(resealed(content, entry))


def test_damage_is_found(content):
    place = content.index(b"n_texts")
    for damaged in (content[:-1], content[:place] + b"m" + content[place + 1 :], b""):
        with pytest.raises(ModelFileError):
            AnomalyDetector.load(io.BytesIO(damaged))


def test_damage_in_the_model_is_told_with_the_file_name(content, tmp_path):
    """The model is read from memory, after the entry."""
    (tmp_path / "d.crnn").write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(ModelFileError, match=r"^model file '.*d\.crnn': .*checksum"):
        AnomalyDetector.load(tmp_path / "d.crnn")


def test_refuses_models_without_a_threshold(tmp_path):
    MODELS["counts"]().save(tmp_path / "m.crnn")
    with pytest.raises(ModelFileError, match=r"m\.crnn.*contains a model but no detector.*call calibrate"):
        AnomalyDetector.load(tmp_path / "m.crnn")
    classifier = TextClassifier().set_params(estimator__hidden_size=4, estimator__max_steps=2)
    classifier.fit(["aa", "bb"], [0, 1]).save(tmp_path / "c.crnn")
    with pytest.raises(ModelFileError, match="contains a TextClassifier"):
        AnomalyDetector.load(tmp_path / "c.crnn")
    with pytest.raises(FileNotFoundError):
        AnomalyDetector.load(tmp_path / "no.crnn")
