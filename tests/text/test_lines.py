"""Lines of files, without their line ends, as a list read in blocks; and the set of their hashes."""

import gzip
import os
import pickle
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crnn import CharRNN, Lines
from crnn.cli.files import read_documents, read_lines
from crnn.sampling.excluded_texts import HashedTexts
from crnn.text import decoding, file_reader, lines
from crnn.text.sources import text_source

TEXTS = st.text(st.sampled_from("ab\r\né\N{PILE OF POO}"))


def lines_of(data):
    r"""Return the lines of one file, which end with ``\n`` or ``\r\n``; a lone ``\r`` belongs to its line."""
    lines = re.split(rb"\r?\n", data)
    return lines if lines[-1] else lines[:-1]


SIZES = st.integers(1, 7)


@given(st.lists(TEXTS, min_size=1, max_size=3), SIZES, SIZES, st.booleans())
def test_lines_match_the_files(folder, texts, block, step, kind):
    paths = [folder / f"{i}.txt" for i in range(len(texts))]
    expected = []
    for path, text in zip(paths, texts, strict=True):
        path.write_bytes(text.encode())
        expected += lines_of(text.encode())
    kind = "bytes" if kind else "characters"
    expected = expected if kind == "bytes" else [line.decode() for line in expected]
    with pytest.MonkeyPatch.context() as patch:
        for module in (file_reader, lines):
            patch.setattr(module, "BLOCK_SIZE", block)
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


def test_a_file_that_was_changed_is_indexed_anew(folder):
    path = folder / "changed"
    path.write_text("a\nb")
    found = Lines(path)
    before = pickle.dumps(found)
    assert len(found) == 2
    assert pickle.dumps(found) == before  # without the index
    for i in (2, -3):
        with pytest.raises(IndexError, match=f"index {i} is out of range for 2 lines"):
            found[i]
    path.write_text("a\nb\nc")
    assert (len(found), found[2]) == (3, "c")
    path.write_text("ab\ncd")
    os.utime(path, ns=(5, 5))  # another time, and the same size
    assert (len(found), found[1]) == (2, "cd")
    path.write_text("\n" * 5)
    os.utime(path, ns=(5, 5))  # looks unchanged, so it is not read again
    assert len(found) == 2


def test_a_gzip_file_as_large_as_its_contents_is_read_as_a_gzip_file(folder):
    data = b"\n".join(bytes([48 + i % 73]) * (i % 3) for i in range(20))
    while len(gzip.compress(data)) > len(data):
        data += b"\n"
    path = folder / "equal"
    path.write_bytes(gzip.compress(data))
    assert path.stat().st_size == len(data)
    assert Lines(path)[4] == "4"


def test_byte_order_marks_at_the_start_of_files_are_dropped(folder):
    for errors in ("strict", "replace", "skip"):
        for name in ("one", "two"):
            (folder / name).write_bytes("\ufeffa\n\ufeffb\n".encode())
        found = Lines([folder / "one", folder / "two"], errors=errors)
        assert list(found) == found[:] == ["a", "\ufeffb"] * 2
        (folder / "two").write_bytes(b"\xef\xbb\xbf")
        assert len(found) == len(list(found)) == 2
    assert Lines(folder / "one", kind="bytes")[0] == b"\xef\xbb\xbfa"


def test_names_a_line_that_is_not_utf8(folder):
    (folder / "bad").write_bytes(b"a\nb\nc\xff\nd")
    (folder / "good").write_bytes(b"a\nb")
    for before in ([], ["good"], ["good", "good"]):
        with pytest.raises(UnicodeDecodeError) as caught:
            Lines([folder / name for name in [*before, "bad"]])[2 + 2 * len(before)]
        (note,) = caught.value.__notes__
        assert note.startswith(f"in line 3 of the file {str(folder / 'bad')!r}. ")
    with pytest.raises(UnicodeDecodeError) as caught:
        list(Lines(folder / "bad"))
    assert caught.value.start == 5


def test_ends_of_lines():
    for data in (b"", b"\n", b"\r", b"a\r\r\n", b"a\n\r", b"a\r\r", b"a\r"):
        ended = b"".join(decoding.with_newlines([data[i : i + 1] for i in range(len(data))], "bytes", ended=True))
        assert ended == b"".join(line + b"\n" for line in lines_of(data))


