"""Random patterns: probabilities, samples, lists and beams of matching texts are right, by trying all short texts."""

import functools
import itertools
import math
import re

import numpy as np

from crnn import CharNGram, CharRNN, InvalidInputError, Mixture

ALPHABETS = ["ab", "abA", "a\n", b"ab", b"\0\xff"]
ROUNDED = 1e-5  # relative error of the probability of a text, by a network of float32
LONGEST = {2: 7, 3: 5}  # symbols of the texts that are tried, by the size of the alphabet
SMALL = {"hidden_size": 4, "seq_length": 5, "max_steps": 30, "random_state": 0, "n_threads": 1}
FLAGS = [0, re.IGNORECASE, re.DOTALL, re.MULTILINE, re.ASCII]


def pattern_of(rng, symbols, depth=3):
    """Return a random pattern as text."""
    pick = int(rng.integers(12 if depth else 4))
    inner = [pattern_of(rng, symbols, depth - 1) for _ in range(2)] if depth and pick > 3 else []
    symbol = re.escape(symbols[rng.integers(len(symbols))])
    if pick <= 3:
        return [symbol, ".", f"[^{symbol}]", f"[{symbol}z]", r"\w", r"\W"][rng.integers(6)]
    if pick <= 6:
        return "".join(inner)
    if pick == 7:
        return f"(?:{'|'.join(inner)})"
    if pick <= 9:
        low = int(rng.integers(3))
        quantifier = ["*", "+", "?", f"{{{low},{low + int(rng.integers(3))}}}", f"{{{low},}}"][rng.integers(5)]
        return f"(?:{inner[0]}){quantifier}"
    if pick == 10:
        return inner[0] + [r"\b", r"\B", "^", r"\A", r"\Z"][rng.integers(5)] + inner[1]
    return f"(?i:{inner[0]})"


@functools.cache
def model_of(number):
    """Return one of some models, all texts of up to a length, and their probabilities."""
    rng = np.random.default_rng([23, number])
    symbols = ALPHABETS[number % len(ALPHABETS)]
    alphabet = [symbols[i : i + 1] for i in range(len(symbols))]
    empty = symbols[:0]
    drawn = [rng.integers(len(alphabet), size=rng.integers(6)) for _ in range(40)]
    documents = [*alphabet, *(empty.join(alphabet[i] for i in text) for text in drawn)]
    counts = CharNGram(int(rng.integers(1, 5)), n_threads=1).fit(documents)
    network = CharRNN(**SMALL, cell=["rnn", "lstm"][number % 2]).fit(documents)
    model = [counts, counts, network, Mixture.from_fitted([network, counts])][number // len(ALPHABETS) % 4]
    lengths = range(LONGEST[len(alphabet)] + 1)
    texts = [empty.join(text) for n in lengths for text in itertools.product(alphabet, repeat=n)]
    return model, texts, model.score_samples(texts)


def case(i, folder):
    """Try one pattern with one model."""
    rng = np.random.default_rng([29, i])
    model, texts, log_p = model_of(int(rng.integers(4 * len(ALPHABETS))))
    longest, symbols = len(texts[-1]), "".join(chr(code) for code in model.vocabulary_.codes)
    text, flags = pattern_of(rng, symbols), FLAGS[rng.integers(len(FLAGS))]
    if isinstance(texts[0], bytes):
        text = text.encode("latin-1")
    try:
        pattern = re.compile(text, flags)
    except re.error:
        pattern = text
    try:
        return fault_of(rng, model, pattern, texts, log_p, longest)
    except InvalidInputError as error:
        if "no text of the model's symbols matches" in str(error):
            found = [text for text in texts if re.fullmatch(pattern, text)]
            return f"{pattern!r} is said to match nothing, but matches {found[0]!r}" if found else None
        known = ("samples were found", "not a regular expression", "states", "too large", "large automaton")
        return None if any(words in str(error) for words in known) else f"{pattern!r}: {error}"


def fault_of(rng, model, pattern, texts, log_p, longest):
    """Compare what a model says of a pattern with what all short texts say."""
    matches = np.array([re.fullmatch(pattern, text) is not None for text in texts])
    name, best = f"{model!r}, {pattern!r}", np.flatnonzero(matches)[np.argsort(-log_p[matches], kind="stable")]
    total = float(np.exp(log_p[matches]).sum())
    whole, within = model.match_probability(pattern), model.match_probability(pattern, longest)
    if not total * (1 - ROUNDED) <= whole.upper:
        return f"{name}: texts of {total} match, but the bound is {whole.upper}"
    if not whole.lower * (1 - ROUNDED) <= whole.estimate <= whole.upper * (1 + ROUNDED) <= 1 + ROUNDED:
        return f"{name}: {whole} is not an estimate within bounds"
    exact = isinstance(model, CharNGram)
    if exact and not math.isclose(within.estimate, total, rel_tol=1e-6, abs_tol=1e-12):
        return f"{name}: the probability of a short match is {within.estimate}, not {total}"
    if abs(within.estimate - total) > 6 * math.sqrt(max(total * (1 - total), 1e-6) / 16384) + 1e-9:
        return f"{name}: the probability of a short match is estimated as {within.estimate}, not {total}"
    found = model.enumerate_documents(3, matching=pattern, max_prefixes=3000)
    short = [k for k, text in enumerate(found.documents) if len(text) <= longest]
    if any(re.fullmatch(pattern, text) is None for text in found.documents):
        return f"{name}: {found.documents} do not all match"
    listed = [log_p[k] for k in best[:10] if log_p[k] > found.bound + 1e-6]
    missing = [k for k in best[:10] if log_p[k] > found.bound + 1e-6 and texts[k] not in found.documents]
    if missing:
        return f"{name}: {texts[missing[0]]!r} of {listed[0]} is missing, the bound is {found.bound}"
    if any(abs(found.log_probs[k] - log_p[texts.index(found.documents[k])]) > 1e-4 for k in short):
        return f"{name}: the scores of {found.documents} are {found.log_probs}"
    beams = model.beam_search(longest, n_beams=2000, matching=pattern)
    if (beams[0][0] if beams else None) != (texts[best[0]] if len(best) else None):
        gap = log_p[best[0]] - beams[0][1] if beams and len(best) else math.inf
        if abs(gap) > 1e-4:
            return f"{name}: the best beam is {beams[:1]}, not {texts[best[0]] if len(best) else None!r}"
    if total > 0.01:
        drawn = model.sample(n_samples=20, matching=pattern, random_state=int(rng.integers(100)))
        if any(re.fullmatch(pattern, text) is None for text in drawn):
            return f"{name}: the samples {drawn} do not all match"
    return None
