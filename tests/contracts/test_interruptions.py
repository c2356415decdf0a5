"""Ctrl-C anywhere in the Python code of a public call: the model is as before, or some whole steps further.

However many symbols a model has, a call looks for signals often.
"""

import copy
import functools
import io
import itertools
import os
import pickle
import signal
import sys
import threading
import time
from functools import partial

import numpy as np
import pytest
from command_line import POSIX
from interrupted_runs import interrupted_everywhere
from texts import TEXT

import crnn
from crnn import AnomalyDetector, CharNGram, CharRNN, Mixture, TextClassifier
from crnn.matching.goal import Goal
from crnn.runtime.threads import scipy_blas

pytestmark = POSIX

PACKAGE = os.path.dirname(crnn.__file__)
NAMES = ["anna", "bob", "eve", "ab", "b", "hannah"] * 3
SMALL = {"hidden_size": 3, "seq_length": 5, "random_state": 0, "n_threads": 1}
STEPS = 4  # of a call


def network(X=TEXT, steps=2, **given):
    return CharRNN(**SMALL | given, max_steps=steps).fit(X)


def two_threads():
    return network(batch_size=16, n_threads=2)


def counts():
    return CharNGram(3).fit(NAMES)


def train(model, steps, X=TEXT):
    model.set_params(max_steps=steps).partial_fit(X, epochs=99)


def train_anew(model, steps):
    model.set_params(max_steps=steps).fit(TEXT)


def edit(model, _):
    with model.editing():
        model.params_["by"][:] = 7
        model.params_["Why"][:] = 7


def classifier():
    return TextClassifier(CharRNN(**SMALL, max_steps=2), min_steps=1).fit(NAMES, [0, 1] * 9)


def mixture():
    return Mixture([CharNGram(2), CharRNN(**SMALL, max_steps=1)]).fit(NAMES)


def detector():
    return AnomalyDetector(counts(), contamination=0.4, random_state=0).calibrate(NAMES * 3)


def learning_detector():
    return AnomalyDetector(CharNGram(3), contamination=0.4, random_state=0).fit([f"job {i}" for i in range(99)])


# A model, and the interrupted call, which may train for some steps.
CALLS = {
    "partial_fit": (network, train),
    "partial_fit of two threads": (two_threads, train),
    "partial_fit with validation": (
        lambda: network(eval_every=1, validation_fraction=0.25, learning_rate=1.0),  # the last weights are not the best
        train,
    ),
    "partial_fit of documents": (lambda: network(NAMES, batch_size=2), partial(train, X=NAMES)),
    "fit": (network, train_anew),
    "editing": (network, edit),
    "adapt": (lambda: network(optimizer="adam"), lambda model, _: model.adapt(TEXT)),
    "score": (network, lambda model, _: model.score(TEXT, exact=False)),
    "sample": (network, lambda model, _: model.sample(20)),
    "quantize": (network, lambda model, _: model.quantize()),
    "save": (network, lambda model, _: model.save("model")),
    "counts: fit": (counts, lambda model, _: model.fit(NAMES * 2)),
    "counts: partial_fit": (counts, lambda model, _: model.partial_fit(NAMES * 2)),
    "counts: feed": (counts, lambda model, _: model.start(adapt=True).feed("anna")),
    "mixture": (lambda: Mixture.from_fitted([counts(), network(NAMES)]), lambda model, _: model.fit_weights(NAMES)),
    "mixture: fit": (mixture, lambda model, steps: model.set_params(models__1__max_steps=steps).fit(NAMES * 2)),
    "classifier": (classifier, lambda model, _: model.fit(NAMES, [0, 1, 1] * 6)),
    "detector": (detector, lambda model, _: model.fit([name + end for end in "abcd" for name in NAMES])),
    "detector: partial_fit": (learning_detector, lambda model, _: model.partial_fit([f"jo {i} b" for i in range(60)])),
    "matching": (counts, lambda model, _: model.sample(n_samples=3, matching=".*nn.*|b.*")),
    "restore": (counts, lambda model, _: model.restore(["ana", "bbo"], typos=0.1, changes=True)),
    "restore among": (counts, lambda model, _: model.restore(["ana", "bbo"], typos=0.1, among=NAMES)),
}


def learned(model):
    """Return what a model has learned, without the seconds of its history."""
    if isinstance(model, Mixture):
        return [*map(learned, model.models_), model.weights_.tolist()]
    if isinstance(model, CharRNN):
        return pickle.dumps([model.params_, model.optimizer_state_, model.n_steps_, model.smooth_loss_, model.state_])
    content = io.BytesIO()
    model.save(content)
    return content.getvalue()


def use(model):
    """Return scores by the packed weights that a model keeps."""
    return model.score_samples(["ab", "b"]) if hasattr(model, "score_samples") else model.predict_proba(["ab", "b"])


