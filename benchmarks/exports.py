"""What exported models need: `python -m benchmarks.exports TEXT NAMES [--seconds 10]`.

A model of each kind, made from nine tenths of a text (Tiny Shakespeare), of names or passwords (one a line), or of
generated log lines, is written as C, JavaScript and a page. The first table has the sizes of the three files, the bytes
of the C file compiled with -O2 (constants and code; no export has variables), the bytes of the state of a text, and the
microseconds to score a character in C, in Node.js and in Python, the lowest of three rounds. With emcc, the C
file is also compiled to WebAssembly with -O2 -msimd128, and measured in Node.js. The last column is the greatest
difference of a log-probability of the held-out texts from Python's, in nats per character.

The second table, which needs arm-none-eabi-gcc, is for a Cortex-M4F with -Os: flash, and the deepest stack that the
compiler finds for a call of the function that scores, classifies or detects.
"""

from __future__ import annotations

import argparse
import ctypes
import itertools
import json
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.compact import held_out
from benchmarks.log_lines import usual_lines
from benchmarks.machine import machine
from crnn import AnomalyDetector, CharNGram, CharRNN, Mixture, TextClassifier

COLUMNS = (
    "model",
    "C file",
    "compiled",
    "state",
    "JavaScript",
    "WebAssembly",
    "page",
    "µs in C",
    "in Node.js",
    "in WebAssembly",
    "in Python",
    "greatest difference",
)
ON_DEVICE = ("model", "flash", "variables", "state", "stack")
UNITS = 128
COUNTS_BYTES = 400_000  # of pruned counts before they are quantized
METER_BYTES = 150_000  # of the counts of a password meter
N_GUESS_SAMPLES = 10_000
N_LINES = 30_000  # generated log lines
N_TEXTS = 300  # held-out texts that are scored
PIECE = 200  # characters of a piece of running text
ROUNDS = 3
DEVICE = ["-mcpu=cortex-m4", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16", "-mthumb", "-Os", "-DCRNN_NO_MAIN"]


class Exported(NamedTuple):
    """A model, what is called of it, and texts to call it with."""

    name: str
    model: Any
    kind: str  # of KINDS
    texts: list[str]
    options: dict[str, Any]


class Kind(NamedTuple):
    """What is called in C, in JavaScript and in Python, as numbers that are log-probabilities or differ as they do."""

    c_function: str
    javascript: tuple[str, str]  # the function, and the expression for a text
    webassembly: str  # the expression for a text of `size` bytes at `text`, with room for numbers at `out`
    python: Callable[[Any, list[str]], NDArray[np.float64]]


class Verdict(ctypes.Structure):
    """What ``crnn_detect`` returns."""

    _fields_ = (
        ("score", ctypes.c_double),
        ("is_anomaly", ctypes.c_int),
        ("place", ctypes.c_size_t),
        ("expected", ctypes.c_int),
    )


KINDS = {
    "score": Kind(
        "crnn_score",
        ("score", "score(text)"),
        "wasm.crnn_score(text, size)",
        lambda model, texts: model.score_samples(texts),
    ),
    "classify": Kind(
        "crnn_classify",
        ("classify", "Math.log(Math.max(...classify(text).probabilities.map((row) => row.probability)))"),
        "(wasm.crnn_classify(text, size, out), Math.log(Math.max(...numbers(out))))",
        lambda model, texts: np.log(model.predict_proba(texts).max(axis=1)),
    ),
    "detect": Kind(
        "crnn_detect",
        ("detect", "detect(text).score"),
        "(wasm.crnn_detect(out, text, size), numbers(out)[0])",
        lambda model, texts: model.score_samples(texts),
    ),
    "guess": Kind(
        "crnn_guess_number",
        ("guessNumber", "guessNumber(text) * Math.LN10"),
        "wasm.crnn_guess_number(text, size) * Math.LN10",
        lambda model, texts: np.log(model.guess_number(texts, N_GUESS_SAMPLES, random_state=0).estimate),
    ),
}


def models(text: str, names: Sequence[str], seconds: float) -> Iterator[Exported]:
    """Yield a model of each kind."""
    cut = len(text) * 9 // 10
    known, rest = text[:cut], text[cut:]
    symbols = set(known)
    rest = "".join(character for character in rest if character in symbols)
    pieces = [rest[i : i + PIECE] for i in range(0, len(rest), PIECE)][:N_TEXTS]
    # No exported file rounds the operands of products, as Python does if recommended chooses bfloat16.
    options = {"hidden_size": UNITS, "matmul_precision": "float32", "random_state": 0, "verbose": 0}
    whole = CharRNN.recommended(known, seconds, **options).fit(known)
    network = whole.quantize()
    counts = CharNGram().fit(known).prune(COUNTS_BYTES).quantize()
    yield Exported(f"network, {UNITS} units, float32", whole, "score", pieces, {})
    yield Exported(f"network, {UNITS} units", network, "score", pieces, {})
    yield Exported("counts", counts, "score", pieces, {})
    yield Exported("mixture of both", Mixture.from_fitted([network, counts]), "score", pieces, {})
    mixture = Mixture.recommended(known, seconds, **options, order=6).set_params(words=True).fit(known).quantize()
    yield Exported("mixture, all counts and words", mixture, "score", pieces, {})
    lines = [line for line in known.split("\n") if line][: len(names)]
    X, y = [*names, *lines], ["name"] * len(names) + ["verse"] * len(lines)
    classifier = TextClassifier(CharNGram(4)).fit(X, y).quantize()
    new = [*names[:: len(names) // N_TEXTS + 1], *pieces]
    yield Exported("classifier, 2 labels", classifier, "classify", new, {})
    logs, new_logs = held_out(list(itertools.islice(usual_lines(), N_LINES)))
    detector = AnomalyDetector(
        CharNGram(5).fit(logs).quantize(), mask=["digits", "hex", "ip", "time"], contamination=0.01
    ).calibrate(logs)
    yield Exported("detector, mask", detector, "detect", new_logs[:N_TEXTS], {})
    of_names, new_names = held_out(list(names))
    meter = CharNGram().fit(of_names)
    meter = (meter.prune(METER_BYTES) if size_of(meter.save) > METER_BYTES else meter).quantize()
    known_symbols = set(meter.vocabulary_)
    new_names = [name for name in new_names if known_symbols.issuperset(name)][:N_TEXTS]
    guesses = {"n_guess_samples": N_GUESS_SAMPLES, "random_state": 0}
    yield Exported("password meter", meter, "guess", new_names, guesses)


def size_of(write: Callable[[Path], Any]) -> int:
    """Return the bytes of a file written by a function of its path."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        write(path)
        return path.stat().st_size


def row_of(exported: Exported, folder: Path) -> str:
    """Return the row of a model in the first table."""
    kind = KINDS[exported.kind]
    exported.model.export_c(folder / "model.c", **exported.options)
    exported.model.export_js(folder / "model.mjs", **exported.options)
    exported.model.export_html(folder / "model.html", **exported.options)
    sizes = {name: (folder / f"model.{name}").stat().st_size for name in ("c", "mjs", "html")}
    wanted, in_python = timed(lambda: kind.python(exported.model, exported.texts))
    in_c, seconds_in_c = called_in_c(exported, folder)
    in_node, seconds_in_node = called_in_node(exported, folder)
    lengths = np.array([max(1, len(text)) for text in exported.texts])
    found = [in_c, in_node]
    n = int(lengths.sum())
    times = [f"{1e6 * seconds / n:.2f}" for seconds in (seconds_in_c, seconds_in_node)]
    wasm_size = "–"
    if shutil.which("emcc"):
        in_wasm, seconds_in_wasm = called_in_webassembly(exported, folder)
        found.append(in_wasm)
        wasm_size = kilobytes((folder / "model.wasm").stat().st_size)
        times.append(f"{1e6 * seconds_in_wasm / n:.2f}")
    else:
        times.append("–")
    difference = max(float((np.abs(each - wanted) / lengths).max()) for each in found)
    cells = [
        exported.name,
        kilobytes(sizes["c"]),
        kilobytes(sum(sections("size", folder / "model.o")[:2])),
        f"{state_size(folder)} B",
        kilobytes(sizes["mjs"]),
        wasm_size,
        kilobytes(sizes["html"]),
        *times,
        f"{1e6 * in_python / n:.2f}",
        f"{difference:.0e}",
    ]
    return f"| {' | '.join(cells)} |"


def kilobytes(size: int) -> str:
    """Return a size in kB."""
    return f"{size / 1000:,.0f} kB"


def timed(call: Callable[[], NDArray[np.float64]]) -> tuple[NDArray[np.float64], float]:
    """Return what a call returns, and the shortest time of some rounds."""
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        found = call()
        times.append(time.perf_counter() - start)
    return found, min(times)


def called_in_c(exported: Exported, folder: Path) -> tuple[NDArray[np.float64], float]:
    """Return what the C file compiled with -O2 says of the texts, and the seconds."""
    flags = ["-O2", "-DCRNN_NO_MAIN", "-Wall", "-Wextra", "-Werror"]
    subprocess.run(["gcc", *flags, "-c", folder / "model.c", "-o", folder / "model.o"], check=True)
    subprocess.run(["gcc", *flags, "-shared", "-fPIC", folder / "model.c", "-o", folder / "model.so"], check=True)
    library = ctypes.CDLL(str(folder / "model.so"))
    function = getattr(library, KINDS[exported.kind].c_function)
    function.restype = {"classify": ctypes.c_int, "detect": Verdict}.get(exported.kind, ctypes.c_double)
    encoded = [(text.encode(), ctypes.c_size_t(len(text.encode()))) for text in exported.texts]
    if exported.kind == "classify":
        p = np.empty(len(exported.model.classes_))
        address = p.ctypes.data_as(ctypes.c_void_p)

        def number(text: bytes, size: ctypes.c_size_t) -> float:
            function(text, size, address)
            return float(np.log(p.max()))

    elif exported.kind == "detect":

        def number(text: bytes, size: ctypes.c_size_t) -> float:
            return float(function(text, size).score)

    else:
        scale = np.log(10) if exported.kind == "guess" else 1.0

        def number(text: bytes, size: ctypes.c_size_t) -> float:
            return float(scale * function(text, size))

    return timed(lambda: np.array([number(*text) for text in encoded]))


def called_in_node(exported: Exported, folder: Path) -> tuple[NDArray[np.float64], float]:
    """Return what the JavaScript module says of the texts, and the seconds."""
    name, expression = KINDS[exported.kind].javascript
    module = f'import {{ {name} }} from "./model.mjs";\nconst call = (text) => {expression};\n'
    return run_in_node(module, exported.texts, folder)


def run_in_node(module: str, texts: list[str], folder: Path) -> tuple[NDArray[np.float64], float]:
    """Return what the function `call` of a JavaScript module returns for each text, and the seconds."""
    (folder / "run.mjs").write_text(
        f"{module}const texts = {json.dumps(texts)};\nconst times = [];\nlet found;\n"
        f"for (let i = 0; i < {ROUNDS}; i++) {{\n  const start = performance.now();\n  found = texts.map(call);\n"
        "  times.push(performance.now() - start);\n}\nconsole.log(JSON.stringify([found, Math.min(...times)]));\n"
    )
    done = subprocess.run(["node", folder / "run.mjs"], capture_output=True, check=True)
    found, milliseconds = json.loads(done.stdout)
    return np.array(found), milliseconds / 1000


def called_in_webassembly(exported: Exported, folder: Path) -> tuple[NDArray[np.float64], float]:
    """Return what the C file compiled to WebAssembly says of the texts in Node.js, and the seconds."""
    kind = KINDS[exported.kind]
    flags = ["-O2", "-msimd128", "-DCRNN_NO_MAIN", "--no-entry", "-sSTANDALONE_WASM", "-sALLOW_MEMORY_GROWTH"]
    functions = f"-sEXPORTED_FUNCTIONS=_{kind.c_function},_malloc"
    subprocess.run(["emcc", *flags, functions, folder / "model.c", "-o", folder / "model.wasm"], check=True)
    room = max(len(text.encode()) for text in exported.texts)
    n_numbers = len(exported.model.classes_) if exported.kind == "classify" else 1
    module = f"""import {{ readFileSync }} from "node:fs";
const env = {{ emscripten_notify_memory_growth: () => {{}} }};
const bytes = readFileSync(new URL("./model.wasm", import.meta.url));
const {{ instance }} = await WebAssembly.instantiate(bytes, {{ env }});
const wasm = instance.exports;
wasm._initialize?.();
const encoder = new TextEncoder();
const text = wasm.malloc({room}), out = wasm.malloc({8 * max(n_numbers, 8)});
const numbers = (place) => new Float64Array(wasm.memory.buffer, place, {n_numbers});
const call = (string) => {{
  const size = encoder.encodeInto(string, new Uint8Array(wasm.memory.buffer, text, {room})).written;
  return {kind.webassembly};
}};
"""
    return run_in_node(module, exported.texts, folder)


def sections(command: str, path: Path) -> tuple[int, int, int]:
    """Return the bytes of code and constants, of variables with values, and of others."""
    done = subprocess.run([command, path], capture_output=True, text=True, check=True)
    text, data, bss = map(int, done.stdout.splitlines()[1].split()[:3])
    return text, data, bss


def state_size(folder: Path, compiler: Sequence[str] = ("gcc",)) -> int:
    """Return the bytes of a text's state; 0 without a state."""
    if "crnn_state;" not in (folder / "model.c").read_text():
        return 0
    source = '#define CRNN_HEADER\n#include "model.c"\nchar crnn_size_of_state[sizeof(crnn_state)];\n'
    (folder / "state.c").write_text(source)
    subprocess.run([*compiler, "-c", folder / "state.c", "-o", folder / "state.o"], check=True)
    return sum(sections("size" if compiler[0] == "gcc" else "arm-none-eabi-size", folder / "state.o")[1:])


def device_row(exported: Exported, folder: Path) -> str:
    """Return the row of a model in the table for a Cortex-M4F."""
    exported.model.export_c(folder / "model.c", **exported.options)
    compiler = ["arm-none-eabi-gcc", *DEVICE]
    subprocess.run([*compiler, "-fstack-usage", "-c", folder / "model.c", "-o", folder / "model.o"], check=True)
    text, data, bss = sections("arm-none-eabi-size", folder / "model.o")
    function = KINDS[exported.kind].c_function
    cells = [
        exported.name,
        kilobytes(text),
        f"{data + bss} B",
        f"{state_size(folder, compiler)} B",
        f"{deepest_stack(folder, function) / 1000:.1f} kB",
    ]
    return f"| {' | '.join(cells)} |"


def deepest_stack(folder: Path, function: str) -> int:
    """Return the bytes of stack of the longest chain of calls in model.o that starts with a function."""
    usage = {}
    for line in (folder / "model.su").read_text().splitlines():
        place, size, _ = line.split("\t")
        usage[place.rpartition(":")[2]] = int(size)
    done = subprocess.run(
        ["arm-none-eabi-objdump", "-dr", folder / "model.o"], capture_output=True, text=True, check=True
    )
    calls: dict[str, set[str]] = {}
    name = ""
    for line in done.stdout.splitlines():
        start = re.match(r"[0-9a-f]+ <(\w+)>:", line)
        if start:
            name = start[1]
        for called in re.findall(r"(?:<|R_ARM_THM_(?:CALL|JUMP24)\s+)(crnn_\w+)", line):
            calls.setdefault(name, set()).add(called)

    def depth(name: str, above: tuple[str, ...]) -> int:
        inner = [depth(called, (*above, name)) for called in calls.get(name, ()) if called not in (*above, name)]
        return usage.get(name, 0) + max(inner, default=0)

    return depth(function, ())


def header(columns: Sequence[str]) -> list[str]:
    """Return the first lines of a table."""
    return [f"| {' | '.join(columns)} |", "|" + "---|" * len(columns)]


def tables(exported: Iterable[Exported]) -> Iterator[str]:
    """Yield the lines of both tables."""
    has_device = shutil.which("arm-none-eabi-gcc") is not None
    on_device = header(ON_DEVICE)
    yield from header(COLUMNS)
    for each in exported:
        with tempfile.TemporaryDirectory() as folder:
            yield row_of(each, Path(folder))
            if has_device:
                on_device.append(device_row(each, Path(folder)))
    if has_device:
        yield ""
        yield from on_device


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", type=Path)
    parser.add_argument("names", type=Path)
    parser.add_argument("--seconds", type=float, default=10.0, help="time to train each network (default: 10)")
    arguments = parser.parse_args()
    text = arguments.text.read_text("utf-8")
    names = [name for name in arguments.names.read_text("utf-8").split("\n") if name]
    print("\n".join(machine()))
    for line in tables(models(text, names, arguments.seconds)):
        print(line, flush=True)


if __name__ == "__main__":
    main()
