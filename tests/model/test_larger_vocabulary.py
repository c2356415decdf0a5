"""A vocabulary that grows: what was learned stays, and the new symbols can be learned."""

import numpy as np
import pytest

from crnn import CharRNN
from crnn.model.state import extended_vocabulary, places
from crnn.text.vocabulary import Vocabulary

OLD, NEW = "the cat sat on the mat. " * 9, "Zoë's cat? "


def trained(text=OLD, **options):
    options = {"hidden_size": 11, "max_steps": 50, "random_state": 0, "dtype": "float64"} | options
    return CharRNN(**options).fit(text)


@pytest.mark.parametrize(
    "options", [{"cell": "gru", "num_layers": 2}, {"cell": "lstm", "optimizer": "adam", "embedding_size": 3}]
)
def test_old_symbols_keep_their_proportions(options):
    model, grown = trained(**options), trained(**options)
    grown.set_params(max_steps=0).partial_fit(NEW, extend_vocabulary=True)
    assert list(grown.vocabulary_) == sorted(set(OLD + NEW))
    old = [list(grown.vocabulary_).index(symbol) for symbol in model.vocabulary_]
    prefixes = ["", "the", OLD]
    before, after = model.next_proba(prefixes), grown.next_proba(prefixes)[:, old]
    np.testing.assert_allclose(after / after.sum(axis=1, keepdims=True), before, rtol=1e-6)
    for name, memory in model.optimizer_state_.items():
        if name != "step":
            np.testing.assert_array_equal(grown.optimizer_state_[name]["Why"][old], memory["Why"])
            assert np.count_nonzero(grown.optimizer_state_[name]["by"]) == np.count_nonzero(memory["by"])


@pytest.mark.parametrize("documents", [False, True])
def test_new_symbols_are_as_probable_as_the_rarest_old_one(documents):
    old = OLD + "q"  # once
    model = trained([old] * 3 if documents else old, cell="lstm", optimizer="adam", learning_rate=0.02, max_steps=300)
    model.set_params(max_steps=0).partial_fit(NEW, extend_vocabulary=True)
    symbols = list(model.vocabulary_)[: model.vocabulary_.boundary]
    new = [symbols.index(symbol) for symbol in set(NEW) - set(OLD)]
    rarest = min((i for i in range(len(symbols)) if i not in new), key=lambda i: model.params_["by"][i])
    p = model.next_proba(["", "the", OLD])
    np.testing.assert_array_equal(p[:, new], np.repeat(p[:, [rarest]], len(new), axis=1))
    assert (p[:, new] < 0.05).all()


def test_a_document_may_be_empty():
    model = trained(["ab", "b"])
    for X in ("", [""]):
        model.partial_fit(X, extend_vocabulary=True)
    assert list(model.vocabulary_)[:2] == ["a", "b"]
    assert list(trained([""]).partial_fit("ab", extend_vocabulary=True).vocabulary_)[:2] == ["a", "b"]


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({}, [1, 3]), ({"unknown": True}, [1, 3, 5]), ({"boundary": True}, [1, 3, 5]),
        ({"unknown": True, "boundary": True}, [1, 3, 5, 6]),
        ({"boundary": True, "labels": ("x", "y", "z")}, [1, 3, 5, 6, 7, 8]),
    ],
)  # fmt: skip
def test_specials_and_labels_come_after_all_characters(options, found):
    old = Vocabulary(np.array([98, 100], np.uint32), "characters", **options)
    new = extended_vocabulary(old, Vocabulary.from_text("aceb"))
    assert "".join(map(chr, new.codes)) == "abcde"
    assert places(old, new).tolist() == found
