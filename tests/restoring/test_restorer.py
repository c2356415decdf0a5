"""The most probable originals of damaged texts."""

import io
import itertools
import math

import numpy as np
import pytest
import random_restores
from examples import saved

from crnn import BOUNDARY, CharNGram, CharRNN, InvalidInputError, Mixture
from crnn.restoring import restorer as restoring

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
        ("a list of sttrings", {"typos": 0.05}, "a list of strings"),  # excess
        ("a list of string", {"typos": 0.05}, "a list of string"),  # a suffix is as good
        ("etealamer_dejavu", {"case": True, "accents": True, "spaces": True, "gaps": "_"}, None),
        ("THEFUNCTOIN", {"case": True, "spaces": True, "typos": 0.05}, "The function"),
        ("The functiori retums", {"confusions": {"ri": "n", "m": "rn"}}, "The function returns"),
        ("functi0n re-\nturns a 1ist_ of str ings", {"confusions": "ocr"}, "function returns a list of strings"),
        ("The fn retu& a list", {"confusions": {"&": "rns", "fn": {"function": 0.5}}}, "The function returns a list"),
        ("a lixt ofsttrings rn", {"confusions": ["ocr", {"x": "s", "rn": ""}], "typos": 0.05}, "a list of strings "),
        ("the function", {"case": 1e-30}, "the function"),
        ("returns alist of", {"spaces": 0.01}, "returns a list of"),
        ("returns alist of", {"spaces": 1e-30}, "returns alist of"),
    ],
)
def test_each_kind_of_damage(counts, damaged, options, original):
    restored = counts.restore(damaged, least=0, **options)
    if original is not None:
        assert restored == original
    else:
        assert restored.replace(" ", "").startswith("Étéàlamer")


def test_the_best_of_long_originals_is_found():
    middle = "".join(np.random.default_rng(0).choice(["b", "B"], 9))
    texts = [f"a{middle}1"] * 6 + [f"A{middle}2"] * 4  # only the first symbol tells how the text ends
    counts = CharNGram(11).fit(texts)
    lstm = CharRNN(23, cell="lstm", max_steps=3000, optimizer="adam", learning_rate=0.01, random_state=0).fit(texts)
    mixture = Mixture.from_fitted([CharNGram(3).fit(texts), lstm], weights=[0.5, 1.0])
    originals = [f"{''.join(letters)}2" for letters in itertools.product("aA", *["bB"] * 9)]
    by_place = Mixture.from_fitted([counts, lstm], [[0.5, 0.2], [0.4, 0.8], [1.0, 0.3], [0.9, 0.5]])
    for model in (counts, lstm, mixture, Mixture.from_fitted([counts]), by_place):
        restored = model.restore("abbbbbbbbb2", case=True, n_beams=2 * len(originals))
        assert restored == originals[model.score_samples(originals).argmax()] == f"A{middle}2"


@pytest.mark.parametrize("weights", [[2.0, 3.0, 0.1, 0.1], [1.0, 1.0, 3.0, 0.1]])
def test_originals_that_differ_before_the_context_of_the_counts_may_differ_in_weights(weights):
    """Counts look back one symbol, the weights three."""
    counts = CharNGram(2).fit("to be a1, bo_2 1e " * 9)
    mixture = Mixture.from_fitted([counts], np.array(weights)[:, None])
    originals = ["".join(text) + "b" for text in itertools.product(map(str, counts.vocabulary_), repeat=4)]
    assert mixture.restore("????b", gaps="?", n_beams=2000) == originals[mixture.score_samples(originals).argmax()]


def test_with_many_beams_no_hypothesis_is_too_improbable():
    model = Mixture.from_fitted([CharNGram(3).fit(["a"] * 2000 + ["qz"])], weights=[3.0])
    assert model.restore("_z", gaps="_", n_beams=3) == "qz"


def test_the_first_of_equally_probable_originals_is_taken():
    assert CharNGram(1).fit("ab" * 9).restore("__", gaps="_") == "aa"


