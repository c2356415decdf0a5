"""The counts of `benchmarks.sampled_words`, on small texts."""

from benchmarks import sampled_words


def test_words_and_copies_are_counted():
    text = "One two three four five six seven. Don't stop"
    assert sampled_words.words_of("Don't stop, 3 _times_") == ["Don't", "stop", "times"]
    sample = "xx two three four five six seven one! yy"
    assert sampled_words.row("name", [sample], text) == "| name | 7 | 85.7 | 50.00 |"
    assert sampled_words.row("name", [""], text) == "| name | 0 | 0.0 | 0.00 |"
