"""The most probable documents: in order, none left out above the bound."""

import itertools

import numpy as np
import pytest

from crnn import CharRNN
from crnn.search import enumeration

NAMES = ["a", "ab", "ba", "ab", "", "cab", "abba"] * 3


def small(X=NAMES, **parameters):
    return CharRNN(**{"hidden_size": 5, "max_steps": 300, "random_state": 0, "dtype": "float64"} | parameters).fit(X)


@pytest.mark.parametrize(("cell", "n_bigrams"), [("rnn", None), ("lstm", None), ("gru", 5)])
@pytest.mark.parametrize("beginnings", [1, 3, 64])
def test_enumeration_matches_brute_force(cell, n_bigrams, beginnings, monkeypatch):
    monkeypatch.setattr(enumeration, "PREFIXES_AT_A_TIME", beginnings)
    model = small(cell=cell, n_bigrams=n_bigrams)
    found = model.enumerate_documents(11)
    texts = ["".join(letters) for k in range(7) for letters in itertools.product("abc", repeat=k)]
    log_p = dict(zip(texts, model.score_samples(texts).tolist(), strict=True))
    expected = sorted(texts, key=lambda text: -log_p[text])[:11]
    assert found.documents == expected
    np.testing.assert_allclose(found.log_probs, [log_p[text] for text in expected], rtol=1e-12)
    assert found.bound == found.log_probs[-1]
    assert model.enumerate_documents(5).documents == expected[:5]


def test_the_limit_shortens_the_list_and_states_the_bound(monkeypatch):
    monkeypatch.setattr(enumeration, "PREFIXES_AT_A_TIME", 2)
    model = small()
    whole, part = model.enumerate_documents(300), model.enumerate_documents(300, max_prefixes=17)
    assert 0 < len(part.documents) < len(whole.documents) == 300
    assert part.documents == whole.documents[: len(part.documents)]
    assert part.log_probs[-1] >= part.bound > whole.bound
    assert (whole.log_probs > part.bound).sum() == len(part.documents)


@pytest.mark.parametrize(("at_once", "expected"), [(1, {16}), (64, set(range(16, 80)))])
def test_no_more_prefixes_are_read_than_asked_for(monkeypatch, at_once, expected):
    read, plain = [], enumeration._read
    monkeypatch.setattr(enumeration, "PREFIXES_AT_A_TIME", at_once)
    monkeypatch.setattr(enumeration, "_read", lambda *arguments: read.extend(arguments[1]) or plain(*arguments))
    small().enumerate_documents(300, max_prefixes=16)
    assert len(read) in expected


def test_documents_lack_the_unknown_symbol_and_may_be_bytes():
    documents = small(["ab", "ab", "aab", "c"], min_count=2).enumerate_documents(7).documents
    assert len(set(documents)) == 7
    assert set("".join(documents)) <= {"a", "b"}
    assert small([b"ab", b"b"]).enumerate_documents(1).documents == [b"b"]


def test_empty_document_is_enumerated():
    found = small([""]).enumerate_documents(3)
    assert (found.documents, found.bound) == ([""], -np.inf)
