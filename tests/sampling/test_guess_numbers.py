"""Guess numbers: against all strings of a small model, counted."""

import copy
import itertools
import math

import numpy as np
import pytest
from examples import bounded, packed, random_language_model
from scipy import stats

from crnn import CharNGram, CharRNN, InvalidInputError, Mixture
from crnn.inference.network import Use
from crnn.sampling import guess_numbers as module
from crnn.sampling.controls import root

pytestmark = pytest.mark.usefixtures("seven_cores")

LENGTH = 6
ALL = ["".join(t) for t in itertools.product("abcd", repeat=LENGTH)]


@pytest.fixture(scope="module")
def model():
    return random_language_model("abcd", scale=0.5)


@pytest.fixture(scope="module")
def ending():
    """A model of documents that ends them with probability 0.2 or so."""
    model = random_language_model("abc\U0010ffff", scale=0.4)
    with model.editing():
        model.params_["by"][3] += 0.3
    return bounded(model)


def true_numbers(log_p):
    order = np.sort(log_p)
    return 1 + len(order) - np.searchsorted(order, log_p, side="right")


@pytest.mark.parametrize("n_bigrams", [None, 5])
def test_the_estimates_are_near_and_the_bounds_hold(n_bigrams):
    model = random_language_model("abcdba", scale=0.5, n_bigrams=n_bigrams)
    true = true_numbers(model.score_samples(ALL))
    inside = []
    for seed in range(10):
        found = model.guess_number(ALL, n_samples=2000, length=LENGTH, random_state=seed)
        assert (found.lower <= found.estimate).all()
        assert (found.estimate <= found.upper).all()
        inside.append(((found.lower <= true) & (true <= found.upper)).mean())
        middle = (true > 100) & (true < 3000)
        np.testing.assert_allclose(found.estimate[middle], true[middle], rtol=0.25)
    assert np.mean(inside) > 0.9


def test_guess_numbers_of_documents_match_enumeration(ending):
    # All documents of up to 7 symbols, and of the longer ones those that are more probable than what is asked for.
    universe = ["".join(t) for k in range(9) for t in itertools.product("abc", repeat=k)]
    log_p = ending.score_samples(universe)
    true = true_numbers(log_p)
    asked = np.flatnonzero((true > 1) & (true < 200))
    found = ending.guess_number([universe[i] for i in asked], n_samples=20_000, random_state=1)
    np.testing.assert_allclose(found.estimate, true[asked], rtol=0.15)
    assert ((found.lower <= true[asked]) & (true[asked] <= found.upper)).mean() > 0.85
    likeliest = ending.guess_number([universe[int(np.argmax(log_p))]], random_state=1)
    assert likeliest.estimate == likeliest.lower == 1
    assert 1 < likeliest.upper < 1.01


@pytest.mark.parametrize("block", [1 << 14, 7])
def test_the_strings_drawn_are_the_samples_of_the_same_seed(model, ending, block):
    options = {"bits": root(5), "n_threads": 2, "n_at_a_time": block}
    documents = module.sampled_log_likelihoods(packed(ending, use=Use.MANY_STREAMS), 50, end=3, length=10**6, **options)
    expected = ending.score_samples(ending.sample(n_samples=50, random_state=5))
    np.testing.assert_array_equal(documents, expected)
    longest = max(map(len, ending.sample(n_samples=50, random_state=5)))
    same = module.sampled_log_likelihoods(packed(ending, use=Use.MANY_STREAMS), 50, end=3, length=longest, **options)
    np.testing.assert_array_equal(same, expected)
    with pytest.raises(InvalidInputError, match=f"has no end within {longest - 1} symbols"):
        module.sampled_log_likelihoods(packed(ending, use=Use.MANY_STREAMS), 50, end=3, length=longest - 1, **options)
    texts = module.sampled_log_likelihoods(packed(model, use=Use.MANY_STREAMS), 50, end=None, length=LENGTH, **options)
    np.testing.assert_array_equal(texts, model.score_samples(model.sample(LENGTH, n_samples=50, random_state=5)))


def test_guess_numbers_do_not_depend_on_threads_or_other_strings(model, ending):
    strings = ALL[:50]
    first = model.set_params(n_threads=1).guess_number(strings, n_samples=700, length=LENGTH, random_state=4)
    second = model.set_params(n_threads=3).guess_number(iter(strings), n_samples=700, length=LENGTH, random_state=4)
    alone = model.guess_number(strings[7:8], n_samples=700, length=LENGTH, random_state=4)
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(np.ravel(alone), np.array(first)[:, 7])
    a, b = (ending.set_params(n_threads=k).guess_number(["ab"], n_samples=700, random_state=4) for k in (1, 3))
    np.testing.assert_array_equal(a, b)


@pytest.fixture
def draws(monkeypatch):
    """The numbers of strings drawn so far."""
    numbers, draw = [], module.sampled_log_likelihoods
    monkeypatch.setattr(
        module, "sampled_log_likelihoods", lambda net, n, **rest: numbers.append(n) or draw(net, n, **rest)
    )
    return numbers


