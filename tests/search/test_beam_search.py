"""Beam search: against all continuations, computed one by one."""

import itertools
import math

import numpy as np
import pytest
from examples import in_turns, packed, random_language_model, reference_state
from small_models import learned_state

from crnn import CharNGram, CharRNN, InvalidInputError, Mixture
from crnn.inference.network import Use
from crnn.parameters.kinds import CELLS
from crnn.reference import network as reference
from crnn.runtime import machine
from crnn.search import beam_search as search

SYMBOLS = "abcdefghijk"


@pytest.fixture(scope="module")
def model():
    return random_language_model(SYMBOLS)


def copied(state):
    return tuple(part.copy() for part in state)


def brute_force(model, n, prime="", end=None, forbidden=()):
    """All continuations with their log-probabilities, most probable first."""
    p, state = reference_state(model, prime)
    found = {}
    for text in itertools.product(sorted(set(range(len(model.vocabulary_))) - set(forbidden)), repeat=n):
        log_p = reference.log_probabilities(p, model.cell, np.array(text)[:, None], state)[0][:, 0]
        stop = text.index(end) + 1 if end in text else n
        found[text[: stop - (end in text)], end in text] = log_p[:stop].sum()
    return sorted(((text, log_p) for (text, _), log_p in found.items()), key=lambda item: -item[1])


# Every cell, and pairs of symbols, with each length; with and without a prime.
KINDS = [*((cell, None) for cell in CELLS), ("gru", 3)]
SEARCHES = [
    (*kind, n, prime) for (n, kind), prime in zip(itertools.product([1, 2, 5], KINDS), itertools.cycle(["", "cab"]))
]


@in_turns("cell, n_bigrams, n, prime", SEARCHES, "kernels")
def test_beam_search_that_keeps_everything_is_brute_force(kernels, cell, n_bigrams, n, prime):
    model = random_language_model("abcbba", cell=cell, num_layers=2, n_bigrams=n_bigrams)
    expected = [(model.vocabulary_.decode(np.array(text)), log_p) for text, log_p in brute_force(model, n, prime)]
    found = model.beam_search(n, prime=prime, n_beams=3**n + 5)
    assert [text for text, _ in found] == [text for text, _ in expected]
    np.testing.assert_allclose([p for _, p in found], [p for _, p in expected], rtol=1e-9)
    assert math.isclose(sum(math.exp(log_p) for _, log_p in found), 1)
    enough = model.beam_search(n, prime=prime, n_beams=3 ** (n - 1))  # all beginnings of the last symbol but one
    assert [text for text, _ in enough] == [text for text, _ in expected][: 3 ** (n - 1)]


@pytest.mark.parametrize("forbidden", [(), (1,)])
def test_beam_search_with_a_symbol_that_ends_a_text(forbidden):
    model = random_language_model("abc")
    network = packed(model, use=Use.MANY_STREAMS)
    start = network.zero_state(1)
    for n in (1, 4):
        expected = brute_force(model, n, end=2, forbidden=forbidden)
        found = search.beam_search(network, copied(start), n, 200, end=2, forbidden=forbidden)
        assert [tuple(ids.tolist()) for ids, _ in found] == [text for text, _ in expected]
        np.testing.assert_allclose([p for _, p in found], [p for _, p in expected], rtol=1e-9)
    few = search.beam_search(network, copied(start), 30, 3, end=2, forbidden=forbidden)
    assert [log_p for _, log_p in few] == sorted((log_p for _, log_p in few), reverse=True)
    assert len(few) == 3


def test_one_beam_is_the_likeliest_text(dtype):
    model = random_language_model(SYMBOLS, dtype=dtype)
    ((text, log_p),) = model.beam_search(40, prime="ab", n_beams=1)
    assert text == model.sample(40, prime="ab", temperature=0)
    score = len("ab" + text) * model.score("ab" + text) - 2 * model.score("ab")
    assert log_p == pytest.approx(score, rel=1e-5)


def test_beams_among_equals_come_in_the_order_of_the_vocabulary():
    model = CharRNN(3, max_steps=0, init_scale=0, random_state=0).fit("cab")
    learned_state(model).params[:] = 0
    assert [text for text, _ in model.beam_search(2, n_beams=4)] == ["aa", "ab", "ac", "ba"]
    assert model.beam_search(0) == [("", 0.0)]
    assert len(model.beam_search(1, n_beams=100)) == 3


