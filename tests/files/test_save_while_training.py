"""A model that another thread trains is saved as it was after one of its steps."""

import threading

from texts import LONG_TEXT as TEXT

from crnn import CharRNN
from crnn.model.state import Gate


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
