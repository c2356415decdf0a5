"""Read many sessions at once: crnn and its peers, for `pytest benchmarks/test_sessions.py`.

Every session reads one character at each step, and its log-probability is wanted: `TextStates` of crnn, a loop over
`TextState`, PyTorch's nn.LSTM, an LSTM step written by hand in PyTorch, and onnxruntime, all of which carry the states
from call to call and use one thread. In the rows "a tenth", another tenth of the sessions reads at each step; the peers
have no such call. The results must agree: the loop's to the bit, the peers' in float32 to 1e-4 nats a character, and in
8 bits to 0.1 nats.
"""

from __future__ import annotations

import importlib.util
import pickle
import tempfile
from collections.abc import Callable
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import peers
from crnn import CharNGram, CharRNN
from crnn.datasets import python_manual

ALPHABET = "".join(map(chr, range(32, 97)))  # 65 symbols, like Tiny Shakespeare
CHARACTERS = 20_000  # read in a turn
PRIME = 10  # characters read before: counts take less time at the start of a text
TENTH = 10
Model = CharRNN | CharNGram
Sums = NDArray[np.float64]
Turn = Callable[[], Any]


def fresh(hidden_size: int) -> CharRNN:
    """Return an untrained LSTM, which takes the same time as a trained one."""
    return CharRNN(hidden_size, cell="lstm", max_steps=0, n_threads=1, random_state=0).fit(ALPHABET)


