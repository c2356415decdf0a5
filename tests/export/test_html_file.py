"""The exported page and the exported module run the network in headless Chromium."""

import math
import time

import numpy as np
import pytest
from browser import CONTRAST, browser, faults, fill, network_events, opened, set_size, text_of, wait
from examples import random_language_model

from crnn import CharRNN
from crnn.errors import InvalidInputError
from crnn.export.models import ExportedNetwork
from crnn.export.page import live_data
from crnn.export.script import script_of
from crnn.sampling.controls import Uniforms, root

TEXTS = {
    "rnn": ("to be or not to be", {"cell": "rnn"}),
    "lstm": ("to be or not to be", {"cell": "lstm", "dtype": "float32"}),
    "two layers": ("to be or not to be", {"cell": "lstm", "num_layers": 2}),
    "gru": ("to be or not to be", {"cell": "gru", "num_layers": 3}),
    "coupled gates": ("to be or not to be", {"cell": "cifg", "num_layers": 2}),
    "unknown": ("to be or not to be", {"cell": "gru", "min_count": 2}),
    "documents": (["Anna", "Bob", ""], {"cell": "lstm"}),
    "documents, unknown": (["Anna", "Bob", "Eva"], {"min_count": 2}),
    "embedding": ("to be or not to be", {"cell": "gru", "num_layers": 2, "embedding_size": 3}),
    "bigrams": ("to be or not to be", {"cell": "gru", "num_layers": 2, "n_bigrams": 7}),
    "bigrams, documents": (["Anna", "Bob", ""], {"cell": "cifg", "n_bigrams": 11, "embedding_size": 3}),
    "bytes": ("zwölf Boxkämpfer".encode(), {"cell": "lstm"}),
    "surrogates": ("ab\ud800\u2028\u202e</script><img onerror=alert(1)>", {}),
}
MODELS = list(TEXTS)
# In the page: a network of its own, and what it makes of ids.
LOGITS = """
const data = JSON.parse(document.getElementById("data").textContent);
const network = createModel(data.model, new StoredNumbers(document.getElementById("weights").textContent));
const state = network.start();
return arguments[0].map((id) => { const y = Array.from(network.predict(state)); network.read(state, id); return y; });
"""
# In a page without a policy: a function of the exported module.
CALL = """
const [source, name, ...rest] = arguments;
const done = rest.pop();
const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
import(url).then((module) => done(module[name](...rest))).catch((error) => done(String(error)));
"""
SHOWN = "return [...document.querySelectorAll('#live-text span')].map((span) => span.textContent)"


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    with browser(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


def model_of(name):
    symbols, parameters = TEXTS[name]
    return random_language_model(symbols, **parameters)


def text_for(name):
    """Return a text of a model's symbols."""
    text = TEXTS[name][0]
    return text[0] if isinstance(text, list) else text


@pytest.fixture
def page_of(driver, tmp_path):
    def make(model, *, float16=False, int8=False, **view):
        model.export_html(tmp_path / "page.html", float16=float16, int8=int8)
        opened(driver, tmp_path / "page.html", **view)
        if model.vocabulary_.boundary is not None:  # a page of names, with the live page inside
            driver.execute_script("document.getElementById('inside').open = true")
            wait(driver, "return document.getElementById('python').textContent")
        return driver

    return make


@pytest.fixture
def module_of(driver, tmp_path):
    """Return a function that calls a function of a model's module."""

    def make(model, **options):
        model.export_js(tmp_path / "model.js", **options)
        (tmp_path / "blank.html").write_text("<!doctype html><title>blank</title>")
        driver.get((tmp_path / "blank.html").as_uri())
        source = (tmp_path / "model.js").read_text("utf-8")
        return lambda name, *arguments: driver.execute_async_script(CALL, source, name, *arguments)

    return make


def log_probabilities(y):
    y = np.array(y)
    return y - np.log(np.exp(y).sum(axis=1, keepdims=True))


def expected(model, text):
    """Return the log-probabilities before each symbol of a text."""
    state, rows = model.start(), []
    for i in range(len(text)):
        rows.append(np.log(state.next_proba()))
        state.feed(text[i : i + 1])
    return np.array(rows)


def write(driver, *, beginning="", n=200, **fields):
    for name, value in {"beginning": beginning, "length": str(n), "rate": "0", **fields}.items():
        fill(driver, name.replace("_", "-"), value)
    driver.execute_script("document.getElementById('progress').removeAttribute('data-speed')")
    driver.find_element("id", "write").click()
    wait(driver, "return document.getElementById('progress').dataset.speed")


@pytest.mark.parametrize("name", MODELS)
def test_page_computes_the_models_logits(page_of, name):
    model, text = model_of(name), text_for(name)
    y = page_of(model).execute_script(LOGITS, model.vocabulary_.encode(text).tolist())
    np.testing.assert_allclose(log_probabilities(y), expected(model, text), atol=1e-4, rtol=0)


def test_page_with_float16_weights_computes_the_same_logits(page_of):
    model, text = model_of("two layers"), "not to be"
    with model.editing():
        for array in model.params_.values():
            array[...] = array.astype(np.float16)
        model.params_["by"][0] = 2.0**-20  # a subnormal number
    y = page_of(model, float16=True).execute_script(LOGITS, model.vocabulary_.encode(text).tolist())
    np.testing.assert_allclose(log_probabilities(y), expected(model, text), atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", ["rnn", "two layers", "embedding", "bigrams", "bigrams, documents"])
def test_int8_weights_are_those_of_quantize(page_of, name):
    symbols, parameters = TEXTS[name]
    model, text = random_language_model(symbols, **{**parameters, "dtype": "float32"}), text_for(name)
    y = page_of(model, int8=True).execute_script(LOGITS, model.vocabulary_.encode(text).tolist())
    np.testing.assert_allclose(log_probabilities(y), expected(model.quantize(), text), atol=1e-5, rtol=0)
    assert np.abs(log_probabilities(y) - expected(model, text)).max() > 1e-4


def test_pages_of_a_quantized_model_and_of_int8_are_the_same(tmp_path):
    model = CharRNN(64, cell="lstm", n_bigrams=50, max_steps=0, random_state=0).fit("to be or not to be " * 9)
    sizes = {}
    for name, source, options in [
        ("float", model, {}), ("int8", model, {"int8": True}), ("quantized", model.quantize(), {}),
        ("both", model.quantize(), {"int8": True}), ("float16", model, {"float16": True}),
    ]:  # fmt: skip
        source.export_html(tmp_path / name, **options)
        sizes[name] = (tmp_path / name).stat().st_size
    int8 = (tmp_path / "int8").read_text("utf-8").replace('"python":"model.quantize()"', '"python":"model"')
    assert int8 == (tmp_path / "quantized").read_text("utf-8") == (tmp_path / "both").read_text("utf-8")
    fixed = sizes["float"] - 2 * (sizes["float"] - sizes["float16"])  # scripts and styles
    assert sizes["int8"] - fixed < 0.3 * (sizes["float"] - fixed)
    double = CharRNN(5, dtype="float64", max_steps=0, random_state=0).fit("abc")
    double.export_html(tmp_path / "double", int8=True)  # rounded to float32, then to 8 bits


def test_a_weight_too_large_for_float16_is_named(tmp_path):
    model = model_of("rnn")
    with model.editing():
        model.params_["by"][1] = 65504
    script_of(ExportedNetwork.of(model, int8=False), float16=True)
    with model.editing():
        model.params_["by"][1] = 1e5
    with pytest.raises(InvalidInputError, match=r"1e\+05, too large for float16\. Omit float16"):
        model.export_html(tmp_path / "page.html", float16=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("embedding_size", [None, 3])
def test_stored_weights_follow_each_other(embedding_size):
    """In 8 bits, each matrix's integers come before its scales."""
    model = random_language_model("abcab", cell="gru", num_layers=2, dtype="float32", embedding_size=embedding_size)
    parts = ["Wxh_l0", "Whh_l0", "bh_l0", "bhn_l0", "Wxh_l1", "Whh_l1", "bh_l1", "bhn_l1", "Why", "by"]
    parts = parts if embedding_size is None else ["embedding", *parts]

    def shown(name, array):  # the first matrix has a row for each symbol
        return array.T if name == "Wxh_l0" and embedding_size is None else array

    for dtype, options in (("<f4", {}), ("<f2", {"float16": True})):
        found = script_of(ExportedNetwork.of(model, int8=False), **options).numbers
        expected = np.concatenate([shown(name, model.params_[name]).ravel() for name in parts])
        np.testing.assert_array_equal(np.frombuffer(found, dtype), expected.astype(dtype))
    left = script_of(ExportedNetwork.of(model, int8=True)).numbers
    small = model.quantize()
    for name in parts:
        if (scale := small.scales_.get(name)) is not None:
            integers = small.params_[name] / (scale if name == "embedding" else scale[:, None])
            expected = shown(name, integers.round()).astype(np.int8).tobytes() + scale.astype("<f4").tobytes()
        else:
            expected = model.params_[name].astype("<f4").tobytes()
        assert left.startswith(expected), name
        left = left[len(expected) :]
    assert left == b""


@pytest.mark.parametrize(
    ("dtype", "options", "weights", "python"),
    [
        ("float32", {}, "float32", "model"),
        ("float64", {}, "float32", "model"),
        ("float32", {"float16": True}, "float16", "model"),
        ("float32", {"int8": True}, "int8", "model.quantize()"),
        ("float64", {"int8": True}, "int8", "model"),
        ("int8", {}, "int8", "model"),
        ("int8", {"int8": True}, "int8", "model"),
    ],
)
def test_the_page_names_its_weights_and_the_model_that_has_them(dtype, options, weights, python):
    model = random_language_model("abcab", dtype="float32").quantize() if dtype == "int8" else (
        random_language_model("abcab", dtype=dtype)
    )  # fmt: skip
    exported = ExportedNetwork.of(model, int8=options.get("int8", False))
    shown = model._exported_expression(int8=options.get("int8", False))
    data = live_data(exported, script_of(exported, float16=options.get("float16", False)), shown)
    assert (data["model"]["weights"], data["python"]) == (weights, python)


@pytest.mark.parametrize("name", ["lstm", "documents, unknown", "bigrams", "bytes"])
def test_the_module_samples_scores_and_predicts_as_python_does(module_of, name):
    model, text = model_of(name), text_for(name)[:7]
    call = module_of(model)
    shown = text.decode() if isinstance(text, bytes) else text
    np.testing.assert_allclose(call("score", shown), model.score_samples([text])[0], atol=1e-3)
    found = call("nextProba", shown)
    p = model.start(text).next_proba()
    np.testing.assert_allclose([each["probability"] for each in found], sorted(p, reverse=True), atol=1e-5)
    if isinstance(text, str):
        limit = {"length": 19} if model.vocabulary_.boundary is None else {"max_length": 19}
        controls = {"random_state": 11, "temperature": 0.7, "top_k": 3}
        expected = model.sample(**limit, prime=text[:2], n_samples=3, **controls)[2]
        options = {"length": 19, "prime": text[:2], "seed": 11, "number": 2, "temperature": 0.7, "topK": 3}
        assert call("sample", options) == expected


def test_the_module_of_8_bit_weights_names_unknown_characters(module_of):
    model = random_language_model(["Anna", "Bob", ""], dtype="float32")
    call = module_of(model, int8=True)
    np.testing.assert_allclose(call("score", "Anna"), model.quantize().score_samples(["Anna"])[0], atol=1e-4)
    assert call("score", "Axnz") == "RangeError: the model does not know these characters: x z"


@pytest.mark.parametrize(
    ("export", "start"), [("export_html", "<!doctype html>\n<!-- "), ("export_js", "// "), ("export_c", "/* ")]
)
def test_exported_files_name_the_license_of_their_code(export, start, tmp_path):
    getattr(model_of("rnn"), export)(tmp_path / "file")
    head = (tmp_path / "file").read_text("utf-8")[:400]
    assert head.startswith(start)
    assert "BSD-3-Clause" in head


def test_page_draws_pythons_random_numbers(page_of):
    driver = page_of(model_of("rnn"))
    draw = "const u = new Uniforms(arguments[0], arguments[1]); return [u.next(), u.next(), u.next()];"
    for seed, sample in ((0, 0), (7, 3), (2**32, 1), (2**200 + 12345, 10**9)):
        numbers = driver.execute_script(draw, str(seed), sample)
        assert numbers == Uniforms(root(seed), range(sample, sample + 1)).draw(3)[:, 0].tolist()


@pytest.mark.parametrize("name", ["lstm", "unknown"])
def test_page_samples_the_same_text_as_python(page_of, name):
    model = model_of(name)
    driver = page_of(model)
    for temperature, top_k, top_p in ((1, 0, 1), (0, 0, 1), (0.7, 3, 1), (1.3, 0, 0.6), (1, 5, 0.8)):
        write(driver, beginning="to be", seed="11", temperature=str(temperature), top_k=str(top_k), top_p=str(top_p))
        shown, controls = "".join(driver.execute_script(SHOWN)), {"temperature": temperature, "top_p": top_p}
        expected = model.sample(200, prime="to be", random_state=11, top_k=top_k or None, **controls)
        assert shown == "to be" + expected, controls
        call = text_of(driver, "python")
        assert eval(call, {"model": model}) == expected, call


def test_page_stops_at_the_end_of_a_document(page_of):
    model = model_of("documents")
    driver = page_of(model)
    names = model.sample(n_samples=3, prime="A", random_state=5)
    for i, name in enumerate(names):
        write(driver, beginning="A", seed="5", sample=str(i), n=1000, temperature="1")
        assert "".join(driver.execute_script(SHOWN)) == f"{name}\u220e\n"
        assert text_of(driver, "progress").startswith("The document has ended. ")


@pytest.mark.parametrize(
    ("symbols", "codes", "shown"),
    [
        (b"ab", [0xC3, 0xB6, 0xC3, 0x61, 0, 0xFF, 10], ["ö", "·", "xc3", "a", "x00", "xff", "↵\n"]),
        (b"ab", [0xE2, 0x82, 0xAC, 0xED, 0xA0, 0x80], ["€", "·", "·", "xed", "xa0", "x80"]),
        ("ab", [97, 0x202E, 0x200F, 0xD800, 0x301, 9, 0x1F600], ["a", "�", "�", "�", "◌\u0301", "→\t", "😀"]),
    ],
    ids=["bytes", "UTF-8", "characters"],
)
def test_every_symbol_can_be_seen(page_of, symbols, codes, shown):
    script = """const data = JSON.parse(document.getElementById("data").textContent);
        return new Symbols(data.vocabulary).glyphs(arguments[0]);"""
    assert page_of(random_language_model(symbols)).execute_script(script, codes) == shown


def test_surprisal_of_what_is_typed(page_of):
    model, text = model_of("two layers"), "not to be or"
    driver = page_of(model)
    driver.find_element("id", "beginning").send_keys(text)
    wait(driver, f"{SHOWN}.length === {len(text)}")
    bits = model.surprisal(text) / math.log(2)
    classes = driver.execute_script("return [...document.querySelectorAll('#live-text span')].map((s) => s.className)")
    assert [name.split()[0] for name in classes] == [f"b{min(8, int(b))}" for b in bits]
    assert text_of(driver, "progress") == f"12 characters read, {bits.mean():.2f} bits per character"
    driver.find_element("css selector", "#live-text span:nth-child(5)").click()  # a tap
    assert f"at 5: {bits[4]:.2f} bits" in text_of(driver, "live-chosen")
    driver.find_element("id", "live-text").send_keys("\ue014")  # arrow right
    assert f"at 6: {bits[5]:.2f} bits" in text_of(driver, "live-chosen")


def test_a_change_in_the_middle_is_read_anew(page_of):
    model = model_of("bigrams")
    driver = page_of(model)
    first = "to be or not to be " * 4
    for text in (first, first[:50] + "or" + first[52:], first[:33] + "b" + first[34:], "to", ""):
        fill(driver, "beginning", text)
        read = text or " "  # the opening
        wait(driver, f"{SHOWN}.length === {len(read)}")
        mean = model.surprisal(read).mean() / math.log(2)
        shown = f"{len(read)} character{'s' * (len(read) > 1)} read, {mean:.2f} bits per character"
        wait(driver, "return document.getElementById('progress').textContent === arguments[0]", shown)


@pytest.mark.parametrize(
    ("name", "typed", "shown", "strangers"),
    [("lstm", "to<b>x", [*"tob"], "< > x"), ("bytes", "zwölf", ["z", "w", "ö", "·", "l", "f"], "")],
)
def test_typed_characters_are_shown_if_the_model_knows_them(page_of, name, typed, shown, strangers):
    driver = page_of(model_of(name))
    fill(driver, "beginning", typed)
    wait(driver, f"{SHOWN}.length === {len(shown)}")
    assert driver.execute_script(SHOWN) == shown
    ignored = f"Ignored, since the model does not know them: {strangers}" if strangers else ""
    assert text_of(driver, "strangers") == ignored


def test_a_unit_colors_the_text(page_of):
    model, text = model_of("gru"), "to be or not to be"
    driver = page_of(model)
    fill(driver, "beginning", text)
    fill(driver, "live-unit", str(2 * 7 + 3))  # layer 2, unit 3
    levels = [f"u{level}".replace("-0", "0") for level in np.round(4 * model.hidden_states(text)[:, 2, 3]).astype(int)]
    script = "return [...document.querySelectorAll('#live-text span')].map((s) => s.className.split(' ')[0]).join()"
    wait(driver, f"return (() => {{ {script} }})() === arguments[0]", ",".join(levels))


@pytest.mark.parametrize(
    ("symbols", "opening", "placeholder"),
    [
        ("to be\nor not\n", "\n", "Type here, or let the model start a new line."),
        ("to be or not", " ", "Type here, or let the model start a new word."),
        ("abc", "", "Type here, or let the model start a text."),
        (["Anna\n", "Bob"], "", "Type here, or let the model start a new document."),
        (b"a\nb", "\n", "Type here, or let the model start a new line."),
    ],
    ids=["lines", "words", "neither", "documents", "bytes"],
)
def test_the_page_writes_at_once(page_of, symbols, opening, placeholder):
    model = random_language_model(symbols, dtype="float32")
    driver = page_of(model, int8=True)
    wait(driver, f"{SHOWN}.length > 3 || document.getElementById('progress').dataset.speed")
    assert driver.find_element("id", "beginning").get_property("placeholder") == placeholder
    fill(driver, "rate", "0")
    for sample in ("", ", n_samples=2", ", n_samples=3"):
        driver.execute_script("document.getElementById('progress').removeAttribute('data-speed')")
        driver.find_element("id", "another" if sample else "write").click()
        wait(driver, "return document.getElementById('progress').dataset.speed")
        call = text_of(driver, "python")
        prime = opening.encode() if isinstance(symbols, bytes) else opening
        length = "max_length=300" if isinstance(symbols, list) else "300"
        assert call.startswith(f"model.quantize().sample({length}" + (f", prime={prime!r}" if prime else ""))
        assert f"{sample}, random_state=0" in call
        written = eval(call, {"model": model})
        shown = "".join(driver.execute_script(SHOWN))
        assert shown.replace("\u21b5\n", "\n").replace("\u220e\n", "") == opening + (
            written.decode() if isinstance(written, bytes) else written
        )


def test_complete_writes_the_most_probable_characters(page_of):
    model = random_language_model("to be or not to be", cell="gru", scale=2.0)
    driver = page_of(model)
    fill(driver, "beginning", "to")
    fill(driver, "length", "20")
    fill(driver, "rate", "0")
    driver.execute_script("document.getElementById('progress').removeAttribute('data-speed')")
    driver.find_element("id", "complete").click()
    wait(driver, "return document.getElementById('progress').dataset.speed")
    best = model.sample(20, prime="to", temperature=0)
    assert "".join(driver.execute_script(SHOWN)) == "to" + best
    assert eval(text_of(driver, "python"), {"model": model}) == best
    fill(driver, "temperature", "0.5")
    assert "temperature=0.5" in text_of(driver, "python")


def test_typing_stops_the_writing(page_of):
    driver = page_of(model_of("lstm"))
    fill(driver, "length", "4000")
    fill(driver, "rate", "10")
    driver.find_element("id", "write").click()
    wait(driver, f"{SHOWN}.length > 3")
    driver.find_element("id", "beginning").send_keys("to")
    wait(driver, f"{SHOWN}.length === 2 && document.getElementById('stop').disabled")
    time.sleep(0.2)  # what the writing still answers is ignored
    assert text_of(driver, "progress").startswith("2 characters read, ")


@pytest.mark.parametrize(
    "worker",
    [
        "class { constructor() { throw new Error('forbidden'); } }",
        "class { constructor() { setTimeout(() => this.onerror(), 50); } postMessage() {} }",
    ],
    ids=["throws", "fails later"],
)
def test_without_a_worker_the_page_works_itself(page_of, driver, worker):
    source = {"source": f"window.Worker = {worker};"}
    script = driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", source)
    try:
        model = model_of("gru")
        write(page_of(model), beginning="to be")
    finally:
        driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", script)
    assert "".join(driver.execute_script(SHOWN)) == "to be" + model.sample(
        200, prime="to be", temperature=0.8, random_state=0
    )


def test_sliders_move_by_mouse_and_arrow_keys(page_of):
    """Dragged with the mouse, and moved with the arrow keys."""
    driver = page_of(model_of("lstm"))
    slider = driver.find_element("id", "temperature")
    webdriver = pytest.importorskip("selenium.webdriver")
    actions = webdriver.ActionChains(driver)
    actions.move_to_element(slider).click_and_hold().move_by_offset(slider.size["width"] // 4, 0).release().perform()
    value = float(slider.get_property("value"))
    assert 1.4 <= value <= 1.6  # three quarters of the way to 2
    assert text_of(driver, "temperature-value") == f"{value:.2f}"
    driver.find_element("id", "top-k").send_keys("\ue014\ue014")  # arrow right
    driver.find_element("id", "top-p").send_keys("\ue012")  # arrow left
    assert f"temperature={value:g}, top_k=2, top_p=0.95" in text_of(driver, "python")


def test_page_works_by_keyboard_alone(page_of):
    model = model_of("lstm")
    driver = page_of(model)
    active = driver.switch_to.active_element
    reached = []
    while not reached or reached[-1] != "write":
        active.send_keys("\ue004")  # tab
        active = driver.switch_to.active_element
        reached.append(active.get_attribute("id"))
        assert len(reached) < 20, reached
        if reached[-1] == "beginning":
            active.send_keys("to be")
    assert reached == ["beginning", "write"]
    active.send_keys("\ue007")  # enter
    wait(driver, f"{SHOWN}.length > 8")
    assert "".join(driver.execute_script(SHOWN)).startswith(
        "to be" + model.sample(3, prime="to be", temperature=0.8, random_state=0)
    )


def test_content_policy_blocks_foreign_content(page_of):
    driver = page_of(model_of("rnn"))
    driver.execute_script("""
        const add = (tag, values) => document.body.append(Object.assign(document.createElement(tag), values));
        add("script", { textContent: "window.ran = 1" });
        add("div", { innerHTML: "<img src=x onerror='window.ran = 2'><p onclick='window.ran = 3' id=p>p</p>" });
        add("img", { src: "https://example.org/x.png" });
        add("iframe", { src: "https://example.org/" });
        add("script", { src: "https://example.org/x.js" });
        document.getElementById("p").click();
        fetch("https://example.org/").catch(() => (window.refused = true));
    """)
    wait(driver, "return window.refused")
    assert driver.execute_script("return typeof window.ran") == "undefined"
    messages = [entry["message"] for entry in driver.get_log("browser")]
    assert len(messages) >= 6
    assert all("Content Security Policy" in message for message in messages)
    sent, blocked = network_events(driver)
    assert sent <= blocked


# Dark colors belong to elements, not to models: three kinds of symbols have them all.
LIGHT_AND_DARK = [(name, dark) for name in ("lstm", "documents, unknown", "bytes") for dark in (False, True)]


@pytest.mark.parametrize(("name", "dark"), [*LIGHT_AND_DARK, ("surrogates", False)])
def test_no_message_no_request_and_contrast(page_of, name, dark):
    driver = page_of(model_of(name), dark=dark)
    write(driver, n=60)
    assert driver.execute_script(CONTRAST) == []
    fill(driver, "live-unit", "1")
    wait(driver, "return document.querySelector('#live-key .u4')")
    assert driver.execute_script(CONTRAST) == []
    assert faults(driver) == ([], [])


def test_page_fits_a_phone_screen(page_of):
    driver = page_of(model_of("two layers"), width=360, height=640)
    write(driver, beginning="to be", n=100)
    assert driver.execute_script("return document.documentElement.scrollWidth") == 360
    set_size(driver, 1100)


def test_a_title_shows_what_it_holds(driver, tmp_path):
    model_of("rnn").export_html(tmp_path / "page.html", title="<b>{live}\u202e\ud800")
    assert opened(driver, tmp_path / "page.html").title == "<b>{live}��"
    assert driver.find_element("css selector", "h1").text == "<b>{live}��"


@pytest.mark.slow
def test_page_writes_at_least_200_characters_a_second(page_of):
    """At least 200 characters a second with an LSTM of 512 units."""
    driver = page_of(CharRNN(512, cell="lstm", max_steps=0, random_state=0).fit(bytes(range(65))))
    speeds = []
    for _ in range(5):  # the machine may be busy with something else
        write(driver, n=300)
        speeds.append(int(driver.execute_script("return document.getElementById('progress').dataset.speed")))
    assert max(speeds) >= 200
