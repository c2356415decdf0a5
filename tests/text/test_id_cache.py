"""The cache of ids: its content, when it is used again, when it is written anew; fingerprints of texts."""

import gc
import hashlib
import json
import os
import re
import tempfile
import warnings
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crnn.errors import InvalidInputError
from crnn.text import id_cache, sources
from crnn.text.file_reader import FileReader
from crnn.text.id_cache import FOLDER_VARIABLE, Hasher, cache_name, check, default_folder, fingerprint
from crnn.text.lines import Lines
from crnn.text.sources import DocumentsSource, FileSource, MemorySource, StoredSource, text_source
from crnn.text.text_files import TextFile
from crnn.text.vocabulary import Vocabulary

SOME = st.text(st.sampled_from("ab\r\né\N{PILE OF POO}"), min_size=1)
KINDS = st.sampled_from(["characters", "bytes"])


@pytest.fixture
def book(tmp_path):
    path = tmp_path / "book.txt"
    path.write_text("to be or not to be\nthat is")
    (tmp_path / "ids").mkdir()
    return path


def stored(path, **options):
    return StoredSource(FileReader((str(path),), **options), cache=str(path.parent / "ids"))


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(id_cache, "BLOCK_SIZE", 5)
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)  # hundreds of caches are written


def paths_with(folder, texts):
    (folder / "ids").mkdir(exist_ok=True)
    paths = [folder / f"{i}.txt" for i in range(len(texts))]
    for path, text in zip(paths, texts, strict=True):
        path.write_bytes(text.encode())
    return [str(path) for path in paths]


@settings(max_examples=15)
@given(texts=st.lists(SOME, min_size=1, max_size=3), kind=KINDS, min_count=st.integers(1, 3))
def test_a_stored_text_is_the_text(folder, texts, kind, min_count):
    paths = paths_with(folder, texts)
    source = StoredSource(FileReader(tuple(paths), kind), cache=str(folder / "ids"))
    characters = "".join(text.replace("\r\n", "\n") for text in texts)
    memory = MemorySource(characters if kind == "characters" else "".join(texts).encode())
    try:
        vocabulary = memory.vocabulary(min_count)
    except InvalidInputError as error:
        with pytest.raises(InvalidInputError, match=str(error)):
            source.vocabulary(min_count)
        return
    assert source.vocabulary(min_count) == vocabulary
    for other in (vocabulary, memory.vocabulary(boundary=True), Vocabulary([97], kind, unknown=True, boundary=True)):
        np.testing.assert_array_equal(source.ids(other), memory.ids(other))
        assert source.ids(other).dtype == other.id_dtype
    assert source.fingerprint() == memory.fingerprint()
    assert "".join(map(str, source.blocks())) == "".join(map(str, FileSource(FileReader(tuple(paths), kind)).blocks()))
    assert set(check(str(folder / "ids" / next(iter_json(folder)))).values()) == {True}


def iter_json(folder):
    """Yield the names of the descriptions in a folder of caches, the newest first."""
    found = [path for path in (folder / "ids").iterdir() if path.suffix == ".json"]
    return (path.name for path in sorted(found, key=lambda path: -path.stat().st_mtime_ns))


@settings(max_examples=15)
@given(texts=st.lists(SOME, min_size=1, max_size=3), kind=KINDS)
def test_stored_lines_are_the_lines(folder, texts, kind):
    paths = paths_with(folder, texts)
    source = StoredSource(FileReader(tuple(paths), kind, lines=True), cache=str(folder / "ids"))
    memory = DocumentsSource(Lines(paths, kind=kind))
    vocabulary = memory.vocabulary()
    assert source.vocabulary() == vocabulary
    np.testing.assert_array_equal(source.ids(vocabulary), memory.ids(vocabulary))
    assert source.n_documents == memory.n_documents
    assert source.fingerprint() == memory.fingerprint()


