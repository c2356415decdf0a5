"""Models of documents: from a list of texts to weights and scores; rare characters and given vocabularies."""

import math

import numpy as np
import pytest
from small_models import learned_state

from crnn import BOUNDARY, UNKNOWN, CharRNN, Lines
from crnn.parameters.kinds import CELLS
from crnn.reference import network as reference
from crnn.text.vocabulary import Vocabulary
from crnn.training.validation import shape_of

NAMES = ["anna", "bob", "eve", "otto", "maria", "", "li\nly"] * 9


def small(max_steps=20, **parameters):
    return CharRNN(**{"hidden_size": 7, "random_state": 0, "max_steps": max_steps, "dtype": "float64"} | parameters)


def log_p_alone(model, document):
    """Return the log-probability of a document and its end, by the reference implementation, from the zero state."""
    p, V = learned_state(model).layout.tensors(learned_state(model).params), model.vocabulary_
    ids = np.array([V.boundary, *V.encode(document), V.boundary], np.intp)[:, None]
    layout = learned_state(model).layout
    zero = tuple(np.zeros((layout.num_layers, 1, layout.hidden_size)) for _ in layout.kind.states)
    return reference.log_probabilities(p, layout.cell, ids, zero)[0][1:].sum()


def test_ids_are_characters_then_unknown_then_boundary():
    vocabulary = Vocabulary.from_blocks(["banana", "c"], min_count=2, boundary=True)
    assert list(vocabulary) == ["a", "n", UNKNOWN, BOUNDARY]
    assert (len(vocabulary), vocabulary.unknown, vocabulary.boundary) == (4, 2, 3)
    assert vocabulary[-1] is BOUNDARY is vocabulary[3]
    assert vocabulary[1:] == ["n", UNKNOWN, BOUNDARY]
    assert BOUNDARY in vocabulary
    assert UNKNOWN in vocabulary
    assert "b" not in vocabulary
    assert vocabulary.index(UNKNOWN) == 2
    assert repr(vocabulary) == "Vocabulary(2 characters: 'an', crnn.UNKNOWN, crnn.BOUNDARY)"
    assert vocabulary.encode("bnc\U0001f600").tolist() == [2, 1, 2, 2]
    for special in (BOUNDARY, UNKNOWN):
        assert special not in ("", "boundary", "unknown", "\0", b"", None, 0)
        assert repr(special) == f"crnn.{special.name}"


def test_decoding_shows_the_unknown_and_splits_at_boundaries():
    vocabulary = Vocabulary([97, 98], unknown=True, boundary=True)
    assert vocabulary.decode([0, 2, 1]) == "a\ufffdb"
    assert vocabulary.decode_documents([3, 0, 2, 3, 3, 1]) == ["", "a\ufffd", "", "b"]
    assert vocabulary.decode_documents([]) == [""]
    assert Vocabulary([97, 98], "bytes", unknown=True).decode([0, 2]) == b"a?"


def test_a_list_is_documents():
    model = small().fit([name.encode() for name in NAMES])
    assert list(small().fit(NAMES).vocabulary_) == [*"\nabeilmnortvy", BOUNDARY]
    assert model.vocabulary_.kind == "bytes"
    assert model.vocabulary_[-1] is BOUNDARY
    np.testing.assert_array_equal(learned_state(model).params, learned_state(small().fit(NAMES)).params)
    assert model.score([b"anna"]) == small().fit(NAMES).score(["anna"])


def test_one_empty_document_teaches_the_boundary_alone():
    model = small(200, learning_rate=0.5).fit([""])
    assert list(model.vocabulary_) == [BOUNDARY]
    assert model.score([""]) == model.score("") == 0
    assert small(unknown := 3, min_count=2).fit([""]).vocabulary_.unknown == 0 != unknown


@pytest.mark.parametrize(("cell", "batch_size"), [*zip(CELLS, (1, 3, 64, 3), strict=True)])
def test_model_learns_where_documents_end(cell, batch_size):
    model = CharRNN(16, cell=cell, batch_size=batch_size, optimizer="adam", learning_rate=0.01, max_steps=600,
                    random_state=0).fit(["ab", "cde"] * 20)  # fmt: skip
    assert model.score(["ab"]) == pytest.approx(math.log(0.5) / 3, abs=0.02)
    assert model.score(["ab", "cde"]) == pytest.approx(2 * math.log(0.5) / 7, abs=0.02)
    assert model.score("a") < -2
    assert model.score("abcde") < -1


