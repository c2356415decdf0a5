"""The page of a model of documents: twenty new ones, more of them, a beginning, and none of a list."""

import re

import numpy as np
import pytest
from browser import CONTRAST, browser, faults, fill, opened, text_of, wait
from examples import random_language_model

import crnn
from crnn import CharNGram, CharRNN, Mixture
from crnn.errors import InvalidInputError

RANDOM = np.random.default_rng(3)
SYLLABLES = ["an", "na", "h", "bo", "by", "ot", "to", "s", "e", "li", "sa", "mar", "ta"]
NAMES = ["".join(RANDOM.choice(SYLLABLES, RANDOM.integers(1, 5))) for _ in range(300)]
SHOWN = "return [...document.querySelectorAll('#name-list button:enabled bdi')].map((each) => each.textContent)"
HOSTILE = [
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "\u202eabc\u2069",
    "\U0001f469\u200d\U0001f467 e\u0301",
    "שלום",
]


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    with browser(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


@pytest.fixture(scope="module")
def counts():
    return CharNGram(5).fit(NAMES).prune(9000)


def mixture():
    counts = CharNGram(4).fit(NAMES).quantize()
    network = CharRNN(7, cell="cifg", max_steps=30, random_state=0, vocabulary="".join(SYLLABLES)).fit(NAMES)
    return Mixture.from_fitted([network, counts], [0.4, 0.8])


@pytest.fixture
def page_of(driver, tmp_path):
    def make(model, *, dark=False, width=1100, **options):
        model.export_html(tmp_path / "page.html", **options)
        return opened(driver, tmp_path / "page.html", dark=dark, width=width)

    return make


def press(driver, element_id):
    turn = driver.execute_script("return document.getElementById('name-list').dataset.turn")
    driver.find_element("id", element_id).click()
    wait(driver, "return document.getElementById('name-list').dataset.turn !== arguments[0]", turn)


def enter(driver, element_id, value):
    turn = driver.execute_script("return document.getElementById('name-list').dataset.turn")
    fill(driver, element_id, value)
    wait(driver, "return document.getElementById('name-list').dataset.turn !== arguments[0]", turn)


def names_of_python(driver, model, excluded=()):
    return eval(text_of(driver, "names-python"), {"model": model, "texts": excluded, "crnn": crnn})


def test_twenty_names_and_twenty_more_are_those_of_python(page_of, counts):
    driver = page_of(counts)
    first = driver.execute_script(SHOWN)
    assert len(first) == 20
    assert first == names_of_python(driver, counts)
    press(driver, "more")
    second = driver.execute_script(SHOWN)
    assert second == names_of_python(driver, counts)
    assert not set(first) & set(second)


@pytest.mark.parametrize("name", ["network", "mixture", "8 bits", "bytes"])
def test_names_of_every_model(page_of, name):
    model = {
        "network": lambda: random_language_model(NAMES, cell="lstm"),
        "mixture": mixture,
        "8 bits": mixture,
        "bytes": lambda: CharNGram(3).fit([text.encode() for text in NAMES]).quantize(),
    }[name]()
    driver = page_of(model, int8=name == "8 bits")
    shown = [text.encode() if name == "bytes" else text for text in driver.execute_script(SHOWN)]
    assert shown == names_of_python(driver, model)
    assert faults(driver) == ([], [])


def test_none_of_the_list(page_of, counts):
    driver = page_of(counts, exclude=NAMES)
    assert text_of(driver, "excludes-note").startswith(f"The list has {len(set(NAMES))} texts. ")
    assert re.search("also exclude 0[.](1|0[89])\u202f% of other texts[.]$", text_of(driver, "excludes-note"))
    new = driver.execute_script(SHOWN)
    assert not set(new) & set(NAMES)
    assert new == names_of_python(driver, counts, excluded=NAMES)
    press(driver, "excludes")
    assert set(driver.execute_script(SHOWN)) & set(NAMES)
    assert "exclude" not in text_of(driver, "names-python")
    assert driver.execute_script(SHOWN) == names_of_python(driver, counts)


def test_without_a_list_nothing_is_said_of_it(page_of, counts):
    driver = page_of(counts)
    assert not driver.find_element("id", "excludes").is_displayed()
    assert "exclude" not in text_of(driver, "names-python")


def test_starts_with(page_of, counts):
    driver = page_of(counts, exclude=NAMES)
    enter(driver, "starts", "ma")
    found = driver.execute_script(SHOWN)
    assert len(found) == 20
    assert all(name.startswith("ma") for name in found)
    assert found == names_of_python(driver, counts, excluded=NAMES)
    enter(driver, "starts", "mXa")
    assert text_of(driver, "names-state").startswith("Ignored, since the model does not know them: X. ")
    enter(driver, "variety", "1.4")
    assert "temperature=1.4" in text_of(driver, "names-python")


def test_a_model_with_few_texts_says_so(page_of):
    driver = page_of(CharNGram(8).fit(["anna", "otto"] * 50), exclude=["otto"])
    found = driver.execute_script(SHOWN)
    assert 0 < len(found) < 20
    assert "otto" not in found
    assert text_of(driver, "names-state").startswith(f"Only {len(found)} more were found among 2,000 drawn. ")


def test_chosen_names_stay_chosen_and_are_copied(page_of, counts):
    driver = page_of(counts)
    driver.execute_cdp_cmd("Browser.grantPermissions", {"permissions": ["clipboardReadWrite"]})
    buttons = driver.find_elements("css selector", "#name-list button")
    chosen = [buttons[2].text, buttons[5].text]
    buttons[2].click()
    buttons[5].click()
    press(driver, "more")
    pressed = "#name-list [aria-pressed=true]"
    assert driver.find_elements("css selector", pressed) == []
    assert text_of(driver, "copy") == "Copy 2 chosen"
    driver.execute_script(
        "navigator.clipboard.writeText = (text) => { window.copied = text; return Promise.resolve(); }"
    )
    driver.find_element("id", "copy").click()
    assert wait(driver, "return window.copied") == f"{chosen[0]}\n{chosen[1]}\n"
    assert text_of(driver, "names-state") == "Copied 2."


def test_keyboard_alone(page_of, counts):
    driver = page_of(counts)
    active = driver.switch_to.active_element
    active.send_keys("\ue004")  # tab
    active = driver.switch_to.active_element
    assert active.get_attribute("id") == "starts"
    turn = driver.execute_script("return document.getElementById('name-list').dataset.turn")
    active.send_keys("ha")
    wait(driver, "return document.getElementById('name-list').dataset.turn >= arguments[0]", str(int(turn) + 2))
    first = driver.execute_script(SHOWN)
    active.send_keys("\ue007")  # enter: more
    wait(driver, "return document.getElementById('name-list').dataset.turn >= arguments[0]", str(int(turn) + 3))
    second = driver.execute_script(SHOWN)
    assert all(name.startswith("ha") for name in [*first, *second])
    assert not set(first) & set(second)
    active.send_keys("\ue004", "\ue004")  # the first name
    driver.switch_to.active_element.send_keys("\ue004")
    driver.switch_to.active_element.send_keys(" ")
    assert text_of(driver, "copy") == "Copy 1 chosen"


@pytest.mark.parametrize("dark", [False, True])
def test_hostile_texts_are_only_shown(page_of, dark):
    model = CharNGram(40).fit(HOSTILE)
    driver = page_of(model, dark=dark, title=HOSTILE[0], width=360)
    shown = driver.execute_script(SHOWN)
    assert HOSTILE[0] in shown
    assert "\ufffdabc\ufffd" in shown  # no change of direction
    driver.execute_script("document.getElementById('inside').open = true")
    wait(driver, "return document.getElementById('python').textContent")
    assert driver.execute_script(CONTRAST) == []
    assert driver.execute_script("return document.documentElement.scrollWidth") == 360
    assert faults(driver) == ([], [])


def test_nothing_moves_while_names_are_drawn(page_of, counts):
    driver = page_of(counts, exclude=NAMES)
    driver.execute_script(
        "window.shifts = []; const add = (list) => window.shifts.push(...list.getEntries().map((each) => each.value));"
        "new PerformanceObserver(add).observe({ type: 'layout-shift', buffered: true });"
    )
    for _ in range(3):
        press(driver, "more")
    assert sum(driver.execute_script("return window.shifts")) < 0.1  # what browsers' vendors call good


def test_exclude_needs_documents(tmp_path):
    with pytest.raises(InvalidInputError, match=r"exclude is for models of documents\. Omit it for a model of running"):
        CharNGram(2).fit("abab").export_html(tmp_path / "page.html", exclude=["ab"])
    assert list(tmp_path.iterdir()) == []
