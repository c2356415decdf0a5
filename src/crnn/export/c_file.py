"""Export a model as one C99 file that contains the model, samples and scores, and needs only a compiler."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from .._version import __version__
from ..parameters.checks import FilePath, checked_path
from ..parameters.kinds import CELLS
from ..runtime.atomic_file import write_atomically
from ..text.vocabulary import Vocabulary
from .c_parts import c_array, c_codes, c_source
from .classifier_c import classifier_code, classifier_sizes, labeled_counts_code, labeled_network_code
from .counts_c import counts_tables, counts_types
from .detector_c import detector_code, detector_sizes
from .guess_table import Table
from .mixture_c import mixture_code, mixture_state
from .models import (
    Exported,
    ExportedClassifier,
    ExportedCounts,
    ExportedDetector,
    ExportedMixture,
    ExportedNetwork,
    ExportedWords,
)
from .network_c import cell_numbers, network_sizes, network_tables, renamed_for_network
from .weights import NOTICE
from .words_c import words_code, words_tables

COMMON_CODE = ("random_numbers.c", "code_points.c", "symbols.c", "texts.c")  # in c_source
POSITION = "/* The position in a text. To continue a text in two ways, copy the state. */\n"


def export_c(model: Exported, path: FilePath, *, guesses: Table | None = None) -> None:
    """Write a language model as one C99 file; see `crnn.CharRNN.export_c`."""
    name = checked_path("path", path)
    more_code = [c_source("program.c"), *_guess_code(guesses)]
    source = _source_of(model, model.summary, macros={}, declarations="", more_code=more_code)
    write_atomically(name, source)


def export_detector_c(model: ExportedDetector, path: FilePath) -> None:
    """Write a detector as one C99 file; see `crnn.AnomalyDetector.export_c`."""
    name = checked_path("path", path)
    source = _source_of(
        model.model,
        model.summary,
        macros=detector_sizes(model),
        declarations=c_source("detector_declarations.h"),
        more_code=list(detector_code(model)),
    )
    write_atomically(name, source)


def export_classifier_c(model: ExportedClassifier, path: FilePath) -> None:
    """Write a classifier as one C99 file; see `crnn.TextClassifier.export_c`."""
    name = checked_path("path", path)
    networks: list[ExportedNetwork] = []
    counts: list[ExportedCounts] = []
    for readers in model.readers:
        for reader in readers:
            if isinstance(reader.model, ExportedNetwork):
                networks.append(reader.model)
            else:
                counts += reader.model
    parts = [
        f"/* {model.summary}, written by crnn {__version__}. */\n/* {NOTICE} */\n",
        _macros(classifier_sizes(model)),
        c_source("classifier_declarations.h"),
        "#ifndef CRNN_HEADER\n",
        *_network_states(networks),
        c_source("arithmetic.c"),
        c_source("code_points.c"),
        c_source("classifier.c"),
        *_network_code(networks),
        *(labeled_network_code(number) for number in range(1, 1 + len(networks))),
        *_counts_code(counts),
        *([labeled_counts_code(counts)] if counts else []),
        *classifier_code(model),
        "#endif /* CRNN_HEADER */",
    ]
    write_atomically(name, "\n".join(parts).encode("ascii") + b"\n")


def _source_of(
    model: Exported, summary: str, *, macros: dict[str, object], declarations: str, more_code: Sequence[str]
) -> bytes:
    """Return a C file of a language model, with further macros, declarations and code at the end."""
    flat = model.flattened() if isinstance(model, ExportedMixture) else model
    members = flat.members if isinstance(flat, ExportedMixture) else [flat]
    networks = [member for member in members if isinstance(member, ExportedNetwork)]
    counts = [member for member in members if isinstance(member, ExportedCounts)]
    words = [member for member in members if isinstance(member, ExportedWords)]
    parts = [
        f"/* {summary}, written by crnn {__version__}. */\n/* {NOTICE} */\n",
        _macros(_vocabulary_sizes(model.vocabulary) | macros),
        *_network_states(networks),
        c_source("declarations.h").replace("{state}", POSITION + _state_of(flat)) + declarations,
        "#ifndef CRNN_HEADER\n",
        c_codes(model.vocabulary),
        c_source("arithmetic.c"),
        *_network_code(networks),
        *_counts_code(counts),
        *_words_code(words),
        *_model_code(flat),
        *(c_source(part) for part in COMMON_CODE),
        *more_code,
        "#endif /* CRNN_HEADER */",
    ]
    return "\n".join(parts).encode("ascii") + b"\n"


def _state_of(model: Exported) -> str:
    """Return the type of a model's state."""
    if isinstance(model, ExportedMixture):
        return mixture_state(model)
    if isinstance(model, ExportedNetwork):
        return "typedef crnn_net_state crnn_state;\n"
    return f"typedef struct crnn_state {{\n    int32_t contexts[{model.counts.order}];\n}} crnn_state;\n"


