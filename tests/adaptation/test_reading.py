"""Text states that learn: in pieces as whole, independent copies, and what is not learned from."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from examples import adaptable, packed
from hypothesis import given, settings
from hypothesis import strategies as st
from small_models import learned_state
from texts import FOUR_LETTERS as TEXT

from crnn.inference.network import Use
from crnn.text_states.text_state import Sums

OPTIONS = {"learning_rate": 3e-3, "decay": 2e-2, "block_length": 7}


@pytest.fixture(scope="module", params=["gru", "lstm"])
def model(request):
    return adaptable(request.param, "float32")


def same(a, b):
    return a.log_prob == b.log_prob and a.next_proba().tobytes() == b.next_proba().tobytes()


@given(pieces=st.lists(st.text("abcd", max_size=20), max_size=5))
@settings(max_examples=20)
def test_pieces_are_the_whole_to_the_bit(model, pieces):
    state = model.start(adapt=OPTIONS)
    for piece in pieces:
        assert state.feed(piece) is state
    assert same(state, model.start(adapt=OPTIONS).feed("".join(pieces)))


def test_state_matches_the_model(model):
    state = model.start(adapt=OPTIONS)
    assert state._reading.learns
    for i in range(0, len(TEXT), 5):
        state.feed(TEXT[i : i + 5])
    nats = model.surprisal(TEXT, adapt=OPTIONS)
    assert (
        state.log_prob
        == np.subtract.accumulate([0.0, *nats])[-1]
        == pytest.approx(len(TEXT) * model.score(TEXT, adapt=OPTIONS), rel=1e-13)
    )
    assert state.log_prob != model.start().feed(TEXT).log_prob


def test_the_next_symbol_is_predicted_by_weights_that_have_learned(model):
    whole = TEXT[: 1 + 14]  # two blocks after the first symbol
    state, adapted = model.start(adapt=OPTIONS).feed(whole), model.adapt(whole, **OPTIONS)
    assert (
        state._reading.learner.params.tobytes()
        == learned_state(adapted).params[: learned_state(adapted).layout.size].tobytes()
    )
    # The last symbol is read again, by these weights.
    network, hidden = packed(adapted, use=Use.ONE_STREAM), tuple(part.copy() for part in state._reading.start)
    network.feed(model.vocabulary_.encode(whole[-1]).astype(np.int32)[None], hidden)
    np.testing.assert_array_equal(state.next_proba(), network.probabilities_after(hidden)[0])
    before, p = -state.log_prob, state.next_proba()[model.vocabulary_.encode("c")[0]]
    assert -state.feed("c").log_prob - before == pytest.approx(-np.log(p), rel=1e-4)


def test_adaptive_documents_end():
    model = adaptable("lstm", "float32", documents=True)
    state = model.start(adapt=OPTIONS)
    texts = [TEXT[:9], "", TEXT[9:]]
    for text in texts:
        state.feed(text).end()
    score = model.score(texts, adapt=OPTIONS) * (len(TEXT) + len(texts))
    assert state.log_prob == pytest.approx(score, rel=1e-12)


def test_copies_learn_on_several_threads(model):
    """They lend each other scratch, never at the same time."""
    start = model.start(adapt=OPTIONS).feed(TEXT)
    texts = [symbol + TEXT * 5 for symbol in "abcd"]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda text: start.copy().feed(text), texts))
    for state, text in zip(found, texts, strict=True):
        assert same(state, start.copy().feed(text))


def test_text_read_without_learning_changes_nothing(model):
    still = model.start(adapt=OPTIONS)
    read = still.feed(TEXT, adapt=np.False_).log_prob
    assert read == model.start().feed(TEXT).log_prob
    primed = model.start(TEXT, adapt=OPTIONS)
    assert primed.log_prob == 0
    assert same(primed.feed("", adapt=False), _without_score(still))


def _without_score(state):
    """Return a state that differs in its score alone."""
    other = state.copy()
    other._sums = Sums()
    return other


def test_drawn_text_is_read_but_not_learned(model):
    state = model.start("ab", adapt=OPTIONS).feed("cab")
    text = state.sample(3, random_state=0)
    assert text == model.start("ab").feed("cab").sample(3, random_state=0)
    text += state.sample(20, random_state=0)
    expected = model.start("ab", adapt=OPTIONS).feed("cab").feed(text, adapt=False)
    assert same(state, expected)
    learned = model.start("ab", adapt=OPTIONS).feed("cab").feed(text)
    assert not same(state.feed("abc" * 5), learned.feed("abc" * 5))


def test_repetition_is_seen(model):
    state = model.start(adapt=OPTIONS).feed("abc")
    assert set(state.sample(4, temperature=0, repetition_penalty=1e9)) - set("abc") <= {"d"}
