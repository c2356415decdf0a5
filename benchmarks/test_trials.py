"""Is the replica `CharRNN`, and is each trick what it says? The trials themselves take hours: `benchmarks.trials`."""

import numpy as np
import pytest

from benchmarks import trials
from benchmarks.conftest import needs
from crnn import CharRNN

TEXT = "to be or not to be, that is the question: whether 'tis nobler in the mind " * 70
V, H, T, B = 7, 5, 4, 3


@pytest.fixture(scope="module")
def replica():
    needs("jax")
    from benchmarks.replica import lstm, tables, training, tricks

    return {"lstm": lstm, "training": training, "tricks": tricks, "tables": tables}


@pytest.fixture
def chunk(replica):
    ids = np.random.default_rng(0).integers(V, size=(T + 3, B), dtype=np.int32)
    x = np.stack([ids[2 - k : 2 - k + T] for k in range(replica["lstm"].CONTEXT + 1)])
    return x, ids[3 : 3 + T]


@pytest.mark.parametrize("cell", ["lstm", "cifg"])
def test_the_plain_model_trains_as_crnn_does(replica, cell):
    ids, learned, n_symbols = trials.cut(TEXT)
    text, steps = TEXT[:learned], 9  # of the 10 of an epoch, which is as far as partial_fit reads
    t = replica["training"]
    options = {"cell": cell, "seq_length": t.T, "batch_size": t.B, "optimizer": "adam", "learning_rate": t.RATE}
    options |= {"schedule": "cosine", "warmup": t.WARMUP, "clip": None, "clip_norm": t.CLIP_NORM, "beta_2": t.BETA_2}
    model = CharRNN(H, weight_decay=t.WEIGHT_DECAY, max_steps=0, random_state=0, **options).fit(text)
    plain = replica["lstm"].Lstm(n_symbols, hidden_size=H, cell=cell)
    first = plain.first_weights(seed=1)
    for ours, theirs in {"Wxh_l0": "Wx0", "Whh_l0": "Wh0", "bh_l0": "b0", "Why": "Wy", "by": "by"}.items():
        model.params_[ours][:] = first[theirs].T
    model.set_params(max_steps=steps).partial_fit(text)
    weights = t.Training().run(plain, ids[:learned], steps, seed=1)[""]
    np.testing.assert_allclose(weights["Wh0"].T, model.params_["Whh_l0"], atol=1e-4)
    np.testing.assert_allclose(weights["by"], model.params_["by"], atol=1e-4)
    known = t.held_out(plain, weights, ids, learned)
    assert known == pytest.approx(-model.score(TEXT[learned : len(ids)]), abs=0.2)  # begins with another state


NEUTRAL = {  # weights with which a trick computes what the plain model does
    "bigrams": {}, "hashed-bigrams": {}, "direct": {}, "peepholes": {}, "gated": {"R": 0.0}, "mi-table": {"M": 0.0},
    "mi": {"alpha": 0.0, "beta": 1.0, "gamma": 1.0}, "low-rank-bigrams": {"Wxx": 0.0},
}  # fmt: skip


@pytest.mark.parametrize("trial", NEUTRAL)
def test_a_trick_is_the_plain_model_with_neutral_weights_and_no_other(replica, chunk, trial):
    import jax

    plain = replica["lstm"].Lstm(V, hidden_size=H)
    trick = trials.trials()[trial][0](V, hidden_size=H)
    w = trick.first_weights(seed=0)
    own = w.keys() - plain.shapes().keys()
    w |= {name: np.full_like(w[name], value) for name, value in NEUTRAL[trial].items()}
    expected = plain.surprisals(w, plain.zero_state(B), *chunk)[0]
    surprisals = jax.jit(lambda w: trick.surprisals(w, trick.zero_state(B), *chunk)[0])
    np.testing.assert_allclose(surprisals(w), expected, atol=1e-5)
    rng = np.random.default_rng(1)
    w |= {name: rng.normal(size=w[name].shape).astype(np.float32) for name in own}
    assert np.abs(surprisals(w) - expected).max() > 1e-3


MODELS = ["mogrifier", "mogrifier-4", "mlstm", "layer-norm", "two-layers", "two-residual", "two-normed", "tied"]


@pytest.mark.parametrize("trial", MODELS)
def test_every_weight_of_a_trick_has_a_gradient(replica, chunk, trial):
    import jax

    make = trials.trials()[trial][0]
    model = make(V, hidden_size=H)
    w = model.first_weights(seed=0)
    d = jax.jit(jax.grad(lambda w: model.loss(w, model.training_state(B), *chunk)[0]))(w)
    assert all(np.abs(g).max() > 0 for g in d.values())
    assert model.multiply_adds() >= replica["lstm"].Lstm(V, hidden_size=H).multiply_adds()


