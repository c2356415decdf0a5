"""What does dynamic evaluation gain, and what does it cost? `python -m benchmarks.adaptation [FILE] [--seconds 60]`.

`CharRNN.recommended` trains a model on the first nine tenths of FILE (default: the text of `crnn demo`) for the given
time. The command prints nats per character on the last tenth, with fixed weights and with the default options of
adaptation. `--learning-rates`, `--decays` and `--blocks`, each a list with commas, try other options: a model trained
on the first eight tenths adapts to the ninth, and the best options there are then shown on the last tenth, too.

The speed of `score(adapt=True)` is compared with online training, which trains the same model on one stream
(`batch_size=1`) and also learns from each character once. The two run alternately.
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
    best = None
    if tried := list(choices(arguments)):
        known, validation = parts(text[: len(text) * 9 // 10], 8 / 9)
        best = chosen(fitted(known, arguments), validation, tried)
    known, last = parts(text, 9 / 10)
    model = fitted(known, arguments)
    print(f"{len(text):,} characters, {model}")
    print("| | nats per character of the last tenth |\n|---|---|")
    as_trained, adapted = -model.score(last), -model.score(last, adapt=True)
    print(f"| as trained | {as_trained:.4f} |\n| adapt=True | {adapted:.4f} |", flush=True)
    assert adapted < as_trained
    if best:
        print(f"| {best} | {-model.score(last, adapt=best):.4f} |", flush=True)
    cost(model, last[:TIMED], arguments.rounds)


def parts(text: str, share: float) -> tuple[str, str]:
    """Return the part to train on, and the rest, of known characters."""
    cut = round(len(text) * share)
    known = set(text[:cut])
    return text[:cut], "".join(symbol for symbol in text[cut:] if symbol in known)


def fitted(text: str, arguments: argparse.Namespace) -> CharRNN:
    """Return a model of a text."""
    recommended = CharRNN.recommended(text, arguments.seconds, cell=arguments.cell, random_state=arguments.seed)
    return recommended.fit(text)


def choices(arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Yield the options to try in addition to the defaults."""
    lists = {
        "learning_rate": arguments.learning_rates,
        "decay": arguments.decays,
        "block_length": arguments.blocks,
    }
    given = {name: values for name, values in lists.items() if values}
    for values in itertools.product(*given.values()):
        if values:
            yield dict(zip(given, values, strict=True))


def chosen(model: CharRNN, text: str, tried: list[dict[str, Any]]) -> dict[str, Any]:
    """Print nats per character with each of the options, and return the best."""
    print(f"| | nats per character of the ninth tenth |\n|---|---|\n| as trained | {-model.score(text):.4f} |")
    found = []
    for options in ({}, *tried):
        found.append((-model.score(text, adapt=options), options))
        print(f"| {options or 'adapt=True'} | {found[-1][0]:.4f} |", flush=True)
    return min(found, key=lambda pair: pair[0])[1]


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
