"""Documents of untrusted files: parsed if they take little memory, and long lists of codes by NumPy."""

import json

import numpy as np
import pytest

from crnn import ModelFileError
from crnn.files import bounded_json as module
from crnn.files.bounded_json import bounded_json, memory_bound, vocabulary_document, with_codes, without_codes

CODES = list(range(97, 97 + 31))


@pytest.fixture
def little_memory(monkeypatch):
    """Fewer bytes than a list of `CODES` may take, and more than the rest of a document."""
    monkeypatch.setattr(module, "MAX_MEMORY", 1500)
    assert memory_bound(json.dumps(CODES).encode()) > 1500


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b'{"a": 1, "a": 1}', "not readable JSON"),
        (b'[{"b": {"a": 1, "a": 2}}]', "not readable JSON"),
        (b'"\xc3\xa9"', "not readable JSON"),
        (b"[" * 1009, "not readable JSON"),
        (b"[" + b"0," * 31 + b"0]", "larger than any that crnn writes"),
        (b" " * 1501, "larger than any that crnn writes"),
    ],
)
def test_invalid_json_is_refused(little_memory, monkeypatch, text, message):
    if b"[[" in text:
        monkeypatch.setattr(module, "MAX_MEMORY", 10**6)
    with pytest.raises(ModelFileError, match=f"^its example is {message}$"):
        bounded_json(text, "example")


def test_a_document_as_large_as_allowed(monkeypatch):
    text = b'{"a": [1, 2], "b": {}}'
    monkeypatch.setattr(module, "MAX_MEMORY", memory_bound(text))
    assert bounded_json(text, "example") == {"a": [1, 2], "b": {}}
    monkeypatch.setattr(module, "MAX_MEMORY", memory_bound(text) - 1)
    with pytest.raises(ModelFileError, match="larger than any"):
        bounded_json(text, "example")


def test_the_bound_is_above_the_memory_of_any_document():
    for text in (b"[[[]]]", b'{"a": {"b": {}}}', b"[0, 0, 0]"):
        assert memory_bound(text) > 72 * sum(text.count(mark) for mark in (b"[", b"{", b","))


def test_long_codes_are_cut_out_and_put_back(little_memory):
    vocabulary = json.dumps({"kind": "characters", "codes": CODES, "boundary": True})
    header = json.dumps({"__metadata__": {"vocabulary": vocabulary}, "a": [1]}).encode()
    short, codes = without_codes(header)
    assert json.loads(b"[" + codes + b"]") == CODES
    assert json.loads(short)["a"] == [1]
    assert with_codes(json.loads(short)["__metadata__"]["vocabulary"], codes) == vocabulary
    document = vocabulary_document(vocabulary)
    assert isinstance(document["codes"], np.ndarray)
    assert document["codes"].tolist() == CODES
    assert (document["kind"], document["boundary"]) == ("characters", True)


def test_short_codes_stay_where_they_are():
    header = json.dumps({"vocabulary": json.dumps({"codes": CODES})}).encode()
    assert without_codes(header) == (header, b"")
    assert vocabulary_document(json.dumps({"codes": CODES})) == {"codes": CODES}


@pytest.mark.parametrize(
    "document", [[{"codes": CODES}], {"more": {"codes": CODES}, "codes": [1]}, {"more": [{"codes": CODES}]}]
)
def test_codes_elsewhere_are_not_those_of_the_vocabulary(little_memory, document):
    found = vocabulary_document(json.dumps(document))
    assert found == json.loads(json.dumps(document).replace(str(CODES), "[]"))


@pytest.mark.parametrize("codes", ["1.5, " * 31, "12345678, " * 31, '"a", ' * 31])
def test_long_lists_of_anything_else_are_too_large(little_memory, codes):
    with pytest.raises(ModelFileError, match="its vocabulary is larger"):
        vocabulary_document(f'{{"codes": [{codes}1]}}')
