"""The files of the command line: texts, models, and ``-`` for standard input and output."""

from __future__ import annotations

import contextlib
import io
import os
import stat
import sys
import tempfile
from codecs import BOM_UTF8
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from ..anomaly_detector import AnomalyDetector
from ..char_ngram import CharNGram
from ..char_rnn import CharRNN
from ..errors import InvalidInputError
from ..files.sealed_file import NamedBytes
from ..loading import load_model
from ..mixture import Mixture
from ..runtime.atomic_file import check_writable as check_file_writable
from ..text.documents import Errors
from ..text.file_reader import MARK, Decompressed, decoded_lines, plain_size
from ..text.sources import IN_MEMORY
from ..text.text_files import Lines, TextFile
from ..text.vocabulary import Kind
from ..text_classifier import TextClassifier
from .output import named

if TYPE_CHECKING:
    from io import BufferedReader

STANDARD = "-"  # standard input or output, instead of a path


def one_or_more(paths: str | Sequence[str]) -> list[str]:
    """Return one or more paths as a list.

    Examples
    --------
    >>> one_or_more("book.txt")
    ['book.txt']
    """
    return [paths] if isinstance(paths, str) else list(paths)


def read_text(path: str | Sequence[str], *, as_bytes: bool, cache: str | None = None) -> str | bytes | Path | TextFile:
    """Return a text, from a file, from ``-`` for standard input, or from several files that form one text.

    The result is a path or a `TextFile`, not yet read, if the files can be read block by block and more than once.
    `cache` is the folder for a cache of the ids.
    """
    paths = one_or_more(path)
    cached = _is_cached(paths, cache)
    if len(paths) > 1 or cached or (as_bytes and _is_large(paths)):
        return TextFile(paths, kind="bytes" if as_bytes else "characters", cache=cache if cached else None)
    path = paths[0]
    if path != STANDARD and not as_bytes and stat.S_ISREG(os.stat(path).st_mode):
        return Path(path)
    return whole_text(path, as_bytes=as_bytes)


def whole_text(path: str, *, as_bytes: bool) -> str | bytes:
    """Read a text from a file, or from ``-`` for standard input."""
    data = _contents(path, decompress=not as_bytes)
    return data if as_bytes else data.decode("utf-8").removeprefix(MARK).replace("\r\n", "\n")


def read_documents(
    path: str | Sequence[str], *, as_bytes: bool, cache: str | None = None, errors: Errors = "strict"
) -> list[str] | list[bytes] | Lines:
    """Return the lines of a text as documents for `CharRNN.fit`, without their ends; see `read_text`.

    Several files, and large ones, become `Lines`, which have not been read yet.
    """
    paths = one_or_more(path)
    cached = _is_cached(paths, cache)
    if len(paths) > 1 or cached or _is_large(paths):
        kind: Kind = "bytes" if as_bytes else "characters"
        return Lines(paths, kind=kind, errors=errors, cache=cache if cached else None)
    data = _contents(paths[0])
    mark = b"" if as_bytes or not data.startswith(BOM_UTF8) else BOM_UTF8
    data = data.removeprefix(mark)
    lines = [line.removesuffix(b"\r") for line in data.removesuffix(b"\n").split(b"\n")] if data else []
    if as_bytes:
        return lines
    decoded = decoded_lines(lines, errors="replace" if errors == "replace" else "strict")
    kept = [line for line in decoded if line is not None]
    if errors == "strict" and len(kept) < len(decoded):
        (mark + data).decode("utf-8")  # raises an error with the position in the file
    return kept


@contextlib.contextmanager
def opened(path: str) -> Iterator[BinaryIO]:
    """Open a file, or standard input for ``-``, which stays open afterwards."""
    with contextlib.nullcontext(_standard_input()) if path == STANDARD else open(path, "rb") as file:
        yield file


def _contents(path: str, *, decompress: bool = True) -> bytes:
    with opened(path) as file:
        return Decompressed(file, "standard input" if path == STANDARD else path, decompress=decompress).read()


def _is_cached(paths: list[str], cache: str | None) -> bool:
    """Return whether the ids of these files are cached in a folder; not for standard input or a pipe."""
    return cache is not None and all(map(os.path.isfile, paths))


def _is_large(paths: list[str]) -> bool:
    """Return whether these files are too large for memory."""
    return all(map(os.path.isfile, paths)) and sum(map(plain_size, paths)) > IN_MEMORY


def model_source(path: str) -> str | io.BytesIO:
    """Return an argument for the models' `load` method: a path, or for ``-`` the contents of standard input."""
    if path != STANDARD:
        return path
    return NamedBytes(_standard_input().read(), "on standard input")


def load(path: str, label: str | None = None) -> CharRNN | CharNGram | Mixture:
    """Load a language model from a file, or from standard input for ``-``.

    A classifier's file is read as its first network with labels, or its first counts. With `label`, return the model of
    the texts with this label.
    """
    return loaded(model_source(path), label)


def loaded(source: str | io.BytesIO, label: str | None = None) -> CharRNN | CharNGram | Mixture:
    """Load a language model from a result of `model_source`, like `load`."""
    loaded = load_model(source)
    if isinstance(loaded, TextClassifier):
        models = [model for of_each in loaded.models_ for model in of_each.values()]
        model: CharRNN | CharNGram | Mixture = next((m for m in models if isinstance(m, CharRNN)), models[0])
    else:
        model = loaded
    if label is None:
        return model
    as_text = {str(known): known for known in model.vocabulary_.labels}
    return model.for_label(as_text.get(label, label))


def load_network(path: str, what: str, label: str | None = None) -> CharRNN:
    """Load a network like `load`; for any other model, raise an error that names `what` needs a network."""
    model = load(path, label)
    if isinstance(model, Mixture):
        raise InvalidInputError(
            f"{what} needs a network, but {path} contains a Mixture. Save one of its models with "
            f"Mixture.load({path!r}).models[0].save({'network.crnn'!r})."
        )
    if not isinstance(model, CharRNN):
        raise InvalidInputError(f"{what} needs a network, but {path} contains a {type(model).__name__}")
    return model


def _standard_input() -> BufferedReader:
    if sys.stdin is None:
        raise OSError("standard input is closed. Name a file instead of -.")
    return cast("BufferedReader", sys.stdin.buffer)


def check_writable(path: str) -> None:
    """Raise an OSError now if writing after training would fail."""
    if path == STANDARD:
        if sys.stdout is None:
            raise OSError("standard output is closed. Redirect it to a file or a program.")
        return
    check_file_writable(path)


def save(model: CharRNN | CharNGram | Mixture | AnomalyDetector, path: str) -> tuple[str, OSError | None]:
    """Save a trained model; if that fails, save it in the folder for temporary files.

    Return where the model was saved, and the error that prevented saving it at `path`, if any.
    """
    try:
        if path == STANDARD:
            with named():
                model.save(sys.stdout.buffer)
                sys.stdout.buffer.flush()
        else:
            model.save(path)
        return path, None
    except OSError as error:
        handle, spare = tempfile.mkstemp(prefix="crnn-", suffix=".crnn")
        os.close(handle)
        try:
            model.save(spare)
        except OSError:
            os.unlink(spare)
            raise error from None
        return spare, error
