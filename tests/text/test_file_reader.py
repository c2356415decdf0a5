"""FileReader: texts and lines of files, with what is not UTF-8, gzip files and transforms."""

from __future__ import annotations

import gzip
import os

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from crnn import InvalidInputError
from crnn.text.file_reader import MAGIC, FileReader, utf8_blocks

TEXTS = st.lists(st.text(st.sampled_from("a\r\n€")), max_size=3)
LINES = st.lists(st.sampled_from([b"", b"a", b"b\xff", b"\xe2\x82", "\u20ac".encode(), b"ab" * 9]), max_size=9)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("reader")


def expected(line, errors):
    try:
        return line.decode(errors="replace" if errors == "replace" else "strict")
    except UnicodeDecodeError:
        return None


ERRORS = st.sampled_from(["replace", "skip"])


@given(LINES, st.integers(1, 9), ERRORS, st.booleans(), st.sampled_from([None, str.upper]))
def test_damaged_lines_are_replaced_or_skipped(folder, lines, size, errors, compress, transform):
    data = b"".join(line + b"\r\n" for line in lines)
    path = folder / "lines"
    path.write_bytes(gzip.compress(data) if compress else data)
    reader = FileReader((str(path), str(path)), lines=True, errors=errors, transform=transform)
    decoded = [expected(line, errors) for line in lines] * 2
    decoded = [line if line is None or transform is None else transform(line) for line in decoded]
    assert [line for batch in reader.batches(size) for line in batch] == decoded
    assert "".join(reader.blocks(size)) == "".join(line + "\n" for line in decoded if line is not None)


@given(TEXTS, st.integers(1, 7), st.booleans())
def test_line_ends_of_windows_are_read_as_newlines(folder, texts, size, compress):
    paths = [folder / f"{i}.txt" for i in range(len(texts))]
    for path, text in zip(paths, texts, strict=True):
        path.write_bytes(gzip.compress(text.encode()) if compress else text.encode())
    reader = FileReader(tuple(map(str, paths)))
    blocks = list(reader.blocks(size))
    assert "".join(blocks) == "".join(text.replace("\r\n", "\n") for text in texts)
    assert compress or all(0 < len(block) <= size for block in blocks)


def test_line_ends_between_files_and_before_a_bad_byte(folder):
    paths = folder / "one", folder / "two"
    paths[0].write_bytes(b"to be\r")
    paths[1].write_bytes(b"\nor not\r\n")
    assert list(FileReader(tuple(map(str, paths))).blocks(99)) == ["to be", "\r", "\nor not\n"]
    paths[0].write_bytes(b"to be\r\nor\r\n\xff")
    with pytest.raises(UnicodeDecodeError) as caught:
        list(FileReader((str(paths[0]),)).blocks(3))
    assert caught.value.start == 11


def test_a_text_of_bytes_is_read_unchanged(folder):
    data = gzip.compress(b"to be")
    (folder / "data").write_bytes(b"to\r\nbe\r\n")
    assert b"".join(FileReader((str(folder / "data"),), "bytes").blocks(3)) == b"to\r\nbe\r\n"
    (folder / "data").write_bytes(data)
    paths = (str(folder / "data"),)
    assert b"".join(FileReader(paths, "bytes").blocks(7)) == data
    assert b"".join(FileReader(paths, "bytes", lines=True).blocks(7)) == b"to be\n"
    assert FileReader(paths, "bytes").max_length == len(data)
    assert FileReader(paths).max_length == 5


def test_results_of_a_transform_are_checked(folder):
    (folder / "text").write_text("to\nbe")
    for result in (None, 3, b"a", "a\nb"):
        reader = FileReader((str(folder / "text"),), lines=True, transform=lambda line, result=result: result)
        with pytest.raises(InvalidInputError, match=r"^transform returned .* for the line 'to'. It must return a str"):
            list(reader.batches(9))
    reader = reader._replace(kind="bytes", transform=lambda line: line.decode())
    with pytest.raises(InvalidInputError, match=r"^transform returned 'to' for the line b'to'. It must return a bytes"):
        list(reader.batches(9))


