"""Dynamic evaluation: the reference implementation's numbers, an unchanged model, and clear errors."""

import functools
import inspect
from dataclasses import asdict

import numpy as np
import pytest
from examples import adaptable, adapted_by_reference
from small_models import bits, learned_state
from texts import FOUR_LETTERS as TEXT

from crnn import BOUNDARY, CharRNN
from crnn.adaptation.reading import AdaptationOptions, adaptive_reading, read_all
from crnn.parameters.kinds import OPTIMIZERS

OPTIONS = {"learning_rate": 3e-3, "decay": 2e-2, "block_length": 7}


@functools.cache
def by_reference(cell, dtype, documents, block_length):
    """Return a text, its surprisal and the weights after it: every instruction set is compared with the same."""
    text = [TEXT[:29], "", TEXT[29:], TEXT] if documents else TEXT * 2
    model = adaptable(cell, dtype, documents=documents)
    return text, *adapted_by_reference(model, text, **OPTIONS | {"block_length": block_length})


@pytest.mark.parametrize(
    ("cell", "documents", "block_length"),
    [("rnn", False, 67), ("gru", True, 7), ("lstm", False, 7), ("cifg", True, 67), ("gru", False, 67)],
)
def test_numbers_match_reference(kernels, dtype, cell, documents, block_length):
    model = adaptable(cell, dtype, documents=documents)
    options = OPTIONS | {"block_length": block_length}
    text, nats, params = by_reference(cell, dtype, documents, block_length)
    tolerance = {"rtol": 1e-9, "atol": 1e-11} if dtype == np.float64 else {"rtol": 2e-4, "atol": 2e-5}
    assert model.score(text, adapt=options) == pytest.approx(-nats.mean(), rel=tolerance["rtol"])
    if not documents:
        np.testing.assert_allclose(model.surprisal(text, adapt=options), nats, **tolerance)
    adapted = model.adapt(text, **options)
    for name, array in adapted.params_.items():
        np.testing.assert_allclose(array, params[name], **tolerance, err_msg=name)
    assert all(np.abs(array - model.params_[name]).max() > 1e-4 for name, array in adapted.params_.items())


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_gives_the_scale(optimizer):
    model = adaptable("gru", "float64", optimizer=optimizer)
    nats, _ = adapted_by_reference(model, TEXT, **OPTIONS)
    assert model.score(TEXT, adapt=OPTIONS) == pytest.approx(-nats.mean(), rel=1e-9)


def test_at_rates_of_zero_the_bits_are_those_without_adaptation():
    model = adaptable("lstm", "float32")
    still = {"learning_rate": 0, "decay": 0, "block_length": 5}
    assert model.surprisal(TEXT, adapt=still).tobytes() == model.surprisal(TEXT).tobytes()
    assert model.score(TEXT, adapt=still) == pytest.approx(model.score(TEXT), rel=1e-14)
    assert bits(model.adapt(TEXT, **still)) == bits(model)


def test_the_model_does_not_change(tmp_path):
    model = adaptable("lstm", "float32")
    before, parameters = bits(model), model.get_params()
    score = model.score(TEXT, adapt=OPTIONS)
    assert model.bits_per_char(TEXT, adapt=OPTIONS) == pytest.approx(-score / np.log(2))
    assert model.perplexity(TEXT, adapt=OPTIONS) == pytest.approx(np.exp(-score))
    assert model.score(TEXT * 60, adapt=True) == model.score(TEXT * 60, adapt={}) != model.score(TEXT * 60)
    model.surprisal(TEXT, adapt=True)
    adapted = model.adapt(TEXT, **OPTIONS)
    assert bits(model) == before
    assert adapted.get_params() == parameters
    assert adapted.n_steps_ == model.n_steps_
    adapted.partial_fit(TEXT)
    assert bits(model) == before
    model.save(tmp_path / "weights.crnn", training_state=False)
    assert CharRNN.load(tmp_path / "weights.crnn").score(TEXT, adapt=OPTIONS) == score


@pytest.mark.parametrize("cell", ["rnn", "lstm"])
def test_bits_do_not_depend_on_the_number_of_threads(cell, seven_cores):
    model, text = adaptable(cell, "float32", hidden_size=67), TEXT * 5
    for block_length in (13, 101):  # products by the BLAS, and with packed weights
        options = OPTIONS | {"learning_rate": 1e-3, "block_length": block_length}
        found = set()
        for n in (1, 7, None):
            model.set_params(n_threads=n)
            surprisal, params = model.surprisal(text, adapt=options), learned_state(model.adapt(text, **options)).params
            found.add((surprisal.tobytes(), params.tobytes()))
        assert len(found) == 1


def test_the_last_block_may_be_short():
    model = adaptable("gru", "float64")
    assert bits(model.adapt("a", **OPTIONS)) == bits(model)  # a symbol without one before it
    for text in (TEXT[:3], TEXT[:8], TEXT[:9]):
        nats, params = adapted_by_reference(model, text, **OPTIONS)
        np.testing.assert_allclose(model.adapt(text, **OPTIONS).params_["Why"], params["Why"], rtol=1e-9)
        np.testing.assert_allclose(model.surprisal(text, adapt=OPTIONS), nats, rtol=1e-9)


def test_long_texts_are_read_in_pieces():
    model = adaptable("gru", "float64")
    ids = model.vocabulary_.encode(TEXT)

    def read(n_at_a_time):
        options = AdaptationOptions(**OPTIONS)
        start = adaptive_reading(learned_state(model), model.beta_2, options, scoring=True, bfloat16=False)
        readings, log_p = zip(*read_all(start, ids, n_at_a_time), strict=True)
        return len(readings), np.concatenate(log_p).tobytes(), readings[-1].learn_rest().params.tobytes()

    n, *expected = read(len(ids))
    assert n == 1
    n, *found = read(5)
    assert n == -(-len(ids) // 5)
    assert found == expected


def test_adaptation_improves_on_a_different_text():
    model = CharRNN(16, cell="gru", optimizer="adam", max_steps=300, random_state=0).fit("to be or not to be, " * 50)
    other = "to be or to be, " * 60
    assert model.score(other, adapt=True) > model.score(other) + 0.1
    assert model.adapt(other).score(other) > model.score(other, adapt=True)


def test_a_symbol_without_gradients_is_learned():
    """Its scale is zero: the step is still finite."""
    model = CharRNN(7, vocabulary="abcdZ", max_steps=30, random_state=0).partial_fit(TEXT * 9)
    learned_state(model).optimizer_state["sum"][:5] = 0
    adapted = model.adapt("Z" * 50, block_length=5)
    assert adapted.score("Z" * 9) > model.score("Z" * 9)


def test_a_model_of_one_symbol_has_nothing_to_learn():
    model = CharRNN(3, max_steps=5, random_state=0).fit("a" * 50)
    assert model.score("aaaa", adapt=True) == 0
    assert bits(model.adapt("aaaa")) == bits(model)


def test_the_model_of_a_label_adapts():
    model = CharRNN(5, max_steps=20, random_state=0).fit(["abc", "cab"] * 9, y=["x", "y"] * 9).for_label("y")
    assert model.adapt(["abc"] * 9).score(["abc"]) > model.score(["abc"])
    assert BOUNDARY in model.vocabulary_


def test_defaults_of_the_options_are_those_of_the_method():
    parameters = inspect.signature(CharRNN.adapt).parameters
    assert asdict(AdaptationOptions.of(True)) == {
        name: parameters[name].default for name in ("learning_rate", "decay", "block_length")
    }
