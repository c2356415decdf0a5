"""Which tricks from papers help a small LSTM? `python -m benchmarks.trials FILE --trials mogrifier,bigrams`.

All on one replica in JAX (`benchmarks.replica`): 128 units, the recipe of `CharRNN.recommended` for short times, as
many characters for each. The first eight tenths of the text are learned, the ninth is measured; the last is not read.

A trick that makes a step dearer has to be worth more than as many more steps of the plain model. The baseline with
half as many steps again ("longer") says what those are worth: nats fall about evenly with the logarithm of the cost.
"gain beyond cost" is the gain over the baseline less this. A cost is the multiplications and additions of the products.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import peers

BASELINE, LONGER, LONGER_BY = "baseline", "longer", 1.5
TEACHERS = 4

Array = NDArray[Any]


def trials() -> dict[str, tuple[Callable[..., Any], Callable[..., Any], float]]:
    """By name: how the model and the training are made, and a factor of the steps."""
    from benchmarks.replica import tricks as t
    from benchmarks.replica.lstm import Lstm
    from benchmarks.replica.training import Training

    models = {
        BASELINE: Lstm, "capped": partial(Lstm, cell="capped"), "cifg": partial(Lstm, cell="cifg", hidden_size=148),
        "wider": partial(Lstm, hidden_size=160), "widest": partial(Lstm, hidden_size=192),
        "bigrams": t.Bigrams, "hashed-bigrams": t.HashedBigrams, "direct": t.Direct,
        "gated": t.Gated, "mogrifier": t.Mogrifier, "mogrifier-4": t.Mogrifier4,
        "mi": t.MultiplicativeIntegration, "mi-table": t.MultiplicativeGated, "mlstm": t.Multiplicative,
        "layer-norm": t.LayerNorm, "two-layers": partial(Lstm, hidden_size=76, num_layers=2),
        "two-residual": partial(t.Residual, hidden_size=76, num_layers=2),
        "two-normed": partial(t.NormalisedLayers, hidden_size=76, num_layers=2),
        "two-input-normed": partial(t.NormalisedResidual, hidden_size=76, num_layers=2),
        "smoothed": t.Smoothed, "tied": t.Tied, "peepholes": t.Peepholes,
    }  # fmt: skip
    trainings = {
        "later-longer": t.LaterLonger, "last-longer": t.LastLonger, "last-much-longer": t.LastMuchLonger,
        "first-shorter": t.FirstShorter, "jitter": t.Jitter, "restarts": t.Restarts,
        "averaged": t.Averaged, "averaged-constant": partial(t.AveragedAtConstantRate, rate=0.01),
        "averaged-tail": t.AveragedTail,
    }  # fmt: skip
    found = {name: (model, Training, 1.0) for name, model in models.items()}
    found |= {name: (Lstm, training, 1.0) for name, training in trainings.items()}
    return found | {LONGER: (Lstm, Training, LONGER_BY), "distilled": (t.Distilled, Training, 1.0)}


def cut(text: str) -> tuple[Array, int, int]:
    """Ids of the first nine tenths, how many of them are learned, and how many symbols there are."""
    read, learned = text[: len(text) * 9 // 10], len(text) * 8 // 10
    symbols = {c: i for i, c in enumerate(sorted(set(read)))}
    return np.array([symbols[c] for c in read], np.uint8), learned, len(symbols)


def measure(name: str, ids: Array, learned: int, n_symbols: int, steps: int, seed: int, **shape: Any) -> dict[str, Any]:
    """Train once; return nats by what was measured, the cost of a character beside the baseline's, and the seconds."""
    from benchmarks.replica.lstm import Lstm
    from benchmarks.replica.training import Training, held_out

    make, training, factor = trials()[name]
    start = time.perf_counter()
    if name == "distilled":
        teach = partial(Training().run, Lstm(n_symbols, **shape), ids[:learned], steps)
        shape = shape | {"teachers": [teach(1000 + 10 * seed + i)[""] for i in range(TEACHERS)]}
    model = make(n_symbols, **shape)
    weights = training().run(model, ids[:learned], round(factor * steps), seed)
    seconds = time.perf_counter() - start
    nats = {label: held_out(model, w, ids, learned) for label, w in weights.items()}
    cost = factor * model.multiply_adds() / Lstm(n_symbols).multiply_adds()
    return {"trial": name, "seed": seed, "steps": steps, "nats": nats, "cost": cost, "seconds": round(seconds, 1)}


def table(results: Sequence[dict[str, Any]]) -> Iterable[str]:
    """A row for each trial: means over the seeds, the least and the most, and the gains over the baseline."""
    nats: dict[str, list[float]] = {}
    costs: dict[str, float] = {}
    for result in results:
        for label, value in result["nats"].items():
            name = f"{result['trial']} {label}".strip()
            nats.setdefault(name, []).append(value)
            costs[name] = result["cost"]
    mean = {name: statistics.fmean(values) for name, values in nats.items()}
    base = mean.get(BASELINE, math.nan)
    slope = (base - mean.get(LONGER, math.nan)) / math.log(LONGER_BY)
    yield "| trial | cost | seeds | nats | gain | gain beyond cost |"
    yield "|---|---|---|---|---|---|"
    for name, values in nats.items():
        spread = f", {min(values):.4f} to {max(values):.4f}" if len(values) > 1 else ""
        gain = base - mean[name]
        beyond = gain - slope * math.log(costs[name]) if costs[name] != 1 else gain
        yield f"| {name} | {costs[name]:.2f} | {len(values)} | {mean[name]:.4f}{spread} | {gain:+.4f} | {beyond:+.4f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", type=Path, help="a UTF-8 file")
    parser.add_argument("--trials", default="", help="names, separated by commas (default: all)")
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--seeds", type=int, default=3, help="how many (default: 3)")
    parser.add_argument("--output", type=Path, help="append each run to this file, and do not repeat those in it")
    options = parser.parse_args()
    if not peers.available("jax"):
        raise SystemExit(peers.reason("jax"))
    names = options.trials.split(",") if options.trials else list(trials())
    if unknown := [name for name in names if name not in trials()]:
        raise SystemExit(f"there is no trial {unknown[0]!r}; there are {', '.join(trials())}")
    names = list(dict.fromkeys([BASELINE, LONGER, *names]))
    data = cut(options.text.read_bytes().decode("utf-8"))
    lines = options.output.read_text().splitlines() if options.output and options.output.exists() else []
    results = [json.loads(line) for line in lines]
    known = {(r["trial"], r["seed"], r["steps"]) for r in results}
    for seed in range(options.seeds):
        for name in names:
            if (name, seed, options.steps) in known:
                continue
            results.append(measure(name, *data, options.steps, seed))
            print(json.dumps(results[-1]), file=sys.stderr, flush=True)
            if options.output:
                with options.output.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(results[-1]) + "\n")
    print("\n".join(table(results)))


if __name__ == "__main__":
    main()
