"""Command lines that nobody should type, run in this process: each ends with an exit code and says why."""

import argparse
import io
import os
import re
import sys
import time

import numpy as np
from nasty_arguments import DOCUMENTS, SMALL, STUCK, TEXT
from trials import time_limit

from crnn import CharNGram, CharRNN, Mixture, TextClassifier
from crnn.cli.main import _parser, main

LONGEST = 0.1  # seconds of a command: training is then interrupted
CODES = (0, 1, 2, 130)
USAGE_ERROR = "^crnn( [a-z]+)?: error: "
FILES = ["text", "names", "labeled", "model", "model", "counts", "mixture", "classifier"]
LIKELY = ["0", "1", "2", "3", "0.5", "1e-3", "none", "a", "ab", "a=1", "1s", "lstm", "text", "names"]
WORDS = [
    "", "-", "--", "-1", "0", "1", "2", "3", "7", "0.5", "1.5", "1e308", "1e309", "-0.0", "nan", "inf", "-inf", "1j",
    "9" * 30, "9" * 5000, "1_000", "0x10", "\u0663", "none", "None", "true", "false", "a", "to be", "\ud800",
    "\udcff", "a\0b", "\U0010ffff", "a" * 10_000, "a=b", "a=1", "a=nan", "=", ",", "a,b", "{}", "[]", "{", "%s", "%",
    "\n", "\\n", "*", "~", ".", "..", "/", "folder", "folder/", "missing", "missing/file", "/dev/null", "/dev/full",
    "/dev/zero" + "x", "1s", "0.1s", "1h", "-1s", "adam", "lstm", "float64", "f4,,", "strict", "skip", "--help",
    "--version", "--no-such-option", "-o", "@text", "model", "text", "names",
]  # fmt: skip

_made = {}


def contents():
    """Return the files that commands read."""
    mixture = Mixture.from_fitted([CharRNN(**SMALL).fit(DOCUMENTS), CharNGram(3).fit(DOCUMENTS)])
    yield "text", TEXT.encode()
    yield "names", "\n".join(DOCUMENTS * 5).encode()
    yield "labeled", "\n".join(f"{i % 2}\t{name}" for i, name in enumerate(DOCUMENTS * 5)).encode()
    classifier = TextClassifier(CharRNN(**SMALL)).fit(DOCUMENTS, [0, 1] * 3)
    models = {"model": CharRNN(**SMALL).fit(TEXT), "mixture": mixture, "classifier": classifier}
    for name, model in {**models, "counts": CharNGram(3).fit(DOCUMENTS)}.items():
        model.save(stream := io.BytesIO())
        yield name, stream.getvalue()


def parsers(folder):
    """Return the parsers of the commands by name; write the files anew that an earlier command may have replaced."""
    if not _made:
        os.chdir(folder)
        (folder / "folder").mkdir(exist_ok=True)
        (subparsers,) = [a for a in _parser()._actions if isinstance(a, argparse._SubParsersAction)]
        _made.update(parsers=subparsers.choices, files=dict(contents()))
    for name, content in _made["files"].items():
        (folder / name).write_bytes(content)
    return _made["parsers"]


def pick(rng, values):
    """Return one of the values."""
    values = list(values)
    return values[rng.integers(len(values))]


def command_line(rng, commands):
    """Return the words of a command line: files where they belong, and some options with any words."""
    name = pick(rng, commands)
    actions = commands[name]._actions
    pools = [FILES] * 4 + [["out.html", "out.c", "out.onnx"], WORDS]
    words = [pick(rng, pick(rng, pools)) for action in actions if not action.option_strings]
    options = [action for action in actions if action.option_strings and action.dest != "help"]
    chosen = [action for action in options if action.required] + [pick(rng, options) for _ in range(rng.integers(4))]
    for action in chosen:
        words.append(pick(rng, action.option_strings))
        if action.nargs != 0:
            words.append(str(pick(rng, pick(rng, [action.choices or LIKELY, LIKELY, WORDS]))))
    return [name, *words]


def run(words, given):
    """Run a command as a process would, with bytes on standard input; return its exit code and standard error."""
    streams = sys.stdin, sys.stdout, sys.stderr
    sys.stdin = io.TextIOWrapper(io.BufferedReader(io.BytesIO(given)), "utf-8")
    sys.stdout, sys.stderr = (io.TextIOWrapper(io.BytesIO(), "utf-8", errors="strict") for _ in range(2))
    try:
        try:
            with time_limit(LONGEST):
                code = main(words)
        except SystemExit as error:
            code = error.code
        except KeyboardInterrupt:  # after the command, or before it: `crnn.__main__` has it end the process
            code = 130
        sys.stderr.flush()
        return code, sys.stderr.buffer.getvalue().decode()
    finally:
        sys.stdin, sys.stdout, sys.stderr = streams


def case(i, folder):
    """Try one command line."""
    rng = np.random.default_rng([17, i])
    words = command_line(rng, parsers(folder))
    shown, start = [word if len(word) < 50 else f"{word[:9]}..." for word in words], time.process_time()
    try:
        code, said = run(words, [b"", TEXT.encode(), b"\xff\n", b"\0" * 9][rng.integers(4)])
    except BaseException as error:
        return f"{shown} raised {type(error).__name__}: {error}"
    if time.process_time() - start > STUCK:
        return f"{shown} took {time.process_time() - start:.0f} s"
    if code not in CODES:
        return f"{shown} ended with {code!r}"
    if code == 1 and said and "crnn: error: " not in said.splitlines()[-1]:
        return f"{shown} says no error: {said[-200:]!r}"
    quotes_line_end = any(word.splitlines() not in ([], [word]) for word in words)
    if code == 2 and not re.search(USAGE_ERROR, said if quotes_line_end else said.splitlines()[-1], re.MULTILINE):
        return f"{shown} does not end with an error of usage: {said[-200:]!r}"
    # Python writes a traceback of its own where it ignores Ctrl-C, as in a function that the garbage collector calls.
    traceback = "Traceback" in said and "Exception ignored" not in said
    return f"{shown} ended with a traceback: {said[-200:]!r}" if traceback else None
