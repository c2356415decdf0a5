"""The cache of ids: its content, when it is used again, and when it is made anew."""

from __future__ import annotations

import contextlib
import gc
import hashlib
import itertools
import json
import os
import shutil
import struct
import tempfile
import warnings
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crnn.errors import InvalidInputError
from crnn.text.sources import file_sources, id_cache, id_file, stored_ids
from crnn.text.sources.file_reader import FileReader
from crnn.text.sources.file_sources import FileSource, StoredSource
from crnn.text.sources.id_cache import cache_name
from crnn.text.sources.id_file import CheckedBlocks, IdFile, with_checksums
from crnn.text.sources.lines import Lines
from crnn.text.sources.sources import DocumentsSource, MemorySource, text_source
from crnn.text.sources.stored_ids import StoredDocuments, columns, n_documents
from crnn.text.sources.text_file import TextFile
from crnn.text.symbols.vocabulary import Vocabulary

SOME = st.text(st.sampled_from("ab\r\né\N{PILE OF POO}"), min_size=1)
CHECKED_SIZE = 11
KINDS = st.sampled_from(["characters", "bytes"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def book(tmp_path):
    path = tmp_path / "book.txt"
    path.write_text("to be or not to be\nthat is")
    return path


def stored(path, **options):
    return StoredSource(FileReader((str(path),), **options), cache=str(path.parent / "ids"))


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(id_cache, "BLOCK_SIZE", 5)
    monkeypatch.setattr(id_file, "CHECKED_SIZE", CHECKED_SIZE)
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)  # hundreds of caches are written
    monkeypatch.setattr(id_cache, "INDEX_STEP", 3)
    monkeypatch.setattr(file_sources, "INDEX_STEP", 3)
    monkeypatch.setattr(stored_ids, "SCAN", 4)


def paths_with(folder, texts):
    (folder / "ids").mkdir(exist_ok=True)
    paths = [folder / f"{i}.txt" for i in range(len(texts))]
    for path, text in zip(paths, texts, strict=True):
        path.write_bytes(text.encode())
    return [str(path) for path in paths]


@settings(max_examples=30)
@given(texts=st.lists(SOME, min_size=1, max_size=3), kind=KINDS, min_count=st.integers(1, 3))
def test_a_stored_text_is_the_text(folder, texts, kind, min_count):
    paths = paths_with(folder, texts)
    source = StoredSource(FileReader(tuple(paths), kind), cache=str(folder / "ids"))
    text = "".join(texts)
    memory = MemorySource(text if kind == "characters" else text.encode())
    try:
        vocabulary = memory.vocabulary(min_count)
    except InvalidInputError as error:
        with pytest.raises(InvalidInputError, match=str(error)):
            source.vocabulary(min_count)
        return
    assert source.vocabulary(min_count) == vocabulary
    np.testing.assert_array_equal(source.ids(vocabulary).read(), memory.ids(vocabulary))
    assert source.ids(vocabulary).dtype == vocabulary.id_dtype
    for other in (memory.vocabulary(boundary=True), Vocabulary([97], kind, unknown=True, boundary=True)):
        np.testing.assert_array_equal(source.ids(other).read(), memory.ids(other))
    assert source.fingerprint() == memory.fingerprint()
    assert "".join(map(str, source.blocks())) == "".join(map(str, FileSource(FileReader(tuple(paths), kind)).blocks()))


@settings(max_examples=30)
@given(texts=st.lists(SOME, min_size=1, max_size=3), kind=KINDS, data=st.data())
def test_stored_lines_are_the_lines(folder, texts, kind, data):
    paths = paths_with(folder, texts)
    source = StoredSource(FileReader(tuple(paths), kind, lines=True), cache=str(folder / "ids"))
    memory = DocumentsSource(Lines(paths, kind=kind))
    vocabulary = memory.vocabulary()
    assert source.vocabulary() == vocabulary
    ids, n = source.ids(vocabulary), memory.n_documents
    packed = memory.ids(vocabulary)
    np.testing.assert_array_equal(ids.read(), packed)
    assert source.n_documents == n_documents(ids, vocabulary.boundary) == n_documents(packed, vocabulary.boundary) == n
    assert n_documents(ids[:], vocabulary.boundary) == n  # a part, which has no index
    assert source.fingerprint() == memory.fingerprint()
    places = np.flatnonzero(packed == vocabulary.boundary)
    assert [ids.place_of(i) for i in range(n + 1)] == places.tolist()
    cut = data.draw(st.integers(0, n))
    first, rest = ids.split(cut)
    assert (first.n_documents, rest.n_documents) == (cut, n - cut)
    np.testing.assert_array_equal(np.append(first.read(), rest.read()[1:]), packed)
    for part, offset in ((first, 0), (rest, cut)):
        if part.n_documents:
            assert [part.place_of(i) for i in part.numbers] == part.places.tolist()
            assert set(np.diff(part.places, append=len(part) - 1) > 0) == {True}
        assert [part.place_of(i) for i in range(part.n_documents + 1)] == (
            places[offset : offset + part.n_documents + 1] - places[offset]
        ).tolist()


def test_ids_of_two_and_four_bytes(tmp_path):
    for n, size in ((255, 1), (256, 2), (70000, 4)):
        text = "".join(map(chr, [*range(40, 40 + min(n, 50000)), *range(0x10000, 0x10000 + max(0, n - 50000))]))
        (tmp_path / "ids").mkdir(exist_ok=True)
        (tmp_path / f"{n}.txt").write_text(text, encoding="utf-8", newline="")
        source = stored(tmp_path / f"{n}.txt")
        vocabulary = source.vocabulary()
        assert source.ids(vocabulary).slots.dtype.itemsize == size
        np.testing.assert_array_equal(source.ids(vocabulary).read(), np.arange(n))


def test_the_cache_is_used_again(book, monkeypatch):
    (book.parent / "ids").mkdir()
    expected = stored(book).ids(stored(book).vocabulary()).read()
    monkeypatch.setattr(file_sources, "write_cache", lambda *_, **__: pytest.fail("it is there"))
    np.testing.assert_array_equal(stored(book).ids(stored(book).vocabulary()).read(), expected)
    os.utime(book, ns=(5, 5))  # the same content at another time
    np.testing.assert_array_equal(stored(book).ids(stored(book).vocabulary()).read(), expected)


@pytest.mark.parametrize("text", ["to be or not to be\nthat is it", "to be or not to be\nthat sí"])
def test_a_changed_text_is_stored_anew(book, text):
    (book.parent / "ids").mkdir()
    stored(book).vocabulary()
    book.write_text(text)
    os.utime(book, ns=(7, 7))
    source = stored(book)
    np.testing.assert_array_equal(
        source.ids(source.vocabulary()).read(), text_source(text).ids(text_source(text).vocabulary())
    )


def cache_of(book, **options):
    """Write the cache of a text; return its path and what it says: vocabulary, ids, fingerprint."""
    (book.parent / "ids").mkdir()
    said = content(book, **options)
    (cache,) = (book.parent / "ids").iterdir()
    return cache, said


def content(book, **options):
    source = stored(book, **options)
    vocabulary = source.vocabulary(boundary=True)
    ids = source.ids(vocabulary)
    return vocabulary, ids.read().tolist(), source.fingerprint(), ids.places.tolist()


def written_again(book, **options):
    with pytest.warns(UserWarning, match=r"is not a complete cache of ids .*; writing it again") as caught:
        said = content(book, **options)
    assert len(caught) == 1
    assert content(book, **options) == said  # without a warning
    return said


def split(data):
    """Return slots and index, the blocks' checksums and the JSON of a cache."""
    length = struct.unpack("<I", data[-16:-12])[0]
    n = -(-(len(data) - 16 - length) // (CHECKED_SIZE + 4))
    checked = len(data) - 16 - length - 4 * n
    return data[:checked], data[checked : -16 - length], json.loads(data[-16 - length : -16])


def join(blocks, document):
    """Return a cache of these parts, whose checksums are true."""
    parts = [blocks[i : i + CHECKED_SIZE] for i in range(0, len(blocks), CHECKED_SIZE)]
    rest = b"".join(zlib.crc32(part).to_bytes(4, "little") for part in parts)
    text = document if isinstance(document, bytes) else json.dumps(document).encode()
    return blocks + rest + text + struct.pack("<II8s", len(text), zlib.crc32(rest + text), b"crnnids2")


@pytest.mark.parametrize("lines", [True, False])
def test_the_format(book, monkeypatch, lines):
    monkeypatch.undo()
    text = "ab\nb\nc\n" * 3001
    book.write_text(text)
    (book.parent / "ids").mkdir()
    stored(book, lines=lines).vocabulary()
    data = next((book.parent / "ids").iterdir()).read_bytes()
    slots = [3, *map({"a": 0, "b": 1, "c": 2, "\n": 3}.get, text)] if lines else [4, *map("\nabc".index, text), 4]
    boundaries = [i for i, slot in enumerate(slots) if slot == 3 + (not lines)]
    checked = b"crnnids2" + bytes(slots) + bytes(-len(slots) % 8)
    checked += np.array(boundaries[:-1:64], "<i8").tobytes()
    checksums = [zlib.crc32(checked[i : i + 4096]) for i in range(0, len(checked), 4096)]
    rest = np.array(checksums, "<u4").tobytes()
    (length,) = struct.unpack("<I", data[-16:-12])
    assert data[: -16 - length] == checked + rest
    described = json.loads(data[-16 - length : -16])
    assert described == {
        "kind": "characters",
        "lines": lines,
        "errors": "strict",
        "codes": [*([] if lines else [10]), 97, 98, 99],
        "counts": [*([] if lines else [9003]), 3001, 6002, 3001],
        "n_documents": 9003 if lines else 1,
        "sha256": text_source(text.splitlines() if lines else text).fingerprint().sha256,
        "files": [[len(text), book.stat().st_mtime_ns, hashlib.sha256(text.encode()).hexdigest()]],
    }
    assert data[-12:] == struct.pack("<I8s", zlib.crc32(rest + data[-16 - length : -16]), b"crnnids2")


DAMAGES = [
    lambda data: data[:-1],
    lambda data: data[:70],
    lambda data: b"",
    lambda data: data + b"x",
    lambda data: b"crnnids1" + data[8:],
    lambda data: b"PK" + b"x" * 3001,
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_an_incomplete_cache_is_made_anew(book, damage):
    cache, expected = cache_of(book)
    cache.write_bytes(damage(cache.read_bytes()))
    assert written_again(book) == expected


def test_a_flipped_bit_is_noticed_wherever_it_is(book):
    book.write_text("to be\nor not\nto be\n\nthat is\nthe\nquestion")
    cache, expected = cache_of(book, lines=True)
    data = cache.read_bytes()
    blocks, _, _ = split(data)
    for place in range(len(data)):
        cache.write_bytes(data[:place] + bytes([data[place] ^ 1 << place % 8]) + data[place + 1 :])
        if 8 <= place < len(blocks):
            with pytest.raises(InvalidInputError, match=r"is damaged between bytes .* Delete the file and try again"):
                content(book, lines=True)
            cache.unlink()
            assert content(book, lines=True) == expected
        else:
            assert written_again(book, lines=True) == expected


NO_DOCUMENTS = [b"", b"[]", b"{", b"{}", b"null", b"\xff", b"[" * 50_021, b"1" * 5003]
ODD = [None, True, -1, 0, 2**63, 10**30, 1.5, float("nan"), "x", "", [], [None], ["x"], [[]], [-1], {}, {"a": 1}]


@pytest.mark.parametrize("text", NO_DOCUMENTS)
def test_cache_without_its_index_is_rebuilt(book, text):
    cache, expected = cache_of(book)
    cache.write_bytes(join(split(cache.read_bytes())[0], text))
    assert written_again(book) == expected


@pytest.mark.parametrize("lines", [False, True])
def test_odd_json_is_made_anew(book, lines):
    cache, expected = cache_of(book, lines=lines)
    blocks, _, document = split(cache.read_bytes())
    counts, files = document["counts"], document["files"]
    # A cache made from other files, or from lines instead of one text, is rewritten without a warning.
    same, of_other_kind = json.dumps(document), json.dumps(document | {"lines": not lines})
    changes = [document | {"more": 1}, document | {"codes": document["codes"][::-1]}]
    if not lines:
        changes.append(document | {"n_documents": 2, "counts": [counts[0], counts[1] - 1, *counts[2:]]})
        assert counts[0] == 1
    codes = document["codes"]
    changes += [document | {"codes": wrong} for wrong in ([-1, *codes[1:]], [*codes[:-1], 0x110000])]
    changes += [document | {"codes": [*codes[:-2], codes[-1], codes[-1]]}, document | {"counts": [True, *counts[1:]]}]
    changes.append(document | {"counts": [0, counts[0] + counts[1], *counts[2:]]})
    for name, value in document.items():
        changes.append({key: of_key for key, of_key in document.items() if key != name})
        changes += [document | {name: odd} for odd in ODD if name != "sha256" or type(odd) is not str]
        if isinstance(value, list):
            changes += [document | {name: [*value, odd]} for odd in (*ODD, value[-1])]
            changes += [document | {name: value[:-1]}, document | {name: [ODD, *value[1:]]}]
    for changed in changes:
        cache.write_bytes(join(blocks, changed))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            assert content(book, lines=lines) == expected, changed
        others = changed.get("files") in ([], [*files, *files]) or json.dumps(changed) in (same, of_other_kind)
        assert len(caught) == (not others), changed


def test_refuses_invalid_slots(book):
    cache, (vocabulary, *_) = cache_of(book)
    blocks, _, document = split(cache.read_bytes())
    boundary = len(document["codes"])
    for slot in (200, boundary + 1):
        cache.write_bytes(join(blocks[:12] + bytes([slot]) + blocks[13:], document))
        with pytest.raises(InvalidInputError, match=rf"contains {slot}, which is not a valid slot\. Delete the file"):
            stored(book).ids(vocabulary).read()
    cache.write_bytes(join(blocks[:12] + bytes([boundary]) + blocks[13:], document))
    assert vocabulary.boundary in stored(book).ids(vocabulary)[1:-1].read()


@pytest.mark.parametrize("places", [[1, 6], [0, 2], [6, 0], [0, 8], [0, 2**40], [0, -1]])
def test_an_index_of_another_text_is_refused(book, places):
    book.write_text("a\nb\nc\nd\n")
    cache, (vocabulary, *_) = cache_of(book, lines=True)
    blocks, _, document = split(cache.read_bytes())
    assert np.frombuffer(blocks[-16:], "<i8").tolist() == [0, 6]
    cache.write_bytes(join(blocks[:-16] + np.array(places, "<i8").tobytes(), document))
    with pytest.raises(InvalidInputError, match=r"has an index for a different text\. Delete the file"):
        stored(book, lines=True).ids(vocabulary)


def test_the_index_of_empty_lines(book):
    book.write_text("\n" * 7)
    _, (_, ids, _, places) = cache_of(book, lines=True)
    assert (ids, places) == ([0] * 8, [0, 3, 6])


@pytest.mark.parametrize("data", [bytes(range(1, 256)), bytes(range(256)), "a\U0010ffff".encode()])
def test_the_last_codes(book, data):
    book.write_bytes(data)
    (book.parent / "ids").mkdir()
    options = {} if len(data) < 9 else {"kind": "bytes"}
    source = stored(book, **options)
    assert source.ids(source.vocabulary()).read().tolist() == list(range(2 if len(data) < 9 else len(data)))


@given(data=st.binary(min_size=1, max_size=60), part=st.data())
def test_a_part_of_checked_blocks_is_that_of_the_file_or_an_error(folder, data, part):
    checksums = []
    pieces = [data[:7], b"", data[7:]]
    assert b"".join(with_checksums(pieces, checksums)) == data
    assert len(checksums) == -(-len(data) // CHECKED_SIZE)
    start = part.draw(st.integers(0, len(data)))
    stop = part.draw(st.integers(start, len(data)))
    bad = part.draw(st.integers(0, len(data) - 1))
    found = np.zeros(stop - start, np.uint8)
    (folder / "blocks").write_bytes(data)
    blocks = CheckedBlocks(IdFile(str(folder / "blocks")), len(data), np.array(checksums, np.uint32))
    blocks.read_into(found, start)
    assert found.tobytes() == data[start:stop]
    (folder / "blocks").write_bytes(data[:bad] + bytes([data[bad] ^ 64]) + data[bad + 1 :])
    read = start // CHECKED_SIZE <= bad // CHECKED_SIZE < -(-stop // CHECKED_SIZE)
    with pytest.raises(InvalidInputError, match="is damaged between bytes") if read else contextlib.nullcontext():
        blocks.read_into(found, start)


def test_cached_characters_are_not_bytes(book):
    (book.parent / "ids").mkdir()
    with pytest.raises(InvalidInputError, match=r"^X is text, but the symbols of this model are bytes"):
        stored(book).ids(Vocabulary(np.arange(256), "bytes"))


def test_a_file_that_has_become_shorter_is_named(folder, monkeypatch):
    (folder / "short").write_bytes(b"abcde")  # other tests have a folder "ids" there
    file, found = IdFile(str(folder / "short")), np.zeros(3, np.uint8)
    file.read_into(found, 2)
    assert found.tobytes() == b"cde"
    if hasattr(os, "preadv"):
        read = os.preadv
        monkeypatch.setattr(os, "preadv", lambda descriptor, views, offset: read(descriptor, [views[0][:2]], offset))
        file.read_into(found, 1)  # the system may give less than it is asked for
        assert found.tobytes() == b"bcd"
        monkeypatch.delattr(os, "preadv")
        file.read_into(found, 0)
        assert found.tobytes() == b"abc"
    with pytest.raises(InvalidInputError, match="short ends after 5 bytes, because it was changed"):
        file.read_into(found, 3)


def test_a_symbol_that_the_model_lacks_is_named_with_its_position(book):
    (book.parent / "ids").mkdir()
    with pytest.raises(InvalidInputError, match=r"^X contains 'n' \(U\+006E\) at position 9"):
        stored(book).ids(Vocabulary.from_text("to be r\nhais"))


def test_lines_need_a_model_of_documents(book):
    (book.parent / "ids").mkdir()
    with pytest.raises(InvalidInputError, match="has no document ends"):
        stored(book, lines=True).ids(Vocabulary.from_text("to be r\nhaisn"))


def test_a_folder_that_cannot_be_written_is_an_error_if_it_is_named(book):
    with pytest.raises(FileNotFoundError):
        stored(book).vocabulary()  # the folder ids is missing


def test_a_temporary_file_serves_where_the_folder_cannot_be_written(book, monkeypatch, tmp_path):
    monkeypatch.setenv(file_sources.FOLDER_VARIABLE, str(tmp_path / "missing"))
    (tmp_path / "crnn-").mkdir()
    monkeypatch.setattr(tempfile, "mkdtemp", lambda prefix, dir: str(tmp_path / prefix))
    source = StoredSource(FileReader((str(book),)))
    with pytest.warns(UserWarning, match="are kept in a temporary file"):
        assert source.ids(source.vocabulary()).read().shape == (26,)
    assert (tmp_path / "crnn-").exists()
    del source
    assert not (tmp_path / "crnn-").exists()


def test_a_temporary_file_may_be_gone_before_its_source(book, tmp_path):
    (tmp_path / "ids").mkdir()
    source = StoredSource(FileReader((str(book),), lines=True, transform=str.upper), cache=str(tmp_path / "ids"))
    source.vocabulary()
    shutil.rmtree(tmp_path / "ids")
    with warnings.catch_warnings(record=True) as caught:
        del source
        gc.collect()
    assert not caught


@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="the system does not list open files")
def test_a_cache_is_closed_with_its_ids(book):
    def is_open():
        return any(os.path.realpath(f"/proc/self/fd/{n}") == cache for n in os.listdir("/proc/self/fd"))

    cache = os.path.realpath(cache_of(book)[0])
    ids = stored(book).ids(Vocabulary.from_text(book.read_text()))
    assert is_open()
    del ids
    assert not is_open()


def test_a_folder_of_caches_named_by_the_environment(book, monkeypatch, tmp_path):
    (tmp_path / "caches").mkdir()
    monkeypatch.setenv(file_sources.FOLDER_VARIABLE, str(tmp_path / "caches"))
    paths = (str(book),)
    for source in (StoredSource(FileReader(paths)), StoredSource(FileReader(paths, lines=True))):
        source.vocabulary()
    names = {cache_name(paths, lines=lines, beside=False) for lines in (True, False)}
    assert set(os.listdir(tmp_path / "caches")) == names
    monkeypatch.delenv(file_sources.FOLDER_VARIABLE)
    monkeypatch.chdir(tmp_path)
    StoredSource(FileReader(("book.txt",))).vocabulary()
    assert (tmp_path / "book.txt.crnn-ids").exists()


def test_the_ids_of_transformed_lines_are_in_the_folder_for_the_call_alone(book, monkeypatch):
    (book.parent / "ids").mkdir()
    monkeypatch.chdir(book.parent)
    for name, cache, folder in ((str(book), "ids", "ids"), (str(book), None, "."), ("book.txt", None, ".")):
        source = StoredSource(FileReader((name,), lines=True, transform=str.upper), cache=cache)
        assert len(source.vocabulary()) == 12
        (temporary,) = (path for path in os.listdir(folder) if path.startswith("crnn-"))
        del source
        assert temporary not in os.listdir(folder)


def test_a_missing_text_is_an_error(tmp_path):
    (tmp_path / "ids").mkdir()
    for cache in (str(tmp_path / "ids"), None):
        with pytest.raises(FileNotFoundError, match=r"book\.txt'"):
            StoredSource(FileReader((str(tmp_path / "book.txt"),)), cache=cache).vocabulary()


def test_a_text_that_changes_after_it_was_read_is_an_error(book, monkeypatch):
    (book.parent / "ids").mkdir()

    def write(path, reader):
        id_cache.write_cache(path, reader)
        book.write_text("longer than before, and other symbols")

    monkeypatch.setattr(file_sources, "write_cache", write)
    with pytest.raises(InvalidInputError, match=r"book\.txt changed while it was being read\. Try again"):
        stored(book).vocabulary()


def test_a_text_that_changes_while_it_is_read_leaves_no_cache(book, monkeypatch):
    (book.parent / "ids").mkdir()
    other, times = book.parent / "other.txt", itertools.count()
    other.write_text("to be")
    monkeypatch.setattr(id_cache, "_stat", lambda path: (1, next(times) if path == str(other) else 1))
    with pytest.raises(InvalidInputError, match=r"other\.txt changed while it was being read\. Try again"):
        StoredSource(FileReader((str(book), str(other))), cache=str(book.parent / "ids")).vocabulary()
    assert not list((book.parent / "ids").iterdir())


def test_files_without_a_line_are_refused(tmp_path):
    (tmp_path / "ids").mkdir()
    (tmp_path / "empty").touch()
    with pytest.raises(InvalidInputError, match="at least 1 line"):
        stored(tmp_path / "empty", lines=True).vocabulary()
    assert not list((tmp_path / "ids").iterdir())


def test_names_of_caches():
    assert cache_name(["a/b.txt"], lines=True, beside=True) == "b.txt.crnn-lines"
    files = (["a/b"], ["a/b", "c"], ["c/b"])
    names = {cache_name(paths, lines=False, beside=beside) for paths in files for beside in (True, False)}
    assert len(names) == 4  # next to the file, its name is enough


@pytest.mark.parametrize("large", [False, True])
def test_which_source_a_file_gets(book, monkeypatch, large):
    for X, size, small in (
        (book, 26, FileSource),
        (TextFile(book), 26, FileSource),
        ([book, book], 52, FileSource),
        (Lines(book), 27, DocumentsSource),  # with the end of the last line
    ):
        monkeypatch.setattr("crnn.text.sources.sources.IN_MEMORY", size - large)
        assert type(text_source(X)) is (StoredSource if large else small)
    assert type(text_source(TextFile(book, cache=book.parent))) is StoredSource
    assert type(text_source(Lines(book, cache=book.parent))) is StoredSource
    assert text_source([book, book]).max_length == 52


def test_files_of_64_megabytes_are_held(tmp_path):
    for size, kind in ((1 << 26, FileSource), ((1 << 26) + 1, StoredSource)):
        with open(tmp_path / "large", "wb") as file:
            file.truncate(size)
        assert type(text_source(tmp_path / "large")) is kind


def test_several_files_are_one_text(tmp_path):
    for i, text in enumerate(("to be", " or not")):
        (tmp_path / str(i)).write_text(text)
    source = text_source([tmp_path / "0", tmp_path / "1"])
    assert "".join(source.blocks()) == "to be or not"


def test_parts_of_stored_ids(book):
    (book.parent / "ids").mkdir()
    ids = stored(book).ids(stored(book).vocabulary())
    whole = ids.read()
    np.testing.assert_array_equal(ids[3:9][1:-1].read(), whole[4:8])
    np.testing.assert_array_equal(ids[:5].astype(np.int32), whole[:5])
    assert len(ids[7:3]) == 0
    assert (ids.ndim, ids.shape, ids[3:9].shape) == (1, (26,), (6,))
    starts = np.array([1, 11, 4])
    np.testing.assert_array_equal(columns(ids, starts, 3), columns(whole, starts, 3))
    with pytest.raises(InvalidInputError, match="step 2"):
        ids[::2]
    assert not isinstance(ids, StoredDocuments)
