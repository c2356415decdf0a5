"""Save what ``crnn train`` made and report it, for every kind of model."""

from __future__ import annotations

import time

from ...anomaly_detector import AnomalyDetector
from ...char_ngram import CharNGram
from ...char_rnn import CharRNN
from ...mixture import Mixture
from ..errors import ERROR, described, say
from ..files import STANDARD, save


def save_and_report(
    model: CharRNN | CharNGram | Mixture | AnomalyDetector,
    output: str,
    summary: str,
    *,
    start: float | None = None,
    report: bool,
    code: int = 0,
    what: str = "model",
) -> int:
    """Save a model, say where it is, and return the exit code.

    The summary ends with the seconds since `start`, by `time.perf_counter`. A message about a failure calls the model
    `what`.

    Examples
    --------
    >>> import os, tempfile
    >>> model = CharNGram(order=3).fit("to be or not to be")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_and_report(model, os.path.join(folder, "be.crnn"), "counts", report=False)
    0
    """
    where, failure = save(model, output)
    if failure:
        say(f"crnn: error: {described(failure)}. The {what} is saved in {where} instead.")
        return code or ERROR
    if report:
        seconds = "" if start is None else f" in {time.perf_counter() - start:.1f} s"
        say(f"crnn: saved {'to standard output' if where == STANDARD else where}: {summary}{seconds}")
    return code
