"""Files: their lines, what is not UTF-8, gzip files in any pieces, and transforms."""

import gzip
import io
import os
import threading
import zlib
from types import SimpleNamespace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from crnn import InvalidInputError
from crnn.text import file_reader
from crnn.text.file_reader import GZIP_MAGIC, DecompressedFile, FileReader, plain_size, utf8_blocks

TEXTS = st.lists(st.text(st.sampled_from("a\r\n€")), max_size=3)
LINES = st.lists(st.sampled_from([b"", b"a", b"b\xff", b"\xe2\x82", "\u20ac".encode(), b"ab" * 9]), max_size=9)


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
    assume(not data.startswith(GZIP_MAGIC))  # a compressed file
    path.write_bytes(data)
    try:
        text = data.decode()
    except UnicodeDecodeError:
        expected, error = decode_error(data), block_error(path, size)
        assert (error.start, error.end) == (expected.start, expected.end)
    else:
        assert "".join(utf8_blocks(path, size)) == text


# --- the contents of gzip files in any pieces, and other files as they are


class Trickle:
    """A file that gives at most so many bytes at a time."""

    def __init__(self, data, size):
        self.file, self.size = io.BytesIO(data), size

    def read1(self, size):
        return self.file.read(min(size, self.size))


def pieces(file, size):
    return list(iter(lambda: file.read1(size), b""))


@given(st.lists(st.binary(max_size=90), max_size=3), st.integers(1, 40), st.integers(1, 40), st.integers(0, 5))
def test_members_are_joined_in_any_pieces(members, available, size, zeros):
    data, seen = b"".join(gzip.compress(member) + b"\0" * zeros for member in members), []
    found = pieces(DecompressedFile(Trickle(data, available), "text.gz", seen=seen.append), size)
    assert b"".join(found) == b"".join(members)
    assert all(len(piece) <= size for piece in found)
    assert b"".join(seen) == data


@given(st.binary(max_size=50), st.integers(1, 9), st.integers(1, 9))
def test_other_files_are_read_as_they_are(data, available, size):
    data = b"" if data.startswith(b"\x1f\x8b") else data
    found = pieces(DecompressedFile(Trickle(data, available), "text"), size)
    assert b"".join(found) == data
    assert all(len(piece) <= size for piece in found)


def test_highly_compressed_data_come_in_pieces():
    found = pieces(DecompressedFile(io.BytesIO(gzip.compress(bytes(1_000_000))), "zeros"), 7000)
    assert {len(piece) for piece in found} <= {7000, 1_000_000 % 7000}


def test_damaged_files_are_errors_that_name_the_file():
    data = gzip.compress(b"to be or not to be" * 9)
    for damaged, message in (
        (data[:-1], "end too early"), (data[:9], "end too early"), (data + b"garbage", "damaged"),
        (data[:-6] + b"\xff" + data[-5:], "damaged"), (data[:12] + b"\xff\xff\xff" + data[15:], "damaged"),
    ):  # fmt: skip
        with pytest.raises(OSError, match=message) as error:
            DecompressedFile(io.BytesIO(damaged), "text.gz").read()
        assert error.value.filename == "text.gz"


def test_data_from_a_pipe_are_given_at_once():
    reading, writing = os.pipe()
    with open(reading, "rb") as source, open(writing, "wb", buffering=0) as sink:
        file, member = DecompressedFile(source, "pipe"), gzip.compress(b"first line\n")
        sink.write(member)
        found = []
        thread = threading.Thread(target=lambda: found.append(file.read1(100)), daemon=True)
        thread.start()
        thread.join(20)
        assert found == [b"first line\n"]


def begun_member():
    """Return the start of a gzip member, which holds a whole line."""
    compressor = zlib.compressobj(wbits=31)
    return compressor.compress(b"first line\n") + compressor.flush(zlib.Z_SYNC_FLUSH)


def test_no_more_is_read_than_is_needed():
    for parts, expected in (
        ([b"a", b"b"], b"ab"), ([b"ab"], b"ab"), ([b"\x1f", begun_member()[1:]], b"first line\n"),
    ):  # fmt: skip
        left = iter(parts)
        file = SimpleNamespace(read1=lambda size, left=left: next(left))  # a read that would wait is an error
        assert DecompressedFile(file, "pipe").read1(100) == expected


def test_the_size_of_the_contents(tmp_path, monkeypatch):
    path = tmp_path / "text.gz"
    path.write_bytes(gzip.compress(b"to be" * 100))
    assert plain_size(str(path)) == 500
    assert plain_size(str(path), decompress=False) == path.stat().st_size
    with open(path, "rb") as file:
        assert DecompressedFile(file, "text", decompress=False).read() == path.read_bytes()
    monkeypatch.setattr(file_reader, "DecompressedFile", None)
    assert plain_size(str(path)) == 500  # not read again
    (tmp_path / "text").write_bytes(b"to be")
    assert plain_size(str(tmp_path / "text")) == 5
