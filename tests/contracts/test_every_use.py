"""Every way to use a model takes a network, counts and a mixture, or says in one sentence why not."""

import pytest
from texts import NAMES, PHRASES

import crnn
from crnn import AnomalyDetector, CharNGram, CharRNN, InvalidInputError, Mixture, TextClassifier, plot
from crnn.cli import main as cli
from crnn.report import write_report


def network(X, y=None):
    return CharRNN(5, max_steps=30, random_state=0).fit(X, y)


def counts(X, y=None):
    return CharNGram(3).fit(X, y)


def mixture(X, y=None):
    return Mixture([CharRNN(5, max_steps=30, random_state=0), CharNGram(3)]).fit(X, y)


def many(model, X):
    """Return the states after several texts."""
    return getattr(model, "start_many", model.start)(X)


def mixture_with_words(X, y=None):
    models = [CharRNN(5, max_steps=30, random_state=0), CharNGram(3)]
    return Mixture(models, words=y is None).fit(X, y)


MODELS = {"network": network, "counts": counts, "mixture": mixture, "mixture with words": mixture_with_words}
USES = {
    "surprisal plot": lambda model, names: plot.surprisal(model, "to be"),
    "probabilities plot": lambda model, names: plot.probabilities(model, "to be"),
    "session": lambda model, names: model.start("to ").feed("be").log_prob,
    "sessions": lambda model, names: many(model, ["to ", "not"]).feed(["be", " to"]).tolist(),
    "guess number": lambda model, names: names.guess_number(["anna"], 50, random_state=0),
    "restore": lambda model, names: names.restore(["AnNa"], case=True),
    "matching": lambda model, names: names.sample(matching="a.*", random_state=0),
    "enumerated": lambda model, names: names.enumerate_documents(2, matching=".*a"),
    "beams": lambda model, names: model.beam_search(3),
    "adapted": lambda model, names: model.adapt("not to be ").score("to be"),
}


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("use", USES)
def test_every_use_takes_every_model(kind, use):
    if "plot" in use:
        pytest.importorskip("matplotlib")
    assert USES[use](MODELS[kind](PHRASES), MODELS[kind](NAMES)) is not None


@pytest.mark.parametrize("kind", MODELS)
def test_every_model_learns_labels(kind):
    model = MODELS[kind](NAMES, ["a", "b"] * 3)
    assert model.labels_.tolist() == ["a", "b"]
    assert isinstance(model.sample(label="a", random_state=0), str)
    assert model.score_samples(["anna"], y="b")[0] < 0
    assert model.for_label("b").score_samples(["anna"]) == pytest.approx(model.score_samples(["anna"], y="b"))


@pytest.mark.parametrize("kind", MODELS)
def test_every_command_takes_every_model(tmp_path, monkeypatch, capsys, kind):
    monkeypatch.chdir(tmp_path)
    MODELS[kind](PHRASES).save("model.crnn")
    (tmp_path / "text.txt").write_text("to be or not to be")
    for command in (
        "info model.crnn", "score model.crnn text.txt", "score model.crnn text.txt --show",
        "sample model.crnn --length 9",
        "restore model.crnn text.txt --case",
    ):  # fmt: skip
        assert cli.main(command.split()) == 0, command
        assert capsys.readouterr().out
    code = cli.main(["report", "model.crnn", "text.txt"])
    said = capsys.readouterr().err
    if kind == "counts":
        assert code == 1
        assert said.startswith("crnn: error: crnn report needs a network, but model.crnn contains a CharNGram.")
    else:
        assert code == 0
        assert ("the report is on the mixture's network" in said) == kind.startswith("mixture")


def test_a_report_on_a_mixture_is_on_its_network(tmp_path):
    model = mixture(PHRASES)
    pages = []
    for number, each in enumerate((model, model.models_[0])):
        write_report(each, tmp_path / f"{number}.html", "to be")
        pages.append((tmp_path / f"{number}.html").read_text(encoding="utf-8"))
    assert pages[0] == pages[1]
    for other in (counts(PHRASES), Mixture.from_fitted([counts(PHRASES)])):
        with pytest.raises(InvalidInputError, match="report needs a network"):
            write_report(other, tmp_path / "never.html")


LABELS = ["a", "b"] * 3
WORDS = [first + second for first in NAMES for second in ("", "na", "no", *NAMES)]
QUIET = {
    "train": lambda path: crnn.train(PHRASES, 0.5, verbose=0, random_state=0),
    "train on lines": lambda path: crnn.train(crnn.Lines(path), 0.5, verbose=0, random_state=0),
    "recommended network": lambda path: CharRNN.recommended(PHRASES, 0.5, verbose=0, random_state=0),
    "recommended bfloat16": lambda path: CharRNN.recommended(PHRASES * 99, 9, verbose=0, matmul_precision="bfloat16"),
    "recommended mixture": lambda path: Mixture.recommended(PHRASES, 0.5, verbose=0, random_state=0),
    "recommended classifier": lambda path: TextClassifier.recommended(NAMES, LABELS, 0.5, verbose=0, random_state=0),
    "network": lambda path: network(PHRASES).partial_fit(PHRASES).sample(9, random_state=0),
    "counts": lambda path: counts(PHRASES).partial_fit(PHRASES).sample(9, random_state=0),
    "mixture": lambda path: mixture(PHRASES).partial_fit(PHRASES).sample(9, random_state=0),
    "classifier": lambda path: TextClassifier(CharNGram(3)).fit(NAMES, LABELS).predict(NAMES),
    "detector": lambda path: AnomalyDetector(contamination=0.2, random_state=0).fit(WORDS).predict([*NAMES, "xyz"]),
    "detector out of fold": lambda path: AnomalyDetector(CharNGram(3), 0.2, random_state=0).fit_predict(WORDS),
    "restore": lambda path: network(NAMES).restore(["AnNa"], case=True, typos=0.01),
    "matching": lambda path: counts(NAMES).sample(matching="a.*", random_state=0),
    "guess number": lambda path: counts(NAMES).guess_number(["anna"], 50, random_state=0),
    "command": lambda path: cli.main(
        ["train", str(path), "-o", f"{path}.crnn", "--time", "0.5", "-q", "--random-state", "0"]
    ),
    "network's command": lambda path: cli.main(
        [
            "train",
            str(path),
            "--lines",
            "-o",
            f"{path}.crnn",
            "--model",
            "network",
            "--time",
            "0.5",
            "--verbose",
            "0",
        ]
    ),
}


@pytest.mark.parametrize("use", QUIET)
def test_quiet_uses_print_nothing(tmp_path, capfd, use):
    path = tmp_path / "text.txt"
    path.write_text("\n".join(NAMES * 20))
    QUIET[use](path)
    assert capfd.readouterr() == ("", "")
