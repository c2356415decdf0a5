"""The page of a password meter shows the guess numbers of Python."""

import math
import string

import numpy as np
import pytest
from browser import CONTRAST, browser, faults, fill, opened, text_of, wait

from crnn import CharNGram, CharRNN, InvalidInputError, Mixture
from crnn.cli import main as cli

WORDS = ["dragon", "monkey", "shadow", "tiger", "été"]
COMMON = [form + ending for word in WORDS for form in (word, word.capitalize()) for ending in ("", "1", "12", "2020")]
PASSWORDS = ["dragon", "Tiger12", "tigger12", "Monkey2021", "dragonmonkey", "a", "\u202eab<script>"]
SHOWN = "return [...document.querySelectorAll('#password span')].map((span) => [span.textContent, span.className])"


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    with browser(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


@pytest.fixture
def page_of(driver, tmp_path):
    def make(model, *, dark=False, width=1100, **options):
        model.export_html(tmp_path / "page.html", n_guess_samples=1000, random_state=4, **options)
        return opened(driver, tmp_path / "page.html", dark=dark, width=width)

    return make


def counts():
    return CharNGram(4, min_count=2).fit(COMMON).quantize()


def enter(driver, text):
    turn = driver.execute_script("return document.getElementById('judge-state').dataset.turn")
    fill(driver, "typed", text)
    wait(driver, "return document.getElementById('judge-state').dataset.turn !== arguments[0]", turn)


def log10_exhaustive(password):
    kinds = [string.ascii_lowercase, string.ascii_uppercase, string.digits, string.punctuation + " "]
    sizes = [26, 26, 10, 32]
    tried = sum(size for kind, size in zip(kinds, sizes, strict=True) if set(kind) & set(password))
    tried += 100 * any(character not in "".join(kinds) for character in password)
    return len(password) * math.log10(tried)


@pytest.mark.parametrize("kind", ["counts", "bytes", "network", "mixture"])
def test_guess_numbers_and_colors_are_those_of_python(page_of, kind):
    def network():
        return CharRNN(7, max_steps=50, random_state=0, dtype="float32", min_count=2).fit(COMMON)

    model = {
        "counts": counts,
        "bytes": lambda: CharNGram(4, min_count=2).fit([word.encode() for word in COMMON]).quantize(),
        "network": network,
        "mixture": lambda: Mixture.from_fitted([network(), counts()]),
    }[kind]()
    driver = page_of(model)
    for password in PASSWORDS:
        enter(driver, password)
        text = password.encode() if kind == "bytes" else password
        found = model.guess_number([text], 1000, random_state=4)
        wanted = min(math.log10(found.estimate[0]), log10_exhaustive(password))
        shown = float(driver.execute_script("return document.getElementById('guesses').dataset.log10"))
        assert shown == pytest.approx(wanted, abs=0.01)
        bits = model.surprisal(text, end=True) / math.log(2)
        if kind == "bytes":
            lengths = [len(character.encode()) for character in [*password, " "]]
            bits = np.add.reduceat(bits, np.cumsum([0, *lengths[:-1]]))
        assert [name for _, name in driver.execute_script(SHOWN)] == [f"b{min(8, int(each))}" for each in bits]
    assert "".join(text for text, _ in driver.execute_script(SHOWN)) == "\ufffdab<script>\u220e"
    assert faults(driver) == ([], [])


@pytest.mark.parametrize(
    ("log10", "guesses", "slow"),
    [
        (0, "1", "less than a second"),
        (1.3, "20", "less than a second"),
        (6.1, "1 million", "2 minutes"),
        (9.7, "5 billion", "5 days"),
        (14.2, "200 trillion", "5 centuries"),
        (31.5, "10³¹", "more than 10,000 years"),
    ],
)
def test_numbers_in_words(page_of, log10, guesses, slow):
    driver = page_of(counts())
    assert driver.execute_script("return guessesInWords(arguments[0])", log10) == guesses
    assert driver.execute_script("return timeInWords(arguments[0])", log10 - 4) == slow


def test_characters_that_the_model_does_not_know(page_of):
    driver = page_of(CharNGram(3).fit(["abc", "cab"]))
    enter(driver, "abZ9")
    assert text_of(driver, "judge-state").startswith("The model does not know some of the characters")
    assert text_of(driver, "password") == "abZ9"
    shown = float(driver.execute_script("return document.getElementById('guesses').dataset.log10"))
    assert shown == pytest.approx(4 * math.log10(62))


def test_hiding_and_an_empty_field(page_of):
    driver = page_of(counts())
    assert text_of(driver, "guesses") == "\u00a0"
    enter(driver, "Tiger12")
    assert text_of(driver, "guesses").startswith("About ")
    driver.find_element("id", "hides").click()
    assert driver.find_element("id", "typed").get_attribute("type") == "password"
    assert [text for text, _ in driver.execute_script(SHOWN)] == [*"\u2022" * 7, "\u220e"]
    enter(driver, "")
    assert text_of(driver, "guesses") == "\u00a0"


@pytest.mark.parametrize("dark", [False, True])
def test_a_phone_contrast_and_layout(page_of, dark):
    driver = page_of(counts(), dark=dark, width=360, title="</script>")
    driver.execute_script(
        "window.shifts = []; const add = (list) => window.shifts.push(...list.getEntries().map((each) => each.value));"
        "new PerformanceObserver(add).observe({ type: 'layout-shift', buffered: true });"
    )
    for password in ("", *PASSWORDS, "x" * 24):
        enter(driver, password)
        assert driver.execute_script(CONTRAST) == []
        assert driver.execute_script("return document.documentElement.scrollWidth") == 360
    assert sum(driver.execute_script("return window.shifts")) < 0.1
    assert faults(driver) == ([], [])


def test_a_meter_needs_a_model_of_documents(tmp_path):
    for model, options, message in (
        (
            CharNGram(2).fit("abab"),
            {},
            "n_guess_samples is 9, but must be 0 or at least 2, and the model one of documents",
        ),
        (counts(), {"exclude": ["a"]}, r"exclude is for a page without n_guess_samples\. Omit one of the two"),
    ):
        with pytest.raises(InvalidInputError, match=message):
            model.export_html(tmp_path / "page.html", n_guess_samples=9, **options)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("ending", ["html", "js"])
def test_a_meter_has_at_most_400_kilobytes(tmp_path, monkeypatch, ending):
    """As in docs/passwords.md: 10,000 samples, and counts that need 250,000 bytes before they have 8 bits."""
    random = np.random.default_rng(0)
    words = ["".join(random.choice(list(string.ascii_lowercase), random.integers(3, 7))) for _ in range(2500)]
    numbers = random.integers(0, 3000, 40_000)
    CharNGram(5).fit([f"{word}{n}" for word, n in zip(random.choice(words, 40_000), numbers, strict=True)]).save(
        tmp_path / "passwords.crnn"
    )
    monkeypatch.chdir(tmp_path)
    options = ["--n-guess-samples", "10000", "--max-bytes", "250k", "--int8"]
    assert (tmp_path / "passwords.crnn").stat().st_size > 400_000
    assert cli.main(["export", "passwords.crnn", f"meter.{ending}", *options]) == 0
    assert 300_000 < (tmp_path / f"meter.{ending}").stat().st_size <= 400_000
