"""A damaged cache of ids: it is used as far as it goes, written anew, or refused; nothing reads beyond an array."""

from __future__ import annotations

import json
import os
import shutil
import warnings
from pathlib import Path

import numpy as np
from mutated_files import change_document

from crnn import CharNGram, CharRNN, DivergenceError, InvalidInputError, Lines, TextFile
from crnn.text.id_cache import check

TEXT = "to be or not to be, that is the question.\n" * 7
SMALL = {"hidden_size": 3, "seq_length": 5, "max_steps": 3, "random_state": 0, "n_threads": 1}


def sources(folder):
    """Return functions that read the same text from files, through a cache."""
    return [
        lambda: TextFile(folder / "text", cache=folder / "cache"),
        lambda: TextFile([folder / "text", folder / "wide"], cache=folder / "cache"),
        lambda: TextFile(folder / "text", kind="bytes", cache=folder / "cache"),
        lambda: Lines(folder / "text", cache=folder / "cache"),
        lambda: Lines([folder / "wide", folder / "text"], cache=folder / "cache"),
    ]


def damage(rng, path):
    """Change one file of a cache."""
    kind, data = int(rng.integers(8)), path.read_bytes()
    if kind == 0:
        path.write_bytes(data[: rng.integers(len(data) + 1)])
    elif kind == 1:
        path.write_bytes(data + rng.bytes(int(rng.integers(1, 9))))
    elif kind == 2:
        path.unlink()
        [lambda: None, path.mkdir, lambda: os.mkfifo(path)][rng.integers(3)]()
    elif path.suffix == ".json" and kind <= 5:
        holder = {"document": json.loads(data)}
        change_document(rng, holder, "document")
        path.write_text(json.dumps(holder["document"]))
    else:
        changed = bytearray(data)
        for _ in range(rng.integers(1, 9) if changed else 0):
            changed[rng.integers(len(changed))] = [0, 255, 254, int(rng.integers(256))][rng.integers(4)]
        path.write_bytes(changed)


def case(i, folder):
    """Damage a cache and use it."""
    rng = np.random.default_rng([31, i])
    here = Path(folder) / "caches"
    shutil.rmtree(here, ignore_errors=True)
    (here / "cache").mkdir(parents=True)
    (here / "text").write_text(TEXT)
    (here / "wide").write_text("".join(map(chr, range(0x4E00, 0x4F40))) + "\n" + TEXT)
    made = sources(here)
    source = made[rng.integers(len(made))]
    model = [CharNGram(3), CharRNN(**SMALL), CharRNN(**SMALL, batch_size=2, validation_fraction=0.2)][rng.integers(3)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(source())
        score = model.score(source())
        files = sorted((here / "cache").iterdir())
        damage(rng, files[rng.integers(len(files))])
        try:
            for path in (here / "cache").glob("*.json"):
                check(str(path))
        except (InvalidInputError, OSError):
            pass
        try:
            again = model.score(source())
            model.partial_fit(source())
        except (ValueError, OSError, DivergenceError):  # such as ids beyond the vocabulary, which a kernel finds
            return None
        except Exception as error:
            return f"{type(error).__name__}: {error}"
    return None if np.isfinite(again) and again <= 0 else f"a score of {again}, {score} before"
