"""The commands ``crnn train --model detector`` and ``crnn detect``: from clean lines to verdicts."""

from __future__ import annotations

import gzip
import re
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from command_line import error, feed_standard_input, rows, usage_error
from source_tree import ROOT, needs_sources

from crnn import AnomalyDetector, CharNGram, CharRNN
from crnn.cli import files as command_files
from crnn.cli import main as cli

TRAIN = ["train", "clean.log.gz", "--model", "detector", "-o", "log.crnn", "--seed", "0", "--contamination", "0.05"]


def lines(n, seed=0):
    rng = np.random.default_rng(seed)
    users = ["anna", "bob", "eve", "olga", "otto"]
    return [f"user {users[rng.integers(5)]} read file {rng.integers(1000)}" for _ in range(n)]


@pytest.fixture
def clean(folder):
    with gzip.open("clean.log.gz", "wt") as file:
        file.write("\n".join(lines(5000)) + "\n")
    return folder


@pytest.fixture
def detector(clean):
    found = AnomalyDetector(contamination=0.05, random_state=0).fit(lines(5000))
    found.save("log.crnn")
    return found


def verdicts(out):
    table = [line.split("\t") for line in out.splitlines()]
    return [float(score) for score, _ in table], [verdict for _, verdict in table]


def test_from_clean_lines_to_verdicts(clean, capsys):
    assert cli.main(TRAIN) == 0
    err = capsys.readouterr().err
    assert "are anomalies" in err
    assert err.splitlines()[-1].startswith("crnn: saved log.crnn: a detector, in ")
    texts = [*lines(20, 1), "user mallory wrote file 7", "user anna read fil", "\N{SNOWMAN}"]
    (clean / "today.log").write_text("\n".join(texts), encoding="utf-8")
    assert cli.main(["detect", "log.crnn", "today.log"]) == 0
    detector = AnomalyDetector.load("log.crnn")
    assert (detector.contamination, detector.random_state, detector.verbose) == (0.05, 0, 0)
    scores, found = verdicts(capsys.readouterr().out)
    assert scores == pytest.approx(detector.score_samples(texts), abs=1e-6)
    assert [verdict == "normal" for verdict in found] == (detector.predict(texts) == 1).tolist()
    assert found[-3:] == ["anomaly"] * 3
    assert found.count("normal") > 15


def test_other_options_of_training(clean, capsys):
    assert cli.main([*TRAIN, "-q", "--reduce", "sum", "--time", "7s"]) == 0
    assert capsys.readouterr().err == ""
    detector = AnomalyDetector.load("log.crnn")
    assert (detector.reduce_, detector.max_seconds) == ("sum", 7.0)
    assert cli.main([*TRAIN, "-q", "--bytes"]) == 0
    assert AnomalyDetector.load("log.crnn").estimator_.vocabulary_.kind == "bytes"


def test_few_lines_warn(folder, capsys):
    (folder / "clean.log").write_text("\n".join({*lines(300)}))
    assert cli.main(["train", "clean.log", "--model", "detector", "-o", "log.crnn", "-q"]) == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert re.match(r"crnn: warning: no alarm is likely if .* contamination=0\.001 .*contamination = 2,000 .*Fit", line)


def test_calibrate_a_model_of_any_kind(clean, capsys):
    CharNGram(4, min_count=2).fit(lines(3000, 2)).save("counts.crnn")
    (clean / "today.log").write_text("user bob read file 7\nuser bob\n")
    options = ["--calibrate", "clean.log.gz", "--contamination", "0.01", "--reduce", "mean"]
    assert cli.main(["detect", "counts.crnn", "today.log", *options]) == 0
    expected = AnomalyDetector(CharNGram.load("counts.crnn"), 0.01, "mean").calibrate(lines(5000))
    scores, found = verdicts(capsys.readouterr().out)
    assert scores == pytest.approx(expected.score_samples(["user bob read file 7", "user bob"]), abs=1e-6)
    assert found == ["normal", "anomaly"]


