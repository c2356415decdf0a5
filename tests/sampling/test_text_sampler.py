import itertools
import types

import numpy as np
import pytest
from examples import limited_samples, random_language_model
from small_models import learned_state

from crnn import CharRNN, InvalidInputError
from crnn.sampling import text_sampler as sampling

pytestmark = pytest.mark.usefixtures("seven_cores")

SYMBOLS = "abcdefghijk"


@pytest.fixture(scope="module")
def model():
    return random_language_model(SYMBOLS)


# --- prime, length, number


@pytest.mark.parametrize("n", [0, 1, 2, 1023, 1024, 2051])
def test_sample_has_n_symbols(model, n):
    text = model.sample(n, random_state=0)
    assert len(text) == n
    assert text == model.sample(5000, random_state=0)[:n]
    assert model.sample(n, random_state=0, n_samples=2)[0] == text


def test_sample_is_random_and_has_200_symbols_by_default(model):
    assert len(model.sample()) == 200
    assert model.sample() != model.sample()


@pytest.mark.parametrize("kind", [int, np.random.SeedSequence, np.random.default_rng, np.random.PCG64])
def test_samples_depend_on_seed_and_number_alone(model, kind):
    many, few, one = (model.sample(11, n_samples=k, prime="ab", random_state=kind(3)) for k in (31, 13, 1))
    assert len(many) == len(set(many)) == 31
    assert (few, one) == (many[:13], many[0])


def test_ended_texts_change_no_other_ones():
    model = random_language_model("abcdefgacegbdfadgcfbe", cell="lstm", num_layers=2, n_bigrams=19)
    texts = model.sample(23, n_samples=31, stop=["a"], random_state=3)
    assert len(set(map(len, texts))) > 5
    one_after_another = {"rows": 1}
    found = limited_samples(model, 23, n_samples=31, stop=["a"], random_state=3, limits=one_after_another)
    assert found == texts


# --- random_state


def test_seeds_of_one_value_agree(model):
    sequence = np.random.SeedSequence(3)
    assert len({model.sample(40, random_state=seed) for seed in (3, np.int16(3), sequence, sequence)}) == 1
    assert sequence.n_children_spawned == 0
    assert model.sample(40, random_state=4) != model.sample(40, random_state=3)


@pytest.mark.parametrize("kind", [np.random.default_rng, np.random.PCG64, np.random.MT19937])
def test_generator_moves_on(model, kind):
    rng = kind(3)
    texts = [model.sample(40, random_state=rng) for _ in range(2)]
    assert texts[0] != texts[1]
    rng = kind(3)
    assert texts == [model.sample(40, random_state=rng) for _ in range(2)]


def test_global_generator_is_left_alone(model):
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    model.sample(40)
    model.sample(40, random_state=0)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_sampling_does_not_change_the_model():
    model = CharRNN(3, max_steps=7, random_state=0).fit("to be or not to be" * 5)
    with model.editing():
        model.state_[:] = 0.5
    before, weights = model.sample(40, random_state=3), learned_state(model).params.copy()
    list(model.stream(40))
    model.sample(40, n_samples=3, prime="to be")
    assert model.sample(40, random_state=3) == before
    assert (model.state_ == 0.5).all()
    np.testing.assert_array_equal(learned_state(model).params, weights)


# --- streams


def test_stream_has_no_end(model):
    stream = model.stream(random_state=3)
    assert isinstance(stream, types.GeneratorType)
    assert "".join(itertools.islice(stream, 3000)) == model.sample(3000, random_state=3)
    assert next(stream) in model.vocabulary_


def test_stream_gives_symbols_as_soon_as_they_are_asked_for(model, monkeypatch):
    drawn, advance = [], sampling.TextSampler.advance
    monkeypatch.setattr(
        sampling.TextSampler, "advance", lambda self, steps: drawn.append(steps) or advance(self, steps)
    )
    stream = model.stream(random_state=3)
    assert drawn == []
    next(stream)
    assert drawn == [1]
    assert len([*itertools.islice(stream, 200)]) == 200
    assert drawn == [1, 2, 4, 8, 16, 32, 64, 64, 64]


def test_stream_keeps_no_more_than_it_has_not_given(model, monkeypatch):
    samplers, take = [], sampling.TextSampler.take
    monkeypatch.setattr(sampling.TextSampler, "take", lambda self: samplers.append(self) or take(self))
    text = "".join(itertools.islice(model.stream(random_state=3, stop=["ab" * 40]), 5000))
    assert text == model.sample(5000, random_state=3)
    assert samplers[-1]._symbols.shape[1] <= 256


def test_model_of_bytes():
    data = bytes(range(256)) * 2
    model = CharRNN(5, max_steps=1, random_state=0).fit(data)
    text = model.sample(300, prime=b"\0\xff", random_state=0)
    assert type(text) is bytes
    assert len(text) == 300
    assert len(set(text)) > 100
    assert model.sample(0) == b""
    assert model.sample(3, prime=bytearray(b"a"), temperature=0) == model.sample(3, prime=b"a", temperature=0)
    assert len(model.sample(7, prime="")) == 7
    with pytest.raises(InvalidInputError, match=r"^prime is text, but the symbols of this model are bytes"):
        model.sample(3, prime="a")
