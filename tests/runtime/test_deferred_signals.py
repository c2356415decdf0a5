"""A signal that comes during an import is handled after it."""

import signal
import subprocess
import sys

import pytest
from command_line import POSIX
from interrupted_runs import interrupted_everywhere

from crnn.runtime import signals
from crnn.runtime.signals import signals_deferred

pytestmark = POSIX


def test_each_signal_is_handled_once_at_the_end():
    def handler(number, frame):
        seen.append(number)
        if number == signal.SIGINT:
            raise KeyboardInterrupt

    def work():
        with signals_deferred():
            for number in (*numbers, *numbers):
                signal.raise_signal(number)
            seen.append("end")

    seen, numbers = [], [signal.SIGTERM, signal.SIGINT]
    before = [signal.signal(number, handler) for number in numbers]
    try:
        with pytest.raises(KeyboardInterrupt):
            work()
        with pytest.raises(ValueError, match="of the block"), signals_deferred():
            raise ValueError("of the block")
        assert seen == ["end", *numbers]
        assert [signal.getsignal(number) for number in numbers] == [handler] * 2
    finally:
        for number, own in zip(numbers, before, strict=True):
            signal.signal(number, own)


def test_signal_anywhere_restores_all_handlers():
    def work():
        with signals_deferred():
            pass

    own = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: lambda number, frame: None}
    before = {number: signal.signal(number, handler) for number, handler in own.items()}
    try:
        places = []
        for place in interrupted_everywhere(work, lambda code: code.co_filename == signals.__file__):
            assert {number: signal.getsignal(number) for number in own} == own, place
            places.append(place)
        assert len(places) > 10
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_ignored_signal_stays_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with signals_deferred():
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


def test_signals_are_not_deferred_without_handlers(monkeypatch):
    def refuse(number, handler):
        raise ValueError("signal only works in main thread of the main interpreter")

    before = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(signal, "signal", refuse)
    with signals_deferred():
        done = True
    monkeypatch.undo()
    assert done
    assert signal.getsignal(signal.SIGINT) is before


# Cython's modules register a type as they are imported, and ignore every error of that.
SWALLOWING = """
import abc, collections.abc, signal, sys
import numpy
signal.signal(signal.SIGINT, signal.default_int_handler)
register, raised = abc.ABCMeta.register, []
def interrupted(cls, subclass):
    if {module!r} in sys.modules and not raised and subclass.__name__ in ("array", "memoryview", "_memoryviewslice"):
        raised.append(subclass)
        signal.raise_signal(signal.SIGINT)
    return register(cls, subclass)
abc.ABCMeta.register = interrupted
try:
    {statement}
except KeyboardInterrupt:
    print("interrupted", len(raised))
else:
    print("not interrupted", len(raised))
"""
FIT = "from crnn import CharRNN; CharRNN(3, max_steps=1).fit('ababab')"


@pytest.mark.parametrize(
    ("module", "statement"),
    [("scipy", FIT), ("crnn", "import crnn; crnn.char_rnn")],
)
def test_an_import_swallows_no_interruption(module, statement):
    program = SWALLOWING.format(module=module, statement=statement)
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "interrupted 1"
