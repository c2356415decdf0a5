"""The page's trainer computes what min-char-rnn does in NumPy, and its model file is read by `CharRNN.load`."""

import base64
import hashlib
import io

import numpy as np
import pytest
from browser import browser, opened
from min_char_rnn import NAMES, MinCharRNN
from node import in_node, needs_node

from crnn import CharRNN
from crnn.export.script import assets
from crnn.play import play_page, write_play_page

TEXT = "to be, or not to be: that is the question. whether 'tis nobler in the mind to suffer. " * 9
SYMBOLS = sorted(set(TEXT))
IDS = [SYMBOLS.index(c) for c in TEXT]
V, H, T = len(SYMBOLS), 13, 11
EXPORTED = ["MinCharRNN", "Uniforms", "modelFile", "sha256", "trainFrom", "randomFile"]
# Train from the states of another program before each step, or on from the first one; return the losses. In the page,
# Wxh has one row for each symbol.
HELPERS = """
function setState(model, { params, memory, h, position }) {
  const flat = (name, rows) => name === "Wxh" ? rows[0].flatMap((_, j) => rows.map((row) => row[j])) : rows.flat();
  for (const name of Object.keys(params)) {
    model.weights[name].set(flat(name, params[name]));
    model.sums[name].set(flat(name, memory[name]));
  }
  model.states[0].set(h.flat());
  model.position = position;
}
function trainFrom({ ids, symbols, hidden, length, options, states, steps }) {
  const random = new Uniforms(1, 0);
  const model = new MinCharRNN({ ids, symbols, hidden, length, scale: 0.01, random, options });
  const losses = [];
  for (let i = 0; i < steps; i++) {
    if (i < states.length) setState(model, states[i]);
    losses.push(model.step());
  }
  return { losses, smoothLoss: model.smoothLoss };
}
function randomFile({ ids, codes, hidden, length, options, steps }) {
  const random = new Uniforms(3, 0);
  const model = new MinCharRNN({ ids, symbols: codes.length, hidden, length, scale: 0.1, random, options });
  for (let i = 0; i < steps; i++) model.step();
  const bytes = modelFile(model, codes, 0.1);
  const { smoothLoss } = model;
  return { file: btoa(String.fromCharCode(...bytes)), smoothLoss, next: model.step() };
}
"""


def engine():
    library = assets("crnn.export", play_page.ENGINE_LIBRARY)
    return "\n".join([library, assets("crnn.play", ["training.js", "model_file.js"]), HELPERS])


@pytest.fixture
def node_call(tmp_path):
    (tmp_path / "engine.mjs").write_text(f"{engine()}\nexport {{ {', '.join(EXPORTED)} }};", encoding="utf-8")

    def call(name, argument):
        return in_node(tmp_path / "engine.mjs", name, f"{name}(ARGUMENT)", ARGUMENT=argument)

    return call


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("profile")
    with browser(folder / "profile") as driver:
        write_play_page(folder / "play.html")
        yield opened(driver, folder / "play.html")


@pytest.fixture
def page_call(page):
    def call(name, argument):
        return page.execute_script(f"{HELPERS}\nreturn {name}(arguments[0]);", argument)

    return call


def call_in(place, request):
    return request.getfixturevalue(f"{place}_call")


def state_of(model):
    arrays = {"params": model.params, "memory": model.memory}
    numbers = {part: {name: a.tolist() for name, a in of_part.items()} for part, of_part in arrays.items()}
    model.rewind()
    return {**numbers, "h": model.h.tolist(), "position": model.position}


PLACES = [pytest.param("node", marks=needs_node), "page"]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("rate", [0.1, 1.0])
def test_each_of_100_steps_has_the_loss_of_the_script(place, rate, request):
    script = MinCharRNN(IDS, V, H, T, seed=5, learning_rate=rate)
    states, losses = [], []
    for _ in range(100):
        states.append(state_of(script))
        losses.append(script.step())
    options = {"rate": rate, "clip": 5, "optimizer": "adagrad", "dhnext": True, "subtractsMax": True}
    given = {"ids": IDS, "symbols": V, "hidden": H, "length": T, "options": options, "states": states, "steps": 100}
    found = call_in(place, request)("trainFrom", given)
    np.testing.assert_allclose(found["losses"], losses, rtol=1e-12)
    np.testing.assert_allclose(found["smoothLoss"], script.smooth_loss, rtol=1e-12)


