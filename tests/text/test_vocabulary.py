import itertools
import pickle
import tracemalloc
from unittest.mock import ANY

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crnn import InvalidInputError
from crnn.text import vocabulary as codes_module
from crnn.text.vocabulary import Vocabulary

# Lone surrogates are characters too: `st.text` leaves them out unless told.
TEXTS = st.text(st.characters(codec=None), min_size=1)
BYTES = st.binary(min_size=1)


@pytest.fixture
def small_pieces(monkeypatch):
    """Lets texts of a few symbols span several pieces."""
    monkeypatch.setattr(codes_module, "_PIECE", 3)


def split(text, cuts):
    places = [0, *sorted(c % (len(text) + 1) for c in cuts), len(text)]
    return [text[a:b] for a, b in itertools.pairwise(places)]


@given(TEXTS | BYTES)
def test_symbols_follow_their_codes_and_round_trip(text):
    vocabulary = Vocabulary.from_text(text)
    symbols = [text[i : i + 1] for i in range(len(text))]
    assert list(vocabulary) == sorted(set(symbols))
    ids = vocabulary.encode(text)
    assert [vocabulary[i] for i in ids] == symbols
    assert vocabulary.decode(ids) == text


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("text", ["0123456789\ud800\U0001f600", b"\x00\xff3456789"])
@pytest.mark.parametrize("cuts", [(), (1, 1, 2, 7), (3, 6), range(12)])
def test_blocks_and_pieces_do_not_change_ids(text, cuts):
    blocks = split(text, cuts)
    vocabulary = Vocabulary.from_blocks(blocks)
    assert vocabulary == Vocabulary.from_text(text)
    expected = [list(vocabulary).index(text[i : i + 1]) for i in range(len(text))]
    for ids in (vocabulary.encode(text), vocabulary.encode_blocks(blocks)):
        assert ids.dtype == vocabulary.id_dtype
        assert ids.flags.writeable
        assert ids.tolist() == expected


def test_ids_are_as_small_as_the_vocabulary_allows():
    for size, dtype in ((1, np.uint8), (256, np.uint8), (257, np.uint16), (65536, np.uint16), (65537, np.uint32)):
        vocabulary, last = Vocabulary(np.arange(5, 5 + size)), chr(size + 4)
        for ids in (vocabulary.encode(last), vocabulary.encode_blocks([last])):
            assert ids.dtype == vocabulary.id_dtype == dtype
            assert ids.tolist() == [size - 1]
        assert vocabulary.decode(ids) == last


@pytest.mark.parametrize("empty", ["", b""])
def test_empty_texts_encode_to_no_ids_and_back(empty):
    vocabulary = Vocabulary([1, 2], "characters" if empty == "" else "bytes")
    for ids in (vocabulary.encode(empty), vocabulary.encode_blocks([]), vocabulary.encode_blocks([empty])):
        assert ids.shape == (0,)
        assert ids.dtype == np.uint8
    assert vocabulary.decode([]) == empty
    assert vocabulary.decode(ids) == empty
    assert Vocabulary.from_text("abc").decode_documents([2, 0, 1]) == ["cab"]  # one, without a boundary


def test_bytes_like_inputs_are_bytes():
    for data in (
        bytearray(b"banana"), memoryview(b"banana"), memoryview(b"b.a.n.a.n.a.")[::2], memoryview(b"banana").cast("c"),
        memoryview(b"banana").cast("b", (2, 3)),
    ):  # fmt: skip
        vocabulary = Vocabulary.from_text(data)
        assert vocabulary == Vocabulary([97, 98, 110], kind="bytes")
        for ids in (vocabulary.encode(data), vocabulary.encode_blocks([data])):
            assert ids.tolist() == [1, 0, 2, 0, 2, 0]


@pytest.mark.parametrize("symbol", ["b", b"b"])
def test_cached_ids_of_a_symbol_cannot_be_changed(symbol):
    vocabulary = Vocabulary([97, 98], "characters" if isinstance(symbol, str) else "bytes")
    for _ in range(3):
        ids = vocabulary.encode(symbol)
        assert (ids.tolist(), ids.dtype) == ([1], np.uint8)
        ids[0] = 0
    other = symbol.encode() if isinstance(symbol, str) else symbol.decode()
    with pytest.raises(InvalidInputError, match=r"^X is"):
        vocabulary.encode(other)
    assert pickle.loads(pickle.dumps(vocabulary)).encode(symbol).tolist() == [1]


def test_unknown_characters_are_not_cached():
    vocabulary = Vocabulary([97, 98], unknown=True)
    characters = [chr(code) for code in range(0x4E00, 0x4E00 + 50)]
    assert {int(vocabulary.encode(c)[0]) for c in characters * 2} == {2}
    assert vocabulary.encode("b").tolist() == [1]
    assert list(vocabulary._single) == ["b"]


