import os
import threading
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crnn import AnomalyDetector, CharNGram, Lines
from crnn.errors import InvalidInputError
from crnn.sampling.excluded_texts import HashedTexts
from crnn.text.sources import DocumentsSource, FileSource, MemorySource, documents_of, rereadable, text_source
from crnn.text.vocabulary import Vocabulary

SIZES = st.integers(1, 7)


@given(st.text(st.characters(codec=None)) | st.binary(), SIZES)
def test_a_text_is_cut_in_blocks(text, size):
    for X in (text,) if isinstance(text, str) else (text, bytearray(text), memoryview(text)):
        cut = list(text_source(X).blocks(size))
        assert all(type(block) is type(text) and 0 < len(block) <= size for block in cut)
        assert type(text)().join(cut) == text


def test_an_empty_text_has_no_blocks_and_the_default_block_is_a_mebi_symbol(path):
    path.write_bytes(b"")
    for X in ("", b"", bytearray(), path):
        assert list(text_source(X).blocks()) == []
    assert [len(block) for block in text_source("a" * ((1 << 20) + 1)).blocks()] == [1 << 20, 1]


def test_one_document_or_several(path):
    assert documents_of(iter(["to", "be"])) == ["to", "be"]
    assert documents_of(b"to be") == [b"to be"]
    assert documents_of("") == [""]
    path.write_bytes(b"to\nb\xff\nbe")
    assert documents_of(Lines(path, errors="skip")) == ["to", "be"]


def test_every_kind_of_text_is_encoded(path):
    path.write_bytes(b"hole\r\t")
    characters, data = Vocabulary.from_text("helo\r\t"), Vocabulary.from_text(b"helo\r\t")
    expected = [3, 5, 4, 2, 1, 0]
    for X in ("hole\r\t", path):
        ids = text_source(X).ids(characters)
        assert ids.dtype == np.uint8
        assert ids.tolist() == expected
    for X in (b"hole\r\t", bytearray(b"hole\r\t"), memoryview(b"hole\r\t"), memoryview(b"h-o-l-e-\r-\t-")[::2]):
        assert text_source(X).ids(data).tolist() == expected


def test_refuses_text_files_for_models_of_bytes(path):
    path.write_bytes(b"abc")
    with pytest.raises(InvalidInputError, match=r"^X is text, .* bytes.*read_bytes"):
        text_source(path).ids(Vocabulary.from_text(b"abc"))


def test_documents_are_encoded_with_a_boundary_around_each(path):
    path.write_text("ab\n")
    vocabulary = text_source(["ab", "", "\n"]).vocabulary()
    assert (len(vocabulary), vocabulary.boundary) == (4, 3)
    assert text_source(["ab", "", "\n"]).ids(vocabulary).tolist() == [3, 1, 2, 3, 3, 0, 3]
    for X in ("ab\n", path):  # one text is one document
        assert text_source(X).ids(vocabulary).tolist() == [3, 1, 2, 0, 3]


def test_length_and_kind_are_known(path):
    for X, source, kind, max_length in (
        ("häus", MemorySource, "characters", 4),
        ("", MemorySource, "characters", 0),
        (bytearray(b"house"), MemorySource, "bytes", 5),
        (memoryview(b"house")[::2], MemorySource, "bytes", 3),
        (["to", "", "be"], DocumentsSource, "characters", 8),
        ((text for text in [b"to", b"be"]), DocumentsSource, "bytes", 7),
    ):
        found = text_source(X)
        assert (type(found), found.kind, found.max_length) == (source, kind, max_length)
        assert found.holds_documents == (source is DocumentsSource)
        assert found.n_documents == (len(found.lengths) if source is DocumentsSource else 1)
        assert not max_length or len(found.ids(found.vocabulary())) == max_length
    path.write_bytes(b"\xff" * 7)  # nothing reads it just for its length
    found = text_source(path)
    assert (type(found), found.kind, found.max_length) == (FileSource, "characters", 7)


@contextmanager
def pipe_of(folder, data):
    """Give a pipe to which another thread writes some bytes."""
    if not hasattr(os, "mkfifo"):
        pytest.skip("the system has no named pipes")
    os.mkfifo(pipe := folder / "pipe")
    writer = threading.Thread(target=pipe.write_bytes, args=(data,), daemon=True)
    writer.start()
    yield pipe
    writer.join()


def test_pipes_and_generators_are_read_once_and_serve_twice(tmp_path):
    (tmp_path / "file").write_text(" not")
    with pipe_of(tmp_path, b"or") as pipe:
        found = text_source([pipe, tmp_path / "file"])
    assert "".join(found.blocks()) == "".join(found.blocks()) == "or not"
    pipe.unlink()
    with pipe_of(tmp_path, "häus".encode()) as pipe:
        found = text_source(pipe)
    assert found.vocabulary() == Vocabulary.from_text("häus")
    assert len(found.ids(found.vocabulary())) == found.max_length == 4
    found = text_source(text for text in ["to", "be"])
    assert found.ids(found.vocabulary()).tolist() == found.ids(found.vocabulary()).tolist()


def calibrated_with(lines):
    """Return how many lines have set a threshold."""
    return AnomalyDetector(CharNGram(2).fit(["a", "b"]), contamination=0.5).calibrate(lines).n_calibration_


@pytest.mark.filterwarnings("ignore:no alarm is likely")
@pytest.mark.parametrize(
    ("use", "found"),
    [
        (rereadable, ["a", "b"]),
        (lambda lines: [*text_source(lines).blocks()], ["ab"]),
        (lambda lines: "b" in HashedTexts(lines), True),
        (calibrated_with, 2),
    ],
)
def test_lines_of_a_pipe_are_read_once(tmp_path, use, found):
    with pipe_of(tmp_path, b"a\nb") as pipe:
        assert use(Lines(pipe, cache=tmp_path)) == found
    with pytest.raises(TypeError, match="is a pipe or device, whose lines can be read only once"):
        len(Lines(pipe))


def test_documents_without_a_symbol_have_a_kind():
    for kind, document in (("characters", ""), ("bytes", b"")):
        vocabulary = text_source([document]).vocabulary()
        assert (vocabulary.kind, len(vocabulary), vocabulary.boundary) == (kind, 1, 0)
