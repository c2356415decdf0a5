"""Many strings at once: each one's log-probability, to the bit what it is alone."""

import itertools

import numpy as np
import pytest
from examples import bounded, in_turns, packed, random_language_model, reference_state
from hypothesis import given, settings
from hypothesis import strategies as st

from crnn import CharRNN, InvalidInputError
from crnn.inference.network import Use
from crnn.inference.packed_network import PackedNetwork
from crnn.parameters.kinds import CELLS
from crnn.reference.network import string_score
from crnn.scoring.limits import ScoringLimits
from crnn.scoring.string_scores import RecentScores, TextScorer
from crnn.scoring.strings import text_blocks
from crnn.text import file_reader, lines

pytestmark = pytest.mark.usefixtures("seven_cores")

SYMBOLS = "abcdefghijk"
strings = st.lists(st.text(SYMBOLS, max_size=40), max_size=40)


def random_strings(n, longest=30, seed=0, symbols=SYMBOLS):
    rng = np.random.default_rng(seed)
    return ["".join(rng.choice(list(symbols), k)) for k in rng.integers(0, longest + 1, n)]


def scored(model, texts, *, n_threads=1, call_symbols=1 << 15, reduce="sum", errors="strict", **limits):
    """Return `model.score_samples(texts)` with other limits."""
    network = packed(model, use=Use.MANY_STREAMS, symbols=call_symbols)
    options = {"reduce": reduce, "errors": errors, "limits": ScoringLimits(**limits)}
    return TextScorer(network, model.vocabulary_, n_threads, **options).scores(texts)


def reference_score(model, text, reduce="sum"):
    """Return the score of a text by the reference implementation."""
    part, state = reference_state(model)
    end = [] if model.vocabulary_.boundary is None else [model.vocabulary_.boundary]
    ids = np.array([*model.vocabulary_.encode(text).tolist(), *end], np.intp)
    return string_score(part, model.cell, ids, state, reduce)


@pytest.fixture(scope="module")
def model():
    return random_language_model(SYMBOLS)


@pytest.fixture(scope="module")
def ending():
    return bounded(random_language_model("abc\U0010ffff", cell="gru"))


# --- what it is


@in_turns("cell, reduce", itertools.product(CELLS, ["sum", "mean", "min", "scaled", "joint"]))
def test_scores_match_reference(kernels, dtype, cell, reduce):
    model = random_language_model("abcd", cell=cell, num_layers=2, dtype=dtype)
    model = model if cell == "gru" else bounded(model)
    texts = ["", *random_strings(30, symbols="abc")]
    expected = [reference_score(model, text, reduce) for text in texts]
    np.testing.assert_allclose(
        model.score_samples(texts, reduce=reduce), expected, rtol=1e-12 if dtype == "float64" else 1e-5
    )


@pytest.mark.parametrize(("rows", "n_threads"), [(1, 1), (7, 3), (128, 1)])
def test_scores_have_the_bits_of_surprisals_and_states(dtype, n_threads, rows):
    model = bounded(random_language_model(SYMBOLS, dtype=dtype))
    options = {"n_threads": n_threads, "call_symbols": 40, "rows": rows, "min_rows": min(rows, 2)}
    texts = random_strings(50, symbols=SYMBOLS[:-1])
    surprisals = [model.surprisal(text, end=True) for text in texts]
    least, sums = zip(*((-part.max(), -np.cumsum(part)[-1]) for part in surprisals), strict=True)
    np.testing.assert_array_equal(scored(model, texts, reduce="min", **options), least)
    np.testing.assert_array_equal(scored(model, texts, **options), sums)  # `sum` rounds otherwise from Python 3.12 on
    states = [model.start().feed(text[:3]).feed(text[3:]).end() for text in texts]
    assert tuple(state.min_log_prob for state in states) == least
    assert tuple(state.log_prob for state in states) == sums


