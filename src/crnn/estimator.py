"""Estimator: the conventions of scikit-learn that do not depend on the model."""

from __future__ import annotations

import inspect
from typing import Any, Self

from .errors import InvalidInputError, NotFittedError


class Estimator:
    """Parameters are what the constructor takes, stored as they are; what is learned has names that end in ``_``."""

    @classmethod
    def _defaults(cls) -> dict[str, Any]:
        """Return the constructor's parameters and their defaults, in order."""
        return {name: p.default for name, p in inspect.signature(cls).parameters.items()}

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the constructor's parameters by name.

        Parameters
        ----------
        deep : bool, default=True
            There for the convention; no parameter holds an estimator.

        Examples
        --------
        >>> from crnn import CharRNN
        >>> CharRNN(64).get_params()["hidden_size"]
        64
        """
        return {name: getattr(self, name) for name in self._defaults()}

    def set_params(self, **params: Any) -> Self:
        """Change parameters by name; they are checked when they are used.

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
                raise InvalidInputError(f"{type(self).__name__} has no parameter {name!r}; it has {', '.join(names)}")
        for name, value in params.items():
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        # What is shown is compared: a parameter may be anything, an array too, until it is checked.
        shown = {name: (repr(getattr(self, name)), repr(default)) for name, default in self._defaults().items()}
        changed = [f"{name}={value}" for name, (value, default) in shown.items() if value != default]
        return f"{type(self).__name__}({', '.join(changed)})"

    def __getattr__(self, name: str) -> Any:
        """Say of an attribute that training sets that the model is not fitted (called when it is not there)."""
        learned = any(name in inspect.get_annotations(base) for base in type(self).__mro__)
        if learned or isinstance(getattr(type(self), name, None), property):
            raise NotFittedError.before(f"reading {name}", estimator=type(self).__name__)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}", name=name, obj=self)
