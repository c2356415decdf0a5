"""Any bit of a model file changed: a ModelFileError."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from trials import Outcome

from crnn import AnomalyDetector, CharNGram, CharRNN, Mixture, ModelFileError, TextClassifier, load_model

NAMES = ["na\u00efve \U0001f642", "the cat", "sat"] * 3


def files(folder: Path) -> list[bytes]:
    """Return one file of each kind: with a training state, with documents and several layers, only weights, counts."""
    path = folder / "new"
    contents = []
    for model, text, training_state in (
        (CharRNN(2, max_steps=2, random_state=0), "abcab", True),
        (CharRNN(3, num_layers=2, cell="lstm", optimizer="adam", max_steps=2, random_state=0), NAMES, True),
        (CharRNN(5, cell="gru", dtype="float64", n_bigrams=3, max_steps=2, random_state=0), b"\0abcab\xff", False),
    ):
        model.fit(text).save(path, training_state=training_state)
        contents.append(path.read_bytes())
    network, counts = CharRNN(3, max_steps=2, random_state=0).fit(NAMES), CharNGram(3).fit(NAMES)
    labels = [0, 1, 1] * 3
    of_labels = CharNGram(2).fit(NAMES, labels=labels), TextClassifier(CharNGram(2)).fit(NAMES, labels)
    detector = AnomalyDetector(counts, contamination=0.4).calibrate(NAMES * 4)
    for saved in (counts, network.quantize(), Mixture([network, counts]), *of_labels, detector):
        saved.save(path)
        contents.append(path.read_bytes())
    return contents


def run(count: int, seed: int = 0) -> Outcome:
    """Change bits, all of them if `count` allows."""
    failures, tries = [], 0
    with tempfile.TemporaryDirectory(prefix="crnn-reliability-") as name:
        path = Path(name) / "model"
        contents = files(Path(name))
        for data in contents:
            bits = np.arange(8 * len(data))
            share = count // len(contents)
            if share < len(bits):
                bits = np.sort(np.random.default_rng(seed).choice(bits, share, replace=False))
            path.write_bytes(data)
            with open(path, "r+b", buffering=0) as stream:
                for bit in bits.tolist():
                    place, mask = bit // 8, 1 << bit % 8
                    stream.seek(place)
                    stream.write(bytes([data[place] ^ mask]))
                    tries += 1
                    try:
                        load_model(path)
                        failures.append(f"bit {bit}: it loads")
                    except ModelFileError:
                        pass
                    except Exception as error:
                        failures.append(f"bit {bit}: {type(error).__name__}: {error}")
                    stream.seek(place)
                    stream.write(data[place : place + 1])
    return Outcome(tries, failures)
