"""Do the contenders of `benchmarks.quality` learn? What they reach in a given time is that command's to say."""

from collections import Counter

import numpy as np
import pytest

from benchmarks import quality
from benchmarks.conftest import needs

ENOUGH = 40_000  # characters, after which every contender knows more than the frequencies of symbols


@pytest.fixture(scope="module")
def text():
    """100 kB of words, the frequent ones short, in no order."""
    rng = np.random.default_rng(0)
    words = ["".join(map(chr, rng.integers(97, 123, 2 + i // 20))) for i in range(200)]
    share = 1 / np.arange(1, 201)
    return " ".join(rng.choice(words, 25_000, p=share / share.sum()))[:100_000]


def unigram_nats(text):
    head, tail = quality.split(text)
    counts = Counter(head)
    return -np.mean([np.log(counts[c] / len(head)) for c in tail])


@pytest.mark.parametrize("contender", [*quality.CONTENDERS.split(","), "crnn-f32", "torch-bf16"])
def test_two_seconds_of_learning(tmp_path, text, contender):
    if why := quality.reason(contender):
        pytest.skip(why)
    (tmp_path / "text").write_text(text, encoding="utf-8")
    # one thread, which a machine that does something else as well slows down least
    found = quality.run(contender, tmp_path / "text", seconds=2, threads=1, seed=0)
    assert found["characters"] > 0
    if found["characters"] > ENOUGH:  # a machine with much else to do reads less in two seconds
        assert found["nats"] < unigram_nats(text)
    (header, _, row, _, described) = quality.table([{"contender": contender, "seconds": 2.0, "seed": 0} | found])
    assert "2 s" in header
    assert f"{found['nats']:.4f}" in row
    assert found["description"] in described


def test_the_tail_is_measured_exactly(monkeypatch):
    """One symbol after another, and in pieces: PyTorch's state is carried through all of them."""
    needs("torch")
    import torch

    from benchmarks.peers import torch_lstm_trainer as trainer

    model = trainer._lstm(trainer.Recipe(5, num_layers=2, dropout=0.5), 3).eval()
    ids = torch.tensor([0, 2, 1, 1, 0, 2, 2, 1, 0, 0, 2, 1, 2, 0, 1])
    with torch.no_grad():
        logits, state, total = model.decoder.bias, None, 0.0
        for i in ids:
            total -= float(logits.log_softmax(0)[i])
            after, state = model(i.view(1, 1), state)
            logits = after[0, 0]
    for piece in (4, 7, 100):
        monkeypatch.setattr(trainer, "PIECE", piece)
        assert trainer._nats(model, ids) == pytest.approx(total / len(ids), rel=1e-5)


def test_the_mixture_of_rows_is_at_least_as_good_as_each():
    rng = np.random.default_rng(0)
    targets = rng.integers(5, size=70)
    rows = [rng.normal(size=(70, 5)) for _ in range(2)]
    for of_model, sharpness in zip(rows, (1.5, 2.5), strict=True):
        of_model[np.arange(70), targets] += sharpness
        of_model -= np.log(np.exp(of_model).sum(1, keepdims=True))
    places = np.arange(70) % 4
    same = [np.concatenate([of_model, of_model]) for of_model in rows]  # the tail is the held-out part
    mixed = quality.mixed_nats(
        [of_model[:70] for of_model in same],
        [of_model[70:] for of_model in same],
        np.concatenate([targets, targets]),
        np.concatenate([places, places]),
    )
    each = [-of_model[np.arange(70), targets].mean() for of_model in rows]
    assert mixed < min(each)


def test_the_gradient_of_the_mixture_of_rows():
    rng = np.random.default_rng(1)
    rows = list(rng.normal(size=(2, 7, 5)))
    targets = rng.integers(5, size=7)
    weights = np.array([0.3, 0.9])
    _, gradient = quality.mean_loss(weights, rows, targets)
    for k in range(2):
        step = np.zeros(2)
        step[k] = 1e-6
        after = quality.mean_loss(weights + step, rows, targets)[0]
        before = quality.mean_loss(weights - step, rows, targets)[0]
        assert gradient[k] == pytest.approx((after - before) / 2e-6, rel=1e-6)


def test_places_in_words():
    assert quality.places_in_words("a bcd_e 1").tolist() == [0, 1, 0, 1, 2, 3, 3, 3, 0]


def test_rows_of_pairs():
    needs("torch")
    import torch

    from benchmarks.peers import torch_lstm_trainer as trainer

    rows = trainer.rows_of_pairs(torch.tensor([0, 1, 0, 1, 2, 0]), 2, 3)
    assert rows.tolist() == [[2, 0, 2], [1, 2, 2], [2, 2, 2], [2, 2, 2]]  # 01 first, then 10


@pytest.mark.parametrize("words", [{"n_pairs": 4}, {"coupled": True}, {"n_pairs": 4, "coupled": True}])
def test_networks_with_pairs_and_coupled_gates_carry_their_state(words):
    needs("torch")
    import torch

    from benchmarks.peers import torch_lstm_trainer as trainer

    ids = torch.tensor([0, 2, 1, 1, 0, 2, 2, 1, 0, 0, 2, 1, 2, 0, 1])
    model = trainer._network(trainer.Recipe(5, **words), ids).eval()
    with torch.no_grad():
        model.pairs.weight.normal_()
        whole, _ = model(ids[:, None], None)
        first, state = model(ids[:4, None], None)
        second, _ = model(ids[4:, None], state)
    assert torch.allclose(torch.cat([first, second]), whole, atol=1e-6)


def test_runs_of_several_seeds_are_one_cell():
    runs = [(15.0, 0, 1.5, 2_000_000), (15.0, 1, 1.75, 3_000_000), (60.0, 0, 1.25, 9_000_000)]
    keys = ("seconds", "seed", "nats", "characters")
    results = [{"contender": "crnn", "description": "d", **dict(zip(keys, run, strict=True))} for run in runs]
    row = list(quality.table(results))[2]
    assert row == "| crnn | 1.6250 1.5000 to 1.7500 (2.50) | 1.2500 (9.00) |"


def test_a_file_is_a_contender(tmp_path, text):
    file = tmp_path / "mine.py"
    file.write_text("def train(text, seconds, threads, seed):\n    return len(text) / seed, threads, f'{seconds} s'\n")
    found = quality.measure(str(file), text, seconds=2, threads=3, seed=5)
    assert found == {"nats": len(text) / 5, "characters": 3, "description": "2 s"}
    assert quality.reason(str(file)) is None


def test_what_cannot_run_is_said():
    assert quality.reason("none.py") == "there is no file none.py"
    assert quality.reason("torch-fast") == "there is no contender 'torch-fast'"
    with pytest.raises(SystemExit, match="holds characters that the rest does not"):
        quality.split("a" * 9 + "b")