def test_a_bigram_adds_its_vector_to_that_of_the_symbol(replica, chunk):
    import jax

    embedded, small = (trials.trials()[name][0](V, hidden_size=H) for name in ("embedded", "small-hashed-bigrams"))
    w = small.first_weights(seed=0)
    expected = embedded.inputs(w, chunk[0])
    np.testing.assert_allclose(small.inputs(w, chunk[0]), expected, atol=1e-6)
    w["Wxx"][V * chunk[0][0, 2, 1] + chunk[0][1, 2, 1]] = w["E"][3]  # each two symbols have a row of their own
    x = np.array(chunk[0])
    moved = np.asarray(jax.jit(lambda w: small.inputs(w, x))(w) - expected)
    np.testing.assert_allclose(moved[2, 1], w["E"][3] @ w["Wx"], atol=1e-5)


@pytest.mark.parametrize("trial", ["hashed-bigrams", "sparse-hashed-bigrams"])
def test_only_sparse_tables_keep_rows_that_are_not_read(replica, chunk, trial):
    model = trials.trials()[trial][0](V, hidden_size=H)
    w = model.first_weights(seed=0)
    w["Wxx"] += 1.0
    zeros = {name: np.zeros_like(array) for name, array in w.items()}
    step = replica["training"]._step
    after = step(model, (), (w, zeros, zeros, []), model.zero_state(B), *chunk, 0.04, np.float32(1))[0][0]
    rows = np.asarray(replica["tables"].hashed(chunk[0], 2, V, model.rows))
    read = np.isin(np.arange(model.rows), rows)
    assert read.any()
    assert (np.asarray(after["Wxx"]) != w["Wxx"])[read].all()
    assert (np.asarray(after["Wxx"]) == w["Wxx"])[~read].all() == ("sparse" in trial)


def test_a_student_of_itself_learns_from_the_text_alone(replica, chunk):
    """Where teachers and student agree, half of the gradient is zero."""
    import jax

    plain = replica["lstm"].Lstm(V, hidden_size=H)
    w = plain.first_weights(seed=0)
    student = replica["tricks"].Distilled(V, [w, w], hidden_size=H)
    of = {m: jax.jit(jax.grad(lambda w, m=m: m.loss(w, m.training_state(B), *chunk)[0]))(w) for m in (plain, student)}
    np.testing.assert_allclose(of[student]["Wh0"], of[plain]["Wh0"] / 2, atol=1e-5)


@pytest.mark.parametrize("name", ["last-longer", "later-longer", "last-much-longer", "first-shorter", "jitter"])
def test_all_read_as_many_characters(replica, name):
    training = trials.trials()[name][1]()
    lengths = training.chunk_lengths(120, np.random.default_rng(0))
    assert sum(lengths) == 120 * replica["training"].T
    assert len(set(lengths)) > 1


def test_averages_are_measured_too(replica):
    found = trials.measure("averaged", *trials.cut(TEXT), steps=3, seed=0, hidden_size=H)
    assert list(found["nats"]) == ["", "average 0.98", "average 0.995", "average 0.998"]
    assert all(0 < nats < 10 for nats in found["nats"].values())


def test_table_compares_the_same_seeds_and_divides_by_the_cost():
    runs = [
        ("baseline", 0, 1.0, 1.6), ("baseline", 1, 1.0, 1.5), ("longer", 0, 1.5, 1.55), ("longer", 1, 1.5, 1.45),
        ("wider", 0, 1.5, 1.56), ("mlstm", 1, 1.5**2, 1.39),
    ]  # fmt: skip
    results = [{"trial": name, "seed": seed, "cost": cost, "nats": {"": nats}} for name, seed, cost, nats in runs]
    rows = list(trials.table(results))[2:]
    assert rows[0] == "| baseline | 1.00 | 2 | 1.5500 ± 0.0707 | +0.0000 | +0.0000 |"
    assert rows[1] == "| longer | 1.50 | 2 | 1.5000 ± 0.0707 | +0.0500 | +0.0000 |"
    assert rows[3] == "| mlstm | 2.25 | 1 | 1.3900 | +0.1100 | +0.0100 |"
    results[4]["nats"] = {"": 1.54}  # more units gain 0.06 where more steps gain 0.05
    assert list(trials.table(results))[-1].endswith("| +0.1100 | -0.0100 |")
