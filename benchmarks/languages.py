"""Which program tells the language of a word, of two words, of a sentence? `python -m benchmarks.languages`.

The languages are 17 with Latin script. `TextClassifier`, TF-IDF with a logistic regression, and fastText learn 4,000 of
the 5,000 most frequent words of each by wordfreq, and as many texts of two to four of them. py3langid and Lingua come
trained on texts of their own, and choose among the same languages. Tested are words that are not learned and stand in
no other language's list, pairs of these, and the messages of Django's translations that have at least four words; all
packages are in the extra `labels`. The trained programs read texts as `plain` writes them, the others as they are.
Printed are accuracies, processor seconds of `fit`, and microseconds for a text, of all threads: set OMP_NUM_THREADS=1.
``--network SECONDS`` adds `TextClassifier.recommended`.
"""

from __future__ import annotations

import argparse
import gettext
import random
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.classify import baseline
from benchmarks.labeled_texts import Texts
from benchmarks.report import machine
from crnn import CharNGram, TextClassifier

LANGUAGES = ("ca", "cs", "da", "de", "en", "es", "fi", "fr", "hu", "it", "nb", "nl", "pl", "pt", "ro", "sv", "tr")
N_WORDS, N_COMMON = 5000, 1000  # of a language; a quarter of those after the most common ones are tested
N_TESTED = 300  # of each kind and language
MIN_WORDS = 4  # of a message


class Contender(NamedTuple):
    """A program: `fit` is None if it comes trained."""

    fit: Callable[[list[str], list[str]], Any] | None
    predict: Callable[[list[str]], Sequence[str]]


def plain(text: str) -> str:
    """Return a text's words in small letters.

    Examples
    --------
    >>> plain("L'année <b>2025</b>, %(count)d fois")
    'l année fois'
    """
    text = re.sub(r"<[^>]*>|%\(\w*\)\w|[{]\w*[}]|&\w+;", " ", text)
    return " ".join(re.findall(r"[^\W\d_]+", text.lower()))


@cache
def words() -> dict[str, list[str]]:
    """Return the most frequent words of each language."""
    from wordfreq import top_n_list

    return {language: [w for w in top_n_list(language, 2 * N_WORDS) if w.isalpha() and len(w) > 1][:N_WORDS]
            for language in LANGUAGES}  # fmt: skip


def held_out(language: str) -> list[str]:
    """Return the words held out of training."""
    return words()[language][N_COMMON::4]


def learned() -> Texts:
    """Return the texts to learn and their languages."""
    texts, labels = list[str](), list[str]()
    for language, of_language in words().items():
        rng, tested = random.Random(language), {*held_out(language)}
        known = [word for word in of_language if word not in tested]
        some = [" ".join(known[int(len(known) ** rng.random()) - 1] for _ in range(rng.choice((2, 3, 4))))
                for _ in known]  # fmt: skip
        texts += known + some
        labels += [language] * 2 * len(known)
    return texts, labels


def tested() -> dict[str, Texts]:
    """Return the texts to test and their languages, by kind."""
    found: dict[str, Texts] = {kind: ([], []) for kind in ("words", "pairs", "sentences")}
    languages = Counter(word for of_language in words().values() for word in of_language)
    for language in LANGUAGES:
        rng = random.Random(language)
        own = [word for word in held_out(language) if languages[word] == 1]
        pairs = [" ".join(rng.sample(own, 2)) for _ in range(N_TESTED)]
        for kind, texts in zip(found, (own, pairs, [*messages(language)]), strict=True):
            texts = rng.sample(texts, min(N_TESTED, len(texts)))
            found[kind][0].extend(texts)
            found[kind][1].extend([language] * len(texts))
    return found


