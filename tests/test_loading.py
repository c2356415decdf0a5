"""load_model: every kind of file gives the model that wrote it."""

from __future__ import annotations

import pytest

from crnn import CharNGram, CharRNN, Mixture, ModelFileError, TextClassifier, load_model

NAMES = ["anna", "eva", "bob", "otto"]


@pytest.mark.parametrize(
    ("model", "texts", "use"),
    [
        (CharNGram(3), [NAMES], "score_samples"),
        (CharRNN(3, max_steps=5, random_state=0), [NAMES], "score_samples"),
        (TextClassifier(CharRNN(3, max_steps=5, random_state=0)), [NAMES, [0, 0, 1, 1]], "predict_proba"),
    ],
)
def test_models_come_back(tmp_path, model, texts, use):
    model.fit(*texts).save(tmp_path / "model.crnn")
    again = load_model(tmp_path / "model.crnn")
    assert type(again) is type(model)
    assert (getattr(again, use)(NAMES) == getattr(model, use)(NAMES)).all()


def test_a_mixture_comes_back(tmp_path):
    model = Mixture([CharNGram(2).fit(NAMES), CharNGram(3).fit(NAMES)])
    model.save(tmp_path / "model.crnn")
    assert load_model(tmp_path / "model.crnn").score(NAMES) == model.score(NAMES)


def test_refuses_non_models(tmp_path):
    (tmp_path / "text").write_text("to be or not to be")
    with pytest.raises(ModelFileError, match=r"text': it is not a complete safetensors file.*; the file is damaged"):
        load_model(tmp_path / "text")
    with pytest.raises(FileNotFoundError):
        load_model(tmp_path / "nothing")
