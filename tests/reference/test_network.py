"""The reference network against numbers worked out by hand, central differences, laws of probability, and PyTorch.

The comparisons with PyTorch are skipped where it is missing. test_golden.py compares the reference with an independent
implementation of min-char-rnn.
"""

import math

import numpy as np
import pytest
from reference_checks import central_difference

from crnn.model.layout import Layout, with_input_gate
from crnn.model.state import zero_hidden
from crnn.reference import dropout as reference_dropout
from crnn.reference import network as reference
from crnn.reference import optimizers as reference_optimizers
from crnn.reference.network import string_score
from crnn.reference.sampling import draw, filtered, sample

V, H, T, B = 7, 5, 3, 2
NETWORKS = [("rnn", 1), ("rnn", 3), ("gru", 1), ("gru", 2), ("lstm", 1), ("lstm", 2), ("cifg", 2)]
EMBEDDED = [("rnn", 1, 3), ("gru", 2, 3), ("lstm", 1, 11)]  # and the columns of the embedding
STATE_NAMES = {"adagrad": ("sum",), "rmsprop": ("square_avg",), "adam": ("exp_avg", "exp_avg_sq")}


def network(cell="rnn", L=1, E=None, *, vocab_size=V, hidden_size=H, seed=0):
    """Return a layout and parameters in it, biases and all drawn from N(0, 1/4)."""
    layout = Layout(vocab_size, hidden_size, np.dtype("float64"), cell, L, E)
    flat = layout.zeros()
    rng = np.random.default_rng(seed)
    for part in layout.tensors(flat):
        part[...] = 0.5 * rng.standard_normal(part.shape)
    return layout, flat


def zero_state(layout, streams=1):
    shape = (layout.num_layers, streams, layout.hidden_size)
    return tuple(np.zeros(shape) for _ in layout.kind.states)


@pytest.fixture(params=NETWORKS + EMBEDDED, ids=lambda network: "-".join(map(str, network)))
def chunk(request):
    """Layout with flat parameters, inputs, targets and a state before them."""
    _, L, *_ = request.param
    layout, flat = network(*request.param)
    rng = np.random.default_rng(3)
    ids = rng.integers(V - 1, size=(T + 1, B))  # the last symbol never occurs
    state = tuple(rng.uniform(-0.9, 0.9, (L, B, H)) for _ in layout.kind.states)
    return layout, flat, ids[:-1], ids[1:], state


# ------------------------------------------------------------------ worked by hand


def test_a_step_worked_by_hand():
    # One hidden unit, two symbols, one step: h = tanh(1/2), logits (h, -h), P(0) = 1 / (1 + exp(-2 h)).
    layout = Layout(2, 1, np.dtype("float64"))
    p = layout.tensors(layout.zeros())
    (first,) = p.layers
    first.Wx[:], first.Wh[:], first.bh[:], p.Wy[:] = [[0.25], [9.0]], 0.5, 0.125, [[1.0, -1.0]]
    h = np.tanh(0.25 + 0.25 * 0.5 + 0.125)
    P = 1 / (1 + np.exp(-2 * h))
    state = (np.array([[[0.25]]]),)
    loss, d, (h_after,) = reference.loss_and_gradients(p, "rnn", np.array([[0]]), np.array([[1]]), state)
    assert loss == pytest.approx(-np.log(1 - P), rel=1e-15)
    assert h_after == pytest.approx(h)
    # dy = (P, -P); dh = 2 P; dz = 2 P (1 - h^2)
    dz = 2 * P * (1 - h * h)
    np.testing.assert_allclose(d.by, [P, -P], rtol=1e-14)
    np.testing.assert_allclose(d.Wy, [[P * h, -P * h]], rtol=1e-14)
    np.testing.assert_allclose(d.layers[0].Wx, [[dz], [0]], rtol=1e-14)
    np.testing.assert_allclose(d.layers[0].Wh, [[0.25 * dz]], rtol=1e-14)
    np.testing.assert_allclose(d.layers[0].bh, [dz], rtol=1e-14)
    assert d.layers[0].bn is None


