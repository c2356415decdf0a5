"""Loading: a model of any kind from its file."""

from __future__ import annotations

from typing import BinaryIO

from .char_ngram import CharNGram
from .char_rnn import CharRNN
from .files.sealed_file import file_kind
from .mixture import Mixture
from .parameters.checks import FilePath
from .text_classifier import TextClassifier

CLASSES: dict[str, type[CharRNN | TextClassifier | CharNGram | Mixture]] = {
    "network": CharRNN,
    "classifier": TextClassifier,
    "ngram": CharNGram,
    "mixture": Mixture,
}  # by the kinds of files


def load_model(path: FilePath | BinaryIO) -> CharRNN | TextClassifier | CharNGram | Mixture:
    """Read a model of any kind from a file.

    From a detector's file it reads the detector's model; `AnomalyDetector.load` reads the whole detector. Errors are as
    for `CharRNN.load`.

    Parameters
    ----------
    path : str, bytes, os.PathLike or binary file
        A file written by a model's `save` method; a binary file must support seeking.

    Examples
    --------
    >>> import tempfile
    >>> from crnn import CharNGram, load_model
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     CharNGram(order=3).fit("abc" * 5).save(f"{folder}/abc.crnn")
    ...     load_model(f"{folder}/abc.crnn")
    CharNGram(order=3)
    """
    return CLASSES[file_kind(path)].load(path)