def test_strings_are_drawn_again_only_for_another_request(draws):
    model = random_language_model("abcd", scale=0.5)
    requests = [
        {"n_samples": 50},
        {"n_samples": 60},
        {"n_samples": 60, "length": 4},
        {"n_samples": 60, "length": 4, "random_state": 1},
    ]
    for k, request in enumerate(requests):
        for _ in range(2):
            strings = ["abcd", "dada"] if request.get("length") == 4 else ["abc"]
            found = model.guess_number(strings, **{"length": 3, **request})
            assert found.estimate.shape == (len(strings),)
        assert len(draws) == k + 1
    model.guess_number(["abc"], **{"length": 3, **requests[0]})  # only the last strings are kept
    assert draws == [50, 60, 60, 60, 50]


@pytest.mark.parametrize("kind", ["network", "counts", "mixture"])
def test_changed_predictions_draw_anew(draws, kind):
    texts = ["ab", "ba", "abba"] * 5
    counts = CharNGram(2).fit(texts)
    network = CharRNN(3, max_steps=2, random_state=0).fit(texts)
    model = {"network": network, "counts": counts, "mixture": Mixture.from_fitted([network, counts])}[kind]
    for _ in range(2):
        model.guess_number(["ab"], n_samples=50)
    assert draws == [50]
    (network if kind == "network" else counts).partial_fit(["bbb"])
    fresh = copy.deepcopy(model).guess_number(["ab"], n_samples=50, random_state=0)
    assert model.guess_number(["ab"], n_samples=50, random_state=0).estimate == fresh.estimate
    assert draws == [50] * 3


# --- the estimate itself


def test_the_lower_bound_rises_as_the_probability_falls():
    """One of 100 samples is so improbable that its variance makes the bounds of all less probable strings wide."""
    rng = np.random.default_rng(0)
    sampled, log_p = np.append(rng.uniform(-3, -1, 99), -30), np.linspace(-0.5, -40, 99)
    found = module.GuessTable.of(sampled).guess_numbers(log_p)
    assert (np.diff(found.lower) >= 0).all()
    assert found.lower[-1] > 2
    assert (found.lower <= found.estimate).all()


def test_bounds_where_nothing_was_seen():
    sampled = np.log(np.full(100, 0.01))
    likely, unlikely = np.transpose(module.GuessTable.of(sampled).guess_numbers(np.log([0.5, 1e-5])))
    assert likely.tolist() == pytest.approx([1, 1, 1 + 0.03 / 0.5, 0])
    assert unlikely.tolist() == pytest.approx([101, 101, 101 + 0.03 / 1e-5, 1])


def test_there_are_no_more_strings_than_their_probabilities_leave_room_for():
    found = module.GuessTable.of(np.log([0.5, 0.25])).guess_numbers(np.log([0.1, 0.9]))
    np.testing.assert_allclose(found.upper, [1 + 1 / 0.1, 1 + 1 / 0.9])


@pytest.mark.parametrize("k", [1, 60])
def test_the_bounds_are_1_96_standard_errors_from_the_estimate(k):
    """Of 100 samples k have probability 1/2, each for two strings, and the others do not come before."""
    found = module.GuessTable.of(np.log([0.5] * k + [0.1] * (100 - k))).guess_numbers(np.log([0.2]))
    estimate, error = 1 + 2 * k / 100, stats.norm.ppf(0.975) * np.std([2] * k + [0] * (100 - k), ddof=1) / 10
    np.testing.assert_allclose(np.ravel(found[:3]), [estimate, max(1, estimate - error), estimate + error])


def test_equally_probable_strings_do_not_come_before():
    found = module.GuessTable.of(np.log([0.25, 0.25, 0.25, 0.5])).guess_numbers(np.log([0.25]))
    assert found.estimate[0] == pytest.approx(1 + 2 / 4)


def test_ranks_beyond_float64_are_infinite():
    found = module.GuessTable.of(np.array([-5000.0, -2000.0, -1.0])).guess_numbers(np.array([-1e4, -10.0]))
    assert found.estimate[0] == found.upper[0] == np.inf
    assert not np.isnan(found).any()
    assert found.estimate[1] == pytest.approx(1 + math.e / 3)


# --- errors


@pytest.mark.parametrize(
    ("strings", "options", "message"),
    [
        (["abc"], {}, r"^guess_number needs length=\.\.\. for a model of running text: its texts have no end"),
        (["abc", "ab"], {"length": 3}, r"^X\[1\] has 2 symbols, but length is 3\. Leave it out\.$"),
        (["abc"], {"length": 3, "n_samples": 1}, r"^n_samples must be a whole number of at least 2"),
        (["abz"], {"length": 3}, r"^X\[0\] contains 'z'"),
    ],
)
def test_refuses_strings_that_cannot_be_guessed(model, strings, options, message):
    with pytest.raises(InvalidInputError, match=message):
        model.guess_number(strings, **options)


def test_documents_have_no_length(ending):
    with pytest.raises(InvalidInputError, match=r"^length is given, but the model's documents have ends"):
        ending.guess_number(["abc"], length=3)
    assert module.checked_length(None, end=3) == module.MAX_LENGTH


def test_guess_numbers_of_no_strings_are_empty(model):
    assert [part.shape for part in model.guess_number([], n_samples=10, length=3)] == [(0,)] * 4
