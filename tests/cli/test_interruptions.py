"""Signals while a command trains, and while it saves."""

import re
import signal
import subprocess
import sys
import threading

import pytest
from command_line import POSIX
from source_tree import ROOT

from crnn.cli.errors import (
    ERROR,
    INTERRUPTED,
    SIGNALS,
    Interruption,
    catch_ending,
    interruptible,
    uninterrupted,
)

pytestmark = POSIX


def handlers():
    return {number: signal.getsignal(number) for number in SIGNALS}


@pytest.fixture(autouse=True)
def _usual_handlers():
    """A shell may have the tests ignore some of them."""
    before = handlers()
    for number in SIGNALS:
        signal.signal(number, signal.default_int_handler)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(
    ("name", "code", "by"), [("SIGINT", 130, "Ctrl-C"), ("SIGTERM", 143, "SIGTERM"), ("SIGHUP", 129, "SIGHUP")]
)
def test_the_first_signal_interrupts_and_others_are_ignored(name, code, by):
    before, number = handlers(), getattr(signal, name)
    with interruptible():
        with catch_ending() as ending:
            signal.raise_signal(number)
        for other in SIGNALS:
            signal.raise_signal(other)
    assert (ending.code, ending.reason) == (code, f"stopped by {by}")
    assert handlers() == before


def test_ctrl_break_interrupts_on_windows():
    code = """
import signal
signal.SIGBREAK = signal.SIGUSR1  # which only Windows has
from crnn.cli.errors import Interruption, interruptible
with interruptible():
    try:
        signal.raise_signal(signal.SIGBREAK)
    except Interruption:
        print("interrupted")
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "interrupted\n"


def test_nothing_interrupts_the_saving():
    before = handlers()
    with uninterrupted():
        for number in SIGNALS:
            signal.raise_signal(number)
    assert handlers() == before


def test_handlers_come_back_after_an_error():
    before = handlers()
    for context in (interruptible, uninterrupted):
        with pytest.raises(ZeroDivisionError), context():
            raise ZeroDivisionError
        assert handlers() == before


def test_a_signal_that_is_ignored_stays_ignored():
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with interruptible():
        signal.raise_signal(signal.SIGHUP)
        with pytest.raises(Interruption):
            signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


def test_a_handler_of_c_code_is_left_alone(monkeypatch):
    get, changed = signal.getsignal, []
    monkeypatch.setattr(signal, "getsignal", lambda number: None if number == signal.SIGHUP else get(number))
    monkeypatch.setattr(signal, "signal", lambda number, handler: changed.append(number))
    with interruptible():
        pass
    assert {*changed} == {*SIGNALS} - {signal.SIGHUP}


def test_other_threads_change_no_handler():
    found = []

    def run():
        with interruptible(), uninterrupted():
            found.append(handlers())

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert found == [handlers()]


def test_any_other_interruption_is_ctrl_c():
    with catch_ending() as ending:
        raise KeyboardInterrupt
    assert (ending.code, ending.reason) == (130, "stopped by Ctrl-C")


def test_the_reference_lists_every_exit_code():
    table = (ROOT / "docs/reference/command_line.md").read_text(encoding="utf-8").partition("## crnn\n")[0]
    codes = {int(code) for row in re.findall(r"^\| ([\d, ]+) \|", table, re.MULTILINE) for code in row.split(", ")}
    by_signal = {Interruption(number).code for number in SIGNALS}
    assert by_signal <= codes
    assert codes - by_signal == {0, ERROR, 2, INTERRUPTED} - by_signal
