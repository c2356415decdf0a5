"""Write docs/reference/ from the docstrings: signatures, parameters and examples, in Markdown that GitHub shows.

python tools/fill_docstrings.py      first: docstrings that come from tables
python tools/reference.py            tests/test_site.py fails if a page is not current
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import io
import os
import re
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "reference"
# fmt: off
PAGES = {  # file: title, what it documents, a sentence
    "char_rnn": ("CharRNN", "crnn.CharRNN", "A recurrent network."),
    "char_ngram": ("CharNGram", "crnn.CharNGram", "Counts of n-grams."),
    "mixture": ("train and Mixture", "crnn.train crnn.Mixture", "Several models that predict as one."),
    "methods": ("Methods of every model", "crnn.language_model.LanguageModel",
                "What `CharRNN`, `CharNGram` and `Mixture` have in common. `model` stands for any of them."),
    "text_classifier": ("TextClassifier", "crnn.TextClassifier", "A classifier of short texts."),
    "anomaly_detector": ("AnomalyDetector", "crnn.AnomalyDetector crnn.detection.explanation.Explanation",
                         "A language model with a threshold."),
    "text_state": ("TextState", "crnn.text_states.text_state.TextState crnn.text_states.text_states.TextStates",
                   "What `start` and `start_many` return: one text, or many, read and drawn step by step."),
    "datasets": ("Data sets", "crnn.datasets.python_manual crnn.datasets.english_towns",
                 "Small data for examples: `crnn.datasets`."),
    "large_data": ("Lines and TextFile", "crnn.Lines crnn.TextFile", "Data on disk."),
    "classic": ("MinCharRNN", "crnn.classic.MinCharRNN", "The gist, compiled: `crnn.classic`."),
    "plot": ("Plots and reports", "crnn.plot.history crnn.plot.surprisal crnn.plot.probabilities crnn.plot.neurons "
             "crnn.plot.find_units crnn.plot.FoundUnit crnn.plot.gradient_flow crnn.plot.gradient_norms "
             "crnn.plot.GradientNorms crnn.plot.states crnn.plot.compare crnn.report.write_report",
             "Plots need matplotlib: the extra `plot`."),
    "results": ("What methods return", "crnn.search.enumeration.EnumeratedDocuments "
                "crnn.matching.samples.MatchProbability "
                "crnn.restoring.restorer.Restored crnn.restoring.restorer.Change "
                "crnn.scoring.text_scores.WordSurprisal crnn.sampling.guess_numbers.GuessNumbers "
                "crnn.training.gradients.TextGradient crnn.text.copies.Copy crnn.text.vocabulary.Vocabulary",
                "Tuples with named fields, and the symbols of a model."),
    "errors": ("Functions and errors", "crnn.load_model crnn.longest_copies crnn.learn_confusions crnn.dirty_cells "
               "crnn.tables.DirtyCell crnn.show_config "
               "crnn.InvalidInputError crnn.NotFittedError crnn.DivergenceError crnn.ModelFileError",
               "`crnn.BOUNDARY` is the symbol between documents, `crnn.UNKNOWN` the one for unknown characters."),
}
# The rooms whose classes methods return: nobody calls them, so their pages show no signature.
MADE_BY_MODELS = ("matching", "restoring", "sampling", "scoring", "search", "text_states")
MODELS = ("crnn.CharRNN", "crnn.CharNGram", "crnn.Mixture")
MEMBERS = {
    "Train": "from_fitted recommended fit train partial_fit fit_weights without_words resume stop calibrate",
    "Generate": "sample stream beam_search enumerate_documents match_probability restore",
    "Score": "score loss score_samples score_batches bits_per_char perplexity surprisal word_surprisal rank "
             "guess_number decision_function explain",
    "Predict": "next_proba predict fit_predict predict_proba predict_log_proba",
    "Read step by step": "start start_many adapt for_label",
    "Features and gradients": "hidden_states transform fit_transform get_feature_names_out gradient editing",
    "Save and load": "save load from_char_rnn to_char_rnn",
    "Export": "prune quantize to_torch from_torch export_onnx export_c export_html export_js export_arpa",
    "Get and set parameters": "get_params set_params",
}
# fmt: on
EXIT_CODES = """## Exit codes

