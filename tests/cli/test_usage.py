"""Wrong command lines: one line that names the option or the file, an exit code, and no file."""

import shlex

import pytest
from command_line import POSIX, error, feed_standard_input, usage_error
from examples import saved
from texts import PHRASES as TEXT

from crnn import AnomalyDetector, CharNGram, CharRNN, Mixture

SMALL = {"hidden_size": 3, "max_steps": 2, "random_state": 0, "n_threads": 1}
TRAIN = "train text.txt -o new.crnn"
DETECT = "detect detector.crnn text.txt"

# Exit code 2, found while or just after the options are parsed.
WRONG = [
    ("", "arguments are required"),
    ("dance", "invalid choice: 'dance'"),
    ("sample", "arguments are required"),
    ("score model.crnn", "arguments are required"),
    ("demo -o -", "-o"),
    ("demo --seconds 0", "--seconds"),
    ("demo --seconds soon", "--seconds"),
    ("detect --unique", "arguments are required: MODEL, FILE"),
    (f"{DETECT} --unique", "argument --unique: only with --in-place"),
    (f"{DETECT} --contamination 0.1", "argument --contamination: only with --calibrate"),
    (f"{DETECT} --label 7", "argument --label: only with --calibrate"),
    (f"{DETECT} --calibrate b --label 7", "argument --label: MODEL is a detector, which has no labels"),
    (f"{DETECT} --calibrate b --contamination 0.6", "must be a finite number above 0 and at most 0.5"),
    (f"{DETECT} --learn a --calibrate b", "argument --learn: not allowed with argument --calibrate"),
    (f"{DETECT} --learn a --reduce sum", "argument --reduce: only with --calibrate"),
    ("detect - text.txt --learn a < detector.crnn", "argument --learn: MODEL must be a file"),
    ("detect model.crnn a --in-place b", "argument --in-place: not allowed with MODEL"),
    (f"{DETECT} --mask 0.5", "argument --mask: "),
    ("detect --in-place b --learn a", "argument --in-place: not allowed with argument --learn"),
    ("detect --in-place b --label a", "argument --in-place: not allowed with argument --label"),
    ("detect - -", "MODEL and FILE cannot both be standard input"),
    ("export model.crnn names.txt", "argument OUT: 'names.txt' must end in .c, .onnx, .html, .js or .arpa"),
    ("export model.crnn a.onnx --float16", "--float16: only for OUT.html"),
    ("export model.crnn a.onnx --int8", "--int8: only for OUT.c, OUT.html and OUT.js"),
    ("export model.crnn a.html --int8 --float16", "not allowed with argument"),
    ("export model.crnn a.c --float16", "--float16: only for OUT.html"),
    ("info", "one of MODEL, --build and --check"),
    ("info model.crnn --build", "one of MODEL, --build and --check"),
    ("info --check a.json model.crnn", "one of MODEL, --build and --check"),
    ("report - -", "MODEL and FILE cannot both be standard input"),
    ("report - text.txt --labels -", "MODEL and LABELS cannot both be standard input"),
    ("report model.crnn - --labels -", "FILE and LABELS cannot both be standard input"),
    ("report model.crnn --labels labels", "argument --labels: needs FILE"),
    ("report model.crnn text.txt --labels labels --label a", "argument --labels: needs FILE"),
    ("report model.crnn -o -", "name a file, since the report is for a browser"),
    ("restore - - --case", "MODEL and FILE cannot both be standard input"),
    ("restore model.crnn text.txt", "give at least one kind of damage"),
    ("restore model.crnn text.txt --typos 2", "the rate must be"),
    ("restore model.crnn a b --case", "several files need --output-folder"),
    ("restore model.crnn text.txt --ocr --output-folder .", "would overwrite"),
    ("restore model.crnn a/text.txt b/text.txt --ocr --output-folder c", "would overwrite"),
    ("sample - --exclude -", "MODEL and --exclude cannot both be standard input"),
    ("sample model.crnn --length -1", "argument --length: length must be"),
    ("sample model.crnn --temperature nan", "argument --temperature: "),
    ("sample model.crnn --random-state x", "argument --random-state: "),
    ("sample model.crnn --n-samples 0", "argument --n-samples: "),
    ("sample model.crnn --top-k 0", "--top-k: top_k must be a whole number of at least 1"),
    ("sample model.crnn --top-p 2", "--top-p: top_p must be a number from 0 to 1, not 2"),
    ("sample model.crnn --repetition-penalty 0", "--repetition-penalty: repetition_penalty must be a finite number"),
    ("score - -", "MODEL and FILE cannot both be standard input"),
    ("score model.crnn text.txt --learning-rate 1", "--learning-rate needs --adapt"),
    ("score model.crnn text.txt --adapt --lines", "not allowed with"),
    ("score model.crnn text.txt --fast --lines", "not allowed with"),
    ("score model.crnn text.txt --adapt --block-length 0", "block_length must be a whole number of at least 1"),
    ("score model.crnn text.txt --lines --show", "argument --show: not allowed with --lines"),
    ("score model.crnn text.txt --bits", "need --lines"),
    ("score model.crnn text.txt --reduce mean", "need --lines"),
    ("score model.crnn text.txt --errors skip", "need --lines"),
    ("train text.txt", "-o/--output"),
    ("train text.txt - -o new.crnn", "standard input cannot be one of several files"),
    ("train - -o new.crnn --validation -", "FILE and --validation cannot both be standard input"),
    ("train - -o new.crnn --from -", "FILE and --from cannot both be standard input"),
    (f"{TRAIN} --from - --validation -", "--validation and --from cannot both be standard input"),
    ("train - -o new.crnn --from - --validation -", "FILE and --validation cannot both be standard input"),
    ("train text.txt -o ../files/text.txt", "FILE is the same file, and the model would replace the text"),
    ("train model.crnn text.txt -o text.txt", "FILE is the same file, and the model would replace the text"),
    ("train text.txt --validation é.txt -o é.txt", "the FILE of --validation is the same file, and the model would"),
    ("train - --validation é.txt -o é.txt --from model.crnn", "the FILE of --validation is the same file"),
    ("train old.checkpoint -o old", "the checkpoint old.checkpoint would replace old.checkpoint"),
    ("train text.txt -o old --from old.checkpoint", "the checkpoint old.checkpoint would replace old.checkpoint"),
    ("train text.txt -o old --validation old.checkpoint", "the checkpoint old.checkpoint would replace"),
    (f"{TRAIN} --hidden-size 0", "--hidden-size: hidden_size must be a whole number of at least 1, not 0"),
    (f"{TRAIN} --batch-size none", "--batch-size"),
    (f"{TRAIN} --dtype float16", "--dtype: dtype must be 'float32' or 'float64', not 'float16'"),
    (f"{TRAIN} --random-state -1", "--random-state"),
    (f"{TRAIN} --cell grue", "--cell"),
    (
        f"{TRAIN} --time soon",
        "--time: a time must be above 0, in seconds or with a unit, like 10s, 3m or 1h, not 'soon'",
    ),
    (f"{TRAIN} --time 0s", "--time"),
    (f"{TRAIN} --time 3m --max-seconds 5", "--time and --max-seconds mean the same"),
    (f"{TRAIN} --restore-best maybe", "maybe"),
    (f"{TRAIN} --errors replace", "--errors needs --lines"),
    (f"{TRAIN} --hidden 5", "--hidden"),  # no abbreviations: a later parameter could make them ambiguous
    (f"{TRAIN} --magic 5", "--magic"),
    *((f"{TRAIN} --checkpoint-seconds={time}", "--checkpoint-seconds: ") for time in ("soon", "0", "0s", "")),
    *((f"{TRAIN} --checkpoint-every={steps}", "--checkpoint-every: ") for steps in ("soon", "0", "1.5", "5s")),
    (f"{TRAIN} --checkpoint-every=5 --checkpoint-seconds=5s", "--checkpoint-every: not allowed with argument --check"),
    (f"{TRAIN} --checkpoint-seconds none --resume", "argument --resume: there is no checkpoint for this -o/--output"),
    ("train text.txt -o - --resume", "argument --resume: there is no checkpoint for this -o/--output"),
    (f"{TRAIN} --model ngram --order 0", "order must be a whole number of at least 1, not 0"),
    (f"{TRAIN} --order 3 --epochs 2", "argument --order: needs --model ngram"),
    (f"{TRAIN} --max-memory 1e9 --model network", "argument --max-memory: not allowed with --model network"),
    (f"{TRAIN} --reduce sum", "argument --reduce: needs --model detector"),
    (f"{TRAIN} --model grammar", "invalid choice: 'grammar'"),
]

