"""Restored texts on tiny alphabets: no original is more probable, each change gains `least`, and any damage is taken.

The originals and the costs of damage are written anew from the documentation of `restore`.
"""

from __future__ import annotations

import functools
import math
import unicodedata

import numpy as np

from crnn import CharNGram, CharRNN, InvalidInputError, Mixture
from crnn.restoring.damage import Damage

ALPHABETS = ["aAb", "éeE ", "ab ", "ıİiI", "ßẞs", "e\u0301é", "a\ud800 ", "漢a", "aB1 ", "ﬁf i", "ABc", "É é", "xYe"]
NASTY = "_?\x00\n\u202e\ud800\U0010ffff\u0301żżŻŻaAbBeEéÉ"  # outside some of the alphabets
ORIGINALS = 1024  # maximum number for a text without typos
BEAMS = 4096  # more than there are prefixes
MODELS = 60


@functools.lru_cache(maxsize=MODELS)
def model_of(kind):
    """Return a model of texts over a tiny alphabet, or of bytes, and its symbols."""
    rng = np.random.default_rng([14, kind])
    symbols = list(ALPHABETS[kind % len(ALPHABETS)])
    texts = ["".join(rng.choice(symbols, rng.integers(1, 14))) for _ in range(20)]
    min_count = int(rng.integers(1, 3))
    if min_count == 2:
        texts += [symbols[0] + chr(code) for code in range(0x4E00, 0x4E09)]  # unknown
    if kind % 7 == 6:
        symbols = [b"a", b"A", b" ", b"\xe9"]
        texts = [b"".join(rng.choice(np.array(symbols, object), rng.integers(1, 14))) for _ in range(20)]
    X = texts if rng.integers(2) else texts[0][:0].join(texts)
    counts = CharNGram(int(rng.integers(1, 14)), min_count=min_count).fit(X)
    if rng.integers(2):
        return counts, symbols
    network = CharRNN(5, min_count=min_count, max_steps=60, random_state=kind, n_threads=1)
    network.set_params(cell=["rnn", "gru", "lstm"][rng.integers(3)]).fit(X)
    members = [[network], [counts, network], [counts]][rng.integers(3)]
    return Mixture.from_fitted(members, weights=rng.uniform(0.5, 3.0, len(members)).tolist()), symbols


def codes_of(text):
    """Return the code points or bytes of a text."""
    return [*text] if isinstance(text, bytes) else [*map(ord, text)]


class Rules:
    """What a damage allows for each symbol of a text, written anew from the documentation."""

    def __init__(self, damage, vocabulary):
        self.damage, self.vocabulary = damage, vocabulary
        self.known = [symbol for symbol in vocabulary if isinstance(symbol, str | bytes)]
        self.codes = [ord(symbol) for symbol in self.known]
        self.folds = [*map(self.fold, self.codes)]
        self.letters = [*map(self.is_letter, self.codes)]

    def is_letter(self, code):
        """Return whether a symbol is a letter; of bytes, an ASCII letter."""
        return chr(code).isalpha() and (self.vocabulary.kind == "characters" or code < 128)

    def fold(self, code):
        """Return what wrong case and missing accents leave of a symbol."""
        if not self.is_letter(code):
            return code
        letter = unicodedata.normalize("NFD", chr(code))[0] if self.damage.accents else chr(code)
        return letter.lower() if self.damage.case else letter

    def is_marked(self, code):
        """Return whether a symbol may be a typo: a letter, or a symbol that the model lacks, but no white space."""
        may_be = self.is_letter(code) or (code not in self.codes and not chr(code).isspace())
        return bool(self.damage.typos) and code != self.damage.gap and may_be

    def cost_of_fold(self, code, i):
        """Return the cost of the change of a code's case and accents, and its toll."""
        if i < 0 or code == self.damage.gap or code == self.codes[i]:
            return 0.0
        one, other = chr(code), chr(self.codes[i])
        accents, case = one.lower() != other.lower(), one.isupper() != other.isupper()
        case = case or not accents
        toll = self.damage.least["accents"] * accents + self.damage.least["case"] * case
        return (math.log(self.damage.case) if case and self.damage.case else 0.0) - toll

    def confusions(self, x, p):
        """Yield what the symbols from p on may have been: how many there are, the ids of those, the cost with toll."""
        if self.damage.confusions is None:
            return
        toll = self.damage.least["confusions"]
        if x[p] != self.damage.gap and x[p] not in self.codes and not chr(x[p]).isspace():
            alone = chr(x[p]).isalnum() or (self.vocabulary.kind == "bytes" and x[p] > 127)
            rate = math.log(0.01 if alone else 0.5)
            yield from [(1, (i,), rate - toll) for i in range(len(self.known))] + [(1, (), rate - toll)]
        for n in (1, 2, 3):
            key = tuple(x[p : p + n])
            for after, rate in self.damage.confusions.get(key, {}).items() if len(key) == n else ():
                if self.damage.gap not in key and all(code in self.codes for code in after):
                    yield n, tuple(map(self.codes.index, after)), math.log(rate) - toll

    def candidates(self, code):
        """Return the ids of the symbols that a code may stand for, and of those that it may be mistyped for.

        An id of -1 - code is a symbol that the model lacks, and that stays as it is. Every such symbol may stay.
        """
        if code == self.damage.gap and self.known:
            return list(range(len(self.known))), []
        kept = [i for i, fold in enumerate(self.folds) if fold == self.fold(code)]
        if code not in self.codes:
            kept.append(-1 - code)
        upper, others = chr(code).isupper(), []
        if self.is_marked(code):
            others = [i for i, is_one in enumerate(self.letters) if is_one and i not in kept
                      and (self.damage.case or chr(self.codes[i]).isupper() == upper)]  # fmt: skip
        return kept, others

    def log_p_of(self, i):
        """Return the log-probability of a symbol, unless a model gives it."""
        return -math.log(len(self.known) + 1) if i < 0 and self.vocabulary.unknown is None else 0.0

    def read(self, text):
        """Return the part of a text that a model reads."""
        if self.vocabulary.unknown is not None:
            return text
        return text[:0].join(text[i : i + 1] for i, code in enumerate(codes_of(text)) if code in self.codes)


