"""The files of the command line: texts, lines scored as they arrive, models; ``-`` is standard input or output."""

from __future__ import annotations

import contextlib
import io
import os
import stat
import sys
import tempfile
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from ..anomaly_detector import AnomalyDetector
from ..char_ngram import CharNGram
from ..char_rnn import CharRNN
from ..errors import InvalidInputError
from ..files.model_file import holds_detector
from ..files.sealed_file import NamedBytes
from ..language_model import LanguageModel
from ..loading import load_model
from ..mixture import Mixture
from ..runtime.atomic_file import check_writable as check_file_writable
from ..scoring.reductions import Reduce
from ..text.decoding import BYTE_ORDER_MARK, decode_lines, split_lines
from ..text.documents import Errors
from ..text.file_reader import DecompressedFile, plain_size
from ..text.lines import Lines
from ..text.sources import IN_MEMORY
from ..text.text_files import TextFile
from ..text_classifier import TextClassifier
from .output import name_output_errors

if TYPE_CHECKING:
    from io import BufferedReader

STANDARD_STREAM = "-"  # standard input or output, instead of a path
LINES_SIZE = 1 << 18  # maximum bytes of lines read at a time
MAX_LINE = 1 << 24  # bytes in a line, which take about ten times as much memory while the line is scored

# ---------------------------------------------------------------- texts


def path_list(paths: str | Sequence[str]) -> list[str]:
    """Return one or more paths as a list."""
    return [paths] if isinstance(paths, str) else list(paths)


def read_text(path: str | Sequence[str], *, as_bytes: bool, cache: str | None = None) -> str | bytes | Path | TextFile:
    """Return the text of one or more files, with the ids cached in the folder `cache`, or of standard input.

    The result is a path or a `TextFile`, not yet read, if the files can be read block by block and more than once.
    """
    paths = path_list(path)
    cache = cache if _are_files(paths) else None
    if len(paths) > 1 or cache is not None or (as_bytes and _are_large(paths)):
        return TextFile(paths, kind="bytes" if as_bytes else "characters", cache=cache)
    path = paths[0]
    if path != STANDARD_STREAM and not as_bytes and stat.S_ISREG(os.stat(path).st_mode):
        return Path(path)
    return whole_text(path, as_bytes=as_bytes)


def whole_text(path: str, *, as_bytes: bool) -> str | bytes:
    """Read a text from a file, or from ``-`` for standard input."""
    with _open_input(path, decompress=not as_bytes) as file:
        data = file.read()
    return data if as_bytes else data.decode("utf-8").removeprefix(BYTE_ORDER_MARK).replace("\r\n", "\n")


def read_documents(
    path: str | Sequence[str], *, as_bytes: bool, cache: str | None = None, errors: Errors = "strict"
) -> list[str] | list[bytes] | Lines:
    """Return the lines of a text as documents for `CharRNN.fit`, without their ends; see `read_text`.

    Several files, and large ones, become `Lines`, which have not been read yet.
    """
    paths = path_list(path)
    cache = cache if _are_files(paths) else None
    if len(paths) > 1 or cache is not None or _are_large(paths):
        return Lines(paths, kind="bytes" if as_bytes else "characters", errors=errors, cache=cache)
    with _open_input(paths[0]) as file:
        data = file.read()
    mark = b"" if as_bytes or not data.startswith(BOM_UTF8) else BOM_UTF8
    data = data.removeprefix(mark)
    lines = split_lines(data)
    if as_bytes:
        return lines
    decoded = decode_lines(lines, errors="replace" if errors == "replace" else "strict")
    documents = [line for line in decoded if line is not None]
    if errors == "strict" and len(documents) < len(decoded):
        (mark + data).decode("utf-8")  # raises an error with the position in the file
    return documents


def read_lines(path: str, *, as_bytes: bool, errors: Errors | None = None) -> Iterator[list[Any]]:
    """Yield the lines of a text, without their ends, in batches, each as soon as it has come through a pipe.

    If there is an error, the lines before it come first. None stands for a skipped line. `errors` is None for a command
    without the option, which is strict.
    """
    name = _shown_name(path)
    with _open_input(path) as file:
        pieces = list[bytes]()  # of an unfinished line
        count = 0  # lines before it
        data = file.read1(LINES_SIZE)
        while data:
            *whole, rest = data.split(b"\n")
            if whole:
                whole[0] = b"".join([*pieces, whole[0]])
                whole = [line.removesuffix(b"\r") for line in whole]
                yield from _decode(whole, count, as_bytes, errors, name)
                pieces = []
                count += len(whole)
            pieces.append(rest)
            if len(pieces) * LINES_SIZE > MAX_LINE and sum(map(len, pieces)) > MAX_LINE:
                raise InvalidInputError(
                    f"line {count + 1} of {name} has more than {MAX_LINE:,} bytes, the most that fit. Break it into "
                    "several."
                )
            data = file.read1(LINES_SIZE)
        if last := b"".join(pieces):
            yield from _decode([last], count, as_bytes, errors, name)


def _decode(lines: list[bytes], first: int, as_bytes: bool, errors: Errors | None, name: str) -> Iterator[list[Any]]:
    """Yield lines of a file in the chosen form; before an error, yield the lines before it."""
    if as_bytes:
        yield lines
        return
    if first == 0:
        lines[0] = lines[0].removeprefix(BOM_UTF8)
    decoded = decode_lines(lines, errors="replace" if errors == "replace" else "strict")
    n_valid = decoded.index(None) if errors in (None, "strict") and None in decoded else len(decoded)
    if n_valid:
        yield decoded[:n_valid]
    if n_valid < len(decoded):
        option = ", pass --errors replace or --errors skip" if errors else ""
        raise InvalidInputError(
            f"line {first + n_valid + 1} of {name} is not UTF-8. Convert the lines{option}, or train a model of bytes"
        )


