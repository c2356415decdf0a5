"""Patterns that may take forever are known before they are used, however they are written."""

import re
import warnings

import pytest

from crnn.text.slow_patterns import may_take_forever

SLOW = [
    "(a+)+b", "(?x)(a+) +b", "(?:a+)(?#comment)+b", "(?x)(?:a+ # )\n)+b", "(?:a|a)+b", "(?:ab|a)+c",
    r"(a)\1", "(a)?(?(1)b|c)",
    "(?P<n>a+)+b", "(?P<n>a)(?P=n)", "[[](a+)+b", "[^]](a+)+b", r"[\]](a+)+b", "(?=(a+)+b)a", "(?:a?){30}b",
    "a+a+a+b", ".+.+.+b", r"\w+\w+\w+-", ".*.*=.*b", r"\d+.*\d+.*\d+x", r"\D+\S+\W+x", "(?:[a])+(?:[a])+a+b",
    "(?:ab)+(?:ab)+(?:ab)+c", "(?:ab)+a?(?:ba)+(?:ab)+c", "(?i)a+A+a+b", "(?-i:a+)(?i:A+)a+b",
    "(?s:.+)(?s:.+)(?s:.+)b", "[^b]+[^c]+[^d]+b",
    "a?" * 28 + "a" * 28 + "b", "(?:aa|aa)" * 24 + "b", "a{1,150}" * 3 + "b", "a+?a+?a+?b", "(?=a+a+a+b)a",
    "(?>a+a+a+b)",
    ".*ab.*ab.*ab.*c", ".*ab.*ab.*c", r"\w+ab\w+ab\w+c", r"[^,]+ab[^,]+(?:ba)[^,]+,", "(.*ab)(.*ab)(.*ab)c",
    ".*(?:ab){2}.*ab.*c", r".*\d,.*\d,.*\d,.*x", "(?i).*ab.*AB.*c", r".+: .+: .+; [a-z]",
    "(?:a+|b+)(?:a+|c+)(?:d+|a+)e", "(?:a+)?(?:a+)?(?:a+)?b", "é+é+é+b", ".*a.*b.*c.*d.*e", "[a-z]+ ?[a-z]+ ?[a-z]+b",
]  # fmt: skip
FINE = [
    "user [a-z]+", r"\(\d+\)", r"[(a+)+]+", "(?:ab)+", r"(?<=x)\d+(?:\.\d+)?", r"(?:GET|POST) /\S+", r"\w+@\w+\.com",
    r"\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}", "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}", "user .* from .* to .* port .*",
    r"[^ ]+ [^ ]+ [^ ]+ [^ ]+ [^ ]+", "(?:Jan|Feb|Mar|Apr) +[0-9]+ +[0-9:]+", r"\[[^\]]*\] \[[^\]]*\]",
    "a++a++a++b", r"\w+ \w+ \w+ \w+",
    r"[+-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?", "[a-z]+[A-Z]+[a-z]+", r"^\s+|\s+$", '".*"', "a{3}a{3}a{3}a{3}b",
    "user=.* from=.* port=.* end", r"\S+@\S+\.\S+", "<.*>.*</", ".*ab.*c", r"from .+ port .+ ssh2$", ".*ab.*ab.*",
    r"\w+: .*; \w+: .*", r"(?:src|dst)=\S+ .* proto=\S+",
    r"\b(?:id|key)=\w+\b", "a+b|a+c|a+d|a+e",
]  # fmt: skip


@pytest.mark.parametrize("pattern", SLOW)
def test_slow_patterns_are_known(pattern):
    assert may_take_forever(pattern)


@pytest.mark.parametrize("pattern", FINE)
def test_usual_patterns_are_not_called_slow(pattern):
    assert not may_take_forever(pattern)


def test_fine_patterns_end_on_runs_of_their_symbols():
    """This test does not end if one of them is slow."""
    for pattern in FINE:
        for run in ("a", "0", " ", ".", "=", "ab", "0.", "a ", "user from to port", "user= from= port= ", "<></"):
            assert re.compile(pattern).sub("", run * (300 // len(run)) + "\n!") is not None


def test_a_set_that_may_change_its_meaning_is_read_silently():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not may_take_forever("[[]a+")
