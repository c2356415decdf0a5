import argparse

import pytest

from crnn.cli.options import Option, add_options, parameter_table, value_of


class Oven:
    """Bakes.

    Parameters
    ----------
    heat : float, default=180.0
        Degrees, at most 50 % off,
        of `Celsius`.
    mode : {"top", "bottom"}, default="top"
    fan : bool, default=True
        Blows.
    loaves_at_once : int or None, default=None
        How many.

        None: as many as fit.

    Attributes
    ----------
    door_ : str
        Not a parameter.
    """

    def __init__(self, heat=180.0, mode="top", *, fan=True, loaves_at_once=None, new=7):
        pass


def parser(check=lambda name, value: None, **rest):
    made = argparse.ArgumentParser(prog="oven")
    add_options(made, parameter_table(Oven), check, **rest)
    return made


def test_options_are_read_from_the_docstring():
    assert parameter_table(Oven) == {
        "heat": Option("float", 180.0, "Degrees, at most 50 % off, of `Celsius`."),
        "mode": Option('{"top", "bottom"}', "top", ""),
        "fan": Option("bool", True, "Blows."),
        "loaves_at_once": Option("int or None", None, "How many. None: as many as fit."),
        "new": Option("value", 7, ""),
    }


def test_options_work_without_docstrings(monkeypatch):
    monkeypatch.setattr(Oven, "__doc__", None)
    assert parameter_table(Oven)["heat"] == Option("value", 180.0, "")
    assert "--loaves-at-once VALUE" in parser().format_help()
    assert parser().parse_args(["--heat", "3"]).heat == 3


def test_help_shows_texts_and_defaults():
    text = " ".join(parser(defaults={"new": 8}).format_help().split())
    assert "--heat FLOAT Degrees, at most 50 % off, of Celsius. (default: 180.0)" in text
    assert "--mode {top,bottom} (default: top)" in text
    assert "--fan, --no-fan Blows. (default: True)" in text
    assert "--loaves-at-once INT How many. None: as many as fit. (default: none)" in text
    assert "--new VALUE (default: 8)" in text


def test_each_value_is_checked_by_itself(capsys):
    seen = []

    def check(name, value):
        seen.append((name, value))
        if name == "heat" and value > 500:
            raise ValueError("heat: too much")

    made = parser(check)
    made.parse_args(["--heat", "90", "--loaves-at-once", "none"])
    assert seen == [("heat", 90), ("loaves_at_once", None)]
    with pytest.raises(SystemExit) as caught:
        made.parse_args(["--heat", "900"])
    assert caught.value.code == 2
    assert "oven: error: argument --heat: heat: too much" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "given"),
    [
        ("", {}), ("--new none --mode 12", {"new": None, "mode": "12"}), ("--heat 2e2", {"heat": 200.0}),
        ("--fan", {"fan": True}), ("--no-fan", {"fan": False}),
    ],
)  # fmt: skip
def test_only_given_options_have_values(words, given):
    assert vars(parser().parse_args(words.split())) == given


@pytest.mark.parametrize(
    ("text", "value"),
    [("12", 12), ("-3", -3), ("0.5", 0.5), ("1e-3", 0.001), ("inf", float("inf")), ("None", None), ("none", None),
     ("True", True), ("false", False), ("adam", "adam"), ("", "")],
)  # fmt: skip
def test_values_are_parsed_by_their_form(text, value):
    assert value_of(text) == value
    assert type(value_of(text)) is type(value)
    assert value_of(text, default="a text") == text
