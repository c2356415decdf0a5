"""Files of pytest-benchmark become tables, which replace the pages' tables, and single figures within sentences."""

from __future__ import annotations

import json
import re

import pytest

from benchmarks import table
from benchmarks.layouts import LAYOUTS
from benchmarks.table import PAGES, SINGLE, SOFTWARE

WHERE = "Some Processor, commit 01234567."


@pytest.fixture
def write(tmp_path):
    """Return a function that writes a file like pytest-benchmark's."""

    def write(name, *benches, where=WHERE):
        benchmarks = [
            {
                "extra_info": {"table": "step", "contender": c, "dtype": dtype, "column": column, "units": 100},
                "stats": {"median": median},
            }
            for c, dtype, column, median in benches
        ]
        benchmarks.append({"extra_info": {}, "stats": {"median": 1}})  # of no table
        machine = {"where": where, "software": "Some versions."}
        path = tmp_path / name
        path.write_text(json.dumps({"crnn": machine, "benchmarks": benchmarks}), encoding="utf-8")
        return path

    return write


def test_rows_are_contenders_and_columns_cases(write):
    file = write(
        "one.json",
        ("numpy", "float64", "H = 100", 0.1),
        ("numpy-float32", "float32", "H = 100", 0.08),
        ("crnn-float64", "float64", "H = 100", 0.008),
        ("crnn", "float32", "H = 100", 0.004),
        ("crnn", "float32", "H = 512", 0.25),
        ("classic", "float32", "H = 512", 0.25),
    )
    assert table.tables(table.read([file]))["step"] == [
        f"| {LAYOUTS['step'].head} | dtype | H = 100 | H = 512 |",
        "|---|---|---|---|",
        "| the script (NumPy) | float64 | 1,000 (12.5×) | – |",
        "| the script (NumPy) | float32 | 800 (20.0×) | – |",
        "| crnn | float64 | 80.0 | – |",
        "| crnn | float32 | 40.0 | 2,500 |",
        "| `crnn.classic` | float32 | – | 2,500 (1.0×) |",
        "",
        WHERE,
    ]


def test_the_last_of_several_files_counts(write):
    first = write("first.json", ("crnn", "float32", "H = 100", 0.004), ("torch", "float32", "H = 100", 0.1))
    last = write("last.json", ("crnn", "float32", "H = 100", 0.005), where="Another Processor.")
    _, _, *rows, _, where, another = table.tables(table.read([first, last]))["step"]
    assert rows == ["| crnn | 50.0 |", "| PyTorch | 1,000 (20.0×) |"]
    assert [where, another] == ["Another Processor.", WHERE]


def test_pages_are_updated(write, tmp_path):
    figures = table.read(
        [write("one.json", ("crnn", "float32", "H = 100", 0.004), ("jax", "float32", "H = 100", 0.01))]
    )
    page = tmp_path / "page.md"
    page.write_text(
        "before\n<!-- speed software: begin -->\n<!-- speed software: end -->\n"
        "<!-- speed step: begin -->\nold\n<!-- speed step: end -->\n"
        "<!-- speed tanh: begin -->\nkept\n<!-- speed tanh: end -->\n"
        "It takes **1.0**<!-- speed: step; crnn; float32; H = 100 --> µs, "
        "JAX 7<!-- speed: step; jax; float32; H = 100; ratio --> times, "
        "and 3.3<!-- speed: step; crnn; float64; H = 100 --> in float64.\n",
        encoding="utf-8",
    )
    table.update(page, figures)
    assert page.read_text(encoding="utf-8").splitlines() == [
        "before",
        "<!-- speed software: begin -->",
        "Some versions.",
        "<!-- speed software: end -->",
        "<!-- speed step: begin -->",
        *table.tables(figures)["step"],
        "<!-- speed step: end -->",
        "<!-- speed tanh: begin -->",
        "kept",
        "<!-- speed tanh: end -->",
        "It takes **40.0**<!-- speed: step; crnn; float32; H = 100 --> µs, "
        "JAX 2.5<!-- speed: step; jax; float32; H = 100; ratio --> times, "
        "and 3.3<!-- speed: step; crnn; float64; H = 100 --> in float64.",
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_place_of_a_page_has_a_table(page):
    text = page.read_text(encoding="utf-8")
    begun = re.findall(r"<!-- speed ([^:]*): begin -->", text)
    assert begun == re.findall(r"<!-- speed ([^:]*): end -->", text)
    assert set(begun) <= LAYOUTS.keys() | {SOFTWARE}
    for _, key in SINGLE.findall(text):
        assert " ".join(key.split()).split("; ")[0] in LAYOUTS


def test_single_figures_are_those_of_the_tables():
    """A figure within a sentence is in a table of some page."""
    texts = [page.read_text(encoding="utf-8") for page in PAGES]
    cells = {
        found for text in texts for line in text.splitlines() if line.startswith("|")
        for found in re.findall(r"[\d.,]+", re.sub(r"<!--.*?-->", "", line))
    }  # fmt: skip
    for text in texts:
        for match in SINGLE.finditer(text):
            assert re.match(r"[\d.,]+", match[0])[0] in cells, match[0]
