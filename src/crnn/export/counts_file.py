"""Export counts as one C99 file or one JavaScript module, from the arrays of `crnn.ngram.frozen`."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._version import __version__
from ..errors import InvalidInputError
from ..files.ngram_file import CountedText
from ..inference.controls import root
from ..inference.guess_numbers import MAX_LENGTH, GuessTable, sampled_log_likelihoods
from ..ngram.counts_network import CountsNetwork
from ..ngram.frozen import FrozenCounts, FrozenTrie, decoded
from ..ngram.pruning import frozen_whole
from ..parameters.checks import FilePath, checked_bool, checked_int, checked_path
from ..runtime.atomic_file import write_atomically
from ..text.vocabulary import Vocabulary
from .c_file import c_array, c_source
from .page import assets, embedded_json, opening
from .weights import NOTICE, vocabulary_data

C_CODE = ("arithmetic.c", "counts.c", "random_numbers.c", "symbols.c", "texts.c", "program.c")
MODULE = ("counts.js", "counts_module.js", "random.js", "sampling.js", "symbols.js", "module.js")
BYTES = ("extended", "sizes", "symbols", "escapes", "shares")  # in the order of a module's data
RANK_BITS = 64  # entries between two sums of `crnn_rank`


Table = NDArray[np.float32]  # of a password meter, see `guess_table`


def guess_table(counts: FrozenCounts, n_samples: int, random_state: Any) -> Table | None:
    """Return -log P of drawn documents, ascending, and log10 of the guesses for less probable ones, (2, n).

    None without samples.
    """
    n_samples, bits = checked_int("guess_samples", n_samples, 0), root(random_state)
    if n_samples == 0:
        return None
    if counts.boundary is None or n_samples < 2:
        raise InvalidInputError(
            f"guess_samples is {n_samples}, but must be 0 or at least 2, and the model one of documents. "
            "Fit it on a list."
        )
    network = CountsNetwork(counts)
    drawn = sampled_log_likelihoods(network, n_samples, end=counts.boundary, length=MAX_LENGTH, bits=bits, n_threads=1)
    table = GuessTable.of(drawn)
    return np.array([table.inverse, np.log10(1 + table.mean[1:])], np.float32)


def export_c(
    learned: CountedText, path: FilePath, *, int8: bool, guess_samples: int = 0, random_state: Any = None
) -> None:
    """Write counts as one C99 file; see `crnn.CharNGram.export_c`."""
    name = checked_path("path", path)
    counts = _frozen(learned, int8)
    guesses = guess_table(counts, guess_samples, random_state)
    trie = decoded(counts.arrays, counts.symbols, counts.boundary)
    parts = [
        _configuration(counts, learned.vocabulary),
        c_source("declarations.h"),
        "#ifndef CRNN_HEADER\n",
        *_tables(counts, trie, learned.vocabulary),
        *_guess_tables(guesses),
        *(c_source(part) for part in C_CODE),
        *([] if guesses is None else [c_source("guess_numbers.c")]),
        "#endif /* CRNN_HEADER */",
    ]
    write_atomically(name, "\n".join(parts).encode("ascii") + b"\n")


def export_js(
    learned: CountedText, path: FilePath, *, int8: bool, guess_samples: int = 0, random_state: Any = None
) -> None:
    """Write counts as a JavaScript module; see `crnn.CharNGram.export_js`."""
    name = checked_path("path", path)
    counts = _frozen(learned, int8)
    guesses = guess_table(counts, guess_samples, random_state)
    stored = [np.ascontiguousarray(counts.arrays[part]).view(np.uint8) for part in BYTES]
    vocabulary = learned.vocabulary
    data = {
        "model": {
            "kind": "counts",
            "lengths": counts.n_grams,
            "symbols": counts.symbols,
            "bits": counts.bits,
            "bytes": [len(part) for part in stored],
            "scales": counts.arrays["scales"].tolist(),
            "boundary": vocabulary.boundary,
            "unknown": vocabulary.unknown,
        },
        "opening": opening(vocabulary),
        "vocabulary": vocabulary_data(vocabulary),
    }
    encoded = base64.b64encode(np.concatenate(stored).tobytes()).decode("ascii")
    parts = [
        f"// {_summary(counts)}, written by crnn {__version__}.\n// {NOTICE}",
        f"const DATA = {embedded_json(data)};",
        f'const WEIGHTS = "{encoded}";',
        assets(__package__, MODULE),
        *([] if guesses is None else [_guess_module(guesses)]),
    ]
    write_atomically(name, "\n".join(parts).encode("utf-8") + b"\n")


def _frozen(learned: CountedText, int8: bool) -> FrozenCounts:
    """Return the counts to export, with numbers of 8 bits if wanted; counts that are not frozen keep all n-grams."""
    counts = frozen_whole(learned.counts)
    if learned.vocabulary.unknown is not None and counts.symbols == 1 + (learned.vocabulary.boundary is not None):
        raise InvalidInputError("the model has no known character to write. Fit it on texts with other characters.")
    return counts.quantized() if checked_bool("int8", int8) else counts


def _guess_module(guesses: Table) -> str:
    encoded = base64.b64encode(guesses.astype("<f4").tobytes()).decode("ascii")
    return f'const GUESSES = "{encoded}";\n{assets(__package__, ["guess_numbers.js"])}'


def _guess_tables(guesses: Table | None) -> Iterator[str]:
    """Yield the definitions of a password meter's table."""
    if guesses is not None:
        yield f"enum {{ CRNN_GUESS_SAMPLES = {guesses.shape[1]} }};\n"
        for name, row in zip(("crnn_guess_inverse", "crnn_guess_log10"), guesses, strict=True):
            yield c_array("float", name, [f"{value:.9g}" if value % 1 else f"{value:.1f}" for value in row.tolist()])


