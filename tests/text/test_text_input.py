import os
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crnn import AnomalyDetector, CharNGram, Lines
from crnn.errors import InvalidInputError
from crnn.inference.sampling import HashedTexts
from crnn.text.sources import DocumentsSource, FileSource, MemorySource, documents_of, rereadable, text_source
from crnn.text.vocabulary import Vocabulary

SIZES = st.integers(1, 7)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """A file that each example of a property writes anew."""
    return tmp_path_factory.mktemp("sources") / "text.txt"


# ---------------------------------------------------------------- blocks


@given(st.text(st.characters(codec=None)), SIZES)
def test_a_str_is_cut_in_blocks(text, size):
    cut = list(text_source(text).blocks(size))
    assert "".join(cut) == text
    assert all(0 < len(block) <= size for block in cut)


@given(st.binary(), SIZES)
def test_bytes_are_cut_in_blocks(data, size):
    for X in (data, bytearray(data), memoryview(data)):
        cut = list(text_source(X).blocks(size))
        assert all(type(block) is bytes for block in cut)
        assert b"".join(cut) == data
        assert all(0 < len(block) <= size for block in cut)


@given(text=st.text(), size=SIZES)
def test_a_file_is_cut_in_blocks(path, text, size):
    path.write_bytes(text.encode())
    cut = list(text_source(path).blocks(size))
    assert "".join(cut) == text.replace("\r\n", "\n")
    assert all(0 < len(block) <= size for block in cut)


def test_an_empty_text_has_no_blocks(path):
    path.write_bytes(b"")
    for X in ("", b"", bytearray(), path):
        assert list(text_source(X).blocks()) == []


def test_the_default_block_is_a_mebi_symbol():
    assert [len(block) for block in text_source("a" * ((1 << 20) + 1)).blocks()] == [1 << 20, 1]


def test_one_document_or_several(path):
    assert documents_of(iter(["to", "be"])) == ["to", "be"]
    assert documents_of(b"to be") == [b"to be"]
    assert documents_of("") == [""]
    path.write_bytes(b"to\nb\xff\nbe")
    assert documents_of(Lines(path, errors="skip")) == ["to", "be"]


# ---------------------------------------------------------------- ids


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


# ---------------------------------------------------------------- what else is asked


@pytest.mark.parametrize(
    ("X", "source", "kind", "max_length"),
    [
        ("häus", MemorySource, "characters", 4),
        ("", MemorySource, "characters", 0),
        (bytearray(b"house"), MemorySource, "bytes", 5),
        (memoryview(b"house")[::2], MemorySource, "bytes", 3),
        (["to", "", "be"], DocumentsSource, "characters", 8),
        ((text for text in [b"to", b"be"]), DocumentsSource, "bytes", 7),
    ],
)
def test_length_and_kind_are_known(X, source, kind, max_length):
    found = text_source(X)
    assert (type(found), found.kind, found.max_length) == (source, kind, max_length)
    assert found.holds_documents == (source is DocumentsSource)
    assert found.n_documents == (len(found.lengths) if source is DocumentsSource else 1)
    assert len("".join(map(str, found.blocks(1)))) > 0 or max_length == 0
    if max_length:
        assert len(found.ids(found.vocabulary())) == max_length


def test_a_file_is_not_read_for_its_length(path):
    path.write_bytes(b"\xff" * 7)
    found = text_source(path)
    assert (type(found), found.kind, found.max_length) == (FileSource, "characters", 7)


def test_a_generator_of_documents_is_read_once_and_serves_twice():
    found = text_source(text for text in ["to", "be"])
    assert found.ids(found.vocabulary()).tolist() == found.ids(found.vocabulary()).tolist()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_a_pipe_is_read_once_and_serves_twice(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=("häus".encode(),), daemon=True)
    writer.start()
    found = text_source(pipe)
    writer.join()
    assert found.vocabulary() == Vocabulary.from_text("häus")
    assert len(found.ids(found.vocabulary())) == found.max_length == 4


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_a_pipe_among_files_is_read_once(tmp_path):
    pipe, file = tmp_path / "pipe", tmp_path / "file"
    os.mkfifo(pipe)
    file.write_text(" not")
    writer = threading.Thread(target=pipe.write_bytes, args=(b"or",), daemon=True)
    writer.start()
    found = text_source([pipe, file])
    writer.join()
    assert "".join(found.blocks()) == "".join(found.blocks()) == "or not"


def calibrated_with(lines):
    """Return how many lines have set a threshold."""
    return AnomalyDetector(CharNGram(2).fit(["a", "b"]), contamination=0.5).calibrate(lines).n_calibration_


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
@pytest.mark.filterwarnings("ignore:no alarm is likely")
@pytest.mark.parametrize(
    ("use", "found"),
    [
        (list, ["a", "b"]),
        (rereadable, ["a", "b"]),
        (lambda lines: [*text_source(lines).blocks()], ["ab"]),
        (lambda lines: "b" in HashedTexts(lines), True),
        (calibrated_with, 2),
    ],
)
def test_lines_of_a_pipe_are_read_once(tmp_path, use, found):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(b"a\nb",), daemon=True)
    writer.start()
    assert use(Lines(pipe, cache=tmp_path)) == found
    writer.join()
    with pytest.raises(TypeError, match="is a pipe or device, whose lines can be read only once"):
        len(Lines(pipe))


@pytest.mark.parametrize("kind", ["characters", "bytes"])
def test_documents_without_a_symbol_have_a_kind(kind):
    vocabulary = text_source([""] if kind == "characters" else [b""]).vocabulary()
    assert (vocabulary.kind, len(vocabulary), vocabulary.boundary) == (kind, 1, 0)
