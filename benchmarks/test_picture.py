"""Does the page of measurements hold what the picture and two other pages need, and are these of its figures?"""

import re
import xml.etree.ElementTree as ET

import pytest

from benchmarks import picture
from benchmarks.layouts import LAYOUTS
from benchmarks.pages import DOCS, EVIDENCE, PERFORMANCE, replace_between
from benchmarks.picture import BEGIN, END, read_tables, table

TABLES = [*read_tables(PERFORMANCE), *read_tables(EVIDENCE)]


def test_page_has_every_figure():
    rows = picture.speed_rows(TABLES)
    assert len(rows) == 6
    assert all({"PyTorch", "JAX"} <= row.times.keys() for row in rows)
    assert all(1 < nats < 2 for losses in picture.quality_rows(TABLES).values() for nats in losses.values())


def test_missing_figure_is_named():
    with pytest.raises(ValueError, match="no row that begins with 'H = 99'"):
        table(read_tables(PERFORMANCE), LAYOUTS["tanh"].head).row("H = 99")


def test_the_comparison_has_the_pages_figures():
    rows = picture.markdown(picture.speed_rows(TABLES))
    assert "\n".join(rows) in EVIDENCE.read_text(encoding="utf-8")


def test_picture_is_of_the_pages_figures():
    drawn = (DOCS / "speed.svg").read_text(encoding="utf-8")
    shown = [picture.rounded(times) for row in picture.speed_rows(TABLES) for times in row.times.values()]
    shown += [f"{nats:.3f}" for losses in picture.quality_rows(TABLES).values() for nats in losses.values()]
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", drawn)
    assert sorted(text for text in texts if re.fullmatch(r"\d+\.\d×|\d\.\d{3}", text)) == sorted(shown)


def test_drawing():
    pytest.importorskip("matplotlib", reason="matplotlib is not installed: pip install matplotlib")
    svg = picture.as_svg(picture.draw(picture.speed_rows(TABLES), picture.quality_rows(TABLES)))
    ET.fromstring(svg)
    assert "prefers-color-scheme: dark" in svg
    assert not re.search("#0[1-7]0[1-7]0[1-7]", svg)  # every placeholder has become a class


def test_lines_between_markers(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n", encoding="utf-8")
    replace_between(page, BEGIN, END, ["new"])
    assert page.read_text(encoding="utf-8") == f"before\n{BEGIN}\nnew\n{END}\nafter\n"
    with pytest.raises(SystemExit, match="no place for the figures"):
        replace_between(page, "<!-- begin -->", END, ["new"])
