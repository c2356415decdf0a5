"""NetworkCache: packed once, never stale, never torn, and nobody waits without need."""

import os
import signal
import threading

import numpy as np
import pytest
from command_line import POSIX
from examples import memory, model_state, network, symbols

from crnn.inference import packed_network
from crnn.inference.network import Use
from crnn.inference.network_cache import NetworkCache
from crnn.inference.packed_network import PackedNetwork
from crnn.model.state import state_of_label
from crnn.text.vocabulary import Vocabulary

V, H = 11, 5
FORMS = list(Use)


def learned(dtype="float32", *, seed=0, **shape):
    layout, params = network(V, H, dtype, seed=seed, **shape)
    hidden = tuple(np.zeros(s, dtype) for s in layout.state_shapes(3).values())
    return model_state(layout, params, memory(layout), hidden, T=7)


def asked(cache, state, form=Use.ONE_TEXT, **options):
    return cache.network(state, "score", form, **options)


def log_p(packed):
    """Return the log-probabilities of 13 symbols, as bytes."""
    return packed.log_probabilities(symbols(V, 13, np.int32)[:, None], packed.zero_state(1)).tobytes()


def fresh(state, form, **options):
    return PackedNetwork.pack(state.layout, state.params, use=form, **options)


def in_thread(work, *, seconds=20.0):
    """Return what a function returns on another thread, or None if it has not returned after some seconds."""
    found = []
    thread = threading.Thread(target=lambda: found.append(work()), daemon=True)
    thread.start()
    thread.join(seconds)
    return found[0] if found else None


@pytest.mark.parametrize(
    ("first", "dtype", "bfloat16", "shape"),
    [
        (FORMS[0], "float64", False, {"cell": "gru", "num_layers": 2}),
        (FORMS[1], "float32", True, {"cell": "lstm", "embedding_size": 3}),
        (FORMS[2], "float32", False, {"cell": "cifg", "n_bigrams": 13}),
    ],
)
def test_cached_packings_equal_fresh_ones_in_any_order(first, dtype, bfloat16, shape):
    cache, state = NetworkCache(), learned(dtype, **shape)
    asked(cache, state, first, bfloat16=bfloat16)
    for form in FORMS:
        own, new = asked(cache, state, form, bfloat16=bfloat16), fresh(state, form, bfloat16=bfloat16)
        assert (own.use, own.symbols, own.hidden_size) == (form, V, H)
        assert own.params.tobytes() == new.params.tobytes()
        assert own.panels.tobytes() == new.panels.tobytes()
        assert log_p(own) == log_p(new)
        again = asked(cache, state, form, bfloat16=bfloat16, n_threads=3)
        assert (again.panels is own.panels, again.params is own.params, again.n_threads) == (True, True, 3)
        assert not np.shares_memory(own.params, state.params)


