import io
import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crnn import CharRNN, progress, trainer
from crnn.progress import Progress, printable

TEXT = "to be or not to be, " * 30


def train(verbose, text=TEXT, **parameters):
    return CharRNN(5, max_steps=50, random_state=0, verbose=verbose, **parameters).fit(text)


def test_silence(capfd):
    train(0).partial_fit(TEXT).sample(10)
    assert capfd.readouterr() == ("", "")


def test_bar(capsys):
    model = train(1)
    captured = capsys.readouterr()
    assert captured.out == ""
    last = captured.err.split("\r")[-1]
    assert "100%" in last
    assert "1.25k/1.25k" in last  # 50 steps of 25 characters
    loss = model.smooth_loss_ / model.seq_length
    assert f"loss {loss:.3f} nats, {loss / math.log(2):.3f} bits/char" in last
    assert re.search(r"char/s", last)
    assert captured.err.endswith("\n")
    assert "----" not in captured.err


def test_bar_counts_all_streams(capsys):
    CharRNN(5, seq_length=7, batch_size=3, max_steps=11, verbose=1).fit(TEXT)
    assert "231/231" in capsys.readouterr().err  # 7 * 3 * 11


def test_bar_counts_the_chunks_of_a_short_text(capsys):
    CharRNN(5, seq_length=100, max_steps=4, verbose=1).fit("abcdef")
    assert "20.0/20.0" in capsys.readouterr().err  # 4 chunks of 5


def test_bar_of_one_call_starts_at_zero(capsys):
    model = train(0)
    model.set_params(verbose=1, max_steps=3).partial_fit(TEXT)
    assert "75.0/75.0" in capsys.readouterr().err


def test_no_steps_no_trouble(capsys):
    CharRNN(5, max_steps=0, verbose=2).fit(TEXT)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("text", [TEXT, TEXT.encode(), "a\0b\ud800" * 30, "naïve 🙂\r\n\ufeff" * 30])
def test_samples_are_shown(capsys, monkeypatch, text):
    monkeypatch.setattr(progress, "SAMPLE_SECONDS", 0.0)
    train(2, text)
    captured = capsys.readouterr()
    assert captured.out == ""
    parts = captured.err.split("----\n")
    assert len(parts) > 2
    assert len(parts[1]) > progress.SAMPLE_LENGTH
    assert captured.err.count("----") % 2 == 0
    assert "\0" not in parts[1]


def test_samples_are_shown_every_so_often(capsys, monkeypatch):
    clock = iter(range(1000))
    monkeypatch.setattr(progress.time, "perf_counter", lambda: next(clock) * 1.0)
    model = CharRNN(5, max_steps=0, random_state=0).fit(TEXT).set_params(verbose=2)
    with Progress(model, 100, 25) as shown:
        for done in range(1, 30):
            shown.show(done, 1.0)
    assert capsys.readouterr().err.count("----") // 2 == pytest.approx(30 * 1.0 / progress.SAMPLE_SECONDS, abs=2)


def test_showing_does_not_change_training(monkeypatch):
    monkeypatch.setattr(progress, "SAMPLE_SECONDS", 0.0)
    monkeypatch.setattr(trainer, "LOOK_SECONDS", 0.0)
    rng = np.random.get_state()[1].copy()  # noqa: NPY002
    silent, loud = train(0), train(2)
    np.testing.assert_array_equal(silent._params, loud._params)
    np.testing.assert_array_equal(silent.state_, loud.state_)
    np.testing.assert_array_equal(np.random.get_state()[1], rng)  # noqa: NPY002


def test_bar_is_closed_when_training_fails(capsys, monkeypatch):
    def stop(self, steps_done, loss):
        raise KeyboardInterrupt

    monkeypatch.setattr(Progress, "show", stop)
    with pytest.raises(KeyboardInterrupt):
        train(1)
    assert capsys.readouterr().err.endswith("\n")


def test_bar_on_a_terminal_that_knows_ascii_alone(monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr("sys.stderr", io.TextIOWrapper(raw, encoding="ascii", errors="backslashreplace"))
    monkeypatch.setattr(progress, "SAMPLE_SECONDS", 0.0)
    train(2, "naïve 🙂 " * 50)
    assert b"\\U0001f642" in raw.getvalue() or b"\\xef" in raw.getvalue()


@given(st.text(st.characters()))
def test_printable_text_can_be_written_anywhere(text):
    shown = printable(text)
    assert "\0" not in shown
    assert shown.encode("utf-8").decode("utf-8") == shown
    if not any(c == "\0" or "\ud800" <= c <= "\udfff" for c in text) and text.isprintable():
        assert shown == text


@given(st.text(st.characters(codec="utf-8", categories=["Cc"])))
def test_control_characters_cannot_play_with_the_terminal(text):
    assert all(c.isprintable() or c in "\n\t" for c in printable(text))


@given(st.binary())
def test_printable_bytes(data):
    assert printable(data) == printable(data.decode("latin-1"))


def test_printable():
    assert printable("naïve\n🙂") == "naïve\n🙂"
    assert printable(b"\xe9\0") == "é\\0"
    assert printable("\ud83d\ude42") == "\\ud83d\\ude42"
