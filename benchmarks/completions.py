"""How many keystrokes do three suggestions save? `python -m benchmarks.completions FILE [--model MIXTURE]`.

The first nine tenths of FILE are learned. A held-out text is typed: after each key there are three suggestions of how
the word ends, and one more key accepts the right one. Compared with the most frequent words with the same prefix.
"""

from __future__ import annotations

import argparse
import re
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from crnn import CharNGram, Mixture
from crnn.inference.text_state import TextState

Suggest = Callable[[str, TextState], list[str]]  # from the word's letters typed so far, and the state after them


def keys_saved(text: str, state: TextState, suggest: Suggest) -> tuple[float, float]:
    """Return the share of keys saved, and milliseconds of processor time per suggestion."""
    keys, asked, seconds = 0, 0, 0.0
    for word in re.findall(r"\w+|\W", text):
        typed = 0
        while typed < len(word):
            state.feed(word[typed])
            typed, keys = typed + 1, keys + 1
            if typed < len(word) and word[0].isalnum():
                start = time.process_time()
                endings = suggest(word[:typed], state)
                seconds, asked = seconds + time.process_time() - start, asked + 1
                if word[typed:] in endings:
                    state.feed(word[typed:])
                    typed, keys = len(word), keys + 1
    return 1 - keys / len(text), 1000 * seconds / max(asked, 1)


def frequent_words(learned: str) -> Suggest:
    """Return suggestions by the frequency of words alone."""
    words = [word for word, _ in Counter(re.findall(r"\w+", learned)).most_common()]

    def suggest(prefix: str, state: TextState) -> list[str]:
        found = [word[len(prefix) :] for word in words if word.startswith(prefix) and word != prefix]
        return found[:3]

    return suggest


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--model", type=Path, help="a mixture trained on the first nine tenths")
    options = parser.parse_args()
    text = options.file.read_text(encoding="utf-8")
    cut = len(text) * 9 // 10
    counts, typed = CharNGram(7).fit(text[:cut]), text[cut : cut + 4000]
    stops = [str(c) for c in counts.vocabulary_ if not str(c).isalnum()]
    print("| suggestions | keys saved | ms each |\n|---|---|---|")
    saved, each = keys_saved(typed, counts.start(), frequent_words(text[:cut]))
    print(f"| most frequent words | {saved:.1%} | {each:.2f} |")
    models = {"counts": counts} | ({"mixture": Mixture.load(options.model)} if options.model else {})
    for name, model in models.items():
        for beams in (4, 8):

            def suggest(prefix: str, state: TextState, beams: int = beams) -> list[str]:
                return [str(ending) for ending, _ in state.beam_search(beams=beams, stop=stops)[:3]]

            saved, each = keys_saved(typed, model.start(), suggest)
            print(f"| {name}, {beams} beams | {saved:.1%} | {each:.2f} |", flush=True)


if __name__ == "__main__":
    main()
