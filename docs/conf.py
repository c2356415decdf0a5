"""Sphinx's settings for the site; ``python tools/build_site.py`` builds it."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "extensions"))

import crnn

project = "crnn"
author = "The crnn developers"
copyright = f"{author}; BSD-3-Clause"
version = release = crnn.__version__

extensions = [
    "sphinx.ext.autodoc",
    "numpydoc",
    "myst_parser",
    "sphinx_copybutton",
    "executed_pages",
    "linked_guides",
    "listed_pages",
    "command_help",
    "class_reference",
]
exclude_patterns = ["extensions"]

# Markdown as it is on GitHub: anchors of headings, links to files.
myst_heading_anchors = 4

# Types stand in the docstrings' sections. A name in single backticks is a link where there is something to lead to.
default_role = "py:obj"
smartquotes = False
autodoc_typehints = "none"
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
add_function_parentheses = False
toc_object_entries_show_parents = "hide"  # the contents at the right name methods, not CharRNN.fit
numpydoc_validation_checks = {"GL01", "GL03", "GL06", "GL07", "SS01", "SS02", "RT02"}

html_theme = "furo"
html_title = "crnn"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
