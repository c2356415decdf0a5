"""Texts typed into a page, and the symbols of its model, are only shown: no markup, no other direction, no fault."""

import json

import pytest
from browser import browser, faults, opened, wait

from crnn import AnomalyDetector, CharNGram, CharRNN, Mixture, TextClassifier

HOSTILE = [
    "</script><img src=x onerror=alert(1)>",
    "<!--<script>",
    "\u202eabc\u2069 שלום \u200f",
    "\U0001f469\u200d\U0001f467 e\u0301\u0301\u0301",
    "a\0b\x1b[31m",
    "\ud800 \udc00\ud800",
    "{title} ${a} `b` \\u003c",
    "\u2028\u2029\ufeff",
    "",
    "x" * 3000,
]
TEXT = "".join(HOSTILE[:-1]) * 9
OPTIONS = {"max_steps": 30, "random_state": 0, "dtype": "float32"}


def network(X):
    return CharRNN(7, cell="gru", **OPTIONS).fit(X)


def counts(X):
    return CharNGram(3).fit(X).quantize()


def mixture(X):
    return Mixture.from_fitted([network(X), counts(X)])


PAGES = {  # kind: how its model is made, the options of its page, the field, and what shows that it has answered
    "network": (lambda: network(TEXT), {}, "beginning", "progress.speed"),
    "counts": (lambda: counts(TEXT), {}, "beginning", "progress.speed"),
    "mixture": (lambda: mixture(TEXT), {}, "beginning", "progress.speed"),
    "names": (lambda: counts(HOSTILE * 5), {"exclude": HOSTILE[:1]}, "starts", "name-list.turn"),
    "classifier": (
        lambda: TextClassifier(CharNGram(2)).fit(HOSTILE * 2, [*HOSTILE[:5] * 2, *HOSTILE[:5] * 2]),
        {},
        "typed",
        "judge-state.turn",
    ),
    "detector": (
        lambda: AnomalyDetector(counts(HOSTILE * 5), contamination=0.1, mask=["digits"]).calibrate(HOSTILE * 9),
        {},
        "typed",
        "judge-state.turn",
    ),
    "meter": (lambda: counts(HOSTILE * 5), {"n_guess_samples": 50, "random_state": 0}, "typed", "judge-state.turn"),
}
# A text is sent as JSON in ASCII, since drivers refuse lone surrogates.
TYPE = """
const field = document.getElementById(arguments[0]);
field.value = JSON.parse(arguments[1]);
field.dispatchEvent(new Event("input"));
field.dispatchEvent(new Event("change"));
"""
FORCED = "return /[\\0\\u202a-\\u202e\\u2066-\\u2069]/.test(document.body.innerText)"


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    with browser(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


@pytest.mark.parametrize("kind", PAGES)
@pytest.mark.filterwarnings("ignore:the threshold was set by")
def test_hostile_texts_are_only_shown(driver, tmp_path, kind):
    make, options, field, sign = PAGES[kind]
    make().export_html(tmp_path / "page.html", title=HOSTILE[0], **options)
    opened(driver, tmp_path / "page.html", width=390)
    scripts = driver.execute_script("return document.scripts.length")
    element, name = sign.split(".")
    answered = f"document.getElementById({json.dumps(element)}).dataset.{name}"
    is_live = name == "speed"
    if is_live:
        driver.execute_script(TYPE, "rate", '"0"')
        driver.execute_script(TYPE, "length", '"20"')
    for text in HOSTILE:
        before = driver.execute_script(f"const before = {answered}; delete {answered}; return before")
        driver.execute_script(TYPE, field, json.dumps(text))
        if is_live:
            driver.execute_script("document.getElementById('write').click()")
        wait(driver, f"return ![undefined, arguments[0]].includes({answered})", None if is_live else before)
        assert driver.execute_script("return document.querySelectorAll('img, iframe, object').length") == 0
        assert driver.execute_script("return document.scripts.length") == scripts
        assert not driver.execute_script(FORCED)
        assert driver.execute_script("return document.documentElement.scrollWidth") == 390
    assert faults(driver) == ([], [])
