"""Alphabets of thousands of symbols: `python -m benchmarks.large_alphabets [DICTIONARY] [--repeats 7] [--steps 500]`.

An LSTM of 256 units reads 32 streams of 50 characters a step, with Adam and one thread: 4,096 symbols drawn by Zipf's
law, and the words of jieba's dictionary in random order (`pip install 'crnn[bench]'`, or the path of
its dict.txt). crnn without an embedding, with one of 64 columns, and with a sampled softmax of 512 symbols besides, in
float32 and in bfloat16; PyTorch with a `torch.nn.Embedding` of the same size, by itself and with autocast. All start
from the same weights and take turns in one process, pinned to one core. The table compares the medians of turns.

A second table compares embeddings of several sizes after `--steps` steps on the words: nats per character on held-out
words. `--seconds 60` prints another in place of both: what each way learns in equal time
(`benchmarks.equal_time`), with PyTorch's adaptive softmax and tied weights as further contenders.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks import equal_time
from benchmarks.cases import crnn_steps, smoothed
from benchmarks.equal_time import Words
from benchmarks.peers import available, reason
from benchmarks.report import CORE, PAUSE_SECONDS, machine
from crnn import CharRNN

EMBEDDING_SIZE, SAMPLED = 64, 512
MODEL: dict[str, Any] = {
    "cell": "lstm", "hidden_size": 256, "seq_length": 50, "batch_size": 32, "optimizer": "adam", "clip": None,
}  # fmt: skip
STEPS = 20  # of a turn
VOCAB_SIZE = 4096
FIRST_SYMBOL = 0x4E00  # as a code point: Chinese characters
MIN_FREQUENCY = 8  # of jieba's words, in the texts that it was made from: 115,000 words
TOLERANCE = {"float32": 0.002, "bfloat16": 0.02}  # of the loss after equally many steps


SIZES = (None, 16, 32, 64, 128, 256)  # of embeddings, whose losses are compared
HELD_OUT = 3000  # words
TRAINING: dict[str, Any] = {
    **MODEL, "hidden_size": 192, "learning_rate": 0.01, "schedule": "cosine", "warmup": 0.02, "clip_norm": 1.0,
    "beta_2": 0.99, "init_scale": 0.1, "matmul_precision": "bfloat16",
}  # fmt: skip


class Task(NamedTuple):
    """A text for the steps of a turn, and all symbols that there are."""

    name: str
    text: str
    alphabet: str


def zipf_task(vocab_size: int = VOCAB_SIZE) -> Task:
    """Symbols drawn by Zipf's law: the frequency of the n-th is proportional to 1 / n."""
    rng = np.random.default_rng(0)
    frequencies = 1 / np.arange(1, vocab_size + 1)
    ids = rng.choice(rng.permutation(vocab_size), p=frequencies / frequencies.sum(), size=symbols_of_a_turn())
    alphabet = "".join(chr(FIRST_SYMBOL + i) for i in range(vocab_size))
    return Task(f"{vocab_size:,} symbols", "".join(alphabet[i] for i in ids), alphabet)


def words_task(dictionary: Path) -> Task:
    """The frequent words of a dictionary, a line each."""
    words = words_of(dictionary)
    text = "\n".join(words)
    alphabet = "".join(sorted(set(text)))
    return Task(f"{len(words):,} words, {len(alphabet):,} symbols", text[: symbols_of_a_turn()], alphabet)


def words_of(dictionary: Path) -> list[str]:
    """Return the frequent words of a dictionary of jieba in random order."""
    lines = (line.split() for line in dictionary.read_text(encoding="utf-8").splitlines())
    words = [word for word, frequency, *_ in lines if int(frequency) >= MIN_FREQUENCY]
    return [words[i] for i in np.random.default_rng(0).permutation(len(words))]