def test_equal_letters_are_not_swapped():
    assert CharNGram(3).fit(["aa", "bb"] * 5).restore("aa", typos=0.9, least=0) == "bb"


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


def test_restoring_takes_a_label():
    model = CharRNN(13, max_steps=500, optimizer="adam", learning_rate=0.01, random_state=0)
    model.fit(["aba", "acc"] * 20, y=["b", "c"] * 20)
    assert [model.restore("a__", gaps=np.str_("_"), label=label) for label in "bc"] == ["aba", "acc"]


def test_bytes_are_restored():
    model = CharNGram(5).fit(TEXT.encode())
    assert model.restore(b"the fun_toin", case=True, gaps=b"_", typos=0.05) == b"The function"
    with pytest.raises(InvalidInputError, match=r"^accents=True needs a model of characters"):
        model.restore(b"a", accents=True)
    for X, gaps, kind in ((b"ab", "_", "bytes of length 1"), ("ab", b"_", "a str of one character")):
        with pytest.raises(InvalidInputError, match=f"^gaps is .*, but must be {kind}"):
            CharNGram(2).fit(X).restore("", gaps=gaps)
    rare = CharNGram(3, min_count=2).fit(b"ab" * 99 + b"\xff")
    assert rare.restore(b"abAB\xfe", case=True) == b"abab\xfe"


def test_a_prime_precedes_each_text(counts):
    (text, [change]), alone = (counts.restore("_eturns", gaps="_", prime=prime, changes=True)
                               for prime in ("The function ", ""))  # fmt: skip
    assert text == "returns"
    assert change.log_odds > alone.changes[0].log_odds


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


def test_the_most_probable_of_all_sources_is_found(network):
    # Every source of up to 6 symbols, of 7 confusions, wrong case and missing spaces, by enumeration.
    confusions = {"n": {"b": 0.1, "": 0.2}, "nn": {"b": 0.3, "anna": 0.01}, "b": {"nn": 0.01}, "ev": {"Eve": 0.9}}
    case, least = 0.05, {"case": 0.3, "confusions": 0.2}

    def sources(x):
        if not x:
            yield "", 0.0
        for n in range(1, len(x) + 1):
            for after, rate in confusions.get(x[:n], {}).items():
                yield from ((after + rest, cost + math.log(rate) - 0.2) for rest, cost in sources(x[n:]))
        if x:
            yield from ((x[0] + rest, cost) for rest, cost in sources(x[1:]))
            other = x[0].swapcase()
            if other != x[0]:
                yield from ((other + rest, cost + math.log(case) - 0.3) for rest, cost in sources(x[1:]))

    known = set(map(str, network.vocabulary_))
    for damaged in ("anb", "hannnn", "nnnnnn", "ev", "bevnn", "b"):
        best = {}
        for text, cost in sources(damaged):
            if set(text) <= known:
                best[text] = max(cost, best.get(text, -math.inf))
        scores = network.score_samples([*best]) + np.array([*best.values()])
        found = network.restore(damaged, case=case, confusions=confusions, least=least, n_beams=4096)
        assert found == [*best][scores.argmax()]


def test_symbols_that_the_model_lacks_are_replaced_and_dropped(counts):
    assert counts.restore("The functi^n returns", typos=0.05, least=0) == "The function returns"
    assert (
        counts.restore("Th^ function ^returns a 7ist", confusions={"zz": "z"}, least=0) == "The function returns a list"
    )
    assert counts.restore("Th^ function ^returns", case=True) == "Th^ function ^returns"
    assert counts.restore("a list\n", confusions="ocr", typos=0.05) == "a list\n"
    rare = CharNGram(4).fit(TEXT.encode())
    assert rare.restore(b"Th^ func\xfftion", confusions={b"\xff": {b"": 0.9}}) == b"The function"


