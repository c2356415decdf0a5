"""TextState: the same numbers and texts as the model's methods, step by step."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from examples import bounded, packed, random_language_model
from hypothesis import given, settings
from hypothesis import strategies as st

from crnn import CharRNN
from crnn.parameters.kinds import CELLS

SYMBOLS = "abcdefghijk"


@pytest.fixture(scope="module", params=[*((cell, None) for cell in CELLS), ("gru", 7)], ids=str)
def model(request):
    cell, n_bigrams = request.param
    return random_language_model(SYMBOLS, cell=cell, num_layers=2, dtype="float32", n_bigrams=n_bigrams)


@pytest.fixture
def ending():
    model = random_language_model("abc\U0010ffff", cell="gru")
    with model.editing():
        model.params_["by"][3] += 1  # documents of a few characters
    return bounded(model)


def same(a, b):
    return a.log_prob == b.log_prob and a.predict_proba().tobytes() == b.predict_proba().tobytes()


@given(pieces=st.lists(st.text(SYMBOLS, max_size=30), max_size=6))
@settings(max_examples=30)
def test_pieces_are_the_whole_to_the_bit(model, pieces):
    state = model.start()
    for piece in pieces:
        assert state.feed(piece) is state
    text = "".join(pieces)
    assert same(state, model.start().feed(text))
    assert state.log_prob == model.score_samples([text])[0]
    np.testing.assert_array_equal(state.predict_proba(), model.predict_proba([text])[0])


def test_a_prime_is_read_but_does_not_count(model):
    state, fed = model.start("abc"), model.start().feed("abc")
    assert state.log_prob == 0
    assert fed.log_prob < 0
    np.testing.assert_array_equal(state.predict_proba(), fed.predict_proba())
    assert state.feed("d").log_prob == pytest.approx(fed.feed("d").log_prob - model.start().feed("abc").log_prob)


@pytest.mark.parametrize("n", [0, 1, 2, 70, 3000])
def test_state_draws_the_same_as_the_model(model, n):
    state = model.start("abc")
    text = state.sample(n, temperature=0.7, random_state=3)
    assert text == model.sample(n, prime="abc", temperature=0.7, random_state=3)
    assert same(state, model.start("abc").feed(text))


OPTIONS = [
    {"top_k": 3},
    {"top_p": 0.7, "min_p": 0.1},
    {"repetition_penalty": 1.7},
    {"repetition_penalty": 3.0, "temperature": 0},
    {"logit_bias": {"a": -np.inf, "b": 2.5}, "repetition_penalty": 0.8},
    {"stop": "zz"},
    {"stop": ["abc", "ha", "d"], "repetition_penalty": 1.2},
]


@pytest.mark.parametrize("n", [0, 1, 100])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_every_control_is_that_of_the_model(model, options, n):
    state = model.start("ab").feed("c")
    text = state.sample(n, random_state=3, **options)
    assert text == model.sample(n, prime="abc", random_state=3, **options)
    assert same(state, model.start("ab").feed("c" + text))  # a stop is not read


def test_drawn_symbols_are_penalized_in_the_next_draw(model):
    options = {"repetition_penalty": 3.0, "temperature": 0}
    whole = model.sample(20, prime="abc", **options)
    for state in (model.start("abc"), pickle.loads(pickle.dumps(model.start("abc"))), model.start("ab").feed("c")):
        assert "".join(state.sample(1, **options) for _ in range(20)) == whole


def test_a_new_document_is_not_penalized_for_the_one_before(ending):
    options = {"repetition_penalty": 2.0, "random_state": 0}
    assert ending.start("ab").end().sample(5, **options) == ending.start().sample(5, **options)
    assert ending.start("ab").sample(5, **options) == ending.sample(5, prime="ab", **options).removeprefix("ab")


def test_drawing_without_a_seed_and_from_a_generator(model):
    state = model.start()
    assert len({state.copy().sample(30) for _ in range(3)}) == 3
    rng = np.random.default_rng(0)
    first, second = (state.copy().sample(30, random_state=rng) for _ in range(2))
    assert first != second


def test_state_reads_and_samples_bytes():
    model = CharRNN(3, max_steps=0, random_state=0).fit(b"\x00\xff")
    state = model.start().feed(b"\xff").feed(bytearray(b"\x00"))
    assert state.log_prob == model.score_samples([b"\xff\x00"])[0]
    assert type(state.sample(2)) is bytes
    assert type(model.start(b"\xff").sample(0)) is bytes


def test_nothing_is_read_without_symbols(model):
    state = model.start("ab")
    assert same(state.copy().feed(""), state)
    assert state.sample(0) == ""


def test_repr_shows_the_log_probability(model):
    assert repr(model.start("ab")) == "TextState(log_prob=0)"


# --- documents


def test_end_adds_the_log_probability_of_the_end(ending):
    for text in ("", "a", "abcab"):
        assert ending.start().feed(text).end().log_prob == ending.score_samples([text])[0]


def test_the_next_document_starts_after_the_end(ending):
    state = ending.start("ab").end()
    reference = packed(ending, one_row=True).zero_state(1)
    network = state._reading.network
    network.feed(np.array([[3], [0], [1], [3]], np.int32), reference)
    np.testing.assert_array_equal(state.predict_proba(), network.probabilities(reference[0][-1])[0])


def test_a_draw_stops_at_the_end(ending):
    state = ending.start()
    ended = 0
    for seed in range(40):
        one = state.copy()
        text = one.sample(6, random_state=seed)
        if len(text) < 6:
            ended += 1
            assert same(one, state.copy().feed(text).end())
        else:
            assert same(one, state.copy().feed(text))
    assert 5 < ended < 40