def originals(rules, text):
    """Return every original that the damage allows, with the largest log-probability of the damage."""
    damage, known, letters, codes, least = rules.damage, rules.known, rules.letters, rules.codes, rules.damage.least
    x = codes_of(text)
    marked, rate, allowed = [*map(rules.is_marked, x)], damage.typos / 4, [*map(rules.candidates, x)]
    found: dict[tuple[int, ...], float] = {}

    def go(p, so_far, cost, last):
        if p == len(x):
            unread = sum(map(rules.log_p_of, so_far))
            found[so_far] = max(cost + unread, found.get(so_far, -math.inf))
        if p < len(x):
            kept, others = allowed[p]
            for i in kept:
                typo = math.log1p(-damage.typos) if marked[p] else 0.0
                go(p + 1, (*so_far, i), cost + typo + rules.cost_of_fold(x[p], i), "read")
            for n, ids, price in rules.confusions(x, p) if last != "inserted" else ():
                go(p + n, (*so_far, *ids), cost + price, "read" if n > 1 or ids else "skipped")
            if last != "inserted" and marked[p]:
                go(p + 1, so_far, cost + math.log(rate / (len(others) + 1)) - least["typos"], "skipped")
                for i in others:
                    go(p + 1, (*so_far, i), cost + math.log(rate / len(others)) - least["typos"], "read")
                if p + 1 < len(x) and marked[p + 1] and x[p] != x[p + 1]:
                    for i in allowed[p + 1][0]:
                        for j in kept:
                            folds = rules.cost_of_fold(x[p + 1], i) + rules.cost_of_fold(x[p], j)
                            go(p + 2, (*so_far, i, j), cost + math.log(rate) - least["typos"] + folds, "read")
        if last == "read":
            near = any(marked[k] for k in (p - 1, p) if 0 <= k < len(x))
            for i in range(len(known)):
                if letters[i] and rate and near:
                    go(p, (*so_far, i), cost + math.log(rate) - least["typos"], "inserted")
                if damage.spaces and codes[i] == ord(" ") and 0 < p < len(x):
                    go(p, (*so_far, i), cost + math.log(damage.spaces) - least["spaces"], "inserted")

    go(0, (), 0.0, "read")
    of_code = chr if isinstance(text, str) else lambda code: bytes([code])
    return {text[:0].join(known[i] if i >= 0 else of_code(-1 - i) for i in ids): cost for ids, cost in found.items()}


def number_of_originals(rules, text):
    """Return the number of originals of a text without typos."""
    x = codes_of(text)
    choices = [len(rules.candidates(code)[0]) + len([*rules.confusions(x, p)]) for p, code in enumerate(x)]
    return math.prod(choices) * 2 ** max(0, len(text) - 1 if rules.damage.spaces else 0)


