"""Which tricks from papers help a small LSTM? `python -m benchmarks.trials FILE --trials mogrifier,bigrams`.

All on one replica in JAX (`benchmarks.replica`): 128 units (`--hidden-size`), the recipe of `CharRNN.recommended` for
short times, as many characters for each. The first eight tenths of the text are learned, the ninth is measured; the
last is not read.

A trick that makes a step dearer has to be worth more than the plain model at the same cost. The baseline with half as
many steps again ("longer") and, where it is among the trials, the one with a quarter more units ("wider") say what cost
is worth: nats fall about evenly with its logarithm. "gain beyond cost" is the gain over the baseline less the better of
these. A cost is the multiplications and additions of the products.
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

BASELINE, LONGER, LONGER_BY, WIDER = "baseline", "longer", 1.5, "wider"
HIDDEN_SIZE = 128  # of the plain model
TEACHERS = 4

Array = NDArray[Any]


def trials(hidden_size: int = HIDDEN_SIZE) -> dict[str, tuple[Callable[..., Any], Callable[..., Any], float]]:
    """By name: how the model and the training are made, and a factor of the steps."""
    from benchmarks.replica import tables
    from benchmarks.replica import tricks as t
    from benchmarks.replica.lstm import Lstm
    from benchmarks.replica.training import Training

    def units(share: float) -> dict[str, int]:
        return {"hidden_size": round(share * hidden_size)}

    models = {
        BASELINE: Lstm, "capped": partial(Lstm, **units(1), cell="capped"),
        "cifg": partial(Lstm, **units(37 / 32), cell="cifg"),
        WIDER: partial(Lstm, **units(5 / 4)), "widest": partial(Lstm, **units(3 / 2)),
        "bigrams": tables.Bigrams, "hashed-bigrams": tables.HashedBigrams,
        "sparse-hashed-bigrams": tables.SparseHashedBigrams,
        "low-rank-bigrams": tables.LowRankBigrams, "low-rank-bigrams-16": tables.LowRankBigrams16,
        "small-hashed-bigrams": tables.SmallBigrams, "small-hashed-bigrams-4096": tables.SmallBigrams4096,
        "embedded": tables.Embedded, "direct": tables.Direct, "sparse-direct": tables.SparseDirect,
        "gated": t.Gated, "mogrifier": t.Mogrifier, "mogrifier-4": t.Mogrifier4,
        "mi": t.MultiplicativeIntegration, "mi-table": t.MultiplicativeGated, "mlstm": t.Multiplicative,
        "layer-norm": t.LayerNorm, "two-layers": partial(Lstm, **units(19 / 32), num_layers=2),
        "two-residual": partial(t.Residual, **units(19 / 32), num_layers=2),
        "two-normed": partial(t.NormalisedLayers, **units(19 / 32), num_layers=2),
        "two-input-normed": partial(t.NormalisedResidual, **units(19 / 32), num_layers=2),
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
    found |= {LONGER: (Lstm, Training, LONGER_BY), "distilled": (t.Distilled, Training, 1.0)}
    return {
        name: (partial(model, **units(1)) if isinstance(model, type) else model, training, factor)
        for name, (model, training, factor) in found.items()
    }


def cut(text: str) -> tuple[Array, int, int]:
    """Ids of the first nine tenths, how many of them are learned, and how many symbols there are."""
    read, learned = text[: len(text) * 9 // 10], len(text) * 8 // 10
    symbols = {c: i for i, c in enumerate(sorted(set(read)))}
    return np.array([symbols[c] for c in read], np.uint8), learned, len(symbols)


def measure(
    name: str, ids: Array, learned: int, n_symbols: int, steps: int, seed: int, hidden_size: int = HIDDEN_SIZE
) -> dict[str, Any]:
    """Train once; return nats by what was measured, the cost of a character beside the baseline's, and the seconds."""
    from benchmarks.replica.lstm import Lstm
    from benchmarks.replica.training import Training, held_out

    make, training, factor = trials(hidden_size)[name]
    plain, options = Lstm(n_symbols, hidden_size), {}
    start = time.perf_counter()
    if name == "distilled":
        teach = partial(Training().run, plain, ids[:learned], steps)
        options = {"teachers": [teach(1000 + 10 * seed + i)[""] for i in range(TEACHERS)]}
    model = make(n_symbols, **options)
    weights = training().run(model, ids[:learned], round(factor * steps), seed)
    seconds = time.perf_counter() - start
    nats = {label: held_out(model, w, ids, learned) for label, w in weights.items()}
    cost = factor * model.multiply_adds() / plain.multiply_adds()
    run = {"trial": name, "hidden_size": hidden_size, "seed": seed, "steps": steps}
    return run | {"nats": nats, "cost": cost, "seconds": round(seconds, 1)}


def table(results: Sequence[dict[str, Any]]) -> Iterable[str]:
    """A row for each trial: means and standard deviations over the seeds, and the gains over the baseline.

    A gain is the mean over the seeds that trial and baseline have in common.
    """
    nats: dict[str, dict[int, float]] = {}
    costs: dict[str, float] = {}
    for result in results:
        for label, value in result["nats"].items():
            name = f"{result['trial']} {label}".strip()
            nats.setdefault(name, {})[result["seed"]] = value
            costs[name] = result["cost"]
    base = nats.get(BASELINE, {})

    def gain(name: str) -> float:
        common = nats.get(name, {}).keys() & base.keys()
        return statistics.fmean(base[seed] - nats[name][seed] for seed in common) if common else math.nan

    slopes = [gain(name) / math.log(costs[name]) for name in (LONGER, WIDER) if base and name in nats]
    slope = max(slopes, default=math.nan)
    yield "| trial | cost | seeds | nats | gain | gain beyond cost |"
    yield "|---|---|---|---|---|---|"
    for name, values in nats.items():
        mean, n = statistics.fmean(values.values()), len(values)
        spread = f" ± {statistics.stdev(values.values()):.4f}" if n > 1 else ""
        beyond = gain(name) - slope * math.log(costs[name]) if costs[name] != 1 else gain(name)
        yield f"| {name} | {costs[name]:.2f} | {n} | {mean:.4f}{spread} | {gain(name):+.4f} | {beyond:+.4f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", type=Path, help="a UTF-8 file")
    parser.add_argument("--trials", default="", help="names, separated by commas (default: all)")
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--hidden-size", type=int, default=HIDDEN_SIZE, help="of the plain model (default: 128)")
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
    size, steps = options.hidden_size, options.steps
    results = [r for r in map(json.loads, lines) if (r["hidden_size"], r["steps"]) == (size, steps)]
    known = {(r["trial"], r["seed"]) for r in results}
    for seed in range(options.seeds):
        for name in names:
            if (name, seed) in known:
                continue
            results.append(measure(name, *data, steps, seed, size))
            print(json.dumps(results[-1]), file=sys.stderr, flush=True)
            if options.output:
                with options.output.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(results[-1]) + "\n")
    print("\n".join(table(results)))


if __name__ == "__main__":
    main()
