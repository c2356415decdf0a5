"""Exported counts: the C file and the JavaScript module give Python's numbers and samples."""

import ctypes
import json
import shutil
import subprocess

import numpy as np
import pytest
from compiled_models import CHECKED, available, compiled, output

from crnn import CharNGram

RANDOM = np.random.default_rng(3)
SYLLABLES = ["an", "na", "h", "bo", "by", "ot", "to", "s", "e", "li", "sa", "mar", "ta"]
NAMES = ["".join(RANDOM.choice(SYLLABLES, RANDOM.integers(1, 5))) for _ in range(300)] + ["hanna"]
LETTERS = "\0a\u00e9\u20ac\U0001f600 \n"
ODD = "".join(RANDOM.choice(list(LETTERS), 500, p=[0.3, 0.2, 0.1, 0.1, 0.1, 0.1, 0.1]))

MODELS = {
    "names": lambda: CharNGram(4).fit(NAMES),
    "pruned names": lambda: CharNGram(6).fit(NAMES).prune(3000),
    "quantized names": lambda: CharNGram(6).fit(NAMES).prune(3000).quantize(),
    "text": lambda: CharNGram(5).fit(" ".join(NAMES)),
    "odd characters": lambda: CharNGram(3).fit(ODD).quantize(),
    "unknown characters": lambda: CharNGram(3, min_count=2).fit(["abc", "ab", "a\u20acc"]),
    "bytes": lambda: CharNGram(4).fit(ODD.encode()),
    "unigrams": lambda: CharNGram(1).fit(["ab", "b"]),
    "one symbol": lambda: CharNGram(3).fit("aaaa"),
    "empty documents": lambda: CharNGram(2).fit(["", ""]),
}


