"""A PyTorch training script as one would write it to get the best model out of so many seconds on a CPU.

`nn.LSTM` on one-hot rows, AdamW, the gradient's norm clipped, dropout, streams whose state is carried, and a learning
rate that warms up and falls along a cosine with the time that has passed. What suits a budget is in `RECIPES`.

One-hot rows are looked up in an identity matrix, which is as fast as a small `nn.Embedding` and says more. oneDNN is
left enabled (without it a step takes up to twice as long), AdamW is fused, denormal numbers are flushed.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from typing import Any

PIECE = 4096  # symbols of the tail read at a time


@dataclass(frozen=True)
class Recipe:
    """What is tuned. `warmup` is a share of the budget, `last_rate` of the `rate`; `dropout` is after each layer."""

    hidden_size: int
    num_layers: int = 1
    dropout: float = 0.0
    seq_length: int = 32
    batch_size: int = 16
    rate: float = 0.01
    warmup: float = 0.03
    last_rate: float = 0.01
    weight_decay: float = 0.01
    beta2: float = 0.99
    init_std: float = 0.1  # of the initial weights; PyTorch's smaller ones gave the same quality
    clip_norm: float = 0.03  # of the gradient of the mean over time: so every step is clipped
    bfloat16: bool = False  # autocast: faster where the processor multiplies bfloat16, but not the others' arithmetic

    def __str__(self) -> str:
        shown = (f"{f.name}={getattr(self, f.name)}" for f in fields(self) if getattr(self, f.name) != f.default)
        return ", ".join(shown)


RECIPES = {  # seconds that a recipe suits: on a faster machine more of them are worth the next one
    15: Recipe(192, rate=0.04, init_std=0.15),
    60: Recipe(256, dropout=0.1, rate=0.025),
    180: Recipe(384, dropout=0.2, rate=0.016),
    600: Recipe(768, dropout=0.5, rate=0.007),
}


def recipe_for(seconds: float) -> Recipe:
    """Return the recipe whose budget is nearest."""
    return RECIPES[min(RECIPES, key=lambda budget: abs(math.log(budget / seconds)))]


def train(
    text: str,
    seconds: float,
    threads: int,
    seed: int,
    recipe: Recipe | None = None,
    build: Callable[[Recipe, int], Any] | None = None,
) -> tuple[float, int, str]:
    """Train on the first nine tenths of a text for so many seconds, and measure the rest.

    `build` returns a network for a recipe and a number of symbols, by default an LSTM. Called with ids (T, B) and a
    tuple of states, or None at the start of a text, the network returns logits and states; `decoder` is its last layer.

    Returns
    -------
    nats_on_tail : float
        Per character, the state carried from zero through the whole tail; every character counts, the first as
        predicted by the zero state.
    characters_seen : int
    description : str
        The recipe.
    """
    import torch

    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    torch.manual_seed(seed)
    recipe = recipe or recipe_for(seconds)
    # the 800 modules that PyTorch puts off until the first optimizer are not to be paid from the budget
    torch.optim.AdamW([torch.zeros(1, requires_grad=True)], fused=True)
    start = time.perf_counter()
    cut = len(text) * 9 // 10
    symbols = {c: i for i, c in enumerate(sorted(set(text[:cut])))}
    ids = torch.tensor([symbols[c] for c in text])
    model = (build or _lstm)(recipe, len(symbols))
    weights = sum(parameter.numel() for parameter in model.parameters())
    characters = _fit(model, recipe, ids[:cut], start, seconds)
    return _nats(model, ids[cut:]), characters, f"{recipe}; {weights:,} weights"


def _lstm(recipe: Recipe, vocab_size: int) -> Any:
    """Return the network."""
    import torch
    from torch import nn

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            H, L = recipe.hidden_size, recipe.num_layers
            self.register_buffer("one_hot_rows", torch.eye(vocab_size))
            # nn.LSTM warns of dropout between the layers when there is but one
            self.lstm = nn.LSTM(vocab_size, H, L, dropout=recipe.dropout if L > 1 else 0.0)
            self.dropout = nn.Dropout(recipe.dropout)
            self.decoder = nn.Linear(H, vocab_size)
            for parameter in self.parameters():
                if parameter.ndim > 1:
                    nn.init.normal_(parameter, std=recipe.init_std)
                else:
                    nn.init.zeros_(parameter)
            with torch.no_grad():
                for k in range(L):  # forget little at first
                    getattr(self.lstm, f"bias_ih_l{k}")[H : 2 * H] = 1.0

        def forward(self, x: Any, state: Any) -> tuple[Any, Any]:
            hidden, state = self.lstm(nn.functional.embedding(x, self.one_hot_rows), state)
            return self.decoder(self.dropout(hidden)), state

    return Network()


def _chunks(ids: Any, recipe: Recipe) -> Iterator[tuple[Any, Any, bool]]:
    """Yield inputs and targets (T, B) without end, and whether the streams start anew with them."""
    import torch

    B, T = recipe.batch_size, min(recipe.seq_length, (len(ids) - 1) // recipe.batch_size - 1)
    stride = (len(ids) - 1) // B
    x = ids[: B * stride].view(B, stride).t().contiguous()
    y = ids[1 : B * stride + 1].view(B, stride).t().contiguous()
    while True:
        # chunks are cut elsewhere in each epoch
        first = int(torch.randint(min(T, stride - T) + 1, ()))
        for p in range(first, stride - T + 1, T):
            yield x[p : p + T], y[p : p + T], p == first


def _fit(model: Any, recipe: Recipe, ids: Any, start: float, seconds: float) -> int:
    """Train until `seconds` after `start`; return the characters seen."""
    import torch

    F = torch.nn.functional
    decays = [(2, recipe.weight_decay), (1, 0.0)]  # only matrices decay
    groups = [{"params": [p for p in model.parameters() if p.ndim == n], "weight_decay": decay} for n, decay in decays]
    optimizer = torch.optim.AdamW(groups, recipe.rate, betas=(0.9, recipe.beta2), fused=True)
    model.train()
    state, characters = None, 0
    before = time.perf_counter()
    for x, y, anew in _chunks(ids, recipe):
        now = time.perf_counter()
        if now + (now - before) > start + seconds and characters:  # the next step would end too late
            break
        before = now
        passed = (now - start) / seconds
        if passed < recipe.warmup:
            share = passed / recipe.warmup
        else:
            fall = 0.5 + 0.5 * math.cos(math.pi * (passed - recipe.warmup) / (1 - recipe.warmup))
            share = recipe.last_rate + (1 - recipe.last_rate) * fall
        with torch.autocast("cpu", torch.bfloat16, enabled=recipe.bfloat16):
            logits, after = model(x, None if anew else state)
        loss = F.cross_entropy(logits.float().flatten(0, 1), y.flatten())
        for group in optimizer.param_groups:
            group["lr"] = recipe.rate * share
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), recipe.clip_norm)
        optimizer.step()
        state = tuple(s.detach() for s in after)
        characters += x.numel()
    return characters


def _nats(model: Any, ids: Any) -> float:
    """Mean surprisal of every symbol in nats, one state carried through all of them."""
    import torch

    F = torch.nn.functional
    model.eval()
    state = None
    with torch.inference_mode():
        total = F.cross_entropy(model.decoder.bias[None], ids[:1], reduction="sum").item()  # h is zero
        for i in range(0, len(ids) - 1, PIECE):
            y = ids[i + 1 : i + 1 + PIECE]
            logits, state = model(ids[i : i + len(y), None], state)
            total += F.cross_entropy(logits[:, 0], y, reduction="sum").item()
    return float(total / len(ids))
