"""The live page of counts and mixtures: it writes, completes, and colors what is typed by surprisal, as Python does."""

import numpy as np
import pytest
from browser import CONTRAST, browser, faults, fill, opened, text_of, wait
from texts import PHRASES

import crnn
from crnn import CharNGram, CharRNN, Mixture

TEXT = PHRASES * 3
SHOWN = "return [...document.querySelectorAll('#live-text span')].map((span) => span.textContent)"
COLORS = "return [...document.querySelectorAll('#live-text span')].map((span) => span.className.split(' ')[0])"


def mixture():
    counts = CharNGram(4).fit(TEXT).quantize()
    network = CharRNN(7, cell="cifg", num_layers=2, max_steps=30, random_state=0).fit(TEXT)
    return Mixture.from_fitted([counts, network], [0.8, 0.4])


MODELS = {
    "counts": lambda: CharNGram(5).fit(TEXT).prune(3000),
    "quantized counts": lambda: CharNGram(4).fit(TEXT).quantize(),
    "counts of bytes": lambda: CharNGram(4).fit(TEXT.encode()).quantize(),
    "mixture": mixture,
    "mixture of counts": lambda: Mixture.from_fitted([CharNGram(n).fit(TEXT).quantize() for n in (2, 5)], [0.3, 0.6]),
}


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    with browser(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


@pytest.fixture(scope="module", params=MODELS)
def model(request):
    return MODELS[request.param]()


@pytest.fixture
def page(driver, model, tmp_path):
    model.export_html(tmp_path / "page.html")
    opened(driver, tmp_path / "page.html")
    fill(driver, "rate", "0")
    fill(driver, "length", "60")
    return driver


def written(driver, button):
    """Press a button, and return the call of Python and what the page shows."""
    driver.execute_script("document.getElementById('progress').removeAttribute('data-speed')")
    driver.find_element("id", button).click()
    wait(driver, "return document.getElementById('progress').dataset.speed")
    return text_of(driver, "python"), "".join(driver.execute_script(SHOWN))


def text_of_call(call, model):
    found = eval(call, {"model": model, "crnn": crnn})
    return found if isinstance(found, str) else found.decode()


def test_it_writes_and_completes_as_python_does(page, model):
    fill(page, "beginning", "to b")
    for button in ("write", "another", "complete"):
        call, shown = written(page, button)
        assert shown == "to b" + text_of_call(call, model)
        assert ("temperature=0," in call) == (button == "complete")
    assert faults(page) == ([], [])
    assert page.execute_script(CONTRAST) == []


def test_typed_text_is_colored_by_surprisal(page, model):
    text = "to bee or not"
    fill(page, "beginning", text)
    wait(page, f"{SHOWN}.join('') === arguments[0]", text)
    bits = model.surprisal(text.encode() if model.vocabulary_.kind == "bytes" else text) / np.log(2)
    assert np.abs(bits - bits.round()).min() > 1e-3  # no color depends on rounding
    assert page.execute_script(COLORS) == [f"b{min(8, int(each))}" for each in bits]
    assert f"{bits.mean():.2f} bits per character" in text_of(page, "progress")


def test_hidden_units_are_those_of_the_first_network(page, model):
    networks = [each for each in getattr(model, "models_", []) if isinstance(each, CharRNN)]
    assert page.find_element("id", "live-hidden").is_displayed() == bool(networks)
    if networks:
        text = "to be"
        fill(page, "beginning", text)
        fill(page, "live-unit", str(7 + 3))  # layer 1, unit 3
        units = networks[0].hidden_states(text)[:, 1, 3]
        levels = [f"u{level}".replace("-0", "0") for level in np.round(4 * units).astype(int)]
        wait(page, f"return ({COLORS.removeprefix('return ')}).join() === arguments[0]", ",".join(levels))


def test_nothing_moves_while_it_writes(page, model):
    page.execute_script(
        "window.shifts = []; const add = (list) => window.shifts.push(...list.getEntries().map((each) => each.value));"
        "new PerformanceObserver(add).observe({ type: 'layout-shift', buffered: true });"
    )
    fill(page, "length", "600")
    for button in ("write", "another"):
        written(page, button)
    assert sum(page.execute_script("return window.shifts")) < 0.1
