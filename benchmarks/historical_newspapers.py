"""Does `restore` mend the scans of a public competition? `python -m benchmarks.historical_newspapers TRAIN TEST`.

HIPE-OCRepair 2026 (ICDAR; hipe-eval on GitHub) has chunks of newspapers of the 19th century, in English and French,
with their scans' text and a careful transcription. TRAIN and TEST are JSONL files of its form, as
``hipe-ocrepair-bench_v0.9_icdar2017_v1.2_train_en.jsonl``; nothing is downloaded. Half of the competitors are large
language models. It needs `pip install rapidfuzz`.

The model is what is counted in the transcriptions of TRAIN; `learn_confusions` learns its scanner's mistakes from the
pairs of TRAIN. Printed is the competition's measure: letters and digits in lower case, all else one space, and of these
characters the share that is wrong, (S + D + I) / (H + S + D + I), over all chunks (cMER), and how many chunks became
better minus how many became worse, as a share (preference).
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from rapidfuzz.distance import Levenshtein

from benchmarks.machine import machine
from crnn import CharNGram, learn_confusions


class Chunk(NamedTuple):
    """One text of the data."""

    scan: str
    truth: str


class Errors(NamedTuple):
    """Characters of a text that are right, and those that are wrong, missing or in excess."""

    right: int
    wrong: int


def read(path: Path) -> list[Chunk]:
    """Return the chunks of a file that count."""
    chunks = []
    for line in path.read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        truth = record["ground_truth"]
        if not truth.get("exclude_from_icdar_evaluation"):
            chunks.append(Chunk(record["ocr_hypothesis"]["transcription_unit"], truth["transcription_unit"]))
    return chunks


def normalized(text: str) -> str:
    """Return what is compared: letters and digits in lower case, ligatures as letters, all else as single spaces.

    Examples
    --------
    >>> normalized("The  Queen's speech,—No. 3")
    'the queen s speech no 3'
    """
    text = text.lower()
    for ligature, letters in {"ß": "ss", "œ": "oe", "æ": "ae"}.items():
        text = text.replace(ligature, letters)
    return " ".join("".join(symbol if symbol.isalnum() else " " for symbol in text).split())


def errors(truth: str, found: str) -> Errors:
    """Return the counts of the least number of edits."""
    a, b = normalized(truth), normalized(found)
    edits = Levenshtein.editops(a, b)
    lost = sum(1 for edit in edits if edit.tag != "insert")
    return Errors(len(a) - lost, len(edits))


def rate(counts: Sequence[Errors]) -> float:
    """Return the share of wrong characters."""
    wrong = sum(count.wrong for count in counts)
    return wrong / (wrong + sum(count.right for count in counts))


def row(name: str, test: Sequence[Chunk], mend: Callable[[list[str]], list[str]]) -> str:
    """Return the line of a way to mend."""
    start = time.perf_counter()
    mended = mend([chunk.scan for chunk in test])
    seconds = time.perf_counter() - start
    before = [errors(chunk.truth, chunk.scan) for chunk in test]
    after = [errors(chunk.truth, text) for chunk, text in zip(test, mended, strict=True)]
    pairs = [(rate([old]), rate([new])) for old, new in zip(before, after, strict=True)]
    better = sum(new < old for old, new in pairs)
    worse = sum(new > old for old, new in pairs)
    clean = [new.wrong for old, new in zip(before, after, strict=True) if old.wrong == 0]
    spoiled = f"{sum(wrong > 0 for wrong in clean)} of {len(clean)}"
    preference = (better - worse) / len(test)
    return f"| {name} | {rate(after):.4f} | {preference:.2f} | {better} | {worse} | {spoiled} | {seconds:.1f} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("train", type=Path)
    parser.add_argument("test", type=Path)
    options = parser.parse_args()
    train, test = read(options.train), read(options.test)
    start = time.perf_counter()
    model = CharNGram().fit([chunk.truth for chunk in train])
    counted = time.perf_counter() - start
    start = time.perf_counter()
    learned = learn_confusions([(chunk.scan, chunk.truth) for chunk in train])
    taught = time.perf_counter() - start
    print(*machine(), "", sep="\n")
    print(f"{len(train)} chunks counted in {counted:.1f} s, order {model.order_}; {len(test)} chunks mended")
    print(f"{len(learned)} confusions learned in {taught:.1f} s\n")
    print("| | cMER | preference | better | worse | clean chunks spoiled | seconds |")
    print("|---|---|---|---|---|---|---|")
    print(row("nothing", test, list))
    for name, given in (
        ('`confusions="ocr", typos=0.02`', {"confusions": "ocr", "typos": 0.02}),
        ('`confusions=["ocr", learned], typos=0.02`', {"confusions": ["ocr", learned], "typos": 0.02}),
        ("the same, `least=6`", {"confusions": ["ocr", learned], "typos": 0.02, "least": 6}),
    ):
        print(row(name, test, lambda scans, given=given: [model.restore(scan, **given) for scan in scans]), flush=True)
    clean = [Chunk(chunk.truth, chunk.truth) for chunk in test]
    given = {"confusions": ["ocr", learned], "typos": 0.02}
    print(row("the transcriptions themselves", clean, lambda texts: [model.restore(text, **given) for text in texts]))


if __name__ == "__main__":
    main()
