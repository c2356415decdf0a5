"""CharRNN.fit(texts, y): a model that is told the label."""

import itertools
import pickle

import numpy as np
import pytest
from small_models import learned_state

from crnn import CharRNN, InvalidInputError, Lines, TextFile
from crnn.inference.network import Use
from crnn.inference.packed_network import PackedNetwork

TEXTS = ["anna", "bob", "eve", "otto", "", "hannah"] * 5
LABELS = ["f", "m", "f", "m", "x", "f"] * 5


def small(**parameters):
    usual = {"hidden_size": 7, "cell": "gru", "dtype": "float64", "batch_size": 3, "max_steps": 40, "random_state": 0}
    return CharRNN(**{**usual, **parameters})


@pytest.fixture(scope="module")
def model():
    return small().fit(TEXTS, y=LABELS)


@pytest.fixture(scope="module")
def learned():
    """A model that knows the texts of each label."""
    return small(hidden_size=17, max_steps=500, optimizer="adam", learning_rate=0.015).fit(TEXTS, y=LABELS)


def log_p_by_the_whole_network(model, text, label):
    """Return log P(text | label): the softmax over all symbols, divided by the probability of no label."""
    state, vocabulary = learned_state(model), model.vocabulary_
    boundary = vocabulary.boundary
    network = PackedNetwork.pack(state.layout, state.params, use=Use.ONE_TEXT, boundary=boundary)
    h = network.zero_state(1)
    label_id = boundary + 1 + vocabulary.labels.index(label)
    x = np.array([boundary, label_id, *vocabulary.encode(text), boundary], np.int32)
    total = 0.0
    for symbol, following in itertools.pairwise(x):
        network.feed(np.array([[symbol]], np.int32), h)
        p = network.probabilities_after(h)[0]
        if symbol != boundary:
            total += np.log(p[following] / p[: boundary + 1].sum())
    return total


def test_the_probability_given_a_label_is_that_of_the_whole_network(model):
    for text in ("anna", "bo", ""):
        expected = [log_p_by_the_whole_network(model, text, label) for label in "fmx"]
        scores = [model.score_samples([text], y=label)[0] for label in "fmx"]
        np.testing.assert_allclose(scores, expected, rtol=1e-9)


def test_a_labeled_model_learns_the_texts_of_each_label(learned):
    assert set(learned.sample(n_samples=20, label="m", temperature=0.3, random_state=0)) <= {"bob", "otto"}
    assert set(learned.sample(n_samples=20, label="f", temperature=0.3, random_state=0)) <= {"anna", "eve", "hannah"}
    right = learned.score_samples(TEXTS[:4], y=LABELS[:4])
    assert (right > learned.score_samples(TEXTS[:4], y=["m", "f", "m", "f"])).all()
    drawn = learned.sample(n_samples=300, random_state=0)
    assert 0.4 < np.mean([text in ("anna", "eve", "hannah") for text in drawn]) < 0.6  # as frequent as in training
    assert set(learned.sample(n_samples=20, prime="o", temperature=0.2, random_state=0)) == {"otto"}


def test_scores_without_a_label_sum_over_labels():
    model = small(max_steps=0, init_scale=0.4).fit(["ab", "b", "ba"], y=[3, 1, 2])
    marginal = model.score_samples(["ab", "b"])
    # P(label) is what follows the first boundary.
    state, boundary = learned_state(model), model.vocabulary_.boundary
    network = PackedNetwork.pack(state.layout, state.params, use=Use.ONE_STREAM, boundary=boundary)
    prior = network.probabilities_after(network.start())[0, boundary + 1 :]
    prior /= prior.sum()
    given_label = np.exp([model.score_samples(["ab", "b"], y=label) for label in (1, 2, 3)])
    np.testing.assert_allclose(np.exp(marginal), prior @ given_label, rtol=1e-9)
    np.testing.assert_allclose(model.score_samples(["ab", "b"], reduce="mean"), marginal / [3, 2])
    np.testing.assert_allclose(model.score_samples(["ab", "b"], reduce="scaled"), marginal / np.array([3, 2]) ** 0.75)
    assert model.score(["ab", "b"]) == pytest.approx(marginal.sum() / 5)


@pytest.mark.parametrize("bias", [800.0, 1e6])
def test_a_prior_of_labels_that_underflows_is_no_missing_value(bias):
    model = small(max_steps=0).fit(["ab", "ba"] * 3, y=["p", "q"] * 3)
    before = model.score_samples(["ab"], y="p")
    with model.editing():
        model.params_["by"][0] = bias  # of the symbol "a"
    scores = np.array([model.score_samples(["ab"], y=label)[0] for label in "pq"])
    [marginal] = model.score_samples(["ab"])
    assert np.isfinite([marginal, *before]).all()
    assert scores.min() <= marginal <= scores.max()
    assert marginal == pytest.approx(np.logaddexp.reduce(scores) - np.log(2), abs=0.2)
    assert len(model.sample(n_samples=3, random_state=0, max_length=3)) == 3