def test_calibrate_a_detector_as_it_was_set(clean, capsys, monkeypatch):
    """Only the given options differ from the detector's own parameters, from a file or from standard input."""
    model = CharNGram(4, min_count=2).fit(lines(3000, 2))
    own = AnomalyDetector(model, 0.3, "mean").calibrate(lines(500, 3))
    own.save("own.crnn")
    texts = lines(40, 4)
    (clean / "today.log").write_text("\n".join(texts))
    for options, given in (([], {}), (["--reduce", "sum"], {"reduce": "sum"})):
        expected = own.set_params(**given).calibrate(lines(5000))
        for source in ("own.crnn", "-"):
            feed_standard_input(monkeypatch, (clean / "own.crnn").read_bytes())
            assert cli.main(["detect", source, "today.log", "--calibrate", "clean.log.gz", *options]) == 0
            scores, found = verdicts(capsys.readouterr().out)
            assert scores == pytest.approx(expected.score_samples(texts), abs=1e-6)
            assert [verdict == "normal" for verdict in found] == (expected.predict(texts) == 1).tolist()
            assert 0 < found.count("anomaly") < 30


def test_calibrate_a_model_with_labels_for_one_of_them(clean, capsys):
    texts = [*lines(99), *(line.upper() for line in lines(99))]
    model = CharRNN(hidden_size=7, max_steps=3, random_state=0).fit(texts, labels=[5] * 99 + [7] * 99)
    model.save("labeled.crnn")
    (clean / "today.log").write_text("user bob\nUSER BOB\n")
    command = ["detect", "labeled.crnn", "today.log", "--calibrate", "clean.log.gz", "--contamination", "0.01"]
    assert cli.main([*command, "--label", "7"]) == 0
    expected = AnomalyDetector(model.for_label(7), 0.01).calibrate(lines(5000))
    scores, _ = verdicts(capsys.readouterr().out)
    assert scores == pytest.approx(expected.score_samples(["user bob", "USER BOB"]), abs=1e-6)
    assert error(capsys, *command).startswith("crnn: error: labeled.crnn was fitted with labels. Add --label 5")
    assert "argument --label: only with --calibrate" in usage_error(capsys, *command[:3], "--label", "7")
    expected.save("seven.crnn")
    refused = usage_error(capsys, "detect", "seven.crnn", *command[2:], "--label", "7")
    assert "argument --label: MODEL is a detector, which has no labels" in refused


def test_refuses_bytes_that_are_not_text(detector, capsys):
    content = "\n".join(lines(3)).encode() + b"\nuser \xff read file 7\nuser bob"
    with gzip.open("today.log.gz", "wb") as file:
        file.write(content)
    assert cli.main(["detect", "log.crnn", "today.log.gz"]) == 0
    scores, found = verdicts(capsys.readouterr().out)
    assert len(scores) == 5
    assert found[3] == "anomaly"
    assert cli.main(["detect", "log.crnn", "today.log.gz", "--errors", "skip"]) == 0
    scores, found = verdicts(capsys.readouterr().out)
    assert np.isnan(scores[3])
    assert found[3] == "anomaly"
    assert cli.main(["detect", "log.crnn", "today.log.gz", "--errors", "strict"]) == 1
    captured = capsys.readouterr()
    assert len(captured.out.splitlines()) == 3  # what was finished is written
    assert "line 4 is not UTF-8" in captured.err