| code | meaning |
|---|---|
| 0 | The command did what it was asked to. `crnn detect` ends with 0 whether it finds anomalies or not. |
| 1 | An error, described by one line on standard error; without it, if the output's reader stops, as `head` does. |
| 2 | Wrong usage: an unknown command or option, or a value that the option does not take. |
| 130 | Ctrl-C. |
| 143, 129 | SIGTERM or SIGHUP ended `crnn train` or `crnn demo`. |

When a signal ends `crnn train` of a network or mixture, the model after the last complete step is saved in
MODEL.checkpoint, from which `--resume` continues, and also in MODEL if no such file existed; an older MODEL is
unchanged. With `--checkpoint-seconds none`, there is no checkpoint, and MODEL is replaced. Nothing is saved before the
first step, nor with `--model ngram` or `--model detector`. `crnn demo` replaces its file.
"""


def is_method(cls: type, name: str) -> bool:
    """Return whether a class's member is a method: attributes are described in the docstring of the class."""
    return inspect.isroutine(getattr(cls, name))


def load(path: str) -> Any:
    """Return the object with this full name."""
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


def common_methods() -> list[str]:
    """Return the names of the methods that all models inherit from `LanguageModel`, with one docstring."""
    inherited = load("crnn.language_model.LanguageModel")
    classes = [load(path) for path in MODELS]
    public = [name for name in dir(inherited) if "_" not in (name[0], name[-1]) and is_method(inherited, name)]
    return [name for name in public if all(getattr(cls, name) is getattr(inherited, name) for cls in classes)]


def methods(cls: type) -> Iterator[tuple[str, list[str]]]:
    """Yield the groups of a class's methods; those in no group come first, without a heading.

    The methods of every model stand on a page of their own.
    """
    public = [name for name in dir(cls) if "_" not in (name[0], name[-1]) and is_method(cls, name)]
    # Python documents the methods of every sequence.
    public = [name for name in public if getattr(cls, name) is not getattr(Sequence, name, None)]
    common = common_methods()
    if cls in map(load, MODELS):
        public = [name for name in public if name not in common]
    elif cls is load("crnn.language_model.LanguageModel"):
        public = common
    grouped = " ".join(MEMBERS.values()).split()
    for title, names in {"": " ".join(n for n in public if n not in grouped), **MEMBERS}.items():
        if found := [name for name in names.split() if name in public]:
            yield title, found


def signature(name: str, obj: Any) -> str:
    """Return a signature without types, in a block of Python that is not run."""
    parameters = inspect.signature(obj).parameters.values()
    kept = [p.replace(annotation=p.empty) for p in parameters if p.name not in ("self", "cls")]
    lines = textwrap.wrap(str(inspect.Signature(kept))[1:-1], 100, break_long_words=False, break_on_hyphens=False)
    inside = textwrap.indent("\n".join(["", *lines, ""]), "    ") if len(lines) > 1 else "".join(lines)
    return f"```py\n{name}({inside})\n```\n"


def markdown(text: str) -> str:
    """Return a docstring's prose in Markdown: one kind of backticks, and links to pages."""
    return re.sub(r"``docs/([\w/]+)\.md``", r"[\1](../\1.md)", text).replace("``", "`")


def items(body: str) -> Iterator[str]:
    """Yield a section's entries, `name : type` with a description below, as items of a list."""
    for entry in re.split(r"\n+(?=\S)", body.strip()):
        head, _, description = entry.partition("\n")
        name, is_named, kind = head.partition(" : ")
        told = markdown(" ".join(description.split()))
        if re.match(r"\w+: ", head):  # the heading of a group of parameters
            yield f"\n*{head}*\n"
        else:
            yield f"- **{markdown(name)}**{': ' * bool(is_named)}{markdown(kind)}{'. ' * bool(told)}{told}"


