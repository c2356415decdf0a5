"""Texts and lists of names that many tests learn from."""

SENTENCE = "to be or not to be, that is the question. "
TEXT = 9 * SENTENCE
LONG_TEXT = 20 * SENTENCE
SOLILOQUY = "to be or not to be, that is the question: whether 'tis nobler in the mind to suffer. " * 7
PHRASES = 30 * "to be or not to be, "
NAMES = ["anna", "bob", "eve", "ab", "b", "hannah"]
NAMES_OF_FEW_LETTERS = ["anna", "bob", "nana", "abba", "nan", "o"]
SIMILAR_NAMES = ["anna", "hanna", "nan", "ann", "hannah"]
FOUR_LETTERS = "abcdbacdacbdcabddbca" * 2 + "ddd"