def test_refuses_more_beams_than_fit_in_memory(model, monkeypatch):
    V = len(model.vocabulary_)
    monkeypatch.setattr(machine, "SMALL_REQUEST", 0)
    monkeypatch.setattr(machine, "available_bytes", lambda: 8 * V * V**2)
    assert len(model.beam_search(2, n_beams=2**31)) == V**2  # all of them
    assert model.beam_search(2, n_beams=2**31, stop=STOPS)
    with pytest.raises(InvalidInputError, match=r"^n_beams is 2147483648, and so many continuations need about "):
        model.beam_search(3, n_beams=2**31)


# --------------------------------------------------------------- completions

STOPS = [" ", "."]


def brute_completions(model, prime, n, stops):
    """Return log P of every text of up to n symbols, none of them a stop, that any of the stops follows."""
    inner = [symbol for symbol in map(str, model.vocabulary_) if len(symbol) == 1 and symbol not in stops]
    texts = ["".join(symbols) for k in range(1, n + 1) for symbols in itertools.product(inner, repeat=k)]
    before = model.surprisal(prime).sum()
    return {
        text: float(np.logaddexp.reduce([before - model.surprisal(prime + text + stop).sum() for stop in stops]))
        for text in texts
    }


def test_completions_are_the_most_probable_texts_before_any_stop():
    model = CharNGram(4).fit("ab ba. aab b. " * 5)
    found = model.beam_search(4, prime="ab ", n_beams=64, stop=STOPS)
    expected = brute_completions(model, "ab ", 4, STOPS)
    assert [text for text, _ in found] == sorted(expected, key=lambda text: -expected[text])[: len(found)]
    np.testing.assert_allclose([p for _, p in found], [expected[text] for text, _ in found], rtol=1e-9)
    assert len(found) == len(expected)  # 2 + 4 + 8 + 16


def test_a_state_completes_what_a_prime_does():
    model = CharNGram(4).fit("ab ba. aab b. " * 5)
    state = model.start("ab ")
    assert state.beam_search(5, n_beams=3, stop=STOPS) == model.beam_search(5, prime="ab ", n_beams=3, stop=STOPS)
    assert state.beam_search(3, n_beams=3) == model.beam_search(3, prime="ab ", n_beams=3)
    assert state.beam_search(0, n_beams=1) == [("", 0.0)]
    assert state.log_prob == 0


def test_a_document_ends_its_last_word():
    model = CharNGram(4).fit(["to be", "or not"] * 5)
    (text, log_p), *_ = model.beam_search(prime="or n", n_beams=3, stop=[" "])
    end = -model.start("or n").copy().feed("ot").end().log_prob
    space = model.surprisal("or not ")[4:].sum()
    assert text == "ot"
    assert log_p == pytest.approx(np.logaddexp(-end, -space))


CITIES = ["Lima", "Lille", "London", "Li", "Lima"]
OF_CITIES = {
    "counts": lambda: CharNGram(4).fit(CITIES),
    "network": lambda: CharRNN(7, max_steps=50, random_state=0).fit(CITIES),
    "running text": lambda: CharNGram(4).fit("Lima Lille London"),
    "mixture": lambda: Mixture.from_fitted([CharNGram(3).fit(CITIES)]),
}


@pytest.mark.parametrize("name", OF_CITIES)
@pytest.mark.parametrize("prime", ["", "L", "Li", "Lima", "n"])
def test_only_texts_of_a_list_are_returned_in_order_of_their_log_p(name, prime):
    model = OF_CITIES[name]()
    found = model.beam_search(prime=prime, n_beams=3, among=iter(CITIES))
    expected = []
    for text in dict.fromkeys(CITIES):
        if text.startswith(prime):
            state = model.start(prime)
            if text != prime:
                state.feed(text[len(prime) :])
            if model.vocabulary_.boundary is not None:
                state.end()
            expected.append((text[len(prime) :], state.log_prob))
    expected.sort(key=lambda item: -item[1])
    assert [rest for rest, _ in found] == [rest for rest, _ in expected[:3]]
    np.testing.assert_allclose([log_p for _, log_p in found], [log_p for _, log_p in expected[:3]], rtol=1e-5)


def test_a_list_is_combined_with_no_other_condition():
    model = CharNGram(2).fit(CITIES)
    for options in ({"stop": ["a"]}, {"matching": "L.*"}):
        with pytest.raises(InvalidInputError, match=r"^among cannot be combined with stop or matching\."):
            model.beam_search(among=CITIES, **options)
    as_bytes = CharNGram(2).fit([b"ab", b"ac"])
    assert as_bytes.beam_search(prime=b"a", among=[bytearray(b"ac")])[0][0] == b"c"
