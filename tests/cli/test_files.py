import gzip
import io
import os
import stat
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from crnn import CharRNN, ModelFileError
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
    for name, error in (("missing", FileNotFoundError), ("", IsADirectoryError)):
        with pytest.raises((error, PermissionError)):  # Windows opens no directory
            read_text(str(tmp_path / name), as_bytes=True)


def test_a_compressed_text_is_read_as_a_text_but_not_as_bytes(tmp_path, standard):
    data = gzip.compress(b"to be\r\n\r\nor not")
    (tmp_path / "text.gz").write_bytes(data)
    path = str(tmp_path / "text.gz")
    assert read_text(path, as_bytes=True) == data
    assert read_documents(path, as_bytes=True) == [b"to be", b"", b"or not"]
    assert read_documents(path, as_bytes=False) == ["to be", "", "or not"]
    standard(data)
    assert read_text("-", as_bytes=False) == "to be\n\nor not"


@pytest.mark.parametrize(
    ("errors", "expected"), [("replace", ["a", "b\ufffd", ""]), ("skip", ["a", ""]), ("strict", None)]
)
def test_lines_that_are_not_utf_8(tmp_path, errors, expected):
    (tmp_path / "text").write_bytes(b"a\nb\xff\n\n")
    path = str(tmp_path / "text")
    if expected is not None:
        assert read_documents(path, as_bytes=False, errors=errors) == expected
        return
    with pytest.raises(UnicodeDecodeError) as caught:
        read_documents(path, as_bytes=False, errors=errors)
    assert caught.value.start == 3  # in the file


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
    standard(b"ab\xff")
    with pytest.raises(UnicodeDecodeError) as caught:
        read_text("-", as_bytes=False)
    assert caught.value.start == 2


@POSIX
def test_text_of_a_pipe_is_read_once(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_text, args=("to be",))
    writer.start()
    assert read_text(str(path), as_bytes=False) == "to be"
    writer.join()


def test_model_on_standard_input(standard, model, tmp_path):
    model.save(tmp_path / "model")
    standard((tmp_path / "model").read_bytes())
    assert CharRNN.load(model_source("-")).score("to be") == model.score("to be")


def test_bad_model_on_standard_input(standard):
    standard(b"no model at all")
    source = model_source("-")
    with pytest.raises(ModelFileError, match=r"^model file on standard input: it is"):
        CharRNN.load(source)


def test_closed_standard_streams(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    monkeypatch.setattr(sys, "stdout", None)
    for read in (read_text, read_documents, lambda path, as_bytes: list(read_lines(path, as_bytes=as_bytes))):
        with pytest.raises(OSError, match=r"^standard input is closed\. Name a file instead of -\.$"):
            read("-", as_bytes=False)
    with pytest.raises(OSError, match=r"^standard input is closed"):
        model_source("-")
    with pytest.raises(OSError, match=r"^standard output is closed\. Redirect it to a file or a program\.$"):
        check_writable("-")
    (tmp_path / "text").write_bytes(b"to be\n")
    assert list(read_lines(str(tmp_path / "text"), as_bytes=False)) == [["to be"]]


def test_model_to_standard_output(standard, model, tmp_path):
    streams = standard()
    assert save(model, "-") == ("-", None)
    model.save(tmp_path / "model")
    (tmp_path / "copy").write_bytes(streams.stdout.getvalue())
    assert CharRNN.load(tmp_path / "copy").get_params() == CharRNN.load(tmp_path / "model").get_params()


@pytest.mark.parametrize("exists", [True, False])
def test_writable_files_stay_as_they_are(tmp_path, exists):
    path = tmp_path / "model"
    if exists:
        path.write_bytes(b"old")
    check_writable(str(path))
    check_writable("-")
    check_writable(os.devnull)
    assert list(tmp_path.iterdir()) == ([path] if exists else [])
    assert not exists or path.read_bytes() == b"old"


def test_unwritable_files_are_errors(tmp_path):
    with pytest.raises(IsADirectoryError):
        check_writable(str(tmp_path))
    (tmp_path / "file").touch()
    for path in ("missing/model", "file/model"):
        with pytest.raises(OSError, match=path) as caught:
            check_writable(str(tmp_path / path))
        assert caught.value.filename == str(tmp_path / path)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="needs a user whom modes bind")
def test_file_modes_are_respected(tmp_path):
    (tmp_path / "model").touch()
    (tmp_path / "model").chmod(stat.S_IRUSR)
    with pytest.raises(PermissionError):
        check_writable(str(tmp_path / "model"))
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        with pytest.raises(PermissionError):
            check_writable(str(tmp_path / "new"))
    finally:
        tmp_path.chmod(stat.S_IRWXU)


def test_unwritable_old_file_is_refused(tmp_path, monkeypatch):
    (tmp_path / "model").touch()
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(PermissionError, match="model"):
        check_writable(str(tmp_path / "model"))


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
