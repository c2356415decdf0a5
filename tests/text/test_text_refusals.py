"""Texts, labels, vocabularies and ids that are refused: the words of each message."""

import numpy as np
import pytest

from crnn import InvalidInputError, Lines, longest_copies
from crnn._kernels.inference.copies import CopyFinder
from crnn.text.documents import join
from crnn.text.labels import CountedSource, checked_labels, label_number, label_numbers
from crnn.text.sources import text_source
from crnn.text.streams import TextStreams
from crnn.text.vocabulary import Vocabulary, refuse_other_ids

ABC, BYTES = Vocabulary.from_text("abc"), Vocabulary.from_text(b"abc")
DOCUMENTS = Vocabulary([97, 98, 99], boundary=True, labels="fm")
THIRD = np.longdouble(1) / 3  # no float64
LONG = np.ma.array([0, 1, 2], mask=[0, 1, 0])


def rows(call, *table):
    """Return rows of one call: its arguments, and the words of the message."""
    return [(lambda given=given: call(*given), words) for *given, words in table]


def codes(*table):
    return rows(lambda codes, kind: Vocabulary(codes, kind), *table)


# Labels that NumPy would change, or that are not labels.
LABELS = [
    (["a", "a\0"], r"^y\[1\] is 'a\\x00', but NumPy would store it as 'a'"),
    (np.array(["a", "b\0"], object), r"^y\[1\] is 'b\\x00'"),
    ([2**53, 2**53 + 1, 0.5], r"^y\[1\] is 9007199254740993, but NumPy would store it as 9007199254740992\.0"),
    ([2**63, -1, 2**63 + 1], r"^y\[2\] is 9223372036854775809, but NumPy would store it as 9\.22"),
    ([2**64, 1], r"^y\[0\] is 18446744073709551616, an integer of more than 64 bits"),
    ([-(2**63), -(2**63) - 1], r"^y\[1\] is -9223372036854775809, an integer of more than 64 bits"),
    ([2**64 - 1, 0, 2**64], r"^y\[2\] is 18446744073709551616, an integer of more than 64 bits"),
    ([float("nan"), 10**400], r"^y\[1\] is 1000*\.\.\., an integer of more than 64 bits"),
    ([["a"], ["a", "b"]], r"^y must be labels, one for each document: .*inhomogeneous"),
    ([0.5, THIRD], r"^y\[1\] is .*, but NumPy would store it as 0\.333"),
    (np.array([0.5, THIRD]), r"^y\[1\] is .*, but NumPy would store it as 0\.333"),
    ([True, 1], r"^y\[1\] is int, but y\[0\] is bool"),
    ([0.5, True], r"^y\[1\] is bool, but y\[0\] is float"),
    (["b", np.bool_(True)], r"^y\[1\] is bool.*, but y\[0\] is str"),
    ([1, b"a"], r"^y\[1\] must be a str or a number, not bytes$"),
    ([0.5, float("nan")], r"^y\[1\] is missing \(NaN\)"),
    (np.array([0.5, float("nan")], object), r"^y\[1\] is missing \(NaN\)"),
    (np.ma.array([5, 7, 7], mask=[False, True, False]), r"^y\[1\] is masked\. Leave out its document"),
    (np.ma.array(["a", "b"], object, mask=[False, True]), r"^y\[1\] is masked"),
]

# Texts of another type than a vocabulary's symbols.
TYPES = [
    (BYTES, "abc", "^prime is text, but the symbols of this model are bytes"),
    (ABC, b"abc", "^prime is bytes, but the symbols of this model are characters"),
    (ABC, bytearray(b"abc"), "^prime is bytes, but"),
    (ABC, 7, "^prime must be str or bytes, not int"),
    (BYTES, [97], "^prime must be str or bytes, not list"),
    (ABC, None, "^prime must be str or bytes, not NoneType"),
]