def test_a_file_is_one_document(model, tmp_path):
    expected = model.score("anna", y="f")
    (tmp_path / "name").write_text("anna")
    assert model.score(tmp_path / "name", y="f") == model.score(["anna"], y="f") == expected
    (tmp_path / "first").write_text("an")
    (tmp_path / "second").write_text("na")
    files = [tmp_path / "first", tmp_path / "second"]
    assert model.score(files, y="f") == model.score(TextFile(files), y="f") == expected
    assert model.score(iter(["anna"]), y="f") == expected
    assert model.score(Lines(tmp_path / "name"), y="f") == expected


def test_the_model_of_one_label_is_a_model_of_documents(model):
    one = model.for_label("m")
    assert one.labels_.tolist() == []
    assert one.vocabulary_.labels == ()
    assert one.score_samples(["bob"]) == model.score_samples(["bob"], y="m")
    assert one.sample(random_state=3) == model.sample(label="m", random_state=3)
    assert "".join(one.stream(9, random_state=3)) == "".join(model.stream(9, label="m", random_state=3))
    before = one.score(["bob"])
    assert one.set_params(max_steps=60).partial_fit(["bob"], epochs=60).score(["bob"]) > before
    assert model.score_samples(["bob"], y="m") < one.score_samples(["bob"])  # its weights are its own


def test_training_continues_with_the_same_labels(model):
    state = pickle.loads(pickle.dumps(model))
    state.partial_fit(["anna!"], y=["f"], extend_vocabulary=True)
    assert state.labels_.tolist() == ["f", "m", "x"]
    assert "!" in state.vocabulary_
    assert state.n_steps_ == model.n_steps_ + 1  # of 7 symbols, label and end included


def test_validation_has_labels_too():
    model = small(eval_every=20).fit(TEXTS, y=LABELS, validation=(["anna"], ["f"]))
    state = learned_state(model)
    network = PackedNetwork.pack(state.layout, state.params, use=Use.ONE_STREAM, boundary=model.vocabulary_.boundary)
    boundary = model.vocabulary_.boundary
    x = np.array([boundary, boundary + 1, *model.vocabulary_.encode("anna"), boundary], np.int32)[:, None]
    expected = -network.log_probabilities(x, network.zero_state(1))[1:].mean()
    best = min(record["validation_loss"] for record in model.history_ if record["validation_loss"] is not None)
    assert best == pytest.approx(expected)


def test_weights_of_documents_and_labels_go_together():
    model = small(max_steps=100, optimizer="adam", learning_rate=0.05)
    model.fit(["a", "b"] * 3, y=[0, 0] * 3, sample_weight=[9, 1] * 3)
    a, b = model.score_samples(["a", "b"], y=0)
    assert a > b + 1


def test_refitting_during_sampling_or_scoring_does_not_matter():
    class Refitted(CharRNN):
        """Another thread fits it after its networks are looked up."""

        def _label_networks(self, what, *use):
            found = super()._label_networks(what, *use)
            self.fit(["xyx", "yx"])
            return found

    usual = CharRNN(5, max_steps=2, random_state=0).fit(TEXTS, y=LABELS)
    for result in (lambda model: model.sample(n_samples=9, random_state=3), lambda model: model.score_samples(TEXTS)):
        model = Refitted(5, max_steps=2, random_state=0).fit(TEXTS, y=LABELS)
        assert [*result(model)] == [*result(usual)]
        assert model.labels_.tolist() == []


def test_an_interrupted_training_is_finished_with_the_same_labels(tmp_path):
    def interrupt(model, record):
        if record["step"] == 20:
            raise KeyboardInterrupt

    path = tmp_path / "run.crnn"
    with pytest.raises(KeyboardInterrupt):
        small(callbacks=[interrupt]).fit(TEXTS, y=LABELS, checkpoint=path, checkpoint_every=10)
    with pytest.raises(InvalidInputError, match="X is not the text of the interrupted run"):
        CharRNN.resume(path, TEXTS, y=["f", *LABELS[:0:-1]])
    with pytest.raises(InvalidInputError, match="y is missing"):
        CharRNN.resume(path, TEXTS)
    resumed = CharRNN.resume(path, TEXTS, y=LABELS)
    whole = small().fit(TEXTS, y=LABELS)
    assert (resumed.score_samples(TEXTS, y=LABELS) == whole.score_samples(TEXTS, y=LABELS)).all()


def test_reductions_and_missing_texts_of_a_model_with_labels():
    model = small().fit(["ab", "ba", "aab"] * 5, y=["x", "y", "x"] * 5)
    texts, labels = ["ab", None, "b"], ["y", "x", "x"]
    scores = model.score_samples(texts, y=labels, reduce="min", errors="skip")
    least = [-model.for_label(label).surprisal(text, end=True).max() for label, text in (("y", "ab"), ("x", "b"))]
    np.testing.assert_array_equal(scores, [least[0], np.nan, least[1]])
    mean = model.score_samples([*texts, "z"], reduce="mean", errors="replace")
    np.testing.assert_allclose(mean[[0, 2]], model.score_samples(["ab", "b"]) / [3, 2])
    assert np.isnan(mean[1])
    assert mean[3] == -np.inf
