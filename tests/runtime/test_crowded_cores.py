"""Teams of more threads than there are cores: the same bits as one thread, and no deadlock."""

import faulthandler
import threading

import pytest
from small_models import bits
from texts import SOLILOQUY as TEXT

from crnn import CharRNN
from crnn.runtime import threads
from crnn.training import team

pytestmark = pytest.mark.slow

TEAMS = [8, 16, 64]
DEADLOCK = 1200  # seconds, after which the process ends with the traceback of every thread


@pytest.fixture(autouse=True)
def _a_deadlock_ends_the_process():
    faulthandler.dump_traceback_later(DEADLOCK, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()


@pytest.fixture(autouse=True)
def _as_many_threads_as_a_test_asks_for(monkeypatch):
    monkeypatch.setattr(threads, "cores", lambda: 64)
    monkeypatch.setattr(team, "cores", lambda: 64)


@pytest.fixture(params=[64, 2], ids=["spinning", "sleeping"])
def waiting(request, monkeypatch):
    """Threads that wait for each other spin first, or sleep at once, as they do if they know that they are too many."""
    monkeypatch.setattr(team, "cores", lambda: request.param)


def trained(n_threads, **parameters):
    given = {"hidden_size": 61, "num_layers": 2, "cell": "lstm", "batch_size": 64, "seq_length": 7, "max_steps": 6,
             "optimizer": "adam", "dropout": 0.2, "random_state": 3}  # fmt: skip
    return CharRNN(**given | parameters, n_threads=n_threads).fit(TEXT)


@pytest.mark.parametrize("parameters", [{}, {"hidden_size": 257, "batch_size": 8, "max_steps": 3}, {"cell": "gru"}])
def test_training_on_crowded_cores_gives_the_same_bits(waiting, parameters):
    expected = bits(trained(1, **parameters))
    for n_threads in TEAMS:
        assert bits(trained(n_threads, **parameters)) == expected


def test_teams_side_by_side(waiting):
    """Each of four threads has a team of 16."""
    found, expected = [], bits(trained(1))
    workers = [threading.Thread(target=lambda: found.append(bits(trained(16)))) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert found == [expected] * 4