def _model_code(model: Exported) -> Iterator[str]:
    """Yield the public functions of a language model that depend on its kind."""
    if isinstance(model, ExportedMixture):
        yield mixture_code(model)
        yield c_source("language_model.c")
    elif isinstance(model, ExportedNetwork):
        yield c_source("network_model.c")
        yield c_source("language_model.c")
    else:
        yield c_source("counts_model.c")


def _macros(values: dict[str, object]) -> str:
    return "".join(f"#define {name} {value}\n" for name, value in values.items())


def _vocabulary_sizes(vocabulary: Vocabulary) -> dict[str, object]:
    """Return the macros that describe the symbols."""
    return {
        "CRNN_CHARACTERS": len(vocabulary.codes),
        "CRNN_SYMBOLS": len(vocabulary),
        "CRNN_UNKNOWN": "(-1)" if vocabulary.unknown is None else vocabulary.unknown,
        "CRNN_BOUNDARY": "(-1)" if vocabulary.boundary is None else vocabulary.boundary,
        "CRNN_BYTES": int(vocabulary.kind == "bytes"),
    }


def _network_states(networks: Sequence[ExportedNetwork]) -> Iterator[str]:
    """Yield the sizes and the states of networks."""
    if not networks:
        return
    yield _macros(cell_numbers())
    yield "#include <stdint.h>\n"
    for number, network in enumerate(networks, 1):
        state = _macros(network_sizes(network)) + "\n" + c_source("network_state.h")
        yield renamed_for_network(number, state)


def _network_code(networks: Sequence[ExportedNetwork]) -> Iterator[str]:
    """Yield the tables and functions of networks."""
    if not networks:
        return
    has_gates = any(CELLS[network.weights.cell].gates > 1 for network in networks)
    yield c_source("activations.c").replace("CRNN_GATES", str(int(has_gates)))
    for number, network in enumerate(networks, 1):
        code = [*network_tables(network), c_source("network.c")]
        yield renamed_for_network(number, "\n".join(code))


def _counts_code(models: Sequence[ExportedCounts]) -> Iterator[str]:
    """Yield the functions and the tables of counts."""
    if not models:
        return
    bits = max(model.counts.bits for model in models)
    yield counts_types(models)
    yield c_source("counts.c")
    for number, model in enumerate(models, 1):
        yield from counts_tables(model, f"crnn_counts_{number}", bits)


def _words_code(models: Sequence[ExportedWords]) -> Iterator[str]:
    """Yield the functions and the tables of counts of words."""
    if not models:
        return
    yield words_code()
    for number, model in enumerate(models, 1):
        yield from words_tables(model.counts, f"crnn_words_{number}")


def _guess_code(guesses: Table | None) -> Iterator[str]:
    """Yield the table and the function of a password meter."""
    if guesses is None:
        return
    yield "#include <math.h>\n"  # for INFINITY
    yield f"enum {{ CRNN_GUESS_SAMPLES = {guesses.shape[1]} }};\n"
    for name, row in zip(("crnn_guess_inverse", "crnn_guess_log10"), guesses, strict=True):
        yield c_array("float", name, map(_c_float, row.tolist()))
    yield c_source("guess_numbers.c")


def _c_float(value: float) -> str:
    """Return a constant of C; a guess number may be infinite."""
    if math.isinf(value):
        return "INFINITY"
    return f"{value:.9g}" if value % 1 else f"{value:.1f}"
