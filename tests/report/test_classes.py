"""The table of classes: what is counted, and what of it is shown."""

from pathlib import Path

import numpy as np
import pytest
from examples import classifier_of

from crnn import CharRNN
from crnn.errors import InvalidInputError
from crnn.report import classes
from crnn.report.classes import _groups, class_tables, labeled_texts
from crnn.report.report_file import subject_of


class Fixed:
    """A classifier that takes a text for the class of its first letter, with a probability of its length in tenths."""

    models_ = ({"forward": CharRNN(3, max_steps=0, random_state=0).fit(["ab", "ca"])},)
    classes_ = np.array(["a", "b", "c"])

    def predict_proba(self, texts):
        p = np.zeros((len(texts), 3))
        for row, text in zip(p, texts, strict=True):
            row[:] = (1 - len(text) / 10) / 2
            row["abc".index(text[0])] = len(text) / 10
        return p


TEXTS = ["aaaaa", "aaaaaa", "abbbbbbb", "bbbbb", "bbbbbbbbb"]
LABELS = ["a", "a", "b", "b", "c"]


def tables_of(texts=TEXTS, labels=LABELS):
    return class_tables(Fixed(), labeled_texts(Fixed(), texts, labels))


def test_counts_are_of_true_and_predicted_classes():
    tables = tables_of()
    assert tables["names"] == ["a", "b", "c"]
    assert tables["counts"] == [[2, 0, 0], [1, 1, 0], [0, 1, 0]]
    assert tables["note"] == "The classifier is right for 60.0% of all 5 texts."


def test_the_accuracy_is_among_the_facts():
    classifier = classifier_of(hidden_size=3, max_steps=5, random_state=0).fit(["aa", "ab", "bb", "ba"], list("aabb"))
    facts = dict(subject_of(classifier, ["aa", "bb", "b"], ["a", "b", "b"]).facts)
    right = (classifier.predict(["aa", "bb", "b"]) == ["a", "b", "b"]).mean()
    assert facts["accuracy"] == f"{right:.1%} of all 3 texts"


def test_the_most_confident_come_first():
    tables = tables_of()
    assert tables["cells"]["0,0"] == [{"text": "aaaaaa", "p": 0.6}, {"text": "aaaaa", "p": 0.5}]
    assert tables["mistakes"] == [
        {"text": "bbbbbbbbb", "p": 0.9, "true": "c", "predicted": "b"},
        {"text": "abbbbbbb", "p": 0.8, "true": "b", "predicted": "a"},
    ]


def test_long_texts_and_full_cells_are_shortened():
    texts = ["a" * n for n in range(4, 11)] + ["c" * 250] + ["b" * (i % 7 + 4) for i in range(17)]
    tables = tables_of(texts, ["a"] * 7 + ["a"] + ["c"] * 17)
    assert [row["text"] for row in tables["cells"]["0,0"]] == ["a" * n for n in (10, 9, 8, 7, 6)]
    assert tables["cells"]["0,2"] == [{"text": "c" * 200, "p": 25.0}]
    assert [len(mistake["text"]) for mistake in tables["mistakes"]] == [200, 10, 10, 9, 9, 8, 8, 7, 7, 6, 6, 6, 5, 5, 5]
    assert tables["counts"] == [[7, 0, 1], [0, 0, 0], [0, 17, 0]]
    assert tables["note"] == "The classifier is right for 28.0% of all 25 texts."


def test_rare_classes_share_a_row(monkeypatch):
    for n, last in ((40, "39"), (41, "(others)")):
        names, _ = _groups(np.arange(n), np.arange(n))
        assert (len(names), names[-1]) == (40, last)
    monkeypatch.setattr(classes, "MAX_CLASSES", 2)
    tables = tables_of([*TEXTS, "aaaaaaa"], [*LABELS, "a"])
    assert tables["names"] == ["a", "(others)"]
    assert tables["counts"] == [[3, 0], [1, 2]]
    assert [mistake["true"] for mistake in tables["mistakes"]] == ["(others)", "(others)"]
    assert tables["accuracy"] == 4 / 6  # of the classes themselves


def test_only_the_first_of_many_texts_are_classified(monkeypatch):
    monkeypatch.setattr(classes, "MIN_TEXTS", 2)
    monkeypatch.setattr(classes, "CLASSIFYING_WORK", (2 * 4 + 3) * 3 * 13)  # 13 symbols with their ends
    part = labeled_texts(Fixed(), TEXTS, LABELS)
    assert part.texts == TEXTS[:2]
    assert part.size == "the first 2 texts"
    monkeypatch.undo()
    monkeypatch.setattr(classes, "CLASSIFYING_WORK", 0)
    assert labeled_texts(Fixed(), ["a"] * 1001, ["a"] * 1001).size == "the first 1,000 texts"


def test_refuses_invalid_labels():
    for texts, labels, message in (
        (TEXTS, LABELS[:-1], "4"),
        (TEXTS, [*LABELS[:-1], "x"], "y contains 'x', which the classifier was not fitted with"),
        *((texts, LABELS, "y needs a list of texts") for texts in (None, "abc", b"abc", Path("abc"))),
    ):
        with pytest.raises(InvalidInputError, match=message):
            labeled_texts(Fixed(), texts, labels)


@pytest.fixture(scope="module")
def fitted():
    model = classifier_of(hidden_size=7, max_steps=20, directions="backward", random_state=0)
    return model.fit(["abc", "abd", "xyz"], [3, 3, 5])


def test_the_report_is_about_the_most_frequent_class(fitted):
    subject = subject_of(fitted, ["abc", "xyz", "xyy"], [3, 5, 5])
    assert subject.text == ["zyx", "yyx"]  # as this network reads them
    assert len(subject.history) == len(fitted.history_) > 0
    assert dict(subject.facts)["shown here"] == "the network for texts of '5', written and read in reverse"
    assert subject.model.vocabulary_.labels == ()


def test_report_without_labels_has_no_table(fitted):
    subject = subject_of(fitted, None, None)
    assert subject.classes is None
    assert dict(subject.facts)["shown here"].startswith("the network for texts of '3'")
