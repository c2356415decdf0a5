"""A model to its file and back."""

import copy
import math
import pickle
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import small_models
from examples import stored_network
from small_models import learned_state, small
from texts import TEXT

from crnn import CharRNN, InvalidInputError, ModelFileError
from crnn.files import network_contents, network_file, network_tensors
from crnn.files.network_contents import StoredRecord, network_bytes
from crnn.files.sealed_file import write_path
from crnn.model.layout import Layout
from crnn.model.state import ModelState
from crnn.parameters.kinds import CELLS
from crnn.reference import network as reference
from crnn.text.vocabulary import Vocabulary


def bits(model):
    """Everything that training changes, and the generator."""
    return small_models.bits(model) | {"random": repr(learned_state(model).rng.bit_generator.state)}


def write_contents(path, file):
    write_path(path, partial(network_bytes, file))


def state_of(model):
    """The state as `reference` has it: a tuple, of one array unless it is an LSTM's."""
    return model.state_ if isinstance(model.state_, tuple) else (model.state_,)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.crnn"


def reloaded(model, path, **keywords):
    model.save(path, **keywords)
    return CharRNN.load(path)


# --- what comes back


@pytest.mark.parametrize(
    "parameters",
    [
        {"batch_size": 16, "n_threads": 2, "dtype": np.float64, "random_state": None, "clip": None},
        {"cell": "lstm", "optimizer": "adam", "weight_decay": 0.01, "clip_norm": 5.0, "hidden_size": np.int64(5)},
        {"cell": "gru", "num_layers": 2, "dropout": 0.3, "batch_size": 3, "random_state": np.random.default_rng(3)},
    ],
)
def test_loaded_model_continues_training_exactly(path, parameters):
    model = small(**parameters).fit(TEXT)
    again = reloaded(model, path)
    assert bits(again) == bits(model)
    assert again.history_ == model.history_
    assert vars(again).keys() == vars(model).keys()
    for length in (len(TEXT), 100, 17):
        assert bits(again.partial_fit(TEXT[:length])) == bits(model.partial_fit(TEXT[:length]))
    assert again.n_steps_ > 20
    assert learned_state(again).rng.random() == learned_state(model).rng.random()
    assert bits(reloaded(again, path)) == bits(again)


def test_another_optimizer_continues(path):
    # Adam's bias corrections count from the step at which Adam began, not from the first step of training.
    model = small().fit(TEXT)
    model.set_params(optimizer="adam").partial_fit(TEXT).set_params(optimizer="rmsprop")
    again = reloaded(model, path)
    assert bits(again) == bits(model)
    state = learned_state(again)  # the memory belongs to the optimizer that trained
    assert (again.optimizer, state.optimizer, state.optimizer_start) == ("rmsprop", "adam", 20)
    for optimizer in ("adam", "rmsprop"):
        model.set_params(optimizer=optimizer), again.set_params(optimizer=optimizer)
        assert bits(again.partial_fit(TEXT)) == bits(model.partial_fit(TEXT))


def test_parameters_changed_after_training_are_saved_as_they_are(path):
    model = small().fit(TEXT).set_params(hidden_size=8, batch_size=2)
    again = reloaded(model, path)
    assert (again.hidden_size, again.batch_size) == (8, 2)
    assert again.score(TEXT) == model.score(TEXT)
    with pytest.raises(InvalidInputError, match="hidden_size is now 8, but the model was fitted with 7"):
        again.partial_fit(TEXT)
    again.set_params(hidden_size=7).partial_fit(TEXT)
    assert bits(again) == bits(model.set_params(hidden_size=7).partial_fit(TEXT))


def test_unloadable_models_are_not_saved(path):
    model = small().fit(TEXT)
    model.save(path)
    old, good = path.read_bytes(), model.get_params()
    for name, value in (
        ("hidden_size", 0), ("clip", math.nan), ("n_threads", -1), ("dtype", "float16"), ("dtype", "no"),
        ("epochs", object()), ("verbose", True), ("optimizer", "lion"), ("seq_length", 2.5), ("random_state", -1),
    ):  # fmt: skip
        with pytest.raises(InvalidInputError, match=f"^{name} must be "):
            model.set_params(**good | {name: value}).save(path)
        assert path.read_bytes() == old


# --- every network and optimizer: models filled by hand, so that nothing but the file is tested

MEMORIES = {"adagrad": ["sum"], "rmsprop": ["square_avg"], "adam": ["exp_avg", "exp_avg_sq"]}
networks = pytest.mark.parametrize(("cell", "L"), [("rnn", 3), ("gru", 2), ("lstm", 1), ("cifg", 2)])


