"""A model file with changes here and there and a repaired checksum: it loads and works, or is a ModelFileError.

So does the checkpoint of a run, which is also resumed. Without the repair, a file with any bit changed is refused.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import hashlib
import json
import os
import shutil
import struct
import tempfile
import warnings
from pathlib import Path

import numpy as np
from trials import Outcome, time_limit

from crnn import (
    AnomalyDetector,
    CharNGram,
    CharRNN,
    DivergenceError,
    InvalidInputError,
    Lines,
    Mixture,
    ModelFileError,
    TextClassifier,
    TextFile,
    load_model,
)
from crnn.files import network_file
from crnn.files.model_file import holds_detector
from crnn.files.network_contents import StoredRecord
from crnn.text.id_cache import check

TEXT = "to be or not to be, that is the question. "
DTYPES = {"F16": "float16", "F32": "float32", "F64": "float64", "U8": "uint8", "I8": "int8", "I32": "int32",
          "I64": "int64"}  # fmt: skip
NUMBERS = [0, 1, -1, 2, 3, 7, 255, 624, 625, 2**31 - 1, 2**31, 2**32, 2**53 + 1, 2**62, 2**63 - 1, 2**63, 2**64, 2**128,
           10**400, 0.5, -0.0, 1e308, -1e308, float("inf"), float("-inf"), float("nan"), 5e-324]  # fmt: skip
VALUES = [*NUMBERS, None, True, False, "", "x", "\ud800", "rnn", "lstm", "adam", "bytes", "float64", [], {}, [1],
          {"a": 1}, [[]] * 9, "9" * 99]  # fmt: skip

RUNS = [
    ({}, TEXT * 3),
    ({"batch_size": 2, "optimizer": "adam", "dropout": 0.2}, ["anna", "bob", "eve"] * 9),
    ({"validation_fraction": 0.2, "eval_every": 3, "learning_rate": 0.5, "cell": "lstm"}, TEXT * 3),
    ({"learning_rate": 1e30, "optimizer": "rmsprop", "cell": "gru"}, TEXT.encode() * 3),  # it ruins the model
]
LONGEST = 0.2  # seconds of a resumed run: a changed number of steps may be large

SMALL = {"hidden_size": 3, "seq_length": 5, "max_steps": 3, "random_state": 0, "n_threads": 1}


def models():
    """Return some small models of every kind."""
    yield CharRNN(**SMALL).fit(TEXT)
    two = {"num_layers": 2, "optimizer": "adam", "batch_size": 2, "dtype": "float64"}
    yield CharRNN(**SMALL, **two, cell="lstm").fit(TEXT.encode())
    yield CharRNN(**SMALL, cell="gru", optimizer="rmsprop", min_count=2, dropout=0.2).fit(["anna", "bob", "eve"] * 3)
    generator = np.random.Generator(np.random.MT19937(3))
    with_records = CharRNN(**SMALL, validation_fraction=0.2).set_params(random_state=generator).fit(TEXT)
    with_records.history_[0]["note"] = "a"
    yield with_records
    yield CharRNN(**SMALL, cell="cifg", n_bigrams=7).fit(TEXT)
    for i, text in enumerate((TEXT * 3, ["anna", "bob", "eve"], b"\0\xff\0")):
        yield CharNGram(4, min_count=1 + i % 2).fit(text)
    network = CharRNN(**SMALL, cell="lstm", n_bigrams=3).fit(TEXT)
    yield network.quantize()
    yield CharRNN(**SMALL, num_layers=2, cell="gru").fit(["anna", "bob", "eve"] * 3).quantize()
    yield Mixture.from_fitted([network, CharNGram(3).fit(TEXT)], weights=[0.7, 0.4])
    names, labels = ["anna", "bob", "eve"] * 9, ["a", "b", "b"] * 9
    yield CharNGram(3).fit(names, y=labels)
    yield TextClassifier([CharRNN(**SMALL), CharNGram(2)], class_weight={"a": 1, "b": 2}).fit(names, labels)
    lines = [f"job {i} done" for i in range(260)]
    yield AnomalyDetector(CharNGram(3), contamination=0.4, random_state=0).fit(lines).partial_fit(lines)
    yield AnomalyDetector(CharRNN(**SMALL), contamination=0.4, random_state=0).fit(lines)


def interrupt(model, record):
    """Do as Ctrl-C would in the middle of a run."""
    if record["step"] >= 20:
        raise KeyboardInterrupt


@functools.cache
def originals(folder):
    """Return the files to mutate, with a training run's text; some models are also saved without a training state."""
    path, found = folder / "original", []
    for i, model in enumerate(models()):
        for options in ({}, {"training_state": False})[: 2 if i < 3 else 1]:
            model.save(path, **options)
            found.append((path.read_bytes(), None))
    model = CharRNN(**SMALL).fit(TEXT)
    run, state = StoredRecord({"epoch": 3, "order": [1, 2]}, {"seed": np.arange(3)}), model.__dict__["_learned"]
    path.write_bytes(network_file.to_bytes(state, model.get_params(), training_state=True, run=run, best=state))
    found.append((path.read_bytes(), None))
    for given, text in RUNS:
        model = CharRNN(**{**SMALL, "max_steps": 40, **given}, callbacks=[interrupt])
        with contextlib.suppress(KeyboardInterrupt):
            model.fit(text, checkpoint=path)
        found.append((path.read_bytes(), text))
    return found


