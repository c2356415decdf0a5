"""What each property says of each character."""

from crnn.plot.units import PROPERTIES

FOUND = [
    ("inside quotes", 'a "b" c', "0011000"),
    ("inside quotes", "\u201ca\u201d \u201cb", "110011"),
    ("inside quotes", '\u201ca" b', "11111"),  # another quote does not close it
    ("inside quotes", '"a\nb\n\nc', "1111100"),
    ("inside brackets", "a(b[c{d}])e", "01122332100"),
    ("inside brackets", ")(a))b(", "0110001"),
    ("line length", "ab\n\nc d", "1200123"),
    ("word length", "to b7.e", "1201201"),
    ("indentation", "  a b\n\tc\nd ", "12222044000"),
    ("between words", "a b.7\n", "010101"),
    ("capital letter", "Aa BC\u00c9\u00e9 1", "100111000"),
]


def test_properties_of_characters():
    for name, text, expected in FOUND:
        assert PROPERTIES[name](text).tolist() == [float(digit) for digit in expected], name
    assert {name for name, _, _ in FOUND} == PROPERTIES.keys()
