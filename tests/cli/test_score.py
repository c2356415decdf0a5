"""The command ``crnn score``."""

import csv
import gzip
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
from command_line import error, feed_standard_input, rows
from texts import PHRASES as TEXT

from crnn import CharNGram, CharRNN
from crnn.cli import files as command_files
from crnn.cli import main as cli


@pytest.fixture
def model(folder):
    return CharRNN.load("model.crnn")


@pytest.mark.parametrize(
    ("options", "given"),
    [
        ("", {}), ("--exact", {}), ("--fast", {"exact": False}), ("--adapt", {"adapt": True}),
        ("--adapt --learning-rate 1e-3 --block-length 101", {"adapt": {"learning_rate": 1e-3, "block_length": 101}}),
        ("--adapt --decay 0", {"adapt": {"decay": 0}}),
    ],
)  # fmt: skip
def test_score_tells_nats_bits_and_perplexity(model, folder, capsys, options, given):
    (folder / "text.txt").write_text(TEXT * 10)
    assert cli.main(["score", "model.crnn", "text.txt", *options.split()]) == 0
    table, nats = rows(capsys.readouterr().out), -model.score(TEXT * 10, **given)
    assert list(table) == ["characters", "nats per character", "bits per character", "perplexity"]
    assert table["characters"] == f"{len(TEXT) * 10:,}"
    assert float(table["nats per character"]) == pytest.approx(nats, abs=1e-6)
    assert float(table["bits per character"]) == pytest.approx(nats / np.log(2), abs=1e-6)
    assert float(table["perplexity"]) == pytest.approx(np.exp(nats), rel=1e-6)


