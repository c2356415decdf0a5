"""Sphinx's settings for the site; ``python tools/build_site.py`` builds it."""

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "extensions"))

import crnn

project = "crnn"
author = "The crnn developers"
copyright = f"{author}; BSD-3-Clause"
version = release = crnn.__version__

extensions = [
    "myst_parser",
    "sphinx_copybutton",
    "executed_pages",
]
exclude_patterns = ["extensions"]

# Markdown as it is on GitHub: anchors of headings, links to files.
myst_heading_anchors = 4

html_theme = "furo"
html_title = "crnn"
html_static_path = ["_static"]
html_extra_path = ["play.html"]  # the page that `crnn play` writes
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True


def setup(app):
    """Make links to the files outside this folder lead to the pages that include them."""
    for event in ("source-read", "include-read"):
        app.connect(event, lambda *arguments: lead_to_page(arguments[-1]))


def lead_to_page(source):
    """Change the links in a page's text. Sphinx would make play.html a download, so links to it become HTML."""
    place = r"\]\((\.\./)?((?:\.\./)*)(CONTRIBUTING|CHANGELOG)\.md"
    source[0] = re.sub(place, lambda link: f"]({link[2] if link[1] else 'docs/'}{link[3].lower()}.md", source[0])
    source[0] = re.sub(r"\[([^]]+)\]\((play\.html[^)]*)\)", r'<a href="\2">\1</a>', source[0])
