"""Does the cost of a character grow with the text's length, or the cost of a step with the vocabulary?"""

import pytest

from crnn import CharRNN


def text_of(megabytes: int) -> bytes:
    """A text of so many million bytes and 64 different ones."""
    return bytes(range(32, 96)) * (megabytes * 10**6 // 64)


@pytest.mark.parametrize("megabytes", [1, 10, 100])
def test_preparing_a_text(timed, megabytes):
    text = text_of(megabytes)
    model = timed(CharRNN(8, max_steps=0).fit, text, group="vocabulary and ids, for each text", rounds=1)
    assert len(model.vocabulary_) == 64


@pytest.mark.parametrize("megabytes", [1, 10, 100])
def test_steps_in_a_long_text(timed, megabytes):
    text = text_of(megabytes)
    model = CharRNN(max_steps=0, batch_size=1, random_state=0).fit(text)
    model.set_params(max_steps=500)
    assert timed(model.partial_fit, text, group="500 steps and the reading of the text", rounds=2).n_steps_ >= 500


@pytest.mark.parametrize("V", [32, 256, 4096])
def test_step_and_vocabulary(timed, V):
    text = "".join(map(chr, range(0x100, 0x100 + V))) * max(2, 10_000 // V)
    model = CharRNN(max_steps=0, random_state=0).fit(text)
    model.set_params(max_steps=100)
    assert timed(model.partial_fit, text, group="100 online steps and the vocabulary").n_steps_ >= 100
