"""Does the transformer of `benchmarks.nanogpt` learn, and is every character of the tail measured once?"""

import math
import re

import pytest

from benchmarks import nanogpt
from benchmarks.conftest import needs
from benchmarks.peers import torch_gpt

NETWORK = {"block_size": 7, "batch_size": 11, "n_layer": 2, "n_head": 3, "n_embd": 24}
SMALL = torch_gpt.Recipe(iterations=150, warmup=5, rate=0.01, **NETWORK)
TEXT = "the cat sat on the mat, the dog sat on the log. " * 60


@pytest.fixture(scope="module")
def torch():
    needs("torch")
    return pytest.importorskip("torch")


@pytest.mark.parametrize("stride", [1, 3, 7])
def test_every_target_is_measured_once(stride):
    counted = [s + 7 - i for s, new in torch_gpt.windows(53, 7, stride) for i in range(new)]
    assert sorted(counted) == list(range(1, 53))


def test_a_window_of_all_ids_is_measured_as_cross_entropy(torch):
    model = torch_gpt.network(SMALL, 13).eval()
    ids = torch.arange(8) % 5
    expected = torch.nn.functional.cross_entropy(model(ids[None, :-1])[0], ids[1:]).item()
    for stride in (2, 7):
        assert torch_gpt.nats(model, ids, 7, stride) == pytest.approx(expected, rel=1e-5)


def test_no_symbol_sees_what_follows(torch):
    model = torch_gpt.network(SMALL, 13).eval()
    ids = torch.arange(7) % 5
    changed = ids.clone()
    changed[4] = 12
    before, after = model(ids[None])[0], model(changed[None])[0]
    torch.testing.assert_close(before[:4], after[:4])
    assert not torch.allclose(before[4:], after[4:])


def test_weights_are_those_of_the_recipe(torch):
    recipe = torch_gpt.Recipe()
    C, matrices = recipe.n_embd, 65 + 64 + 4 * 12 * recipe.n_embd
    assert sum(p.numel() for p in torch_gpt.network(recipe, 65).parameters()) == matrices * C + (2 * 4 + 1) * C


def test_rows(torch, tmp_path):
    (tmp_path / "text").write_text(TEXT, encoding="utf-8")
    before = torch.get_num_threads()
    try:
        gpt, crnn, *_ = nanogpt.rows(tmp_path / "text", SMALL, None, threads=1, seed=0)
    finally:
        torch.set_num_threads(before)
    blocks, sliding = map(float, re.findall(r"\d\.\d{4}", gpt))
    assert sliding < blocks < math.log(len(set(TEXT))) / 2
    assert float(re.findall(r"\d\.\d{4}", crnn)[0]) < math.log(len(set(TEXT)))
