"""Large alphabets: the command's tables at a small size."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import equal_time, large_alphabets
from benchmarks.conftest import needs
from benchmarks.peers import available

SMALL = {"hidden_size": 11, "seq_length": 7, "batch_size": 3}


def dictionary(folder: Path) -> Path:
    """A dictionary of 60 words of 60 characters, and a rare one."""
    words = [f"{chr(0x4E00 + i)}{chr(0x4E00 + i * i % 53)} {8 + i} n" for i in range(60)]
    path = folder / "dict.txt"
    path.write_text("\n".join([*words, "rare 7 n"]), encoding="utf-8")
    return path


def settings() -> dict[str, Any]:
    return large_alphabets.TRAINING | SMALL


def test_table(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(large_alphabets, "MODEL", large_alphabets.MODEL | SMALL)
    monkeypatch.setattr(large_alphabets, "EMBEDDING_SIZE", 5)
    monkeypatch.setattr(large_alphabets, "STEPS", 3)
    words_task = large_alphabets.words_task(dictionary(tmp_path))
    assert words_task.name == "60 words, 61 symbols"
    lines = large_alphabets.table([large_alphabets.zipf_task(53), words_task], 1)
    assert lines[2].startswith("| crnn, embedding |")
    assert len(lines) == 2 + 6 + 2 * available("torch")
    monkeypatch.setattr(large_alphabets, "TRAINING", large_alphabets.TRAINING | SMALL)
    monkeypatch.setattr(large_alphabets, "HELD_OUT", 5)
    monkeypatch.setattr(large_alphabets, "SIZES", (None, 7))
    lines = large_alphabets.losses(tmp_path / "dict.txt", 20)
    assert [line.split("|")[1].strip() for line in lines[2:]] == ["None", "7"]
    assert all(0 < float(line.split("|")[3]) < 5 for line in lines[2:])


def test_equal_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    if available("torch"):
        monkeypatch.setattr("benchmarks.peers.torch_embedded_lstm.CUTOFFS", (7, 1000))
    monkeypatch.setattr(equal_time, "EMBEDDINGS", (5, 7))
    monkeypatch.setattr(equal_time, "SPEED_STEPS", 2)
    monkeypatch.setattr(large_alphabets, "HELD_OUT", 5)
    words = large_alphabets.held_out_words(dictionary(tmp_path))
    names = list(equal_time.contenders(words, settings()))
    per_second = {name: 60.0 if "float32" in name else 120.0 for name in names}
    output = tmp_path / "runs.jsonl"
    output.write_text(json.dumps(["speeds", per_second]) + "\n", encoding="utf-8")
    lines = equal_time.table(words, settings(), 0.3, output=output, peers=True)
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]
    assert [row[0] for row in cells] == names
    assert len(names) == 12 + 6 * available("torch")
    steps = {row[0]: int(row[2]) for row in cells}
    factor = equal_time.ceiling(11, 7, len(words.alphabet))
    assert steps["crnn, embedding of 7, bfloat16"] == 36
    assert steps["as a tenth: crnn, embedding of 7, float32"] == round(18 * factor) > 18
    guess = 5.0  # nats: of clusters alike, ln 8 + ln 54 for most; of symbols alike ln 61 = 4.1
    epochs = {row[0]: float(row[3]) for row in cells}
    assert min(epochs.values()) < equal_time.EPOCHS < max(epochs.values())
    for row in cells:
        nats = [float(cell) for cell in row[4:] if cell]
        assert len(nats) == 1 + (epochs[row[0]] >= equal_time.EPOCHS)
        assert 0 < min(nats) <= max(nats) < guess
    known = output.read_text(encoding="utf-8")
    assert equal_time.table(words, settings(), 0.3, output=output, peers=True) == lines
    assert output.read_text(encoding="utf-8") == known


def test_speeds_are_of_all_but_the_ceilings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(equal_time, "EMBEDDINGS", (5, 7))
    monkeypatch.setattr(equal_time, "SPEED_STEPS", 2)
    monkeypatch.setattr(large_alphabets, "HELD_OUT", 5)
    words = large_alphabets.held_out_words(dictionary(tmp_path))
    found = equal_time.contenders(words, settings(), peers=False)
    speeds = equal_time.speeds(found, words, 21)
    assert list(speeds) == [name for name in found if not name.startswith("as a tenth")]
    assert min(speeds.values()) > 0


def test_the_ceiling_is_the_ratio_of_operations() -> None:
    H, E, V = 11, 5, 101
    full, tenth = 4 * H * (H + E) + H * V, 4 * H * (H + E) + H * V / 10
    assert equal_time.ceiling(H, E, V) == pytest.approx(full / tenth)


@pytest.fixture
def torch_learner(tmp_path: Path) -> Any:
    needs("torch")
    from benchmarks.peers.torch_embedded_lstm import Shape, TorchLearner

    text = "\n".join(large_alphabets.words_of(dictionary(tmp_path)))

    def make(**shape: Any) -> tuple[Any, str]:
        options = settings() | {"random_state": 0, "learning_rate": 0.01}
        return TorchLearner(text, "".join(sorted(set(text))), Shape(**shape), options), text

    return make


def test_pytorch_starts_from_a_nearly_uniform_guess_and_scores_as_crnn_does(torch_learner: Any) -> None:
    """`CharRNN` with the weights of PyTorch's network has the same nats, the first symbol's included."""
    from crnn import CharRNN

    learner, text = torch_learner(embedding_size=5)
    order = sorted(learner.ids)
    model = CharRNN(**settings(), embedding_size=5, vocabulary=order, max_steps=0, random_state=0).fit(text)
    state, rows = learner.network.state_dict(), [learner.ids[c] for c in order]
    named = {"embedding": "embedding.weight", "Why": "decoder.weight", "by": "decoder.bias"}
    layer = {"Wxh_l0": "rnn.weight_ih_l0", "Whh_l0": "rnn.weight_hh_l0", "bh_l0": "rnn.bias_ih_l0"}
    with model.editing():
        for ours, theirs in named.items():
            model.params_[ours][:] = state[theirs].numpy()[rows]
        for ours, theirs in layer.items():
            model.params_[ours][:] = state[theirs].numpy()
    assert learner.nats(text) == pytest.approx(-model.score(text), rel=1e-5)
    assert learner.nats(text[:1]) == pytest.approx(-model.score(text[:1]), rel=1e-5)


@pytest.mark.parametrize("bfloat16", [False, True])
@pytest.mark.parametrize("output", ["full", "tied", "adaptive"])
def test_pytorch_learns_with_each_output_layer(
    monkeypatch: pytest.MonkeyPatch, torch_learner: Any, output: str, bfloat16: bool
) -> None:
    monkeypatch.setattr("benchmarks.peers.torch_embedded_lstm.CUTOFFS", (7, 1000))
    learner, text = torch_learner(embedding_size=5, output=output, bfloat16=bfloat16)
    before = learner.nats(text)
    assert before == pytest.approx(4.1, abs=0.4)  # ln 61, a uniform guess, but for the clusters
    learner.train(text, 50)
    assert learner.nats(text) < before - 0.3
