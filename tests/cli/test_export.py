"""`crnn export`."""

import itertools
import sys

import numpy as np
import pytest
from command_line import feed_standard_input
from examples import random_language_model
from scipy.special import rel_entr

from crnn import AnomalyDetector, CharNGram, CharRNN, Mixture, TextClassifier
from crnn.cli.export import int8_cost
from crnn.cli.main import main


@pytest.fixture
def model(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = random_language_model(["abc", "cb", ""], dtype="float32", scale=0.2)
    model.save("names.crnn")
    return model


@pytest.mark.parametrize(
    ("words", "hint", "content"),
    [
        ("names.c", "; cc -O3 -march=native names.c -o names", "int main"),
        # The command that compiles is safe to copy.
        ("it's.c", """; cc -O3 -march=native 'it'"'"'s.c' -o 'it'"'"'s'""", "int main"),
        ("names.html --int8", "; open it in a browser", '"weights":"int8"'),
        ("names.HTML --float16", "; open it in a browser", '"weights":"float16"'),
        ("names.js --float16", "", '"weights":"float16"'),
        ("names.js --int8", "", '"weights":"int8"'),
    ],
)
def test_export_writes_a_file(model, tmp_path, capsys, words, hint, content):
    path, *options = words.split()
    assert main(["export", "names.crnn", path, *options]) == 0
    out, err = capsys.readouterr()
    text = (tmp_path / path).read_text("utf-8")
    first, *others = err.splitlines()
    assert (out, first) == ("", f"crnn: wrote {path}: {(tmp_path / path).stat().st_size:,} bytes{hint}")
    assert content in text
    assert ("<title>names</title>" in text) == path.lower().endswith(".html")
    assert others == [
        f"crnn: 8-bit weights cost {int8_cost(model):.5f} nats per symbol on text that the model generates"
    ] * ("--int8" in options)


def test_a_page_of_a_model_from_standard_input_has_no_name(model, tmp_path, monkeypatch):
    feed_standard_input(monkeypatch, (tmp_path / "names.crnn").read_bytes())
    assert main(["export", "-", "names.html"]) == 0
    assert "<title>A character model</title>" in (tmp_path / "names.html").read_text("utf-8")


def test_a_page_with_a_title_and_without_the_lines_of_a_file(model, tmp_path, capsys):
    (tmp_path / "names.txt").write_text("abc\ncb\n\n")
    assert main(["export", "names.crnn", "names.html", "--title", "Three <names>", "--exclude", "names.txt"]) == 0
    page = (tmp_path / "names.html").read_text("utf-8")
    assert "<title>Three &lt;names&gt;</title>" in page
    model.export_html("same.html", title="Three <names>", exclude=["abc", "cb", ""])
    assert page == (tmp_path / "same.html").read_text("utf-8")
    for words, message in (
        (["names.js", "--title", "a"], "argument --title: only for OUT.html"),
        (["names.c", "--exclude", "names.txt"], "argument --exclude: only for OUT.html"),
    ):
        with pytest.raises(SystemExit):
            main(["export", "names.crnn", *words])
        assert message in capsys.readouterr().err
    assert main(["export", "names.crnn", "names.html", "--max-bytes", "4k"]) == 1
    assert "--max-bytes needs counts, but MODEL has none" in capsys.readouterr().err


def test_pages_of_counts_and_mixtures(model, tmp_path, monkeypatch, capsys):
    counts = CharNGram(5).fit(["".join(each) for each in itertools.product("abc", repeat=5)])
    counts.save("counts.crnn")
    many = CharNGram(5).fit([str(number) for number in range(3000)])
    Mixture.from_fitted([CharRNN(3, max_steps=0).fit(["0123456789"]), many]).save("big.crnn")
    Mixture.from_fitted([model, CharNGram(2).fit(["abc", "cb", ""])]).save("both.crnn")
    for words in (
        ["counts.crnn", "counts.html"],
        ["counts.crnn", "counts.html", "--max-bytes", "2k", "--int8"],
        ["both.crnn", "both.html", "--int8"],
        ["both.crnn", "both.html", "--float16"],
    ):
        assert main(["export", *words]) == 0
        said = capsys.readouterr().err
        assert said == f"crnn: wrote {words[1]}: {(tmp_path / words[1]).stat().st_size:,} bytes; open it in a browser\n"
    sizes = []
    monkeypatch.setattr("crnn.cli.export.LARGE_FILE", 1000)
    for words in (
        ["big.html"],
        ["big.html", "--max-bytes", "3k"],
        ["big.js"],
        ["big.js", "--max-bytes", "3k"],
        ["big.c"],
    ):
        assert main(["export", "big.crnn", *words]) == 0
        sizes.append((tmp_path / words[0]).stat().st_size)
        hint = "--max-bytes 400k would prune the counts"
        assert (hint in capsys.readouterr().err) == (len(words) == 1)
    assert sizes[0] > sizes[1] + 1000
    assert sizes[2] > sizes[3] + 1000
    assert main(["export", "counts.crnn", "counts.html", "--float16"]) == 1
    assert "float16 is True, but the model has no network" in capsys.readouterr().err


def test_pages_of_classifiers_and_detectors(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    lines = [f"job {i} done" for i in range(100)]
    for model in (
        TextClassifier(CharNGram(2)).fit(["anna", "bob"], ["f", "m"]),
        AnomalyDetector(CharNGram(3).fit(lines).quantize(), 0.2, mask="digits").calibrate(lines),
    ):
        model.save("judge.crnn")
        assert main(["export", "judge.crnn", "judge.html"]) == 0
        assert capsys.readouterr().err.endswith("bytes; open it in a browser\n")
        model.export_html("same.html", title="judge")
        assert (tmp_path / "judge.html").read_bytes() == (tmp_path / "same.html").read_bytes()
    with pytest.raises(SystemExit):
        main(["export", "judge.crnn", "judge.html", "--exclude", "names.txt"])
    assert "argument --exclude: only for language models, not for classifiers" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["max-bytes", "n-guess-samples"])
def test_judges_refuse_the_options_of_language_models(option, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    TextClassifier(CharNGram(2)).fit(["anna", "bob"], ["f", "m"]).save("judge.crnn")
    for name in ("judge.html", "judge.js"):
        with pytest.raises(SystemExit):
            main(["export", "judge.crnn", name, f"--{option}", "4000"])
        assert f"argument --{option}: only for language models, not for classifiers" in capsys.readouterr().err
        assert not (tmp_path / name).exists()


def test_password_meters(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    model = CharNGram(3).fit(["anna", "annabel", "bob"]).quantize()
    model.save("words.crnn")
    for name in ("meter.html", "meter.js", "meter.c"):
        assert main(["export", "words.crnn", name, "--n-guess-samples", "20", "--random-state", "3"]) == 0
    model.export_html("same.html", n_guess_samples=20, random_state=3, title="words")
    model.export_js("same.js", n_guess_samples=20, random_state=3)
    model.export_c("same.c", n_guess_samples=20, random_state=3)
    for suffix in ("html", "js", "c"):
        assert (tmp_path / f"meter.{suffix}").read_bytes() == (tmp_path / f"same.{suffix}").read_bytes()
    capsys.readouterr()
    with pytest.raises(SystemExit):
        main(["export", "words.crnn", "meter.onnx", "--n-guess-samples", "20"])
    assert "argument --n-guess-samples: only for OUT.html, OUT.c and OUT.js" in capsys.readouterr().err


def test_a_quantized_model_exports_its_own_weights(model, tmp_path, capsys):
    model.quantize().save("int8.crnn")
    random_language_model("abc").save("double.crnn")
    for path, options in (("int8.crnn", []), ("int8.crnn", ["--int8"]), ("double.crnn", ["--int8"])):
        assert main(["export", path, "model.c", *options]) == 0
        assert "cost" not in capsys.readouterr().err  # nothing is rounded, or not only to 8 bits
        assert "#define CRNN_NET_INT8 1" in (tmp_path / "model.c").read_text("ascii")


@pytest.mark.peers
@pytest.mark.usefixtures("model")
def test_export_writes_onnx(tmp_path):
    onnx = pytest.importorskip("onnx")
    assert main(["export", "names.crnn", "names.ONNX"]) == 0
    assert onnx.load(tmp_path / "names.ONNX").producer_name == "crnn"


@pytest.mark.usefixtures("model")
def test_onnx_is_not_installed(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "onnx", None)
    assert main(["export", "names.crnn", "names.onnx"]) == 1
    assert 'pip install "crnn[onnx]"' in capsys.readouterr().err
    assert not (tmp_path / "names.onnx").exists()


def test_cost_is_the_mean_divergence_of_all_predictions(monkeypatch):
    """Before each symbol of the documents, and before their ends."""
    monkeypatch.setattr("crnn.cli.export.COST_DOCUMENTS", 7)
    monkeypatch.setattr("crnn.model.int8_weights.LARGEST_INT8", 2)
    model = random_language_model(["abcd", "dcab"], dtype="float32")
    rounded, divergences = model.quantize(), []
    for text in model.sample(n_samples=7, random_state=0):
        beginnings = [text[:i] for i in range(len(text) + 1)]
        p, q = model.next_proba(beginnings), rounded.next_proba(beginnings)
        divergences += rel_entr(p.astype(float), q.astype(float)).sum(axis=1).tolist()
    assert int8_cost(model) == pytest.approx(np.mean(divergences), rel=1e-3)


@pytest.mark.parametrize("source", ["abcde", b"abcde"], ids=["text", "bytes"])
def test_cost_is_about_the_difference_of_scores(source, monkeypatch):
    """They are the same on average; with so coarse weights the difference exceeds the chance of a sample."""
    model = random_language_model(source, dtype="float32")
    fine = int8_cost(model)
    monkeypatch.setattr("crnn.model.int8_weights.LARGEST_INT8", 2)
    cost, rounded = int8_cost(model), model.quantize()
    texts = model.sample(50, n_samples=100, random_state=1)
    difference = np.mean([model.score(text) - rounded.score(text) for text in texts])
    assert 0 < fine < cost / 100
    assert cost == pytest.approx(difference, rel=0.25)


def test_export_writes_arpa(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    model = CharNGram(order=7).fit(["a b", "b a"])
    model.save("counts.crnn")
    for options, given in (([], {}), (["--space", "_"], {"space": "_"})):
        assert main(["export", "counts.crnn", "counts.arpa", *options]) == 0
        warning, wrote = capsys.readouterr().err.splitlines()
        assert "order=6" in warning
        assert wrote.startswith("crnn: wrote counts.arpa: ")
        with pytest.warns(UserWarning, match="order=6"):
            model.export_arpa("same.arpa", **given)
        assert (tmp_path / "counts.arpa").read_bytes() == (tmp_path / "same.arpa").read_bytes()


def test_export_writes_pruned_counts(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    CharNGram(order=5).fit(" ".join(map(str, range(3000)))).save("counts.crnn")
    sizes = []
    for options in ([], ["--max-bytes", "4k"], ["--max-bytes", "0.004M", "--int8"]):
        for name in ("counts.c", "counts.js"):
            assert main(["export", "counts.crnn", name, *options]) == 0
            sizes.append((tmp_path / name).stat().st_size)
            assert f"wrote {name}: {sizes[-1]:,} bytes" in capsys.readouterr().err
    assert sizes[0] > sizes[2] > sizes[4]
    assert sizes[1] > sizes[3] > sizes[5]
    assert main(["export", "counts.crnn", "counts.js", "--float16"]) == 1
    assert "--float16 needs a network" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["export", "counts.crnn", "counts.c", "--max-bytes", "many"])
    assert "'many' is not a number of bytes" in capsys.readouterr().err


def test_a_mixture_becomes_c_and_a_module(model, tmp_path, capsys):
    Mixture.from_fitted([model, CharNGram(2).fit(["abc", "cb", ""])]).save("both.crnn")
    assert main(["export", "both.crnn", "both.js", "--int8"]) == 0
    size = (tmp_path / "both.js").stat().st_size
    assert capsys.readouterr().err == f"crnn: wrote both.js: {size:,} bytes\n"
    assert '"kind":"mixture"' in (tmp_path / "both.js").read_text("utf-8")
    assert main(["export", "both.crnn", "both.c", "--int8"]) == 0
    assert "cc -O3 -march=native both.c -o both" in capsys.readouterr().err
    source = (tmp_path / "both.c").read_text("ascii")
    assert source.startswith("/* Mixture of 2 models: ")
    assert "#define CRNN_NET_INT8 1" in source


def test_a_classifier_and_a_detector_become_modules(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    texts = ["ab", "ba", "abab"] * 9
    lines = [f"{a}{b}" for a in "abcdefgh" for b in "abcdefgh"]
    TextClassifier(CharNGram(2)).fit(texts, [0, 1, 2] * 9).save("labels.crnn")
    AnomalyDetector(CharNGram(2), contamination=0.5, mask=["digits"]).fit(lines).save("lines.crnn")
    for name, function in (("labels", "classify"), ("lines", "detect")):
        assert main(["export", f"{name}.crnn", f"{name}.js"]) == 0
        size = (tmp_path / f"{name}.js").stat().st_size
        assert capsys.readouterr().err == f"crnn: wrote {name}.js: {size:,} bytes\n"
        assert f"export function {function}(" in (tmp_path / f"{name}.js").read_text("utf-8")
    assert main(["export", "labels.crnn", "labels.c"]) == 0
    assert "int crnn_classify(" in (tmp_path / "labels.c").read_text("ascii")
    assert main(["export", "lines.crnn", "lines.c"]) == 0
    assert "cc -O3 -march=native lines.c -o lines" in capsys.readouterr().err
    assert "crnn_verdict crnn_detect(" in (tmp_path / "lines.c").read_text("ascii")
    assert main(["export", "labels.crnn", "0.js", "--label", "0"]) == 0
    assert "export function sample(" in (tmp_path / "0.js").read_text("utf-8")
    capsys.readouterr()
    assert main(["export", "lines.crnn", "lines.onnx"]) == 1
    assert "lines.crnn contains a detector whose model is a CharNGram" in capsys.readouterr().err
