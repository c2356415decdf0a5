"""The commands of the command line; each takes what argparse read, and returns the exit code."""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import shlex
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

from ..char_rnn import CharRNN
from ..errors import DivergenceError
from ..inference.language_model import LENGTH
from ..inference.string_scores import TextBlock
from ..text.corpus import blocks
from ..text.special import Special
from .errors import described, say
from .files import STANDARD, check_writable, model_path, read_documents, read_lines, read_text, save

if TYPE_CHECKING:
    from ..text.corpus import Source

__all__ = ["ERROR", "INTERRUPTED", "VERBOSE", "demo", "info", "sample", "score", "train"]

ERROR, INTERRUPTED = 1, 130  # exit codes
VERBOSE = 2  # of `crnn train`, where the constructor is silent
CONTROLS = ("temperature", "top_k", "top_p", "min_p", "repetition_penalty")
BLOCK = 4096  # symbols of a sample that are written at a time


def train(arguments: argparse.Namespace) -> int:
    """Train a model on a file and save it."""
    _check_output(arguments)
    _check_inputs(arguments, file="FILE", validation="--validation", origin="--from")
    given = {name: value for name, value in vars(arguments).items() if name in CharRNN._defaults()}
    given.setdefault("verbose", VERBOSE)
    if arguments.seconds is not None:
        if given.get("max_seconds") is not None:
            arguments.parser.error("--time and --max-seconds are the same: give one of them")
        given["max_seconds"] = arguments.seconds
    model = CharRNN(**given) if arguments.origin is None else _load(arguments.origin).set_params(**given)
    as_bytes = arguments.bytes or (arguments.origin is not None and model.vocabulary_.kind == "bytes")
    read: Callable[..., Source] = read_documents if arguments.lines else read_text
    text = read(arguments.file, as_bytes=as_bytes)
    if arguments.origin is None and arguments.seconds is not None:
        choice = {name: given[name] for name in ("cell", "n_threads") if name in given}
        model = _changed(CharRNN.recommended(text, arguments.seconds, **choice, verbose=given["verbose"]), given)
    validation = read(arguments.validation, as_bytes=as_bytes) if arguments.validation else None
    if arguments.origin is None:
        return _learn(arguments, model, lambda: model.fit(text, validation=validation))
    return _learn(arguments, model, lambda: _go_on(model, text, validation, given))


def _changed(model: CharRNN, given: dict[str, Any]) -> CharRNN:
    """Return a recommended model with the parameters that were given instead of its own, and say which."""
    chosen = model.get_params()
    other = {name: value for name, value in given.items() if name != "verbose" and value != chosen[name]}
    if "optimizer" in other:  # a rate that suits another optimiser is no rate for this one
        defaults = CharRNN._defaults()
        model.set_params(**{name: defaults[name] for name in ("learning_rate", "weight_decay", "beta_1", "beta_2")})
    if other and given["verbose"]:
        say(f"as given: {', '.join(f'{name}={value}' for name, value in other.items())}")
    return model.set_params(**given)


def demo(arguments: argparse.Namespace) -> int:
    """Show a network learn, save it, and say what to do next."""
    from . import demo as demo_network

    if arguments.output == STANDARD:
        arguments.parser.error("argument -o/--output: the demo has standard output for itself")
    _check_output(arguments)
    model = demo_network.network()
    code = _learn(arguments, model, lambda: demo_network.learn(model, arguments.seconds))
    if code != 0:
        return code
    crnn, path = _own_command(), shlex.quote(arguments.output)
    print(f"""\
The model is saved in {arguments.output} ({os.path.getsize(arguments.output):,} bytes). What next?

  Let it write:               {crnn} sample {path} -n 500 --prime "The " --temperature 0.6
  See what is in the file:    {crnn} info {path}
  Train your own:             {crnn} train YOUR.txt -o your.crnn

YOUR.txt is any UTF-8 text; a megabyte is a good start. In Python:

  from crnn import CharRNN
  print(CharRNN.load({arguments.output!r}).sample(500, temperature=0.6))""")
    return 0


