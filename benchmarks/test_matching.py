"""Does `benchmarks.matching` measure what it says? Its figures are that command's to print."""

import itertools
import re

import numpy as np
import pytest

from benchmarks import matching
from crnn import CharNGram

NAMES = ["anna", "bob", "hanna", "ann", "nan", "bann", "otto"] * 3


def test_a_mask_is_off_by_the_sum_over_all_texts():
    model, pattern = CharNGram(order=3, n_threads=1).fit(NAMES), "[ab].{1,2}(a|tt)"
    texts = ["".join(t) for k in range(6) for t in itertools.product("abhnot", repeat=k)]
    texts = [text for text in texts if re.fullmatch(pattern, text)]
    p = np.exp(model.score_samples(texts))
    single = [matching.mask_variation(model, pattern, p.sum(), [text]) for text in texts]
    drawn = model.sample(num_samples=3000, matching=pattern, random_state=0)
    found = matching.mask_variation(model, pattern, p.sum(), drawn)
    assert found == pytest.approx(np.average(single, weights=p), abs=0.03)
    assert 0.1 < found < 1


def test_the_table_has_a_row_for_each_pattern():
    lines = matching.table(CharNGram(order=3, n_threads=1).fit(NAMES), ["a.*", ".*nn.*"], 20, 10)
    assert len(lines) == 5
    assert {line.count("|") for line in lines[2:]} == {7}
