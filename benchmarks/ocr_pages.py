"""How much of pages read by Tesseract is mended? `python -m benchmarks.ocr_pages FILE`.

The first nine tenths of FILE are learned by counts. Pages of the rest are rendered anew with a serif font, at three
degrees of blur, noise and rotation, and read by Tesseract (Debian: `apt-get install tesseract-ocr`). The table has the
share of words that are wrong, and how many right words were broken, next to straight quotes alone and to SymSpell.
The first half of the pages teach the confusions of the last row, and all rows are judged on the second half.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import textwrap
import unicodedata
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np

from benchmarks.restore import held_out_texts, right_words, symspell
from crnn import CharNGram, learn_confusions

FONT = "DejaVuSerif.ttf"
SIZE = 16  # pixels
LINE = 66  # characters
PAGE = 2000  # characters
STRAIGHT = str.maketrans({"“": '"', "”": '"', "‘": "'", "’": "'", "—": "--", "–": "-"})
Restore = Callable[[list[str]], list[str]]


class Degree(NamedTuple):
    """How badly a page is scanned."""

    name: str
    blur: float  # radius in pixels
    noise: float  # standard deviation of gray values
    rotation: float  # degrees


DEGREES = [Degree("light", 0.8, 12, 0.4), Degree("medium", 0.85, 20, 0.6), Degree("heavy", 0.9, 26, 0.7)]


def missing() -> str | None:
    """Return what this benchmark needs and this machine lacks, or None."""
    if shutil.which("tesseract") is None:
        return "tesseract is not installed (Debian: apt-get install tesseract-ocr)"
    if find_spec("PIL") is None:
        return "Pillow is not installed"
    return None


def wrapped(text: str) -> str:
    """Return a page with lines of at most `LINE` characters; paragraphs stay apart."""
    paragraphs = re.split(r"\n\s*\n", text.strip())
    return "\n\n".join(textwrap.fill(" ".join(p.split()), LINE, break_on_hyphens=False) for p in paragraphs)


def scan(page: str, degree: Degree, seed: int) -> str:
    """Return a page as Tesseract reads it from an image."""
    from PIL import Image, ImageDraw, ImageFilter, ImageFont

    font = ImageFont.truetype(FONT, SIZE)
    lines = page.split("\n")
    image = Image.new("L", (LINE * 11 + 80, len(lines) * 26 + 80), 255)
    draw = ImageDraw.Draw(image)
    for i, line in enumerate(lines):
        draw.text((40, 40 + 26 * i), line, fill=20, font=font)
    rng = np.random.default_rng(seed)
    rotated = image.rotate(float(rng.uniform(-1, 1) * degree.rotation), Image.Resampling.BICUBIC, fillcolor=255)
    blurred = np.asarray(rotated.filter(ImageFilter.GaussianBlur(degree.blur)), float)
    noisy = np.clip(blurred + rng.normal(0, degree.noise, blurred.shape), 0, 255).astype(np.uint8)
    with TemporaryDirectory() as folder:
        path = Path(folder, "page.png")
        Image.fromarray(noisy).save(path, dpi=(130, 130))
        found = subprocess.run(
            ["tesseract", str(path), "-", "--psm", "6"], capture_output=True, check=True, env={"OMP_THREAD_LIMIT": "1"}
        )
    return found.stdout.decode().replace("\f", "").strip()


def shares(pages: list[str], scans: list[str], restored: list[str]) -> tuple[float, int]:
    """Return the share of words that are wrong, and the number of right words that were broken."""
    wrong = words = broken = 0
    for page, damaged, text in zip(pages, scans, restored, strict=True):
        right = right_words(page, text)
        words += len(page.split())
        wrong += len(page.split()) - len(right)
        broken += len(right_words(page, damaged) - right)
    return wrong / words, broken


def methods(learned: str, known: list[tuple[str, str]]) -> dict[str, Restore]:
    """Return the ways to mend pages; confusions are learned from `known` scans with their originals."""
    model: Any = CharNGram(n_threads=1).fit(learned)
    found: dict[str, Restore] = {
        "nothing": lambda scans: scans,
        "straight quotes": lambda scans: [page.translate(STRAIGHT) for page in scans],
    }
    if find_spec("symspellpy"):
        speller = symspell(learned, 1)
        found["straight quotes, SymSpell"] = lambda scans: speller([page.translate(STRAIGHT) for page in scans])
    else:
        print("SymSpell is left out: symspellpy is not installed")
    found['restore(typos=0.02, confusions="ocr", least=0)'] = lambda scans: model.restore(
        scans, typos=0.02, confusions="ocr", least=0
    )
    found['restore(typos=0.02, confusions="ocr")'] = lambda scans: model.restore(scans, typos=0.02, confusions="ocr")
    own = learn_confusions(known)
    found['restore(typos=0.02, confusions=["ocr", learn_confusions(pairs)])'] = lambda scans: model.restore(
        scans, typos=0.02, confusions=["ocr", own]
    )
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--pages", type=int, default=24, help="pages of 2,000 characters (default: 24)")
    options = parser.parse_args()
    if reason := missing():
        parser.error(reason)
    text = unicodedata.normalize("NFC", options.file.read_text(encoding="utf-8"))
    cut = len(text) * 9 // 10
    blocks = held_out_texts(text[cut:], len(text), PAGE)[: options.pages]
    pages = [wrapped(block) for block in blocks]
    learned = "\n\n".join(wrapped(part) for part in held_out_texts(text[:cut], cut, PAGE))
    scans = {degree.name: [scan(page, degree, seed) for seed, page in enumerate(pages)] for degree in DEGREES}
    half = len(pages) // 2
    known = [(damaged[i], pages[i]) for damaged in scans.values() for i in range(half)]
    pages = pages[half:]
    scans = {name: damaged[half:] for name, damaged in scans.items()}
    words = sum(len(page.split()) for page in pages)
    print(f"{len(pages)} pages, {words:,} words; % of words wrong (right words broken)\n")
    print(f"| | {' | '.join(scans)} | broken |\n|---|---|---|---|---|")
    for name, restore in methods(learned, known).items():
        results = [shares(pages, damaged, restore(damaged)) for damaged in scans.values()]
        cells = " | ".join(f"{100 * wrong:.2f} ({broken})" for wrong, broken in results)
        print(f"| {name} | {cells} | {sum(broken for _, broken in results)} |", flush=True)


if __name__ == "__main__":
    main()
