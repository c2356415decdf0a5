"""Every attribute of a public object is in the section "Attributes" of its class, with the type that it has.

Public objects are the public classes' and those that a public function, method or property returns.
"""

import ast
import inspect
import re
import types

import numpy as np
import pytest
from source_tree import needs_sources, parsed, python_modules

import crnn
from crnn import AnomalyDetector, CharNGram, CharRNN, Lines, Mixture, TextClassifier, TextFile
from crnn.classic import MinCharRNN

WORDS = ["anna", "otto", "eva", "bob", "tom", "ida", "ada", "leo"]
LABELS = ["f", "m", "f", "m", "m", "f", "f", "m"]
TEXT = "to be or not to be, " * 20


def network(**parameters):
    return CharRNN(5, seq_length=3, random_state=0, **{"max_steps": 2, **parameters})


def texts_of_a_file(tmp_path):
    path = tmp_path / "names.txt"
    path.write_text("\n".join(WORDS))
    return path


def found_units():
    from crnn import plot

    return plot.find_units(network().fit(TEXT * 3), TEXT * 3)[0]


def gradient_norms(cell):
    from crnn import plot

    return plot.gradient_norms(network(cell=cell).fit(TEXT), TEXT, max_distance=5, n_positions=3)


def torch_network(**parameters):
    pytest.importorskip("torch")
    return network(**parameters).fit(TEXT).to_torch()


FITTED = {  # what it is: how to make it, given a folder
    "a network": lambda _: network().fit(TEXT),
    "a network with every variant": lambda _: network(
        cell="lstm", optimizer="adam", num_layers=2, embedding_size=3, n_bigrams=2
    ).fit(WORDS, LABELS),
    "a quantized network": lambda _: network(cell="gru").fit(TEXT).quantize(),
    "counts": lambda _: CharNGram(order=3).fit(TEXT),
    "counts with labels": lambda _: CharNGram(order=3).fit(WORDS, LABELS),
    "a mixture": lambda _: Mixture.from_fitted([network().fit(TEXT), CharNGram(order=3).fit(TEXT)]),
    "a mixture of words": lambda _: Mixture([network(), CharNGram(order=3)]).fit(TEXT * 20),
    "a classifier": lambda _: TextClassifier(CharNGram(order=3, min_count=2)).fit(WORDS, LABELS),
    "a classifier of two models": lambda _: TextClassifier([CharNGram(order=3, min_count=2), network()]).fit(
        WORDS * 5, LABELS * 5
    ),
    "a detector": lambda _: AnomalyDetector(CharNGram(order=3), contamination=0.2, random_state=0).fit(WORDS * 5),
    "a detector with a mask": lambda _: fitted_and_predicted(
        AnomalyDetector(CharNGram(order=3), contamination=0.2, mask=["digits", ("o", "0")], random_state=0)
    ),
    "a state": lambda _: CharNGram(order=3).fit(TEXT).start("to"),
    "states": lambda _: CharNGram(order=3).fit(TEXT).start_many(["to", "be"]),
    "a vocabulary": lambda _: CharNGram(order=3).fit(TEXT).vocabulary_,
    "a vocabulary of documents": lambda _: CharNGram(order=3, min_count=2).fit(WORDS, LABELS).vocabulary_,
    "a text in files": lambda folder: TextFile(texts_of_a_file(folder)),
    "lines": lambda folder: Lines(texts_of_a_file(folder), cache=folder, transform=str.upper),
    "an explanation": lambda _: (
        AnomalyDetector(CharNGram(order=3), contamination=0.2, random_state=0).fit(WORDS * 5).explain("xyz")
    ),
    "enumerated documents": lambda _: CharNGram(order=3).fit(WORDS).enumerate_documents(2),
    "enumerated matches": lambda _: CharNGram(order=3).fit(WORDS).enumerate_documents(2, matching="a.*"),
    "a probability of a match": lambda _: CharNGram(order=3).fit(WORDS).match_probability("a.*"),
    "a restored text": lambda _: CharNGram(order=3).fit(TEXT).restore("to _e", gaps="_", changes=True),
    "a change": lambda _: CharNGram(order=3).fit(TEXT).restore("to _e", gaps="_", changes=True).changes[0],
    "surprisal of words": lambda _: CharNGram(order=3).fit(TEXT).word_surprisal("to be"),
    "guess numbers": lambda _: CharNGram(order=3).fit(WORDS).guess_number(WORDS, 7, 0),
    "a gradient": lambda _: network().fit(TEXT).gradient("to be"),
    "a gradient of an LSTM": lambda _: network(cell="lstm").fit(TEXT).gradient("to be"),
    "min-char-rnn": lambda _: MinCharRNN(5, seq_length=3, random_state=0).train(TEXT, 2),
    "a copy": lambda _: crnn.longest_copies(["to be"], TEXT)[0],
    "a dirty cell": lambda _: crnn.dirty_cells({"a": ["ab", "ab", "ac"]})[0],
    "a found unit": lambda _: found_units(),
    "norms of gradients": lambda _: gradient_norms("rnn"),
    "norms of gradients of an LSTM": lambda _: gradient_norms("lstm"),
    "a network in PyTorch": lambda _: torch_network(),
    "a network in PyTorch with pairs": lambda _: torch_network(embedding_size=3, n_bigrams=2, cell="gru"),
}


def fitted_and_predicted(detector):
    detector.fit_predict(WORDS * 5)
    return detector


