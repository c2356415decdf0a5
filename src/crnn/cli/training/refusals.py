"""Refuse options of ``crnn train`` that a kind of model does not use."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping

from ..options import option_of
from .checkpoints import CHECKPOINT_TIME, checkpoint_every


def refuse_unused(
    arguments: argparse.Namespace, kind: str, options: Mapping[str, str], parameters: Iterable[str] = ()
) -> None:
    """Stop if an option is given that this kind of model (``--model``) does not use, or a parameter, which is in the
    namespace only if given.
    """
    for name, option in options.items():
        if getattr(arguments, name):
            arguments.parser.error(f"argument {option}: not allowed with --model {kind}")
    if arguments.checkpoint_every not in (None, checkpoint_every(CHECKPOINT_TIME)):
        arguments.parser.error(f"argument --checkpoint-every: not allowed with --model {kind}")
    for name in parameters:
        if hasattr(arguments, name):
            arguments.parser.error(f"argument {option_of(name)}: not allowed with --model {kind}")


def refuse_foreign(arguments: argparse.Namespace, kind: str, given: Iterable[str]) -> None:
    """Stop if any of the given parameters, which only this kind of model has, is set for another kind."""
    for name in given:
        arguments.parser.error(f"argument {option_of(name)}: needs --model {kind}")
