"""Does `benchmarks.search_box` measure what it says?"""

import numpy as np

from benchmarks import search_box


def test_hits_and_inventions_are_counted():
    names = ["London", "Londrina", "Lima", "Lille"]
    ways = search_box.ways_to_complete(names, np.array([9.0, 2.0, 5.0, 1.0]))
    for name in ("prefix index by population", "beam_search(among=names), sample_weight"):
        assert search_box.measured(ways[name], names, set(names))[:2] == (1.0, 0.0)
    found = search_box.measured(lambda prefix: [prefix, "Lima"], names, set(names))
    assert found[:2] == (0.25, 0.5)


def test_each_typo_changes_one_place():
    rng = np.random.default_rng(0)
    lengths = set()
    for _ in range(300):
        damaged = search_box.with_typo("Lima", rng)
        assert damaged != "Lima"
        lengths.add(len(damaged))
        assert len(set(damaged) - set("Lima")) <= 1
    assert lengths == {3, 4, 5}


def test_corrections_are_counted():
    names = ["London", "Londrina", "Lima", "Lille"]
    ways = search_box.ways_to_correct(names, np.array([9.0, 2.0, 5.0, 1.0]))
    damaged = ["Lonndon", "Londirna", "Lia", "Xille"]
    for correct in ways.values():
        assert search_box.correction(correct, names, damaged)[0] == 1.0
    assert search_box.correction(lambda text: "Lima", names, damaged)[0] == 0.25
