"""How much of a damaged text is restored, and how fast? `python -m benchmarks.restore FILE [--model MIXTURE] [--scan]`.

The first nine tenths of FILE are learned: by counts, and with --seconds by a mixture of counts and a network, unless a
file has one trained on the same part. Held-out lines are damaged and restored, in texts of about 300
characters after a line break. Baselines are simple methods that learn from the same text; SymSpell takes part if
`symspellpy` is installed. A speed is in characters per second of processor time, on one thread. With --scan, pages are
damaged as scans are, by a list of shapes made before "ocr" was tuned and not used for it.
"""

from __future__ import annotations

import argparse
import math
import random
import re
import time
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from difflib import SequenceMatcher
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

import crnn
from benchmarks.timing import least_time
from crnn import CharNGram, Mixture
from crnn.runtime.build_info import processor_name

LENGTH = 300  # characters of a text, approximately
RATE = 0.05  # of typos
LETTERS = "abcdefghijklmnopqrstuvwxyz"
Restore = Callable[[list[str]], list[str]]


def held_out_texts(text: str, characters: int, length: int = LENGTH) -> list[str]:
    """Return the beginning of a text, cut at the ends of lines."""
    found = [""]
    for line in text[:characters].splitlines():
        if len(found[-1]) + len(line) > length:
            found.append("")
        found[-1] += ("\n" if found[-1] else "") + line
    return [part for part in found if part.strip()]


# -------------------------------------------------------------------- damage


def without_accents(text: str) -> str:
    """Replace each letter by its base letter."""
    return "".join(unicodedata.normalize("NFD", c)[0] if c.isalpha() else c for c in text)


def with_typos(text: str, rate: float, rng: random.Random) -> str:
    """Replace, drop, add or swap letters: the four kinds are equally frequent, and white space is safe."""
    out, i = [], 0
    while i < len(text):
        c, pair = text[i], text[i : i + 2]
        kind = rng.randrange(4) if c.isalpha() and rng.random() < rate else None
        if kind == 0:
            other = rng.choice([letter for letter in LETTERS if letter != c.lower()])
            out.append(other.upper() if c.isupper() else other)
        elif kind == 2:
            out.append(c + rng.choice(LETTERS))
        elif kind == 3 and len(pair) == 2 and pair.isalpha() and pair[0] != pair[1]:
            out.append(pair[::-1])
            i += 1
        elif kind != 1:
            out.append(c)
        i += 1
    return "".join(out)


SHAPE_LIST = """e:c,o,é c:e,o,( o:c,0,a a:o,u,s n:u,r,h u:n,ii,v m:in,rn,ni,nn h:b,li,n b:h,6,lo d:cl,a l:1,i,I,t,!
i:1,l,j I:l,1,T t:f,l,r,i f:t,l,s s:5,a,8 r:i,n,t g:q,y,9 y:v,g v:y,r w:vv,iv B:8,R S:5 O:0,C,Q T:I,F k:lc,h p:n,jp
ri:n rn:m cl:d li:h ll:U,11 fi:h,ﬁ fl:ﬂ ti:u in:m"""
SHAPES = dict(pair.split(":") for pair in SHAPE_LIST.split())  # what one or two symbols may look like in a scan
SCANS = ("shape", "several", "digit", "stray mark", "wrong case", "extra space", "lost space", "missing", "hyphen")


def damaged_word(word: str, kind: str, rng: random.Random) -> str:
    """Damage a word in one way; a word that cannot be damaged like this stays."""
    i = rng.randrange(len(word))
    if kind in ("shape", "several", "digit"):
        lookalikes = [
            (at, key, shape)
            for key, shapes in SHAPES.items() for at in range(len(word)) if word.startswith(key, at)
            for shape in shapes.split(",")
            if kind == ("several" if len(key + shape) > 2 else "shape" if shape.isalpha() else "digit")
        ]  # fmt: skip
        at, key, shape = rng.choice(lookalikes or [(0, "", "")])
        return word[:at] + shape + word[at + len(key) :]
    if kind == "stray mark":
        return word[:i] + rng.choice(".,'^`~*_|") + word[i:]
    if kind == "wrong case":
        return word[:i] + word[i].swapcase() + word[i + 1 :]
    middle = {"extra space": " ", "hyphen": "-\n"}.get(kind, "")
    return word[:i] + middle + word[i + (kind == "missing") :] if 1 < i < len(word) - 1 and word.isalpha() else word


