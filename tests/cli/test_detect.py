"""The commands ``crnn train --model detector`` and ``crnn detect``: from clean lines to verdicts."""

import gzip
import json
import re
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from command_line import feed_standard_input, rows
from examples import saved
from source_tree import ROOT, needs_sources

from crnn import AnomalyDetector, CharNGram, CharRNN
from crnn.cli import files as command_files
from crnn.cli import main as cli

TRAIN = [
    "train",
    "clean.log.gz",
    "--model",
    "detector",
    "-o",
    "log.crnn",
    "--random-state",
    "0",
    "--contamination",
    "0.05",
]


def lines(n, seed=0):
    rng = np.random.default_rng(seed)
    users = ["anna", "bob", "eve", "olga", "otto"]
    return [f"user {users[rng.integers(5)]} read file {rng.integers(1000)}" for _ in range(n)]


@pytest.fixture
def clean(folder):
    with gzip.open("clean.log.gz", "wt") as file:
        file.write("\n".join(lines(2000)) + "\n")
    return folder


@pytest.fixture(scope="module")
def detector_file():
    return saved(AnomalyDetector(contamination=0.05, random_state=0).fit(lines(2000)))


@pytest.fixture
def detector(clean, detector_file):
    (clean / "log.crnn").write_bytes(detector_file)
    return AnomalyDetector.load("log.crnn")


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
    assert cli.main([*TRAIN, "-q", "--reduce", "sum", "--time", "7s", "--bytes"]) == 0
    assert capsys.readouterr().err == ""
    detector = AnomalyDetector.load("log.crnn")
    assert (detector.reduce_, detector.max_seconds) == ("sum", 7.0)
    assert detector.estimator_.vocabulary_.kind == "bytes"


def test_few_lines_warn(folder, capsys):
    (folder / "clean.log").write_text("\n".join({*lines(300)}))
    assert cli.main(["train", "clean.log", "--model", "detector", "-o", "log.crnn", "-q"]) == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert re.match(r"crnn: warning: about 1 of \d+ normal texts will be flagged: contamination=0\.\d+, .*Fit", line)


def test_calibrate_a_detector_as_it_was_set(clean, capsys, monkeypatch):
    """Only the given options differ from the detector's own parameters, from a file or from standard input."""
    own = AnomalyDetector(CharNGram(4, min_count=2).fit(lines(900, 2)), 0.3, "mean").calibrate(lines(500, 3))
    own.save("own.crnn")
    texts = lines(40, 4)
    (clean / "today.log").write_text("\n".join(texts))
    for source, options, given in (("own.crnn", [], {}), ("-", ["--reduce", "sum"], {"reduce": "sum"})):
        expected = own.set_params(**given).calibrate(lines(2000))
        feed_standard_input(monkeypatch, (clean / "own.crnn").read_bytes())
        assert cli.main(["detect", source, "today.log", "--calibrate", "clean.log.gz", *options]) == 0
        scores, found = verdicts(capsys.readouterr().out)
        assert scores == pytest.approx(expected.score_samples(texts), abs=1e-6)
        assert [verdict == "normal" for verdict in found] == (expected.predict(texts) == 1).tolist()
        assert 0 < found.count("anomaly") < 30


def test_calibrate_a_model_with_labels_for_one_of_them(clean, capsys):
    texts = [*lines(99), *(line.upper() for line in lines(99))]
    model = CharRNN(hidden_size=7, max_steps=3, random_state=0).fit(texts, y=[5] * 99 + [7] * 99)
    model.save("labeled.crnn")
    (clean / "today.log").write_text("user bob\nUSER BOB\n")
    options = ["--calibrate", "clean.log.gz", "--contamination", "0.01", "--reduce", "mean", "--label", "7"]
    assert cli.main(["detect", "labeled.crnn", "today.log", *options]) == 0
    expected = AnomalyDetector(model.for_label(7), 0.01, "mean").calibrate(lines(2000))
    scores, _ = verdicts(capsys.readouterr().out)
    assert scores == pytest.approx(expected.score_samples(["user bob", "USER BOB"]), abs=1e-6)


def test_bytes_that_are_not_text(detector, monkeypatch, capsys):
    content = "\n".join(lines(3)).encode() + b"\nuser \xff read file 7\nuser bob"
    with gzip.open("today.log.gz", "wb") as file:
        file.write(content)
    for options, skipped in (([], False), (["--errors", "skip"], True)):
        assert cli.main(["detect", "log.crnn", "today.log.gz", *options]) == 0
        scores, found = verdicts(capsys.readouterr().out)
        assert len(scores) == 5
        assert np.isnan(scores[3]) == skipped
        assert found[3] == "anomaly"
    feed_standard_input(monkeypatch, content)
    assert cli.main(["detect", "log.crnn", "-", "--errors", "strict"]) == 1
    captured = capsys.readouterr()
    assert len(captured.out.splitlines()) == 3  # what was finished is written
    assert "line 4 of standard input is not UTF-8" in captured.err


