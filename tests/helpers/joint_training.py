"""A program for tests of training by several processes: trains a model on a communicator, and stores what came out.

mpiexec -n 2 python joint_training.py OUTPUT CASE
"""

import contextlib
import json
import os
import signal
import sys
import threading
import time
from unittest import mock

import numpy as np
from texts import SOLILOQUY as TEXT

from crnn import CharRNN, DivergenceError
from crnn.training.trainer import Trainer

NAMES = ["anna", "bob", "christopher", "dora", "eve", "frank", "georgina", "hal", "ida", "jo"] * 7
OPTIONS = {"hidden_size": 11, "batch_size": 7, "seq_length": 5, "max_steps": 23, "random_state": 3, "n_threads": 1}
CASES = {
    "adagrad": (TEXT, {"optimizer": "adagrad"}),
    "rmsprop": (TEXT, {"optimizer": "rmsprop", "cell": "gru", "clip_norm": 0.2}),
    "adam": (
        TEXT,
        {
            "optimizer": "adam",
            "cell": "lstm",
            "num_layers": 2,
            "dropout": 0.3,
            "weight_dropout": 0.2,
            "state_reset": 0.3,
        },
    ),
    "documents": (NAMES, {"optimizer": "adam", "cell": "gru", "dropout": 0.2}),
    "embedding": (TEXT, {"optimizer": "adagrad", "cell": "lstm", "embedding_size": 3, "clip_norm": 0.2}),
    "bigrams": (TEXT, {"optimizer": "adam", "cell": "cifg", "n_bigrams": 31, "clip_norm": 0.2}),
    "epochs": (TEXT, {"max_steps": None, "epochs": 3, "validation_fraction": 0.1, "eval_every": 5}),
}
RESUMED = {
    "text": (TEXT, {"optimizer": "adam", "cell": "lstm", "dropout": 0.3}),
    "documents": (NAMES, {"optimizer": "rmsprop", "cell": "gru", "dropout": 0.2}),
}
HEAVY = {"sample_weight": [1e300 if name == "hal" else 1.0 for name in NAMES]}  # float32 cannot hold its loss


def trained(case, dtype, comm=None, **more):
    text, options = CASES[case]
    return CharRNN(**{**OPTIONS, **options, "dtype": dtype, **more}).fit(text, comm=comm)


def numbers(model):
    """All that a model has learned, as one vector."""
    state = model.state_ if isinstance(model.state_, tuple) else (model.state_,)
    memory = [a for named in model.optimizer_state_.values() if isinstance(named, dict) for a in named.values()]
    return np.concatenate([np.ravel(a) for a in (*model.params_.values(), *memory, *state)])


def send_when_there_is(path, number):
    """Send this process a signal as soon as a file exists: training is under way."""

    def wait():
        while not os.path.exists(path):
            time.sleep(0.01)
        os.kill(os.getpid(), number)

    threading.Thread(target=wait, daemon=True).start()


def same_everywhere(comm, model):
    own = numbers(model).tobytes()
    return all(comm.allgather(own == comm.bcast(own)))


def resumed(comm, path, case):
    """Say whether an interrupted and resumed call gives an uninterrupted call's bits in every process."""
    text, options = RESUMED[case]

    def interrupt(model, record):
        if record["step"] >= 12:
            raise KeyboardInterrupt

    options = {**OPTIONS, **options, "eval_every": 3, "validation_fraction": 0.1}
    whole = CharRNN(**options).fit(text, comm=comm)
    with contextlib.suppress(KeyboardInterrupt):
        CharRNN(**options, callbacks=[interrupt]).fit(text, comm=comm, checkpoint=path, checkpoint_every=5)
    comm.Barrier()  # the first process has written the checkpoint
    stopped = CharRNN.load(path).n_steps_
    comm.Barrier()
    again = CharRNN.resume(path, text, comm=comm)
    alike = numbers(again).tobytes() == numbers(whole).tobytes() and again.history_[-1]["step"] == 23
    return {"stopped": stopped, "same": all(comm.allgather(alike)), "n_steps": again.n_steps_}


def continued(comm):
    """Return what `partial_fit` makes of a model, and what it says where the processes have different models."""
    model = CharRNN(**OPTIONS, optimizer="adam").fit(TEXT, comm=comm).partial_fit(TEXT[7:], epochs=2, comm=comm)
    same = same_everywhere(comm, model)
    with model.editing():
        model.params_["by"][0] += comm.rank
    try:
        model.partial_fit(TEXT, comm=comm)
    except ValueError as error:
        return {"same": same, "error": str(error)}
    return None


