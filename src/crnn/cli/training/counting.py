"""Counts on the command line: ``crnn train --model ngram``, and more text for a model of counts."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence

from ...char_ngram import CharNGram
from ...char_rnn import CharRNN
from ...errors import InvalidInputError
from ...ngram.counts import checked_ngram_parameter
from ...text.sources import TextLike
from ..errors import interruptible, interruption, say, uninterrupted
from ..options import add_options, documented
from .saving import save_and_report

OWN = ("order", "max_memory")  # parameters that a network lacks


def add_ngram_options(parser: argparse.ArgumentParser) -> None:
    """Add the options for counts only."""
    options = documented(CharNGram)
    group = parser.add_argument_group("n-grams", "with --model ngram, which also accepts --min-count and --n-threads")
    add_options(group, {name: options[name] for name in OWN}, checked_ngram_parameter)


def counts_of(arguments: argparse.Namespace, origin: CharRNN | CharNGram | None, verbose: int) -> CharNGram:
    """Return the unread model of counts that the options describe, or the one that ``--from`` continues."""
    if isinstance(origin, CharRNN):
        raise InvalidInputError(f"{arguments.origin} contains a CharRNN. Omit --model ngram to continue with it.")
    own = CharNGram().get_params()
    given = {"verbose": verbose} | {name: value for name, value in vars(arguments).items() if name in own}
    return CharNGram(**given) if origin is None else origin.set_params(**given)


def count_and_save(
    arguments: argparse.Namespace, model: CharNGram, text: TextLike, labels: Sequence[str] | None = None
) -> int:
    """Count the n-grams of a text or of labeled lines, save and report the model, and return the exit code."""
    start, verbose = time.perf_counter(), model.verbose
    with interruptible():
        try:
            model.partial_fit(text, labels=labels)
        except KeyboardInterrupt as error:
            say(f"crnn: {interruption(error).reason}; nothing is saved, because the text was counted only in part")
            return interruption(error).code
        with uninterrupted():
            model.verbose = 0  # this command's display setting is not a parameter of the saved model
            n_grams = f"{sum(model.n_grams_):,} n-grams of up to {model.order_} {model.vocabulary_.kind}"
            return save_and_report(model, arguments.output, n_grams, start=start, report=bool(verbose))
