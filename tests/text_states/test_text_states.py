"""TextStates: every session has the bits of a text state fed the same pieces alone."""

import copy
import pickle

import numpy as np
import pytest
from examples import random_language_model
from hypothesis import given, settings
from hypothesis import strategies as st
from interrupted_runs import interrupted_everywhere

from crnn import CharNGram, InvalidInputError, Mixture
from crnn.inference import network as protocol
from crnn.inference.network import InferenceNetwork
from crnn.inference.packed_network import CallLimits, PackedNetwork
from crnn.ngram import counts_network
from crnn.ngram.counts_network import CountsNetwork
from crnn.text_states import text_states
from crnn.text_states.text_state import TextState
from crnn.text_states.text_states import TextStates

SYMBOLS = "abcdefghijk"
DOCUMENTS = [SYMBOLS, "abba", "cab", "jade"]
BY_PLACE = [[0.3, 0.7], [0.9, 0.1], [0.2, 0.5], [0.6, 0.6]]  # weights after 0, 1, 2, and 3 or more letters


def network(X, cell, dtype="float32", **parameters):
    return random_language_model(X, cell=cell, dtype=dtype, num_layers=2, **parameters)


MODELS = {
    "tanh": lambda: network(SYMBOLS, "rnn", "float64"),
    "gru with pairs": lambda: network(SYMBOLS, "gru", n_bigrams=7),
    "lstm of documents": lambda: network(DOCUMENTS, "lstm", hidden_size=18),
    "cifg in bfloat16": lambda: network(SYMBOLS, "cifg", matmul_precision="bfloat16"),
    "lstm in 8 bits": lambda: network(SYMBOLS, "lstm", hidden_size=18).quantize(),
    "counts": lambda: CharNGram(3).fit(SYMBOLS + "abcabdabcjk"),
    "counts of documents": lambda: CharNGram(3).fit(DOCUMENTS),
    "mixture of documents": lambda: Mixture.from_fitted(
        [CharNGram(3).fit(DOCUMENTS), network(DOCUMENTS, "gru")], BY_PLACE
    ),
}


@pytest.fixture(scope="module", params=MODELS)
def model(request):
    return MODELS[request.param]()


@pytest.fixture(scope="module")
def documents():
    return MODELS["mixture of documents"]()


@pytest.fixture
def few_rows(monkeypatch):
    """Several groups of sessions, and several calls of a network for a piece."""
    monkeypatch.setattr(text_states, "ROWS", 3)
    monkeypatch.setattr(protocol, "READ_ROWS", 3)
    monkeypatch.setattr(protocol, "SCORE_ROWS", 7)
    monkeypatch.setattr(counts_network, "CALL_SYMBOLS", 7)


def start_many(model, texts):
    """Return `model.start_many(texts)`, whose network, if it is packed, reads little in one call."""
    states = model.start_many(texts)
    if isinstance(states._network, PackedNetwork):
        states._network = states._network._replace(limits=CallLimits(symbols=12, streams=3))
    return states


def bits(states):
    """Return all that can be seen of sessions, or of a list of single states."""
    if isinstance(states, TextStates):
        p, seen = states.next_proba(), [state._seen.tolist() for state in states]
        return states.log_prob.tolist(), states.min_log_prob.tolist(), p.tobytes(), seen
    p = [state.next_proba().tobytes() for state in states]
    sums = [state.log_prob for state in states], [state.min_log_prob for state in states]
    return *sums, b"".join(p), [state._seen.tolist() for state in states]


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("feed"), st.lists(st.text(SYMBOLS, max_size=9), min_size=13, max_size=13), st.randoms()),
        st.tuples(st.just("end"), st.none(), st.randoms()),
        st.tuples(st.just("select"), st.none(), st.randoms()),
        st.tuples(st.just("sample"), st.integers(0, 5), st.randoms()),
    ),
    max_size=6,
)