def held_out_words(dictionary: Path) -> Words:
    """Return the frequent words of a dictionary, one a line, and separately the held-out words."""
    words = words_of(dictionary)
    held_out, known = ("\n".join(part) for part in (words[:HELD_OUT], words[HELD_OUT:]))
    return Words(known, held_out, "".join(sorted(set(known + held_out))))


def symbols_of_a_turn() -> int:
    """Return the symbols for `STEPS` steps."""
    B, T = int(MODEL["batch_size"]), int(MODEL["seq_length"])
    return B * (STEPS * T + 1) + 1


def dictionary_of_jieba() -> Path | None:
    """Return the path of jieba's dictionary, if the package is installed."""
    found = importlib.util.find_spec("jieba")
    return None if found is None or found.origin is None else Path(found.origin).with_name("dict.txt")


# ------------------------------------------------------------------------------------------------ contenders


def crnn_model(task: Task, **parameters: Any) -> CharRNN:
    """Return a model that has taken no step."""
    model = CharRNN(**MODEL, vocabulary=task.alphabet, max_steps=0, n_threads=1, random_state=0, **parameters)
    return model.fit(task.text).set_params(max_steps=STEPS)


def crnn_turn(task: Task, **parameters: Any) -> Callable[[], float]:
    """Return a function that takes the steps of a turn and returns their loss, as `benchmarks.cases` smooths it."""
    return partial(crnn_steps, crnn_model(task, **parameters), task.text)


def torch_turn(task: Task, *, bfloat16: bool) -> Callable[[], float]:
    """Return the like of `crnn_turn` for PyTorch, from the same weights."""
    import torch

    torch.set_num_threads(1)
    model = crnn_model(task, embedding_size=EMBEDDING_SIZE)
    network = model.to_torch().train()
    for name, parameter in network.rnn.named_parameters():
        parameter.requires_grad_("bias_hh" not in name)  # there is one bias a gate
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimizer = torch.optim.Adam(trained, lr=0.002, fused=True)
    B, T = model.batch_size, model.seq_length
    ids = torch.from_numpy(model.vocabulary_.encode(task.text).astype(np.int64))
    stride = STEPS * T + 1  # from one stream to the next
    streams = torch.stack([ids[b * stride : (b + 1) * stride] for b in range(B)], dim=1)

    def turn() -> float:
        state, losses = None, []
        for start in range(0, STEPS * T, T):
            optimizer.zero_grad(set_to_none=True)
            with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
                hidden, state = network.rnn(network.embedding(streams[start : start + T]), state)
                logits = network.decoder(hidden).flatten(0, 1)
            targets = streams[start + 1 : start + T + 1].flatten()
            loss = torch.nn.functional.cross_entropy(logits.float(), targets, reduction="sum") / B
            loss.backward()
            optimizer.step()
            state = tuple(part.detach().float() for part in state)
            losses.append(loss.item())
        return smoothed(np.array(losses))

    return turn


def contenders(task: Task, *, peers: bool = True) -> dict[str, Callable[[], float]]:
    """Return the turns by name, crnn's with an embedding in float32 first."""
    embedded = {"embedding_size": EMBEDDING_SIZE}
    turns = {
        "crnn, embedding": crnn_turn(task, **embedded),
        "crnn, embedding, bfloat16": crnn_turn(task, **embedded, matmul_precision="bfloat16"),
        "crnn, sampled softmax": crnn_turn(task, **embedded, sampled_softmax=SAMPLED),
        "crnn, sampled softmax, bfloat16": crnn_turn(
            task, **embedded, sampled_softmax=SAMPLED, matmul_precision="bfloat16"
        ),
        "crnn": crnn_turn(task),
        "crnn, bfloat16": crnn_turn(task, matmul_precision="bfloat16"),
    }
    if not peers or not available("torch"):
        print(reason("torch"), file=sys.stderr)
        return turns
    turns["PyTorch, embedding"] = torch_turn(task, bfloat16=False)
    turns["PyTorch, embedding, autocast to bfloat16"] = torch_turn(task, bfloat16=True)
    return turns


