"""Every Python line of the documentation runs and prints the output on the page.

The blocks of a page run one after another, as a reader pastes them: nothing is imported or defined beforehand.
A block ```` ```text ```` right after a block of Python is that block's output. With the word `similar` after `text`,
another processor may print other letters and digits, but the number of lines must agree. To update the outputs:
``python tools/guides.py outputs docs/labels.md ...``
"""

import doctest
import re
import sys
from pathlib import Path

import pytest
from examples import SEEDS, instruction_set, share_of_spaces

ROOT = Path(__file__).parent.parent
sys.path.append(str(ROOT / "docs" / "extensions"))  # the site runs the same blocks
blocks = pytest.importorskip("python_blocks", reason="an installed package has no documentation")

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
WRITTEN = [page for page in PAGES if page.parent.name != "reference"]  # docstrings are tested where they are
MATHEMATICS = ["mathematics.md"]  # pages that prove what they say
NEEDED = {  # what a page's blocks import that tests may lack
    "export.md": ("torch", "onnx", "onnxruntime"),
    "labels.md": ("sklearn",),
    "recipes.md": ("polars", "duckdb", "pyarrow"),
    "scale.md": ("joblib",),
    "tables.md": ("pandas",),
    "train.md": ("sklearn",),
    "tasks.md": ("sklearn",),
}
PEERS = {"export.md", "recipes.md", "tables.md"}  # pages that need the extra of that name
SLOW = {"start.md", "look_inside.md"}  # pages that train for half a minute or more


def title(page):
    return str(page.relative_to(ROOT))


def slug(heading):
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def run(page):
    return blocks.run_blocks(page.read_text(encoding="utf-8"), str(page))


@pytest.mark.parametrize("page", WRITTEN, ids=title)
def test_doctest_prompts_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    failed, tried = doctest.testfile(str(page), module_relative=False, encoding="utf-8")
    assert failed == 0
    assert tried > 12 or page.name not in MATHEMATICS


def marks(page):
    return [pytest.mark.peers] * (page.name in PEERS) + [pytest.mark.slow] * (page.name in SLOW)


@pytest.mark.parametrize("page", [pytest.param(page, marks=marks(page)) for page in WRITTEN], ids=title)
def test_python_blocks_run(page, tmp_path, monkeypatch):
    for package in NEEDED.get(page.name, ()):
        pytest.importorskip(package)
    monkeypatch.chdir(tmp_path)
    for block, printed, _ in run(page):
        if block.output is None:
            continue
        if block.similar:
            assert len(printed.splitlines()) == len(block.output.splitlines()), f"line {block.line}: {printed}"
        else:
            assert printed == block.output, f"line {block.line}"


def first_block(page, isa, *replacements):
    """Run a page's first block, in which some words are replaced, with an instruction set, and return its names."""
    source = next(blocks.python_blocks(page.read_text(encoding="utf-8"))).source
    for old, new in replacements:
        assert source.count(old) == 1
        source = source.replace(old, new)
    names = {}
    with instruction_set(isa):
        exec(source, names)
    return names


@pytest.mark.parametrize(("isa", "seed"), SEEDS)
def test_the_first_network_after_min_char_rnn_writes_words(isa, seed):
    page = ROOT / "docs" / "min_char_rnn.md"
    names = first_block(page, isa, ("random_state=0", f"random_state={seed}"))
    model = names["model"]
    assert -model.score(names["text"][:20_000]) * model.seq_length == pytest.approx(model.smooth_loss_, abs=9)
    for text in model.sample(150, n_samples=20, prime="The ", temperature=0.5, random_state=2):
        assert 0.1 < share_of_spaces(text) < 0.3, text


@pytest.mark.parametrize(
    "name", ["README", *(f"docs/{name}" for name in ("generate", "matching", "anomalies", "labels"))]
)
def test_example_with_its_output_comes_first(name):
    assert next(blocks.python_blocks((ROOT / f"{name}.md").read_text(encoding="utf-8"))).output


def test_readme_is_short_enough_to_be_read():
    text = PAGES[0].read_text(encoding="utf-8")
    assert (len(text.splitlines()) <= 170, text.count("](") <= 32) == (True, True)  # two pictures and 30 links


def test_no_page_is_an_orphan():
    texts = {page: page.read_text(encoding="utf-8") for page in PAGES}
    links = {(page, link) for page in PAGES for link in re.findall(r"\]\(([^)\s#]+)", texts[page])}
    linked = {(page.parent / link).resolve() for page, link in links}
    included = {"index.md", "contributing.md", "changelog.md"}  # pages of the site that include another file
    assert [page.name for page in WRITTEN if page.name not in included and page.resolve() not in linked] == [
        PAGES[0].name
    ]


@pytest.mark.parametrize("page", PAGES, ids=title)
def test_links_lead_somewhere(page):
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        file, _, anchor = target.partition("#")
        if re.match(r"[a-z]+:", file):
            continue
        goal = page.parent / file if file else page
        if not (ROOT / "src").is_dir() and goal.resolve().is_relative_to(ROOT / "src"):
            continue  # the tests of an installed wheel have no sources
        assert goal.exists(), target
        if anchor and goal.suffix == ".html":
            assert f'id="{anchor}"' in goal.read_text(encoding="utf-8"), target
        elif anchor:
            headings = re.findall(r"^#+ +(.+)$", goal.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in map(slug, headings), target


@pytest.mark.parametrize("page", PAGES, ids=title)
def test_contents_list_every_section(page):
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    top, *sections = re.split(r"^##? (?=.)", text.partition("\n")[2], flags=re.MULTILINE)
    listed = set(re.findall(r"\]\(#([^)\s]+)\)", "\n".join(re.findall(r"^- \[.*(?:\n  .*)*", top, re.MULTILINE))))
    if listed:
        missing = [title for title in (section.partition("\n")[0] for section in sections) if slug(title) not in listed]
        assert missing == []


def test_every_test_named_beside_a_guarantee_exists():
    page = (ROOT / "docs" / "development" / "guarantees.md").read_text(encoding="utf-8")
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", page)
    assert len(named) > 20
    sources = {file: (ROOT / file).read_text(encoding="utf-8") for file, _ in named}
    assert [f"{file}::{name}" for file, name in named if f"def {name}(" not in sources[file]] == []