@pytest.mark.usefixtures("few_rows")
@given(primes=st.lists(st.text(SYMBOLS, max_size=4), min_size=1, max_size=8), steps=STEPS)
@settings(max_examples=15)
def test_sessions_are_single_states_to_the_bit(model, primes, steps):
    states, single = start_many(model, primes), [model.start(prime) for prime in primes]
    for name, given_, random in steps:
        which = random.sample(range(len(single)), random.randint(0, len(single)))
        if name == "feed":
            pieces = given_[: len(which)]
            before = [single[i].copy() for i in which]
            log_p = states.feed(pieces, which=which)
            for i, piece, one in zip(which, pieces, before, strict=True):
                single[i].feed(piece)
                one._sums = type(one._sums)()
                assert log_p[which.index(i)] == one.feed(piece).log_prob
        elif name == "end" and model.vocabulary_.boundary is not None:
            states.end(which)
            for i in which:
                single[i].end()
        elif name == "select":
            which = [random.randrange(len(single)) for _ in range(random.randint(1, 8))]
            states, single = states[which], [single[i].copy() for i in which]
        elif name == "sample":
            texts = states.sample(given_, which, random_state=random.randrange(99), repetition_penalty=1.5)
            for i, text in zip(which, texts, strict=True):
                if model.vocabulary_.boundary is None:
                    single[i].feed(text)
                else:
                    single[i] = states[i]  # which may have drawn an end
        assert bits(states) == bits(single)


@pytest.mark.usefixtures("few_rows")
def test_one_seed_gives_each_session_numbers_of_its_own(model):
    primes = ["a", "b", "ab", "c"]
    texts = model.start_many(primes).sample(9, random_state=5)
    for i, prime in enumerate(primes):
        assert texts[i] == model.sample(9, prime=prime, n_samples=4, random_state=5)[i].removeprefix(
            prime if model.vocabulary_.boundary is not None else ""
        )
    assert model.start_many(primes).sample(9, which=[2], random_state=5) == texts[2:3]


def test_copies_and_pickles_go_their_own_ways(model):
    states = model.start_many(["ab", "", "k"])
    states.feed(["c", "abcab", ""])
    before = bits(states)
    for one in (states.copy(), copy.copy(states), copy.deepcopy(states), pickle.loads(pickle.dumps(states))):
        assert bits(one) == before
        one.feed(["d", "d", "abcab"])
        assert bits(states) == before
    assert type(states[1]) is TextState
    states[1].feed("a")
    assert bits(states) == before
    assert bits(states[[-1]]) == bits([states[2]])


def test_a_pickle_has_the_network_once():
    model = network(SYMBOLS, "lstm", hidden_size=50)
    size = len(pickle.dumps(model.start_many([""])))
    assert len(pickle.dumps(model.start_many([""] * 11))) < size + 10 * 4 * 4 * 50 + 10 * 99 + 99


def test_joined_sessions_keep_what_they_have(model):
    first, second = model.start_many(["ab", "c"]), model.start_many(["", "", "k"])
    first.feed(["c", "d"])
    second = pickle.loads(pickle.dumps(second))  # with an equal network of its own
    second.feed(["", "ab", "h"])
    joined = first.join(second).join(model.start_many([]))
    assert bits(joined) == bits([*first, *second])
    joined.feed(["a"] * 5)
    single = [*first, *second]
    assert bits(joined) == bits([state.feed("a") for state in single])


def test_states_of_another_model_are_not_joined(model):
    states = model.start_many([""])
    others = [random_language_model("abc"), random_language_model(SYMBOLS), CharNGram(2).fit(SYMBOLS + "abab")]
    others += [CharNGram(3).fit(SYMBOLS + "ba"), Mixture.from_fitted([others[1], others[1]])]
    for other in others:
        with pytest.raises(InvalidInputError, match=r"^these states belong to another model"):
            states.join(other.start_many([""]))
    with pytest.raises(InvalidInputError, match=r"^other must be TextStates, not TextState"):
        states.join(model.start())


def test_weights_that_changed_are_not_joined():
    model = network(SYMBOLS, "gru")
    states, quantized = model.start_many([""]), model.quantize()
    with model.editing():
        model.params_["by"][0] += 1
    for other in (model, quantized):
        with pytest.raises(InvalidInputError, match="or to the model before it changed"):
            states.join(other.start_many([""]))


