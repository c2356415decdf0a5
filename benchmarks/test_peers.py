"""The peers compute the same thing: a speed ratio against a wrong program would mean nothing."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks import peers
from benchmarks.cases import weight_shapes
from benchmarks.conftest import needs
from benchmarks.peers.numpy_rnn import NumpyPeer

V, H, T, STEPS = 7, 11, 5, 3
TRAINING = {"learning_rate": 0.1, "clip": 0.05, "initial_accumulator": 0.1}  # a clip that takes effect
Arrays = dict[str, NDArray[np.floating]]


def build(name: str, *args: object, **options: object) -> peers.Peer:
    needs(name)
    return peers.peer_class(name)(*args, **options)  # type: ignore[arg-type]


def weights(rng: np.random.Generator, cell: str = "rnn", num_layers: int = 1) -> Arrays:
    return {k: rng.normal(0, 0.3, shape) for k, shape in weight_shapes(cell, num_layers, H, V).items()}


def chunks(rng: np.random.Generator, batch_size: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    ids = rng.integers(V, size=(STEPS * T + 1, batch_size))
    shape = (STEPS, T, batch_size)
    return ids[:-1].reshape(shape), ids[1:].reshape(shape)


def mean_of_streams(p: Arrays, state: NDArray, inputs: NDArray, targets: NDArray) -> tuple[list, Arrays, NDArray]:
    """Losses, weights and state after some steps: NumPy's peer on each stream, gradients averaged here."""
    memory = {k: np.full_like(v, TRAINING["initial_accumulator"]) for k, v in p.items()}
    losses, state = [], state.copy()
    for x, y in zip(inputs, targets, strict=True):
        streams = [NumpyPeer(p, state=h) for h in state]
        found = [s.loss_and_gradients(x[:, b], y[:, b]) for b, s in enumerate(streams)]
        losses.append(np.mean([loss for loss, _ in found]))
        state = np.concatenate([s.state() for s in streams])
        for k in p:
            d = np.mean([g[k.removesuffix("_l0")] for _, g in found], axis=0).reshape(p[k].shape).clip(-0.05, 0.05)
            memory[k] = memory[k] + d * d
            p = p | {k: p[k] - TRAINING["learning_rate"] * d / np.sqrt(memory[k] + 1e-8)}
    return losses, p, state


