"""crnn: character-level recurrent language models, trained, sampled and scored on a CPU."""

from ._version import __version__
from .build_info import show_config
from .char_rnn import CharRNN
from .errors import DivergenceError, InvalidInputError, ModelFileError, NotFittedError
from .text.special import BOUNDARY, UNKNOWN

__all__ = [
    "BOUNDARY",
    "UNKNOWN",
    "CharRNN",
    "DivergenceError",
    "InvalidInputError",
    "ModelFileError",
    "NotFittedError",
    "__version__",
    "show_config",
]
