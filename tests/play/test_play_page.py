"""The page trains in Chromium: at any width, in both color schemes, with any text, and without the network."""

import re
import time

import numpy as np
import pytest
from browser import CONTRAST, browser, faults, fill, opened, set_size, text_of, wait
from source_tree import ROOT, needs_sources

from crnn import CharRNN
from crnn.datasets import english_towns
from crnn.errors import InvalidInputError
from crnn.export.script import assets
from crnn.play import play_page, write_play_page

SHOWN = "return [...document.querySelectorAll('#sample span')].map((span) => span.textContent).join('')"
PRESSED = "return [...document.querySelectorAll('.chips [aria-pressed=true]')].map((button) => button.id)"
HOSTILE = [
    "</script><script>document.title = 'run'</script><img src=x onerror=\"document.title = 'run'\">" * 3,
    "\u202eabc\u2066def\u200b\ufeff\u2028" * 9,
    "\U0001f600\U0001f468\u200d\U0001f469\u200d\U0001f467 e\u0301 \u4e16\u754c" * 9,
    "\ud800a\udc00b" * 9,
    "\u05e9\u05dc\u05d5\u05dd \u0639\u0631\u0628\u064a " * 9,
]


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    with browser(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "play.html"
    write_play_page(path)
    return path


@pytest.fixture
def page(driver, path):
    driver.get("about:blank")
    return opened(driver, path)


def steps(page):
    return int(page.execute_script("return document.body.dataset.steps"))


def pause(page):
    """Pause, and wait until the engine has answered."""
    page.find_element("id", "run").click()
    before = None
    while before != steps(page):
        before = steps(page)
        time.sleep(0.3)
    assert text_of(page, "run") == "Train"
    return before


def open_with(driver, path, fragment):
    driver.get("about:blank")
    driver.get(f"{path.as_uri()}#{fragment}")
    wait(driver, "return 'ready' in document.body.dataset")


@needs_sources
def test_the_page_of_the_site_is_what_the_command_writes(path):
    """After a change of the page: crnn play --no-open -o docs/play.html"""
    assert (ROOT / "docs" / "play.html").read_bytes() == path.read_bytes()
    assert path.stat().st_size < 1_000_000


@pytest.mark.parametrize(("width", "dark"), [(1100, False), (1100, True), (360, False), (360, True)])
def test_it_learns_at_any_width_and_in_both_color_schemes(driver, path, width, dark):
    driver.get("about:blank")
    page = opened(driver, path, width=width, dark=dark)
    wait(page, "return Number(document.getElementById('loss').textContent) < 3")
    assert page.execute_script("return document.documentElement.scrollWidth") <= width
    assert page.execute_script(CONTRAST) == []
    assert len(page.execute_script(SHOWN)) > 300
    assert page.execute_script("return document.querySelectorAll('#loss-chart .curve1').length") == 1
    assert page.execute_script("return document.querySelectorAll('#reach-chart .bar').length") == 25
    assert faults(page) == ([], [])


def test_a_paused_page_steps_one_by_one(page):
    at = pause(page)
    page.find_element("id", "one-step").click()
    wait(page, "return document.body.dataset.steps === arguments[0]", str(at + 1))
    page.find_element("id", "run").click()
    wait(page, "return Number(document.body.dataset.steps) > arguments[0]", at + 1)
    page.find_element("id", "restart").click()
    wait(page, "return Number(document.body.dataset.steps) < arguments[0]", at + 1)


def test_keys_pause_and_choose_characters(page):
    from selenium.webdriver.common.keys import Keys

    page.find_element("tag name", "body").send_keys(Keys.ALT, "p")
    wait(page, "return document.getElementById('run').textContent === 'Train'")
    page.find_element("id", "sample").send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert " bits" in text_of(page, "chosen")
    slider = page.find_element("id", "rate")
    slider.send_keys(Keys.ARROW_LEFT)
    assert text_of(page, "rate-value") == "0.03"
    assert slider.get_attribute("aria-valuetext") == "0.03"


def test_every_experiment_has_a_button_and_a_sentence(page):
    ids = page.execute_script("return [...document.querySelectorAll('.chips button')].map((button) => button.id)")
    experiments = page.execute_script(
        "return Object.entries(EXPERIMENTS).map(([name, { says }]) => [name, says.length])"
    )
    assert ids == [name for name, _ in experiments]
    assert min(length for _, length in experiments) > 80
    for name in ("weights-0", "units-10", "chunks-of-1"):
        page.execute_script("byId(arguments[0]).click()", name)
        assert page.execute_script(PRESSED) == [name]
        wait(page, "return Number(document.body.dataset.steps) > 30")
    wait(page, "return document.querySelectorAll('#reach-chart .bar').length === 1")
    assert faults(page) == ([], [])


def test_weights_of_0_learn_only_the_counts(driver, path):
    open_with(driver, path, "weights-0")
    loss = wait(driver, "const held = Number(document.getElementById('held').textContent); return held < 3.3 && held")
    assert loss > 3.1
    assert driver.execute_script("return document.querySelectorAll('#sample span.u0').length") > 300


def test_a_link_stores_the_settings(driver, path):
    open_with(driver, path, "rate=0.03&clip=off&dhnext=off&hidden=25&text=towns&seed=7&length=x&what=1")
    values = driver.execute_script(
        "return ['rate-value', 'clip-value', 'hidden-value'].map((id) => byId(id).textContent)"
    )
    assert values == ["0.03", "off", "25"]
    assert not driver.find_element("id", "dhnext").is_selected()
    assert driver.execute_script("return location.hash") == "#rate=0.03&clip=off&dhnext=off&hidden=25&seed=7&text=towns"
    assert driver.execute_script("return byId('own').value").split("\n")[0] in english_towns()
    fill(driver, "rate", "4")  # a position of the slider
    assert "rate" not in driver.execute_script("return location.hash")
    driver.execute_script("location.hash = 'no-dhnext'")
    wait(driver, f"{PRESSED.replace('return ', 'return (')}).join() === 'no-dhnext'")
    assert driver.execute_script("return byId('clip-value').textContent") == "\u00b15"


def test_a_broken_link_says_nothing(driver, path):
    open_with(driver, path, "%E0%A4%A")
    assert driver.execute_script(PRESSED) == ["gist"]
    assert faults(driver) == ([], [])


def test_a_file_in_another_encoding_is_noticed(page, tmp_path):
    (tmp_path / "latin.txt").write_bytes("Übergröße, Straße. ".encode("latin-1") * 20)
    page.find_element("id", "file").send_keys(str(tmp_path / "latin.txt"))
    wait(page, "return byId('message').textContent.includes('not a text in UTF-8')")
    wait(page, "return Number(document.body.dataset.steps) > 10")
    (tmp_path / "utf8.txt").write_text("Übergröße, Straße. " * 20, encoding="utf-8")
    page.find_element("id", "file").send_keys(str(tmp_path / "utf8.txt"))
    wait(page, "return !byId('message').textContent.includes('not a text in UTF-8')")


def test_a_text_is_cut_between_characters(page):
    page.execute_script("byId('own').value = 'a' + '\\u{1f600}'.repeat(1_000_000)")
    page.execute_script("byId('own').dispatchEvent(new Event('change'))")
    wait(page, "return byId('text-facts').textContent === '1,000,000 characters, 2 different'")


def test_nan_is_named_and_ends_training(driver, path):
    open_with(driver, path, "nan")
    wait(driver, "return document.getElementById('loss').textContent === 'NaN'")
    assert "probabilities contain NaN" in text_of(driver, "message")
    assert not driver.find_element("id", "save").is_enabled()
    assert driver.execute_script(CONTRAST) == []
    driver.execute_script("byId('gist').click()")
    wait(driver, "return Number(document.getElementById('loss').textContent) > 1")
    assert text_of(driver, "message") == ""
    assert driver.find_element("id", "save").is_enabled()


def test_ten_characters_are_learned_and_explained(driver, path):
    open_with(driver, path, "tiny")
    assert "IndexError" in text_of(driver, "message")
    assert text_of(driver, "chunk") == "9"
    assert text_of(driver, "text-facts") == "10 characters, 7 different"
    wait(driver, "return Number(document.getElementById('loss').textContent) < 0.5")


@pytest.mark.parametrize("text", ["", "a"])
def test_a_text_without_anything_to_guess_is_refused(page, text):
    fill(page, "own", text)
    assert "at least 2 characters" in text_of(page, "message")
    fill(page, "own", "ab")
    wait(page, "return document.body.dataset.steps > 0")
    assert faults(page) == ([], [])


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_text(driver, tmp_path, text):
    write_play_page(tmp_path / "play.html", text, name=text)
    driver.get("about:blank")
    page = opened(driver, tmp_path / "play.html")
    wait(page, "return Number(document.body.dataset.steps) > 50")
    assert page.title == play_page.TITLE
    assert page.execute_script("return document.querySelectorAll('img').length") == 0
    shown = page.execute_script("return byId('text-facts').textContent")
    assert shown == f"{len(text):,} characters, {len(set(text))} different"
    assert re.search("[\u202e\u2066\u200b\ufeff]", page.execute_script(SHOWN)) is None
    page.execute_script("byId('own').value = JSON.parse(arguments[0])", '"<b>\\ud800"')
    page.execute_script("byId('own').dispatchEvent(new Event('change'))")
    wait(page, "return byId('text-facts').textContent.startsWith('4 characters')")
    assert faults(page) == ([], [])


def test_long_texts_and_large_alphabets_are_limited(page, tmp_path):
    (tmp_path / "long.txt").write_text("ab" * 1_000_001)
    page.find_element("id", "file").send_keys(str(tmp_path / "long.txt"))
    wait(page, "return byId('text-facts').textContent.startsWith('2,000,000')")
    assert "first 2,000,000 characters" in text_of(page, "message")
    wait(page, "return Number(document.body.dataset.steps) > 10")
    fill(page, "own", "".join(chr(0x4E00 + i) for i in range(2001)))
    assert "2,001 different characters" in text_of(page, "message")
    assert not page.find_element("id", "run").is_enabled()


def paste(page, script):
    """Paste what a JavaScript expression says over all of the text field, with the keys."""
    from selenium.webdriver.common.keys import Keys

    copy = f"(event) => {{ event.clipboardData.setData('text/plain', {script}); event.preventDefault(); }}"
    page.execute_script(f"document.addEventListener('copy', {copy}, {{ once: true }})")
    field = page.find_element("id", "own")
    for key in "acv":
        field.send_keys(Keys.CONTROL, key)


def test_a_long_pasted_text_is_cut_as_a_file_is(page):
    """Ten million characters in the field would block the browser for minutes."""
    paste(page, "'ab'.repeat(5_000_000)")
    wait(page, "return byId('text-facts').textContent === '2,000,000 characters, 2 different'")
    assert "first 2,000,000 characters" in text_of(page, "message")
    assert page.execute_script("return byId('own').value.length") == 30_000
    page.execute_script("byId('own').blur()")
    wait(page, "return Number(document.body.dataset.steps) > 10")
    assert text_of(page, "text-facts") == "2,000,000 characters, 2 different"
    paste(page, "'hello all!'")
    page.execute_script("byId('own').blur()")
    wait(page, "return byId('text-facts').textContent === '10 characters, 7 different'")
    assert faults(page) == ([], [])


@pytest.mark.parametrize("text", ["", "a", "ab" * 1_000_001])
def test_python_refuses_texts_that_the_page_cannot_take(tmp_path, text):
    with pytest.raises(InvalidInputError, match="the page takes 2 to 2,000,000"):
        write_play_page(tmp_path / "play.html", text)
    assert list(tmp_path.iterdir()) == []


def test_the_downloaded_network_is_the_pages(page, tmp_path):
    page.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)})
    wait(page, "return Number(document.body.dataset.steps) > 100")
    at = pause(page)
    page.find_element("id", "save").click()
    file = tmp_path / "min-char-rnn.crnn"
    end = time.monotonic() + 30
    while not file.exists():
        assert time.monotonic() < end
        time.sleep(0.05)
    model = CharRNN.load(file)
    story = assets("crnn.play", ["story.txt"])
    assert model.n_steps_ == at
    assert f"{model.smooth_loss_ / 25:.2f}" == text_of(page, "loss")
    assert model.vocabulary_.encode(story).max() == len(model.vocabulary_) - 1
    assert np.isfinite(model.score(story[:1000]))
    model.set_params(max_steps=3).partial_fit(story)
    assert model.n_steps_ == at + 3