def one_unit(cell, bh, Wh, bn=0.0):
    """Run one step of a cell of one unit over a symbol that adds nothing, from h = 1/2 and c = 2."""
    layout = Layout(2, 1, np.dtype("float64"), cell)
    p = layout.tensors(layout.zeros())
    p.layers[0].bh[:], p.layers[0].Wh[:] = bh, Wh
    if p.layers[0].bn is not None:
        p.layers[0].bn[:] = bn
    state = tuple(np.array([[[value]]]) for value in (0.5, 2.0)[: len(layout.kind.states)])
    layers, _ = reference.forward(p, cell, np.array([[0]]), state)
    return layers[0].gates[0, 0], [s.item() for s in reference.state_after(layers)]


def test_an_lstm_step_worked_by_hand():
    # sigmoid(ln 3) = 3/4, sigmoid(-ln 3) = 1/4, sigmoid(0) = 1/2; tanh(ln 3) = 4/5. The old h, 1/2, gives half of it.
    ln3 = math.log(3)
    gates, (h, c) = one_unit("lstm", bh=[-ln3 / 2, ln3 / 2, ln3 / 2, 0], Wh=[-ln3, ln3, ln3, 0])
    np.testing.assert_allclose(gates, [1 / 4, 3 / 4, 4 / 5, 1 / 2], rtol=1e-15)  # i, f, g, o
    assert c == pytest.approx(3 / 4 * 2 + 1 / 4 * 4 / 5, rel=1e-15)
    assert h == pytest.approx(1 / 2 * math.tanh(1.7), rel=1e-15)


def test_a_step_of_coupled_gates_worked_by_hand():
    ln3 = math.log(3)
    gates, (h, c) = one_unit("cifg", bh=[ln3 / 2, ln3 / 2, 0], Wh=[ln3, ln3, 0])
    np.testing.assert_allclose(gates, [3 / 4, 4 / 5, 1 / 2], rtol=1e-15)  # f, g, o
    assert c == pytest.approx(3 / 4 * 2 + 1 / 4 * 4 / 5, rel=1e-15)
    assert h == pytest.approx(1 / 2 * math.tanh(1.7), rel=1e-15)


def test_a_gru_step_worked_by_hand():
    ln3 = math.log(3)
    # n = tanh(0.2 ln 3 + r (ln 3 / 2 + 17/30 ln 3)) with r = 3/4: the bias bn is multiplied by r as well.
    gates, (h,) = one_unit("gru", bh=[ln3 / 2, -ln3 / 2, 0.2 * ln3], Wh=[ln3, -ln3, ln3], bn=17 / 30 * ln3)
    np.testing.assert_allclose(gates, [3 / 4, 1 / 4, 4 / 5], rtol=1e-14)  # r, z, n
    assert h == pytest.approx(3 / 4 * 4 / 5 + 1 / 4 * 1 / 2, rel=1e-14)


def test_layers_are_stacked_by_hand():
    # Two layers of one unit, weights 1: h of the first is tanh of its input, h of the second tanh of that.
    layout = Layout(2, 1, np.dtype("float64"), "rnn", 2)
    p = layout.tensors(layout.zeros())
    p.layers[0].Wx[:], p.layers[1].Wx[:], p.Wy[:] = [[1.0], [2.0]], 1.0, [[1.0, 0.0]]
    layers, y = reference.forward(p, "rnn", np.array([[0, 1]]), zero_state(layout, 2))
    first = np.tanh([1.0, 2.0])
    np.testing.assert_allclose(layers[0].h[1, :, 0], first)
    np.testing.assert_allclose(layers[1].h[1, :, 0], np.tanh(first))
    np.testing.assert_allclose(y[0, :, 0], np.tanh(first))
    masks = np.array([[[[2.0], [0.0]]], [[[0.0], [4.0]]]])  # (L, T, B, H): what goes up, not what stays
    layers, y = reference.forward(p, "rnn", np.array([[0, 1]]), zero_state(layout, 2), masks)
    np.testing.assert_allclose(layers[0].h[1, :, 0], first)
    np.testing.assert_allclose(layers[1].h[1, :, 0], [np.tanh(2 * first[0]), 0])
    np.testing.assert_allclose(y[0, :, 0], 0)


