"""`crnn report`."""

import pytest
from command_line import feed_standard_input
from examples import classifier_of, random_language_model

from crnn.cli.main import main


@pytest.fixture
def model(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    random_language_model("abc").save("text.crnn")
    random_language_model(["abc", "cb", ""]).save("names.crnn")
    random_language_model(b"abc").save("bytes.crnn")
    return tmp_path


@pytest.mark.parametrize("name", ["text.crnn", "names.crnn", "bytes.crnn"])
@pytest.mark.parametrize("given", [[], ["text"]], ids=["own", "file"])
def test_report_writes_a_page(model, name, given, capsys):
    (model / "text").write_bytes(b"abcacb")
    assert main(["report", name, *given, "-o", "page.html"]) == 0
    page = (model / "page.html").read_text("utf-8")
    assert f"<title>{name}</title>" in page
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err == f"crnn: wrote page.html: {(model / 'page.html').stat().st_size:,} bytes; open it in a browser\n"


def test_report_shows_classes(model, capsys):
    classifier_of(hidden_size=5, max_steps=5, random_state=0).fit(["abc", "cb"], [1, 2]).save("classes.crnn")
    (model / "text").write_text("abc\ncb\n", encoding="utf-8")
    (model / "labels").write_text("1\n2\n", encoding="utf-8")
    assert main(["report", "classes.crnn", "text", "--labels", "labels"]) == 0
    assert '"names":["1","2"]' in (model / "report.html").read_text("utf-8")
    assert main(["report", "text.crnn", "text", "--labels", "labels"]) == 1
    assert "it contains a CharRNN; load it with CharRNN.load" in capsys.readouterr().err


def test_a_symbol_that_the_model_does_not_know(model, capsys):
    (model / "text").write_text("abx", encoding="utf-8")
    assert main(["report", "text.crnn", "text"]) == 1
    assert "'x'" in capsys.readouterr().err
    assert not (model / "report.html").exists()


@pytest.mark.usefixtures("model")
def test_the_output_is_checked_before_the_model_is_read(capsys):
    assert main(["report", "missing.crnn", "-o", "nowhere/page.html"]) == 1
    assert "nowhere/page.html: No such file" in capsys.readouterr().err


def test_a_model_of_standard_input_has_no_name(model, monkeypatch):
    feed_standard_input(monkeypatch, (model / "text.crnn").read_bytes())
    assert main(["report", "-"]) == 0
    assert "<title>A character model</title>" in (model / "report.html").read_text("utf-8")
