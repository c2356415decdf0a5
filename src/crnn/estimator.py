"""Estimator: the conventions of scikit-learn that do not depend on the model."""

from __future__ import annotations

import inspect
from typing import Any, Self

from .errors import InvalidInputError, NotFittedError
from .parameters.suggestion import did_you_mean
from .training.progress.loss_curve import loss_curve, points_of

# Names that other libraries give to what has another name here.
SYNONYMS = {
    "encode": "vocabulary_",
    "evaluate": "score",
    "generate": "sample",
    "log_prob": "score_samples",
    "predict": "predict_proba",
    "train": "fit",
    "write": "sample",
}


class Estimator:
    """An object whose constructor stores its parameters unchanged; names of learned attributes end in ``_``."""

    _fit_methods = "fit or partial_fit"  # for the message of an estimator that is not fitted

    @classmethod
    def _defaults(cls) -> dict[str, Any]:
        """Return the constructor's parameters and their defaults, in order."""
        return {name: p.default for name, p in inspect.signature(cls).parameters.items()}

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the constructor's parameters by name.

        Parameters
        ----------
        deep : bool, default=True
            Present for scikit-learn's convention; no parameter holds an estimator.

        Examples
        --------
        >>> from crnn import CharRNN
        >>> CharRNN(64).get_params()["hidden_size"]
        64
        """
        return {name: getattr(self, name) for name in self._defaults()}

    def set_params(self, **params: Any) -> Self:
        """Change parameters by name; `fit` checks their values.

        Parameters
        ----------
        **params
            Names of the constructor's parameters, and their new values.

        Raises
        ------
        ValueError
            If the constructor has no such parameter; nothing is changed then.

        Examples
        --------
        >>> from crnn import CharRNN
        >>> CharRNN().set_params(hidden_size=64)
        CharRNN(hidden_size=64)
        """
        names = self._defaults()
        for name in params:
            if name not in names:
                near = did_you_mean(name, names)
                raise InvalidInputError(
                    f"{type(self).__name__} has no parameter {name!r}; it has {', '.join(names)}{near}"
                )
        for name, value in params.items():
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        # Texts are compared, not values: an unchecked parameter may be anything, even an array.
        shown = {name: (repr(getattr(self, name)), repr(default)) for name, default in self._defaults().items()}
        changed = [f"{name}={value}" for name, (value, default) in shown.items() if value != default]
        return f"{type(self).__name__}({', '.join(changed)})"

    def __sklearn_is_fitted__(self) -> bool:
        """Say whether the model has learned something; ``sklearn.utils.validation.check_is_fitted`` asks."""
        return hasattr(self, "vocabulary_")

    def _repr_html_(self) -> str:
        """Return what a notebook shows of the model: what it has learned, its curves of training, its parameters."""
        from html import escape  # here, since `import crnn` shall cost little

        rows = []
        for name, default in self._defaults().items():
            value = repr(getattr(self, name))
            mark = "th" if value != repr(default) else "td"  # what was changed is in bold
            cell = f"<{mark} style='text-align:left'>{name}</{mark}>"
            rows.append(f"<tr>{cell}<td><code>{escape(value)}</code></td></tr>")
        learned, picture = "not fitted yet", ""
        if self.__sklearn_is_fitted__():
            learned, picture = self._learned_in_words(), self._learned_as_picture()
        return (
            f"<div><b>{type(self).__name__}</b>: {escape(learned)}<div>{picture}</div><details>"
            f"<summary>Parameters</summary><table>{''.join(rows)}</table></details></div>"
        )

    def _learned_in_words(self) -> str:
        """Return in a line what a fitted model is."""
        weights = sum(array.size for array in self.params_.values())
        layers = "" if self.num_layers == 1 else f"{self.num_layers} layers of "
        network = f"{self.cell.upper()} of {layers}{self.hidden_size} units"
        line = f"{network}, {len(self.vocabulary_)} symbols, {weights:,} weights, {self.n_steps_:,} steps"
        for name, key in (("training", "train_loss"), ("validation", "validation_loss")):
            losses = points_of(self.history_, key)
            line += f", {name} loss {losses[-1][1]:.3f} nats" if losses else ""
        return line

    def _learned_as_picture(self) -> str:
        """Return the curves of training as SVG; an empty string without records."""
        return loss_curve(*(points_of(self.history_, key) for key in ("train_loss", "validation_loss")))

    def __sklearn_tags__(self) -> Any:
        """Return scikit-learn's description of the estimator; only scikit-learn asks for it."""
        from sklearn.utils import InputTags, Tags, TargetTags, TransformerTags

        return Tags(
            estimator_type=None,
            target_tags=TargetTags(required=False),
            transformer_tags=TransformerTags(preserves_dtype=[]),  # the features have the model's
            input_tags=InputTags(two_d_array=False, string=True),
            non_deterministic=self.random_state is None,
        )

    def __getattr__(self, name: str) -> Any:
        """Raise NotFittedError for a missing attribute that training sets, AttributeError for any other."""
        learned = any(name in inspect.get_annotations(base) for base in type(self).__mro__)
        if learned or isinstance(getattr(type(self), name, None), property):
            raise NotFittedError.before(f"reading {name}", estimator=type(self).__name__, fit=self._fit_methods)
        message = f"{type(self).__name__!r} object has no attribute {name!r}"
        near = "" if name.startswith("_") else did_you_mean(name, self._public_names(), SYNONYMS)
        # Python adds a suggestion of its own where the error names the object.
        raise AttributeError(message + near, name=name, obj=None if near else self)

    @classmethod
    def _public_names(cls) -> list[str]:
        return [name for name in (*dir(cls), *cls._defaults()) if not name.startswith("_")]
