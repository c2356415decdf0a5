"""The command ``crnn score``."""

from __future__ import annotations

import gzip
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
from command_line import error, feed_standard_input, rows, usage_error
from texts import PHRASES as TEXT

from crnn import CharRNN
from crnn.cli import files as command_files
from crnn.cli import main as cli


@pytest.mark.parametrize(("option", "exact"), [([], True), (["--exact"], True), (["--fast"], False)])
def test_score_tells_nats_bits_and_perplexity(folder, capsys, option, exact):
    (folder / "text.txt").write_text(TEXT * 10)
    assert cli.main(["score", "model.crnn", "text.txt", *option]) == 0
    table = rows(capsys.readouterr().out)
    nats = -CharRNN.load("model.crnn").score(TEXT * 10, exact=exact)
    assert list(table) == ["characters", "nats per character", "bits per character", "perplexity"]
    assert table["characters"] == f"{len(TEXT) * 10:,}"
    assert float(table["nats per character"]) == pytest.approx(nats, abs=1e-6)
    assert float(table["bits per character"]) == pytest.approx(nats / np.log(2), abs=1e-6)
    assert float(table["perplexity"]) == pytest.approx(np.exp(nats), rel=1e-6)


@pytest.mark.parametrize(
    ("options", "adapt"),
    [
        ([], True),
        (["--learning-rate", "1e-3", "--block-length", "11"], {"learning_rate": 1e-3, "block_length": 11}),
        (["--decay", "0"], {"decay": 0}),
    ],
)
def test_score_that_adapts(folder, capsys, options, adapt):
    (folder / "text.txt").write_text(TEXT * 3)
    assert cli.main(["score", "model.crnn", "text.txt", "--adapt", *options]) == 0
    nats = float(rows(capsys.readouterr().out)["nats per character"])
    model = CharRNN.load("model.crnn")
    assert nats == pytest.approx(-model.score(TEXT * 3, adapt=adapt), abs=1e-6)
    assert nats < -model.score(TEXT * 3) - 1e-3


