"""Call all public callables with invalid arguments: each must return, or raise a documented error and change no model.

Public classes and functions, and methods of the classes and of the objects that models return, are discovered.
"""

import copy
import importlib
import inspect
import os
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from itertools import islice

import numpy as np
from nasty_values import NASTY, RudeError
from trials import time_limit

import crnn
import crnn.plot
import crnn.report
from crnn import AnomalyDetector, CharNGram, CharRNN, DivergenceError, Lines, Mixture, TextClassifier, TextFile
from crnn.estimator import Estimator

TEXT = "to be or not to be, that is the question. " * 5
DOCUMENTS = ["anna", "bob", "eve", "ab", "b", ""]
LONGEST = 0.15  # seconds of a call: some are right to take long, and are interrupted
STUCK = 10.0  # seconds of processor time after which a call counts as one that cannot be interrupted
DOCUMENTED = (ValueError, OSError, DivergenceError, ImportError, KeyboardInterrupt, RudeError)
SMALL = {"hidden_size": 3, "seq_length": 5, "max_steps": 3, "random_state": 0, "n_threads": 1}

# What a parameter without a default gets when another one is tried.
USUAL = {
    "X": DOCUMENTS, "texts": DOCUMENTS, "prefixes": DOCUMENTS, "batches": [DOCUMENTS],
    "y": [0, 1] * 3, "labels": None, "text": "ab", "prime": "a", "length": 3, "n_documents": 3, "n_samples": 3,
    "path": "file", "paths": ["text"],
    "seconds": 0.02, "label": "a", "content": b"", "what": "score", "ids": [0, 1], "data": b"ab",
    "validation": DOCUMENTS, "blocks": ["ab"], "codes": [97], "properties": {"a": [1.0, 2.0]}, "k": 1,
    "matching": "[ab].*", "gaps": "_", "typos": 0.05, "case": True, "spaces": True, "pieces": ["ab", "b"],
    "sample_weight": [1] * 6, "state_dict": {}, "vocabulary": "ab", "max_steps": 3, "step": 1, "last_loss": 1.0,
}  # fmt: skip

OPTIONAL = ["matching", "gaps", "typos", "case", "spaces"]  # are given half of the time

# Methods that only the library calls, with what it has checked.
INTERNAL = {
    "after", "check_kind", "encode_blocks", "from_blocks", "ids_of_codes", "of_codes", "unknown_symbol", "with_labels",
}  # fmt: skip

_made = {}


def public_classes():
    """Return the public classes but for exceptions, which take anything."""
    things = [getattr(crnn, name) for name in crnn.__all__]
    return [thing for thing in things if inspect.isclass(thing) and not issubclass(thing, Exception)]


def estimators():
    """Return fitted and unfitted models of every public class; classes not listed here are fitted first."""
    text, documents = CharRNN(**SMALL).fit(TEXT), CharRNN(**SMALL, cell="lstm", min_count=2).fit(DOCUMENTS * 3)
    found = [text, documents, documents.quantize(), CharRNN(**SMALL).fit(TEXT.encode()), CharRNN(**SMALL)]
    found += [CharRNN(**SMALL, cell="gru").fit(DOCUMENTS, y=["a", "b"] * 3)]
    found += [CharNGram(4).fit(DOCUMENTS * 3), CharNGram(3).fit(TEXT), CharNGram(min_count=2).fit(b"abab"), CharNGram()]
    found += [Mixture.from_fitted([CharRNN(**SMALL).fit(DOCUMENTS * 3), found[6]])]
    found += [TextClassifier(CharRNN(**SMALL)).fit(DOCUMENTS, [0, 1] * 3), TextClassifier()]
    lines = [f"{name} {i}" for i in range(99) for name in DOCUMENTS]
    found += [AnomalyDetector(CharRNN(**SMALL, min_count=2), contamination=0.1).fit(lines), AnomalyDetector()]
    classes = {cls for cls in public_classes() if issubclass(cls, Estimator)} - {type(model) for model in found}
    return found + [cls(CharRNN(**SMALL)).fit(lines) for cls in sorted(classes, key=str)]


def methods_of(thing):
    """Return the names of the public methods of an object; those that have no arguments are tried by other tests."""
    names = [name for name in dir(type(thing)) if not name.startswith("_")]
    functions = {name: value for name in names if inspect.isroutine(value := getattr(thing, name, None))}
    own = [name for name, value in functions.items() if value.__module__.startswith("crnn.") and name not in INTERNAL]
    return [name for name in own if inspect.signature(functions[name]).parameters]


