"""Min-char-rnn as it was published, compiled: `classic.pyx` has the algorithm, `min_char_rnn.py` the class."""

from .min_char_rnn import MinCharRNN

__all__ = ["MinCharRNN"]
