"""Model files of every kind, as this format version has them: they load, and score texts as when they were written.

    python tests/test_stored_models.py

writes `data/models/` anew, after a change to the format. Every later crnn must load these files.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from crnn import AnomalyDetector, CharNGram, CharRNN, Mixture, TextClassifier, load_model
from crnn.files.sealed_file import FORMAT_VERSION

FOLDER = Path(__file__).parent / "data" / "models"
SCORES = FOLDER / "scores.json"
LINES = [f"{name} read block {37 * i % 101} of file {53 * i % 97}" for i in range(60) for name in ("anna", "bob")]
TEXTS = ["anna read block 3 of file 2", "bob lied", "nab"]
SMALL = {"hidden_size": 2, "max_steps": 60, "seq_length": 7, "batch_size": 3, "random_state": 0, "n_threads": 1}
FILES = (
    "network", "deep network", "bfloat16 network", "quantized network", "running text", "counts", "pruned counts",
    "quantized counts", "labeled counts", "mixture", "mixture with words", "classifier", "detector",
)  # fmt: skip
TOLERANCES = {"bfloat16 network": 1e-2}  # sums of products of bfloat16 are rounded otherwise on other processors


def models():
    """Return a small fitted model of every kind by the name of its file."""
    counts = CharNGram(4).fit(LINES)
    network = CharRNN(**SMALL).fit(LINES)
    members = [CharRNN(**SMALL), CharNGram(3)]
    detector = AnomalyDetector(CharNGram(4), contamination=0.2, mask="hex", keep_texts=False, random_state=0)
    made = {
        "network": network,
        "deep network": CharRNN(cell="lstm", num_layers=2, embedding_size=3, **SMALL).fit(LINES),
        "bfloat16 network": CharRNN(cell="gru", matmul_precision="bfloat16", **SMALL).fit(LINES),
        "quantized network": CharRNN(cell="cifg", **SMALL).fit(LINES).quantize(),
        "running text": CharRNN(n_bigrams=3, **SMALL).fit("\n".join(LINES)),
        "counts": counts,
        "pruned counts": counts.prune(2600),
        "quantized counts": counts.prune(2600).quantize(),
        "labeled counts": CharNGram(3).fit(LINES, y=["a", "b"] * 60),
        "mixture": Mixture(members, words=False).fit(LINES),
        "mixture with words": Mixture(members, words=True).fit(LINES),
        "classifier": TextClassifier(CharNGram(3)).fit(LINES, ["a", "b"] * 60),
        "detector": detector.fit(LINES),
    }
    assert tuple(made) == FILES
    return made


def path_of(name):
    return FOLDER / f"{name.replace(' ', '_')}.crnn"


def scores_of(name, model):
    """Return what a model says of the texts."""
    if isinstance(model, TextClassifier):
        return model.predict_log_proba(TEXTS).ravel().tolist()
    if name == "labeled counts":
        return model.score_samples(TEXTS, ["a", "b", "a"]).tolist()
    return model.score_samples(TEXTS).tolist()


@pytest.mark.parametrize("name", FILES)
def test_a_stored_file_loads_and_scores_as_it_did(name):
    stored = json.loads(SCORES.read_text())
    model = AnomalyDetector.load(path_of(name)) if name == "detector" else load_model(path_of(name))
    np.testing.assert_allclose(scores_of(name, model), stored[name], rtol=TOLERANCES.get(name, 1e-5))


def test_all_stored_files_are_small_and_of_this_format_version():
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 100_000
    assert {path.stem for path in FOLDER.glob("*.crnn")} == {path_of(name).stem for name in FILES}
    versions = {
        name: f'\\"format_version\\": \\"{FORMAT_VERSION}\\"'.encode() in path_of(name).read_bytes() for name in FILES
    }
    assert versions == dict.fromkeys(FILES, True)


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    made = models()
    for name, model in made.items():
        options = {"training_state": False} if name == "deep network" else {}
        model.save(path_of(name), **options)
    scores = {name: scores_of(name, model) for name, model in made.items()}
    SCORES.write_text(json.dumps(scores, indent=1) + "\n")