def test_nothing_moves_while_it_trains(page):
    page.execute_script(
        "window.shifts = []; const add = (list) => window.shifts.push(...list.getEntries().map((each) => each.value));"
        "new PerformanceObserver(add).observe({ type: 'layout-shift', buffered: true });"
    )
    for width in (1100, 360):
        set_size(page, width)
        page.execute_script("window.shifts.length = 0")
        at = steps(page)
        wait(page, "return Number(document.body.dataset.steps) > arguments[0]", at + 300)
        time.sleep(1.2)  # a sample a second
        page.execute_script("byId('no-clipping').click()")
        wait(page, "return Number(document.body.dataset.steps) > 100")
    assert sum(page.execute_script("return window.shifts")) < 0.05


def test_it_trains_without_workers(driver, path, tmp_path):
    source = path.read_text("utf-8").replace("worker-src blob:;", "worker-src 'none';")
    (tmp_path / "play.html").write_text(source, encoding="utf-8")
    driver.get("about:blank")
    page = opened(driver, tmp_path / "play.html")
    wait(page, "return Number(document.body.dataset.steps) > 50")


@needs_sources
def test_the_story_is_long_enough_and_plain():
    story = assets("crnn.play", ["story.txt"])
    assert len(story) > 20_000
    assert story.isascii()
    assert max(map(len, story.split("\n"))) < 70
