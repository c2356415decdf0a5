"""Pages that judge typed texts: classifiers and detectors give the verdicts of Python."""

import numpy as np
import pytest
from browser import CONTRAST, browser, faults, fill, opened, text_of, wait

from crnn import CharNGram, CharRNN, TextClassifier

RANDOM = np.random.default_rng(5)
GIRLS = ["".join(RANDOM.choice(["an", "na", "li", "sa", "e"], RANDOM.integers(1, 5))) for _ in range(150)]
BOYS = ["".join(RANDOM.choice(["bo", "to", "m", "ot", "by"], RANDOM.integers(1, 5))) for _ in range(100)]
HOSTILE = "</script><img src=x onerror=alert(1)>\u202eabc \U0001f469\u200d\U0001f467"
BARS = """
return [...document.querySelectorAll("#label-bars li")].map((li) => [...li.children].map((each) => each.textContent))
"""
LINES = BARS.replace("label-bars", "judged-lines")


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    with browser(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


def classifier(*estimators, labels=("girl", "</script><b>boy"), **options):
    y = [labels[0]] * len(GIRLS) + [labels[1]] * len(BOYS)
    return TextClassifier(list(estimators) or CharNGram(3), **options).fit([*GIRLS, *BOYS], y)


@pytest.fixture
def page_of(driver, tmp_path):
    def make(model, *, dark=False, width=1100, **options):
        model.export_html(tmp_path / "page.html", **options)
        return opened(driver, tmp_path / "page.html", dark=dark, width=width)

    return make


def enter(driver, text, element_id="typed"):
    turn = driver.execute_script("return document.getElementById('judge-state').dataset.turn")
    fill(driver, element_id, text)
    wait(driver, "return document.getElementById('judge-state').dataset.turn !== arguments[0]", turn)


def percent(p):
    """Return a probability as pages show it."""
    if p >= 0.0995:
        return f"{np.floor(100 * p + 0.5):.0f}\u2009%"
    return f"{100 * p:.1f}\u2009%" if p >= 0.001 else "<\u20090.1\u2009%"


@pytest.mark.parametrize("kind", ["counts", "network", "both", "8 bits"])
def test_bars_are_the_probabilities_of_python(page_of, kind):
    network = CharRNN(5, cell="gru", max_steps=40, random_state=0)
    model = {
        "counts": classifier,
        "network": lambda: classifier(network),
        "both": lambda: classifier(network, CharNGram(2)),
        "8 bits": lambda: classifier(network, CharNGram(2)).quantize(),
    }[kind]()
    driver = page_of(model)
    for text in ("anna", "tom", "annabo", "é", ""):
        enter(driver, text)
        p = model.predict_proba([text])[0]
        order = np.argsort(-p, kind="stable")
        wanted = [[str(model.classes_[k]), "", percent(p[k])] for k in order]
        assert driver.execute_script(BARS) == wanted
    assert text_of(driver, "judge-state") == "Without a text, these are the shares of the labels."
    assert faults(driver) == ([], [])


def test_each_line_is_a_text_of_its_own(page_of):
    model = classifier()
    driver = page_of(model)
    lines = ["anna", HOSTILE, "", "toby"]
    enter(driver, "\n".join([*lines, ""]))
    assert not driver.find_element("id", "label-bars").is_displayed()
    shown = driver.execute_script(LINES)
    p = model.predict_proba(lines)
    assert [row[1:] for row in shown] == [[str(model.classes_[row.argmax()]), percent(row.max())] for row in p]
    assert shown[0][0] == "anna"
    assert shown[1][0] == HOSTILE.replace("\u202e", "\ufffd").replace("\u200d", "\ufffd")
    driver.find_element("id", "by-line").click()
    wait(driver, "return !document.getElementById('label-bars').hidden")
    whole = model.predict_proba(["\n".join([*lines, ""])])[0]
    assert driver.execute_script(BARS)[0][2] == percent(whole.max())
    assert faults(driver) == ([], [])


def test_many_labels_and_many_lines(page_of):
    labels = [f"label {i}" for i in range(13)]
    texts = [f"{label} {letter}" for label in "abcdefghijklm" for letter in "xyz"]
    model = TextClassifier(CharNGram(3)).fit(texts, np.repeat(labels, 3))
    driver = page_of(model)
    enter(driver, "c x")
    bars = driver.execute_script(BARS)
    assert bars[0][0] == "label 2"
    assert [row[0] for row in bars[9:]] == ["4 others"]
    enter(driver, "c x\nd y\n" * 1500)
    shown = driver.execute_script(LINES)
    assert len(shown) == 2000
    assert [row[1] for row in shown[:2]] == ["label 2", "label 3"]
    assert text_of(driver, "judge-state") == "The first 2,000 lines. "


@pytest.mark.parametrize("dark", [False, True])
def test_it_fits_a_phone_and_has_contrast(page_of, dark):
    driver = page_of(classifier(), dark=dark, width=360, title=HOSTILE)
    for text in ("anna", f"anna\n{'x' * 300}\n{HOSTILE}"):
        enter(driver, text)
        assert driver.execute_script(CONTRAST) == []
        assert driver.execute_script("return document.documentElement.scrollWidth") == 360
    assert driver.title.startswith("</script>")
    assert faults(driver) == ([], [])


def test_keyboard_alone(page_of):
    driver = page_of(classifier())
    driver.switch_to.active_element.send_keys("\ue004")  # tab
    assert driver.switch_to.active_element.get_attribute("id") == "typed"
    driver.switch_to.active_element.send_keys("anna")
    wait(driver, f"{BARS.replace('return', 'return (', 1).strip()})[0][0] === 'girl'")
    driver.switch_to.active_element.send_keys("\ue004")
    assert driver.switch_to.active_element.get_attribute("id") == "by-line"


def test_without_a_worker_the_page_works_itself(page_of, driver):
    source = {"source": "window.Worker = class { constructor() { throw new Error('forbidden'); } };"}
    script = driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", source)
    try:
        enter(page_of(classifier()), "anna")
    finally:
        driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", script)
    assert driver.execute_script(BARS)[0][0] == "girl"
