"""The controls of sampling: the compiled filter and whole samples against their twins, stops, errors, beam search."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import stats

from crnn import CharRNN, InvalidInputError, NotFittedError, _kernels
from crnn.cli import main as cli
from crnn.inference import packed_network as inference
from crnn.inference import sampling
from crnn.inference.beam_search import beam_search
from crnn.inference.packed_network import PackedNetwork
from crnn.inference.sampling_controls import SamplingControls, checked_temperature
from crnn.inference.stopping import Stops
from crnn.inference.uniforms import Uniforms, root
from crnn.reference import network as reference
from crnn.reference import sampling as reference_sampling

pytestmark = pytest.mark.usefixtures("seven_cores")

SYMBOLS = "abcdefghijk"
INF = math.inf
DTYPES = ["float32", "float64"]


def random_model(dtype="float64", symbols=SYMBOLS, cell="rnn", **rest):
    """A model that has learned nothing but is sure of itself, differently after every symbol."""
    model = CharRNN(7, cell=cell, max_steps=0, init_scale=0.7, dtype=dtype, random_state=0, **rest).fit(symbols)
    model._learned.params[:] += 0.7 * np.random.default_rng(1).standard_normal(model._learned.params.size)
    return model


@pytest.fixture(scope="module")
def model():
    return random_model()


def zero_state(model, streams=1):
    p = model._learned.layout.tensors(model._learned.params)
    shape = (len(p.layers), streams, model.hidden_size)
    return p, tuple(np.zeros(shape) for _ in model._learned.layout.kind.states)


def controls_of(model, **given):
    return SamplingControls.check(model.vocabulary_, **given)


def twin_sample(model, n, prime="", *, seed, i=0, **given):
    """The text that the twins draw, with the very same uniforms."""
    p, state = zero_state(model)
    seen = np.zeros((1, len(model.vocabulary_)), np.bool_)
    if prime:
        ids = model.vocabulary_.encode(prime)
        state = reference.state_after(reference.forward(p, model.cell, ids[:, None], state)[0])
        seen[0, ids] = True
    controls = vars(controls_of(model, **given)).copy()
    del controls["stops"]
    controls["bias"] = 0.0 if controls["bias"] is None else controls["bias"]
    uniforms = Uniforms(root(seed), range(i, i + 1)).draw(n)
    return model.vocabulary_.decode(
        reference_sampling.sample(p, model.cell, state, uniforms, seen, **controls)[0][:, 0]
    )


# --- the filter


def compiled(kernels, y, dtype, seen=None, *, bias=0.0, repetition_penalty=1.0, temperature=1.0, **rest):
    """The probabilities, not divided by their sum, that the kernels make of rows of logits."""
    y = np.array(y, dtype)
    numbers = {"top_k": 0, "top_p": 1.0, "min_p": 0.0} | rest
    kernels.filter_logits(
        y,
        temperature,
        kernels.Controls(penalty=repetition_penalty, **numbers),
        None if np.isscalar(bias) else np.asarray(bias, dtype),
        None if seen is None else seen.astype(np.uint8),
        np.empty(y.shape[1], np.int32),
    )
    return y


def same_filter(kernels, dtype, y, seen, controls):
    """Compare with the twin; what lies on an edge of top-p or min-p to the last bits may fall on either side."""
    p = compiled(kernels, y[None], dtype, None if seen is None else seen[None], **controls)[0].astype(np.float64)
    expected = reference_sampling.filtered(y, seen, **controls)
    eps = 1e-4 if dtype == "float32" else 1e-11
    loose, tight = dict(controls), dict(controls)
    loose["top_p"], tight["top_p"] = (min(1.0, controls["top_p"] * (1 + s * eps)) for s in (1, -1))
    loose["min_p"], tight["min_p"] = (min(1.0, controls["min_p"] * (1 - s * eps)) for s in (1, -1))
    most, least = (reference_sampling.filtered(y, seen, **c) > 0 for c in (loose, tight))
    if (most == least).all():
        np.testing.assert_allclose(p / p.sum(), expected, rtol=10 * eps, atol=1e-30)
    assert ((p > 0) <= most).all()
    assert ((p > 1e-30) >= (least & (expected > 1e-30))).all()


rows = st.lists(st.integers(-12, 12), min_size=1, max_size=70)
shares = st.one_of(st.sampled_from([0.0, 0.5, 1.0]), st.floats(0, 1))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", _kernels.available())
@given(row=rows, data=st.data())
@settings(max_examples=150, deadline=None)
def test_filter_is_its_twin(name, dtype, row, data):
    y = np.array(row) / 4  # a grid: there are equals, and what is not equal differs by more than rounding does
    V = len(y)
    bias = data.draw(st.none() | st.lists(st.sampled_from([-INF, 0, 0, 1.5]), min_size=V, max_size=V))
    if bias is None or (np.array(bias) == -INF).all():
        bias = 0.0
    controls = {
        "bias": bias if np.isscalar(bias) else np.array(bias),
        "repetition_penalty": data.draw(st.sampled_from([1.0, 0.5, 2.0])),
        "temperature": data.draw(st.sampled_from([0.0, 0.5, 1.0, 2.0])),
        "top_k": data.draw(st.integers(0, V + 2)),
        "top_p": data.draw(shares),
        "min_p": data.draw(shares),
    }
    seen = data.draw(st.none() | st.lists(st.booleans(), min_size=V, max_size=V))
    same_filter(_kernels.load(name), dtype, y, None if seen is None else np.array(seen), controls)


@pytest.mark.parametrize("dtype", DTYPES)
@given(seed=st.integers(0, 2**32), V=st.integers(1, 3000), top_k=st.integers(0, 3000), top_p=shares, min_p=shares)
@example(seed=601, V=116, top_k=0, top_p=1 - 2**-53, min_p=0.5)  # where no sum of the twin reached top_p
@settings(max_examples=60, deadline=None)
def test_filter_of_normal_logits_is_its_twin(dtype, seed, V, top_k, top_p, min_p):
    y = 3 * np.random.default_rng(seed).standard_normal(V).astype(dtype).astype(np.float64)
    controls = {"temperature": 0.8, "top_k": top_k, "top_p": top_p, "min_p": min_p}
    if dtype == "float32":
        p = np.sort(reference_sampling.filtered(y))[::-1]
        k = min(max(top_k, 1), V) - 1
        if k + 1 < V and p[k] - p[k + 1] < 1e-5 * p[k]:
            controls["top_k"] = 0  # which of two is left is not for float32 to say
    same_filter(_kernels.load(_kernels.instruction_set), dtype, y, None, controls)


def test_filter_of_a_row_is_the_same_bits_among_any_others(kernels, dtype):
    rng = np.random.default_rng(0)
    y, seen = rng.standard_normal((50, 97)), rng.random((50, 97)) < 0.3
    controls = {"repetition_penalty": 1.3, "temperature": 0.7, "top_k": 40, "top_p": 0.8, "min_p": 0.01}
    together = compiled(kernels, y, dtype, seen, **controls)
    for b in (0, 1, 17, 49):
        np.testing.assert_array_equal(
            compiled(kernels, y[b : b + 1], dtype, seen[b : b + 1], **controls)[0], together[b]
        )


@pytest.mark.parametrize("penalty", [1e-300, 1e300])
@pytest.mark.parametrize("temperature", [1e-300, 1e-40, 1.0, 1e300])
def test_extreme_numbers_leave_something(kernels, dtype, penalty, temperature):
    y, seen = np.array([[-3.0, 0.0, 3.0, 5.0]]), np.array([[1, 1, 1, 0]])
    bias = np.array([0.0, 1e30, -1e30, -INF])
    p = compiled(kernels, y, dtype, seen, bias=bias, repetition_penalty=penalty, temperature=temperature, top_p=0.9)
    assert np.isfinite(p).all()
    assert p.sum() > 0
    assert p[0, 3] == 0


def test_scratch_of_the_wrong_size_is_refused(kernels):
    numbers = kernels.Controls(penalty=1.0, top_k=0, top_p=1.0, min_p=0.0)
    y, order = np.zeros((2, 5)), np.zeros(5, np.int32)
    for bias, seen, scratch in [
        (np.zeros(4), None, order),
        (None, np.zeros((2, 4), np.uint8), order),
        (None, np.zeros((1, 5), np.uint8), order),
        (None, None, order[:4]),
        (None, None, None),
    ]:
        with pytest.raises(ValueError, match=r"size|scratch"):
            kernels.filter_logits(y, 1.0, numbers, bias, seen, scratch)


# --- whole samples

CONTROLS = [
    {"top_k": 3},
    {"top_p": 0.7},
    {"min_p": 0.3, "temperature": 1.5},
    {"repetition_penalty": 1.7},
    {"repetition_penalty": 3.0, "temperature": 0},
    {"logit_bias": {"a": -INF, "b": 2.5, "k": -1}},
    {"logit_bias": {"c": -INF}, "repetition_penalty": 0.8, "temperature": 0.7, "top_k": 7, "top_p": 0.9, "min_p": 0.05},
]


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
@pytest.mark.parametrize("given", CONTROLS, ids=str)
def test_sample_is_its_twins(kernels, monkeypatch, cell, given):
    model = random_model(cell=cell, num_layers=2)
    for prime in ("", "abk"):
        texts = model.sample(60, prime=prime, num_samples=3, random_state=5, **given)
        assert texts == [twin_sample(model, 60, prime, seed=5, i=i, **given) for i in range(3)]
        assert texts[0] == model.sample(60, prime=prime, random_state=5, **given)


@pytest.mark.parametrize("given", CONTROLS, ids=str)
@pytest.mark.parametrize("n", [0, 1, 2, 65, 300])
def test_stream_is_the_sample(model, given, n):
    keywords = {"prime": "ab", "random_state": 3, **given}
    assert "".join(model.stream(n, **keywords)) == model.sample(n, **keywords)


@pytest.mark.parametrize("temperature", [0, 0.5, 1.0, 3.0, 1e39])
def test_controls_that_control_nothing_change_no_bit(kernels, dtype, monkeypatch, temperature):
    model = random_model(dtype)
    expected = model.sample(500, temperature=temperature, random_state=0)
    nothing = {"top_k": None, "top_p": 1.0, "min_p": 0, "repetition_penalty": 1, "logit_bias": {"a": 0}, "stop": []}
    assert controls_of(model, **nothing).only_temperature
    assert model.sample(500, temperature=temperature, random_state=0, **nothing) == expected
    monkeypatch.setattr(SamplingControls, "only_temperature", False)
    assert model.sample(500, temperature=temperature, random_state=0) == expected
    for top_k in (len(SYMBOLS), len(SYMBOLS) + 1, 10**9):
        assert model.sample(500, temperature=temperature, random_state=0, top_k=top_k) == expected


@pytest.mark.parametrize(
    "given", [{"top_k": 1}, {"top_p": 0}, {"top_p": 1e-300}, {"min_p": 1}, {"temperature": 1e-300}]
)
def test_controls_that_leave_one_symbol(dtype, given):
    model = random_model(dtype)
    assert model.sample(200, random_state=0, **given) == model.sample(200, temperature=0)


@pytest.mark.parametrize("given", [*CONTROLS, {"stop": ["ab", "cb", "d"], "repetition_penalty": 1.2}], ids=str)
@pytest.mark.parametrize("hidden_size", [7, 67])
def test_sample_i_is_the_same_whatever_is_beside_it(kernels, dtype, monkeypatch, given, hidden_size):
    model = random_model(dtype)
    texts = model.sample(97, num_samples=61, random_state=0, **given)
    assert texts[0] == model.sample(97, random_state=0, **given)
    assert model.sample(97, num_samples=13, random_state=0, **given) == texts[:13]
    monkeypatch.setattr(sampling, "ROWS", 5)
    monkeypatch.setattr(sampling, "SHARE", 17)
    monkeypatch.setattr(inference, "CALL_WEIGHTS", 1)
    monkeypatch.setattr(inference, "TEXT_ROOM", 3)
    for n_threads in (1, 3):
        monkeypatch.setattr(model, "n_threads", n_threads)
        assert model.sample(97, num_samples=61, random_state=0, **given) == texts


@pytest.mark.parametrize("given", CONTROLS, ids=str)
def test_draws_follow_the_controlled_distribution(dtype, given):
    model = random_model(dtype)
    draws = 100_000
    for prime in ("", "bad"):
        p, state = zero_state(model)
        ids = model.vocabulary_.encode(prime)
        if prime:
            state = reference.state_after(reference.forward(p, model.cell, ids[:, None], state)[0])
        seen = np.isin(np.arange(len(SYMBOLS)), ids)
        controls = {name: value for name, value in vars(controls_of(model, **given)).items() if name != "stops"}
        controls["bias"] = 0.0 if controls["bias"] is None else controls["bias"]
        expected = reference_sampling.filtered((state[0][-1] @ p.Wy + p.by)[0], seen, **controls)
        text = "".join(model.sample(1, prime=prime, num_samples=draws, random_state=1, **given))
        counts = np.bincount(model.vocabulary_.encode(text), minlength=len(expected))
        assert (counts[expected == 0] == 0).all()
        left = expected > 0
        if left.sum() > 1:
            assert stats.chisquare(counts[left], expected[left] * draws).pvalue > 1e-3


def test_forbidden_symbols_are_never_drawn(dtype):
    model = random_model(dtype)
    for temperature in (0, 1, 1e39):
        given = {"temperature": temperature, "logit_bias": dict.fromkeys("adk", -INF)}
        assert not set("".join(model.sample(500, num_samples=5, random_state=0, **given))) & set("adk")
    assert set(model.sample(50, logit_bias=dict.fromkeys("abcdefghij", -INF))) == {"k"}


def test_penalty_counts_the_prime_and_what_was_drawn():
    model = CharRNN(3, max_steps=0, init_scale=0, random_state=0).fit("abc")
    model.params_["by" if "by" in model.params_ else list(model.params_)[-1]][:] = [3.0, 2.0, 1.0]
    assert model.sample(4, temperature=0, repetition_penalty=10) == "abca"
    assert model.sample(4, temperature=0, repetition_penalty=10, prime="a") == "bcaa"
    assert model.sample(3, temperature=0, repetition_penalty=10, prime="ab") == "caa"


# --- stops


def cut(text, stops):
    """`text` before the stop that is complete first, and the longest of those."""
    found = [(text.find(stop) + len(stop), text.find(stop)) for stop in stops if stop in text]
    return text[: min(found)[1]] if found else text


@pytest.mark.parametrize("room", [1, 2, 7, 64])
@given(
    stops=st.lists(st.text("ab", min_size=1, max_size=6), min_size=1, max_size=3),
    n=st.integers(0, 150),
    seed=st.integers(0, 5),
)
@settings(max_examples=40, deadline=None)
def test_text_ends_before_the_first_stop(room, stops, n, seed):
    model = TWO_SYMBOLS
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inference, "TEXT_ROOM", room)
        patch.setattr(sampling, "ROWS", 2)
        whole = model.sample(n, prime="ab", num_samples=3, random_state=seed)
        expected = [cut(text, stops) for text in whole]
        assert model.sample(n, prime="ab", num_samples=3, random_state=seed, stop=stops) == expected
        assert "".join(model.stream(n, prime="ab", random_state=seed, stop=stops)) == expected[0]
        if len(stops) == 1:
            assert model.sample(n, prime="ab", random_state=seed, stop=stops[0]) == expected[0]


TWO_SYMBOLS = random_model(symbols="ab")


def test_stop_that_is_never_met(model):
    text = model.sample(300, random_state=0)
    for stop in ("z", "abz", "é", [], (), ["z", "a\n"], "a" * 400):
        assert model.sample(300, random_state=0, stop=stop) == text
        assert "".join(model.stream(300, random_state=0, stop=stop)) == text


@pytest.mark.parametrize("stops", [["ab"], ["a"], ["abc", "d"], ["zz"]], ids=str)
@pytest.mark.parametrize("count", [1, 31])
def test_nothing_is_drawn_after_a_stop(kernels, model, count, stops):
    network = PackedNetwork.pack(model._learned.layout, model._learned.params, one_row=count == 1)
    uniforms, n = Uniforms(root(3), range(count)), 53
    controls = controls_of(model, stop=stops)
    start = sampling.primed_state(network, model.vocabulary_.encode("ab"))
    _, lengths = network.sample_texts(start, n, uniforms, 1.0, controls.stops, rows=5)
    texts = [model.sample(n, prime="ab", num_samples=count, random_state=3)] if count == 1 else model.sample(
        n, prime="ab", num_samples=count, random_state=3
    )  # fmt: skip
    for i, text in enumerate(texts):
        shorter = cut(text, stops)
        met = next((stop for stop in stops if text.startswith(shorter + stop)), "")
        assert lengths[i] == len(shorter)
        alone = Uniforms(root(3), range(i, i + 1))
        alone.draw(len(shorter + met))
        np.testing.assert_array_equal(alone.states[0], uniforms.states[i])


def test_a_text_that_may_stop_late_takes_no_room_ahead(model):
    assert model.sample(10**9, stop=list(SYMBOLS), random_state=0) == ""
    assert set(model.sample(10**9, stop=list(SYMBOLS), random_state=0, num_samples=300)) == {""}


def test_stream_holds_back_no_more_than_may_be_a_stop(model):
    text = model.sample(400, random_state=0)
    for stop in ("ab", "zz", text[150:153]):
        assert "".join(model.stream(400, random_state=0, stop=stop)) == cut(text, [stop])
    # The first symbol comes as soon as it is drawn, unless it may be the beginning of a stop.
    other = next(symbol for symbol in SYMBOLS if symbol != text[0])
    assert next(model.stream(random_state=0, stop=2 * other)) == text[0]


def test_first_stop():
    stops = Stops([np.array([5, 6, 7, 8]), np.array([6]), np.array([5, 6])])
    assert stops.first(np.array([1, 5, 6, 7, 8]), new=5) == 1
    assert stops.first(np.array([1, 5, 7]), new=3) is None
    assert stops.begun(np.array([1, 5])) == 1
    assert stops.begun(np.array([1, 5, 1])) == 0
    assert not Stops([])
    assert Stops([], end=0).first(np.array([3, 0, 0]), new=3) == 1
    large = np.array([0xD800, 0x10FFFF])
    assert Stops([large]).first(np.array([1, *large, 2]), new=3) == 1


# --- the hooks for symbols that are no characters


@pytest.mark.parametrize("num_samples", [1, 5])
def test_symbol_that_ends_a_text(model, num_samples):
    network = PackedNetwork.pack(model._learned.layout, model._learned.params, one_row=num_samples == 1)
    prime, end = model.vocabulary_.encode("a"), 4
    keywords = {"random_state": 3, "n_threads": 2}

    def draw(**given):
        drawn = sampling.sample(network, prime, 400, num_samples, controls=controls_of(model, **given), **keywords)
        return np.split(drawn.ids, drawn.starts[1:])

    whole, ended = draw(), draw(end=end)
    for full, part in zip(whole, ended, strict=True):
        np.testing.assert_array_equal(part, full[: np.flatnonzero(full == end)[0]])
    assert len(set(map(len, ended))) == num_samples
    stream = sampling.stream(network, prime, None, controls=controls_of(model, end=end), bits=root(3))
    np.testing.assert_array_equal(np.concatenate(list(stream)), ended[0])
    assert not any(np.isin([0, 4, 9], ids).any() for ids in draw(forbidden=[0, 4, 9], logit_bias={"a": 5}))


# --- arguments


@pytest.mark.parametrize("method", ["sample", "stream"])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"top_k": 0}, r"^top_k must be a whole number of at least 1, or None for all symbols, not 0$"),
        ({"top_k": -3}, r"^top_k must be .* None for all symbols, not -3$"),
        ({"top_k": 2.0}, r"^top_k must be .* not 2\.0$"),
        ({"top_k": True}, r"^top_k must be .* not True$"),
        ({"top_p": -0.1}, r"^top_p must be a number from 0 to 1, not -0\.1: 1 or None leaves all symbols"),
        ({"top_p": 1.5}, r"^top_p must be .* not 1\.5"),
        ({"top_p": math.nan}, r"^top_p must be .* not nan"),
        ({"top_p": "0.5"}, r"^top_p must be .* not '0\.5'"),
        ({"min_p": 2}, r"^min_p must be a number from 0 to 1, not 2: 0 or None leaves all symbols"),
        ({"min_p": -INF}, r"^min_p must be .* not -inf"),
        ({"repetition_penalty": 0}, r"^repetition_penalty must be a finite number above 0, not 0: .* 1 is no penalty"),
        ({"repetition_penalty": INF}, r"^repetition_penalty must be .* not inf"),
        ({"repetition_penalty": None}, r"^repetition_penalty must be .* not None"),
        ({"stop": ""}, r"^stop is empty: give the text that ends a sample, or None"),
        ({"stop": ["a", ""]}, r"^stop\[1\] is empty"),
        ({"stop": b"a"}, r"^stop is bytes, but the symbols of this model are characters"),
        ({"stop": ["a", b"b"]}, r"^stop\[1\] is bytes, but"),
        ({"stop": ["a", 3]}, r"^stop\[1\] must be str or bytes, not int$"),
        ({"stop": 3}, r"^stop must be None, a text or a list of texts, not int$"),
        ({"stop": {"a": 1}}, r"^stop must be None, a text or a list of texts, not dict$"),
        ({"logit_bias": [1]}, r"^logit_bias must be None or a dict from symbols to numbers, not list$"),
        ({"logit_bias": {"ab": 1}}, r"^logit_bias holds 'ab', which is not one symbol"),
        ({"logit_bias": {"": 1}}, r"^logit_bias holds '', which is not one symbol"),
        ({"logit_bias": {"z": 1}}, r"^a symbol in logit_bias holds 'z' .* 11 symbols of the model"),
        ({"logit_bias": {b"a": 1}}, r"^a symbol in logit_bias is bytes, but"),
        ({"logit_bias": {3: 1}}, r"^a symbol in logit_bias must be str or bytes, not int$"),
        ({"logit_bias": {"a": INF}}, r"^logit_bias\['a'\] must be a number from -1e30 to 1e30, or -inf .* not inf$"),
        ({"logit_bias": {"a": math.nan}}, r"^logit_bias\['a'\] must be .* not nan$"),
        ({"logit_bias": {"a": "1"}}, r"^logit_bias\['a'\] must be .* not '1'$"),
        ({"logit_bias": {"a": 1e31}}, r"^logit_bias\['a'\] must be "),
        ({"logit_bias": dict.fromkeys(SYMBOLS, -INF)}, r"^logit_bias forbids all 11 symbols of the model: leave one"),
    ],
)
def test_bad_argument_is_named_at_the_call(model, method, arguments, message):
    with pytest.raises(InvalidInputError, match=message):
        getattr(model, method)(**arguments)


@pytest.mark.parametrize("method", ["sample", "stream", "beam_search"])
def test_before_fit(method):
    with pytest.raises(NotFittedError, match=f"before {method}$"):
        getattr(CharRNN(), method)()


def test_numbers_of_numpy_are_numbers(model):
    given = {"top_k": np.int64(3), "top_p": np.float32(0.5), "logit_bias": {"a": np.float32(-INF), "b": np.int8(2)}}
    plain = {"top_k": 3, "top_p": 0.5, "logit_bias": {"a": -INF, "b": 2}}
    assert model.sample(50, random_state=0, **given) == model.sample(50, random_state=0, **plain)


def test_checked_temperature():
    assert checked_temperature(np.float32(0.5)) == 0.5
    assert type(checked_temperature(0)) is float


def test_model_of_bytes():
    model = random_model(symbols=bytes(range(256)))
    whole = model.sample(300, random_state=0)
    for stop in (whole[100:103], [whole[100:103]], [bytearray(whole[100:103])], memoryview(whole[100:103])):
        text = model.sample(300, random_state=0, stop=stop)
        assert text == whole[: whole.find(whole[100:103])]
        assert b"".join(model.stream(300, random_state=0, stop=stop)) == text
    forbidden = {bytes([code]): -INF for code in range(128)}
    assert min(model.sample(300, random_state=0, logit_bias=forbidden)) >= 128
    with pytest.raises(InvalidInputError, match=r"^stop is text, but the symbols of this model are bytes"):
        model.sample(stop="a")
    with pytest.raises(InvalidInputError, match=r"^a symbol in logit_bias is text, but"):
        model.sample(logit_bias={"a": 1})
    assert all(type(text) is bytes for text, _ in model.beam_search(2, prime=b"\xff"))


# --- beam search


def brute_force(model, n, prime="", end=None, forbidden=()):
    """All continuations with their log-probabilities, most probable first."""
    p, state = zero_state(model)
    ids = model.vocabulary_.encode(prime).astype(np.int32)
    if prime:
        state = reference.state_after(reference.forward(p, model.cell, ids[:, None], state)[0])
    found = {}
    for text in itertools.product(sorted(set(range(len(model.vocabulary_))) - set(forbidden)), repeat=n):
        log_p = reference.log_probabilities(p, model.cell, np.array(text)[:, None], state)[0][:, 0]
        stop = text.index(end) + 1 if end in text else n
        found[text[: stop - (end in text)], end in text] = log_p[:stop].sum()
    return sorted(((text, log_p) for (text, _), log_p in found.items()), key=lambda item: -item[1])


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
@pytest.mark.parametrize("prime", ["", "cab"])
@pytest.mark.parametrize("n", [1, 2, 5])
def test_beam_search_that_keeps_everything_is_brute_force(kernels, cell, prime, n):
    model = random_model(symbols="abc", cell=cell, num_layers=2)
    expected = [(model.vocabulary_.decode(np.array(text)), log_p) for text, log_p in brute_force(model, n, prime)]
    found = model.beam_search(n, prime=prime, beams=3**n + 5)
    assert [text for text, _ in found] == [text for text, _ in expected]
    np.testing.assert_allclose([p for _, p in found], [p for _, p in expected], rtol=1e-9)
    assert math.isclose(sum(math.exp(log_p) for _, log_p in found), 1)
    enough = model.beam_search(n, prime=prime, beams=3 ** (n - 1))  # all beginnings of the last symbol but one
    assert [text for text, _ in enough] == [text for text, _ in expected][: 3 ** (n - 1)]


@pytest.mark.parametrize("forbidden", [(), (1,)])
def test_beam_search_with_a_symbol_that_ends_a_text(forbidden):
    model = random_model(symbols="abc")
    network = PackedNetwork.pack(model._learned.layout, model._learned.params, one_row=False)
    prime = np.zeros(0, np.int32)
    for n in (1, 4):
        expected = brute_force(model, n, end=2, forbidden=forbidden)
        found = beam_search(network, prime, n, 200, end=2, forbidden=forbidden)
        assert [tuple(ids.tolist()) for ids, _ in found] == [text for text, _ in expected]
        np.testing.assert_allclose([p for _, p in found], [p for _, p in expected], rtol=1e-9)
    few = beam_search(network, prime, 30, 3, end=2, forbidden=forbidden)
    assert [log_p for _, log_p in few] == sorted((log_p for _, log_p in few), reverse=True)
    assert len(few) == 3


def test_one_beam_is_the_likeliest_text(dtype):
    model = random_model(dtype)
    ((text, log_p),) = model.beam_search(40, prime="ab", beams=1)
    assert text == model.sample(40, prime="ab", temperature=0)
    score = len("ab" + text) * model.score("ab" + text) - 2 * model.score("ab")
    assert log_p == pytest.approx(score, rel=1e-5)


def test_more_beams_find_no_worse():
    model = random_model("float32")
    best = [model.beam_search(12, beams=beams)[0][1] for beams in (1, 30, 3000)]
    assert best[0] <= best[1] <= best[2]


def test_beams_among_equals_come_in_the_order_of_the_vocabulary():
    model = CharRNN(3, max_steps=0, init_scale=0, random_state=0).fit("cab")
    model._learned.params[:] = 0
    assert [text for text, _ in model.beam_search(2, beams=4)] == ["aa", "ab", "ac", "ba"]
    assert model.beam_search(0) == [("", 0.0)]
    assert len(model.beam_search(1, beams=100)) == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"beams": 0}, r"^beams must be a whole number of at least 1, not 0$"),
        ({"beams": 2.0}, r"^beams must be "),
        ({"n": -1}, r"^n must be a whole number of at least 0, not -1$"),
        ({"n": None}, r"^n must be "),
        ({"prime": "z"}, r"^prime holds 'z'"),
    ],
)
def test_bad_argument_of_beam_search(model, arguments, message):
    with pytest.raises(InvalidInputError, match=message):
        model.beam_search(**arguments)


# --- the command line


@pytest.fixture
def saved(tmp_path, model):
    model.save(tmp_path / "a.crnn")
    return str(tmp_path / "a.crnn")


OPTIONS = [
    (["--top-k", "3"], {"top_k": 3}),
    (["--top-k", "none", "--top-p", "0.5"], {"top_p": 0.5}),
    (["--min-p", "0.4"], {"min_p": 0.4}),
    (["--repetition-penalty", "2"], {"repetition_penalty": 2}),
    (["--stop", "ab", "--stop", "cd"], {"stop": ["ab", "cd"]}),
    (["--forbid", "abz-"], {"logit_bias": {"a": -INF, "b": -INF}}),
]


@pytest.mark.parametrize(("options", "given"), OPTIONS, ids=lambda value: " ".join(value))
def test_options_of_the_command(model, saved, capfdbinary, options, given):
    assert cli.main(["sample", saved, "--seed", "3", "--prime", "ab", "-n", "90", *options]) == 0
    assert capfdbinary.readouterr().out.decode() == model.sample(90, prime="ab", random_state=3, **given) + "\n"
    assert cli.main(["sample", saved, "--seed", "3", "--num-samples", "2", "-n", "90", *options]) == 0
    texts = model.sample(90, num_samples=2, random_state=3, **given)
    assert capfdbinary.readouterr().out.decode() == "\n----\n".join(texts) + "\n"


def test_options_of_the_command_for_a_model_of_bytes(tmp_path, capfdbinary):
    model = random_model(symbols=bytes(range(97, 123)))
    model.save(tmp_path / "b.crnn")
    options = ["--stop", "ab", "--forbid", "xyz\xe9"]
    assert cli.main(["sample", str(tmp_path / "b.crnn"), "--seed", "3", "-n", "90", *options]) == 0
    forbidden = dict.fromkeys([b"x", b"y", b"z"], -INF)
    assert capfdbinary.readouterr().out == model.sample(90, random_state=3, stop=b"ab", logit_bias=forbidden)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--top-k", "0"], "--top-k: top_k must be a whole number of at least 1"),
        (["--top-p", "2"], "--top-p: top_p must be a number from 0 to 1, not 2"),
        (["--min-p", "x"], "--min-p: min_p must be a number from 0 to 1, not 'x'"),
        (["--repetition-penalty", "0"], "--repetition-penalty: repetition_penalty must be a finite number above 0"),
    ],
)
def test_bad_option_of_the_command(saved, capsys, options, message):
    with pytest.raises(SystemExit) as exit_:
        cli.main(["sample", saved, *options])
    assert exit_.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [(["--forbid", SYMBOLS], "logit_bias forbids all 11 symbols"), (["--stop", ""], r"stop[0] is empty")],
)
def test_option_that_the_model_refuses(saved, capsys, options, message):
    assert cli.main(["sample", saved, *options]) == 1
    assert message in capsys.readouterr().err


def test_help_tells_the_controls(capsys):
    with pytest.raises(SystemExit):
        cli.main(["sample", "--help"])
    out = " ".join(capsys.readouterr().out.split())
    for words in (
        "--top-k K",
        "--top-p P",
        "--min-p P",
        "--repetition-penalty X",
        "--stop TEXT",
        "--forbid CHARACTERS",
    ):
        assert words in out