def filled(cell="rnn", L=1, optimizer="adagrad", dtype="float64"):
    """Return a model with another number in every place, as if it had been trained."""
    model = CharRNN(hidden_size=5, seq_length=7, batch_size=3)
    rng = np.random.default_rng(11)
    layout = Layout(11, 5, np.dtype(dtype), cell, L)

    def drawn():
        flat = layout.zeros()
        for part in layout.tensors(flat):
            part[...] = rng.uniform(0.1, 0.9, part.shape)
        return flat

    state = tuple(rng.uniform(-0.9, 0.9, (L, 3, 5)).astype(dtype) for _ in layout.kind.states)
    model._keep(
        ModelState(
            layout=layout,
            params=drawn(),
            optimizer=optimizer,
            optimizer_state={name: drawn() for name in MEMORIES[optimizer]},
            optimizer_start=5,
            hidden=state,
            vocabulary=Vocabulary.from_text("abcdefghijk"),
            rng=np.random.default_rng(3),
            n_steps=17,
            smooth_loss=13.5,
            loss_length=7,
            history=[{"step": 17, "smooth_loss": 2.5, "validation_loss": None}],
        )
    )
    return model


@pytest.mark.parametrize(
    ("cell", "L", "optimizer", "dtype"),
    [
        ("rnn", 1, "adagrad", "float32"), ("rnn", 3, "adam", "float64"), ("gru", 1, "rmsprop", "float64"),
        ("gru", 2, "adam", "float32"), ("lstm", 1, "adam", "float64"), ("lstm", 2, "rmsprop", "float32"),
        ("cifg", 1, "adam", "float32"), ("cifg", 2, "adagrad", "float64"),
    ],
)  # fmt: skip
def test_every_network_and_optimizer_comes_back(path, dtype, cell, L, optimizer):
    model = filled(cell, L, optimizer, dtype)
    again = reloaded(model, path)
    assert vars(again).keys() == vars(model).keys()
    assert bits(again) == bits(model)
    assert learned_state(again).layout == learned_state(model).layout
    assert again.history_ == model.history_
    assert learned_state(again).loss_length == 7
    assert isinstance(again.state_, tuple) == (cell in ("lstm", "cifg"))
    assert learned_state(again).params.ctypes.data % 64 == 0
    state = learned_state(again)
    assert all(a.flags.writeable for a in (state.params, *state.optimizer_state.values(), *state.hidden))


@networks
def test_weights_alone_come_back_with_zeros_for_the_rest(path, cell, L):
    model = filled(cell, L, "adam")
    again = reloaded(model, path, training_state=False)
    np.testing.assert_array_equal(learned_state(again).params, learned_state(model).params)
    assert [a.shape for a in state_of(again)] == [(L, 3, 5)] * len(CELLS[cell].states)
    assert not any(a.any() for a in (*state_of(again), *learned_state(again).optimizer_state.values()))
    assert learned_state(again).optimizer == again.optimizer == "adagrad"  # the parameters' optimizer
    assert list(learned_state(again).optimizer_state) == ["sum"]
    assert (learned_state(again).optimizer_start, again.n_steps_, again.history_) == (0, 0, [])
    assert again.smooth_loss_ == pytest.approx(7 * math.log(11))


@networks
def test_second_biases_of_pytorch_are_added_where_they_do_the_same(path, cell, L):
    model, H = filled(cell, L), 5
    model.save(path, training_state=False)
    file = stored_network(path)
    for k in range(L):
        second = file.tensors[f"rnn.bias_hh_l{k}"]
        if cell == "gru":
            np.testing.assert_array_equal(second[2 * H :], model.params_[f"bhn_l{k}"])
            assert not second[: 2 * H].any()
        else:
            assert not second.any()
        second += np.arange(1, len(second) + 1)
        if cell == "cifg":
            second[:H] = -second[H : 2 * H]
    write_contents(path, file)
    again = CharRNN.load(path)
    for k in range(L):
        added = again.params_[f"bh_l{k}"] - model.params_[f"bh_l{k}"]
        expected = np.arange(1.0, len(added) + 1) + (H if cell == "cifg" else 0)
        if cell == "gru":
            np.testing.assert_allclose(
                again.params_[f"bhn_l{k}"] - model.params_[f"bhn_l{k}"], expected[2 * H :], atol=1e-12
            )
            expected[2 * H :] = 0
        np.testing.assert_allclose(added, expected, atol=1e-12)


