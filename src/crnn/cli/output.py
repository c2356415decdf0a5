"""What commands print: text colored by surprisal, and lines written safely."""

from __future__ import annotations

import contextlib
import os
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple, TextIO

from ..display.terminal import printable

# ---------------------------------------------------------------- coloring

# Backgrounds and letters for 1, 2, … 8 and more bits, of xterm's 256 colors; text below 1 bit is unchanged.
# Luminance changes monotonically, away from the terminal's own background.
ON_DARK = ((52, 231), (88, 231), (124, 231), (160, 231), (202, 16), (208, 16), (214, 16), (220, 16))
ON_LIGHT = ((230, 16), (223, 16), (216, 16), (209, 16), (202, 16), (166, 16), (124, 231), (88, 231))
MAX_MARK = 9  # bits; the largest digit
MIN_WIDTH = 20  # columns, for terminals that report nonsense
RESET = "\x1b[0m"
LINE_END = "\N{DOWNWARDS ARROW WITH CORNER LEFTWARDS}"


class Cell(NamedTuple):
    """A character as shown, and its surprisal."""

    shown: str
    bits: float


def takes_colors(stream: TextIO, environment: Mapping[str, str]) -> bool:
    """Return whether to write colors to a stream: it must be a terminal, and ``NO_COLOR`` must not be set."""
    return stream.isatty() and not environment.get("NO_COLOR") and environment.get("TERM") != "dumb"


def colored_lines(
    text: str | bytes, bits: Sequence[float], environment: Mapping[str, str], *, encoding: str = "utf-8"
) -> Iterator[str]:
    """Yield a text line by line, with each character colored by its surprisal, then a key to the colors.

    Bytes are shown as Latin-1; control characters, and those outside the terminal's `encoding`, are escaped; line ends
    are shown as arrows. The background is light if the terminal says so in ``COLORFGBG``.
    """
    light = environment.get("COLORFGBG", "").rpartition(";")[2] in ("7", "15")
    palette = [f"\x1b[48;5;{back}m\x1b[38;5;{letter}m" for back, letter in (ON_LIGHT if light else ON_DARK)]

    def line(cells: Iterable[Cell]) -> str:
        runs = groupby(cells, lambda cell: min(int(cell.bits), len(palette)))
        shown = ((level, "".join(cell.shown for cell in run)) for level, run in runs)
        return "".join(f"{palette[level - 1]}{run}{RESET}" if level else run for level, run in shown) + "\n"

    for cells in _lines(text, bits, encoding):
        yield line(cells)
    key = (Cell(f" {level}{'+' if level == len(palette) else ''} ", level) for level in range(len(palette) + 1))
    yield f"\nbits: {line(key)}"


def marked_lines(text: str | bytes, bits: Sequence[float], width: int, *, encoding: str = "utf-8") -> Iterator[str]:
    """Yield a text line by line, followed by a line of marks: the bits of each character as a digit.

    Lines are cut to `width` columns. Each digit is below the first column of its character; bits are rounded down,
    values below 1 are not marked, and 9 means 9 or more.
    """
    for cells in _lines(text, bits, encoding):
        line = ""
        marks = ""
        used = 0
        for shown, value in cells:
            columns = _columns(shown)
            if used + columns > max(width, MIN_WIDTH):
                yield f"{line}\n{marks.rstrip()}\n"
                line = ""
                marks = ""
                used = 0
            mark = str(min(int(value), MAX_MARK)) if value >= 1 else " "
            line += shown
            marks += mark.ljust(columns)[:columns]
            used += columns
        yield f"{line}\n{marks.rstrip()}\n"
    yield f"\nDigits are bits, rounded down; unmarked below 1, {MAX_MARK} for {MAX_MARK} or more.\n"


def _lines(text: str | bytes, bits: Sequence[float], encoding: str) -> Iterator[list[Cell]]:
    """Yield the characters of each line of a text, including its line end."""
    characters = text if isinstance(text, str) else bytes(text).decode("latin-1")
    cells: list[Cell] = []
    for character, value in zip(characters, bits, strict=True):
        cells.append(Cell(_show_character(character, encoding), value))
        if character == "\n":
            yield cells
            cells = []
    if cells:
        yield cells


def _show_character(character: str, encoding: str) -> str:
    """Return a character in a form that a terminal shows but does not obey."""
    if character == "\n":
        shown = LINE_END if LINE_END.encode(encoding, "ignore") else "\\n"
    else:
        shown = character if character.isprintable() else printable(character)
    if not shown.isprintable():  # tabs, and characters that change the writing direction
        shown = shown.encode("unicode_escape").decode("ascii")
    return shown.encode(encoding, "backslashreplace").decode(encoding)


def _columns(shown: str) -> int:
    """Return the number of columns that a text takes on a terminal."""
    return sum(
        0 if unicodedata.category(character) in ("Mn", "Me") else 1 + (unicodedata.east_asian_width(character) in "WF")
        for character in shown
    )


# ---------------------------------------------------------------- output


@contextlib.contextmanager
def name_output_errors() -> Iterator[None]:
    """Let an error of standard output name it, since the system reports no file name for it."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OSError(error.errno, error.strerror, error.filename or "standard output") from None


def write(text: str | bytes) -> None:
    """Write to standard output without changing line ends, escaping characters outside its encoding."""
    if isinstance(text, str):
        text = text.encode(sys.stdout.encoding, "backslashreplace")
    with name_output_errors():
        sys.stdout.buffer.write(text)


def print_table(rows: Mapping[str, str]) -> None:
    """Print names and values in two columns."""
    width = max(map(len, rows))
    with name_output_errors():
        for name, value in rows.items():
            print(f"{name:{width}}  {value}")


def flush() -> None:
    """Flush standard output, unless it is closed."""
    if sys.stdout is not None:
        with name_output_errors():
            sys.stdout.flush()


def discard() -> None:
    """Flush standard output; if that fails, make sure that the interpreter has nothing to flush when it exits."""
    try:
        flush()
    except (OSError, ValueError):
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
