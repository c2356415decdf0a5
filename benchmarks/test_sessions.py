"""How long does a character of many sessions take, read at once or one by one, compared with the peers?"""

from __future__ import annotations

from functools import lru_cache

import pytest

from benchmarks import sessions

ROUNDS = 5
PEERS = ("PyTorch, nn.LSTM", "PyTorch, by hand", "onnxruntime, float32", "onnxruntime, int8")
OWN = ("TextStates", "TextStates, a tenth", "loop over TextState")
CONTENDERS = [
    *(("counts", f"crnn, {name}") for name in OWN),
    *(("128", f"crnn, {kind}{name}") for kind in ("", "int8, ") for name in OWN),
    *(("128", name) for name in PEERS),
]


@lru_cache(maxsize=1)  # the tests of one number of sessions and one model follow one another
def ready(name: str, number: int) -> tuple[dict[str, sessions.Turn], int]:
    return sessions.ready(name, number, ROUNDS)


@pytest.mark.parametrize(
    ("name", "number", "contender"),
    [
        (name, number, contender)
        for wanted in ("counts", "128")
        for number in (100, 1000, 10_000)
        for name, contender in CONTENDERS
        if name == wanted
    ],
)
def test_reading(timed, sized, monkeypatch, name, number, contender):
    monkeypatch.setattr(sessions, "CHARACTERS", sized(sessions.CHARACTERS, 60))
    size = sized(name, name if name == "counts" else "8")
    turns, characters = ready(size, sized(number, number // 10))
    if contender not in turns:
        pytest.skip(f"{contender}: the peer is missing: pip install --group bench onnx onnxruntime")
    label = f"counts of order 7: {contender}" if name == "counts" else f"LSTM, H = {name}: {contender}"
    timed(
        turns[contender], table="sessions", contender=label, column=f"{number:,} sessions", units=characters,
        rounds=ROUNDS,
    )  # fmt: skip


def test_bytes_of_a_session():
    assert sessions.bytes_a_session(sessions.fresh(8)) == 145  # h and c, 65 symbols, two sums
