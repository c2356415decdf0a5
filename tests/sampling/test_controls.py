"""The controls of sampling: whole samples against the reference implementation, and what is refused."""

import inspect
import itertools
import math

import numpy as np
import pytest
from examples import (
    in_turns,
    limited_samples,
    random_language_model,
    reference_controls,
    reference_sample,
    reference_state,
)
from scipy import stats

from crnn import CharRNN, InvalidInputError
from crnn.parameters.kinds import CELLS
from crnn.reference import sampling as reference_sampling
from crnn.sampling.controls import CONTROLS, CheckedControls
from crnn.text.vocabulary import Vocabulary
from crnn.text_states.text_state import TextState

pytestmark = pytest.mark.usefixtures("seven_cores")

SYMBOLS = "abcdefghijk"
INF = math.inf


@pytest.fixture(scope="module")
def model():
    return random_language_model(SYMBOLS)


OPTIONS = [
    {"temperature": 0.7},
    {"top_k": 3},
    {"top_p": 0.7},
    {"min_p": 0.3, "temperature": 1.5},
    {"repetition_penalty": 1.7},
    {"repetition_penalty": 3.0, "temperature": 0},
    {"logit_bias": {"a": -INF, "b": 2.5, "k": -1}},
    {"logit_bias": {"c": -INF}, "repetition_penalty": 0.8, "temperature": 0.7, "top_k": 7, "top_p": 0.9, "min_p": 0.05},
]


@in_turns("cell, given", itertools.product(CELLS, OPTIONS), "kernels")
def test_controlled_samples_match_reference(kernels, cell, given):
    model = random_language_model(SYMBOLS, cell=cell, num_layers=2)
    for prime in ("", "kab" * 700 if given == OPTIONS[0] else "abk"):
        texts = model.sample(60, prime=prime, n_samples=3, random_state=5, **given)
        assert texts == [reference_sample(model, 60, prime, seed=5, i=i, **given) for i in range(3)]
        assert texts[0] == model.sample(60, prime=prime, random_state=5, **given)


@in_turns("temperature", [(0,), (0.5,), (1.0,), (3.0,), (1e39,)])
def test_neutral_controls_change_no_bit(kernels, dtype, monkeypatch, temperature):
    model = random_language_model(SYMBOLS, dtype=dtype)
    expected = model.sample(500, temperature=temperature, random_state=0)
    nothing = {"top_k": None, "top_p": 1.0, "min_p": 0, "repetition_penalty": 1, "logit_bias": {"a": 0}, "stop": []}
    assert CheckedControls.check(model.vocabulary_, nothing).only_temperature
    assert model.sample(500, temperature=temperature, random_state=0, **nothing) == expected
    monkeypatch.setattr(CheckedControls, "only_temperature", False)
    assert model.sample(500, temperature=temperature, random_state=0) == expected
    for top_k in (len(SYMBOLS), len(SYMBOLS) + 1, 10**9):
        assert model.sample(500, temperature=temperature, random_state=0, top_k=top_k) == expected


@pytest.mark.parametrize(
    "given", [{"top_k": 1}, {"top_p": 0}, {"top_p": 1e-300}, {"min_p": 1}, {"temperature": 1e-300}]
)
def test_controls_that_leave_one_symbol(dtype, given):
    model = random_language_model(SYMBOLS, dtype=dtype)
    assert model.sample(200, random_state=0, **given) == model.sample(200, temperature=0)


@in_turns("given", [(given,) for given in [*OPTIONS, {"stop": ["ab", "cb", "d"], "repetition_penalty": 1.2}]])
def test_sample_does_not_depend_on_batch(kernels, dtype, given):
    model = random_language_model(SYMBOLS, dtype=dtype)
    texts = model.sample(97, n_samples=61, random_state=0, **given)
    assert texts[0] == model.sample(97, random_state=0, **given)
    assert model.sample(97, n_samples=13, random_state=0, **given) == texts[:13]
    limits = {"rows": 5, "samples_per_task": 17, "call_weights": 1, "initial_room": 3}
    for n_threads in (1, 3):
        options = {"n_threads": n_threads, "limits": limits, **given}
        assert limited_samples(model, 97, n_samples=61, random_state=0, **options) == texts


def test_draws_follow_the_controlled_distribution(dtype):
    model, given, draws = random_language_model(SYMBOLS, dtype=dtype), OPTIONS[-1], 50_000
    p, state = reference_state(model, "bad")
    seen = np.isin(np.arange(len(SYMBOLS)), model.vocabulary_.encode("bad"))
    y = (state[0][-1] @ p.Wy + p.by)[0]
    expected = reference_sampling.filtered(y, seen, **reference_controls(model, **given))
    text = "".join(model.sample(1, prime="bad", n_samples=draws, random_state=1, **given))
    counts = np.bincount(model.vocabulary_.encode(text), minlength=len(expected))
    assert (counts[expected == 0] == 0).all()
    left = expected > 0
    assert stats.chisquare(counts[left], expected[left] * draws).pvalue > 1e-3


def test_penalty_counts_the_prime_and_what_was_drawn():
    model = CharRNN(3, max_steps=0, init_scale=0, random_state=0).fit("abc")
    with model.editing():
        model.params_["by"][:] = [3.0, 2.0, 1.0]
    assert model.sample(4, temperature=0, repetition_penalty=10) == "abca"
    assert model.sample(4, temperature=0, repetition_penalty=10, prime="a") == "bcaa"
    assert model.sample(3, temperature=0, repetition_penalty=10, prime="ab") == "caa"


# --- arguments


@pytest.mark.parametrize("method", [CharRNN.sample, CharRNN.stream, TextState.sample])
def test_every_control_is_in_the_signature(method):
    parameters = inspect.signature(method).parameters
    assert {name: parameters[name].default for name in CONTROLS} == {
        name: control.default for name, control in CONTROLS.items()
    }
    assert not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())


def test_numbers_of_numpy_are_numbers(model):
    given = {"top_k": np.int64(3), "top_p": np.float32(0.5), "logit_bias": {"a": np.float32(-INF), "b": np.int8(2)}}
    plain = {"top_k": 3, "top_p": 0.5, "logit_bias": {"a": -INF, "b": 2}}
    assert model.sample(50, random_state=0, **given) == model.sample(50, random_state=0, **plain)


def test_model_of_bytes():
    model = random_language_model(bytes(range(256)))
    whole = model.sample(300, random_state=0)
    for stop in (whole[100:103], bytearray(whole[100:103]), memoryview(whole[100:103])):
        text = model.sample(300, random_state=0, stop=[stop])
        assert text == whole[: whole.find(whole[100:103])]
        assert b"".join(model.stream(300, random_state=0, stop=[stop])) == text
    forbidden = {bytes([code]): -INF for code in range(128)}
    assert min(model.sample(300, random_state=0, logit_bias=forbidden)) >= 128
    with pytest.raises(InvalidInputError, match=r"^stop\[0\] is text, but the symbols of this model are bytes"):
        model.sample(stop=["a"])
    with pytest.raises(InvalidInputError, match=r"^a symbol in logit_bias is text, but"):
        model.sample(logit_bias={"a": 1})
    assert all(type(text) is bytes for text, _ in model.beam_search(2, prime=b"\xff"))


def test_a_symbol_that_the_model_lacks_may_be_forbidden():
    vocabulary = Vocabulary.from_text("abc")
    assert CheckedControls.check(vocabulary, {"logit_bias": {"z": -INF}}).bias is None
    assert CheckedControls.check(vocabulary, {"logit_bias": {"z": -INF, "b": 1}}).bias.tolist() == [0, 1, 0]
