"""How good is the demo's model? `crnn demo && python -m benchmarks.demo crnn-demo.crnn`.

It prints the bits per character of the held-out tenth of Python's manual, and the share of the words of a sample, drawn
as the demo draws its samples, that occur in the part that was read.
"""

from __future__ import annotations

import argparse
import re

from benchmarks.machine import machine
from crnn import load_model
from crnn.cli.demo import HELD_OUT
from crnn.datasets import python_manual

LENGTH = 20_000  # characters of the sample
TEMPERATURE = 0.6  # as in the demo


def words(text: str) -> list[str]:
    """Return the words of a text: runs of letters and apostrophes."""
    return re.findall(r"[^\W\d_]+(?:'[^\W\d_]+)*", text)


def existing_words(sample: str, text: str) -> tuple[int, int]:
    """Return how many words of a sample occur in a text, and how many words it has; the last one may be cut."""
    written = words(sample.rpartition(" ")[0])
    known = set(words(text))
    return sum(word in known for word in written), len(written)


def main() -> None:
    """Print the numbers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    model = load_model(parser.parse_args().model)
    text = python_manual()
    split = round(len(text) * (1 - HELD_OUT))
    sample = model.sample(LENGTH, prime="The ", temperature=TEMPERATURE, random_state=1)
    existing, written = existing_words(sample, text[:split])
    print(*machine(), sep="\n")
    print(f"{model.bits_per_char(text[split:], exact=False):.3f} bits per character of {len(text) - split:,} held out")
    print(f"{existing:,} of {written:,} words occur in the text that was read: {existing / written:.1%}")


if __name__ == "__main__":
    main()
