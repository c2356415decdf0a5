"""The command ``crnn tune``: search for the best parameters for a text, and save the best model."""

from __future__ import annotations

import argparse
import math
import os
from typing import Any

from ..char_rnn import CharRNN
from ..errors import DivergenceError, InvalidInputError
from ..export.extras import needed
from ..parameters.checks import MAX_SIZE, checked_int
from ..runtime.deferred_signals import signals_deferred
from ..text.sources.sources import TextLike, text_source
from .arguments import add_files, add_output, checked, checked_text, duration
from .errors import ERROR, INTERRUPTED, say
from .files import STANDARD, check_writable, read_documents, read_text
from .output import write

SUFFIX = ".study"  # of the file next to the model that contains all trials
VALIDATION_FRACTION = 0.1
FIXED: dict[str, Any] = {"optimizer": "adam", "schedule": "cosine", "warmup": 0.05, "clip_norm": 5.0, "clip": None}
COLUMNS = ("cell", "hidden_size", "num_layers", "batch_size", "seq_length", "learning_rate", "dropout",
           "weight_dropout")  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    add_files(parser)
    add_output(
        parser,
        required=True,
        help="where to save the best model; all trials are saved in MODEL.study, and the same command continues them",
    )
    parser.add_argument(
        "--trials",
        metavar="N",
        type=checked(lambda value: checked_int("trials", value, 1)),
        default=30,
        help="total number of models to train, including earlier calls (default: 30)",
    )
    parser.add_argument(
        "--time",
        dest="seconds",
        metavar="TIME",
        type=checked_text(duration),
        default=1800.0,
        help="total time of all trials, including later calls, split evenly among them: 90s, 30m, 2h "
        "(default: 30m)",
    )
    parser.add_argument("--validation", metavar="FILE", help="a text to compare by (default: the last tenth of FILE)")
    parser.add_argument("--lines", action="store_true", help="treat each line of FILE as a document")
    parser.add_argument("--bytes", action="store_true", help="train models of bytes")
    parser.add_argument("--seed", metavar="SEED", type=checked(_seed), default=0, help="the random seed (default: 0)")


def run(arguments: argparse.Namespace) -> int:
    """Search, save the best model, write a table of the trials and return the exit code."""
    try:
        optuna = needed("optuna", "tune", "crnn tune")
    except ModuleNotFoundError as error:
        say(f"crnn: error: {error}")
        return ERROR
    if STANDARD in (arguments.output, arguments.file):
        arguments.parser.error("a search needs files, not standard input or output. Name FILE and -o MODEL.")
    check_writable(arguments.output)
    read: Any = read_documents if arguments.lines else read_text
    text = read(arguments.file, as_bytes=arguments.bytes)
    validation = read(arguments.validation, as_bytes=arguments.bytes) if arguments.validation else None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = _study(optuna, arguments, text)
    code = 0
    try:
        while _ended(study) < arguments.trials:
            _run_trial(optuna, study, arguments, text, validation)
    except KeyboardInterrupt:
        say("crnn: stopped by Ctrl-C; the same command continues the search")
        code = INTERRUPTED
    write(_table(study))
    return code


def _seed(value: Any) -> int:
    return checked_int("seed", value, 0, MAX_SIZE)  # Optuna's generator takes 32 bits


def _study(optuna: Any, arguments: argparse.Namespace, text: TextLike) -> Any:
    """Return the study of this model and text, an existing or a new one."""
    journal, path = optuna.storages.journal, arguments.output + SUFFIX
    sha256 = text_source(text).fingerprint().sha256
    with signals_deferred():
        storage = optuna.storages.JournalStorage(journal.JournalFileBackend(path, journal.JournalFileOpenLock(path)))
        study = optuna.create_study(study_name="crnn", storage=storage, load_if_exists=True)
        known = study.user_attrs
        if known.get("text", sha256) != sha256:
            raise InvalidInputError(f"{path} is a search for another text. Delete it, or choose another -o MODEL.")
        if "seconds" not in known:
            study.set_user_attr("text", sha256)
            study.set_user_attr("seconds", arguments.seconds / arguments.trials)
    # A new seed for each call: otherwise a call would start with the trials of the previous one.
    study.sampler = optuna.samplers.TPESampler(seed=arguments.seed + len(study.trials), multivariate=False)
    study.pruner = optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=5)
    return study


