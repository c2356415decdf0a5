"""The seal of a model file: format, version, kind and checksum."""

import io
import os

import numpy as np
import pytest

from crnn import CharNGram, TextClassifier, load_model
from crnn.errors import InvalidInputError, ModelFileError
from crnn.files.entries import KINDS
from crnn.files.sealed_file import (
    DAMAGED_REMEDY,
    FORMAT_VERSION,
    FilePart,
    file_kind,
    open_file,
    path_name,
    read_header,
    read_sealed_tensors,
    read_tensor,
    read_tensors,
    require_kind,
    sealed_bytes,
    write_path,
)

TENSORS = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.array([7], np.uint8)}


def content(kind="ngram", **metadata):
    return sealed_bytes({"format": "crnn", "format_version": "2", "kind": kind, "own": "word", **metadata}, TENSORS)


def contents(data, *kinds):
    stream = io.BytesIO(data)
    header = require_kind(read_header(stream, len(data)), *kinds)
    return header.metadata, read_sealed_tensors(stream, header)


def test_tensors_and_metadata_come_back(tmp_path):
    for kind in KINDS:
        metadata, tensors = contents(content(kind), "network", kind)
        assert (metadata["kind"], metadata["own"]) == (kind, "word")
        assert all(np.array_equal(tensors[name], array) for name, array in TENSORS.items())
        (tmp_path / "model").write_bytes(content(kind))
        assert file_kind(tmp_path / "model") == kind


def test_every_bit_is_sealed():
    data = content()
    for i in range(8, len(data)):
        with pytest.raises(ModelFileError):
            contents(data[:i] + bytes([data[i] ^ 1]) + data[i + 1 :], "ngram")


def test_a_part_of_a_file_is_a_file(tmp_path):
    data = content()
    path = tmp_path / "files"
    path.write_bytes(b"before" + data + b"behind")
    with open(path, "rb") as stream:
        part = FilePart(stream, 6, len(data))
        assert part.name == repr(str(path)) or part.name == str(path)
        assert part.read() == data
        assert part.read(1) == b""
        assert part.seek(-3, 2) == len(data) - 3 == part.tell()
        assert part.read(9) == data[-3:]
        assert part.seek(2) + part.seek(1, 1) == 5
        with open_file(part) as (opened, size):
            header = read_header(opened, size)
            for name, array in TENSORS.items():
                assert np.array_equal(read_tensor(opened, header, name), array)
            with pytest.raises(ModelFileError, match="it has no tensor 'c'"):
                read_tensor(opened, header, "c")


def test_refuses_other_files():
    for metadata, message in (
        ({"kind": "network"}, "it contains a CharRNN; load it with CharRNN.load"),
        ({"kind": "poem"}, "its kind is 'poem', but this crnn reads only network, "),
        ({"format": "tf"}, "not from crnn"),
        ({"format_version": "3"}, "written by a later crnn: its format version is 3, .* upgrade crnn"),
        ({"format_version": "1"}, "written by an earlier crnn: its format version is 1, .* train it again"),
        ({"format_version": "two"}, "is not a number"),
    ):
        with pytest.raises(ModelFileError, match=message):
            contents(content(**metadata), "ngram", "classifier")
    assert FORMAT_VERSION == 2


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_refuses_a_pipe_before_opening_it(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ModelFileError, match="a device or a pipe"):
        file_kind(tmp_path / "pipe")


def test_writes_nothing_if_it_refuses_the_content(tmp_path):
    def refuse():
        raise ModelFileError("it holds NaN", remedy="train again")

    with pytest.raises(ModelFileError, match=r"model file .* was not written: it holds NaN; train again"):
        write_path(tmp_path / "model", refuse)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("stream", [io.StringIO(), io.TextIOWrapper(io.BytesIO())])
def test_refuses_a_file_in_text_mode(stream):
    for call in (file_kind, path_name, lambda path: write_path(path, lambda: iter([b"a"]))):
        with pytest.raises(InvalidInputError, match=r"^path is a file opened in text mode\. Open it with mode 'rb' or"):
            call(stream)


def test_the_names_of_files_in_errors(tmp_path):
    with open(tmp_path / "model", "wb") as file:
        assert path_name(file) == str(tmp_path / "model")
    assert path_name(str(tmp_path / "model")) == path_name(tmp_path / "model") == repr(str(tmp_path / "model"))
    assert path_name(io.BytesIO()) == "in a stream"
    for path in (3, None, [tmp_path]):
        with pytest.raises(InvalidInputError, match=r"^path must be the path"):
            path_name(path)


def test_an_error_ends_with_one_remedy():
    damaged, other = content()[:-1], content("network")
    for data, message in (
        (damaged, "; the file is damaged or was not saved by crnn; restore it from a copy, or train and save again"),
        (other, "it contains a CharRNN; load it with CharRNN.load"),
    ):
        with pytest.raises(ModelFileError) as caught, open_file(io.BytesIO(data)) as (stream, size):
            read_tensors(stream, require_kind(read_header(stream, size), "ngram"))
        assert str(caught.value).startswith("model file in a stream: it")
        assert str(caught.value).endswith(message)


def test_errors_while_a_file_is_open_are_errors_of_the_file():
    for error, message in (
        (ModelFileError("its cell is 'a; b'"), "its cell is 'a; b'"),  # a semicolon begins no remedy
        (InvalidInputError("order must be 3"), "order must be 3"),
    ):
        with pytest.raises(ModelFileError) as caught, open_file(io.BytesIO()):
            raise error
        assert (caught.value.message, caught.value.remedy) == (f"model file in a stream: {message}", DAMAGED_REMEDY)


def test_a_model_goes_through_a_stream():
    stream = io.BytesIO(b"before")
    for model in (CharNGram(order=2).fit("abc" * 9), TextClassifier(CharNGram(order=2)).fit(["ab", "ba"], [0, 1])):
        stream.seek(6)
        model.save(stream)
        stream.seek(6)
        assert file_kind(stream) == ("ngram" if isinstance(model, CharNGram) else "classifier")
        assert stream.tell() == 6
        assert type(load_model(stream)) is type(model)
        stream.seek(6)
        assert repr(type(model).load(stream)) == repr(model)
        for damaged in (b"", stream.getvalue()[6:-1]):
            with pytest.raises(ModelFileError, match=r"^model file in a stream: it"):
                type(model).load(io.BytesIO(damaged))
