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
from crnn.text.vocabulary import Vocabulary, refuse_other_ids

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


# ---------------------------------------------------------------- symbols and ids


@given(TEXTS)
def test_characters_follow_their_code_points_and_round_trip(text):
    vocabulary = Vocabulary.from_text(text)
    assert list(vocabulary) == sorted(set(text))
    ids = vocabulary.encode(text)
    assert [vocabulary[i] for i in ids] == list(text)
    assert vocabulary.decode(ids) == text


@given(BYTES)
def test_bytes_follow_their_values_and_round_trip(data):
    vocabulary = Vocabulary.from_text(data)
    assert list(vocabulary) == [bytes([value]) for value in sorted(set(data))]
    ids = vocabulary.encode(data)
    assert b"".join(vocabulary[i] for i in ids) == data
    assert vocabulary.decode(ids) == data


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


@pytest.mark.parametrize(
    ("size", "dtype"),
    [(1, np.uint8), (256, np.uint8), (257, np.uint16), (65536, np.uint16), (65537, np.uint32)],
)
def test_ids_are_as_small_as_the_vocabulary_allows(size, dtype):
    vocabulary = Vocabulary(np.arange(5, 5 + size))
    assert vocabulary.id_dtype == dtype
    last = chr(size + 4)
    for ids in (vocabulary.encode(last), vocabulary.encode_blocks([last])):
        assert ids.dtype == dtype
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


@pytest.mark.parametrize(
    "data",
    [
        bytearray(b"banana"), memoryview(b"banana"), memoryview(b"b.a.n.a.n.a.")[::2], memoryview(b"banana").cast("c"),
        memoryview(b"banana").cast("b", (2, 3)),
    ],
    ids=["bytearray", "memoryview", "strided", "chars", "two-dimensional"],
)  # fmt: skip
def test_bytes_like_inputs_are_bytes(data):
    vocabulary = Vocabulary.from_text(data)
    assert vocabulary == Vocabulary([97, 98, 110], kind="bytes")
    for ids in (vocabulary.encode(data), vocabulary.encode_blocks([data])):
        assert ids.tolist() == [1, 0, 2, 0, 2, 0]


def test_ids_do_not_share_memory_with_the_text():
    data = bytearray(b"\x00\x01")
    ids = Vocabulary.from_text(data).encode(data)
    data[0] = 1
    assert ids.tolist() == [0, 1]


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
    text = "abcdefg" * 1_000_003
    vocabulary = Vocabulary.from_text(text)
    block = 1 << 17
    tracemalloc.start()
    try:
        if ids_from == "encode":
            ids = vocabulary.encode(text)
            bound = len(text)
        else:
            ids = vocabulary.encode_blocks(text[i : i + block] for i in range(0, len(text), block))
            bound = len(text) * 9 / 8 + 2 * block
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(ids) == len(text)
    # A piece of 2^16 symbols: UTF-32, NumPy's index (8 bytes), the look-up (4) and the ids, 17 bytes each.
    assert peak <= bound + 20 * codes_module._PIECE


# ---------------------------------------------------------------- what cannot be encoded


@pytest.mark.parametrize("blocks", [[], [""], ["", ""], [b""], [bytearray()]])
def test_an_empty_text_has_no_vocabulary(blocks):
    with pytest.raises(InvalidInputError, match="the text is empty"):
        Vocabulary.from_blocks(blocks)


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


@pytest.mark.parametrize(
    ("known", "text", "message"),
    [
        (b"abc", "abc", "^prime is text, but the symbols of this model are bytes"),
        ("abc", b"abc", "^prime is bytes, but the symbols of this model are characters"),
        ("abc", bytearray(b"abc"), "^prime is bytes, but"),
        ("abc", 7, "^prime must be str or bytes, not int"),
        (b"abc", [97], "^prime must be str or bytes, not list"),
        ("abc", None, "^prime must be str or bytes, not NoneType"),
    ],
)
def test_refuses_texts_of_the_wrong_type(known, text, message):
    vocabulary = Vocabulary.from_text(known)
    with pytest.raises(InvalidInputError, match=message):
        vocabulary.encode(text, name="prime")
    with pytest.raises(InvalidInputError, match=message):
        vocabulary.encode_blocks([known, text], name="prime")


def test_refuses_names_that_are_not_str():
    with pytest.raises(InvalidInputError, match=r"^name must be str, not float"):
        Vocabulary.from_text("abc").encode("ab", name=1.0)


@pytest.mark.parametrize("blocks", [["a", b"b"], [b"a", "b"]])
def test_blocks_of_one_text_are_of_one_type(blocks):
    with pytest.raises(InvalidInputError, match="mixture"):
        Vocabulary.from_blocks(blocks)