@pytest.mark.peers
@networks
def test_pytorch_predicts_the_same_from_the_file(torch, path, cell, L):
    from safetensors.torch import load_file

    kind = {"rnn": torch.nn.RNN, "gru": torch.nn.GRU, "lstm": torch.nn.LSTM, "cifg": torch.nn.LSTM}[cell]
    network = torch.nn.ModuleDict({"rnn": kind(11, 5, L), "decoder": torch.nn.Linear(5, 11)}).double()

    model = filled(cell, L)
    model.save(path, training_state=False)
    with torch.no_grad():
        for name, array in load_file(path).items():
            if name.startswith(("rnn.", "decoder.")):
                network.get_parameter(name)[:] = array
    ids = np.random.default_rng(0).integers(11, size=(7, 2))
    state = tuple(np.zeros((L, 2, 5)) for _ in learned_state(model).layout.kind.states)
    _, ours = reference.forward(learned_state(model).layout.tensors(learned_state(model).params), cell, ids, state)
    theirs = network["decoder"](network["rnn"](torch.nn.functional.one_hot(torch.from_numpy(ids), 11).double())[0])
    np.testing.assert_allclose(ours, theirs.detach(), rtol=0, atol=1e-12)


def test_the_sum_of_two_biases_is_coupled(path):
    model = filled("cifg", 2)
    model.save(path)
    file = stored_network(path)
    for k in range(2):
        file.tensors[f"rnn.bias_ih_l{k}"][:5] += 0.25  # of the input gates, exact in float32
        file.tensors[f"rnn.bias_hh_l{k}"][:5] -= 0.25
    write_contents(path, file)
    for name, array in CharRNN.load(path).params_.items():
        np.testing.assert_allclose(array, model.params_[name], rtol=1e-6, atol=1e-6)


def test_weights_of_coupled_gates_that_are_not_coupled(path):
    for name in ("weight_ih_l0", "weight_hh_l1", "bias_ih_l1", "bias_hh_l0"):
        filled("cifg", 2).save(path)
        file = stored_network(path)
        rows = file.tensors[f"rnn.{name}"]
        np.testing.assert_array_equal(rows[:5], -rows[5:10])
        rows[4] += 0.5
        write_contents(path, file)
        shown = name.replace("hh_l0", "ih_l0")  # both biases are one
        with pytest.raises(ModelFileError, match=f"'rnn.{shown}' does not have coupled gates.*from_torch"):
            CharRNN.load(path)


def test_a_parameter_that_a_file_lacks_keeps_its_default(path):
    model = filled().set_params(epochs=3, clip=None)
    model.save(path, training_state=True)
    file = stored_network(path)
    del file.configuration["epochs"]
    write_contents(path, file)
    again = CharRNN.load(path)
    assert (again.epochs, again.clip) == (CharRNN().epochs, None)
    assert bits(again) == bits(model)


def test_callbacks_and_the_class_are_not_written(path):
    class Subclass(CharRNN):
        pass

    model = small(callbacks=[lambda model, record: None]).fit(TEXT)
    again = reloaded(model, path)
    assert again.callbacks is None
    assert bits(again) == bits(model)
    assert type(Subclass.load(path)) is Subclass


def test_file_without_training_state_is_seeded_by_its_parameter(path):
    names = ["anna", "bob", "eve"] * 9
    model = small(random_state=3, dropout=0.3).fit(names)
    again = [reloaded(model, path, training_state=False).partial_fit(names) for _ in range(2)]
    for name in model.params_:
        np.testing.assert_array_equal(again[0].params_[name], again[1].params_[name])


# --- what fails, and what it leaves


def test_refuses_invalid_configurations_and_missing_memory(path):
    small().fit(TEXT).save(path)
    good = stored_network(path)
    hidden = {name: array for name, array in good.training_tensors.items() if name.startswith("state.")}
    for change, message in (
        *(({"configuration": {**good.configuration, **configuration}}, message) for configuration, message in (
            ({"hidden_size": -1}, "hidden_size must be a whole number of at least 1, not -1"),
            ({"layers": 2}, "'layers' is not a parameter"), ({"self": 2}, "self"), ({"dtype": None}, "dtype must be"),
            ({"optimizer": ["adagrad"]}, "optimizer must be one of"), ({"random_state": -1}, "random_state must be"),
            ({"matmul_precision": "bfloat16", "dtype": "float64"}, "matmul_precision is 'bfloat16', but dtype is"))),
        ({"training_tensors": hidden}, r"without optimizer\.sum"),
    ):  # fmt: skip
        write_contents(path, replace(good, **change))
        with pytest.raises(ModelFileError, match=rf"model\.crnn.*{message}"):
            CharRNN.load(path)


