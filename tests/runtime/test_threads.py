"""How many threads, how work is distributed, and the one limit on scipy's BLAS that all calls share."""

import os
import signal
import subprocess
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import product

import numpy as np
import pytest
from command_line import POSIX
from examples import random_language_model
from hypothesis import given
from hypothesis import strategies as st
from limited_threads import refuse_threads_after

from crnn import CharRNN
from crnn.runtime import machine, threads
from crnn.runtime.machine import cores
from crnn.runtime.threads import (
    Helpers,
    default_threads,
    inference_threads,
    run_tasks,
    scipy_blas,
    split_range,
    training_threads,
)


@given(st.integers(0, 1000), st.integers(1, 67))
def test_ranges_are_neighbors_of_nearly_equal_length(n, parts):
    ranges = split_range(n, parts)
    assert len(ranges) == parts
    assert [i for part in ranges for i in part] == list(range(n))
    lengths = [len(part) for part in ranges]
    assert max(lengths) - min(lengths) <= 1


def test_a_variable_limits_the_default_and_not_a_number_that_was_given(monkeypatch):
    for module in (threads, machine):
        monkeypatch.setattr(module, "affinity", lambda: frozenset(range(7)))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert default_threads() == inference_threads(None) == 1
    assert training_threads(None, streams=100, work=10**9, weights=0) == 1
    assert inference_threads(3) == training_threads(3, streams=100, work=10**9, weights=0) == 3


@given(st.integers(1, 100), st.integers(1, 100), st.integers(0, 10**12), st.integers(0, 10**9))
def test_threads_are_limited_by_streams_and_cores(n_threads, streams, work, weights):
    assert training_threads(n_threads, streams, work, weights) == min(n_threads, streams, cores())
    assert 1 <= training_threads(None, streams, work, weights) <= min(streams, cores())


@pytest.mark.parametrize(
    ("streams", "work", "weights", "expected"),
    [
        (1, 10**12, 10**9, 1), (15, 10**12, 0, 1), (16, 10**12, 0, 2), (1000, 2_499_999, 0, 4),
        (1000, 2_500_000, 0, 5), (5, 10**12, 1_999_999, 2), (5, 10**12, 2_000_000, 3), (10**6, 10**12, 0, 256),
        (4, 10**12, 1000, 1), (4, 10**12, 2 * threads.CACHED_BYTES, 3), (4, 10**12, 99 * threads.CACHED_BYTES, 4),
    ],
)  # fmt: skip
def test_how_much_work_is_worth_a_thread(monkeypatch, streams, work, weights, expected):
    monkeypatch.setattr(threads, "cores", lambda: 1000)
    monkeypatch.setattr(threads, "default_threads", lambda: 1000)
    assert training_threads(None, streams, work, weights) == expected
    assert training_threads(1000, streams, work, weights) == min(streams, 256)
    assert [inference_threads(n) for n in (1, 1000, 1001, None)] == [1, 1000, 1000, 1000]


def test_a_model_from_a_larger_machine_reads_and_draws_with_no_more_threads_than_cores(monkeypatch):
    """A thousand threads on two cores took a hundred times as long."""
    helpers, made = threads.Helpers, []
    monkeypatch.setattr(threads, "Helpers", lambda count, work: made.append(count) or helpers(count, work))
    monkeypatch.setattr(threads, "cores", lambda: 3)
    model = random_language_model("abcd", n_threads=1000)
    texts = ["".join(letters) for letters in product("abcd", repeat=5)]  # all different: equal ones are scored once
    for call in (
        lambda: model.score_samples(texts),
        lambda: model.next_proba(texts),
        lambda: model.score("".join(texts) * 20, exact=False),
        lambda: model.sample(3, n_samples=1000, random_state=0),
        lambda: model.guess_number(["abc"], n_samples=1000, length=3, random_state=0),
    ):
        made.clear()
        call()
        assert max(made) == 2  # besides the calling thread


# ---------------------------------------------------------------- scipy's BLAS

needs_threads_that_can_be_set = pytest.mark.skipif(
    not scipy_blas.controller.info(), reason="the threads of scipy's BLAS cannot be set"
)


def blas_threads():
    return {library["num_threads"] for library in scipy_blas.controller.info()}


def use(here):
    """Hold the BLAS at one thread, on this thread or on one of its own, until the function returned is called."""
    stack, context = ExitStack(), scipy_blas.one_thread()
    if here:
        stack.enter_context(context)
    else:
        pool = stack.enter_context(ThreadPoolExecutor(1))
        pool.submit(context.__enter__).result()
        stack.callback(lambda: pool.submit(context.__exit__, None, None, None).result())
    return stack.close


@pytest.fixture
def two():
    """Scipy's BLAS on two threads."""
    with scipy_blas.controller.limit(limits=2):
        assert blas_threads() == {2}
        yield


@needs_threads_that_can_be_set
@pytest.mark.parametrize(
    ("main_is", "leaving"), [(0, (0, 1, 2)), (0, (2, 1, 0)), (1, (1, 0, 2)), (2, (0, 1, 2)), (None, (2, 1, 0))]
)
def test_the_last_of_overlapping_uses_lifts_the_limit(two, main_is, leaving):
    # Users 0, 1, 2 come in this order and leave in any; one of them may be the main thread, which set the limit of two.
    leave, seen = [], []
    for i in range(3):
        leave.append(use(i == main_is))
        seen.append(blas_threads())
    for i in leaving:
        leave[i]()
        seen.append(blas_threads())
    assert seen == [{1}] * 5 + [{2}]


