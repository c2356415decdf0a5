"""Every parameter of every public callable: invalid values are refused by the parameter's name, and nothing changes."""

import contextlib
import inspect
import io
import math
import os
import re
from contextlib import AbstractContextManager, nullcontext
from functools import cache

import numpy as np
import pytest
from examples import saved
from texts import NAMES, TEXT

import crnn
from crnn import (
    AnomalyDetector,
    CharNGram,
    CharRNN,
    InvalidInputError,
    Lines,
    Mixture,
    NotFittedError,
    TextClassifier,
    TextFile,
    load_model,
    plot,
)
from crnn.errors import short_repr
from crnn.report import write_report
from crnn.text_states.text_state import TextState
from crnn.text_states.text_states import TextStates

SMALL = {"hidden_size": 3, "seq_length": 5, "max_steps": 3, "random_state": 0, "n_threads": 1, "validation_fraction": 0}


OF_ITSELF = []
OF_ITSELF.append(OF_ITSELF)  # NumPy follows it until the process crashes

THINGS = [object(), len, np, 1j]
NOT_INTEGERS = [*THINGS, {}, True, np.True_, 2.0, np.float64(3), math.nan, math.inf, "2", b"2", [2], np.array([2, 3])]
NOT_REALS = [*THINGS, {}, True, np.False_, math.nan, math.inf, -math.inf, np.float32("nan"), "0.1", [0.1], 10**400]
NOT_BOOLS = [*THINGS, {}, None, 0, 1, 2.0, "yes", np.array([True])]
NOT_CHOICES = [*THINGS, {}, None, "", "magic", "SUM", 3, ["sum"], b"sum"]
NOT_PATHS = [*THINGS, {}, None, 7, "a\0b", b"a\0b", "\ud800", io.StringIO()]
NOT_TEXTS = [*THINGS, None, 3, b"ab", np.array("ab"), np.array([["a"]])]
NOT_LISTS = [*THINGS, {"ab": 1}, None, 3, "ab", b"ab", np.array(3), [None], ["ab", 3], ["ab", b"b"], np.ones(2)]
NOT_SOURCES = [*THINGS, {}, {"a"}, None, 3, np.array(3), [None], ["ab", 3], ["ab", b"b"], io.StringIO("ab"), np.ones(2)]
NOT_SEEDS = [*THINGS, {}, -1, 1.5, math.nan, "0", True, [1, 2], np.array(1), OF_ITSELF]
NOT_WEIGHTS = [*THINGS, 3, "ab", [1] * 5, [[1]] * 6, [-1] * 6, [math.nan] * 6, [1e31] * 6, ["1"] * 6, [10**400] * 6,
               np.ma.array([1.0] * 6, mask=[1, 0, 0, 0, 0, 1])]  # fmt: skip
NOT_TIMES = [*NOT_WEIGHTS, [0] * 6, [0.5] * 6, [2.0**31] * 6, [1e30] * 6, [5e-324] * 6]
NOT_AXES = [*THINGS, {}, 3, "ax", np.zeros(2)]
NOT_MODELS = [*THINGS, {}, None, "model", 3, [], CharRNN]


def integers(minimum, *, none=False):
    """Return invalid values of a whole number of at least `minimum`."""
    return [*NOT_INTEGERS, minimum - 1, np.int64(minimum - 1), -(10**30), *[None] * (not none)]


def reals(*beyond, none=False):
    """Return invalid values of a real number: values of other types, -0.5, and what is out of its bounds."""
    return [*NOT_REALS, -0.5, *beyond, *[None] * (not none)]


