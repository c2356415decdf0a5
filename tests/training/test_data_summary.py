"""What training says first."""

from __future__ import annotations

import pytest

from crnn import CharRNN


@pytest.mark.parametrize(
    ("X", "parameters", "line"),
    [
        ("abracadabra", {}, "data: 11 characters, 5 different ones"),
        (b"abracadabra", {}, "data: 11 bytes, 5 different ones"),
        ("abracadabra", {"min_count": 3}, "data: 11 characters, 1 different one and one symbol for all others"),
        ("abracadabra" * 100, {"validation_fraction": 0.25},
         "data: 825 characters, 5 different ones; validation: 275 characters"),
        (["ab", "", "bcd"], {}, "data: 3 documents of 5 characters in all, 4 different ones"),
        (["ab"] * 3, {"validation_fraction": 0.3},
         "data: 2 documents of 4 characters in all, 2 different ones; validation: 1 document of 2 characters in all"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("verbose", [1, 2])
def test_training_first_tells_the_size_of_the_text(capsys, X, parameters, line, verbose):
    CharRNN(3, max_steps=1, verbose=verbose, **parameters).fit(X)
    assert capsys.readouterr().err.splitlines()[0] == line


def test_partial_fit_tells_the_known_symbols(capsys):
    CharRNN(3, max_steps=1).fit("abc").set_params(verbose=1).partial_fit("abab")
    assert capsys.readouterr().err.splitlines()[0] == "data: 4 characters, 3 different ones"


def test_quiet_training_tells_nothing(capsys):
    CharRNN(3, max_steps=1).fit("abc")
    assert capsys.readouterr().err == ""