def _summary(counts: FrozenCounts) -> str:
    return f"Counts of {sum(counts.n_grams):,} n-grams of up to {counts.order} of {counts.symbols} symbols"


def _configuration(counts: FrozenCounts, vocabulary: Vocabulary) -> str:
    """Return the head of the file, which describes the model in a comment and in macros."""
    numbers = {
        "CRNN_ORDER": counts.order,
        "CRNN_CHARACTERS": len(vocabulary.codes),
        "CRNN_SYMBOLS": counts.symbols,
        "CRNN_UNKNOWN": "(-1)" if vocabulary.unknown is None else vocabulary.unknown,
        "CRNN_BOUNDARY": "(-1)" if vocabulary.boundary is None else vocabulary.boundary,
        "CRNN_BYTES": int(vocabulary.kind == "bytes"),
    }
    title = f"/* {_summary(counts)}, written by crnn {__version__}. */\n/* {NOTICE} */\n"
    return "".join([title, *(f"#define {name} {value}\n" for name, value in numbers.items())])


def _tables(counts: FrozenCounts, trie: FrozenTrie, vocabulary: Vocabulary) -> Iterator[str]:
    """Yield the definitions of the symbols, the contexts and their numbers."""
    arrays, sizes = counts.arrays, trie.sizes
    codes = vocabulary.codes if len(vocabulary.codes) else np.zeros(1, np.uint32)  # C has no array of length 0
    yield "typedef uint32_t crnn_number; /* a code point */\n"
    yield "/* Code points or byte values, in id order. */\n"
    yield c_array("crnn_number", "crnn_codes", list(map(str, codes.tolist())))
    yield _integers("uint32_t", "crnn_first", trie.firsts)
    symbol_bits = 8 if counts.symbols <= 256 else 16 if counts.symbols <= 65536 else 32
    yield _integers(f"uint{symbol_bits}_t", "crnn_symbols", trie.symbols)
    shorter = sum(trie.lengths[:-1])
    yield f"static const uint32_t crnn_shorter = {shorter}; /* entries of n-grams below the order */\n"
    flags = np.zeros(RANK_BITS * (shorter // RANK_BITS + 1), np.bool_)
    flags[:shorter] = trie.children[:shorter] > 0
    sums = np.append(0, np.cumsum(flags.reshape(-1, RANK_BITS).sum(axis=1)))
    yield _integers("uint8_t", "crnn_extended", np.packbits(flags, bitorder="little"))
    yield _integers("uint32_t", "crnn_rank", sums)
    escapes, shares = np.zeros(len(sizes), np.int64), np.zeros(len(trie.symbols), np.int64)
    escapes[sizes < counts.symbols] = arrays["escapes"]
    shares[np.repeat(sizes, sizes) > 1] = arrays["shares"]
    yield _integers(f"uint{counts.bits}_t", "crnn_escapes", escapes)
    yield _integers(f"uint{counts.bits}_t", "crnn_shares", shares)
    escape_low, escape_step, share_low, share_step = arrays["scales"].tolist()
    for name, low, step in (("odds", escape_low, escape_step), ("share", share_low, share_step)):
        yield _doubles(f"crnn_{name}_high", np.exp(low + 256 * step * np.arange(256 if counts.bits == 16 else 1)))
        yield _doubles(f"crnn_{name}_low", np.exp(step * np.arange(256)))


def _integers(kind: str, name: str, numbers: NDArray[np.integer]) -> str:
    return c_array(kind, name, list(map(str, numbers.tolist())))


def _doubles(name: str, numbers: NDArray[np.float64]) -> str:
    padded = np.append(numbers, np.zeros(256 - len(numbers)))
    return c_array("double", name, [value.hex() for value in padded.tolist()])