def test_ids_of_two_and_four_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr(id_cache, "BLOCK_SIZE", 5003)
    (tmp_path / "ids").mkdir()
    for n, size in ((0, 1), (256, 1), (257, 2), (70000, 4)):
        text = "".join(map(chr, [*range(40, 40 + min(n, 50000)), *range(0x10000, 0x10000 + max(0, n - 50000))]))
        (tmp_path / f"{n}.txt").write_text(text, encoding="utf-8", newline="")
        source = stored(tmp_path / f"{n}.txt")
        vocabulary = source.vocabulary() if n else Vocabulary.from_text("a")
        assert source.ids(vocabulary).dtype.itemsize == size
        np.testing.assert_array_equal(source.ids(vocabulary), np.arange(n))
    for data, options in ((bytes(range(256)), {"kind": "bytes"}), ("a\U0010ffff".encode(), {})):  # the last codes
        (tmp_path / "last").write_bytes(data)
        source = stored(tmp_path / "last", **options)
        assert source.ids(source.vocabulary()).tolist() == list(range(256 if options else 2))


def test_the_cache_is_used_again(book, monkeypatch):
    expected = stored(book).ids(stored(book).vocabulary())
    monkeypatch.setattr(id_cache, "write_atomically", lambda *_: pytest.fail("it is there"))
    np.testing.assert_array_equal(stored(book).ids(stored(book).vocabulary()), expected)
    os.utime(book, ns=(5, 5))  # the same content at another time
    np.testing.assert_array_equal(stored(book).ids(stored(book).vocabulary()), expected)


@pytest.mark.parametrize("text", ["to be or not to be\nthat is it", "to be or not to be\nthat sí"])
def test_a_changed_text_is_stored_anew(book, text):
    mapped = stored(book).ids(stored(book).vocabulary())
    before, (old,) = mapped.copy(), arrays_of(book)
    book.write_text(text)
    os.utime(book, ns=(7, 7))
    source = stored(book)
    in_memory = text_source(text)
    np.testing.assert_array_equal(source.ids(source.vocabulary()), in_memory.ids(in_memory.vocabulary()))
    np.testing.assert_array_equal(mapped, before)  # what was mapped stays
    (new,) = arrays_of(book)
    assert new != old


def test_each_vocabulary_has_an_array_of_its_own(book):
    for vocabulary in (stored(book).vocabulary(), stored(book).vocabulary(boundary=True), stored(book).vocabulary(2)):
        for _ in range(2):
            stored(book).ids(vocabulary)
    assert len(arrays_of(book)) == 3
    stored(book).ids(Vocabulary.from_text(book.read_text() + "z"))  # the text's symbols have the same ids
    assert len(arrays_of(book)) == 3


def arrays_of(book):
    return sorted(path for path in (book.parent / "ids").iterdir() if path.suffix != ".json")


def written(book, **options):
    """Return the description of a text's cache, and what its source says."""
    said = content(book, **options)
    (description,) = (path for path in (book.parent / "ids").iterdir() if path.suffix == ".json")
    return description, said


def content(book, **options):
    source = stored(book, **options)
    vocabulary = source.vocabulary(boundary=True)
    return vocabulary, source.ids(vocabulary).tolist(), source.fingerprint()


@pytest.mark.parametrize("lines", [True, False])
def test_cache_has_the_documented_format(book, lines):
    text = "ab\nb\nc\n" * 3001
    book.write_text(text)
    description, _ = written(book, lines=lines)
    ids = bytes([3, *map({"a": 0, "b": 1, "c": 2, "\n": 3}.get, text)] if lines else [4, *map("\nabc".index, text), 4])
    (array,) = arrays_of(book)
    assert array.read_bytes() == ids
    suffix = ".crnn-lines" if lines else ".crnn-ids"
    assert description.name == f"{array.name[: -len(suffix) - 17]}{suffix}.json"
    assert json.loads(description.read_text()) == {
        "format": "crnn ids 5",
        "kind": "characters",
        "lines": lines,
        "errors": "strict",
        "codes": [*([] if lines else [10]), 97, 98, 99],
        "counts": [*([] if lines else [9003]), 3001, 6002, 3001],
        "n_documents": 9003 if lines else 1,
        "sha256": text_source(text.splitlines() if lines else text).fingerprint().sha256,
        "files": [[len(text), book.stat().st_mtime_ns, hashlib.sha256(text.encode()).hexdigest()]],
        "arrays": {array.name: [array.stat().st_mtime_ns, zlib.crc32(ids)]},
    }