@pytest.mark.parametrize("place", PLACES)
def test_the_losses_of_100_steps_agree_without_help(place, request):
    """At a rate so low that Adagrad's first steps do not amplify the last digit."""
    script = MinCharRNN(IDS, V, H, T, seed=6, learning_rate=0.002)
    first = state_of(script)
    losses = [script.step() for _ in range(100)]
    options = {"rate": 0.002, "clip": 5, "optimizer": "adagrad", "dhnext": True, "subtractsMax": False}
    given = {"ids": IDS, "symbols": V, "hidden": H, "length": T, "options": options, "states": [first], "steps": 100}
    found = call_in(place, request)("trainFrom", given)
    assert np.ptp(losses) > 0.5
    np.testing.assert_allclose(found["losses"], losses, rtol=1e-9)


@needs_node
def test_options_change_the_gradient_and_the_update(node_call):
    """One step from the same state, with each option by its definition."""
    script = MinCharRNN(IDS, V, H, T, seed=7)
    for _ in range(20):
        script.step()
    state = state_of(script)
    _, d = script.back_propagate(IDS[state["position"] :][:T], IDS[state["position"] + 1 :][:T])
    gist = {"rate": 0.1, "clip": 5, "optimizer": "adagrad", "dhnext": True, "subtractsMax": True}
    changes = {"clip": 0.01, "optimizer": "sgd", "dhnext": False}
    given = {"ids": IDS, "symbols": V, "hidden": H, "length": T, "states": [state], "steps": 2}
    second = {"gist": node_call("trainFrom", {**given, "options": gist})["losses"][1]}
    for name, value in changes.items():
        second[name] = node_call("trainFrom", {**given, "options": {**gist, name: value}})["losses"][1]
    assert len(set(second.values())) == len(second)
    # Plain gradient descent, by hand.
    for name, g in d.items():
        script.params[name] -= 0.1 * np.clip(g, -5, 5)
    script.position += T
    np.testing.assert_allclose(second["optimizer"], script.step(), rtol=1e-12)


@needs_node
@pytest.mark.parametrize("n", [2, 3, 10, 11, 12])
def test_a_text_shorter_than_a_chunk_makes_the_chunk_shorter(node_call, n):
    ids = IDS[:n]
    script = MinCharRNN(ids, V, H, min(T, n - 1), seed=8)
    first = state_of(script)
    losses = [script.step() for _ in range(3)]
    options = {"rate": 0.1, "clip": 5, "optimizer": "adagrad", "dhnext": True, "subtractsMax": True}
    given = {"ids": ids, "symbols": V, "hidden": H, "length": T, "options": options, "states": [first], "steps": 3}
    np.testing.assert_allclose(node_call("trainFrom", given)["losses"], losses, rtol=1e-9)


@needs_node
@pytest.mark.parametrize("length", [0, 1, 55, 56, 63, 64, 65, 1000])
def test_digest(node_call, length):
    content = bytes(i * 7 % 256 for i in range(length))
    assert node_call("sha256", list(content)) == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("clip", [5, None])
def test_python_loads_the_model_file_and_continues(place, clip, request):
    text = TEXT + "\u00e9\u2028\U0001f600\ud800"
    codes = sorted(set(map(ord, text)))
    ids = [codes.index(ord(c)) for c in text]
    # JSON has no infinity; a limit that no gradient reaches is one.
    options = {
        "rate": 0.05,
        "clip": 1e9 if clip is None else clip,
        "optimizer": "adagrad",
        "dhnext": True,
        "subtractsMax": True,
    }
    given = {"ids": ids, "codes": codes, "hidden": H, "length": T, "options": options, "steps": 37}
    found = call_in(place, request)("randomFile", given)
    model = CharRNN.load(io.BytesIO(base64.b64decode(found["file"])))
    assert (model.n_steps_, model.smooth_loss_) == (37, found["smoothLoss"])
    assert (model.hidden_size, model.seq_length, model.learning_rate, model.dtype) == (H, T, 0.05, "float64")
    assert list(model.vocabulary_.codes) == codes
    position = 37 * T
    model.set_params(max_steps=1).partial_fit(text[position : position + T + 2])
    np.testing.assert_allclose(T * model.history_[-1]["train_loss"], found["next"], rtol=1e-12)


@needs_node
def test_weights_of_gradient_descent_come_without_a_training_state(node_call):
    options = {"rate": 0.01, "clip": 5, "optimizer": "sgd", "dhnext": True, "subtractsMax": True}
    codes = list(map(ord, SYMBOLS))
    given = {"ids": IDS, "codes": codes, "hidden": H, "length": T, "options": options, "steps": 5}
    model = CharRNN.load(io.BytesIO(base64.b64decode(node_call("randomFile", given)["file"])))
    assert model.n_steps_ == 0
    assert np.isfinite(model.score(TEXT))
    assert set(NAMES.values()) == set(model.params_)
    assert list(model.vocabulary_.codes) == codes
