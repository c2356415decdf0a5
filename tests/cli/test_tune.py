"""``crnn tune``: a search that ends with a model and a table, and continues where it stopped."""

from __future__ import annotations

import itertools
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


def test_a_search_ends_with_the_best_model_and_goes_on(folder, capsys):
    words = ["tune", "text.txt", "-o", "best.crnn", "--time", "1s"]
    assert cli.main([*words, "--trials", "3"]) == 0
    first = table(capsys)
    assert first[0] == "bits"
    assert len(first) == 4
    assert first[1:] == sorted(first[1:])
    model = CharRNN.load("best.crnn")
    losses = [record["validation_loss"] for record in model.history_ if record["validation_loss"] is not None]
    assert f"{min(losses) / 0.6931471805599453:.4f}" == first[1]
    assert model.callbacks is None
    assert cli.main([*words, "--trials", "5"]) == 0
    again = table(capsys)
    assert len(again) == 6
    assert set(first) <= set(again)
    assert cli.main([*words, "--trials", "5"]) == 0  # nothing is left to do
    assert table(capsys) == again


def test_a_seed_repeats_a_search(folder, capsys):
    def tried(name, *seed):
        assert cli.main(["tune", "text.txt", "-o", name, "--time", "0.2s", "--trials", "2", *seed]) == 0
        return sorted(line.split()[1:] for line in capsys.readouterr().out.splitlines()[1:])

    first = tried("first.crnn", "--seed", "5")
    assert tried("again.crnn", "--seed", "5") == first
    assert tried("other.crnn", "--seed", "6") != first


def test_columns_of_the_table_begin_below_each_other():
    trials = [SimpleNamespace(state=SimpleNamespace(name="COMPLETE"), value=v, params={"cell": "gru", "hidden_size": h})
              for v, h in ((2.5, 64), (12.25, 512))]  # fmt: skip
    header, *rows = tune._table(SimpleNamespace(trials=trials)).splitlines()
    assert [row.index("gru") for row in rows] == [header.index("cell")] * 2
    assert [row.split()[0] for row in rows] == ["2.5000", "12.2500"]


def test_documents_and_a_validation_file(folder, capsys):
    words = ["names.txt", "-o", "best.crnn", "--time", "0.3s", "--trials", "1", "--lines", "--validation", "names.txt"]
    assert cli.main(["tune", *words]) == 0
    assert CharRNN.load("best.crnn").vocabulary_.boundary is not None


def test_an_interrupted_search_goes_on(folder, capsys, monkeypatch):
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


def test_a_search_needs_files(folder, capsys):
    assert "needs files" in usage_error(capsys, "tune", "-", "-o", "best.crnn")


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
    assert ranges["dropout"] == ranges["weight_dropout"] == (0, 0.5, False)