def test_epochs_count_the_symbols_with_their_boundaries():
    symbols = sum(map(len, NAMES)) + len(NAMES)
    model = small(None, epochs=3, batch_size=4, seq_length=5).fit(NAMES)
    assert model.n_steps_ == 3 * -(-symbols // 20)
    assert small(None, batch_size=4, seq_length=5).fit(NAMES).partial_fit(NAMES).n_steps_ == 11 * -(-symbols // 20)


@pytest.mark.parametrize(("cell", "num_layers", "exact"), [("rnn", 1, False), ("gru", 2, True), ("lstm", 1, False)])
def test_a_score_is_that_of_each_document_alone(cell, num_layers, exact):
    model = small(50, cell=cell, num_layers=num_layers).fit(NAMES)
    documents = ["anna", "", "ottobob", "\n"]
    expected = sum(log_p_alone(model, document) for document in documents)
    assert model.score(documents, exact=exact) == pytest.approx(expected / (12 + 4), rel=1e-9)
    assert model.score(iter(documents), exact=exact) == model.score(documents, exact=exact)
    assert model.score("eve", exact=exact) == pytest.approx(log_p_alone(model, "eve") / 4, rel=1e-9)
    assert model.score("", exact=exact) == pytest.approx(log_p_alone(model, ""), rel=1e-9)
    assert model.bits_per_char(documents) == pytest.approx(-expected / 16 / math.log(2), rel=1e-9)


def test_many_documents_are_scored_in_parts_exactly():
    model = small(50).fit(NAMES)
    documents = NAMES * 30
    assert shape_of(sum(map(len, documents)))[1] > 1
    assert model.score(documents, exact=False) == pytest.approx(model.score(documents), rel=1e-9)
    expected = sum(log_p_alone(model, name) for name in set(NAMES)) * 270
    assert model.score(documents) == pytest.approx(expected / (sum(map(len, documents)) + len(documents)), rel=1e-9)


def test_the_last_documents_are_for_validation():
    model = small(validation_fraction=0.25).fit(NAMES)
    held_out = NAMES[-round(0.25 * len(NAMES)) :]
    assert model.history_[-1]["validation_loss"] == pytest.approx(-model.score(held_out), rel=1e-9)
    given = small().fit(NAMES[: -len(held_out)], validation=iter(held_out))
    model.set_params(validation_fraction=0)
    np.testing.assert_array_equal(learned_state(given).params, learned_state(model).params)
    losses, again = ([record["validation_loss"] for record in each.history_] for each in (model, given))
    assert again == losses
    model.fit(NAMES, validation="anna")  # one document
    assert model.history_[-1]["validation_loss"] == pytest.approx(-model.score("anna"), rel=1e-9)


@pytest.mark.parametrize("X", ["banana bananb c", ["banana", "bananb", "c"]])
def test_rare_characters_are_one_symbol(X):
    assert list(small(min_count=2).fit("abab").vocabulary_) == ["a", "b", UNKNOWN]  # even if nothing was rare
    model = small(min_count=2).fit(X)
    assert UNKNOWN in model.vocabulary_
    assert "c" not in model.vocabulary_
    text = "any text at all \U0001f600"
    assert model.score(text) < 0
    assert model.score("zn") == model.score("qn")
    model.partial_fit("never seen" if isinstance(X, str) else ["never", "seen"])
    texts = model.sample(5, prime="never seen", n_samples=50, random_state=0)
    assert all(isinstance(text, str) for text in texts)
    if isinstance(X, str):
        assert not any("\ufffd" in text for text in texts)
    else:
        assert all(text.startswith("never seen") for text in texts)  # as it was given
        assert not any("\ufffd" in text[10:] for text in texts)


@pytest.mark.parametrize(
    ("given", "X", "symbols"),
    [
        ("cabba", "ab", ["a", "b", "c"]),
        ({"c", "a", "b"}, ["ab", ""], ["a", "b", "c", BOUNDARY]),
        (np.array(["c", "a", "b"]), ["ab"], ["a", "b", "c", BOUNDARY]),
        ([b"c", b"a", b"b"], [b"ab"], [b"a", b"b", b"c", BOUNDARY]),
    ],
)
def test_model_has_the_given_symbols(given, X, symbols):
    assert list(small(2, vocabulary=given).fit(X).vocabulary_) == symbols
    assert list(small(2, vocabulary=given, min_count=2).fit(X).vocabulary_) == sorted(
        [*symbols, UNKNOWN], key=lambda symbol: (symbol is BOUNDARY, symbol is UNKNOWN)
    )


def test_blocks_of_a_stream_are_learned_as_the_vocabulary_of_all_would_have_it():
    blocks = ["abab" * 3, "cdcd" * 3]
    stream = small(2, vocabulary="abcd")
    whole = small(0).fit("abcd").set_params(max_steps=2)
    for block in blocks:
        stream.partial_fit(block)
        whole.partial_fit(block)
    np.testing.assert_array_equal(stream.params_["Why"], whole.params_["Why"])
    assert stream.n_steps_ == 2


def test_lines_in_a_cache_have_no_line_ends(tmp_path):
    (tmp_path / "text").write_text("ab\n\nb\n")
    lines = Lines(tmp_path / "text", cache=tmp_path)
    assert list(small(2, vocabulary="abc").fit(lines).vocabulary_) == ["a", "b", "c", BOUNDARY]
