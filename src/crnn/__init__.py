"""crnn: character-level recurrent language models, trained, sampled and scored on a CPU."""

from ._version import __version__
from .build_info import show_config
from .char_rnn import CharRNN
from .errors import DivergenceError, InvalidInputError, ModelFileError, NotFittedError
from .text.lines import Lines
from .text.special import BOUNDARY, UNKNOWN
from .text.text_file import TextFile

__all__ = [
    "BOUNDARY",
    "UNKNOWN",
    "CharRNN",
    "DivergenceError",
    "InvalidInputError",
    "Lines",
    "ModelFileError",
    "NotFittedError",
    "TextFile",
    "__version__",
    "show_config",
]
