"""Options of ``crnn train`` that a kind of model does not use."""

import pytest
from command_line import error, usage_error

from crnn import CharNGram
from crnn.parameters.settings import PARAMETERS

VALUES = {"--resume": [], "--from": ["model.crnn"], "--time": ["3s"],
          "--checkpoint-seconds": ["5m"], "--checkpoint-every": ["5"], "--cache": ["."],
          "--order": ["3"], "--max-memory": ["1e9"]}  # fmt: skip
LABELS = ("--resume", "--labels", "--validation-labels", "--checkpoint-seconds", "--checkpoint-every")
REFUSED = {
    "ngram": ("--time", "--validation", *(option for option in LABELS if option != "--labels")),
    "detector": ("--validation", "--cache", "--order", "--max-memory", *LABELS),
}


@pytest.mark.parametrize(("kind", "option"), [(kind, option) for kind, found in REFUSED.items() for option in found])
def test_refuses_options_of_other_kinds(folder, capsys, kind, option):
    command = ["train", "text.txt", "-o", "new.crnn", "--model", kind, option, *VALUES.get(option, ["text.txt"])]
    assert usage_error(capsys, *command).endswith(f": error: argument {option}: not allowed with --model {kind}")
    assert not (folder / "new.crnn").exists()


@pytest.mark.parametrize(
    ("kind", "refused"),
    [
        ("ngram", PARAMETERS.keys() - {*CharNGram().get_params()}),
        ("detector", {"max_seconds", "min_count", "n_threads"}),
    ],
)
def test_refuses_parameters_of_networks(folder, capsys, kind, refused):
    for name in refused - {"callbacks", "vocabulary"}:
        default, option = PARAMETERS[name].default, f"--{name.replace('_', '-')}"
        words = [option] if isinstance(default, bool) else [option, "none" if default is None else str(default)]
        message = usage_error(capsys, "train", "text.txt", "-o", "new.crnn", "--model", kind, *words)
        assert message.endswith(f": error: argument {option}: not allowed with --model {kind}"), message


@pytest.mark.parametrize("seconds", ["60s", "none"])
def test_the_usual_checkpoints_are_allowed(folder, capsys, seconds):
    """They are the default, or none: a model of another kind has no checkpoints."""
    command = ["train", "missing.txt", "-o", "new.crnn", "--model", "ngram", "--checkpoint-seconds", seconds]
    assert "missing.txt: No such file" in error(capsys, *command)
    assert "argument --resume: not allowed" in usage_error(capsys, *command, "--resume")