@pytest.mark.parametrize("training_state", [True, False])
@pytest.mark.parametrize("cell", CELLS)
def test_negative_zeros_survive_a_file(path, cell, training_state):
    model = small(3, cell=cell, num_layers=2).fit(TEXT)
    with model.editing():
        for array in model.params_.values():
            array.reshape(-1)[::2] = -0.0
    loaded = reloaded(model, path, training_state=training_state)
    for name, array in model.params_.items():
        assert loaded.params_[name].tobytes() == array.tobytes(), name


@pytest.mark.parametrize("training_state", [True, False])
def test_same_model_same_bytes(path, training_state):
    model = small(optimizer="adam", validation_fraction=0.2).fit(TEXT)
    model.history_[-1]["note"] = {"b": [1], "a": None}
    files = set()
    for _ in range(3):
        model.save(path, training_state=training_state)
        files.add(path.read_bytes())
        model = CharRNN.load(path)
    assert len(files) == 1


ODD_RECORDS = [{"step": 2**80, "x": float("nan")}, {"y": True}, {"step": -0.0, "z": "\n\ud800"}]


def test_any_history_survives_a_file(path):
    model = small(3).fit(TEXT)
    for records in ([], [{}], ODD_RECORDS):
        learned_state(model).history = records
        assert repr(reloaded(model, path).history_) == repr(records)


def test_numbers_of_extended_precision_come_back_as_floats(path):
    extended = np.longdouble(1) / 3
    model = small(3, learning_rate=extended).fit(TEXT)
    arrays = {"all": np.full(2, extended), "one": np.array(extended)}
    learned_state(model).history = [{"loss": extended, **arrays, "in": {"a": extended}}]
    again = reloaded(model, path)
    assert repr(again.learning_rate) == repr(1 / 3)
    assert repr(again.history_) == repr([{"loss": 1 / 3, "all": [1 / 3] * 2, "one": 1 / 3, "in": {"a": 1 / 3}}])
    assert bits(pickle.loads(pickle.dumps(model))) == bits(model)


def test_records_that_json_cannot_hold(path):
    model = small(3).fit(TEXT)
    for value in (small, 1j, np.clongdouble(1j), np.full(2, np.clongdouble(1j))):
        learned_state(model).history = [{"value": value}]
        with pytest.raises(TypeError, match="a model file cannot store"):
            model.save(path)
    assert not path.exists()


def test_a_file_has_the_newest_records(path, monkeypatch):
    monkeypatch.setattr(network_contents, "MAX_RECORDS", 3)
    model = small(3).fit(TEXT)
    learned_state(model).history = [{"step": i} for i in range(5)]
    model.save(path)
    assert [record["step"] for record in CharRNN.load(path).history_] == [2, 3, 4]


def test_run_best_and_labels_come_back(path):
    """What a run and labels keep is stored as it is; `load` returns the state at the lowest validation loss."""
    model, better = filled("lstm", 2, "adam"), filled("lstm", 2, "adam")
    learned_state(better).params *= 0.5
    learned_state(better).n_steps, learned_state(better).smooth_loss = 11, 12.25
    for flat in learned_state(better).optimizer_state.values():
        flat *= 0.25
    with better.editing():
        better.state_[0][:] = 0.125
    run = StoredRecord({"epoch": 3, "patience": None}, {"order": np.arange(5), "text": np.arange(3, dtype=np.uint8)})
    parameters = model.get_params()
    path.write_bytes(
        network_file.to_bytes(
            learned_state(model), parameters, training_state=True, run=run, best=learned_state(better)
        )
    )
    found = network_file.read(path, parameters)
    assert found.parameters == parameters
    assert found.run.values == run.values
    for name, array in run.tensors.items():
        np.testing.assert_array_equal(found.run.tensors[name], array)
    for state, expected in ((found.state, model), (found.best, better)):
        copied = copy.deepcopy(expected)
        copied._keep(state)
        assert bits(copied) == bits(expected)
    assert bits(CharRNN.load(path)) == bits(better)
    assert CharRNN.load(path).history_ == model.history_


