"""Any bit of a model file changed: a ModelFileError."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from trials import Outcome

from crnn import CharRNN, ModelFileError

DATA = Path(__file__).parents[1] / "data"


def files(folder):
    """Return small files of every format."""
    CharRNN(2, max_steps=2, random_state=0).fit("abcab").save(folder / "new")
    return [(folder / "new").read_bytes(), *((DATA / f"{name}.crnn").read_bytes() for name in FILES)]


FILES = ("format1", "format2", "format2_weights")


def run(count: int, seed: int = 0) -> Outcome:
    """Change bits, all of them if `count` allows."""
    failures, tries = [], 0
    with tempfile.TemporaryDirectory(prefix="crnn-reliability-") as name:
        path = Path(name) / "model"
        for data in files(Path(name)):
            bits = np.arange(8 * len(data))
            share = count // (1 + len(FILES))
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
                        CharRNN.load(path)
                        failures.append(f"bit {bit}: it loads")
                    except ModelFileError:
                        pass
                    except Exception as error:
                        failures.append(f"bit {bit}: {type(error).__name__}: {error}")
                    stream.seek(place)
                    stream.write(data[place : place + 1])
    return Outcome(tries, failures)
