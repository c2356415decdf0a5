"""Fingerprint: the same for the same text in any blocks, another for another text."""

from __future__ import annotations

import hashlib

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from crnn.text.id_cache import Hasher, fingerprint
from crnn.text.sources import text_source


@given(st.lists(st.text(), min_size=1), st.data())
def test_documents_have_one_fingerprint_in_any_blocks(documents, data):
    lengths = np.array([len(document) for document in documents])
    text = "".join(documents)
    cut = data.draw(st.integers(0, len(text)))
    first = data.draw(st.integers(0, len(documents)))
    hasher = Hasher("characters", documents=True)
    hasher.lengths(lengths[:first])
    hasher.text(text[:cut])
    hasher.lengths(lengths[first:])
    hasher.text(text[cut:])
    assert hasher.fingerprint() == fingerprint("characters", [text], lengths) == text_source(documents).fingerprint()


def test_another_text_has_another_fingerprint():
    for one, other, difference in (
        ("to be", b"to be", "it has bytes, not characters"),
        ("to be", ["to be"], "it is documents, not one text"),
        (["to be"], "to be", "it is one text, not documents"),
        (["to", "be"], ["t", "obe"], "it has as many characters, but different ones"),
        (["ab"], ["ab", ""], "it has 2 documents, not 1"),
        (["ab"] * 1009, ["ab"], "it has 1 documents, not 1,009"),
        (["ab", "c"], ["ab", ""], "it has 2 characters, not 3"),
        (b"a", b"a" * 1009, "it has 1,009 bytes, not 1"),
        ("ab", "ba", "it has as many characters, but different ones"),
    ):
        one, other = (text_source(text).fingerprint() for text in (one, other))
        assert one != other
        assert one.difference(other) == difference
        assert one.difference(one) is None


def test_a_file_has_the_fingerprint_of_its_text(tmp_path):
    path = tmp_path / "text"
    path.write_bytes("Zoë\n".encode())
    found = text_source(path).fingerprint()
    assert found == text_source("Zoë\n").fingerprint()
    assert (found.symbols, found.sha256) == (4, hashlib.sha256(path.read_bytes()).hexdigest())