def race(turns: dict[str, Callable[[], float]], repeats: int) -> dict[str, float]:
    """Let the contenders take turns; return the median seconds of each after an uncounted first turn.

    Those with an embedding must have learned as much in that turn: the same steps from the same weights.
    """
    losses = {name: turn() for name, turn in turns.items()}
    usual = next(iter(losses.values()))
    for name, loss in losses.items():
        tolerance = TOLERANCE["bfloat16" if "bfloat16" in name else "float32"]
        assert "embedding" not in name or abs(loss - usual) < tolerance * usual, losses
    spent: dict[str, list[float]] = {name: [] for name in turns}
    for _ in range(repeats):
        for name, turn in turns.items():
            time.sleep(PAUSE_SECONDS)
            start = time.perf_counter()
            turn()
            spent[name].append(time.perf_counter() - start)
    return {name: statistics.median(seconds) for name, seconds in spent.items()}


def table(tasks: Sequence[Task], repeats: int, *, peers: bool = True) -> list[str]:
    """Characters a second of each contender, and how many times as fast as PyTorch in float32 it is."""
    columns = {task.name: race(contenders(task, peers=peers), repeats) for task in tasks}
    names = list(next(iter(columns.values())))
    base = "PyTorch, embedding" if "PyTorch, embedding" in names else "crnn"
    symbols = STEPS * MODEL["batch_size"] * MODEL["seq_length"]
    lines = [f"| characters a second, one thread | {' | '.join(columns)} |", "|---|" + "---|" * len(columns)]
    for name in names:
        cells = [f"{symbols / spent[name]:,.0f} ({spent[base] / spent[name]:.2f}×)" for spent in columns.values()]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def losses(dictionary: Path, steps: int) -> list[str]:
    """Losses of held-out words, for models that differ in `embedding_size` and have taken `steps` steps."""
    known, held_out, alphabet = held_out_words(dictionary)
    lines = [f"| embedding_size, {steps} steps | weights | nats per character of held-out words |", "|---|---|---|"]
    for size in SIZES:
        model = CharRNN(**TRAINING, embedding_size=size, vocabulary=alphabet, max_steps=steps, random_state=0)
        model.fit(known)
        weights = sum(array.size for array in model.params_.values())
        lines.append(f"| {size} | {weights:,} | {-model.score(held_out, exact=False):.3f} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dictionary", nargs="?", type=Path, help="dict.txt of jieba (default: the installed one's)")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--steps", type=int, default=500, help="of the second table; 0: none")
    parser.add_argument("--seconds", type=float, help="of training: what is learned in equal time, and nothing else")
    parser.add_argument("--rate", type=float, default=TRAINING["learning_rate"], help="with --seconds (default: 0.01)")
    parser.add_argument("--output", type=Path, help="with --seconds: append runs to it, and repeat none of its")
    arguments = parser.parse_args()
    if CORE is not None:
        os.sched_setaffinity(0, {CORE})
    dictionary = arguments.dictionary or dictionary_of_jieba()
    if arguments.seconds:
        if dictionary is None:
            raise SystemExit("--seconds needs a dictionary: pip install 'crnn[bench]'")
        training = TRAINING | {"learning_rate": arguments.rate}
        words, seconds = held_out_words(dictionary), arguments.seconds
        lines = equal_time.table(words, training, seconds, output=arguments.output, peers=True)
        print("\n".join([*machine(), "", *lines]))
        return
    tasks = [zipf_task()]
    if dictionary is None:
        print("jieba is not installed: pip install 'crnn[bench]'", file=sys.stderr)
    else:
        tasks.append(words_task(dictionary))
    print("\n".join([*machine(), "", *table(tasks, arguments.repeats)]), flush=True)
    if dictionary is not None and arguments.steps:
        print("\n".join(["", *losses(dictionary, arguments.steps)]))


if __name__ == "__main__":
    main()
