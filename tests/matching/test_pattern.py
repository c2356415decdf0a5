"""A pattern's automaton accepts exactly the texts that `re.fullmatch` accepts."""

import itertools
import re
import tracemalloc

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from crnn import InvalidInputError
from crnn.matching.goal import Goal
from crnn.matching.limits import MatchingLimits
from crnn.matching.pattern import DEAD, automaton
from crnn.text.vocabulary import Vocabulary

SYMBOLS = ["\n", " ", "1", "a", "B", "b", "é", "_"]
TEXTS = ["".join(text) for n in range(4) for text in itertools.product(SYMBOLS, repeat=n)]

literals = st.sampled_from(["a", "b", "B", "1", "é", " ", "_", r"\n", "z"])
characters = st.one_of(
    literals,
    st.sampled_from([".", r"\d", r"\D", r"\w", r"\W", r"\s", r"\S"]),
    st.sampled_from(["[ab]", "[^ab]", "[a-z]", r"[^\w]", "[^a]", r"[\d_]"]),
)
places = st.sampled_from([r"\b", r"\B", "^", r"\A", r"\Z"])
counts = st.sampled_from(["?", "*", "+", "{2}", "{1,2}", "{0,3}", "{2,}", "{,2}"])
flags = st.sampled_from(["(?:", "(?i:", "(?s:", "(?m:", "(?a:", "(?-i:", "("])


def larger(inner):
    return st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(flags, inner, st.just("|"), inner, st.just(")")).map("".join),
        st.tuples(flags, inner, st.just(")"), counts).map("".join),
        st.tuples(characters, counts).map("".join),
    )


patterns = st.tuples(
    st.sampled_from(["", "(?i)", "(?s)", "(?m)", "(?a)", "(?x)"]),
    st.recursive(st.one_of(characters, places, st.just("")), larger, max_leaves=8),
).map("".join)


def accepts(found, text, symbols):
    state = found.after(symbols.index(symbol) for symbol in text)
    return state != DEAD and bool(found.accepting[state])


@settings(max_examples=80)
@given(patterns)
@example(r"\B")
@example(r"(?m)[a\n]*^b")
@example(r"(?a:\w)")
def test_every_construct_matches_re(pattern):
    try:
        whole = re.compile(pattern)
    except re.error:  # such as a repeated space that (?x) ignores
        with pytest.raises(InvalidInputError, match="at position"):
            automaton(pattern, SYMBOLS)
        return
    found = automaton(pattern, SYMBOLS)
    least = found.minimal(found.start, np.ones(len(SYMBOLS), np.bool_))
    for text in TEXTS:
        expected = whole.fullmatch(text) is not None
        assert accepts(found, text, SYMBOLS) == expected
        assert (least is not None and accepts(least, text, SYMBOLS)) == expected


@pytest.mark.parametrize("pattern", [rb"[\x80-\xff]a\n", rb"(?i)A.\n", rb"\W\w\s", re.compile(rb"A..", re.I | re.S)])
def test_bytes_are_matched_as_bytes(pattern):
    symbols = [b"\n", b"a", b"\xe9"]
    found = automaton(pattern, symbols)
    for text in itertools.product(symbols, repeat=3):
        assert accepts(found, text, symbols) == (re.fullmatch(pattern, b"".join(text)) is not None)


def languages(found, allowed):
    """Return how many languages, empty ones apart, are accepted from states reached by allowed symbols, by Moore."""
    rows = found.table[:, found.class_of[allowed]].tolist()
    moves, reached = {DEAD: [DEAD] * int(allowed.sum())}, [found.start]
    for state in reached:
        moves[state] = rows[state]
        reached += [after for after in dict.fromkeys(rows[state]) if after != DEAD and after not in reached]
    part = {state: state != DEAD and bool(found.accepting[state]) for state in moves}
    while True:
        finer = {state: (part[state], *(part[after] for after in moves[state])) for state in moves}
        numbers = {kind: i for i, kind in enumerate(dict.fromkeys(finer.values()))}
        if len(numbers) == len(set(part.values())):
            return len(numbers) - 1
        part = {state: numbers[kind] for state, kind in finer.items()}


