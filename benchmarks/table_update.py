"""What the update of a table of bigrams costs: `python -m benchmarks.table_update FILE [--rows 1024] [--repeats 15]`.

`benchmarks.trials` says what a second table of input rows gains, and counts no cost for it: a row is looked up. But
Adam moves every weight of the table at each step, read or not. This times Adam on such a table (JAX, one thread,
compiled into one loop) and a training step of crnn's LSTM without one, in turns, for several numbers of units, in time
of the processor.
A sparse update moves the rows that a chunk reads: their share is counted in the text.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import peers
from benchmarks.report import CORE, machine
from benchmarks.trials import cut
from crnn import CharRNN

SIZES = (128, 256)  # units
T, B = 24, 16  # as in `CharRNN.recommended` for short times
STEPS = 30  # of a turn
UPDATES = {"optimizer": "adam", "clip": None, "clip_norm": 1.0, "beta_2": 0.99, "weight_decay": 0.02}


def rows_read(ids: NDArray[Any], n_symbols: int, rows: int) -> float:
    """The mean share of a table's rows that the B streams of a chunk of T symbols read."""
    from benchmarks.replica.tables import hashed

    x = ids[: (len(ids) - 1) // (T * B) * T * B + 1].astype(np.int32)
    chosen = np.asarray(hashed([x[1:], x[:-1]], 2, n_symbols, rows)).reshape(B, -1, T)  # stream, chunk, time
    return statistics.fmean(len(np.unique(chosen[:, k])) for k in range(chosen.shape[1])) / rows


def adam_turn(rows: int, columns: int) -> Callable[[], None]:
    """Return a function that updates a table `STEPS` times, in place."""
    import jax
    from jax import numpy as jnp

    def update(table: Any, m: Any, v: Any, d: Any) -> Any:
        m, v = m + 0.1 * (d - m), 0.99 * v + 0.01 * d * d
        return 0.9992 * table - 0.004 * m / (jnp.sqrt(v) + 1e-8), m, v

    compiled = jax.jit(update, donate_argnums=(0, 1, 2))
    rng = np.random.default_rng(0)
    d, *arrays = (jnp.array(rng.uniform(0.1, 1, (rows, columns)), jnp.float32) for _ in range(4))
    carry = [tuple(arrays)]

    def turn() -> None:
        for _ in range(STEPS):
            carry[0] = compiled(*carry[0], d)
        jax.block_until_ready(carry[0])

    return turn


def crnn_turn(text: str, hidden_size: int) -> Callable[[], object]:
    """Return a function that takes `STEPS` steps of training."""
    model = CharRNN(hidden_size, cell="lstm", seq_length=T, batch_size=B, max_steps=0, n_threads=1, **UPDATES)
    model.fit(text).set_params(max_steps=STEPS, learning_rate=0.01)
    part = text[: B * (STEPS * T + 1) + 1]
    return lambda: model.partial_fit(part)


def table(text: str, rows: int, repeats: int) -> Iterable[str]:
    """A row for each of `SIZES`: milliseconds of a step and of an update, and the factors of a step's time."""
    ids, _, n_symbols = cut(text)
    share = rows_read(ids, n_symbols, rows)
    yield f"| units | weights of {rows:,} rows | step without, ms | update of all, ms | of {share:.0%} of them, ms |"
    yield "|---|---|---|---|---|"
    for H in SIZES:
        turns = (crnn_turn(text, H), adam_turn(rows, 4 * H))
        spent: list[list[float]] = [[], []]
        for _ in range(1 + repeats):
            for turn, seconds in zip(turns, spent, strict=True):
                start = time.process_time()
                turn()
                seconds.append(time.process_time() - start)
        step, update = (1000 * statistics.median(seconds[1:]) / STEPS for seconds in spent)
        factors = [f"{part * update:.3f} ({1 + part * update / step:.2f}×)" for part in (1, share)]
        yield f"| {H} | {4 * H * rows:,} | {step:.3f} | {factors[0]} | {factors[1]} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", type=Path, help="a UTF-8 file")
    parser.add_argument("--rows", type=int, default=1024)
    parser.add_argument("--repeats", type=int, default=15)
    options = parser.parse_args()
    if not peers.available("jax"):
        raise SystemExit(peers.reason("jax"))
    if CORE is not None:
        os.sched_setaffinity(0, {CORE})
    lines = table(options.text.read_bytes().decode("utf-8"), options.rows, options.repeats)
    print("\n".join([*machine(), "", *lines]))


if __name__ == "__main__":
    main()