def line_scores(
    model: LanguageModel, path: str, reduce: Reduce, errors: Errors, mask: Callable[[Any], Any] | None = None
) -> Iterator[NDArray[np.float64]]:
    """Yield the scores of a text's lines in batches. If there is an error, the scores of the lines before it come
    first.
    """
    done = 0
    batch = list[Any]()

    def batches_to_score() -> Iterator[list[Any]]:
        nonlocal batch
        for batch in read_lines(path, as_bytes=model.vocabulary_.kind == "bytes", errors=errors):
            batch = batch if mask is None else [mask(line) for line in batch]
            yield batch  # it is used below

    try:
        for scores in model.score_batches(batches_to_score(), reduce=reduce, errors=errors):
            done += len(scores)
            yield scores
    except InvalidInputError as error:
        if error.index is not None and (preceding := batch[: error.index - done]):
            yield from model.score_batches([preceding], reduce=reduce, errors=errors)
        raise


@contextlib.contextmanager
def _open_input(path: str, *, decompress: bool = True) -> Iterator[DecompressedFile]:
    """Open a file, or standard input for ``-``, which stays open afterwards."""
    with contextlib.nullcontext(_standard_input()) if path == STANDARD_STREAM else open(path, "rb") as file:
        yield DecompressedFile(file, _shown_name(path), decompress=decompress)


def _shown_name(path: str) -> str:
    """Return a file's name in messages."""
    return "standard input" if path == STANDARD_STREAM else path


def _are_files(paths: list[str]) -> bool:
    """Return whether no path is standard input or a pipe."""
    return all(map(os.path.isfile, paths))


def _are_large(paths: list[str]) -> bool:
    """Return whether these files are too large for memory."""
    return _are_files(paths) and sum(map(plain_size, paths)) > IN_MEMORY


# ---------------------------------------------------------------- models


def model_source(path: str) -> str | io.BytesIO:
    """Return an argument for the models' `load` method: a path, or for ``-`` the contents of standard input."""
    if path != STANDARD_STREAM:
        return path
    return NamedBytes(_standard_input().read(), "on standard input")


def load(path: str, label: str | None = None) -> CharRNN | CharNGram | Mixture:
    """Load a language model from a file, or from standard input for ``-``, or with `label` its model of this label.

    A classifier's file is read as its first network with labels, or its first counts.
    """
    return load_source(model_source(path), label)


def load_source(source: str | io.BytesIO, label: str | None = None) -> CharRNN | CharNGram | Mixture:
    """Load a language model from a result of `model_source`, like `load`."""
    model = language_model_of(load_model(source))
    if label is None:
        return model
    labels = {str(each): each for each in model.vocabulary_.labels}
    return model.for_label(labels.get(label, label))


def language_model_of(
    model: CharRNN | CharNGram | Mixture | TextClassifier | AnomalyDetector,
) -> CharRNN | CharNGram | Mixture:
    """Return a model, a detector's model, or a classifier's first network with labels or its first counts."""
    if isinstance(model, AnomalyDetector):
        found: Any = model.estimator_
        return cast("CharRNN | CharNGram | Mixture", found)
    if not isinstance(model, TextClassifier):
        return model
    members = [member for direction in model.models_ for member in direction.values()]
    return next((member for member in members if isinstance(member, CharRNN)), members[0])


def load_whole(
    path: str, label: str | None = None
) -> tuple[CharRNN | CharNGram | Mixture | TextClassifier | AnomalyDetector, str]:
    """Load a model of any kind, and return it with what the file contains, such as "a CharNGram".

    With `label`, the result is the language model of this label.
    """
    source = model_source(path)
    if holds_detector(source) and label is None:
        detector = AnomalyDetector.load(source)
        return detector, f"a detector whose model is a {type(detector.estimator_).__name__}"
    model = load_model(source) if label is None else load_source(source, label)
    return model, f"a {type(model).__name__}"


def require_network(model: CharRNN | CharNGram | Mixture, kind: str, path: str, what: str) -> CharRNN:
    """Return a loaded model, or raise an error that names `what` needs a network unless it is one."""
    if isinstance(model, CharRNN):
        return model
    message = f"{what} needs a network, but {path} contains {kind}."
    if isinstance(model, Mixture):
        raise InvalidInputError(
            f"{message} Save one of its networks with Mixture.load({path!r}).models_[0].save({'network.crnn'!r}), or "
            "train a small network on texts drawn from the mixture."
        )
    raise InvalidInputError(f"{message} Train a network with crnn train FILE -o MODEL.")


def load_and_name(path: str, label: str | None = None) -> tuple[CharRNN | CharNGram | Mixture, str]:
    """Load a language model like `load`, and return it with what the file contains, such as "a CharNGram"."""
    found, kind = load_whole(path, label)
    return language_model_of(found), kind


def _standard_input() -> BufferedReader:
    if sys.stdin is None:
        raise OSError("standard input is closed. Name a file instead of -.")
    return cast("BufferedReader", sys.stdin.buffer)


def check_writable(path: str) -> None:
    """Raise an OSError now if writing after training would fail."""
    if path == STANDARD_STREAM:
        if sys.stdout is None:
            raise OSError("standard output is closed. Redirect it to a file or a program.")
        return
    check_file_writable(path)


def save(model: CharRNN | CharNGram | Mixture | AnomalyDetector, path: str) -> tuple[str, OSError | None]:
    """Save a trained model; if that fails, save it in the folder for temporary files.

    Return where the model was saved, and the error that prevented saving it at `path`, if any.
    """
    try:
        if path == STANDARD_STREAM:
            with name_output_errors():
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