def split(data):
    """Return the header of a file, and its other bytes."""
    (length,) = struct.unpack("<Q", data[:8])
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def joined(metadata, documents, tensors, version):
    """Return a file of these parts, with a true checksum."""
    metadata = {key: value if isinstance(value, str) else json.dumps(value) for key, value in metadata.items()}
    metadata["format_version"] = str(version)
    bodies = {name: (dtype, shape, data) for name, (dtype, shape, data) in tensors.items()}
    for name, document in documents.items():
        text = json.dumps(document).encode()
        bodies[name] = "U8", [len(text)], text
    digest = hashlib.sha256(json.dumps(sorted([key, value] for key, value in metadata.items())).encode())
    for name in sorted(bodies):
        dtype, shape, data = bodies[name]
        digest.update(json.dumps([name, DTYPES.get(dtype, dtype), shape]).encode())
        digest.update(data)
    header, end = {"__metadata__": {"crnn": json.dumps(metadata | {"checksum": digest.hexdigest()})}}, 0
    for name, (dtype, shape, data) in bodies.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [end, end + len(data)]}
        end += len(data)
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + b"".join(data for _, _, data in bodies.values())


def parts(data):
    """Take a file apart: metadata with documents parsed, documents that are tensors, and the other tensors."""
    header, body = split(data)
    metadata = json.loads(header.pop("__metadata__")["crnn"])
    del metadata["checksum"]
    version = int(metadata.pop("format_version"))
    metadata = {key: value if key in ("format", "kind") else json.loads(value) for key, value in metadata.items()}
    tensors = {name: [t["dtype"], t["shape"], body[slice(*t["data_offsets"])]] for name, t in header.items()}
    own = [name for name in ("training", "best", "run") if name in tensors]
    documents = {name: json.loads(tensors.pop(name)[2]) for name in own}
    return metadata, documents, tensors, version


def places(document, way=()):
    """Yield the way to every value of a document."""
    yield way
    inner = dict(enumerate(document)) if isinstance(document, list) else document
    for key, value in inner.items() if isinstance(inner, dict) else ():
        yield from places(value, (*way, key))


def change_document(rng, holder, name):
    """Change, remove, add or double a value somewhere in a document."""
    way = list(places(holder[name]))
    way = way[rng.integers(len(way))]
    value = copy.deepcopy(VALUES[rng.integers(len(VALUES))])  # a list or dict may itself be changed later
    if not way:
        holder[name] = value
        return
    inner = holder[name]
    for key in way[:-1]:
        inner = inner[key]
    kind = rng.integers(4)
    if kind == 0:
        del inner[way[-1]]
    elif kind == 1 and isinstance(inner, dict):
        inner[str(value)[:9]] = value
    elif kind == 1:
        inner.insert(int(rng.integers(len(inner) + 1)), value)
    elif kind == 2 and isinstance(inner[way[-1]], int | float) and abs(inner[way[-1]]) < 1e15:
        inner[way[-1]] += [-1, 1, 0.5, -0.5][rng.integers(4)]
    else:
        inner[way[-1]] = value


def change_tensor(rng, tensors):
    """Change numbers, shape, type, name or length of a tensor, or take it away, or exchange two."""
    names = list(tensors)
    name, other = names[rng.integers(len(names))], names[rng.integers(len(names))]
    dtype, shape, data = tensors[name]
    kind = rng.integers(8)
    if name.startswith("models.") and kind < 6 and dtype == "U8":  # a file in the file
        with contextlib.suppress(ValueError):  # it was changed before, and cannot be taken apart
            data = mutated(rng, data)
        tensors[name] = [dtype, [len(data)], data]
    elif kind <= 2 and data and len(data) % np.dtype(DTYPES[dtype]).itemsize == 0:
        array = np.frombuffer(data, DTYPES[dtype]).copy()
        special = [0, 1, -1, 3, 4, 255] if array.dtype.kind in "iu" else [0.0, -1.0, np.nan, np.inf, 1e38, 1e-45]
        with np.errstate(all="ignore"):
            array[rng.integers(len(array))] = np.array(special[rng.integers(6)]).astype(array.dtype)
        tensors[name][2] = array.tobytes()
    elif kind == 3:
        tensors[name][1] = [*shape, 1] if rng.integers(2) else shape[::-1]
    elif kind == 4:
        tensors[name][0] = list(DTYPES)[rng.integers(len(DTYPES))]
    elif kind == 5:
        del tensors[name]
    elif kind == 6:
        tensors[["bigrams.pairs", "gradient_rms", "run.x", "best.decoder.bias", "run.", "\ud800", "a" * 300][
            rng.integers(7)]] = tensors.pop(name)  # fmt: skip
    else:
        tensors[name], tensors[other] = tensors[other], tensors[name]


