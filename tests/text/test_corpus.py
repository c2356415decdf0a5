import os
import pathlib
import sys
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crnn.errors import InvalidInputError
from crnn.text.corpus import blocks, encode
from crnn.text.vocabulary import Vocabulary

SIZES = st.integers(1, 7)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """A file that each example of a property writes anew."""
    return tmp_path_factory.mktemp("corpus") / "text.txt"


# ---------------------------------------------------------------- blocks


@given(st.text(st.characters(codec=None)), SIZES)
def test_a_str_is_cut_in_blocks(text, size):
    cut = list(blocks(text, block_size=size))
    assert "".join(cut) == text
    assert all(0 < len(block) <= size for block in cut)


@given(st.binary(), SIZES)
def test_bytes_are_cut_in_blocks(data, size):
    for X in (data, bytearray(data), memoryview(data)):
        cut = list(blocks(X, block_size=size))
        assert all(type(block) is bytes for block in cut)
        assert b"".join(cut) == data
        assert all(0 < len(block) <= size for block in cut)


@given(text=st.text(), size=SIZES)
def test_a_file_is_cut_in_blocks(path, text, size):
    path.write_bytes(text.encode())
    cut = list(blocks(path, block_size=size))
    assert "".join(cut) == text
    assert all(0 < len(block) <= size for block in cut)


@pytest.mark.parametrize(
    "text",
    [
        "one\r\ntwo\rthree\nfour\u2028five\x85",
        "\ufeffmarked\ufeff",
        "NUL\0\x1a and on",
        "\U0001f468\u200d\U0001f469\u200d\U0001f467",
        "e\u0301",
        "\r",
    ],
)
@pytest.mark.parametrize("size", [1, 2, 3, 1 << 20])
def test_a_file_is_read_as_it_is(path, text, size):
    path.write_bytes(text.encode())
    assert "".join(blocks(path, block_size=size)) == text
    assert Vocabulary.from_blocks(blocks(path, block_size=size)) == Vocabulary.from_text(text)


def test_an_empty_text_has_no_blocks(path):
    path.write_bytes(b"")
    for X in ("", b"", bytearray(), path):
        assert list(blocks(X)) == []
        with pytest.raises(InvalidInputError, match="the text is empty"):
            Vocabulary.from_blocks(blocks(X))


def test_a_str_is_never_a_file_name(path):
    path.write_text("content")
    assert "".join(blocks(str(path))) == str(path)


def test_any_path_object_names_a_file(path):
    class Named:
        def __init__(self, name):
            self.name = name

        def __fspath__(self):
            return self.name

    path.write_text("content")
    for X in (pathlib.PurePath(path), Named(str(path)), Named(os.fsencode(path))):
        assert list(blocks(X)) == ["content"]


def test_the_default_block_is_a_mebi_symbol():
    assert [len(block) for block in blocks("a" * ((1 << 20) + 1))] == [1 << 20, 1]


