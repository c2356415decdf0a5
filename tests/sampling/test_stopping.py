"""Where a drawn text ends: before a stop, at the end of a document."""

import itertools

import numpy as np
import pytest
from examples import in_turns, limited_samples, packed, random_language_model
from hypothesis import given, settings
from hypothesis import strategies as st

from crnn import CharRNN
from crnn.inference.network import Context, Use
from crnn.sampling.controls import CheckedControls, Uniforms, root
from crnn.sampling.limits import SamplingLimits
from crnn.sampling.samples import IdSamples, symbol_stream
from crnn.sampling.text_sampler import text_sampler

pytestmark = pytest.mark.usefixtures("seven_cores")

SYMBOLS = "abcdefghijk"


@pytest.fixture(scope="module")
def model():
    return random_language_model(SYMBOLS)


def cut(text, stops):
    """`text` before the stop that is complete first, and the longest of those."""
    found = [(text.find(stop) + len(stop), text.find(stop)) for stop in stops if stop in text]
    return text[: min(found)[1]] if found else text


@pytest.mark.parametrize("room", [1, 2, 7, 64])
@given(
    stops=st.lists(st.text("ab", min_size=1, max_size=6), min_size=1, max_size=3),
    n=st.integers(0, 150),
    seed=st.integers(0, 5),
)
@settings(max_examples=15, deadline=None)
def test_text_ends_before_the_first_stop(room, stops, n, seed):
    model, limits = TWO_SYMBOLS, {"initial_room": room, "rows": 2}
    whole = model.sample(n, prime="ab", n_samples=3, random_state=seed)
    expected = [cut(text, stops) for text in whole]
    options = {"n_samples": 3, "random_state": seed, "limits": limits}
    assert limited_samples(model, n, prime="ab", stop=stops, **options) == expected
    network, vocabulary = packed(model, use=Use.ONE_STREAM), model.vocabulary_
    stream = symbol_stream(network, vocabulary, n, "ab", {"stop": stops}, seed, SamplingLimits(**limits))
    assert "".join(stream) == expected[0]


TWO_SYMBOLS = random_language_model("ab")


def test_stop_that_never_occurs(model):
    text = model.sample(300, random_state=0)
    for stop in (["z"], ["abz"], ["é"], [], (), ["z", "a\n"], ["a" * 400]):
        assert model.sample(300, random_state=0, stop=stop) == text
        assert "".join(model.stream(300, random_state=0, stop=stop)) == text


STOPS = [["ab"], ["a"], ["abc", "d"], ["zz"]]


@in_turns("stops, count", itertools.product(STOPS, [1, 31]), "kernels")
def test_nothing_is_drawn_after_a_stop(kernels, model, count, stops):
    network = packed(model, use=Use.ONE_STREAM if count == 1 else Use.MANY_STREAMS)
    uniforms, n = Uniforms(root(3), range(count)), 53
    context = Context.after(network, model.vocabulary_.encode("ab"))
    controls = CheckedControls.check(model.vocabulary_, {"stop": stops})
    sampler = text_sampler(network, context, n, uniforms, controls, limits=SamplingLimits(rows=5))
    texts = sampler.run().decode(model.vocabulary_)
    samples = model.sample(n, prime="ab", n_samples=count, random_state=3)
    for i, text in enumerate([samples] if count == 1 else samples):
        shorter = cut(text, stops)
        met = next((stop for stop in stops if text.startswith(shorter + stop)), "")
        assert texts[i] == shorter
        alone = Uniforms(root(3), range(i, i + 1))
        alone.draw(len(shorter + met))
        np.testing.assert_array_equal(alone.states[0], uniforms.states[i])


def test_a_text_that_may_stop_late_takes_no_room_ahead(model):
    assert model.sample(10**9, stop=list(SYMBOLS), random_state=0) == ""
    assert set(model.sample(10**9, stop=list(SYMBOLS), random_state=0, n_samples=300)) == {""}


def test_stream_holds_back_no_more_than_may_be_a_stop(model):
    text = model.sample(400, random_state=0)
    for stop in ("ab", "zz", text[150:153]):
        assert "".join(model.stream(400, random_state=0, stop=[stop])) == cut(text, [stop])
    # The first symbol comes as soon as it is drawn, unless it may be the beginning of a stop.
    other = next(symbol for symbol in SYMBOLS if symbol != text[0])
    assert next(model.stream(random_state=0, stop=[2 * other])) == text[0]


@pytest.mark.parametrize("n_samples", [1, 5])
def test_the_boundary_ends_a_text_and_the_unknown_symbol_is_never_drawn(n_samples):
    texts = ["abcabd", "cab", "dd"] * 3
    model = CharRNN(7, max_steps=0, init_scale=0.7, min_count=4, random_state=0).fit(texts)
    assert model.vocabulary_.unknown is not None
    network = packed(model, use=Use.ONE_STREAM if n_samples == 1 else Use.MANY_STREAMS)
    controls = CheckedControls.check(model.vocabulary_, {"logit_bias": {"a": 1}})
    drawn = IdSamples(network, Context.empty(network), 400, controls, root(3), 2).strings(range(n_samples))
    assert not np.isin([model.vocabulary_.unknown, model.vocabulary_.boundary], drawn.ids).any()
    assert (drawn.lengths < 400).all()
