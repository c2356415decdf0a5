"""DecompressedFile: the contents of gzip files in any pieces, and other files as they are."""

from __future__ import annotations

import gzip
import io
import os
import threading
import zlib
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crnn.text import file_reader
from crnn.text.file_reader import DecompressedFile, plain_size


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
