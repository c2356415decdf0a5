"""Write n-gram counts as an ARPA file, the text format of n-gram models that KenLM and decoders read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..errors import InvalidInputError, short_repr
from ..files.ngram_file import CountedText
from ..ngram.lookahead import unrolled_contexts
from ..ngram.unrolled import UnrolledCounts
from ..parameters.checks import FilePath, checked_path
from ..runtime.atomic_file import write_atomically
from ..runtime.signals import check_canceled
from ..text.documents import warn_caller
from ..text.vocabulary import BOUNDARY, UNKNOWN, Vocabulary

START = "<s>"
END = "</s>"
OTHER = "<unk>"
IMPOSSIBLE = -99.0  # the format's log10 of a probability of zero
LINE = "%.6f\t%s\t%.6f\n"
LINES = 1 << 14  # n-grams written between polls for Ctrl-C
READABLE = range(2, 7)  # orders that KenLM's build on PyPI reads


def export_arpa(learned: CountedText, path: FilePath, *, space: str) -> None:
    """Write counts as an ARPA file; see `crnn.CharNGram.export_arpa`."""
    name = checked_path("path", path)
    vocabulary, counts, _ = learned
    tokens = _tokens(vocabulary, space)
    unrolled = unrolled_contexts(counts)
    if counts.order not in READABLE:
        warn_caller(
            f"the model has order {counts.order}, but KenLM, unless compiled for longer n-grams, reads orders "
            f"{READABLE[0]} to {READABLE[-1]} only. Fit CharNGram(order={READABLE[-1]})."
        )
    write_atomically(name, _parts(unrolled, tokens))


def _tokens(vocabulary: Vocabulary, space: str) -> list[str]:
    """Return a word of the file for each symbol: itself if it can be read, else its code point or its byte."""
    if not isinstance(space, str) or not space.isprintable() or not space or any(map(str.isspace, space)):
        raise InvalidInputError(f"space must be a str of printable characters without spaces, not {short_repr(space)}")
    if space in (START, END, OTHER) or (vocabulary.kind == "characters" and {" ", space} <= {*vocabulary}):
        raise InvalidInputError(f"space is {space!r}, which the model uses for another symbol. Choose another token.")
    symbols: list[Any] = [vocabulary[i] for i in range(len(vocabulary))]
    special: dict[Any, str] = {BOUNDARY: END, UNKNOWN: OTHER, " ": space}
    return [special.get(symbol) or _readable(symbol) for symbol in symbols]


def _readable(symbol: str | bytes) -> str:
    if isinstance(symbol, bytes):
        return symbol.hex()
    return f"<U+{ord(symbol):04X}>" if symbol.isspace() or "\ud800" <= symbol <= "\udfff" or symbol < " " else symbol


def _parts(contexts: UnrolledCounts, tokens: list[str]) -> Iterator[bytes]:
    """Yield the file.

    An n-gram has a line with log10 p(last symbol | the others), its symbols, and the back-off of the context that it
    forms, for n-grams that the file lacks. Both probabilities include the probabilities of shorter n-grams.
    """
    missing = [token for token in (START, END, OTHER) if token not in tokens]
    bounds = contexts.firsts[contexts.levels]
    sizes = np.diff(bounds)
    sizes[0] += len(missing)
    header = "".join(f"ngram {n}={size}\n" for n, size in enumerate(sizes.tolist(), start=1))
    yield f"\\data\\\n{header}".encode("ascii")
    with np.errstate(divide="ignore"):
        log_p = np.log10(contexts.p)  # at most 0, as the rounding to six places keeps it
        back_offs = np.log10(contexts.scales)
    boundary = tokens.index(END) if END in tokens else -1
    names = [""]  # of the contexts of a level, each with a space after it
    for depth in range(len(sizes)):
        yield f"\n\\{depth + 1}-grams:\n".encode("ascii")
        start = contexts.levels[depth + 1]
        stop = contexts.levels[min(depth + 2, len(sizes))]
        if depth == 0:
            back_off = back_offs[stop - 1] if boundary >= 0 and stop > start else 0.0  # of the last context, <s>
            lines = [f"{IMPOSSIBLE:.0f}\t{token}\t{back_off if token == START else 0:.6f}\n" for token in missing]
            yield "".join(lines).encode("ascii")
        following = list[str]()
        for first in range(bounds[depth], bounds[depth + 1], LINES):
            check_canceled()
            part = slice(first, min(first + LINES, bounds[depth + 1]))
            owners = np.searchsorted(contexts.firsts, np.arange(part.start, part.stop), side="right") - 1
            symbols = contexts.symbols[part]
            nexts = contexts.nexts[part]
            extended = (start <= nexts) & (nexts < stop) & (symbols != boundary)
            back_off = np.where(extended, back_offs[nexts], 0)
            words = [
                names[i] + tokens[symbol]
                for i, symbol in zip((owners - contexts.levels[depth]).tolist(), symbols.tolist(), strict=True)
            ]
            rows = zip(log_p[part].tolist(), words, back_off.tolist(), strict=True)
            yield "".join([LINE % row for row in rows]).encode()
            following += [f"{words[i]} " for i in extended.nonzero()[0].tolist()]
        names = following + ([f"{START} "] if depth == 0 and boundary >= 0 else [])
    yield b"\n\\end\\\n"