def test_a_change_must_gain_so_many_nats(counts):
    damaged, options = (
        "the functlon re turns alist",
        {"confusions": "ocr", "spaces": True, "case": True, "changes": True},
    )
    _, changes = counts.restore(damaged, **options)
    gains = {change.after: change.log_odds for change in changes}
    assert gains.keys() == {"T", "i", "", " "}
    for after, kind in {"T": "case", "i": "confusions", "": "confusions", " ": "spaces"}.items():
        for least in (gains[after] - 1e-3, gains[after] + 1e-3):
            kept = counts.restore(damaged, least={kind: least}, **options).changes
            assert (after in {change.after for change in kept}) == (least < gains[after])
    assert counts.restore("th_ functlon", gaps="_", least=99, confusions="ocr") == "the functlon"
    assert counts.restore("the functoin", least={"typos": 99}, typos=0.1) == "the functoin"
    assert counts.restore("mer, deja", least={"accents": 99}, accents=True) == "mer, deja"


@pytest.mark.parametrize(("X", "damaged", "options"), [
    ("aBcde fgh. " * 9, "ab", {"case": 1e-9, "least": 20}),
    ("THE QUICK BROWN FOX. " * 9, "the Quick", {"case": 1e-6, "least": 50}),
    (["ax", "ay", "az", "aw", "aB", "aB"], "ab", {"case": 0.001, "least": 30}),
    ("un cafe au lait " * 9, "un café", {"accents": True, "least": 50}),
])  # fmt: skip
@pytest.mark.parametrize("min_count", [1, 2])
def test_letters_that_the_model_lacks_stay_unless_a_change_gains_enough(X, damaged, options, min_count):
    model = CharNGram(3, min_count=min_count).fit(X)
    assert model.restore(damaged, **options, changes=True) == (damaged, [])


@pytest.mark.parametrize(("options", "least"), [
    ({"typos": 0.05}, 3.0), ({"confusions": "ocr"}, 3.0), ({"case": 0.1}, 0.0), ({"spaces": True}, 0.0),
    ({"typos": 0.05, "case": True, "spaces": True, "accents": True}, {"typos": 3.0, "confusions": 3.0}),
    ({"confusions": "ocr", "case": 0.1, "spaces": 0.1},
     {"typos": 3.0, "confusions": 3.0, "case": 3.0, "spaces": 3.0}),
])  # fmt: skip
def test_changes_by_typos_and_confusions_gain_3_nats_by_default(counts, options, least):
    damaged = "the functlon re turns alist 0f strngs. ete a 1a mer"
    assert counts.restore(damaged, changes=True, **options) == counts.restore(
        damaged, changes=True, least=least, **options
    )


@pytest.mark.parametrize(("damaged", "original"), [
    ("“Yes,” he said—and…", '"Yes," he said--and...'), ("don’t ﬁnd", "don't find"), ("“don’t”", '"don\'t"'),
])  # fmt: skip
def test_typographic_symbols_of_scans_are_written_as_the_model_writes_them(damaged, original):
    text = '"Yes," he said--and... "don\'t find" the end. "No," he said; "Yes," and "don\'t" find. ' * 5
    model = CharNGram(5).fit(text)
    restored, changes = model.restore(damaged, confusions="ocr", changes=True)
    assert restored == original
    assert min(change.log_odds for change in changes) >= 3
    known = CharNGram(5).fit(text + damaged * 20)
    assert known.restore(damaged, confusions="ocr") == damaged


@pytest.mark.parametrize("seed", range(60))
def test_no_original_is_more_probable_by_an_exhaustive_search(seed):
    assert random_restores.case(seed, None) is None


@pytest.mark.parametrize("n_beams", [1, 2, None])
def test_every_change_gains_enough_however_few_hypotheses_are_kept(n_beams):
    texts = ["abcabd" * 3, "dbacab" * 3]
    model = CharRNN(7, max_steps=100, random_state=0).fit(["".join(text) for text in itertools.permutations("abcd")])
    for least in (0.5, 3.0):
        for text, changes in model.restore(texts, typos=0.5, least=least, n_beams=n_beams, changes=True):
            assert set(text) <= set("abcd")
            assert min([change.log_odds for change in changes], default=least) >= least


