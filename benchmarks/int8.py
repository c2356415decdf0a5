"""What do weights of 8 bits gain, and cost? `python -m benchmarks.int8 [FILE] [--repeats 7] [--seconds 60] [--small]`.

Two tables. The first: microseconds of a character, LSTMs of 256 and 512 units, one thread, for texts of 200 characters
read 64 at a time, and for one sampled stream: crnn in float32 and in int8 on every instruction set of this machine,
PyTorch's and onnxruntime's dynamic int8 of the exported model. Contenders take turns in one process, and the fastest
repeat counts, in seconds of the processor. The second: the loss of held-out text, and the accuracy of a classifier, in
float32 and in int8, trained for some seconds each on Tiny Shakespeare, surnames and domains. The last lines compare the
differences with their limits. Tiny Shakespeare is FILE, by default the text of `crnn demo`. `--small` takes less than a
minute and only shows that everything runs.
"""

from __future__ import annotations

import argparse
import copy
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import labeled_texts
from benchmarks.report import machine
from crnn import CharRNN, TextClassifier, _kernels
from crnn.cli import demo

STREAMS, LENGTH = 64, 200
SAMPLED = 2000
MAX_LOSS, MAX_ACCURACY = 0.005, 0.2  # nats a character, and points: what 8 bits may cost
ALPHABET = "".join(map(chr, range(32, 97)))  # 65 symbols, like Tiny Shakespeare
Turn = Callable[[], Any]


def fresh(hidden_size: int) -> CharRNN:
    """Return an untrained LSTM, which takes the same time as a trained one."""
    return CharRNN(hidden_size, cell="lstm", max_steps=0, n_threads=1, random_state=0).fit(ALPHABET)


def texts() -> list[str]:
    """Return the texts that are read in bulk."""
    drawn = np.random.default_rng(0).integers(len(ALPHABET), size=(STREAMS, LENGTH))
    return ["".join(ALPHABET[i] for i in row) for row in drawn.tolist()]


def on(instruction_set: str, work: Callable[[CharRNN], Any], model: CharRNN) -> Any:
    """Do some work with the kernels of an instruction set."""
    _kernels.use(instruction_set)
    try:
        return work(model)
    finally:
        _kernels.use(None)


def own_turns(model: CharRNN, work: Callable[[CharRNN], Any]) -> dict[str, Turn]:
    """Return the turns of crnn: float32 and int8 on each instruction set."""
    turns: dict[str, Turn] = {}
    for name in _kernels.available("int8"):
        if name in _kernels.available("float32"):
            turns[f"crnn, float32, {name}"] = partial(on, name, work, copy.copy(model))
        turns[f"crnn, int8, {name}"] = partial(on, name, work, model.quantize())
    return turns


def peer_turns(model: CharRNN, ids: NDArray[np.int64]) -> dict[str, Turn]:
    """Return the installed peers' turns: logits of ids (T, B) with dynamic int8."""
    turns: dict[str, Turn] = {}
    try:
        import torch

        torch.set_num_threads(1)
        module = model.to_torch()
        small = torch.ao.quantization.quantize_dynamic(module, {torch.nn.LSTM, torch.nn.Linear}, torch.qint8)
        tensor = torch.from_numpy(ids)

        def by_torch() -> Any:
            with torch.inference_mode():
                return small.decoder(small.rnn(torch.nn.functional.one_hot(tensor, len(ALPHABET)).float())[0])

        turns["PyTorch, dynamic int8"] = by_torch
    except ImportError:
        print("PyTorch is left out: it is not installed")
    try:
        import onnxruntime  # type: ignore[import-untyped]
        from onnxruntime.quantization import quantize_dynamic  # type: ignore[import-untyped]

        folder = Path(tempfile.mkdtemp())
        model.export_onnx(folder / "float.onnx")
        quantize_dynamic(folder / "float.onnx", folder / "int8.onnx")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        zeros = np.zeros((1, ids.shape[1], model.hidden_size), np.float32)
        for kind in ("float", "int8"):
            session = onnxruntime.InferenceSession(folder / f"{kind}.onnx", options, ["CPUExecutionProvider"])
            inputs = {"ids": ids, "h0": zeros, "c0": zeros}
            label = "float32" if kind == "float" else "dynamic int8"
            turns[f"onnxruntime, {label}"] = partial(session.run, ["logits"], inputs)
    except ImportError:
        print("onnxruntime is left out: it is not installed")
    return turns


def fastest(turns: dict[str, Turn], repeats: int, characters: int) -> dict[str, float]:
    """Return each one's processor time of a character in its fastest turn, in microseconds."""
    best = dict.fromkeys(turns, np.inf)
    for repeat in range(repeats + 1):
        for name, turn in turns.items():
            start = time.process_time()
            turn()
            if repeat:
                best[name] = min(best[name], time.process_time() - start)
    return {name: 1e6 * seconds / characters for name, seconds in best.items()}


def read(given: list[str], model: CharRNN) -> Any:
    """Score texts in bulk."""
    return model.score_samples(given)


