"""Recommended: what the time buys decides, and how often it goes over the text."""

import itertools
import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from texts import LONG_TEXT as TEXT

from crnn import CharRNN, InvalidInputError, Mixture, _kernels
from crnn.parameters.kinds import CELLS
from crnn.training import machine_speed
from crnn.training.machine_speed import OPERATIONS_PER_WEIGHT, SPEEDS_PER_DOUBLING, Speed
from crnn.training.recommended import (
    ADVICE,
    LONG_TEXT,
    MAX_DROPOUT,
    SEQ_LENGTH,
    SIZES,
    WEIGHTS_PER_SYMBOL,
    _network_weights,
    apply_overrides,
    describe_recommendation,
    recommend,
)


def weights_of(parameters):
    gates = CELLS[parameters["cell"]].gates
    return _network_weights(gates, parameters["hidden_size"], parameters["num_layers"])


@given(
    n_symbols=st.integers(1, 10**9), seconds=st.floats(1e-3, 1e6), speed=st.floats(1e8, 1e13),
    cell=st.sampled_from([*ADVICE]),
)  # fmt: skip
def test_every_recommendation_is_a_model(n_symbols, seconds, speed, cell):
    parameters = recommend(n_symbols, seconds, speed=speed, cell=cell)
    model = CharRNN(**parameters)
    assert model.cell == cell
    assert 0 <= model.dropout <= MAX_DROPOUT
    assert 0 <= model.weight_dropout <= MAX_DROPOUT
    assert 1 <= model.batch_size <= 16
    assert model.max_seconds == seconds
    assert model.max_steps is None or model.max_steps > 0
    assert model.matmul_precision == "float32"
    assert f"{model.hidden_size} units" in describe_recommendation(parameters, speed)
    assert "bfloat16" not in describe_recommendation(parameters, speed)


@given(
    operations=st.floats(1e10, 1e16), factor=st.floats(1.0, 2 ** (1 / SPEEDS_PER_DOUBLING)),
    cell=st.sampled_from(["lstm", "cifg", "gru"]), n_symbols=st.integers(10**4, 10**9),
)  # fmt: skip
def test_a_slightly_different_speed_changes_the_size_by_one_step_at_most(operations, factor, cell, n_symbols):
    found = [recommend(n_symbols, operations, speed=speed, cell=cell) for speed in (1.0, factor)]
    sizes = [parameters["hidden_size"] for parameters in found]
    assert set(sizes) <= set(SIZES)
    assert 0 <= SIZES.index(sizes[1]) - SIZES.index(sizes[0]) <= 1
    assert found[1]["learning_rate"] == pytest.approx(found[0]["learning_rate"], rel=0.2)
    assert found[1]["dropout"] == pytest.approx(found[0]["dropout"], abs=0.15)


@pytest.mark.parametrize("cell", [*ADVICE])
def test_sizes_between_two_recipes_lie_between_them_in_all(cell):
    assert {recipe.hidden_size for recipe in ADVICE[cell].recipes} <= set(SIZES)
    for first, last in itertools.pairwise(ADVICE[cell].recipes):
        operations = math.sqrt(first.operations * last.operations)
        middle = recommend(10**9, operations, speed=1.0, cell=cell, n_documents=10**8)  # the rate without bigrams
        assert first.hidden_size <= middle["hidden_size"] <= last.hidden_size
        for name in ("init_scale", "weight_decay", "learning_rate"):
            ends = sorted([getattr(first, name), getattr(last, name)])
            assert ends[0] * 0.99 <= middle[name] <= ends[1] * 1.01


@pytest.mark.parametrize("cell", [*ADVICE])
def test_more_time_buys_a_larger_model_at_a_lower_rate(cell):
    found = [recommend(10**8, seconds, speed=1e11, cell=cell) for seconds in (1, 10, 100, 1000, 10_000)]
    sizes = [parameters["hidden_size"] * parameters["num_layers"] for parameters in found]
    rates = [parameters["learning_rate"] for parameters in found]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[-1]
    assert rates == sorted(rates, reverse=True)
    for parameters in found[:4]:  # less than one epoch
        assert parameters["dropout"] == parameters["weight_dropout"] == 0


@pytest.mark.parametrize("cell", [*ADVICE])
def test_shorter_text_gets_more_dropout(cell):
    for kind in ("dropout", "weight_dropout"):
        found = [recommend(n, 60, speed=2e11, cell=cell)[kind] for n in (10**8, 10**6, 3 * 10**5)]
        assert found == sorted(found)
        assert found[0] == 0
        assert found[-1] > 0 or (cell, kind) == ("rnn", "weight_dropout")