def test_detect_reads_standard_input(detector, monkeypatch, capsys):
    feed_standard_input(monkeypatch, "\n".join(lines(4)).encode())
    assert cli.main(["detect", "log.crnn", "-"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 4
    assert "cannot both be standard input" in usage_error(capsys, "detect", "-", "-")


def test_memory_does_not_grow_with_the_text(detector, monkeypatch, capsysbinary):
    monkeypatch.setattr(command_files, "LINES_SIZE", 1 << 12)
    peaks = []
    for n in (2000, 8000):
        with open("many.log", "w") as file:
            file.write("\n".join(f"user {i} read" for i in range(n)))
        tracemalloc.start()
        assert cli.main(["detect", "log.crnn", "many.log"]) == 0
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        capsysbinary.readouterr()
    assert peaks[1] < 2 * peaks[0]


def test_info_names_the_threshold(detector, capsys):
    assert cli.main(["info", "log.crnn"]) == 0
    table = rows(capsys.readouterr().out)
    assert table["detector"].startswith(f"scores (min) below {detector.offset_:.4f} are anomalies, 0.0")
    assert table["architecture"].startswith("n-grams of up to 12")
    assert "resumable" not in table
    AnomalyDetector(CharRNN.load("model.crnn"), 0.3).calibrate(["to be"] * 60).save("network.crnn")
    assert cli.main(["info", "network.crnn"]) == 0
    table = rows(capsys.readouterr().out)
    assert table["detector"].startswith("scores (scaled) below ")
    assert "resumable" not in table
    assert cli.main(["info", "model.crnn"]) == 0
    assert "detector" not in rows(capsys.readouterr().out)


def test_training_does_not_replace_a_detector_by_its_model(detector, capsys, monkeypatch):
    content = Path("log.crnn").read_bytes()
    for origin in ("log.crnn", "-"):
        feed_standard_input(monkeypatch, content)
        refused = error(capsys, "train", "text.txt", "--from", origin, "-o", "log.crnn")
        assert f"{origin} contains a detector, whose threshold would be lost" in refused
        assert "detector.estimator_.partial_fit(lines), then detector.calibrate(other_lines)" in refused
    assert Path("log.crnn").read_bytes() == content


def test_learning_lines_before_judging(detector, clean, capsys):
    more = [line[::-1] for line in lines(1000, 2)]
    (clean / "more.log").write_text("\n".join(more), encoding="utf-8")
    assert cli.main(["detect", "log.crnn", "more.log"]) == 0
    assert verdicts(capsys.readouterr().out)[1].count("anomaly") > 500
    assert cli.main(["detect", "log.crnn", "more.log", "--learn", "more.log"]) == 0
    assert verdicts(capsys.readouterr().out)[1].count("anomaly") < 150
    assert AnomalyDetector.load("log.crnn").offset_ == detector.partial_fit(more).offset_
    for other in (["--learn", "a", "--calibrate", "b"], ["--learn", "more.log", "--contamination", "0.1"]):
        assert "argument --" in usage_error(capsys, "detect", "log.crnn", "more.log", *other)


def test_anomalies_are_found_in_place(clean, capsys):
    texts = lines(600)
    texts[7], texts[503] = "user mallory wrote", "usre bob"
    content = "\n".join(texts).encode() + b"\nuser \xff\n"
    with gzip.open("today.log.gz", "wb") as file:
        file.write(content)
    assert cli.main(["detect", "--in-place", "today.log.gz", "--contamination", "0.02", "--errors", "skip"]) == 0
    scores, found = verdicts(capsys.readouterr().out)
    detector = AnomalyDetector(contamination=0.02, random_state=0)
    assert [verdict == "anomaly" for verdict in found] == (detector.fit_predict([*texts, None]) == -1).tolist()
    np.testing.assert_allclose(scores, detector.outlier_scores_, atol=1e-6)
    assert {found[7], found[503], found[600]} == {"anomaly"}
    assert found.count("anomaly") == 12 + 1
    Path("repeated.log").write_text("\n".join([*texts, *["usre bob"] * 3]))
    given = ["detect", "--in-place", "repeated.log", "--contamination", "0.02", "--reduce", "sum"]
    for more, expected in (([], ["normal"] * 3), (["--unique"], ["anomaly"] * 3)):
        assert cli.main([*given, *more]) == 0
        assert verdicts(capsys.readouterr().out)[1][-3:] == expected
    for other, name in (
        (["log.crnn", "a"], "MODEL"),
        (["--learn", "a"], "argument --learn"),
        (["--label", "a"], "--lab"),
    ):
        wrong = usage_error(capsys, "detect", "--in-place", "repeated.log", *other)
        assert f"argument --in-place: not allowed with {name}" in wrong.replace("with argument --lab", "with --lab")
    assert "argument --unique: only with --in-place" in usage_error(capsys, "detect", "log.crnn", "a", "--unique")
    assert "arguments are required: MODEL, FILE" in usage_error(capsys, "detect", "--unique")
    Path("one.log").write_text("same\n" * 9)
    assert "one.log needs at least 2 different texts" in error(capsys, "detect", "--in-place", "one.log")


def test_detect_refuses_wrong_arguments(detector, capsys):
    told = error(capsys, "detect", "model.crnn", "clean.log.gz")
    assert told.startswith("crnn: error: model.crnn contains a model but no detector. Add --calibrate CLEAN")
    assert "no.crnn: No such file" in error(capsys, "detect", "no.crnn", "clean.log.gz")
    wrong = usage_error(capsys, "detect", "log.crnn", "clean.log.gz", "--contamination", "0.1")
    assert "argument --contamination: only with --calibrate" in wrong
    wrong = usage_error(capsys, "detect", "log.crnn", "a", "--calibrate", "b", "--contamination", "0.6")
    assert "contamination must be a finite number above 0 and at most 0.5" in wrong
    for option in ("--hidden-size 7", "--order 3", "--labels a", "--checkpoint-every 5m", "--from model.crnn"):
        assert f"argument {option.split()[0]}: not allowed with" in usage_error(capsys, *TRAIN, *option.split())
    wrong = usage_error(capsys, "train", "clean.log.gz", "-o", "m.crnn", "--reduce", "sum")
    assert "argument --reduce: needs --model detector" in wrong
    open("empty.log", "w").close()
    told = error(capsys, "detect", "model.crnn", "clean.log.gz", "--calibrate", "empty.log")
    assert told.startswith("crnn: error: empty.log is empty. ")
    with open("one.log", "w") as file:
        file.write("same\n" * 9)
    told = error(capsys, "train", "one.log", "--model", "detector", "-o", "log.crnn")
    assert "one.log needs at least 2 different texts, but all 9 texts are equal" in told


def test_a_detector_is_saved_elsewhere_if_the_disk_is_full(clean, capsys, monkeypatch):
    save = AnomalyDetector.save

    def full(self, path):
        if path == "log.crnn":
            raise OSError(28, "No space left on device", path)
        save(self, path)

    monkeypatch.setattr(AnomalyDetector, "save", full)
    monkeypatch.setattr("tempfile.tempdir", str(clean))
    told = error(capsys, *TRAIN, "-q")
    where = re.search(r"log\.crnn: No space left on device\. The detector is saved in (.*) instead\.\n$", told)[1]
    assert AnomalyDetector.load(where).contamination == 0.05


def test_an_interrupted_training_saves_nothing(clean, capsys, monkeypatch):
    def interrupt(self, X, y=None):
        raise KeyboardInterrupt

    monkeypatch.setattr(AnomalyDetector, "fit", interrupt)
    assert cli.main(TRAIN) == 130
    assert "nothing to save yet" in capsys.readouterr().err
    assert not (clean / "log.crnn").exists()


@needs_sources
def test_the_recipe_for_domains_finds_generated_names_although_the_list_has_odd_ones(folder, capsys):
    page = (ROOT / "docs" / "anomalies.md").read_text(encoding="utf-8")
    train, detect = re.findall(r"^    crnn (train domains.txt .*|detect domains.crnn \S+)", page, re.MULTILINE)
    rng = np.random.default_rng(3)
    words = re.search(r'words = """(.*?)"""', page, re.DOTALL)[1].split()
    names = rng.permutation([first + second for first in words for second in words])[:4000].tolist()
    odd = ["qx7z", "bbc4u", "hxqk", "mmorpgz", "xn--80ak6aa92e", "zzz", "wx2qv", "kfz24", "xkcd", "tvnz"]
    Path("domains.txt").write_text("\n".join(rng.permutation(names + odd)))
    generated = ["".join(rng.choice(list("abcdefghijklmnopqrstuvwxyz"), 12)) for _ in range(500)]
    Path("queries.txt").write_text("\n".join(generated))
    assert cli.main([*train.split(), "--seed", "1"]) == 0
    assert cli.main(detect.split()) == 0
    assert verdicts(capsys.readouterr().out)[1].count("anomaly") > 480