# The invalid values of each parameter, wherever it occurs. No values: the parameter is ignored, as scikit-learn asks,
# or takes anything.
INVALID = {
    "X": NOT_SOURCES,
    "text": NOT_TEXTS,
    "frame": [*THINGS, {}, {"a": [1]}, {"a": ["b"], "c": []}, None, 3, "ab", ["ab"]],
    "columns": (),
    "prefixes": NOT_LISTS,
    "batches": [*THINGS, None, 3],
    "validation": [("a", "b", "c"), (), *(value for value in NOT_SOURCES if value is not None)],
    "y": (),
    "input_features": (),
    "deep": (),
    # labels and weights
    "sample_weight": NOT_WEIGHTS,
    "weights": [*THINGS, 3, "ab", [1], [[1], [2]], [-1, 1], [math.nan, 1], [1e31, 1], ["1", "2"]],
    "words": [*THINGS, None, 3, "yes", ["auto"]],
    "label": [*THINGS, 3, "z", ["a"]],
    # files
    "path": NOT_PATHS,
    "keep_texts": NOT_BOOLS,
    "paths": [value for value in NOT_PATHS if value not in ({}, None)],
    "checkpoint": [value for value in NOT_PATHS if value is not None],
    "cache": [value for value in NOT_PATHS if value is not None],
    "content": [*THINGS, {}, None, "ab", 3, [1, 2]],
    "kind": NOT_CHOICES,
    "transform": [{}, "upper", 3],
    # sampling
    "prime": [*THINGS, None, 3, b"ab", ["ab"], np.array("ab"), "a\U0010ffff", "a\0", "a\ud800", "a" * 70_000 + "z"],
    "n_samples": integers(1),
    "n_guess_samples": integers(0),
    "max_bytes": integers(1),
    "mask": [3],
    "max_length": integers(0, none=True),
    "unique": NOT_BOOLS,
    "exclude": [*THINGS, None, 3, "ab", b"ab", ["ab", 3]],
    "n_beams": integers(1),
    "max_prefixes": integers(1),
    "n_documents": integers(1),
    "case": NOT_BOOLS,
    "accents": NOT_BOOLS,
    "spaces": NOT_BOOLS,
    "gaps": [*THINGS, {}, 3, "", "ab", b"a", ["a"]],
    "typos": reals(0, 0.0, 1, 1.0, none=True),
    "confusions": [*THINGS, 3, "ocd", b"ocr", {"": "a"}, {"a": "a"}, {"a": 3}, {"a": {"b": 2}}, {b"a": "b"}],
    "least": [*(value for value in reals() if value not in ({}, None)), {"caps": 1}, {"case": -1}, {"case": "a"}],
    "changes": NOT_BOOLS,
    "random_state": NOT_SEEDS,
    "which": [*THINGS, {}, "a", b"a", 1.5, 3, True, np.array(0), [3], [0, 0], [0, -3], [0.5], [True], [[0]], [[0], 1]],
    "other": [*THINGS, {}, None, 3, [], ["ab"]],
    "length": integers(0, none=True),
    "temperature": reals(),
    "repetition_penalty": reals(0, 0.0),
    "top_k": integers(1, none=True),
    "top_p": reals(1.5, 2, none=True),
    "min_p": reals(1.5, 2, none=True),
    "stop": [*THINGS, {"a": 1}, 3, "", "a", b"a", ["a", ""], ["a", b"b"], ["a", 3]],
    "logit_bias": [
        *THINGS, 3, "a", [1], {"ab": 1}, {"": 1}, {"z": 1}, {b"a": 1}, {3: 1}, {"a": math.inf}, {"a": math.nan},
        {"a": "1"}, {"a": 1e31}, {"a": None}, {"a": True}, dict.fromkeys([*"abehnov", crnn.BOUNDARY], -math.inf),
    ],
    "among": [3, "ab", b"ab", {"ab": 1}, ["ab", 3], [b"ab"], ["z"]],
    "matching": [*THINGS, 3, b"ab", ["ab"], "a(", "a$", "a*?", "(a)\\1", "(?=a)", "z", "a{5001}"],
    # scoring
    "unit": NOT_CHOICES,
    "reduce": NOT_CHOICES,
    "errors": NOT_CHOICES,
    "exact": NOT_BOOLS,
    "adapt": [*THINGS, None, 0, 1, "yes", [], {"learning_rat": 1}, {"learning_rate": -1}],
    "end": NOT_BOOLS,
    "cells": NOT_BOOLS,
    "pooling": NOT_CHOICES,
    "at": integers(-3, none=True),
    "n_alternatives": integers(0),
    "decay": reals(1.5, 1e308),
    "block_length": integers(1),
    # training
    "seconds": reals(0, 0.0),
    "fit": NOT_BOOLS,
    "extend_vocabulary": NOT_BOOLS,
    "checkpoint_every": [*integers(1, none=True), 2.0],
    "checkpoint_seconds": reals(0, 0.0, none=True),
    "comm": [*THINGS, {}, 3, "world"],
    "training_state": NOT_BOOLS,
    "state_dict": [*THINGS, None, 3, [1]],
    # export and pictures
    "space": [*THINGS, {}, None, 3, "", " ", "a b", b"a", "<s>", "</s>", "<unk>", "\n", "\0"],
    "float16": NOT_BOOLS,
    "int8": NOT_BOOLS,
    "title": [*THINGS, {}, 3, b"ab"],
    "model": NOT_MODELS,
    "models": [*THINGS, None, 3, np.array(3)],
    "ax": NOT_AXES,
    "by": NOT_CHOICES,
    "x": NOT_CHOICES,
    "width": integers(1),
    "max_bits": reals(0, 5e-324, 1e308),
    "max_distance": integers(1),
    "n_positions": integers(1),
    "vanished": reals(0, 1.0),
    "layer": [*NOT_INTEGERS, None, 1, -2],
    "units": [*THINGS, True, 0, 1.5, "ab", [], ["a"], [(0, 1, 2)], [[0.5, 1]], [7], [(1, 0)], [-1], [(-1, 0)]],
    "search_text": [*THINGS, 3, b"ab", ["ab"]],
    "properties": [*THINGS, 3, ["a"], {"a": 5}, {"a": lambda text: 1.0}, {"a": lambda text: text},
                   {"a": lambda text: [math.nan] * len(text)}],
    # models
    "hidden_size": integers(1),
    "num_layers": integers(1),
    "cell": NOT_CHOICES,
    "embedding_size": integers(1, none=True),
    "n_bigrams": integers(1, none=True),
    "vocabulary": [*THINGS, {"a": 1}, "", b"", [], ["ab"], ["a", ""], ["a", b"a"], ["a", None], 3, np.ones(2)],
    "min_count": integers(1),
    "init_scale": reals(1e300, none=True),
    "dtype": [*THINGS, {}, None, "", "float16", "f8,f4", "f4,,", "1" * 10_001 + "f4", ">f4", "half", "\ud800", int, 3,
              np.dtype("f4,f4"), (1, 2), [("a", "f4")]],
    "seq_length": integers(1),
    "batch_size": integers(1),
    "optimizer": NOT_CHOICES,
    "learning_rate": reals(0, 0.0, -0.0, none=True),
    "schedule": NOT_CHOICES,
    "warmup_steps": [*integers(0, none=True), 0.5],
    "warmup_fraction": reals(-1, 1.0, 2.5, none=True),
    "clip": reals(0, 0.0, none=True),
    "clip_norm": reals(0, 0.0, none=True),
    "beta_1": reals(1, 1.0, 2.5),
    "beta_2": reals(1, 1.0, 2.5),
    "n_sampled_symbols": integers(1, none=True),
    "weight_decay": reals(),
    "dropout": reals(1, 1.0, 2.5),
    "weight_dropout": reals(1, 1.0, 2.5),
    "state_reset": reals(1.5, 2),
    "epochs": integers(1),
    "max_steps": integers(0, none=True),
    "max_seconds": reals(0, 0.0, none=True),
    "validation_fraction": reals(1, 1.0, 2.5),
    "eval_every": [*integers(1, none=True), 2.0],
    "eval_seconds": reals(0, -1, 0.0, none=True),
    "patience": integers(1, none=True),
    "restore_best": NOT_BOOLS,
    "callbacks": [*THINGS, print, [3], "print", [print, None], 3, iter([print])],
    "matmul_precision": NOT_CHOICES,
    "n_threads": integers(1, none=True),
    "verbose": integers(0),
    "order": integers(1, none=True),
    "max_memory": reals(0, none=True),
    "estimator": [*THINGS, {}, "model", 3, CharRNN],
    "contamination": reals(0, 0.6),
    "calibration_fraction": reals(0, 1),
    "folds": integers(2),
    "class_weight": [*THINGS, 3, "magic", {"a": -1}],
    "directions": NOT_CHOICES,
    "min_steps": integers(0),
}  # fmt: skip

