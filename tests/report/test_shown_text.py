"""The measured part of a text, and the model's predictions for each of its symbols."""

import numpy as np
import pytest
from examples import random_language_model

from crnn.errors import InvalidInputError
from crnn.report import shown_text
from crnn.report.shown_text import TextPart, display_text, document_view, judge_symbols, samples, text_part, text_view


@pytest.mark.parametrize(
    ("symbols", "text"),
    [("to be or not to be", "to be or"), (b"abcd", b"dcba"), (["Anna", "Bob", ""], "Ann"), (["ab"], "")],
    ids=["text", "bytes", "documents", "empty document"],
)
def test_judged_text_matches_a_state(symbols, text, monkeypatch):
    monkeypatch.setattr(shown_text, "BLOCK_POSITIONS", 2)
    model = random_language_model(symbols, cell="gru", num_layers=2)
    bits, best, p = judge_symbols(model, text)
    state, boundary = model.start(), model.vocabulary_.boundary
    ids = [*model.vocabulary_.encode(text).tolist(), *([] if boundary is None else [boundary])]
    assert len(bits) == len(ids)
    for i, symbol in enumerate(ids):
        expected = state.next_proba()
        order = np.argsort(-expected, kind="stable")[:5]
        np.testing.assert_allclose(bits[i], -np.log2(expected[symbol]), rtol=1e-9)
        np.testing.assert_array_equal(best[i], order)
        np.testing.assert_allclose(p[i], expected[order], rtol=1e-9)
        if symbol != boundary:
            state.feed(text[i : i + 1])


def test_long_texts_and_many_documents_are_cut(monkeypatch, tmp_path):
    model = random_language_model("abc")
    monkeypatch.setattr(shown_text, "MIN_MEASURED", 7)
    monkeypatch.setattr(shown_text, "SCORING_WORK", 0)
    (tmp_path / "text").write_text("abcabcabcabc")
    for text in ("abcabcabcabc", tmp_path / "text"):
        part = text_part(model, text)
        assert part.measured == "abcabca"
        assert part.size == "the first 7 characters"
    assert text_part(model, "abcabca").size == "all 7 characters"
    model = random_language_model(["ab", "c"])
    part = text_part(model, ["ab", "", "ab", "c"])
    assert part.measured == ["ab", "", "ab"]  # 3 + 1 + 3 symbols with their ends
    assert part.size == "the first 3 documents, 4 characters"
    assert text_part(model, ["abcabcabc"]).size == "all 1 documents, 9 characters"


def test_nothing_is_read_behind_the_part():
    def blocks():
        yield "abcab"
        yield "cab"
        raise AssertionError("the rest of the text was read")

    assert shown_text._take(blocks(), 7) == ("abcabca", True)


def test_the_view_says_how_much_it_shows():
    model = random_language_model("abc")
    part = text_part(model, "abc" * 1334)
    view = text_view(model, part)
    assert view["codes"] == ([97, 98, 99] * 1334)[:4000]
    assert view["note"].startswith("The first 4,000 symbols are shown (")
    assert view["note"].endswith("The overview's figure is for all 4,002 characters.")
    assert len(view["guesses"]) == 4000 * 3 * 2
    assert all(isinstance(value, int) and 0 <= value <= 1000 for value in view["guesses"])  # ids and thousandths
    assert part.neurons(model.vocabulary_) == {"ids": ([0, 1, 2] * 667)[:2000], "codes": ([97, 98, 99] * 667)[:2000]}


def test_view_marks_document_ends():
    model = random_language_model(["ab", "c"])
    part = text_part(model, ["c", ""])
    view = document_view(model, part)
    assert view["codes"] == [99, -1, -1]
    note = f"The first 3 symbols, ends among them are shown ({np.mean(view['bits']):.2f} bits each). "
    assert view["note"].startswith(note[:-1])
    assert part.neurons(model.vocabulary_) == {"ids": [2, 3, 3], "codes": [99, -1, -1]}


def test_without_a_text_there_is_a_sample():
    model = random_language_model("abc")
    part = text_part(model, None)
    assert part.is_sample
    assert part.measured == model.sample(2000, random_state=0)
    note = text_view(model, part)["note"]
    assert note.startswith("No text was given, so this is a sample of the model. The first 2,000 symbols are shown (")
    model = random_language_model(["abc"])
    part = text_part(model, None)
    assert part.is_sample
    assert part.measured == model.sample(n_samples=100, random_state=0)
    assert not text_part(model, ["abc"]).is_sample


def test_a_long_text_is_scored_in_parts():
    for model in (random_language_model(["abc"]), random_language_model("abc")):
        for n, exact in ((20_000, True), (20_001, False)):
            assert text_part(model, ["a" * n] if model.vocabulary_.boundary else "a" * n).exact == exact


def test_a_large_network_reads_less_of_a_text(monkeypatch):
    model = random_language_model(b"abc")
    size = sum(array.size for array in model.params_.values())
    text = b"abc" * 400_000
    for work, n in ((size * 12_345, 12_345), (size, 10_000), (size * 1e9, 1_000_000)):
        monkeypatch.setattr(shown_text, "SCORING_WORK", work)
        part = text_part(model, text)
        assert (len(part.measured), part.size) == (n, f"the first {n:,} bytes")


def test_refuses_texts_of_another_kind():
    for symbols, text, message in (
        ("abc", "", "X is empty"),
        ("abc", ["a"], "X is a list of documents, but the model was fitted on one text. Join the documents"),
        (["a"], "a", "X is one text, but the model was fitted on documents. Pass a list"),
        (["a"], [], "X is empty"),
        (["a"], ["a", b"a"], r"^text\[1\] is .*bytes"),
        (["a"], ["a", None], r"^text\[1\] must be str or bytes, not NoneType"),
        (["a"], 7, "X is 7, but must be a list of documents"),
    ):
        with pytest.raises(InvalidInputError, match=message):
            text_part(random_language_model(symbols), text)


def test_first_document_is_kept_beyond_the_limit():
    assert TextPart(["abcdef", "a"], "", True, False).documents(3) == ["abcdef"]


def test_texts_and_lines_of_documents_are_written_at_each_temperature():
    model = random_language_model("abc")
    assert [found["temperature"] for found in samples(model)] == [0.5, 0.8, 1.1]
    for found in samples(model):
        assert found["text"] == model.sample(400, temperature=found["temperature"], random_state=0)
    model = random_language_model(["ab", "c"])
    for found in samples(model):
        options = {"n_samples": 10, "max_length": 400, "temperature": found["temperature"], "random_state": 0}
        assert found["text"] == "\n".join(model.sample(**options))


def test_bytes_are_read_as_utf_8():
    assert display_text("\u00e4".encode() + b"\xff") == "\u00e4\ufffd"
