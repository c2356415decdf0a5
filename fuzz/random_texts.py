"""Any text, and any bytes: they come back from ids, a model learns them, scores and samples them, and is saved."""

from __future__ import annotations

import numpy as np

from crnn import CharRNN, InvalidInputError
from crnn.text.vocabulary import Vocabulary

ALPHABETS = [
    range(0x110000), range(128), range(0xD800, 0xE000), [0, 10, 13, 0x2028, 0xFEFF, 0xFFFE, 0xFFFF, 0x10FFFF, 0xD800],
    range(0x1F300, 0x1F700), range(0x4E00, 0x9FFF), [97, 98], [0x202E, 0x202A, 0x200B, 0x0301, 101],
]  # fmt: skip


def text_of(rng):
    """Return a random text, or random bytes."""
    length = int([0, 1, 2, 3, 7, 26, 60, 300][rng.integers(8)])
    if rng.integers(3) == 0:
        return rng.integers(0, int(rng.choice([1, 2, 4, 256])), length).astype(np.uint8).tobytes()
    alphabet = ALPHABETS[rng.integers(len(ALPHABETS))]
    return "".join(chr(alphabet[i]) for i in rng.integers(0, len(alphabet), length))


def case(i, folder):
    """Try one text."""
    rng = np.random.default_rng([11, i])
    text = text_of(rng)
    lines = bool(rng.integers(2))
    given = {"hidden_size": 3, "seq_length": 4, "max_steps": int(rng.integers(3)), "random_state": i, "n_threads": 1,
             "min_count": int(rng.integers(1, 3)), "batch_size": int(rng.integers(1, 4)),
             "cell": ["rnn", "gru", "lstm", "cifg"][rng.integers(4)]}  # fmt: skip
    try:
        if len(text):
            vocabulary = Vocabulary.from_text(text)
            if vocabulary.decode(vocabulary.encode(text)) != text:
                return "the text does not come back from its ids"
        try:
            model = CharRNN(**given).fit([text, text[::2]] if lines else text)
        except InvalidInputError:
            return None if len(text) < 20 or given["min_count"] > 1 else "a text of 20 symbols was refused"
        log_p = model.score_samples([text])
        if not (np.isfinite(log_p).all() and (log_p <= 0).all()):
            return f"log P is {log_p}"
        sample = model.sample(20, random_state=i)
        if not isinstance(sample, type(text)):
            return f"a sample is {type(sample).__name__}"
        if i % 10 == 0:
            model.save(folder / "model")
            if CharRNN.load(folder / "model").score_samples([text]) != log_p:
                return "a loaded model scores otherwise"
    except Exception as error:
        return f"{type(error).__name__}: {error} for {text[:30]!r}, {given}"
    return None
