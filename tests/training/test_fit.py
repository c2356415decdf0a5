"""A call of training by several processes: which arguments must be the same in all, and what the first alone does."""

import warnings

import numpy as np
import pytest
from examples import saved
from mpi_processes import Communicator
from texts import TEXT

from crnn import CharRNN, _kernels
from crnn.runtime import build_info
from crnn.training.processes import Processes

NAMES = ["anna", "bob", "eve", "otto", "lena", "al", "hal"]


class Both(Communicator):
    """A communicator from one rank's point of view: both processes pass the same values, and the first ends at once."""

    Abort = None

    def Allreduce(self, place, vector):
        vector *= 2

    def bcast(self, value, root):
        asks = isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], str)  # for a command
        return ("end", None) if asks and self.rank else value


@pytest.fixture
def told(monkeypatch):
    """What the processes compare, by name."""
    found = {}
    monkeypatch.setattr(Processes, "require_same", lambda processes, what, value: found.update({what: value}))
    return found


def fitted(text=NAMES, *, comm, method="fit", sample_weight=None, y=None, model=None, **parameters):
    options = {"hidden_size": 5, "batch_size": 4, "seq_length": 3, "max_steps": 0, "random_state": 0} | parameters
    model = CharRNN(**options) if model is None else model.set_params(**parameters)
    weights = {} if sample_weight is None else {"sample_weight": sample_weight}
    return getattr(model, method)(text, y, comm=comm, **weights)


FREE = {"n_threads": 2, "verbose": 2, "callbacks": [print], "random_state": 7}  # may differ
WEIGHTS, LABELS = [1.0, 2.0, 0.5, 1.0, 1.0, 1.0, 3.0], list("abbabba")


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (FREE, None),
        ({"dropout": 0.25}, "a parameter of the model"), ({"learning_rate": 0.25}, "a parameter of the model"),
        ({"text": [*NAMES[:-1], "hans"]}, "a text"),
        ({"sample_weight": [*WEIGHTS[:-1], 4.0]}, "sample_weight"), ({"sample_weight": tuple(WEIGHTS)}, None),
        ({"sample_weight": np.array(WEIGHTS)}, None), ({"y": list("abbabbb")}, "y"),
        ({"y": list("cbbcbbc")}, "y"), ({"y": np.array(LABELS)}, None),
    ],
)  # fmt: skip
def test_arguments_that_all_processes_share(told, change, what):
    arguments = {"text": NAMES, "sample_weight": WEIGHTS, "y": LABELS}
    fitted(**arguments, comm=Both(0, 2))
    first = dict(told)
    told.clear()
    assert first.keys() == {"a parameter of the model", "a text", "sample_weight", "y"}
    fitted(**arguments | change, comm=Both(1, 2))
    assert next((name for name in told if told[name] != first[name]), None) == what


def test_a_call_that_continues_needs_the_same_model_in_all_processes(told):
    models = [fitted(comm=None) for _ in range(3)]
    with models[2].editing():
        models[2].params_["by"][0] += 1
    found = []
    for rank, model in enumerate(models):
        fitted(comm=Both(rank > 0, 2), method="partial_fit", model=model)
        found.append(told.pop("the model"))
    assert found[0] == found[1] != found[2]


@pytest.mark.parametrize("rank", [0, 1])
def test_the_first_process_alone_shows_progress_and_writes(rank, tmp_path, capsys):
    options = {"hidden_size": 5, "batch_size": 4, "seq_length": 3, "max_steps": 0, "verbose": 1, "random_state": 0}
    model = CharRNN(**options).fit(TEXT, comm=Both(rank, 2), checkpoint=tmp_path / "run")
    assert (tmp_path / "run").exists() == bool(capsys.readouterr().err) == (rank == 0)
    assert model.verbose == 1


@pytest.mark.parametrize("rank", [0, 1])
def test_all_processes_end_with_the_state_of_the_first(rank):
    asked = []

    class First(Both):
        def bcast(self, value, root):
            asked.append(isinstance(value, tuple) and value[0] is not None and isinstance(value[0], str))
            if self.rank and isinstance(value, tuple) and len(value) == 6:
                params, optimizer_state, hidden, *_ = value
                return params + 0.5, optimizer_state, tuple(array + 0.25 for array in hidden), 3, 1.5, [{"step": 3}]
            return super().bcast(value, root)

    before = fitted(comm=None)
    model = fitted(comm=First(rank, 2))
    assert sum(asked) == (1 if rank else 2)  # the first says "finish" and "end", the second hears "end" at once
    np.testing.assert_array_equal(model.params_["by"], before.params_["by"] + 0.5 * rank)
    np.testing.assert_array_equal(model.state_, before.state_ + 0.25 * rank)
    assert (model.n_steps_, model.history_) == ((3, [{"step": 3}]) if rank else (0, []))


def test_the_first_fit_of_a_slower_build_warns_its_caller(monkeypatch):
    monkeypatch.setattr(build_info, "_told", False)
    monkeypatch.setattr(_kernels, "forced", None)
    monkeypatch.setattr(_kernels, "faster", lambda kind: "avx512" if kind == "float64" else None)
    CharRNN(3, max_steps=1).fit("abab")
    with pytest.warns(UserWarning, match=r"none for avx512.*CRNN_BUILD=all") as caught:
        CharRNN(3, max_steps=1, dtype="float64").fit("abab")
    assert [warning.filename for warning in caught] == [__file__]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        CharRNN(3, max_steps=1, dtype="float64").fit("abab")


def test_precision_that_is_not_built_is_refused_before_any_change(monkeypatch):
    model = CharRNN(3, max_steps=2, random_state=0).fit("abab")
    before, built = saved(model), _kernels._built
    forced = _kernels.forced
    try:
        monkeypatch.setattr(_kernels, "_built", lambda name, kind: kind != "bfloat16" and built(name, kind))
        _kernels.use(None)
        for call in (model.fit, model.partial_fit):
            model.set_params(matmul_precision="bfloat16")
            with pytest.raises(ValueError, match=r"no kernels for bfloat16 .*Build crnn again with CRNN_BUILD=all"):
                call("abba")
            assert saved(model.set_params(matmul_precision="float32")) == before
    finally:
        monkeypatch.undo()
        _kernels.use(forced)