def scanned(text: str, rng: random.Random, rate: float = 0.16) -> tuple[str, dict[int, str]]:
    """Return a page as a scan reads it, and the kind of damage of each damaged word."""
    out, kinds = "", dict[int, str]()
    for i, (word, space) in enumerate(re.findall(r"(\S+)(\s*)", text)):
        kind = rng.choice(SCANS) if rng.random() < rate else ""
        new = damaged_word(word, kind, rng) if kind else word
        if kind == "lost space" and space == " ":
            space = ""
            kinds[i] = kinds[i + 1] = kind
        elif new != word:
            kinds[i] = kind
        out += new + space
    return out, kinds


def right_words(text: str, found: str) -> set[int]:
    """Return which words of a text are found in their order."""
    blocks = SequenceMatcher(None, text.split(), found.split(), autojunk=False).get_matching_blocks()
    return {i for block in blocks for i in range(block.a, block.a + block.size)}


def shares_of_scans(pages: list[str], scans: list[tuple[str, dict[int, str]]], found: list[str]) -> dict[str, float]:
    """Return the shares of wrong words, of right words that were broken, and of each kind of damage that is right."""
    wrong, broken, words, right, fixed = 0, 0, 0, 0, Counter[str]()
    for page, (scan, kinds), restored in zip(pages, scans, found, strict=True):
        before, after = right_words(page, scan), right_words(page, restored)
        words, wrong = words + len(page.split()), wrong + len(page.split()) - len(after)
        right, broken = right + len(before), broken + len(before - after)
        fixed.update(kind for i, kind in kinds.items() if i in after)
    counts = Counter(kind for _, kinds in scans for kind in kinds.values())
    return {"wrong": wrong / words, "broken": broken / right} | {kind: fixed[kind] / counts[kind] for kind in SCANS}


