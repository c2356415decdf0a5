"""A network, counts and a mixture of a text with thousands of symbols: `python -m benchmarks.large_alphabet FILE`.

Each of the most frequent words of FILE becomes one symbol, and one more stands for all other words. The models learn
nine tenths, each for the same time; the loss is for the beginning of the rest.
"""

from __future__ import annotations

import argparse
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import crnn
from benchmarks.machine import machine
from crnn import CharNGram, CharRNN

FIRST_CODE = 0x4E00
MAX_TEST = 20_000  # symbols
HEAD = "| model | nats per symbol | units | steps |\n|---|---|---|---|"


def words_as_symbols(text: str, n_symbols: int) -> str:
    """Return a text of at most `n_symbols` symbols, one for each word, mark or empty line."""
    words = re.findall(r"\w+|[^\w\s]|\n\n", text)
    frequent = [word for word, _ in Counter(words).most_common(n_symbols - 1)]
    symbols = {word: chr(FIRST_CODE + i) for i, word in enumerate(frequent)}
    other = chr(FIRST_CODE + n_symbols - 1)
    return "".join(symbols.get(word, other) for word in words)


def split(text: str) -> tuple[str, str]:
    """Return the text to learn, and the beginning of its last tenth, without symbols that only the latter has."""
    cut = len(text) * 9 // 10
    known = set(text[:cut])
    held_out = "".join(symbol for symbol in text[cut:] if symbol in known)
    return text[:cut], held_out[:MAX_TEST]


def rows(text: str, seconds: float, seed: int = 0) -> Iterator[str]:
    """Yield the rows of the table."""
    learned, held_out = split(text)
    network = CharRNN.recommended(learned, seconds, verbose=0, random_state=seed).fit(learned)
    yield f"| network | {-network.score(held_out):.3f} | {network.hidden_size} | {network.n_steps_:,} |"
    counts = CharNGram(max_memory=10**9).fit(learned)
    yield f"| counts, order {counts.order_} | {-counts.score(held_out):.3f} | | |"
    mixture = crnn.train(learned, seconds, verbose=0, random_state=seed)
    member = mixture.models_[0]
    assert isinstance(member, CharRNN)
    yield f"| `crnn.train` | {-mixture.score(held_out):.3f} | {member.hidden_size} | {member.n_steps_:,} |"


def main() -> None:
    """Train the models and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", metavar="FILE")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--symbols", type=int, default=5000)
    options = parser.parse_args()
    text = words_as_symbols(Path(options.file).read_text(encoding="utf-8"), options.symbols)
    print(
        "\n".join(
            [*machine(), f"{len(text):,} symbols, {len(set(text)):,} different; {options.seconds:g} s", "", HEAD]
        ),
        flush=True,
    )
    for row in rows(text, options.seconds):
        print(row, flush=True)


if __name__ == "__main__":
    main()
