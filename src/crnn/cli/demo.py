"""The command ``crnn demo``: watch a model learn English, letter by letter, within seconds."""

from __future__ import annotations

import argparse
import math
import os
import shlex
import shutil
import sys
import textwrap
import time
from collections import Counter
from functools import partial
from typing import Any

from .. import _kernels
from ..char_rnn import CharRNN
from ..datasets import python_manual
from ..display.terminal import is_terminal, printable
from ..mixture import Mixture
from ..parameters.checks import checked_float
from ..runtime.build_info import processor_name
from ..runtime.machine import cores
from ..text.streams import symbols_for_epoch
from .errors import catch_ending, interruptible, uninterrupted
from .files import STANDARD_STREAM
from .options import value_type
from .output import name_output_errors, write
from .train import check_output
from .train_network import save_network

STAGES = (0.005, 0.1, 0.4, 1.0)  # shares of the time after which the network is tested: 0.1, 2, 8 and 20 seconds
PIECE_SECONDS = 0.2  # of training between two updates of the display
FIRST_STEPS = 20  # of the first piece, which measures the speed of this machine
HELD_OUT = 0.1  # the end of the text, on which the network is not trained
SAMPLE_LENGTH = 210
WIDTH = 76


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "--min-char-rnn",
        action="store_true",
        help="show min-char-rnn, the network of 2015: one layer of tanh units, instead of the best model for the time",
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="MODEL",
        default="crnn-demo.crnn",
        help="where to save the model (default: %(default)s)",
    )
    parser.add_argument(
        "--seconds",
        metavar="S",
        type=value_type(partial(checked_float, "seconds", above=0.0)),
        default=20.0,
        help="how long to train (default: %(default)g)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Show a model learn, save it, and suggest what to do next; return the exit code."""
    if arguments.output == STANDARD_STREAM:
        arguments.parser.error("argument -o/--output: the demo needs standard output for itself")
    check_output(arguments)
    model = network() if arguments.min_char_rnn else mixture(arguments.seconds)
    with interruptible():
        with catch_ending() as ending:
            if isinstance(model, Mixture):
                learn_mixture(model, arguments.seconds)
            else:
                learn(model, arguments.seconds)
        with uninterrupted():
            code = save_network(model, arguments.output, ending)
    if code != 0:
        return code
    what = "CharRNN" if arguments.min_char_rnn else "Mixture"
    crnn = _own_command()
    path = shlex.quote(arguments.output)
    write(f"""\
The model is saved in {arguments.output} ({os.path.getsize(arguments.output):,} bytes). What next?

  Let it write:               {crnn} sample {path} --length 500 --prime "The " --temperature 0.6
  See what it has learned:    {crnn} report {path} -o report.html
  See what is in the file:    {crnn} info {path}
  Train your own:             {crnn} train YOUR.txt -o your.crnn --time 3m

YOUR.txt is any UTF-8 text; a megabyte is a good start. In Python:

  from crnn import {what}
  print({what}.load({arguments.output!r}).sample(500, temperature=0.6))
""")
    return 0


def mixture(seconds: float) -> Mixture:
    """Return the unfitted model of the demo, the one of `crnn.train` for its text and time."""
    read, held_out = _split(python_manual())
    vocabulary = "".join(sorted(set(read) | set(held_out)))
    return Mixture.recommended(read, seconds, verbose=0, vocabulary=vocabulary, random_state=0)


def _split(text: str) -> tuple[str, str]:
    """Return the part of a text to read, and its held-out end."""
    split = round(len(text) * (1 - HELD_OUT))
    return text[:split], text[split:]


def learn_mixture(mixture: Mixture, seconds: float) -> None:
    """Fit an unfitted mixture to Python's manual, and show how its network learns, and at the end what both reach.

    What is measured on the held-out end of the manual is part of the time. On Ctrl-C, the mixture has the last
    complete update of its network.
    """
    from tqdm import tqdm

    start = time.perf_counter()
    whole = python_manual()
    read, held_out = _split(whole)
    (network,) = [model for model in mixture.models if isinstance(model, CharRNN)]
    kind = f"a {network.cell.upper()} of {network.hidden_size} units, and counts of n-grams"
    _say(_introduction("A model", whole, held_out, kind))
    characters = 0
    stages = [seconds * stage for stage in STAGES[:-1]]
    bar = tqdm(
        total=seconds,
        disable=not is_terminal(sys.stderr),
        leave=False,
        bar_format="{percentage:3.0f}%|{bar}| {n:.0f} of {total:.0f} seconds{postfix}",
    )

    def watch(network: CharRNN, record: dict[str, Any]) -> None:
        """Show the progress of the network, and report each stage that it has passed."""
        elapsed = time.perf_counter() - start
        bar.set_postfix_str(f"loss {network.smooth_loss_ / network.seq_length:.3f} nats", refresh=False)
        bar.update(min(elapsed, seconds) - bar.n)
        if stages and elapsed >= stages[0]:
            while stages and elapsed >= stages[0]:
                del stages[0]
            characters = network.n_steps_ * network.batch_size * network.seq_length
            _say(_report(network, held_out, elapsed, characters, "network"))

    network.set_params(eval_seconds=seconds * STAGES[0], callbacks=[watch])
    try:
        with bar:
            mixture.fit(read)
    finally:
        network.set_params(eval_seconds=None, callbacks=None)
        if mixture.__sklearn_is_fitted__():
            for model in mixture.models_:
                if isinstance(model, CharRNN):
                    model.set_params(eval_seconds=None, callbacks=None)
                    characters = model.n_steps_ * model.batch_size * model.seq_length
    _say(_report(mixture, held_out, time.perf_counter() - start, characters, "network and counts"))


def network() -> CharRNN:
    """Return the untrained network of ``--min-char-rnn``."""
    # With 8 streams, and a smaller learning rate than min-char-rnn, it converges within the time. The resets make it
    # write text from the zero state on every processor (docs/min_char_rnn.md).
    return CharRNN(hidden_size=160, seq_length=25, batch_size=8, learning_rate=0.03, state_reset=0.05, random_state=0)


def learn(model: CharRNN, seconds: float) -> None:
    """Train an untrained model on Python's manual for some seconds, not counting tests, and show its progress.

    The progress is measured on the held-out end of the manual. On Ctrl-C, the model has the last complete update.
    """
    from tqdm import tqdm

    whole = python_manual()
    model.set_params(max_steps=0).fit(whole)
    read, held_out = _split(whole)
    training = _TimedTraining(model, read)
    weights = sum(array.size for array in model.params_.values())
    kind = f"{model.hidden_size} tanh units, {weights:,} weights, initially near zero"
    _say(_introduction("A network", whole, held_out, kind))
    _say(_report(model, held_out, 0.0, 0))
    with tqdm(
        total=seconds,
        disable=not is_terminal(sys.stderr),
        leave=False,
        bar_format="{percentage:3.0f}%|{bar}| {n:.0f} of {total:.0f} seconds{postfix}",
    ) as bar:
        try:
            for stage in STAGES:
                while training.seconds < seconds * stage:
                    training.advance(seconds * stage - training.seconds)
                    bar.set_postfix_str(f"loss {model.smooth_loss_ / model.seq_length:.3f} nats", refresh=False)
                    bar.update(min(training.seconds, seconds) - bar.n)  # tqdm warns of more than 100 %
                _say(_report(model, held_out, training.seconds, training.characters))
        finally:
            model.set_params(max_steps=None)
    _say(f"{training.characters / training.seconds:,.0f} characters per second.\n")


class _TimedTraining:
    """Trains on consecutive pieces of a text, sized by the measured speed."""

    def __init__(self, model: CharRNN, text: str) -> None:
        self.model = model
        self.text = text
        self.seconds = 0.0
        self.characters = 0
        self._position = 0
        self._steps = FIRST_STEPS

    def advance(self, seconds_left: float) -> None:
        """Train on the next piece, for a fraction of a second and within the time left."""
        model = self.model
        T, B = model.seq_length, model.batch_size
        if self.seconds:
            steps_per_second = model.n_steps_ / self.seconds
            max_steps = len(self.text) // (2 * T * B)
            self._steps = min(max(1, round(steps_per_second * min(PIECE_SECONDS, seconds_left))), max_steps)
        length = symbols_for_epoch(self._steps, B, T)
        if self._position + length > len(self.text):
            self._position = 0
        piece = self.text[self._position : self._position + length]
        with model.editing():
            state: Any = model.state_
            state[...] = 0  # the streams start elsewhere in the text
        records = len(model.history_)
        n_steps = model.n_steps_
        start = time.perf_counter()
        model.set_params(max_steps=self._steps).partial_fit(piece)
        taken = (model.n_steps_ - n_steps) * T * B
        self.seconds += time.perf_counter() - start
        self.characters += taken
        self._position += taken
        last = model.history_[-1] | {"seconds": self.seconds, "epoch": self.characters / len(self.text)}
        model.history_[records:] = [last]


def _introduction(who: str, whole: str, held_out: str, kind: str) -> str:
    """Say what will be learned, on which machine, and which losses are worth comparing with."""
    V = len(set(whole))
    n = len(held_out)
    blind = math.log2(V)
    frequencies = -sum(k / n * math.log2(k / n) for k in Counter(held_out).values())
    name = who.split()[-1]
    return f"""\
{who} learns English, letter by letter, from Python's own documentation.

  text     {len(whole):,} characters, {V} distinct; the last {HELD_OUT:.0%} is held out
  {name:<7}  {kind}
  machine  {processor_name()}, {_kernels.instruction_set}, {cores()} cores

How well does it guess each next character of the held-out text?
In bits per character: {blind:.2f} is blind guessing, {frequencies:.2f} is knowing each character's
frequency, and anything lower is knowing how characters combine.
"""


def _report(model: CharRNN | Mixture, held_out: str, seconds: float, characters: int, what: str = "") -> str:
    """Return the loss as a number and a bar, followed by a sample; `what` names the model."""
    bits = model.bits_per_char(held_out, exact=False)
    bar = "#" * min(28, round(28 * bits / math.log2(len(model.vocabulary_))))  # Adagrad's first steps may do harm
    prime = "The "
    sample = model.sample(SAMPLE_LENGTH, prime=prime, temperature=0.6, random_state=1)
    words = " ".join(printable(prime + sample).split())
    margin = "  | "
    lines = textwrap.fill(words, WIDTH, initial_indent=margin, subsequent_indent=margin, break_on_hyphens=False)
    return (
        f"{seconds:5.1f} s  {characters:12,} characters read   {bits:.2f} bits  {bar}{what and '  '}{what}\n{lines}\n"
    )


def _say(message: str) -> None:
    """Print a line above the progress bar, if there is one."""
    from tqdm import tqdm

    # Above the progress bar, if any. Without tqdm's lock, since Ctrl-C while it is held would cause another error.
    with name_output_errors():
        tqdm.write(message, nolock=True)
        sys.stdout.flush()


def _own_command() -> str:
    """Return the command that started this program, for the user to type again."""
    program = sys.argv[0]
    if os.path.basename(program) == "__main__.py":
        python = "python" if shutil.which("python") == sys.executable else sys.executable
        return f"{shlex.quote(python)} -m crnn"
    on_path = shutil.which("crnn")
    if on_path and os.path.exists(program) and os.path.samefile(on_path, program):
        return "crnn"
    return shlex.quote(program)
