"""Lines: those of files, without their ends, as a list that is not held; and the set of their hashes."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crnn import Lines
from crnn.text.sources import file_blocks, lines
from crnn.text.sources.hashed_texts import HashedTexts

TEXTS = st.text(st.sampled_from("ab\r\né\N{PILE OF POO}"))


def lines_of(data):
    """Return the lines of one file as `crnn train --lines` has always read them."""
    return [line.removesuffix(b"\r") for line in data.removesuffix(b"\n").split(b"\n")] if data else []


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("lines")


SIZES = st.integers(1, 7)


@given(st.lists(TEXTS, min_size=1, max_size=3), SIZES, SIZES, st.booleans())
def test_they_are_the_lines_of_the_files(folder, texts, block, step, kind):
    paths = [folder / f"{i}.txt" for i in range(len(texts))]
    expected = []
    for path, text in zip(paths, texts, strict=True):
        path.write_bytes(text.encode())
        expected += lines_of(text.encode())
    kind = "bytes" if kind else "characters"
    expected = expected if kind == "bytes" else [line.decode() for line in expected]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "BLOCK_SIZE", block)
        patch.setattr(lines, "INDEX_STEP", step)
        found = Lines(paths, kind=kind)
        assert list(found) == expected
        assert [line for batch in found.batches() for line in batch] == expected
        assert len(found) == len(expected)
        assert [found[i] for i in range(len(expected))] == expected
        assert [found[-i - 1] for i in range(len(expected))] == expected[::-1]
        assert found[1:7:2] == expected[1:7:2]
        assert list(pickle.loads(pickle.dumps(found))) == expected
    assert found.max_length >= sum(map(len, expected)) + len(expected)


def test_an_index_beyond_the_lines(folder):
    (folder / "two").write_text("a\nb")
    for i in (2, -3):
        with pytest.raises(IndexError, match=f"index {i} is out of range for 2 lines"):
            Lines(folder / "two")[i]


def test_a_file_that_was_changed_is_indexed_anew(folder):
    path = folder / "changed"
    path.write_text("a\nb")
    found = Lines(path)
    assert len(found) == 2
    path.write_text("a\nb\nc")
    assert (len(found), found[2]) == (3, "c")


def test_a_line_that_is_not_utf8_is_named(folder):
    (folder / "bad").write_bytes(b"a\nb\nc\xff\nd")
    with pytest.raises(UnicodeDecodeError) as caught:
        Lines(folder / "bad")[2]
    assert "in line 3 of the file" in caught.value.__notes__[0]
    with pytest.raises(UnicodeDecodeError) as caught:
        list(Lines(folder / "bad"))
    assert caught.value.start == 5


@pytest.mark.parametrize("data", [b"", b"\n", b"\r", b"a\r\r\n", b"a\n\r"])
def test_ends_of_lines(data):
    ended = b"".join(file_blocks.ended_lines([[data[i : i + 1] for i in range(len(data))]], "bytes"))
    assert ended == b"".join(line + b"\n" for line in lines_of(data))


@pytest.mark.parametrize("kind", ["characters", "bytes"])
def test_hashes_find_every_line_and_nothing_else(folder, kind):
    (folder / "names").write_text("".join(f"name{i}\n" for i in range(997)))
    names = Lines(folder / "names", kind=kind)
    hashed = HashedTexts(names)
    assert len(hashed) == 997
    assert all(name in hashed for name in names)
    others = [f"name{i}x" for i in range(997)] + [""]
    assert not any((other if kind == "characters" else other.encode()) in hashed for other in others)