def _ended(study: Any) -> int:
    """Return the number of completed trials, without interrupted ones."""
    return sum(trial.state.name in ("COMPLETE", "PRUNED") for trial in study.trials)


def _parameters(trial: Any) -> dict[str, Any]:
    """Return parameters chosen by the sampler."""
    return {
        "cell": trial.suggest_categorical("cell", ["gru", "lstm"]),
        "hidden_size": trial.suggest_int("hidden_size", 32, 512, log=True),
        "num_layers": trial.suggest_int("num_layers", 1, 2),
        "batch_size": trial.suggest_categorical("batch_size", [8, 16, 32, 64]),
        "seq_length": trial.suggest_int("seq_length", 20, 160, log=True),
        "learning_rate": trial.suggest_float("learning_rate", 1e-3, 2e-2, log=True),
        "dropout": trial.suggest_float("dropout", 0.0, 0.5),
        "weight_dropout": trial.suggest_float("weight_dropout", 0.0, 0.5),
    }


def _run_trial(
    optuna: Any, study: Any, arguments: argparse.Namespace, text: TextLike, validation: TextLike | None
) -> None:
    """Train the model of one trial, and record its validation loss in bits.

    Signals wait while Optuna writes: one in the middle of that would leave the study's file locked.
    """
    with signals_deferred():
        trial = study.ask()
        parameters = _parameters(trial)
    states = optuna.trial.TrialState
    bits, state = None, states.FAIL
    try:
        bits = _validation_bits(study, trial, parameters, arguments, text, validation)
        state = states.PRUNED if bits is None else states.COMPLETE
    finally:
        with signals_deferred():
            study.tell(trial, bits, state)


def _validation_bits(
    study: Any,
    trial: Any,
    parameters: dict[str, Any],
    arguments: argparse.Namespace,
    text: TextLike,
    validation: TextLike | None,
) -> float | None:
    """Train one model, and save it if it is the best so far; return its validation loss, or None if it was given up."""
    reports = iter(range(1 << 30))
    pruned = False

    def report(model: CharRNN, record: dict[str, Any]) -> bool:
        nonlocal pruned
        if record["validation_loss"] is not None:
            with signals_deferred():
                trial.report(record["validation_loss"] / math.log(2), next(reports))
                pruned = trial.should_prune()
        return pruned

    fraction = VALIDATION_FRACTION if validation is None else 0.0
    seconds = study.user_attrs["seconds"]
    rest: dict[str, Any] = {"max_seconds": seconds, "validation_fraction": fraction, "random_state": arguments.seed}
    model = CharRNN(**parameters, **FIXED, **rest, callbacks=[report])
    try:
        model.fit(text, validation=validation)
    except DivergenceError:
        return None
    if pruned:
        return None
    losses = [record["validation_loss"] for record in model.history_ if record["validation_loss"] is not None]
    bits: float = min(losses) / math.log(2)
    best = min((other.value for other in study.trials if other.state.name == "COMPLETE"), default=math.inf)
    if bits < best or not os.path.exists(arguments.output):
        model.set_params(callbacks=None).save(arguments.output)
    number = f"trial {_ended(study) + 1} of {arguments.trials}"
    say(f"crnn: {number}: {bits:.4f} bits per symbol, best {min(bits, best):.4f}")
    return bits


def _table(study: Any) -> str:
    """Return the trials, the best first; pruned trials come last, without a loss."""
    trials = [trial for trial in study.trials if trial.state.name in ("COMPLETE", "PRUNED")]
    trials.sort(key=lambda trial: trial.value if trial.state.name == "COMPLETE" else math.inf)
    rows: list[tuple[str, ...]] = [("bits", *COLUMNS)]
    for trial in trials:
        bits = f"{trial.value:.4f}" if trial.state.name == "COMPLETE" else "given up"
        values = (trial.params.get(name, "") for name in COLUMNS)
        rows.append((bits, *(f"{value:.3g}" if isinstance(value, float) else str(value) for value in values)))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "".join("  ".join(map(str.ljust, row, widths)).rstrip() + "\n" for row in rows)
