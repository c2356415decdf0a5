"""The recipe in packaging/ and the citation agree with pyproject.toml."""

import re
import tomllib

import pytest
from source_tree import ROOT, needs_sources, tool

from crnn import __version__

pytestmark = needs_sources
CONDA_NAMES = {"matplotlib": "matplotlib-base"}  # without the windows of a desktop


@pytest.fixture(scope="module")
def recipe():
    return (ROOT / "packaging" / "conda-forge" / "recipe.yaml").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def pyproject():
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def section(recipe, start, end):
    """Return the packages listed between two lines."""
    part = re.search(rf"^ *{re.escape(start)}\n(.*?)^ *{re.escape(end)}$", recipe, re.DOTALL | re.MULTILINE)
    return set(re.findall(r"^ +- ([\w-]+ >=[\d.]+|\w+)$", part[1], re.MULTILINE))


def conda(requirements):
    """Return requirements as conda writes them."""
    pairs = [requirement.split(">=") for requirement in requirements]
    return {f"{CONDA_NAMES.get(name, name)} >={version}" for name, version in pairs}


def test_requirements_to_build_run_and_test(recipe, pyproject):
    assert section(recipe, "host:", "run:") == conda(pyproject["build-system"]["requires"]) | {"python", "pip"}
    assert section(recipe, "run:", "tests:") == conda(pyproject["project"]["dependencies"]) | {"python"}
    tests = recipe[recipe.index("tests:") :]
    assert section(tests, "run:", "about:") == conda(pyproject["project"]["optional-dependencies"]["test"])
    files = re.search(r"^ +source:\n((?: +- .*\n)+)", tests, re.MULTILINE)[1]
    assert set(re.findall(r"- ([\w.]+)", files)) == set(tool("release").COPIED)


def test_project_description(recipe, pyproject):
    project = pyproject["project"]
    assert re.findall(r'^ +version: "(.*)"$', recipe, re.MULTILINE) == [__version__]
    assert f'summary: "{project["description"]}"' in recipe
    assert f"license: {project['license']}\n" in recipe
    assert f"- crnn = {project['scripts']['crnn']}\n" in recipe
    oldest = project["requires-python"].removeprefix(">=")
    assert f'match(python, "<{oldest}")' in recipe


def test_the_citation_has_the_version_and_the_license(pyproject):
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {__version__}\n" in citation
    assert f"\nlicense: {pyproject['project']['license']}\n" in citation
    assert f"\n  - name: {pyproject['project']['authors'][0]['name']}\n" in citation
    bibtex = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    assert f"version = {{{__version__}}}," in bibtex


def test_the_citation_has_the_date_of_the_release():
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    heading = re.search(rf"^## \[{re.escape(__version__)}\] - (unreleased|[\d-]{{10}})$", changes, re.MULTILINE)[1]
    dates = re.findall(r'^date-released: "(.*)"$', citation, re.MULTILINE)
    assert dates == ([] if heading == "unreleased" else [heading])


def test_the_repository_has_one_address_until_the_tool_replaces_it(tmp_path):
    release = tool("release")
    old, new = release.address(), "https://example.net/a-place"
    for name, text in release.written(ROOT).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert release.set_address("example.net", tmp_path) == 1
    assert release.set_address(new, tmp_path) == 0
    assert release.address(tmp_path) == new
    replaced = release.written(tmp_path)
    assert [name for name, text in replaced.items() if old in text] == []
    for name in (*release.PACKAGED, "CITATION.cff", "README.md", "docs/install.md", "docs/performance.md"):
        assert new in replaced[name], name
