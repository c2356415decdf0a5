"""Make what the guides show and offer: the plots that take minutes to train, and notebooks.

    python tools/guides.py quotes            an LSTM learns the documentation that every Python brings; its units
    python tools/guides.py gradient-flow     a vanilla network and an LSTM learn it; how their gradients fade
    python tools/guides.py notebook docs/tutorial.md tutorial.ipynb      a page as a notebook

The plots of docs/pictures.md come with the figures next to them. The steps of training are fixed, so that one kind of
machine makes the same picture each time. Each takes one to three minutes.

A notebook has the page's blocks of Python as cells of code, and the prose between them as cells of text, without the
outputs that the page shows, since the notebook makes its own.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("MPLBACKEND", "agg")

import numpy as np

from crnn import CharRNN

sys.path.append(str(Path(__file__).parent.parent / "docs" / "extensions"))
from python_blocks import BLOCK

KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
IMAGES = Path(__file__).parent.parent / "docs" / "images"
HELD_OUT = 0.05  # of the text, its end
EXCERPT = ('3. "remove()" raises', "classes provide it.")  # begin and end of what the picture of quotes shows


def documentation() -> str:
    """Return the text: Python's documentation, as far as it is ASCII."""
    from pydoc_data.topics import topics

    return "".join(c for c in "\n".join(topics.values()) if c.isascii())


def trained(text: str, cell: str, steps: int, **parameters: Any) -> CharRNN:
    """Return a network of 128 units after some steps of training, and print how long that took."""
    model = CharRNN(
        128, cell=cell, max_steps=steps, optimizer="adam", schedule="cosine", warmup=0.02, clip=None, clip_norm=1.0,
        random_state=0,
    )  # fmt: skip
    start = time.perf_counter()
    model.set_params(**parameters).fit(text)
    seen = steps * model.batch_size * model.seq_length
    print(f"{cell}: {seen:,} characters in {time.perf_counter() - start:.0f} s")
    return model


def quotes(folder: Path) -> None:
    """Find the units of an LSTM, and draw the one that follows quotes."""
    from matplotlib import pyplot as plt

    from crnn import plot

    text = documentation()
    cut = int(len(text) * (1 - HELD_OUT))
    held_out = text[cut:]
    model = trained(text[:cut], "lstm", 9000, seq_length=128, batch_size=16, learning_rate=0.006)
    print(f"{model.bits_per_char(held_out):.2f} bits per character of {len(held_out):,} held out")
    found = {unit.property: unit for unit in plot.find_units(model, held_out)}
    for name, follower in found.items():
        print(f"{name:16} unit {follower.unit:3}  r = {follower.correlation:.2f}")
    unit = found["inside quotes"].unit
    inside = np.cumsum([c == '"' for c in held_out]) % 2 == 1
    activation = model.hidden_states(held_out)[:, 0, unit]
    print(f"unit {unit}: mean {activation[inside].mean():.2f} inside quotes, {activation[~inside].mean():.2f} outside")
    begin = text.index(EXCERPT[0])
    end = text.index(EXCERPT[1], begin) + len(EXCERPT[1]) + 1
    figure, ax = plt.subplots(figsize=(11, 3.4), layout="constrained")
    plot.neurons(model, text[begin:end], units=[unit], width=72, ax=ax)
    figure.savefig(folder / "inside-quotes.png", bbox_inches="tight", dpi=100)


def gradient_flow(folder: Path) -> None:
    """Compare how far back a vanilla network and an LSTM learn from."""
    from matplotlib import pyplot as plt

    from crnn import plot

    text = documentation()
    cut = int(len(text) * (1 - HELD_OUT))
    figure, axes = plt.subplots(1, 2, sharex=True, sharey=True, figsize=(9, 3.3), layout="constrained")
    for ax, cell, rate in zip(axes, ("rnn", "lstm"), (0.002, 0.006), strict=True):
        model = trained(text[:cut], cell, 4000, seq_length=64, batch_size=32, learning_rate=rate)
        print(f"{cell}: {model.bits_per_char(text[cut:]):.2f} bits per character of the held-out text")
        plot.gradient_flow(model, text[cut : cut + 2000], max_distance=100, ax=ax)
        ax.set_title({"rnn": "vanilla, 128 units", "lstm": "LSTM, 128 units"}[cell])
        norms = plot.gradient_norms(model, text[cut : cut + 2000], max_distance=100)
        for state, values in (("h", norms.h), ("c", norms.c)):
            if values is not None:
                mean = values.mean(axis=(0, 1))
                print(f"{cell}, {state}: " + ", ".join(f"{mean[k]:.1e} at {k}" for k in (0, 20, 40, 64, 100)))
    figure.savefig(folder / "gradient-flow.png", dpi=100)


def notebook(text: str) -> dict[str, Any]:
    r"""Return a page as a notebook of format 4.5.

    Examples
    --------
    >>> made = notebook("# A page\n\n```python\nprint(1)\n```\n\n```text\n1\n```\n\nThe end.\n")
    >>> [(cell["cell_type"], cell["source"]) for cell in made["cells"]]
    [('markdown', '# A page'), ('code', 'print(1)'), ('markdown', 'The end.')]
    """
    cells, end = [], 0
    for block in BLOCK.finditer(text):
        cells += [("markdown", text[end : block.start()]), ("code", block["source"])]
        end = block.end()
    cells.append(("markdown", text[end:]))
    kept = [(kind, source.strip()) for kind, source in cells if source.strip()]
    return {
        "cells": [_cell(number, kind, source) for number, (kind, source) in enumerate(kept)],
        "metadata": {"kernelspec": KERNEL},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def _cell(number: int, kind: str, source: str) -> dict[str, Any]:
    code: dict[str, Any] = {"execution_count": None, "outputs": []} if kind == "code" else {}
    return {"cell_type": kind, "id": f"cell-{number}", "metadata": {}, "source": source, **code}


PICTURES = {"quotes": quotes, "gradient-flow": gradient_flow}


def main() -> None:
    """Draw a plot, or write a notebook."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("made", choices=[*PICTURES, "notebook"])
    parser.add_argument("files", nargs="*", type=Path, help="notebook: the page and the output")
    parser.add_argument("-o", "--output", type=Path, default=IMAGES, help="folder of plots (default: docs/images)")
    arguments = parser.parse_args()
    if arguments.made == "notebook":
        page, output = arguments.files
        made = notebook(page.read_text(encoding="utf-8"))
        output.write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    else:
        PICTURES[arguments.made](arguments.output)


if __name__ == "__main__":
    main()