def test_sigmoid_is_exact_at_both_ends():
    z = np.array([-800.0, -40.0, 0.0, 40.0, 800.0])
    with np.errstate(over="raise"):
        np.testing.assert_allclose(
            reference.sigmoid(z), [0, np.exp(-40.0), 0.5, 1 - np.exp(-40.0), 1], rtol=1e-15, atol=1e-300
        )
    assert reference.sigmoid(np.float32(z)).dtype == np.float32


# ---------------------------------------------------------------------- gradients


def masks_for(layout, steps=T, streams=B):
    return reference_dropout.dropout_masks(11, 5, (layout.num_layers, steps, streams, layout.hidden_size), 0.4)


@pytest.mark.parametrize("dropout", [False, True])
def test_gradients_match_central_differences(chunk, dropout):
    layout, flat, x, targets, state = chunk
    masks = masks_for(layout) if dropout else None
    _, d, _ = reference.loss_and_gradients(layout.tensors(flat), layout.cell, x, targets, state, masks)
    places = layout.tensors(np.arange(layout.size))
    every = 7 if dropout else 2  # of so many elements, one: dropout adds factors, and no index
    for gradient, at in zip(d, places, strict=True):
        for analytic, i in zip(gradient.ravel()[::every], at.ravel()[::every], strict=True):

            def loss(step, i=i):
                moved = flat.copy()
                moved[i] += step
                _, y = reference.forward(layout.tensors(moved), layout.cell, x, state, masks)
                return reference.softmax_loss(y, targets)[0]

            assert analytic == pytest.approx(central_difference(loss), rel=1e-7, abs=1e-9)


def test_streams_are_averaged_and_independent(chunk):
    layout, flat, x, targets, state = chunk
    p, masks = layout.tensors(flat), masks_for(layout)
    loss, d, after = reference.loss_and_gradients(p, layout.cell, x, targets, state, masks)
    alone = [
        reference.loss_and_gradients(
            p, layout.cell, x[:, [b]], targets[:, [b]], tuple(s[:, [b]] for s in state), masks[:, :, [b]]
        )
        for b in range(B)
    ]
    assert loss == pytest.approx(np.mean([one[0] for one in alone]))
    for mean, *parts in zip(d, *(one[1] for one in alone), strict=True):
        np.testing.assert_allclose(mean, np.mean(parts, axis=0), atol=1e-14)
    for k, together in enumerate(after):
        np.testing.assert_allclose(together, np.concatenate([one[2][k] for one in alone], axis=1), atol=1e-15)


def test_huge_logits_do_not_overflow():
    y = np.array([[[1e4, -1e4, 0.0]]])
    loss, dy = reference.softmax_loss(y, np.array([[1]]))
    assert loss == 2e4
    np.testing.assert_array_equal(dy, [[[1, -1, 0]]])


# ---------------------------------------------------------------------- inference


def test_log_probabilities_are_the_training_loss_term_by_term(chunk):
    layout, flat, x, targets, state = chunk
    p = layout.tensors(flat)
    ids = np.concatenate([x, targets[-1:]])
    log_p, after = reference.log_probabilities(p, layout.cell, ids, state)
    loss, _, _ = reference.loss_and_gradients(p, layout.cell, x, targets, state)
    assert log_p.shape == (T + 1, B)
    assert -log_p[1:].sum() / B == pytest.approx(loss)
    expected = reference.state_after(reference.forward(p, layout.cell, ids, state)[0])
    for one, other in zip(after, expected, strict=True):
        np.testing.assert_allclose(one, other)


