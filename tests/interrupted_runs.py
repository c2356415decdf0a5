"""Runs that are interrupted after a given step, or at every place of some functions."""

import dis
import signal
import sys

import pytest

from crnn.training.trainer import Trainer


def train_until(step, model, monkeypatch, path, text, method="fit", **rest):
    """Train until the call has taken a number of steps, as if Ctrl-C came right after the last one."""
    advance = Trainer.advance
    first = model.n_steps_ if method == "partial_fit" else 0

    def advance_some(trainer, rates):
        left = step - (trainer.cursor.n_steps - first)
        advance(trainer, rates[:left])
        if left <= len(rates):
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "advance", advance_some)
        with pytest.raises(KeyboardInterrupt):
            getattr(model, method)(text, checkpoint=path, **rest)


def interrupted_everywhere(work, wanted):
    """Call `work` once for each place of the wanted functions at which Python handles signals, with Ctrl-C there.

    These places are the starts of functions, and what follows a call or a jump back. Yields where that was.
    """
    checks = {number for name, number in dis.opmap.items() if name.startswith(("CALL", "JUMP_BACKWARD", "RESUME"))}
    tried, before = 0, sys.gettrace()
    while True:
        last, count, place = {}, 0, None

        def tracer(frame, event, argument):
            nonlocal count, place
            code = frame.f_code
            if place or not wanted(code):
                return None
            frame.f_trace_opcodes, frame.f_trace_lines = True, False
            checked = event == "call" or event == "opcode" and last.get(frame) in checks
            last[frame] = code.co_code[frame.f_lasti] if event == "opcode" else None
            count += checked
            if checked and count > tried:
                place = f"{code.co_filename}:{frame.f_lineno} {code.co_name} {frame.f_lasti}"
                last.clear()
                signal.raise_signal(signal.SIGINT)
            return tracer

        sys.settrace(tracer)
        try:
            work()
        except KeyboardInterrupt:
            pass
        finally:
            sys.settrace(before)
        if place is None:
            return
        yield place
        tried += 1
