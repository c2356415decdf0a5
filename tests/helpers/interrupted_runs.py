"""Interrupt runs after a given step, or at every line of some functions."""

import contextlib
import dis
import itertools
import signal
import sys

import pytest

from crnn.training.trainer import Trainer


@contextlib.contextmanager
def interrupted_after(step, monkeypatch, first=0):
    """Interrupt the training call in this block as if Ctrl-C came right after a step, counted from the `first` one."""
    advance = Trainer.advance

    def advance_some(trainer, rates):
        left = step - (trainer.cursor.n_steps - first)
        advance(trainer, rates[:left])
        if left <= len(rates):
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "advance", advance_some)
        with pytest.raises(KeyboardInterrupt):
            yield


def train_until(step, model, monkeypatch, path, text, method="fit", **rest):
    """Train until the call has taken a number of steps, as if Ctrl-C came right after the last one."""
    with interrupted_after(step, monkeypatch, model.n_steps_ if method == "partial_fit" else 0):
        getattr(model, method)(text, checkpoint=path, **rest)


CHECKED = ("CALL", "JUMP_BACKWARD", "RESUME")  # instructions; their names differ between versions of Python
CHECKS = frozenset(number for name, number in dis.opmap.items() if name.startswith(CHECKED))


class CtrlC:
    """A trace function that sends Ctrl-C at the n-th place, from 0 on, of some functions."""

    def __init__(self, n, wanted):
        self.left, self.wanted, self.place = n, wanted, None
        self.last = {}  # instruction of each frame

    def __call__(self, frame, event, argument):
        code = frame.f_code
        if self.place or not self.wanted(code):
            return None
        frame.f_trace = self  # or else Python 3.13 shows no instructions of this call
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        instruction = code.co_code[frame.f_lasti]
        # Closing a generator is a "call", too, but at its last instruction, and raises without a check.
        checked = {"call": instruction, "opcode": self.last.get(frame)}.get(event) in CHECKS
        self.last[frame] = instruction if event == "opcode" else None
        self.left -= checked
        if checked and self.left < 0:
            self.place = f"{code.co_filename}:{frame.f_lineno} {code.co_name} {frame.f_lasti}"
            self.last.clear()
            signal.raise_signal(signal.SIGINT)
        return self


def interrupted_everywhere(work, wanted, places=None):
    """Call `work` once for each place of the wanted functions at which Python handles signals, with Ctrl-C there.

    These places are the starts of functions, and what follows a call or a jump back; `places` numbers those that are
    tried, until one is beyond the last. Yields where that was.
    """
    before = sys.gettrace()
    for n in itertools.count() if places is None else places:
        tracer = CtrlC(n, wanted)
        sys.settrace(tracer)
        try:
            work()
        except KeyboardInterrupt:
            pass
        finally:
            sys.settrace(before)
        if tracer.place is None:
            return
        yield tracer.place
