"""The site of the documentation: results of blocks, the list of pages, links to guides, and the checks of the whole."""

import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from source_tree import ROOT, needs_sources, tool

import crnn

pytestmark = needs_sources
# A process of its own imports the same package, installed or not.
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(crnn.__file__).parent.parent), "MPLBACKEND": "agg"}
EXTENSIONS = ROOT / "docs" / "extensions"
PAGE = """# A page

```python
from pathlib import Path
from matplotlib import pyplot as plt
print("of a block")
figure, ax = plt.subplots()
ax.set_title("<title>")
Path("made.html").write_text("made")
```

It prints

```text similar
something else
```

```python
x = 1
```

```python
print(x)
plt.close(figure)
```
"""


@pytest.fixture
def extension(monkeypatch):
    """Import an extension of Sphinx, if Sphinx is there."""
    pytest.importorskip("sphinx")
    monkeypatch.syspath_prepend(EXTENSIONS)

    def load(name):
        return __import__(name)

    return load


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """What the blocks of the page leave behind, and the folder of their pictures and pages."""
    folder = tmp_path_factory.mktemp("page")
    (folder / "page.md").write_text(PAGE, encoding="utf-8")
    command = [sys.executable, str(EXTENSIONS / "run_page.py"), str(folder / "page.md"), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=ENVIRONMENT)
    return json.loads(done.stdout), folder


def test_blocks_leave_text_pictures_and_pages(results):
    left, folder = results
    assert [result["printed"] for result in left] == ["of a block\n", "", "1\n"]
    assert [len(result["pictures"]) for result in left] == [1, 0, 0]
    assert left[0]["pictures"][0] == {"name": "page-1.png", "width": 512, "labels": "<title>"}
    assert left[0]["pages"] == ["page-made.html"]
    assert (folder / "page-1.png").stat().st_size > 1000
    assert (folder / "page-made.html").read_text() == "made"


def test_results_stand_below_their_blocks(results, extension):
    text = extension("executed_pages").filled(PAGE, results[0], "recipes/page")
    assert "something else" not in text
    first, _, rest = text.partition("```text\nof a block\n```")
    assert "It prints" in first
    assert rest.index('src="../_static/made/page-1.png"') < rest.index("x = 1")
    assert rest.index('<iframe src="../_static/made/page-made.html"') < rest.index("x = 1")
    assert "&lt;title&gt;" in rest
    assert rest.endswith("plt.close(figure)\n```\n\n```text\n1\n```\n")


def test_another_output_than_the_pages_is_a_warning(results, extension):
    module = extension("executed_pages")
    warnings = []
    module.logger.logger.addHandler(handler := logging.Handler())
    handler.emit = lambda record: warnings.append(record.getMessage())
    try:
        module.filled(PAGE.replace("text similar", "text"), results[0], "page")
        assert warnings == ["a block prints 'of a block\\n', and the page says 'something else\\n'"]
    finally:
        module.logger.logger.removeHandler(handler)


def test_a_block_that_fails_is_named(tmp_path, extension, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", ENVIRONMENT["PYTHONPATH"])
    (tmp_path / "page.md").write_text("```python\n1 / 0\n```\n")
    assert "ZeroDivisionError" in extension("executed_pages").run(tmp_path / "page.md", tmp_path)


def test_pages_that_are_not_chosen_stay_as_they_are(tmp_path, extension, monkeypatch):
    app = SimpleNamespace(builder=SimpleNamespace(format="html", name="html"), outdir=tmp_path)
    source = ["```python\n1 / 0\n```\n"]
    monkeypatch.setenv("CRNN_DOCS_RUN", "start look_inside")
    extension("executed_pages").execute(app, "scale", source)
    assert source == ["```python\n1 / 0\n```\n"]


def test_missing_files_of_a_page(extension):
    page = "```python\nimport os.path\nfrom no_such import x\nif 1:\n    import nor_this.part as y\n```\n"
    assert extension("executed_pages").missing_packages(page) == ["no_such", "nor_this"]


def test_the_reference_is_current():
    folder = ROOT / "docs" / "reference"
    current = {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}
    assert current == tool("reference").pages(), "run python tools/reference.py"


def test_everything_public_is_in_the_reference_and_every_method_in_one_group():
    for name in ("CharRNN", "CharNGram", "Mixture", "TextClassifier", "AnomalyDetector"):
        groups = dict(tool("reference").methods(getattr(crnn, name)))
        assert "" not in groups
        assert len(set().union(*groups.values())) == sum(map(len, groups.values()))
    documented = " ".join(paths for _, paths, _ in tool("reference").PAGES.values()).split()
    assert {f"crnn.{name}" for name in crnn.__all__} - {*documented} == {
        "crnn.BOUNDARY", "crnn.UNKNOWN", "crnn.__version__"
    }  # fmt: skip


SITE = {
    "index.html": '<a href="folder/other.html#here">a</a><a href="#top">b</a><h1 id="top"></h1><a href="?q">c</a>',
    "folder/other.html": '<p id="here"></p><a href="../index.html">a</a><a href="https://example.org/x">b</a>',
}


def test_site_faults_are_found(tmp_path):
    for i, (name, html, *fault) in enumerate([
        ("index.html", ""),
        ("index.html", '<a href="no.html">', "index.html links to no.html: no such file"),
        ("index.html", '<a href="#no">', "index.html links to #no: no such heading"),
        ("x.html", '<a href="index.html#no">', "x.html links to index.html#no: no such heading"),
        ("x.html", '<img src="no.png">', "x.html links to no.png: no such file"),
        ("x.html", '<script src="//example.org/x.js"></script>', "x.html loads //example.org/x.js"),
        ("x.html", '<link rel="stylesheet" href="https://a.org/x.css">', "x.html loads https://a.org/x.css"),
        ("x.css", "a { background: url('https://example.org/x') }", "x.css loads https://example.org/x"),
    ]):  # fmt: skip
        (tmp_path / f"{i}" / "folder").mkdir(parents=True)
        for page, content in {**SITE, name: SITE.get(name, "") + html}.items():
            (tmp_path / f"{i}" / page).write_text(content)
        assert tool("build_site").faults(tmp_path / f"{i}") == fault
