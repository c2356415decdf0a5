import numpy as np
import pytest

from crnn import CharNGram, CharRNN, InvalidInputError, NotFittedError, plot

TEXT = "to be or not to be\n" * 9
DRAWN = [plot.surprisal, plot.probabilities, plot.neurons, plot.states, plot.gradient_flow]
ON_TEXTS = [*DRAWN, plot.find_units, plot.gradient_norms]


@pytest.fixture(scope="module")
def model():
    return CharRNN(5, max_steps=2, random_state=0).fit(TEXT)


@pytest.mark.parametrize("draw", ON_TEXTS)
@pytest.mark.parametrize("other", [None, "model", 3, [], CharRNN, CharNGram()])
def test_refuses_non_models(draw, other):
    with pytest.raises(InvalidInputError, match=r"^model must be a fitted CharRNN, not "):
        draw(other, TEXT)


@pytest.mark.parametrize("draw", [*ON_TEXTS, plot.compare])
@pytest.mark.parametrize("text", [None, 3, ["to be"], b"to be", np.array("to be"), len])
def test_refuses_non_texts(draw, model, text):
    with pytest.raises(InvalidInputError, match=r"^text (must be str or bytes|is bytes), "):
        draw(model, text)


@pytest.mark.parametrize("draw", ON_TEXTS)
def test_a_model_that_is_not_fitted(draw):
    with pytest.raises(NotFittedError):
        draw(CharRNN(), TEXT)


@pytest.mark.parametrize("draw", [*DRAWN, plot.compare, lambda model, _, ax: plot.history(model, ax=ax)])
@pytest.mark.parametrize("ax", [3, "ax", np.zeros(2), object()])
def test_refuses_non_axes(draw, model, ax):
    with pytest.raises(InvalidInputError, match=r"^ax must be a matplotlib Axes or None, not "):
        draw(model, TEXT[:150], ax=ax)


@pytest.mark.parametrize("models", [None, 3, object(), np.array(3)])
def test_refuses_lists_of_non_models(models):
    for draw in (plot.history, lambda models: plot.compare(models, TEXT)):
        with pytest.raises(InvalidInputError, match=r"^models must be a CharRNN, or a list or dict of them, not "):
            draw(models)


@pytest.mark.parametrize(
    ("draw", "given"),
    [
        (plot.surprisal, {"max_bits": [8]}), (plot.surprisal, {"max_bits": 5e-324}),
        (plot.surprisal, {"max_bits": 1e308}),
        (plot.surprisal, {"width": 0.5}), (plot.probabilities, {"n": "5"}),
        (plot.neurons, {"units": True}), (plot.neurons, {"units": 0}), (plot.neurons, {"units": []}),
        (plot.neurons, {"units": ["a"]}), (plot.neurons, {"units": [(0, 1, 2)]}), (plot.neurons, {"units": [[0.5, 1]]}),
        (plot.neurons, {"search_text": 5}), (plot.states, {"layer": 0.0}), (plot.states, {"layer": np.array([0, 1])}),
        (plot.find_units, {"properties": ["a"]}), (plot.find_units, {"properties": {"a": 5}}),
        (plot.find_units, {"properties": {"a": lambda text: 1.0}}),
        (plot.find_units, {"properties": {"a": lambda text: [np.nan] * len(text)}}),
        (plot.find_units, {"properties": {"a": lambda text: text}}),
        (plot.compare, {"by": ["kind"]}),
    ],
)  # fmt: skip
def test_other_arguments_are_named(draw, given, model):
    (name,) = given
    shown = "text" if name == "search_text" else name
    with pytest.raises(InvalidInputError, match=rf"^{shown}\b"):
        draw(model, TEXT, **given)