def test_shown_surprisal_is_that_of_adapted_weights(folder, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    (folder / "text.txt").write_text(TEXT[:79])
    options = ["--adapt", "--learning-rate", "3e-3", "--block-length", "11"]
    assert cli.main(["score", "model.crnn", "text.txt", "--show", *options]) == 0
    marks, model = capsys.readouterr().out.splitlines()[1], CharRNN.load("model.crnn")
    expected, still = (
        "".join(str(min(int(b), 9)) if b >= 1 else " " for b in nats / np.log(2)).rstrip()
        for nats in (
            model.surprisal(TEXT[:79], adapt={"learning_rate": 3e-3, "block_length": 11}),
            model.surprisal(TEXT[:79]),
        )
    )
    assert marks == expected != still


def test_adaptation_that_diverges_is_an_error(folder, capsys):
    (folder / "text.txt").write_text(TEXT * 3)
    assert "Lower the learning_rate of adapt" in error(
        capsys, "score", "model.crnn", "text.txt", "--adapt", "--learning-rate", "1e38"
    )


def test_score_of_bytes(folder, capsys):
    (folder / "data").write_bytes(b"\xff\0" * 50)
    CharRNN(5, max_steps=0, random_state=0).fit(b"\xff\0" * 50).save("bytes.crnn")
    assert cli.main(["score", "bytes.crnn", "data"]) == 0
    assert rows(capsys.readouterr().out)["bytes"] == "100"


def test_score_that_no_number_holds(folder, capsys, monkeypatch):
    monkeypatch.setattr(CharRNN, "score", lambda self, X, exact, adapt: -1000.0)
    assert cli.main(["score", "model.crnn", "text.txt"]) == 0
    assert rows(capsys.readouterr().out)["perplexity"] == "inf"


def test_score_shows_the_text(folder, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    (folder / "text.txt").write_bytes(b"to be\nor not")
    CharRNN(7, max_steps=50, random_state=0).fit("to be\nor not" * 9).save("model.crnn")
    assert cli.main(["score", "model.crnn", "text.txt", "--show"]) == 0
    line, marks, second, *_ = out = capsys.readouterr().out.splitlines()
    bits = CharRNN.load("model.crnn").surprisal("to be\nor not") / np.log(2)
    assert (line, second) == ("to be↵", "or not")
    assert marks == "".join(str(int(b)) if b >= 1 else " " for b in bits[:6]).rstrip()
    assert rows("\n".join(out[-4:]))["characters"] == "12"


def test_score_shows_colors_on_a_terminal(folder, capsys, monkeypatch):
    monkeypatch.setattr("crnn.cli.score.takes_colors", lambda stream, environment: True)
    (folder / "text.txt").write_bytes(b"to be")
    assert cli.main(["score", "model.crnn", "text.txt", "--show"]) == 0
    out = capsys.readouterr().out
    assert "\x1b[48;5;" in out
    assert out.count("\x1b[0m") == out.count("\x1b[48;5;")


def test_score_shows_bytes(folder, capsys):
    (folder / "data").write_bytes(b"\x1b\xe9")
    CharRNN(5, max_steps=0, random_state=0).fit(b"\x1b\xe9\0").save("bytes.crnn")
    assert cli.main(["score", "bytes.crnn", "data", "--show"]) == 0
    assert capsys.readouterr().out.splitlines()[0] in ("\\x1bé", "\\x1b\\xe9")  # by the encoding of the output


def test_lines_are_not_shown(folder, capsys):
    told = usage_error(capsys, "score", "model.crnn", "text.txt", "--lines", "--show")
    assert "argument --show: not allowed with --lines" in told


def written(scores):
    """Return scores as the command writes them."""
    return "".join(f"{score:.6f}\n" for score in scores)


LINES = ["to be", "", "or not", "to be, " * 20, "not"]


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("last", [b"", b"\n"])
@pytest.mark.parametrize("size", [1, 7, 1 << 18])
def test_score_of_lines(folder, capsys, monkeypatch, end, last, size):
    monkeypatch.setattr(command_files, "LINES_SIZE", size)
    data = end.join(line.encode() for line in LINES) + last
    model = CharRNN.load("model.crnn")
    (folder / "lines.txt").write_bytes(data)
    for options, expected in {
        (): model.score_samples(LINES),
        ("--bits",): model.score_samples(LINES) / np.log(2),
        ("--reduce", "mean"): model.score_samples(LINES, reduce="mean"),
        ("--reduce", "min"): model.score_samples(LINES, reduce="min"),
    }.items():
        for path in ("lines.txt", "-"):
            feed_standard_input(monkeypatch, data)
            assert cli.main(["score", "model.crnn", "--lines", path, *options]) == 0
            out, err = capsys.readouterr()
            assert out == written(expected)
            assert err == ""


@pytest.mark.parametrize("size", [1, 4, 1 << 18])
def test_refuses_lines_beyond_the_limit(folder, capsys, monkeypatch, size):
    monkeypatch.setattr(command_files, "LINES_SIZE", size)
    monkeypatch.setattr(command_files, "MAX_LINE", 9)
    (folder / "lines").write_text("to\nbe or not\nto be or not to be\nbe")
    if size > 9:  # the whole line was read at once
        assert cli.main(["score", "model.crnn", "--lines", "lines"]) == 0
        return
    assert cli.main(["score", "model.crnn", "--lines", "lines"]) == 1
    out, err = capsys.readouterr()
    assert err == "crnn: error: line 3 has more than 9 bytes, the most that fit. Break it into several.\n"
    assert out == written(CharRNN.load("model.crnn").score_samples(["to", "be or not"]))


def test_memory_for_a_line_is_bounded(folder, capsys, monkeypatch):
    """An endless line is refused once it is longer than the limit."""
    monkeypatch.setattr(command_files, "LINES_SIZE", 1 << 14)
    monkeypatch.setattr(command_files, "MAX_LINE", 1 << 17)
    (folder / "lines").write_bytes(b"to" * 1_000_000)
    assert "line 1 has more than" in error(capsys, "score", "model.crnn", "--lines", "lines")  # imports are done
    tracemalloc.start()
    try:
        assert cli.main(["score", "model.crnn", "--lines", "lines"]) == 1
        assert tracemalloc.get_traced_memory()[1] < 1_500_000
    finally:
        tracemalloc.stop()


def test_score_of_lines_of_bytes(folder, capsys):
    CharRNN(3, max_steps=0, random_state=0).fit(b"\xff\x00\r\n").save("bytes.crnn")
    (folder / "lines").write_bytes(b"\xff\n\x00\xff\x00\n\n")
    assert cli.main(["score", "bytes.crnn", "--lines", "lines"]) == 0
    scores = CharRNN.load("bytes.crnn").score_samples([b"\xff", b"\x00\xff\x00", b""])
    assert capsys.readouterr().out == written(scores)


def test_no_lines_have_no_scores(folder, capsys):
    (folder / "empty").write_bytes(b"")
    assert cli.main(["score", "model.crnn", "--lines", "empty"]) == 0
    assert capsys.readouterr() == ("", "")


def test_lines_are_answered_as_they_come(folder):
    command = [sys.executable, "-m", "crnn", "score", "model.crnn", "--lines", "-"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        for line in ("to be", "or not"):
            process.stdin.write(line.encode() + b"\n")
            process.stdin.flush()
            assert float(process.stdout.readline()) == pytest.approx(
                CharRNN.load("model.crnn").score_samples([line])[0], abs=1e-6
            )
        process.stdin.close()
        assert process.wait(60) == 0


def test_score_refuses_missing_lines_and_options_that_need_them(folder, capsys):
    assert "no such" in error(capsys, "score", "model.crnn", "--lines", "missing").lower()
    for option in (["--bits"], ["--reduce", "mean"], ["--errors", "skip"]):
        assert "need --lines" in usage_error(capsys, "score", "model.crnn", "text.txt", *option)
    assert "not allowed with" in usage_error(capsys, "score", "model.crnn", "lines", "--lines", "--fast")


CUT_GZIP = gzip.compress(b"to be\nor\nnot" + bytes(range(97, 107)) * 3)[:-9]


@pytest.mark.parametrize(
    ("data", "n", "message"),
    [
        (b"to be\nor\nnot\xff\nto\n", 2, "line 3 is not UTF-8. Convert the lines, pass --errors"),
        (b"to be\nor\nZ\nto\n", 2, "crnn: error: line 3 contains 'Z' (U+005A) at position 0, "),
        (b"\xff\nto\n", 0, "line 1 is not UTF-8"),
        (b"Z\nto\n", 0, "line 1 contains 'Z'"),
        (CUT_GZIP, 2, "lines: the gzip data end too early"),
    ],
    ids=["bad third line", "unknown third line", "bad first line", "unknown first line", "cut gzip"],
)
@pytest.mark.parametrize("size", [1, 1 << 18])  # of what is read at once
def test_the_scores_before_an_error_are_written(folder, capsys, monkeypatch, data, n, message, size):
    monkeypatch.setattr(command_files, "LINES_SIZE", size)
    (folder / "lines").write_bytes(data)
    assert cli.main(["score", "model.crnn", "--lines", "lines"]) == 1
    out, err = capsys.readouterr()
    assert message in err
    assert out == written(CharRNN.load("model.crnn").score_samples(["to be", "or"][:n]))


@pytest.mark.parametrize("errors", ["replace", "skip"])
def test_bad_lines_are_scored_in_their_places(folder, capsys, monkeypatch, errors):
    monkeypatch.setattr(command_files, "LINES_SIZE", 2)
    CharRNN(5, max_steps=0, random_state=0).fit(["to be", "or not"]).save("documents.crnn")
    (folder / "lines").write_bytes(b"to be\nor\xff not to be\nnot\nor notZ to be\nbe\n\xff\nor not\nto be or\xc3\n")
    arguments = ["score", "documents.crnn", "--lines", "lines", "--errors", errors, "--reduce", "min"]
    assert cli.main(arguments) == 0
    texts = ["to be", "or\ufffd not to be", "not", "or notZ to be", "be", "\ufffd", "or not", "to be or\ufffd"]
    expected = CharRNN.load("documents.crnn").score_samples(texts, errors=errors, reduce="min")
    assert capsys.readouterr().out == written(expected)
    assert np.isfinite(expected).tolist() == [True, False, True, False, True, False, True, False]


def test_score_of_gzip_files(folder, capsys, monkeypatch):
    data = gzip.compress(b"to be\nor\n") + gzip.compress(b"not to be\n")
    (folder / "lines.gz").write_bytes(data)
    expected = written(CharRNN.load("model.crnn").score_samples(["to be", "or", "not to be"]))
    for path in ("lines.gz", "-"):
        feed_standard_input(monkeypatch, data)
        assert cli.main(["score", "model.crnn", "--lines", path]) == 0
        assert capsys.readouterr() == (expected, "")
    found = []
    (folder / "text.gz").write_bytes(data := gzip.compress(TEXT.encode()))
    (folder / "text.txt").write_text(TEXT)
    for path in ("text.gz", "text.txt", "-"):
        feed_standard_input(monkeypatch, data)
        assert cli.main(["score", "model.crnn", path]) == 0
        found.append(capsys.readouterr())
    assert found[0] == found[1] == found[2]
