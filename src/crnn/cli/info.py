"""The command ``crnn info``: describe a model file, or this build of crnn."""

from __future__ import annotations

import argparse
import math
import os

from ..char_rnn import CharRNN
from ..model.layout import described
from ..runtime import build_info
from ..text.symbols.special import Special
from .arguments import MODEL_HELP
from .files import model_source
from .output import table

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("model", metavar="MODEL", nargs="?", help=MODEL_HELP)
    parser.add_argument(
        "--build", action="store_true", help="instead of a model: instruction set, BLAS, versions, processor"
    )


def run(arguments: argparse.Namespace) -> int:
    """Print the description; return the exit code."""
    if arguments.build == (arguments.model is not None):
        arguments.parser.error("give either MODEL or --build")
    if arguments.build:
        build_info.show_config()
        return 0
    from ..files import model_file

    source = model_source(arguments.model)
    file = model_file.read(source)
    if isinstance(source, str):
        size = os.path.getsize(source)
    else:
        size = source.tell()
        source.seek(0)
    model = CharRNN.load(source)
    cell = file.architecture
    sizes = cell.num_layers, cell.hidden_size, cell.embedding_size, cell.n_bigrams
    symbols = model.vocabulary_
    shown = repr(symbols.decode(range(len(symbols.codes))))
    loss = model.smooth_loss_ / model.seq_length
    steps = f"{model.n_steps_:,} steps of {model.batch_size} x {model.seq_length} {symbols.kind}"
    trained = file.training is not None
    table({
        "file": f"{arguments.model}, {size:,} bytes",
        "architecture": described(cell.cell, *sizes, cell.dtype),
        "weights": f"{sum(array.size for array in model.params_.values()):,}",
        "vocabulary": f"{len(symbols.codes)} {symbols.kind}: {shown if len(shown) < 80 else shown[:76] + ' ...'}",
        "other symbols": ", ".join(x.value for x in symbols if isinstance(x, Special)) or "none",
        "trained": steps if trained else "not known: the file holds the weights alone",
        "loss": f"{loss:.4f} nats, {loss / math.log(2):.4f} bits per symbol (smoothed)" if trained else "not known",
        "can go on": "yes: crnn train FILE --from MODEL -o MODEL" if trained else "only with a new optimizer state",
        "parameters": ", ".join(f"{name}={value!r}" for name, value in model.get_params().items()),
    })  # fmt: skip
    return 0
