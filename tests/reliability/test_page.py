"""docs/development/guarantees.md names tests that are there, and the promises of the tool."""

import re
from pathlib import Path

import pytest
from promises import PROMISES

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "development" / "guarantees.md"

pytestmark = pytest.mark.skipif(not PAGE.exists(), reason="an installed package has no documentation")


def test_every_test_named_on_the_page_exists():
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE.read_text(encoding="utf-8"))
    assert len(named) > 20
    sources = {file: (ROOT / file).read_text(encoding="utf-8") for file, _ in named}
    assert [f"{file}::{name}" for file, name in named if f"def {name}(" not in sources[file]] == []


def test_every_promise_is_named_beside_a_guarantee():
    rows = [line.split("|") for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row[2])} == PROMISES.keys()
