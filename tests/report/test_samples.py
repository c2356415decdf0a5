"""The samples of a report."""

from examples import random_language_model

from crnn.report.samples import samples, shown


def test_a_text_is_written_at_each_temperature():
    model = random_language_model("abc")
    assert [found["temperature"] for found in samples(model)] == [0.5, 0.8, 1.1]
    for found in samples(model):
        assert found["text"] == model.sample(400, temperature=found["temperature"], random_state=0)


def test_documents_are_lines():
    model = random_language_model(["ab", "c"])
    for found in samples(model):
        options = {"num_samples": 10, "max_length": 400, "temperature": found["temperature"], "random_state": 0}
        assert found["text"] == "\n".join(model.sample(**options))


def test_bytes_are_read_as_utf_8():
    assert shown("\u00e4".encode() + b"\xff") == "\u00e4\ufffd"
