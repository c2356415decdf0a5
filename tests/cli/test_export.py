"""`crnn export`."""

import numpy as np
import pytest
from command_line import feed_standard_input
from examples import random_language_model
from scipy.special import rel_entr

from crnn import CharNGram, CharRNN
from crnn.cli.export import int8_cost
from crnn.cli.main import main


@pytest.fixture
def model(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = random_language_model(["abc", "cb", ""], dtype="float32", scale=0.2)
    model.save("names.crnn")
    return model


@pytest.mark.usefixtures("model")
def test_export_writes_c(tmp_path, capsys):
    assert main(["export", "names.crnn", "names.c"]) == 0
    assert "int main" in (tmp_path / "names.c").read_text("ascii")
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("crnn: wrote names.c: ")
    assert shown.err.endswith(" bytes; cc -O3 -march=native names.c -o names\n")


@pytest.mark.usefixtures("model")
def test_export_of_int8_weights_reports_their_cost(tmp_path, capsys):
    assert main(["export", "names.crnn", "small.c", "--int8"]) == 0
    assert main(["export", "names.crnn", "names.c"]) == 0
    assert (tmp_path / "small.c").stat().st_size < (tmp_path / "names.c").stat().st_size
    (cost,) = [line for line in capsys.readouterr().err.splitlines() if "8-bit weights cost" in line]
    assert abs(float(cost.split()[4])) < 0.01


@pytest.mark.usefixtures("model")
def test_export_writes_a_page_with_int8_weights(tmp_path, capsys):
    assert main(["export", "names.crnn", "small.html", "--int8"]) == 0
    assert "8-bit weights cost" in capsys.readouterr().err
    page = (tmp_path / "small.html").read_text("utf-8")
    assert '"weights":"int8"' in page
    assert "<title>names.crnn</title>" in page


@pytest.mark.usefixtures("model")
def test_export_writes_a_javascript_module(tmp_path, capsys):
    assert main(["export", "names.crnn", "names.js", "--float16"]) == 0
    assert capsys.readouterr().err == f"crnn: wrote names.js: {(tmp_path / 'names.js').stat().st_size:,} bytes\n"
    assert '"weights":"float16"' in (tmp_path / "names.js").read_text("utf-8")


@pytest.mark.usefixtures("model")
def test_export_from_standard_input_writes_a_page(tmp_path, monkeypatch, capsys):
    feed_standard_input(monkeypatch, (tmp_path / "names.crnn").read_bytes())
    assert main(["export", "-", "names.HTML", "--float16"]) == 0
    size = (tmp_path / "names.HTML").stat().st_size
    assert capsys.readouterr().err == f"crnn: wrote names.HTML: {size:,} bytes; open it in a browser\n"
    page = (tmp_path / "names.HTML").read_text("utf-8")
    assert '"weights":"float16"' in page
    assert "<title>A character model</title>" in page


@pytest.mark.usefixtures("model")
def test_the_command_that_compiles_is_safe_to_copy(tmp_path, capsys):
    assert main(["export", "names.crnn", "my names.c"]) == 0
    assert capsys.readouterr().err.endswith("; cc -O3 -march=native 'my names.c' -o 'my names'\n")


def test_a_quantized_model_exports_its_own_weights(model, tmp_path, capsys):
    model.quantize().save("int8.crnn")
    for suffix in ("c", "html"):
        assert main(["export", "int8.crnn", f"own.{suffix}"]) == 0
        assert main(["export", "int8.crnn", f"asked.{suffix}", "--int8"]) == 0
        assert "cost" not in capsys.readouterr().err  # nothing is rounded
    assert (tmp_path / "own.c").read_bytes() == (tmp_path / "asked.c").read_bytes()
    assert "#define CRNN_INT8 1" in (tmp_path / "own.c").read_text("ascii")


def test_int8_of_float64(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    random_language_model("abc").save("double.crnn")
    assert main(["export", "double.crnn", "double.c", "--int8"]) == 0


def test_int8_of_a_text(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    CharRNN(5, max_steps=2, random_state=0).fit(b"abcabd").save("text.crnn")
    assert main(["export", "text.crnn", "text.c", "--int8"]) == 0
    assert "nats per symbol" in capsys.readouterr().err


@pytest.mark.peers
@pytest.mark.usefixtures("model")
def test_export_writes_onnx(tmp_path):
    onnx = pytest.importorskip("onnx")
    assert main(["export", "names.crnn", "names.ONNX"]) == 0
    assert onnx.load(tmp_path / "names.ONNX").producer_name == "crnn"


@pytest.mark.usefixtures("model")
def test_onnx_is_not_installed(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    assert main(["export", "names.crnn", "names.onnx"]) == 1
    assert 'pip install "crnn[onnx]"' in capsys.readouterr().err
    assert not (tmp_path / "names.onnx").exists()


@pytest.mark.usefixtures("model")
def test_export_to_a_missing_folder_is_an_error(capsys):
    for model in ("names.crnn", "missing.crnn"):  # before the model is read
        assert main(["export", model, "nowhere/names.c"]) == 1
        assert "nowhere/names.c: No such file" in capsys.readouterr().err


def test_cost_is_the_mean_divergence_of_all_predictions(monkeypatch):
    """Before each symbol of the documents, and before their ends."""
    monkeypatch.setattr("crnn.cli.export.DOCUMENTS", 7)
    monkeypatch.setattr("crnn.model.int8_weights.LARGEST", 2)
    model = random_language_model(["abcd", "dcab"], dtype="float32")
    rounded, divergences = model.quantize(), []
    for text in model.sample(num_samples=7, random_state=0):
        beginnings = [text[:i] for i in range(len(text) + 1)]
        p, q = model.predict_proba(beginnings), rounded.predict_proba(beginnings)
        divergences += rel_entr(p.astype(float), q.astype(float)).sum(axis=1).tolist()
    assert int8_cost(model) == pytest.approx(np.mean(divergences), rel=1e-3)


@pytest.mark.parametrize("source", ["abcde", b"abcde", ["abcd", "dcab"]], ids=["text", "bytes", "documents"])
def test_cost_is_about_the_difference_of_scores(source, monkeypatch):
    """They are the same on average; with so coarse weights the difference exceeds the chance of a sample."""
    model = random_language_model(source, dtype="float32")
    fine = int8_cost(model)
    monkeypatch.setattr("crnn.model.int8_weights.LARGEST", 2)
    cost, rounded = int8_cost(model), model.quantize()
    texts = model.sample(50, num_samples=100, random_state=1)
    difference = np.mean([model.score(text) - rounded.score(text) for text in texts])
    assert 0 < fine < cost / 100
    assert cost == pytest.approx(difference, rel=0.25)


def test_export_writes_arpa(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    model = CharNGram(order=7).fit(["a b", "b a"])
    model.save("counts.crnn")
    assert main(["export", "counts.crnn", "counts.arpa", "--space", "_"]) == 0
    warning, wrote = capsys.readouterr().err.splitlines()
    assert "order=6" in warning
    assert wrote.startswith("crnn: wrote counts.arpa: ")
    with pytest.warns(UserWarning, match="order=6"):
        model.export_arpa("same.arpa", space="_")
    assert (tmp_path / "counts.arpa").read_bytes() == (tmp_path / "same.arpa").read_bytes()


@pytest.mark.usefixtures("model")
def test_arpa_export_refuses_a_network(tmp_path, capsys):
    assert main(["export", "names.crnn", "names.arpa"]) == 1
    assert "OUT.arpa needs a CharNGram, but names.crnn contains a CharRNN" in capsys.readouterr().err
    assert not (tmp_path / "names.arpa").exists()
