"""Single steps of training, from states that an independent min-char-rnn passed through.

    PYTHONPATH=tests/helpers python tests/test_golden.py

writes `data/golden.npz` anew. The program that makes it is below, in plain NumPy with one-hot columns and one matrix
and vector product a step, as the original is; it shares no code with the library. Long runs cannot be compared: the
first steps of min-char-rnn are so violent that two right programs part within fifty steps.
"""

from pathlib import Path

import numpy as np
import pytest
from min_char_rnn import NAMES, MinCharRNN
from small_models import learned_state

from crnn import CharRNN
from crnn.reference import network as reference

GOLDEN = Path(__file__).parent / "data" / "golden.npz"
H, T = 7, 5
SYMBOLS = "abcdefghijk"
STEPS = (0, 1, 10, 100)


def snapshots(steps):
    """Return the state before and after each of these steps of a run: arrays by name."""
    rng = np.random.default_rng(7)
    ids = rng.choice(len(SYMBOLS), size=613, p=np.arange(1, 12) / 66)
    model = MinCharRNN(ids, len(SYMBOLS), H, T, seed=11)
    out = {"ids": ids.astype(np.uint8)}
    for step in range(max(steps) + 1):
        model.rewind()
        before = {**state_of(model), "position": model.position}
        loss = model.step()
        if step in steps:
            after = {f"after/{name}": value for name, value in state_of(model).items()}
            for name, value in {**before, **after, "loss": loss}.items():
                out[f"{step}/{name}"] = np.asarray(value)
    return out


def state_of(model):
    """Return copies of everything that a step changes but the position, without the columns' second axis."""
    arrays = {**model.params, **{f"sum/{name}": value for name, value in model.memory.items()}, "h": model.h}
    return {name: (a[:, 0] if a.shape[1] == 1 else a).copy() for name, a in arrays.items()}


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN) as file:
        return dict(file)


def model_before(golden, step, dtype):
    """Return a model in the state recorded before a step, and the step's T + 2 characters."""
    model = CharRNN(H, seq_length=T, dtype=dtype, max_steps=0).fit(SYMBOLS)
    with model.editing():
        for there, here in NAMES.items():
            model.params_[here][...] = golden[f"{step}/{there}"]
            model.optimizer_state_["sum"][here][...] = golden[f"{step}/sum/{there}"]
        model.state_[0, 0] = golden[f"{step}/h"]
    p = golden[f"{step}/position"]
    text = "".join(SYMBOLS[i] for i in golden["ids"][p : p + T + 2])
    return model.set_params(max_steps=1), text


@pytest.mark.parametrize("step", STEPS)
def test_step_matches_min_char_rnn(kernels, golden, dtype, step):
    model, text = model_before(golden, step, dtype)
    learned_state(model).smooth_loss = 0.0  # then it becomes 0.001 times the loss
    model.partial_fit(text)
    assert model.n_steps_ == 1
    # 1e-9 is what is promised in float64; a wrong program is far from this as well.
    loss, rtol, atol = (1e-12, 1e-11, 1e-11) if dtype == np.float64 else (1e-4, 1e-7, 1e-4)
    assert model.smooth_loss_ * 1000 == pytest.approx(golden[f"{step}/loss"], rel=loss)
    for there, here in NAMES.items():
        np.testing.assert_allclose(model.params_[here], golden[f"{step}/after/{there}"], rtol=rtol, atol=atol)
    if dtype == np.float64:
        np.testing.assert_allclose(model.state_[0, 0], golden[f"{step}/after/h"], rtol=1e-12, atol=1e-14)
        for there, here in NAMES.items():
            memory = model.optimizer_state_["sum"][here]
            np.testing.assert_allclose(memory, golden[f"{step}/after/sum/{there}"], rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("step", STEPS)
def test_the_reference_takes_the_same_step(golden, step):
    model, text = model_before(golden, step, "float64")
    state = learned_state(model)
    p, sum_ = (state.layout.tensors(flat) for flat in (state.params, state.optimizer_state["sum"]))
    x = model.vocabulary_.encode(text).astype(np.intp)[:, None]
    loss, (h,) = reference.train_step(p, "rnn", [sum_], x[:T], x[1 : T + 1], (model.state_,), 0.1, 5.0)
    assert loss == pytest.approx(golden[f"{step}/loss"], rel=1e-12)
    np.testing.assert_allclose(h[0, 0], golden[f"{step}/after/h"], rtol=1e-12, atol=1e-14)
    for there, here in NAMES.items():
        np.testing.assert_allclose(model.params_[here], golden[f"{step}/after/{there}"], rtol=1e-11, atol=1e-11)


def test_the_file_is_what_this_script_writes(golden):
    # The first two steps: later ones differ from machine to machine.
    again = snapshots((0, 1))
    assert set(again) <= set(golden)
    assert {int(name.split("/")[0]) for name in golden if "/" in name} == set(STEPS)
    for name, value in again.items():
        np.testing.assert_allclose(golden[name], value, rtol=1e-9, atol=1e-12)


def test_fit_starts_as_min_char_rnn_does(golden):
    # From the same initial weights through the first steps on a whole text, before the programs diverge.
    text = "".join(SYMBOLS[i] for i in golden["ids"])
    model = CharRNN(H, seq_length=T, dtype="float64", max_steps=0).fit(text)
    assert model.smooth_loss_ == pytest.approx(T * np.log(11))
    with model.editing():
        for there, here in NAMES.items():
            model.params_[here][...] = golden[f"0/{there}"]
    model.set_params(max_steps=10).partial_fit(text)
    for there, here in NAMES.items():
        np.testing.assert_allclose(model.params_[here], golden[f"10/{there}"], atol=1e-6)


if __name__ == "__main__":
    GOLDEN.parent.mkdir(exist_ok=True)
    np.savez_compressed(GOLDEN, **snapshots(STEPS))
    print(f"wrote {GOLDEN}, {GOLDEN.stat().st_size} bytes")
