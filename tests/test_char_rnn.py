import copy
import math
import os
import threading

import numpy as np
import pytest
from command_line import POSIX
from small_models import bits, everything, learned_state, small
from texts import SOLILOQUY as TEXT

from crnn import CharRNN
from crnn.text.vocabulary import Vocabulary
from crnn.training import team, trainer


def test_new_model_matches_min_char_rnn():
    model = CharRNN(max_steps=0, random_state=0).fit(TEXT)
    V = len(set(TEXT))
    shapes = {"Wxh_l0": (100, V), "Whh_l0": (100, 100), "bh_l0": (100,), "Why": (V, 100), "by": (V,)}
    assert {name: array.shape for name, array in model.params_.items()} == shapes
    assert {name: array.shape for name, array in model.optimizer_state_["sum"].items()} == shapes
    assert not any(array.any() for array in model.optimizer_state_["sum"].values())
    assert model.params_["Whh_l0"].std() == pytest.approx(0.01, rel=0.1)
    assert model.state_.shape == (1, 1, 100)
    assert not model.state_.any()
    assert (model.n_steps_, model.history_) == (0, [])
    assert model.smooth_loss_ == pytest.approx(25 * math.log(V))
    assert list(model.vocabulary_) == sorted(set(TEXT))
    assert isinstance(model.vocabulary_, Vocabulary)


def test_an_epoch_reads_the_text_once():
    # 12 characters in chunks of 5: p = 0 and 5, as 5 + 5 + 1 < 12
    for epochs in (1, 2, 7):
        assert small(None, epochs=epochs).fit("abcdefghijkl").n_steps_ == 2 * epochs
    assert small(None, epochs=3, batch_size=2).fit("abcdefghijklm").n_steps_ == 3


def test_generator_moves_on_from_fit_to_fit():
    rng = np.random.default_rng(3)
    model = small(0, random_state=rng)
    first, second = bits(model.fit(TEXT)), bits(model.fit(TEXT))
    assert first != second
    assert first == bits(small(0, random_state=np.random.default_rng(3)).fit(TEXT))
    assert first == bits(small(0, random_state=3).fit(TEXT))
    assert bits(small(0, random_state=None).fit(TEXT)) != bits(small(0, random_state=None).fit(TEXT))


def test_history_has_all_records():
    model = small(1000).fit(TEXT)
    steps = [record["step"] for record in model.history_]
    assert steps == list(range(50, 1001, 50))
    names = "step seconds epoch smooth_loss train_loss validation_loss learning_rate gradient_norm chars_per_second"
    assert all(list(record) == names.split() for record in model.history_)
    assert all(record["learning_rate"] == 0.1 and record["gradient_norm"] > 0 for record in model.history_)
    assert {record["validation_loss"] for record in model.history_} == {None}
    last = model.history_[-1]
    assert last["smooth_loss"] == model.smooth_loss_ / 5
    assert last["epoch"] == pytest.approx(1000 / math.ceil((len(TEXT) - 6) / 5))
    assert last["chars_per_second"] == pytest.approx(5000 / last["seconds"])
    assert [r["seconds"] for r in model.history_] == sorted(r["seconds"] for r in model.history_)
    model.set_params(max_steps=3).partial_fit(TEXT)
    assert [r["step"] for r in model.history_[20:]] == [1001, 1002, 1003]
    assert len(model.fit(TEXT).history_) == 3
    assert (type(model.n_steps_), type(model.smooth_loss_)) == (int, float)
    assert {type(value) for record in model.history_ for value in record.values()} == {int, float, type(None)}


@pytest.mark.parametrize("parameters", [{"dtype": "float64"}, {"n_threads": 2}])
def test_halves_of_a_text_are_one_pass(parameters):
    # Chunks of 5 carry the state where 5 + 1 characters more follow: texts of 5 k + 2 are k steps with none left.
    text, cut = TEXT[:352], 170
    whole = small(None, epochs=1, **parameters).fit(text)
    halves = small(0, **parameters).fit(text).set_params(max_steps=None)
    halves.partial_fit(text[: cut + 2]).partial_fit(text[cut:])
    assert whole.n_steps_ == halves.n_steps_ == 70
    assert bits(whole) == bits(halves)


def test_partial_fit_starts_its_text_at_the_first_character():
    assert bits(small(None).partial_fit(TEXT)) == bits(small(None, epochs=1).fit(TEXT))
    model, other = small(3).fit(TEXT), small(3).fit(TEXT).set_params(random_state=99)  # which counts no more
    assert bits(model.partial_fit(TEXT[:17])) == bits(other.partial_fit(TEXT[:17] + TEXT[40:]))


