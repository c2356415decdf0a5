"""What models of a large alphabet learn in equal time: `python -m benchmarks.large_alphabets --seconds 60`.

First the contenders take turns of some steps in one process, on one thread, and the time of the processor says how
many steps each can take in `--seconds`. Then each trains anew for its own number of steps, with a cosine over all of
them. A busy machine therefore changes the result only as far as it slows contenders differently.

"As a tenth" are ceilings for an adaptive softmax in crnn: the full softmax, given as many steps as there would be time
for if its output layer cost a tenth of its operations. An adaptive softmax is an approximation of the full one, and the
gradient of its clusters, its gathers and the rest of a step cost time too.
"""

from __future__ import annotations

import itertools
import json
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from benchmarks.peers import available, reason
from crnn import CharRNN

SPEED_STEPS, REPEATS = 5, 3  # of a turn; turns of each that count
EMBEDDINGS = (64, 128)
SAMPLED = (512, 2048)  # symbols drawn for a sampled softmax
DROPOUTS = (0.0, 0.2)
EPOCHS = 3  # with fewer epochs no dropout is best, so only the first is tried
TENTH = 0.1  # of the output layer's operations


class Words(NamedTuple):
    """The training text, the held-out text, and all symbols of both."""

    known: str
    held_out: str
    alphabet: str


class Learner(Protocol):
    """A model in training."""

    def train(self, text: str, steps: int) -> None:
        """Take steps with a schedule over all of them."""
        ...

    def nats(self, text: str) -> float:
        """-ln P per symbol."""
        ...


class Contender(NamedTuple):
    """How a learner is made from a dropout, and how many steps it takes for each that there is time for.

    A ceiling takes the speed of another contender, `like`.
    """

    make: Callable[[float], Learner]
    factor: float = 1.0
    like: str = ""


class CrnnLearner:
    """`CharRNN` on one thread."""

    def __init__(self, words: Words, parameters: Mapping[str, Any]) -> None:
        self.model = CharRNN(vocabulary=words.alphabet, n_threads=1, **parameters)
        self.begun = False

    def train(self, text: str, steps: int) -> None:
        """Take steps, from new weights the first time."""
        self.model.set_params(max_steps=steps)
        (self.model.partial_fit if self.begun else self.model.fit)(text)
        self.begun = True

    def nats(self, text: str) -> float:
        """-ln P per symbol."""
        return -self.model.score(text)


def ceiling(hidden_size: int, embedding_size: int, n_symbols: int) -> float:
    """Factor of the steps in equal time where the output layer of an LSTM costs a tenth of its operations."""
    layer = 4 * hidden_size * (hidden_size + embedding_size)
    output = hidden_size * n_symbols
    return (layer + output) / (layer + TENTH * output)


def contenders(words: Words, settings: Mapping[str, Any], *, peers: bool = True) -> dict[str, Contender]:
    """Return the contenders by name; `settings` are parameters of `CharRNN`."""

    def crnn(dropout: float, **parameters: Any) -> Learner:
        return CrnnLearner(words, {**settings, "random_state": 0, "dropout": dropout, **parameters})

    found = {}
    for size in (None, *EMBEDDINGS):
        for precision in ("float32", "bfloat16"):
            name = f"crnn{'' if size is None else f', embedding of {size}'}, {precision}"
            found[name] = Contender(partial(crnn, embedding_size=size, matmul_precision=precision))
    for precision, sampled in itertools.product(("float32", "bfloat16"), SAMPLED):
        options = {"embedding_size": EMBEDDINGS[0], "matmul_precision": precision, "sampled_softmax": sampled}
        name = f"crnn, embedding of {EMBEDDINGS[0]}, sampled softmax of {sampled}, {precision}"
        found[name] = Contender(partial(crnn, **options))
    for precision in ("float32", "bfloat16"):
        like = f"crnn, embedding of {EMBEDDINGS[-1]}, {precision}"
        factor = ceiling(settings["hidden_size"], EMBEDDINGS[-1], len(words.alphabet))
        found[f"as a tenth: {like}"] = Contender(found[like].make, factor, like)
    if not peers or not available("torch"):
        print(reason("torch"), file=sys.stderr)
        return found
    from benchmarks.peers.torch_embedded_lstm import Shape, TorchLearner

    def torch(dropout: float, shape: Shape) -> Learner:
        return TorchLearner(words.known, words.alphabet, shape, {**settings, "random_state": 0, "dropout": dropout})

    E = EMBEDDINGS[0]
    shapes = {
        f"embedding of {E}": Shape(E), f"embedding of {E}, adaptive softmax": Shape(E, "adaptive"),
        "tied embedding": Shape(output="tied"),
    }  # fmt: skip
    for name, shape in shapes.items():
        for bfloat16 in (False, True):
            label = f"PyTorch, {name}, {'autocast to bfloat16' if bfloat16 else 'float32'}"
            found[label] = Contender(partial(torch, shape=shape._replace(bfloat16=bfloat16)))
    return found


