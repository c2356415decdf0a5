"""Which program makes the better model of a text in so many seconds? `python -m benchmarks.quality TEXT_FILE`.

The first nine tenths of the text are trained on; what is measured is nats per character over the rest, exactly: one
state is carried through all of it. Every run is a process of its own, one after another. The budget is of training
with all that it makes ready, from the text in memory; imports and the measurement are not in it. Nothing else may run
at the time: threads that wait for one another at every product lose most of a loaded machine.

Contenders: "crnn" trains what `CharRNN.recommended` recommends, and "mixture" is `crnn.train`; "torch" is
`benchmarks.peers.torch_lstm_trainer`. Words after a name change it:

bf16, f32        products in bfloat16, which some processors do faster than float32, or in float32. Without either,
                 crnn takes what is faster on this machine, and PyTorch float32.
pairs, coupled   PyTorch's network gets rows for 1,024 pairs of symbols, or coupled gates, as crnn's networks have.
counts           PyTorch's network is mixed with the counts of `CharNGram`, in the way of `crnn.Mixture`: the weights
                 are fitted to the last 16,384 symbols of the training part, one pair for each place in a word.

The path of a Python file is a contender, too: its `train(text, seconds, threads, seed)` returns what the one of
`torch_lstm_trainer` does. `--save FILE` adds a line of JSON for each run to a file.
"""

from __future__ import annotations

import argparse
import itertools
import json
import runpy
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

import crnn
from benchmarks import peers
from crnn import CharNGram, CharRNN
from crnn.inference.mixture_weights import best_weights
from crnn.mixture import shown_weights

SECONDS = "15,60,180,600"
CONTENDERS = "crnn,mixture,torch,torch-pairs-coupled,torch-pairs-coupled-counts"
PRECISIONS = {"bf16": "bfloat16", "f32": "float32"}
WORDS = {"crnn": {*PRECISIONS}, "mixture": {*PRECISIONS}, "torch": {*PRECISIONS, "pairs", "coupled", "counts"}}
HELD_OUT = 16_384  # symbols for the weights of a mixture
CONTEXT = 24  # symbols that the counts look back, at most


def split(text: str) -> tuple[str, str]:
    """Return the part to train on and the part to measure, whose symbols must all occur in the first."""
    cut = len(text) * 9 // 10
    head, tail = text[:cut], text[cut:]
    new = sorted(set(tail) - set(head))
    if new:
        raise SystemExit(f"the last tenth of the text holds characters that the rest does not: {new}")
    return head, tail


def reason(contender: str) -> str | None:
    """Why a contender cannot run, or None if it can."""
    if contender.endswith(".py"):
        return None if Path(contender).is_file() else f"there is no file {contender}"
    name, *words = contender.split("-")
    if name not in WORDS or not WORDS[name].issuperset(words):
        return f"there is no contender {contender!r}"
    return None if name != "torch" or peers.available(name) else peers.reason(name)


def measure(contender: str, text: str, seconds: float, threads: int, seed: int) -> dict[str, Any]:
    """Let a contender train in this process and measure what it has learned."""
    if contender.endswith(".py"):
        nats, characters, description = runpy.run_path(contender)["train"](text, seconds, threads, seed)
        return {"nats": nats, "characters": characters, "description": description}
    name, *words = contender.split("-")
    if name == "torch":
        return measure_torch(words, text, seconds, threads, seed)
    given: dict[str, Any] = {}
    for word in words:
        given["matmul_precision"] = PRECISIONS[word]
    head, tail = split(text)
    if name == "mixture":
        return measure_mixture(head, tail, seconds, n_threads=threads, random_state=seed, **given)
    start = time.perf_counter()
    model = CharRNN.recommended(head, seconds, **given)
    model.set_params(n_threads=threads, random_state=seed).fit(head)
    spent = time.perf_counter() - start
    steps = max([model.n_steps_, *(record["step"] for record in model.history_)])  # the best weights may be older
    fresh = CharRNN().get_params()
    weights = sum(array.size for array in model.params_.values())
    ignored = ("n_threads", "random_state", "verbose")
    changed = {k: v for k, v in model.get_params().items() if k not in ignored and v != fresh[k]}
    return {
        "nats": -model.score(tail),
        "characters": steps * model.seq_length * model.batch_size,
        "description": f"{', '.join(f'{k}={v}' for k, v in changed.items())}; {weights:,} weights; {spent:.1f} s",
    }