CASES = [
    ("numpy", {}, "float64"),
    ("numpy", {"hoisted": True}, "float64"),
    ("numpy", {"hoisted": True}, "float32"),
    ("torch", {}, "float32"),
    ("torch", {}, "float64"),
    ("torch", {"compiled": True}, "float32"),
    ("jax", {}, "float32"),
    ("jax", {}, "float64"),
    ("jax", {"gradient": "autodiff"}, "float32"),
]


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")  # by torch.compile's own code
@pytest.mark.parametrize("batch_size", [1, 3])
@pytest.mark.parametrize(("name", "options", "dtype"), CASES)
def test_training_steps_agree(name: str, options: dict, dtype: str, batch_size: int) -> None:
    if name == "numpy" and batch_size > 1:
        with pytest.raises(ValueError, match="one stream"):
            build(name, weights(np.random.default_rng(0)), batch_size)
        return
    rng = np.random.default_rng(2)
    p, state, (inputs, targets) = weights(rng), rng.normal(0, 0.5, (batch_size, H)), chunks(rng, batch_size)
    losses, after, last_state = mean_of_streams(p, state, inputs, targets)
    peer = build(name, p, batch_size, T, dtype=dtype, state=state, **TRAINING, **options)
    np.testing.assert_allclose(peer.train(inputs, targets), losses, rtol=1e-5)
    np.testing.assert_allclose(peer.state(), last_state, rtol=1e-3, atol=1e-5)
    found = peer.parameters()
    assert found.keys() == p.keys()
    for k in p:
        assert found[k].dtype == dtype
        assert found[k].shape == p[k].shape
        assert np.abs(after[k] - p[k]).max() > 1e-3  # the steps went somewhere
        np.testing.assert_allclose(found[k], after[k], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("num_layers", [1, 2])
@pytest.mark.parametrize("cell", peers.GATES)
def test_stacked_cells_agree(cell: str, num_layers: int) -> None:
    """PyTorch's modules define a cell; three steps and a score then compare JAX's gradients with theirs."""
    rng = np.random.default_rng(6)
    p, state, (inputs, targets) = weights(rng, cell, num_layers), rng.normal(0, 0.5, (3, H)), chunks(rng, 3)
    found = {}
    for name, options in (("torch", {}), ("jax", {"gradient": "autodiff"})):
        peer = build(name, p, 3, T, dtype="float64", state=state, cell=cell, **TRAINING, **options)
        losses = peer.train(inputs, targets)
        found[name] = peer.parameters() | {"losses": losses, "h": peer.state(), "score": peer.forward(inputs[0])}
    assert found["torch"].keys() == found["jax"].keys() == p.keys() | {"losses", "h", "score"}
    for k in found["torch"]:
        np.testing.assert_allclose(found["jax"][k], found["torch"][k], rtol=1e-5, atol=1e-7, err_msg=k)
        assert k not in p or np.abs(found["torch"][k] - p[k]).max() > 1e-3  # the steps went somewhere


def test_what_only_one_tanh_layer_offers_is_refused() -> None:
    p = weights(np.random.default_rng(0), "lstm")
    with pytest.raises(ValueError, match="one tanh layer"):
        build("numpy", p, cell="lstm")
    with pytest.raises(ValueError, match="by hand"):
        build("jax", p, 1, T, cell="lstm")
    with pytest.raises(ValueError, match="sampled"):
        build("torch", p, 1, T, cell="lstm").sample(3)


@pytest.mark.parametrize("name", ["torch", "jax"])
@pytest.mark.parametrize("length", [2, 13, 31])
def test_forward_agrees(monkeypatch: pytest.MonkeyPatch, name: str, length: int) -> None:
    rng = np.random.default_rng(3)
    p, ids = weights(rng), rng.integers(V, size=(length, 3))
    expected = np.mean([NumpyPeer(p).forward(ids[:, b : b + 1]) for b in range(3)])
    peer = build(name, p, 3, T, dtype="float32")
    assert peer.forward(ids) == pytest.approx(expected, rel=1e-5)
    # and in pieces of four rows, the last of them short
    monkeypatch.setattr(f"benchmarks.peers.{name}_rnn.SCORING_ROWS", 12)
    assert peer.forward(ids) == pytest.approx(expected, rel=1e-5)


def pair_counts(texts: NDArray[np.integer]) -> NDArray[np.floating]:
    counts = np.zeros((V, V))
    np.add.at(counts, (texts[:, :-1].ravel(), texts[:, 1:].ravel()), 1)
    return counts / counts.sum()


@pytest.mark.parametrize("n_samples", [1, 89])  # JAX has a way for each
@pytest.mark.parametrize("name", peers.NAMES)
def test_samples_follow_the_model(name: str, n_samples: int) -> None:
    rng = np.random.default_rng(5)
    p = {k: 5 * v for k, v in weights(rng).items()}
    peer = build(name, p, 1, T)
    n = 4094 // n_samples
    texts = peer.sample(n, n_samples, seed=1)
    assert texts.shape == (n_samples, n)
    assert np.array_equal(texts, peer.sample(n, n_samples, seed=1))
    assert not np.array_equal(texts, peer.sample(n, n_samples, seed=2))
    expected = pair_counts(NumpyPeer(p).sample(n, n_samples, seed=4))
    unrelated = pair_counts(NumpyPeer(weights(rng)).sample(n, n_samples, seed=4))
    assert np.abs(pair_counts(texts) - expected).sum() < 0.25 < 1 < np.abs(unrelated - expected).sum()


def test_an_absent_framework_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(ImportError, match=r"'torch' needs torch.*pip install --group bench"):
        peers.peer_class("torch")


def test_threads_that_cannot_be_had_are_refused() -> None:
    p = weights(np.random.default_rng(0))
    with pytest.raises(ValueError, match="one thread"):
        build("numpy", p, n_threads=2)
    with pytest.raises(ValueError, match=r"all .* cores"):
        build("jax", p, 1, T, n_threads=4096)