def test_any_bytes_are_lines_of_bytes(folder):
    (folder / "bytes").write_bytes(b"to\nb\xff\n")
    for errors in ("strict", "skip", "replace"):
        reader = FileReader((str(folder / "bytes"),), "bytes", lines=True, errors=errors, transform=bytes.upper)
        assert list(reader.batches(3)) == [[b"TO"], [b"B\xff"]]
        assert b"".join(reader.blocks(3)) == b"TO\nB\xff\n"


def test_the_bound_of_the_length_counts_the_end_of_the_last_line(folder):
    (folder / "text").write_text("to\nbe")
    paths = (str(folder / "text"),) * 2
    assert (FileReader(paths).max_length, FileReader(paths, lines=True).max_length) == (10, 12)


def test_every_file_is_seen_as_it_is(folder):
    names = ("one", "two.gz")
    (folder / "one").write_bytes(b"a\nb\xff")
    (folder / "two.gz").write_bytes(gzip.compress(b"c"))
    seen = dict.fromkeys(names, b"")

    def noting(name):
        def note(data):
            seen[name] += data

        return note

    reader = FileReader(tuple(str(folder / name) for name in names), lines=True, errors="skip")
    assert "".join(reader.blocks(2, [noting(name) for name in names])) == "a\nc\n"
    assert seen == {name: (folder / name).read_bytes() for name in names}


# --- UTF-8 in blocks: the text as it is, and errors that name the place

SIZES = st.integers(1, 7)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """A file that each example of a property writes anew."""
    return tmp_path_factory.mktemp("utf8") / "text.txt"


@pytest.mark.parametrize("size", [1, 2, 3, 1 << 20])
def test_a_byte_order_mark_at_the_start_is_dropped(path, size):
    path.write_bytes("\ufeff\ufeffone\n\ufefftwo".encode())
    assert "".join(utf8_blocks(path, size)) == "\ufeffone\n\ufefftwo"
    path.write_bytes("\ufeffab".encode() + b"\xff")
    assert block_error(path, size).start == 5  # in the file


def test_an_error_names_the_file_and_says_how_to_convert(path):
    for encoding, name in (("utf-16", "UTF-16"), ("cp1252", "CP1252")):
        path.write_bytes("naïve".encode(encoding))
        (note,) = block_error(path, 1 << 20).__notes__
        assert repr(os.fspath(path)) in note
        assert f"iconv -f {name} -t UTF-8" in note


def decode_error(data):
    with pytest.raises(UnicodeDecodeError) as caught:
        data.decode("utf-8")
    return caught.value


def block_error(path, size):
    with pytest.raises(UnicodeDecodeError) as caught:
        list(utf8_blocks(path, size))
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
def test_the_offset_of_a_bad_byte_counts_from_the_start_of_the_file(path, data):
    path.write_bytes(data)
    for size in (1, 2, 3, 5, 11, 1 << 20):
        expected, error = decode_error(data), block_error(path, size)
        assert (error.start, error.end, error.reason) == (expected.start, expected.end, expected.reason)
        assert error.object[error.start : error.end] == data[expected.start : expected.end]
        assert str(error) == str(expected)


@given(head=st.text(), bad=st.binary(min_size=1), size=SIZES)
def test_any_bytes_are_judged_as_if_read_whole(path, head, bad, size):
    data = head.encode() + bad
    assume(not data.startswith(MAGIC))  # a compressed file
    path.write_bytes(data)
    try:
        text = data.decode()
    except UnicodeDecodeError:
        expected, error = decode_error(data), block_error(path, size)
        assert (error.start, error.end) == (expected.start, expected.end)
    else:
        assert "".join(utf8_blocks(path, size)) == text
