"""The interval of the false-positive rate contains the rate on new texts, as often as it says."""

import pytest

from benchmarks import false_alarms


@pytest.mark.slow
@pytest.mark.parametrize("kind", false_alarms.KINDS)
def test_the_interval_contains_the_rate(kind):
    found = false_alarms.coverage(false_alarms.KINDS[kind], 17)
    assert found.inside >= 0.93
    assert 0.85 < found.rate < 1.15


def test_the_threshold_has_the_promised_rate_although_characters_are_rare():
    """A character that a text shares with no other is unknown to a model of the others."""
    found = false_alarms.coverage(false_alarms.KINDS["names in Chinese characters"], 3, 3000)
    assert 0.75 < found.rate < 1.35
    assert found.inside == 1
