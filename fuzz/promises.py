"""The promises of docs/promises.md, each with the function that tries it and how often."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import interruptions
import many_threads
import mutated_files
import programs
import random_exports
import soak
import worker_processes
import write_faults
from trials import Outcome, run_cases


class Promise(NamedTuple):
    """A promise, the function that tries it, and the number of trials."""

    text: str
    run: Callable[..., Outcome]
    count: int  # of tools/reliability.py; of soak in seconds, of threads for each of them
    short: int  # of `pytest fuzz`


def cases(name: str) -> Callable[..., Outcome]:
    """Return what tries cases of this module, or of its function after a colon."""
    return partial(run_cases, name)


PROMISES = {
    "kill": Promise("killed by kill -9 and resumed, training ends with the same bits", interruptions.kills, 500, 2),
    "interrupt": Promise("after Ctrl-C a model holds whole steps", interruptions.interrupts, 200, 3),
    "terminate": Promise("SIGTERM and Ctrl-C end crnn train with a saved model", interruptions.terminations, 50, 2),
    "faults": Promise("a full or broken disk leaves the old file or the new one", write_faults.run, 10**6, 12),
    "mutations": Promise("a crafted file works or is refused", cases("mutated_files"), 200_000, 300),
    "caches": Promise("a damaged cache of ids is written anew, or refused",
        cases("mutated_files:cache_case"), 20_000, 20),
    "bits": Promise("a model file with any bit changed is refused", mutated_files.flip_bits, 10**6, 100),
    "saves": Promise("a file saved during training is of one step", interruptions.saves_during_training, 400, 4),
    "texts": Promise("any text is learned, scored and saved", cases("random_training:text_case"), 100_000, 30),
    "bytes": Promise("a model has the same bits after a file, a copy and a pickle",
        cases("random_training:file_case"), 20_000, 60),
    "arguments": Promise("a public callable returns, or raises what is documented",
        cases("nasty_arguments"), 1_200_000, 500),
    "commands": Promise("a command line ends with an exit code and a reason",
        cases("nasty_command_lines"), 100_000, 40),
    "patterns": Promise("what matches a pattern is as all short texts say", cases("random_patterns"), 50_000, 40),
    "divergence": Promise("training that goes wrong leaves finite weights and says so",
        cases("random_training:settings_case"), 15_000, 10),
    "sessions": Promise("many sessions have the bits of single ones", cases("random_sessions"), 30_000, 30),
    "restores": Promise("no allowed original is more probable than the restored text",
        cases("random_restores"), 100_000, 60),
    "exports": Promise("exported C and JavaScript give the numbers of Python", random_exports.run, 1000, 8),
    "threads": Promise("8 threads get what one gets, each as often", many_threads.run, 10_000, 10),
    "forks": Promise("a child forked during training trains its copy", programs.forks, 200, 2),
    "spawn": Promise("workers by spawn get and train the same model", partial(worker_processes.pool, "spawn"), 100, 2),
    "forkserver": Promise("workers by forkserver get and train the same model",
        partial(worker_processes.pool, "forkserver"), 100, 2),
    "loky": Promise("workers by joblib's loky get and train the same model",
        partial(worker_processes.pool, "loky"), 100, 2),
    "gunicorn": Promise("workers of gunicorn that load the model themselves score as one process does",
        partial(worker_processes.gunicorn, []), 100, 2),
    "preload": Promise("workers of gunicorn --preload, forked from a process that has loaded the model, do, too",
        partial(worker_processes.gunicorn, ["--preload"]), 100, 2),
    "hashes": Promise("hash seeds change nothing", programs.hash_seeds, 14, 2),
    "soak": Promise("memory, descriptors and threads stay flat, in cycles", soak.run, 3600, 2),
}  # fmt: skip
