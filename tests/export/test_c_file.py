"""The exported C file: it compiles without a warning, scores and samples as the model does."""

import subprocess

import numpy as np
import pytest
from compiled_models import FLAGS, Library, available, compiled, output
from examples import random_language_model

from crnn import CharRNN, TextFile
from crnn.sampling.controls import Uniforms, root

GCC, CLANG = available("gcc"), available("clang")
CELLS = [*((cell, layers) for cell in ("rnn", "gru", "lstm") for layers in (1, 2)), ("cifg", 2)]
# Quotes, a backslash, a percent sign, a zero byte, what trigraphs are made of, one symbol of each length in UTF-8.
HARD = "\"'\\%\0?=/(<!\n\r*é€😀"

PAIRS = ["abcdefghijk", "", "badcfe", "hgkjiicba"]


def model_of(symbols, cell="gru", num_layers=1, **parameters):
    """Return a random model; a whole panel of columns and a rest of it for every cell but rnn.

    Larger weights would make a vanilla network chaotic: roundings would grow to another text.
    """
    parameters = {"dtype": "float32", "scale": 0.2, **parameters}
    return random_language_model(symbols, hidden_size=23, cell=cell, num_layers=num_layers, **parameters)


def written(model, n=200):
    """Return what the program writes without arguments, from Python's samples."""
    if model.vocabulary_.boundary is None:
        text = model.sample(n, random_state=0)
        return text if isinstance(text, bytes) else text.encode() + b"\n"
    lines = b""
    for document in model.sample(n_samples=n, random_state=0):
        if n <= 0:
            break
        lines += document.encode() + b"\n"
        n -= len(document) + 1
    return lines


# Each cell, kind of symbols, input and number of layers, with float and with 8-bit weights.
SAMPLED = [
    ("abcdefghijk", "rnn", {}, False), ("abcdefghijk", "rnn", {"num_layers": 2, "embedding_size": 7}, True),
    ("abcdefghijk", "gru", {"num_layers": 2, "embedding_size": 7}, False), (HARD, "gru", {}, True),
    (HARD * 2 + "once", "gru", {"min_count": 2}, True), ("abcdefghijk", "lstm", {}, False),
    (HARD.encode(), "lstm", {"num_layers": 2}, True), (HARD, "lstm", {"embedding_size": 7}, True),
    ([HARD.replace("\n", ""), "ab"], "cifg", {}, False), ("abcdefghijk", "cifg", {"num_layers": 2}, True),
    # Some symbols in a row of a sample have a pair, others not.
    (PAIRS, "rnn", {"n_bigrams": 13, "embedding_size": 7}, False), ("".join(PAIRS), "rnn", {"n_bigrams": 13}, True),
    (PAIRS, "gru", {"n_bigrams": 13, "num_layers": 2}, True), ("".join(PAIRS), "lstm", {"n_bigrams": 13}, False),
    (PAIRS, "cifg", {"n_bigrams": 13, "embedding_size": 7, "num_layers": 2}, True),
]  # fmt: skip


@pytest.mark.parametrize(
    ("source", "cell", "parameters", "int8", "compiler"),
    [
        pytest.param(*case, *compiler.values, marks=compiler.marks)
        for cases, compiler in ((SAMPLED, *GCC), (SAMPLED[1::5], *CLANG))
        for case in cases
    ],
)
def test_writes_what_python_samples(source, cell, parameters, int8, compiler, tmp_path):
    model = model_of(source, cell, **parameters)
    assert (model.vocabulary_.unknown is not None) == ("min_count" in parameters)
    expected = written(model.quantize() if int8 else model)
    assert output(compiled(model, tmp_path, compiler, int8=int8)) == expected


@pytest.mark.parametrize("compiler", GCC)
@pytest.mark.parametrize(("texts", "some"), [(["abc", "cab"], True), (["a", ""], False)])
def test_rows_of_bigrams_without_a_pair(texts, some, compiler, tmp_path):
    """The model of one label has no pairs with the other label: some rows are left, or none."""
    model = CharRNN(7, n_bigrams=9, max_steps=40, random_state=0).fit(texts, y=["x", "y"]).for_label("y")
    assert None in model.bigrams_
    assert any(model.bigrams_) == some
    assert output(compiled(model, tmp_path, compiler)) == written(model)


