"""A program for tests of training by several processes: trains a model on a communicator, and stores what came out.

mpiexec -n 2 python joint_training.py OUTPUT CASE
"""

import json
import os
import signal
import sys
import threading
import time

import numpy as np

from crnn import CharRNN

TEXT = "to be or not to be, that is the question: whether it is nobler " * 9
NAMES = ["anna", "bob", "christopher", "dora", "eve", "frank", "georgina", "hal", "ida", "jo"] * 7
OPTIONS = {"hidden_size": 11, "batch_size": 7, "seq_length": 5, "max_steps": 23, "random_state": 3, "n_threads": 1}
CASES = {
    "adagrad": (TEXT, {"optimizer": "adagrad"}),
    "rmsprop": (TEXT, {"optimizer": "rmsprop", "cell": "gru", "clip_norm": 0.2}),
    "adam": (TEXT, {"optimizer": "adam", "cell": "lstm", "num_layers": 2, "dropout": 0.3, "weight_dropout": 0.2,
                    "state_reset": 0.3}),
    "documents": (NAMES, {"optimizer": "adam", "cell": "gru", "dropout": 0.2}),
    "epochs": (TEXT, {"max_steps": None, "epochs": 3, "validation_fraction": 0.1, "eval_every": 5}),
}


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


def main(output, *cases):
    from mpi4py import MPI

    comm = MPI.COMM_WORLD
    if cases == ("dies",):
        if comm.rank == 1:
            send_when_there_is(output, signal.SIGKILL)
        CharRNN(**{**OPTIONS, "max_steps": None, "max_seconds": 60.0}).fit(
            TEXT, comm=comm, checkpoint=output, checkpoint_every=5
        )
        return
    if cases == ("differs",):
        CharRNN(**OPTIONS).fit(TEXT + "." * comm.rank, comm=comm)
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
            own = numbers(model)
            same = all(comm.allgather(own.tobytes() == comm.bcast(own.tobytes())))
            found[f"{case} {dtype}"] = {"numbers": own.tolist(), "same": same, "n_steps": model.n_steps_,
                                        "loss": model.smooth_loss_}  # fmt: skip
    if comm.rank == 0:
        with open(output, "w", encoding="utf-8") as file:
            json.dump(found, file)


if __name__ == "__main__":
    main(*sys.argv[1:])