@pytest.mark.parametrize("block", [1, 7, 1 << 20])
def test_random_files_have_the_lines_of_a_plain_split(folder, monkeypatch, block):
    for module in (file_reader, lines):
        monkeypatch.setattr(module, "BLOCK_SIZE", block)
    monkeypatch.setattr(lines, "INDEX_STEP", 3)
    rng = np.random.default_rng(block)
    for i in range(500):
        data = bytes(rng.choice([*b"ab\r\n"], rng.integers(13)).tolist())
        path = folder / f"{i}.txt"
        path.write_bytes(gzip.compress(data) if i % 5 == 0 else data)
        found = Lines(path, kind="bytes")
        assert list(found) == [found[k] for k in range(len(found))] == lines_of(data), data
        assert read_documents(str(path), as_bytes=True) == lines_of(data), data
        assert [line for lines in read_lines(str(path), as_bytes=True) for line in lines] == lines_of(data), data


def test_hashes_find_every_line_and_nothing_else(folder, monkeypatch):
    for module in (file_reader, lines):
        monkeypatch.setattr(module, "BLOCK_SIZE", 1009)
    (folder / "names").write_text("".join(f"name{i}\n" for i in range(997)))
    for kind, end in (("characters", "x"), ("bytes", b"x")):
        names = Lines(folder / "names", kind=kind)
        hashed = HashedTexts(names)
        assert len(hashed) == 997
        assert all(name in hashed for name in names)
        assert not any(name + end in hashed for name in names)
        assert end[:0] not in hashed


MIXED = b"to be\nb\xff\n\nor\n"


@pytest.mark.parametrize(("compress", "block"), [(False, 7), (True, 7), (True, 1 << 20)])
def test_damaged_lines_keep_their_places(folder, monkeypatch, compress, block):
    monkeypatch.setattr(lines, "INDEX_STEP", 2)
    for module in (file_reader, lines):
        monkeypatch.setattr(module, "BLOCK_SIZE", block)
    path = folder / "damaged"
    path.write_bytes(gzip.compress(MIXED * 50) if compress else MIXED * 50)
    for errors, damaged in (("skip", None), ("replace", "B\ufffd")):
        found = Lines(path, errors=errors, transform=str.upper)
        expected = ["TO BE", damaged, "", "OR"] * 50
        assert list(found) == [found[i] for i in range(len(found))] == expected
        assert list(pickle.loads(pickle.dumps(found))) == expected
    with pytest.raises(UnicodeDecodeError):
        list(Lines(path))
    with pytest.raises(UnicodeDecodeError) as error:
        Lines(path)[1]
    assert "in line 2 of the file" in error.value.__notes__[0]
    assert list(Lines(path, kind="bytes", transform=bytes.upper))[:2] == [b"TO BE", b"B\xff"]
    assert Lines(path, kind="bytes", transform=bytes.upper)[1] == b"B\xff"
    assert len(HashedTexts(Lines(path, errors="skip"))) == 200


@pytest.mark.parametrize("stored", [False, True])
def test_training_on_damaged_masked_gzip_lines_is_training_on_their_list(folder, monkeypatch, stored):
    monkeypatch.setattr("crnn.text.sources.IN_MEMORY", 3 if stored else 1 << 20)
    path = folder / "masked.gz"
    path.write_bytes(gzip.compress(MIXED * 9))

    def mask(line):
        return line.replace("o", "0000")

    found = Lines(path, errors="skip", transform=mask)
    texts = ["t0000 be", "", "0000r"] * 9
    source, plain = text_source(found), text_source(texts)
    assert source.n_documents == plain.n_documents == 27
    vocabulary = plain.vocabulary()
    assert source.vocabulary() == vocabulary
    ids = source.ids(vocabulary)
    assert ids.tolist() == plain.ids(vocabulary).tolist()
    assert source.max_length >= len(plain.ids(vocabulary))
    assert [*folder.glob("masked.gz.*")] == []  # a transform's ids are kept for the call alone
    model = CharRNN(3, max_steps=5, random_state=0).fit(found)
    scores = model.score_samples(found, reduce="min")
    assert np.isnan(scores[1::4]).all()
    np.testing.assert_array_equal(scores[np.isfinite(scores)], model.score_samples(texts, reduce="min"))
    with pytest.raises(UnicodeDecodeError):
        CharRNN(3, max_steps=5).fit(Lines(path))


def test_cache_of_lines_records_how_errors_were_handled(folder, monkeypatch):
    monkeypatch.setattr("crnn.text.sources.IN_MEMORY", 3)
    monkeypatch.setenv("CRNN_CACHE", str(folder))
    path = folder / "cached"
    path.write_bytes(MIXED * 9)
    for errors, symbols in (("skip", 7), ("replace", 8), ("skip", 7)):
        assert len(text_source(Lines(path, errors=errors)).vocabulary()) == symbols
    assert len(list(folder.glob("cached-*.crnn-lines.json"))) == 1
