"""What do counts of words gain in a mixture, and what would trigrams? `python -m benchmarks.words FILE [FILE ...]`.

For each text, and for the source code of Python's standard library, a network and counts, chosen as in `crnn.train`,
learn the first nine tenths, and words join as by default. The network is that of ``--seconds`` at 100 GFLOP/s in
float32, and its steps are counted, so the losses do not depend on the machine. The first 100,000 characters of the last
tenth are scored, without those that are missing from the training text. Losses are nats per character, means over the
seeds; the gains are over the mixture without words.

The second table has the gains of trigrams as one more member, whose weights may have any sign. Such weights have a sum
of 1 and are fitted to the same held-out part, with a penalty of the sum of their squares.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import mean
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.adapting import read_texts
from benchmarks.machine import machine
from benchmarks.mixtures import MAX_MEMORY, ids_of, split
from crnn import CharNGram, CharRNN, Mixture
from crnn.inference.mixed_network import MixedNetwork, letters_before, letters_of
from crnn.inference.mixture_weights import CLASSES, MIN_CLASS
from crnn.inference.network import InferenceNetwork, Use, log_softmax
from crnn.ngram.counts_network import CountsNetwork
from crnn.ngram.word_counts import WordCounts
from crnn.ngram.words_network import WordsNetwork
from crnn.parameters.kinds import CELLS
from crnn.scoring.text_scores import source_ids
from crnn.text.held_out import split_held_out
from crnn.training.machine_speed import OPERATIONS_PER_WEIGHT, recurrent_weights
from crnn.training.recommended import TYPICAL_SYMBOLS, recommend

SPEED = 1e11  # operations per second of the network's training
N_SCORED = 100_000  # characters
SCORED_AT_ONCE = 1000
TRIGRAMS = 3  # the order
HEAD = [
    "| text | characters | network | counts | both | with words | gain | least gain |",
    "|---|---|---|---|---|---|---|---|",
]
HEAD_OF_TRIGRAMS = [
    "| text | words, any sign | trigrams, any sign | words and trigrams, any sign | least | weights of trigrams |",
    "|---|---|---|---|---|---|",
]

Ids = NDArray[np.int32]
Floats = NDArray[np.float64]


class Losses(NamedTuple):
    """Nats a character by one seed's models, and the weights of trigrams that have any sign, (C,)."""

    network: float
    counts: float
    both: float  # without words
    default: float
    words: float  # with weights of any sign, like those below
    trigrams: float
    words_and_trigrams: float
    weights: Floats


def network_parameters(n_symbols: int, seconds: float) -> dict[str, Any]:
    """Return the parameters that `CharRNN.recommended` chooses at `SPEED`, with a number of steps instead of a time."""
    parameters = recommend(n_symbols, seconds, speed=SPEED)
    del parameters["max_seconds"]
    weights = recurrent_weights(
        CELLS[parameters["cell"]].gates, parameters["hidden_size"], TYPICAL_SYMBOLS, parameters["num_layers"]
    )
    per_step = OPERATIONS_PER_WEIGHT * weights * parameters["batch_size"] * parameters["seq_length"]
    if parameters["max_steps"] is None:
        parameters["max_steps"] = max(1, round(seconds * SPEED / per_step))
    return parameters


def trained(text: str, seed: int, seconds: float) -> Mixture:
    """Return a mixture of a network, counts and, where they help, words that has learned a text."""
    network = CharRNN(**network_parameters(len(text), seconds), random_state=seed, n_threads=1)
    return Mixture([network, CharNGram(n_threads=1)], n_threads=1).fit(text)


def weights_of_any_sign(rows: Sequence[Floats], targets: Ids, classes: Ids) -> Floats:
    """Return weights (C, K) with a sum of 1 for each class that predict the targets (n,) best.

    `rows` (n, V) are the log-probabilities by each of K members. Rare classes get the weights for all symbols.
    """
    every = np.arange(len(targets))
    whole = _fitted(rows, targets, every)
    weights = []
    for c in range(CLASSES):
        places = np.flatnonzero(classes == c)
        weights.append(_fitted(rows, targets, places) if len(places) >= MIN_CLASS else whole)
    return np.array(weights)


def _fitted(rows: Sequence[Floats], targets: Ids, places: NDArray[np.intp]) -> Floats:
    """Return K weights with a sum of 1 that predict the targets at some places best."""
    from scipy.optimize import minimize

    K = len(rows)
    parts = [of_member[places] for of_member in rows]
    at_targets = np.array([part[np.arange(len(places)), targets[places]].sum() for part in parts])

    def loss(all_but_first: Floats) -> tuple[float, Floats]:
        """Return the penalized loss and its gradient; the first weight is what is left of 1."""
        weights = np.append(1 - all_but_first.sum(), all_but_first)
        y = sum(weight * part for weight, part in zip(weights, parts, strict=True))
        log_p = log_softmax(y)
        p = np.exp(log_p)
        gradient = np.array([np.vdot(p, part) for part in parts]) - at_targets + 2 * weights
        value = (log_p - y)[:, 0]  # minus the logarithms of the sums
        total = -float(value.sum()) - float(weights @ at_targets) + float(weights @ weights)
        return total / len(places), (gradient[1:] - gradient[0]) / len(places)

    minimum = minimize(loss, np.full(K - 1, 1 / K), jac=True, method="L-BFGS-B")
    return np.append(1 - minimum.x.sum(), minimum.x)


