"""The units listed in a report."""

import pytest

from crnn import CharRNN, plot
from crnn.report import units
from crnn.report.shown_text import text_part

TEXT = "to be or not to be\n" * 9


@pytest.fixture(scope="module")
def model():
    return CharRNN(5, num_layers=2, max_steps=20, random_state=0).fit(TEXT)


def test_units_are_numbered_across_layers(model):
    found = plot.find_units(model, TEXT)
    assert {unit.layer for unit in found} == {0, 1}
    assert units.units_followed(model, text_part(model, TEXT)) == [
        {"unit": 5 * unit.layer + unit.unit, "property": unit.property, "correlation": unit.correlation}
        for unit in found
    ]


def test_the_beginning_of_a_long_text_is_searched(model, monkeypatch):
    monkeypatch.setattr(units, "SEARCHED", 40)
    assert units.units_followed(model, text_part(model, TEXT)) == units.units_followed(
        model, text_part(model, TEXT[:40])
    )


def test_a_short_text_and_documents_have_no_units(model):
    assert units.units_followed(model, text_part(model, TEXT[:20]))
    assert units.units_followed(model, text_part(model, TEXT[:19])) == []
    of_documents = CharRNN(5, max_steps=2, random_state=0).fit([TEXT])
    assert units.units_followed(of_documents, text_part(of_documents, [TEXT] * 30)) == []
