"""What every model does: fit, refit, clone, copy, pickle, save, load, and score alike whatever else it is asked."""

import copy
import io
import math
import pickle
from functools import partial

import numpy as np
import pytest
from examples import saved
from model_files import without_times
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
    load_model,
)
from crnn.estimator import Estimator
from crnn.text.vocabulary import Vocabulary
from crnn.text_states.text_state import TextState

COPIES = [copy.copy, copy.deepcopy, partial(pickle.dumps, protocol=0)]  # the last protocol is tried below


def network(X=TEXT, *, labels=None, **given):
    return CharRNN(**{"hidden_size": 5, "seq_length": 5, "max_steps": 7, "random_state": 0} | given).fit(X, y=labels)


def counts(X=TEXT):
    return CharNGram(3).fit(X)


def weights_alone():
    return CharRNN.load(io.BytesIO(saved(network(cell="gru"), training_state=False)))


def mixture():
    return Mixture.from_fitted([network(), counts()], weights=[0.3, 0.8])


def mixture_with_words():
    models = [CharRNN(5, seq_length=5, max_steps=7, random_state=0), CharNGram(3)]
    return Mixture(models, words=True).fit(TEXT, validation=TEXT[:50])


MODELS = {
    "network": lambda: network(batch_size=2, validation_fraction=0.3),
    "network of documents": lambda: network(NAMES, cell="lstm", num_layers=2, optimizer="adam", dtype="float64"),
    "network with labels": lambda: network(NAMES, labels=["a", "b"] * 3, min_count=2),
    "network of bytes and pairs": lambda: network(TEXT.encode(), n_bigrams=3),
    "network with an embedding": lambda: network(cell="gru", optimizer="rmsprop", embedding_size=3, batch_size=3),
    "network in bfloat16": lambda: network(matmul_precision="bfloat16", min_count=2),
    "network of a given vocabulary": lambda: network(["ab", "b"], vocabulary="cab"),
    "weights alone": weights_alone,
    "8-bit weights": lambda: network(cell="gru", embedding_size=7, n_bigrams=11).quantize(),
    "counts": lambda: counts(NAMES),
    "counts of a text": lambda: counts(),
    "counts with labels": lambda: CharNGram(4, min_count=2, max_memory=1e8).fit(NAMES, y=[0.5, 0.25] * 3),
    "mixture": mixture,
    "mixture with words": mixture_with_words,
    "classifier": lambda: TextClassifier(CharRNN(5, max_steps=7, random_state=0), class_weight={0: 2.0}).fit(
        NAMES, [0, 1] * 3
    ),
    "classifier of counts": lambda: TextClassifier(CharNGram(3), directions="backward").fit(NAMES, ["f", "m"] * 3),
    "classifier of several": lambda: TextClassifier(
        [CharNGram(2), CharRNN(5, max_steps=2, min_count=2, random_state=0)], class_weight="balanced"
    ).fit(NAMES * 7, [True, False] * 21),
    "8-bit classifier": lambda: (
        TextClassifier(CharRNN(5, max_steps=7, random_state=0)).fit(NAMES, [0, 1] * 3).quantize()
    ),
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
        return thing.log_prob, thing.next_proba().tobytes(), thing.sample(9, random_state=0), thing.log_prob
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


@pytest.mark.parametrize("name", [*MODELS, *STATES, *OTHERS])
def test_copies_have_the_same_bits(name):
    thing = (MODELS | STATES | OTHERS)[name]()
    for copied in COPIES:
        other = again(thing, copied)
        assert type(other) is type(thing)
        assert bits(other) == bits(thing)
    if name in MODELS:  # a pickle holds the model's file
        assert len(pickle.dumps(thing)) < len(bits(thing)) + 3000 * (
            1 + 3 * isinstance(thing, Mixture | TextClassifier)
        )


@pytest.mark.parametrize("name", MODELS)
def test_the_same_seed_gives_the_same_file_but_for_the_times_in_its_history(name):
    model, other = MODELS[name](), MODELS[name]()
    assert without_times(saved(other)) == without_times(saved(model))
    if isinstance(model, CharRNN):
        assert saved(other, training_state=False) == saved(model, training_state=False)
    elif not isinstance(model, Mixture):  # a mixture's networks have their histories
        assert saved(other) == saved(model)


# What a model learns next, if anything.
LEARNED = {
    "network": [TEXT], "network of documents": [NAMES], "network with labels": [NAMES, ["a", "b"] * 3],
    "network of bytes and pairs": [TEXT.encode()], "weights alone": [TEXT], "counts": [NAMES],
    "network with an embedding": [TEXT], "network in bfloat16": [TEXT], "network of a given vocabulary": [["ab", "cb"]],
    "counts with labels": [NAMES, [0.5, 0.25] * 3],
}  # fmt: skip


@pytest.mark.parametrize("copied", [copy.deepcopy, pickle.dumps])
@pytest.mark.parametrize("name", LEARNED)
def test_a_model_and_its_copy_learn_alike_and_apart(name, copied):
    model = MODELS[name]()
    before, other = learned(model), again(model, copied)
    X, *labels = LEARNED[name]
    given = {"y": labels[0]} if labels else {}
    after = learned(other.partial_fit(X, **given))
    assert learned(model) == before != after
    assert learned(model.partial_fit(X, **given)) == after


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickle.dumps])
@pytest.mark.parametrize("name", STATES)
def test_a_state_and_its_copy_read_alike_and_apart(name, copied):
    state = STATES[name]()
    before, other = state.next_proba().tobytes(), again(state, copied)
    after = bits(other.feed("nab" if name == "state" else "or not"))
    assert state.next_proba().tobytes() == before
    assert bits(state.feed("nab" if name == "state" else "or not")) == after


