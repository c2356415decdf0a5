"""The protocol of `benchmarks.system_calls`, on small files."""

import zipfile

import numpy as np
import pytest

from benchmarks import system_calls


def test_calls_become_characters(tmp_path):
    path = tmp_path / "calls.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("ADFA-LD/Training_Data_Master/a.txt", "3 4 3 ")
        file.writestr("ADFA-LD/Attack_Data_Master/Adduser_1/b.txt", "5")
        file.writestr("ADFA-LD/readme.txt", "7")
    normal, attacks = system_calls.read(path)
    assert [[ord(symbol) - system_calls.FIRST for symbol in text] for text in (*normal, *attacks)] == [[3, 4, 3], [5]]


@pytest.mark.parametrize("seed", range(3))
def test_best_f1_tries_every_threshold(seed):
    rng = np.random.default_rng(seed)
    scores = rng.integers(7, size=23).astype(float)
    is_attack = rng.random(23) < 0.3
    is_attack[5] = True
    expected = 0.0
    for threshold in scores:
        flagged = scores <= threshold
        hits = (flagged & is_attack).sum()
        expected = max(expected, 2 * hits / (flagged.sum() + is_attack.sum()))
    assert system_calls.best_f1(scores, is_attack) == pytest.approx(expected)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_run_finds_sequences_of_other_calls():
    rng = np.random.default_rng(0)
    normal = ["".join(rng.choice(list("abc"), 17)) for _ in range(700)]
    attacks = ["".join(rng.choice(list("cde"), 17)) for _ in range(23)]
    assert system_calls.run("mean", normal, attacks, seed=0) > 0.9