@pytest.mark.parametrize(("n", "cell"), list(zip([0, 1, 15, 32, 33, 700], itertools.cycle(CELLS), strict=False)))
def test_a_single_string_is_read_by_a_network_for_one_stream_to_the_same_bits(dtype, cell, n, monkeypatch):
    uses = []
    packed_network = CharRNN._network

    def network(model, what, use):
        uses.append(use)
        return packed_network(model, what, use)

    monkeypatch.setattr(CharRNN, "_network", network)
    model = bounded(random_language_model(SYMBOLS, cell=cell, num_layers=2, hidden_size=17, dtype=dtype))
    text = random_strings(1, longest=2000, seed=4, symbols=SYMBOLS[:-1])[0][:n]
    assert len(text) == n
    for reduce in ("sum", "mean", "min"):
        alone, among = (model.score_samples(texts, reduce=reduce) for texts in ([text], [text, "ab", "c" * 50]))
        assert alone.tobytes() == among[:1].tobytes()
    assert uses == [Use.ONE_TEXT, Use.MANY_STREAMS] * 3


# --- bits that do not depend on company


@given(texts=strings, order=st.randoms(use_true_random=False))
@settings(max_examples=25)
def test_scores_do_not_depend_on_order_blocks_or_threads(model, texts, order):
    expected = dict(zip(texts, model.score_samples(texts), strict=True))
    shuffled = order.sample(texts, len(texts)) + order.sample(texts, len(texts) // 2)
    limits = {"block_strings": 7, "block_symbols": 50, "rows": 3, "min_rows": 2}
    scores = scored(model, iter(shuffled), n_threads=3, **limits)
    np.testing.assert_array_equal(scores, [expected[text] for text in shuffled])


def test_one_long_string_among_short_ones():
    model = random_language_model(SYMBOLS, hidden_size=3)
    long = random_strings(1, 0)[0] + "abcdefghij" * 10_000
    scores = model.set_params(n_threads=2).score_samples(["a", "bc", long, ""] + ["def"] * 300)
    assert scores[2] == pytest.approx(len(long) * model.score(long), rel=1e-11)
    np.testing.assert_array_equal(scores[[0, 1, 3, 4]], model.score_samples(["a", "bc", "", "def"]))


def test_a_generator_is_read_block_by_block(model):
    read = []
    texts = (read.append(i) or "a" for i in range(100))
    blocks = text_blocks(texts, model.vocabulary_, name="texts", limits=ScoringLimits(block_strings=10))
    network = packed(model, use=Use.MANY_STREAMS)
    scores = TextScorer(network, model.vocabulary_, 1).blocks(blocks, RecentScores())
    next(scores)
    assert len(read) == 10
    assert sum(map(len, scores)) == 90


@pytest.mark.parametrize("block", [1, 60, 1 << 20])
def test_lines_have_the_scores_of_their_texts(model, tmp_path, monkeypatch, block):
    texts = [text for text in random_strings(60) if text]
    (tmp_path / "lines").write_text("\n".join(texts))
    for module in (file_reader, lines):
        monkeypatch.setattr(module, "BLOCK_SIZE", block)
    scores = model.score_samples(lines.Lines(tmp_path / "lines"))
    np.testing.assert_array_equal(scores, model.score_samples(texts))


@pytest.mark.parametrize("change", [lambda file: file.truncate(30_000), lambda file: file.write("abc\n" * 20_000)])
def test_lines_of_a_changing_file_are_scored_once(model, tmp_path, change):
    path, read = tmp_path / "lines", []
    path.write_text("abc\n" * (1 << 19))

    def changing(line):
        if not read:
            with path.open("a") as file:
                change(file)
        read.append(line)
        return line

    scores = model.score_samples(lines.Lines(path, transform=changing))
    assert len(scores) == len(read) != 1 << 19
    np.testing.assert_array_equal(scores, np.full(len(read), model.score_samples(["abc"])[0]))


def test_batches_are_asked_for_one_by_one():
    model, asked = random_language_model(SYMBOLS), []
    scores = model.score_batches(asked.append(i) or iter([SYMBOLS[i], "", "ab"]) for i in range(3))
    expected = [model.score_samples([SYMBOLS[i], "", "ab"]).tolist() for i in range(3)]
    with model.editing():
        model.params_["by"][:] = 0  # the weights are those at the call
    for i in range(3):
        assert asked == list(range(i))
        assert next(scores).tolist() == expected[i]


def test_no_texts_have_no_scores(model):
    assert model.score_samples([""]).tolist() == [0.0]
    assert model.score_samples([]).shape == (0,)
    assert model.score_samples([]).dtype == np.float64
    assert model.next_proba([]).shape == (0, len(SYMBOLS))


def test_bytes_like_texts_have_the_same_score():
    model = CharRNN(3, max_steps=0, random_state=0).fit(b"\x00\xff\n")
    text = b"\xff\n\x00"
    assert len(set(model.score_samples([text, bytearray(text), memoryview(text[::-1])[::-1]]))) == 1


def test_an_error_on_a_helper_thread_is_raised(model):
    class Failing(PackedNetwork):
        def string_log_likelihoods(self, *arguments, **options):
            raise ZeroDivisionError

    network = Failing(*packed(model, use=Use.MANY_STREAMS))
    with pytest.raises(ZeroDivisionError):
        TextScorer(network, model.vocabulary_, 2).scores(random_strings(1000))


# --- equal strings, and strings that cannot be scored


def test_equal_strings_are_scored_once(model):
    texts = random_strings(30)
    expected = model.score_samples(texts)
    asked = []

    class Counting(PackedNetwork):
        def string_log_likelihoods(self, ids, starts, lengths, *arguments, **options):
            asked.append(len(lengths))
            return super().string_log_likelihoods(ids, starts, lengths, *arguments, **options)

    network = Counting(*packed(model, use=Use.MANY_STREAMS))
    scorer = TextScorer(network, model.vocabulary_, 1, limits=ScoringLimits(block_strings=41))
    np.testing.assert_array_equal(scorer.scores(texts * 5), np.tile(expected, 5))
    assert sum(asked) == len(set(texts))
    again = [scores.tolist() for scores in scorer.batches([texts, texts[::-1]])]
    assert again == [expected.tolist(), expected[::-1].tolist()]
    assert sum(asked) == 2 * len(set(texts))  # nothing is kept from call to call


MISSING = [None, float("nan"), np.float64("nan")]


@pytest.mark.parametrize("errors", ["replace", "skip"])
def test_missing_values_have_no_score(model, errors):
    for missing in MISSING:
        scores = model.score_samples(["ab", missing, "c"], errors=errors, reduce="min")
        np.testing.assert_array_equal(np.isnan(scores), [False, True, False])
        np.testing.assert_array_equal(scores[[0, 2]], model.score_samples(["ab", "c"], reduce="min"))
        with pytest.raises(InvalidInputError, match=r'^X\[1\] must be str, .*, or pass errors="skip"'):
            model.score_samples(["ab", missing])
    with pytest.raises(InvalidInputError, match=r"^X\[1\] must be str, not int"):
        model.score_samples(["ab", 3], errors=errors)


def test_unseen_symbols_are_impossible_or_skipped(model):
    texts = ["ab", "az", "", "zz", "", "c", "bc\ufffd"]
    for reduce in ("sum", "mean", "min"):
        scores = scored(model, texts, errors="replace", reduce=reduce, block_strings=3)
        np.testing.assert_array_equal(np.isneginf(scores), [False, True, False, True, False, False, True])
        skipped = scored(model, texts, errors="skip", reduce=reduce, block_strings=3)
        np.testing.assert_array_equal(skipped, np.where(np.isneginf(scores), np.nan, scores))
        known = [text for text in texts if set(text) <= set(SYMBOLS)]
        np.testing.assert_array_equal(scores[np.isfinite(scores)], model.score_samples(known, reduce=reduce))


def test_bytes_are_decoded_where_errors_are_not_strict():
    model = CharRNN(5, max_steps=0, min_count=2, random_state=0).fit(["aab", "aac", "bb\u00e9\u00e9"])
    texts = [b"ab", "\u00e9".encode(), bytearray(b"a"), memoryview(b"a\xff")]
    expected = model.score_samples(["ab", "\u00e9", "a", "a\ufffd"])
    np.testing.assert_array_equal(model.score_samples(texts, errors="replace"), expected)
    np.testing.assert_array_equal(model.score_samples(texts, errors="skip"), [*expected[:3], np.nan])
    with pytest.raises(InvalidInputError, match=r"^X\[0\] is bytes, but the symbols of this model are characters"):
        model.score_samples(texts)
