"""Random models of every kind: exported C, compiled with sanitizers, and JavaScript give the numbers of Python."""

from __future__ import annotations

import json
import math
import random
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from trials import Outcome, run_cases
from write_faults import NO_COMPILER

from crnn import AnomalyDetector, CharNGram, CharRNN, InvalidInputError, Mixture, TextClassifier
from crnn.text.mask import BUILT_IN

ALPHABETS = [
    "ab",
    "a",
    "aAbB cC_1",
    "abcdefgh \n",
    "\0a\ud800\u00e9\u20ac\U0001f600",
    "\u0130iI\u0131 \u00df\u1e9es",
    "".join(map(chr, range(32, 127))),
    "".join(map(chr, range(0x4E00, 0x4E00 + 300))),
    "\u202eab\u200b\ufeff\u2028\U0010ffff",
]
BYTES = [b"ab ", bytes(range(256)), "a\u00e9\u20ac\U0001f600 ".encode()]
STRANGE = "~\u0416\U0001f40d"  # no symbol of most alphabets
PIECES = ["0x", "0", "12", "255", "a", "F", "e3", "deadbeef", "-", ":", ".", ",", " ", "T", "Z", "+01:30", "-0200", "_"]
PIECES += ["2026-01-02", "23:59:07", "Jan ", " 3 ", "Dec 31 ", "10.0.0.1", "fe80:", "1:2:3:4:5:6:7:8", "\u00e9"]
PIECES += ["123e4567-e89b-12d3-a456-426614174000", "123e4567-e89b", "\U0001f600", "g", "\n", "\0", "\u0663"]
LABELS = [["x", "y"], [0, -3, 7], [False, True], ["</script>", "\u2028", "\u05d0\U0001f600", '"']]
OWN_MASKS = [("[ab]+", "$&a"), (r"\d\d", ""), ("a|b", "b")]
CELLS = ["rnn", "gru", "lstm", "cifg"]
REFUSALS = ("min_count is 2, but no symbol occurs that often", "a fraction of ")  # of random texts
SEED = 5
SAMPLES = 3
SAMPLE_LENGTH = 20
TOLERANCE = 1e-5  # of a log-probability
# A network with 8-bit weights rounds its states to multiples of 1/127, and their sums are exact. But the last digits
# of a state depend on the processor's instructions, and decide to which multiple it is rounded if it lies about midway
# between two. Then, and only then, more than the last digits of a probability differ: the exported file gives Python's
# numbers if one of NUDGES is added to what it rounds.
MAX_AT_TIE = 0.01  # of the texts that models with 8-bit weights read
NUDGES = [sign * size for size in (2e-6, 1e-5, 5e-5, 2e-4) for sign in (-1, 1)]
ROUNDING_IN_C = ("h[k] * 127.0f + shift;", "(h[k] * 127.0f + {}f) + shift;")
ROUNDING_IN_JAVASCRIPT = ("x = LEVELS * h;", "x = LEVELS * h + {};")
WARNINGS = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic"]
SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"]
FLAGS = [*WARNINGS, *SANITIZERS, "-O1", "-DCRNN_NO_MAIN"]