CHANGES = {
    "restore": lambda state: state.restore(learned(seed=3)),
    "other weights": lambda state: vars(state).update(params=learned(seed=3).params),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_changed_weights_are_packed_again(change):
    cache, state = NetworkCache(), learned()
    before = {form: log_p(asked(cache, state, form)) for form in FORMS}
    change(state)
    for form in FORMS:
        now = log_p(asked(cache, state, form))
        assert now == log_p(fresh(learned(seed=3), form)) != before[form]


def test_precision_and_boundary_belong_to_the_weights():
    cache, state = NetworkCache(), learned()
    plain = asked(cache, state)
    rounded = asked(cache, state, bfloat16=True)
    assert (plain.bfloat16, rounded.bfloat16) == (False, True)
    state.vocabulary = type(state.vocabulary)(state.vocabulary.codes[:-1], boundary=True)
    assert asked(cache, state).boundary == V - 1


# --------------------------------------------------------------------------------------------------- labels


K = 3


def labeled_state(*, seed=0, **shape):
    state = learned(seed=seed, **shape)
    state.vocabulary = Vocabulary(np.arange(V - 1 - K), boundary=True).with_labels(["x", "y", "z"])
    return state


def label_log_p(networks, k):
    x = symbols(V - 1 - K, 13, np.int32)[:, None]
    return networks.networks[k].log_probabilities(x, networks.networks[k].copy(networks.starts[k])).tobytes()


@pytest.mark.parametrize(
    "shape", [{"cell": "lstm"}, {"cell": "gru", "embedding_size": 3, "num_layers": 2}, {"n_bigrams": 7}], ids=str
)
@pytest.mark.parametrize("use", [Use.MANY_STREAMS, Use.ONE_TEXT])
def test_label_networks_predict_what_the_models_of_one_label_predict(shape, use):
    cache, state = NetworkCache(), labeled_state(**shape)
    networks = cache.label_networks(state, "predict", use)
    x = symbols(V - 1 - K, 13, np.int32)[:, None]
    for k in range(K):
        part = state_of_label(state, k)
        alone = PackedNetwork.pack(part.layout, part.params, use=Use.MANY_STREAMS, boundary=V - 1 - K)
        expected = alone.log_probabilities(x, alone.start())
        network, start = networks.networks[k], networks.starts[k]
        assert network.log_probabilities(x, network.copy(start)).tobytes() == expected.tobytes()
        assert not any(part.flags.writeable for part in start)


def test_label_networks_are_packed_once_until_the_weights_change(monkeypatch):
    packed, pack_weights = [], packed_network.core.pack_weights
    monkeypatch.setattr(
        packed_network.core, "pack_weights", lambda *args: packed.append(args[0]) or pack_weights(*args)
    )
    cache, state = NetworkCache(), labeled_state()
    before = [label_log_p(cache.label_networks(state, "predict"), k) for k in range(K)]
    assert [label_log_p(cache.label_networks(state, "predict"), k) for k in range(K)] == before
    assert len(packed) == 2
    state.restore(labeled_state(seed=3))
    assert label_log_p(cache.label_networks(state, "predict"), 0) != before[0]
    assert len(packed) == 4


# -------------------------------------------------------------------------------------------------- threads


def test_packing_waits_for_the_end_of_the_steps_and_has_their_weights():
    cache, state, found = NetworkCache(), learned(), []
    with state.gate.steps():
        state.params[:] = np.nan  # in the middle of a step
        thread = threading.Thread(target=lambda: found.append(log_p(asked(cache, state))))
        thread.start()
        thread.join(0.2)
        assert not found
        state.params[:] = learned(seed=3).params
    thread.join(20)
    assert found == [log_p(fresh(learned(seed=3), Use.ONE_TEXT))]


def test_a_form_packed_later_has_the_weights_of_the_first():
    """Another thread changes the weights between a lookup and the packing of a further form."""
    cache, state = NetworkCache(), learned()
    asked(cache, state)
    forms, wanted = cache._forms, log_p(fresh(state, Use.MANY_STREAMS))
    state.restore(learned(seed=3))
    assert log_p(forms.form(Use.MANY_STREAMS, 1)) == wanted


def ask_forms(cache, state):
    return [asked(cache, state, form) for form in FORMS]


def ask_labels(cache, state):
    return label_log_p(cache.label_networks(state, "predict"), 1)


@pytest.mark.parametrize(
    ("made", "ask", "packings"), [(learned, ask_forms, len(FORMS)), (labeled_state, ask_labels, 2)]
)
def test_threads_that_come_together_pack_once(monkeypatch, made, ask, packings):
    packed, pack_weights = [], packed_network.core.pack_weights
    together = threading.Barrier(7)

    def slowly(*weights):
        packed.append(weights[0])
        threading.Event().wait(0.05)
        pack_weights(*weights)

    def wait_and_ask():
        together.wait()
        found.append(ask(cache, state))

    monkeypatch.setattr(packed_network.core, "pack_weights", slowly)
    cache, state, found = NetworkCache(), made(), []
    threads = [threading.Thread(target=wait_and_ask) for _ in range(together.parties)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(packed) == packings
    assert found == found[:1] * together.parties
    with state.gate.turn, state.gate.steps():
        assert in_thread(lambda: ask(cache, state)) == found[0]


@POSIX
def test_forked_child_reuses_cached_networks():
    cache, state = NetworkCache(), learned()
    wanted = [log_p(fresh(state, form)) for form in FORMS]
    asked(cache, state)
    holding, may_end = threading.Event(), threading.Event()

    def hold():  # as a thread that packs, or trains, while another one forks
        with state.gate.turn, state.gate.steps():
            holding.set()
            may_end.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    holding.wait()
    child = os.fork()
    if not child:
        signal.alarm(20)  # it waits for a lock
        os._exit(0 if [log_p(asked(cache, state, form)) for form in FORMS] == wanted else 1)
    may_end.set()
    thread.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
