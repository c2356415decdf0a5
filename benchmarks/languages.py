"""Which program tells the language of a word, of two words, of a sentence? `python -m benchmarks.languages`.

The languages are 17 with Latin script. `TextClassifier`, TF-IDF with a logistic regression, and fastText learn 4,000 of
the 5,000 most frequent words of each by wordfreq, and as many texts of two to four of them. py3langid and Lingua come
trained on texts of their own, and choose among the same languages. Tested are words that are not learned and stand in
no other language's list, pairs of these, and the messages of Django's translations that have at least four words.

The packages are in the dependency group `labels`. Printed are accuracies, processor seconds of `fit`, and microseconds
for a text, of all threads: set OMP_NUM_THREADS=1.
"""

from __future__ import annotations

import gettext
import random
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.classify import baseline
from benchmarks.labeled_texts import Texts
from benchmarks.machine import machine
from crnn import CharNGram, TextClassifier

LANGUAGES = ("ca", "cs", "da", "de", "en", "es", "fi", "fr", "hu", "it", "nb", "nl", "pl", "pt", "ro", "sv", "tr")


@dataclass(frozen=True)
class Sizes:
    """How many words and texts."""

    words: int = 5000  # the most frequent ones of a language
    common: int = 1000  # of these are always learned; of the others, a quarter is tested
    tested: int = 300  # texts of each kind and language
    words_of_a_message: int = 4  # at least


@dataclass(frozen=True)
class Contender:
    """A program: `fit` is None if it comes trained."""

    name: str
    fit: Callable[[list[str], list[str]], Any] | None
    predict: Callable[[list[str]], Sequence[str]]


def plain(text: str) -> str:
    """Return a text's words in small letters, without the marks of a message.

    Examples
    --------
    >>> plain("L'année <b>2025</b>, %(count)d fois")
    'l année fois'
    """
    text = re.sub(r"<[^>]*>|%\(\w*\)\w|[{]\w*[}]|&\w+;", " ", text)
    return " ".join(re.findall(r"[^\W\d_]+", text.lower()))


@cache
def frequent_words(language: str, n: int) -> list[str]:
    """Return the n most frequent words of a language, by wordfreq."""
    from wordfreq import top_n_list

    return [word for word in top_n_list(language, 2 * n) if word.isalpha() and len(word) > 1][:n]


def learned(languages: Sequence[str], sizes: Sizes) -> Texts:
    """Return the texts to learn and their languages."""
    texts: list[str] = []
    labels: list[str] = []
    for language in languages:
        rng = random.Random(language)
        words = frequent_words(language, sizes.words)
        held_out = {*words[sizes.common :: 4]}
        known = [word for word in words if word not in held_out]
        texts += known
        for _ in known:
            n = rng.choice((2, 3, 4))
            texts.append(" ".join(known[int(len(known) ** rng.random()) - 1] for _ in range(n)))
        labels += [language] * 2 * len(known)
    return texts, labels


def tested(languages: Sequence[str], sizes: Sizes) -> dict[str, Texts]:
    """Return the texts to test and their languages, by kind."""
    found: dict[str, Texts] = {"words": ([], []), "pairs": ([], []), "sentences": ([], [])}
    lists = Counter(word for language in languages for word in frequent_words(language, sizes.words))
    for language in languages:
        rng = random.Random(language)
        held_out = frequent_words(language, sizes.words)[sizes.common :: 4]
        words = [word for word in held_out if lists[word] == 1]
        pairs = [" ".join(rng.sample(words, 2)) for _ in range(sizes.tested)]
        sentences = list(messages(language, sizes.words_of_a_message))
        for kind, texts in zip(found, (words, pairs, sentences), strict=True):
            chosen = rng.sample(texts, min(sizes.tested, len(texts)))
            found[kind][0].extend(chosen)
            found[kind][1].extend([language] * len(chosen))
    return found


