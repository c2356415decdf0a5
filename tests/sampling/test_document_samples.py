"""Samples of a model of documents: whole ones, which begin with the prime and end by themselves; no text twice."""

import math

import pytest
from examples import reference_sample
from small_models import learned_state

from crnn import BOUNDARY, CharRNN, InvalidInputError
from crnn.sampling.samples import distinct_texts

NAMES = ["anna", "bob", "eve", "otto"]


@pytest.fixture(scope="module")
def model():
    return CharRNN(
        24, cell="gru", optimizer="adam", learning_rate=0.01, max_steps=500, dtype="float64", random_state=0
    ).fit(NAMES)


@pytest.fixture(scope="module")
def untaught():
    return CharRNN(5, init_scale=0.5, max_steps=0, dtype="float64", random_state=0).fit(NAMES)


def test_samples_are_the_documents_it_was_taught(model):
    assert set(model.sample(n_samples=200, temperature=0.5, random_state=0)) == set(NAMES)
    assert model.sample(prime="ot", temperature=0) == "otto"
    assert model.sample(temperature=0) in NAMES


@pytest.mark.parametrize("k", [1, 31])
def test_samples_match_reference(untaught, k):
    for prime in ("", "ev"):
        samples = untaught.sample(max_length=90 + len(prime), n_samples=k, random_state=3, prime=prime)
        expected = [prime + reference_sample(untaught, 90, prime, seed=3, i=i) for i in range(k)]
        assert ([samples] if k == 1 else samples) == expected


def test_sample_depends_on_its_number_alone(untaught):
    many = untaught.sample(n_samples=40, random_state=1)
    assert untaught.sample(n_samples=5, random_state=1) == many[:5]
    assert untaught.set_params(n_threads=1).sample(random_state=1) == many[0]
    assert "".join(untaught.stream(random_state=1)) == many[0]


def test_no_sample_is_longer_than_it_may_be(untaught):
    texts = untaught.sample(max_length=3, n_samples=100, random_state=0)
    assert set(map(len, texts)) == {0, 1, 2, 3}
    assert max(map(len, untaught.sample(2, n_samples=100, random_state=0))) == 2
    assert untaught.sample(max_length=3, prime="anna") == "anna"
    assert untaught.sample(0) == ""
    for n, limit, longest in ((2, 5, 2), (5, 3, 3), (0, 3, 0)):
        texts = untaught.sample(n, max_length=limit, n_samples=100, random_state=0)
        assert max(map(len, texts)) == longest
    assert max(map(len, untaught.sample(2, max_length=5, prime="an", n_samples=100, random_state=0))) == 4
    assert untaught.sample(5, max_length=3, prime="anna") == "anna"
    never = untaught.sample(n_samples=3, logit_bias={"a": 1e30}, max_length=None)
    assert never == ["a" * 1000] * 3


def test_unique_samples_are_the_first_ones_that_differ(untaught):
    plain = untaught.sample(n_samples=400, random_state=2, max_length=4)
    unique = untaught.sample(n_samples=60, random_state=2, max_length=4, unique=True)
    assert unique == list(dict.fromkeys(plain))[:60]
    assert len(set(plain[:60])) < 60


def test_excluded_texts_are_not_returned(model, untaught):
    assert model.sample(n_samples=50, temperature=0.3, exclude=set(NAMES[1:]), random_state=0) == ["anna"] * 50
    assert sorted(model.sample(n_samples=3, temperature=0.5, exclude=["bob"], unique=True, random_state=0)) == [
        "anna", "eve", "otto",
    ]  # fmt: skip
    plain = untaught.sample(n_samples=100, random_state=2)
    kept = untaught.sample(n_samples=50, random_state=2, exclude=(plain[0], "", plain[7]))
    assert kept == [text for text in plain if text not in (plain[0], "", plain[7])][:50]
    # What is compared is the whole document.
    assert model.sample(prime="a", temperature=0, exclude=["nna"]) == "anna"


def test_few_more_texts_are_drawn_than_are_needed():
    asked = []

    class Digits:
        def texts(self, numbers):
            asked.append(numbers)
            return [str(i % 7) for i in numbers]

    assert distinct_texts(Digits(), 20, unique=False, exclude={"3"}) == [c for c in "0123456" * 4 if c != "3"][:20]
    assert asked == [range(20), range(20, 36)]
    asked.clear()
    with pytest.raises(InvalidInputError, match=r"only 7 of 8 samples were found among 800 drawn; .* or duplicates"):
        distinct_texts(Digits(), 8, unique=True, exclude=set())
    assert asked == [range(i, i + 16) for i in range(0, 800, 16)]
    asked.clear()
    with pytest.raises(InvalidInputError, match=r"only 0 of 1 samples .* 100 drawn; the others were excluded\. "):
        distinct_texts(Digits(), 1, unique=False, exclude=set("0123456"))
    assert asked[-1] == range(96, 100)


def test_a_document_begins_with_the_prime_as_it_was_given():
    for kind in (str, str.encode):
        names = CharRNN(16, max_steps=30, min_count=2, random_state=0).fit([kind(name) for name in NAMES * 2])
        for prime in (kind("Qn"), kind("")):
            assert names.sample(prime=prime, random_state=0).startswith(prime)
        once = names.sample(prime=kind("Qn"), temperature=0)
        with pytest.raises(InvalidInputError, match="excluded"):
            names.sample(prime=kind("Qn"), temperature=0, exclude=[once])


def test_unique_and_exclude_are_for_texts_too():
    model = CharRNN(5, max_steps=0, random_state=0).fit("ab")
    assert sorted(model.sample(2, n_samples=4, unique=True, random_state=0)) == ["aa", "ab", "ba", "bb"]
    assert model.sample(1, exclude=["a"], n_samples=3, random_state=0) == ["b"] * 3


def test_the_boundary_is_not_penalized_for_the_start(model):
    # Whoever reads the boundary as something that was there would make the end less likely.
    p, vocabulary = learned_state(model).layout.tensors(learned_state(model).params), model.vocabulary_
    assert p.by.shape == (len(vocabulary),)
    model = CharRNN(3, max_steps=0, init_scale=0).fit(NAMES)
    with model.editing():
        model.params_["by"][vocabulary.boundary] = 40
    assert model.sample(n_samples=3, repetition_penalty=40, random_state=0) == [""] * 3


def test_the_end_can_be_made_likelier_or_forbidden(model):
    assert model.sample(n_samples=5, logit_bias={BOUNDARY: 1e30}) == [""] * 5
    assert set(map(len, model.sample(7, n_samples=5, logit_bias={BOUNDARY: -math.inf}))) == {7}
    with pytest.raises(InvalidInputError, match="a symbol in logit_bias must be str or bytes, not Special"):
        CharRNN(3, max_steps=0).fit("ab").sample(logit_bias={BOUNDARY: 1})
