import gzip
import io
import os
import re
import stat
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from crnn import CharRNN, Lines, ModelFileError, TextFile
from crnn.cli import files as command_files
from crnn.cli.files import check_writable, model_source, read_documents, read_lines, read_text, save

POSIX = pytest.mark.skipif(os.name != "posix", reason="needs POSIX files")


@pytest.fixture
def model():
    return CharRNN(3, max_steps=0, random_state=0).fit("to be")


@pytest.fixture
def standard(monkeypatch):
    """Standard input, which a test fills, and output, as files of bytes."""

    def fill(data=b""):
        streams = SimpleNamespace(stdin=io.BytesIO(data), stdout=io.BytesIO())
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=streams.stdin))
        monkeypatch.setattr(sys, "stdout", SimpleNamespace(buffer=streams.stdout))
        return streams

    return fill


def test_text_of_a_file(tmp_path):
    path = tmp_path / "text"
    path.write_bytes(b"\xff\r\n")
    assert read_text(str(path), as_bytes=False) == path  # what it holds comes to light later
    assert read_text(str(path), as_bytes=True) == b"\xff\r\n"


def test_large_files_are_not_read_at_once(tmp_path, monkeypatch):
    path = tmp_path / "text"
    path.write_text("to be")
    monkeypatch.setattr(command_files, "IN_MEMORY", 4)
    assert isinstance(read_documents(str(path), as_bytes=False), Lines)
    assert isinstance(read_text(str(path), as_bytes=True), TextFile)
    assert read_text(str(path), as_bytes=False) == path


def test_a_compressed_text_is_read_as_a_text_but_not_as_bytes(tmp_path, standard):
    data = gzip.compress(b"to be\r\n\r\nor not")
    (tmp_path / "text.gz").write_bytes(data)
    path = str(tmp_path / "text.gz")
    assert read_text(path, as_bytes=True) == data
    assert read_documents(path, as_bytes=True) == [b"to be", b"", b"or not"]
    assert read_documents(path, as_bytes=False) == ["to be", "", "or not"]
    standard(data)
    assert read_text("-", as_bytes=False) == "to be\n\nor not"


def test_lines_that_are_not_utf_8(tmp_path):
    path = tmp_path / "text"
    path.write_bytes(b"a\nb\xff\n\n")
    assert read_documents(str(path), as_bytes=False, errors="replace") == ["a", "b\ufffd", ""]
    assert read_documents(str(path), as_bytes=False, errors="skip") == ["a", ""]
    with pytest.raises(UnicodeDecodeError, match="position 3"):  # in the file
        read_documents(str(path), as_bytes=False)


def test_a_byte_order_mark_is_dropped(tmp_path):
    path = tmp_path / "text"
    path.write_bytes("\ufeffa\n\ufeffb\n".encode())
    assert read_documents(str(path), as_bytes=False) == ["a", "\ufeffb"]
    assert list(read_lines(str(path), as_bytes=False)) == [["a", "\ufeffb"]]
    assert read_documents(str(path), as_bytes=True)[0] == b"\xef\xbb\xbfa"


def test_text_of_standard_input(standard):
    standard("\ufeffnaïve\r\n\r".encode())
    assert read_text("-", as_bytes=False) == "naïve\n\r"
    standard(b"\xff\r\n")
    assert read_text("-", as_bytes=True) == b"\xff\r\n"


@POSIX
def test_text_of_a_pipe_is_read_once(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_text, args=("to be",))
    writer.start()
    assert read_text(str(path), as_bytes=False) == "to be"
    writer.join()


def test_models_through_standard_streams(standard, model, tmp_path):
    streams = standard()
    assert save(model, "-") == ("-", None)
    standard(streams.stdout.getvalue())
    assert CharRNN.load(model_source("-")).score("to be") == model.score("to be")
    standard(b"no model at all")
    with pytest.raises(ModelFileError, match=r"^model file on standard input: it is"):
        CharRNN.load(model_source("-"))


@pytest.mark.parametrize("exists", [True, False])
def test_writable_files_stay_as_they_are(tmp_path, exists):
    path = tmp_path / "model"
    if exists:
        path.write_bytes(b"old")
    for each in (str(path), "-", os.devnull):
        check_writable(each)
    assert list(tmp_path.iterdir()) == ([path] if exists else [])
    assert not exists or path.read_bytes() == b"old"


def test_unwritable_files_are_errors(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "missing" / "model", tmp_path / "file" / "model"):
        with pytest.raises(OSError, match=re.escape(str(path))):
            check_writable(str(path))
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(PermissionError, match="file"):
        check_writable(str(tmp_path / "file"))


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="needs a user whom modes bind")
def test_file_modes_are_respected(tmp_path):
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        with pytest.raises(PermissionError):
            check_writable(str(tmp_path / "new"))
    finally:
        tmp_path.chmod(stat.S_IRWXU)


@POSIX
def test_link_into_another_folder(tmp_path):
    (tmp_path / "model").symlink_to(tmp_path / "missing" / "model")
    with pytest.raises(FileNotFoundError):
        check_writable(str(tmp_path / "model"))


def test_model_is_saved_elsewhere_if_its_path_fails(model, tmp_path, monkeypatch):
    monkeypatch.setattr(command_files.tempfile, "tempdir", str(tmp_path))
    where, error = save(model, str(tmp_path / "missing" / "model"))
    assert isinstance(error, FileNotFoundError)
    assert Path(where).parent == tmp_path
    assert CharRNN.load(where).score("to be") == model.score("to be")


def test_a_model_that_can_be_saved_nowhere(model, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def full(path):
        raise OSError(28, "No space left on device", path)

    monkeypatch.setattr(model, "save", full)
    with pytest.raises(OSError, match=r"No space left on device: 'm\.crnn'$"):
        save(model, "m.crnn")
    assert list(tmp_path.iterdir()) == []
