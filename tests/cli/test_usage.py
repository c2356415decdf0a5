"""Wrong command lines: one line that names the option, exit code 2, and no file."""

from __future__ import annotations

import os

import pytest
from command_line import usage_error

TRAIN = "train text.txt -o new.crnn"
WRONG = [
    ("", "arguments are required"),
    ("dance", "invalid choice: 'dance'"),
    ("sample", "arguments are required"),
    ("score model.crnn", "arguments are required"),
    ("demo -o -", "-o"),
    ("demo --seconds 0", "--seconds"),
    ("demo --seconds soon", "--seconds"),
    ("export model.crnn names.txt", "argument OUT: 'names.txt' must end in .c, .onnx, .html, .js or .arpa"),
    ("export model.crnn a.onnx --float16", "--float16: only for OUT.html"),
    ("export model.crnn a.onnx --int8", "--int8: only for OUT.c, OUT.html and OUT.js"),
    ("export model.crnn a.html --int8 --float16", "not allowed with argument"),
    ("export model.crnn a.c --float16", "--float16: only for OUT.html"),
    ("report - -", "MODEL and FILE cannot both be standard input"),
    ("report - text.txt --labels -", "MODEL and LABELS cannot both be standard input"),
    ("report model.crnn - --labels -", "FILE and LABELS cannot both be standard input"),
    ("report model.crnn --labels labels", "argument --labels: needs FILE"),
    ("report model.crnn text.txt --labels labels --label a", "argument --labels: needs FILE"),
    ("report model.crnn -o -", "name a file, since the report is for a browser"),
    ("sample model.crnn -n -1", "argument -n: n must be"),
    ("sample model.crnn --temperature nan", "argument --temperature: "),
    ("sample model.crnn --seed x", "argument --seed: "),
    ("sample model.crnn --num-samples 0", "argument --num-samples: "),
    ("sample model.crnn --top-k 0", "--top-k: top_k must be a whole number of at least 1"),
    ("sample model.crnn --top-p 2", "--top-p: top_p must be a number from 0 to 1, not 2"),
    ("sample model.crnn --repetition-penalty 0", "--repetition-penalty: repetition_penalty must be a finite number"),
    ("score model.crnn text.txt --learning-rate 1", "--learning-rate needs --adapt"),
    ("score model.crnn text.txt --adapt --lines", "not allowed with"),
    ("score model.crnn text.txt --adapt --block-length 0", "block_length must be a whole number of at least 1"),
    (f"{TRAIN} --hidden-size 0", "--hidden-size: hidden_size must be a whole number of at least 1, not 0"),
    (f"{TRAIN} --batch-size none", "--batch-size"),
    (f"{TRAIN} --dtype float16", "--dtype: dtype must be 'float32' or 'float64', not 'float16'"),
    (f"{TRAIN} --seed -1", "--random-state"),
    (f"{TRAIN} --cell grue", "--cell"),
    (f"{TRAIN} --time soon", "--time: time must be above 0 and have a unit, like 10s, 3m or 1h, not 'soon'"),
    (f"{TRAIN} --time 0s", "--time"),
    (f"{TRAIN} --time 3m --max-seconds 5", "--time and --max-seconds mean the same"),
    (f"{TRAIN} --restore-best maybe", "maybe"),
    (f"{TRAIN} --errors replace", "--errors needs --lines"),
    (f"{TRAIN} --hidden 5", "--hidden"),  # no abbreviations: a later parameter could make them ambiguous
    (f"{TRAIN} --magic 5", "--magic"),
    *((f"{TRAIN} --checkpoint-every={every}", "--checkpoint-every: ") for every in ("soon", "0", "0s", "")),
    (f"{TRAIN} --model ngram --order 0", "order must be a whole number of at least 1, not 0"),
    (f"{TRAIN} --order 3", "argument --order: needs --model ngram"),
    (f"{TRAIN} --max-memory 1e9 --model network", "argument --max-memory: needs --model ngram"),
    (f"{TRAIN} --model grammar", "invalid choice: 'grammar'"),
    (f"{TRAIN} --model mixture", "a mixture needs --time"),
]


@pytest.mark.parametrize(("command", "message"), WRONG, ids=[command for command, _ in WRONG])
def test_wrong_usage_is_told_and_changes_no_file(folder, capsys, command, message):
    files = os.listdir()
    assert message in usage_error(capsys, *command.split())
    assert os.listdir() == files
