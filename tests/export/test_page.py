"""HTML pages: nothing of what they show can run."""

import json
import re

import pytest

from crnn.export.page import embedded_json, fill_in, html_page

STRANGE = [
    "</script><script>alert(1)</script>",
    "<!--",
    "<img src=x onerror=alert(1)>",
    "\u2028\u2029",
    "\ud800",
    "\u202e&",
]


@pytest.mark.parametrize("text", STRANGE)
def test_json_comes_back_and_holds_no_html(text):
    embedded = embedded_json({text: [text, 1.5, None, True]})
    assert json.loads(embedded) == {text: [text, 1.5, None, True]}
    assert re.search(r"[<>&]|[^ -~]", embedded) is None


def test_numbers_that_are_not_finite_are_null():
    assert embedded_json({"loss": [float("nan"), (float("-inf"), 1)]}) == '{"loss":[null,[null,1]]}'


def page(**parts):
    empty = {"title": "", "body": "", "style": "", "engine": "", "script": "", "data": {}, "weights": ""}
    return html_page(**{**empty, **parts}).decode("utf-8")


@pytest.mark.parametrize("text", STRANGE)
def test_a_title_is_text(text):
    head = page(title=text)
    assert "<img" not in head
    assert head.count("<script") == page().count("<script")


def test_the_policy_names_the_scripts_and_styles_of_the_page():
    policies = {
        re.search(r'Content-Security-Policy" content="([^"]+)"', page(**{part: source}))[1]
        for part in ("engine", "script", "style")
        for source in ("", "a{}")
    }
    assert len(policies) == 4
    for policy in policies:
        assert policy.startswith("default-src 'none'; script-src 'sha256-")
        assert "unsafe" not in policy


@pytest.mark.parametrize("source", ["</SCRIPT>", "<!-- x"])
def test_a_script_that_would_end_its_element_is_refused(source):
    with pytest.raises(AssertionError):
        page(script=source)


def test_inserted_text_is_not_filled_in_again():
    assert fill_in("{title}{live}", title="{live}", live="x") == "{live}x"
