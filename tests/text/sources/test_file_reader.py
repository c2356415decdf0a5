"""FileReader: texts and lines of files, with what is not UTF-8, gzip files and transforms."""

from __future__ import annotations

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crnn import InvalidInputError
from crnn.text.sources.file_reader import FileReader

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


def test_a_text_of_bytes_is_never_decompressed(folder):
    data = gzip.compress(b"to be")
    (folder / "data").write_bytes(data)
    paths = (str(folder / "data"),)
    assert b"".join(FileReader(paths, "bytes").blocks(7)) == data
    assert b"".join(FileReader(paths, "bytes", lines=True).blocks(7)) == b"to be\n"
    assert FileReader(paths, "bytes").max_length == len(data)
    assert FileReader(paths).max_length == 5


@pytest.mark.parametrize("result", [None, 3, b"a", "a\nb"])
def test_results_of_a_transform_are_checked(folder, result):
    (folder / "text").write_text("to\nbe")
    reader = FileReader((str(folder / "text"),), lines=True, transform=lambda line: result)
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
