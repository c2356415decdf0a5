"""The table of parameters, and what follows from it: the signature, `Settings`, the docstring, the options."""

import dataclasses
import inspect
import re

import pytest

from crnn import CharRNN
from crnn.parameters.settings import GROUPS, PARAMETERS, Settings, checked_parameter


def test_signature_and_attributes_match_the_table():
    shown = {name: p.default for name, p in inspect.signature(CharRNN).parameters.items()}
    assert list(shown) == list(PARAMETERS)
    assert shown == {name: entry.default for name, entry in PARAMETERS.items()}
    given = {name: object() for name in PARAMETERS}
    assert vars(CharRNN(**given)) == given


def test_types_of_the_signature_agree_on_none():
    for name, p in inspect.signature(CharRNN).parameters.items():
        if p.annotation not in ("Any", "str"):
            assert ("None" in p.annotation) == PARAMETERS[name].kind.endswith("None"), name


def test_settings_have_the_names_of_the_table():
    assert [field.name for field in dataclasses.fields(Settings)] == list(PARAMETERS)


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_default_is_what_the_kind_says_and_passes_its_check(name):
    entry = PARAMETERS[name]
    checked_parameter(name, entry.default)
    kind = {str: "{", bool: "bool", int: "int", float: "float", type(None): ""}[type(entry.default)]
    assert kind in entry.kind
    assert (entry.default is None) <= entry.kind.endswith("or None")
    assert re.fullmatch(r'["A-Z0-9].*[.]', entry.text)


def test_groups_follow_each_other():
    groups = [entry.group for entry in PARAMETERS.values()]
    assert list(dict.fromkeys(groups)) == list(GROUPS)
    assert groups == sorted(groups, key=list(GROUPS).index)


def test_the_docstring_describes_each_group_and_parameter_in_order():
    doc = inspect.getdoc(CharRNN)
    places = [doc.index(f"\n{group.capitalize()}: {content}\n\n") for group, content in GROUPS.items()]
    assert places == sorted(places)
    described = doc.partition("Parameters\n----------\n")[2].partition("\n\nAttributes\n")[0]
    entries = dict(re.findall(r"^(\w+) : (.+)$", described, re.MULTILINE))
    assert list(entries) == list(PARAMETERS)
    assert entries["cell"] == '{"rnn", "gru", "lstm", "cifg"}, default="rnn"'
    assert entries["clip"] == "float or None, default=5.0"
    words = " ".join(described.split())
    assert all(" ".join(entry.text.split()) in words for entry in PARAMETERS.values())
    assert max(map(len, doc.split("\n"))) <= 120
