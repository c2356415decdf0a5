import copy
import pickle

import numpy as np
import pytest
from examples import spoil
from texts import SENTENCE as TEXT

from crnn import AnomalyDetector, CharRNN, InvalidInputError, ModelFileError, NotFittedError, TextClassifier

LEARNED = ["params_", "optimizer_state_", "state_", "vocabulary_", "history_", "n_steps_", "smooth_loss_"]


class Wider(CharRNN):
    """A subclass with a parameter of its own."""

    extra: int

    def __init__(self, extra=5, *, hidden_size=3):
        super().__init__(hidden_size)
        self.extra = extra


def cloned(model):
    """What scikit-learn's clone does: the class called with the parameters, which must be stored as they are."""
    parameters = {name: copy.deepcopy(value) for name, value in model.get_params(deep=False).items()}
    new = type(model)(**parameters)
    assert all(new.get_params(deep=False)[name] is parameters[name] for name in parameters)
    return new


def test_get_params_refuses_non_bools():
    for deep in (np.array([1, 2]), None, "yes"):
        with pytest.raises(InvalidInputError, match=r"^deep must be True or False"):
            CharRNN().get_params(deep=deep)


def test_unknown_parameter_changes_nothing():
    model = CharRNN(7)
    wanted = r"CharRNN has no parameter 'hidden'. Its parameters are hidden_size.*; did you mean 'hidden_size'\?$"
    with pytest.raises(ValueError, match=wanted):
        model.set_params(seq_length=3, hidden=5)
    assert model.get_params() == CharRNN(7).get_params()
    with pytest.raises(ValueError, match="no parameter 'params_'"):
        model.set_params(params_={})


def test_parameters_survive_training():
    given = {"hidden_size": np.int64(3), "max_steps": 2, "clip": None, "dtype": float, "random_state": 5}
    model = CharRNN(**given).fit(TEXT).partial_fit(TEXT)
    assert all(getattr(model, name) is value for name, value in given.items())


def test_subclass_with_other_parameters():
    assert Wider(7).get_params() == {"extra": 7, "hidden_size": 3}
    assert cloned(Wider(7)).extra == 7
    assert repr(Wider(7)) == "Wider(extra=7)"
    with pytest.raises(TypeError):
        CharRNN(7, 25)  # hidden_size alone is positional


def test_repr_shows_changed_parameters():
    assert repr(CharRNN()) == "CharRNN()"
    assert repr(CharRNN(7, clip=None, epochs=10)) == "CharRNN(hidden_size=7, clip=None)"
    assert repr(CharRNN(7, max_steps=0).fit("ab")) == "CharRNN(hidden_size=7, max_steps=0)"
    several = np.array([len, max])
    assert repr(CharRNN(callbacks=several)) == f"CharRNN(callbacks={several!r})"


def test_failed_fit_leaves_a_model_unfitted():
    model = CharRNN()
    with pytest.raises(ValueError, match="too short"):
        model.fit("a")
    assert not any(hasattr(model, name) for name in LEARNED)
    assert vars(model) == CharRNN().get_params()


def test_unknown_attribute_is_not_reported_as_unfitted():
    for model in (CharRNN(), CharRNN(3, max_steps=0).fit("ab")):
        with pytest.raises(AttributeError, match="'CharRNN' object has no attribute 'weights_'") as caught:
            _ = model.weights_
        assert not isinstance(caught.value, NotFittedError)


def test_misspelled_attributes_are_corrected():
    for name, meant in (
        ("generate", "sample"), ("predict", "next_proba"), ("sampel", "sample"), ("Beam_Search", "beam_search"),
        ("hiddensize", "hidden_size"), ("xyzzy", None), ("encode", "vocabulary_"), ("evaluate", "score"),
        ("log_prob", "score_samples"), ("train", "fit"), ("write", "sample"), ("_sampel", None),
        ("predict_proba", "next_proba"),
    ):  # fmt: skip
        suggested = "" if meant is None else f"; did you mean '{meant}'?"
        with pytest.raises(AttributeError) as caught:
            getattr(CharRNN(), name)
        assert str(caught.value) == f"'CharRNN' object has no attribute '{name}'{suggested}"


def test_a_class_suggests_only_what_it_has():
    for model in (AnomalyDetector(), TextClassifier()):
        with pytest.raises(AttributeError, match=r"no attribute 'generate'$"):
            _ = model.generate


def test_learned_views_cannot_be_replaced():
    model = CharRNN(3, max_steps=0).fit("ab")
    for name in ("params_", "optimizer_state_"):
        with pytest.raises(AttributeError):
            setattr(model, name, {})


class Noted(CharRNN):
    """A subclass with a parameter and an attribute of its own."""

    def __init__(self, hidden_size=5, *, note=None, **others):
        super().__init__(hidden_size, **others)
        self.note = note

    @classmethod
    def _defaults(cls):
        return {**CharRNN._defaults(), "hidden_size": 5, "note": None}


def test_a_fitted_model_is_pickled_as_a_model_file(tmp_path):
    model = CharRNN(30, cell="gru", optimizer="adam", max_steps=7, random_state=0).fit(TEXT * 5)
    path = tmp_path / "model.crnn"
    model.save(path)
    pickled = pickle.dumps(model)
    start = pickled.index(b'{"__metadata__"') - 8
    path.write_bytes(pickled[start:])  # what follows the file in the pickle is too much
    with pytest.raises(ModelFileError, match=r"its tensors have \d+ bytes, but \d+ bytes follow its header"):
        CharRNN.load(path)
    content = model.__getstate__()["_learned"]
    assert content in pickled
    path.write_bytes(content)
    assert CharRNN.load(path).score(TEXT) == model.score(TEXT)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_copy_of_a_subclass_keeps_added_attributes(copied):
    model = Noted(note="mine", max_steps=7, random_state=0).fit(TEXT * 5)
    model.seen = [1, 2]
    new = copied(model)
    assert (type(new), new.note, new.seen) == (Noted, "mine", [1, 2])
    assert new.score(TEXT) == model.score(TEXT)


def test_parameters_and_weights_that_no_file_can_hold_are_pickled_all_the_same():
    others = {"callbacks": [print], "vocabulary": sorted(set(TEXT)), "random_state": np.random.default_rng(3)}
    model = CharRNN(5, max_steps=7, **others)
    model.fit(TEXT * 5).set_params(hidden_size=-1)
    spoil(model, "by", 0, np.nan)
    new = pickle.loads(pickle.dumps(model))
    assert new.callbacks == [print]
    assert new.vocabulary == model.vocabulary
    assert new.hidden_size == -1
    assert new.random_state.integers(2**60) == model.random_state.integers(2**60)
    np.testing.assert_array_equal(new.params_["by"], model.params_["by"])
