"""ModelState: snapshots share nothing, and restoring one writes in place."""

from dataclasses import replace

import numpy as np
import pytest

from crnn.model.layout import Layout
from crnn.model.state import ModelState
from crnn.text.vocabulary import Vocabulary


def state(cell="lstm", optimizer="adam"):
    layout = Layout(3, 5, np.dtype("float64"), cell, 2)
    rng, vocabulary = np.random.default_rng(0), Vocabulary.from_text("abc")
    made = ModelState.initial(layout, vocabulary, rng, optimizer=optimizer, batch_size=7, seq_length=11)
    for array in arrays(made):
        array[...] = rng.uniform(size=array.shape)
    made.history.append({"step": 0})
    return made


def arrays(state):
    return [state.params, *state.optimizer_state.values(), *state.hidden]


def test_a_snapshot_shares_no_array_no_generator_and_no_history():
    first = state()
    snapshot = first.copy()
    assert not any(np.shares_memory(a, b) for a, b in zip(arrays(first), arrays(snapshot), strict=True))
    expected, drawn = [array.copy() for array in arrays(snapshot)], snapshot.copy().rng.random()
    first.history.append({})
    first.rng.random()
    for array in arrays(first):
        array[...] = 0
    for array, kept in zip(arrays(snapshot), expected, strict=True):
        np.testing.assert_array_equal(array, kept)
    assert (len(snapshot.history), snapshot.rng.random()) == (1, drawn)


def test_restoring_writes_in_place_and_keeps_the_history():
    first = state()
    snapshot, views = first.copy(), arrays(first)
    for array in views:
        array[...] = 0
    first.n_steps, first.smooth_loss = 13, 0.5
    first.history.append({"step": 13})
    first.restore(snapshot)
    assert all(a is b for a, b in zip(arrays(first), views, strict=True))
    for array, kept in zip(views, arrays(snapshot), strict=True):
        np.testing.assert_array_equal(array, kept)
    assert (first.n_steps, first.smooth_loss) == (snapshot.n_steps, snapshot.smooth_loss)
    assert first.history == [{"step": 0}, {"step": 13}]


def test_a_digest_tells_states_apart():
    digest, digests = state().digest(), set()
    assert state().digest() == digest
    for i in range(len(arrays(state()))):
        changed = state()
        arrays(changed)[i].flat[-1] += 1e-9
        digests.add(changed.digest())
    counters = {"n_steps": 1, "optimizer_start": -1, "smooth_loss": 0.5, "optimizer": "rmsprop", "scales": {}}
    for name, value in counters.items():
        digests.add(replace(state(), **{name: value}).digest())
    digests.add(replace(state(), vocabulary=Vocabulary.from_text("abd")).digest())
    assert len(digests - {digest}) == len(arrays(state())) + len(counters) + 1
    assert replace(state(), history=[], rng=np.random.default_rng(7)).digest() == digest


def test_overwriting_arrays_counts_as_a_change_even_if_interrupted():
    first, other = state(), state()
    first.overwrite(other.params, other.optimizer_state, other.hidden)
    assert first.gate.changes == 1
    other.params[:] = 0.25
    other.optimizer_state["exp_avg"] = np.zeros(3)  # an error after the weights
    with pytest.raises(ValueError, match="broadcast"):
        first.restore(other)
    assert (first.params == 0.25).all()
    assert first.gate.changes == 2


def test_states_that_share_weights_share_the_count_and_copies_do_not():
    first = state()
    sharing, snapshot = first.carried_on(optimizer="adagrad", batch_size=3, seq_length=11), first.copy()
    sharing.restore(sharing.copy())
    assert (first.gate.changes, snapshot.gate.changes) == (1, 0)