@pytest.mark.filterwarnings("ignore:the threshold was set by")
@pytest.mark.parametrize(
    ("name", "stride", "functions"),
    [
        *((name, 997, ()) for name in CALLS),
        *(pytest.param(name, 17, (), marks=pytest.mark.slow) for name in CALLS),
        (
            "partial_fit with validation",
            1,
            ("_train", "_keep", "final_state", "<lambda>", "call_at_end", "_call_at_close"),
        ),
        ("score", 1, ("one_thread", "leave", "call_at_end", "_call_at_close")),
        ("partial_fit of two threads", 1, ("_train", "_take_steps")),
    ],
)
def test_ctrl_c_leaves_whole_steps_no_thread_and_no_lock(name, stride, functions, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make, call = CALLS[name]
    original, allowed = make(), []
    use(original)  # with packed weights, which must not outlive a change
    for steps in range(STEPS + 1):
        allowed.append(learned(original))
        model = copy.deepcopy(original)
        call(model, steps)
        allowed.append(learned(model))
    current, n_threads, files = [copy.deepcopy(original)], threading.active_count(), set(os.listdir()) | {"model"}

    def work():
        call(current[0], STEPS)

    def wanted(code):
        return code.co_filename.startswith(PACKAGE) and (not functions or code.co_name in functions)

    for place in interrupted_everywhere(work, wanted, itertools.count(0, stride)):
        model = current.pop()
        assert learned(model) in allowed, place
        assert (threading.active_count(), scipy_blas._uses) == (n_threads, []), place
        np.testing.assert_array_equal(use(model), use(pickle.loads(pickle.dumps(model))), err_msg=place)
        call(model, STEPS)  # nothing is left locked
        assert set(os.listdir()) <= files, place  # a save removes what an interrupted one has left
        current.append(copy.deepcopy(original))


POLLS = {
    "export.arpa_file": {"_parts"},
    "matching.prefix_tree": {"_draw_beyond_tree", "_grow"},
    "restoring.restorer": {"_search"},
    "ngram.counts": {"add", "add_and_score", "rows_after"},
    "ngram.counts_network": {"log_probabilities", "string_log_likelihoods", "read", "log_likelihoods", "_of_long"},
    "ngram.lookahead": {"_solve", "probability", "run"},
    "ngram.occurrences": {"__init__", "losses"},
    "ngram.packed_counts": {"pack", "unpack"},
    "ngram.unrolled": {"of"},
}


def test_functions_that_may_take_long_look_for_signals(tmp_path, monkeypatch):
    found = {name: set() for name in POLLS}
    for name in POLLS:

        def poll(name=name):
            found[name].add(sys._getframe(1).f_code.co_name)

        monkeypatch.setattr(f"crnn.{name}.check_canceled", poll)
    model = CharNGram().fit(TEXT)
    model.surprisal(TEXT)
    model.score_samples([TEXT])
    model.start_many(["a"]).feed(["to be"])
    model.start(adapt=True).feed("to be")
    model.sample(9, matching=".*t")
    model.match_probability(".*t", 3)
    model.restore("a", case=True)
    CharNGram(2).fit(TEXT).export_arpa(tmp_path / "a.arpa")
    pickle.loads(pickle.dumps(model))
    network(NAMES).sample(matching=".*nn.*|bob", random_state=0)
    monkeypatch.setattr("crnn.ngram.counts.CALL_NUMBERS", 1)
    model.next_proba(["t", "o"])
    monkeypatch.setattr("crnn.ngram.counts_network.LABEL_SYMBOLS", 6)
    CharNGram(2).fit(NAMES, y=[0, 1] * 9).score_samples(["ab"], y=0)
    TextClassifier(CharNGram(2)).fit(NAMES, [0, 1] * 9).predict(NAMES)
    assert found == POLLS


MANY = "".join(map(chr, range(0x4E00, 0x4E00 + 20_000)))
LESS = MANY[:5000]


@functools.cache
def counts_of_many():
    return CharNGram(2, n_threads=1).fit([MANY[i : i + 5] for i in range(0, len(MANY), 5)])


@functools.cache
def network_of_many(symbols=MANY):
    model = CharRNN(8, max_steps=0, random_state=0, n_threads=1)
    return model.fit([symbols[i : i + 5] for i in range(0, len(symbols), 5)])


def three_of_many():
    return Mixture.from_fitted([counts_of_many(), network_of_many(), CharNGram(1, n_threads=1).fit([MANY])])


# A model of many symbols, and a call that takes long.
LONG_CALLS = {
    "sample": (lambda: CharNGram(2, n_threads=1).fit(MANY), lambda model: model.sample(3000)),
    "next_proba": (counts_of_many, lambda model: model.next_proba(list(MANY[:503]))),
    "beam_search": (counts_of_many, lambda model: model.beam_search(2, n_beams=400)),
    "completions": (
        network_of_many, lambda model: model.start().beam_search(2, n_beams=1000, stop=list(MANY[:2])),
    ),
    "restore": (counts_of_many, lambda model: model.restore(["一_丂"] * 4, gaps="_")),
    "a gap's log-odds": (
        lambda: network_of_many(LESS), lambda model: model.restore("一_丂", gaps="_", changes=True, n_beams=4),
    ),
    "matching": (lambda: network_of_many(LESS), lambda model: model.sample(n_samples=2, matching="一..?")),
    "a pattern of many states": (
        lambda: network_of_many(LESS), lambda model: Goal.of(".{0,4900}", model.vocabulary_, ""),
    ),
}  # fmt: skip


def longest_stretch(call, model):
    """Return the longest time without a look at signals, as a share of the call's."""
    moments = [time.process_time()]
    before = signal.signal(signal.SIGPROF, lambda *given: moments.append(time.process_time()))
    try:
        signal.setitimer(signal.ITIMER_PROF, 0.002, 0.002)
        call(model)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
    moments.append(time.process_time())
    return np.diff(moments).max() / (moments[-1] - moments[0])


@pytest.mark.parametrize("name", LONG_CALLS)
def test_calls_of_models_with_many_symbols_look_for_signals(name):
    make, call = LONG_CALLS[name]
    model = make()
    call(model)  # imports take a while, too
    # Each of these calls looked for signals less often before, on any machine; a busy one delays some signals.
    assert any(longest_stretch(call, model) < 0.25 for _ in range(5))