def sample(arguments: argparse.Namespace) -> int:
    """Write generated text."""
    _check_inputs(arguments, model="MODEL", exclude="--exclude")
    model = _load(arguments.model)
    as_bytes = model.vocabulary_.kind == "bytes"

    def text(given: str) -> Any:
        return os.fsencode(given) if as_bytes else given

    forbidden = text(arguments.forbid)
    characters = [forbidden[i : i + 1] for i in range(len(forbidden))]
    options = {name: getattr(arguments, name) for name in CONTROLS} | {
        "prime": text(arguments.prime),
        "stop": arguments.stop and [text(stop) for stop in arguments.stop],
        # What the model does not have it does not draw either.
        "logit_bias": {symbol: -math.inf for symbol in characters if symbol in model.vocabulary_},
        "random_state": arguments.seed,
    }
    documents = model.vocabulary_.boundary is not None
    excluded = read_documents(arguments.exclude, as_bytes=as_bytes) if arguments.exclude else []
    if documents or arguments.num_samples > 1 or arguments.unique or excluded:
        k, which = arguments.num_samples, {"unique": arguments.unique, "exclude": excluded}
        samples = model.sample(arguments.n, num_samples=k, **which, **options)
        for i, sample in enumerate(samples if k > 1 else [samples]):
            _write("----\n" if i and not documents else "")
            _write(sample)
            _write("\n")
        return 0
    symbols = model.stream(LENGTH if arguments.n is None else arguments.n, **options)
    while block := list(islice(symbols, BLOCK)):
        _write(b"".join(block) if as_bytes else "".join(block))
    _write("" if as_bytes else "\n")  # bytes may be anything, and nothing is added to them
    return 0


def score(arguments: argparse.Namespace) -> int:
    """Say how well a model predicts a file."""
    _check_inputs(arguments, model="MODEL", file="FILE")
    if not arguments.lines and (arguments.normalize or arguments.bits):
        arguments.parser.error("--normalize and --bits are for --lines")
    model = _load(arguments.model)
    as_bytes = model.vocabulary_.kind == "bytes"
    if arguments.lines:
        return _score_lines(arguments, model, as_bytes)
    text = read_text(arguments.file, as_bytes=as_bytes)
    nats = -model.score(text, exact=not arguments.fast)
    unit = "byte" if as_bytes else "character"
    _table({
        f"{unit}s": f"{sum(map(len, blocks(text))):,}",
        f"nats per {unit}": f"{nats:.6f}",
        f"bits per {unit}": f"{nats / math.log(2):.6f}",
        "perplexity": f"{math.exp(nats):.6f}" if nats < 700 else "inf",
    })  # fmt: skip
    return 0


def _score_lines(arguments: argparse.Namespace, model: CharRNN, as_bytes: bool) -> int:
    """Write the log-probability of each line as soon as lines have come."""
    unit = math.log(2) if arguments.bits else 1.0
    network = model._packed("score", one_row=False, scoring=True)
    first = 1
    for lines in read_lines(arguments.file, as_bytes=as_bytes):
        for scores in model._score_blocks(network, [TextBlock(first, lines)], arguments.normalize, "line {}"):
            _write("".join(f"{score:.6f}\n" for score in (scores / unit).tolist()))
        sys.stdout.flush()
        first += len(lines)
    return 0


def info(arguments: argparse.Namespace) -> int:
    """Say what a model file holds, or what this crnn is."""
    from .. import build_info
    from ..files import model_file

    if arguments.build == (arguments.model is not None):
        arguments.parser.error("give either MODEL or --build")
    if arguments.build:
        build_info.show_config()
        return 0
    with model_path(arguments.model) as path:
        file, size = model_file.read(path), os.path.getsize(path)
        model = CharRNN.load(path)
    cell = file.architecture
    symbols = model.vocabulary_
    shown = repr(symbols.decode(range(len(symbols.codes))))
    loss = model.smooth_loss_ / model.seq_length
    steps = f"{model.n_steps_:,} steps of {model.batch_size} x {model.seq_length} {symbols.kind}"
    trained = file.training is not None
    _table({
        "file": f"{arguments.model}, {size:,} bytes",
        "architecture": f"{cell.cell}, layers: {cell.num_layers}, hidden units: {cell.hidden_size}, {cell.dtype}",
        "weights": f"{sum(array.size for array in model.params_.values()):,}",
        "vocabulary": f"{len(symbols.codes)} {symbols.kind}: {shown if len(shown) < 80 else shown[:76] + ' ...'}",
        "other symbols": ", ".join(x.value for x in symbols if isinstance(x, Special)) or "none",
        "trained": steps if trained else "not known: the file holds the weights alone",
        "loss": f"{loss:.4f} nats, {loss / math.log(2):.4f} bits per symbol (smoothed)" if trained else "not known",
        "can go on": "yes: crnn train FILE --from MODEL -o MODEL" if trained else "only with a new optimiser memory",
        "parameters": ", ".join(f"{name}={value!r}" for name, value in model.get_params().items()),
    })  # fmt: skip
    return 0


