"""The paths that public methods take: a str, bytes or a path object, everywhere."""

import os
from functools import partial
from pathlib import Path

import pytest
from examples import stored_network
from texts import TEXT

from crnn import CharNGram, CharRNN, Lines, Mixture, TextClassifier, TextFile
from crnn.files.sealed_file import file_bytes
from crnn.report import write_report

OPTIONS = {"hidden_size": 5, "max_steps": 3, "random_state": 0}


@pytest.fixture(scope="module")
def model():
    return CharRNN(**OPTIONS).fit(TEXT)


@pytest.mark.parametrize("kind", [os.fspath, os.fsencode, lambda path: path])
def test_paths_of_every_kind(tmp_path, model, kind):
    name = kind(tmp_path / "file")
    counts = CharNGram().fit(TEXT)
    classifier = TextClassifier(CharRNN(**OPTIONS)).fit(["ab", "b"] * 3, [0, 1] * 3)
    for each in (model, counts, classifier, Mixture.from_fitted([model, counts])):
        each.save(name)
        type(each).load(name)
    for export in (model.export_c, model.export_html, model.export_js, partial(write_report, model)):
        export(name)
        assert (tmp_path / "file").stat().st_size > 1000
    CharRNN(**OPTIONS).fit(TEXT, checkpoint=name)
    assert CharRNN.resume(name, TEXT).n_steps_ == 3
    (tmp_path / "file").write_bytes(file_bytes({}, stored_network(name).tensors))
    assert CharRNN.from_torch(name, model.vocabulary_).params_.keys() == model.params_.keys()
    (tmp_path / "file").write_text("Anna")
    assert list(Lines(name, cache=kind(tmp_path))) == ["Anna"]
    assert TextFile([name], cache=kind(tmp_path)).read() == "Anna"
    for named in (TextFile, Lines):
        files = named([kind(Path("a.txt")), "b.txt"], kind="bytes", cache=kind(Path("ids")))
        assert repr(files) == f"{named.__name__}(['a.txt', 'b.txt'], kind='bytes', cache='ids')"
        assert repr(named(kind(Path("a.txt")))) == f"{named.__name__}('a.txt')"
