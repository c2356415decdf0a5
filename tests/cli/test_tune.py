"""``crnn tune``: a search that ends with a model and a table, and continues where it stopped."""

from __future__ import annotations

import itertools
import re
import signal
import sys
import time
from types import SimpleNamespace

import pytest
from command_line import error, usage_error

from crnn import CharRNN
from crnn.cli import main as cli
from crnn.cli import tune

optuna = pytest.importorskip("optuna")

TEXT = "to be or not to be, that is the question. " * 30


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.txt").write_text(TEXT)
    (tmp_path / "names.txt").write_text("anna\nbob\nnana\n" * 20)

    def few(trial):
        return {name: trial.suggest_int(name, 3, 9) for name in ("hidden_size", "batch_size", "seq_length")}

    monkeypatch.setattr(tune, "_parameters", few)
    return tmp_path


def table(capsys):
    return [line.split("  ")[0] for line in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize("seed", ["none", "-1", "0.5", str(2**31), "x"])
def test_a_seed_that_is_refused(folder, capsys, seed):
    assert "argument --seed: seed must be " in usage_error(capsys, "tune", "text.txt", "-o", "m", "--seed", seed)


def test_a_search_ends_with_the_best_model_and_continues(folder, capsys):
    words = ["tune", "text.txt", "-o", "best.crnn", "--time", "1.5s"]
    assert cli.main([*words, "--trials", "3"]) == 0
    out, err = capsys.readouterr()
    first = [line.split("  ")[0] for line in out.splitlines()]
    assert first[0] == "bits"
    assert len(first) == 4
    assert first[1:] == sorted(first[1:])
    model = CharRNN.load("best.crnn")
    losses = [record["validation_loss"] for record in model.history_ if record["validation_loss"] is not None]
    assert f"{min(losses) / 0.6931471805599453:.4f}" == first[1]
    assert (model.callbacks, model.max_seconds, model.validation_fraction) == (None, 0.5, 0.1)
    told = [re.fullmatch(r"crnn: trial (\d) of 3: (\S+) bits per symbol, best (\S+)", x) for x in err.splitlines()]
    assert [int(line[1]) for line in told] == [1, 2, 3]
    assert sorted(line[2] for line in told) == first[1:]
    assert [line[3] for line in told] == list(itertools.accumulate((line[2] for line in told), min))
    assert cli.main([*words, "--trials", "5"]) == 0
    again = table(capsys)
    assert len(again) == 6
    assert set(first) <= set(again)
    assert CharRNN.load("best.crnn").max_seconds == 0.5  # as for the first trials
    assert cli.main([*words, "--trials", "5"]) == 0  # nothing is left to do
    assert table(capsys) == again


def test_columns_of_the_table_begin_below_each_other():
    trials = [SimpleNamespace(state=SimpleNamespace(name="COMPLETE"), value=v, params={"cell": "gru", "hidden_size": h})
              for v, h in ((2.5, 64), (12.25, 512))]  # fmt: skip
    header, *rows = tune._table(SimpleNamespace(trials=trials)).splitlines()
    assert [row.index("gru") for row in rows] == [header.index("cell")] * 2
    assert [row.split()[0] for row in rows] == ["2.5000", "12.2500"]


def test_documents_and_a_validation_file(folder, capsys):
    words = ["names.txt", "-o", "best.crnn", "--time", "0.3s", "--trials", "1", "--lines", "--validation", "names.txt"]
    assert cli.main(["tune", *words]) == 0
    model = CharRNN.load("best.crnn")
    assert model.vocabulary_.boundary is not None
    assert model.validation_fraction == 0.0
    capsys.readouterr()
    assert "text.txt" in error(capsys, "tune", *words[:2], "new.crnn", *words[3:-1], "text.txt")


def test_bytes_of_a_model_that_is_better(folder, capsys):
    words = ["tune", "text.txt", "-o", "best.crnn", "--time", "0.2s", "--bytes", "--trials"]
    assert cli.main([*words, "1"]) == 0
    assert CharRNN.load("best.crnn").vocabulary_.kind == "bytes"
    before = (folder / "best.crnn").read_bytes()
    (folder / "best.crnn").unlink()
    assert cli.main([*words, "2"]) == 0
    assert (folder / "best.crnn").read_bytes() != before  # a model that is missing is replaced by any other


def tried(capsys, output, trials, *options):
    """Return the parameters of all trials of a search, which has a tenth of a second for each."""
    time = f"{trials / 10}s"
    assert cli.main(["tune", "text.txt", "-o", output, "--time", time, "--trials", str(trials), *options]) == 0
    return sorted(tuple(line.split()[-3:]) for line in capsys.readouterr().out.splitlines()[1:])


def test_the_seed_chooses_the_trials_and_no_call_repeats_them(folder, capsys):
    first = tried(capsys, "a.crnn", 3)
    assert tried(capsys, "b.crnn", 3) == first
    assert tried(capsys, "c.crnn", 3, "--seed", "5") != first
    every = tried(capsys, "a.crnn", 6)
    assert set(first) < set(every)
    assert len(set(every)) > 3


def test_a_trial_that_is_given_up_comes_last(folder, capsys, monkeypatch):
    class First(optuna.pruners.BasePruner):
        def prune(self, study, trial):
            return trial.number == 0

    monkeypatch.setattr(optuna.pruners, "MedianPruner", lambda **_: First())
    assert cli.main(["tune", "text.txt", "-o", "best.crnn", "--time", "0.4s", "--trials", "2"]) == 0
    out, err = capsys.readouterr()
    bits = [re.split(" {2,}", line)[0] for line in out.splitlines()]
    assert [bits[0], bits[2:]] == ["bits", ["given up"]]
    assert err == f"crnn: trial 2 of 2: {bits[1]} bits per symbol, best {bits[1]}\n"


def test_a_trial_that_diverges_is_given_up(folder, capsys, monkeypatch):
    def hopeless(trial):
        return {"learning_rate": trial.suggest_float("learning_rate", 1e300, 1e300)}

    monkeypatch.setattr(tune, "_parameters", hopeless)
    assert cli.main(["tune", "text.txt", "-o", "best.crnn", "--time", "9s", "--trials", "1"]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[1].startswith("given up ")
    assert "1e+300" in out
    assert err == ""
    assert not (folder / "best.crnn").exists()


def test_an_interrupted_search_continues(folder, capsys, monkeypatch):
    words = ["tune", "text.txt", "-o", "best.crnn", "--time", "0.4s", "--trials", "2"]
    with monkeypatch.context() as patch:
        patch.setattr(CharRNN, "fit", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        assert cli.main(words) == 130
    assert table(capsys) == ["bits"]
    assert cli.main(words) == 0
    assert len(table(capsys)) == 3


@pytest.mark.parametrize("write", [1, 2, 5, 7])
def test_ctrl_c_while_a_trial_is_recorded_leaves_no_lock(folder, capsys, monkeypatch, write):
    words = ["tune", "text.txt", "-o", "best.crnn", "--time", "0.2s", "--trials", "1"]
    with monkeypatch.context() as patch:
        for kind in ("JournalFileOpenLock", "JournalFileSymlinkLock"):
            of_class, writes = getattr(optuna.storages.journal, kind), itertools.count(1)

            def release(lock, release=of_class.release, writes=writes):
                if next(writes) == write:
                    signal.raise_signal(signal.SIGINT)
                release(lock)

            patch.setattr(of_class, "release", release)
        assert cli.main(words) == 130
    assert not list(folder.glob("*.lock"))
    capsys.readouterr()
    assert cli.main(words) == 0
    assert len(table(capsys)) == 2


def test_the_lock_of_a_killed_search_is_not_held_for_ever(folder, capsys, monkeypatch):
    (folder / "best.crnn.study.lock").touch()
    monkeypatch.setattr(time, "monotonic", (20.0 * n for n in itertools.count()).__next__)  # the lock ages at once
    assert cli.main(["tune", "text.txt", "-o", "best.crnn", "--time", "0.2s", "--trials", "1"]) == 0
    assert len(table(capsys)) == 2


def test_another_text_is_another_search(folder, capsys):
    assert cli.main(["tune", "text.txt", "-o", "best.crnn", "--time", "0.2s", "--trials", "1"]) == 0
    capsys.readouterr()
    assert "is a search for another text" in error(capsys, "tune", "names.txt", "-o", "best.crnn")


@pytest.mark.parametrize(("file", "output"), [("-", "best.crnn"), ("text.txt", "-")])
def test_a_search_needs_files(folder, capsys, file, output):
    assert "needs files" in usage_error(capsys, "tune", file, "-o", output)


@pytest.mark.parametrize(
    ("options", "message"),
    [(["--trials", "0"], "trials must be a whole number of at least 1, not 0"), (["--time", "0s"], "argument --time")],
)
def test_a_search_of_nothing_is_refused(folder, capsys, options, message):
    assert message in usage_error(capsys, "tune", "text.txt", "-o", "best.crnn", *options)


def test_the_output_is_checked_before_the_text_is_read(folder, capsys):
    assert "missing/best.crnn: No such file" in error(capsys, "tune", "missing.txt", "-o", "missing/best.crnn")


def test_what_is_missing_is_named(folder, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    assert 'pip install "crnn[tune]"' in error(capsys, "tune", "text.txt", "-o", "best.crnn")


def test_the_real_space_is_one_of_parameters(monkeypatch):
    study = optuna.create_study()
    trial = study.ask()
    assert set(tune._parameters(trial)) == set(tune.COLUMNS)
    CharRNN(**tune._parameters(trial), **tune.FIXED, max_steps=2).fit(TEXT)
    ranges = {name: (d.low, d.high, d.log) for name, d in trial.distributions.items() if hasattr(d, "low")}
    assert ranges["learning_rate"] == (0.001, 0.02, True)
    assert ranges["hidden_size"] == (32, 512, True)
    assert ranges["seq_length"] == (20, 160, True)
    assert ranges["num_layers"] == (1, 2, False)
    assert ranges["dropout"] == ranges["weight_dropout"] == (0, 0.5, False)
