"""Calibration: the threshold has the promised rate, ties and weights count, and the interval covers the rate."""

import math
import warnings

import numpy as np
import pytest

from crnn import InvalidInputError
from crnn.detection.calibration import calibrate, change_message, supported_rate


def test_the_expected_rate_is_the_contamination():
    """Over many calibrations with n scores the mean rate on new scores is k / (n + 1), at most the contamination."""
    rng, n, contamination = np.random.default_rng(0), 211, 0.05
    found = [calibrate(rng.normal(size=n), contamination) for _ in range(400)]
    # 10 / 212 is 0.047, and 11 / 212 is above 0.05; two scores are rarely as close as rounding errors
    assert np.mean([c.rank == 10 for c in found]) > 0.98
    assert {c.rank for c in found} <= {9, 10}
    fresh = np.sort(rng.normal(size=200_000))
    rates = np.searchsorted(fresh, [c.offset for c in found], side="left") / len(fresh)
    assert rates.mean() == pytest.approx(10 / 212, rel=0.05)
    inside = [low <= rate <= high for (low, high), rate in zip([c.interval for c in found], rates, strict=True)]
    assert 0.92 < np.mean(inside) < 0.98


@pytest.mark.parametrize(("n", "rank"), [(1, 1), (97, 4), (98, 4), (99, 5), (100, 5)])
def test_the_rank_is_the_contamination_of_one_more_text(n, rank):
    assert calibrate(np.arange(-n, 0.0), 0.05).rank == rank


def test_too_few_texts_have_their_lowest_score_as_the_threshold():
    found = calibrate(np.array([-3.0, -7.0, -5.0]), 0.001)
    assert found == (pytest.approx(-7.0, abs=1e-3), 3.0, 1.0, 1.0, 0.001)
    low, high = found.interval
    assert low < 0.25 < high


@pytest.mark.parametrize("close", [0.0, 1e-7, -1e-9])
def test_a_rounding_error_changes_no_verdict(close):
    """Sixty texts have the score at the threshold, some of them but for a rounding error."""
    scores = np.array([-9.0, *[-5.0] * 40, *[-5.0 - close] * 20, *[-1.0] * 39])
    found = calibrate(scores, 0.1)
    normal = scores >= found.offset
    assert normal.sum() == 99
    assert found.rank == 2
    for factor in (1 - 1e-6, 1 + 1e-6):
        np.testing.assert_array_equal(scores * factor >= found.offset, normal)


def test_texts_below_a_gap_count():
    """If scores up to the chosen one leave no gap, the threshold is below several of them, and the rank says so."""
    scores = np.concatenate([[-9.0, -8.0], np.linspace(-5.0001, -5.0, 7), -np.arange(1.0, 92) / 91])
    found = calibrate(scores, 0.08)  # the eighth of 100 is chosen
    assert found.rank == 3
    assert -5.0007 < found.offset < -5.0001


def test_weights_count_as_repeated_scores():
    scores, weights = np.array([-1.0, -8.0, -3.0, -5.0]), np.array([71, 3, 20, 7])
    for contamination in (0.01, 0.04, 0.1, 0.2, 0.5):
        expected = calibrate(np.repeat(scores, weights), contamination)
        found = calibrate(scores, contamination, weights.astype(float))
        assert found[:3] == expected[:3]
        assert found.variance > 1
        low, high = found.interval
        assert low < expected.interval[0]
        assert high > expected.interval[1]


def test_minus_infinity_counts_but_is_not_a_threshold():
    scores = np.array([-np.inf, *range(-99, 0)])
    assert calibrate(scores, 0.05).offset == pytest.approx(-96, abs=0.01)
    with pytest.raises(InvalidInputError, match=r"0\.092 of the texts.*symbols that the model never saw.*min_count=2"):
        calibrate(np.append(scores, [-np.inf] * 9), 0.05)
    for weights, fraction in (([2, 5, 93], "0.07 of"), ([93, 2, 5], "0.95 of")):
        with pytest.raises(InvalidInputError, match=fraction):
            calibrate(np.array([-np.inf, -np.inf, -1.0]), 0.001, np.array(weights, float))


def warning_of(n, contamination):
    """Return the text of the only warning of a threshold from n scores, or an empty text."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        calibrate(np.arange(-n, 0.0), contamination).warn_of_few_texts("Give more.")
    (text,) = [str(warning.message) for warning in caught] or [""]
    return text


def test_a_warning_says_how_uncertain_the_rate_is():
    assert warning_of(211, 0.01) == (
        "the threshold was set by 211 calibration texts, fewer than 10 / contamination = 1,000 for contamination=0.01: "
        "the false-positive rate is between 0.0011 and 0.026 at 95 % confidence. Give more."
    )
    assert warning_of(1000, 0.01) == ""


def test_a_warning_says_that_no_alarm_is_likely():
    assert warning_of(97, 0.001) == (
        "no alarm is likely if even one of the 97 calibration texts is odd: they are so few for contamination=0.001 "
        "that the lowest of their scores is the threshold. From 2 / contamination = 2,000 calibration texts on, an "
        "alarm is likely all the same, or with contamination=0.031. The "
        "false-positive rate is between 0.00026 and 0.037 at 95 % confidence. Give "
        "more."
    )


@pytest.mark.parametrize("contamination", [0.5, 0.07, 0.03, 0.001, 1 / 700])
def test_the_warning_is_exact_about_the_number_of_texts(contamination):
    """The numbers of texts that it asks for are the smallest that suffice; below the first, the lowest score rules."""
    for enough, begins in ((2, "the threshold was set by"), (10, "")):
        n = math.ceil(enough / contamination)
        assert warning_of(n, contamination).startswith(begins)
        assert f"{enough} / contamination = {n:,}" in warning_of(n - 1, contamination)
    n = math.ceil(2 / contamination)
    assert calibrate(np.arange(-n, 0.0), contamination).rank == 2
    assert calibrate(np.arange(-n + 2, 0.0), contamination).rank == 1


def test_the_automatic_rate_is_one_that_the_texts_support():
    assert supported_rate(900) == pytest.approx(1 / 300)
    assert supported_rate(10**6) == 0.001
    assert supported_rate(3) == 0.5
    with pytest.warns(
        UserWarning, match=r"^about 1 of 300 normal texts will be flagged: contamination=0\.0033, .* 900"
    ):
        calibrate(np.arange(-900, 0.0), supported_rate(900)).warn_of_few_texts("More.", automatic=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        calibrate(np.arange(-20_000, 0.0), supported_rate(20_000)).warn_of_few_texts("More.", automatic=True)


def test_far_more_anomalies_than_chance_allows_have_a_message():
    """The exact test: as many as the upper bound of the rate is no alarm, nor are a few more of few texts."""
    found = calibrate(np.arange(-10_000, 0.0), 0.01)
    _, high = found.interval
    assert change_message(found.interval, round(1000 * high), 1000) == ""
    assert change_message(found.interval, 30, 1000) == ""
    assert change_message(found.interval, 0, 1000) == ""
    assert change_message(found.interval, 60, 60) == ""
    assert change_message(found.interval, 99, 99) == ""  # the user may have chosen so few by hand
    assert change_message(found.interval, 100, 100) != ""
    assert "570 of 1,000 texts (57.0%) are anomalies" in change_message(found.interval, 570, 1000)
    assert "partial_fit" in change_message(found.interval, 60, 1000)