def described_attributes(obj: Any, body: str) -> str:
    """Return the section of a class's attributes, each followed by the later paragraphs of the property's docstring."""
    lines: list[str] = []
    for entry in re.split(r"\n+(?=\S)", body.strip()):
        attribute = getattr(obj, entry.partition(" : ")[0], None)
        lines.append(entry)
        if isinstance(attribute, property):
            _, _, details = (inspect.getdoc(attribute) or "").partition("\n\n")
            lines.append(textwrap.indent(details, "    "))
    return "\n".join(lines)


def documented(obj: Any) -> str:
    """Return an object's docstring in Markdown."""
    summary, *rest = re.split(r"^(\w+)\n-{3,}\n", inspect.getdoc(obj) or "", flags=re.MULTILINE)
    parts = [markdown(summary), ""]
    for title, body in zip(rest[::2], rest[1::2], strict=True):
        if title == "Examples":
            parts.append(f"```pycon\n{body.strip()}\n\n```\n")
        elif title in ("Notes", "References"):
            parts.append(markdown(body))
        elif title == "Attributes":
            parts.append("\n".join([f"**{title}**\n", *items(described_attributes(obj, body)), ""]))
        else:
            parts.append("\n".join([f"**{title}**\n", *items(body), ""]))
    return "\n".join(parts)


def described_methods(cls: type) -> Iterator[str]:
    """Yield the headings, signatures and docstrings of a class's methods."""
    for group, names in methods(cls):
        if group:
            yield f"## {group}\n"
        for name in names:
            method = getattr(cls, name)
            yield f"### {name}\n\n{signature(name, method)}\n{documented(method)}"


def room_of(module: str) -> str:
    """Return the folder of a module of the package, or its own name where it has none."""
    return module.split(".")[min(1, module.count("."))]


def page(title: str, paths: str, sentence: str) -> str:
    """Return a page of the reference."""
    parts = [f"# {title}\n\n{sentence}\n"]
    for path in paths.split():
        module, _, name = path.rpartition(".")
        obj = load(path)
        is_class = isinstance(obj, type) and not issubclass(obj, Exception | tuple)
        parts += [f"## {name}\n"] if " " in paths else []
        if path == "crnn.language_model.LanguageModel":
            parts += list(described_methods(obj))
            continue
        is_error = isinstance(obj, type) and issubclass(obj, Exception)
        parts += [] if is_error or room_of(module) in MADE_BY_MODELS else [signature(name, obj)]
        parts.append(documented(obj))
        if is_class:
            parts += described_methods(obj)
        if path in MODELS:
            listed = ", ".join(f"[`{name}`](methods.md#{name})" for name in common_methods())
            parts.append(f"## Methods of every model\n\n[A page of their own](methods.md) has {listed}.\n")
    return re.sub(r"\n{3,}", "\n\n", "\n".join(parts)).rstrip() + "\n"


def command_help(name: str) -> str:
    """Return a section with the help of a command of `crnn`, or of `crnn` itself."""
    from crnn.cli.main import main

    out, changed = io.StringIO(), {"COLUMNS": "100", "NO_COLOR": "1"}
    with mock.patch.dict(os.environ, changed), contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
        main([*name.split(), "--help-all" if name == "train" else "--help"])
    return f"## {f'crnn {name}'.strip()}\n\n```text\n{out.getvalue().rstrip()}\n```\n"


def pages() -> dict[str, str]:
    """Return every page of the reference by the name of its file."""
    from crnn.cli.main import COMMANDS

    index = [f"| [{title}]({file}.md) | {sentence} |" for file, (title, _, sentence) in PAGES.items()]
    index.append("| [The command line](command_line.md) | Exit codes, and the options of every command of `crnn`. |")
    return {
        "index.md": "\n".join(["# Reference", "", "| page | contents |", "|---|---|", *index, ""]),
        "command_line.md": "\n".join(["# The command line\n", EXIT_CODES, *map(command_help, ("", *COMMANDS))]),
        **{f"{file}.md": page(*content) for file, content in PAGES.items()},
    }


if __name__ == "__main__":
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