# The same for one callable, where it differs.
DETECTED = [*THINGS, {}, {"a"}, None, 3, "ab", b"ab", np.array(3)]  # any items: a missing value has the score NaN
RESTORING = ("CharNGram", "CharRNN", "Mixture")
NOT_LABELS = [*THINGS, 3, ["a"] * 5, ["a", None] * 3, [math.nan] * 6]
INVALID_HERE = {
    "AnomalyDetector-reduce": [value for value in NOT_CHOICES if value is not None],
    **{
        f"AnomalyDetector.{name}-X": DETECTED
        for name in ("calibrate", "decision_function", "partial_fit", "predict", "score_samples")
    },
    **{f"TextClassifier.{name}-X": NOT_LISTS for name in ("predict", "predict_proba", "predict_log_proba", "score")},
    **{f"{name}.guess_number-X": NOT_LISTS for name in ("CharNGram", "CharRNN", "Mixture")},
    **{
        f"{name}.restore-X": [*THINGS, {"a"}, {"ab": 1}, None, 3, b"ab", np.array(3), [None], ["ab", 3]]
        for name in RESTORING
    },
    **{f"{name}.restore-n_beams": integers(1, none=True) for name in RESTORING},
    **{f"{name}.restore-among": [3, "ab", b"ab", [], {"ab": 1}, ["ab", 3], [b"ab"]] for name in RESTORING},
    **{f"CharRNN.{name}-y": NOT_LABELS for name in ("fit", "partial_fit", "score", "score_samples")},
    "CharNGram.fit-y": NOT_LABELS,
    **{f"{name}.score_samples-X": NOT_LISTS for name in RESTORING},
    "CharRNN.transform-X": NOT_LISTS,
    "CharRNN.hidden_states-X": [*THINGS, {"a"}, {"ab": 1}, None, 3, b"ab", np.array(3), [None], ["ab", 3]],
    "TextStates.feed-X": [
        *THINGS,
        None,
        3,
        "abc",
        b"ab",
        np.array("ab"),
        {"a", "b", "e"},
        ["a", "b"],
        ["a", 3, "b"],
        [None] * 3,
    ],
    **{f"CharNGram.{name}-sample_weight": NOT_TIMES for name in ("fit", "partial_fit")},
    **{
        f"TextClassifier.{name}-y": [*THINGS, None, 3, ["a"], [0, None] * 3, [0.5, math.nan] * 3, [[0]] * 6]
        for name in ("fit", "recommended", "score")
    },
    "CharRNN.adapt-learning_rate": reals(),
    "CharRNN.partial_fit-epochs": integers(1, none=True),
    "Mixture.partial_fit-epochs": integers(1, none=True),
    "Mixture.resume-n_threads": integers(1, none=True),
    **{f"{name}.start-text": [*NOT_TEXTS, [None], ["a", "\0"], {"a"}, "a\0"] for name in RESTORING},
    **{f"{name}.start_many-X": [*NOT_LISTS, {"a"}, ["a", "\0"], [b"ab"]] for name in RESTORING},
    "TextState.feed-adapt": [*THINGS, 0, 1, "yes", []],
    "CharRNN.resume-callbacks": [*THINGS, 3, [3]],
    "CharRNN.resume-n_threads": integers(1, none=True),
    "CharRNN.resume-verbose": integers(0, none=True),
    "write_report-X": [*THINGS, 3],
    "dirty_cells-contamination": reals(0, 0.0, 0.6, "auto"),
    "dirty_cells-columns": ["a", b"a", [], 3, ["b"]],
    "write_report-y": [["a"]],  # a network has no classes
    "TextClassifier-class_weight": [*THINGS, 3, "magic"],
}

