"""How long does a character take in an exported C file or JavaScript module, compared with Python?

Each round scores another text, so that none finds what it reads in the processor's caches.
"""

from __future__ import annotations

import ctypes
import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from crnn import CharNGram, CharRNN
from crnn.datasets import python_manual

ROUNDS = 5
LENGTHS = {"Python": 5_000, "C": 5_000, "JavaScript": 1_000}  # characters scored in a round
HELD_OUT = (ROUNDS + 1) * max(LENGTHS.values())
SERVER = """
import {{ score }} from "./model.mjs";
import {{ createInterface }} from "node:readline";
const texts = {texts};
for await (const i of createInterface({{ input: process.stdin }})) console.log(score(texts[i]));
"""


@cache
def fitted(name: str, small: bool) -> CharRNN | CharNGram:
    """Return a model; an untrained network takes the same time as a trained one."""
    text = python_manual()
    if name == "counts":
        return CharNGram(6, n_threads=1).fit(text[:-HELD_OUT]).prune(400_000)
    alphabet = "".join(sorted(set(text)))
    hidden_size = 7 if small else int(name)
    return CharRNN(hidden_size, cell="lstm", max_steps=0, n_threads=1, random_state=0).fit(alphabet)


def in_c(model: CharRNN | CharNGram, texts: list[str], folder: Path) -> Callable[[int], float]:
    """Return the exported C file's function that scores a text, as one of the text's number."""
    if shutil.which("cc") is None:
        pytest.skip("there is no C compiler")
    model.export_c(folder / "model.c")
    flags = ["-O3", "-march=native", "-shared", "-fPIC", "-DCRNN_NO_MAIN"]
    subprocess.run(["cc", *flags, folder / "model.c", "-o", folder / "model.so"], check=True)
    score = ctypes.CDLL(str(folder / "model.so")).crnn_score
    score.restype = ctypes.c_double
    score.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
    encoded = [text.encode() for text in texts]
    return lambda i: score(encoded[i], len(encoded[i]))


@contextmanager
def in_node(model: CharRNN | CharNGram, texts: list[str], folder: Path) -> Iterator[Callable[[int], float]]:
    """Yield the exported module's function that scores a text, in a running Node.js, as one of the text's number."""
    if shutil.which("node") is None:
        pytest.skip("Node.js is missing")
    model.export_js(folder / "model.mjs")
    (folder / "server.mjs").write_text(SERVER.format(texts=json.dumps(texts)), encoding="utf-8")
    process = subprocess.Popen(
        ["node", folder / "server.mjs"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )

    def score(i: int) -> float:
        process.stdin.write(f"{i}\n")
        process.stdin.flush()
        return float(process.stdout.readline())

    try:
        yield score
    finally:
        process.communicate()


@pytest.mark.parametrize("program", ["Python", "C", "JavaScript"])
@pytest.mark.parametrize("kind", ["float32", "int8"])
@pytest.mark.parametrize("name", ["128", "512", "counts"])
def test_character(timed, sized, tmp_path, name, kind, program):
    model = fitted(name, sized(False, True))
    if kind == "int8":
        model = model.quantize()
    length = sized(LENGTHS[program], 200)
    held_out = python_manual()[-(ROUNDS + 1) * length :]
    texts = [held_out[i : i + length] for i in range(0, len(held_out), length)]

    def measure(score: Callable[[int], float]) -> None:
        assert score(0) == pytest.approx(model.score_samples(texts[:1])[0], rel=1e-4)
        column = "counts, 400 kB" if name == "counts" else f"LSTM, H = {name}"
        others = iter(range(1, ROUNDS + 1))
        scores = []
        timed(
            lambda: scores.append(score(next(others))), table="export", contender=program, column=column, units=length,
            dtype=kind, rounds=ROUNDS,
        )  # fmt: skip
        assert len(scores) > 0
        assert scores == pytest.approx(model.score_samples(texts[1 : len(scores) + 1]), rel=1e-4)

    if program == "Python":
        measure(lambda i: float(model.score_samples([texts[i]])[0]))
    elif program == "C":
        measure(in_c(model, texts, tmp_path))
    else:
        with in_node(model, texts, tmp_path) as score:
            measure(score)


def test_the_texts_are_not_trivial():
    assert np.unique(list(python_manual()[-HELD_OUT:])).size > 40
