"""nanoGPT's small character-level transformer in PyTorch, with the settings its README gives for a CPU.

This is a reimplementation from published facts (https://github.com/karpathy/nanoGPT): four pre-norm blocks of four
heads and 128 channels without biases, GELU, learned positions, input and output embeddings shared; weights from
N(0, 0.02^2), those that end a residual branch smaller by the square root of twice the number of blocks; AdamW with
weight decay 0.1 on matrices, the gradient's norm clipped at 1, a linear warmup of 100 steps, then a cosine from 1e-3
to 1e-4; batches of 12 random pieces of 64 characters; float32.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

from benchmarks.peers.torch_adamw import adamw, import_optimizers, update

WINDOWS = 256  # scored at a time


@dataclass(frozen=True)
class Recipe:
    """The flags of nanoGPT's README for a CPU; the rest are the defaults of its configuration for characters."""

    iterations: int = 2000
    block_size: int = 64
    batch_size: int = 12
    n_layer: int = 4
    n_head: int = 4
    n_embd: int = 128
    rate: float = 1e-3
    last_rate: float = 1e-4
    warmup: int = 100
    weight_decay: float = 0.1
    betas: tuple[float, float] = (0.9, 0.99)
    clip_norm: float = 1.0

    def __str__(self) -> str:
        return ", ".join(f"{f.name}={getattr(self, f.name)}" for f in fields(self))


def network(recipe: Recipe, vocab_size: int) -> Any:
    """Return the network: ids (B, T) to logits (B, T, V)."""
    import torch
    from torch import nn

    C, heads = recipe.n_embd, recipe.n_head

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm_1, self.norm_2 = nn.LayerNorm(C, bias=False), nn.LayerNorm(C, bias=False)
            self.qkv, self.mixed = nn.Linear(C, 3 * C, bias=False), nn.Linear(C, C, bias=False)
            self.wide, self.narrow = nn.Linear(C, 4 * C, bias=False), nn.Linear(4 * C, C, bias=False)

        def forward(self, x: Any) -> Any:
            B, T, _ = x.shape
            parts = self.qkv(self.norm_1(x)).view(B, T, 3, heads, C // heads)
            q, k, v = parts.permute(2, 0, 3, 1, 4)
            seen = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + self.mixed(seen.transpose(1, 2).reshape(B, T, C))
            return x + self.narrow(nn.functional.gelu(self.wide(self.norm_2(x))))

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.symbols, self.places = nn.Embedding(vocab_size, C), nn.Embedding(recipe.block_size, C)
            self.blocks = nn.Sequential(*(Block() for _ in range(recipe.n_layer)))
            self.norm = nn.LayerNorm(C, bias=False)
            for name, parameter in self.named_parameters():
                if parameter.ndim > 1:
                    ends_branch = name.endswith(("mixed.weight", "narrow.weight"))
                    std = 0.02 / math.sqrt(2 * recipe.n_layer) if ends_branch else 0.02
                    nn.init.normal_(parameter, std=std)

        def forward(self, ids: Any) -> Any:
            x = self.symbols(ids) + self.places(torch.arange(ids.shape[1]))
            return self.norm(self.blocks(x)) @ self.symbols.weight.T

    return Network()


def learning_rate(recipe: Recipe, step: int) -> float:
    """Return the rate of a step, counted from 0.

    Examples
    --------
    >>> recipe = Recipe()
    >>> [round(learning_rate(recipe, step), 6) for step in (0, 50, 100, 1050, 2000)]
    [0.0, 0.0005, 0.001, 0.00055, 0.0001]
    """
    if step < recipe.warmup:
        return recipe.rate * step / recipe.warmup
    share = (step - recipe.warmup) / (recipe.iterations - recipe.warmup)
    return recipe.last_rate + (0.5 + 0.5 * math.cos(math.pi * share)) * (recipe.rate - recipe.last_rate)


def train(recipe: Recipe, ids: Any, vocab_size: int, seed: int) -> tuple[Any, float]:
    """Train a new network on ids; return the network and the seconds that took, everything but imports included."""
    import torch

    F = torch.nn.functional
    import_optimizers()
    start = time.perf_counter()
    torch.manual_seed(seed)
    model = network(recipe, vocab_size)
    optimizer = adamw(model, recipe.rate, recipe.weight_decay, recipe.betas)
    pieces = ids.unfold(0, recipe.block_size + 1, 1)
    for step in range(recipe.iterations):
        piece = pieces[torch.randint(len(pieces), (recipe.batch_size,))]
        loss = F.cross_entropy(model(piece[:, :-1]).flatten(0, 1), piece[:, 1:].flatten())
        update(model, optimizer, loss, learning_rate(recipe, step), recipe.clip_norm)
    return model.eval(), time.perf_counter() - start


def windows(n: int, block_size: int, stride: int) -> Iterator[tuple[int, int]]:
    """Yield the start of each window of n ids, and how many of its last targets no window before it has.

    Examples
    --------
    >>> list(windows(12, block_size=5, stride=2))  # targets 1 to 5, 6 and 7, 8 and 9, 10 and 11
    [(0, 5), (2, 2), (4, 2), (6, 2)]
    >>> list(windows(12, block_size=5, stride=5))
    [(0, 5), (5, 5), (6, 1)]
    """
    end = min(block_size, n - 1)
    yield 0, end
    while end < n - 1:
        new = min(stride, n - 1 - end)
        end += new
        yield end - block_size, new


def nats(model: Any, ids: Any, block_size: int, stride: int) -> float:
    """Return the mean of -ln P of every id but the first, each given block_size - stride ids or more before it."""
    import torch

    F = torch.nn.functional
    total, found = 0.0, list(windows(len(ids), block_size, stride))
    with torch.inference_mode():
        for i in range(0, len(found), WINDOWS):
            batch = torch.stack([ids[s : s + block_size + 1] for s, _ in found[i : i + WINDOWS]])
            losses = F.cross_entropy(model(batch[:, :-1]).transpose(1, 2), batch[:, 1:], reduction="none")
            total += sum(row[-new:].sum().item() for row, (_, new) in zip(losses, found[i : i + WINDOWS], strict=True))
    return total / (len(ids) - 1)
