"""Documents with their labels, and what cannot have any."""

from crnn import Lines
from crnn.text.labels import LabeledSource
from crnn.text.sources import text_source


def test_every_document_begins_with_its_label():
    source = LabeledSource(text_source(["cab", "", "a"]), ["y", "x", "y"])
    vocabulary = source.vocabulary()
    assert source.labels == ("x", "y")
    assert (source.n_documents, source.max_length) == (3, 11)
    assert source.ids(vocabulary).tolist() == [3, 5, 2, 0, 1, 3, 4, 3, 5, 0, 3]
    assert "".join(source.blocks()) == "caba"


def test_documents_in_a_cache_may_have_labels(tmp_path):
    path = tmp_path / "names"
    path.write_text("a\nb\n")
    source = LabeledSource(text_source(Lines(path, cache=tmp_path)), ["z", "x"])
    in_memory = LabeledSource(text_source(["a", "b"]), ["z", "x"])
    assert source.ids(source.vocabulary()).tolist() == in_memory.ids(in_memory.vocabulary()).tolist()


def test_known_labels_keep_their_numbers():
    source = LabeledSource(text_source(["a", "b"]), ["z", "x"], known=("x", "y", "z"))
    assert source.labels == ("x", "y", "z")
    assert source.ids(source.vocabulary()).tolist() == [2, 5, 0, 2, 3, 1, 2]


def test_the_fingerprint_is_of_texts_and_labels():
    def fingerprint(texts, labels):
        return LabeledSource(text_source(texts), labels).fingerprint().sha256

    whole = fingerprint(["a", "b"], [0, 1])
    assert whole == fingerprint(["a", "b"], [0, 1])
    assert whole not in (fingerprint(["a", "b"], [1, 0]), fingerprint(["a", "c"], [0, 1]))