# ------------------------------------------------------------------ training


def _check_output(arguments: argparse.Namespace) -> None:
    """Refuse, before any work, an output that cannot be written or should not be."""
    path = arguments.output
    check_writable(path)
    if path == STANDARD and sys.stdout.isatty():
        arguments.parser.error("argument -o/--output: a model is no text; send standard output to a file or a program")
    for name, shown in (("file", "FILE"), ("validation", "the FILE of --validation")):
        text = getattr(arguments, name, None) or STANDARD
        with contextlib.suppress(OSError):
            if STANDARD not in (path, text) and os.path.samefile(path, text):
                arguments.parser.error(
                    f"argument -o/--output: this is {shown}, and the model would take the place of the text"
                )


def _learn(arguments: argparse.Namespace, model: CharRNN, learn: Callable[[], object]) -> int:
    """Train, and save what has been learned however the training ends."""
    fitted = hasattr(model, "vocabulary_")
    first = model.n_steps_ if fitted else 0
    code, reason, start, verbose = 0, "", time.perf_counter(), model.verbose
    try:
        learn()
    except KeyboardInterrupt:
        code, reason = INTERRUPTED, "stopped by Ctrl-C"
    except DivergenceError as error:
        code, reason = ERROR, f"error: {error}"
    with _uninterrupted():
        steps = (model.n_steps_ if hasattr(model, "vocabulary_") else first) - first
        if code and not steps:
            say(f"crnn: {reason}; there was nothing to save yet")
            return code
        if code:
            say(f"crnn: {reason}; saving the model as it was after step {model.n_steps_:,}")
        model.verbose = 0  # what is shown here is no wish for when the model is loaded
        where, failure = save(model, arguments.output)
        if failure:
            say(f"crnn: error: {described(failure)}: the model is saved in {where} instead")
            return code or ERROR
        if code or verbose:
            loss, seconds = model.smooth_loss_ / model.seq_length, time.perf_counter() - start
            say(
                f"crnn: saved {'to standard output' if where == STANDARD else where}: {steps:,} steps in "
                f"{seconds:.1f} s, loss {loss:.3f} nats, {loss / math.log(2):.3f} bits per symbol"
            )
    return code


def _go_on(model: CharRNN, text: Source, validation: Source | None, given: Mapping[str, Any]) -> None:
    """Go on as long as the command line says, one sweep if it says nothing, whatever the model was first given."""
    saved = {name: getattr(model, name) for name in ("max_steps", "max_seconds")}
    try:
        model.set_params(**{name: given.get(name) for name in saved})
        model._learn(text, validation, state=model._learned, sweeps=given.get("epochs", 1))
    finally:
        model.set_params(**saved)


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """Let no second Ctrl-C come between a trained model and its file."""
    if threading.current_thread() is not threading.main_thread():  # where no signal arrives
        yield
        return
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN) or signal.SIG_DFL
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)


# -------------------------------------------------------------- input, output


def _check_inputs(arguments: argparse.Namespace, **shown: str) -> None:
    """Refuse to take two inputs from standard input: the first that is read leaves nothing for the second."""
    standard = [shown[name] for name in shown if getattr(arguments, name) == STANDARD]
    if len(standard) > 1:
        arguments.parser.error(f"{' and '.join(standard[:2])} cannot both be standard input")


def _load(path: str) -> CharRNN:
    with model_path(path) as real_path:
        return CharRNN.load(real_path)


def _write(text: str | bytes) -> None:
    """Write to standard output, line ends as they are."""
    if isinstance(text, str):
        text = text.encode(sys.stdout.encoding, "backslashreplace")
    sys.stdout.buffer.write(text)


def _table(rows: Mapping[str, str]) -> None:
    width = max(map(len, rows))
    for name, value in rows.items():
        print(f"{name:{width}}  {value}")


def _own_command() -> str:
    """Return what was typed to get here, so that it can be typed again."""
    program = sys.argv[0]
    if os.path.basename(program) == "__main__.py":
        python = "python" if shutil.which("python") == sys.executable else sys.executable
        return f"{shlex.quote(python)} -m crnn"
    found = shutil.which("crnn")
    if found and os.path.exists(program) and os.path.samefile(found, program):
        return "crnn"
    return shlex.quote(program)
