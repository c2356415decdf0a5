"""The tables of documents: which come first, how many there are, and what is new."""

import numpy as np
import pytest
from examples import random_language_model

from crnn.report.documents import document_tables
from crnn.report.shown_text import text_part

NAMES = ["".join(letters) for letters in ("ab", "ba", "aab", "abb", "", "a", "b", "ab" * 3, "bb" * 150)]


def test_documents_are_sorted_by_their_mean_surprisal():
    model = random_language_model(["ab"])
    found = document_tables(model, text_part(model, NAMES + NAMES[::-1]))  # each of them once
    bits = -model.score_samples(NAMES) / np.log(2)
    means = bits / np.array([len(name) + 1 for name in NAMES])
    order = np.argsort(means)
    rows = found["tables"]["likeliest"]
    assert [row["text"] for row in rows] == [NAMES[i][:200] for i in order]
    assert [row["bits"] for row in rows] == pytest.approx(bits[order])
    assert [row["mean"] for row in rows] == pytest.approx(means[order])
    assert found["tables"]["strangest"] == rows[::-1]
    assert found["note"].startswith(f"Distinct documents of all 18 documents, {2 * sum(map(len, NAMES))} characters, ")


def test_new_documents_are_samples_that_are_not_in_the_text():
    model = random_language_model(["ab"])
    new = [row["text"] for row in document_tables(model, text_part(model, NAMES))["tables"]["new"]]
    wanted = {"num_samples": 15, "unique": True, "exclude": NAMES, "temperature": 0.8, "random_state": 0}
    assert new == [text[:200] for text in model.sample(**wanted)]


def test_at_most_fifteen_documents_are_listed():
    model = random_language_model(["ab"])
    texts = ["a" * n for n in range(17)]
    tables = document_tables(model, text_part(model, texts))["tables"]
    assert [len(rows) for rows in tables.values()] == [15, 15, 15]
    assert {row["text"] for rows in (tables["likeliest"], tables["strangest"]) for row in rows} == set(texts)
