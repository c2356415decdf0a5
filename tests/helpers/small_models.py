"""A small network, and all that training changes in one."""

import copy

import numpy as np

from crnn import CharRNN


def learned_state(model):
    """Return what training changes, as the library keeps it: weights, optimizer state, hidden states and counters."""
    return model._learned


def bits(model):
    """Everything that training changes, in a form that == compares to the bit."""
    learned = {name: array.tobytes() for name, array in model.params_.items()}
    for memory, flat in learned_state(model).optimizer_state.items():
        learned |= {
            f"{memory}.{name}": array.tobytes() for name, array in learned_state(model).layout.named(flat).items()
        }
    states = model.state_ if isinstance(model.state_, tuple) else (model.state_,)
    return learned | {
        "state": [(array.shape, array.dtype, array.tobytes()) for array in states],
        "optimizer": (learned_state(model).optimizer, learned_state(model).optimizer_start),
        "vocabulary": (model.vocabulary_.kind, model.vocabulary_.codes.tolist()),
        "counters": (model.n_steps_, np.float64(model.smooth_loss_).tobytes()),
    }


def everything(model):
    """All attributes of a model, learned and given, and the identity of its arrays."""

    def seen(value):
        if isinstance(value, np.ndarray):
            return id(value), value.tobytes()
        if isinstance(value, tuple):
            return tuple(map(seen, value))
        if isinstance(value, dict):
            return {name: seen(part) for name, part in value.items()}
        return value.bit_generator.state if isinstance(value, np.random.Generator) else copy.deepcopy(value)

    attributes = vars(model) | (vars(learned_state(model)) if hasattr(model, "_learned") else {})
    return {name: seen(value) for name, value in attributes.items() if name not in ("_learned", "gate")}


def small(max_steps=20, **parameters):
    return CharRNN(**({"hidden_size": 7, "seq_length": 5, "random_state": 0, "max_steps": max_steps} | parameters))