@pytest.mark.parametrize(
    ("pieces", "which", "message"),
    [
        (["a", "b"], None, r"^X has 2 texts, but 3 sessions are to read"),
        (["a", "bz", "c"], None, r"^X\[1\] contains 'z'"),
        ("abc", None, r"^X is of type str"),
        (["a", "b"], [2, -1], r"^which has the index 2 more than once"),
        (["a"], [3], r"^which is invalid for 3 sessions: index 3 is out of bounds"),
        (["a"], slice(1), r"^which is invalid for 3 sessions: indices must be whole numbers"),
        (["a"], [[0]], r"^which must be a list of indices"),
        (["a"], [2**64], r"^which is invalid for 3 sessions"),
        (["a"], 2**63, r"^which is invalid for 3 sessions: index 9223372036854775808 is out of bounds"),
        (["a"], np.array([2**64 - 1]), r"^which is invalid for 3 sessions: index 18446744073709551615 is out of"),
    ],
    ids=str,
)
def test_failed_calls_leave_all_sessions_unchanged(documents, pieces, which, message):
    states = documents.start_many(["a", "", "ab"])
    before = bits(states)
    with pytest.raises(InvalidInputError, match=message):
        states.feed(pieces, which)
    assert bits(states) == before


def test_refuses_wrong_indices(documents):
    states = documents.start_many(["a", "b"])
    with pytest.raises(IndexError, match="index 2 is out of bounds"):
        states[2]
    with pytest.raises(IndexError, match="is out of bounds"):
        states[-(2**63)]
    with pytest.raises(IndexError, match="too many indices"):
        states[[[0]]]
    for which in (True, [True, False], slice(1)):
        with pytest.raises(IndexError, match=r"Pass a list such as \[0, 2\], or np.flatnonzero"):
            states[which]


def test_arrays_of_indices_and_no_sessions(documents):
    states, single = documents.start_many(["", "", ""]), [documents.start() for _ in range(3)]
    states.feed(["a", "b"], which=np.flatnonzero([True, False, True]))
    states.feed(("c",), which=(1,))
    states.feed(["b", "a"], which=np.arange(3)[::-2])
    for state, piece in zip(single, ["aa", "c", "bb"], strict=True):
        state.feed(piece)
    assert bits(states) == bits(single)
    assert states.feed([], which=[]).shape == (0,)
    assert documents.start_many([]).next_proba().shape == (0, len(documents.vocabulary_))
    assert documents.start_many([]).sample() == []
    assert bits(states) == bits(single)
    assert (len(states), repr(states)) == (3, "TextStates(3 sessions)")


@pytest.mark.usefixtures("few_rows")
def test_threads_change_no_bit(monkeypatch):
    model = network(SYMBOLS, "lstm")
    expected = {}
    for n_threads in (1, 3):
        monkeypatch.setattr(text_states, "inference_threads", lambda n_threads: n_threads)  # even on one core
        states = start_many(model.set_params(n_threads=n_threads), ["", "ab", "c"] * 7)
        expected[n_threads] = states.feed([SYMBOLS[i % 11 :] for i in range(21)]).tobytes(), bits(states)
    assert expected[1] == expected[3]


class Simple(CountsNetwork):
    """Counts with the protocol's own ways to write streams."""

    put = InferenceNetwork.put


@pytest.mark.parametrize("kind", [CountsNetwork, Simple])
@pytest.mark.usefixtures("few_rows")
def test_ctrl_c_anywhere_leaves_all_sessions_before_or_after_the_call(kind):
    model = MODELS["counts"]()
    states = model.start_many(["a", "", "ab", "c"])
    states._network = kind(states._network.counts)
    pieces = ["abc", "k", "", "ab"]
    after = states.copy()
    after.feed(pieces)
    allowed, current = [bits(states), bits(after)], [states.copy()]
    found = set()

    def wanted(code):
        return code.co_filename in (text_states.__file__, CountsNetwork.put.__code__.co_filename)

    for place in interrupted_everywhere(lambda: current[0].feed(pieces), wanted):
        now = bits(current.pop())
        assert now in allowed, place
        found.add(allowed.index(now))
        current.append(states.copy())
    assert found == {0, 1}