def attributes(obj):
    """Return the public attributes of an object, without its methods; only the learned ones of an estimator."""
    if hasattr(obj, "get_params"):
        return {name for name in dir(obj) if re.fullmatch(r"[a-z]\w*_", name)}
    if isinstance(obj, tuple):
        return {*obj._fields}
    if "torch" in type(obj).__module__ or hasattr(obj, "state_dict"):
        return {"vocabulary", *obj._modules, *obj._buffers, "embedding"}
    return {name for name in dir(obj) if name[0] != "_" and not inspect.isroutine(getattr(type(obj), name, None))}


def described(cls):
    """Return the type in words of every attribute that the class's docstring describes, by its name."""
    _, found, rest = inspect.getdoc(cls).partition("\nAttributes\n----------\n")
    section = re.split(r"\n\w+\n-{3,}\n", rest)[0] if found else ""
    entries = re.findall(r"^(\w+) : (.+)\n    [A-Z-].*\.", section, re.MULTILINE)
    return dict(entries)


def is_described_by(value, kind):
    """Return whether a value has a type that is described in words, such as "ndarray of float64 and shape (k,)"."""
    if isinstance(value, np.ndarray):
        dtype = re.search(r"ndarray of ([a-z]+\d*)", kind)
        shapes = [
            text.count(",") + 1 - text.endswith(",)") for text in re.findall(r"\([^()]*(?:\(\w+\))?[^()]*\)", kind)
        ]
        has_dtype = dtype is None or dtype[1] == "shape" or value.dtype.name.startswith(dtype[1])
        return "ndarray" in kind and has_dtype and (not shapes or value.ndim in shapes)
    if isinstance(value, types.FunctionType | types.MethodDescriptorType):
        return "callable" in kind
    names = {cls.__name__ for cls in type(value).__mro__} - {"object"}
    heads = [alternative.split(" of ")[0].strip() for alternative in re.split(r",? or | or a |, ", kind)]
    wanted = {head.removeprefix("a ").rpartition(".")[2] for head in heads}
    return bool(names & ({"NoneType" if name == "None" else name for name in wanted}))


@pytest.mark.parametrize("make", FITTED.values(), ids=FITTED)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_attributes_are_described_with_their_types(make, tmp_path):
    obj = make(tmp_path)
    kinds = described(type(obj))
    parameters = inspect.signature(type(obj)).parameters.keys()  # they are attributes too, and may be listed again
    assert attributes(obj) - parameters == kinds.keys() - parameters
    assert kinds.keys() <= attributes(obj)
    found = {name: getattr(obj, name) for name in kinds if hasattr(obj, name)}  # `fit_predict` alone sets some
    assert [
        (name, kinds[name], value) for name, value in found.items() if not is_described_by(value, kinds[name])
    ] == []


@pytest.mark.parametrize("make", FITTED.values(), ids=FITTED)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_property_and_its_class_say_the_same(make, tmp_path):
    cls = type(make(tmp_path))
    words = " ".join(inspect.getdoc(cls).split())
    for name in described(cls):
        if isinstance(getattr(cls, name, None), property):
            first = inspect.getdoc(getattr(cls, name)).partition("\n\n")[0]
            assert " ".join(first.split()) in words, name


SIMPLE = {"bool", "bytes", "dict", "float", "int", "list", "str", "tuple"}


@pytest.mark.parametrize("make", FITTED.values(), ids=FITTED)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_types_agree_with_annotations(make, tmp_path):
    cls = type(make(tmp_path))
    for name, kind in described(cls).items():
        attribute = getattr(cls, name, None)
        owner, key = (attribute.fget, "return") if isinstance(attribute, property) else (cls, name)
        annotation = str(inspect.get_annotations(owner).get(key, ""))
        words = {*re.findall(r"\w+", annotation.partition("[")[0])} & SIMPLE
        assert words <= {*re.findall(r"\w+", kind)}, name
        if annotation in SIMPLE:
            assert kind == annotation, name


def public_callables():
    """Yield every public function, and every public method and property of the public classes."""
    from crnn import datasets, plot, report

    for module in (crnn, datasets, plot, report):
        for name in getattr(module, "__all__", dir(module)):
            obj = getattr(module, name)
            if inspect.isfunction(obj):
                yield obj
            elif isinstance(obj, type):
                for member in (getattr(obj, name) for name in dir(obj) if name[0] != "_"):
                    yield inspect.unwrap(member.fget if isinstance(member, property) else member)


@needs_sources
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_every_class_that_is_returned_is_among_the_objects(tmp_path):
    trees = map(parsed, python_modules().values())
    classes = {node.name for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}
    annotations = [str(getattr(function, "__annotations__", {}).get("return")) for function in public_callables()]
    returned = {word for annotation in annotations for word in re.findall(r"\w+", annotation)} & classes
    made = {cls.__name__ for make in FITTED.values() for cls in type(make(tmp_path)).__mro__}
    assert {"Explanation", "TextState", "Copy"} <= returned
    assert returned - made == {"FileReader"}  # what reads a file is for the models


def test_wrong_types_are_found():
    rows = np.zeros((3, 2))
    for value, kind in [
        (1, "float"),
        (1.0, "int or None"),
        (np.float64(1), "int"),
        ([], "tuple of str"),
        (None, "str"),
        (rows, "list"),
        (rows, "ndarray of float32"),
        (rows, "ndarray of float64 and shape (n,)"),
    ]:
        assert not is_described_by(value, kind), (value, kind)
    for value, kind in [
        (1, "int"),
        (None, "int or None"),
        ("a", "str or bytes"),
        ((1, 2), "ndarray of shape (n,), or a tuple of arrays"),
        (rows, "ndarray of float64 and shape (k,) or (4, k)"),
        (str.upper, "callable or None"),
    ]:
        assert is_described_by(value, kind), (value, kind)