def messages(language: str) -> Iterator[str]:
    """Yield the messages of Django's translations in a language, each once."""
    import django

    seen = set[str]()
    for path in sorted(Path(django.__file__).parent.glob(f"**/locale/{language if language != 'en' else 'de'}/*/*.mo")):
        with path.open("rb") as file:
            catalog: dict[Any, str] = gettext.GNUTranslations(file)._catalog  # type: ignore[attr-defined]
        for english, translated in catalog.items():
            text = english if language == "en" else translated
            if isinstance(english, str) and english and (language == "en" or text != english) and text not in seen:
                seen.add(text)
                if len(plain(text).split()) >= MIN_WORDS:
                    yield " ".join(text.split())


def trained(model: Any) -> Contender:
    """Return a contender that learns the texts, in plain words."""
    return Contender(model.fit, lambda texts: model.predict([*map(plain, texts)]))


def contenders(network: float = 0.0) -> Iterator[tuple[str, Contender]]:
    """Yield the installed programs."""
    yield "`TextClassifier(CharNGram(order=5, min_count=2))`", trained(TextClassifier(CharNGram(order=5, min_count=2)))
    if network:
        texts, labels = learned()
        chosen = TextClassifier.recommended(texts, labels, network, random_state=0, verbose=0)
        yield f"`TextClassifier.recommended`, {network:g} s", trained(chosen)
    yield "TF-IDF and logistic regression", trained(baseline(3, 3.0, lowercase=False))
    if find_spec("fasttext"):
        from benchmarks.peers.fasttext_classifier import FastTextClassifier

        fast = FastTextClassifier()
        yield (
            "fastText with character n-grams",
            Contender(
                fast.fit, lambda texts: fast.classes_[fast.predict_proba([*map(plain, texts)]).argmax(axis=1)].tolist()
            ),
        )
    if find_spec("py3langid"):
        from py3langid.langid import MODEL_FILE, LanguageIdentifier

        identifier = LanguageIdentifier.from_model_file(MODEL_FILE)
        identifier.set_languages([language.replace("nb", "no") for language in LANGUAGES])
        yield (
            "py3langid, already trained",
            Contender(None, lambda texts: [identifier.classify(text)[0].replace("no", "nb") for text in texts]),
        )
    if find_spec("lingua"):
        from lingua import IsoCode639_1, LanguageDetectorBuilder

        codes = [getattr(IsoCode639_1, language.upper()) for language in LANGUAGES]
        detector = LanguageDetectorBuilder.from_iso_codes_639_1(*codes).with_preloaded_language_models().build()

        def detect(texts: list[str]) -> list[str]:
            found = map(detector.detect_language_of, texts)
            return ["" if language is None else language.iso_code_639_1.name.lower() for language in found]

        yield "Lingua, already trained", Contender(None, detect)


def table(network: float = 0.0) -> Iterator[str]:
    """Yield a table of accuracies."""
    texts, labels = learned()
    of_kinds = tested()
    yield f"{len(texts):,} texts of {len(LANGUAGES)} languages to learn, {sum(map(len, texts)) / 1e6:.1f} MB"
    yield ""
    yield "| | " + " | ".join(f"{len(of_kind[0]):,} {kind}" for kind, of_kind in of_kinds.items()) + " | fit, s | µs |"
    yield "|---" * (len(of_kinds) + 3) + "|"
    for name, contender in contenders(network):
        start = time.process_time()
        if contender.fit is not None:
            contender.fit(texts, labels)
        fitted, shown, n = time.process_time(), list[str](), 0
        for of_kind, expected in of_kinds.values():
            right = np.array(contender.predict(of_kind)) == expected
            shown.append(f"{100 * right.mean():.1f} %")
            n += len(of_kind)
        cost = 1e6 * (time.process_time() - fitted) / n
        seconds = f"{fitted - start:.1f}" if contender.fit is not None else "–"
        yield f"| {name} | {' | '.join(shown)} | {seconds} | {cost:.0f} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", type=float, default=0.0, metavar="SECONDS", help="train a network, too")
    options = parser.parse_args()
    print("\n".join(machine()), flush=True)
    for line in table(options.network):
        print(line, flush=True)


if __name__ == "__main__":
    main()
