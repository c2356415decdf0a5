"""What commands print: text colored or marked by its surprisal, escaped texts, tables, and the names of errors."""

import io
import re
import sys
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crnn.cli import output
from crnn.cli.output import ON_DARK, ON_LIGHT, colored_lines, marked_lines, takes_colors

ESCAPE = re.compile("\x1b\\[(?:48;5;\\d+|38;5;\\d+|0)m")
ENCODINGS = st.sampled_from(["utf-8", "ascii", "latin-1", "cp437"])


def seen(text):
    """Return the characters on a terminal with their backgrounds: a list of (character, background or None)."""
    shown, background, i = [], None, 0
    while i < len(text):
        if escape := ESCAPE.match(text, i):
            code = escape[0]
            background = None if code == "\x1b[0m" else code[7:-1] if code.startswith("\x1b[48") else background
            i = escape.end()
        else:
            shown.append((text[i], background))
            i += 1
    return shown


@pytest.mark.parametrize("shown", ["abc\nd", b"abc\nd"])
def test_each_character_has_the_color_of_its_bits(shown):
    *text, key = colored_lines(shown, [0.99, 1.0, 7.9, 0.5, 99.0], {})
    first, seventh, last = (str(ON_DARK[i][0]) for i in (0, 6, 7))
    assert seen(text[0]) == [("a", None), ("b", first), ("c", seventh), ("↵", None), ("\n", None)]
    assert seen(text[1]) == [("d", last), ("\n", None)]
    assert len(text) == 2
    levels = {background for _, background in seen(key)}
    assert levels == {None, *(str(background) for background, _ in ON_DARK)}
    assert ESCAPE.sub("", key) == "\nbits:  0  1  2  3  4  5  6  7  8+ \n"


def test_a_light_terminal_has_colors_of_its_own():
    (text, _) = colored_lines("a", [1.0], {"COLORFGBG": "0;15"})
    assert seen(text)[0] == ("a", str(ON_LIGHT[0][0]))


def test_luminance_goes_in_one_direction_and_letters_can_be_read():
    def luminance(color):
        if color in (16, 231):
            return float(color == 231)
        levels = [0, 95, 135, 175, 215, 255]
        i = color - 16
        red, green, blue = (levels[part] / 255 for part in (i // 36, i // 6 % 6, i % 6))
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (red, green, blue)]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    for palette, sign in ((ON_DARK, 1), (ON_LIGHT, -1)):
        backgrounds = [sign * luminance(background) for background, _ in palette]
        assert backgrounds == sorted(backgrounds)
        for background, letter in palette:
            low, high = sorted((luminance(background), luminance(letter)))
            assert (high + 0.05) / (low + 0.05) > 4.5  # WCAG 2, level AA


def test_marks_stand_below_their_characters():
    *text, key = marked_lines("ab\x1b\u4e2dc\u0301d", [9.99, 0.5, 3.0, 2.0, 4.0, 8.0, 5.0], 80)
    assert text == ["ab\\x1b中c\u0301d\n9 3   2 45\n"]
    assert key.startswith("\nDigits are bits")
    assert list(marked_lines(b"\xe9", [1.0], 80)) == ["\u00e9\n1\n", key]
    assert list(marked_lines("", [], 80)) == [key]


@pytest.mark.parametrize("width", [3, 20])  # of a terminal that reports nonsense, and of one that does not
def test_long_lines_are_cut_where_the_terminal_ends(width):
    *text, _ = marked_lines("a" * 45 + "\nb", [1.0] * 45 + [0.0, 2.0], width)
    lines = "".join(text).splitlines()
    assert lines == ["a" * 20, "1" * 20, "a" * 20, "1" * 20, "a" * 5 + "↵", "1" * 5, "b", "2"]


@given(st.text(st.characters(), max_size=20), ENCODINGS)
def test_no_control_characters_reach_the_terminal(text, encoding):
    bits = [float(i % 11) for i in range(len(text))]
    for lines in (colored_lines(text, bits, {}, encoding=encoding), marked_lines(text, bits, 80, encoding=encoding)):
        shown = ESCAPE.sub("", "".join(lines))
        assert all(c.isprintable() or c == "\n" for c in shown)
        assert shown.encode(encoding).decode(encoding) == shown


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("stream", "environment", "colors"),
    [
        (Terminal(), {"TERM": "xterm-256color"}, True),
        (Terminal(), {"NO_COLOR": ""}, True),  # no-color.org: set and not empty
        (Terminal(), {"NO_COLOR": "1"}, False),
        (Terminal(), {"TERM": "dumb"}, False),
        (io.StringIO(), {}, False),
    ],
)
def test_colors_are_for_terminals_that_want_them(stream, environment, colors):
    assert takes_colors(stream, environment) is colors


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        (OSError(28, "No space left on device"), "[Errno 28] No space left on device: 'standard output'"),
        (OSError(28, "No space left on device", "a.txt"), "[Errno 28] No space left on device: 'a.txt'"),
        (BrokenPipeError(32, "Broken pipe"), "[Errno 32] Broken pipe"),
        (ValueError("closed"), "closed"),
    ],
)
def test_an_error_without_a_file_is_one_of_standard_output(error, shown):
    with pytest.raises(type(error)) as caught, output.name_output_errors():
        raise error
    assert str(caught.value) == shown


@pytest.mark.parametrize(
    ("encoding", "text", "data"),
    [
        ("ascii", "a\u00e9\ud800\r\n", b"a\\xe9\\ud800\r\n"), ("utf-8", "a\u00e9\ud800\n", b"a\xc3\xa9\\ud800\n"),
        ("ascii", b"\xff\r\n", b"\xff\r\n"),
    ],
)  # fmt: skip
def test_texts_are_escaped_and_bytes_are_not(monkeypatch, encoding, text, data):
    shown = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(shown, encoding=encoding, newline="\r\n"))
    output.write(text)
    output.flush()
    assert shown.getvalue() == data


def test_tables_align_their_second_column(capsys):
    output.print_table({"a": "1 2", "long name": "3", "": "4"})
    assert capsys.readouterr().out == "a          1 2\nlong name  3\n           4\n"


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), ValueError("I/O operation on closed file")])
def test_unwritable_output_is_discarded(monkeypatch, tmp_path, error):
    """The file behind standard output is then the null device, to which the interpreter can write when it exits."""
    with open(tmp_path / "out", "w", encoding="utf-8") as file:

        def flush():
            raise error

        monkeypatch.setattr(sys, "stdout", SimpleNamespace(flush=flush, fileno=file.fileno))
        with pytest.raises(type(error)):
            output.flush()
        output.discard()
        file.write("lost")
    assert (tmp_path / "out").read_text() == ""