@settings(max_examples=80)
@given(patterns, st.lists(st.booleans(), min_size=len(SYMBOLS), max_size=len(SYMBOLS)))
@example("[ab]1|[aB]1", [True] * 8)
@example("(?i)a[^b]*|(1|_)+", [False, True, True, True, True, False, True, True])
def test_forbidden_symbols_leave_a_minimal_automaton(pattern, allowed):
    allowed = np.array(allowed)
    try:
        found = automaton(pattern, SYMBOLS)
    except InvalidInputError:
        return
    least = found.minimal(found.start, allowed)
    assert (0 if least is None else len(least.table)) == languages(found, allowed)
    for text in TEXTS if least is not None else []:
        possible = all(allowed[SYMBOLS.index(symbol)] for symbol in text)
        assert accepts(least, text, SYMBOLS) == (possible and accepts(found, text, SYMBOLS))


def test_distances_and_certain_states():
    found = automaton("ab(c|.*)", list("abc"))
    least = found.minimal(found.start, np.ones(3, np.bool_))
    assert least.steps_to_match().tolist() == [2, 1, 0]
    assert least.matches_whatever_follows(np.ones(3, np.bool_)).tolist() == [False, False, True]
    assert found.minimal(found.start, np.array([True, False, True])) is None


@pytest.mark.parametrize(("pattern", "message"), [
    ("a**", "multiple repeat at position 2"),
    ("a$", r"\$, which also matches before a final newline"),
    ("a*?", "lazy quantifier"),
    ("a++", "possessive quantifier"),
    ("(?>a)b", "atomic group"),
    ("(?=a).", "look-around"),
    (r"(a)\1", "back-reference"),
    ("(a)(?(1)b|c)", "conditional group"),
    ("(a{1000}){1000}", "more than 5,000 states"),
    (".*a.{13}", "more than 5,000 states"),
    ("a{99999999999}", "repetition number is too large"),
    ("(?L)a", "'L' flag"),
    ("(" * 5000 + ")" * 5000, "flatter"),
])  # fmt: skip
def test_refuses_unsupported_patterns(pattern, message):
    with pytest.raises(InvalidInputError, match=message):
        automaton(pattern, list("ab"))


def test_symbols_that_a_pattern_does_not_tell_apart_share_a_column():
    V, S = 3000, 1000
    symbols = [chr(0x4E00 + i) for i in range(V)]
    found = automaton(f"[{symbols[0]}-{symbols[9]}]?{symbols[5]}.{{0,{S - 2}}}", symbols)
    assert found.table.shape[1] == 3  # the letter, the class without it, all others
    assert found.minimal(found.start, np.ones(V, np.bool_)).table.shape[1] == 3
    assert found.minimal(found.start, np.arange(V) > 1).table.shape[1] == 4  # and the two forbidden ones
    vocabulary = Vocabulary([ord(symbol) for symbol in symbols])
    tracemalloc.start()
    try:
        goal = Goal.of(f".{{{S}}}", vocabulary, "")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(goal.table) == S + 1
    assert peak < 2 * V * S  # bytes: half of a table with a column for each symbol


def test_a_limit_on_states_is_not_exceeded():
    states = MatchingLimits(max_states=8)
    assert len(automaton("a{7}", ["a"], states).table) == 8
    with pytest.raises(InvalidInputError, match="8 states"):
        automaton("a{8}", ["a"], states)
    places = MatchingLimits(max_states=8, max_places=4)  # before and after each symbol; a literal has no branch
    automaton("aaa", ["a"], places)
    with pytest.raises(InvalidInputError, match="8 states"):
        automaton("aaaa", ["a"], places)
    transitions = MatchingLimits(max_transitions=12)  # four states and three classes
    automaton("ab.", list("abc"), transitions)
    with pytest.raises(InvalidInputError, match="12 transitions"):
        automaton("abc", list("abcd"), transitions)