def mutated(rng, data):
    """Return a file with one to three changes; now and then with bytes changed anywhere."""
    if rng.integers(20) == 0:
        changed = bytearray(data)
        for _ in range(rng.integers(1, 4)):
            changed[rng.integers(len(changed))] = rng.integers(256)
        return bytes(changed)
    metadata, documents, tensors, version = parts(data)
    for _ in range(rng.integers(1, 4)):
        kind = rng.integers(10)
        if kind < 4 and tensors:
            change_tensor(rng, tensors)
        elif kind < 7 and documents:
            change_document(rng, documents, list(documents)[rng.integers(len(documents))])
        elif kind < 9:
            change_document(rng, metadata, list(metadata)[rng.integers(len(metadata))])
        else:
            version = [1, 2, 3, 4, 0, -1][rng.integers(6)]
    return joined(metadata, documents, tensors, version)


def case(i, folder):
    """Load a changed file; what loads must work."""
    rng = np.random.default_rng([7, i])
    files = originals(folder)
    path = folder / "changed"
    data, text = files[rng.integers(len(files))]
    path.write_bytes(mutated(rng, data))
    try:
        if text is not None and rng.integers(2):
            return resumed(path, text)
        model = AnomalyDetector.load(path) if holds_detector(path) else load_model(path)
    except ModelFileError:
        return None
    return used(model, folder)


def resumed(path, text):
    """Finish a run from a changed file, or be interrupted."""
    try:
        with time_limit(LONGEST):
            model = CharRNN.resume(path, text, n_threads=1, verbose=0)
    except (InvalidInputError, DivergenceError, KeyboardInterrupt):
        return None
    score = model.score(text)
    return None if score < 0 else f"a resumed model scores {score}"


def used(model, folder):
    """Sample, score, train and save a loaded model."""
    if isinstance(model, TextClassifier | AnomalyDetector):
        return judge_used(model, folder)
    if isinstance(model, Mixture | CharNGram) or model.__dict__["_learned"].scales is not None:
        return probabilities_used(model, folder)
    text = model.vocabulary_.decode(range(len(model.vocabulary_.codes))) * 7
    model.set_params(n_threads=1, callbacks=None, verbose=0)
    try:
        model.sample(5, random_state=0)
        model.score([text] if model.vocabulary_.boundary is not None else text)
        model.set_params(max_steps=2, max_seconds=None, batch_size=min(model.batch_size, 3), patience=None,
                         seq_length=min(model.seq_length, 7), validation_fraction=0.0)  # fmt: skip
        if model.vocabulary_.boundary is not None:
            text = [text] * 3
        model.partial_fit(text)
    except (DivergenceError, InvalidInputError):
        pass  # weights may be finite and absurd, and changed settings may not fit the weights
    model.save(folder / "again")
    again = CharRNN.load(folder / "again")
    same = all((a == again.params_[name]).all() for name, a in model.params_.items())
    return None if same and again.n_steps_ == model.n_steps_ else "a loaded and saved model differs"


def judge_used(model, folder):
    """Predict with a classifier or a detector, save it, and let a detector learn."""
    is_classifier = isinstance(model, TextClassifier)
    vocabulary = (model if is_classifier else model.estimator_).vocabulary_
    symbols = [vocabulary[i] for i in range(len(vocabulary.codes))]
    if not is_classifier:
        symbols = ["a", "\ud800"] if vocabulary.kind == "characters" else [b"a", b"\xff"]
    texts = [symbols[0][:0], *symbols]
    predicted = model.predict(texts)
    if is_classifier and not np.allclose(model.predict_proba(texts).sum(axis=1), 1):
        return "a loaded model's probabilities do not sum to 1"
    model.save(folder / "again")
    if (type(model).load(folder / "again").predict(texts) != predicted).any():
        return "a loaded and saved model differs"
    if not is_classifier:
        with contextlib.suppress(InvalidInputError, DivergenceError):
            model.partial_fit([symbols[0] * 3, *symbols] * 9).explain(symbols[0] * 3)
    return None


