"""A PyTorch training script as one would write it to get the best model out of so many seconds on a CPU.

`nn.LSTM` on one-hot rows, AdamW, the gradient's norm clipped, dropout, streams whose state is carried, and a learning
rate that warms up and falls along a cosine with the time that has passed. What suits a budget is in `RECIPES`.

One-hot rows are looked up in an identity matrix, which is as fast as a small `nn.Embedding` and says more. oneDNN is
left enabled (without it a step takes up to twice as long), AdamW is fused, denormal numbers are flushed.

Two things that crnn's networks have can be added: rows for the most frequent pairs of symbols (`n_pairs`), and gates
that are coupled, i = 1 - f (`coupled`). `nn.LSTM` has no coupled gates, so that cell is written out and compiled by
`torch.compile`, before the time begins.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any

N_PAIRS = 1024
RATE_WITH_PAIRS = 0.5  # of the recipe's: tuned with 256 units
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
    n_pairs: int = 0  # most frequent pairs of symbols, each with a row of its own
    coupled: bool = False  # gates

    def __str__(self) -> str:
        shown = (f"{f.name}={getattr(self, f.name)}" for f in fields(self) if getattr(self, f.name) != f.default)
        return ", ".join(shown)


RECIPES = {  # seconds that a recipe suits: on a faster machine more of them are worth the next one
    15: Recipe(192, rate=0.04, init_std=0.15),
    60: Recipe(256, dropout=0.1, rate=0.025),
    180: Recipe(384, dropout=0.2, rate=0.016),
    600: Recipe(768, dropout=0.5, rate=0.007),
}


def recipe_for(seconds: float, pairs: bool = False, coupled: bool = False) -> Recipe:
    """Return the recipe whose budget is nearest, with rows for pairs of symbols and coupled gates if asked for."""
    recipe = RECIPES[min(RECIPES, key=lambda budget: abs(math.log(budget / seconds)))]
    rate = recipe.rate * (RATE_WITH_PAIRS if pairs else 1.0)
    return replace(recipe, n_pairs=N_PAIRS if pairs else 0, coupled=coupled, rate=rate)


def train(text: str, seconds: float, threads: int, seed: int, recipe: Recipe | None = None) -> tuple[float, int, str]:
    """Train on the first nine tenths of a text for so many seconds, and measure the rest.

    Returns
    -------
    nats_on_tail : float
        Per character, the state carried from zero through the whole tail; every character counts, the first as
        predicted by the zero state.
    characters_seen : int
    description : str
        The recipe.
    """
    cut = len(text) * 9 // 10
    ids = ids_of(text, cut)
    model, characters, description = train_network(ids[:cut], seconds, threads, seed, recipe)
    return _nats(model, ids[cut:]), characters, description


def ids_of(text: str, cut: int) -> Any:
    """Return the ids of a text's symbols, numbered in the order of the first `cut` symbols' alphabet."""
    import torch

    symbols = {c: i for i, c in enumerate(sorted(set(text[:cut])))}
    return torch.tensor([symbols[c] for c in text])


def train_network(
    ids: Any, seconds: float, threads: int, seed: int, recipe: Recipe | None = None
) -> tuple[Any, int, str]:
    """Train a network on ids for so many seconds; return it, the characters that it has seen, and its description."""
    import torch

    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    torch.manual_seed(seed)
    recipe = recipe or recipe_for(seconds)
    # the 800 modules that PyTorch puts off until the first optimizer are not to be paid from the budget
    torch.optim.AdamW([torch.zeros(1, requires_grad=True)], fused=True)
    steps = None
    if recipe.coupled:  # nor the compiler's half a minute
        model = _network(recipe, ids)
        steps = model.steps = torch.compile(model.steps, dynamic=False)
        _take_a_step(model, ids, recipe)
        torch.manual_seed(seed)
    start = time.perf_counter()
    model = _network(recipe, ids)
    if steps is not None:
        model.steps = steps
    weights = sum(parameter.numel() for parameter in model.parameters())
    characters = _fit(model, recipe, ids, start, seconds)
    return model, characters, f"{recipe}; {weights:,} weights"


def _take_a_step(model: Any, ids: Any, recipe: Recipe) -> None:
    """Go forward and back through a first and a second chunk, as training does."""
    import torch

    chunks = _chunks(ids, recipe)
    state = None
    for _ in range(2):
        x, y, _ = next(chunks)
        logits, state = model(x, state)
        torch.nn.functional.cross_entropy(logits.flatten(0, 1), y.flatten()).backward()
        state = tuple(part.detach() for part in state)


def rows_of_pairs(ids: Any, n_pairs: int, vocab_size: int) -> Any:
    """Return the row (V + 1, V) of each pair of a symbol, or of none, and the next one; `n_pairs` for rare pairs."""
    import torch

    counts = torch.bincount(ids[:-1] * vocab_size + ids[1:], minlength=vocab_size**2)
    frequent = counts.argsort(descending=True, stable=True)[:n_pairs]
    frequent = frequent[counts[frequent] > 0]
    rows = torch.full(((vocab_size + 1) * vocab_size,), n_pairs)
    rows[frequent] = torch.arange(len(frequent))
    return rows.view(vocab_size + 1, vocab_size)


def _network(recipe: Recipe, ids: Any) -> Any:
    """Return the network for a text's ids.

    Called with ids (T, B) and a tuple of states, or None at the start of a text, it returns logits and states;
    `decoder` is its last layer.
    """
    vocab_size = int(ids.max()) + 1
    if recipe.n_pairs == 0 and not recipe.coupled:
        return _lstm(recipe, vocab_size)
    return _lstm_of_pairs(recipe, vocab_size, rows_of_pairs(ids, recipe.n_pairs, vocab_size))


def _initialize(model: Any, std: float) -> None:
    """Draw the matrices from a normal distribution, and set the biases to zero."""
    from torch import nn

    for parameter in model.parameters():
        if parameter.ndim > 1:
            nn.init.normal_(parameter, std=std)
        else:
            nn.init.zeros_(parameter)


def _lstm(recipe: Recipe, vocab_size: int) -> Any:
    """Return an LSTM on one-hot rows."""
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
            _initialize(self, recipe.init_std)
            with torch.no_grad():
                for k in range(L):  # forget little at first
                    getattr(self.lstm, f"bias_ih_l{k}")[H : 2 * H] = 1.0

        def forward(self, x: Any, state: Any) -> tuple[Any, Any]:
            hidden, state = self.lstm(nn.functional.embedding(x, self.one_hot_rows), state)
            return self.decoder(self.dropout(hidden)), state

    return Network()


def _lstm_of_pairs(recipe: Recipe, vocab_size: int, pair_rows: Any) -> Any:
    """Return a layer with rows for symbols and for pairs of symbols, which start at zero; coupled gates if asked for.

    The state is (h, c, the last symbol), each with one row a stream.
    """
    import torch
    from torch import nn

    H = recipe.hidden_size

    def coupled_steps(inputs: Any, h: Any, c: Any, Wh: Any) -> tuple[Any, Any, Any]:
        hidden = []
        for z in inputs:
            forget, output, candidate = (z + h @ Wh).chunk(3, -1)
            forget = torch.sigmoid(forget)
            c = forget * c + (1 - forget) * torch.tanh(candidate)
            h = torch.sigmoid(output) * torch.tanh(c)
            hidden.append(h)
        return torch.stack(hidden), h, c

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            size = 3 * H if recipe.coupled else H  # the gates' own rows, or what nn.LSTM multiplies
            self.register_buffer("pair_rows", pair_rows)
            self.symbols = nn.Embedding(vocab_size, size)
            self.pairs = nn.Embedding(recipe.n_pairs + 1, size, padding_idx=recipe.n_pairs)
            self.dropout = nn.Dropout(recipe.dropout)
            self.decoder = nn.Linear(H, vocab_size)
            if recipe.coupled:
                self.Wh = nn.Parameter(torch.empty(H, 3 * H))
                self.bias = nn.Parameter(torch.empty(3 * H))
                self.steps = coupled_steps
            else:
                self.lstm = nn.LSTM(H, H)
            _initialize(self, recipe.init_std)
            with torch.no_grad():
                self.pairs.weight.zero_()
                forget = self.bias[:H] if recipe.coupled else self.lstm.bias_ih_l0[H : 2 * H]
                forget.fill_(1.0)

        def forward(self, x: Any, state: Any) -> tuple[Any, Any]:
            B = x.shape[1]
            if state is None:
                zeros = torch.zeros(B, H)
                state = (zeros, zeros, torch.full((B,), vocab_size))
            h, c, last = state
            before = torch.cat([last[None], x[:-1]])
            inputs = self.symbols(x) + self.pairs(self.pair_rows[before, x])
            if recipe.coupled:
                inputs = inputs + self.bias
                steps = self.steps if self.training else coupled_steps  # a longer text would be compiled anew
                hidden, h, c = steps(inputs, h, c, self.Wh)
            else:
                hidden, (h, c) = self.lstm(inputs, (h[None], c[None]))
                h, c = h[0], c[0]
            return self.decoder(self.dropout(hidden)), (h, c, x[-1])

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
    rows = log_probabilities(model, ids)
    return -float(rows.gather(1, ids[:, None]).double().mean())


def log_probabilities(model: Any, ids: Any) -> Any:
    """Return log P of each symbol at each place of a text, (n, V), one state carried through it."""
    import torch

    model.eval()
    state = None
    with torch.inference_mode():
        logits = [model.decoder.bias[None]]  # h is zero
        for i in range(0, len(ids) - 1, PIECE):
            x = ids[i : min(i + PIECE, len(ids) - 1), None]
            of_piece, state = model(x, state)
            logits.append(of_piece[:, 0])
        return torch.cat(logits).log_softmax(1)
