"""`crnn play`."""

import pytest
from command_line import feed_standard_input

from crnn.cli.main import main


@pytest.fixture
def opened(tmp_path, monkeypatch):
    """Return the addresses that the command opens in a browser, which here always succeeds."""
    monkeypatch.chdir(tmp_path)
    addresses = []
    monkeypatch.setattr("webbrowser.open", lambda address: addresses.append(address) or True)
    return addresses


def test_it_writes_the_page_and_opens_it(opened, tmp_path, capsys):
    assert main(["play"]) == 0
    page = tmp_path / "play.html"
    assert opened == [page.as_uri()]
    assert b"The Lamp and the Sea" in page.read_bytes()
    assert capsys.readouterr().err == f"crnn: wrote play.html: {page.stat().st_size:,} bytes\n"


def test_it_takes_a_text(opened, tmp_path, monkeypatch, capsys):
    (tmp_path / "own.txt").write_text("my own text", encoding="utf-8")
    assert main(["play", "own.txt", "--no-open", "-o", "page.html"]) == 0
    assert opened == []
    page = (tmp_path / "page.html").read_text("utf-8")
    assert '"story":"my own text"' in page
    assert '<option value="story">own.txt</option>' in page
    assert capsys.readouterr().err.endswith("bytes; open it in a browser\n")
    feed_standard_input(monkeypatch, b"from a pipe")
    assert main(["play", "-", "--no-open"]) == 0
    assert '"story":"from a pipe"' in (tmp_path / "play.html").read_text("utf-8")


def test_it_refuses_what_it_cannot_write(opened, tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["play", "-o", "-"])
    assert "name a file" in capsys.readouterr().err
    (tmp_path / "short.txt").write_text("a", encoding="utf-8")
    assert main(["play", "short.txt"]) == 1
    assert "the text has 1 characters" in capsys.readouterr().err
    assert not (tmp_path / "play.html").exists()
    assert opened == []
