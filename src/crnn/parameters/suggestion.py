"""Suggestion: the known name that a misspelled one may mean."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


def did_you_mean(given: object, known: Iterable[str], synonyms: Mapping[str, str] | None = None) -> str:
    """Return the end of an error message that suggests the closest known name; empty if no name is close, or if `given`
    is no `str`.

    `synonyms` are known names, by other names for the same thing.

    Examples
    --------
    >>> did_you_mean("LSTM", ["rnn", "gru", "lstm"])
    "; did you mean 'lstm'?"
    >>> did_you_mean("transformer", ["rnn", "gru", "lstm"])
    ''
    """
    if not isinstance(given, str):
        return ""
    lower = given.lower()
    by_lower = {name.lower(): name for name in known}
    near = (synonyms or {}).get(lower)
    if near is None:
        import difflib  # only needed for an error

        near = next((by_lower[name] for name in difflib.get_close_matches(lower, by_lower, n=1)), None)
    return "" if near is None else f"; did you mean {near!r}?"
