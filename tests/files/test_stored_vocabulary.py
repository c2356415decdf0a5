"""Vocabularies in a file: they come back, and documents that describe none are refused."""

import json

import pytest

from crnn import ModelFileError
from crnn.files.stored_vocabulary import labels_are_sorted, read_vocabulary, vocabulary_json
from crnn.text.vocabulary import Vocabulary

OBJECT = "its vocabulary must be an object with kind and codes, and optionally unknown, boundary and labels"
CODES = "its vocabulary's codes are not a list of integers, or their kind is not a word"
SPECIAL = "its vocabulary has an unknown or boundary entry that is not true"
LABELS = "its vocabulary's labels are not sorted words or numbers, or lack a boundary"


@pytest.mark.parametrize(
    "vocabulary",
    [
        Vocabulary([0, 97, 0x10FFFF]),
        Vocabulary([0, 255], "bytes", unknown=True),
        Vocabulary([], boundary=True),
        Vocabulary([97], boundary=True, unknown=True, labels=["", "a\0b"]),
        Vocabulary([97], boundary=True, labels=[False, True]),
        Vocabulary([97], boundary=True, labels=[-1.5, 2.0]),
    ],
    ids=repr,
)
def test_vocabularies_come_back(vocabulary):
    assert read_vocabulary(vocabulary_json(vocabulary)) == vocabulary


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({}, None),
        ({"labels": [1, 2, 3]}, None),
        ({"labels": []}, None),
        ({"more": 1}, OBJECT),
        ({"kind": None}, CODES),
        ({"kind": 3}, CODES),
        ({"codes": {"97": 98}}, CODES),
        ({"codes": [97, 98.0]}, CODES),
        ({"codes": [True, 98]}, CODES),
        ({"unknown": False}, SPECIAL),
        ({"unknown": 1}, SPECIAL),
        ({"boundary": None}, SPECIAL),
        ({"labels": "ab"}, LABELS),
        ({"labels": {"a": 1}}, LABELS),
        ({"labels": None}, LABELS),
        ({"labels": ["b", "a"]}, LABELS),
        ({"labels": ["a", "a"]}, LABELS),
        ({"labels": ["a", 1]}, LABELS),
        ({"labels": [1, 2.5]}, LABELS),
        ({"labels": [False, 1]}, LABELS),
        ({"labels": [["a"]]}, LABELS),
        ({"labels": [None]}, LABELS),
        ({"kind": "words"}, "its vocabulary is invalid (kind must be "),
        ({"codes": [98, 97]}, "its vocabulary is invalid (codes must be strictly increasing"),
        ({"codes": [97, 0x110000]}, "its vocabulary is invalid ("),
        ({"codes": [97, 10**30]}, "its vocabulary is invalid ("),
    ],
)
def test_faults_of_vocabularies_are_named(change, fault):
    text = json.dumps({"kind": "characters", "codes": [97, 98], "boundary": True} | change)
    if fault is None:
        assert list(read_vocabulary(text).labels) == change.get("labels", [])
        return
    with pytest.raises(ModelFileError) as caught:
        read_vocabulary(text)
    assert str(caught.value).startswith(fault)


@pytest.mark.parametrize(
    ("document", "fault"),
    [
        ([], OBJECT),
        ("kind", OBJECT),
        ({"kind": "bytes"}, OBJECT),
        ({"codes": [97]}, OBJECT),
        ({"kind": "bytes", "codes": [97], "labels": ["a"]}, LABELS),
    ],
)
def test_documents_that_lack_something(document, fault):
    with pytest.raises(ModelFileError) as caught:
        read_vocabulary(json.dumps(document))
    assert str(caught.value) == fault


def test_labels_of_no_kind_are_sorted():
    assert labels_are_sorted([])
    assert not labels_are_sorted([float("nan"), 1.0])
