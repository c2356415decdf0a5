import math

import numpy as np
import pytest
from texts import SENTENCE as TEXT

from crnn import CharRNN, InvalidInputError
from crnn.parameters.settings import Settings, checked_parameter

LEAST = {
    "hidden_size": 1, "num_layers": 1, "seq_length": 1, "batch_size": 1, "min_count": 1, "epochs": 1, "max_steps": 0,
    "patience": 1, "n_threads": 1, "verbose": 0, "embedding_size": 1, "n_bigrams": 1, "n_sampled_symbols": 1,
}  # fmt: skip


def test_defaults_match_min_char_rnn():
    settings = Settings.check(CharRNN().get_params())
    assert (settings.hidden_size, settings.seq_length, settings.batch_size) == (100, 25, 1)
    assert (settings.cell, settings.num_layers, settings.optimizer) == ("rnn", 1, "adagrad")
    assert (settings.learning_rate, settings.clip, settings.clip_norm) == (0.1, 5.0, math.inf)
    assert (settings.schedule, settings.weight_decay, settings.dropout) == ("constant", 0.0, 0.0)
    assert settings.warmup_steps is settings.warmup_fraction is settings.eval_seconds is None
    assert settings.max_steps is settings.max_seconds is settings.n_threads is settings.random_state is None
    assert settings.init_scale is settings.eval_every is settings.patience is None
    assert (settings.validation_fraction, settings.restore_best, settings.callbacks) == (0.0, True, ())


def test_each_optimizer_has_its_usual_rate():
    for optimizer, rate in (("adagrad", 0.1), ("rmsprop", 0.002), ("adam", 0.002)):
        assert Settings.check(CharRNN(optimizer=optimizer).get_params()).learning_rate == rate
        assert Settings.check(CharRNN(optimizer=optimizer, learning_rate=0.5).get_params()).learning_rate == 0.5


def test_bfloat16_is_no_default():
    for start in ("float32", "float64"):
        assert Settings.check(CharRNN(dtype=start).get_params()).matmul_precision == "float32"
    assert Settings.check(CharRNN(matmul_precision="bfloat16").get_params()).matmul_precision == "bfloat16"


def test_numbers_of_every_kind_become_pythons():
    for kind in (int, np.int8, np.uint64):
        settings = Settings.check(CharRNN().get_params() | {name: kind(3) for name in LEAST})
        found = [getattr(settings, name) for name in LEAST]
        assert (found, {*map(type, found)}) == ([3] * len(LEAST), {int})
    for kind in (int, np.float16, np.int64):
        settings = Settings.check(CharRNN(learning_rate=kind(2), clip=kind(2), init_scale=kind(0)).get_params())
        found = [settings.learning_rate, settings.clip, settings.init_scale]
        assert (found, {*map(type, found)}) == ([2.0, 2.0, 0.0], {float})


@pytest.mark.parametrize("parameter", ["hidden_size", "seq_length", "batch_size", "epochs", "max_steps"])
def test_least_values_train(parameter):
    model = CharRNN(**({"hidden_size": 2, "max_steps": 3, "random_state": 0} | {parameter: LEAST[parameter]}))
    model.fit(TEXT)
    assert model.n_steps_ == (0 if parameter == "max_steps" else 3)
    assert np.isfinite(model.score(TEXT))


def test_checked_parameter_checks_one_value():
    assert checked_parameter("weight_decay", 0.1) == 0.1
    assert checked_parameter("clip_norm", None) == math.inf
    with pytest.raises(InvalidInputError, match=r"^dropout must be a finite number of at least 0 and below 1, not 1$"):
        checked_parameter("dropout", 1)


@pytest.mark.parametrize(
    ("name", "value", "meant"),
    [("cell", "LSTM", "lstm"), ("cell", "cfig", "cifg"), ("optimizer", "adamw", "adam"), ("schedule", "cos", "cosine"),
     ("dtype", "flaot32", "float32"), ("cell", "transformer", None), ("cell", 3, None)],
)  # fmt: skip
def test_misspelled_values_are_corrected(name, value, meant):
    suggested = "" if meant is None else rf"; did you mean '{meant}'\?"
    with pytest.raises(InvalidInputError, match=rf"^{name} must be .*, not {value!r}{suggested}$"):
        checked_parameter(name, value)