def measure_mixture(head: str, tail: str, seconds: float, **given: Any) -> dict[str, Any]:
    """Train the mixture that is the default."""
    start = time.perf_counter()
    mixture = crnn.train(head, seconds, verbose=0, **given)
    spent = time.perf_counter() - start
    network = mixture.models_[0]
    assert isinstance(network, CharRNN)
    weights = sum(array.size for array in network.params_.values())
    return {
        "nats": -mixture.score(tail),
        "characters": network.n_steps_ * network.seq_length * network.batch_size,
        "description": f"{', '.join(shown_weights(mixture))}; {weights:,} weights; {spent:.1f} s",
    }


def measure_torch(words: Sequence[str], text: str, seconds: float, threads: int, seed: int) -> dict[str, Any]:
    """Train PyTorch's network, and mix it with counts if `words` say so."""
    from benchmarks.peers import torch_lstm_trainer as trainer

    recipe = trainer.recipe_for(seconds, pairs="pairs" in words, coupled="coupled" in words)
    recipe = replace(recipe, bfloat16="bf16" in words)
    if "counts" not in words:
        nats, characters, description = trainer.train(text, seconds, threads, seed, recipe)
        return {"nats": nats, "characters": characters, "description": description}
    cut = len(text) * 9 // 10
    kept = cut - HELD_OUT
    start = time.perf_counter()
    counts = CharNGram().fit(text[:kept])
    all_counts = CharNGram(order=counts.order_).fit(text[:cut])
    counted = time.perf_counter() - start
    ids = trainer.ids_of(text, cut)
    network, characters, description = trainer.train_network(ids[:kept], seconds - counted, threads, seed, recipe)
    rows = trainer.log_probabilities(network, ids[kept:]).double().numpy()
    held_out = [rows[:HELD_OUT], rows_of_counts(counts, text, kept, cut)]
    tail = [rows[HELD_OUT:], rows_of_counts(all_counts, text, cut, len(text))]
    targets = ids[kept:].numpy()
    nats = mixed_nats(held_out, tail, targets, places_in_words(text)[kept:])
    return {"nats": nats, "characters": characters, "description": f"{description}; counts of {counts.order_}-grams"}


def rows_of_counts(counts: CharNGram, text: str, start: int, stop: int) -> NDArray[np.float64]:
    """Return log P of each symbol at each place from `start` to `stop`, (n, V)."""
    prefixes = [text[max(0, i - CONTEXT) : i] for i in range(start, stop)]
    return np.log(counts.next_proba(prefixes))


def places_in_words(text: str) -> NDArray[np.int64]:
    """Return how many letters are right before each symbol, at most 3."""
    places = np.zeros(len(text), np.int64)
    n = 0
    for i, symbol in enumerate(text):
        places[i] = n
        is_letter = symbol.isalnum() or symbol == "_"
        n = min(n + 1, 3) if is_letter else 0
    return places


def mixed_nats(
    held_out: Sequence[NDArray[np.float64]],
    tail: Sequence[NDArray[np.float64]],
    targets: NDArray[np.int64],
    places: NDArray[np.int64],
) -> float:
    """Fit two models' weights for each place in a word, and return the mean loss of the tail.

    `held_out` and `tail` are log P of each model, `targets` and `places` belong to the held-out part and to the tail.
    """
    n = len(held_out[0])
    total = 0.0
    for place in range(4):
        known = np.flatnonzero(places[:n] == place)
        rows = [of_model[known] for of_model in held_out]
        weights = best_weights(partial(mean_loss, rows=rows, targets=targets[:n][known]), len(rows))
        unseen = np.flatnonzero(places[n:] == place)
        rows = [of_model[unseen] for of_model in tail]
        total += len(unseen) * mean_loss(weights, rows, targets[n:][unseen])[0]
    return float(total / len(tail[0]))