def test_states_pickled_together_share_the_weights():
    state = network(hidden_size=50).start("to")
    states = [state, *(state.copy().feed(symbol) for symbol in "be or not")]
    assert len(pickle.dumps(states)) < 1.5 * len(pickle.dumps([state]))


def test_copies_of_sentinels_are_the_same_objects():
    for sentinel in (BOUNDARY, UNKNOWN):
        assert all(again(sentinel, copied) is sentinel for copied in COPIES)


# What a model was fitted to, where `fit` gives it again: a clone learns the same.
FITTED = {
    "network": [TEXT], "network of documents": [NAMES], "network with labels": [NAMES, ["a", "b"] * 3],
    "network of bytes and pairs": [TEXT.encode()], "network with an embedding": [TEXT], "network in bfloat16": [TEXT],
    "network of a given vocabulary": [["ab", "b"]], "counts": [NAMES], "counts of a text": [TEXT],
    "counts with labels": [NAMES, [0.5, 0.25] * 3], "classifier": [NAMES, [0, 1] * 3],
    "classifier of counts": [NAMES, ["f", "m"] * 3], "classifier of several": [NAMES * 7, [True, False] * 21],
}  # fmt: skip


@pytest.mark.parametrize("name", FITTED)
def test_fit_and_a_clone_begin_anew(name):
    clone = pytest.importorskip("sklearn.base").clone
    model, (X, *labels) = MODELS[name](), FITTED[name]
    new = clone(model)
    assert repr(new) == repr(model)
    assert not new.__sklearn_is_fitted__()
    given = {} if not labels else {"y": labels[0]}
    seen = learned if isinstance(model, CharRNN | CharNGram) else lambda model: scores(model).tobytes()
    expected = seen(model)
    for each in (new, model):
        assert each.fit(X, **given) is each
        assert seen(each) == expected


def texts_of(model):
    """Return texts that a model can score, one of them empty."""
    vocabulary = (model.estimator_ if isinstance(model, AnomalyDetector) else model).vocabulary_
    letters = "t" in vocabulary or b"t" in vocabulary
    texts = ["to be", "", "or", "e" * 99, "to be", "not"] if letters else ["ab", "", "b" * 99, "ab", "ba"]
    return [text.encode() for text in texts] if vocabulary.kind == "bytes" else texts


def scores(model, texts=None):
    """Return what a model says of each text."""
    texts = texts_of(model) if texts is None else texts
    return model.predict_log_proba(texts) if isinstance(model, TextClassifier) else model.score_samples(texts)


@pytest.mark.parametrize("name", MODELS)
def test_a_score_does_not_depend_on_other_texts_or_threads(name):
    model = MODELS[name]()
    texts, expected = texts_of(model), scores(model)
    np.testing.assert_array_equal(np.concatenate([scores(model, [text]) for text in texts]), expected)
    np.testing.assert_array_equal(scores(model, iter(texts * 20)), np.concatenate([expected] * 20))
    if "n_threads" in model.get_params():
        np.testing.assert_array_equal(
            scores(model.set_params(n_threads=3), texts * 20), np.concatenate([expected] * 20)
        )


