"""The command ``crnn sample``."""

from __future__ import annotations

import math
import os

import pytest
from command_line import error
from examples import random_language_model

from crnn import CharRNN
from crnn.cli import main as cli
from crnn.cli import sample as sample_command


def test_many_samples(folder, capsysbinary):
    assert cli.main(["sample", "model.crnn", "-n", "11", "--num-samples", "3", "--seed", "5"]) == 0
    expected = CharRNN.load("model.crnn").sample(11, num_samples=3, random_state=5)
    assert capsysbinary.readouterr().out.decode() == "\n----\n".join(expected) + "\n"


def test_default_lengths_of_samples(folder, capsysbinary):
    assert cli.main(["sample", "model.crnn", "--seed", "5"]) == 0
    assert capsysbinary.readouterr().out.decode() == CharRNN.load("model.crnn").sample(200, random_state=5) + "\n"
    documents = random_language_model(["abc", "cab"])
    documents.save("documents.crnn")
    assert cli.main(["sample", "documents.crnn", "--seed", "5"]) == 0
    assert capsysbinary.readouterr().out.decode() == documents.sample(max_length=1000, random_state=5) + "\n"


def test_the_length_of_documents_is_without_their_prime(folder, capsysbinary):
    documents = random_language_model(["abc" * 9])
    documents.save("documents.crnn")
    command = ["sample", "documents.crnn", "--seed", "5", "--prime", "ab", "-n", "3", "--num-samples", "9"]
    assert cli.main(command) == 0
    lines = capsysbinary.readouterr().out.decode().splitlines()
    assert lines == documents.sample(num_samples=9, prime="ab", max_length=5, random_state=5)
    assert max(map(len, lines)) == 5


@pytest.mark.parametrize("options", [["--unique"], ["--unique", "--num-samples", "3"], ["--exclude", "lines"]])
def test_unique_and_exclude_options(folder, capsysbinary, options):
    model = random_language_model("ab")
    model.save("ab.crnn")
    first = model.sample(2, random_state=5)
    (folder / "lines").write_text(f"{first}\n", encoding="utf-8")
    assert cli.main(["sample", "ab.crnn", "--seed", "5", "-n", "2", *options]) == 0
    texts = capsysbinary.readouterr().out.decode().removesuffix("\n").split("\n----\n")
    given = {"exclude": [first]} if "--exclude" in options else {}
    k = 3 if "--num-samples" in options else 1
    assert texts == model.sample(2, num_samples=k, unique="--unique" in options, random_state=5, **given) or k == 1
    assert len(set(texts)) == k
    assert (first in texts) == ("--unique" in options)


def test_long_sample(folder, capsysbinary):
    n = 2 * sample_command.BLOCK + 1
    assert cli.main(["sample", "model.crnn", "-n", str(n), "--seed", "5"]) == 0
    expected = CharRNN.load("model.crnn").sample(n, random_state=5)
    assert capsysbinary.readouterr().out.decode() == expected + "\n"


def test_bytes_are_written_as_they_are(folder, capsysbinary):
    CharRNN(5, max_steps=0, random_state=0).fit(bytes(range(256))).save("bytes.crnn")
    prime = os.fsdecode(b"\xff\xfe") if os.name == "posix" else "ab"
    assert cli.main(["sample", "bytes.crnn", "-n", "300", "--seed", "5", "--prime", prime]) == 0
    expected = CharRNN.load("bytes.crnn").sample(300, random_state=5, prime=os.fsencode(prime))
    assert capsysbinary.readouterr().out == expected


def test_lone_surrogates_and_line_ends(folder, capsysbinary):
    CharRNN(5, max_steps=0, random_state=0).fit("\ud800\r\n\ufeff").save("odd.crnn")
    assert cli.main(["sample", "odd.crnn", "-n", "50", "--seed", "5"]) == 0
    out = capsysbinary.readouterr().out
    assert b"\\ud800" in out
    sample = CharRNN.load("odd.crnn").sample(50, random_state=5)
    assert out.decode().count("\r") == sample.count("\r") > 0
    assert out.decode().count("\n") == sample.count("\n") + 1


