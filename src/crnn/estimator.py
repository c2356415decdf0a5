"""Estimator: scikit-learn's conventions, and the model file, independent of the model."""

from __future__ import annotations

import inspect
from typing import Any, BinaryIO, Self

from .display.summary import summary_html
from .errors import InvalidInputError, NotFittedError, short_repr
from .files.sealed_file import write_path
from .parameters.checks import FilePath, checked_bool, did_you_mean

# Names in other libraries for what has a different name here.
SYNONYMS = {
    "encode": "vocabulary_",
    "evaluate": "score",
    "generate": "sample",
    "log_prob": "score_samples",
    "predict": "next_proba",
    "predict_proba": "next_proba",
    "train": "fit",
    "write": "sample",
}


class Estimator:
    """An object whose constructor stores its parameters unchanged; learned attributes have names ending in ``_``."""

    _fit_methods = "fit or partial_fit"  # for the message of an unfitted estimator

    @classmethod
    def _defaults(cls) -> dict[str, Any]:
        """Return the constructor's parameters and defaults, in order."""
        return {name: p.default for name, p in inspect.signature(cls).parameters.items()}

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the constructor's parameters by name.

        Parameters
        ----------
        deep : bool, default=True
            Whether to include the parameters of estimators that are parameters, such as ``estimator__hidden_size``.

        Examples
        --------
        >>> from crnn import CharRNN
        >>> CharRNN(64).get_params()["hidden_size"]
        64
        """
        params = {name: getattr(self, name) for name in self._defaults()}
        nested = checked_bool("deep", deep)
        inner = {name: value for name, value in params.items() if isinstance(value, Estimator)} if nested else {}
        for name, estimator in inner.items():
            params |= {f"{name}__{key}": value for key, value in estimator.get_params().items()}
        return params

    def set_params(self, **params: Any) -> Self:
        """Change parameters by name; `fit` checks their values.

        An unknown name raises a ValueError, and nothing is changed.

        Parameters
        ----------
        **params
            Names of the constructor's parameters, and their new values; ``estimator__hidden_size`` means the parameter
            ``hidden_size`` of the parameter ``estimator``.

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
        """Raise InvalidInputError unless a parameter of this name exists once `params` are set."""
        outer, separator, key = name.partition("__")
        names = self._defaults()
        if outer not in names:
            parameters = f"Its parameters are {', '.join(names)}{did_you_mean(outer, names)}"
            raise InvalidInputError(f"{type(self).__name__} has no parameter {outer!r}. {parameters}")
        if separator:
            estimator = params.get(outer, getattr(self, outer))
            if not isinstance(estimator, Estimator):
                shown = short_repr(estimator)
                raise InvalidInputError(f"{outer} is {shown}, which has no parameters. Set it to an estimator first.")
            estimator._require_parameter(key, {})

    def save(self, path: FilePath | BinaryIO) -> None:
        """Write the model to a file that `load` reads.

        The file is written to a temporary file and renamed when complete, so that an existing file is never half
        overwritten. The format is safetensors; see ``docs/design.md``. The file of a `Mixture` or `TextClassifier`
        contains its models' files. The file of an `AnomalyDetector` is its model's file, with the threshold in the
        header: it loads as the model alone, too, such as by `CharRNN.load`.

        The file of a `CharNGram` with an order above 10 contains the training text, unless it was fitted with labels
        or weights, and so does the file of a `Mixture` with such counts; ``crnn info`` tells. The counts of
        `AnomalyDetector.fit` do not contain it, whatever their order, but `keep_texts` keeps some of the texts, and
        `calibrate` the text of its counts.

        Parameters
        ----------
        path : str, bytes, os.PathLike or binary file
            The path of the new file, or a file opened for writing, such as `io.BytesIO`.

        Raises
        ------
        NotFittedError, ModelFileError, OSError
            If the model is not fitted, or the detector not calibrated, weights are not finite, or the file cannot be
            written. An existing file is then unchanged.
        ValueError
            If a parameter is invalid, or a `Mixture` or `AnomalyDetector` contains a model that has no file, or models
            that no longer fit together because one was fitted again. An existing file is then unchanged.

        Examples
        --------
        >>> import tempfile
        >>> from crnn import CharNGram
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     CharNGram(order=5).fit("hello world, " * 20).save(f"{folder}/hello.crnn")
        """
        write_path(path, self._file_parts)

    @classmethod
    def load(cls, path: FilePath | BinaryIO) -> Self:
        """Read a model from a file; `load_model` reads a model of any class.

        A loaded detector's parameter `estimator` is None if it was None before, and otherwise the fitted model. Its
        `random_state` is the saved detector's if that was a whole number, and otherwise None.

        Parameters
        ----------
        path : str, bytes, os.PathLike or binary file
            A file written by `save` of the same class, or bytes read from one in an `io.BytesIO`.

        Raises
        ------
        ModelFileError
            If the file is damaged, contains another kind of model, or has a newer format.
        OSError
            If the file cannot be read.

        Examples
        --------
        >>> import io
        >>> from crnn import CharNGram
        >>> file = io.BytesIO()
        >>> CharNGram(order=5).fit("abc" * 100).save(file)
        >>> CharNGram.load(io.BytesIO(file.getvalue()))
        CharNGram(order=5)
        """
        return cls._from_file(path)

    def _file_content(self) -> bytes:
        """Return the bytes of the model's file, after checking what goes into it."""
        raise InvalidInputError(f"{type(self).__name__} cannot be saved. Use pickle.")

    def _file_parts(self) -> list[memoryview]:
        """Return the bytes of `_file_content` in parts, which a file of models need not copy."""
        return [memoryview(self._file_content())]

    @classmethod
    def _from_file(cls, path: FilePath | BinaryIO) -> Self:
        """Read a model of this class from a file, for `load`."""
        raise InvalidInputError(f"{cls.__name__} cannot be loaded. Use pickle.")

    def _with_attributes(self, **attributes: Any) -> Self:
        """Return an estimator with the same attributes except these."""
        model = object.__new__(type(self))
        vars(model).update(vars(self) | attributes)
        return model

    def __repr__(self) -> str:
        # Compare reprs, not values: an unchecked parameter may be anything, even an array.
        shown = {name: (repr(getattr(self, name)), repr(default)) for name, default in self._defaults().items()}
        changed = [f"{name}={value}" for name, (value, default) in shown.items() if value != default]
        return f"{type(self).__name__}({', '.join(changed)})"

    def __sklearn_is_fitted__(self) -> bool:
        """Return whether the model is fitted, for ``sklearn.utils.validation.check_is_fitted``."""
        return hasattr(self, "vocabulary_")

    def _repr_html_(self) -> str:
        """Return the notebook's view: what the estimator has learned, its training curves, its parameters."""
        fitted = self.__sklearn_is_fitted__()
        summary, curves = (self._summary_line(), self._curves_svg()) if fitted else ("not fitted yet", "")
        parameters = self.get_params(deep=False)
        return summary_html(type(self).__name__, parameters, self._defaults(), words=summary, picture=curves)

    def _summary_line(self) -> str:
        """Return a one-line description of the fitted estimator."""
        return "fitted"

    def _curves_svg(self) -> str:
        """Return the training curves, or an empty string."""
        return ""

    def __sklearn_tags__(self) -> Any:
        """Return scikit-learn's description of the estimator; only scikit-learn calls this."""
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
        """Raise NotFittedError for an attribute set by training, AttributeError for any other."""
        learned = any(name in inspect.get_annotations(base) for base in type(self).__mro__)
        if learned or isinstance(getattr(type(self), name, None), property):
            raise NotFittedError.before(f"reading {name}", estimator=type(self).__name__, fit=self._fit_methods)
        message = f"{type(self).__name__!r} object has no attribute {name!r}"
        public = self._public_names()
        synonyms = {word: known for word, known in SYNONYMS.items() if known in public}
        near = "" if name.startswith("_") else did_you_mean(name, public, synonyms)
        # Python adds its own suggestion if the error names the object.
        raise AttributeError(message + near, name=name, obj=None if near else self)

    @classmethod
    def _public_names(cls) -> list[str]:
        return [name for name in (*dir(cls), *cls._defaults()) if not name.startswith("_")]
