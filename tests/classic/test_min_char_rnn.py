"""The class around the compiled gist: what goes in, what comes out, and what an error or Ctrl-C leaves behind."""

import copy

import numpy as np
import pytest

from crnn import CharNGram, CharRNN
from crnn.classic import MinCharRNN, min_char_rnn
from crnn.errors import DivergenceError, InvalidInputError, NotFittedError

TEXT = "she sells sea shells by the sea shore, and the shells she sells are sea shells; " * 11


def small(**options):
    return MinCharRNN(11, 7, random_state=0, **options)


def test_defaults_are_the_gists():
    model = MinCharRNN()
    assert (model.hidden_size, model.seq_length, model.learning_rate, model.clip) == (100, 25, 0.1, 5.0)
    assert (model.dtype, model.batch_size, model.n, model.p) == (np.float64, 1, 0, 0)


def test_calls_continue_one_another():
    whole = small().train(TEXT, 230)
    parts = small().train(TEXT, 0).train(TEXT, 90).train(TEXT, 140)
    assert parts.n == whole.n == 230
    assert parts.p == whole.p
    assert parts.smooth_loss == whole.smooth_loss
    for name, array in whole.params.items():
        np.testing.assert_array_equal(array, parts.params[name])
        np.testing.assert_array_equal(whole.memory[name], parts.memory[name])


def test_before_the_first_step():
    model = small().train(TEXT, 0)
    V = len(set(TEXT))
    assert model.smooth_loss == 7 * np.log(V)
    assert {name: array.shape for name, array in model.params.items()} == {
        "Wxh": (11, V), "Whh": (11, 11), "Why": (V, 11), "bh": (11, 1), "by": (V, 1),
    }  # fmt: skip
    assert 0.005 < model.params["Whh"].std() < 0.015
    assert not model.params["bh"].any()
    assert model.loss(TEXT) == pytest.approx(np.log(V), rel=1e-3)


@pytest.mark.parametrize(("dtype", "streams"), [("float64", 1), ("float32", 1), ("float64", 5), ("float32", 5)])
def test_it_learns(dtype, streams):
    model = small(dtype=dtype, batch_size=streams).train(TEXT, 1500)
    assert model.loss(TEXT) < 0.5
    assert model.params["Why"].dtype == dtype
    assert "shells" in model.sample(100, prime="sea ", temperature=0.2, random_state=1)


def test_the_shortest_texts():
    """The gist's loop ends with IndexError where its targets run past the end of the text."""
    assert small().train("a" * 7 + "b", 30).n == 30
    assert small(batch_size=3).train("ab" * 11, 30).n == 30
    for model, n in ((small(), 7), (small(batch_size=3), 21)):
        with pytest.raises(InvalidInputError, match=rf"text has {n} characters, .* = {n + 1} are needed"):
            model.train("a" * n, 1)
        assert model.chars == []


def test_samples():
    model = small().train(TEXT, 300)
    assert model.sample(0) == ""
    assert model.sample(20, random_state=3) == model.sample(20, random_state=3)
    assert len(model.sample()) == 200
    assert model.sample(30, prime="sea ", temperature=1e-3) == model.sample(30, prime="sea ", temperature=1e-3)
    # As in the gist, a sample continues from the state of training with the character that training reads next.
    with_text = small().train(TEXT[:40] * 3, 3)
    state = with_text._state[0]
    assert with_text.chars[with_text._next] == TEXT[with_text.p]
    Wx, Wh, bh = with_text.params["Wxh"].T, with_text.params["Whh"].T, with_text.params["bh"][:, 0]
    h = np.tanh(Wx[with_text._next] + state @ Wh + bh)
    p = np.exp(h @ with_text.params["Why"].T + with_text.params["by"][:, 0])
    rng = np.random.default_rng(5)
    assert with_text.sample(1, random_state=5) == with_text.chars[rng.choice(len(p), p=p / p.sum())]


def test_weights_go_to_char_rnn_and_back():
    for dtype in ("float64", "float32"):
        model = small(dtype=dtype).train(TEXT, 300)
        other = model.to_char_rnn()
        back = MinCharRNN.from_char_rnn(other)
        for name, array in model.params.items():
            np.testing.assert_array_equal(array, back.params[name])
            np.testing.assert_array_equal(model.memory[name], back.memory[name])
        assert -other.score(TEXT) == pytest.approx(model.loss(TEXT), rel=0.01)
        assert other.get_params()["max_steps"] is None
        assert (back.seq_length, back.dtype) == (7, model.dtype)


