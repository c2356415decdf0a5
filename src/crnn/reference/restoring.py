"""The reference implementation of beam search for the original of a damaged text: one text, with Python's lists."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

UNREAD = -2  # stands for a symbol that the model lacks, and stays as it is
LogP = Callable[[tuple[int, ...]], NDArray[np.float64]]  # from the symbols read so far to log P of the next one


class Hypothesis(NamedTuple):
    """Symbols that may be the original of what was read so far."""

    score: float
    symbols: tuple[int, ...]
    steps: tuple[tuple[int, int], ...]  # each step's symbol, and how many damaged symbols it took
    obligation: str = "free"  # or what the last step was
    rank: float = 0.0  # the score, unless a better hypothesis has the same last symbols

    def after(self, log_p: float, symbol: int, taken: int, obligation: str = "free") -> Hypothesis:
        """Return the hypothesis with one more step; the model does not read a negative symbol."""
        symbols = (*self.symbols, symbol) if symbol >= 0 else self.symbols
        return Hypothesis(self.score + log_p, symbols, (*self.steps, (symbol, taken)), obligation)


def restored_steps(
    log_p: LogP,
    x: list[int],
    channel: Any,
    end: int | None,
    context: int | None,
    beams: int,
    margin: float,
    penalty: float,
    recent: int,
) -> tuple[tuple[int, int], ...]:
    """Return the steps from a damaged text, given as kinds, to its most probable original; see `Selection`."""
    first, plain, symbols, costs, skip, letters, inserted, insert_costs, near_letters, swap, unread = channel

    def candidates(kind: int, count: int) -> list[tuple[int, float]]:
        places = range(first[kind], first[kind] + count)
        return [(int(symbols[i]), float(costs[i])) for i in places]

    def best(offered: list[Hypothesis]) -> list[Hypothesis]:
        distinct: dict[Any, Hypothesis] = {}
        for h in sorted(offered, key=lambda h: -h.score):
            distinct.setdefault((h.symbols if context is None else h.symbols[-max(context, 1) :], h.obligation), h)
        ranked, endings = list[Hypothesis](), set[Any]()
        for h in distinct.values():
            ending = h.symbols[-recent:], h.obligation
            ranked.append(h._replace(rank=h.score - penalty * (ending in endings)))
            endings.add(ending)
        beam = sorted(ranked, key=lambda h: -h.rank)[:beams]
        return [h for h in beam if h.rank >= beam[0].rank - margin]

    def read(h: Hypothesis, p: int) -> list[Hypothesis]:
        y, kind = dict(enumerate(log_p(h.symbols))) | {UNREAD: unread}, x[p]
        if h.obligation == "swapped":
            return [h.after(y[s], s, 1) for s, _ in candidates(x[p - 1], plain[x[p - 1]])]
        count = plain[kind] if h.obligation == "inserted" else first[kind + 1] - first[kind]
        extended = [h.after(y[s] + cost, s, 1) for s, cost in candidates(kind, count)]
        if h.obligation == "inserted":
            return extended
        if skip[kind] > -np.inf:
            extended.append(h.after(skip[kind], -1, 1, "skipped"))
        if p + 1 < len(x) and swap > -np.inf and x[p + 1] != kind and letters[kind] and letters[x[p + 1]]:
            extended += [h.after(y[s] + swap, s, 1, "swapped") for s, _ in candidates(x[p + 1], plain[x[p + 1]])]
        return extended

    def insertions(h: Hypothesis, p: int, bound: float) -> list[Hypothesis]:
        near = any(letters[x[i]] for i in (p - 1, p) if 0 <= i < len(x))
        allowed = [near if by_letter else 0 < p < len(x) for by_letter in near_letters]
        steps = zip(inserted.tolist(), insert_costs, allowed, strict=True)
        extended = [h.after(log_p(h.symbols)[s] + cost, s, 0, "inserted") for s, cost, fits in steps if fits]
        return [new for new in extended if h.obligation == "free" and new.score > bound]

    def ended(h: Hypothesis) -> float:
        return h.score + (0.0 if end is None else float(log_p(h.symbols)[end]))

    now = [Hypothesis(0.0, (), ())]
    for p in range(len(x)):
        offered = [new for h in now for new in read(h, p)]
        beam = best(offered)
        bound = max(beam[0].score - margin, beam[-1].rank if len(beam) == beams else -np.inf)
        extra = best([new for h in now for new in insertions(h, p, bound)])
        now = best(offered + [new for h in extra for new in read(h, p)])
    extra = best([new for h in now for new in insertions(h, len(x), max(map(ended, now)))])
    return max([*now, *extra], key=ended).steps
