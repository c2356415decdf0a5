"""A model that another thread trains is saved as it was after one of its steps."""

import threading

import numpy as np
import pytest
from texts import LONG_TEXT as TEXT

from crnn import CharRNN
from crnn.model.state import Gate

SAVES = 6


def all_of(model):
    """What the steps of training change, as bytes."""
    kept = {name: array.tobytes() for name, array in model.params_.items()}
    for part, views in model.optimizer_state_.items():
        if part != "step":
            kept |= {f"{part}.{name}": array.tobytes() for name, array in views.items()}
    return kept | {"state": np.array(model.state_).tobytes(), "loss": model.smooth_loss_, "steps": model.n_steps_}


@pytest.mark.parametrize(
    "parameters",
    [
        {"cell": "lstm", "num_layers": 2, "batch_size": 3, "n_threads": 2, "optimizer": "rmsprop", "dropout": 0.1},
        {"cell": "gru", "dtype": "float64", "optimizer": "adam"},
    ],
)
def test_a_file_holds_the_state_after_one_step(tmp_path, parameters):
    given = {"hidden_size": 16, "random_state": 0, "learning_rate": 1e-3} | parameters
    model = CharRNN(**given, max_seconds=10.0, callbacks=[lambda model, record: stop.is_set()])
    stop = threading.Event()
    thread = threading.Thread(target=model.fit, args=(TEXT,))
    thread.start()
    try:
        while not hasattr(model, "vocabulary_"):
            pass
        files = []
        for i in range(SAVES):
            files.append(tmp_path / str(i))
            model.save(files[-1])
    finally:
        stop.set()
        thread.join()
    loaded = [CharRNN.load(file) for file in files]
    steps = [again.n_steps_ for again in loaded]
    assert steps == sorted(steps)
    assert steps[-1] > steps[0]
    again = next(again for again in loaded if again.n_steps_)
    alone = CharRNN(**given, max_steps=again.n_steps_).fit(TEXT)
    assert all_of(again) == all_of(alone)


def test_a_callback_saves(tmp_path):
    """On the thread that trains, between two steps."""
    path = tmp_path / "model"
    model = CharRNN(7, max_steps=60, random_state=0, callbacks=[lambda model, record: model.save(path)]).fit(TEXT)
    assert CharRNN.load(path).n_steps_ == model.n_steps_ == 60


def test_copies_do_not_starve():
    """A thread that takes step after step lets a copy in after the running one."""
    gate, stop, steps = Gate(), threading.Event(), []

    def train():
        while not stop.is_set():
            with gate.steps():
                steps.append(None)

    thread = threading.Thread(target=train)
    thread.start()
    try:
        for _ in range(100):
            with gate.turn, gate.steps():
                seen = len(steps)
                assert len(steps) == seen
    finally:
        stop.set()
        thread.join()
    assert steps


def test_the_thread_that_holds_a_gate_goes_through():
    gate = Gate()
    with gate.steps(), gate.turn, gate.steps(), gate.steps():
        pass
