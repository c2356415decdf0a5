"""Patterns of masks in JavaScript match what they match in Python."""

import re

import pytest
from node import in_node, needs_node

from crnn import InvalidInputError
from crnn.export.js_pattern import javascript_pattern
from crnn.text.mask import BUILT_IN

TEXTS = [
    "",
    "\n",
    "a\n",
    "job 17 done",
    "é0x12 0x12é 0x1F",
    "_1_ 2\u0663\u00b2",
    "2026-12-02 23:04:05,123Z Dec  2 10:11:12",
    "10.0.0.256 1:2:3:4:5:6:7:8",
    "0b1c2d ABC123def x0b1c2d",
    "123e4567-e89b-12d3-a456-426614174000",
    "\U0001f6001\ud800",
    "tab\there\x1cthere\xa0\ufeff\u2003end",
    "a.b$c^d{2}[x]\\n-",
    "aaa bbb ab",
    "\u2028x\r\ny",
    "STRASSE straße",
]
PATTERNS = [
    *BUILT_IN.values(),
    r"\d+",
    r"\w+",
    r"\W",
    r"\s+",
    r"\S+",
    r"[^\W\d_]+",
    r"[\s\d]",
    r"[^\s]",
    r"\D{2,3}?",
    r".",
    r"^.",
    r"a$",
    r".\Z",
    r"\A[a-j]",
    r"\b\w",
    r"\Bb",
    r"(?<=j)o",
    r"(?<!a)b",
    r"b(?!b)",
    r"x|ab|a",
    r"(?P<name>a)(?:b)",
    r"\.b\$",
    r"\{2\}|\[x\]|\\n",
    "[-x]",
    r"[^a]",
    "\U0001f600|[\ud800]",
    r"a+?b",
    "é|[à-ü]",
    r"(?:ab){1,2}",
    r"\t|\x1c",
]


@needs_node
def test_the_matches_are_those_of_python(tmp_path):
    (tmp_path / "matches.mjs").write_text(
        "export function matches(pattern, text) {\n"
        "  return [...text.matchAll(new RegExp(pattern, 'gu'))].map((match) => match[0]);\n}\n"
    )
    pairs = [(javascript_pattern(pattern), text) for pattern in PATTERNS for text in TEXTS]
    found = in_node(tmp_path / "matches.mjs", "matches", "pairs.map((pair) => matches(...pair))", pairs=pairs)
    wanted = [[match[0] for match in re.finditer(pattern, text)] for pattern in PATTERNS for text in TEXTS]
    shown = [(pattern, text) for pattern in PATTERNS for text in TEXTS]
    differ = [(*case, a, b) for case, a, b in zip(shown, found, wanted, strict=True) if a != b]
    assert differ == []
    assert sum(map(bool, wanted)) > 150


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("(?i)ab", "it sets a flag"),
        ("(?=a)", "it may match an empty text"),
        ("a*", "it may match an empty text"),
        ("(?:a?){2}b", "it repeats what may be empty"),
        ("a++", "JavaScript has no possessive_repeat"),
        ("(?>ab)", "JavaScript has no atomic_group"),
        (r"(a)\1", "JavaScript has no groupref"),
        ("(?i:a)b", "JavaScript has no subpattern"),
    ],
)
def test_other_patterns_are_refused(pattern, reason):
    with pytest.raises(InvalidInputError, match=f"cannot be exported to JavaScript: {re.escape(reason)}"):
        javascript_pattern(pattern)
