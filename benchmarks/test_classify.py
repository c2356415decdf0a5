"""Does `benchmarks.classify` measure what it says? Its figures are that command's to print."""

import random

import numpy as np
import pytest

from benchmarks import classify, labeled_texts
from benchmarks.conftest import needs


def made_up():
    rng = np.random.default_rng(0)
    texts = ["".join(rng.choice([*"aeiou"] if i % 2 else [*"bcdfg"], 6)) for i in range(300)]
    return texts, ["ordinary" if i % 2 else "consonants" for i in range(300)]


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setitem(classify.DATA, "domains", made_up)
    monkeypatch.setitem(classify.EPOCHS, "domains", {"epochs": 3})


def test_the_table_has_every_contender(small, capsys):
    needs("torch")
    contenders = classify.contenders("domains")
    rows = classify.compare("domains", 2, contenders)
    assert len(rows) == 2 + len(contenders) >= 6
    assert capsys.readouterr().out.count("domains, split 2: | ") == len(contenders)
    for row in rows[2:]:
        accuracy, log_loss = map(float, row.split("|")[2:4])
        assert accuracy > 95
        assert log_loss < 0.2


@pytest.mark.parametrize(("arguments", "wanted"), [([], ["surnames", "domains"]), (["domains"], ["domains"])])
def test_all_data_are_taken_unless_some_are_named(monkeypatch, capsys, arguments, wanted):
    monkeypatch.setattr(classify, "compare", lambda data, n_splits, makers: [f"{data}, {n_splits}", *makers])
    classify.main([*arguments, "--splits", "3"])
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.endswith(", 3")] == [f"{data}, 3" for data in wanted]
    assert lines.count("both") == len(wanted)


def test_wrong_probabilities_are_found():
    with pytest.raises(AssertionError):
        classify.check(np.array([[0.5, 0.4]]), 1, 2)


@pytest.mark.parametrize("kind", ["arithmetic", "hash", "hexadecimal", "letters and digits", "pronounceable"])
def test_generators_make_domains(kind):
    domains = labeled_texts.KINDS[kind](random.Random(0))
    found = [next(domains) for _ in range(500)]
    assert all(domain.isalnum() and domain == domain.lower() for domain in found)
    assert len(set(found)) > 480
    again = labeled_texts.KINDS[kind](random.Random(0))
    assert [next(again) for _ in range(500)] == found


def test_the_low_bits_of_the_arithmetic_generator_alternate():
    domain = next(labeled_texts.KINDS["arithmetic"](random.Random(0)))
    parity = [labeled_texts.LETTERS.index(letter) % 2 for letter in domain]
    assert set(np.diff(parity).tolist()) == {-1, 1}


def test_texts_have_one_label_each_and_differ(monkeypatch):
    pytest.importorskip("faker")
    pytest.importorskip("wordfreq")
    monkeypatch.setattr(labeled_texts, "DRAWS", 100)
    labeled_texts.surnames.cache_clear()
    texts, labels = labeled_texts.domains(300, 40)
    assert len(set(texts)) == len(texts) == len(labels) == 300 + 8 * 40
    assert len(set(labels)) == 9
    names, countries = labeled_texts.surnames()
    assert len(set(zip(names, countries, strict=True))) == len(names)
    assert len(set(countries)) == 18
    labeled_texts.surnames.cache_clear()