# Exit code 1, found while models and texts are read.
FAILING = [
    (DETECT.replace("detector", "no"), "no.crnn: No such file"),
    (DETECT.replace("detector", "model"), "model.crnn contains a model but no detector. Add --calibrate CLEAN"),
    ("detect model.crnn text.txt --calibrate empty.txt", "crnn: error: empty.txt is empty. "),
    ("detect labeled.crnn a --calibrate b", "labeled.crnn was fitted with labels. Add --label 1"),
    ("detect --in-place same.txt", "same.txt needs at least 2 different texts"),
    ("export model.crnn nowhere/names.c", "nowhere/names.c: No such file"),
    ("export missing.crnn nowhere/names.c", "nowhere/names.c: No such file"),  # before the model is read
    ("export model.crnn a.arpa", "OUT.arpa needs a CharNGram, but model.crnn contains a CharRNN. Train one"),
    ("export network_detector.crnn a.arpa", "contains a detector whose model is a CharRNN. Train one"),
    ("export counts.crnn a.onnx", "crnn export needs a network, but counts.crnn contains a CharNGram. Train a"),
    ("export mixture.crnn a.onnx", "crnn export needs a network, but mixture.crnn contains a Mixture. Save one"),
    ("export detector.crnn a.onnx", "but detector.crnn contains a detector whose model is a CharNGram. Train a"),
    ("export - a.onnx < detector.crnn", "but - contains a detector whose model is a CharNGram. Train a"),
    ("export labeled.crnn a.c", "needs a label, because the model was fitted with labels. Add --label 1."),
    ("info missing.crnn", "missing.crnn: No such file or directory"),
    ("info text.txt", "model file 'text.txt'"),
    ("report counts.crnn", "crnn report needs a network, but counts.crnn contains a CharNGram"),
    ("report model.crnn é.txt", "'é'"),
    ("report missing.crnn -o nowhere/page.html", "nowhere/page.html: No such file"),
    ("report model.crnn text.txt --labels text.txt", "it contains a CharRNN; load it with CharRNN.load"),
    ("restore counts.crnn odd.txt --case", "line 1 of odd.txt is not UTF-8. Convert the lines, or train a model"),
    ("restore counts.crnn text.txt --case --prime Z", "contains 'Z'"),
    ("sample missing.crnn", "missing.crnn: No such file or directory"),
    ("sample counts.crnn --label French", "fitted without labels"),
    ("sample labeled.crnn --label 3", "label must be one of 1, 2, not '3'"),
    ("sample model.crnn --forbid ' ,benort'", "logit_bias forbids all 8 symbols"),
    ("sample model.crnn --stop ''", "stop[0] is empty"),
    ("sample model.crnn --matching 'a('", "position 1"),
    ("score text.txt text.txt", "model file 'text.txt'"),
    ("score model.crnn --lines missing.txt", "missing.txt: No such file"),
    ("score labeled.crnn text.txt --lines", "needs a label, because the model was fitted with labels. Add --label 1."),
    ("score model.crnn text.txt --adapt --learning-rate 1e38", "Lower the learning_rate of adapt"),
    ("score counts.crnn text.txt --adapt --decay 0", "but must be True or False for a CharNGram"),
    ("train missing.txt -o new.crnn", "crnn: error: missing.txt: "),
    ("train . -o new.crnn", "crnn: error: .: "),
    ("train empty.txt -o new.crnn", "empty.txt is too short: its length is 0"),
    ("train - -o new.crnn < empty.txt", "standard input is too short: its length is 0"),
    ("train one.txt -o new.crnn", "one.txt is too short: its length is 1, but at least 2"),
    ("train odd.txt -q -o new.crnn", "odd.txt is not UTF-8: 'utf-8' codec can't decode byte 0xff in position 36"),
    ("train - -o new.crnn < odd.txt", "standard input is not UTF-8: 'utf-8' codec can't decode byte 0xff in position"),
    ("train missing.txt -o nowhere/new.crnn", "crnn: error: nowhere/new.crnn: "),  # before the text is read
    ("train missing.txt -o .", "crnn: error: .: "),
    # A name may have 255 characters, but its checkpoint's name would have more.
    pytest.param(f"train missing.txt -o {250 * 'n'}", f"{250 * 'n'}.checkpoint: ", marks=POSIX),
    (f"{TRAIN} --validation missing.txt", "missing.txt: No such file"),
    (f"{TRAIN} -q --validation é.txt", "é.txt contains 'é' (U+00E9) at position 4"),
    (f"{TRAIN} -q --cache nowhere", "nowhere"),
    (f"{TRAIN} --resume", "new.crnn.checkpoint does not exist, nor does new.crnn. Omit --resume to start training."),
    ("train text.txt -o model.crnn --resume", "Use --from model.crnn instead of --resume"),
    ("train text.txt -o old", "old.checkpoint is a model, but a checkpoint would replace it"),
    (f"{TRAIN} -q --checkpoint-seconds none --learning-rate 1e300", "nothing to save"),
    (f"{TRAIN} --from text.txt", "model file 'text.txt'"),
    (f"{TRAIN} --from counts.crnn --model network", "counts.crnn contains a CharNGram. Omit --model network"),
    (f"{TRAIN} --from model.crnn --model ngram", "model.crnn contains a CharRNN. Omit --model ngram"),
    (f"{TRAIN} --from mixture.crnn --model ngram", "mixture.crnn contains a Mixture. Omit --model ngram"),
    (f"{TRAIN} --from detector.crnn", "detector.crnn contains a detector, whose threshold would be lost. Train it in"),
    (f"{TRAIN} --from - < detector.crnn", "- contains a detector, whose threshold would be lost. Train it in Python"),
    (f"{TRAIN} --from counts.crnn --order 5", "order is 5, but the fitted model has order 4"),
    (f"{TRAIN} -q --model ngram --max-memory 100", "max_memory is 100 bytes, too little for any order"),
    ("train same.txt --model detector -o new.crnn", "same.txt needs at least 2 different texts, but all 9 texts are"),
]


