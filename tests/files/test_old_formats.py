"""Files of format 1 and 2, made by the versions that wrote them: they load for ever. No test writes to them."""

from pathlib import Path

import numpy as np
import pytest

from crnn import BOUNDARY, UNKNOWN, CharRNN

DATA = Path(__file__).parents[1] / "data"
NAMES = ["na\u00efve \U0001f642", "the cat", "sat", "\ud800\0", "a\r\nb", "Zo\u00eb"] * 11
BYTES = b"\0the cat sat\xff\n"


def test_format_2_with_its_training_state(kernels, tmp_path):
    """Two layers, Adam, documents, a symbol for unknown characters, a Mersenne Twister, a validation loss."""
    model = CharRNN.load(DATA / "format2.crnn")
    given = {"hidden_size": 5, "num_layers": 2, "cell": "lstm", "seq_length": 11, "batch_size": 3, "optimizer": "adam",
             "learning_rate": 0.02, "max_steps": 400, "min_count": 2, "dropout": 0.1, "validation_fraction": 0.1,
             "n_threads": 1}  # fmt: skip
    assert model.get_params() == CharRNN(**given).get_params()
    symbols = list(model.vocabulary_)
    assert symbols == [*sorted(set("".join(NAMES))), UNKNOWN, BOUNDARY]
    assert model.n_steps_ == 400
    assert model.smooth_loss_ == pytest.approx(27.113446006361233, rel=1e-12)
    assert [record["step"] for record in model.history_] == [380, 384, 400]
    assert [record["validation_loss"] for record in model.history_] == [None, 0.5171728769889659, 0.5054456238046788]
    assert model.optimizer_state_["step"] == 400
    assert all(array.any() for array in model.optimizer_state_["exp_avg_sq"].values())
    assert model.score(NAMES) == pytest.approx(-0.4947910332567446, rel=1e-4)
    assert model.sample(num_samples=5, temperature=0.5, random_state=3) == [
        "Zo\xeb", "sat", "a\r\n\n", "the \U0001f642", "a\rbb",
    ]  # fmt: skip
    assert_goes_on_as_format_3_does(model, tmp_path, NAMES)


def test_format_2_of_weights_alone(kernels, tmp_path):
    model = CharRNN.load(DATA / "format2_weights.crnn")
    assert (model.cell, model.hidden_size, model.dtype, model.random_state) == ("gru", 11, "float64", 3)
    assert (model.n_steps_, model.history_, model.state_.shape) == (0, [], (1, 5, 11))
    assert bytes(b"".join(model.vocabulary_)) == bytes(sorted(set(BYTES)))
    assert model.sample(40, prime=b"the", temperature=0) == (b" cat sat\xff\n\0the" * 3)[:40]
    assert model.score(BYTES * 3) == pytest.approx(-0.05688528266637342, rel=1e-6)
    assert_goes_on_as_format_3_does(model, tmp_path, BYTES * 30)


def assert_goes_on_as_format_3_does(model, tmp_path, text):
    """Written as format 3 and read again, a model learns the same."""
    model.save(tmp_path / "model")
    again = CharRNN.load(tmp_path / "model")
    assert again.history_ == model.history_
    for loaded in (model, again):
        loaded.set_params(max_steps=3, validation_fraction=0.0).partial_fit(text)
    for name, array in model.params_.items():
        np.testing.assert_array_equal(again.params_[name], array)