def calls(folder):
    """Return the public callables, each as an object and the name of a method of it, or None for the object itself."""
    if not _made:
        for extra in ("matplotlib.pyplot", "onnx"):
            with suppress(ImportError):
                importlib.import_module(extra)  # now: an interrupted import would leave half of it
        os.chdir(folder)
        (folder / "text").write_text(TEXT)
        (folder / "lines").write_text("\n".join(DOCUMENTS))
        found = estimators()
        _made["models"] = found[:2]
        adaptive = next(model for model in found if isinstance(model, Mixture)).start(adapt=True)
        states = [found[0].start("a"), found[1].start(), adaptive, found[1].start_many(["a", "b"])]
        objects = [*found, *states, found[1].vocabulary_, Lines("lines"), TextFile("text")]
        functions = [getattr(crnn.plot, name) for name in crnn.plot.__all__ if name.islower()]
        functions += [crnn.load_model, crnn.report.write_report, *public_classes() * 3]
        _made["calls"] = [(thing, name) for thing in objects for name in methods_of(thing)]
        _made["calls"] += [(function, None) for function in functions] * 4
    return _made["calls"]


def usual(rng, name):
    """Return what a parameter might rightly get."""
    if name in ("model", "models"):
        return _made["models"][rng.integers(2)]
    if name in ("X", "text", "validation") and rng.integers(2):
        return TEXT
    return copy.copy(USUAL[name]) if name in USUAL else NASTY[rng.integers(len(NASTY))]()


def arguments(rng, function):
    """Return arguments by name, one or two of them nasty, and a description of these."""
    parameters = inspect.signature(function).parameters.values()
    names = [p.name for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    given = {p.name: usual(rng, p.name) for p in parameters if p.name in names and p.default is p.empty}
    chosen = [name for name in OPTIONAL if name in names and rng.integers(2)]
    given |= {name: usual(rng, name) for name in chosen}
    if any(p.kind is p.VAR_KEYWORD for p in parameters):  # parameters of a model
        names += list(CharRNN._defaults())
    shown = {}
    for _ in range(int(rng.integers(1, 3)) if names else 0):
        name, i = names[rng.integers(len(names))], rng.integers(len(NASTY))
        given[name] = NASTY[i]()
        shown[name] = f"NASTY[{i}]: {given[name]!r:.60}"
    return given, shown


def used(function, given):
    """Call a function and use what it returns; what takes long is interrupted."""
    try:
        with time_limit(LONGEST):
            result = function(**given)
            if isinstance(result, Iterator):
                list(islice(result, 3))
            elif isinstance(function, type) and isinstance(result, Estimator):
                repr(result), result._repr_html_()
                result.fit(*([DOCUMENTS, [0, 1] * 3] if isinstance(result, TextClassifier) else [TEXT]))
            elif isinstance(result, AbstractContextManager):
                with result:
                    pass
    finally:
        if "matplotlib.pyplot" in sys.modules:
            sys.modules["matplotlib.pyplot"].close("all")


def learned(thing):
    """Return what an error must leave as it was."""
    if not isinstance(thing, CharRNN) or not thing.__sklearn_is_fitted__():
        return None
    return {name: array.tobytes() for name, array in thing.params_.items()}, thing.n_steps_, list(thing.vocabulary_)


def case(i, folder):
    """Try one call."""
    rng = np.random.default_rng([13, i])
    found = calls(folder)
    thing, name = found[rng.integers(len(found))]
    thing = thing if name is None else copy.deepcopy(thing)
    function = thing if name is None else getattr(thing, name)
    given, shown = arguments(rng, function)
    called = getattr(thing, "__name__", type(thing).__name__) + ("" if name is None else f".{name}")
    label = f"{called}({shown}), given {list(given)},"
    before, start = learned(thing), time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        try:
            used(function, given)
        except DOCUMENTED as error:
            if isinstance(error, ValueError) and not str(error).strip():
                return f"{label} raised {type(error).__name__} without a message"
            if isinstance(error, ValueError) and learned(thing) != before:
                return f"{label} changed the model before it raised {error}"
        except BaseException as error:
            return f"{label} raised {type(error).__name__}: {error}"
    return f"{label} took {time.process_time() - start:.0f} s" if time.process_time() - start > STUCK else None