# What a message begins with where this isn't the parameter's name.
SHOWN = {
    "logit_bias": r"(a symbol in )?logit_bias", "search_text": "text", "adapt": "adapt|learning_rate",
}  # fmt: skip

# What a parameter without a default gets when another one is tried.
USUAL = {
    "frame": {"a": ["b", "c"]},
    "X": NAMES, "prefixes": NAMES, "batches": [NAMES], "y": [0, 1] * 3, "text": TEXT,
    "n_documents": 3, "seconds": 0.02, "label": "a", "vocabulary": "ab", "state_dict": {}, "path": "never-written",
    "matching": "a.*", "paths": "text", "content": b"", "models": [], "model": None, "other": None,
    "max_bytes": 10**6,
}  # fmt: skip
AFTER_DAMAGE = ("X", "least", "n_beams", "among", "prime", "changes", "label")
USUAL_HERE = {
    "TextStates.feed": {"X": ["a", "b", "e"]},
    "CharRNN.resume": {"path": "run", "X": TEXT},
    "Mixture.load": {"path": "mixture"},
    "Mixture.resume": {"path": "mixture run", "X": TEXT},
    **{f"{name}.restore-{parameter}": {"case": True} for name in RESTORING for parameter in AFTER_DAMAGE},
    **{
        f"{owner}.{name}-checkpoint_{unit}": {"checkpoint": "checkpoint"}
        for owner in ("CharRNN", "Mixture")
        for name in ("fit", "partial_fit")
        for unit in ("every", "seconds")
    },
}

UNFITTED = (AnomalyDetector, CharNGram, CharRNN, TextClassifier)
ESTIMATORS = [*UNFITTED, Mixture]
FUNCTIONS = [getattr(plot, name) for name in plot.__all__ if name.islower()] + [
    load_model, write_report, Lines, TextFile, crnn.dirty_cells,
]  # fmt: skip
INHERITED = {"get_params", "set_params"}  # checked with scikit-learn's own tests


