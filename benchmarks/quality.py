"""Which program makes the better model of a text in so many seconds? `python -m benchmarks.quality TEXT_FILE`.

The first nine tenths of the text are trained on; what is measured is nats per character over the rest, exactly: one
state is carried through all of it. Every run is a process of its own, one after another. The budget is of training
with all that it makes ready, from the text in memory; imports and the measurement are not in it. Nothing else may run
at the time: threads that wait for one another at every product lose most of a loaded machine.

Contenders: "crnn" trains what `CharRNN.recommended` recommends; "torch" is `benchmarks.peers.torch_lstm_trainer`.
"bf16" after a name, as in "torch-bf16", multiplies in bfloat16, which some processors do faster than float32, and "f32"
in float32. Without either, "crnn" takes what is faster on this machine, and "torch" float32. The path of a Python file
is a contender, too: its `train(text, seconds, threads, seed)` returns what the one of `torch_lstm_trainer` does.
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
from pathlib import Path
from statistics import mean
from typing import Any

from benchmarks import peers
from crnn import CharRNN

SECONDS = "15,60,180,600"
CONTENDERS = "crnn,crnn-f32,torch"
PRECISIONS = {"": None, "bf16": "bfloat16", "f32": "float32"}


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
    name, _, precision = contender.partition("-")
    if name not in ("crnn", "torch") or precision not in PRECISIONS:
        return f"there is no contender {contender!r}"
    return None if name == "crnn" or peers.available(name) else peers.reason(name)


def measure(contender: str, text: str, seconds: float, threads: int, seed: int) -> dict[str, Any]:
    """Let a contender train in this process and measure what it has learned."""
    if contender.endswith(".py"):
        nats, characters, description = runpy.run_path(contender)["train"](text, seconds, threads, seed)
        return {"nats": nats, "characters": characters, "description": description}
    name, _, precision = contender.partition("-")
    head, tail = split(text)
    if name == "torch":
        from benchmarks.peers import torch_lstm_trainer as trainer

        recipe = replace(trainer.recipe_for(seconds), bfloat16=precision == "bf16")
        nats, characters, description = trainer.train(text, seconds, threads, seed, recipe)
        return {"nats": nats, "characters": characters, "description": description}
    given: dict[str, Any] = {"matmul_precision": PRECISIONS[precision]} if precision else {}
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
    from benchmarks.report import machine

    of_runs = f"{options.threads} threads, seeds {options.seeds}, {len(text)} characters."
    print(*machine(), of_runs, "", sep="\n", flush=True)
    results = []
    able = [name for name in names if not reason(name)]
    for seconds, seed, name in itertools.product(budgets, seeds, able):
        run_of = {"contender": name, "seconds": seconds, "threads": options.threads, "seed": seed}
        results.append(run_of | run(name, options.text, seconds, options.threads, seed))
        print(json.dumps(results[-1]), file=sys.stderr, flush=True)
    print("\n".join(table(results)))


if __name__ == "__main__":
    main()
