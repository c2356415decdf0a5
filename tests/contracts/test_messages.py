"""What a refusal says: the words of its message, for one call of each reason; model and folder stay as they were.

`test_refusals.py` tries every parameter with values of every wrong kind, and asks for its name alone.
"""

import io
import os
import pathlib
from functools import cache

import numpy as np
import pytest
from examples import adaptable, random_language_model, saved, spoil
from small_models import everything
from texts import NAMES, TEXT

from crnn import (
    BOUNDARY,
    AnomalyDetector,
    CharNGram,
    CharRNN,
    DivergenceError,
    InvalidInputError,
    Lines,
    Mixture,
    ModelFileError,
    NotFittedError,
    TextClassifier,
    TextFile,
    load_model,
    plot,
    train,
)
from crnn.estimator import Estimator
from crnn.language_model import LanguageModel

LABELS = ["f", "m", "f"] * 2
mixed = Mixture.from_fitted


def network(X=TEXT, steps=3, **parameters):
    labels = parameters.pop("labels", None)
    return CharRNN(**{"hidden_size": 3, "seq_length": 5, "max_steps": steps, "random_state": 0} | parameters).fit(
        X, y=labels
    )


def spoiled(model, *what):
    spoil(model, *what)
    return model


MODELS = {
    "nothing": lambda: None,
    "text": lambda: network(random_state=np.random.default_rng(0)),
    "untrained": lambda: network(steps=0),
    "adaptable": lambda: adaptable("rnn", "float32"),
    "spoiled": lambda: spoiled(adaptable("rnn", "float32"), "by", 1, np.nan),
    "infinite": lambda: spoiled(network(NAMES), "Whh_l0", (2, 1), np.inf),
    "bytes": lambda: network(b"ab" * 9),
    "documents": lambda: network(NAMES),
    "labels": lambda: network(NAMES, labels=LABELS),
    "8 bits": lambda: random_language_model("to be, that is", dtype="float32").quantize(),
    "LSTM": lambda: network(cell="lstm", num_layers=2),
    "tables": lambda: network(embedding_size=5, n_bigrams=7),
    "float64": lambda: network(dtype="float64"),
    "counts": lambda: CharNGram(5).fit(TEXT),
    "counts of names": lambda: CharNGram(3).fit(NAMES),
    "counts of labels": lambda: CharNGram(3).fit(NAMES, y=[1, 3] * 3),
    "classifier": lambda: TextClassifier(CharNGram(2)).fit(NAMES, LABELS),
}


@cache
def made(name):
    return MODELS[name]()


def lasting(model):
    """Return what a refusal leaves as it was."""
    if isinstance(model, CharNGram):
        return model.get_params(), model.n_grams_, model.score_samples(["", "bob"], errors="skip").tolist()
    return everything(model) if isinstance(model, CharRNN) else model and saved(model)