def methods_of(cls):
    """Return the names of a class's public methods that have parameters."""
    names = [name for name in dir(cls) if not name.startswith("_") and name not in INHERITED]
    return [name for name in names if inspect.isroutine(getattr(cls, name))]


def parameters_of(function):
    """Return the parameters of a public callable but for `self`."""
    kinds = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    parameters = inspect.signature(function).parameters.values()
    return [parameter for parameter in parameters if parameter.kind not in kinds and parameter.name != "self"]


CLASSES = [*ESTIMATORS, TextState, TextStates]
METHODS = {f"{cls.__name__}.{name}": getattr(cls, name) for cls in CLASSES for name in methods_of(cls)}
CALLABLES = {**METHODS, **{thing.__name__: thing for thing in [*ESTIMATORS, *FUNCTIONS]}}
PLACES = [(name, parameter.name) for name, function in CALLABLES.items() for parameter in parameters_of(function)]
CASES = {
    f"{name}-{parameter}": INVALID_HERE.get(f"{name}-{parameter}", INVALID[parameter]) for name, parameter in PLACES
}


@cache
def fitted(name):
    """Return a fitted model, of documents unless its name says otherwise."""
    if name == "CharRNN":
        return CharRNN(**SMALL).fit(NAMES)
    if name == "CharRNN of a text":
        return CharRNN(**SMALL).fit(TEXT)
    if name == "CharRNN with labels":
        return CharRNN(**SMALL).fit(NAMES, y=["a", "b"] * 3)
    if name == "CharNGram":
        return CharNGram(3).fit(NAMES)
    if name == "Mixture":
        return Mixture.from_fitted([fitted("CharRNN"), fitted("CharNGram")])
    if name == "TextClassifier":
        return TextClassifier(CharRNN(**SMALL)).fit(NAMES, [0, 1] * 3)
    if name == "AnomalyDetector":
        lines = [f"{name} {i}" for i in range(60) for name in NAMES]
        return AnomalyDetector(CharNGram(3), contamination=0.4, random_state=0).fit(lines)
    if name == "TextStates":
        return fitted("CharRNN").start_many(["an", "", "e"])
    return fitted("CharRNN of a text").start("to ")


def object_of(name, parameter):
    """Return the object whose method is tried."""
    owner, method = name.split(".")
    takes_labels = method in ("for_label", "fit", "partial_fit", "score", "score_samples")
    if owner == "CharRNN" and (parameter == "label" or (parameter == "y" and takes_labels)):
        return fitted("CharRNN with labels")
    if owner == "CharRNN" and method in ("adapt", "gradient", "hidden_states"):
        return fitted("CharRNN of a text")
    return fitted(owner)


def attempt(name, parameter, value):
    """Call with an invalid value; estimators are fitted, since they store their parameters unchecked."""
    function = CALLABLES[name]
    given = {other.name: USUAL[other.name] for other in parameters_of(function) if other.default is other.empty}
    given |= USUAL_HERE.get(name, {}) | USUAL_HERE.get(f"{name}-{parameter}", {})
    if "models" in given:
        given["models"] = [fitted("CharRNN"), fitted("CharNGram")] if "Mixture" in name else fitted("CharRNN of a text")
    if "." in name:
        result = getattr(object_of(name, parameter), name.split(".")[1])(**given | {parameter: value})
    else:
        if "model" in given:
            given["model"] = fitted("CharRNN of a text")
        result = function(**given | {parameter: value})
        if name in ("CharRNN", "CharNGram", "AnomalyDetector", "Mixture"):
            result.fit(NAMES)
        elif name == "TextClassifier":
            result.fit(NAMES, [0, 1] * 3)
    if inspect.isgenerator(result):
        next(result)


def learned(name, parameter):
    """Return what an error must leave as it was."""
    thing = object_of(name, parameter) if "." in name else None
    if isinstance(thing, CharRNN):
        return saved(thing), thing.n_steps_
    if isinstance(thing, TextState):
        return thing.log_prob
    if isinstance(thing, TextStates):
        return thing.log_prob.tolist(), thing.next_proba().tobytes()
    return thing.score_samples(["ab", "anna"]).tobytes() if hasattr(thing, "score_samples") else None


