"""Demo: watch a network learn English, letter by letter, in a few seconds."""

from __future__ import annotations

import math
import sys
import textwrap
import time
from collections import Counter
from typing import Any

import numpy as np

from .. import _kernels
from ..build_info import processor_name
from ..char_rnn import CharRNN
from ..errors import InvalidInputError
from ..threads import cores
from ..training.progress import is_terminal, printable

__all__ = ["learn", "network", "text"]

STAGES = (0.005, 0.1, 0.4, 1.0)  # parts of the time after which the network is tried out: 0.1, 2, 8 and 20 seconds
PIECE_SECONDS = 0.2  # of training between two looks at the clock
FIRST_STEPS = 20  # of the first piece, which shows how fast this machine is
HELD_OUT = 0.1  # part of the text, its end, that the network never reads
SAMPLE_LENGTH = 210
WIDTH = 76


def network() -> CharRNN:
    """Return the untrained model of the demo.

    Streams make it see many places of the text at once, and a smaller learning rate than min-char-rnn's lets it settle
    within the time.

    Examples
    --------
    >>> network().hidden_size
    160
    """
    return CharRNN(hidden_size=160, seq_length=25, batch_size=8, learning_rate=0.03, random_state=0)


def text() -> str:
    """Return the English that every CPython carries: the language reference, as ``help()`` shows it.

    Raises
    ------
    InvalidInputError
        If this Python comes without it.

    Examples
    --------
    >>> len(text()) > 400_000
    True
    """
    try:
        from pydoc_data.topics import topics
    except ImportError as error:
        raise InvalidInputError(
            "this Python comes without pydoc_data.topics, the text of the demo; "
            "take one of your own: crnn train FILE -o MODEL"
        ) from error
    return "\n\n".join(topics.values())


def learn(model: CharRNN, seconds: float) -> None:
    """Train a model on `text` and tell on standard output how it gets better.

    The loss that is told is that of the text's last tenth, which the model does not read.

    Parameters
    ----------
    model : CharRNN
        An untrained one, as `network` returns it.
    seconds : float
        Of training; looking at the results comes on top.

    Raises
    ------
    KeyboardInterrupt
        Ctrl-C: the model then holds the last complete update.

    Examples
    --------
    >>> model = network()
    >>> learn(model, seconds=0.1)  # doctest: +ELLIPSIS
    A network learns English, ...
    >>> model.n_steps_ >= FIRST_STEPS
    True
    """
    from tqdm import tqdm

    whole = text()
    split = round(len(whole) * (1 - HELD_OUT))
    model.set_params(max_steps=0).fit(whole)
    read, held_out = whole[:split], whole[split:]
    lesson = _Lesson(model, read)
    _say(_introduction(model, whole, held_out))
    _say(_report(model, held_out, 0.0, 0))
    with tqdm(
        total=seconds,
        disable=not is_terminal(sys.stderr),
        leave=False,
        bar_format="{percentage:3.0f}%|{bar}| {n:.0f} of {total:.0f} seconds{postfix}",
    ) as bar:
        try:
            for stage in STAGES:
                while lesson.seconds < seconds * stage:
                    lesson.read_on(seconds * stage - lesson.seconds)
                    bar.set_postfix_str(f"loss {model.smooth_loss_ / model.seq_length:.3f} nats", refresh=False)
                    bar.update(lesson.seconds - bar.n)
                _say(_report(model, held_out, lesson.seconds, lesson.characters))
        finally:
            model.set_params(max_steps=None)
    _say(f"{lesson.characters / lesson.seconds:,.0f} characters a second.\n")


class _Lesson:
    """Training piece by piece, each as long as the machine's speed so far allows."""

    def __init__(self, model: CharRNN, text: str) -> None:
        self.model, self.text = model, text
        self.seconds, self.characters = 0.0, 0
        self._position, self._steps = 0, FIRST_STEPS

    def read_on(self, seconds_left: float) -> None:
        model = self.model
        T, B = model.seq_length, model.batch_size
        if self.seconds:
            steps_per_second = model.n_steps_ / self.seconds
            most = len(self.text) // (2 * T * B)
            self._steps = min(max(1, round(steps_per_second * min(PIECE_SECONDS, seconds_left))), most)
        # Each stream of a piece needs one symbol to predict at its end, and one more to be no full sweep.
        length = self._steps * T * B + 2 * B
        if self._position + length > len(self.text):
            self._position = 0
        piece = self.text[self._position : self._position + length]
        # The pieces of the streams are new, and a sample starts from zero as well.
        model.state_ = np.zeros_like(model.state_)
        records, n_steps, start = len(model.history_), model.n_steps_, time.perf_counter()
        model.set_params(max_steps=self._steps).partial_fit(piece)
        taken = (model.n_steps_ - n_steps) * T * B
        self.seconds += time.perf_counter() - start
        self.characters += taken
        self._position += taken
        last = model.history_[-1] | {"seconds": self.seconds, "epoch": self.characters / len(self.text)}
        model.history_[records:] = [last]


def _introduction(model: CharRNN, whole: str, held_out: str) -> str:
    V, n = len(model.vocabulary_), len(held_out)
    blind = math.log2(V)
    frequencies = -sum(k / n * math.log2(k / n) for k in Counter(held_out).values())
    weights = sum(array.size for array in model.params_.values())
    return f"""\
A network learns English, letter by letter, from Python's own documentation.

  text     {len(whole):,} characters, {V} different ones; the last {HELD_OUT:.0%} is the test
  network  {model.hidden_size} tanh units, {weights:,} weights, nearly zero at first
  machine  {processor_name()}, {_kernels.instruction_set}, {cores()} cores

How well does it guess each next character of the test, which it never reads?
In bits per character, {blind:.2f} is guessing blindly, {frequencies:.2f} is knowing how
frequent each character is, and less than that is knowing how they go together.
"""


def _report(model: CharRNN, held_out: str, seconds: float, characters: int) -> str:
    """Return the loss as a number and a bar, and a sample below it."""
    bits = model.bits_per_char(held_out, exact=False)
    bar = "#" * round(28 * bits / math.log2(len(model.vocabulary_)))
    prime = "The "
    sample: Any = model.sample(SAMPLE_LENGTH, prime=prime, temperature=0.6, random_state=1)
    words = " ".join(printable(prime + sample).split())
    margin = "  | "
    lines = textwrap.fill(
        words, WIDTH, initial_indent=margin, subsequent_indent=margin, break_on_hyphens=False
    )
    return f"{seconds:5.1f} s  {characters:12,} characters read   {bits:.2f} bits  {bar}\n{lines}\n"


def _say(message: str) -> None:
    from tqdm import tqdm

    tqdm.write(message)  # above the bar, where there is one
    sys.stdout.flush()
