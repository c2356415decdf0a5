"""The most probable originals of damaged texts."""

from __future__ import annotations

import io
import itertools
import math

import numpy as np
import pytest
from examples import saved

from crnn import BOUNDARY, CharNGram, CharRNN, InvalidInputError, Lines, Mixture
from crnn.inference import restoring
from crnn.inference.restoring import Damage
from crnn.text.vocabulary import Vocabulary

TEXT = "The function returns a list of strings. Été à la mer, déjà vu. " * 5
NAMES = ["Anna", "Bob", "Eve", "Hannah", "anno"] * 3


@pytest.fixture(scope="module")
def counts():
    return CharNGram(5).fit(TEXT)


@pytest.fixture(scope="module")
def network():
    return CharRNN(13, max_steps=300, optimizer="adam", learning_rate=0.01, random_state=0, dtype="float64").fit(NAMES)


@pytest.mark.parametrize(
    ("damaged", "options", "original"),
    [
        ("the Function RETURNS", {"case": True}, "The function returns"),
        ("Ete a la mer, dejà vu", {"accents": True}, "Été à la mer, déjà vu"),
        ("alist ofstrings.", {"spaces": True}, "a list of strings."),
        ("The fun_tion re__rns", {"gaps": "_"}, "The function returns"),
        ("a list of strnigs", {"typos": 0.05}, "a list of strings"),  # swapped
        ("a lixt of strings", {"typos": 0.05}, "a list of strings"),  # substituted
        ("a lst of strings", {"typos": 0.05}, "a list of strings"),  # missing
        ("a list of sttrings", {"typos": 0.05}, "a list of strings"),  # excess
        ("a list of string", {"typos": 0.05}, "a list of string"),  # a suffix is as good
        ("etealamer_dejavu", {"case": True, "accents": True, "spaces": True, "gaps": "_"}, None),
        ("THEFUNCTOIN", {"case": True, "spaces": True, "typos": 0.05}, "The function"),
        ("", {"spaces": True}, ""),
    ],
)
def test_each_kind_of_damage(counts, damaged, options, original):
    restored = counts.restore(damaged, **options)
    if original is not None:
        assert restored == original
    else:
        assert restored.replace(" ", "").startswith("Étéàlamer")


def test_the_best_of_all_originals_is_found(network):
    for damaged in ("annah", "bobe", "e"):
        originals = ["".join(letters) for letters in itertools.product(*({c, c.swapcase()} for c in damaged))]
        known = [text for text in originals if set(text) <= set(map(str, network.vocabulary_))]
        scores = network.score_samples(known)
        assert network.restore(damaged, case=True, beams=64) == known[int(scores.argmax())]


@pytest.mark.parametrize("seed", range(3))
def test_the_best_of_long_originals_is_found(seed):
    middle = "".join(np.random.default_rng(seed).choice(["b", "B"], 9))
    texts = [f"a{middle}1"] * 6 + [f"A{middle}2"] * 4  # only the first symbol tells how the text ends
    counts = CharNGram(11).fit(texts)
    lstm = CharRNN(23, cell="lstm", max_steps=3000, optimizer="adam", learning_rate=0.01, random_state=0).fit(texts)
    mixture = Mixture([CharNGram(3).fit(texts), lstm], weights=[0.5, 1.0])
    originals = [f"{''.join(letters)}2" for letters in itertools.product("aA", *["bB"] * 9)]
    for model in (counts, lstm, mixture, Mixture([counts])):
        restored = model.restore("abbbbbbbbb2", case=True, beams=2 * len(originals))
        assert restored == originals[model.score_samples(originals).argmax()] == f"A{middle}2"


def test_with_many_beams_no_hypothesis_is_too_improbable():
    model = Mixture([CharNGram(3).fit(["a"] * 2000 + ["qz"])], weights=[3.0])
    assert model.restore("_z", gaps="_", beams=3) == "qz"


def test_unknown_letters_are_swapped_replaced_and_left_out():
    rare = CharNGram(3, min_count=2).fit(["a" + chr(0x4E00 + i) for i in range(30)])  # an unknown letter follows a
    assert rare.restore("ża", typos=0.5, changes=True) == ("aż", [(0, 2, "ża", "aż", pytest.approx(6.9, abs=0.1))])
    counts = CharNGram(5).fit("a function returns " * 9)
    text, [change] = counts.restore("a funktion returns", typos=0.05, changes=True)
    assert (text, change[:4]) == ("a function returns", (5, 6, "k", "c"))
    substituted = math.log(0.05 / 4 / 11) - math.log(0.95) + math.log(13)  # of 12 characters, 11 are letters
    score = counts.start().feed("a function returns").log_prob - counts.start().feed("a funtion returns").log_prob
    assert change.log_odds == pytest.approx(score + substituted, abs=1e-9)
    text, [change] = counts.restore("k", typos=0.99, changes=True)
    assert (text, change[:4]) == ("", (0, 1, "k", ""))
    assert change.log_odds == pytest.approx(math.log(0.99 / 4 / 12) - math.log(0.01 / 13), abs=1e-9)


