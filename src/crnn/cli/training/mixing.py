"""Mixtures on the command line: ``crnn train --model mixture``."""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from typing import Any

from ...char_ngram import CharNGram
from ...errors import DivergenceError
from ...inference.text_scores import source_ids
from ...mixture import Mixture, SharedTime, fit_weights_to_ids, split_held_out
from ...text.sources import TextLike
from ..errors import ERROR, interruptible, interruption, say, uninterrupted
from .saving import save_and_report


def mix_and_save(
    arguments: argparse.Namespace, given: Mapping[str, Any], text: TextLike, validation: TextLike | None
) -> int:
    """Fit counts and a network within the time, save and report their mixture, and return the exit code.

    If the network is interrupted or diverges, the mixture has its last good weights. The weights are fitted to
    `validation`, or to a small part of a long text.
    """
    start, shared, verbose = time.perf_counter(), SharedTime(arguments.seconds), given["verbose"]
    names = CharNGram().get_params()
    of_counts = {name: value for name, value in vars(arguments).items() if name in names}
    chosen = {name: value for name, value in given.items() if name not in ("max_seconds", "verbose")}
    code, reason = 0, ""
    with interruptible():
        try:
            text, source = split_held_out(text, validation)
            counts = shared.count(text, **of_counts | {"verbose": verbose})
        except KeyboardInterrupt as error:
            say(f"crnn: {interruption(error).reason}; there was nothing to save yet")
            return interruption(error).code
        held_out = None if source is None else source_ids(source, counts.vocabulary_)
        network = shared.network(text, verbose=verbose, **chosen).set_params(verbose=verbose)
        try:
            network.fit(text)
        except KeyboardInterrupt as error:
            code, reason = interruption(error).code, interruption(error).reason
        except DivergenceError as error:
            code, reason = ERROR, f"error: {error}"
        with uninterrupted():
            if not hasattr(network, "vocabulary_"):
                say(f"crnn: {reason}; there was nothing to save yet")
                return code
            if code:
                say(f"crnn: {reason}; saving the mixture with the network after step {network.n_steps_:,}")
            network.verbose = counts.verbose = 0  # this command's display setting is not to be saved
            mixture = Mixture([network, counts])
            if held_out is not None and not code:
                fit_weights_to_ids(mixture, *held_out, sum_to_one=validation is None)
            weights = ", ".join(f"{weight:.2f}" for weight in mixture.weights_)
            members = f"a network after {network.n_steps_:,} steps and {sum(counts.n_grams_):,} n-grams"
            summary, report = f"{members}, weights {weights},", bool(code or verbose)
            return save_and_report(mixture, arguments.output, summary, start=start, report=report, code=code)