@pytest.fixture(scope="module", autouse=True)
def _folder(tmp_path_factory):
    """Files that cannot be learned from; the fault of the longer ones is in a later block."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("messages"))
        pathlib.Path("invalid").write_bytes(b"to be" * 300_000 + b"\xff" + b"or not")
        pathlib.Path("empty").write_bytes(b"")
        pathlib.Path("one").write_bytes(b"t")
        pathlib.Path("unseen").write_bytes(("to be" * 300_000 + "ä").encode())
        pathlib.Path("names").write_text("anna\nbob\n")
        network().save("saved")
        with pytest.raises(DivergenceError):
            CharRNN(3, max_steps=20, learning_rate=1e300).fit(TEXT, checkpoint="diverged")
        yield


def check(model, call, words, error=InvalidInputError):
    before, files = lasting(model), os.listdir()
    with pytest.raises(error, match=words):
        call(*[model] * (model is not None))
    assert lasting(model) == before
    assert os.listdir() == files


class Table:
    """Like a table of Arrow, which cannot be iterated over."""

    column_names = ("name",)


# Texts that neither fit nor partial_fit takes, and those that fit takes, but partial_fit of a model of a text does not.
UNLEARNABLE = [
    (pathlib.Path("missing"), "missing", FileNotFoundError),
    (pathlib.Path(), "directory", IsADirectoryError),
    (pathlib.Path("invalid"), "position 1500000", UnicodeDecodeError),
    (pathlib.Path("empty"), r"too short.*length is 0, .*at least 2 symbols"),
    (pathlib.Path("one"), r"too short.*length is 1, .*at least 2 symbols"),
    ("", r"too short.*length is 0, .*at least 2 symbols"),
    ("t", r"too short.*length is 1, .*at least 2 symbols"),
    (b"", "length is 0|is bytes"),
    ([], "X is an empty list"),
    (memoryview(np.arange(3)), "memoryview|is bytes"),
]
UNFIT = [
    (pathlib.Path("unseen"), r"X contains 'ä' \(U\+00E4\) at position 1500000"),
    ("to \ud800e", r"X contains '\\ud800' \(U\+D800\) at position 3"),
    (b"to be", "X is bytes, but the symbols of this model are characters"),
    (["to be"], "X is a list of documents, but the model was fitted on one text"),
]


@pytest.mark.parametrize(
    ("start", "case"),
    [("fit", case) for case in UNLEARNABLE] + [("partial_fit", case) for case in UNLEARNABLE + UNFIT],
    ids=lambda value: value if isinstance(value, str) else value[1],
)
def test_a_network_cannot_learn(start, case):
    X, *words = case
    check(made("text"), lambda model: getattr(model, start)(X), *words)


# What is wrong with a validation text.
VALIDATION = [
    ({}, "", r"^validation is empty. Pass at least 1 symbol"),
    ({}, "to be!", r"^validation contains '!' \(U\+0021\) at position 5"),
    ({}, b"to be", r"^validation is bytes, but the symbols of this model are characters"),
    ({}, 3, r"^validation must be a str .* not int"),
    ({"validation_fraction": 0.1}, "to be", r"^validation is given, but validation_fraction is 0.1"),
    ({"patience": 3}, None, r"^patience is 3, but there is no validation text"),
    ({"validation_fraction": 1e-6}, None, r"^validation_fraction=1e-06 .* leaves 0 for validation and 378"),
    ({"validation_fraction": 0.997, "batch_size": 3}, None, r"leaves 377 for validation and 1 for .* and 4 are"),
]


@pytest.mark.parametrize("start", ["fit", "partial_fit"])
@pytest.mark.parametrize(("parameters", "validation", "words"), VALIDATION)
def test_a_network_cannot_be_validated(start, parameters, validation, words):
    model = network().set_params(**parameters)
    check(model, lambda model: getattr(model, start)(TEXT, validation=validation), words)


# Parameters that fit refuses because of one another, and those that no longer fit the weights.
PARAMETERS = [
    ("fit", "text", {"hidden_size": -3, "batch_size": -1},
     r"^hidden_size must be a whole number of at least 1, not -3$"),
    *(("fit", "text", {"optimizer": name, "weight_decay": 0.1},
       rf"^weight_decay is 0\.1, but optimizer='{name}' does not decay .* or optimizer to 'adam'\.$")
      for name in ("adagrad", "rmsprop")),
    ("fit", "float64", {"matmul_precision": "bfloat16"},
     "^matmul_precision is 'bfloat16', but dtype is 'float64'. Set"),
    ("score", "float64", {"matmul_precision": "bfloat16"}, "^matmul_precision is 'bfloat16', but dtype is 'float64'"),
    ("fit", "text", {"embedding_size": 2**31 - 1}, r"embedding_size=2147483647 .* GB of memory"),
    ("partial_fit", "text", {"seq_length": 0}, "^seq_length must be"),
    ("partial_fit", "text", {"hidden_size": 8}, "^hidden_size is now 8, but the model was fitted with 3. Set it back"),
    ("partial_fit", "text", {"dtype": "float64"}, "^dtype is now float64, but the model was fitted with "),
    ("partial_fit", "LSTM", {"cell": "gru"}, "^cell is now gru, but the model was fitted with lstm. Set it back, or"),
    ("partial_fit", "LSTM", {"num_layers": 3}, "^num_layers is now 3, but the model was fitted with 2. Set it back"),
    *(("partial_fit", "tables", {"embedding_size": n}, f"^embedding_size is now {n}, but the .* with 5")
       for n in (None, 4)),
    *(("partial_fit", "tables", {"n_bigrams": n}, f"^n_bigrams is now {n}, but the model was fitted with 7")
       for n in (None, 4)),
    *((start, "counts", {"order": 0}, "order must be a whole number of at least 1, not 0") for start in ("fit",
       "partial_fit")),
    *((start, "counts", {"order": 65}, "order must be at most 64, not 65") for start in ("fit", "partial_fit")),
    ("partial_fit", "counts", {"order": 3}, "order is 3, but the fitted model has order 5"),
    ("fit", "counts", {"max_memory": 9_000, "order": 9},
     r"needs more than max_memory=9,000 bytes .* that fits is \d\.$"),
    ("partial_fit", "counts", {"max_memory": 2_000}, "Raise max_memory"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "name", "parameters", "words"), PARAMETERS)
def test_parameters_do_not_fit(call, name, parameters, words):
    model = MODELS[name]().set_params(**parameters)
    check(model, lambda model: getattr(model, call)(TEXT), words)


NEED_FLOATS = {
    "partial_fit": lambda model: model.partial_fit("to be"),
    "adapt": lambda model: model.adapt("to be"),
    "score": lambda model: model.score("to be", adapt=True),
    "surprisal": lambda model: model.surprisal("to be", adapt=True),
    "gradient": lambda model: model.gradient("to be"),
}
OF_ONE_TEXT = "is a TextFile, which is one text. Pass crnn.Lines"

# A model, a call, and the words of its message.
REFUSED = [
    # adaptation
    ("nothing", lambda: CharRNN().adapt(TEXT), "before adapt", NotFittedError),
    ("adaptable", lambda m: m.adapt(""), "X is empty"),
    ("adaptable", lambda m: m.score("abZ", adapt=True), "'Z'"),
    ("adaptable", lambda m: m.score("ab", adapt=True, exact=False), "exact=False"),
    *(("labels", call, r"model\.for_label\('f'\)") for call in (
        lambda m: m.adapt(["bob"]), lambda m: m.score(["bob"], adapt=True))),
    ("documents", lambda m: m.score(["bob"], y=["f"], adapt=True), "y is given"),
    ("adaptable", lambda m: m.adapt("ab" * 300, learning_rate=1e38), "Lower the learning_rate of adapt",
     DivergenceError),
    ("untrained", lambda m: m.adapt(TEXT), "Call partial_fit"),
    ("spoiled", lambda m: m.score("ab", adapt=True), "finite weights"),
    *(("8 bits", call, "on the float model") for call in NEED_FLOATS.values()),
    ("8 bits", lambda m: m.editing().__enter__(), "^editing needs float weights, "),
    *(("spoiled", call, r"params_\['by'\] is nan at \(1,\), but \w+ needs finite") for call in (
        lambda m: m.sample(3), lambda m: next(m.stream()), lambda m: m.beam_search(3), lambda m: m.score("ab"),
        lambda m: m.bits_per_char("ab"), lambda m: m.surprisal("ab"), lambda m: m.next_proba(["ab"]),
        lambda m: m.score_samples(["a"]), lambda m: m.transform(["a"]), lambda m: m.start(),
        lambda m: m.guess_number(["a"], length=2))),
    ("infinite", lambda m: m.score(["anna"]), r"params_\['Whh_l0'\] is inf at \(2, 1\), but \w+ needs finite"),
    ("infinite", lambda m: m.enumerate_documents(3), "needs finite"),
    # texts to score
    ("text", lambda m: m.score(""), r"^X is empty\. Pass at least 1 character\.$"),
    ("text", lambda m: m.score("t" * 70_000 + "\U0001f600"),
     r"^X contains '\U0001f600' \(U\+1F600\) at position 70000"),
    ("text", lambda m: m.score(b"to"), "^X is bytes, but the symbols of this model are characters"),
    *(("text", lambda m, name=name: getattr(m, name)(["to be"]),
       "^X is a list of documents, but the model was fitted on one text") for name in ("score", "bits_per_char")),
    ("text", lambda m: m.score(Lines("names")), "^X is a list of documents"),
    ("text", lambda m: m.partial_fit("to be", validation=["to be"]), "^validation is a list of documents, but"),
    ("text", lambda m: m.score_samples(["to", "o", "to", "oz"]), r"^X\[3\] contains 'z'"),
    ("text", lambda m: list(m.score_batches([["o", "t"], ["o", "toz", "z"]])),
     r"^X\[3\] contains 'z' .* position 2"),
    ("text", lambda m: list(m.score_batches(["ab"])),
     r"^X is of type str\. Pass a list or another iterable of str"),
    *(("text", lambda m, given=given: m.score_batches(given),
       f"^batches must be an iterable of lists of texts, not {type(given).__name__}$")
      for given in ("ab", b"ab", bytearray(b"ab"))),
    ("text", lambda m: m.score_samples(["to", 3], errors="skip"), r"^X\[1\] must be str, not int"),
    ("text", lambda m: m.score_samples(["to", None]), r'^X\[1\] must be str, .*, or pass errors="skip"'),
    ("text", lambda m: m.score_samples([b"to"]), r"^X\[0\] is bytes, but the symbols of this model are characters"),
    ("bytes", lambda m: m.score_samples([b"a", "b"]), r"^X\[1\] is text, but the symbols of this model are bytes"),
    ("bytes", lambda m: m.score_samples(b"ab"), r"^X is of type bytes\. Pass a list or another iterable of bytes"),
    ("text", lambda m: m.surprisal("to", end=True), "^end=True needs document ends"),
    ("text", lambda m: m.hidden_states("to", cells=True),
     "^cells=True needs LSTM layers, but the model has cell='rnn'"),
    ("documents", lambda m: m.partial_fit(["bob", "z"]), r"X contains 'z' \(U\+007A\) at position 3"),
    ("text", lambda m: m.partial_fit("to beZ"), "'Z'"),
    ("text", lambda m: m.partial_fit(b"to be", extend_vocabulary=True), "is bytes"),
    *(("nothing", lambda call=call: call(Table()), r"is a table \(Table\)\. Pass its column of texts") for call in (
        CharRNN().fit, AnomalyDetector().fit, lambda X: TextClassifier().fit(X, [0, 1]),
        lambda X: CharNGram(2).fit(["ab"]).score_samples(X))),
    *(("nothing", lambda call=call: call(io.StringIO("anna\nbob\n" * 40)), "^X is an open file") for call in (
        lambda X: CharRNN.recommended(X, 0.1), lambda X: train(X, 0.1),
        AnomalyDetector(contamination=0.2).fit_predict)),
    *(("nothing", lambda call=call: call(TextFile("names")),
       r"^(X|texts) is a TextFile, which is one text\. Pass crnn\.Lines\((X|texts)\.paths\), .* \[(X|texts)\.read.*\.$")
      for call in (CharNGram(2).fit(NAMES).score_samples, lambda X: CharNGram(2).fit(NAMES).restore(X, case=True),
                   AnomalyDetector(contamination=0.2).fit, lambda X: TextClassifier().fit(X, LABELS))),
    *(("nothing", lambda call=call: call(pathlib.Path("names")),
       r"^(X|texts) is the path names\. Pass crnn\.Lines\((X|texts)\), or a list of texts\.$")
      for call in (CharNGram(2).fit(NAMES).score_samples, lambda X: CharNGram(2).fit(NAMES).restore(X, case=True),
                   AnomalyDetector(contamination=0.2).fit, lambda X: TextClassifier().fit(X, LABELS))),
    # vocabularies
    ("nothing", lambda: network("abc", vocabulary="ab"), "^X contains 'c' .* at position 2"),
    ("nothing", lambda: network(b"ab", vocabulary="ab"), "^X is bytes, but the symbols of this model are characters"),
    ("nothing", lambda: network(Lines("names"), vocabulary="abn"), "contains 'o'"),
    ("nothing", lambda: network("abc", batch_size=3), "too short.*length is 3, .*at least 4 symbols"),
    ("nothing", lambda: network("abab", min_count=3), "min_count is 3, but no symbol occurs that often"),
    *(("nothing", lambda text=text: CharRNN.recommended(text, 1.0),
       f"^X is too short: its length is {len(text)}, but at least 2 symbols") for text in ("", b"", "a")),
    # samples
    ("text", lambda m: m.sample(max_length=5), "max_length needs a model of documents, but this one was fitted on"),
    ("documents", lambda m: m.sample(exclude=["bob", b"anna"]),
     r"^exclude\[1\] is bytes, but the symbols of this model are characters. Pass a str "),
    ("documents", lambda m: m.sample(exclude=["bob", 1]), r"^exclude\[1\] must be str or bytes, not int$"),
    ("documents", lambda m: m.sample(exclude=["bob", None]),
     r"^exclude\[1\] must be str or bytes, not NoneType\. Leave out missing texts\.$"),
    ("documents", lambda m: m.sample(exclude=Lines("names", kind="bytes")), "exclude is bytes"),
    ("bytes", lambda m: m.sample(exclude=["anna"]), r"^exclude\[0\] is text, but .* are bytes\. Pass "),
    *(("documents", lambda m, name=name: m.sample(**{name: 10**30}), f"^{name} must be at most 2147483647, not ")
      for name in ("length", "max_length", "n_samples")),
    ("text", lambda m: m.enumerate_documents(3), r"^enumerate_documents needs a model of documents, .*beam_search"),
    ("text", lambda m: m.sample(3, stop="to"), r"^stop is the text 'to', but must be .* Pass stop=\['to'\].$"),
    ("text", lambda m: m.beam_search(3, stop="t"), r"^stop is the text 't', but must be a list .* Pass stop=\['t'\].$"),
    ("text", lambda m: m.beam_search(3, stop=["t", "to"]), r"^stop\[1\] is 'to', but beam_search needs stops of one"),
    ("text", lambda m: m.beam_search(3, stop=["t"], matching="t"), "^stop cannot be combined with matching"),
    *((name, lambda m, call=call: getattr(m, call)(tempreture=1),
       "unexpected keyword argument 'tempreture'; the controls are logit_bias, ", TypeError)
      for name in ("text", "counts") for call in ("sample", "stream")),
    *((name, lambda m, call=call: getattr(m, call)(3, "a"), "positional", TypeError)
      for name in ("text", "counts") for call in ("sample", "stream")),
    ("text", lambda m: m.score("to", None, False), "positional", TypeError),
    ("documents", lambda m: m.restore("ann", case=True, n_beams=2**16 + 1), "n_beams must be at most 65536"),
    # states
    *(("text", lambda m, text=text: m.start("to").feed(text), words) for text, words in (
        ("toz", r"^text contains 'z' \(U\+007A\) at position 2"), (3, "^text must be str or bytes, not int"),
        (b"to", "^text is bytes, but the symbols of this model are characters"))),
    ("text", lambda m: m.start("z"), "^text contains 'z'"),
    ("text", lambda m: m.start().end(), r"which has no end\. Fit it on documents"),
    ("text", lambda m: m.start().feed("to", adapt=True), r"model\.start\(text, adapt=True\)"),
    ("text", lambda m: m.start_many([""]).end(), "has no end"),
    ("documents", lambda m: m.start_many(["a", "z"]), r"^X\[1\] contains 'z'"),
    ("documents", lambda m: m.start(["a"]), r"^text is of type list, but start reads one .*use start_many\(X\)\.$"),
    ("documents", lambda m: m.start_many("a"), r"^X is of type str\. Pass a list"),
    ("documents", lambda m: m.start_many(["a", "b"]).sample(random_state=[1, 2]),
     "^random_state must be None, an int of at l"),
    ("labels", lambda m: m.start_many([""]), "start_many needs a label"),
    # labels
    ("nothing", lambda: CharRNN(3).fit("anna", y=["f"]), "^y needs documents, but X is a single text"),
    ("nothing", lambda: CharRNN(3).fit(["anna"], y=["f", "m"]),
     "y must be 1 labels, one for each document, not 2"),
    ("nothing", lambda: CharRNN(3).fit(["anna"], y="f"), "y must be a list or an array"),
    ("nothing", lambda: CharRNN(3).fit(["a"], y=["f"], validation=["a"]), "validation has no labels"),
    ("nothing", lambda: CharRNN(3).fit(["a"], validation=("a", "b", "c")), r"validation is a tuple of 3, .* \(X, y\)"),
    ("nothing", lambda: CharRNN(3).fit(["a"], validation=(["a"], ["f"])), "validation has labels, but y is missing"),
    ("nothing", lambda: CharRNN(3).fit(["a"], y=["f"], validation=(["a"], ["g"])),
     r"validation\[1\]\[0\] must be one of 'f', not 'g'"),
    *((name, call, "fitted without labels") for name in ("documents", "counts of names") for call in (
        lambda m: m.sample(label="f"), lambda m: m.score_samples(["anna"], y="f"), lambda m: m.for_label("f"),
        lambda m: m.score(["anna"], y=["f"]), lambda m: m.stream(label="f"),
        lambda m: m.partial_fit(["anna"], y=["f"]))),
    ("labels", lambda m: m.sample(label="F"), "label must be one of 'f', 'm', not 'F'; did you mean 'f'"),
    ("counts of labels", lambda m: m.for_label(2), "label must be one of 1, 3, not 2"),
    ("labels", lambda m: m.partial_fit(["anna"], y=["d"]), r"y\[0\] must be one of 'f', 'm', not 'd'"),
    ("labels", lambda m: m.partial_fit(["anna"]), "y is missing"),
    ("counts of labels", lambda m: m.partial_fit(["a", "b"]), "y is missing, but the model has labels"),
    ("counts of labels", lambda m: m.partial_fit(["a", "b"], y=[3, 2]), r"y\[1\] must be one of 1, 3, not 2"),
    *((name, lambda m, fit=fit: getattr(m, fit)("anna", y=[1]), "y needs documents, but X is a single text")
      for name, fit in (("counts of names", "fit"), ("counts of labels", "partial_fit"))),
    ("labels", lambda m: m.score_samples(["ab"], reduce="min"), '^reduce="min" needs the label of each text'),
    ("labels", lambda m: m.score_samples(["b"] * 4, y=["f", "f", "z", "f"]), r"^y\[2\] .*'z'"),
    ("labels", lambda m: m.score_samples(["b"] * 4, y=["f", "f"]), "^y must be 4 labels"),
    *(("labels", lambda m, y=y: m.score_samples(["anna", "bob", "eve", "anZa", "bob"], y=y),
       r"^X\[3\] contains 'Z' .* at position 2") for y in (None, "f", ["m", "f", "m", "f", "m"])),
    *(("labels", lambda m, name=name: getattr(m, name)(["anna"], exact=False), "^exact is False")
      for name in ("score", "bits_per_char", "perplexity")),
    # Before labels are drawn, which would take 16 GB.
    ("labels", lambda m: m.sample(n_samples=2**31 - 1, top_k="a"), "top_k must be a whole number"),
    *(("counts of labels", call, "label") for call in (
        lambda m: m.surprisal("bob"), lambda m: m.start("bob"), lambda m: m.export_arpa("a.arpa"),
        lambda m: m.start("bob", adapt=True), lambda m: m.score(["bob"], y=1, adapt=True))),
    # counts
    *(("counts", lambda m, X=X: m.fit(X), "empty") for X in ("", [])),
    ("nothing", lambda: CharNGram(vocabulary="abc").fit(""), "X is empty"),
    ("nothing", lambda: CharNGram(vocabulary="abc").fit("abcd"), "'d'"),
    *(("counts", lambda m, X=X: m.partial_fit(X), words) for X, words in (
        ("", "X is empty"), ("to be!", "'!'"), (b"to be", "bytes"), (["to be"], "has no document ends"))),
    *(("counts of names", lambda m, fit=fit, X=X, weight=weight: getattr(m, fit)(X, sample_weight=weight), words)
      for fit, X, weight, words in (
        ("fit", "anna", [1], "sample_weight needs documents"), ("partial_fit", "anna", [1], "sample_weight needs doc"),
        ("fit", ["anna", "b"], [1], "sample_weight must be 2 numbers"),
        ("partial_fit", ["anna", "b"], [1, 0.5], r"sample_weight\[1\] must be a whole number"),
        ("partial_fit", ["anna", "b"], [0, 0], "sample_weight is 0 for every document"),
        ("fit", ["anna", "b"], [2**30, 1], "Divide sample_weight by a number"))),
    *(("nothing", lambda X=X, weights=weights: CharRNN(3).fit(X, sample_weight=weights), words)
      for X, weights, words in (
        ("anna", [1], "^sample_weight needs documents, but X is a single text. Pass a list"),
        (["anna"], [1, 2], r"^sample_weight must be 1 numbers, one for each document, not of shape \(2,\)$"),
        (["a", "b"], np.ma.array([1, 1], mask=[0, 1]), r"^sample_weight\[1\] is masked. Give it a number.$"))),
    # classifiers
    ("classifier", lambda m: m.fit(["a", "b"], ["f", "f"]), "y has only one class, .*'f'"),
    *(("classifier", lambda m, X=X: m.fit(X, ["f"]), words) for X, words in (
        ("ab", "^X is a single text. Pass a list of texts.$"), (b"ab", "^X is a single text"),
        (7, "^X is of type int. Pass a list"), ({"ab"}, "^X "), ({"ab": 1}, "^X "))),
    ("classifier", lambda m: m.fit(["a", "b"], ["f"]), "^y must be 2 labels, one for each document, not 1"),
    *(("nothing", lambda given=given: TextClassifier(CharNGram(2), class_weight=given).fit(NAMES, LABELS), words)
      for given, words in (
        ("equal", "^class_weight is 'equal'. Pass None, 'balanced', or a dict"), (np.ones(2), "^class_weight is array"),
        ([1, 2], r"^class_weight is \[1, 2\]. Pass None"), ({"d": 1}, "^a label of class_weight "),
        *(({"f": weight}, r"^class_weight\['f'\] must be") for weight in (-1, np.nan, "2")),
        ({"f": 0, "m": 0}, "^the weights of all classes are 0 or not finite"))),
    ("classifier", lambda m: m.fit(["a", "b"], [0.5, float("nan")]),
     r"y\[1\] is missing \(NaN\). Leave out its document."),
    *(("classifier", lambda m, n=n, w=w: m.score(["bob"] * n, ["m"] * n, w), "^X has no text with a weight above 0")
      for n, w in ((0, None), (1, [0.0]))),
    ("text", lambda m: mixed([m, CharRNN()]), "not fitted", NotFittedError),
    *(("text", lambda m, of=of: mixed(of(m)).score(TEXT, adapt="counts"), "the mixture has no CharNGram") for of in (
        lambda m: [m], lambda m: [mixed([m])])),
    ("text", lambda m: mixed([m]).score(TEXT, adapt="count"), "^adapt is 'count'. Pass True, False or a dict"),
    *(("nothing", lambda n=n: TextClassifier(CharNGram(2, min_count=n)).fit(NAMES, LABELS),
       "^min_count must be a whole number of at least 1, not") for n in (True, 1.0, "1", 0)),
    ("nothing", lambda: TextClassifier(CharRNN(0)).fit(NAMES, LABELS), "hidden_size must be"),
    *(("nothing", lambda given=given: TextClassifier(given).fit(NAMES, LABELS), words) for given, words in (
        (3, "estimator is of type int. Pass a CharNGram, a CharRNN, a list of both, or None."),
        ([CharNGram(2), "lstm"], r"estimator\[1\] is of type str"), ([], "estimator has 0 models. Pass from 1 to 32."),
        ([CharNGram(2)] * 33, "estimator has 33 models. Pass from 1 to 32."))),
    ("nothing", lambda: TextClassifier.recommended(NAMES, LABELS, 0.3, droput=0.0),
     "no model of estimator has a parameter 'droput'"),
    ("nothing", lambda: TextClassifier.recommended(NAMES, LABELS, 0.3, estimator=CharRNN()),
     "estimator is chosen by recommended"),
    # 8-bit weights
    *(("nothing", lambda kind=kind: kind().quantize(), "not fitted", NotFittedError)
       for kind in (CharRNN, TextClassifier)),
    ("8 bits", lambda m: m.quantize(), "already has 8-bit weights"),
    ("float64", lambda m: m.quantize(), "Fit it with dtype='float32'"),
    ("spoiled", lambda m: m.quantize(), "finite"),
    # files and exports
    ("nothing", lambda: Estimator().save("model"), "^Estimator cannot be saved"),
    ("nothing", lambda: Estimator.load("model"), "^Estimator cannot be loaded"),
    *(("nothing", lambda wrong=wrong: MODELS["classifier"]().set_params(**wrong).save(io.BytesIO()), next(iter(wrong)))
      for wrong in ({"class_weight": "equal"}, {"min_steps": 0.5})),
    ("spoiled", lambda m: m.export_c("model.c"), r"params_\['by'\]\[1\] is nan"),
    ("text", lambda m: m.export_html("page.html", float16=True, int8=True),
     r"the model's weights are 8-bit\. Omit float16, or int8 if it is set"),
    ("8 bits", lambda m: m.export_html("page.html", float16=True),
     r"the model's weights are 8-bit\. Omit float16"),
    ("nothing", lambda: CharNGram(2).fit("a b").export_arpa("a.arpa", space="a"), "space"),
    ("nothing", lambda: load_model("names"), "names': it is not a safetensors file; pass one written",
     ModelFileError),
    ("nothing", lambda: load_model("nothing"), "nothing", FileNotFoundError),
    ("text", lambda m: m.fit(TEXT, checkpoint="no/folder"), "no/folder", FileNotFoundError),
    ("nothing", lambda: CharRNN.resume("saved", TEXT), "saved contains a model, but no unfinished training run. Load"),
    ("nothing", lambda: CharRNN.resume("diverged", TEXT), "diverged diverged, and would diverge again. Load it, lower"),
    # plots
    *(("nothing", lambda draw=draw: draw(CharRNN(), TEXT), "not fitted", NotFittedError) for draw in (
        plot.surprisal, plot.probabilities, plot.neurons, plot.states, plot.gradient_flow)),
    *(("text", lambda m, draw=draw: draw(m, ""), "text is empty") for draw in (
        plot.surprisal, plot.probabilities, lambda m, text: plot.neurons(m, text, [1]),
        lambda m, text: plot.compare([m], text))),
    *(("text", lambda m, draw=draw: draw(m, "t" * 5001), "text has 5,001 symbols, but this plot shows 1 to 5,000")
      for draw in (plot.surprisal, plot.probabilities, lambda m, text: plot.neurons(m, text, [1]))),
    ("text", lambda m: plot.neurons(m, "t" * 2501, units=[0, 1]),
     r"text has 2,501 symbols, but this plot shows 1 to 2,500\."),
    ("text", lambda m: plot.neurons(m, "to " * 6 + "t"), "text has 19 symbols"),
    ("text", lambda m: plot.states(m, "t"), "text has 1 symbols"),
    ("nothing", lambda: plot.history([]), "models is empty"),
    ("nothing", lambda: plot.history(["m.crnn"]), "models contains 'm.crnn'"),
    ("untrained", plot.history, "no training records"),
    # models of other kinds
    *(("nothing", call, "^$", NotImplementedError) for call in (
        lambda: LanguageModel().vocabulary_, lambda: LanguageModel().start(), lambda: LanguageModel().score("to be"),
        lambda: LanguageModel().for_label("a"))),
    ("documents", lambda m: m.sample(logit_bias={BOUNDARY: -np.inf}, matching="an"), "forbids the end"),
]  # fmt: skip


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: f"{case[0]}-{case[2]}")
def test_the_message_says_what_is_wrong(case):
    name, *call = case
    check(made(name), *call)
