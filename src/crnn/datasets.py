"""Texts that come with Python: what the examples train on without a download."""

from __future__ import annotations

import re

from .errors import InvalidInputError


def python_manual() -> str:
    """Return an English text included with CPython: the language reference that ``help()`` shows.

    The text has more than 300,000 characters and differs a little from one version of Python to the next. It has each
    paragraph once, no tables, and one character in place of a run of spaces, stars or dashes: a network that has
    learned to repeat a character does not stop at a low temperature.

    Returns
    -------
    text : str

    Raises
    ------
    InvalidInputError
        If this Python lacks the module ``pydoc_data.topics``.

    Examples
    --------
    >>> from crnn.datasets import python_manual
    >>> text = python_manual()
    >>> len(text) > 300_000
    True
    """
    try:
        from pydoc_data.topics import topics
    except ImportError as error:
        raise InvalidInputError(
            "this Python lacks pydoc_data.topics, the text of the examples and of crnn demo. "
            "Use your own text instead: crnn train FILE -o MODEL, or open(FILE, encoding='utf-8').read() in Python"
        ) from error
    paragraphs = dict.fromkeys("\n\n".join(topics.values()).split("\n\n"))
    without_tables = re.sub(r"(?m)^ *[|+].*\n", "", "\n\n".join(paragraphs))
    return re.sub(r"(\W)\1+", r"\1", without_tables)
