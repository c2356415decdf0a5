"""Does `benchmarks.latency` measure what it says? Its figures are that command's to print."""

import math
import re

from benchmarks import latency


def test_there_is_a_row_for_each_size():
    header, _, *rows = latency.table([5, 7], 2, 2)
    assert [re.search(r"H = (\d+)", line)[1] for line in rows] == ["5", "7"]
    assert all(line.count("|") == header.count("|") for line in rows)


def test_the_string_has_the_requested_length():
    model, text = latency.fitted(7)
    calls = latency.contenders(model, text, 50)
    assert calls["string"]() == model.score_samples([text[:50]])[0]
    assert latency.table([5], 1, 1, length=50)[0].count("of 50 characters") == 1


def test_the_median_is_that_of_the_calls():
    slow = latency.microseconds({"once": lambda: math.factorial(20_000), "often": lambda: None}, 3, 5)
    assert slow["once"] > 10 * slow["often"] > 0