@pytest.mark.parametrize("name", MODELS)
def test_a_file_gives_the_model_that_wrote_it(name, tmp_path):
    model, path = MODELS[name](), tmp_path / "model.crnn"
    model.save(path)
    alone = model.estimator_ if isinstance(model, AnomalyDetector) else model
    np.testing.assert_array_equal(scores(load_model(path), texts_of(model)), scores(alone, texts_of(model)))
    for again in (type(model).load(path), *([load_model(path)] if alone is model else [])):
        assert type(again) is type(model)
        assert saved(again) == path.read_bytes()
        np.testing.assert_array_equal(scores(again), scores(model))
        if isinstance(model, CharRNN | CharNGram):
            assert again.get_params() == model.get_params() | {"vocabulary": None}
            assert again.vocabulary_ == model.vocabulary_
    of_detector = (
        r"contains a detector whose model is a CharNGram; load it with AnomalyDetector\.load, or the model alone "
    )
    for other in {CharRNN, CharNGram, Mixture, TextClassifier, AnomalyDetector} - {type(model), type(alone)}:
        message = (
            of_detector + r"with CharNGram\.load$"
            if alone is not model
            else (
                f"contains a {type(model).__name__}; load it with {type(model).__name__}.load"
                r"|contains a model but no detector.*call calibrate"
            )
        )
        with pytest.raises(ModelFileError, match=message):
            other.load(path)


LANGUAGE_MODELS = [name for name in MODELS if not name.startswith(("classifier", "8-bit classifier", "detector"))]


@pytest.mark.parametrize("name", [name for name in LANGUAGE_MODELS if "labels" not in name])
def test_all_ways_to_score_agree(name):
    model = MODELS[name]()
    text = texts_of(model)[0] * 30
    end = {} if model.vocabulary_.boundary is None else {"end": True}
    surprisal = model.surprisal(text, **end)
    assert model.score_samples([text])[0] == pytest.approx(-surprisal.sum(), rel=1e-5)
    assert model.score([text] if end else text) == pytest.approx(-surprisal.mean(), rel=1e-5)
    assert model.bits_per_char(text) == pytest.approx(surprisal.mean() / np.log(2), rel=1e-5)
    words, of_words = model.word_surprisal(text, unit="nats")
    assert words == text.split()
    assert of_words.sum() == pytest.approx(model.surprisal(text).sum(), rel=1e-5)
    assert model.perplexity(text) == pytest.approx(np.exp(surprisal.mean()), rel=1e-5)
    state = model.start().feed(text[:77]).feed(text[77:])
    assert (state.end() if end else state).log_prob == pytest.approx(-surprisal.sum(), rel=1e-5)
    p, ids = model.next_proba([text[:i] for i in range(20)]), model.vocabulary_.encode(text[:20])
    np.testing.assert_allclose(p[np.arange(20), ids], np.exp(-surprisal[:20]), rtol=1e-4)
    np.testing.assert_array_equal(model.rank(text[:20]), 1 + (p > p[np.arange(20), ids][:, None]).sum(axis=1))
    drawn = model.sample(30, prime=text[:3], random_state=3, **({"max_length": 30} if end else {}))
    assert drawn == text[: 3 if end else 0] + type(text)().join(model.stream(30, prime=text[:3], random_state=3))


@pytest.mark.parametrize("labels", [[2, 1], [0.5, 0.25], [True, False], np.array(["b", "a"], object)], ids=str)
@pytest.mark.parametrize(
    "model",
    [CharRNN(5, max_steps=1), CharNGram(2), TextClassifier(CharNGram(2))],
    ids=lambda model: type(model).__name__,
)
def test_labels_keep_their_type(model, labels, tmp_path):
    is_classifier = isinstance(model, TextClassifier)
    model.fit(["ab", "b"], labels).save(tmp_path / "m.crnn")
    found = [each.classes_ if is_classifier else each.labels_ for each in (model, load_model(tmp_path / "m.crnn"))]
    assert found[0].tolist() == found[1].tolist() == sorted(labels)
    assert type(found[1].tolist()[0]) is type(sorted(labels)[0])
