"""crnn: character-level recurrent language models, trained, sampled and scored on a CPU."""

from __future__ import annotations

import importlib

from ._version import __version__

TYPE_CHECKING = False  # importing it from typing takes milliseconds
if TYPE_CHECKING:
    from typing import Any

    from .anomaly_detector import AnomalyDetector
    from .char_ngram import CharNGram
    from .char_rnn import CharRNN
    from .errors import DivergenceError, InvalidInputError, ModelFileError, NotFittedError
    from .loading import load_model
    from .mixture import Mixture, train
    from .restoring.learned_confusions import learn_confusions
    from .runtime.build_info import show_config
    from .tables import dirty_cells
    from .text.copies import longest_copies
    from .text.lines import Lines
    from .text.text_files import TextFile
    from .text.vocabulary import BOUNDARY, UNKNOWN
    from .text_classifier import TextClassifier

__all__ = [
    "BOUNDARY",
    "UNKNOWN",
    "AnomalyDetector",
    "CharNGram",
    "CharRNN",
    "DivergenceError",
    "InvalidInputError",
    "Lines",
    "Mixture",
    "ModelFileError",
    "NotFittedError",
    "TextClassifier",
    "TextFile",
    "__version__",
    "dirty_cells",
    "learn_confusions",
    "load_model",
    "longest_copies",
    "show_config",
    "train",
]

# Names are imported on first use, so that `import crnn` is fast.
_HOMES = {
    "BOUNDARY": "text.vocabulary",
    "UNKNOWN": "text.vocabulary",
    "AnomalyDetector": "anomaly_detector",
    "CharNGram": "char_ngram",
    "CharRNN": "char_rnn",
    "DivergenceError": "errors",
    "InvalidInputError": "errors",
    "Lines": "text.lines",
    "Mixture": "mixture",
    "ModelFileError": "errors",
    "NotFittedError": "errors",
    "TextClassifier": "text_classifier",
    "TextFile": "text.text_files",
    "dirty_cells": "tables",
    "learn_confusions": "restoring.learned_confusions",
    "load_model": "loading",
    "longest_copies": "text.copies",
    "show_config": "runtime.build_info",
    "train": "mixture",
}


def __getattr__(name: str) -> Any:
    """Import a public name or a module of the package."""
    if name in _HOMES:
        value = getattr(_imported(_HOMES[name]), name)
        globals()[name] = value  # later uses bypass this function
        return value
    module = f"{__name__}.{name}"
    if not name.startswith("_"):
        try:
            return _imported(name)
        except ModuleNotFoundError as error:
            if error.name != module:
                raise
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _imported(name: str) -> Any:
    from .runtime.signals import signals_deferred

    with signals_deferred():
        return importlib.import_module(f"{__name__}.{name}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
