"""Restoring among the texts of a list: what is found, what is kept, and what is refused."""

import numpy as np
import pytest

from crnn import CharNGram, CharRNN, Mixture
from crnn.errors import InvalidInputError
from crnn.restoring.closed_list import single_change

CITIES = ["London", "Londrina", "Lima", "Lille", "Łódź", "New York", "New York Mills", "St. Gallen", "São Paulo"]


@pytest.fixture(scope="module")
def counts():
    return CharNGram(9).fit(CITIES)


@pytest.mark.parametrize(
    ("damaged", "original"),
    [
        ("Lodnon", "London"),  # swapped
        ("Londn", "London"),
        ("Lnodno", "London"),
        ("Lilma", "Lima"),
        ("Lill", "Lille"),
        ("NewYork", "New York"),
        ("New Yrok Mill", "New York Mills"),
        ("St Gallen", "St. Gallen"),
        ("London", "London"),
        ("", "Lima"),
    ],
)
def test_typos_are_corrected_to_texts_of_the_list(counts, damaged, original):
    assert counts.restore(damaged, typos=0.05, among=CITIES) == original


@pytest.mark.parametrize(
    ("damaged", "damage", "original"),
    [
        ("lONDON", {"case": True}, "London"),
        ("Sao Paulo", {"accents": True}, "São Paulo"),
        ("sao paulo", {"accents": True, "case": True}, "São Paulo"),
        ("NewYork", {"spaces": True}, "New York"),
        ("L_m_", {"gaps": "_"}, "Lima"),
        ("Lirna", {"confusions": {"rn": "m"}}, "Lima"),
        ("Lm", {"confusions": {"m": "ima"}}, "Lima"),
        ("Londxyz", {"confusions": {"xyz": {"rina": 0.5, "on": 0.1}}}, "Londrina"),
        ("Lil~le", {"confusions": {"~": ""}}, "Lille"),
        ("Lil#~le", {"confusions": {"#~": ""}}, "Lille"),
        ("LoNdon", {"typos": 0.1}, "London"),
        ("@", {"typos": 0.1}, "Lima"),
    ],
)
def test_every_kind_of_damage_is_undone(counts, damaged, damage, original):
    assert counts.restore(damaged, among=CITIES, **damage) == original


def test_a_text_that_none_of_the_list_can_have_become_stays(counts):
    assert counts.restore(["Paris", "lima"], case=True, among=CITIES) == ["Paris", "Lima"]


def test_weights_of_the_fit_decide_between_equally_near_texts():
    names = ["Bonn", "Born"]
    for weights, expected in (([1, 50], "Born"), ([50, 1], "Bonn")):
        model = CharNGram(5).fit(names, sample_weight=weights)
        assert model.restore("Boxn", typos=0.05, among=names) == expected


def test_costs_are_those_of_restore_without_a_list(counts):
    """The odds of two originals, by hand: a substitution is one of all other letters of the same case."""
    rate = 0.05
    [change] = counts.restore("Lixa", typos=rate, least=0, changes=True, among=["Lima", "Lidia"]).changes
    assert change[:4] == (2, 3, "x", "m")
    text = "".join(c for c in counts.vocabulary_ if isinstance(c, str)) + "x"
    others = sum(c.islower() for c in set(text)) - 1
    lima, lidia = counts.score_samples(["Lima", "Lidia"])
    substituted = 3 * np.log1p(-rate) + np.log(rate / 4 / others)
    substituted_and_missing = substituted + np.log(rate / 4)
    assert change.log_odds == pytest.approx(lima + substituted - lidia - substituted_and_missing)
    restored = counts.restore("Lixa", typos=rate, least=0, changes=True)
    lixa = counts.restore("Lixa", typos=rate, least=0, changes=True, among=["Lixa", "Lima"])
    assert restored.text == lixa.text == "Lima"


def test_changes_span_the_differences_and_compare_with_the_next_best(counts):
    restored = counts.restore("Lomdno", typos=0.05, among=CITIES, changes=True)
    assert restored.text == "London"
    [change] = restored.changes
    assert (change.start, change.stop, change.before, change.after) == (2, 6, "mdno", "ndon")
    assert 0 < change.log_odds < np.inf
    assert counts.restore("Lima", typos=0.05, among=CITIES, changes=True).changes == []
    [change] = counts.restore("Lma", typos=0.05, among=["Lima"], changes=True).changes
    assert change[:4] == (1, 1, "", "i")
    assert change.log_odds == np.inf


def test_single_changes_do_not_overlap():
    assert single_change("anna", "annanna", 1.0)[:4] == (4, 4, "", "nna")
    assert single_change(b"aa", b"a", 1.0)[:4] == (1, 2, b"a", b"")


def test_a_list_that_changes_is_read_anew(counts):
    names = ["London", "Lima"]
    assert counts.restore("Londom", typos=0.05, among=names) == "London"
    names[0] = "Londrina"
    assert counts.restore("Londom", typos=0.05, among=names) == "Londrina"


def test_a_model_that_learns_more_ranks_anew():
    model = CharNGram(5).fit(["Bonn", "Bonn", "Born"])
    names = ["Bonn", "Born"]
    assert model.restore("Boxn", typos=0.05, among=names) == "Bonn"
    model.partial_fit(["Born"] * 50)
    assert model.restore("Boxn", typos=0.05, among=names) == "Born"


def test_texts_with_symbols_that_the_model_lacks_can_be_found(counts):
    assert counts.restore("Qqito", typos=0.05, among=[*CITIES, "Quito"]) == "Quito"


def test_networks_mixtures_bytes_and_running_text_restore_too():
    network = CharRNN(hidden_size=5, max_steps=3, random_state=0).fit(CITIES)
    mixture = Mixture.from_fitted([network, CharNGram(3).fit(CITIES)])
    for model in (network, mixture, CharNGram(4).fit(" ".join(CITIES))):
        assert model.restore("Londno", typos=0.05, among=tuple(CITIES)) == "London"
    of_bytes = [name.encode() for name in CITIES]
    assert CharNGram(4).fit(of_bytes).restore(b"Londno", typos=0.05, among=of_bytes) == b"London"


def test_labels_and_primes_count():
    model = CharNGram(5).fit(["Bonn", "Bonn", "Born", "Born"], y=["a", "a", "b", "b"])
    assert model.restore("Boxn", typos=0.05, among=["Bonn", "Born"], label="b") == "Born"
    text = CharNGram(9).fit("in Bonn at Born " * 9)
    assert text.restore("Boxn", typos=0.05, among=["Bonn", "Born"], prime="at ") == "Born"


def test_many_threads_and_long_texts():
    names = [f"{a}{b}{c}" for a in "abcde" for b in "fghij" for c in "klmno"]
    model = CharNGram(3, n_threads=3).fit(names)
    damaged = [name[1] + name[0] + name[2:] for name in names]
    assert model.restore(damaged, typos=0.05, among=names) == names
    assert model.restore("afk" * 700, typos=0.05, among=names) in names


@pytest.mark.parametrize("among", [None, "ab", 3, [], {"ab": 1}, [b"ab"], ["ab", None]])
def test_invalid_lists_are_refused(counts, among):
    if among is None:
        with pytest.raises(InvalidInputError, match=r"exact\. Omit n_beams"):
            counts.restore("ab", typos=0.05, among=["ab"], n_beams=3)
        return
    with pytest.raises(InvalidInputError, match=r"^among"):
        counts.restore("ab", typos=0.05, among=among)