@pytest.mark.parametrize("compiler", GCC)
@pytest.mark.parametrize(
    ("cell", "layers", "int8", "n_bigrams"),
    [
        *((*kind, True, None) for kind in CELLS),
        *(("rnn", 2, False, None), ("lstm", 1, False, None), ("cifg", 2, False, 17)),
    ],
)
def test_c_library_gives_the_models_log_probabilities(cell, layers, int8, n_bigrams, compiler, tmp_path):
    source = model_of(["abcdefg", "", "gfe", "cdagb"], cell, layers, n_bigrams=n_bigrams)
    model = source.quantize() if int8 else source
    ids = np.array([3, 0, 6, 1, 7, 5, 7, 7, 2])  # 7 is the boundary
    expected, state = [], model.start()
    for i in [*ids, None]:
        expected.append(np.log(state.next_proba()))
        if i is not None:
            state = state.end() if i == 7 else state.feed("abcdefg"[i])
    library, texts = Library(source, tmp_path, compiler, int8=int8), ["abcabcdefg", "", "gfedcba"]
    np.testing.assert_allclose(library.log_probabilities(ids), expected, rtol=0, atol=1e-5)
    found = [library.score(text.encode()) for text in texts]
    np.testing.assert_allclose(found, model.score_samples(texts), rtol=1e-6)
    assert (np.abs(found - source.score_samples(texts)).max() > 1e-4) == int8


@pytest.mark.parametrize("compiler", GCC)
def test_c_library_draws_pythons_random_numbers_and_encodes_texts(compiler, tmp_path):
    """All but the network: random numbers, symbols, texts."""
    model = model_of(["a€b", "😀\0é", ""], dtype="float64")  # rounded to float32
    library = Library(model, tmp_path, compiler)
    for seed in (0, 7, 2**32 + 3, 2**64 - 1):
        streams = Uniforms(root(seed), range(1235)).draw(3)
        for sample in (0, 1, 1234):
            assert library.uniforms(seed, sample, 3) == streams[:, sample].tolist()

    for i, symbol in enumerate(model.vocabulary_.codes.tolist()):
        assert library.symbol(i) == chr(symbol).encode()
        assert library.read(chr(symbol).encode() + b"x") == (len(chr(symbol).encode()), i)
    assert library.symbol(model.vocabulary_.boundary) == b""
    assert library.read("ä".encode()) == (2, -1)
    # A byte that continues nothing, a symbol cut short, a long form of a short one, beyond U+10FFFF.
    for text in (b"\x80", "€".encode()[:2], b"\xc0\x80", b"\xe0\x81\x81", b"\xf4\x90\x80\x80", b"\xff", b"\xe2aa", b""):
        assert library.read(text)[0] == 0

    texts = ["ab", "", "😀€€\0éa"]
    expected = model.score_samples(texts)
    np.testing.assert_allclose([library.score(text.encode()) for text in texts], expected, rtol=1e-5)
    assert library.score(b"ax") == library.score(b"a\xff") == 1


@pytest.mark.parametrize("compiler", GCC)
def test_a_program_with_the_library(compiler, tmp_path):
    """The example of the file's own comment."""
    model = model_of("abcdefg")
    library = compiled(model, tmp_path, compiler, "-DCRNN_NO_MAIN", "-c")
    head = (tmp_path / "model.c").read_text()
    example = head[head.index("#define CRNN_HEADER") : head.index(" * The functions allocate")].replace("\n *", "\n")
    declarations, loop = example.split("crnn_state state;")
    program = f"{declarations}#include <stdio.h>\nint main(void) {{ crnn_state state;{loop} return 0; }}\n"
    (tmp_path / "program.c").write_text(program)
    subprocess.run([compiler, *FLAGS, "program.c", "-xnone", str(library), "-o", "program"], cwd=tmp_path, check=True)
    assert output(tmp_path / "program") == model.sample(200, random_state=0).encode()