def probabilities_used(model, folder):
    """Sample, score and save a model that cannot be trained by steps; add to counts."""
    is_counts = isinstance(model, CharNGram)
    model.set_params(n_threads=1)
    if is_counts:
        model.set_params(verbose=0, max_memory=None, order=None)
        if len(model.vocabulary_.labels):
            labels = list(model.labels_)
            model.partial_fit(["", ""], y=[labels[0], labels[-1]])
            model = model.for_label(labels[0])
    text = model.sample(5, random_state=0)
    texts = [text] if model.vocabulary_.boundary is not None else text
    if not np.allclose(model.next_proba([text]).sum(), 1, atol=1e-8 if is_counts else 1e-4):
        return "a loaded model's probabilities do not sum to 1"
    if len(text):
        model.score(texts, adapt=is_counts)
        if is_counts:
            model.partial_fit(texts)
    model.save(folder / "again")
    again = type(model).load(folder / "again")
    same = (again.next_proba([text]) == model.next_proba([text])).all()
    same &= not is_counts or again.n_grams_ == model.n_grams_
    return None if same else "a loaded and saved model differs"


def flip_bits(count: int, seed: int = 0) -> Outcome:
    """Change bits of files, all of them if `count` allows: each file is then refused."""
    failures, tries = [], 0
    with tempfile.TemporaryDirectory(prefix="crnn-reliability-") as name:
        path = Path(name) / "model"
        contents = [data for data, _ in originals(Path(name))]
        for data in contents:
            bits = np.arange(8 * len(data))
            share = count // len(contents)
            if share < len(bits):
                bits = np.sort(np.random.default_rng(seed).choice(bits, share, replace=False))
            path.write_bytes(data)
            with open(path, "r+b", buffering=0) as stream:
                for bit in bits.tolist():
                    place, mask = bit // 8, 1 << bit % 8
                    stream.seek(place)
                    stream.write(bytes([data[place] ^ mask]))
                    tries += 1
                    try:
                        load_model(path)
                        failures.append(f"bit {bit}: it loads")
                    except ModelFileError:
                        pass
                    except Exception as error:
                        failures.append(f"bit {bit}: {type(error).__name__}: {error}")
                    stream.seek(place)
                    stream.write(data[place : place + 1])
    return Outcome(tries, failures)


TEXT_OF_LINES = TEXT.replace(". ", ".\n") * 7


def sources(folder):
    """Return functions that read the same text from files, through a cache."""
    return [
        lambda: TextFile(folder / "text", cache=folder / "cache"),
        lambda: TextFile([folder / "text", folder / "wide"], cache=folder / "cache"),
        lambda: TextFile(folder / "text", kind="bytes", cache=folder / "cache"),
        lambda: Lines(folder / "text", cache=folder / "cache"),
        lambda: Lines([folder / "wide", folder / "text"], cache=folder / "cache"),
    ]


def damage(rng, path):
    """Change one file of a cache."""
    kind, data = int(rng.integers(8)), path.read_bytes()
    if kind == 0:
        path.write_bytes(data[: rng.integers(len(data) + 1)])
    elif kind == 1:
        path.write_bytes(data + rng.bytes(int(rng.integers(1, 9))))
    elif kind == 2:
        path.unlink()
        [lambda: None, path.mkdir, lambda: os.mkfifo(path)][rng.integers(3)]()
    elif path.suffix == ".json" and kind <= 5:
        holder = {"document": json.loads(data)}
        change_document(rng, holder, "document")
        path.write_text(json.dumps(holder["document"]))
    else:
        changed = bytearray(data)
        for _ in range(rng.integers(1, 9) if changed else 0):
            changed[rng.integers(len(changed))] = [0, 255, 254, int(rng.integers(256))][rng.integers(4)]
        path.write_bytes(changed)


def cache_case(i, folder):
    """Damage a cache and use it: it is used as far as it goes, written anew, or refused."""
    rng = np.random.default_rng([31, i])
    here = Path(folder) / "caches"
    shutil.rmtree(here, ignore_errors=True)
    (here / "cache").mkdir(parents=True)
    (here / "text").write_text(TEXT_OF_LINES)
    (here / "wide").write_text("".join(map(chr, range(0x4E00, 0x4F40))) + "\n" + TEXT_OF_LINES)
    made = sources(here)
    source = made[rng.integers(len(made))]
    model = [CharNGram(3), CharRNN(**SMALL), CharRNN(**SMALL, batch_size=2, validation_fraction=0.2)][rng.integers(3)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(source())
        score = model.score(source())
        files = sorted((here / "cache").iterdir())
        damage(rng, files[rng.integers(len(files))])
        with contextlib.suppress(InvalidInputError, OSError):
            for path in (here / "cache").glob("*.json"):
                check(str(path))
        try:
            again = model.score(source())
            model.partial_fit(source())
        except (ValueError, OSError, DivergenceError):  # such as ids beyond the vocabulary, which a kernel finds
            return None
    return None if np.isfinite(again) and again <= 0 else f"a score of {again}, {score} before"