def test_a_confusion_is_one_change_with_its_rate(network):
    text, [change] = network.restore("Harmah", confusions={"rm": {"nn": 0.2}}, changes=True)
    assert (text, change[:4]) == ("Hannah", (2, 4, "rm", "nn"))
    network = CharRNN(13, max_steps=300, optimizer="adam", learning_rate=0.01, random_state=0, dtype="float64")
    network.fit([*NAMES, "Hamm", "Narr"])
    text, [change] = network.restore("Hamah", confusions={"m": {"nn": 0.2}}, changes=True)
    assert (text, change[:4]) == ("Hannah", (2, 3, "m", "nn"))
    score = float(np.subtract(*network.score_samples(["Hannah", "Hamah"])))
    assert change.log_odds == pytest.approx(score + math.log(0.2), abs=1e-9)


def test_a_piece_that_is_replaced_does_not_go_on_in_the_next_text():
    model = CharNGram(1).fit("a" * 99 + "the")
    assert model.restore("the", confusions={"the": "a"}) == "a"
    assert model.restore(["th", "e"], confusions={"the": "a"}) == ["th", "e"]


@pytest.mark.parametrize(("confusions", "message"), [
    ({"abcd": "a"}, "^confusions has the key 'abcd', but a key must have 1 to 3 symbols"),
    ({"a": ["b", "a"]}, r"^confusions\['a'\] contains the key itself"),
    ({"a": {"b": 0.0}}, r"^confusions\['a'\]\['b'\] must be a finite number above 0 and at most 1"),
    ({"a": b"b"}, r"^confusions\['a'\] is b'b', but must be a str"),
    ({"a": [["b"]]}, r"^confusions\['a'\] is \['b'\], but must be a str"),
    (["ocr", 3], "^confusions must be a dict such as"),
])  # fmt: skip
def test_wrong_confusions_are_refused(counts, confusions, message):
    with pytest.raises(InvalidInputError, match=message):
        counts.restore("a", confusions=confusions)


def test_so_many_hypotheses_must_fit_in_memory(monkeypatch):
    model = CharNGram(1).fit("".join(map(chr, range(0x4E00, 0x4E00 + 999))))
    monkeypatch.setattr("crnn.runtime.machine.available_bytes", lambda: 10**6)
    with pytest.raises(InvalidInputError, match=r"^n_beams is 65536, and so many continuations need about"):
        model.restore("\u4e00", case=True, n_beams=2**16)


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


@pytest.mark.parametrize("rest", [20, 47, 48, 49])
def test_log_odds_of_a_gap_compare_all_symbols_and_look_48_ahead(network, rest, monkeypatch):
    monkeypatch.setattr(restoring, "HYPOTHESES_AT_A_TIME", 3)  # alternatives read at a time
    text, [change] = network.restore("b_" + ("nab" * 20)[:rest], gaps="_", changes=True)
    scores = {}
    for symbol in (symbol for symbol in network.vocabulary_ if symbol is not BOUNDARY):
        state = network.start().feed("b" + symbol + text[2:50])
        scores[symbol] = (state.end() if rest <= 48 else state).log_prob
    best = scores.pop(change.after)
    assert change.log_odds == pytest.approx(best - np.logaddexp.reduce([*scores.values()]), abs=1e-9)


@pytest.mark.parametrize(("n", "n_beams"), [
    (20, [4, 20, 80, 320, 160, 80, 40, 20, 10, 5]), (3, [4, 4, 12, 48, 24, 12, 6, 4, 4, 4]),
    (999, [4, 999, 999, 999, 499, 249, 124, 999, 499, 249]),
    (4096, [4, 1024, 1024, 1024, 512, 256, 128, 1024, 512, 256]),
])  # fmt: skip
def test_more_hypotheses_are_kept_at_gaps_and_after_them(n, n_beams):
    kinds = np.array([0, 1, 1, 1, 0, 0, 0, 1, 0, 0], np.int32)
    assert restoring.beams_at(kinds, 1, 4, n).tolist() == n_beams
    assert restoring.beams_at(kinds, -1, 4, n).tolist() == [4] * 10