@pytest.fixture(scope="module")
def files(tmp_path_factory, model_file):
    """A folder with models of every kind, and texts that commands refuse."""
    folder = tmp_path_factory.mktemp("module") / "files"
    folder.mkdir()
    network, counts = CharRNN(**SMALL).fit(TEXT), CharNGram(4).fit(TEXT)
    detectors = [AnomalyDetector(model, 0.3).fit([f"job {i}" for i in range(400)]) for model in (CharNGram(2), network)]
    contents = {
        "model.crnn": model_file,
        "old.checkpoint": model_file,
        "counts.crnn": saved(counts),
        "mixture.crnn": saved(Mixture.from_fitted([network, counts])),
        "labeled.crnn": saved(CharRNN(**SMALL).fit(["a", "b"], y=[1, 2])),
        "detector.crnn": saved(detectors[0]),
        "network_detector.crnn": saved(detectors[1]),
        "text.txt": TEXT.encode(),
        "é.txt": "to bé".encode(),
        "empty.txt": b"",
        "one.txt": b"a",
        "same.txt": b"same\n" * 9,
        "odd.txt": b"good" * 9 + b"\xff bad",
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture
def run(files, capsys, monkeypatch):
    """Return a function that runs a command line, which may end in ``< FILE``, and returns the message."""
    monkeypatch.chdir(files)
    contents = {path.name: path.read_bytes() for path in files.iterdir()}

    def made(ending, command):
        words, _, given = command.partition(" < ")
        if given:
            feed_standard_input(monkeypatch, contents[given])
        message = ending(capsys, *shlex.split(words))
        assert {path.name: path.read_bytes() for path in files.iterdir()} == contents
        return message

    return made


@pytest.mark.parametrize(("command", "message"), WRONG)
def test_wrong_usage_is_told_and_changes_no_file(run, command, message):
    assert message in run(usage_error, command)


@pytest.mark.parametrize(("command", "message"), FAILING)
def test_an_error_is_one_line_and_changes_no_file(run, command, message):
    assert message in run(error, command)