def rows_of(network: InferenceNetwork, ids: Ids) -> Floats:
    """Return the log-probabilities (n, V) that predict each symbol of a text."""
    state = network.zero_state(1)
    blocks = []
    for i in range(0, len(ids), SCORED_AT_ONCE):
        logits = network.logits_before(ids[i : i + SCORED_AT_ONCE, None], state)[:, 0, : network.symbols]
        blocks.append(log_softmax(logits.astype(np.float64)))
    return np.concatenate(blocks)


def members_and_held_out(mixture: Mixture, known: str) -> tuple[list[InferenceNetwork], Ids, Ids]:
    """Return the networks of a mixture's models, of words and of trigrams, the held-out ids and their classes."""
    part = split_held_out(known)
    assert part.held_out is not None
    vocabulary = mixture.vocabulary_
    network, counts = (model._network("score", Use.ONE_TEXT)[0] for model in mixture.models_)
    assert isinstance(counts, CountsNetwork)
    if mixture._words is None:
        of_words = WordCounts.of(ids_of(part.X, vocabulary), vocabulary, MAX_MEMORY)
    else:
        of_words = mixture._words.counts
    trigrams, _ = CharNGram(order=TRIGRAMS, vocabulary=vocabulary).fit(part.X)._network("score", Use.ONE_TEXT)
    ids = source_ids(part.held_out.source, vocabulary)[0].astype(np.int32)
    before = np.full((1, CLASSES - 1), -1, np.int32)
    classes = letters_before(letters_of(vocabulary), ids[:, None], before)[:-1, 0]
    return [network, counts, WordsNetwork(of_words, counts), trigrams], ids, classes


def losses(known: str, unseen: str, seed: int, seconds: float) -> Losses:
    """Return the losses of one seed."""
    mixture = trained(known, seed, seconds)
    members, held_out, classes = members_and_held_out(mixture, known)
    rows = [rows_of(member, held_out) for member in members]
    letters = letters_of(mixture.vocabulary_)
    ids = ids_of(unseen, mixture.vocabulary_).astype(np.int32)

    def of_any_sign(chosen: Sequence[int]) -> tuple[float, Floats]:
        """Return the loss of some members with weights of any sign, and the last member's weights."""
        weights = weights_of_any_sign([rows[k] for k in chosen], held_out, classes)
        mixed = MixedNetwork([members[k] for k in chosen], weights, letters)
        return -float(mixed.log_probabilities(ids[:, None], mixed.zero_state(1)).mean()), weights[:, -1]

    words, _ = of_any_sign([0, 1, 2])
    trigrams, _ = of_any_sign([0, 1, 3])
    words_and_trigrams, weights = of_any_sign([0, 1, 2, 3])
    of_models = [-model.score(unseen) for model in (*mixture.models_, mixture.without_words(), mixture)]
    return Losses(*of_models, words, trigrams, words_and_trigrams, weights)


def row(name: str, n_symbols: int, found: Sequence[Losses]) -> str:
    """Return the row of a text in the table of words, from the losses of each seed."""
    means = [mean(of_seeds) for of_seeds in list(zip(*found, strict=True))[:4]]
    gains = [one.both - one.default for one in found]
    shown = " | ".join(f"{loss:.4f}" for loss in (*means, mean(gains), min(gains)))
    return f"| {name} | {n_symbols:,} | {shown} |"


def row_of_trigrams(name: str, found: Sequence[Losses]) -> str:
    """Return the row of a text in the table of trigrams, from the losses of each seed."""
    gains = np.array([one.both - np.array([one.words, one.trigrams, one.words_and_trigrams]) for one in found])
    shown = " | ".join(f"{gain:.4f}" for gain in (*gains.mean(axis=0), gains[:, 2].min()))
    weights = np.mean([one.weights for one in found], axis=0)
    return f"| {name} | {shown} | {', '.join(f'{weight:.2f}' for weight in weights)} |"


def tables(texts: dict[str, str], n_seeds: int, seconds: float) -> Iterator[str]:
    """Yield the table of words, and then the table of trigrams."""
    yield from HEAD
    rows = []
    for name, text in texts.items():
        known, unseen = split(text)
        found = [losses(known, unseen[:N_SCORED], seed, seconds) for seed in range(n_seeds)]
        yield row(name, len(known), found)
        rows.append(row_of_trigrams(name, found))
    yield from ["", *HEAD_OF_TRIGRAMS, *rows]


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="*", help="UTF-8 files")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=60.0, help="of training at 100 GFLOP/s (default: 60)")
    parser.add_argument("--no-source", action="store_true", help="leave out the standard library")
    options = parser.parse_args()
    texts = read_texts(options.files, source=not options.no_source)
    print("\n".join([*machine(), ""]), flush=True)
    for line in tables(texts, options.seeds, options.seconds):
        print(line, flush=True)


if __name__ == "__main__":
    main()
