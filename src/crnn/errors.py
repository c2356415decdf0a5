"""The exceptions that crnn raises deliberately; each is also the built-in error a caller would expect."""

from __future__ import annotations

import math
from typing import Self

LONGEST_REPR = 200  # maximum characters of a value in an error message


class InvalidInputError(ValueError, TypeError):
    """An argument or text is invalid; the message names it, its position and the remedy.

    Parameters
    ----------
    message : str
    argument : str or None, default=None
        The name of an invalid text or collection of texts, at the beginning of the message. None: another argument.
    index : int or None, default=None
        The index of the invalid text in the collection; the message begins with ``argument[index]``. Both are
        attributes.

    Examples
    --------
    >>> from crnn import InvalidInputError
    >>> error = InvalidInputError("X is empty", argument="X")
    >>> error.argument, error.index
    ('X', None)
    """

    def __init__(self, message: str = "", *, argument: str | None = None, index: int | None = None) -> None:
        super().__init__(message)
        self.argument = argument
        self.index = index


class ModelFileError(ValueError):
    """A model file is damaged, is not a model file, or was written in a newer format.

    Parameters
    ----------
    message : str
        What is wrong with the file, an attribute.
    remedy : str, default=""
        What to do, at the end of the error's text, an attribute; empty if unknown.

    Examples
    --------
    >>> from crnn import ModelFileError
    >>> print(ModelFileError("it has format version 2", remedy="upgrade crnn"))
    it has format version 2; upgrade crnn
    """

    def __init__(self, message: str = "", *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message}; {self.remedy}" if self.remedy else self.message


class NotFittedError(ValueError, AttributeError):
    """An operation needs weights, but the model has none yet.

    It is also an `AttributeError`, so that `hasattr` returns False for a learned attribute before `fit`.

    Examples
    --------
    >>> from crnn import NotFittedError
    >>> issubclass(NotFittedError, ValueError) and issubclass(NotFittedError, AttributeError)
    True
    """

    @classmethod
    def before(cls, what: str, *, estimator: str = "CharRNN", fit: str = "fit or partial_fit") -> Self:
        """Return the error for a requested method or learned attribute `what`; `fit` names the methods that fit."""
        return cls(f"this {estimator} is not fitted yet. Call {fit}, or load a model, before {what}.")


class DivergenceError(ArithmeticError):
    """Training reached a non-finite loss, or ruined the model; the model returns to its last good snapshot.

    Adaptation raises it, too; the original model is then unchanged. The parameters are attributes.

    Parameters
    ----------
    step : int
        The training step after which the error was found, counted like `n_steps_`.
    last_loss : float
        The last finite loss before it, in nats per chunk (summed over time, mean over streams); NaN if missing. For
        a ruined model, the mean loss of the last 100 or more steps.
    kind : {"loss", "weights", "ruin", "adaptation"}, default="loss"
        What went wrong. "loss": the loss of `step` is not finite. "weights": the loss is finite, but weights or the
        optimizer state are not. "ruin": all are finite, but at the end of training, the mean loss is more than 10 times
        that of a uniform guess. "adaptation": the loss of block `step`, or the weights after it, are not finite.

    Examples
    --------
    >>> from crnn import DivergenceError
    >>> error = DivergenceError(step=1201, last_loss=48.25)
    >>> print(error)
    the loss of step 1201 is not finite (last finite loss: 48.25 nats per chunk). Lower learning_rate or clip.
    """

    def __init__(self, step: int, last_loss: float, kind: str = "loss") -> None:
        # The values are the arguments, and the message is derived from them, since pickle and copy rebuild an exception
        # from its `args`.
        super().__init__(step, last_loss, kind)
        self.step = step
        self.last_loss = last_loss
        self.kind = kind

    def __str__(self) -> str:
        if self.kind == "ruin":
            return (
                f"the mean loss before step {self.step} is {self.last_loss:.6g} nats per chunk, more than 10 times "
                f"that of a uniform guess. Lower learning_rate or clip."
            )
        if self.kind == "adaptation":
            return (
                f"the loss of block {self.step}, or the weights after it, are not finite. Lower the "
                "learning_rate of adapt"
            )
        if math.isfinite(self.last_loss):
            before = f"last finite loss: {self.last_loss:.6g} nats per chunk"
        else:
            before = "there was no finite loss before it"
        what = "loss of" if self.kind == "loss" else "weights after"
        is_not = "is not" if self.kind == "loss" else "are not"
        return f"the {what} step {self.step} {is_not} finite ({before}). Lower learning_rate or clip."


def short_repr(value: object) -> str:
    """Return a value's repr for an error message, truncated if long."""
    text = repr(value)
    return text if len(text) <= LONGEST_REPR else f"{text[:LONGEST_REPR]}..."