# Texts are read as their number of bytes in a line, and the bytes. So that an address sanitizer sees every byte beyond
# a text, each is copied to memory of its size.
READ_TEXTS = """
#include <stdio.h>
#include <stdlib.h>
#include "model.c"
static void judge(const char *text, size_t size);
int main(void) {
    size_t size;
    while (scanf("%zu", &size) == 1) {
        char *text = malloc(size ? size : 1);
        getchar();
        if (text == NULL || fread(text, 1, size, stdin) != size)
            return 1;
        judge(text, size);
        printf("\\n");
        free(text);
    }
    return 0;
}
"""
SHOW = """
static void show(const char *bytes, size_t size) {
    for (size_t i = 0; i < size; i++) printf("%02x", (unsigned char)bytes[i]);
}
"""
JUDGES = {
    "language model": SHOW
    + """
static void judge(const char *text, size_t size) {
    double p[CRNN_SYMBOLS], logs[CRNN_SYMBOLS];
    const double score = crnn_score(text, size);
    crnn_state state;
    char *out = malloc(30);
    printf("%.17g ", score);
    if (score <= 0) {
        crnn_start(&state);
        for (size_t i = 0; i < size;) {
            int id;
            i += crnn_read(text + i, size - i, &id);
            crnn_feed(&state, id);
        }
        crnn_next_proba(&state, p);
        crnn_log_probabilities(&state, logs);
        for (int i = 0; i < CRNN_SYMBOLS; i++) printf("%.17g,%.17g,", p[i], logs[i]);
    }
    printf(" =");
    show(out, crnn_complete(text, size, out, 30));
    free(out);
    for (int number = 0; number < NUMBER_OF_SAMPLES; number++) {
        crnn_random random;
        crnn_seed(&random, SEED, (uint64_t)number);
        crnn_start(&state);
        printf(" =");
        for (int i = 0; i < SAMPLE_LENGTH; i++) {
            char bytes[4];
            const int id = crnn_sample(&state, TEMPERATURE, crnn_uniform(&random));
            if (id == CRNN_BOUNDARY)
                break;
            show(bytes, crnn_symbol(id, bytes));
            crnn_feed(&state, id);
        }
    }
#ifdef GUESSES
    printf(" %.9g", crnn_guess_number(text, size));
#endif
}
""",
    "classifier": SHOW
    + """
static void judge(const char *text, size_t size) {
    double p[CRNN_LABELS];
    const int best = crnn_classify(text, size, p);
    const char *label = crnn_label(best);
    size_t length = 0;
    while (label[length]) length++;
    printf("=");
    show(label, length);
    for (int i = 0; i < CRNN_LABELS; i++) printf(" %.17g", p[i]);
}
""",
    "detector": """
static void judge(const char *text, size_t size) {
    const crnn_verdict found = crnn_detect(text, size);
    printf("%.17g %d %lu", found.score, found.is_anomaly, (unsigned long)found.place);
}
""",
}
JAVASCRIPT = {
    "language model": (
        "score, nextProba, sample, complete",
        """texts.map((text) => ({
    samples: [0, 1, 2].map((number) => sample({ length: LENGTH, seed: SEED, number, temperature: TEMPERATURE })),
    answer: answer(text),
}));
function answer(text) {
    try {
        return [String(score(text)), nextProba(text).map((row) => row.probability), complete(text, { length: 7 })];
    } catch (error) {
        return error instanceof RangeError ? null : String(error);
    }
}""",
    ),
    "classifier": ("classify", "texts.map(classify)"),
    "detector": ("detect", "texts.map(detect).map((found) => [String(found.score), found.verdict])"),
}


