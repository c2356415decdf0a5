"""Progress on the terminal: a bar, and now and then a sample, as min-char-rnn shows."""

from __future__ import annotations

import math
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from .char_rnn import CharRNN

SAMPLE_SECONDS = 5.0  # between two samples
SAMPLE_LENGTH = 200


class Progress:
    """A tqdm bar over training steps on standard error: loss, bits per character, characters per second, time left.

    Parameters
    ----------
    model : CharRNN
        What is shown; it is read, never changed.
    n_steps : int
        Steps of this call.
    chars_per_step : int
        T * B.
    """

    def __init__(self, model: CharRNN, n_steps: int, chars_per_step: int) -> None:
        self.model, self.chars_per_step = model, chars_per_step
        self.n_steps = n_steps
        self._bar: Any = None
        self._next_sample = time.perf_counter() + SAMPLE_SECONDS

    def __enter__(self) -> Self:
        if self.model.verbose:
            from tqdm import tqdm

            self._bar = tqdm(
                total=self.n_steps * self.chars_per_step, unit="char", unit_scale=True, dynamic_ncols=True, leave=True
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()

    def show(self, steps_done: int, loss: float) -> None:
        """Show that `steps_done` steps of this call are done and the smoothed loss, in nats per character."""
        if self._bar is None:
            return
        self._bar.set_postfix_str(f"loss {loss:.3f} nats, {loss / math.log(2):.3f} bits/char", refresh=False)
        self._bar.update(steps_done * self.chars_per_step - self._bar.n)
        if self.model.verbose > 1 and time.perf_counter() > self._next_sample:
            self._bar.write(f"----\n{printable(self.model.sample(SAMPLE_LENGTH))}\n----", file=self._bar.fp)
            self._next_sample = time.perf_counter() + SAMPLE_SECONDS


def printable(text: Any) -> str:
    r"""Return a sample as text that any terminal can show: bytes as Latin-1, lone surrogates and NUL escaped.

    Examples
    --------
    >>> printable("a\ud800b")
    'a\\ud800b'
    """
    if isinstance(text, bytes):
        text = text.decode("latin-1")
    return str(text.replace("\0", "\\0").encode("utf-8", "backslashreplace").decode("utf-8"))
