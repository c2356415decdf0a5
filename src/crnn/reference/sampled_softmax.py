"""The sampled softmax in NumPy: the symbols in a chunk's softmax, and its loss."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..arrays import Array
from .dropout import mix, step_hash
from .network import softmax_loss

CANDIDATE_UNIT = 16  # the number of candidates is a multiple of this, unless they are all symbols


def candidates(
    targets: Array, *, vocab_size: int, sampled: int, seed: int, step: int, first_stream: int = 0
) -> tuple[Array, Array]:
    """Return the symbols (C,) in a chunk's softmax, and the numbers (C,) added to their logits.

    The m symbols of a shard's targets (T, B) come first, in order of occurrence. At least `sampled` more are drawn,
    without replacement, to a total that is a multiple of 16. Each of these n stands for (V - m) / n symbols: ln((V - m)
    / n) is added to its logit. `first_stream` is the shard's first, among all streams.
    """
    occurring = list(dict.fromkeys(targets.ravel().tolist()))
    m = len(occurring)
    C = min(vocab_size, -(-(m + sampled) // CANDIDATE_UNIT) * CANDIDATE_UNIT)
    key = mix(mix(step_hash(seed, step) ^ np.uint32(0xC2B2AE35)) ^ np.uint32(first_stream))
    with np.errstate(over="ignore"):
        hashes = mix(key + np.arange(vocab_size, dtype=np.uint32) * np.uint32(0x9E3779B9)) >> np.uint32(8)
    drawn: list[int] = []
    rest = [v for v in range(vocab_size) if v not in set(occurring)]
    for i, v in enumerate(rest):  # with the probability (still wanted) / (still left)
        if int(hashes[v]) * (len(rest) - i) < (C - m - len(drawn)) << 24:
            drawn.append(v)
    more = np.zeros(C)
    if m < C:
        more[m:] = np.log((vocab_size - m) / (C - m))
    return np.array([*occurring, *drawn]), more


def sampled_softmax_loss(
    y: Array, targets: Array, *, sampled: int, seed: int, step: int, shards: Sequence[range]
) -> tuple[float, Array]:
    """Return the loss (sum over t, mean over b, in nats) of logits (T, B, V), and its gradient dy.

    `shards` are the groups of streams that share candidates; see `candidates`.
    """
    loss = 0.0
    dy = np.zeros_like(y)
    for part in shards:
        streams = slice(part.start, part.stop)
        of_part = targets[:, part.start : part.stop]
        symbols, more = candidates(
            of_part, vocab_size=y.shape[-1], sampled=sampled, seed=seed, step=step, first_stream=part.start
        )
        places = np.argsort(symbols)[np.searchsorted(np.sort(symbols), of_part)]
        share = len(part) / y.shape[1]
        mean, gradient = softmax_loss((y[:, streams][..., symbols] + more).astype(y.dtype), places)
        loss += mean * share
        scattered = np.zeros_like(y[:, streams])
        scattered[..., symbols] = gradient * share
        dy[:, streams] = scattered
    return loss, dy