def texts_of(model, n=20):
    """Return texts that a model knows, some drawn from it and some of random symbols."""
    codes = model.vocabulary_.codes.tolist()
    found = list(
        model.sample(20, n_samples=n // 2, random_state=0)
        if model.vocabulary_.boundary is None
        else model.sample(n_samples=n // 2, random_state=0)
    )
    random = np.random.default_rng(1)
    for _ in range(n // 2 if codes else 0):
        chosen = random.choice(codes, random.integers(0, 12)).tolist()
        found.append(bytes(chosen) if model.vocabulary_.kind == "bytes" else "".join(map(chr, chosen)))
    strange = "\ufffd"
    return [text for text in found if isinstance(text, bytes) or strange not in text]


@pytest.fixture(scope="module", params=MODELS)
def model(request):
    return MODELS[request.param]()


def encoded(text):
    return text if isinstance(text, bytes) else text.encode()


@pytest.mark.parametrize("compiler", available("gcc", "clang"))
@pytest.mark.parametrize("int8", [False, True])
def test_c_gives_the_numbers_of_python(model, compiler, int8, tmp_path):
    path = compiled(model, tmp_path, compiler, "-DCRNN_NO_MAIN", "-shared", "-fPIC", int8=int8)
    functions = ctypes.CDLL(str(path))
    functions.crnn_score.restype = ctypes.c_double
    functions.crnn_complete.restype = ctypes.c_size_t
    small = model.quantize() if int8 else model
    texts = texts_of(small)
    wanted = small.score_samples(texts)
    found = [functions.crnn_score(encoded(text), ctypes.c_size_t(len(encoded(text)))) for text in texts]
    np.testing.assert_allclose(found, wanted, atol=1e-5 if int8 else 2e-3, rtol=0 if int8 else 1e-4)
    V = len(small.vocabulary_)
    state, row = (ctypes.c_int32 * small.order_)(), np.empty(V)
    functions.crnn_start(state)
    functions.crnn_next_proba(state, row.ctypes.data_as(ctypes.POINTER(ctypes.c_double)))
    assert row.sum() == pytest.approx(1, rel=1e-12)
    room = ctypes.create_string_buffer(400)
    start = encoded(texts[0])[:0]
    n = functions.crnn_complete(start, ctypes.c_size_t(0), room, ctypes.c_size_t(400))
    written = room.raw[:n]
    best = model.sample(400, temperature=0) if model.vocabulary_.boundary is None else model.sample(temperature=0)
    assert encoded(best).startswith(written)
    assert len(written) >= min(len(encoded(best)), 397)


@pytest.mark.parametrize("compiler", available("gcc"))
@pytest.mark.parametrize("name", ["pruned names", "text", "quantized names", "odd characters"])
def test_c_writes_the_texts_of_python(name, compiler, tmp_path):
    model = MODELS[name]()
    is_exact = hasattr(model._learned.counts, "arrays")
    program = compiled(model, tmp_path, compiler, *CHECKED)
    length = 300 if model.vocabulary_.boundary is None else 40
    for temperature in (0, 0.7, 1):
        found = output(program, "--length", str(length), "--seed", "5", "--temperature", str(temperature)).decode()
        options = {"random_state": 5, "temperature": temperature}
        if model.vocabulary_.boundary is None:
            wanted = model.sample(length, **options) + "\n"
        else:
            wanted = "".join(f"{text}\n" for text in model.sample(n_samples=found.count("\n"), **options))
        if is_exact:
            assert found == wanted, temperature
        else:  # 16 bits for the probabilities of counts
            assert found[:50] == wanted[:50], temperature


@pytest.mark.skipif(not shutil.which("node"), reason="no node")
@pytest.mark.parametrize("int8", [False, True])
def test_javascript_gives_the_numbers_of_python(model, int8, tmp_path):
    small = model.quantize() if int8 else model
    texts = [ODD[i : i + 9] for i in range(20)] if small.vocabulary_.kind == "bytes" else texts_of(small)
    model.export_js(tmp_path / "model.mjs", int8=int8)
    (tmp_path / "run.mjs").write_text(
        'import { sample, score, nextProba, complete } from "./model.mjs";\n'
        f"const texts = {json.dumps(texts)};\n"
        "const options = { length: 30, seed: 3, number: 1 };\n"
        "console.log(JSON.stringify({ scores: texts.map(score), sample: sample(options), next: nextProba(texts[0]),"
        ' complete: complete("", { length: 7 }) }));\n'
    )
    done = subprocess.run(["node", "run.mjs"], cwd=tmp_path, capture_output=True, check=True)
    found = json.loads(done.stdout)
    wanted = small.score_samples([text.encode() for text in texts] if small.vocabulary_.kind == "bytes" else texts)
    frozen = int8 or hasattr(small._learned.counts, "arrays")
    np.testing.assert_allclose(found["scores"], wanted, atol=1e-5 if frozen else 2e-3, rtol=0 if frozen else 1e-4)
    assert sum(each["probability"] for each in found["next"]) == pytest.approx(1)
    if small.vocabulary_.boundary is None:
        text = small.sample(30, n_samples=2, random_state=3)[1]
        best = small.sample(7, temperature=0)
    else:
        text = small.sample(max_length=30, n_samples=2, random_state=3)[1]
        best = small.sample(max_length=7, temperature=0)
    if frozen and isinstance(text, str):
        assert found["sample"] == text
        assert found["complete"] == best


def random_model(seed):
    """Return pruned or quantized counts of random texts, with random symbols, order and size."""
    random = np.random.default_rng(seed)
    alphabet = random.choice(list("abcdefgh \0\n\té€😀ж"), random.integers(1, 12), replace=False)
    weights = random.dirichlet(np.full(len(alphabet), 0.5))
    texts = ["".join(random.choice(alphabet, random.integers(1, 40), p=weights)) for _ in range(random.integers(1, 60))]
    model = CharNGram(int(random.integers(1, 8))).fit(texts if random.random() < 0.7 else "".join(texts))
    if random.random() < 0.7:
        try:
            model = model.prune(int(random.integers(1400, 4000)))
        except ValueError:  # too small
            model = model.quantize()
    return model.quantize() if random.random() < 0.5 or not hasattr(model._learned.counts, "arrays") else model


@pytest.mark.slow
@pytest.mark.skipif(not (shutil.which("node") and shutil.which("gcc")), reason="no node or no gcc")
def test_a_thousand_texts_of_random_models(tmp_path):
    for seed in range(50):
        model, folder = random_model(seed), tmp_path / str(seed)
        folder.mkdir()
        texts = texts_of(model)
        wanted = model.score_samples(texts)
        path = compiled(model, folder, "gcc", "-DCRNN_NO_MAIN", "-shared", "-fPIC")
        score = ctypes.CDLL(str(path)).crnn_score
        score.restype, score.argtypes = ctypes.c_double, [ctypes.c_char_p, ctypes.c_size_t]
        found = [score(text.encode(), len(text.encode())) for text in texts]
        np.testing.assert_allclose(found, wanted, atol=1e-5, rtol=0, err_msg=str(seed))
        model.export_js(folder / "model.mjs")
        (folder / "run.mjs").write_text(
            f'import {{ score }} from "./model.mjs";\nconsole.log(JSON.stringify({json.dumps(texts)}.map(score)));\n'
        )
        done = subprocess.run(["node", "run.mjs"], cwd=folder, capture_output=True, check=True)
        np.testing.assert_allclose(json.loads(done.stdout), wanted, atol=1e-5, rtol=0, err_msg=str(seed))


@pytest.mark.parametrize("compiler", available("gcc"))
def test_infinite_guess_numbers_compile(compiler, tmp_path):
    model = CharNGram(1).fit(["ab" * 600, "ba" * 600])  # some samples have a probability below 1e-308
    text = b"ab" * 900
    path = compiled(model, tmp_path, compiler, "-DCRNN_NO_MAIN", "-shared", "-fPIC", n_guess_samples=50, random_state=0)
    guess = ctypes.CDLL(str(path)).crnn_guess_number
    guess.restype = ctypes.c_double
    assert guess(text, ctypes.c_size_t(len(text))) == np.inf
    assert "INFINITY" in (tmp_path / "model.c").read_text("ascii")


@pytest.mark.skipif(not (shutil.which("node") and shutil.which("gcc")), reason="no node or no gcc")
def test_guess_numbers_are_pythons(tmp_path):
    model = MODELS["quantized names"]()
    texts = [*NAMES[:60], "hannabo", "", "tototototo"]
    wanted = np.log10(model.guess_number(texts, 2000, random_state=4).estimate)
    model.export_c(tmp_path / "model.c", n_guess_samples=2000, random_state=4)
    flags = ["-std=c99", "-O1", "-Wall", "-Wextra", "-Werror", "-pedantic", "-DCRNN_NO_MAIN", "-shared", "-fPIC"]
    subprocess.run(["gcc", *flags, tmp_path / "model.c", "-o", tmp_path / "model.so"], check=True)
    guess = ctypes.CDLL(str(tmp_path / "model.so")).crnn_guess_number
    guess.restype, guess.argtypes = ctypes.c_double, [ctypes.c_char_p, ctypes.c_size_t]
    found = [guess(text.encode(), len(text)) for text in texts]
    np.testing.assert_allclose(found, wanted, atol=1e-3)
    assert guess("é".encode(), 2) == -1
    model.export_js(tmp_path / "model.mjs", n_guess_samples=2000, random_state=4)
    (tmp_path / "run.mjs").write_text(
        'import { guessNumber } from "./model.mjs";\n'
        f"console.log(JSON.stringify({json.dumps(texts)}.map(guessNumber)));\n"
    )
    done = subprocess.run(["node", "run.mjs"], cwd=tmp_path, capture_output=True, check=True)
    np.testing.assert_allclose(json.loads(done.stdout), wanted, atol=1e-3)
    with pytest.raises(
        ValueError, match="n_guess_samples is 9, but must be 0 or at least 2, and the model one of documents"
    ):
        CharNGram(2).fit("abab").export_c(tmp_path / "model.c", n_guess_samples=9)
