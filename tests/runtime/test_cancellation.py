"""Ctrl-C and errors end the threads of scoring and sampling soon, within their tasks."""

import threading
import time

import numpy as np
import pytest
from examples import packed, random_language_model

from crnn.inference import packed_network
from crnn.inference.network import Context, Use
from crnn.runtime.signals import Canceled, Cancellation, check_canceled
from crnn.runtime.threads import Helpers, run_tasks
from crnn.sampling import text_sampler as sampling
from crnn.sampling.controls import CheckedControls, Uniforms, root
from crnn.sampling.guess_numbers import sampled_log_likelihoods
from crnn.sampling.symbol_draws import NetworkDraws, PythonDraws
from crnn.sampling.text_sampler import TextSampler
from crnn.scoring.string_states import features
from crnn.scoring.text_scores import mean_log_likelihood

pytestmark = pytest.mark.usefixtures("seven_cores")

IDS = np.random.default_rng(0).integers(5, size=97).astype(np.int32)


def on_main_thread():
    return threading.current_thread() is threading.main_thread()


def wait_for_cancellation():
    while True:
        check_canceled()
        time.sleep(0.001)


@pytest.mark.parametrize(("on_main", "error"), [(True, KeyboardInterrupt()), (False, ValueError("of a task"))])
def test_all_leave_their_tasks_and_begin_no_more_after_the_first_error(on_main, error):
    waiting, begun, left, errors = threading.Barrier(3), [], [], iter([error])

    def work(task):
        begun.append(task)
        waiting.wait(60)
        if on_main_thread() == on_main and next(errors, None):
            raise error
        with pytest.raises(Canceled):
            wait_for_cancellation()
        left.append(task)

    before = threading.active_count()
    with pytest.raises(type(error)) as caught:
        run_tasks(range(500), work, 3)
    assert (len(begun), len(left), threading.active_count()) == (3, 2, before)
    assert (caught.value, caught.value.__cause__) == (error, None)
    check_canceled()  # outside of the tasks nothing is canceled


def test_ctrl_c_while_it_waits_for_the_others_ends_them(monkeypatch):
    begun, late = threading.Event(), []

    def work(task):
        if on_main_thread():
            begun.wait(60)
            return
        begun.set()
        for _ in range(10_000):
            check_canceled()
            time.sleep(0.001)
        late.append(task)

    def interrupted(helpers):
        raise KeyboardInterrupt

    monkeypatch.setattr(Helpers, "finish", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_tasks(range(2), work, 2)
    assert not late


def test_the_first_error_counts_and_the_innermost_block():
    outer, inner, first = Cancellation(), Cancellation(), ValueError("first")
    with outer.shared():
        outer.fail(Canceled())
        assert outer.error is None
        with inner.shared():
            for error in (first, ValueError("second"), Canceled()):
                outer.fail(error)
                assert outer.error is first
            check_canceled()
        with pytest.raises(Canceled):
            check_canceled()
    check_canceled()


def long_work():
    """Return calls of a network that can take long; each must look for a cancellation by itself."""
    network = packed(random_language_model("abcde"), use=Use.MANY_STREAMS)
    x, one = IDS[:, None].copy(), (np.array([0]), np.array([len(IDS)]))
    context, controls = Context(network.empty_state(), np.zeros(network.symbols, np.bool_)), CheckedControls()

    def draw(make):
        TextSampler(make(network, context, Uniforms(root(0), range(2)), controls), 3, controls.stops).run()

    return {
        "feed": lambda: network.feed(x, network.zero_state(1)),
        "feed a little": lambda: network.feed(x[:2], network.zero_state(1)),
        "score": lambda: network.log_probabilities(x, network.zero_state(1)),
        "score strings": lambda: network.string_log_likelihoods(IDS, *one, network.start()),
        "logits": lambda: network.logits_before(x, network.zero_state(1)),
        "states": lambda: network.states(x, network.zero_state(1)),
        "draw": lambda: draw(NetworkDraws),
        "draw in Python": lambda: draw(PythonDraws),
    }


@pytest.mark.parametrize("name", long_work())
def test_canceled_work_ends(name):
    work, cancellation = long_work()[name], Cancellation()
    with cancellation.shared():
        work()
        cancellation.fail(KeyboardInterrupt())
        with pytest.raises(Canceled):
            work()


def test_a_call_has_a_bounded_number_of_products():
    small, large = (
        packed(random_language_model("ab", hidden_size=H, cell="lstm", dtype="float32"), use=Use.MANY_STREAMS)
        for H in (7, 512)
    )
    for network, streams, T in ((small, 3, 5), (large, 64, 8), (large, 1, 1)):
        calls = [range(call.start, call.stop) for call, _ in network._calls(10**5, streams, T)]
        assert [i for call in calls for i in (call.start, call.stop)][1:-1:2] == [call.stop for call in calls[:-1]]
        assert calls[-1].stop == 10**5
        most = max(map(len, calls))
        assert most % T == 0
        assert most == T or most * streams * network.layout.size <= packed_network.CallLimits.products


@pytest.mark.parametrize("what", ["guess_number", "score", "transform"])
def test_tasks_end_soon_after_ctrl_c(monkeypatch, what):
    model = random_language_model("abcdefg")
    network, vocabulary = packed(model, use=Use.MANY_STREAMS, products=100_000), model.vocabulary_
    text = "abcdefg" * 5000
    calls, interrupting = [], [False]

    def counted():
        calls.append(1)
        if interrupting[0]:
            if on_main_thread():
                raise KeyboardInterrupt
            wait_for_cancellation()  # a helper thread must not end its task before the main thread has begun
        check_canceled()

    monkeypatch.setattr(packed_network, "check_canceled", counted)
    monkeypatch.setattr(sampling, "check_canceled", counted)

    def run():
        calls.clear()
        if what == "guess_number":
            sampled_log_likelihoods(network, 3000, end=None, length=63, bits=root(0), n_threads=2)
        elif what == "score":
            mean_log_likelihood(network, vocabulary, text, exact=False, n_threads=2)
        else:
            features(network, vocabulary, [text[:2000]] * 200, 2, pooling="last")

    run()
    whole = len(calls)
    interrupting[0] = True
    with pytest.raises(KeyboardInterrupt):
        run()
    assert len(calls) < whole / 2
