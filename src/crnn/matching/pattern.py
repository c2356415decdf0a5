"""A regular expression as a minimal deterministic automaton over a model's symbols.

The syntax tree comes from `re`'s own parser, and `re` itself decides which symbols a single character of the pattern
matches, so classes, flags and Unicode are as in `re.fullmatch`. The modules `re._parser`, `re._compiler` and
`re._constants` are private to Python: only this module, `crnn.text.slow_patterns` and `crnn.export.js_pattern` use
them, and their tests run on every supported Python.
"""

from __future__ import annotations

import re
import re._compiler as compiler  # type: ignore[import-not-found]
import re._constants as constants  # type: ignore[import-not-found]
import re._parser as parser  # type: ignore[import-not-found]
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidInputError, short_repr
from .limits import LIMITS, MatchingLimits

DEAD = -1  # in place of a state: no continuation matches

TYPE_FLAGS = re.ASCII | re.LOCALE | re.UNICODE
WORD = constants.IN, [(constants.CATEGORY, constants.CATEGORY_WORD)]
NEWLINE = constants.LITERAL, ord("\n")
BOUNDARY_IN_EMPTY_TEXT = re.fullmatch(r"\B", "") is not None  # since Python 3.14
UNSUPPORTED = {
    "MIN_REPEAT": "a lazy quantifier such as *?. Write the greedy one, which matches the same whole texts",
    "POSSESSIVE_REPEAT": "a possessive quantifier such as *+. Write the greedy one and say what must not follow",
    "ATOMIC_GROUP": "an atomic group (?>...). Write an ordinary group (?:...)",
    "ASSERT": "look-around. Write out which characters are allowed",
    "ASSERT_NOT": "look-around. Write out which characters are allowed, such as [^0-9]",
    "FAILURE": "look-around, (?!), which nothing matches. Omit it",  # since Python 3.13
    "GROUPREF": "a back-reference. Write out the alternatives",
    "GROUPREF_EXISTS": "a conditional group. Write out the alternatives with |",
    "AT_END": r"$, which also matches before a final newline. Omit it, since the whole text must match, or write \Z",
}

Bits = tuple[bool, ...] | None  # what assertions ask of a symbol; None before the first and after the last