def test_converted_weights_have_read_nothing_and_draw_as_after_the_first_symbol():
    back = MinCharRNN.from_char_rnn(small().train(TEXT, 300).to_char_rnn())
    first = back.chars[0]
    assert back.sample(31, random_state=5) == back.sample(31, prime=first, random_state=5)


def test_a_long_text_is_read_in_parts():
    model = small().train(TEXT, 100)
    text = TEXT * 3
    state = model.to_char_rnn().surprisal(text)
    assert model.loss(text) == pytest.approx(state[1:].mean(), rel=1e-9)


def test_only_one_tanh_layer_can_be_converted():
    for other in (
        CharRNN(8, cell="gru", max_steps=1), CharRNN(8, num_layers=2, max_steps=1),
        CharRNN(8, embedding_size=4, max_steps=1), CharRNN(8, n_bigrams=4, max_steps=1),
    ):  # fmt: skip
        with pytest.raises(InvalidInputError, match="one tanh layer"):
            MinCharRNN.from_char_rnn(other.fit(TEXT))
    for X in (["one", "two"] * 20, TEXT.encode()):
        with pytest.raises(InvalidInputError, match="trained on one text"):
            MinCharRNN.from_char_rnn(CharRNN(8, max_steps=1).fit(X))
    with pytest.raises(InvalidInputError, match="must be a CharRNN, not a CharNGram"):
        MinCharRNN.from_char_rnn(CharNGram(2).fit(TEXT))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hidden_size": 0}, "hidden_size must be a whole number of at least 1, not 0"),
        ({"seq_length": 2.5}, "seq_length must be"), ({"learning_rate": -1}, "learning_rate must be"),
        ({"learning_rate": float("nan")}, "learning_rate must be"), ({"batch_size": True}, "batch_size must be"),
        ({"clip": 0}, "clip must be"), ({"dtype": "float16"}, "dtype must be 'float32' or 'float64'"),
        ({"random_state": "x"}, "random_state must be"),
    ],
)  # fmt: skip
def test_bad_parameters(options, message):
    with pytest.raises(InvalidInputError, match=message):
        MinCharRNN(**options)


def test_bad_calls_change_nothing():
    fresh = small()
    for call in (
        lambda: fresh.loss("ab"),
        lambda: fresh.sample(3),
        lambda: fresh.params,
        lambda: fresh.memory,
        fresh.to_char_rnn,
    ):
        with pytest.raises(NotFittedError, match="Call train"):
            call()
    model = small().train(TEXT, 120)
    before = copy.deepcopy(vars(model))
    for call, message in (
        (lambda: model.train(TEXT, -1), "steps must be"), (lambda: model.train(b"abc" * 9, 1), "a str, not a bytes"),
        (lambda: model.train(TEXT + "Ω", 1), "'Ω', which is not among"), (lambda: model.loss("s"), "at least 2"),
        (lambda: model.loss(None), "a str, not a NoneType"), (lambda: model.sample(-1), "length must be"),
        (lambda: model.sample(1, temperature=0), "temperature must be"), (lambda: model.sample(1, prime="Ω"), "'Ω'"),
    ):  # fmt: skip
        with pytest.raises(InvalidInputError, match=message):
            call()
    assert_same(vars(model), before)


def assert_same(now, before):
    assert now.keys() == before.keys()
    for name, value in before.items():
        np.testing.assert_array_equal(now[name], value)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_loss_that_is_not_finite_keeps_the_last_good_weights(dtype):
    model = MinCharRNN(11, 7, 1e30, clip=None, dtype=dtype, random_state=0)
    model.train(TEXT, 0)
    before = copy.deepcopy(vars(model))
    model.params["Why"][...] = 1e300 if dtype == "float64" else 1e37
    with pytest.raises(DivergenceError, match=r"(is|are) not finite"):
        model.train(TEXT, 500)
    assert model.n == 0
    model.params["Why"][...] = before["_w"][:1]
    assert np.isfinite(model.loss(TEXT))


def test_ctrl_c_keeps_the_blocks_before_it(monkeypatch):
    interrupted = small()
    steps = min_char_rnn.train_steps
    calls = []

    def interrupt(*arguments):
        calls.append(None)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return steps(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(min_char_rnn, "train_steps", interrupt)
        with pytest.raises(KeyboardInterrupt):
            interrupted.train(TEXT, 1000)
    assert interrupted.n == 200
    interrupted.train(TEXT, 30)
    np.testing.assert_array_equal(interrupted.params["Whh"], small().train(TEXT, 230).params["Whh"])