def test_a_flipped_bit_is_found_by_check(book):
    book.write_text("to be\nor not\nto be\n\nthat is\nthe\nquestion")
    description, _ = written(book, lines=True)
    (array,) = arrays_of(book)
    data = array.read_bytes()
    assert check(str(description)) == {array.name: True}
    for place in range(0, len(data), 3):
        array.write_bytes(data[:place] + bytes([data[place] ^ 1 << place % 8]) + data[place + 1 :])
        assert check(str(description)) == {array.name: False}
    with pytest.raises(InvalidInputError, match=r"book\.txt does not describe a cache of ids"):
        check(str(book))


NO_DOCUMENTS = [b"", b"[]", b"{", b"{}", b"null", b"\xff", b"[" * 50_021, b"1" * 5003]
ODD = [None, True, -1, 2**63, 10**30, 1.5, float("nan"), "x", [None], ["x"], [[]], [-1], {"a": None}]
AGAIN = "does not describe a cache of ids for this version of crnn; writing it again"
DAMAGED = r"ids is damaged: it has changed since it was written; writing it again$"


def test_damaged_files_are_written_again(book, monkeypatch):
    book.write_bytes(b"to be\r\nor not to be\nthat is")
    description, expected = written(book)
    (array,) = arrays_of(book)
    data, old = array.read_bytes(), description.read_bytes()
    for path, content_, message in (
        *((array, wrong, DAMAGED) for wrong in (data[:-1], b"", data + b"x", data[:-1] + b"\xff")),
        *((description, wrong, AGAIN) for wrong in NO_DOCUMENTS),
        (description, old.replace(b"crnn ids 5", b"crnn ids 4"), AGAIN),  # which kept carriage returns
    ):
        path.write_bytes(content_)
        os.utime(path, ns=(5, 5))
        with pytest.warns(UserWarning, match=message) as caught:
            assert content(book) == expected
        assert len(caught) == 1
        assert content(book) == expected  # without a warning
    array.unlink()
    assert content(book) == expected
    os.utime(array, ns=(5, 5))  # it has another time, but is used
    monkeypatch.setattr(id_cache, "write_atomically", lambda *_: pytest.fail("it is there"))
    assert content(book) == expected


@pytest.mark.parametrize("lines", [False, True])
def test_an_odd_description_is_written_again(book, lines):
    description, expected = written(book, lines=lines)
    document = json.loads(description.read_text())
    codes, counts = document["codes"], document["counts"]
    changes = [document | {"codes": codes[::-1]}, document | {"n_documents": 0}, document | {"counts": counts[1:]}]
    changes += [document | {"codes": wrong} for wrong in ([-1, *codes[1:]], [*codes[:-1], 0x110000])]
    changes += [document | {"codes": [*codes[:-2], codes[-1], codes[-1]]}, document | {"counts": [0, *counts[1:]]}]
    for i, name in enumerate(document):
        changes.append({key: of_key for key, of_key in document.items() if key != name})
        changes += [document | {name: odd} for odd in ODD[(i + lines) % 3 :: 3] if (name, odd) != ("sha256", "x")]
    for changed in changes:
        description.write_text(json.dumps(changed))
        of_others = changed.get("lines") == (not lines)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            assert content(book, lines=lines) == expected, changed
        assert len(caught) == (not of_others), changed


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_a_pipe_in_place_of_a_file_is_an_error(book):
    """Opening the pipe to read or to write would wait for another program."""
    description, _ = written(book)
    for path in (*arrays_of(book), description):
        path.unlink()
        os.mkfifo(path)
        message = rf"a pipe or device is in place of a file of the cache; delete it.*{re.escape(path.name)}"
        for call in (lambda: content(book), lambda: check(str(description))):
            with pytest.raises(FileExistsError, match=message):
                call()
        assert path.is_fifo()


def test_unwritable_default_folder_gives_a_temporary_file(book, monkeypatch, tmp_path):
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "missing"))
    (tmp_path / "crnn-").mkdir()
    monkeypatch.setattr(tempfile, "mkdtemp", lambda prefix, dir: str(tmp_path / prefix))
    source = StoredSource(FileReader((str(book),)))
    with pytest.warns(UserWarning, match="are kept in a temporary file") as caught:
        ids = source.ids(source.vocabulary())
    assert len(caught) == 1
    assert ids.shape == (26,)
    del source, ids
    gc.collect()
    assert not (tmp_path / "crnn-").exists()


