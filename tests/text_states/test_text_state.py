"""TextState: the same numbers and texts as the model's methods, step by step."""

import pickle

import numpy as np
import pytest
from examples import bounded, packed, random_language_model
from hypothesis import given, settings
from hypothesis import strategies as st

from crnn import CharRNN
from crnn.inference.network import Use
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
    return a.log_prob == b.log_prob and a.next_proba().tobytes() == b.next_proba().tobytes()


@given(pieces=st.lists(st.text(SYMBOLS, max_size=30), max_size=6))
@settings(max_examples=15)
def test_pieces_are_the_whole_to_the_bit(model, pieces):
    state = model.start()
    for piece in ["", *pieces]:
        assert state.feed(piece) is state
    text = "".join(pieces)
    assert same(state, model.start().feed(text))
    assert state.log_prob == model.score_samples([text])[0]
    np.testing.assert_array_equal(state.next_proba(), model.next_proba([text])[0])


def test_a_prime_is_read_but_does_not_count(model):
    state, fed = model.start("abc"), model.start().feed("abc")
    assert state.log_prob == 0
    assert fed.log_prob < 0
    np.testing.assert_array_equal(state.next_proba(), fed.next_proba())
    assert state.feed("d").log_prob == pytest.approx(fed.feed("d").log_prob - model.start().feed("abc").log_prob)


OPTIONS = [
    {"temperature": 0.7},
    {"top_k": 3},
    {"top_p": 0.7, "min_p": 0.1},
    {"repetition_penalty": 1.7},
    {"repetition_penalty": 3.0, "temperature": 0},
    {"logit_bias": {"a": -np.inf, "b": 2.5}, "repetition_penalty": 0.8},
    {"stop": ["zz"]},
    {"stop": ["abc", "ha", "d"], "repetition_penalty": 1.2},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_a_state_draws_what_the_model_draws(model, options):
    for n in (0, 1, 70):
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


def test_state_reads_and_samples_bytes():
    model = CharRNN(3, max_steps=0, random_state=0).fit(b"\x00\xff")
    state = model.start().feed(b"\xff").feed(bytearray(b"\x00"))
    assert state.log_prob == model.score_samples([b"\xff\x00"])[0]
    assert type(state.sample(2)) is bytes
    assert type(model.start(b"\xff").sample(0)) is bytes


def test_repr_shows_the_log_probability(model):
    assert repr(model.start("ab")) == "TextState(log_prob=0)"


# --- documents


def test_the_next_document_starts_after_the_end(ending):
    state = ending.start("ab").end()
    reference = packed(ending, use=Use.ONE_STREAM).zero_state(1)
    network = state._reading.network
    network.feed(np.array([[3], [0], [1], [3]], np.int32), reference)
    np.testing.assert_array_equal(state.next_proba(), network.probabilities_after(reference)[0])


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
