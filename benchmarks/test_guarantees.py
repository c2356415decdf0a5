"""Does `benchmarks.guarantees` print tables of the right form? Its figures are that command's to print."""

import sys

import pytest

from benchmarks.guarantees import FIGURES


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes and signals as Linux has them")
@pytest.mark.parametrize(("name", "count"), [("responses", 1), ("memory", 1), ("imports", 1), ("kills", 2)])
def test_rows_have_the_columns_of_the_header(name, count):
    header, _, *rows = FIGURES[name][0](count)
    assert rows
    assert all(row.count("|") == header.count("|") for row in rows)