@pytest.mark.parametrize(
    ("u", "symbol"), [(0.0, 1), (0.2499, 1), (0.2501, 3), (0.7499, 3), (0.7501, 4), (np.nextafter(1, 0), 4)]
)
def test_draw_inverts_the_cumulative_distribution(u, symbol):
    y = np.array([-np.inf, 0.0, -np.inf, np.log(2), 0.0])  # P = 0, 1/4, 0, 1/2, 1/4
    assert draw(filtered(y), u) == draw(filtered(y + 1000), u) == symbol


def test_temperature_divides_the_logits_and_zero_takes_the_first_largest():
    y = np.array([0.0, np.log(3), np.log(3)])
    assert draw(filtered(y, temperature=0), 0.999) == 1
    assert draw(filtered(y, temperature=0.5), 1 / 19 - 0.001) == 0  # P = 1, 9, 9 of 19
    assert draw(filtered(y, temperature=0.5), 1 / 19 + 0.001) == 1


def test_sample_feeds_each_symbol_back(chunk):
    layout, flat, _, _, state = chunk
    p = layout.tensors(flat)
    uniforms = np.random.default_rng(0).random((11, B))
    out, after = sample(p, layout.cell, state, uniforms, temperature=0.7)
    layers, _ = reference.forward(p, layout.cell, out, state)
    for one, other in zip(after, reference.state_after(layers), strict=True):
        np.testing.assert_allclose(one, other)
    for i, b in np.ndindex(11, B):
        p_next = filtered(layers[-1].h[i, b] @ p.Wy + p.by, temperature=0.7)
        assert out[i, b] == draw(p_next, uniforms[i, b])
    assert len(np.unique(out)) > 1


# ------------------------------------------------------------------------- PyTorch


def torch_network(torch, layout, flat):
    """Return the recurrent layers, the decoder and perhaps the embedding of PyTorch with the same weights."""
    kind = {"rnn": torch.nn.RNN, "gru": torch.nn.GRU, "lstm": torch.nn.LSTM, "cifg": torch.nn.LSTM}[layout.cell]
    V, H, E = layout.vocab_size, layout.hidden_size, layout.embedding_size
    model = torch.nn.ModuleDict(
        {"rnn": kind(E or V, H, layout.num_layers, dtype=torch.float64), "decoder": torch.nn.Linear(H, V).double()}
    )
    if E is not None:
        model["embedding"] = torch.nn.Embedding(V, E, dtype=torch.float64)
    own = dict(model.named_parameters())
    with torch.no_grad():
        for name, parameter in own.items():
            if "bias_hh" in name:
                parameter[:] = 0
        for name, array in layout.torch_named(flat).items():
            if layout.cell == "cifg" and name.startswith("rnn."):
                array = with_input_gate(array)
            if "bias_hn" in name:
                own[name.replace("hn", "hh")][2 * H :] = torch.from_numpy(array)
            else:
                own[name][:] = torch.from_numpy(array.copy())
    return model


@pytest.mark.peers
def test_network_matches_pytorch(torch, chunk):
    layout, flat, x, targets, state = chunk
    model = torch_network(torch, layout, flat)
    ids = torch.from_numpy(x)
    inputs = model["embedding"](ids) if "embedding" in model else torch.nn.functional.one_hot(ids, V).double()
    before = tuple(torch.from_numpy(s) for s in state)
    h, after = model["rnn"](inputs, before if len(before) == 2 else before[0])
    y = model["decoder"](h)
    loss = torch.nn.functional.cross_entropy(y.flatten(0, 1), torch.from_numpy(targets).flatten(), reduction="sum") / B
    loss.backward()

    p = layout.tensors(flat)
    np.testing.assert_allclose(reference.forward(p, layout.cell, x, state)[1], y.detach(), rtol=0, atol=1e-12)
    my_loss, d, my_after = reference.loss_and_gradients(p, layout.cell, x, targets, state)
    assert my_loss == pytest.approx(loss.item(), rel=1e-12)
    for mine, theirs in zip(my_after, after if len(before) == 2 else (after,), strict=True):
        np.testing.assert_allclose(mine, theirs.detach(), rtol=0, atol=1e-12)
    gradient = layout.zeros()
    for to, part in zip(layout.tensors(gradient), d, strict=True):
        to[...] = part
    theirs = {name: parameter.grad.numpy() for name, parameter in model.named_parameters()}
    for name, mine in layout.torch_named(gradient).items():
        other = theirs[name.replace("hn", "hh")][2 * H :] if "bias_hn" in name else theirs[name]
        if layout.cell == "cifg" and name.startswith("rnn."):  # W_i = -W_f: the chain rule
            other = np.concatenate([other[H : 2 * H] - other[:H], other[2 * H :]])
        np.testing.assert_allclose(mine, other, rtol=0, atol=1e-10, err_msg=name)