def test_score_of_bytes(folder, capsys):
    (folder / "data").write_bytes(b"\x1b\xe9" * 50)
    CharRNN(5, max_steps=0, random_state=0).fit(b"\x1b\xe9\0").save("bytes.crnn")
    assert cli.main(["score", "bytes.crnn", "data", "--show"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0].startswith(("\\x1bé\\x1bé", "\\x1b\\xe9\\x1b\\xe9"))  # by the encoding of the output
    assert rows("\n".join(out[-4:]))["bytes"] == "100"


def test_score_that_no_number_holds(folder, capsys, monkeypatch):
    monkeypatch.setattr(CharRNN, "score", lambda self, X, exact, adapt: -1000.0)
    assert cli.main(["score", "model.crnn", "text.txt"]) == 0
    assert rows(capsys.readouterr().out)["perplexity"] == "inf"


@pytest.mark.parametrize(
    ("options", "adapt"),
    [("", False), ("--adapt --learning-rate 3e-3 --block-length 4", {"learning_rate": 3e-3, "block_length": 4})],
)
def test_score_shows_the_text(model, folder, capsys, monkeypatch, options, adapt):
    monkeypatch.setenv("COLUMNS", "80")
    (folder / "text.txt").write_bytes(b"to be\nor not")
    model.set_params(max_steps=None).fit("to be\nor not" * 9).save("model.crnn")
    assert cli.main(["score", "model.crnn", "text.txt", "--show", *options.split()]) == 0
    out = capsys.readouterr().out.splitlines()
    bits = model.surprisal("to be\nor not", adapt=adapt) / np.log(2)
    marks = "".join(str(int(b)) if b >= 1 else " " for b in bits)
    assert out[:4] == ["to be↵", marks[:6].rstrip(), "or not", marks[6:].rstrip()]
    assert rows("\n".join(out[-4:]))["characters"] == "12"


def test_score_shows_colors_on_a_terminal(folder, capsys, monkeypatch):
    monkeypatch.setattr("crnn.cli.score.takes_colors", lambda stream, environment: True)
    (folder / "text.txt").write_bytes(b"to be")
    assert cli.main(["score", "model.crnn", "text.txt", "--show"]) == 0
    out = capsys.readouterr().out
    assert "\x1b[48;5;" in out
    assert out.count("\x1b[0m") == out.count("\x1b[48;5;")


def written(scores):
    """Return scores as the command writes them."""
    return "".join(f"{score:.6f}\n" for score in scores)


LINES = ["to be", "", "or not", "to be, " * 20, "not"]


@pytest.mark.parametrize(("size", "end", "last"), [(1, b"\r\n", b""), (7, b"\n", b""), (1 << 18, b"\r\n", b"\n")])
def test_score_of_lines(model, folder, capsys, monkeypatch, size, end, last):
    monkeypatch.setattr(command_files, "LINES_SIZE", size)
    data = end.join(line.encode() for line in LINES) + last
    (folder / "lines.txt").write_bytes(data)
    for path, options, expected in (
        ("lines.txt", [], model.score_samples(LINES)),
        ("-", ["--bits"], model.score_samples(LINES) / np.log(2)),
        ("lines.txt", ["--reduce", "mean"], model.score_samples(LINES, reduce="mean")),
    ):
        feed_standard_input(monkeypatch, data)
        assert cli.main(["score", "model.crnn", "--lines", path, *options]) == 0
        assert capsys.readouterr() == (written(expected), "")


def test_no_lines_have_no_scores(folder, capsys):
    (folder / "empty").write_bytes(b"")
    assert cli.main(["score", "model.crnn", "--lines", "empty"]) == 0
    assert capsys.readouterr() == ("", "")


def test_score_of_lines_of_bytes(folder, capsys):
    model = CharRNN(3, max_steps=0, random_state=0).fit(b"\xff\x00\r\n")
    model.save("bytes.crnn")
    (folder / "lines").write_bytes(b"\xff\n\x00\xff\x00\n\n")
    assert cli.main(["score", "bytes.crnn", "--lines", "lines"]) == 0
    assert capsys.readouterr().out == written(model.score_samples([b"\xff", b"\x00\xff\x00", b""]))


def test_memory_for_a_line_is_bounded(folder, capsys, monkeypatch):
    """An endless line is refused once it is longer than the limit."""
    monkeypatch.setattr(command_files, "LINES_SIZE", 1 << 14)
    monkeypatch.setattr(command_files, "MAX_LINE", 1 << 17)
    (folder / "lines").write_bytes(b"to" * 1_000_000)
    assert "line 1 of lines has more" in error(capsys, "score", "model.crnn", "--lines", "lines")  # imports are done
    tracemalloc.start()
    try:
        assert cli.main(["score", "model.crnn", "--lines", "lines"]) == 1
        assert tracemalloc.get_traced_memory()[1] < 1_500_000
    finally:
        tracemalloc.stop()


def test_lines_are_answered_as_they_come(model):
    command = [sys.executable, "-m", "crnn", "score", "model.crnn", "--lines", "-"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        for line in ("to be", "or not"):
            process.stdin.write(line.encode() + b"\n")
            process.stdin.flush()
            assert float(process.stdout.readline()) == pytest.approx(model.score_samples([line])[0], abs=1e-6)
        process.stdin.close()
        assert process.wait(60) == 0


CUT_GZIP = gzip.compress(b"to be\nor\nnot" + bytes(range(97, 107)) * 3)[:-9]


@pytest.mark.parametrize(
    ("data", "n", "message"),
    [
        (b"to be\nor\nnot\xff\nto\n", 2, "line 3 of lines is not UTF-8. Convert the lines, pass --errors"),
        (b"to be\nor\nZ\nto\n", 2, "crnn: error: line 3 contains 'Z' (U+005A) at position 0, "),
        (b"\xff\nto\n", 0, "line 1 of lines is not UTF-8"),
        (b"Z\nto\n", 0, "line 1 contains 'Z'"),
        (CUT_GZIP, 2, "lines: the gzip data end too early"),
        (
            b"to be\nor\nto be, to be\nbe",
            2,
            "line 3 of lines has more than 9 bytes, the most that fit. Break it into several.\n",
        ),
    ],
    ids=["bad third line", "unknown third line", "bad first line", "unknown first line", "cut gzip", "long line"],
)
@pytest.mark.parametrize("size", [1, 4, 1 << 18])  # of what is read at once
def test_the_scores_before_an_error_are_written(model, folder, capsys, monkeypatch, data, n, message, size):
    monkeypatch.setattr(command_files, "LINES_SIZE", size)
    if "more than" in message:
        monkeypatch.setattr(command_files, "MAX_LINE", 9)
    (folder / "lines").write_bytes(data)
    code = cli.main(["score", "model.crnn", "--lines", "lines"])
    out, err = capsys.readouterr()
    if "more than" in message and size > 9:  # the whole line was read at once
        assert code == 0
        return
    assert code == 1
    assert message in err
    assert out == written(model.score_samples(["to be", "or"][:n]))


@pytest.mark.parametrize("errors", ["replace", "skip"])
def test_bad_lines_are_scored_in_their_places(folder, capsys, monkeypatch, errors):
    monkeypatch.setattr(command_files, "LINES_SIZE", 2)
    model = CharRNN(5, max_steps=0, random_state=0).fit(["to be", "or not"])
    model.save("documents.crnn")
    (folder / "lines").write_bytes(b"to be\nor\xff not to be\nnot\nor notZ to be\nbe\n\xff\nor not\nto be or\xc3\n")
    assert cli.main(["score", "documents.crnn", "--lines", "lines", "--errors", errors, "--reduce", "min"]) == 0
    texts = ["to be", "or\ufffd not to be", "not", "or notZ to be", "be", "\ufffd", "or not", "to be or\ufffd"]
    expected = model.score_samples(texts, errors=errors, reduce="min")
    assert capsys.readouterr().out == written(expected)
    assert np.isfinite(expected).tolist() == [True, False, True, False, True, False, True, False]


def test_score_of_gzip_files(model, folder, capsys, monkeypatch):
    lines = gzip.compress(b"to be\nor\n") + gzip.compress(b"not to be\n")
    (folder / "lines.gz").write_bytes(lines)
    (folder / "text.gz").write_bytes(text := gzip.compress(TEXT.encode()))
    cli.main(["score", "model.crnn", "text.txt"])
    expected = {
        "--lines": written(model.score_samples(["to be", "or", "not to be"])),
        "--exact": capsys.readouterr()[0],
    }
    for option, path, given in (
        ("--lines", "lines.gz", b""), ("--lines", "-", lines), ("--exact", "text.gz", b""), ("--exact", "-", text),
    ):  # fmt: skip
        feed_standard_input(monkeypatch, given)
        assert cli.main(["score", "model.crnn", path, option]) == 0
        assert capsys.readouterr() == (expected[option], "")


@pytest.mark.parametrize("as_csv", [False, True])
def test_words_have_their_bits(folder, capfd, as_csv):
    model = CharNGram(4).fit('to "be", or not. ' * 9)
    model.save("counts.crnn")
    (folder / "text.txt").write_text('to "be", or')
    assert cli.main(["score", "counts.crnn", "text.txt", "--words", *["--csv"] * as_csv]) == 0
    header, *rows = csv.reader(capfd.readouterr().out.splitlines(), delimiter="," if as_csv else "\t",
                               quoting=csv.QUOTE_MINIMAL if as_csv else csv.QUOTE_NONE)  # fmt: skip
    words, bits = model.word_surprisal('to "be", or')
    assert header == ["word", "bits"]
    assert [row[0] for row in rows] == words == ["to", '"be",', "or"]
    np.testing.assert_allclose([float(row[1]) for row in rows], bits, atol=1e-6)


@pytest.mark.parametrize("words", [["--csv"], ["--words", "--lines"], ["--words", "--show"], ["--words", "--fast"]])
def test_options_of_words_are_refused_without_them(folder, capfd, words):
    with pytest.raises(SystemExit):
        cli.main(["score", "counts.crnn", "text.txt", *words])
    assert "--words" in capfd.readouterr().err
