"""Pages that judge typed texts: classifiers and detectors give the verdicts of Python."""

import numpy as np
import pytest
from browser import CONTRAST, browser, faults, fill, opened, text_of, wait

from crnn import AnomalyDetector, CharNGram, CharRNN, Mixture, TextClassifier

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
        return f"{np.floor(100 * p + 0.5):.0f}\u202f%"
    return f"{100 * p:.1f}\u202f%" if p >= 0.001 else "<\u202f0.1\u202f%"


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


# ---------------------------------------------------------------- detectors

USERS = ["anna", "bob", "évé", "o\U0001f600o"]
LOG = [f"user {RANDOM.choice(USERS)} job {RANDOM.integers(1000)} done" for _ in range(200)]
NEW = [*LOG[:5], "user anna job 5 gone", "", "user é", "zzz", "user bob job 12345 done!", HOSTILE, "user bob job 7 do"]
ROWS = """
return [...document.querySelectorAll("#judged-lines li")].map((li) => {
  const [verdict, text, score] = li.children;
  const colors = [...text.children].map((span) => span.className.split(" ")[0]).join(" ");
  const marked = [...text.children].findIndex((span) => span.classList.contains("chosen"));
  const note = li.children[3] ? li.children[3].textContent : "";
  return [verdict.textContent, text.textContent, score.textContent, colors, marked, note];
});
"""


def log_counts(X=LOG, order=4):
    return CharNGram(order, min_count=2).fit(X).quantize()


def log_network():
    return CharRNN(9, cell="gru", max_steps=200, random_state=0, dtype="float32", min_count=2).fit(LOG)


def detector(model, texts=LOG, **options):
    return AnomalyDetector(model, contamination=0.05, **options).calibrate(texts)


DETECTORS = {
    "counts": lambda: detector(log_counts()),
    "mask": lambda: detector(log_counts(), mask=["digits"]),
    "network": lambda: detector(log_network()),
    "mixture": lambda: detector(Mixture.from_fitted([log_network(), log_counts()]), reduce="min"),
    "bytes": lambda: detector(log_counts([line.encode() for line in LOG]), [line.encode() for line in LOG]),
    "running text": lambda: detector(log_counts("\n".join(LOG)), reduce="mean", mask=[("a+", "aaa")]),
}


def color(surprisal):
    return f"b{min(8, int(surprisal / np.log(2)))}"


@pytest.mark.parametrize("kind", DETECTORS)
def test_verdicts_places_and_colors_are_those_of_python(page_of, kind):
    model = DETECTORS[kind]()
    driver = page_of(model)
    enter(driver, "\n".join(NEW))
    rows = driver.execute_script(ROWS)
    assert len(rows) == len(NEW)
    n_anomalies = 0
    for text, (verdict, shown, score, colors, marked, note) in zip(NEW, rows, strict=True):
        found = model.explain(text.encode() if kind == "bytes" else text)
        assert verdict == ("anomaly" if found.is_anomaly else "normal"), text
        assert score in {
            "\u2212\u221e" if found.score == -np.inf else f"{found.score + shift:.1f}" for shift in (0, 1e-4, -1e-4)
        }
        assert shown.startswith(text[:5].replace("\n", ""))
        n_anomalies += found.is_anomaly
        if found.is_anomaly:
            likely_worst = np.flatnonzero(found.surprisal > found.surprisal.max() - 1e-3)
            places = [int(found.places[worst]) for worst in likely_worst]
            if kind == "bytes":
                places = [len(text.encode()[:place].decode("utf-8", "ignore")) for place in places]
            assert marked in places, text
            assert note.startswith("Expected at the mark: ")
            assert " or " not in note or "<\u202f" not in note  # no second character that was improbable, too
        else:
            assert marked == -1
        if kind in ("counts", "network", "mixture"):
            nats = found.surprisal[: len(text)]
            assert colors.split()[: len(text)] == [color(each) for each in nats]
    assert 0 < n_anomalies < len(NEW)
    said = "1 of 12 lines is an anomaly." if n_anomalies == 1 else f"{n_anomalies} of 12 lines are anomalies."
    assert text_of(driver, "judge-state") == said
    assert faults(driver) == ([], [])


def test_masked_characters_have_no_color(page_of):
    driver = page_of(DETECTORS["mask"]())
    enter(driver, "user anna job 777 done")
    ((_, _, _, colors, _, _),) = driver.execute_script(ROWS)
    assert [i for i, each in enumerate(colors.split()) if each == "masked"] == [15, 16]
    assert driver.find_element("id", "mask-key").is_displayed()


def test_the_threshold_the_order_and_the_filter(page_of):
    model = DETECTORS["counts"]()
    driver = page_of(model)
    assert "expected of about 1 of 20 normal lines." in text_of(driver, "threshold-note")
    enter(driver, "\n".join(NEW))
    scores = model.score_samples(NEW)
    driver.find_element("id", "anomalies").click()
    flagged = [row[1] for row in driver.execute_script(ROWS)]
    assert len(flagged) == (model.predict(NEW) == -1).sum()
    driver.find_element("id", "by-score").click()
    lowest = driver.execute_script(ROWS)[0]
    assert lowest[2] == f"{scores.min():.1f}"
    limit = float(np.sort(scores)[9] + 1e-3)
    fill(driver, "threshold", f"{limit:.4f}")
    assert len(driver.execute_script(ROWS)) == 10
    assert text_of(driver, "judge-state") == "10 of 12 lines are anomalies."
    driver.find_element("id", "calibrated").click()
    assert len(driver.execute_script(ROWS)) == len(flagged)
    assert driver.find_element("id", "threshold").get_property("value") == f"{model.offset_:.2f}"
    enter(driver, "")
    assert driver.execute_script(ROWS) == []
    assert text_of(driver, "judge-state") == ""


@pytest.mark.parametrize("dark", [False, True])
def test_a_detector_fits_a_phone_and_has_contrast(page_of, dark):
    driver = page_of(DETECTORS["mask"](), dark=dark, width=360, title=HOSTILE)
    enter(driver, "\n".join([*NEW, "x" * 300]))
    assert driver.execute_script(CONTRAST) == []
    assert driver.execute_script("return document.documentElement.scrollWidth") == 360
    assert faults(driver) == ([], [])