def test_a_missing_file_is_reported_as_open_does(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.txt"):
        next(iter(blocks(tmp_path / "nowhere.txt")))


def test_a_directory_is_reported_as_open_does(tmp_path):
    error = PermissionError if sys.platform == "win32" else IsADirectoryError
    with pytest.raises(error, match=tmp_path.name):
        next(iter(blocks(tmp_path)))


@pytest.mark.parametrize("X", [7, 1.5, None, ["a", "b"], ("a",), np.zeros(3, np.uint8), object])
def test_other_types_are_refused_at_once(X):
    # No block is asked for: a wrong argument shall not wait until a loop begins.
    with pytest.raises(InvalidInputError, match=f"^text must be a str .* not {type(X).__name__}$"):
        blocks(X, name="text")
    with pytest.raises(InvalidInputError, match=r"^text must be a str|^text is a list of docu|^text\[0\] must be str"):
        encode(X, Vocabulary.from_text("a"), name="text")


def test_a_memoryview_of_wider_items_is_refused_by_name():
    with pytest.raises(InvalidInputError, match=r"^text is a memoryview of 2-byte items"):
        blocks(memoryview(np.zeros(3, np.int16)), name="text")


@pytest.mark.parametrize("size", [0, -1])
def test_blocks_of_no_symbols_are_refused(size):
    with pytest.raises(InvalidInputError, match=f"block_size must be at least 1, not {size}"):
        blocks("abc", block_size=size)


# ---------------------------------------------------------------- files that are not UTF-8


def decode_error(data):
    with pytest.raises(UnicodeDecodeError) as caught:
        data.decode("utf-8")
    return caught.value


def block_error(path, size):
    with pytest.raises(UnicodeDecodeError) as caught:
        list(blocks(path, block_size=size))
    return caught.value


@pytest.mark.parametrize(
    "data",
    [
        b"\xff",
        b"fine until \xe9 here",
        b"\xe2\x82",  # a character cut off by the end
        b"ab\xe2\x28c",  # a second byte that cannot be one
        b"12345678\xf0\x9f\x98A",
        b"\xed\xa0\x80",  # a surrogate
        b"\xc0\x80",  # NUL, too long
        "é".encode() * 11 + b"\xa9",
        "\U0001f600".encode() * 3 + b"\xf0\x9f",
    ],
)
@pytest.mark.parametrize("size", [1, 2, 3, 5, 11, 1 << 20])
def test_the_offset_of_a_bad_byte_counts_from_the_start_of_the_file(path, data, size):
    path.write_bytes(data)
    expected, error = decode_error(data), block_error(path, size)
    assert (error.start, error.end, error.reason) == (expected.start, expected.end, expected.reason)
    assert error.object[error.start : error.end] == data[expected.start : expected.end]
    assert str(error) == str(expected)


@given(head=st.text(), bad=st.binary(min_size=1), size=SIZES)
def test_any_bytes_are_judged_as_if_read_whole(path, head, bad, size):
    data = head.encode() + bad
    path.write_bytes(data)
    try:
        text = data.decode()
    except UnicodeDecodeError:
        expected, error = decode_error(data), block_error(path, size)
        assert (error.start, error.end) == (expected.start, expected.end)
    else:
        assert "".join(blocks(path, block_size=size)) == text


def test_a_bad_byte_beyond_the_first_block_of_usual_size(path):
    path.write_bytes(b"a" * ((1 << 20) + 17) + b"\xff")
    with pytest.raises(UnicodeDecodeError, match=f"byte 0xff in position {(1 << 20) + 17}"):
        Vocabulary.from_blocks(blocks(path))


def test_a_file_that_is_not_utf8_is_named(path):
    path.write_bytes(b"\xff")
    (note,) = block_error(path, 1 << 20).__notes__
    assert repr(os.fspath(path)) in note
    assert "UTF-8" in note


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_a_pipe_is_read_and_located_in_like_a_file(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(b"abcdefg\xff",), daemon=True)
    writer.start()
    error = block_error(pipe, 3)
    writer.join()
    assert error.start == 7


# ---------------------------------------------------------------- encode


def test_every_kind_of_text_is_encoded(path):
    path.write_bytes(b"hole\r\n")
    characters, data = Vocabulary.from_text("helo\r\n"), Vocabulary.from_text(b"helo\r\n")
    expected = [3, 5, 4, 2, 1, 0]
    for X in ("hole\r\n", path):
        ids = encode(X, characters)
        assert ids.dtype == np.uint8
        assert ids.tolist() == expected
    for X in (b"hole\r\n", bytearray(b"hole\r\n"), memoryview(b"hole\r\n")):
        assert encode(X, data).tolist() == expected


def test_an_unknown_character_of_a_file_has_its_position_in_the_whole_text(path):
    position = (1 << 20) + 3
    path.write_text("é" * position + "?", encoding="utf-8")
    with pytest.raises(InvalidInputError, match=rf"^text holds '\?' \(U\+003F\) at position {position},"):
        encode(path, Vocabulary.from_text("é"), name="text")


def test_a_text_file_is_no_text_for_a_model_of_bytes(path):
    path.write_bytes(b"abc")
    with pytest.raises(InvalidInputError, match=r"^X is text, .* bytes.*read_bytes"):
        encode(path, Vocabulary.from_text(b"abc"))
