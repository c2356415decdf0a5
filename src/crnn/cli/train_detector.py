"""`crnn train --model detector`."""

from __future__ import annotations

import argparse
from typing import Any

from ..anomaly_detector import AnomalyDetector
from .detect import threshold_options
from .errors import Ending, say
from .files import (
    read_documents,
)
from .train_job import Job, Start, save_and_report


class DetectorJob(Job):
    """``--model detector``: a detector of the lines of a text."""

    options = ("contamination", "reduce", "mask", "seconds", "random_state", "verbose")

    def __init__(self, arguments: argparse.Namespace, start: Start, comm: Any) -> None:
        super().__init__(arguments, start, comm)
        self._detector = AnomalyDetector(
            **threshold_options(arguments),
            **({} if arguments.seconds is None else {"max_seconds": arguments.seconds}),
            random_state=getattr(arguments, "random_state", None),
            verbose=min(1, self._verbose),
        )
        self._lines = read_documents(arguments.file, as_bytes=arguments.bytes, errors=arguments.errors or "strict")

    def train(self) -> None:
        """Fit the detector to the lines."""
        self._detector.fit(self._lines)

    def save(self, ending: Ending) -> int:
        """Save the detector, unless it has no threshold yet."""
        if ending.code:
            say(f"crnn: {ending.reason}; there was nothing to save yet")
            return ending.code
        summary = f"a detector, in {ending.seconds:.1f} s"
        return save_and_report(self._detector, self._output, summary, ending, self._verbose)