def test_a_narrower_model_gets_less_dropout_for_the_same_epochs_and_weights_a_symbol():
    """By the square root of the number of units, up to 512 units."""
    found, counted = {}, 12.0  # epochs times the square root of the weights per symbol
    for size in (192, 384, 512, 768):
        recipe = next(r for r in ADVICE["lstm"].recipes if r.hidden_size == size)
        operations, weights = 1.1 * recipe.operations, _network_weights(CELLS["lstm"].gates, size)
        epochs = (counted**2 * operations / (OPERATIONS_PER_WEIGHT * weights**2)) ** (1 / 3)
        found[size] = recommend(
            round(operations / (OPERATIONS_PER_WEIGHT * weights * epochs)), operations, speed=1.0, cell="lstm"
        )
        assert found[size]["hidden_size"] == size
    for kind in ("dropout", "weight_dropout"):
        assert found[192][kind] == pytest.approx(math.sqrt(192 / 512) * found[512][kind], abs=0.01)
        assert found[384][kind] == pytest.approx(math.sqrt(384 / 512) * found[512][kind], abs=0.01)
        assert found[768][kind] == pytest.approx(found[512][kind], abs=0.01)


def test_a_text_learns_to_start_from_zeros():
    found = [recommend(10**6, 60, speed=2e11, n_documents=n)["state_reset"] for n in (None, 1)]
    assert found == [0.01, 0.0]


def test_texts_get_bigrams_and_short_documents_do_not(capsys):
    found = [recommend(3 * 10**5, 60, speed=2e11, n_documents=n) for n in (1, 15_000, 15_001)]
    assert [parameters["n_bigrams"] for parameters in found] == [1024, 1024, None]
    assert recommend(3 * 10**5, 60, speed=2e11)["n_bigrams"] == 1024
    assert found[0]["learning_rate"] == pytest.approx(0.8 * found[2]["learning_rate"], rel=0.01)
    assert "units and 1024 bigrams, 16 streams" in describe_recommendation(found[0], 2e11)
    assert "bigrams" not in describe_recommendation(found[2], 2e11)
    assert recommend(10**8, 60, speed=2e11, cell="gru")["n_bigrams"] is None
    assert CharRNN.recommended(TEXT * 500, 1.0, n_bigrams=None).n_bigrams is None
    without = apply_overrides(found[0], {"n_bigrams": None})
    assert without["learning_rate"] == pytest.approx(found[2]["learning_rate"], rel=0.01)
    assert apply_overrides(found[2], {"n_bigrams": 7})["learning_rate"] == pytest.approx(
        found[0]["learning_rate"], rel=0.01
    )
    for same in ({}, {"n_bigrams": 512}):
        assert apply_overrides(found[0], same)["learning_rate"] == found[0]["learning_rate"]
    assert CharRNN.recommended(["anna", "bob", "eva"], 1.0).n_bigrams is None
    assert "bigrams" not in capsys.readouterr().err
    assert CharRNN.recommended([TEXT[:30], TEXT[:40]], 1.0).n_bigrams == 1024


@pytest.mark.parametrize("cell", [*ADVICE])
def test_a_short_text_gets_a_small_model_and_does_not_use_up_the_time(cell):
    parameters = recommend(80_000, 6000, speed=2e11, cell=cell)
    assert weights_of(parameters) <= WEIGHTS_PER_SYMBOL * 80_000
    n_epochs = parameters["max_steps"] * 16 * SEQ_LENGTH / 80_000
    assert n_epochs == pytest.approx(ADVICE[cell].max_epochs, rel=0.01)
    assert "memorize" in describe_recommendation(parameters, 2e11)


def test_a_text_of_few_symbols_has_fewer_streams():
    assert recommend(1000, 10, speed=2e11)["batch_size"] == 5
    assert recommend(5, 10, speed=2e11)["batch_size"] == 1


def test_long_texts_are_read_in_longer_chunks_at_a_higher_rate():
    short, long, documents = (
        recommend(n, 60, speed=2e11, n_documents=d)
        for n, d in ((LONG_TEXT - 1, None), (LONG_TEXT, None), (LONG_TEXT, 1))
    )
    assert [p["seq_length"] for p in (short, long, documents)] == [24, 64, 24]
    assert long["learning_rate"] == pytest.approx(1.4 * documents["learning_rate"], rel=0.02)
    assert [p["clip_norm"] for p in (short, long, documents)] == [1.0, 2.67, 1.0]
    assert recommend(10**6, 60, speed=2e11, cell="rnn")["seq_length"] == 24


@pytest.fixture
def fast_in_bfloat16(monkeypatch):
    """A machine with instructions for bfloat16, which make it twice as fast."""
    speeds = {"float32": 2e11, "bfloat16": 4e11}
    monkeypatch.setattr(_kernels, "bfloat16_set", "amx")
    monkeypatch.setattr(
        machine_speed, "measured_speed", lambda n, precisions: max(Speed(speeds[name], name) for name in precisions)
    )