class Automaton(NamedTuple):
    """A deterministic automaton without dead states, over classes of symbols that the pattern does not tell apart."""

    table: NDArray[np.int32]  # (S, C): the state after each state and class; DEAD if no continuation matches
    class_of: NDArray[np.int32]  # (V,): the class of each symbol
    accepting: NDArray[np.bool_]  # (S,): whether a text that ends in the state matches
    start: int
    lacking: tuple[str, ...] = ()  # the characters of the pattern that the model does not know

    def after(self, ids: Iterable[int]) -> int:
        """Return the state after some symbols, or DEAD."""
        state = self.start
        for symbol in ids:
            if state != DEAD:
                state = int(self.table[state, self.class_of[symbol]])
        return state

    def minimal(self, start: int, allowed: NDArray[np.bool_]) -> Automaton | None:
        """Return the minimal automaton from a state, for texts of the allowed symbols; None if none of them matches."""
        if start == DEAD:
            return None
        sink, forbidden = self.table.shape  # the number of another state, and of another class, that lead nowhere
        classes, class_of = np.unique(np.where(allowed, self.class_of, forbidden), return_inverse=True)
        table = np.pad(self.table, (0, 1), constant_values=sink)[:, classes]
        table[table == DEAD] = sink
        accepting = np.append(self.accepting, False)
        part = _equivalence_classes(table, accepting)
        if part[start] == part[sink]:
            return None
        states = [part[start]]  # of the minimal automaton, in the order of the search
        _, representative = np.unique(part, return_index=True)
        number = np.full(len(representative), DEAD, np.int32)
        number[states[0]] = 0
        for state in states:
            for after in part[table[representative[state]]].tolist():
                if number[after] == DEAD and after != part[sink]:
                    number[after] = len(states)
                    states.append(after)
        chosen = representative[states]
        return Automaton(number[part][table[chosen]], class_of.astype(np.int32), accepting[chosen], 0)

    def steps_to_match(self) -> NDArray[np.int32]:
        """Return the least number of symbols from each state, (S,), after which the text matches."""
        return _steps(self.table, self.accepting)

    def matches_whatever_follows(self, allowed: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return the states, (S,), whose continuations by allowed symbols all match."""
        fails = ~self.accepting | (self.table[:, np.unique(self.class_of[allowed])] == DEAD).any(axis=1)
        return np.asarray(_steps(self.table, fails) == len(self.table))


def automaton(
    pattern: str | bytes | re.Pattern[Any], symbols: Sequence[str | bytes], limits: MatchingLimits = LIMITS
) -> Automaton:
    """Return the automaton of texts that match a whole pattern, not yet minimized."""
    flags = pattern.flags if isinstance(pattern, re.Pattern) else 0
    pattern = pattern.pattern if isinstance(pattern, re.Pattern) else pattern
    try:
        tree = parser.parse(pattern, flags)
        places = _Places(tree.state.str, symbols, limits)
        end = places.follow(tree, tree.state.flags, places.new())
        return _deterministic_automaton(places, end)
    except re.error as error:
        raise InvalidInputError(
            f"matching is {short_repr(pattern)}, which is not a regular expression: {error}. Correct the pattern."
        ) from None
    except RecursionError:
        raise InvalidInputError("matching has too many groups within groups. Write a flatter pattern.") from None
    except (OverflowError, ValueError) as error:
        if isinstance(error, InvalidInputError):
            raise
        raise InvalidInputError(f"matching is {short_repr(pattern)}: {error}. Correct the pattern.") from None


class _Places:
    """The places that a text moves through in a pattern: Thompson's nondeterministic automaton."""

    def __init__(self, text: str | bytes, symbols: Sequence[str | bytes], limits: MatchingLimits) -> None:
        self.text = text
        self.limits = limits
        self.symbols = symbols
        self.moves: list[tuple[int, int] | None] = []  # of each place: the number of a set, and the next place
        self.free: list[list[tuple[int, str, int]]] = []  # without a symbol: next place, assertion, place in `asked`
        self.sets: list[NDArray[np.bool_]] = []
        self.asked: list[int] = []  # the sets that assertions ask about
        self.asserts = False
        self.lacking: list[str] = []
        self._numbers: dict[Any, int] = {}

    def new(self) -> int:
        """Add a place without moves, and return its number; an automaton that is too large is an error."""
        if len(self.moves) == self.limits.max_places:
            raise _too_large(self.text, self.limits)
        self.moves.append(None)
        self.free.append([])
        return len(self.moves) - 1

    def follow(self, items: Iterable[Any], flags: int, place: int) -> int:
        """Add a sequence of nodes of the syntax tree after a place, and return the place after them."""
        for op, value in items:
            place = self._item(op, value, flags, place)
        return place

    def _item(self, op: Any, value: Any, flags: int, place: int) -> int:
        """Add one node of the syntax tree after a place, and return the place after it."""
        if op in (constants.LITERAL, constants.NOT_LITERAL, constants.ANY, constants.IN):
            after = self.new()
            self.moves[place] = self._set((op, value), flags), after
            return after
        if op is constants.SUBPATTERN:
            _, added, removed, items = value
            flags = (flags & ~TYPE_FLAGS if added & TYPE_FLAGS else flags) | added
            return self.follow(items, flags & ~removed, place)
        after = self.new()
        if op is constants.BRANCH:
            for items in value[1]:
                self._join(self.follow(items, flags, self._fork(place)), after)
        elif op is constants.MAX_REPEAT:
            least, most, items = value
            for _ in range(least):
                place = self.follow(items, flags, self._fork(place))
            if most is constants.MAXREPEAT:
                loop = self._fork(place)
                self._join(self.follow(items, flags, self._fork(loop)), loop)
                place = loop
            else:
                for _ in range(most - least):
                    self._join(place, after)
                    place = self.follow(items, flags, self._fork(place))
            self._join(place, after)
        elif op is constants.AT and value is not constants.AT_END:
            self.asserts = True
            asked = {"AT_BOUNDARY": WORD, "AT_NON_BOUNDARY": WORD, "AT_BEGINNING": NEWLINE}.get(str(value))
            kind = "AT_BEGINNING_LINE" if asked is NEWLINE and flags & re.MULTILINE else str(value)
            self.free[place].append((after, kind, self._register_asked(asked, flags) if asked else 0))
        else:
            name = str(value if op is constants.AT else op)
            reason = UNSUPPORTED.get(name, f"{name}, which is not supported")
            raise InvalidInputError(f"matching is {short_repr(self.text)}, which contains {reason}.")
        return after

    def _fork(self, place: int) -> int:
        """Add a place that is reached from another without reading a symbol, and return its number."""
        self._join(place, self.new())
        return len(self.moves) - 1

    def _join(self, place: int, after: int) -> None:
        self.free[place].append((after, "", 0))

    def _set(self, node: tuple[Any, Any], flags: int) -> int:
        """Return the number of the set of symbols that a node matches, decided by `re`."""
        key = str(node), flags
        if key not in self._numbers:
            state = parser.State()
            state.flags = flags & ~re.DEBUG
            state.str = self.text
            matches = compiler.compile(parser.SubPattern(state, [node])).fullmatch
            self._numbers[key] = len(self.sets)
            self.sets.append(np.array([matches(symbol) is not None for symbol in self.symbols], np.bool_))
            if node[0] is constants.LITERAL and not self.sets[-1].any():
                self.lacking.append(chr(node[1]))
        return self._numbers[key]

    def _register_asked(self, node: tuple[Any, Any], flags: int) -> int:
        """Register the set of symbols that an assertion asks about, and return its place in `asked`."""
        members = self._set(node, flags)
        if members not in self.asked:
            self.asked.append(members)
        return self.asked.index(members)

    def reach(self, places: frozenset[int], before: Bits, after: Bits = None) -> set[int]:
        """Return the places that can be reached from some places, between two symbols, without reading another."""
        reached = set(places)
        waiting = list(places)
        while waiting:
            for place, kind, k in self.free[waiting.pop()]:
                if place not in reached and (not kind or _holds(kind, k, before, after)):
                    reached.add(place)
                    waiting.append(place)
        return reached


def _holds(kind: str, k: int, before: Bits, after: Bits) -> bool:
    """Return whether an assertion holds between two symbols."""
    if kind in ("AT_BEGINNING", "AT_BEGINNING_STRING"):
        return before is None
    if kind == "AT_BEGINNING_LINE":
        return before is None or before[k]
    if kind == "AT_END_STRING":
        return after is None
    if before is None and after is None:
        return kind == "AT_NON_BOUNDARY" and BOUNDARY_IN_EMPTY_TEXT
    differ = (before is not None and before[k]) != (after is not None and after[k])
    return differ == (kind == "AT_BOUNDARY")


def _deterministic_automaton(places: _Places, end: int) -> Automaton:
    """Return the deterministic automaton by subset construction, over classes of symbols that no set separates."""
    limits = places.limits
    class_of = np.zeros(len(places.symbols), np.intp)
    for members in places.sets:
        class_of = _refine(class_of, members)
    _, symbol_of = np.unique(class_of, return_index=True)
    classes_of_set = [np.flatnonzero(members[symbol_of]).tolist() for members in places.sets]
    bits_of: list[Bits] = [tuple(bool(places.sets[k][symbol]) for k in places.asked) for symbol in symbol_of]
    kinds = [(kind, {c for c, bits in enumerate(bits_of) if bits == kind}) for kind in dict.fromkeys(bits_of)]
    first: tuple[frozenset[int], Bits] = frozenset([0]), None if places.asserts else ()
    numbers = {first: 0}
    waiting = deque([first])
    rows = list[NDArray[np.int32]]()
    accepting = list[bool]()
    while waiting:
        state, before = waiting.popleft()
        accepting.append(end in places.reach(state, before))
        targets: dict[int, set[int]] = {}
        for kind, classes in kinds:
            for place in places.reach(state, before, kind):
                if (move := places.moves[place]) is not None:
                    for c in classes_of_set[move[0]]:
                        if c in classes:
                            targets.setdefault(c, set()).add(move[1])
        rows.append(np.full(len(symbol_of), DEAD, np.int32))
        for c, target in targets.items():
            after = frozenset(target), bits_of[c] if places.asserts else ()
            if after not in numbers:
                n_transitions = (len(numbers) + 1) * len(symbol_of)
                if len(numbers) == limits.max_states or n_transitions > limits.max_transitions:
                    raise _too_large(places.text, limits)
                numbers[after] = len(numbers)
                waiting.append(after)
            rows[-1][c] = numbers[after]
    return Automaton(np.array(rows), class_of.astype(np.int32), np.array(accepting), 0, tuple(places.lacking))


def _refine(part: NDArray[np.intp], by: NDArray[Any]) -> NDArray[np.intp]:
    """Split the classes of a partition by another: two elements stay together if both arrays agree on them."""
    return np.unique(part * (int(by.max(initial=0)) + 1) + by, return_inverse=True)[1].ravel()


def _too_large(pattern: Any, limits: MatchingLimits) -> InvalidInputError:
    """Return the error for a pattern whose automaton would exceed the limits."""
    return InvalidInputError(
        f"matching is {short_repr(pattern)}, which needs an automaton of more than {limits.max_states:,} states or "
        f"{limits.max_transitions:,} transitions. Use smaller repetition counts, fewer of them after a part that can "
        "start anywhere, such as .*x.{20}, or fewer different characters."
    )


def _steps(table: NDArray[np.int32], goal: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Return the least number of steps from each state (S,) to one of the goals; S if there is no way."""
    before: list[list[int]] = [[] for _ in table]
    for state, row in enumerate(table):
        for after in set(row.tolist()):
            if after != DEAD:
                before[after].append(state)
    steps = np.full(len(table), len(table), np.int32)
    steps[goal] = 0
    waiting = deque(np.flatnonzero(goal).tolist())
    while waiting:
        after = waiting.popleft()
        for state in before[after]:
            if steps[state] == len(table):
                steps[state] = steps[after] + 1
                waiting.append(state)
    return steps


def _equivalence_classes(table: NDArray[np.int32], accepting: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return a number for each state, equal for states with the same matching continuations (Moore's refinement)."""
    part = np.zeros(len(table), np.intp)
    n_parts = 0
    # Equivalent states are as far from a match and from a mismatch.
    for far in (_steps(table, accepting), _steps(table, ~accepting)):
        part = _refine(part, far)
    while n_parts < part.max() + 1 < len(table):
        n_parts = part.max() + 1
        for column in table.T:
            part = _refine(part, part[column])
    return part