@pytest.mark.parametrize("ids_from", ["encode", "encode_blocks"])
def test_memory_is_the_ids_and_one_block(ids_from):
    text, block = "abcdefg" * 500_003, 1 << 17
    vocabulary = Vocabulary.from_text(text)
    of_blocks = ids_from == "encode_blocks"
    tracemalloc.start()
    try:
        given = (text[i : i + block] for i in range(0, len(text), block)) if of_blocks else text
        ids = getattr(vocabulary, ids_from)(given)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(ids) == len(text)
    # A piece of 2^16 symbols: UTF-32, NumPy's index (8 bytes), the look-up (4) and the ids, 17 bytes each.
    assert peak <= (len(text) * 9 / 8 + 2 * block if of_blocks else len(text)) + 20 * codes_module._PIECE


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize(
    ("known", "text", "position", "named"),
    [
        ("abc", "abcabcaéb", 7, r"'é' \(U\+00E9\)"),
        ("abc", "d", 0, r"'d' \(U\+0064\)"),
        ("bcd", "bcdbbba", 6, r"'a' \(U\+0061\)"),
        ("abc", "abÆ", 2, r"'Æ' \(U\+00C6\)"),  # 101 above 'a', the size of the look-up table
        ("ac", "aaab", 3, r"'b' \(U\+0062\)"),
        ("abc", "ab\U0001f600\ud800", 2, r"'\U0001f600' \(U\+1F600\)"),
        ("abc", "abcc\ud800", 4, r"'\\ud800' \(U\+D800\)"),
        ("e", "e\u0301", 1, r"'\u0301' \(U\+0301\)"),
        (b"abc", b"abcabca\xffb", 7, r"b'\\xff' \(byte 0xFF\)"),
        (b"bc", b"bcbca", 4, r"b'a' \(byte 0x61\)"),
        (b"\xff", b"\xff\x00", 1, r"b'\\x00' \(byte 0x00\)"),
    ],
)
def test_unknown_symbols_are_named_with_their_position(known, text, position, named):
    vocabulary = Vocabulary.from_text(known)
    message = rf"^prime contains {named} at position {position}, .* of the model's {len(set(known))} symbols.* fit on"
    with pytest.raises(InvalidInputError, match=message):
        vocabulary.encode(text, name="prime")
    for size in (1, 2, 5, 100):
        with pytest.raises(InvalidInputError, match=message):
            vocabulary.encode_blocks((text[i : i + size] for i in range(0, len(text), size)), name="prime")


def test_ids_and_codes_are_copied_and_codes_read_only():
    data = bytearray(b"\x00\x01")
    ids = Vocabulary.from_text(data).encode(data)
    data[0] = 1
    assert ids.tolist() == [0, 1]
    codes = np.array([97, 99], np.uint32)
    vocabulary = Vocabulary(codes)
    codes[0] = 98
    assert vocabulary.codes.tolist() == [97, 99]
    assert vocabulary.codes.dtype == np.uint32
    with pytest.raises(ValueError, match="read-only"):
        vocabulary.codes[0] = 98


def test_vocabulary_indexes_like_a_sequence():
    vocabulary = Vocabulary.from_text("hello")
    assert len(vocabulary) == 4
    assert vocabulary[0] == vocabulary[-4] == "e"
    assert vocabulary[-1] == vocabulary[np.uint8(3)] == "o"
    assert vocabulary[1:] == ["h", "l", "o"]
    assert vocabulary[::-2] == ["o", "h"]
    assert vocabulary.index("l") == 2
    assert list(reversed(vocabulary)) == ["o", "l", "h", "e"]
    for i in (4, -5):
        with pytest.raises(IndexError, match=f"index {i} is out of range for a vocabulary of 4 symbols"):
            vocabulary[i]
    with pytest.raises(TypeError):
        vocabulary["e"]


def test_membership():
    characters, data = Vocabulary.from_text("acz"), Vocabulary.from_text(b"acz")
    assert all(c in characters for c in "acz")
    for other in ("b", "", "ac", "\U0010ffff", b"a", 97, None, "\0"):
        assert other not in characters
    assert not any(chr(code) in characters for code in (ord("z") + 1, ord("z") + 2))
    assert all(value in data and bytes([value]) in data for value in b"acz")
    assert np.uint8(97) in data
    assert "\0" in Vocabulary.from_text("a\0")
    assert 0 in Vocabulary.from_text(b"a\0")
    for other in (b"b", b"", b"ac", "a", 98, -1, -2, 123, 124, 10**30, None, b"\xff"):
        assert other not in data


def test_equality_and_hash():
    one = Vocabulary.from_text("abc")
    assert one == Vocabulary([97, 98, 99])
    assert hash(one) == hash(Vocabulary([97, 98, 99]))
    assert one != Vocabulary.from_text("abd")
    assert one != Vocabulary.from_text("ab")
    assert one != Vocabulary.from_text(b"abc")
    assert (one == ["a", "b", "c"]) is False  # not None
    assert one == ANY
    one, same, other = (Vocabulary([97, 98], boundary=True).with_labels(labels) for labels in ("fm", "fm", "mf"))
    assert one == same
    assert hash(one) == hash(same)
    assert one != other


def test_repr_is_short_and_printable():
    assert repr(Vocabulary.from_text("a\n\ud800")) == r"Vocabulary(3 characters: '\na\ud800')"
    assert repr(Vocabulary.from_text(b"a\xff")) == r"Vocabulary(2 bytes: b'a\xff')"
    long = repr(Vocabulary(np.arange(48, 48 + 1009)))
    assert long == f"Vocabulary(1009 characters: {''.join(map(chr, range(48, 80)))!r}, ...)"
    assert repr(Vocabulary(np.arange(48, 80))) == long.replace("1009", "32").replace(", ...", "")
    for n, end in ((31, "Label(30))"), (32, "Label(30), ...)")):
        many = repr(Vocabulary([97], boundary=True, labels=range(n)))
        assert many.startswith("Vocabulary(1 characters: 'a', crnn.BOUNDARY, Label(0), Label(1), ")
        assert many.endswith(f", {end}")
