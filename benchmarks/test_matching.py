"""The table of `benchmarks.matching` on few names, and its measure of masks by adding up over all texts."""

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
    each = [matching.mask_variation(model, pattern, [text]) for text in texts]
    drawn = model.sample(n_samples=3000, matching=pattern, random_state=0)
    found = matching.mask_variation(model, pattern, drawn)
    assert found == pytest.approx(np.average(each, weights=p), abs=0.03)
    assert 0.1 < found < 1


def test_the_table_has_a_row_for_each_pattern():
    models = matching.models(NAMES * 9, 0.2)
    lines = list(matching.table(models, ["a.*", ".*nn.*"], 20, 10))
    assert len(lines) == 5
    assert {line.count("|") for line in lines} == {7}
    assert "fails" not in "".join(lines)