def speeds(found: Mapping[str, Contender], words: Words, symbols_of_a_step: int) -> dict[str, float]:
    """Return each contender's steps a second: medians of turns after an uncounted first turn."""
    text = words.known[: SPEED_STEPS * (symbols_of_a_step + 1) + symbols_of_a_step]
    learners = {name: contender.make(0.0) for name, contender in found.items() if not contender.like}
    spent: dict[str, list[float]] = {name: [] for name in learners}
    for _ in range(1 + REPEATS):
        for name, learner in learners.items():
            start = time.process_time()
            learner.train(text, SPEED_STEPS)
            spent[name].append(time.process_time() - start)
    return {name: SPEED_STEPS / statistics.median(seconds[1:]) for name, seconds in spent.items()}


def table(words: Words, settings: Mapping[str, Any], seconds: float, *, output: Path | None, peers: bool) -> list[str]:
    """Nats per symbol of the held-out text after `seconds`, a column for each of `DROPOUTS`.

    Parameters
    ----------
    output : Path or None
        A file that collects the speeds and each run. Runs already in the file are not repeated.
    peers : bool
        Whether PyTorch takes part.
    """
    found = contenders(words, settings, peers=peers)
    known = Known(output)
    symbols, rate = settings["batch_size"] * settings["seq_length"], settings["learning_rate"]
    per_second = known.get("speeds", lambda: speeds(found, words, symbols))
    columns = " | ".join(f"dropout {dropout:g}" if dropout else "nats" for dropout in DROPOUTS)
    lines = [f"| {seconds:g} s, one thread | characters a second | steps | epochs | {columns} |"]
    lines.append("|---" * (4 + len(DROPOUTS)) + "|")
    for name, contender in found.items():
        speed = per_second[contender.like or name] * contender.factor
        steps = max(1, round(seconds * speed))
        epochs = steps * symbols / len(words.known)
        nats = []
        for dropout in DROPOUTS[: 1 if epochs < EPOCHS else None]:
            learn = partial(learned, contender, words, steps, dropout)
            nats.append(f"{known.get(f'{name}, {seconds:g} s, rate {rate:g}, dropout {dropout:g}', learn):.3f}")
        nats += [""] * (len(DROPOUTS) - len(nats))
        lines.append(f"| {name} | {speed * symbols:,.0f} | {steps:,} | {epochs:.1f} | {' | '.join(nats)} |")
    return lines


def learned(contender: Contender, words: Words, steps: int, dropout: float) -> float:
    """Train anew; return nats per symbol of the held-out text."""
    learner = contender.make(dropout)
    learner.train(words.known, steps)
    return learner.nats(words.held_out)


class Known:
    """What has been measured, by name, in a file of lines of JSON; without a path nothing is kept."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        lines = path.read_text(encoding="utf-8").splitlines() if path and path.exists() else []
        self.values: dict[str, Any] = dict(map(json.loads, lines))

    def get(self, name: str, measure: Callable[[], Any]) -> Any:
        """Return what the file has under a name, or else measure and append it."""
        if name not in self.values:
            self.values[name] = measure()
            line = json.dumps([name, self.values[name]])
            print(line, file=sys.stderr, flush=True)
            if self.path:
                with self.path.open("a", encoding="utf-8") as file:
                    file.write(line + "\n")
        return self.values[name]
