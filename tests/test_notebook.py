"""The first page as a notebook: every cell runs, one after another, in a kernel that knows nothing of this project."""

import json
import os
from pathlib import Path

import pytest
from source_tree import ROOT, needs_sources, tool

import crnn

pytestmark = needs_sources
START = ROOT / "docs" / "start.md"


def test_the_first_page_runs_as_a_notebook(tmp_path, monkeypatch):
    """The model trains for one second here; the slow test of the page's blocks trains for as long as the page says."""
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    monkeypatch.setenv("PYTHONPATH", str(Path(crnn.__file__).parent.parent))
    page = START.read_text(encoding="utf-8")
    assert page.count("seconds=30)") == 1
    book = nbformat.from_dict(tool("guides").notebook(page.replace("seconds=30)", "seconds=1)")))
    nbformat.validate(book)
    resources = {"metadata": {"path": os.fspath(tmp_path)}}
    nbclient.NotebookClient(book, timeout=300, kernel_name="python3", resources=resources).execute()
    code = [cell for cell in book.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert (tmp_path / "manual.crnn").exists()


def test_prose_and_code_stand_in_the_page_s_order():
    text = START.read_text(encoding="utf-8")
    cells = tool("guides").notebook(text)["cells"]
    places = [text.index(cell["source"]) for cell in cells]
    assert places == sorted(places)
    assert cells[0]["source"].startswith("# Start")
    assert not any("```text" in cell["source"] for cell in cells)


def test_a_page_becomes_a_file(tmp_path, monkeypatch):
    output = tmp_path / "made.ipynb"
    monkeypatch.setattr("sys.argv", ["guides.py", "notebook", str(START), str(output)])
    tool("guides").main()
    cells = json.loads(output.read_text(encoding="utf-8"))["cells"]
    assert {cell["cell_type"] for cell in cells[:3]} == {"markdown", "code"}