def timed(comm):
    """Return the progress of training limited by time, and by a number of steps that fits no interval."""
    options = {**OPTIONS, "max_steps": None}
    short = CharRNN(**options, max_seconds=0.3).fit(TEXT, comm=comm)
    both = CharRNN(**{**options, "max_steps": 13, "max_seconds": 60.0}).fit(TEXT, comm=comm)
    seconds = short.history_[-1]["seconds"]
    return {"same": same_everywhere(comm, short) and same_everywhere(comm, both), "seconds": seconds,
            "n_steps": both.n_steps_}  # fmt: skip


def diverged(comm):
    """Return the progress of training when one process's loss becomes infinite."""
    options = {**OPTIONS, "batch_size": 2, "optimizer": "adam", "max_steps": 200}
    model = CharRNN(**options)
    try:
        with mock.patch("crnn.parameters.checks.MAX_SCALE", 1e301):  # a weight that `fit` would refuse
            model.fit(NAMES, comm=comm, **HEAVY)
    except DivergenceError as error:
        return {"step": error.step, "n_steps": model.n_steps_, "same": same_everywhere(comm, model)}
    return None


def failed(comm, rank):
    """Train; a step of one process raises an error, as if it had run out of memory, while the others wait for it."""
    advance = Trainer.advance

    def fail(trainer, rates):
        advance(trainer, rates)
        if trainer.cursor.n_steps >= 5:
            raise MemoryError("no memory left in one process")

    if comm.rank == rank:
        Trainer.advance = fail
    CharRNN(**OPTIONS).fit(TEXT, comm=comm)


def command(comm, number, folder):
    """Run ``crnn train``. When there is a checkpoint, the last process sends itself a signal, or SIGTERM to all
    processes, as mpiexec does after Ctrl-C.
    """
    from crnn.cli.main import main as crnn

    pids = comm.allgather(os.getpid())
    advance = Trainer.advance

    def send(trainer, rates):
        advance(trainer, rates)
        if trainer.cursor.n_steps < 10:
            return
        while not os.path.exists(os.path.join(folder, "new.crnn.checkpoint")):  # the first process writes one
            time.sleep(0.01)
        Trainer.advance = advance
        for pid in pids if number == signal.SIGTERM else pids[-1:]:
            os.kill(pid, number)

    if comm.rank == comm.size - 1:
        Trainer.advance = send
    files = [os.path.join(folder, name) for name in ("text.txt", "new.crnn")]
    options = ["--max-steps", "97", "--batch-size", "4", "--checkpoint-every", "5"]
    sys.exit(crnn(["train", files[0], "-o", files[1], *options]))


def main(output, *cases):
    from mpi4py import MPI

    comm = MPI.COMM_WORLD
    if cases == ("goes on",):
        found = {case: resumed(comm, f"{output}.{i}", case) for i, case in enumerate(RESUMED)}
        found |= {"continued": continued(comm), "timed": timed(comm)}
        found |= {"diverged": diverged(comm)}
        if comm.rank == 0:
            with open(output, "w", encoding="utf-8") as file:
                json.dump(found, file)
        return
    if cases[:1] == ("command",):
        command(comm, int(cases[1]), cases[2])
    if cases == ("dies",):
        if comm.rank == 1:
            send_when_there_is(output, signal.SIGKILL)
        CharRNN(**{**OPTIONS, "max_steps": None, "max_seconds": 60.0}).fit(
            TEXT, comm=comm, checkpoint=output, checkpoint_every=5
        )
        return
    if cases[:1] == ("fails",):
        failed(comm, int(cases[1]))
        return
    if cases == ("weights differ",):
        CharRNN(**OPTIONS).fit(TEXT.split(), sample_weight=[1.0 + comm.rank] * len(TEXT.split()), comm=comm)
        return
    if cases == ("interrupted",):
        if comm.rank == comm.size - 1:
            send_when_there_is(output, signal.SIGINT)
        try:
            CharRNN(**{**OPTIONS, "max_steps": None, "max_seconds": 60.0}).fit(
                TEXT, comm=comm, checkpoint=output, checkpoint_every=5
            )
        except KeyboardInterrupt:
            print("interrupted", flush=True)
        return
    found = {}
    for case in cases:
        for dtype in ("float32", "float64"):
            model = trained(case, dtype, comm)
            found[f"{case}, {dtype}"] = {"numbers": numbers(model).tolist(), "same": same_everywhere(comm, model),
                                         "n_steps": model.n_steps_, "loss": model.smooth_loss_,
                                         "steps": [record["step"] for record in model.history_]}  # fmt: skip
    if comm.rank == 0:
        with open(output, "w", encoding="utf-8") as file:
            json.dump(found, file)


if __name__ == "__main__":
    main(*sys.argv[1:])