class Work:
    """The characters that sessions read: `ids` (n, B) and, as text, `steps`, a list for each step.

    `tenths` has the sessions and the pieces of each step at which only a tenth reads, for all turns.
    """

    def __init__(self, text: str, symbols: str, sessions: int, turns: int) -> None:
        n, rng = max(2, CHARACTERS // sessions), np.random.default_rng(0)
        starts = rng.integers(PRIME, len(text) - n * turns, size=sessions)
        self.primes = [text[i - PRIME : i] for i in starts.tolist()]
        self.steps = [[text[i] for i in (starts + t).tolist()] for t in range(n)]
        self.ids = np.array([[symbols.index(c) for c in step] for step in self.steps], np.int64)
        groups = np.array_split(rng.permutation(sessions), TENTH)
        which = [np.sort(groups[t % TENTH]) for t in range(n * turns * TENTH)]
        self.tenths = iter([(i, [text[k] for k in (starts[i] + t // TENTH).tolist()]) for t, i in enumerate(which)])


def together(started: Any, work: Work) -> Sums:
    """Read all sessions at once."""
    states = started.copy()
    for pieces in work.steps:
        states.feed(pieces)
    sums: Sums = states.log_prob
    return sums


def in_tenths(states: Any, work: Work) -> None:
    """Read as many characters in steps of a tenth of the sessions; `states` continue from turn to turn."""
    for which, pieces in islice(work.tenths, len(work.steps) * TENTH):
        states.feed(pieces, which)


def one_by_one(started: Any, work: Work) -> Sums:
    """Read each session by itself."""
    states = [state.copy() for state in started]
    for pieces in work.steps:
        for state, piece in zip(states, pieces, strict=True):
            state.feed(piece)
    return np.array([state.log_prob for state in states])


def by_module(torch: Any, module: Any, ids: Any) -> Any:
    """Read with PyTorch's nn.LSTM, whose state is handed from step to step."""
    sums, eye = torch.zeros(ids.shape[1], dtype=torch.float64), torch.eye(len(ALPHABET))
    h = torch.zeros(1, ids.shape[1], module.rnn.hidden_size)
    state = h, h.clone()
    with torch.inference_mode():
        for x in ids:
            log_p = module.decoder(state[0][0]).log_softmax(1)
            sums += log_p.gather(1, x[:, None])[:, 0]
            _, state = module.rnn(eye[x][None], state)
    return sums.numpy()


def by_hand(torch: Any, module: Any, ids: Any) -> Any:
    """Read with an LSTM step written out in PyTorch."""
    rnn, sums = module.rnn, torch.zeros(ids.shape[1], dtype=torch.float64)
    h = torch.zeros(ids.shape[1], rnn.hidden_size)
    c = h.clone()
    with torch.inference_mode():
        table = (rnn.weight_ih_l0.T + rnn.bias_ih_l0 + rnn.bias_hh_l0).contiguous()  # (V, 4H)
        recurrent = rnn.weight_hh_l0.T.contiguous()
        for x in ids:
            sums += module.decoder(h).log_softmax(1).gather(1, x[:, None])[:, 0]
            i, f, g, o = torch.addmm(table[x], h, recurrent).chunk(4, 1)
            c = f.sigmoid_() * c + i.sigmoid_() * g.tanh_()
            h = o.sigmoid_() * c.tanh()
    return sums.numpy()


def by_onnxruntime(session: Any, hidden_size: int, first: Any, ids: NDArray[np.int64]) -> Sums:
    """Read with onnxruntime; logits, of the first step (V,), and states are handed from step to step."""
    B = ids.shape[1]
    sums, rows, h = np.zeros(B), np.arange(B), np.zeros((1, B, hidden_size), np.float32)
    c, y = h, np.tile(first, (1, B, 1))
    for t in range(len(ids)):
        y = y[0]
        y -= y.max(axis=1, keepdims=True)
        sums += y[rows, ids[t]] - np.log(np.exp(y).sum(axis=1))
        y, h, c = session.run(["logits", "hn", "cn"], {"ids": ids[t : t + 1], "h0": h, "c0": c})
    return sums


def peer_turns(model: CharRNN, work: Work) -> dict[str, Turn]:
    """Return the turns of the installed peers."""
    turns: dict[str, Turn] = {}
    if peers.available("torch"):
        import torch

        torch.set_num_threads(1)
        module, ids = model.to_torch(), torch.from_numpy(work.ids)
        turns["PyTorch, nn.LSTM"] = partial(by_module, torch, module, ids)
        turns["PyTorch, by hand"] = partial(by_hand, torch, module, ids)
    if importlib.util.find_spec("onnxruntime"):
        import onnxruntime  # type: ignore[import-untyped]
        from onnxruntime.quantization import quantize_dynamic  # type: ignore[import-untyped]

        first = np.log(model.start().next_proba()).astype(np.float32)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            model.export_onnx(folder / "float32.onnx")
            quantize_dynamic(folder / "float32.onnx", folder / "int8.onnx")
            for kind in ("float32", "int8"):
                session = onnxruntime.InferenceSession(folder / f"{kind}.onnx", options, ["CPUExecutionProvider"])
                turns[f"onnxruntime, {kind}"] = partial(by_onnxruntime, session, model.hidden_size, first, work.ids)
    return turns


def own_turns(model: Model, work: Work, kind: str) -> dict[str, Turn]:
    """Return the turns of crnn with a model."""
    primes = work.primes if isinstance(model, CharNGram) else [""] * len(work.primes)  # the peers start from zeros
    states = model.start_many(primes)
    return {
        f"crnn, {kind}TextStates": partial(together, states, work),
        f"crnn, {kind}TextStates, a tenth": partial(in_tenths, states.copy(), work),
        f"crnn, {kind}loop over TextState": partial(one_by_one, [model.start(prime) for prime in primes], work),
    }


def check(turns: dict[str, Turn], n: int) -> None:
    """Raise an error unless all contenders compute the same log-probabilities."""
    found = {name: turn() for name, turn in turns.items() if "tenth" not in name}
    for name, sums in found.items():
        kind = "int8, " if name.startswith("crnn, int8") else ""
        own = found[f"crnn, {kind}TextStates"]
        if name.startswith("crnn"):
            np.testing.assert_array_equal(sums, own, err_msg=name)
        else:
            np.testing.assert_allclose(sums / n, own / n, atol=0.1 if "int8" in name else 1e-4, err_msg=name)


def ready(name: str, sessions: int, rounds: int) -> tuple[dict[str, Turn], int]:
    """Return the turns of each contender, all of them checked, and the characters of a turn.

    Parameters
    ----------
    name : str
        "counts", or the units of an LSTM.
    sessions : int
        How many sessions there are.
    rounds : int
        How many turns each contender takes.
    """
    text = python_manual() if name == "counts" else "".join(np.random.default_rng(1).choice(list(ALPHABET), 30_000))
    model: Model = CharNGram(7, n_threads=1).fit(text) if name == "counts" else fresh(int(name))
    work = Work(text, "".join(map(str, model.vocabulary_)), sessions, 3 * (rounds + 1))
    turns = own_turns(model, work, "")
    if isinstance(model, CharRNN):
        turns |= own_turns(model.quantize(), work, "int8, ") | peer_turns(model, work)
    check(turns, len(work.steps))
    return turns, work.ids.size


def bytes_a_session(model: Model) -> int:
    """Return what a session adds to the size of a pickle, which is what it takes in memory."""
    one, many = (len(pickle.dumps(model.start_many([""] * n))) for n in (1, 1001))
    return (many - one) // 1000
