"""Export a model as one C99 file that contains the model, samples and scores, and needs only a compiler."""

from __future__ import annotations

from collections.abc import Iterator

from .._version import __version__
from ..errors import InvalidInputError
from ..parameters.checks import FilePath, checked_path
from ..runtime.atomic_file import write_atomically
from ..text.vocabulary import Vocabulary
from .c_parts import c_array, c_source
from .counts_c import counts_tables
from .guess_table import Table
from .models import Exported, ExportedCounts, ExportedNetwork
from .network_c import network_sizes, network_tables
from .weights import NOTICE

COMMON_CODE = ("random_numbers.c", "symbols.c", "texts.c", "program.c")  # in c_source


def export_c(model: Exported, path: FilePath, *, guesses: Table | None = None) -> None:
    """Write a language model as one C99 file; see `crnn.CharRNN.export_c`."""
    name = checked_path("path", path)
    sizes: dict[str, object]
    if isinstance(model, ExportedNetwork):
        sizes = network_sizes(model)
        tables = network_tables(model)
        code = "network.c"
    elif isinstance(model, ExportedCounts):
        sizes = {"CRNN_ORDER": model.counts.order}
        tables = counts_tables(model)
        code = "counts.c"
    else:
        raise InvalidInputError("a Mixture cannot be exported to C. Use export_js, or export one of its models.")
    parts = [
        _configuration(model, sizes | vocabulary_sizes(model.vocabulary)),
        c_source("declarations.h"),
        "#ifndef CRNN_HEADER\n",
        *tables,
        *_guess_tables(guesses),
        *(c_source(part) for part in ("arithmetic.c", code, *COMMON_CODE)),
        *([] if guesses is None else [c_source("guess_numbers.c")]),
        "#endif /* CRNN_HEADER */",
    ]
    write_atomically(name, "\n".join(parts).encode("ascii") + b"\n")


def _configuration(model: Exported, macros: dict[str, object]) -> str:
    """Return the head of the file, which describes the model in a comment and in macros."""
    title = f"/* {model.summary}, written by crnn {__version__}. */\n/* {NOTICE} */\n"
    return "".join([title, *(f"#define {name} {value}\n" for name, value in macros.items())])


def vocabulary_sizes(vocabulary: Vocabulary) -> dict[str, object]:
    """Return the macros that describe the symbols."""
    return {
        "CRNN_CHARACTERS": len(vocabulary.codes),
        "CRNN_SYMBOLS": len(vocabulary),
        "CRNN_UNKNOWN": "(-1)" if vocabulary.unknown is None else vocabulary.unknown,
        "CRNN_BOUNDARY": "(-1)" if vocabulary.boundary is None else vocabulary.boundary,
        "CRNN_BYTES": int(vocabulary.kind == "bytes"),
    }


def _guess_tables(guesses: Table | None) -> Iterator[str]:
    """Yield the definitions of a password meter's table."""
    if guesses is not None:
        yield f"enum {{ CRNN_GUESS_SAMPLES = {guesses.shape[1]} }};\n"
        for name, row in zip(("crnn_guess_inverse", "crnn_guess_log10"), guesses, strict=True):
            yield c_array("float", name, [f"{value:.9g}" if value % 1 else f"{value:.1f}" for value in row.tolist()])
