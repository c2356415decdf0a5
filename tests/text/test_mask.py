"""Masks: what the built-in ones replace, places in the original text, and patterns that are refused."""

import warnings

import pytest

from crnn import InvalidInputError
from crnn.text.mask import BUILT_IN, MaskedTexts, checked_mask, mask_of

LINE = "2015-10-18 18:01:47,978 user 12 from 10.0.0.7 id 123e4567-e89b-12d3-a456-426614174000 key 4f01ac at 0xff"


@pytest.mark.parametrize(("rules", "masked"), [
    ("digits", "0-0-0 0:0:0,0 user 0 from 0.0.0.0 id 0e0-e0b-0d0-a0-0 key 0f0ac at 0xff"),
    (["digits", "hex", "uuid", "ip", "time"], "0 user 0 from 0 id 0 key 0 at 0"),
    ([("user [a-z0-9]+", "user NAME"), "time"],
     "0 user NAME from 10.0.0.7 id 123e4567-e89b-12d3-a456-426614174000 key 4f01ac at 0xff"),
])  # fmt: skip
def test_what_is_masked_and_where_it_was(rules, masked):
    mask = mask_of(checked_mask("mask", rules))
    assert mask.text(LINE) == masked
    assert mask.text(LINE.encode()) == masked.encode()
    found = mask.read(LINE)
    assert found.text == masked
    assert len(found.places) == len(masked) + 1
    assert found.places[-1] == len(LINE)
    at = masked.index("from")
    assert LINE[found.places[at] :].startswith("from")
    assert found.places == sorted(found.places)
    assert mask.read(LINE.encode()).places == found.places
    assert [*MaskedTexts([LINE, None], mask)] == [masked, None]


@pytest.mark.parametrize("line", ["Dec 10 06:55:46 LabSZ", "at 06:55:46.123 LabSZ", "2015-10-18T18:01:47+02:00 LabSZ"])
def test_times(line):
    assert mask_of(("time",)).text(line).removeprefix("at ") == "0 LabSZ"


def test_a_replacement_is_taken_literally():
    assert mask_of(((r"b(.)", r"\1\g<0>"),)).text("abc") == r"a\1\g<0>"


@pytest.mark.parametrize(("rules", "message"), [
    (3, "must be None, or a list"), (["words"], r"mask\[0\] must be one of uuid"), ([("a", 3)], "must be one of"),
    ([("(", "x")], "invalid pattern"), ([("a*", "x")], "matches an empty text"), ([("a" * 1001, "")], "at most 1,000"),
    ([("(a+)+b", "x")], "may take forever"), ([("(?:a|a)+b", "x")], "may take forever"),
    ([(r"(a)\1", "x")], "may take forever"), ([("(?:a?){30}b+(?:[a-z]{2,})*c", "x")], "may take forever"),
    ([("(?x)(a+) +b", "x")], "may take forever"), ([("a+a+a+b", "x")], "several match the same characters"),
])  # fmt: skip
def test_wrong_masks_are_refused(rules, message):
    with pytest.raises(InvalidInputError, match=message):
        checked_mask("mask", rules)


@pytest.mark.parametrize("pattern", [
    r"user [a-z]+", r"\(\d+\)", r"[(a+)+]+", r"(?:ab)+", r"(?<=x)\d+(?:\.\d+)?", r"(?:GET|POST) /\S+",
])  # fmt: skip
def test_patterns_that_are_fine(pattern):
    assert checked_mask("mask", [(pattern, "0")]) == ((pattern, "0"),)


@pytest.mark.parametrize("name", BUILT_IN)
def test_the_built_in_masks_take_linear_time(name):
    """A long text that nearly matches in many places would take hours otherwise."""
    for text in ("0123456789-" * 9000, "0a" * 50_000 + "!", "00:00:" * 9000, "f" * 99_999 + "g", "2015-10-18 " * 9000):
        assert len(mask_of((name,)).text(text)) <= len(text)


def test_a_set_that_may_change_its_meaning_is_accepted_silently():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert mask_of(checked_mask("mask", [("[[]a", "0")])).text("[a]") == "0]"