# Adagrad adds epsilon inside the root here, and PyTorch outside of it: both agree where the sum is near 1.
def torch_optimizer(torch, name, parameters, learning_rate, weight_decay):
    return {
        "adagrad": lambda: torch.optim.Adagrad(parameters, learning_rate, initial_accumulator_value=1.0),
        "rmsprop": lambda: torch.optim.RMSprop(parameters, learning_rate),
        "adam": lambda: torch.optim.AdamW(parameters, learning_rate, weight_decay=weight_decay, betas=(0.7, 0.96)),
    }[name]()


@pytest.mark.peers
@pytest.mark.parametrize("clip_norm", [math.inf, 3.0])
@pytest.mark.parametrize("name", STATE_NAMES)
def test_updates_match_pytorch(torch, name, clip_norm):
    rng = np.random.default_rng(0)
    p = [rng.normal(size=shape) for shape in ((3, 5), (7,))]
    parameters = [torch.nn.Parameter(torch.from_numpy(a.copy())) for a in p]
    decay = 0.1 if name == "adam" else 0.0
    optimizer = torch_optimizer(torch, name, parameters, 0.01, decay)
    optimizer_state = [[np.full_like(a, float(name == "adagrad")) for a in p] for _ in STATE_NAMES[name]]
    for step in range(1, 6):
        d = [rng.normal(size=a.shape) for a in p]
        norm = reference_optimizers.update(
            name, p, d, optimizer_state, 0.01, clip_norm=clip_norm, weight_decay=decay, step=step, beta_1=0.7,
            beta_2=0.96,
        )  # fmt: skip
        for parameter, g in zip(parameters, d, strict=True):
            parameter.grad = torch.from_numpy(g.copy())
        assert torch.nn.utils.clip_grad_norm_(parameters, clip_norm).item() == pytest.approx(norm, rel=1e-14)
        optimizer.step()
        for mine, theirs in zip(p, parameters, strict=True):
            np.testing.assert_allclose(mine, theirs.detach(), rtol=0, atol=1e-10 * step)
        for k, state in enumerate(STATE_NAMES[name]):
            for mine, parameter in zip(optimizer_state[k], parameters, strict=True):
                np.testing.assert_allclose(mine, optimizer.state[parameter][state], rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("ids", "reduce", "p"),
    [([0, 0, 1], "sum", 3 * 3 * 1), ([0, 0, 1], "mean", (3 * 3 * 1) ** (1 / 3)), ([0, 0, 1], "min", 1), ([], "min", 4),
     ([0, 0, 1, 1], "scaled", (3 * 3) ** 4**-0.75), ([], "mean", 4), ([0, 0, 1], "joint", (3 * 3 * 1) * 1)],
)  # fmt: skip
def test_probabilities_of_three_quarters_and_one(ids, reduce, p):
    layout = Layout(2, 3, np.dtype("float64"), "rnn", 1)
    params = layout.zeros()
    layout.tensors(params).by[:] = math.log(3), 0.0
    n = {"sum": len(ids), "mean": 1, "min": 1, "scaled": 2**0.5, "joint": 4}[reduce]
    score = string_score(layout.tensors(params), "rnn", np.array(ids, np.intp), zero_hidden(layout, 1), reduce)
    assert score == pytest.approx(math.log(p / 4**n), abs=1e-12)
