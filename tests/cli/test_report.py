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


@pytest.mark.parametrize(
    ("name", "given"), [("text.crnn", []), ("text.crnn", ["text"]), ("names.crnn", ["text"]), ("bytes.crnn", ["text"])]
)
def test_report_writes_a_page(model, name, given, capsys):
    (model / "text").write_bytes(b"abcacb")
    assert main(["report", name, *given, "-o", "page.html"]) == 0
    page = (model / "page.html").read_text("utf-8")
    assert f"<title>{name}</title>" in page
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err == f"crnn: wrote page.html: {(model / 'page.html').stat().st_size:,} bytes; open it in a browser\n"


def test_report_shows_classes(model):
    classifier_of(hidden_size=5, max_steps=5, random_state=0).fit(["abc", "cb"], [1, 2]).save("classes.crnn")
    (model / "text").write_text("abc\ncb\n", encoding="utf-8")
    (model / "labels").write_text("1\n2\n", encoding="utf-8")
    assert main(["report", "classes.crnn", "text", "--labels", "labels"]) == 0
    assert '"names":["1","2"]' in (model / "report.html").read_text("utf-8")


def test_a_model_of_standard_input_has_no_name(model, monkeypatch):
    feed_standard_input(monkeypatch, (model / "text.crnn").read_bytes())
    assert main(["report", "-"]) == 0
    assert "<title>A character model</title>" in (model / "report.html").read_text("utf-8")
