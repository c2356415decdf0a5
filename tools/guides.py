"""Make what the guides show and offer: the plots that take minutes to train, and notebooks.

    python tools/guides.py quotes            an LSTM learns the documentation that every Python brings; its units
    python tools/guides.py gradient-flow     a vanilla network and an LSTM learn it; how their gradients fade
    python tools/guides.py learning book.txt         what a network writes during 20 seconds: the README's picture
    python tools/guides.py outputs docs/start.md     put what a page's blocks print now into the page
    python tools/guides.py notebook docs/start.md start.ipynb      a page as a notebook

The plots of docs/look_inside.md come with the figures next to them. The steps of training are fixed, so that one kind
of machine makes the same picture each time. Each takes one to three minutes.

A notebook has the page's blocks of Python as cells of code, and the prose between them as cells of text, without the
outputs that the page shows, since the notebook makes its own.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import tempfile
import time
from html import escape
from pathlib import Path
from typing import Any

os.environ.setdefault("MPLBACKEND", "agg")

import numpy as np

from crnn import CharRNN

sys.path.append(str(Path(__file__).parent.parent / "docs" / "extensions"))
from python_blocks import BLOCK, run_blocks

KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
IMAGES = Path(__file__).parent.parent / "docs" / "images"
HELD_OUT = 0.05  # of the text, its end
STAGES = (0, 40, 200, 1000, 5000)  # steps after which the network of the README's picture writes
EXCERPT = ('3. "remove()" raises', "classes provide it.")  # begin and end of what the picture of quotes shows


def documentation() -> str:
    """Return the text: Python's documentation, as far as it is ASCII."""
    from pydoc_data.topics import topics

    return "".join(c for c in "\n".join(topics.values()) if c.isascii())


def trained(text: str, cell: str, steps: int, **parameters: Any) -> CharRNN:
    """Return a network of 128 units after some steps of training, and print how long that took."""
    model = CharRNN(
        128, cell=cell, max_steps=steps, optimizer="adam", schedule="cosine", warmup_fraction=0.02, clip=None,
        clip_norm=1.0, random_state=0,
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


def learning(folder: Path, book: Path) -> None:
    """Draw what a network writes while it learns a book for some 20 seconds on one core."""
    text = book.read_text(encoding="utf-8")
    cut = len(text) * 9 // 10
    model = CharRNN(
        192, cell="cifg", n_bigrams=1024, seq_length=24, batch_size=16, optimizer="adam", learning_rate=0.02,
        beta_2=0.99, schedule="cosine", warmup_fraction=0.02, clip=None, clip_norm=1.0, init_scale=0.1,
        state_reset=0.01, max_steps=0, eval_every=40, restore_best=False, n_threads=1, random_state=0,
    )  # fmt: skip
    stages: list[tuple[float, float, list[str]]] = []
    start = spent = 0.0

    def look(model: CharRNN, record: dict[str, Any]) -> None:
        """Let the network write at a few of its steps, with the clock stopped."""
        nonlocal spent, start
        if record["step"] in STAGES:
            spent += time.process_time() - start
            bits = model.bits_per_char(text[cut:], exact=False)
            lines = model.sample(400, prime="\n", temperature=0.6, random_state=2).strip().splitlines()
            stages.append((spent, bits, [line for line in lines if line.strip()]))
            print(f"{spent:5.1f} s of one core, {bits:.2f} bits per character", *lines, sep="\n")
            start = time.process_time()

    model.fit(text[:cut])
    start = time.process_time()
    look(model, {"step": 0})
    model.set_params(callbacks=[look], max_steps=max(STAGES)).fit(text[:cut], validation=text[cut : cut + 1000])
    (folder / "learning.svg").write_text(learning_svg(stages), encoding="utf-8")


def learning_svg(stages: list[tuple[float, float, list[str]]]) -> str:
    """Return the picture: for each stage its time, its bits as a bar, and some lines, one stage after the other."""
    title = "A network reads Shakespeare on one core, and writes"
    parts, y = [f'<text class="time" x="20" y="28">{title}</text>'], 64
    for number, (seconds, bits, lines) in enumerate(stages):
        shown = [escape(line[:58]) for line in lines[: 2 + number]]
        rows = "".join(f'<tspan x="230" dy="{20 if k else 0}">{line}</tspan>' for k, line in enumerate(shown))
        parts.append(
            f'<g style="animation-delay:{0.9 * number:.1f}s"><text class="time" x="20" y="{y}">{seconds:.1f} s</text>'
            f'<rect x="90" y="{y - 11}" width="{bits * 12:.0f}" height="12" rx="2"/>'
            f'<text class="bits" x="90" y="{y + 18}">{bits:.1f} bits a letter</text>'
            f'<text class="said" x="230" y="{y}">{rows}</text></g>'
        )
        y += 20 * max(2, len(shown)) + 16
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 780 {y - 16}" width="780" role="img">\n'
        f"<title>{title}</title>\n<style>\n"
        "text { fill: #1f2328; font: 14px ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace }\n"
        ".time { font-weight: bold } .bits { fill: #59636e; font-size: 11px } rect { fill: #0969da }\n"
        "@media (prefers-color-scheme: dark) {\n"
        "text { fill: #e6edf3 } .bits { fill: #9198a1 } rect { fill: #58a6ff } }\n"
        "@media (prefers-reduced-motion: no-preference) { g { animation: appear 0.8s backwards } }\n"
        "@keyframes appear { from { opacity: 0.2 } }\n</style>\n" + "\n".join(parts) + "\n</svg>\n"
    )


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


def write_outputs(page: Path) -> None:
    """Run the blocks of a page in an empty folder, and put what they print into the page."""
    text, parts, end = page.read_text(encoding="utf-8"), list[str](), 0
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        outputs = [printed for _, printed, _ in run_blocks(text, str(page))]
    for block, printed in zip(BLOCK.finditer(text), outputs, strict=True):
        if block["output"] is not None:
            parts += [text[end : block.start("output")], printed]
            end = block.end("output")
    page.write_text("".join([*parts, text[end:]]), encoding="utf-8")


PICTURES = {"quotes": quotes, "gradient-flow": gradient_flow}


def main() -> None:
    """Draw a picture, update pages, or write a notebook."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("made", choices=[*PICTURES, "learning", "outputs", "notebook"])
    parser.add_argument("files", nargs="*", type=Path, help="the text, the pages, or a page and its notebook")
    parser.add_argument("-o", "--output", type=Path, default=IMAGES, help="folder of pictures (default: docs/images)")
    arguments = parser.parse_args()
    if arguments.made == "learning":
        learning(arguments.output, *arguments.files)
    elif arguments.made == "outputs":
        for page in arguments.files:
            write_outputs(page.resolve())
    elif arguments.made == "notebook":
        page, output = arguments.files
        made = notebook(page.read_text(encoding="utf-8"))
        output.write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    else:
        PICTURES[arguments.made](arguments.output)


if __name__ == "__main__":
    main()
