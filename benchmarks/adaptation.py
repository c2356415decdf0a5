"""What does dynamic evaluation gain, and what does it cost? `python -m benchmarks.adaptation [FILE] [--seconds 60]`.

A model, which `CharRNN.recommended` recommends for the time, learns the first eight tenths of FILE, by default the text
of `crnn demo`. Rates and block lengths may be tried on the ninth tenth (`--learning-rates`, `--decays`, `--blocks`,
each a list with commas). Printed are nats per character of the ninth and of the last tenth: with the weights as they
are, with the default options, and with those that are best on the ninth tenth.

The speed of `score(adapt=True)` is compared with that of online training, the same model's training on one stream
(`batch_size=1`), which also reads each character once and learns from it. The two take turns.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from crnn import CharRNN
from crnn.cli import demo

TIMED = 20_000  # characters of one measurement


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="?", type=Path)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--cell", default="lstm")
    parser.add_argument("--seed", type=int, default=0)
    for name, kind in (("learning-rates", float), ("decays", float), ("blocks", int)):
        parser.add_argument(f"--{name}", type=lambda text, kind=kind: [kind(part) for part in text.split(",")])
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    text = demo.text() if arguments.file is None else arguments.file.read_text(encoding="utf-8")
    head, validation, last = tenths(text)
    model = CharRNN.recommended(head, arguments.seconds, cell=arguments.cell, random_state=arguments.seed)
    model.fit(head)
    print(f"{len(text):,} characters, {model}", flush=True)
    gain(model, validation, last, list(choices(arguments)))
    cost(model, last[:TIMED], arguments.rounds)


def tenths(text: str) -> tuple[str, str, str]:
    """Return the part to train on, the part to choose on and the part to report on, all of known characters."""
    cuts = [len(text) * n // 10 for n in (8, 9)]
    head = text[: cuts[0]]
    known = set(head)
    rest = (text[cuts[0] : cuts[1]], text[cuts[1] :])
    validation, last = ("".join(symbol for symbol in part if symbol in known) for part in rest)
    return head, validation, last


def choices(arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Yield the options to try beside the defaults."""
    lists = {
        "learning_rate": arguments.learning_rates,
        "decay": arguments.decays,
        "block_length": arguments.blocks,
    }
    given = {name: values for name, values in lists.items() if values}
    for values in itertools.product(*given.values()):
        if values:
            yield dict(zip(given, values, strict=True))


def gain(model: CharRNN, validation: str, last: str, tried: list[dict[str, Any]]) -> None:
    """Print nats per character without adaptation, with the defaults, and with the best options."""
    print("| | ninth tenth | last tenth |\n|---|---|---|")
    static = [-model.score(part) for part in (validation, last)]
    print(f"| as trained | {static[0]:.4f} | {static[1]:.4f} |")
    default = [-model.score(part, adapt=True) for part in (validation, last)]
    print(f"| adapt=True | {default[0]:.4f} | {default[1]:.4f} |", flush=True)
    assert default[0] < static[0]
    found = [(-model.score(validation, adapt=options), options) for options in tried]
    for nats, options in found:
        print(f"| {options} | {nats:.4f} | |", flush=True)
    if found:
        nats, options = min(found, key=lambda pair: pair[0])
        print(f"| best, {options} | {nats:.4f} | {-model.score(last, adapt=options):.4f} |", flush=True)


def cost(model: CharRNN, text: str, rounds: int) -> None:
    """Print characters a second of adaptation, of online training and of scoring, in turns; the fastest of each."""
    online = model.adapt(text[:2]).set_params(
        batch_size=1, max_seconds=None, max_steps=None, schedule="constant", validation_fraction=0.0, n_threads=1
    )
    work = {
        "score(adapt=True)": lambda: model.score(text, adapt=True),
        f"training, batch_size=1, seq_length={online.seq_length}": lambda: online.partial_fit(text),
        "score()": lambda: model.score(text),
    }
    best = dict.fromkeys(work, 0.0)
    for _ in range(rounds):
        for name, run in work.items():
            start = time.perf_counter()
            run()
            best[name] = max(best[name], len(text) / (time.perf_counter() - start))
    print("\n| | characters a second |\n|---|---|")
    for name, speed in best.items():
        print(f"| {name} | {speed:,.0f} |")
    adapting, training, _ = best.values()
    print(f"\nadaptation / online training: {adapting / training:.2f}")


if __name__ == "__main__":
    main()