@pytest.mark.usefixtures("fast_in_bfloat16")
def test_the_faster_precision_is_recommended_and_what_its_speed_allows(capsys):
    found = CharRNN.recommended(TEXT * 500, 60.0)
    single, double = (recommend(len(TEXT * 500), 60, speed=speed) for speed in (2e11, 4e11))
    assert found.matmul_precision == "bfloat16"
    assert found.learning_rate == double["learning_rate"] != single["learning_rate"]
    assert capsys.readouterr().err.rstrip().endswith("at 400 GFLOP/s in bfloat16")
    for overrides in ({"matmul_precision": "float32"}, {"dtype": "float64"}):
        found = CharRNN.recommended(TEXT * 500, 60.0, **overrides)
        assert (found.matmul_precision, found.learning_rate) == ("float32", single["learning_rate"])
        assert capsys.readouterr().err.rstrip().endswith("at 200 GFLOP/s")
    given = {"matmul_precision": "bfloat16", "n_threads": 1, "max_steps": 3}
    assert CharRNN.recommended(TEXT, 0.2, **given).fit(TEXT).matmul_precision == "bfloat16"


def test_the_bound_of_the_norm_follows_the_chunks_length(capsys):
    assert CharRNN.recommended(TEXT, 1.0).clip_norm == 1.0
    assert CharRNN.recommended(TEXT, 1.0, seq_length=84).clip_norm == 3.5
    assert CharRNN.recommended(TEXT, 1.0, seq_length=84, clip_norm=0.7).clip_norm == 0.7
    assert CharRNN.recommended(TEXT, 1.0, seq_length=84, clip_norm=None).clip_norm is None


@pytest.mark.parametrize("cell", [*ADVICE])
def test_recommendation_can_be_fitted(cell, capsys):
    model = CharRNN.recommended(TEXT, 0.02, cell=cell, n_threads=1)
    assert cell in capsys.readouterr().err
    assert model.set_params(random_state=0).fit(TEXT).n_steps_ > 0


def test_any_parameter_may_be_given_and_the_model_fitted(capsys):
    names = ["anna", "bob", "eve"] * 7
    model = CharRNN.recommended(
        names, 0.1, optimizer="rmsprop", min_count=2, max_steps=3, max_seconds=None, n_threads=1
    ).fit(names)
    assert (model.cell, model.optimizer, model.n_steps_, model.verbose) == ("cifg", "rmsprop", 3, 0)
    assert (model.learning_rate, model.weight_decay) == (0.002, 0)
    assert "rmsprop at 0.002," in capsys.readouterr().err
    assert not hasattr(CharRNN.recommended(TEXT, 0.1, learning_rate=None), "params_")
    assert "adam at 0.002" in capsys.readouterr().err
    assert CharRNN.recommended(TEXT, 0.2, cell="gru", verbose=0).cell == "gru"
    assert capsys.readouterr().err == ""


def test_parameters_are_checked_before_the_machine_is_measured(monkeypatch):
    monkeypatch.delattr(machine_speed, "measured_speed")
    with pytest.raises(InvalidInputError, match=r"has no parameter 'hiden_size'.*; did you mean 'hidden_size'"):
        CharRNN.recommended(TEXT, 1.0, hiden_size=3)
    with pytest.raises(InvalidInputError, match="hidden_size must be"):
        CharRNN.recommended(TEXT, 1.0, hidden_size=0)


@pytest.mark.parametrize(("n", "sampled"), [(300, None), (1000, None), (5000, 512)])
def test_a_large_alphabet_takes_time_from_the_network(n, sampled):
    small, large = (
        recommend(10**6, 60, speed=2e11, alphabet_size=size, n_sampled_symbols=kind)
        for size, kind in ((64, None), (n, sampled))
    )
    assert large["hidden_size"] == small["hidden_size"]
    assert large["dropout"] >= small["dropout"]  # for more weights
    assert (large == small) == (n < 500)
    assert large["n_sampled_symbols"] == sampled


def test_the_alphabet_is_measured_and_sampled_if_large(monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(machine_speed, "measured_speed", lambda n, **probe: asked.append(probe) or Speed(1e11))
    text = "".join(chr(0x4E00 + i * 7 % 3000) for i in range(9000))
    assert CharRNN.recommended(text, 60).n_sampled_symbols == 512
    assert "softmax of targets and 512 others, " in capsys.readouterr().err
    assert (asked[0]["vocab_size"], asked[0]["n_sampled_symbols"]) == (3000, 512)
    assert CharRNN.recommended(text, 60, n_sampled_symbols=None, verbose=0).n_sampled_symbols is None
    assert (asked[1]["vocab_size"], asked[1]["softmax_size"]) == (3000, 3000)
    assert CharRNN.recommended(TEXT * 9, 60, verbose=0).n_sampled_symbols is None
    assert "vocab_size" not in asked[2]


def test_a_network_that_counts_will_beat_is_warned_of(monkeypatch, capsys):
    monkeypatch.setattr(machine_speed, "measured_speed", lambda n, **probe: Speed(1e9))
    text = "".join(chr(0x4E00 + i * 7 % 3000) for i in range(90_000))
    CharRNN.recommended(text, 5)
    assert re.search(
        r"only about \d+ steps in this time, and n-gram counts will .* crnn.train", capsys.readouterr().err
    )
    CharRNN.recommended(TEXT, 5)  # read often enough
    Mixture.recommended(text, 5)
    assert "counts" not in capsys.readouterr().err