@pytest.fixture(scope="module", autouse=True)
def _folder(tmp_path_factory):
    """Files that `USUAL` and `USUAL_HERE` name."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("refusals"))
        write_files()
        yield


def write_files():
    with open("text", "w") as file:
        file.write(TEXT)
    stopping = CharRNN(**SMALL | {"max_steps": 99}, callbacks=[lambda model, record: model.stop()])
    stopping.fit(TEXT, checkpoint="run")
    fitted("Mixture").save("mixture")
    with contextlib.suppress(KeyboardInterrupt):
        Mixture([CharRNN(**SMALL | {"max_steps": 99}, eval_every=1, callbacks=[interrupt]), CharNGram(3)]).fit(
            TEXT, checkpoint="mixture run"
        )


def interrupt(model, record):
    raise KeyboardInterrupt


def fault_of(name, parameter, value):
    """Say what is wrong with how a value is refused, or return None."""
    try:
        attempt(name, parameter, value)
    except InvalidInputError as error:
        named = re.match(rf"({SHOWN.get(parameter, parameter)})\b", str(error))
        return None if named else f"{short_repr(value)}: {error}"
    except Exception as error:
        return f"{short_repr(value)}: {type(error).__name__}: {error}"
    return f"{short_repr(value)} is accepted"


@pytest.mark.parametrize("case", [case for case, values in CASES.items() if values])
def test_refuses_invalid_values_by_name(case):
    name, parameter = case.split("-")
    before, files = learned(name, parameter), os.listdir()
    assert [fault for value in CASES[case] if (fault := fault_of(name, parameter, value))] == []
    assert (learned(name, parameter), os.listdir()) == (before, files)


# Methods that make a model, and those whose message names the method that they call.
MAKING = {
    "calibrate",
    "fit",
    "fit_predict",
    "fit_transform",
    "from_torch",
    "load",
    "partial_fit",
    "recommended",
    "resume",
}
NAMED_AS = {"bits_per_char": "score", "perplexity": "score", "TextClassifier.score": "predict"}
NAMED_AS |= {f"TextClassifier.{name}": "predict" for name in ("predict_proba", "predict_log_proba")}
USES = [name for name in METHODS if name.split(".")[1] not in MAKING | {"stop"}]
LEARNED = [f"{cls.__name__}.{name}" for cls in UNFITTED for name in dir(cls) if name.endswith("_") and name[0] != "_"]
WITHOUT_LABEL = {  # of the methods of a CharRNN, those that work for a model with labels
    "bits_per_char", "editing", "for_label", "get_feature_names_out", "perplexity", "quantize", "sample", "save",
    "score", "score_samples",
}  # fmt: skip


def use(model, name):
    """Read an attribute, or call a method with usual arguments."""
    value = getattr(model, name)
    if callable(value):
        arguments = {other.name: USUAL[other.name] for other in parameters_of(value) if other.default is other.empty}
        value = value(**arguments)
        if inspect.isgenerator(value):
            next(value)
        if isinstance(value, AbstractContextManager):
            with value:
                pass


@pytest.mark.parametrize("name", [name for name in [*LEARNED, *USES] if not name.startswith(("Mixture", "TextState"))])
def test_unfitted_model_names_the_call(name):
    owner, attribute = name.split(".")
    named = f"reading {attribute}" if name in LEARNED else NAMED_AS.get(name, NAMED_AS.get(attribute, attribute))
    files = os.listdir()
    with pytest.raises(
        NotFittedError, match=rf"^this {owner} is not fitted yet\. Call fit.*, or load a model, before {named}\.$"
    ):
        use(getattr(crnn, owner)(), attribute)
    assert os.listdir() == files


@pytest.mark.parametrize("name", [name for name in USES if name.startswith("CharRNN.")] + ["CharNGram.adapt"])
def test_a_model_with_labels_asks_for_one_where_it_needs_one(name):
    owner, method = name.split(".")
    model = fitted("CharRNN with labels") if owner == "CharRNN" else CharNGram(2).fit(NAMES, y=["a", "b"] * 3)
    message = rf"^{method} needs a label, .* Use the model of one label, such as model\.for_label\('a'\)\.{method}\.$"
    with nullcontext() if method in WITHOUT_LABEL else pytest.raises(InvalidInputError, match=message):
        use(model, method)


def test_a_number_of_threads_that_was_set_later_is_checked():
    model = CharRNN(**SMALL).fit(NAMES).set_params(n_threads=0)
    for call in ("sample", "next_proba", "score", "score_samples"):
        with pytest.raises(InvalidInputError, match=r"^n_threads must be "):
            use(model, call)
