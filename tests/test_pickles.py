"""Copies and pickles of public objects: the same bits, in few bytes, and changes to one leave the other as it was."""

from __future__ import annotations

import copy
import io
import math
import pickle
from functools import partial

import pytest
from examples import saved
from texts import NAMES
from texts import SENTENCE as TEXT

from crnn import (
    BOUNDARY,
    UNKNOWN,
    AnomalyDetector,
    CharNGram,
    CharRNN,
    DivergenceError,
    InvalidInputError,
    Lines,
    Mixture,
    ModelFileError,
    NotFittedError,
    TextClassifier,
    TextFile,
)
from crnn.estimator import Estimator
from crnn.inference.text_state import TextState
from crnn.text.vocabulary import Vocabulary

COPIES = {"copy": copy.copy, "deepcopy": copy.deepcopy, "first protocol": partial(pickle.dumps, protocol=0),
          "last protocol": partial(pickle.dumps, protocol=pickle.HIGHEST_PROTOCOL)}  # fmt: skip


def network(X=TEXT, *, labels=None, **given):
    return CharRNN(**{"hidden_size": 5, "seq_length": 5, "max_steps": 7, "random_state": 0} | given).fit(
        X, labels=labels
    )


def counts(X=TEXT):
    return CharNGram(3).fit(X)


def weights_alone():
    return CharRNN.load(io.BytesIO(saved(network(cell="gru"), training_state=False)))


def mixture():
    return Mixture([network(), counts()], weights=[0.3, 0.8])


MODELS = {
    "network": lambda: network(batch_size=2, validation_fraction=0.3),
    "network of documents": lambda: network(NAMES, cell="lstm", num_layers=2, optimizer="adam", dtype="float64"),
    "network with labels": lambda: network(NAMES, labels=["a", "b"] * 3, min_count=2),
    "network of bytes and pairs": lambda: network(TEXT.encode(), n_bigrams=3),
    "weights alone": weights_alone,
    "8-bit weights": lambda: network(cell="gru").quantize(),
    "counts": lambda: counts(NAMES),
    "mixture": mixture,
    "classifier": lambda: TextClassifier(CharRNN(5, max_steps=7, random_state=0)).fit(NAMES, [0, 1] * 3),
    "detector": lambda: AnomalyDetector(counts([*NAMES, "nn"]), contamination=0.2).calibrate(NAMES * 9),
}
STATES = {
    "state": lambda: network(NAMES, cell="lstm").start("an").feed("n"),
    "adaptive state": lambda: network(cell="gru").start("to", adapt=True).feed(TEXT),
    "state of counts": lambda: counts().start("to", adapt=True).feed(TEXT),
    "state of a mixture": lambda: mixture().start("to", adapt={"learning_rate": 1e-3}).feed(TEXT),
}
OTHERS = {
    "vocabulary": lambda: Vocabulary([97, 0xD800, 0x1F600], unknown=True, boundary=True, labels="fm"),
    "vocabulary of bytes": lambda: Vocabulary.from_text(b"\0\xff"),
    "lines": lambda: Lines(["a", "b"], errors="skip"),
    "text file": lambda: TextFile("a"),
    **{
        error.__name__: partial(error, "what is wrong") for error in (InvalidInputError, ModelFileError, NotFittedError)
    },
    **{
        f"divergence {kind}": partial(DivergenceError, 7, 3.5, kind)
        for kind in ("loss", "weights", "ruin", "adaptation")
    },
    "divergence at once": lambda: DivergenceError(0, math.inf),
    "unfitted network": lambda: CharRNN(7, random_state=3, vocabulary=["a", "b"], callbacks=[print]),
    "unfitted counts": lambda: CharNGram(7),
    "unfitted classifier": lambda: TextClassifier(CharRNN(7)),
    "unfitted detector": AnomalyDetector,
}


def bits(thing):
    """Return everything that a copy must have."""
    if isinstance(thing, TextState):
        return thing.log_prob, thing.predict_proba().tobytes(), thing.sample(9, random_state=0), thing.log_prob
    if isinstance(thing, Estimator) and thing.__sklearn_is_fitted__():
        return saved(thing)
    if isinstance(thing, Vocabulary):
        return list(thing), hash(thing), thing.labels, thing.encode(thing.decode([0, 1])).tolist()
    if isinstance(thing, Lines):
        return thing.paths, thing.kind, thing.errors
    return type(thing), str(thing), repr(thing), getattr(thing, "__notes__", None)


def again(thing, copied):
    """Return a copy."""
    made = copied(thing)
    return pickle.loads(made) if isinstance(made, bytes) else made


def learned(model):
    """Return what training changes, without the seconds in the history."""
    if isinstance(model, CharNGram):
        return bits(model)
    return pickle.dumps([model.params_, model.optimizer_state_]), model.n_steps_, model.smooth_loss_


@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
@pytest.mark.parametrize("name", [*MODELS, *STATES, *OTHERS])
def test_copies_have_the_same_bits(name, copied):
    thing = (MODELS | STATES | OTHERS)[name]()
    other = again(thing, copied)
    assert type(other) is type(thing)
    assert bits(other) == bits(thing)


# What a model learns next, if anything.
LEARNED = {
    "network": [TEXT], "network of documents": [NAMES], "network with labels": [NAMES, ["a", "b"] * 3],
    "network of bytes and pairs": [TEXT.encode()], "weights alone": [TEXT], "counts": [NAMES],
}  # fmt: skip


@pytest.mark.parametrize("copied", [copy.deepcopy, pickle.dumps])
@pytest.mark.parametrize("name", LEARNED)
def test_a_model_and_its_copy_learn_alike_and_apart(name, copied):
    model = MODELS[name]()
    before, other = learned(model), again(model, copied)
    X, *labels = LEARNED[name]
    given = {"labels": labels[0]} if labels else {}
    after = learned(other.partial_fit(X, **given))
    assert learned(model) == before != after
    assert learned(model.partial_fit(X, **given)) == after


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickle.dumps])
@pytest.mark.parametrize("name", STATES)
def test_a_state_and_its_copy_read_alike_and_apart(name, copied):
    state = STATES[name]()
    before, other = state.predict_proba().tobytes(), again(state, copied)
    after = bits(other.feed("nab" if name == "state" else "or not"))
    assert state.predict_proba().tobytes() == before
    assert bits(state.feed("nab" if name == "state" else "or not")) == after


@pytest.mark.parametrize("name", MODELS)
def test_a_pickle_takes_little_more_than_the_file(name):
    model = MODELS[name]()
    assert len(pickle.dumps(model)) < len(bits(model)) + 3000 * (1 + 3 * isinstance(model, Mixture | TextClassifier))


def test_states_pickled_together_share_the_weights():
    state = network(hidden_size=50).start("to")
    states = [state, *(state.copy().feed(symbol) for symbol in "be or not")]
    assert len(pickle.dumps(states)) < 1.5 * len(pickle.dumps([state]))


def test_copies_of_sentinels_are_the_same_objects():
    for sentinel in (BOUNDARY, UNKNOWN):
        assert all(again(sentinel, copied) is sentinel for copied in COPIES.values())
