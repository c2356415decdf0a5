"""The compiled gist takes the same steps as the gist in NumPy and as `CharRNN`."""

import importlib
import itertools
import re

import numpy as np
import pytest
from examples import sets
from min_char_rnn import MinCharRNN as Script
from source_tree import ROOT, needs_sources

from crnn.classic import MinCharRNN
from crnn.classic.compiled import read_symbols, train_steps
from crnn.classic.layout import cut
from crnn.errors import InvalidInputError

TEXT = "the quick brown fox jumps over the lazy dog, and runs away; " * 7
CHARS = sorted(set(TEXT))
IDS = np.array([CHARS.index(char) for char in TEXT], np.intc)
V, H, T = len(CHARS), 13, 7


def vector_of(params, dtype=np.float64):
    """Return the script's parameters in the order of the compiled vector."""
    parts = [params["Wxh"].T, params["Whh"].T, params["bh"], params["Why"].T, params["by"]]
    return np.concatenate([part.ravel() for part in parts]).astype(dtype)


def states_of_script(steps, **options):
    """Yield the script before each of its steps."""
    script = Script(IDS, V, H, T, seed=3, **options)
    for _ in range(steps):
        yield script
        script.step()


def compiled_for(instruction_set):
    """Return the module of classic.pyx for an instruction set."""
    return importlib.import_module(f"crnn.classic.{instruction_set}.classic")


@pytest.mark.parametrize("instruction_set", sets("float64"))
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("clip", [5.0, 0.01])
def test_each_step_is_the_scripts(instruction_set, dtype, clip):
    """70 steps pass the end of the text once."""
    train_steps = compiled_for(instruction_set).train_steps
    within = 1e-12 if dtype == "float64" else 2e-5
    for script in states_of_script(70, clip=clip):
        w = vector_of(script.params, dtype)
        memory = vector_of(script.memory, dtype)
        state = script.h.T.astype(dtype)
        losses = np.zeros(1)
        position = train_steps(w, memory, state, IDS, script.position, T, V, 0.1, clip, losses)
        loss = script.step()
        assert losses[0] == pytest.approx(loss, rel=within)
        assert position == script.position
        np.testing.assert_allclose(w, vector_of(script.params), rtol=within, atol=100 * within)
        np.testing.assert_allclose(memory, vector_of(script.memory), rtol=within, atol=within)
        np.testing.assert_allclose(state, script.h.T, rtol=0, atol=within)


@pytest.mark.parametrize("streams", [1, 3])
def test_a_step_is_char_rnns(streams):
    model = MinCharRNN(H, T, batch_size=streams, random_state=1).train(TEXT, 30)
    other = model.to_char_rnn()
    with other.editing():
        other.state_[0] = 0
    model = MinCharRNN.from_char_rnn(other).train(TEXT, 1)
    other.set_params(max_steps=1).partial_fit(TEXT)
    loss = 1000 * model.smooth_loss - 999 * T * np.log(V)
    assert T * other.history_[-1]["train_loss"] == pytest.approx(loss, rel=1e-9)
    for name, theirs in other.params_.items():
        ours = model.params[name.removesuffix("_l0")]
        np.testing.assert_allclose(ours.ravel(), theirs.ravel(), rtol=1e-12, atol=1e-12)
    for name, theirs in other.optimizer_state_["sum"].items():
        ours = model.memory[name.removesuffix("_l0")]
        np.testing.assert_allclose(ours.ravel(), theirs.ravel(), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("instruction_set", sets("float64"))
def test_large_weights_neither_overflow_nor_lose_the_last_digits(instruction_set):
    read_symbols = compiled_for(instruction_set).read_symbols
    rng = np.random.default_rng(0)
    n = V * H + H * H + H + H * V + V
    for scale in (1e-9, 1.0, 30.0, 1e4):
        w = scale * rng.standard_normal(n)
        Wx, Wh, bh, Wy, by = cut(w, V, H)
        h = np.zeros(H)
        wanted = 0.0
        for i, target in itertools.pairwise(IDS[:41]):
            h = np.tanh(Wx[i] + h @ Wh + bh)
            y = h @ Wy + by
            wanted += np.logaddexp.reduce(y) - y[target]
        state = np.zeros((1, H))
        assert read_symbols(w, state, IDS[:41], V) == pytest.approx(wanted, rel=1e-12)
        np.testing.assert_allclose(state[0], h, rtol=1e-9 if scale > 1 else 1e-6, atol=1e-15)


def test_nan_is_not_hidden():
    w = np.zeros(V * H + H * H + H + H * V + V)
    Wx, *_ = cut(w, V, H)
    Wx[IDS[0], 2] = np.nan
    state = np.zeros((1, H))
    assert np.isnan(read_symbols(w, state, IDS[:5], V))
    assert np.isnan(state[0]).any()


def test_arrays_of_other_sizes_are_refused():
    n = V * H + H * H + H + H * V + V

    def step(w=n, memory=n, ids=IDS, chunk=T):
        train_steps(np.zeros(w), np.zeros(memory), np.zeros((1, H)), ids, 0, chunk, V, 0.1, 5.0, np.zeros(1))

    step()
    for changed, message in (
        ({"w": n - 1}, "w has"), ({"memory": n + 1}, "memory must have"), ({"ids": IDS + 1}, "ids must"),
        ({"ids": IDS - 1}, "ids must"), ({"ids": IDS[:T]}, "of 6 inputs has no chunk of 7"),
        ({"chunk": 0}, "no chunk of 0"),
    ):  # fmt: skip
        with pytest.raises(InvalidInputError, match=message):
            step(**changed)
    with pytest.raises(InvalidInputError, match="position"):
        train_steps(np.zeros(n), np.zeros(n), np.zeros((1, H)), IDS, -1, T, V, 0.1, 5.0, np.zeros(1))


@needs_sources
def test_the_file_stays_readable():
    source = (ROOT / "src/crnn/classic/classic.pyx").read_text(encoding="utf-8")
    assert len(source.splitlines()) <= 250
    back = ("back_propagate_output", "back_propagate_through_time")
    for name in ("forward", "softmax_loss", *back, "adagrad"):
        assert re.search(rf"^cdef \w+ {name}\(", source, re.MULTILINE)