@POSIX
@needs_threads_that_can_be_set
@pytest.mark.parametrize("users", [("other",), ("here", "other")], ids="-".join)
def test_a_child_keeps_the_limit_of_the_thread_that_forked_alone(two, users):
    leave = {user: use(user == "here") for user in users}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # from Python 3.12 on: of threads that the child lacks
        child = os.fork()
    if not child:
        same = False
        try:
            seen = [blas_threads()]
            if "here" in leave:
                leave["here"]()
            seen.append(blas_threads())
            with scipy_blas.one_thread():
                seen.append(blas_threads())
            seen.append(blas_threads())
            same = seen == [{1} if "here" in users else {2}, {2}, {1}, {2}]
        finally:
            os._exit(not same)
    assert os.waitpid(child, 0)[1] == 0
    for user in users:
        leave[user]()
    assert blas_threads() == {2}


def test_the_limit_is_on_the_blas_of_scipy_alone():
    libraries = scipy_blas.controller.info()
    assert len({library["filepath"] for library in libraries}) == len(libraries)
    if any("scipy" in os.path.dirname(library["filepath"]) for library in libraries):
        assert all("scipy" in os.path.dirname(library["filepath"]) for library in libraries)


@pytest.mark.parametrize(("n_threads", "n_tasks"), [(0, 13), (1, 2), (2, 1), (5, 0), (5, 2), (2, 13), (5, 13)])
def test_each_task_is_done_once(n_threads, n_tasks):
    before, done = threading.active_count(), []
    run_tasks(iter(range(n_tasks)), lambda task: done.append((task, threading.get_ident())), n_threads)
    assert sorted(task for task, _ in done) == list(range(n_tasks))
    if n_threads <= 1 or n_tasks <= 1:
        assert [task for task, _ in done] == list(range(n_tasks))
        assert {thread for _, thread in done} <= {threading.get_ident()}
    assert threading.active_count() == before


def test_helpers_are_started_by_number():
    before, seen = threading.active_count(), []
    unstarted = Helpers(3, print)
    unstarted.finish()
    unstarted.close()
    with Helpers(3, lambda *arguments: seen.append(arguments)) as helpers:
        assert threading.active_count() == before + 3
        helpers.start("a", 7, count=2)
        helpers.finish()
        assert sorted(seen) == [(1, "a", 7), (2, "a", 7)]
        helpers.start()
        helpers.finish()
        assert sorted(seen[2:]) == [(1,), (2,), (3,)]
    assert threading.active_count() == before


def test_the_first_error_of_the_helpers_is_raised():
    def work(i):
        if i > 1:
            raise ValueError(f"of thread {i}")

    with Helpers(3, work) as helpers:
        helpers.start()
        with pytest.raises(ValueError, match=r"^of thread [23]$"):
            helpers.finish()
        helpers.start(count=1)
        helpers.finish()


def test_importing_changes_no_threads():
    """Libraries that an import loads are new; those that were there keep their threads."""
    code = """
import scipy.linalg.cython_blas
from threadpoolctl import ThreadpoolController
def found():
    return {library["filepath"]: library["num_threads"] for library in ThreadpoolController().info()}
before = found()
import crnn, crnn.training.trainer
after = found()
print({path: (n, after.get(path)) for path, n in before.items() if after.get(path) != n})
"""
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (process.stdout, process.stderr, process.returncode) == ("{}\n", "", 0)


@pytest.mark.parametrize("allowed", [0, 2])
def test_fewer_threads_where_the_system_refuses_them(monkeypatch, allowed):
    refuse_threads_after(monkeypatch, allowed)
    done = []
    with pytest.warns(RuntimeWarning, match=rf"starts no more threads \(can't .*\); using {allowed + 1}"):
        run_tasks(range(31), done.append, n_threads=4)
    assert sorted(done) == list(range(31))
    refuse_threads_after(monkeypatch, 0)
    with pytest.warns(RuntimeWarning), Helpers(3, done.append) as helpers:
        assert helpers.count == 0


@pytest.mark.skipif(cores() < 2, reason="one processor, one thread")
@pytest.mark.parametrize("n_threads", [2, None])
def test_training_on_fewer_threads_gives_the_same_weights(monkeypatch, n_threads):
    monkeypatch.setattr(threads, "default_threads", lambda: 2)
    text = "to be or not to be, that is the question. " * 30
    given = {"hidden_size": 64, "cell": "gru", "batch_size": 48, "max_steps": 5, "random_state": 0}
    expected = CharRNN(**given, n_threads=1).fit(text)
    refuse_threads_after(monkeypatch, 0)
    with pytest.warns(RuntimeWarning, match="starts no more threads"):
        model = CharRNN(**given, n_threads=n_threads).fit(text)
    for name, array in expected.params_.items():
        np.testing.assert_array_equal(model.params_[name], array)


def test_ctrl_c_waits_until_a_thread_has_started(monkeypatch):
    start, threads = threading.Thread.start, []

    def interrupted(thread):
        threads.append(thread)
        if len(threads) == 2:
            signal.raise_signal(signal.SIGINT)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", interrupted)
    with pytest.raises(KeyboardInterrupt), Helpers(3, lambda i: None):
        pass
    assert len(threads) == 2
    assert not any(thread.is_alive() or thread.ident is None for thread in threads)
