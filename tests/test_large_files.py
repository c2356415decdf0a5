"""Models of texts and lines in files read in blocks: trained, scored and sampled as if held in memory."""

from __future__ import annotations

import numpy as np
import pytest
from texts import SENTENCE as TEXT

from crnn import CharRNN, Lines, TextFile


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "text").write_text(TEXT * 300)
    (tmp_path / "names").write_text("".join(f"name{i % 97}\n" for i in range(2003)))
    return tmp_path


@pytest.mark.parametrize(
    "options", [{}, {"batch_size": 3, "validation_fraction": 0.3}, {"min_count": 301, "n_threads": 2, "batch_size": 2}]
)
def test_a_stored_text_gives_the_same_bits(folder, options):
    path, stored = folder / "text", TextFile(folder / "text", cache=folder)
    of_memory, of_file = (CharRNN(7, epochs=2, random_state=0, **options).fit(X) for X in (path, stored))
    assert of_memory.vocabulary_ == of_file.vocabulary_
    for name, array in of_memory.params_.items():
        np.testing.assert_array_equal(array, of_file.params_[name])
    assert of_memory.history_[-1]["validation_loss"] == of_file.history_[-1]["validation_loss"]
    for exact in (True, False):
        assert of_memory.score(path, exact=exact) == of_file.score(stored, exact=exact)
    for model, X in ((of_memory, path), (of_file, stored)):
        model.set_params(validation_fraction=0.0).partial_fit(X, validation=X)
    assert of_memory.smooth_loss_ == of_file.smooth_loss_


def test_stored_lines_give_the_same_bits(folder):
    names = Lines(folder / "names", cache=folder)
    model, of_memory = (
        CharRNN(
            8, epochs=2, batch_size=3, seq_length=20, validation_fraction=0.1, optimizer="adam", learning_rate=0.01,
            random_state=0,
        ).fit(X, sample_weight=np.arange(len(names)) % 2)
        for X in (names, list(names))
    )  # fmt: skip
    for name, array in of_memory.params_.items():
        np.testing.assert_array_equal(array, model.params_[name])
    assert of_memory.history_[-1]["validation_loss"] == model.history_[-1]["validation_loss"]
    assert model.score(names) == model.score(list(names))
    np.testing.assert_array_equal(model.score_samples(names), model.score_samples(list(names)))
    held = set(names)
    free = model.sample(num_samples=200, random_state=1)
    new = model.sample(num_samples=40, exclude=names, random_state=1)
    expected = [text for text in free if text not in held]
    assert new[: len(expected)] == expected[:40]
    assert not held & set(new)
    assert held & set(free)


def test_a_text_is_one_document_of_a_model_of_documents(folder):
    stored, path = TextFile(folder / "text", cache=folder), folder / "text"
    model = CharRNN(7, max_steps=3, batch_size=2, random_state=0).fit([TEXT, "to be"])
    assert model.score(stored) == model.score(path)
    model.partial_fit(stored)
    assert model.n_steps_ == 6