def draw(model: CharRNN) -> Any:
    """Sample one stream."""
    return model.sample(SAMPLED, random_state=0)


def speed(hidden_sizes: Sequence[int], repeats: int) -> list[str]:
    """Return the rows of the first table."""
    lines = ["| µs a character, one thread | bulk | one stream |", "|---|---|---|"]
    for H in hidden_sizes:
        model, given = fresh(H), texts()
        ids = np.array([[ALPHABET.index(c) for c in text] for text in given], np.int64).T.copy()
        bulk = own_turns(model, partial(read, given)) | peer_turns(model, ids)
        single = own_turns(model, draw)
        bulk_times = fastest(bulk, repeats, STREAMS * LENGTH)
        single_times = fastest(single, repeats, SAMPLED)
        for name, value in bulk_times.items():
            one = f"{single_times[name]:.2f}" if name in single_times else "-"
            lines.append(f"| LSTM {H}, {name} | {value:.2f} | {one} |")
    return lines


def losses(name: str, model: CharRNN, held_out: Any) -> tuple[str, float]:
    """Return a row of the second table, with the spread between instruction sets, and what 8 bits cost in nats."""
    small, found = model.quantize(), {}
    for instruction_set in _kernels.available("int8"):
        _kernels.use(instruction_set)
        found[instruction_set] = -CharRNN._from_state(small.get_params(), small._learned).score(held_out)
    _kernels.use(None)
    plain, rounded = -model.score(held_out), found[_kernels.int8_set]
    spread = max(found.values()) - min(found.values())
    row = f"| {name}, nats a character | {plain:.4f} | {rounded:.4f} | {rounded - plain:+.4f} | {spread:.5f} |"
    return row, rounded - plain


def accuracies(name: str, classifier: TextClassifier, held_out: list[str], labels: list[str]) -> tuple[str, float]:
    """Return a row of the second table, and what 8 bits cost in points."""
    plain, rounded = (100 * model.score(held_out, labels) for model in (classifier, classifier.quantize()))
    shown = f"{plain:.2f} | {rounded:.2f} | {rounded - plain:+.2f} points"
    return f"| {name}, accuracy of {len(held_out):,}, % | {shown} | |", plain - rounded


def quality(text: str, seconds: float, limit: int | None = None) -> list[str]:
    """Return the rows of the second table and whether its limits are kept; at most `limit` labeled texts are read."""
    lines = ["| | float32 | int8 | difference | between instruction sets |", "|---|---|---|---|---|"]
    in_nats, in_points = [], []

    def compare_losses(name: str, training: Any, held_out: Any) -> None:
        model = CharRNN.recommended(training, seconds, fit=True, verbose=0)
        row, cost = losses(name, model, held_out)
        lines.append(row)
        in_nats.append(cost)

    cut = len(text) * 9 // 10
    known = set(text[:cut])  # what holds another symbol cannot be scored
    compare_losses("Tiny Shakespeare", text[:cut], "".join(filter(known.__contains__, text[cut:])))
    for name, (strings, labels) in (("surnames", labeled_texts.surnames()), ("domains", labeled_texts.domains())):
        order = np.random.default_rng(0).permutation(len(strings))[:limit].tolist()
        cut = len(order) * 9 // 10
        training, known = [strings[i] for i in order[:cut]], set("".join(strings[i] for i in order[:cut]))
        kept = [i for i in order[cut:] if set(strings[i]) <= known]
        held_out = [strings[i] for i in kept]
        compare_losses(name, training, held_out)
        classifier = TextClassifier.recommended(
            training, [labels[i] for i in order[:cut]], seconds, fit=True, verbose=0
        )
        row, cost = accuracies(name, classifier, held_out, [labels[i] for i in kept])
        lines.append(row)
        in_points.append(cost)
    return [
        *lines,
        "",
        f"Loss: at most {max(in_nats):+.4f} nats a character; the limit is {MAX_LOSS}.",
        f"Accuracy: at most {max(in_points):.2f} points lower; the limit is {MAX_ACCURACY}.",
    ]


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="?", type=Path)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=60, help="of each training; 0: no second table")
    parser.add_argument("--hidden-sizes", type=int, nargs="+", default=[256, 512])
    parser.add_argument("--small", action="store_true", help="see that it runs: units, repeats and seconds are few")
    arguments = parser.parse_args(argv)
    limit = None
    if arguments.small:
        arguments.repeats, arguments.seconds, arguments.hidden_sizes, limit = 1, 0.5, [16], 500
    lines = [*machine(), f"Products in int8: {', '.join(_kernels.available('int8'))}."]
    print("\n".join([*lines, "", *speed(arguments.hidden_sizes, arguments.repeats)]), flush=True)
    if arguments.seconds:
        text = demo.text() if arguments.file is None else arguments.file.read_text(encoding="utf-8")
        print("\n".join(["", *quality(text[:50_000] if limit else text, arguments.seconds, limit)]), flush=True)


if __name__ == "__main__":
    main()
