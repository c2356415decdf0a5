"""Pages quote the measured losses from docs/figures.toml."""

import itertools
import re
import tomllib

import pytest
from source_tree import ROOT, needs_sources

from crnn import CharRNN

pytestmark = needs_sources
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
QUOTED = re.compile(r"([\d.]+)(?: M)?(?:\*\*)?<!-- ([\w-]+)(\.weights)? -->")


@pytest.fixture(scope="module")
def measured():
    return tomllib.loads((ROOT / "docs" / "figures.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def figures(measured):
    """Return the figures by their names."""
    rows = [figure for measurement in measured["measurements"] for figure in measurement["figures"]]
    figures = {figure["name"]: figure for figure in rows}
    assert len(figures) == len(rows), "a name occurs twice"
    return figures


@pytest.fixture(scope="module")
def quotations():
    """Return what the pages quote: page, number, name of the figure, and ".weights" or nothing."""
    return [(page.name, *found) for page in PAGES for found in QUOTED.findall(page.read_text(encoding="utf-8"))]


def test_pages_quote_the_measured_figures(measured, figures, quotations):
    for page, number, name, weights in quotations:
        figure = figures[name]
        if weights:
            expected = f"{measured['networks'][figure['network']]['weights'] / 1e6:.2f}"
        else:
            expected = f"{figure['nats']:.{len(number.partition('.')[2])}f}"
        assert (number, name) == (expected, name), page


def test_every_comment_that_names_a_figure_follows_a_number(quotations):
    comments = [c for page in PAGES for c in re.findall(r"<!-- ([\w.-]+) -->", page.read_text(encoding="utf-8"))]
    assert comments == [name + weights for _, _, name, weights in quotations]


def test_every_measured_figure_is_quoted(figures, quotations):
    assert figures.keys() - {name for _, _, name, _ in quotations} == set()


def test_networks_have_the_weights_that_the_file_says(measured):
    for name, parameters in measured["networks"].items():
        weights, symbols = parameters.pop("weights"), map(chr, range(256, 256 + parameters.pop("symbols")))
        text = "".join(map("".join, itertools.product(list(symbols), repeat=2)))  # every pair
        model = CharRNN(**parameters, max_steps=0, random_state=0).fit(text)
        assert (name, sum(each.size for each in model.params_.values())) == (name, weights)
