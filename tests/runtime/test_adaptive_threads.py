"""Decisions on made-up machines: seconds per step by number of threads, on a clock that the calls move."""

import numpy as np
import pytest

from crnn.runtime.threads import MAX_TRIAL_PAUSE, AdaptiveThreads

POLL = 0.05  # seconds of a call


class Machine:
    """Calls of `POLL` seconds in a row; `seconds` per step by number of threads can change on the way."""

    def __init__(self, max_threads):
        self.threads, self.now, self.used = AdaptiveThreads(max_threads), 0.0, []

    def run(self, seconds, duration):
        """Train for so long; return the mean speed relative to the best number of threads."""
        end, steps = self.now + duration, 0.0
        while self.now < end:
            n = self.threads.n_threads
            self.used.append(n)
            self.now += POLL
            steps += POLL / seconds[n]
            self.threads.record(seconds[n], self.now)
        return steps / (duration / min(seconds.values()))


IDLE = {1: 0.010, 2: 0.0052, 4: 0.0027, 6: 0.0019}
CROWDED = {1: 0.020, 2: 0.040, 4: 0.100, 6: 0.300}
FOUR_CORES = {1: 0.010, 2: 0.0052, 4: 0.0027, 6: 0.0036}


@pytest.mark.parametrize("seconds", [IDLE, CROWDED, FOUR_CORES], ids=["idle", "crowded", "four cores"])
def test_search_finds_the_best_number_of_threads(seconds):
    machine = Machine(6)
    machine.run(seconds, 10.0)
    assert machine.run(seconds, 60.0) > 0.97
    assert machine.threads._chosen == min(seconds, key=seconds.get)


def test_a_trial_takes_few_of_many_long_steps():
    threads = AdaptiveThreads(2)
    for _ in range(2):
        assert threads.steps(16) == 16
        threads.record(0.08, now=0.0)
    assert (threads.n_threads, threads.steps(16), threads.steps(1)) == (1, 1, 1)
    threads.record(0.16, now=0.2)
    assert (threads.n_threads, threads.steps(16)) == (2, 16)
    threads = AdaptiveThreads(2)
    for _ in range(2):
        threads.record(0.001, now=0.0)
    assert (threads.steps(15), threads.steps(16), threads.steps(1000)) == (8, 8, 25)  # half of a poll's steps


def test_the_time_of_a_step_is_a_mean_in_which_the_newest_counts_half():
    threads = AdaptiveThreads(2)
    for seconds, now in ((1.0, 0.0), (0.004, 0.0), (0.1, 0.0), (0.002, 0.5), (0.003, 1.0)):
        threads.record(seconds, now)
    assert (threads.n_threads, threads.steps(1000)) == (1, 9)  # 25 ms of 3 ms each


def test_threads_shrink_when_another_program_comes_and_grow_when_it_ends():
    machine = Machine(6)
    machine.run(IDLE, 5.0)
    assert machine.threads._chosen == 6
    machine.run(CROWDED, 3 * MAX_TRIAL_PAUSE)
    assert machine.threads._chosen == 1
    machine.run(IDLE, 3 * MAX_TRIAL_PAUSE)
    assert machine.threads._chosen == 6


def trials(seconds, duration):
    """Return when other numbers of threads were tried, and which."""
    machine, times, tried = Machine(max(seconds)), [], []
    while machine.now < duration:
        if machine.threads.on_trial:
            times.append(machine.now)
            tried.append(machine.threads.n_threads)
        machine.run(seconds, POLL / 2)
    return np.array(times), tried


def test_each_trial_that_changes_nothing_makes_the_next_one_rarer():
    times, tried = trials({1: 0.010, 2: 0.006}, 32)
    assert set(tried) == {1}
    np.testing.assert_allclose(np.diff(times), [1, 2, 4, 8, 8, 8], rtol=0, atol=2.5 * POLL)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        ({1: 0.010, 2: 0.004, 4: 0.006}, [[1, 4], [4, 1]]),
        ({1: 0.010, 2: 0.006, 4: 0.004}, [[2, 2]]),
        ({1: 0.004, 2: 0.006, 4: 0.010}, [[2, 2]]),
        ({1: 0.010, 2: 0.006, 3: 0.004}, [[2, 2]]),
    ],
)
def test_the_neighbors_of_the_best_number_are_tried_in_turn(seconds, expected):
    _, tried = trials(seconds, 100)
    last = tried[-6:]
    assert last in [pair * 3 for pair in expected]
    assert trials({1: 0.01}, 1.0)[1] == []  # there is no other number


def test_timing_noise_does_not_change_threads():
    machine = Machine(2)
    for i in range(400):
        machine.run({1: 0.010 * (1 + 0.02 * (i % 3)), 2: 0.010 * (1.01 + 0.02 * (i % 2))}, POLL)
    changes = sum(a != b for a, b in zip(machine.used, machine.used[1:], strict=False))
    assert changes < 20  # one trial and back every few seconds, and no more