def test_a_disk_that_fills_up_with_ids_is_replaced_by_a_temporary_file(book, monkeypatch):
    monkeypatch.chdir(book.parent)
    monkeypatch.setenv(FOLDER_VARIABLE, "ids")
    source, write = StoredSource(FileReader(("book.txt",))), id_cache.write_atomically
    vocabulary = source.vocabulary()

    def full(path, data):
        if path.startswith("ids"):
            raise OSError(28, "No space left on device", path)
        write(path, data)

    monkeypatch.setattr(id_cache, "write_atomically", full)
    with pytest.warns(UserWarning, match="No space left on device.*: the ids of book.txt are kept in a temporary file"):
        assert source.ids(vocabulary).shape == (26,)


@pytest.mark.skipif(not os.path.exists("/proc/self/maps"), reason="the system does not list mapped files")
def test_a_cache_is_closed_with_its_ids(book):
    def is_open():
        with open("/proc/self/maps") as maps:
            return str(array) in maps.read()

    ids = stored(book).ids(Vocabulary.from_text(book.read_text()))
    (array,) = arrays_of(book)
    assert is_open()
    del ids
    assert not is_open()


def test_a_folder_of_caches_named_by_the_environment(book, monkeypatch, tmp_path):
    (tmp_path / "caches").mkdir()
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "caches"))
    paths = (str(book),)
    for source in (StoredSource(FileReader(paths)), StoredSource(FileReader(paths, lines=True))):
        source.vocabulary()
    names = {f"{cache_name(paths)}.crnn-{what}.json" for what in ("ids", "lines")}
    assert set(os.listdir(tmp_path / "caches")) == names


