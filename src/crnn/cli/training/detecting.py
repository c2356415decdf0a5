"""A detector on the command line: ``crnn train --model detector``."""

from __future__ import annotations

import argparse
import time
from functools import partial
from typing import Any

from ...anomaly_detector import AnomalyDetector
from ...parameters.checks import checked_float
from ..detect import add_threshold_options, threshold_options
from ..errors import interruptible, interruption, say, uninterrupted, warnings_said
from ..files import read_documents
from ..options import checked
from .saving import save_and_report


def add_detector_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that only detectors have."""
    title, text = "detector", "with --model detector, which learns the lines of FILE for crnn detect"
    group = parser.add_argument_group(title, text)
    add_threshold_options(group)
    group.add_argument(
        "--calibration-fraction",
        metavar="FRACTION",
        type=checked(partial(checked_float, "calibration_fraction", above=0.0, below=1.0)),
        help="the fraction of the lines held out of training to set the threshold (default: 0.1)",
    )


def _given(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the given parameters that only detectors have."""
    fraction = arguments.calibration_fraction
    return threshold_options(arguments) | ({} if fraction is None else {"calibration_fraction": fraction})


def detect_and_save(arguments: argparse.Namespace, verbose: int) -> int:
    """Fit a detector to the lines of a text, save it and report it; return the exit code."""
    start, verbose = time.perf_counter(), getattr(arguments, "verbose", verbose)
    detector = AnomalyDetector(
        **_given(arguments),
        **({} if arguments.seconds is None else {"max_seconds": arguments.seconds}),
        random_state=getattr(arguments, "random_state", None),
        verbose=min(1, verbose),
    )
    lines = read_documents(arguments.file, as_bytes=arguments.bytes, errors=arguments.errors or "strict")
    with interruptible():
        try:
            with warnings_said():
                detector.fit(lines)
        except KeyboardInterrupt as error:
            say(f"crnn: {interruption(error).reason}; there was nothing to save yet")
            return interruption(error).code
        with uninterrupted():
            detector.verbose = 0  # this command's display is not a parameter of the saved detector
            return save_and_report(
                detector, arguments.output, "a detector,", start=start, report=bool(verbose), what="detector"
            )