def scan_table(learned: str, pages: list[str], other: str = "") -> None:
    """Print how much of scanned pages is mended, by what was learned, also from another text, and by a dictionary."""
    rng = random.Random(0)
    scans = [scanned(page, rng) for page in pages]
    damaged = [scan for scan, _ in scans]
    options: dict[str, Any] = {"typos": 0.02, "confusions": "ocr", "case": 0.001, "least": 3.0}
    usual = {"typos": 0.02, "spaces": True, "case": True}
    methods: dict[str, Restore] = {"nothing": lambda texts: texts}
    if find_spec("symspellpy"):
        speller = symspell(learned, 1)
        methods["SymSpell, words joined at hyphens"] = lambda texts: speller([re.sub(r"-\n", "", t) for t in texts])
    tenth, scan = learned[: len(learned) // 10], scanned(learned, rng)[0]
    sources = {"the text": learned, "a tenth of it": tenth, "its scan": scan}
    if other:
        sources["another text"] = other
    for name, source in sources.items():
        model = CharNGram(n_threads=1).fit(source)
        if name == "the text":
            methods["typos, spaces, case"] = lambda texts, m=model: m.restore(texts, prime="\n\n", **usual)
        methods[f"ocr, learned from {name}"] = lambda texts, m=model: m.restore(texts, prime="\n\n", **options)
    print(f"\n| method | words wrong | right words broken | {' | '.join(SCANS)} | characters/s |")
    print("|---" * (len(SCANS) + 4) + "|")
    for name, restore in methods.items():
        found, speed = timed(restore, damaged)
        shares = shares_of_scans(pages, scans, found)
        print(
            f"| {name} | {' | '.join(f'{100 * share:.2f} %' for share in shares.values())} | {speed:,.0f} |", flush=True
        )


def f1(wanted: Iterator[set[Any]], found: Iterator[set[Any]]) -> float:
    """Return the F1 of marks in pairs of texts."""
    pairs = list(zip(wanted, found, strict=True))
    right = sum(len(a & b) for a, b in pairs)
    return 2 * right / sum(len(a) + len(b) for a, b in pairs)


def capitals(text: str) -> set[int]:
    """Return the places of capitals."""
    return {i for i, c in enumerate(text) if c.isupper()}


def boundaries(text: str) -> set[int]:
    """Return after how many other characters there is a space."""
    return {match.start() - i for i, match in enumerate(re.finditer(" ", text))}


def accents(text: str) -> set[tuple[int, str]]:
    """Return the accented letters with their places."""
    return {(i, c) for i, c in enumerate(text) if c != without_accents(c)}


def share_fixed(texts: list[str], damaged: list[str], restored: list[str]) -> str:
    """Return which share of damaged words is right, and which share of right words is broken."""
    words = [[word for text in side for word in re.split(r"\s", text)] for side in (texts, damaged, restored)]
    rows = list(zip(*words, strict=True))
    bad, good = [(a, c) for a, b, c in rows if a != b], [(a, c) for a, b, c in rows if a == b]
    broken = sum(a != c for a, c in good) / len(good)
    fixed = f"{sum(a == c for a, c in bad) / len(bad):.3f} fixed, " if bad else ""
    return f"{fixed}{broken:.4f} broken"


# ----------------------------------------------------------------- baselines


def most_frequent_forms(learned: str, fold: Callable[[str], str], *, starts: bool) -> Restore:
    """Return a restorer that writes each word as it is most often; with `starts`, sentences and lines get capitals."""
    forms: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for word in re.findall(r"\w+", learned):
        forms[fold(word)][word] += 1

    def restore(text: str) -> str:
        text = re.sub(r"\w+", lambda m: forms[m[0]].most_common(1)[0][0] if m[0] in forms else m[0], text)
        return re.sub(r"(^|\n|[.!?] )(\w)", lambda m: m[1] + m[2].upper(), text) if starts else text

    return lambda texts: [restore(text) for text in texts]


def unigram_spaces(learned: str) -> Restore:
    """Return a restorer that divides each line into the words with the largest product of frequencies."""
    words = Counter(learned.split())
    total = sum(words.values())

    @cache
    def cost(word: str) -> float:
        return -math.log(words[word] / total if word in words else 10.0 / (total * 10.0 ** len(word)))

    def restore(line: str) -> str:
        best, last = [0.0], [0]
        for i in range(1, len(line) + 1):
            costs = [(best[j] + cost(line[j:i]), j) for j in range(max(0, i - 20), i)]
            best[i:], last[i:] = ([value] for value in min(costs))
        parts, i = list[str](), len(line)
        while i:
            parts.append(line[last[i] : i])
            i = last[i]
        return " ".join(reversed(parts))

    return lambda texts: ["\n".join(map(restore, text.split("\n"))) for text in texts]


def neighbors(learned: str, gap: str) -> Restore:
    """Return a restorer of gaps by the most frequent symbol between the same 3 + 3 neighbors, or fewer."""
    tables: list[defaultdict[str, Counter[str]]] = [defaultdict(Counter) for _ in range(4)]
    for n, table in enumerate(tables):
        for i in range(n, len(learned) - n):
            table[learned[i - n : i] + learned[i + 1 : i + 1 + n]][learned[i]] += 1

    def symbol(text: str, i: int) -> str:
        around = ((table, text[max(i - n, 0) : i] + text[i + 1 : i + 1 + n]) for n, table in enumerate(tables))
        return [table[key] for table, key in around if key in table][-1].most_common(1)[0][0]

    return lambda texts: ["".join(symbol(t, i) if c == gap else c for i, c in enumerate(t)) for t in texts]


def symspell(learned: str, distance: int) -> Restore:
    """Return SymSpell's corrections of words, with the words of the text."""
    from symspellpy import SymSpell, Verbosity

    speller = SymSpell(max_dictionary_edit_distance=distance)
    for word, count in Counter(re.findall(r"[A-Za-z']+", learned.lower())).items():
        speller.create_dictionary_entry(word, count)
    options = {"max_edit_distance": distance, "include_unknown": True, "transfer_casing": True}

    def corrected(match: re.Match[str]) -> str:
        return str(speller.lookup(match[0], Verbosity.TOP, **options)[0].term)

    return lambda texts: [re.sub(r"[A-Za-z']+", corrected, text) for text in texts]


# --------------------------------------------------------------------- tables


def tasks(learned: str, texts: list[str]) -> Iterator[tuple[str, list[str], dict[str, Any], Any, dict[str, Restore]]]:
    """Yield each kind of damage: its name, the texts, arguments of `restore`, a measure, and baselines."""
    lower = most_frequent_forms(learned, str.lower, starts=True)
    yield (
        "case: F1 of capitals", [text.lower() for text in texts], {"case": True},
        lambda found: f"{f1(map(capitals, texts), map(capitals, found)):.3f}", {"most frequent form, starts": lower},
    )  # fmt: skip
    yield (
        "spaces: F1", [text.replace(" ", "") for text in texts], {"spaces": True},
        lambda found: f"{f1(map(boundaries, texts), map(boundaries, found)):.3f}",
        {"unigram Viterbi": unigram_spaces(learned)},
    )  # fmt: skip
    if any(map(accents, texts)):
        yield (
            "accents: F1", [without_accents(text) for text in texts], {"accents": True},
            lambda found: f"{f1(map(accents, texts), map(accents, found)):.3f}",
            {"most frequent form": most_frequent_forms(learned, without_accents, starts=False)},
        )  # fmt: skip
    gap = "\x00"
    gapped = ["".join(gap if i % 20 == 10 else c for i, c in enumerate(text)) for text in texts]

    def right(found: list[str]) -> str:
        pairs = [(a[i], b[i]) for a, b in zip(texts, found, strict=True) for i in range(10, len(a), 20)]
        return f"{np.mean([a == b for a, b in pairs]):.3f}"

    yield "a gap in 20: right", gapped, {"gaps": gap}, right, {"3 + 3 neighbors": neighbors(learned, gap)}
    spellers = {f"SymSpell, {d}": symspell(learned, d) for d in (1, 2)} if find_spec("symspellpy") else {}
    rng = random.Random(0)
    damaged = [with_typos(text, RATE, rng) for text in texts]
    for beams in (8, 32):
        yield (
            f"typos, {beams} beams", damaged, {"typos": RATE, "n_beams": beams},
            lambda found: share_fixed(texts, damaged, found), spellers if beams == 8 else {},
        )  # fmt: skip
    yield (
        "clean text, 8 beams", texts, {"typos": 0.01, "n_beams": 8},
        lambda found: share_fixed(texts, texts, found), spellers,
    )  # fmt: skip


def timed(restore: Restore, damaged: list[str]) -> tuple[list[str], float]:
    """Return restored texts, and characters per second of processor time."""
    seconds, found = least_time(lambda: restore(damaged), clock=time.process_time)
    return found, sum(map(len, damaged)) / seconds


def main() -> None:
    """Print the table of a text."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--model", type=Path, help="a mixture trained on the first nine tenths")
    parser.add_argument("--seconds", type=float, default=0.0, help="time to train a mixture (default: 0, none)")
    parser.add_argument("--characters", type=int, default=12_000, help="held-out characters (default: 12000)")
    parser.add_argument("--scan", action="store_true", help="damage pages of 2,000 characters as scans are")
    parser.add_argument("--other", type=Path, help="with --scan: another text to learn from")
    options = parser.parse_args()
    text = unicodedata.normalize("NFC", options.file.read_text(encoding="utf-8"))
    cut = len(text) * 9 // 10
    if options.scan:
        other = options.other.read_text(encoding="utf-8") if options.other else ""
        scan_table(text[:cut], held_out_texts(text[cut:], options.characters, 2000), other)
        return
    models: dict[str, Any] = {"counts": CharNGram(7).fit(text[:cut])}
    if options.model:
        models["mixture"] = Mixture.load(options.model)
    elif options.seconds:
        models["mixture"] = crnn.train(text[:cut], options.seconds)
    texts = held_out_texts(text[cut:], options.characters)
    known = set(models["counts"].vocabulary_)
    texts = ["".join(c for c in part if c in known) for part in texts]
    print(f"{options.file.name}, {sum(map(len, texts)):,} held-out characters; one thread; {processor_name()}")
    print("\n| damage | method | result | characters/s |\n|---|---|---|---|")
    for name, damaged, arguments, measure, baselines in tasks(text[:cut], texts):
        methods = dict(baselines)
        for of_model, model in models.items():
            model.set_params(n_threads=1)
            methods[of_model] = lambda texts, m=model, a=arguments: m.restore(texts, prime="\n", **a)
        for method, restore in methods.items():
            found, speed = timed(restore, damaged)
            print(f"| {name} | {method} | {measure(found)} | {speed:,.0f} |", flush=True)


if __name__ == "__main__":
    main()
