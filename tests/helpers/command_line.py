"""How the tests run the command line, in this process or for real."""

import io
import os
import re
import subprocess
import sys

import pytest

from crnn.cli import main as cli
from crnn.display import progress as progress_display
from crnn.training import run as training

POSIX = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals and files")


def run(*arguments, **rest):
    """Run ``python -m crnn`` for real."""
    rest = {"capture_output": True, "timeout": 120, **rest}
    return subprocess.run([sys.executable, "-m", "crnn", *arguments], **rest)


def run_with_closed(closed, *arguments, **rest):
    """Run ``python -m crnn`` without some of its standard streams, such as ``2>&-``."""
    command = ["/bin/sh", "-c", f'exec "$@" {closed}', "sh", sys.executable, "-m", "crnn", *arguments]
    return subprocess.run(command, **{"capture_output": True, "timeout": 120, **rest})


def usage_error(capsys, *arguments):
    """Return what is said of wrong usage."""
    with pytest.raises(SystemExit) as caught:
        cli.main(list(arguments))
    assert caught.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("usage: crnn")
    return err.splitlines()[-1]


def error(capsys, *arguments):
    """Return the one line that an error is told in."""
    assert cli.main(list(arguments)) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("crnn: error: ")
    assert err.count("\n") == 1
    return err


def rows(out):
    """Return a table as a dict."""
    return dict(re.split(" {2,}", line, maxsplit=1) for line in out.splitlines())


def feed_standard_input(monkeypatch, data):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(data))))


def stop_after(monkeypatch, looks, exception):
    """Let training be ended by an exception at one of its looks at the clock."""
    monkeypatch.setattr(training, "POLL_SECONDS", 0.0)
    left = iter(range(looks))

    def show(self, *arguments, **named):
        if next(left, None) is None:
            raise exception

    monkeypatch.setattr(progress_display.Progress, "show", show)
