"""The curves of a report and what it says of the model."""

import math

import pytest
from examples import random_language_model

from crnn import CharRNN
from crnn.report import description
from crnn.report.description import curves, facts, thinned
from crnn.report.documents import document_tables
from crnn.report.shown_text import text_part


def test_losses_are_in_bits_and_what_is_missing_is_none():
    records = [
        {"step": 1, "train_loss": math.log(2), "validation_loss": None, "gradient_norm": 3.0, "learning_rate": 0.5},
        {"step": 2, "train_loss": math.nan, "validation_loss": math.log(4), "gradient_norm": math.inf},
    ]
    assert curves(records) == {
        "step": [1, 2],
        "training": [1.0, None],
        "validation": [None, 2.0],
        "norm": [3.0, None],
        "rate": [0.5, None],
    }


def test_damaged_records_are_left_out():
    whole = {"step": 5, "train_loss": math.log(2), "validation_loss": None, "gradient_norm": 3.0, "learning_rate": 0.5}
    odd = dict.fromkeys(("train_loss", "validation_loss", "gradient_norm", "learning_rate"), "odd")
    damaged = [{}, {"step": "odd"}, {**whole, "step": None}, {"step": 3, **odd}]
    found = curves([*damaged, whole])
    assert found["step"] == [3, 5]
    assert [found[name] for name in ("training", "norm", "rate")] == [[None, 1.0], [None, 3.0], [None, 0.5]]


def test_without_records():
    assert curves([])["step"] == []


def test_many_records_are_thinned(monkeypatch):
    monkeypatch.setattr(description, "MAX_RECORDS", 3)
    records = [{"step": i, "validation_loss": 1.0 if i == 4 else None} for i in range(9)]
    assert [record["step"] for record in thinned(records)] == [0, 3, 4, 6, 8]


@pytest.mark.parametrize(
    ("options", "named"), [({"embedding_size": 3}, "embedding: 3"), ({"n_bigrams": 2}, "bigrams: 2")]
)
def test_other_inputs_are_named(options, named):
    model = random_language_model("abc", cell="gru", **options)
    assert dict(facts(model, text_part(model, "ab")))["network"] == f"gru, layers: 1, hidden units: 7, {named}, float64"


def test_as_many_records_as_are_drawn_are_all_kept(monkeypatch):
    monkeypatch.setattr(description, "MAX_RECORDS", 3)
    assert len(thinned([{"step": i} for i in range(3)])) == 3
    assert [record["step"] for record in thinned([{"step": i} for i in range(4)])] == [0, 2, 3]


@pytest.mark.parametrize("symbols", ["abc", b"abc"])
def test_facts(symbols):
    model = random_language_model(symbols)
    found = dict(facts(model, text_part(model, symbols[:2])))
    bits = model.bits_per_char(symbols[:2])
    unit = "characters" if isinstance(symbols, str) else "bytes"
    assert found["bits per symbol"] == f"{bits:.3f}, perplexity {2**bits:.2f}, on all 2 {unit}"
    assert found["parameters"] == repr(model)
    assert found["vocabulary"] == repr(model.vocabulary_)
    assert "trained" not in found
    assert dict(facts(model, text_part(model, None)))["bits per symbol"].endswith(", on a sample of its own")


def test_a_long_vocabulary_is_cut():
    model = random_language_model(list(map(chr, range(0x4E00, 0x4E00 + 300))))
    shown = dict(facts(model, text_part(model, ["\u4e00"])))
    assert len(shown["vocabulary"]) <= 202
    assert shown["weights"] == f"{sum(array.size for array in model.params_.values()):,}"


def test_nothing_new():
    """A model that writes but one document has no new ones."""
    model = CharRNN(8, max_steps=300, random_state=0).fit(["a"] * 50)
    tables = document_tables(model, text_part(model, ["a", "aa"]))["tables"]
    assert [row["text"] for row in tables["likeliest"]] == ["a", "aa"]
    assert isinstance(tables["new"], list)
