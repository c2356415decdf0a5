"""What tools/guides.py makes of pages: notebooks whose cells run, current outputs, and the README's picture."""

import json
import os
from pathlib import Path
from xml.etree import ElementTree

import pytest
from source_tree import ROOT, needs_sources, tool

import crnn

pytestmark = needs_sources
START = ROOT / "docs" / "start.md"
COURSE = ROOT / "docs" / "notebooks" / "first_model.ipynb"


def execute(notebook, folder, monkeypatch):
    """Run a notebook's cells in a folder, and return the cells of code with their outputs."""
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    monkeypatch.setenv("PYTHONPATH", str(Path(crnn.__file__).parent.parent))
    monkeypatch.delenv("MPLBACKEND", raising=False)  # plots appear in the notebook
    book = nbformat.reads(json.dumps(notebook), as_version=4)
    nbformat.validate(book)
    resources = {"metadata": {"path": os.fspath(folder)}}
    nbclient.NotebookClient(book, timeout=300, kernel_name="python3", resources=resources).execute()
    code = [cell for cell in book.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    return code


def printed(cell):
    return "".join(output.get("text", "") for output in cell.outputs)


def test_the_first_page_runs_as_a_notebook(tmp_path, monkeypatch):
    """The model trains for one second here; the slow test of the page's blocks trains for as long as the page says."""
    page = START.read_text(encoding="utf-8")
    assert page.count("seconds=30,") == 1
    execute(tool("guides").notebook(page.replace("seconds=30,", "seconds=1,")), tmp_path, monkeypatch)
    assert (tmp_path / "manual.crnn").exists()


def test_the_course_s_notebook_runs(tmp_path, monkeypatch):
    """Models train for one second here; .ci/run also installs crnn from a ZIP by the first cell."""
    source = COURSE.read_text(encoding="utf-8")
    assert source.count("seconds=20,") == 3
    notebook = json.loads(source.replace("seconds=20,", "seconds=1,"))
    assert not any(cell.get("outputs") for cell in notebook["cells"])
    install, *rest = execute(notebook, tmp_path, monkeypatch)
    assert printed(install) == ""  # crnn is there
    assert all(cell.outputs for cell in rest[:-1])
    assert crnn.load_model(tmp_path / "mine.crnn").sample(random_state=0)
    assert "My model" in (tmp_path / "mine.html").read_text(encoding="utf-8")


def test_the_course_s_notebook_learns_a_text_of_one_s_own(tmp_path, monkeypatch):
    notebook = json.loads(COURSE.read_text(encoding="utf-8").replace("seconds=20,", "seconds=1,"))
    first = next(i for i, cell in enumerate(notebook["cells"]) if any("mine.txt" in line for line in cell["source"]))
    del notebook["cells"][:first]
    (tmp_path / "mine.txt").write_text("Ein Männlein steht im Walde, ganz still und stumm.\n" * 300, encoding="utf-8")
    sampled, copied, _ = execute(notebook, tmp_path, monkeypatch)
    assert "Walde" in printed(sampled)
    assert " of 300 characters: " in printed(copied)


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


def test_outputs_of_blocks_replace_those_of_the_page(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# Page\n\n```python\nprint(6 * 7)\n```\n\n```text similar\n41\n```\n\nThe end.\n")
    tool("guides").write_outputs(page)
    assert page.read_text() == "# Page\n\n```python\nprint(6 * 7)\n```\n\n```text similar\n42\n```\n\nThe end.\n"


def test_the_picture_shows_each_stage(tmp_path):
    stages = [(0.0, 6.0, ["a<b"]), (20.5, 2.25, ["To be", "or not", "to be"])]
    picture = ElementTree.fromstring(tool("guides").learning_svg(stages))
    groups = picture.findall("{*}g")
    assert ["".join(group.itertext()) for group in groups] == [
        "0.0 s6.0 bits a lettera<b",
        "20.5 s2.2 bits a letterTo beor notto be",
    ]
    assert [group.find("{*}rect").get("width") for group in groups] == ["72", "27"]