# A call, and the words of its message.
REFUSED = [
    # texts
    *rows(join,
          ([], "X is an empty list. Pass at least 1 document"),
          (["a", b"b"], r"X\[1\] is bytes, but X\[0\] is str. Pass documents that are all str or all bytes"),
          ([b"a", b"b", "c"], r"X\[2\] is str, but X\[0\] is bytes")),
    *rows(lambda X: text_source(X).vocabulary(), *((X, "the text is empty") for X in ("", b"", bytearray()))),
    (lambda: text_source(["ab"], "text").ids(Vocabulary.from_text("ab")),
     r"^text is a list of documents, .* Fit it on a list, or pass one str"),
    *rows(longest_copies,
          ("ab", "ab", "^samples is of type str"), (["ab", 3], "ab", r"^samples\[1\] must be str or bytes, not int"),
          (["ab"], b"ab", "^samples and X must be all str or all bytes"), (["ab"], 3, "^X is of type int")),
    (lambda: CopyFinder(np.array([0x110001], np.uint32)), "codes must be at most"),
    (lambda: CopyFinder(np.zeros(3, np.uint32)).passages(np.array([1]), np.array([3])), "sample 0 is not within"),
    *rows(Lines, ([], "empty list"), (["a", 3], r"paths\[1\] must be the path")),
    # streams
    *rows(lambda n: TextStreams(np.zeros(n, np.uint8)),
          *((n, f"^X is too short: its length is {n}, but at least 2") for n in (0, 1))),
    (lambda: TextStreams(np.zeros(7, np.uint8), batch_size=7),
     "batch_size=7: its length is 7, but at least 8 .* batch_size"),
    # weights and labels of documents
    *rows(lambda weights: CountedSource(["a", "b"], weights),
          ([1, 2.5], r"^sample_weight\[1\] must be a whole number from 0 to 2147483647, .*not 2\.5\. Pass"),
          ([2**31, 1], r"^sample_weight\[0\] must be a whole number .*not 2147483648\.0"),
          ([1, -1], r"^sample_weight\[1\] must be a number from 0 to 1e\+30, not -1\.0")),
    (lambda: CountedSource(["a", "b"], [2, 0]).labels(["x"]), "y must be 2 labels, one for each document, not 1"),
    *rows(checked_labels, *LABELS,
          (np.array([1j, 2j]), "^y must be str, whole numbers, floats or bool, not complex128$"),
          (["a", "b"], 3, "^y must be 3 labels, one for each document, not 2$"),
          (["a", "b", "a"], 2, "^y must be 2 labels, one for each document, not 3$"),
          ([], "^y must be at least one label, not 0$"),
          ([["a"], ["b"]], r"^y must be one label for each document, not of shape \(2, 1\)$")),
    *rows(lambda values: label_numbers(values, np.array(["a", "b"])), *LABELS,
          (["b", "a", "c", "a", "c"], r"^y\[2\] .*'c'")),
    *rows(lambda n: label_number(20, np.arange(n)), *((n, rf"^label must be one of 0, 1, .*8, {shown}, not 20$")
                                                     for n, shown in ((10, "9"), (11, r"9, \.\.\.")))),
    # vocabularies
    *rows(Vocabulary.from_blocks,
          *((blocks, "the text is empty") for blocks in ([], [""], ["", ""], [b""], [bytearray()])),
          *((blocks, "mixture") for blocks in (["a", b"b"], [b"a", "b"]))),
    *rows(Vocabulary.from_text, *((text, f"must be str or bytes, not {type(text).__name__}") for text in (
        7, ["a"], None, np.zeros(3, np.uint8))), (memoryview(np.zeros(3, np.int32)), "4-byte items.*cast")),
    *codes(([], "characters", "codes is empty"),
           ([98, 97], "characters", r"strictly increasing, but codes\[1\] is 97, after 98"),
           ([97, 98, 98], "characters", r"codes\[2\] is 98, after 98"),
           ([-1, 97], "characters", "between 0 and 1114111, but run from -1"),
           ([97, 0x110000], "characters", "to 1114112"), ([97, 256], "bytes", "between 0 and 255"),
           ([97, 2**40], "characters", "between 0 and"), ([2**70], "characters", "integers"),
           ([97.0], "characters", "integers, not float64"), ([[97]], "characters", "one-dimensional"),
           ("abc", "characters", "one-dimensional"), ([97], "words", "not 'words'")),
    (lambda: Vocabulary([97, 98], labels="fm"), r"^labels need documents\. Pass boundary=True"),
    *rows(lambda vocabulary, text: vocabulary.encode(text, name="prime"), *TYPES),
    *rows(lambda vocabulary, text: vocabulary.encode_blocks([vocabulary.decode([0]), text], name="prime"), *TYPES),
    (lambda: ABC.encode("ab", name=1.0), "^name must be str, not float"),
    # ids
    *rows(ABC.decode,
          ([0, 1, 3], r"ids\[2\] is 3, .* from 0 to 2"), ([0, -1], r"ids\[1\] is -1"),
          (np.array([2**64 - 1], np.uint64), r"ids\[0\] is 18446744073709551615"),
          ([0.0, 1.0], "integers, not float64"), ([True], "integers, not bool"),
          ([[0, 1]], r"one-dimensional, not of shape \(1, 2\)"), (1, "one-dimensional"),
          (LONG, r"ids\[1\] is masked\. Leave it out")),
    *rows(DOCUMENTS.decode_documents,
          ([0, -1, 0], r"ids\[1\] is -1"), ([0, 3, 1, 3, 6], r"ids\[4\] is 6, .* from 0 to 5"),
          ([3, 0, 3, 1, 5], r"ids\[4\] is a label, not a character"), ([0.5], "integers, not float64")),
    (lambda: ABC.decode_documents([0, -1, 0]), r"ids\[1\] is -1, but"),
    (lambda: DOCUMENTS.decode([0, 3]), r"ids\[1\] is the boundary, not a character. Use decode_doc"),
    *rows(lambda ids, boundary: refuse_other_ids(np.array(ids), 5, boundary),
          ([0, 4, 5, -1], None, r"^ids\[2\] is 5, but the ids of this vocabulary run from 0 to 4$"),
          ([0, -1, 5], None, r"^ids\[1\] is -1, "), ([0, 3, 2, 2], 2, r"^ids\[2\] is the boundary, "),
          ([0, 1, 4, 3], 2, r"^ids\[2\] is a label, "), ([2, 5], 2, r"^ids\[1\] is 5, ")),
]  # fmt: skip


def test_refuses_what_it_cannot_read():
    for call, words in REFUSED:
        with pytest.raises((InvalidInputError, ValueError), match=words):
            call()