@pytest.mark.parametrize("compiler", GCC)
def test_c_program_takes_command_line_options(compiler, tmp_path):
    model = model_of("abcdefgh")
    program = compiled(model, tmp_path, compiler)
    text = model.sample(31, prime="hag", temperature=0.5, random_state=2**40 + 1)
    assert (
        output(program, "--length", "31", "--seed", str(2**40 + 1), "--temperature", "0.5", "--prime", "hag").decode()
        == text + "\n"
    )
    assert output(program, "--temperature", "0", "--length", "13").decode() == model.sample(13, temperature=0) + "\n"
    assert float(output(program, "--score", given=b"abcabc")) == pytest.approx(-model.score("abcabc"), abs=1e-6)
    assert b"usage" in output(program, "--help")
    for arguments in (
        ["-x"],
        ["--length"],
        ["--length", "1x"],
        ["--length", "-3"],
        ["--temperature", "-1"],
        ["--prime", "z"],
        ["--score", "--length"],
    ):
        assert subprocess.run([program, *arguments], capture_output=True).returncode == 1
    assert subprocess.run([program, "--score"], input=b"abz", capture_output=True).returncode == 1


@pytest.mark.parametrize("compiler", GCC)
@pytest.mark.parametrize("symbols", ["abc\r\n\r", b"abc\r\n\r"])
def test_scores_texts_of_windows(compiler, tmp_path, symbols):
    model, given = model_of(symbols), b"ab\r\n\r\r\nc\r"
    (tmp_path / "text").write_bytes(given)
    found = float(output(compiled(model, tmp_path, compiler), "--score", given=given))
    assert found == pytest.approx(-model.score(TextFile(tmp_path / "text", kind=model.vocabulary_.kind)), abs=1e-5)


@pytest.mark.parametrize("compiler", GCC)
def test_scores_lines(compiler, tmp_path):
    model = model_of(["abcé", "\r", ""])
    program = compiled(model, tmp_path, compiler)
    lines = ["ab", "", "c\ra", "é"]
    found = output(program, "--score", given="ab\r\n\nc\ra\né".encode()).split()
    # Both calculate in float32, and add in different orders.
    np.testing.assert_allclose([float(score) for score in found], model.score_samples(lines), atol=1e-5)


def test_int8_weights_are_those_of_quantize(tmp_path):
    model = CharRNN(64, cell="cifg", embedding_size=7, n_bigrams=50, num_layers=2, max_steps=0, random_state=0)
    model.fit("to be or not to be " * 9)
    for name, source, int8 in (("float", model, False), ("int8", model, True), ("quantized", model.quantize(), False)):
        source.export_c(tmp_path / name, int8=int8)
    assert (tmp_path / "int8").read_bytes() == (tmp_path / "quantized").read_bytes()
    assert (tmp_path / "int8").stat().st_size < 0.4 * (tmp_path / "float").stat().st_size
    assert all(len(line) <= 120 for name in ("float", "int8") for line in (tmp_path / name).read_text().splitlines())
    assert max(len(line) for line in (tmp_path / "float").read_text().splitlines() if line.startswith("    0x")) == 112
    double = model_of("abc", dtype="float64")
    double.export_c(tmp_path / "double", int8=True)  # rounded to float32, then to 8 bits
    assert "#define CRNN_NET_INT8 1" in (tmp_path / "double").read_text()


@pytest.mark.parametrize(("n", "bits"), [(7, 32), (1 << 16, 32), ((1 << 16) + 1, 64)])
def test_keys_of_pairs_are_as_wide_as_the_vocabulary_needs(n, bits, tmp_path):
    text = "".join(map(chr, range(1 << 16, n + (1 << 16))))
    model = CharRNN(1, n_bigrams=n, max_steps=0, random_state=0).fit(text)
    model.export_c(tmp_path / "model.c")
    source = (tmp_path / "model.c").read_text()
    assert f"typedef uint{bits}_t crnn_net_key;" in source
    assert f"static const crnn_net_key crnn_net_pairs[{n - 1}]" in source


def test_files_of_a_network_that_rounds_products_are_those_of_one_that_does_not(tmp_path):
    network = CharRNN(13, cell="gru", max_steps=2, matmul_precision="bfloat16", random_state=0).fit("abcd " * 50)
    network.export_c(tmp_path / "rounds.c")
    network.export_js(tmp_path / "rounds.js")
    network.set_params(matmul_precision="float32")
    network.export_c(tmp_path / "exact.c")
    network.export_js(tmp_path / "exact.js")
    for suffix in ("c", "js"):
        assert (tmp_path / f"rounds.{suffix}").read_bytes() == (tmp_path / f"exact.{suffix}").read_bytes()