def messages(language: str, least_words: int) -> Iterator[str]:
    """Yield the messages of Django's translations in a language, each once."""
    import django

    folder = Path(django.__file__).parent
    seen: set[str] = set()
    for path in sorted(folder.glob(f"**/locale/{'de' if language == 'en' else language}/*/*.mo")):
        with path.open("rb") as file:
            catalog: dict[Any, str] = gettext.GNUTranslations(file)._catalog  # type: ignore[attr-defined]
        for english, translated in catalog.items():
            if not isinstance(english, str) or not english:
                continue  # plural forms, and the head of the file
            if language != "en" and translated == english:
                continue
            text = english if language == "en" else translated
            if text not in seen and len(plain(text).split()) >= least_words:
                seen.add(text)
                yield " ".join(text.split())


def trained(name: str, model: Any) -> Contender:
    """Return a contender that learns the texts, and reads plain words."""
    return Contender(name, model.fit, lambda texts: model.predict([plain(text) for text in texts]))


def contenders() -> Iterator[Contender]:
    """Yield the installed programs."""
    yield trained("`TextClassifier(CharNGram(order=5, min_count=2))`", TextClassifier(CharNGram(order=5, min_count=2)))
    yield trained("TF-IDF of n-grams and logistic regression", baseline(3, 3.0))
    if find_spec("fasttext"):
        yield fasttext()
    if find_spec("py3langid"):
        yield langid()
    if find_spec("lingua"):
        yield lingua()


def fasttext() -> Contender:
    """Return fastText with character n-grams."""
    from benchmarks.peers.fasttext_classifier import FastTextClassifier

    model = FastTextClassifier()

    def predict(texts: list[str]) -> list[str]:
        p = model.predict_proba([plain(text) for text in texts])
        return [str(name) for name in model.classes_[p.argmax(axis=1)]]

    return Contender("fastText with character n-grams", model.fit, predict)


def langid() -> Contender:
    """Return py3langid, which writes Norwegian as "no"."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE)
    identifier.set_languages([language.replace("nb", "no") for language in LANGUAGES])

    def predict(texts: list[str]) -> list[str]:
        return [identifier.classify(text)[0].replace("no", "nb") for text in texts]

    return Contender("py3langid, already trained", None, predict)


def lingua() -> Contender:
    """Return Lingua, with its models loaded."""
    from lingua import IsoCode639_1, LanguageDetectorBuilder

    codes = [getattr(IsoCode639_1, language.upper()) for language in LANGUAGES]
    detector = LanguageDetectorBuilder.from_iso_codes_639_1(*codes).with_preloaded_language_models().build()

    def predict(texts: list[str]) -> list[str]:
        found = [detector.detect_language_of(text) for text in texts]
        return ["" if language is None else language.iso_code_639_1.name.lower() for language in found]

    return Contender("Lingua, already trained", None, predict)


def table(programs: Iterator[Contender], languages: Sequence[str], sizes: Sizes) -> Iterator[str]:
    """Yield a table of accuracies and times."""
    texts, labels = learned(languages, sizes)
    kinds = tested(languages, sizes)
    counted = " | ".join(f"{len(of_kind[0]):,} {kind}" for kind, of_kind in kinds.items())
    yield f"{len(texts):,} texts of {len(languages)} languages to learn, {sum(map(len, texts)) / 1e6:.1f} MB"
    yield ""
    yield f"| | {counted} | seconds of `fit` | µs per text |"
    yield "|---" * (len(kinds) + 3) + "|"
    for program in programs:
        start = time.process_time()
        if program.fit is not None:
            program.fit(texts, labels)
        fitted = time.process_time()
        accuracies = []
        for of_kind, expected in kinds.values():
            right = np.array(program.predict(of_kind)) == expected
            accuracies.append(f"{100 * right.mean():.1f} %")
        n_texts = sum(len(of_kind[0]) for of_kind in kinds.values())
        cost = 1e6 * (time.process_time() - fitted) / n_texts
        seconds = "–" if program.fit is None else f"{fitted - start:.1f}"
        yield f"| {program.name} | {' | '.join(accuracies)} | {seconds} | {cost:.0f} |"


def main() -> None:
    """Print the table."""
    print("\n".join(machine()), flush=True)
    for line in table(contenders(), LANGUAGES, Sizes()):
        print(line, flush=True)


if __name__ == "__main__":
    main()
