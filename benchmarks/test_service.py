"""A service: the command's tables at a small size."""

from __future__ import annotations

import asyncio

import pytest

from benchmarks import service
from crnn import CharRNN


@pytest.mark.parametrize("kind", [service.Together, service.Apart])
def test_requests_get_the_numbers_of_single_states(kind: type[service.Together | service.Apart]) -> None:
    model = CharRNN(5, max_steps=0, random_state=0).fit("abc")

    async def run() -> list[float]:
        sessions = kind(model, 3)
        first = await asyncio.gather(*(sessions.feed(i, "abc"[i]) for i in range(3)))
        return [*first, await sessions.feed(1, "ca")]

    found = asyncio.run(run())
    assert found[:3] == [model.start().feed(c).log_prob for c in "abc"]
    assert found[3] == pytest.approx(model.start("b").feed("ca").log_prob)


def test_percentiles() -> None:
    assert service.percentiles([0.001] * 99 + [0.101]) == pytest.approx([1, 2])
