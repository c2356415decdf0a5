"""What a report is about."""

import pytest
from examples import classifier_of, random_language_model

from crnn import CharNGram, CharRNN
from crnn.errors import InvalidInputError
from crnn.report.subject import subject_of


def test_a_model_is_its_own_subject():
    model = CharRNN(3, max_steps=2).fit("abab")
    subject = subject_of(model, "ab", None)
    assert (subject.model, subject.text, subject.classes, list(subject.facts)) == (model, "ab", None, [])
    assert subject.history == model.history_


@pytest.mark.parametrize("n", [20, 21])
def test_many_classes_are_not_all_named(n):
    labels = list(range(n))
    model = classifier_of(hidden_size=3, max_steps=2, random_state=0).fit(["ab"] * n, labels)
    names = ", ".join(map(str, labels[:20])) + (", \u2026" if n > 20 else "")
    facts = dict(subject_of(model, None, None).facts)
    assert facts["classifier"] == f"{n} classes: {names}"
    assert facts["steps"] == f"{model.n_steps_} in total"
    assert facts["shown here"] == "the network for texts of '0'"
    assert "accuracy" not in facts


def test_one_of_two_directions_is_shown():
    model = classifier_of(hidden_size=3, max_steps=5, directions="both", random_state=0).fit(["ab", "ba"], ["x", "y"])
    subject = subject_of(model, ["ab", "bb"], ["y", "y"])
    assert subject.text == ["ab", "bb"]
    assert {record["direction"] for record in model.history_} == {"forward", "backward"}
    assert {record["direction"] for record in subject.history} == {"forward"}
    expected = model.models_["forward"].for_label("y")
    assert subject.model.score("ab") == expected.score("ab")


@pytest.mark.parametrize(
    ("model", "labels", "message"),
    [
        (random_language_model("ab"), ["x"], "labels need a classifier, but model is a CharRNN. Omit labels"),
        (CharNGram(2).fit("ab"), None, "but must be a CharRNN or a CharRNNClassifier"),
    ],
)
def test_refuses_models_without_a_report(model, labels, message):
    with pytest.raises(InvalidInputError, match=message):
        subject_of(model, ["ab"], labels)
