"""The command ``crnn sample``."""

import math
import os

import pytest
from examples import random_language_model

from crnn import CharRNN
from crnn.cli import main as cli
from crnn.cli import sample as sample_command

LETTERS = "abcdefghijk"
INF = math.inf
MODELS = {
    "text": lambda: CharRNN.load("model.crnn"),
    "ab": lambda: random_language_model("ab"),
    "documents": lambda: random_language_model(["abc", "cab"]),
    "letters": lambda: random_language_model(LETTERS),
    "letters as bytes": lambda: random_language_model(bytes(range(97, 123))),
    "bytes": lambda: CharRNN(5, max_steps=0, random_state=0).fit(bytes(range(256))),
}
CONTROLS = [
    ("--top-k 3", {"top_k": 3}), ("--top-k none --top-p 0.5", {"top_p": 0.5}), ("--min-p 0.4", {"min_p": 0.4}),
    ("--repetition-penalty 2", {"repetition_penalty": 2}), ("--stop ab --stop cd", {"stop": ["ab", "cd"]}),
    ("--forbid abz-", {"logit_bias": {"a": -INF, "b": -INF}}),
]  # fmt: skip
PRIME = b"\xff\xfe" if os.name == "posix" else b"ab"

# A model, the options of the command, and the arguments of `sample`.
SAMPLES = [
    ("text", "", {"length": 200}), ("text", "--length 11 --n-samples 3", {"length": 11, "n_samples": 3}),
    ("text", f"--length {2 * sample_command.WRITTEN_SYMBOLS + 1}", {"length": 2 * sample_command.WRITTEN_SYMBOLS + 1}),
    ("documents", "", {"max_length": 1000}),
    ("documents", "--prime ab --length 3 --n-samples 9", {"prime": "ab", "n_samples": 9, "max_length": 5}),
    ("documents", "--matching c.*c --prime ca --n-samples 4 --length 9",
     {"matching": "c.*c", "prime": "ca", "n_samples": 4, "max_length": 11}),
    ("ab", "--matching [ab]*bb", {"matching": "[ab]*bb"}),
    ("ab", "--length 2 --unique --n-samples 3", {"length": 2, "unique": True, "n_samples": 3}),
    ("ab", "--length 2 --exclude lines", {"length": 2, "exclude": ["aa", "ab", "ba"]}),
    ("bytes", f"--length 300 --prime {os.fsdecode(PRIME)}", {"length": 300, "prime": PRIME}),
    *(("letters", f"--prime ab --length 90 {words}", {"prime": "ab", "length": 90, **given})
      for words, given in CONTROLS),
    ("letters", "--n-samples 2 --length 90 --stop ab", {"n_samples": 2, "length": 90, "stop": ["ab"]}),
    ("letters as bytes", "--length 90 --stop ab --forbid xyz\xe9",
     {"length": 90, "stop": [b"ab"], "logit_bias": dict.fromkeys([b"x", b"y", b"z"], -INF)}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "words", "given"), SAMPLES, ids=[f"{name} {words[:50]}" for name, words, _ in SAMPLES]
)
def test_the_command_writes_what_sample_returns(folder, capsysbinary, name, words, given):
    model = MODELS[name]()
    model.save("sampled.crnn")
    (folder / "lines").write_text("aa\nab\nba\n", encoding="utf-8")
    assert cli.main(["sample", "sampled.crnn", "--raw", "--random-state", "5", *words.split()]) == 0
    out, expected = capsysbinary.readouterr().out, model.sample(random_state=5, **given)
    if isinstance(expected, list):
        expected = ("\n" if name == "documents" else "\n----\n").join(expected)
    assert out == (expected if isinstance(expected, bytes) else (expected + "\n").encode())


def test_lone_surrogates_and_line_ends(folder, capsysbinary):
    CharRNN(5, max_steps=0, random_state=0).fit("\ud800\r\n\ufeff").save("odd.crnn")
    assert cli.main(["sample", "odd.crnn", "--length", "50", "--random-state", "5"]) == 0
    out = capsysbinary.readouterr().out
    assert b"\\ud800" in out
    sample = CharRNN.load("odd.crnn").sample(50, random_state=5)
    assert out.decode().count("\r") == sample.count("\r") > 0
    assert out.decode().count("\n") == sample.count("\n") + 1


def test_ctrl_c_ends_sampling_quietly(folder, capsys, monkeypatch):
    def stream(self, n, **rest):
        raise KeyboardInterrupt

    monkeypatch.setattr(CharRNN, "stream", stream)
    assert cli.main(["sample", "model.crnn"]) == 130
    assert capsys.readouterr() == ("", "crnn: stopped by Ctrl-C\n")


USUAL = {"temperature": 0.8, "top_p": 0.9}
LINES = "to be or not to be,\nthat is the question\n" * 9
USUAL_SAMPLES = [
    (LINES, "", {**USUAL, "prime": "\n"}), (LINES, "--prime to", {**USUAL, "prime": "to"}),
    (LINES, "--temperature 1.5 --top-p none", {"temperature": 1.5, "prime": "\n"}),
    (LINES, "--matching t.*e", {"matching": "t.*e"}), (LINES, "--raw", {}),
    (LINES, "--raw --top-p 0.7", {"top_p": 0.7}), (LINES.encode(), "", {**USUAL, "prime": b"\n"}),
    (LINES.replace("\n", " "), "", USUAL), (LINES.splitlines(), "", {**USUAL, "max_length": 1000}),
]  # fmt: skip


@pytest.mark.parametrize(("text", "words", "given"), USUAL_SAMPLES)
def test_samples_are_probable_text_from_the_start_of_a_line(folder, capsysbinary, text, words, given):
    model = CharRNN(7, max_steps=30, random_state=0).fit(text)
    model.save("sampled.crnn")
    assert cli.main(["sample", "sampled.crnn", "--random-state", "5", *words.split()]) == 0
    expected = model.sample(random_state=5, **given)
    out = capsysbinary.readouterr().out
    assert out == (expected if isinstance(expected, bytes) else (expected + "\n").encode())
