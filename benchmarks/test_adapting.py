"""The table of `benchmarks.adapting` on a small text that repeats itself."""

import numpy as np
import pytest

from benchmarks import adapting

TEXT = "to be or not to be, that is the question; " * 60


def test_losses_are_those_of_the_mixture():
    known, unseen = TEXT[:2000], TEXT[2000:2300]
    mixture = adapting.trained(known, 0, 20)
    for adapt in ("counts", True):
        loss, _ = adapting.read(mixture, unseen, adapt, longest_match=True)
        without, _ = adapting.read(mixture, unseen, adapt, longest_match=False)
        assert loss == pytest.approx(-mixture.score(unseen, adapt=adapt))
        assert without != loss


def test_fixed_weights_read_as_counts_that_learn():
    known, unseen = TEXT[:2000], TEXT[2000:2300]
    mixture = adapting.trained(known, 0, 20)
    mixture.weights_ = np.array([0.0, 1.0])
    found = adapting.read_with_fixed_weights(mixture, unseen * 7)
    assert found == pytest.approx(-mixture.models_[1].score(unseen * 7, adapt=True))


def test_the_table_has_a_row_for_each_text():
    lines = list(adapting.rows({"a": TEXT, "b": TEXT[::-1]}, 1, 5))
    assert len(lines) == 4
    assert {line.count("|") for line in lines} == {9}


def test_states_are_measured_with_and_without_words(monkeypatch):
    monkeypatch.setattr(adapting, "N_OF_STATE", 97)
    monkeypatch.setattr(adapting, "TURNS", 1)
    *_, first, second = adapting.costs_of_states(TEXT, 5)
    assert first.startswith("| network, counts")
    assert second.startswith("| network, counts |")
    assert all(float(cell) > 0 for line in (first, second) for cell in line.split("|")[2:5])
