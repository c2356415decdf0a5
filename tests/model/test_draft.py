"""Draft: what was written is checked, and then all of it or nothing becomes the state's own."""

import numpy as np
import pytest
from examples import memory, model_state, network, states

from crnn import InvalidInputError
from crnn.model.draft import Draft, LearnedArrays

V, H, B = 7, 5, 3


def learned(dtype="float32", *, optimizer="adam", **shape):
    layout, params = network(V, H, dtype, **shape)
    hidden = states(B, H, dtype, **{name: shape[name] for name in ("cell", "num_layers") if name in shape})
    return model_state(layout, params, memory(layout, optimizer), hidden, T=11, optimizer=optimizer, n_steps=13)


def everything(state):
    return [array.tobytes() for array in (state.params, *state.optimizer_state.values(), *state.hidden)]


def test_learned_views_are_current():
    state = learned(cell="lstm")
    arrays = LearnedArrays.read_only(state)
    state.params[:] = 0.25  # views show the current values
    assert all((array == 0.25).all() for array in arrays.params.values())
    assert arrays.optimizer_state["step"] == 13
    state.optimizer_start = 5
    assert LearnedArrays.read_only(state).optimizer_state["step"] == 8
    assert "step" not in LearnedArrays.of(learned(optimizer="rmsprop")).optimizer_state


def test_an_entry_may_be_replaced_by_numbers_of_another_type():
    state = learned(optimizer="adagrad")
    draft = Draft(state)
    draft.arrays.params["by"] = list(range(V))
    draft.arrays.optimizer_state["sum"]["Why"] = np.full((V, H), 3, np.float64)
    draft.commit()
    own = LearnedArrays.of(state)
    np.testing.assert_array_equal(own.params["by"], range(V))
    assert (own.optimizer_state["sum"]["Why"] == 3).all()


def put(name, value):
    return lambda arrays: arrays.params.update({name: value})


WRONG = {
    "shape": (put("by", np.zeros(V + 1)), r"params_\['by'\] is an array of shape \(8,\) and type float64, .*\(7,\)"),
    "transposed": (put("Why", np.zeros((H, V))), r"shape \(5, 7\)"),
    "a number": (put("by", 0.0), r"shape \(\)"),
    "text": (put("by", np.array(["a"] * V)), "type <U1"),
    "complex": (put("by", np.zeros(V, complex)), "complex128"),
    "nothing": (put("by", None), "type object"),
    "too large": (put("by", np.full(V, 1e300)), r"params_\['by'\] is inf at \(0,\)"),
    "missing": (
        lambda arrays: arrays.params.pop("by"),
        r"params_ must have the entries Wxh_l0, .*by, not Wxh_l0, Whh_l0, bh_l0, Why\.",
    ),
    "more": (put("bz", np.zeros(V)), "not Wxh_l0, .*bz"),
    "nan": (lambda arrays: arrays.params["Whh_l0"].__setitem__((2, 3), np.nan), r"is nan at \(2, 3\)"),
    "state": (lambda arrays: arrays.hidden[1].__setitem__((0, 2, 4), np.inf), r"state_ \(c\) is inf at \(0, 2, 4\)"),
    "memory": (
        lambda arrays: arrays.optimizer_state["exp_avg"]["by"].__setitem__(3, np.nan),
        r"optimizer_state_\['exp_avg'\]\['by'\] is nan at \(3,\)",
    ),
    "memory's shape": (
        lambda arrays: arrays.optimizer_state["exp_avg"].update(by=np.zeros(2)),
        r"optimizer_state_\['exp_avg'\]\['by'\] is an array of shape \(2,\)",
    ),
    "memories": (lambda arrays: arrays.optimizer_state.pop("exp_avg"), "optimizer_state_ must have the entries exp_a"),
    "a memory": (lambda arrays: arrays.optimizer_state.update(exp_avg=3), r"optimizer_state_\['exp_avg'\] .*, not int"),
    "steps": (lambda arrays: arrays.optimizer_state.update(step=3), r"optimizer_state_\['step'\] is 3, but it is"),
}


@pytest.mark.parametrize(("write", "message"), WRONG.values(), ids=WRONG)
def test_invalid_edits_are_named_and_not_written(write, message):
    state = learned(cell="lstm")
    before, draft = everything(state), Draft(state)
    draft.arrays.params["Wxh_l0"][:] = 7
    write(draft.arrays)
    with pytest.raises(InvalidInputError, match=message):
        draft.commit()
    assert everything(state) == before
    assert state.gate.changes == 0


def test_sums_of_squares_may_have_overflowed():
    state = learned(optimizer="adagrad")
    state.optimizer_state["sum"][:] = np.inf
    draft = Draft(state)
    draft.arrays.params["by"][:] = 2
    draft.commit()
    assert (LearnedArrays.of(state).params["by"] == 2).all()
