"""The reference implementation of beam search for the original of a damaged text: one text, with Python's lists."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

REPLACED = 4  # the obligation of a replacement's first step
UNREAD = -2  # stands for a symbol that the model lacks, and stays as it is
LogP = Callable[[tuple[int, ...]], NDArray[np.float64]]  # from the symbols read so far to log P of the next one


class Hypothesis(NamedTuple):
    """Symbols that may be the original of what was read so far."""

    score: float
    symbols: tuple[int, ...]
    steps: tuple[tuple[int, int], ...]  # each step's symbol, and how many damaged symbols it took
    obligation: str | int = "free"  # or what the last step was, or the number of a replacement's next step
    rank: float = 0.0  # the score, unless a better hypothesis has the same last symbols

    def after(self, log_p: float, symbol: int, taken: int, obligation: str | int = "free") -> Hypothesis:
        """Return the hypothesis with one more step; the model does not read a negative symbol."""
        symbols = (*self.symbols, symbol) if symbol >= 0 else self.symbols
        return Hypothesis(self.score + log_p, symbols, (*self.steps, (symbol, taken)), obligation)


def best_hypotheses(
    offered: list[Hypothesis], width: int, context: int | None, margin: float, penalty: float, recent: int
) -> list[Hypothesis]:
    """Return the hypotheses to keep, by rank."""
    distinct: dict[Any, Hypothesis] = {}
    for h in sorted(offered, key=lambda h: -h.score):
        distinct.setdefault((h.symbols if context is None else h.symbols[-max(context, 1) :], h.obligation), h)
    ranked = list[Hypothesis]()
    endings = set[Any]()
    for h in distinct.values():
        ending = h.symbols[-recent:], h.obligation
        ranked.append(h._replace(rank=h.score - penalty * (ending in endings)))
        endings.add(ending)
    beam = sorted(ranked, key=lambda h: -h.rank)[:width]
    return [h for h in beam if h.rank >= beam[0].rank - margin]


def matching_replacements(x: list[int], p: int, openings: Any, replacements: Any) -> list[int]:
    """Return the numbers of the replacements of x[p] and the kinds after it."""
    following = [x[q] if q < len(x) else None for q in (p + 1, p + 2)]
    places = range(openings[x[p]], openings[x[p] + 1])
    return [i for i in places if all(k in (-1, found) for k, found in zip(replacements[i], following, strict=False))]


def candidates_of_kind(channel: Any, kind: int, count: int) -> list[tuple[int, float]]:
    """Return the first `count` symbols that a kind may have been, with their costs."""
    first, _, symbols, costs = channel[:4]
    return [(int(symbols[i]), float(costs[i])) for i in range(first[kind], first[kind] + count)]


def restored_steps(
    log_p: LogP,
    x: list[int],
    channel: Any,
    end: int | None,
    context: int | None,
    beams: list[int],
    margin: float,
    penalty: float,
    recent: int,
) -> tuple[tuple[int, int], ...]:
    """Return the steps from a damaged text, given as kinds, to its most probable original; see `Selection`.

    The channel's costs have their tolls subtracted.
    """
    first, plain, _, _, skip, letters, inserted, insert_costs, near_letters, swap, kept, unread = channel[:12]
    openings, replacements, replacement_costs, replacement_steps = channel[12:]
    candidates = partial(candidates_of_kind, channel)

    def step(h: Hypothesis, i: int, cost: float) -> Hypothesis:
        symbol, taken, after = replacement_steps[i].tolist()
        log = float(log_p(h.symbols)[symbol]) if symbol >= 0 else 0.0
        return h.after(log + cost, symbol, taken, after - REPLACED if after else "free")

    def opened(h: Hypothesis, p: int, taken: int) -> list[Hypothesis]:
        places = matching_replacements(x, p, openings, replacements) if h.obligation in ("free", "skipped") else []
        steps = [step(h, replacements[i][2], replacement_costs[i]) for i in places]
        return [new for new in steps if new.steps[-1][1] == taken]

    def best(offered: list[Hypothesis], width: int) -> list[Hypothesis]:
        return best_hypotheses(offered, width, context, margin, penalty, recent)

    def read(h: Hypothesis, p: int) -> list[Hypothesis]:
        y = dict(enumerate(log_p(h.symbols))) | {UNREAD: unread}
        kind = x[p]
        if isinstance(h.obligation, int):
            return [step(h, h.obligation, 0.0)] if replacement_steps[h.obligation, 1] else []
        if h.obligation == "swapped":
            return [h.after(y[s] + cost - kept, s, 1) for s, cost in candidates(x[p - 1], plain[x[p - 1]])]
        count = plain[kind] if h.obligation == "inserted" else first[kind + 1] - first[kind]
        extended = [h.after(y[s] + cost, s, 1) for s, cost in candidates(kind, count)]
        if h.obligation == "inserted":
            return extended
        if skip[kind] > -np.inf:
            extended.append(h.after(skip[kind], -1, 1, "skipped"))
        if p + 1 < len(x) and swap > -np.inf and x[p + 1] != kind and letters[kind] and letters[x[p + 1]]:
            swaps = candidates(x[p + 1], plain[x[p + 1]])
            extended += [h.after(y[s] + swap + cost - kept, s, 1, "swapped") for s, cost in swaps]
        return extended + opened(h, p, 1)

    def insertions(h: Hypothesis, p: int) -> list[Hypothesis]:
        replaced = opened(h, p, 0) if p < len(x) else []
        near = any(letters[x[i]] for i in (p - 1, p) if 0 <= i < len(x))
        steps = zip(inserted.tolist(), insert_costs, near_letters, strict=True)
        fitting = [(s, cost) for s, cost, by_letter in steps if (near if by_letter else 0 < p < len(x))]
        extended = [h.after(log_p(h.symbols)[s] + cost, s, 0, "inserted") for s, cost in fitting]
        return replaced + extended * (h.obligation == "free")

    def inserted_by_rounds(p: int, bound: float, width: int) -> list[Hypothesis]:
        found = []
        offered = [new for h in now for new in insertions(h, p)]
        while last := best([new for new in offered if new.score > bound], width):
            found += last
            halves = [(h, h.obligation) for h in last if isinstance(h.obligation, int)]
            offered = [step(h, i, 0.0) for h, i in halves if not replacement_steps[i, 1]]
        return found

    def ended(h: Hypothesis) -> float:
        return h.score + (0.0 if end is None else float(log_p(h.symbols)[end]))

    now = [Hypothesis(0.0, (), ())]
    for p in range(len(x)):
        offered = [new for h in now for new in read(h, p)]
        beam = best(offered, beams[p])
        bound = max(beam[0].score - margin, beam[-1].rank if len(beam) == beams[p] else -np.inf)
        extra = inserted_by_rounds(p, bound, beams[p])
        now = best(offered + [new for h in extra for new in read(h, p)], beams[p])
    extra = inserted_by_rounds(len(x), max(map(ended, now)), beams[-1] if beams else 1)
    return max([*now, *extra], key=ended).steps