def damaged(rng, symbols, length):
    """Return a damaged text of about this length: some symbols in another case or nasty."""
    joined = symbols[0][:0].join(rng.choice(np.array(symbols, object), length))
    if rng.integers(3) == 0:
        joined = joined.swapcase()
    if rng.integers(3) == 0 and length:
        at, nasty = rng.integers(length), NASTY[rng.integers(len(NASTY))]
        nasty = nasty if isinstance(joined, str) else nasty.encode("utf-8", "surrogatepass")[:1]
        joined = joined[:at] + nasty + joined[at + 1 :]
    return joined


def confusions(rng, symbols):
    """Return random confusions of up to three symbols with up to four, or None."""
    if rng.integers(2):
        return None
    empty, table = symbols[0][:0], {}
    nasty = list(NASTY) if isinstance(empty, str) else [b"\xff", b"_"]
    for _ in range(rng.integers(1, 7)):
        before, after = (
            empty.join(rng.choice(np.array(symbols * 3 + nasty, object), rng.integers(low, high)))
            for low, high in ((1, 4), (0, 5))
        )
        if before != after:
            table.setdefault(before, {})[after] = float(rng.choice([0.01, 0.3, 1.0]))
    return table


def applied(text, changes):
    """Return a text with the changes made."""
    parts, at = [], 0
    for start, stop, before, after, _ in changes:
        assert text[start:stop] == before
        parts += [text[at:start], after]
        at = stop
    return text[:0].join([*parts, text[at:]])


def case(i, folder):
    """Try one text."""
    rng = np.random.default_rng([15, i])
    model, symbols = model_of(int(rng.integers(MODELS)))
    gap = "_" if isinstance(symbols[0], str) else b"_"
    options = {"case": [False, True, 0.1][rng.integers(3)], "accents": bool(rng.integers(2)),
               "spaces": [False, True, 0.1][rng.integers(3)], "gaps": [None, gap][rng.integers(2)],
               "typos": [None, 0.05, 0.5, 0.9][rng.integers(4)], "least": [0.0, 0.5, 3.0, 20.0][rng.integers(4)],
               "confusions": confusions(rng, symbols)}  # fmt: skip
    text = damaged(rng, symbols, int(rng.integers(4 if options["typos"] else 14)))
    prime = type(text)().join(rng.choice(np.array(symbols, object), rng.integers(3)))
    return fault_of(model, text, prime, options)


def fault_of(model, text, prime, options):
    """Return what is wrong with the restored text, or None."""
    vocabulary, gap = model.vocabulary_, options["gaps"]
    try:
        model.start(prime)
        rules = Rules(Damage.check(vocabulary, **options), vocabulary)
    except InvalidInputError:
        try:
            return f"not refused: {text!r} after {prime!r}, {options}: {model.restore(text, prime=prime, **options)!r}"
        except InvalidInputError:
            return None
    while not options["typos"] and number_of_originals(rules, text) > ORIGINALS:
        text = text[1:]
    what = f"{text!r} after {prime!r}, {options}, {model!r}"
    best, found = model.restore(text, n_beams=BEAMS, prime=prime, **options), originals(rules, text)
    if best not in found:
        return f"{best!r} is not an original of {what}"
    states = model.start_many([prime]).copy()[np.zeros(len(found), np.intp)]
    total = states.feed([rules.read(original) for original in found]) + np.array([*found.values()])
    if vocabulary.boundary is not None:
        total += states.end()
    restored = total[[*found].index(best)]
    if not restored >= total.max() - 1e-4:
        return f"{best!r} has {restored}, but {[*found][total.argmax()]!r} has {total.max()}: {what}"
    changed, changes = model.restore(text, n_beams=BEAMS, prime=prime, changes=True, **options)
    if (changed, applied(text, changes)) != (best, best):
        return f"the changes {changes} make {applied(text, changes)!r} of {what}, not {best!r}"
    few = model.restore([text, text[:1], text[:0]], prime=prime, **options)
    if few[0] != model.restore(text, prime=prime, **options) or few[0] not in found or len(few) != 3:
        return f"in a list: {few!r} for {what}"
    for n_beams in (BEAMS, None, 1) if options["least"] else ():
        _, changes = model.restore(text, n_beams=n_beams, prime=prime, changes=True, **options)
        small = [change for change in changes if change.before != gap and change.log_odds < options["least"] - 1e-4]
        if small:
            return f"{small} gain too little with {n_beams} beams: {what}"
    return None
