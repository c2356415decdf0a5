"""The tables of `benchmarks.mixtures` on a small text, and a draw and a score of a mixture next to its models."""

import pytest

from benchmarks import mixtures
from crnn import CharNGram, CharRNN, Mixture

TEXT = "to be or not to be, that is the question; " * 200


@pytest.fixture(scope="module")
def mixture():
    network = CharRNN(64, cell="lstm", max_steps=200, random_state=0, n_threads=1).fit(TEXT)
    return Mixture.from_fitted([network, CharNGram(order=6).fit(TEXT)], n_threads=1)


@pytest.fixture(scope="module")
def namer():
    names = ["anna", "bob", "nana", "abba", "nan", "o"] * 20
    return Mixture.from_fitted(
        [CharRNN(8, max_steps=50, random_state=0).fit(names), CharNGram(order=4).fit(names)]
    ), names


def test_a_row_has_the_means_of_the_seeds_and_how_far_they_are_apart():
    found = [mixtures.Losses(1.5, 1.25, 1.0), mixtures.Losses(1.25, 1.25, 0.5)]
    cells = ["15", "2", "1.3750", "1.2500", "0.7500", "0.5000", "0.5000"]
    assert mixtures.row(15.0, found) == f"| {' | '.join(cells)} |"
    assert mixtures.HEAD[0].count("|") == len(cells) + 1


def test_tables(mixture, namer):
    for both, known, held_out in ((mixture, TEXT, TEXT[:300]), (*namer, namer[1][:30])):
        adapted, costs = [*mixtures.adapted([both, both], held_out)], [*mixtures.costs(both, known, held_out, 1.0)]
        assert {line.count("|") for line in adapted[:4]} == {6}
        assert {line.count("|") for line in costs[:5]} == {7}
        found = [float(cell) for cell in adapted[2].split("|")[2:6]]
        expected = [-model.score(held_out, adapt=True) for model in (*both.models_, both)]
        assert found == pytest.approx([*expected, -both.score(held_out, adapt="counts")], abs=1e-4)


def test_losses_that_adapt_are_means_over_the_seeds(mixture):
    other = Mixture.from_fitted([mixture.models_[0], CharNGram(order=2).fit(TEXT)], n_threads=1)
    unseen = TEXT[:31][::-1]
    shown = [*mixtures.adapted([mixture, other], unseen)][2]
    expected = -(mixture.score(unseen, adapt="counts") + other.score(unseen, adapt="counts")) / 2
    assert float(shown.split("|")[5]) == pytest.approx(expected, abs=1e-4)


def test_the_costs_of_words(mixture):
    assert [*mixtures.costs_of_words(mixture, TEXT, TEXT[:300])] == []
    models = [CharRNN(7, max_steps=5, random_state=0), CharNGram(order=4)]
    with_words = Mixture(models, words=True, n_threads=1).fit(TEXT)
    *table, _, sizes = "\n".join(mixtures.costs_of_words(with_words, TEXT, TEXT[:300])).split("\n")
    assert mixtures.last_models(with_words) == (
        "The last mixture: network, counts, words; its network has 7 units and products in float32."
    )
    assert sizes == "The network has 7 units; scored in 9 turns; the medians are shown"
    assert [line.count("|") for line in table] == [6] * 5
    before, after, ratios = ([float(cell) for cell in line.split("|")[2:6]] for line in table[2:])
    assert all(ratio >= 1 for ratio in ratios[1:3])
    assert after[1] >= before[1]
    assert after[2] >= before[2]


def test_copies_are_counted_by_windows(namer):
    mixture, names = namer
    _, _, *rows = mixtures.copying(mixture, names)
    assert [row.split("|")[1].strip() for row in rows] == ["network", "counts", "mixture"]
    assert mixtures.copied_share("abcab", "xab", 2) == 0.5
    assert mixtures.copied_share("abcab", "xcabc", 3) == 2 / 3


def test_the_held_out_text_has_known_symbols_only(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("ab" * 45 + "abcabcabca", encoding="utf-8")
    assert mixtures.read("shakespeare", path) == ("ab" * 45, "abababa")
    with pytest.raises(SystemExit, match="--text names needs a FILE"):
        mixtures.read("names", None)
