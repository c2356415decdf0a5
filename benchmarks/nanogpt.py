"""nanoGPT's recipe for a CPU and crnn, in the same time: `python -m benchmarks.nanogpt TEXT_FILE`.

Both train on the first nine tenths of the text, on the same threads, one after the other, and are measured on every
character of the last tenth. First `benchmarks.peers.torch_gpt` takes the 2,000 iterations of nanoGPT's README; then
`CharRNN.recommended` gets as many seconds as these took. `--seconds 180` gives the same transformer as many iterations
as there is time for, and crnn that time.

The transformer sees at most 64 characters. It is measured twice: in blocks of 64, as in nanoGPT's own estimate, where a
block's first characters have little context; and with a context of at least 48 characters for every character. crnn
carries one state through the whole tenth.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from benchmarks import quality
from benchmarks.peers import torch_gpt

SHARE = 4  # the windows of the second measurement overlap by all but one part in so many
TRIED = 40  # iterations that tell the speed


def rows(path: Path, recipe: torch_gpt.Recipe, seconds: float | None, threads: int, seed: int) -> Iterator[str]:
    """Yield the rows of the table as they are measured."""
    import torch

    torch.set_num_threads(threads)
    head, tail = quality.split(path.read_bytes().decode("utf-8"))
    symbols = {c: i for i, c in enumerate(sorted(set(head)))}
    known, held_out = (torch.tensor([symbols[c] for c in part]) for part in (head, tail))
    if seconds is not None:
        _, spent = torch_gpt.train(replace(recipe, iterations=TRIED, warmup=TRIED // 2), known, len(symbols), seed)
        recipe = replace(recipe, iterations=max(recipe.warmup + 1, round(TRIED * seconds / spent)))
    model, spent = torch_gpt.train(recipe, known, len(symbols), seed)
    weights = sum(p.numel() for p in model.parameters())
    read = recipe.iterations * recipe.batch_size * recipe.block_size
    T = recipe.block_size
    blocks, sliding = (torch_gpt.nats(model, held_out, T, stride) for stride in (T, max(1, T // SHARE)))
    name = f"nanoGPT, {recipe.iterations:,} iterations"
    yield f"| {name} | {spent:.0f} | {read / 1e6:.2f} | {blocks:.4f} | {sliding:.4f} |"
    budget = spent if seconds is None else seconds
    found = quality.run("crnn", path, budget, threads, seed)
    yield f"| crnn, recommended | {budget:.0f} | {found['characters'] / 1e6:.2f} | | {found['nats']:.4f} |"
    yield ""
    yield f"- nanoGPT: {weights:,} weights; {recipe}"
    yield f"- crnn: {found['description']}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Compare crnn with nanoGPT's recipe for a CPU.")
    parser.add_argument("text", type=Path, help="a UTF-8 file")
    parser.add_argument("--seconds", type=float, help="train the transformer for this long (default: 2,000 iterations)")
    parser.add_argument("--threads", type=int, default=2, help="of either (default: 2)")
    parser.add_argument("--seed", type=int, default=0, help="of either (default: 0)")
    options = parser.parse_args()
    from benchmarks.report import machine

    print("\n".join([*machine(), f"{options.threads} threads, seed {options.seed}.", ""]), flush=True)
    print("| nats per character of the last tenth | s | millions read | in blocks of 64 | with 48 or more before |")
    print("|---|---|---|---|---|", flush=True)
    for row in rows(options.text, torch_gpt.Recipe(), options.seconds, options.threads, options.seed):
        print(row, flush=True)


if __name__ == "__main__":
    main()