def test_memory_does_not_grow_with_the_text(detector, monkeypatch, capsysbinary):
    monkeypatch.setattr(command_files, "LINES_SIZE", 1 << 12)
    peaks = []
    for n in (1000, 4000):
        Path("many.log").write_text("\n".join(f"user {i} read" for i in range(n)))
        tracemalloc.start()
        assert cli.main(["detect", "log.crnn", "many.log"]) == 0
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        capsysbinary.readouterr()
    assert peaks[1] < 2 * peaks[0]


def test_a_mask_and_objects_for_lines(folder, capsys):
    usual = [f"job {i} of {line} done" for i, line in enumerate(lines(3000))]
    (folder / "clean.log").write_text("\n".join(usual))
    (folder / "today.log").write_text("\n".join([usual[0], usual[0][:-3] + "Xne"]))
    command = ["train", "clean.log", "--model", "detector", "--mask", "digits,hex", "--contamination", "0.01"]
    assert cli.main([*command, "-o", "log.crnn", "-q"]) == 0
    assert AnomalyDetector.load("log.crnn").mask_ == ("digits", "hex")
    assert cli.main(["detect", "log.crnn", "today.log"]) == 0
    scores, found = verdicts(capsys.readouterr().out)
    assert found == ["normal", "anomaly"]
    assert cli.main(["detect", "log.crnn", "today.log", "--json"]) == 0
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert first == {"score": pytest.approx(scores[0], abs=1e-6), "verdict": "normal"}
    assert (second["verdict"], second["place"], second["found"]) == ("anomaly", len(usual[0]) - 3, "X")
    assert second["expected"][0]["character"] == "o"


def test_a_log_in_place_of_a_model_has_a_remedy(folder, capsys):
    Path("clean.log").write_text("to be\n")
    assert cli.main(["detect", "clean.log", "clean.log"]) == 1
    assert capsys.readouterr().err.startswith(
        "crnn: error: clean.log is not a model. Train one with: crnn train clean.log --model detector -o model.crnn"
    )


def test_info_names_the_threshold(detector, capsys):
    AnomalyDetector(CharRNN.load("model.crnn"), 0.3).calibrate(["to be"] * 60).save("network.crnn")
    for path, threshold, architecture in (
        ("log.crnn", f"scores (joint) below {detector.offset_:.4f} are anomalies, 0.0", "n-grams of up to 12"),
        ("network.crnn", "scores (joint) below ", "rnn"),
    ):
        assert cli.main(["info", path]) == 0
        table = rows(capsys.readouterr().out)
        assert table["detector"].startswith(threshold)
        assert table["architecture"].startswith(architecture)
        assert "resumable" not in table


def test_learning_lines_before_judging(detector, clean, capsys):
    more = [line[::-1] for line in lines(1000, 2)]
    (clean / "more.log").write_text("\n".join(more), encoding="utf-8")
    assert cli.main(["detect", "log.crnn", "more.log", "--learn", "more.log"]) == 0
    expected = detector.partial_fit(more)
    assert verdicts(capsys.readouterr().out)[0] == pytest.approx(expected.score_samples(more), abs=1e-6)
    assert AnomalyDetector.load("log.crnn").offset_ == expected.offset_


def test_anomalies_are_found_in_place(folder, capsys):
    texts = [*lines(600), *["usre bob"] * 3]
    with gzip.open("today.log.gz", "wb") as file:
        file.write("\n".join(texts).encode() + b"\nuser \xff\n")
    given = ["detect", "--in-place", "today.log.gz", "--contamination", "0.02", "--errors", "skip", "--reduce", "sum"]
    for more, unique in (([], False), (["--unique"], True)):
        assert cli.main([*given, *more]) == 0
        scores, found = verdicts(capsys.readouterr().out)
        detector = AnomalyDetector(contamination=0.02, reduce="sum", unique=unique, random_state=0)
        normal = detector.fit_predict([*texts, None]) == 1
        assert found == np.where(normal, "normal", "anomaly").tolist()
        np.testing.assert_allclose(scores, detector.outlier_scores_, atol=1e-6)
        assert found[-2:] == ["anomaly" if unique else "normal", "anomaly"]


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
    assert cli.main([*train.split(), "--random-state", "1"]) == 0
    assert cli.main(detect.split()) == 0
    assert verdicts(capsys.readouterr().out)[1].count("anomaly") > 480


def test_a_table_is_judged_in_place(folder, capsys):
    values = ["Ashton", "Oakville", "Millfield"] * 40
    table = ["id,city", *(f"{i},{city}" for i, city in enumerate([*values, "Millfeild"]))]
    (folder / "a.csv").write_text("\n".join(table))
    assert cli.main(["detect", "--in-place", "a.csv", "--contamination", "0.004"]) == 0
    header, cell = capsys.readouterr().out.splitlines()
    assert header == "row,column,value,score,reason"
    assert cell.startswith("120,city,Millfeild,-")
    assert cell.endswith(",\"'millfeild' occurs once, 'millfield' 40 times\"")
    assert cli.main(["detect", "--in-place", "a.csv", "--contamination", "0.004", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["row"] == 120


def test_options_of_lines_are_refused_for_a_table(folder, capsys):
    (folder / "a.csv").write_text("a\nb\n")
    with pytest.raises(SystemExit):
        cli.main(["detect", "--in-place", "a.csv", "--reduce", "sum"])
    assert "--reduce: not allowed with a table" in capsys.readouterr().err
