"""Does `benchmarks.exports` measure what it says? Its figures are that command's to print."""

import shutil

import numpy as np
import pytest

from benchmarks import exports

RANDOM = np.random.default_rng(0)
WORDS = ["".join(RANDOM.choice(list("etaoin"), RANDOM.integers(1, 7))) for _ in range(60)]
TEXT = " ".join(RANDOM.choice(WORDS, 9000))
NAMES = [*dict.fromkeys("".join(RANDOM.choice(list("anbo"), RANDOM.integers(2, 8))) for _ in range(400))]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:the threshold was set by")
@pytest.mark.skipif(not (shutil.which("gcc") and shutil.which("node")), reason="no gcc or no node")
def test_each_kind_of_model_has_a_row_with_the_numbers_of_python(monkeypatch):
    for name, value in {
        "UNITS": 16,
        "COUNTS_BYTES": 5000,
        "N_LINES": 1200,
        "N_TEXTS": 20,
        "N_GUESS_SAMPLES": 50,
    }.items():
        monkeypatch.setattr(exports, name, value)
    header, _, *rows = exports.tables(exports.models(TEXT, NAMES, 0.5))
    if "" in rows:  # a table for the device follows
        device = rows[rows.index("") + 3 :]
        rows = rows[: rows.index("")]
        assert len(device) == len(rows)
        assert {row.split("|")[3].strip() for row in device} == {"0 B"}
    cells = [[cell.strip() for cell in row.split("|")[1:-1]] for row in rows]
    assert {len(row) for row in cells} == {header.count("|") - 1}
    assert len(cells) == 8
    # With 8-bit weights, states are rounded, and a last digit can decide to which number.
    assert max(float(row[-1]) for row in cells) < 5e-3
    names = [name.strip() for name in header.split("|")[1:-1]]
    for column in ("WebAssembly", "in WebAssembly"):
        assert {row[names.index(column)] == "–" for row in cells} == {shutil.which("emcc") is None}
    assert float(cells[0][-1]) < 1e-5  # a float32 network
    assert all(int(row[1].removesuffix(" kB").replace(",", "")) > 5 for row in cells)


@pytest.mark.skipif(not shutil.which("arm-none-eabi-gcc"), reason="no arm-none-eabi-gcc")
def test_the_deepest_stack_is_that_of_the_longest_chain_of_calls(tmp_path):
    source = "int crnn_c(char *x) { return x[3]; }\n"
    source += "__attribute__((noinline)) int crnn_b(int n) { volatile char x[400]; x[n] = 1; return x[2]; }\n"
    source += "int crnn_a(int n) { volatile char x[600]; x[n] = 1; return crnn_b(n) + x[1]; }\n"
    (tmp_path / "model.c").write_text(source)
    compiler = ["arm-none-eabi-gcc", *exports.DEVICE, "-fstack-usage"]
    exports.subprocess.run([*compiler, "-c", "model.c", "-o", "model.o"], cwd=tmp_path, check=True)
    alone = exports.deepest_stack(tmp_path, "crnn_b")
    assert 400 <= alone < 450
    assert alone + 600 <= exports.deepest_stack(tmp_path, "crnn_a") < alone + 650