@pytest.mark.parametrize("command", [["sample"], ["info"], ["score", "text.txt"]])
def test_bad_model_files_are_named(folder, capsys, command):
    name, *rest = command
    assert "missing.crnn: No such file or directory" in error(capsys, name, "missing.crnn", *rest)
    assert "model file 'text.txt'" in error(capsys, name, "text.txt", *rest)


def test_ctrl_c_ends_sampling_quietly(folder, capsys, monkeypatch):
    def stream(self, n, **rest):
        raise KeyboardInterrupt

    monkeypatch.setattr(CharRNN, "stream", stream)
    assert cli.main(["sample", "model.crnn"]) == 130
    assert capsys.readouterr() == ("", "crnn: stopped by Ctrl-C\n")


# --- the controls


SYMBOLS = "abcdefghijk"
INF = math.inf


@pytest.fixture(scope="module")
def model():
    return random_language_model(SYMBOLS)


@pytest.fixture
def saved(tmp_path, model):
    model.save(tmp_path / "a.crnn")
    return str(tmp_path / "a.crnn")


OPTIONS = [
    (["--top-k", "3"], {"top_k": 3}),
    (["--top-k", "none", "--top-p", "0.5"], {"top_p": 0.5}),
    (["--min-p", "0.4"], {"min_p": 0.4}),
    (["--repetition-penalty", "2"], {"repetition_penalty": 2}),
    (["--stop", "ab", "--stop", "cd"], {"stop": ["ab", "cd"]}),
    (["--forbid", "abz-"], {"logit_bias": {"a": -INF, "b": -INF}}),
]


@pytest.mark.parametrize(("options", "given"), OPTIONS, ids=lambda value: " ".join(value))
def test_options_of_the_command(model, saved, capfdbinary, options, given):
    assert cli.main(["sample", saved, "--seed", "3", "--prime", "ab", "-n", "90", *options]) == 0
    assert capfdbinary.readouterr().out.decode() == model.sample(90, prime="ab", random_state=3, **given) + "\n"
    assert cli.main(["sample", saved, "--seed", "3", "--num-samples", "2", "-n", "90", *options]) == 0
    texts = model.sample(90, num_samples=2, random_state=3, **given)
    assert capfdbinary.readouterr().out.decode() == "\n----\n".join(texts) + "\n"


def test_options_of_the_command_for_a_model_of_bytes(tmp_path, capfdbinary):
    model = random_language_model(bytes(range(97, 123)))
    model.save(tmp_path / "b.crnn")
    options = ["--stop", "ab", "--forbid", "xyz\xe9"]
    assert cli.main(["sample", str(tmp_path / "b.crnn"), "--seed", "3", "-n", "90", *options]) == 0
    forbidden = dict.fromkeys([b"x", b"y", b"z"], -INF)
    assert capfdbinary.readouterr().out == model.sample(90, random_state=3, stop=b"ab", logit_bias=forbidden)


@pytest.mark.parametrize(
    ("options", "message"),
    [(["--forbid", SYMBOLS], "logit_bias forbids all 11 symbols"), (["--stop", ""], r"stop[0] is empty")],
)
def test_option_that_the_model_refuses(saved, capsys, options, message):
    assert cli.main(["sample", saved, *options]) == 1
    assert message in capsys.readouterr().err


def test_matching_option(folder, capsysbinary):
    documents, text = random_language_model(["abc" * 9]), random_language_model("ab" * 9)
    documents.save("documents.crnn")
    text.save("ab.crnn")
    command = ["sample", "documents.crnn", "--seed", "5", "--matching", "a.*c", "--prime", "ab", "--num-samples", "4"]
    assert cli.main(command) == 0
    lines = capsysbinary.readouterr().out.decode().splitlines()
    assert lines == documents.sample(num_samples=4, prime="ab", matching="a.*c", random_state=5)
    assert cli.main(["sample", "ab.crnn", "--seed", "5", "--matching", "[ab]*bb"]) == 0
    assert capsysbinary.readouterr().out.decode() == text.sample(matching="[ab]*bb", random_state=5) + "\n"
    assert cli.main(["sample", "ab.crnn", "--matching", "a(", "--seed", "5"]) != 0
    assert b"position 1" in capsysbinary.readouterr().err