OF_ANOTHER_NETWORK = [
    ({"training": None, "training_tensors": {}}, "does not belong to its model"),
    ({"training": None, "training_tensors": {}, "best_tensors": {}},
     "it has the best weights of a run, but no training state"),
    ({"best": {"n_steps": -1, "smooth_loss": 1.0}}, "its best cannot be used: n_steps must be"),
    *(({"best": {"n_steps": n, "smooth_loss": 1.0}}, "outside the steps of its training") for n in (4, 18)),  # 5 to 17
    ({"best_tensors": {}}, "best"),
    ({"run": StoredRecord({}, {"a b": np.zeros(1)})}, "'run.a b' that does not belong to its model"),
    ({"run": StoredRecord({}, {"a": np.zeros(1, bool)})}, "its tensor 'run.a' is bool"),
    ({"run": StoredRecord([1], {})}, "its run cannot be used: run must be a JSON object"),
    ({"pairs": np.zeros((3, 2), np.int32)}, "'bigrams.pairs' that does not belong to its model"),
    ({"run": StoredRecord({"texts": ["x" * (1 << 24)]}, {})}, "its run has .* bytes, more than the"),
    *(({"gradient_rms": array}, "gradient_rms") for array in (
        np.zeros(3, np.float16), np.zeros(151, np.float32), np.full(151, np.nan, np.float16))),
    ({"gradient_rms": np.full(151, -1, np.float16)}, "negative"),
]  # fmt: skip


def test_refuses_parts_of_another_network(path):
    model = filled()
    path.write_bytes(
        network_file.to_bytes(learned_state(model), model.get_params(), training_state=True, best=learned_state(model))
    )
    file = stored_network(path)
    assert sum(array.size for array in model.params_.values()) == 151
    late = {"training": file.training | {"optimizer_start": 18}}
    for change, message in (*OF_ANOTHER_NETWORK, (late, "its training has an optimizer_start outside its steps")):
        with pytest.raises(ModelFileError, match=message):
            write_contents(path, replace(file, **change))


def test_a_state_is_copied_once_for_a_file(path, monkeypatch):
    """By `save`, since another thread may train the model; a run gives a snapshot, which needs no second copy."""
    model, copies, copied = small().fit(TEXT), [], ModelState.copy
    monkeypatch.setattr(ModelState, "copy", lambda state: copies.append(state) or copied(state))
    model.save(path)
    assert copies == [learned_state(model)]
    path.write_bytes(network_file.to_bytes(learned_state(model), model.get_params(), training_state=True))
    assert len(copies) == 1


def test_gradients_scale_is_kept_with_weights_alone(path):
    model = small(optimizer="adam", dtype="float64").fit(TEXT)
    again = reloaded(model, path, training_state=False)
    learned = learned_state(model)
    expected = [np.sqrt(array / (1 - 0.999**20)).ravel() for array in model.optimizer_state_["exp_avg_sq"].values()]
    np.testing.assert_allclose(learned_state(again).gradient_rms, np.concatenate(expected), rtol=1e-3, atol=1e-7)
    n = sum(array.size for array in model.params_.values())
    assert len(learned_state(again).gradient_rms) == n < learned.layout.size
    kept = reloaded(again, path, training_state=False)
    np.testing.assert_array_equal(learned_state(kept).gradient_rms, learned_state(again).gradient_rms)
    assert learned_state(reloaded(small(0).fit(TEXT), path, training_state=False)).gradient_rms is None


def test_a_file_of_weights_with_a_large_batch_size_takes_no_memory(path):
    model = small(3).fit(TEXT).set_params(batch_size=2**31 - 1)
    again = reloaded(model, path, training_state=False)
    assert again.batch_size == 2**31 - 1
    assert again.state_.shape == (1, 1, 7)
    again.set_params(batch_size=3, max_steps=2).partial_fit(TEXT)
    assert again.state_.shape == (1, 3, 7)


@pytest.mark.parametrize(("cell", "arrays"), [("gru", 1), ("lstm", 2)])
def test_the_new_hidden_state_of_several_layers_takes_no_more_than_its_limit(path, cell, arrays):
    bytes_per_stream = 3 * 7 * 4 * arrays
    largest = network_tensors.MAX_NEW_HIDDEN // bytes_per_stream
    model = small(1, cell=cell, num_layers=3).fit(TEXT)
    for batch_size, streams in ((largest, largest), (largest + 1, 1)):
        model.set_params(batch_size=batch_size)
        again = reloaded(model, path, training_state=False)
        assert [array.shape for array in state_of(again)] == [(3, streams, 7)] * arrays


def test_two_biases_that_add_up_to_infinity(tmp_path):
    path = tmp_path / "m.crnn"
    CharRNN(3, max_steps=1, dtype="float32", random_state=0).fit(TEXT).save(path, training_state=False)
    file = stored_network(path)
    biases = {name: np.full_like(file.tensors[name], 3e38) for name in ("rnn.bias_ih_l0", "rnn.bias_hh_l0")}
    write_contents(path, replace(file, tensors=dict(file.tensors) | biases))
    with pytest.raises(ModelFileError, match="the sum of a unit's two biases is infinite"), np.errstate(over="ignore"):
        CharRNN.load(path)