@pytest.mark.parametrize(
    ("platform", "variables", "folder"),
    [
        ("linux", {}, "home/.cache/crnn"),
        ("linux", {"XDG_CACHE_HOME": "xdg"}, "xdg/crnn"),
        ("darwin", {"XDG_CACHE_HOME": "xdg"}, "home/Library/Caches/crnn"),
        ("win32", {}, "home/AppData/Local/crnn"),
        ("win32", {"LOCALAPPDATA": "local"}, "local/crnn"),
    ],
)
def test_the_users_folder_for_caches(monkeypatch, tmp_path, platform, variables, folder):
    for name in (FOLDER_VARIABLE, "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, str(tmp_path / value))
    monkeypatch.setattr(id_cache.os.path, "expanduser", lambda path: str(tmp_path / "home"))
    monkeypatch.setattr(id_cache.sys, "platform", platform)
    for _ in range(2):  # it may exist
        assert default_folder() == os.path.join(tmp_path, *folder.split("/"))
        assert (tmp_path / folder).is_dir()


def test_nothing_is_written_next_to_a_text(book, monkeypatch, tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    for name in (FOLDER_VARIABLE, "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(id_cache.os.path, "expanduser", lambda path: str(home))
    monkeypatch.chdir(book.parent)
    before = sorted(os.listdir())
    source = StoredSource(FileReader(("book.txt",)))
    assert source.ids(source.vocabulary()).shape == (26,)
    assert sorted(os.listdir()) == before
    assert len(os.listdir(default_folder())) == 2


def test_a_users_folder_that_cannot_be_made_gives_a_temporary_file(book, monkeypatch, tmp_path):
    monkeypatch.delenv(FOLDER_VARIABLE)
    monkeypatch.setenv("XDG_CACHE_HOME", str(book))
    monkeypatch.setattr(id_cache.sys, "platform", "linux")
    source = StoredSource(FileReader((str(book),)))
    with pytest.warns(UserWarning, match="are kept in a temporary file"):
        assert source.ids(source.vocabulary()).shape == (26,)


def test_the_ids_of_transformed_lines_are_in_the_folder_for_the_call_alone(book, monkeypatch):
    monkeypatch.chdir(book.parent)
    monkeypatch.setenv(FOLDER_VARIABLE, ".")
    for name, cache, folder in ((str(book), "ids", "ids"), (str(book), None, "."), ("book.txt", None, ".")):
        source = StoredSource(FileReader((name,), lines=True, transform=str.upper), cache=cache)
        assert len(source.vocabulary()) == 12
        (temporary,) = (path for path in os.listdir(folder) if path.startswith("crnn-"))
        del source
        assert temporary not in os.listdir(folder)


@pytest.mark.parametrize("written", [0, 1])
def test_a_text_that_changes_while_it_is_read_is_an_error(book, monkeypatch, written):
    """It changes after its description was read, or after its ids were."""
    (book.parent / "other.txt").write_text("to be")
    source = StoredSource(FileReader((str(book), str(book.parent / "other.txt"))), cache=str(book.parent / "ids"))
    if written:
        source.vocabulary()
    read = id_cache._ids if written else id_cache.describe_text

    def changing(reader, *arguments):
        found = read(reader, *arguments)
        yield_from = list(found) if written else found
        (book.parent / "other.txt").write_text("longer than before, and other symbols")
        return yield_from

    monkeypatch.setattr(id_cache, "_ids" if written else "describe_text", changing)
    with pytest.raises(InvalidInputError, match=r"other\.txt changed while it was being read\. Try again"):
        source.ids(Vocabulary.from_text("to be r\nhaisn"))
    assert len(list((book.parent / "ids").iterdir())) == written


def test_refuses_files_without_a_line_and_missing_folders(tmp_path):
    (tmp_path / "empty").touch()
    with pytest.raises(FileNotFoundError):
        stored(tmp_path / "empty").vocabulary()
    (tmp_path / "ids").mkdir()
    with pytest.raises(InvalidInputError, match="at least 1 line"):
        stored(tmp_path / "empty", lines=True).vocabulary()
    assert not list((tmp_path / "ids").iterdir())


def test_names_of_caches():
    names = {cache_name(paths) for paths in (["a/b"], ["a/b", "c"], ["c/b"])}
    assert len(names) == 3
    assert all(name.startswith("b-") for name in names)


@pytest.mark.parametrize("large", [False, True])
def test_files_get_the_source_of_their_size(book, monkeypatch, large):
    assert sources.IN_MEMORY == 1 << 26
    for X, size, small in (
        (book, 26, FileSource),
        (TextFile(book), 26, FileSource),
        ([book, book], 52, FileSource),
        (Lines(book), 27, DocumentsSource),  # with the end of the last line
    ):
        monkeypatch.setattr("crnn.text.sources.IN_MEMORY", size - large)
        assert type(text_source(X)) is (StoredSource if large else small)
    assert type(text_source(TextFile(book, cache=book.parent))) is StoredSource
    assert type(text_source(Lines(book, cache=book.parent))) is StoredSource
    assert text_source([book, book]).max_length == 52


# --- fingerprints


@given(st.lists(st.text(), min_size=1), st.data())
def test_documents_have_one_fingerprint_in_any_blocks(documents, data):
    lengths = np.array([len(document) for document in documents])
    text = "".join(documents)
    cut = data.draw(st.integers(0, len(text)))
    first = data.draw(st.integers(0, len(documents)))
    hasher = Hasher("characters", documents=True)
    hasher.lengths(lengths[:first])
    hasher.text(text[:cut])
    hasher.lengths(lengths[first:])
    hasher.text(text[cut:])
    assert hasher.fingerprint() == fingerprint("characters", [text], lengths) == text_source(documents).fingerprint()


def test_another_text_has_another_fingerprint():
    for one, other, difference in (
        ("to be", b"to be", "it has bytes, not characters"),
        ("to be", ["to be"], "it is documents, not one text"),
        (["to be"], "to be", "it is one text, not documents"),
        (["to", "be"], ["t", "obe"], "it has as many characters, but different ones"),
        (["ab"], ["ab", ""], "it has 2 documents, not 1"),
        (["ab"] * 1009, ["ab"], "it has 1 documents, not 1,009"),
        (["ab", "c"], ["ab", ""], "it has 2 characters, not 3"),
        (b"a", b"a" * 1009, "it has 1,009 bytes, not 1"),
        ("ab", "ba", "it has as many characters, but different ones"),
    ):
        one, other = (text_source(text).fingerprint() for text in (one, other))
        assert one != other
        assert one.difference(other) == difference
        assert one.difference(one) is None


def test_a_file_has_the_fingerprint_of_its_text(tmp_path):
    path = tmp_path / "text"
    path.write_bytes("Zoë\n".encode())
    found = text_source(path).fingerprint()
    assert found == text_source("Zoë\n").fingerprint()
    assert (found.symbols, found.sha256) == (4, hashlib.sha256(path.read_bytes()).hexdigest())
