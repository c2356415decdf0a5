"""Only a rounding tie excuses an exported file's answer, and only few of them."""

import pytest
from random_exports import ROUNDING_IN_C, ROUNDING_IN_JAVASCRIPT, Draw, Exported, fault_of_export

from crnn import CharRNN

TEXTS = ["a", "b", "c"]


@pytest.fixture(autouse=True)
def first_case(monkeypatch):
    monkeypatch.setattr(Draw, "has_rounded_states", True)
    monkeypatch.setattr(Draw, "n_texts_at_tie", 0)
    monkeypatch.setattr(Draw, "n_rounded_texts", 0)


def exported(folder, states):
    """Return a file that answers each text with its rounded state, whose nearest integer is 1 in Python."""
    (folder / "rounding").write_text("0 + 0")

    def ask(place, texts):
        nudge = sum(float(number) for number in (place / "rounding").read_text().split("+"))
        return [round(states[text] + nudge) for text in texts]

    def fault_of(text, answer):
        return None if answer == 1 else f"{text} is {answer}"

    return Exported("rounding", ("0 + 0", "0 + {}"), ask, fault_of)


def test_a_state_at_a_tie_is_excused(tmp_path):
    states = {"a": 1.0, "b": 0.49999, "c": 1.50001}
    assert fault_of_export(exported(tmp_path, states), tmp_path, TEXTS) is None
    assert (Draw.n_texts_at_tie, Draw.n_rounded_texts) == (2, 3)


def test_a_state_away_from_a_tie_is_a_fault(tmp_path):
    states = {"a": 1.0, "b": 0.49999, "c": 0.499}
    assert fault_of_export(exported(tmp_path, states), tmp_path, TEXTS) == "c is 0"


def test_exact_weights_have_no_ties(tmp_path, monkeypatch):
    monkeypatch.setattr(Draw, "has_rounded_states", False)
    states = {"a": 1.0, "b": 0.49999, "c": 1.0}
    assert fault_of_export(exported(tmp_path, states), tmp_path, TEXTS) == "b is 0"


def test_many_ties_are_a_fault(tmp_path):
    states = dict.fromkeys(TEXTS, 0.49999)
    assert fault_of_export(exported(tmp_path, states), tmp_path, TEXTS) is None
    fault = fault_of_export(exported(tmp_path, states), tmp_path, TEXTS)
    assert fault == "6 of 6 texts at a tie, the last ['a', 'b', 'c']"


def test_exported_files_round_states_where_a_number_can_be_added(tmp_path):
    network = CharRNN(3, max_steps=0, random_state=0, dtype="float32").fit("abab").quantize()
    network.export_c(tmp_path / "model.c")
    network.export_js(tmp_path / "model.mjs")
    assert (tmp_path / "model.c").read_text().count(ROUNDING_IN_C[0]) == 1
    assert (tmp_path / "model.mjs").read_text().count(ROUNDING_IN_JAVASCRIPT[0]) == 1
