"""The longest passage of each sample that occurs in a text, compared with all substrings."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from crnn import Lines, longest_copies
from crnn._kernels.inference.copies import SEPARATOR, CopyFinder

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


def test_passages_of_bytes_are_found_at_their_first_place():
    assert longest_copies([b"or\xff not", b"to"], b"to be or not to") == [(4, 3, 0, 8), (2, 0, 0, 0)]


def test_a_missing_document_keeps_its_number():
    found = longest_copies(["wxyz", "bcd"], [None, "abcd", None, None, "wxyz"])
    assert [copy.document for copy in found] == [4, 1]
    assert [copy.text_start for copy in found] == [0, 1]


def test_more_text_may_be_read_after_passages_were_asked_for():
    text = np.frombuffer(b"abcdef", np.uint8).astype(np.uint32)
    separator = [SEPARATOR]
    samples = np.concatenate([separator, text[:4], separator, text[4:], separator]).astype(np.uint32)
    finder = CopyFinder(samples)
    starts = np.array([1, 6])
    lengths = np.array([4, 2])
    finder.read(text[:2])
    assert finder.passages(starts, lengths).tolist() == [[2, 0, 0, 2], [0, 0, 0, 0]]
    finder.start_document(3)
    finder.read(text[1:])
    assert finder.passages(starts, lengths).tolist() == [[3, 1, 3, 3], [2, 0, 3, 5]]
