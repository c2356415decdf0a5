"""The report: what it describes, its data, and its page in headless Chromium."""

import json
import math
import re

import numpy as np
import pytest
from browser import CONTRAST, browser, faults, fill, opened, set_size, text_of, wait
from examples import classifier_of, random_language_model

from crnn import CharNGram, CharRNN, TextClassifier, plot
from crnn.errors import InvalidInputError
from crnn.report import report_file, write_report
from crnn.report.report_file import (
    curves,
    document_tables,
    facts,
    report_data,
    subject_of,
    thin_records,
    units_followed,
)
from crnn.report.shown_text import text_part

STRANGE = "ab</script><script>window.ran=1</script><img src=x onerror=window.ran=1>\u2028\u2029\ud800\u202e\u200f&'\"`"
TABS = ["overview", "text", "neurons", "documents", "classes", "live"]
ARROW_LEFT, ARROW_RIGHT = "\ue012", "\ue014"
TEXT = "to be or not to be\n" * 9
DOCUMENTS = ["".join(letters) for letters in ("ab", "ba", "aab", "abb", "", "a", "b", "ab" * 3, "bb" * 150)]


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    with browser(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


@pytest.fixture
def report_of(driver, tmp_path):
    def make(model, text=None, labels=None, *, title=None, **view):
        write_report(model, tmp_path / "report.html", text, y=labels, title=title)
        return opened(driver, tmp_path / "report.html", **view)

    return make


NAMES = ["Anna", "Anton", "Bob", "Bo", "Eve", "Eva"]


def classified():
    """Return a classifier with a strange class, texts, and their classes."""
    labels = ["A", "A", STRANGE, STRANGE, "E", "E"]
    model = classifier_of(hidden_size=7, max_steps=60, validation_fraction=0.2, seq_length=5, random_state=0)
    return model.fit(NAMES * 3, labels * 3), [*NAMES, "Bea"], [*labels, "E"]


TRAINED = {"max_steps": 40, "validation_fraction": 0.2, "seq_length": 5, "schedule": "cosine", "random_state": 0}
CASES = {
    "text": lambda: (CharRNN(7, **TRAINED).fit("to be or not\nto be " * 20), "to be or not\n" * 5),
    "own": lambda: (random_language_model("to be", cell="lstm"), None),
    "documents": lambda: (CharRNN(7, **TRAINED).fit(["Anna", "Bob", "Eve"] * 9), ["Anna", "", "Bob"]),
    "unknown": lambda: (random_language_model("aabbc", min_count=2), "ab<b>cd"),
    "bigrams of documents": lambda: (random_language_model(["Anna", "Bob"], n_bigrams=3, cell="cifg"), ["Anna", "Bob"]),
    "bytes": lambda: (random_language_model("zwölf Boxkämpfer".encode()), "zwölf".encode()),
    "strange": lambda: (random_language_model(STRANGE, num_layers=2), STRANGE),
    "classes of documents": lambda: classified(),
    "strange documents": lambda: (random_language_model([STRANGE, "a"]), [STRANGE, "a", STRANGE[::-1]]),
}


def show(driver, tab):
    driver.find_element("id", f"tab-{tab}").click()


def tabs_of(driver):
    tabs = driver.execute_script("return [...document.querySelectorAll('[role=tab]')].map((tab) => tab.id)")
    return [tab.removeprefix("tab-") for tab in tabs]


# Dark colors belong to elements, not to models: these cases have them all.
DARK = ["text", "strange", "classes of documents"]
LIGHT_AND_DARK = [(case, False) for case in CASES] + [(case, True) for case in DARK]


@pytest.mark.parametrize(("case", "dark"), LIGHT_AND_DARK)
def test_no_message_no_request_and_contrast(report_of, case, dark):
    driver = report_of(*CASES[case](), title=STRANGE, dark=dark)
    assert tabs_of(driver) == [tab for tab in TABS if tab not in ("documents", "classes") or tab in case]
    for tab in tabs_of(driver):
        show(driver, tab)
        assert driver.execute_script(CONTRAST) == [], tab
    assert faults(driver) == ([], [])
    assert driver.execute_script("return [typeof window.ran, document.querySelectorAll('img').length]") == [
        "undefined",
        0,
    ]
    assert driver.execute_script("return document.scripts.length") == 4


@pytest.mark.parametrize("case", ["text", "documents", "classes of documents", "strange"])
def test_page_fits_a_phone(report_of, case):
    driver = report_of(*CASES[case](), width=360, height=640)
    for tab in tabs_of(driver):
        show(driver, tab)
        assert driver.execute_script("return document.documentElement.scrollWidth") == 360, tab
    set_size(driver, 1100)


def test_the_text_is_shown_with_its_surprisal(report_of):
    model, text = CASES["text"]()
    driver = report_of(model, text)
    show(driver, "text")
    spans = driver.find_elements("css selector", "#text-view span")
    assert "".join(span.get_property("textContent") for span in spans).replace("\u21b5\n", "\n") == text
    bits = model.surprisal(text) / math.log(2)
    assert [span.get_attribute("class") for span in spans] == [f"b{min(8, int(round(b, 2)))}" for b in bits]


def test_hover_tap_and_keys(report_of):
    model, text = CASES["text"]()
    driver = report_of(model, text)
    show(driver, "text")
    spans = driver.find_elements("css selector", "#text-view span")
    expected = [model.next_proba([text[:i]])[0] for i in range(4)]
    actions = pytest.importorskip("selenium.webdriver").ActionChains(driver)
    actions.move_to_element(spans[2]).perform()
    bits = -np.log2([p[list(model.vocabulary_).index(text[i])] for i, p in enumerate(expected)])
    assert f"{bits[2]:.2f} bits" in text_of(driver, "text-chosen")
    guesses = [guess.text for guess in driver.find_elements("css selector", "#text-guesses bdi")]
    order = np.argsort(-expected[2], kind="stable")[:5]
    assert guesses == [{" ": "\u2423", "\n": "\u21b5"}.get(model.vocabulary_[i], model.vocabulary_[i]) for i in order]
    spans[1].click()
    assert f"{bits[1]:.2f} bits" in text_of(driver, "text-chosen")
    driver.find_element("id", "text-view").send_keys(ARROW_RIGHT, ARROW_RIGHT)
    assert f"{bits[3]:.2f} bits" in text_of(driver, "text-chosen")
    driver.find_element("id", "text-view").send_keys(ARROW_LEFT)
    assert f"{bits[2]:.2f} bits" in text_of(driver, "text-chosen")


def test_chosen_unit_colors_the_text(report_of):
    model, text = random_language_model(STRANGE, num_layers=2, dtype="float32").quantize(), STRANGE
    driver = report_of(model, text)
    show(driver, "neurons")
    fill(driver, "unit", str(7 + 3))  # layer 1, unit 3
    levels = np.round(4 * model.hidden_states(text)[:, 1, 3]).astype(int)
    script = "return [...document.querySelectorAll('#unit-text span')].map((s) => s.classList[0]).join()"
    wait(driver, f"return (() => {{ {script} }})() === arguments[0]", ",".join(f"u{level}" for level in levels))


def test_found_units_come_first(report_of):
    model, text = CASES["text"]()
    driver = report_of(model, text * 5)
    options = driver.execute_script("return [...document.getElementById('unit').options].map((o) => o.textContent)")
    assert len(options) > 7
    assert re.fullmatch(r"unit \d: [a-z ]+", options[0])
    show(driver, "neurons")
    assert re.match(r'It follows "[a-z ]+": correlation \u2212?[01]\.\d\d,', text_of(driver, "unit-note"))


def test_curves_of_training_are_drawn(report_of):
    model, text = CASES["text"]()
    driver = report_of(model, text)
    titles = driver.execute_script("return [...document.querySelectorAll('figcaption')].map((c) => c.firstChild.data)")
    assert titles == ["Loss, bits per character", "Gradient norm before clipping", "Learning rate"]
    path = driver.find_element("css selector", "#curves path").get_attribute("d")
    measured = [record for record in model.history_ if record["train_loss"] is not None]
    assert len(re.findall("[ML]", path)) == len(measured)
    picture = driver.find_element("css selector", "#curves svg")
    pytest.importorskip("selenium.webdriver").ActionChains(driver).move_to_element(picture).perform()
    reading = driver.find_element("css selector", "#curves .reading").text
    assert re.fullmatch(r"step \d+: training \d\.\d+, validation \d\.\d+", reading)


def test_tabs_by_keyboard(report_of):
    driver = report_of(*CASES["text"]())
    driver.find_element("id", "tab-overview").send_keys(ARROW_LEFT)  # from the first to the last
    assert driver.execute_script("return document.activeElement.id") == "tab-live"
    assert driver.find_element("id", "beginning").is_displayed()
    assert not driver.find_element("id", "facts").is_displayed()


def test_tables_of_documents(report_of):
    model, text = CASES["documents"]()
    driver = report_of(model, [*text, "Anna"])
    shown = driver.execute_script("return [...document.querySelectorAll('#likeliest bdi')].map((s) => s.textContent)")
    means = -model.score_samples(text) / (np.array([len(name) for name in text]) + 1)
    assert shown == [text[i] or "(empty)" for i in np.argsort(means)]


def test_the_table_of_classes(report_of):
    model, texts, labels = classified()
    driver = report_of(model, texts, labels)
    show(driver, "classes")
    names = model.classes_.tolist()
    predicted = model.predict(texts).tolist()
    pairs = list(zip(labels, predicted, strict=True))
    expected = [[pairs.count((own, to)) for to in names] for own in names]
    rows = driver.execute_script(
        "return [...document.querySelectorAll('#confusion tr')].slice(1).map("
        "(row) => [...row.cells].slice(1).map((cell) => cell.textContent))"
    )
    assert [[int(n or 0) for n in row[:-1]] for row in rows[:-1]] == expected
    assert rows[0][-1] == "100\u202f%"  # both of A are found
    buttons = driver.find_elements("css selector", "#confusion button")
    buttons[0].send_keys("\ue007")  # enter
    assert text_of(driver, "pair-title") == "2 texts of \u2068A\u2069 predicted correctly"
    shown = driver.execute_script("return [...document.querySelectorAll('#pair bdi')].map((e) => e.textContent)")
    assert sorted(shown[::2]) == ["Anna", "Anton"]
    wrong = sum(own != to for own, to in pairs)
    assert len(driver.find_elements("css selector", "#mistakes tr")) == (wrong + 1 if wrong else 0)


def test_the_network_runs_in_the_report(report_of):
    model, text = CASES["text"]()
    driver = report_of(model, text)
    show(driver, "live")
    fill(driver, "beginning", "to ")
    fill(driver, "rate", "0")
    driver.find_element("id", "write").click()
    wait(driver, "return document.getElementById('progress').dataset.speed")
    spans = "[...document.querySelectorAll('#live-text span')]"
    written = driver.execute_script(f"return {spans}.map((s) => s.textContent).join('')").replace("\u21b5\n", "\n")
    assert written == "to " + model.quantize().sample(300, prime="to ", temperature=0.8, random_state=0)


def test_the_network_writes_when_its_tab_is_seen(report_of):
    driver = report_of(*CASES["documents"]())
    assert text_of(driver, "live-text") == ""
    show(driver, "live")
    wait(driver, "return document.getElementById('progress').dataset.speed")
    assert text_of(driver, "live-text")


def test_report_is_small(tmp_path):
    """A model that `recommended` trains for a minute, and a long text."""
    pairs = "".join(chr(33 + i % 41) + chr(74 + i % 25) for i in range(2_000))
    model = CharRNN(224, cell="cifg", n_bigrams=1024, dtype="float64", max_steps=0, random_state=0).fit(pairs)
    write_report(model, tmp_path / "report.html", pairs * 100)
    assert (tmp_path / "report.html").stat().st_size < 1_500_000


def test_strange_titles_and_texts_are_escaped_and_panels_named_by_their_tabs(tmp_path):
    model, text = CASES["strange"]()
    write_report(model, tmp_path / "report.html", text, title=STRANGE)
    page = (tmp_path / "report.html").read_text("utf-8")
    assert page.lower().count("</script>") == 4
    assert "<img" not in page
    assert "\u2028" not in page.partition('id="data">')[2]
    data = json.loads(page.partition('id="data">')[2].partition("</script>")[0])
    assert "".join(map(chr, data["text"]["codes"])) == STRANGE
    # ARIA spells it labelledby; any other spelling is ignored in silence.
    controlled = {panel: tab for tab, panel in re.findall(r'role="tab" id="([\w-]+)" aria-controls="([\w-]+)"', page)}
    named = dict(re.findall(r'id="([\w-]+)" role="tabpanel" aria-labelledby="([\w-]+)"', page))
    assert sorted(controlled.values()) == sorted(f"tab-{tab}" for tab in TABS)
    assert named == controlled


@pytest.fixture(scope="module")
def model():
    return CharRNN(5, num_layers=2, max_steps=20, random_state=0).fit(TEXT)


def test_units_are_numbered_across_layers(model):
    found = plot.find_units(model, TEXT)
    assert {unit.layer for unit in found} == {0, 1}
    assert units_followed(model, text_part(model, TEXT)) == [
        {"unit": 5 * unit.layer + unit.unit, "property": unit.property, "correlation": unit.correlation}
        for unit in found
    ]


def test_the_beginning_of_a_long_text_is_searched(model, monkeypatch):
    monkeypatch.setattr(report_file, "COPY_SYMBOLS", 40)
    assert units_followed(model, text_part(model, TEXT)) == units_followed(model, text_part(model, TEXT[:40]))


def test_a_short_text_and_documents_have_no_units(model):
    assert units_followed(model, text_part(model, TEXT[:20]))
    assert units_followed(model, text_part(model, TEXT[:19])) == []
    of_documents = CharRNN(5, max_steps=2, random_state=0).fit([TEXT])
    assert units_followed(of_documents, text_part(of_documents, [TEXT] * 30)) == []


def test_documents_are_sorted_by_their_mean_surprisal():
    model = random_language_model(["ab"])
    found = document_tables(model, text_part(model, DOCUMENTS + DOCUMENTS[::-1]))  # each of them once
    bits = -model.score_samples(DOCUMENTS) / np.log(2)
    means = bits / np.array([len(name) + 1 for name in DOCUMENTS])
    order = np.argsort(means)
    rows = found["tables"]["likeliest"]
    assert [row["text"] for row in rows] == [DOCUMENTS[i][:200] for i in order]
    assert [row["bits"] for row in rows] == pytest.approx(bits[order])
    assert [row["mean"] for row in rows] == pytest.approx(means[order])
    assert found["tables"]["strangest"] == rows[::-1]
    characters = sum(map(len, DOCUMENTS * 2))
    assert found["note"].startswith(f"Distinct documents of all 18 documents, {characters} characters, ")


def test_new_documents_are_samples_that_are_not_in_the_text():
    model = random_language_model(["ab"])
    new = [row["text"] for row in document_tables(model, text_part(model, DOCUMENTS))["tables"]["new"]]
    wanted = {"n_samples": 15, "unique": True, "exclude": DOCUMENTS, "temperature": 0.8, "random_state": 0}
    assert new == [text[:200] for text in model.sample(**wanted)]


def test_at_most_fifteen_documents_are_listed():
    model = random_language_model(["ab"])
    texts = ["a" * n for n in range(17)]
    tables = document_tables(model, text_part(model, texts))["tables"]
    assert [len(rows) for rows in tables.values()] == [15, 15, 15]
    assert {row["text"] for rows in (tables["likeliest"], tables["strangest"]) for row in rows} == set(texts)
    with model.editing():
        model.params_["by"][model.vocabulary_.boundary] = 50  # it writes no new document
    assert document_tables(model, text_part(model, ["", "a"]))["tables"]["new"] == []


def test_losses_are_in_bits_and_missing_ones_are_none():
    records = [
        {"step": 1, "train_loss": math.log(2), "validation_loss": None, "gradient_norm": 3.0, "learning_rate": 0.5},
        {"step": 2, "train_loss": math.nan, "validation_loss": math.log(4), "gradient_norm": math.inf},
    ]
    assert curves(records) == {
        "step": [1, 2], "training": [1.0, None], "validation": [None, 2.0], "norm": [3.0, None], "rate": [0.5, None],
    }  # fmt: skip


def test_damaged_records_are_left_out():
    whole = {"step": 5, "train_loss": math.log(2), "validation_loss": None, "gradient_norm": 3.0, "learning_rate": 0.5}
    odd = dict.fromkeys(("train_loss", "validation_loss", "gradient_norm", "learning_rate"), "odd")
    damaged = [{}, {"step": "odd"}, {**whole, "step": None}, {"step": 3, **odd}]
    found = curves([*damaged, whole])
    assert found["step"] == [3, 5]
    assert [found[name] for name in ("training", "norm", "rate")] == [[None, 1.0], [None, 3.0], [None, 0.5]]
    assert curves([])["step"] == []


def test_many_records_are_thinned(monkeypatch):
    assert [len(thin_records([{"step": i} for i in range(n)])) for n in (400, 801)] == [400, 268]
    monkeypatch.setattr(report_file, "MAX_RECORDS", 3)
    records = [{"step": i, "validation_loss": 1.0 if i == 4 else None} for i in range(9)]
    assert [record["step"] for record in thin_records(records)] == [0, 3, 4, 6, 8]
    assert len(thin_records(records[:3])) == 3
    assert [record["step"] for record in thin_records(records[:4])] == [0, 2, 3]


def test_other_inputs_are_named():
    for options, named in (({"embedding_size": 3}, "embedding: 3"), ({"n_bigrams": 2}, "bigrams: 2")):
        model = random_language_model("abc", cell="gru", **options)
        found = dict(facts(model, text_part(model, "ab")))["network"]
        assert found == f"gru, layers: 1, hidden units: 7, {named}, float64"


@pytest.mark.parametrize("symbols", ["abc", b"abc"])
def test_facts_about_a_model(symbols):
    model = random_language_model(symbols)
    found = dict(facts(model, text_part(model, symbols[:2])))
    bits = model.bits_per_char(symbols[:2])
    unit = "characters" if isinstance(symbols, str) else "bytes"
    assert found["bits per symbol"] == f"{bits:.3f}, perplexity {2**bits:.2f}, on all 2 {unit}"
    assert found["parameters"] == repr(model)
    assert found["weights"] == f"{sum(array.size for array in model.params_.values()):,}"
    assert found["vocabulary"] == repr(model.vocabulary_)
    assert "trained" not in found
    assert dict(facts(model, text_part(model, None)))["bits per symbol"].endswith(", on a sample of its own")


def test_subject_of_a_model():
    model = CharRNN(3, max_steps=2).fit("abab")
    subject = subject_of(model, "ab", None)
    assert (subject.model, subject.text, subject.classes, list(subject.facts)) == (model, "ab", None, [])
    assert subject.history == model.history_


@pytest.mark.parametrize("n", [20, 21])
def test_many_classes_are_not_all_named(n):
    labels = list(range(n))
    model = classifier_of(hidden_size=3, max_steps=2, random_state=0).fit(["ab"] * n, labels)
    names = ", ".join(map(str, labels[:20])) + (", \u2026" if n > 20 else "")
    facts = dict(subject_of(model, None, None).facts)
    assert facts["classifier"] == f"{n} classes: {names}"
    assert facts["steps"] == f"{model.n_steps_} in total"
    assert facts["shown here"] == "the network for texts of '0'"
    assert "accuracy" not in facts


def test_one_of_two_directions_is_shown():
    model = classifier_of(hidden_size=3, max_steps=5, directions="both", random_state=0).fit(["ab", "ba"], ["x", "y"])
    subject = subject_of(model, ["ab", "bb"], ["y", "y"])
    assert subject.text == ["ab", "bb"]
    assert {record["direction"] for record in model.history_} == {"forward", "backward"}
    assert subject.history == model.models_[0]["forward"].history_
    expected = model.models_[0]["forward"].for_label("y")
    assert subject.model.score("ab") == expected.score("ab")


def test_refuses_models_without_a_report():
    for model, labels, message in (
        (random_language_model("ab"), ["x"], "y needs a classifier, but model is a CharRNN. Omit y"),
        (CharNGram(2).fit("ab"), None, "but a report needs a network. Pass a CharRNN, or a Mixture or"),
        (TextClassifier(CharNGram(2)).fit(["a", "b"], [0, 1]), None, "a network, but the classifier has none"),
    ):
        with pytest.raises(InvalidInputError, match=message):
            subject_of(model, ["ab"], labels)


def test_the_longest_copy_is_a_fact_about_a_text_that_was_given():
    text = "to be or not to be. " * 30
    model = CharRNN(16, max_steps=300, random_state=0).fit(text)
    facts = dict(report_data(subject_of(model, text, None))["facts"])
    shown = r"\d{3} characters of a sample occur in all 600 characters: '[a-z. ]{200}'"
    assert re.fullmatch(shown, facts["longest copy"])
    models = [(model, None), (random_language_model(b"abab"), b"ab"), (random_language_model([b"ab"]), [b"ab"])]
    for other, given in models:
        assert "longest copy" not in dict(report_data(subject_of(other, given, None))["facts"])