def test_text_up_to_seq_length_plus_one_starts_from_zero():
    model, other = (small(3).fit(TEXT) for _ in range(2))
    with other.editing():
        other.state_[:] = 0.7
    assert bits(copy.deepcopy(model).partial_fit(TEXT[:6])) == bits(copy.deepcopy(other).partial_fit(TEXT[:6]))
    assert bits(model.partial_fit(TEXT[:7])) != bits(other.partial_fit(TEXT[:7]))


@pytest.mark.parametrize("sizes", [(1, 3), (3, 2)])
def test_other_batch_size_starts_from_a_zero_state(sizes):
    model = small(5, batch_size=sizes[0]).fit(TEXT)
    assert model.state_.any()
    old = model.state_
    expected = copy.deepcopy(model).set_params(batch_size=sizes[1])
    learned_state(expected).hidden = (np.zeros((1, sizes[1], 7), "float32"),)
    model.set_params(batch_size=sizes[1]).partial_fit(TEXT)
    assert bits(model) == bits(expected.partial_fit(TEXT))
    assert model.state_.shape == (1, sizes[1], 7)
    assert old.shape == (1, sizes[0], 7)


def test_other_seq_length_continues_and_keeps_the_loss_per_character():
    model = small(1000).fit(TEXT)
    before = model.history_[-1]["smooth_loss"]
    model.set_params(seq_length=50, max_steps=1).partial_fit(TEXT)
    assert model.n_steps_ == 1001
    assert model.history_[-1]["smooth_loss"] == pytest.approx(before, rel=0.01)
    assert model.smooth_loss_ == pytest.approx(50 * before, rel=0.01)


@pytest.mark.parametrize("n", [2, 6, 7])
def test_text_shorter_than_a_chunk_is_one_shorter_chunk(n):
    text = "abcdefg"[:n]
    model = small(3, seq_length=6).fit(text)
    other = small(3, seq_length=n - 1).fit(text)
    assert bits(model) | {"counters": 0} == bits(other) | {"counters": 0}
    assert model.smooth_loss_ / 6 == pytest.approx(other.smooth_loss_ / (n - 1))
    assert model.smooth_loss_ == pytest.approx(6 * math.log(n), rel=1e-3)  # on the scale of whole chunks


def test_partial_fit_takes_a_number_of_epochs():
    for parameters, epochs, steps in (
        ({}, None, 118), ({}, np.int64(2), 236), ({"max_steps": 200}, 2, 200), ({"max_steps": 200}, 1, 118),
        ({"max_steps": 200}, None, 118), ({"max_seconds": 1e6}, 2, 236),
        ({"max_seconds": 1e6, "max_steps": 200}, None, 200), ({"epochs": 7}, None, 118),
    ):  # fmt: skip
        for model in (small(0), small(0).fit(TEXT)):
            model.set_params(**{"max_steps": None, **parameters}).partial_fit(TEXT, epochs=epochs)
            assert model.n_steps_ == steps, parameters


def test_failing_allocation_leaves_the_model_unchanged(monkeypatch):
    def fail(*arguments, **keywords):
        raise MemoryError

    model = small().fit(TEXT)
    before = everything(model)
    for where in (team.Shard, trainer.Trainer):
        with monkeypatch.context() as patch:
            patch.setattr(where, "__init__", fail)
            for start in ("fit", "partial_fit"):
                with pytest.raises(MemoryError):
                    getattr(model, start)(TEXT)
        assert everything(model) == before


def test_more_threads_than_the_kernels_know():
    text = TEXT * 5
    model = small(3, batch_size=400, n_threads=400, seq_length=2, hidden_size=2).fit(text)
    assert model.n_steps_ == 3
    assert np.isfinite(model.score(text))


@POSIX
def test_a_fork_in_a_callback_continues_in_both_processes():
    def fork(model, record):
        if not children:
            children.append(os.fork())

    children, given = [], {"batch_size": 16, "n_threads": 2, "validation_fraction": 0.2}
    try:
        forked = small(30, callbacks=[fork], **given).fit(TEXT)
        same = bits(forked) == bits(small(30, **given).fit(TEXT))
    finally:
        if children == [0]:
            os._exit(0 if same else 1)
    assert same
    assert os.waitstatus_to_exitcode(os.waitpid(children[0], 0)[1]) == 0


def test_models_trained_at_once_are_those_trained_in_turn():
    models = [small(150, random_state=seed, batch_size=16, n_threads=2) for seed in range(3)]
    expected = [bits(copy.deepcopy(model).fit(TEXT)) for model in models]
    threads = [threading.Thread(target=model.fit, args=[TEXT]) for model in models]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [bits(model) for model in models] == expected