def test_texts_do_not_depend_on_one_another(network):
    texts, options = ["", "anna", "hanab", "vee", "bob"] * 7, {"case": True, "typos": 0.1}
    alone = [network.restore(text, **options) for text in texts]
    assert network.restore(texts, **options) == network.restore(iter(texts), **options) == alone
    two = CharRNN.load(io.BytesIO(saved(network))).set_params(n_threads=2)
    assert two.restore(texts, **options) == alone


def test_lines_are_restored(counts, tmp_path):
    (tmp_path / "lines").write_text("The functoin\na list\n")
    assert counts.restore(Lines(tmp_path / "lines"), typos=0.05) == ["The function", "a list"]


def test_a_mixture_and_an_int8_network_restore(network):
    mixture = Mixture([network, CharNGram(4).fit(NAMES)])
    int8 = CharRNN(16, max_steps=300, optimizer="adam", learning_rate=0.01, random_state=0).fit(NAMES).quantize()
    assert [model.restore("hannha", case=True, typos=0.1) for model in (mixture, int8)] == ["Hannah"] * 2


def test_restoring_takes_a_label():
    model = CharRNN(13, max_steps=500, optimizer="adam", learning_rate=0.01, random_state=0)
    model.fit(["aba", "acc"] * 20, labels=["b", "c"] * 20)
    assert [model.restore("a__", gaps=np.str_("_"), label=label) for label in "bc"] == ["aba", "acc"]


def test_bytes_are_restored():
    model = CharNGram(5).fit(TEXT.encode())
    assert model.restore(b"the fun_toin", case=True, gaps=b"_", typos=0.05) == b"The function"
    with pytest.raises(InvalidInputError, match=r"^accents=True needs a model of characters"):
        model.restore(b"a", accents=True)
    for X, gaps, kind in ((b"ab", "_", "bytes of length 1"), ("ab", b"_", "a str of one character")):
        with pytest.raises(InvalidInputError, match=f"^gaps is .*, but must be {kind}"):
            CharNGram(2).fit(X).restore("", gaps=gaps)
    rare = CharNGram(3, min_count=2).fit(b"ab" * 9 + b"\xff")
    assert rare.restore(b"A\xfeB", case=True) == b"a\xfeb"


def test_a_prime_precedes_each_text(counts):
    assert [counts.restore("a", case=True, prime=prime) for prime in ("The function returns ", "")] == ["a", "a"]
    text, changes = counts.restore("_eturns", gaps="_", prime="The function ", changes=True)
    assert text == "returns"
    assert changes[0].log_odds > counts.restore("_eturns", gaps="_", changes=True).changes[0].log_odds


def test_unknown_symbols_stay_and_are_not_read(counts):
    assert counts.restore("the\ud800 Z5function ☃returns☃", case=True) == "The\ud800 Z5function ☃returns☃"
    text, [change] = counts.restore("Th5e ☃func_ion", gaps="_", changes=True)
    assert (text, change[:4]) == ("Th5e ☃function", (10, 11, "_", "t"))
    _, [same] = counts.restore("The func_ion", gaps="_", changes=True)
    assert change.log_odds == same.log_odds
    assert counts.restore(["5", "", "ZZ"], spaces=True, changes=True) == [("5", []), ("", []), ("ZZ", [])]
    lower = CharNGram(4).fit(["anna", "hannah"])
    assert lower.restore("HANNAH", case=True) == "hannah"
    rare = CharNGram(4, min_count=2).fit(TEXT + "§")
    assert rare.restore("le§ A list ☃", case=True) == "le§ a list ☃"
    assert CharNGram(3).fit([""]).restore("_a", gaps="_", typos=0.05) == "_a"
    assert CharNGram(3).fit(b"abab").restore(b"A\xff\x00B", case=True) == b"a\xff\x00b"