class Draw(random.Random):
    """Random texts of an alphabet, which may be bytes, and models of them."""

    has_rounded_states = False  # whether a model of the case has 8-bit weights
    n_texts_at_tie = 0  # texts of the process's cases so far that differ more, at a tie, in C or JavaScript
    n_rounded_texts = 0  # texts of the process's cases so far that a model with 8-bit weights has read

    def __init__(self, i):
        super().__init__(i)
        self.as_bytes = self.random() < 0.2
        self.alphabet = self.choice(BYTES if self.as_bytes else ALPHABETS)
        symbols = list(self.alphabet)
        self.weights = [self.random() ** 3 + 0.01 for _ in symbols]

    def text(self, n):
        """Return n random symbols."""
        drawn = self.choices(self.alphabet, self.weights, k=n)
        return bytes(drawn) if self.as_bytes else "".join(drawn)

    def documents(self, n):
        """Return n random texts, some of them empty."""
        return [self.text(self.randrange(0, 12)) for _ in range(n)]

    def counts(self, X):
        """Return compact counts, with numbers of 8 or 16 bits."""
        fitted = CharNGram(self.randrange(1, 7), min_count=self.min_count).fit(X)
        try:
            small = fitted.prune(self.choice([1500, 3000]))
        except InvalidInputError:  # a symbol alone needs more
            small = fitted
        # Counts without pruning have exact numbers; exported files have 16 bits of each.
        return small.quantize() if small is fitted or self.random() < 0.5 else small._compact(int8=False)

    def network(self, X):
        """Return a small network, perhaps with 8-bit weights."""
        network = CharRNN(
            self.randrange(1, 20),
            cell=self.choice(CELLS),
            num_layers=self.choice([1, 1, 2]),
            embedding_size=self.choice([None, None, 3]),
            n_bigrams=self.choice([None, None, 7]),
            max_steps=self.choice([0, 5, 60]),
            min_count=self.min_count,
            random_state=self.randrange(1000),
            dtype="float32",
            n_threads=1,
        ).fit(X)
        if self.random() < 0.5:
            return network
        Draw.has_rounded_states = True
        return network.quantize()

    def mixture(self, X):
        """Return a mixture, perhaps of mixtures."""
        made = [self.network, self.counts, self.mixture]
        members = [self.choices(made, [4, 4, 1])[0](X) for _ in range(self.randrange(1, 4))]
        rows = [[self.choice([0, self.random() * 1.2]) for _ in members] for _ in range(self.choice([1, 4]))]
        rows = [[0.1 + row[0], *row[1:]] for row in rows]
        return Mixture.from_fitted(members, weights=rows[0] if len(rows) == 1 else rows)

    def words(self, X):
        """Return a mixture with counts of words."""
        held_out = X[:300] if isinstance(X, str | bytes) else X[:20]
        models = [self.network(X).set_params(max_steps=5), CharNGram(self.randrange(1, 6), min_count=self.min_count)]
        models = [CharRNN(**models[0].get_params()), models[1]][self.randrange(2) :]
        mixture = Mixture(models, words=True).fit(X, validation=held_out)
        mixture = mixture.quantize()
        Draw.has_rounded_states |= any(isinstance(model, CharRNN) for model in mixture.models_)
        mixture.weights_ = np.abs(mixture.weights_ + np.array([[self.random() * 0.3]]))
        if mixture.weights_.shape[0] == 1:
            mixture.weights_ = mixture.weights_[0]
        return mixture

    def language_model(self, X):
        """Return a language model of any kind."""
        return self.choice([self.counts, self.network, self.mixture, self.words])(X)

    def classifier(self, X):
        """Return a classifier of one or two kinds of models."""
        labels = self.choice(LABELS)[: max(2, len(X) // 2)]
        estimators = [
            CharNGram(self.randrange(1, 5), min_count=self.min_count),
            CharRNN(7, cell=self.choice(CELLS), max_steps=5, random_state=0, dtype="float32", min_count=self.min_count),
        ]
        chosen = self.choice([estimators, estimators[:1], estimators[1:]])
        directions = self.choice(["both", "forward", "backward"])
        y = [labels[k % len(labels)] for k in range(len(X))]
        Draw.has_rounded_states = any(isinstance(model, CharRNN) for model in chosen)
        return TextClassifier(chosen, directions=directions).fit(X, y).quantize()

    def detector(self, X):
        """Return a calibrated detector, perhaps with a mask, and whether C can have the mask."""
        names = self.sample(list(BUILT_IN), self.randrange(1, len(BUILT_IN) + 1))
        own = self.random() < 0.2
        mask = self.choice([None, names]) if not own else [*names, self.choice(OWN_MASKS)]
        reduce = self.choice(["joint", "min", "mean", "sum", "scaled"])
        model = self.choice([self.counts, self.network, self.mixture])(X)
        return AnomalyDetector(model, contamination=0.1, mask=mask, reduce=reduce).calibrate(X), not own


def encoded(text):
    """Return a text as C reads it."""
    return text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")


def c_answers(kind, folder, texts, definitions):
    """Return the words of each line that the compiled model prints for the texts."""
    macros = "".join(f"#define {name} {value}\n" for name, value in definitions.items())
    (folder / "judge.c").write_text(macros + READ_TEXTS + JUDGES[kind])
    program = folder / "judge"
    done = subprocess.run(["gcc", *FLAGS, folder / "judge.c", "-o", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[:400]
    given = b"".join(b"%d\n%s\n" % (len(encoded(text)), encoded(text)) for text in texts)
    done = subprocess.run([program], input=given, capture_output=True)
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")[:400]
    return [line.split() for line in done.stdout.decode("ascii").splitlines()]


def javascript_answers(kind, folder, texts, definitions):
    """Return the JavaScript module's answer to each text."""
    names, expression = JAVASCRIPT[kind]
    shown = [text.decode() if isinstance(text, bytes) else text for text in texts]
    lines = [f'import {{ {names} }} from "./model.mjs";', f"const texts = {json.dumps(shown)};"]
    lines += [f"const {name} = {value};" for name, value in definitions.items()]
    (folder / "run.mjs").write_text(
        "\n".join([*lines, f"const answers = {expression}", "console.log(JSON.stringify(answers));"])
    )
    done = subprocess.run(["node", folder / "run.mjs"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[:400]
    return json.loads(done.stdout)


def is_near(found, wanted, n):
    """Return whether a sum of n log-probabilities is as expected."""
    return found == wanted or abs(found - wanted) <= TOLERANCE * max(1, n)


class Exported(NamedTuple):
    """A file written in a folder, with what the texts' numbers are compared with."""

    name: str  # of the file
    rounding: tuple[str, str]  # the expression that a state is rounded in, and the same with a place for a number
    ask: Callable  # with a folder and texts: the file's answers to them
    fault_of: Callable  # with a text and its answer: how that differs from Python's, or None


def fault_of_export(exported, folder, texts):
    """Return how one of an exported file's answers differs from Python's, or None."""
    faults = faults_of_texts(exported, folder, texts)
    if not Draw.has_rounded_states:
        return next(iter(faults.values()), None)
    unexplained = list(faults)
    for nudge in NUDGES:
        if unexplained:
            nudged = nudged_copy(exported, folder, nudge)
            unexplained = list(faults_of_texts(exported, nudged, unexplained))
    if unexplained:
        return faults[unexplained[0]]
    Draw.n_rounded_texts += len(texts)
    Draw.n_texts_at_tie += len(faults)
    if Draw.n_texts_at_tie > max(len(texts), MAX_AT_TIE * Draw.n_rounded_texts):  # texts of a model can share a tie
        return f"{Draw.n_texts_at_tie} of {Draw.n_rounded_texts} texts at a tie, the last {list(faults)}"
    return None


def nudged_copy(exported, folder, nudge):
    """Return a folder with a copy of an exported file that adds a number to what it rounds."""
    place = folder / "nudged"
    place.mkdir(exist_ok=True)
    source = (folder / exported.name).read_text(encoding="utf-8")
    expression, nudged = exported.rounding
    (place / exported.name).write_text(source.replace(expression, nudged.format(nudge)), encoding="utf-8")
    return place


def faults_of_texts(exported, folder, texts):
    """Return the faults of the texts that have one."""
    answers = exported.ask(folder, texts)
    faults = {text: exported.fault_of(text, answer) for text, answer in zip(texts, answers, strict=True)}
    return {text: fault for text, fault in faults.items() if fault}


def fault_of_language_model(draw, model, folder, texts):
    """Return how an exported language model differs from Python's, or None."""
    has_ends = model.vocabulary_.boundary is not None
    n_guess_samples = 200 if has_ends and draw.random() < 0.3 else 0
    temperature = draw.choice([0, 0.7, 1])
    options = {"n_guess_samples": n_guess_samples, "random_state": SEED}
    model.export_c(folder / "model.c", **options)
    model.export_js(folder / "model.mjs", **options)
    length = {"max_length": SAMPLE_LENGTH} if has_ends else {"length": SAMPLE_LENGTH}
    samples = model.sample(n_samples=SAMPLES, random_state=SEED, temperature=temperature, **length)
    definitions = {"SEED": SEED, "TEMPERATURE": temperature}
    in_c = {"NUMBER_OF_SAMPLES": SAMPLES, "SAMPLE_LENGTH": SAMPLE_LENGTH, **definitions}
    if n_guess_samples:
        in_c["GUESSES"] = 1
    c = Exported(
        "model.c",
        ROUNDING_IN_C,
        ask=partial(c_answers, "language model", definitions=in_c),
        fault_of=partial(fault_in_c, model, samples=samples, n_guess_samples=n_guess_samples),
    )
    javascript = Exported(
        "model.mjs",
        ROUNDING_IN_JAVASCRIPT,
        ask=partial(javascript_answers, "language model", definitions={"LENGTH": SAMPLE_LENGTH, **definitions}),
        fault_of=partial(fault_in_javascript, model, samples=samples),
    )
    return fault_of_export(c, folder, texts) or fault_of_export(javascript, folder, shown_in_javascript(texts))


def shown_in_javascript(texts):
    """Return the texts that JavaScript can be given."""
    return [text for text in texts if isinstance(text, str) or is_utf8(text)]


def score_of(model, text):
    """Return a text's score, or None if the model does not know its symbols."""
    try:
        return float(model.score_samples([text])[0])
    except InvalidInputError:
        return None


def fault_in_c(model, text, line, samples, n_guess_samples):
    """Return how the words that the C program printed for a text differ from Python's numbers, or None."""
    has_ends = model.vocabulary_.boundary is not None
    score = score_of(model, text)
    score = 1.0 if score is None else score
    if not is_near(float(line[0]), score, len(text)):
        return f"C's score of {text!r} is {line[0]}, not {score}"
    rest = line[1:]
    if score <= 0:
        row = np.array(rest.pop(0).strip(",").split(","), float).reshape(-1, 2)
        p = model.next_proba([text])[0]
        if np.abs(row[:, 0] - p).max() > TOLERANCE:
            return f"C's probabilities after {text!r} are {row[:, 0].tolist()}, not {p.tolist()}"
        if not all(is_near(math.exp(a), b, 1) for a, b in zip(row[:, 1], p, strict=True)):
            return f"C's log-probabilities after {text!r} are {row[:, 1].tolist()}, not log({p.tolist()})"
        start = encoded(text) if has_ends else b""
        best = model.sample(prime=text, temperature=0, **({"max_length": 99} if has_ends else {"length": 30}))
        best = encoded(best)[len(start) :]
        shown = bytes.fromhex(rest[0][1:])
        is_best = best.startswith(shown) and len(shown) >= min(len(best), 27)
        if not is_best and not has_near_tie(model, text, shown, best):
            return f"C completes {text!r} by {shown!r}, not {best!r}"
    for number, sample in enumerate(samples):
        if bytes.fromhex(rest[1 + number][1:]) != encoded(sample):
            return f"C's sample {number} is {bytes.fromhex(rest[1 + number][1:])!r}, not {sample!r}"
    if n_guess_samples and not is_guess_number(float(rest[-1]), score, model, n_guess_samples, len(text)):
        return f"C's guess number of {text!r} is 10**{rest[-1]}"
    return None


def is_guess_number(found, score, model, n_samples, n):
    """Return whether a guess number fits a text of length n with about this score; -1 fits a text without a score."""
    if score == 1:
        return found == -1
    _, (inverse, numbers) = model._for_export("is_guess_number", False, n_samples, SEED)
    margin = TOLERANCE * max(1, n)
    first, last = np.searchsorted(inverse, [-score - margin, -score + margin])
    rows = np.append(0.0, numbers)
    return bool(rows[first] - 1e-5 <= found <= rows[last] + 1e-5)


def has_near_tie(model, text, shown, best):
    """Return whether two continuations part where two symbols are about as probable."""
    n = next((i for i, (a, b) in enumerate(zip(shown, best, strict=False)) if a != b), min(len(shown), len(best)))
    after = text + (best[:n] if isinstance(text, bytes) else best[:n].decode("utf-8", "ignore"))
    p = np.sort(model.next_proba([after])[0])
    return len(p) > 1 and p[-1] - p[-2] < TOLERANCE


def fault_in_javascript(model, text, found, samples):
    """Return how the JavaScript module's samples, or its answer to a text, differ from Python's, or None."""
    as_bytes = model.vocabulary_.kind == "bytes"
    wanted = [sample.decode("utf-8", "replace") if as_bytes else sample for sample in samples]
    if found["samples"] != wanted:
        return f"JavaScript's samples are {found['samples']}, not {wanted}"
    return fault_of_answer(model, text, found["answer"])


def fault_of_answer(model, text, found):
    """Return how the JavaScript module's score, probabilities and completion of a text differ, or None."""
    as_bytes = model.vocabulary_.kind == "bytes"
    has_ends = model.vocabulary_.boundary is not None
    score = score_of(model, text)
    if score is None:
        return None if found is None else f"JavaScript's score of {text!r} is {found}, but Python gives none"
    if found is None or isinstance(found, str):
        return f"JavaScript scores {text!r} as {found}, not {score}"
    if not is_near(float(found[0]), score, len(text)):
        return f"JavaScript's score of {text!r} is {found[0]}, not {score}"
    p = np.sort(model.next_proba([text])[0])[::-1]
    if np.abs(found[1] - p).max() > TOLERANCE:
        return f"JavaScript's probabilities after {text!r} are {found[1]}, not {p.tolist()}"
    length = {"max_length": len(text) + 7} if has_ends else {"length": 7}
    best = model.sample(prime=text, temperature=0, **length)
    best = best[len(text) :] if has_ends else best
    best = best.decode("utf-8", "replace") if as_bytes else best
    is_best = as_bytes or found[2] == best
    if not is_best and not has_near_tie(model, text, encoded(found[2]), encoded(best)):
        return f"JavaScript completes {text!r} by {found[2]!r}, not {best!r}"
    return None


def is_utf8(text):
    """Return whether bytes are UTF-8."""
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def fault_of_classifier(model, folder, texts):
    """Return how an exported classifier differs from Python's, or None."""
    model.export_c(folder / "model.c")
    model.export_js(folder / "model.mjs")
    wanted = dict(zip(texts, model.predict_proba(texts), strict=True))
    labels = model.classes_.tolist()
    c = Exported(
        "model.c",
        ROUNDING_IN_C,
        ask=partial(c_answers, "classifier", definitions={}),
        fault_of=lambda text, line: fault_of_printed_label(text, line, labels, wanted[text]),
    )
    javascript = Exported(
        "model.mjs",
        ROUNDING_IN_JAVASCRIPT,
        ask=partial(javascript_answers, "classifier", definitions={}),
        fault_of=lambda text, found: fault_of_shares(text, found, labels, wanted[text]),
    )
    return fault_of_export(c, folder, texts) or fault_of_export(javascript, folder, shown_in_javascript(texts))


def fault_of_printed_label(text, line, labels, p):
    """Return how the label and the probabilities that the C program printed differ from Python's, or None."""
    found = np.array(line[1:], float)
    if np.abs(found - p).max() > TOLERANCE:
        return f"C's probabilities of {text!r} are {found.tolist()}, not {p.tolist()}"
    label = bytes.fromhex(line[0][1:]).decode()
    if label != str(labels[int(p.argmax())]) and np.sort(p)[-1] - np.sort(p)[-2] > TOLERANCE:
        return f"C's label of {text!r} is {label!r}, not {labels[int(p.argmax())]!r}"
    return None


def fault_of_shares(text, found, labels, p):
    """Return how the JavaScript module's probabilities of labels differ from Python's, or None."""
    shares = {row["label"]: row["probability"] for row in found["probabilities"]}
    if max(abs(shares[label] - share) for label, share in zip(labels, p, strict=True)) > TOLERANCE:
        return f"JavaScript's probabilities of {text!r} are {shares}, not {p.tolist()}"
    return None


def fault_of_detector(model, folder, texts, *, can_be_c):
    """Return how an exported detector differs from Python's, or None."""
    model.export_js(folder / "model.mjs")
    scores = dict(zip(texts, model.score_samples(texts), strict=True))
    verdicts = dict(zip(texts, model.predict(texts), strict=True))

    def fault_of(language, text, score, is_anomaly):
        n = 4 * max(1, len(text))
        if not is_near(score, scores[text], n):
            return f"{language}'s score of {text!r} is {score}, not {scores[text]}"
        if is_anomaly != (verdicts[text] == -1) and not is_near(scores[text], model.offset_, n):
            return f"{language}'s verdict on {text!r} with the score {scores[text]} is {is_anomaly}"
        return None

    fault = None
    if can_be_c:
        model.export_c(folder / "model.c")
        c = Exported(
            "model.c",
            ROUNDING_IN_C,
            ask=partial(c_answers, "detector", definitions={}),
            fault_of=lambda text, line: fault_of("C", text, float(line[0]), line[1] == "1"),
        )
        fault = fault_of_export(c, folder, texts)
    javascript = Exported(
        "model.mjs",
        ROUNDING_IN_JAVASCRIPT,
        ask=partial(javascript_answers, "detector", definitions={}),
        fault_of=lambda text, found: fault_of("JavaScript", text, to_float(found[0]), found[1] == "anomaly"),
    )
    return fault or fault_of_export(javascript, folder, shown_in_javascript(texts))


def to_float(number):
    """Return a number that JavaScript has printed."""
    return float(number.replace("Infinity", "inf"))


def run(count, seed=0):
    """Export `count` models and compare them."""
    if not (shutil.which("gcc") and shutil.which("node") and sys.platform.startswith("linux")):
        return Outcome(0, [NO_COMPILER])
    return run_cases("random_exports", count, seed)


def case(i, folder):
    """Export one model and compare."""
    draw = Draw(i)
    Draw.has_rounded_states = False
    draw.min_count = draw.choice([1, 1, 2])
    place = Path(folder) / "export"
    place.mkdir()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fault = _fault(draw, place)
    finally:
        shutil.rmtree(place)
    return fault


def _fault(draw, folder):
    kind = draw.choice(["language model"] * 4 + ["classifier", "detector"])
    documents = draw.documents(draw.choice([4, 9, 60]))
    new = draw.documents(6)
    strange = STRANGE.encode() if draw.as_bytes else STRANGE
    new += [strange, documents[0] + strange[:1], strange[:0]]
    texts = [*documents[:9], *new]
    what = f"{kind} of {draw.alphabet[:20]!r}"
    try:
        if kind == "language model":
            X = draw.text(draw.choice([2, 30, 900])) if draw.random() < 0.4 else documents
            model = draw.language_model(X)
            what = f"{model!r} of {draw.alphabet[:20]!r}"
            fault = fault_of_language_model(draw, model, folder, texts)
        elif kind == "classifier":
            model = draw.classifier(documents)
            what = f"{model!r} of {draw.alphabet[:20]!r}"
            fault = fault_of_classifier(model, folder, texts)
        else:
            lines = draw.documents(120)
            if not draw.as_bytes:
                lines = ["".join(draw.choices(PIECES, k=draw.randrange(0, 9))) for _ in range(120)]
            model, can_be_c = draw.detector(lines)
            what = f"{model!r} of {draw.alphabet[:20]!r}"
            fault = fault_of_detector(model, folder, [*lines[:40], *texts], can_be_c=can_be_c)
    except InvalidInputError as error:
        return None if str(error).startswith(REFUSALS) else f"{what}: refused: {error}"
    return fault and f"{what}: {fault}"
