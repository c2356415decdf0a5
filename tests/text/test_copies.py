"""The longest passage of each sample that occurs in a text, compared with all substrings."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crnn import InvalidInputError, Lines, longest_copies
from crnn._kernels.inference.copies import CopyFinder

TEXTS = st.text("abcß", max_size=23)


@given(st.lists(TEXTS, max_size=5), st.lists(TEXTS, min_size=1, max_size=4))
def test_the_longest_common_passage_is_found(samples, documents):
    for sample, (length, start, document, text_start) in zip(samples, longest_copies(samples, documents), strict=True):
        passages = [sample[i:j] for i in range(len(sample)) for j in range(i + 1, len(sample) + 1)]
        common = [passage for passage in passages if any(passage in text for text in documents)]
        assert length == max(map(len, common), default=0)
        assert sample[start : start + length] == documents[document][text_start : text_start + length]
        assert not any(sample.find(passage) < start for passage in common if len(passage) == length)


def test_texts_are_read_from_files_in_blocks(tmp_path):
    text = "".join(np.random.default_rng(3).choice([*"abcd "], 200_003))
    path = tmp_path / "text"
    path.write_text(text)
    places = [0, 65_530, 131_070, 199_000]
    samples = [f"!{text[i : i + 57]}!" for i in places]
    found = longest_copies(samples, path)
    assert [copy[:3] for copy in found] == [(57, 1, 0)] * 4
    assert [copy.text_start for copy in found] == places
    path.write_text("to be\nor not\n")
    assert longest_copies(["be\nor", "a not"], Lines(path)) == [(2, 0, 0, 3), (4, 1, 1, 2)]


def test_passages_of_bytes_are_found():
    assert longest_copies([b"or\xff not"], b"to be or not") == [(4, 3, 0, 8)]


@pytest.mark.parametrize(
    ("samples", "text", "message"),
    [
        ("ab", "ab", "^samples is of type str"),
        (["ab", 3], "ab", r"^samples\[1\] must be str or bytes, not int"),
        (["ab"], b"ab", "^samples and text must be all str or all bytes"),
        (["ab"], 3, "^text is of type int"),
    ],
)
def test_refuses_non_texts(samples, text, message):
    with pytest.raises(InvalidInputError, match=message):
        longest_copies(samples, text)


def test_the_automaton_checks_its_arguments():
    with pytest.raises(ValueError, match="codes must be at most"):
        CopyFinder(np.array([0x110001], np.uint32))
    with pytest.raises(ValueError, match="sample 0 is not within"):
        CopyFinder(np.zeros(3, np.uint32)).passages(np.array([1]), np.array([3]))