def test_so_many_hypotheses_must_fit_in_memory(monkeypatch):
    model = CharNGram(1).fit("".join(map(chr, range(0x4E00, 0x4E00 + 999))))
    monkeypatch.setattr("crnn.runtime.machine.available_bytes", lambda: 10**6)
    with pytest.raises(InvalidInputError, match=r"^beams is 65536, and so many continuations need about"):
        model.restore("\u4e00", case=True, beams=2**16)


def test_the_kind_of_damage_is_needed(counts):
    with pytest.raises(InvalidInputError, match=r"^restore needs the kind of damage\. Pass at least one"):
        counts.restore("a")
    with pytest.raises(InvalidInputError, match="has no space"):
        CharNGram(2).fit("ab").restore("ab", spaces=True)


# ------------------------------------------------------------------- changes


def test_changes_lead_from_the_damaged_text_to_the_restored_one(counts):
    damaged = "teh funct_on retturns alist"
    text, changes = counts.restore(damaged, case=True, spaces=True, gaps="_", typos=0.1, changes=True)
    assert text == "The function returns a list" or text.endswith("a list")
    parts, at = [], 0
    for change in changes:
        assert damaged[change.start : change.stop] == change.before != change.after
        parts += [damaged[at : change.start], change.after]
        at = change.stop
    assert "".join([*parts, damaged[at:]]) == text


def test_log_odds_compare_whole_texts(network):
    (start, stop, before, after, log_odds), *others = network.restore("annA", case=True, beams=64, changes=True).changes
    text = network.restore("annA", case=True, beams=64)
    undone = text[:start] + before + text[stop:]
    assert (text[start:stop], others) == (after, others)
    assert log_odds == pytest.approx(np.subtract(*network.score_samples([text, undone])), abs=1e-9)


def test_a_missing_space_costs_nothing(counts):
    text, [change] = counts.restore("alist", spaces=True, changes=True)
    assert (text, change[:4]) == ("a list", (1, 1, "", " "))
    assert change.log_odds == pytest.approx(counts.start().feed(text).log_prob - counts.start().feed("alist").log_prob)


def test_log_odds_of_a_gap_compare_all_symbols(network, monkeypatch):
    monkeypatch.setattr(restoring, "ROWS", 3)  # alternatives read at a time
    text, changes = network.restore("_o_", gaps="_", changes=True)
    symbols = [symbol for symbol in map(str, network.vocabulary_) if len(symbol) == 1]
    for change, at in zip(changes, (0, 2), strict=True):
        others = [text[:at] + symbol + text[at + 1 :] for symbol in symbols]
        scores = dict(zip(symbols, network.score_samples(others), strict=True))
        best = scores.pop(change.after)
        assert change[:4] == (at, at + 1, "_", text[at])
        assert change.log_odds == pytest.approx(best - np.logaddexp.reduce([*scores.values()]), abs=1e-9)


@pytest.mark.parametrize("rest", [20, 47, 48, 49, 60])
def test_log_odds_look_48_symbols_ahead(network, rest):
    text, [change] = network.restore("b_" + ("nab" * 20)[:rest], gaps="_", changes=True)
    scores = {}
    for symbol in (symbol for symbol in network.vocabulary_ if symbol is not BOUNDARY):
        state = network.start().feed("b" + symbol + text[2:50])
        scores[symbol] = (state.end() if rest <= 48 else state).log_prob
    best = scores.pop(change.after)
    assert change.log_odds == pytest.approx(best - np.logaddexp.reduce([*scores.values()]), abs=1e-9)


@pytest.mark.parametrize(("n", "gaps", "typos", "beams"), [
    (20, None, None, 4), (20, None, 0.1, 16), (20, "_", None, 20), (3, "_", None, 4), (3, "_", 0.1, 16),
    (4096, "_", None, 1024),
])  # fmt: skip
def test_default_beams(n, gaps, typos, beams):
    vocabulary = Vocabulary(np.arange(0x4E00, 0x4E00 + n))
    damage = Damage.check(vocabulary, case=True, accents=False, spaces=False, gaps=gaps, typos=typos)
    assert damage.default_beams(vocabulary) == beams


def test_log_odds_include_the_typos(network):
    text, changes = network.restore("Hannha", typos=0.1, changes=True)
    [(start, stop, before, after, log_odds)] = changes
    assert (text, start, stop, before, after) == ("Hannah", 4, 6, "ha", "ah")
    score = float(np.subtract(*network.score_samples(["Hannah", "Hannha"])))
    assert log_odds == pytest.approx(score + math.log(0.1 / 4) - 2 * math.log(0.9), abs=1e-9)
