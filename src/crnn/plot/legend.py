"""Names of models in a legend."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..char_rnn import CharRNN
from ..errors import InvalidInputError, short_repr
from ..parameters.checks import has_items

# Parameters that change nothing in what a model is or learns.
_SILENT = frozenset({"callbacks", "n_threads", "random_state", "verbose"})


def labeled(models: CharRNN | Iterable[CharRNN] | Mapping[str, CharRNN]) -> dict[str, CharRNN]:
    """Return models by their names in a legend: a mapping's keys, otherwise the models' differing parameters."""
    if isinstance(models, CharRNN):
        return {"model": models}
    if not has_items(models):
        raise InvalidInputError(f"models must be a CharRNN, or a list or dict of them, not {short_repr(models)}")
    given = dict(models) if isinstance(models, Mapping) else list(models)
    for model in given.values() if isinstance(given, dict) else given:
        if not isinstance(model, CharRNN):
            raise InvalidInputError(
                f"models contains {short_repr(model)}, which is not a CharRNN. Pass models, or a dict of them."
            )
    if not given:
        raise InvalidInputError("models is empty. Pass at least one.")
    if isinstance(given, dict):
        return {str(name): model for name, model in given.items()}
    parameters = [{name: str(value) for name, value in model.get_params().items()} for model in given]
    different = [name for name in parameters[0] if name not in _SILENT and len({p[name] for p in parameters}) > 1]
    named: dict[str, CharRNN] = {}
    for model, of_model in zip(given, parameters, strict=True):
        base = ", ".join(f"{name}={of_model[name]}" for name in different) or "model"
        label, count = base, 1
        while label in named:
            count += 1
            label = f"{base} ({count})"
        named[label] = model
    return named
