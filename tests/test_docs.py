"""Every Python line of the documentation runs and gives what it says."""

import doctest
import re
from pathlib import Path

import pytest

from crnn import CharRNN

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
TEXT = "to be or not to be, that is the question. " * 30

NEEDED = {"export.md": ("torch", "onnx", "onnxruntime")}  # what a page's blocks import that tests may lack

pytestmark = pytest.mark.skipif(not (ROOT / "docs").is_dir(), reason="an installed package has no documentation")


def python_blocks(page):
    """Yield (line number, source) of each block of Python without prompts."""
    text = page.read_text(encoding="utf-8")
    for block in re.finditer(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
        yield text.count("\n", 0, block.start()) + 2, block[1]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_prompts(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    failed, _ = doctest.testfile(str(page), module_relative=False, encoding="utf-8")
    assert failed == 0


def test_mathematics_has_examples():
    _, tried = doctest.testfile(str(ROOT / "docs" / "mathematics.md"), module_relative=False, encoding="utf-8")
    assert tried > 50


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_blocks(page, tmp_path, monkeypatch):
    """One after another, with what the reader is taken to have: the class and a text."""
    for package in NEEDED.get(page.name, ()):
        pytest.importorskip(package)
    monkeypatch.chdir(tmp_path)
    names = {"CharRNN": CharRNN, "text": TEXT}
    for line, source in python_blocks(page):
        exec(compile("\n" * (line - 1) + source, str(page), "exec"), names)


def test_readme_has_an_example(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names = {}
    for _, source in python_blocks(ROOT / "README.md"):
        exec(source, names)
    sample, bits = capsys.readouterr().out.splitlines()
    assert len(sample) == 60
    assert sample.count("the lazy dog") or sample.count("brown fox")
    assert 0 < float(bits) < 3
    assert names["again"].n_steps_ > 3000


def test_loop_that_stops_early_keeps_the_best(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {"CharRNN": CharRNN, "text": TEXT}
    for _, source in python_blocks(ROOT / "docs" / "mathematics.md"):
        exec(source, names)
    assert CharRNN.load("best.crnn").score(TEXT[names["cut"] :]) == names["best"] > -1.5


def test_links_lead_somewhere():
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            file, _, anchor = target.partition("#")
            if re.match(r"[a-z]+:", file):
                continue
            goal = page.parent / file if file else page
            assert goal.exists(), f"{page.name}: {target}"
            if anchor:
                headings = re.findall(r"^#+ +(.+)$", goal.read_text(encoding="utf-8"), re.MULTILINE)
                slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
                assert anchor in slugs, f"{page.name}: {target}"
