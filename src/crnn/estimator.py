"""Estimator: the conventions of scikit-learn that do not depend on the model."""

from __future__ import annotations

import inspect
from typing import Any, Self

from .errors import InvalidInputError, NotFittedError, any_repr, short_repr
from .parameters.suggestion import did_you_mean
from .training.progress.notebook_summary import summary_html

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
            Whether to return also the parameters of estimators that are parameters, such as ``estimator__hidden_size``.

        Examples
        --------
        >>> from crnn import CharRNN
        >>> CharRNN(64).get_params()["hidden_size"]
        64
        """
        params = {name: getattr(self, name) for name in self._defaults()}
        inner = {name: value for name, value in params.items() if isinstance(value, Estimator)} if deep else {}
        for name, estimator in inner.items():
            params |= {f"{name}__{key}": value for key, value in estimator.get_params().items()}
        return params

    def set_params(self, **params: Any) -> Self:
        """Change parameters by name; `fit` checks their values.

        Parameters
        ----------
        **params
            Names of the constructor's parameters, and their new values; ``estimator__hidden_size`` names the parameter
            ``hidden_size`` of the parameter ``estimator``.

        Raises
        ------
        ValueError
            If there is no such parameter; nothing is changed then.

        Examples
        --------
        >>> from crnn import CharRNN
        >>> CharRNN().set_params(hidden_size=64)
        CharRNN(hidden_size=64)
        """
        for name in params:
            self._require_parameter(name, params)
        inner = dict[str, dict[str, Any]]()
        for name, value in params.items():
            outer, separator, key = name.partition("__")
            if separator:
                inner.setdefault(outer, {})[key] = value
            else:
                setattr(self, name, value)
        for outer, of_inner in inner.items():
            getattr(self, outer).set_params(**of_inner)
        return self

    def _require_parameter(self, name: str, params: dict[str, Any]) -> None:
        """Raise InvalidInputError unless there is a parameter of this name once `params` are set."""
        outer, separator, key = name.partition("__")
        names = self._defaults()
        if outer not in names:
            known = f"it has {', '.join(names)}{did_you_mean(outer, names)}"
            raise InvalidInputError(f"{type(self).__name__} has no parameter {outer!r}; {known}")
        if separator:
            estimator = params.get(outer, getattr(self, outer))
            if not isinstance(estimator, Estimator):
                shown = short_repr(estimator)
                raise InvalidInputError(f"{outer} is {shown}, which has no parameters: set it to an estimator")
            estimator._require_parameter(key, {})

    def __repr__(self) -> str:
        # Texts are compared, not values: an unchecked parameter may be anything, even an array.
        shown = {name: (any_repr(getattr(self, name)), any_repr(default)) for name, default in self._defaults().items()}
        changed = [f"{name}={value}" for name, (value, default) in shown.items() if value != default]
        return f"{type(self).__name__}({', '.join(changed)})"

    def __sklearn_is_fitted__(self) -> bool:
        """Say whether the model has learned something; ``sklearn.utils.validation.check_is_fitted`` asks."""
        return hasattr(self, "vocabulary_")

    def _repr_html_(self) -> str:
        """Return what a notebook shows: what the estimator has learned, its curves of training, its parameters."""
        fitted = self.__sklearn_is_fitted__()
        words, picture = (self._in_words(), self._as_picture()) if fitted else ("not fitted yet", "")
        parameters = self.get_params(deep=False)
        return summary_html(type(self).__name__, parameters, self._defaults(), words=words, picture=picture)

    def _in_words(self) -> str:
        """Return in a line what a fitted estimator is."""
        return "fitted"

    def _as_picture(self) -> str:
        """Return the curves of training as SVG; an empty string without any."""
        return ""

    def __sklearn_tags__(self) -> Any:
        """Return scikit-learn's description of the estimator; only scikit-learn asks for it."""
        from sklearn.utils import InputTags, Tags, TargetTags, TransformerTags

        return Tags(
            estimator_type=None,
            target_tags=TargetTags(required=False),
            # The features have the model's dtype.
            transformer_tags=TransformerTags(preserves_dtype=[]) if hasattr(self, "transform") else None,
            input_tags=InputTags(two_d_array=False, string=True),
            non_deterministic=self.get_params(deep=False).get("random_state", 0) is None,
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
