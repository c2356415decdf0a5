"""Write a classifier as C source: its symbols and labels, and the score of each label."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ..errors import InvalidInputError
from ..text.vocabulary import Vocabulary
from .c_parts import c_integers, c_source
from .models import ExportedClassifier, ExportedCounts, ExportedNetwork
from .network_c import renamed_for_network


def classifier_sizes(model: ExportedClassifier) -> dict[str, object]:
    """Return the macros that describe a classifier."""
    kind = model.readers[0][0].vocabulary.kind
    return {"CRNN_LABELS": len(model.labels), "CRNN_BYTES": int(kind == "bytes")}


def labeled_network_code(number: int) -> str:
    """Return the functions that score a text with a label by the network with this number."""
    return renamed_for_network(number, c_source("labeled_network.c"))


def labeled_counts_code(counts: Sequence[ExportedCounts]) -> str:
    """Return the functions that score a text by counts."""
    order = max(part.counts.order for part in counts)
    symbols = max(part.counts.symbols for part in counts)
    return c_source("labeled_counts.c").replace("{order}", str(order)).replace("{symbols}", str(symbols))


def classifier_code(model: ExportedClassifier) -> Iterator[str]:
    """Yield the symbols and the score of a classifier, which follow the functions of its models."""
    vocabularies: list[Vocabulary] = []
    n_networks = 0
    n_counts = 0
    sums = []
    for weight, readers in zip(model.weights.tolist(), model.readers, strict=True):
        for reader in readers:
            if reader.vocabulary not in vocabularies:
                vocabularies.append(reader.vocabulary)
            symbols = f"&crnn_symbols_{1 + vocabularies.index(reader.vocabulary)}"
            if isinstance(reader.model, ExportedNetwork):
                n_networks += 1
                score = renamed_for_network(n_networks, f"crnn_net_score_text(rest, {symbols}, label)")
            else:
                parts = ", ".join(f"&crnn_counts_{n_counts + k}" for k in range(1, 1 + len(reader.model)))
                n_counts += len(reader.model)
                yield f"static const crnn_counts *const crnn_parts_{n_counts}[CRNN_LABELS] = {{{parts}}};\n"
                score = f"crnn_counts_score_text(rest, {symbols}, crnn_parts_{n_counts}[label])"
            sums.append(f"    rest.is_backward = {int(reader.is_backward)};\n")
            sums.append(f"    sum += {(weight / len(readers)).hex()} * {score};\n")
    for number, vocabulary in enumerate(vocabularies, 1):
        yield from _symbols(number, vocabulary)
    labels = ", ".join(_c_string(label) for label in model.labels)
    yield f"static const char *const crnn_labels[CRNN_LABELS] = {{{labels}}};\n"
    priors = ", ".join(map(float.hex, np.log(np.maximum(model.prior, 1e-300)).tolist()))
    yield f"static const double crnn_log_prior[CRNN_LABELS] = {{{priors}}};\n"
    yield (
        "/* The logarithm of a label's probability, up to a constant. */\n"
        "static double crnn_log_score(const char *text, size_t size, int label) {\n"
        "    crnn_rest rest = {text, size, 0};\n"
        "    double sum = crnn_log_prior[label];\n"
        f"{''.join(sums)}    return sum;\n}}\n"
    )
    yield c_source("lines.c")
    yield c_source("classifier_program.c")


def _symbols(number: int, vocabulary: Vocabulary) -> Iterator[str]:
    """Yield the definition of a model's symbols."""
    codes = vocabulary.codes if len(vocabulary.codes) else np.zeros(1, np.uint32)  # C has no array of length 0
    yield c_integers("uint32_t", f"crnn_codes_{number}", codes)
    unknown = -1 if vocabulary.unknown is None else vocabulary.unknown
    boundary = -1 if vocabulary.boundary is None else vocabulary.boundary
    fields = f"crnn_codes_{number}, {len(vocabulary.codes)}, {unknown}, {boundary}"
    yield f"static const crnn_symbols crnn_symbols_{number} = {{{fields}}};\n"


def _c_string(label: Any) -> str:
    """Return a label as a string of C."""
    encoded = str(label).encode("utf-8", "surrogatepass")
    if b"\0" in encoded:
        raise InvalidInputError(f"the label {label!r} has a NUL character, where a text of C ends. Use another label.")
    plain = [chr(byte) if chr(byte).isalnum() and byte < 128 else f"\\{byte:03o}" for byte in encoded]
    return f'"{"".join(plain)}"'