@pytest.mark.parametrize("text", [7, ["a"], None, np.zeros(3, np.uint8)])
def test_refuses_vocabularies_of_non_texts(text):
    with pytest.raises(InvalidInputError, match=f"must be str or bytes, not {type(text).__name__}"):
        Vocabulary.from_text(text)


def test_refuses_a_memoryview_of_wider_items():
    wide = memoryview(np.zeros(3, np.int32))
    with pytest.raises(InvalidInputError, match=r"4-byte items.*cast"):
        Vocabulary.from_text(wide)


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([0, 1, 3], r"ids\[2\] is 3, .* from 0 to 2"),
        ([0, -1], r"ids\[1\] is -1"),
        (np.array([2**64 - 1], np.uint64), r"ids\[0\] is 18446744073709551615"),
        ([0.0, 1.0], "integers, not float64"),
        ([True], "integers, not bool"),
        ([[0, 1]], r"one-dimensional, not of shape \(1, 2\)"),
        (1, "one-dimensional"),
        (np.ma.array([0, 1, 2], mask=[0, 1, 0]), r"ids\[1\] is masked\. Leave it out"),
    ],
)
def test_decoding_refuses_invalid_ids(ids, message):
    with pytest.raises(InvalidInputError, match=message):
        Vocabulary.from_text("abc").decode(ids)


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([0, -1, 0], r"ids\[1\] is -1"),
        ([0, 3, 1, 3, 6], r"ids\[4\] is 6, .* from 0 to 5"),
        ([3, 0, 3, 1, 5], r"ids\[4\] is a label, not a character"),
        ([0.5], "integers, not float64"),
    ],
)
def test_decoding_documents_refuses_invalid_ids(ids, message):
    with pytest.raises(InvalidInputError, match=message):
        Vocabulary([97, 98, 99], boundary=True, labels="fm").decode_documents(ids)


def test_without_a_boundary_ids_are_one_document():
    vocabulary = Vocabulary.from_text("abc")
    assert vocabulary.decode_documents([2, 0, 1]) == ["cab"]
    with pytest.raises(InvalidInputError, match=r"ids\[1\] is -1, but"):
        vocabulary.decode_documents([0, -1, 0])


# ---------------------------------------------------------------- the sequence


def test_codes_are_copied_and_read_only():
    codes = np.array([97, 99], np.uint32)
    vocabulary = Vocabulary(codes)
    codes[0] = 98
    assert vocabulary.codes.tolist() == [97, 99]
    assert vocabulary.codes.dtype == np.uint32
    with pytest.raises(ValueError, match="read-only"):
        vocabulary.codes[0] = 98


@pytest.mark.parametrize(
    ("codes", "kind", "message"),
    [
        ([], "characters", "codes is empty"),
        ([98, 97], "characters", r"strictly increasing, but codes\[1\] is 97, after 98"),
        ([97, 98, 98], "characters", r"codes\[2\] is 98, after 98"),
        ([-1, 97], "characters", "between 0 and 1114111, but run from -1"),
        ([97, 0x110000], "characters", "to 1114112"),
        ([97, 256], "bytes", "between 0 and 255"),
        ([97, 2**40], "characters", "between 0 and"),
        ([2**70], "characters", "integers"),
        ([97.0], "characters", "integers, not float64"),
        ([[97]], "characters", "one-dimensional"),
        ("abc", "characters", "one-dimensional"),
        ([97], "words", "not 'words'"),
    ],
)
def test_refuses_invalid_codes(codes, kind, message):
    with pytest.raises(InvalidInputError, match=message):
        Vocabulary(codes, kind)


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


def test_labels_need_a_boundary():
    with pytest.raises(InvalidInputError, match=r"^labels need documents\. Pass boundary=True"):
        Vocabulary([97, 98], labels="fm")


def test_equality_and_hash_of_vocabularies_with_labels():
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


@pytest.mark.parametrize(
    ("ids", "boundary", "message"),
    [
        ([0, 4, 5, -1], None, r"^ids\[2\] is 5, but the ids of this vocabulary run from 0 to 4$"),
        ([0, -1, 5], None, r"^ids\[1\] is -1, "),
        ([0, 3, 2, 2], 2, r"^ids\[2\] is the boundary, "),
        ([0, 1, 4, 3], 2, r"^ids\[2\] is a label, "),
        ([2, 5], 2, r"^ids\[1\] is 5, "),
    ],
)
def test_names_the_first_invalid_id(ids, boundary, message):
    with pytest.raises(InvalidInputError, match=message):
        refuse_other_ids(np.array(ids), 5, boundary)
