"""How the tables of speed are laid out: what each of them measures, and what its contenders are called."""

from __future__ import annotations

from dataclasses import dataclass

LABELS = {  # contenders without their dtype
    "numpy": "the script (NumPy)",
    "numpy-hoisted": "the script, products hoisted out of the loop",
    "torch": "PyTorch",
    "torch-compiled": "PyTorch, a loop compiled",
    "torch-bfloat16": "PyTorch, autocast to bfloat16",
    "jax": "JAX",
    "jax-by-hand": "JAX, gradient by hand",
    "classic": "`crnn.classic`",
    "crnn": "crnn",
    "crnn-bfloat16": "crnn, products in bfloat16",
    "crnn-exact": "crnn, one state through the whole text",
    "sgemm": "the products alone, at the speed of sgemm 1024³",
}


@dataclass(frozen=True)
class Layout:
    """What a table says above its first column, and in which unit it has the seconds of one unit of work."""

    head: str
    scale: float
    base: str = "crnn"  # the contender that the others are compared with


MILLISECONDS = 1e3
MICROSECONDS = 1e6
LAYOUTS = {
    "step": Layout("a step of min-char-rnn, T = 25, one thread: µs", MICROSECONDS),
    "tanh": Layout("a step, T = B = 50, tanh: ms", MILLISECONDS),
    "gated": Layout("a step, T = B = 50, one thread: ms", MILLISECONDS),
    "gated, two threads": Layout("a step, T = B = 50, two threads: ms", MILLISECONDS),
    "sampling": Layout("a sampled character, one thread: µs", MICROSECONDS),
    "scoring": Layout("a scored character of 1 MB, H = 256: µs", MICROSECONDS),
    "latency": Layout("a call, one thread: µs", MICROSECONDS),
    "counting": Layout("a character, one thread: µs", MICROSECONDS),
    "labels": Layout("a surname, one thread: µs", MICROSECONDS),
    "sessions": Layout("a character read, one thread: µs", MICROSECONDS),
    "export": Layout("a character, one thread: µs", MICROSECONDS, "Python"),
}