def mean_loss(
    weights: NDArray[np.float64], rows: Sequence[NDArray[np.float64]], targets: NDArray[np.int64]
) -> tuple[float, NDArray[np.float64]]:
    """Return the mean of -log P of the targets by the weighted sum of `rows`, normalized, and its gradient."""
    total = np.zeros_like(rows[0])
    for weight, of_model in zip(weights, rows, strict=True):
        total += weight * of_model
    mixed = log_softmax(total, axis=1)
    at = (np.arange(len(targets)), targets)
    p = np.exp(mixed)
    gradient = [((p * of_model).sum(1) - of_model[at]).mean() for of_model in rows]
    return -float(mixed[at].mean()), np.array(gradient)


def run(contender: str, path: Path, seconds: float, threads: int, seed: int) -> dict[str, Any]:
    """Do `measure` in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.quality", str(path), "--alone", "--contenders", contender]
    command += ["--seconds", str(seconds), "--threads", str(threads), "--seeds", str(seed)]
    answer = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    found: dict[str, Any] = json.loads(answer.splitlines()[-1])
    return found


def table(results: Sequence[dict[str, Any]]) -> Iterable[str]:
    """Nats by contender and seconds, with the millions of characters that were read for them; then the recipes.

    Of several seeds the means, and the least and the most nats.
    """
    budgets = sorted({r["seconds"] for r in results})
    yield f"| nats per character (millions read) | {' | '.join(f'{s:g} s' for s in budgets)} |"
    yield "|---" * (len(budgets) + 1) + "|"
    for contender in dict.fromkeys(r["contender"] for r in results):
        mine = [r for r in results if r["contender"] == contender]
        yield f"| {contender} | {' | '.join(_cell([r for r in mine if r['seconds'] == s]) for s in budgets)} |"
    yield ""
    yield from (f"- {r['contender']}, {r['seconds']:g} s, seed {r['seed']}: {r['description']}" for r in results)


def _cell(runs: Sequence[dict[str, Any]]) -> str:
    """What the table says of runs that differ in their seeds."""
    if not runs:
        return "–"
    nats, characters = [r["nats"] for r in runs], mean(r["characters"] for r in runs)
    spread = f" {min(nats):.4f} to {max(nats):.4f}" if len(runs) > 1 else ""
    return f"{mean(nats):.4f}{spread} ({characters / 1e6:.2f})"


def main() -> None:
    """Run every contender with every budget; print the table."""
    parser = argparse.ArgumentParser(description="Compare models of a text by the seconds they were trained.")
    parser.add_argument("text", type=Path, help="a UTF-8 file")
    parser.add_argument("--seconds", default=SECONDS, help=f"budgets (default: {SECONDS})")
    parser.add_argument("--contenders", default=CONTENDERS, help=f"see above (default: {CONTENDERS})")
    parser.add_argument("--threads", type=int, default=2, help="of every contender (default: 2)")
    parser.add_argument("--seeds", default="0", help="of initial weights and dropout, one run each (default: 0)")
    parser.add_argument("--save", type=Path, metavar="FILE", help="add each run to this file, as a line of JSON")
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)  # this is the process of one run
    options = parser.parse_args()
    names, budgets = options.contenders.split(","), [float(seconds) for seconds in options.seconds.split(",")]
    seeds = [int(seed) for seed in options.seeds.split(",")]
    text = options.text.read_bytes().decode("utf-8")  # newlines as they are
    if options.alone:
        print(json.dumps(measure(names[0], text, budgets[0], options.threads, seeds[0])))
        return
    split(text)
    for name in names:
        if why := reason(name):
            print(why, file=sys.stderr)
    from benchmarks.machine import build, machine

    of_runs = f"{options.threads} threads, seeds {options.seeds}, {len(text)} characters."
    print(*machine(), of_runs, "", sep="\n", flush=True)
    results = []
    able = [name for name in names if not reason(name)]
    for seconds, seed, name in itertools.product(budgets, seeds, able):
        run_of = {"contender": name, "seconds": seconds, "threads": options.threads, "seed": seed}
        results.append(run_of | run(name, options.text, seconds, options.threads, seed))
        print(json.dumps(results[-1]), file=sys.stderr, flush=True)
        if options.save:
            conditions = {"text": options.text.name, "date": str(date.today()), "build": build(), "machine": machine()}
            with options.save.open("a", encoding="utf-8") as file:
                file.write(json.dumps(results[-1] | conditions) + "\n")
    print("\n".join(table(results)))


if __name__ == "__main__":
    main()
