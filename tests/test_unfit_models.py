"""What each method says of a model that is not fitted, or that was fitted with labels."""

from __future__ import annotations

import pytest

from crnn import CharNGram, CharRNN, CharRNNClassifier, InvalidInputError, NotFittedError

TEXT = "to be or not"
OF_TEXTS = {
    "beam_search": lambda model: model.beam_search(3),
    "enumerate_documents": lambda model: list(model.enumerate_documents(3)),
    "guess_number": lambda model: model.guess_number([TEXT]),
    "predict_proba": lambda model: model.predict_proba([TEXT]),
    "score_batches": lambda model: list(model.score_batches([[TEXT]])),
    "start": lambda model: model.start(),
    "stream": lambda model: model.stream(),
    "surprisal": lambda model: model.surprisal(TEXT),
}
ADAPTING = {
    "score": lambda model: model.score(TEXT, adapt=True),
    "start": lambda model: model.start(adapt=True),
    "surprisal": lambda model: model.surprisal(TEXT, adapt=True),
}
WITH_LABELS = {  # which a model with labels has, too
    "for_label": lambda model: model.for_label("a"),
    "reading vocabulary_": lambda model: model.vocabulary_,
    "sample": lambda model: model.sample(),
    "save": lambda model: model.save("no.crnn"),
    "score": lambda model: model.score(TEXT),
    "score_samples": lambda model: model.score_samples([TEXT]),
    "to_bytes": lambda model: model.to_bytes(),
}
OF_NETWORKS = {
    "adapt": lambda model: model.adapt(TEXT),
    "export_c": lambda model: model.export_c("no.c"),
    "export_html": lambda model: model.export_html("no.html"),
    "export_onnx": lambda model: model.export_onnx("no.onnx"),
    "gradient": lambda model: model.gradient(TEXT),
    "hidden_states": lambda model: model.hidden_states(TEXT),
    "to_torch": lambda model: model.to_torch(),
    "transform": lambda model: model.transform([TEXT]),
}
OF_NETWORKS_WITH_LABELS = {
    "editing": lambda model: model.editing().__enter__(),
    "get_feature_names_out": lambda model: model.get_feature_names_out(),
    "quantize": lambda model: model.quantize(),
    **{
        f"reading {name}": lambda model, name=name: getattr(model, name)
        for name in ("bigrams_", "cell_", "labels_", "scales_")
    },
}
OF_COUNTS = {f"reading {name}": lambda model, name=name: getattr(model, name) for name in ("n_grams_", "order_")}


OF_CLASSIFIERS = {
    "predict": lambda model: model.predict([TEXT]),
    "quantize": lambda model: model.quantize(),
    "save": lambda model: model.save("no.crnn"),
    **{
        f"reading {name}": lambda model, name=name: getattr(model, name)
        for name in ("classes_", "history_", "models_", "n_steps_", "vocabulary_")
    },
}


def calls(*tables):
    return [pytest.param(name, call, id=name) for table in tables for name, call in table.items()]


@pytest.fixture(autouse=True)
def _files_are_temporary(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(("name", "call"), calls(OF_TEXTS, ADAPTING, WITH_LABELS, OF_NETWORKS, OF_NETWORKS_WITH_LABELS))
def test_a_network_is_not_fitted(name, call, tmp_path):
    message = rf"^this CharRNN is not fitted yet\. Call fit or partial_fit, or load a model, before {name}\.$"
    with pytest.raises(NotFittedError, match=message):
        call(CharRNN())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("name", "call"), calls(OF_TEXTS, ADAPTING, WITH_LABELS, OF_COUNTS))
def test_counts_are_not_fitted(name, call, tmp_path):
    message = rf"^this CharNGram is not fitted yet\. Call fit or partial_fit, or load a model, before {name}\.$"
    with pytest.raises(NotFittedError, match=message):
        call(CharNGram())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("name", "call"), calls(OF_CLASSIFIERS))
def test_a_classifier_is_not_fitted(name, call, tmp_path):
    message = rf"^this CharRNNClassifier is not fitted yet\. Call fit, or load a model, before {name}\.$"
    with pytest.raises(NotFittedError, match=message):
        call(CharRNNClassifier())
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def labeled():
    return CharRNN(5, max_steps=2, random_state=0).fit(["to be", "or not"], labels=["a", "b"])


@pytest.mark.parametrize(("name", "call"), calls(OF_TEXTS, ADAPTING, OF_NETWORKS))
def test_one_label_must_be_chosen(labeled, name, call, tmp_path):
    message = (
        rf"^{name} needs a label, because the model was fitted with labels\. Use the model of one label, such as "
        rf"model\.for_label\('a'\)\.{name}\.$"
    )
    with pytest.raises(InvalidInputError, match=message):
        call(labeled)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("name", "call"), calls(WITH_LABELS, OF_NETWORKS_WITH_LABELS))
def test_a_model_with_labels_has_these(labeled, name, call):
    call(labeled)
