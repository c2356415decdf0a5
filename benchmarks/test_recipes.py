"""Does `benchmarks.recipes` train and measure on the parts that it says? Its figures are that command's to print."""

import numpy as np
import pytest

from benchmarks import recipes

NAMES = [f"{a}{b}{c}" for a in "abcdefg" for b in "hijklm" for c in "nopqr"]


def test_the_last_tenth_is_not_used():
    text = "".join(chr(97 + i % 23) for i in range(1000))
    known, measured = recipes.parts(text + "Z" * 111, lines=False)
    assert len(known) == 899
    assert known + measured == text[:999]
    known, measured = recipes.parts("\n".join(NAMES), lines=True)
    assert (len(known), len(measured)) == (170, 19)
    assert not set(known) & set(measured)


@pytest.mark.parametrize("lines", [False, True])
def test_a_recipe_learns(lines, monkeypatch, capsys, tmp_path):
    text = "\n".join(np.random.default_rng(0).choice(NAMES, 3000))
    (tmp_path / "text").write_text(text, encoding="utf-8", newline="")
    command = ["recipes", str(tmp_path / "text"), "--operations", "2e9", "--cell", "cifg", "--hidden-size", "32"]
    command += ["--n-bigrams", "7", "--init-scale", "0.2", "--seeds", "0", "1", *(["--lines"] if lines else [])]
    monkeypatch.setattr("sys.argv", command)
    recipes.main()
    row = capsys.readouterr().out.splitlines()[-1].strip("| ").split(" | ")
    assert row[:4] == ["0.002", "cifg", "32", "7"]
    assert int(row[5]) == round(2e9 / (6 * 16 * 24 * (3 * 32**2 + 32 * 64)))
    losses = [float(loss) for loss in row[-1].split(", ")]
    assert losses[0] != losses[1]
    assert max(losses) < np.log(18)


def test_epochs_bound_the_steps():
    found = recipes.parameters(10_000, 1e12, {"cell": "lstm", "seq_length": 25, "batch_size": 4}, 2.5)
    assert (found["max_steps"], found["max_seconds"]) == (250, None)
