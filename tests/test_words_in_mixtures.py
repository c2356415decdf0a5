"""Counts of words as a member of a mixture, in every method that samples, scores, trains or saves."""

import copy
import io
import itertools
import pickle
import re

import numpy as np
import pytest
from examples import saved
from texts import LONG_TEXT as TEXT

from crnn import CharNGram, CharRNN, InvalidInputError, Mixture, ModelFileError
from crnn.cli import main as cli
from crnn.files import model_file
from crnn.inference.mixed_network import letters_of
from crnn.inference.network import Context, Use, log_softmax
from crnn.mixing import member_training, weights_fit
from crnn.ngram.longest_match import MatchNetwork
from crnn.sampling.controls import CheckedControls, Uniforms, root
from crnn.sampling.symbol_draws import NetworkDraws, PythonDraws, symbol_draws
from crnn.sampling.text_sampler import TextSampler
from crnn.text import held_out as held_out_module

VERSES = [
    f"{a} {b} {c}" for a, b, c in itertools.product(["an", "on", "no"], ["Nan", "o", "ann"], ["nan.", "no", "a a"])
]
PLACES = np.array([[0.5, 0.2, 0.6], [0.1, 0.9, 0.3], [0.3, 0.4, 0.2], [0.0, 0.2, 0.7]])
# No fit gives such weights of counts, but nothing that draws, scores or searches may depend on their signs.
ANY_SIGN = np.array([[0.9, -0.2, 0.6], [0.7, 0.9, -0.3], [0.1, -0.2, 0.5], [1.2, -0.3, 0.0]])


def novel(n=3000):
    """Return a text whose words follow from the words before, in upper or lower case at random."""
    rng = np.random.default_rng(0)
    known = ["".join(rng.choice(list("etaoin"), 4)) for _ in range(13)]
    word = 0
    words = []
    for _ in range(n):
        word = (3 * word + 1) % 13 if rng.random() < 0.9 else int(rng.integers(13))
        words.append(known[word].upper() if rng.random() < 0.5 else known[word])
    return " ".join(words)


NOVEL = novel()


def mixture(X=TEXT, **given):
    """Return a mixture with words, with weights of its own for each number of letters."""
    parameters = {"max_steps": 30, "dtype": "float64", "random_state": 0, **given}
    found = Mixture([CharRNN(5, **parameters), CharNGram(3)], words=True).fit(X, validation=X[:90])
    found.weights_ = PLACES
    return found


@pytest.fixture(scope="module")
def mixed():
    return mixture()


@pytest.fixture(scope="module")
def poet():
    return mixture(VERSES)


@pytest.fixture(scope="module", params=[PLACES, ANY_SIGN], ids=["weights from 0", "weights of any sign"])
def every_weight(request):
    return request.param


@pytest.fixture(scope="module")
def weighted(mixed, every_weight):
    """Return the mixture of a text with the given weights."""
    return mixed._with_attributes(weights_=every_weight)


@pytest.fixture(scope="module")
def weighted_poet(poet, every_weight):
    """Return the mixture of documents with the given weights."""
    return poet._with_attributes(weights_=every_weight)


def members_rows(model, text):
    """Return the logits of each member before each symbol of a text and after it, (K, n + 1, V), without mixing."""
    network, vocabulary = model._network("test", use=Use.ONE_STREAM)
    ids = vocabulary.encode(text).astype(np.int32)
    rows = []
    for member in network.members:
        state = member.start()
        of_member = []
        for i in range(len(ids) + 1):
            of_member.append(log_softmax(member.logits_after(state)[:, : len(vocabulary)])[0])
            member.feed(ids[i : i + 1, None], state)
        rows.append(of_member)
    return np.array(rows)


def log_p_of(model, text):
    """Return the mixture's log-probabilities (n + 1, V), from its members' log-probabilities."""
    rows = members_rows(model, text)
    n_letters = [min(3, len(re.search(r"\w*$", text[:i])[0])) for i in range(len(text) + 1)]
    y = np.einsum("nk,knv->nv", model.weights_[n_letters], rows)
    return log_softmax(y)


def test_probabilities_are_the_normalized_product(weighted):
    assert weighted.members_ == ["network", "counts", "words"]
    text = TEXT[:90]
    expected = log_p_of(weighted, text)
    prefixes = [text[:i] for i in range(91)]
    found = weighted.next_proba(prefixes)
    np.testing.assert_allclose(np.log(found), expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-12)
    of_text = expected[np.arange(90), weighted.vocabulary_.encode(text)]
    np.testing.assert_allclose(weighted.surprisal(text), -of_text, rtol=1e-9, atol=1e-12)
    assert weighted.score(text) == pytest.approx(of_text.mean())
    assert weighted.score(text * 99, exact=False) == pytest.approx(weighted.score(text * 99), abs=1e-3)
    state = weighted.start(text[:31])
    for piece in ("", text[31:32], text[32:90]):
        state.feed(piece)
    np.testing.assert_allclose(np.log(state.next_proba()), expected[-1], rtol=1e-9)
    assert weighted.without_words().score(text) != weighted.score(text)


def test_documents_are_enumerated_as_by_brute_force(weighted_poet):
    """Every document of at most three symbols, each scored alone."""
    documents = ["".join(letters) for n in range(4) for letters in itertools.product("an o.N", repeat=n)]
    scores = weighted_poet.score_samples(documents)
    for document, score in zip(documents[::37], scores[::37], strict=True):
        rows = log_p_of(weighted_poet, document)
        ids = [*weighted_poet.vocabulary_.encode(document), weighted_poet.vocabulary_.boundary]
        assert score == pytest.approx(rows[np.arange(len(ids)), ids].sum())
    found = weighted_poet.enumerate_documents(701)
    assert len(found.documents) > 100
    np.testing.assert_allclose(found.log_probs, weighted_poet.score_samples(found.documents), rtol=1e-9)
    likely = {document for document, score in zip(documents, scores, strict=True) if score > found.bound + 1e-9}
    assert len(likely) > 9
    assert likely == {document for document in found.documents if len(document) <= 3} & likely
    short = weighted_poet.enumerate_documents(30, matching="[an]{1,3}")
    expected = sorted((d for d in documents if re.fullmatch("[an]{1,3}", d)), key=lambda d: -scores[documents.index(d)])
    assert short.documents == expected[:30]


def test_matches_are_drawn_in_proportion_to_their_probability(weighted_poet):
    documents = ["a", "n", "aa", "an", "na", "nn"]
    p = np.exp(weighted_poet.score_samples(documents))
    p /= p.sum()
    n = 2000
    drawn = weighted_poet.sample(n_samples=n, matching="[an]{1,2}", random_state=1)
    shares = np.array([drawn.count(document) for document in documents]) / n
    assert (np.abs(shares - p) < 4 * np.sqrt(p * (1 - p) / n) + 1e-9).all()


def test_beams_find_the_most_probable(weighted):
    (best, log_p), *_ = weighted.beam_search(2, prime="to b", n_beams=400)
    every = [a + b for a, b in itertools.product(weighted.vocabulary_, repeat=2)]
    scores = weighted.score_samples(["to b" + text for text in every]) - weighted.score_samples(["to b"])
    assert best == every[int(scores.argmax())]
    assert log_p == pytest.approx(scores.max())


def test_gaps_are_filled_as_by_brute_force(weighted_poet):
    every = [f"n{a}{b}an" for a, b in itertools.product("an o.N", repeat=2)]
    best = every[int(weighted_poet.score_samples(every).argmax())]
    assert weighted_poet.restore(["n__an"], gaps="_", n_beams=500) == [best]


def test_the_probability_of_a_match_is_the_sum_of_those_of_its_texts(weighted_poet):
    documents = ["".join(letters) for n in range(4) for letters in itertools.product("an", repeat=n)]
    total = np.exp(weighted_poet.score_samples(documents)).sum()
    found = weighted_poet.match_probability("[an]{0,3}")
    assert found == pytest.approx((total, total, total))


def test_guess_numbers_are_those_of_the_most_probable_documents(weighted_poet):
    likeliest = weighted_poet.enumerate_documents(150)
    ranks = np.arange(1, 151)
    chosen = slice(2, 150, 7)
    found = weighted_poet.guess_number(likeliest.documents[chosen], n_samples=20_000, random_state=0)
    np.testing.assert_allclose(found.estimate, ranks[chosen], rtol=0.2)
    assert ((found.lower <= ranks[chosen]) & (ranks[chosen] <= found.upper)).mean() > 0.85


def test_typos_are_mended_as_by_brute_force(weighted_poet):
    """The most probable document of those that differ by one letter, which are equally probable typos."""
    among = [f"no {letter} an" for letter in "ao.N"]
    best = among[int(weighted_poet.score_samples(among).argmax())]
    assert weighted_poet.restore(["no n an"], typos=0.05, among=among) == [best]


@pytest.mark.parametrize("n_threads", [1, 2, 3])
def test_results_do_not_depend_on_the_threads(weighted, n_threads):
    other = weighted._with_attributes(n_threads=n_threads)
    texts = [TEXT[i : i + 31] for i in range(0, 700, 7)]
    np.testing.assert_array_equal(other.score_samples(texts), [weighted.score_samples([text])[0] for text in texts])
    assert other.score(TEXT * 9, exact=False) == weighted.score(TEXT * 9, exact=False)
    assert other.sample(31, n_samples=200, random_state=3) == weighted.sample(31, n_samples=200, random_state=3)


def test_the_same_text_is_drawn_at_once_and_in_pieces(weighted):
    assert "".join(itertools.islice(weighted.stream(200, random_state=3), 200)) == weighted.sample(200, random_state=3)


@pytest.mark.parametrize("adapt", [True, "counts"])
def test_all_members_follow_a_text_and_others_join(mixed, adapt):
    text = "to bee or nut to bee. " * 9
    state = mixed.start(adapt=adapt)
    for i in range(0, len(text), 13):
        state.feed(text[i : i + 13])
    assert state.log_prob == pytest.approx(mixed.score(text, adapt=adapt) * len(text))
    assert state.log_prob > mixed.score(text) * len(text)
    network = state._reading.network
    assert len(network.members) == network.weights.shape[1] == 5
    for other in (copy.copy(state), pickle.loads(pickle.dumps(state))):
        np.testing.assert_array_equal(other.next_proba(), state.next_proba())
        assert other.feed("to be").log_prob == copy.copy(state).feed("to be").log_prob
        assert other.sample(20, random_state=0) == copy.copy(state).feed("to be").sample(20, random_state=0)


@pytest.mark.parametrize("adapt", [True, "counts"])
@pytest.mark.parametrize(
    "controls", [{}, {"temperature": 0.5}, {"top_k": 2, "repetition_penalty": 1.3, "stop": ["be"]}]
)
def test_states_that_adapt_draw_in_the_compiled_loop(mixed, adapt, controls):
    state = mixed.start(adapt=adapt).feed("to bee or nut to bee. " * 9)
    network = state._reading.network
    context = Context(state._reading.state, np.zeros(network.symbols, np.bool_))
    checked = CheckedControls.check(mixed.vocabulary_, controls)

    def drawn(draws):
        made = draws(network, context, Uniforms(root(5), range(7)), checked)
        return TextSampler(made, 67, checked.stops).run(), type(made)

    (found, of_found), (expected, _) = drawn(symbol_draws), drawn(PythonDraws)
    assert of_found is NetworkDraws
    np.testing.assert_array_equal(found.lengths, expected.lengths)
    np.testing.assert_array_equal(found.ids, expected.ids)
    last = network.members[-1]
    assert isinstance(last, MatchNetwork)
    assert last.logits_after(context.state[-2]).any()


# ---------------------------------------------------------------- fitting


@pytest.fixture
def long_enough(monkeypatch):
    monkeypatch.setattr(held_out_module, "MIN_LENGTH", 1000)
    monkeypatch.setattr(held_out_module, "HELD_OUT_EVERY", 10)
    monkeypatch.setattr(member_training, "MIN_HELD_OUT_OF_WORDS", 500)


def models(**given):
    return [CharRNN(5, max_steps=20, random_state=0, **given), CharNGram(3)]


def test_words_join_if_they_help(long_enough):
    found = Mixture(models()).fit(NOVEL)
    assert found.members_ == ["network", "counts", "words"]
    assert found.weights_.shape == (4, 3)
    np.testing.assert_allclose(found.weights_.sum(axis=1), 1)
    plain = Mixture(models(), words=False).fit(NOVEL)
    assert plain.members_ == ["network", "counts"]
    without = found.without_words()
    np.testing.assert_array_equal(without.weights_, plain.weights_)
    assert without.score(NOVEL) == plain.score(NOVEL)
    assert saved(without.models_[1]) == saved(plain.models_[1])


def test_words_that_gain_too_little_are_left_out(long_enough, monkeypatch):
    monkeypatch.setattr(weights_fit, "MIN_GAIN_OF_WORDS", 9.0)
    assert Mixture(models()).fit(NOVEL).members_ == ["network", "counts"]
    assert Mixture(models(), words=True).fit(NOVEL).members_ == ["network", "counts", "words"]


def test_words_are_learned_from_the_training_part_alone(long_enough, monkeypatch):
    counted = []
    of = member_training.WordCounts.of
    monkeypatch.setattr(
        member_training.WordCounts,
        "of",
        lambda ids, vocabulary, memory: counted.append(vocabulary.decode(ids)) or of(ids, vocabulary, memory),
    )
    Mixture(models()).fit(NOVEL)
    split = held_out_module.split_held_out(NOVEL)
    assert counted == [split.X]
    assert split.held_out is not None


@pytest.mark.parametrize(
    "X", [NOVEL.replace(" ", ""), NOVEL.split(), NOVEL[:1500]], ids=["no spaces", "words", "short"]
)
def test_some_texts_have_no_words_to_count(long_enough, monkeypatch, X):
    monkeypatch.setattr(member_training.WordCounts, "of", None)
    assert Mixture(models()).fit(X).members_ == ["network", "counts"]


REASONS = [
    ({"weights": [1, 1]}, {}, "weights is given"), ({}, {"y": [0, 1] * 13 + [0]}, "y is given"),
    ({}, {"sample_weight": [1] * 27}, "sample_weight is given"),
    ({"models": [CharRNN(3)]}, {}, "models has no CharNGram"),
    ({"models": [CharNGram(1)] * 64}, {}, "models has 64 models already"),
]  # fmt: skip


@pytest.mark.parametrize(("parameters", "arguments", "reason"), REASONS, ids=[reason for *_, reason in REASONS])
def test_words_are_refused_with_what_rules_them_out(long_enough, parameters, arguments, reason):
    unfitted = Mixture(**{"models": models(), "words": True, **parameters})
    with pytest.raises(InvalidInputError, match=f"^words is True, but {reason}"):
        unfitted.fit(VERSES, **arguments)
    assert not hasattr(unfitted, "models_")
    unfitted.set_params(words="auto")
    if len(unfitted.models) == 2:
        assert unfitted.fit(VERSES, **arguments).members_ == ["network", "counts"]


@pytest.mark.parametrize("words", ["yes", 1, None, np.True_, "Auto"])
def test_words_must_be_true_false_or_auto(words):
    with pytest.raises(InvalidInputError, match=r"^words is .*\. Pass True, False or 'auto'\."):
        Mixture(models(), words=words).fit(TEXT)


def test_without_a_held_out_part_the_weights_are_equal():
    found = Mixture(models(), words=True).fit(TEXT)
    assert found.weights_.tolist() == [1 / 3] * 3
    assert found.without_words().weights_.tolist() == [0.5, 0.5]


def test_weights_are_fitted_with_and_without_words():
    found = mixture()
    plain = Mixture.from_fitted(found.models_).fit_weights(TEXT[300:900])
    found.fit_weights(TEXT[300:900])
    assert found.weights_.shape[-1] == 3
    np.testing.assert_array_equal(found.without_words().weights_, plain.weights_)
    assert found.score(TEXT[300:900]) >= plain.score(TEXT[300:900])


def test_training_goes_on_with_the_same_words(mixed):
    before = mixed.score(TEXT)
    found = copy.deepcopy(mixed).partial_fit(TEXT[:300])
    assert found.members_ == mixed.members_
    assert found._words.counts.same_as(mixed._words.counts)
    np.testing.assert_array_equal(found.weights_, mixed.weights_)
    fitted = copy.deepcopy(mixed).partial_fit(TEXT[:300], validation=TEXT[:200])
    assert fitted.weights_.shape[-1] == 3
    assert fitted.weights_.tolist() != mixed.weights_.tolist()
    adapted = mixed.adapt("to bee or nut " * 5)
    assert adapted.members_ == mixed.members_
    assert adapted.score("to bee or nut ") > mixed.score("to bee or nut ")
    assert mixed.score(TEXT) == before


def stopping(step):
    """Return a callback that interrupts training after a step."""

    def interrupt(model, record):
        if record["step"] >= step:
            raise KeyboardInterrupt

    return interrupt


@pytest.mark.parametrize("words", ["auto", True])
def test_a_resumed_fit_ends_as_if_it_had_not_been_interrupted(long_enough, tmp_path, words, monkeypatch):
    path = tmp_path / "run.crnn"
    parameters = {"max_steps": 60, "eval_every": 10, "random_state": 0}
    expected = Mixture([CharRNN(5, **parameters), CharNGram()], words=words).fit(NOVEL)
    stopped = Mixture([CharRNN(5, **parameters, callbacks=[stopping(20)]), CharNGram()], words=words)
    with pytest.raises(KeyboardInterrupt):
        stopped.fit(NOVEL, checkpoint=path, checkpoint_every=7)
    assert stopped.members_ == Mixture.load(path).members_ == ["network", "counts"]
    monkeypatch.setattr(member_training.WordCounts, "of", None)  # the words are in the file
    found = Mixture.resume(path, NOVEL)
    assert found.members_ == expected.members_ == ["network", "counts", "words"]
    assert found.words == words
    np.testing.assert_array_equal(found.weights_, expected.weights_)
    assert found.score(NOVEL) == expected.score(NOVEL)
    for again in (Mixture.resume(path, NOVEL), Mixture.load(path)):
        assert again.score(NOVEL) == expected.score(NOVEL)
        np.testing.assert_array_equal(again.without_words().weights_, expected.without_words().weights_)


def test_a_resumed_partial_fit_keeps_the_words(tmp_path):
    path = tmp_path / "run.crnn"
    first = mixture()
    expected = copy.deepcopy(first).partial_fit(TEXT[:300], epochs=3)
    first.models_[0].set_params(callbacks=[stopping(expected.models_[0].n_steps_ - 9)], eval_every=1)
    with pytest.raises(KeyboardInterrupt):
        first.partial_fit(TEXT[:300], epochs=3, checkpoint=path)
    assert first.members_ == Mixture.load(path).members_ == ["network", "counts", "words"]
    found = Mixture.resume(path, TEXT[:300])
    assert found.score(TEXT) == expected.score(TEXT)


# ---------------------------------------------------------------- files


def test_files_pickles_and_copies_have_the_same_words(mixed, tmp_path):
    mixed.save(tmp_path / "model.crnn")
    for other in (Mixture.load(tmp_path / "model.crnn"), pickle.loads(pickle.dumps(mixed)), copy.deepcopy(mixed)):
        assert other.members_ == mixed.members_
        assert other.score(TEXT) == mixed.score(TEXT)
        assert other.sample(50, random_state=1) == mixed.sample(50, random_state=1)
        np.testing.assert_array_equal(other.without_words().weights_, mixed.without_words().weights_)
        assert saved(other) == saved(mixed)
    assert "counts of words" in mixed._repr_html_()


def crafted(mixed, **other):
    """Return a stream with the mixture's file, with some of its contents exchanged."""
    stored = model_file.read_mixture(io.BytesIO(saved(mixed)))
    words = {**stored.words, **other.pop("arrays", {})}
    return io.BytesIO(model_file.mixture_bytes(stored._replace(**{"words": words, **other})))


@pytest.mark.parametrize(("other", "message"), [
    ({"arrays": {"keys": np.zeros(3, np.uint8)}}, "the counts of words are damaged: the contexts have no keys"),
    ({"arrays": {"base": np.ones(3)}}, "its counts of words have 3 symbols, its models "),
    ({"arrays": {"shares": np.zeros(3, np.uint8)}}, "the counts of words are damaged: the contexts have no symbols"),
    ({"weights_without_words": -np.ones(2)}, "its weights_without_words must be numbers from 0"),
    ({"weights_without_words": np.ones((4, 2)), "weights": np.ones((4, 2))}, r"its tensor 'weights'"),
    ({"weights_without_words": np.ones(3)}, "its tensor 'weights_without_words'"),
    ({"words": None}, "its tensor 'weights'|no tensor|has a tensor"),
], ids=str)  # fmt: skip
def test_refuses_crafted_files(mixed, other, message):
    with pytest.raises(ModelFileError, match=f"({message})"):
        Mixture.load(crafted(mixed, **other))


def test_words_without_counts_or_with_labels_are_refused(mixed):
    stored = model_file.read_mixture(io.BytesIO(saved(mixed)))
    network = stored.parts[0]
    content = model_file.mixture_bytes(stored._replace(parts=[network, network]))
    with pytest.raises(ModelFileError, match="its counts of words need a CharNGram without labels"):
        Mixture.load(io.BytesIO(content))


def test_a_model_fitted_on_other_symbols_is_refused():
    found = mixture()
    for model in found.models_:
        model.fit("abc" * 99)
    with pytest.raises(
        InvalidInputError, match=r"other symbols than the mixture's counts of words\. Use without_words"
    ):
        found.score("abc")
    assert found.without_words().score("abc") < 0


@pytest.mark.parametrize("ending", ["js", "c", "html"])
def test_the_command_exports_words_unless_it_prunes(mixed, tmp_path, capsys, ending):
    mixed.save(tmp_path / "model.crnn")
    assert cli.main(["info", str(tmp_path / "model.crnn")]) == 0
    row = r"words +weight 0\.600/0\.300/0\.200/0\.700, counts of words, [0-9,]+ n-grams"
    assert re.search(row, capsys.readouterr().out)
    path = tmp_path / f"page.{ending}"
    assert cli.main(["export", str(tmp_path / "model.crnn"), str(path)]) == 0
    assert "leaves" not in capsys.readouterr().err
    assert "Counts of words" in path.read_text(encoding="utf-8")
    assert cli.main(["export", str(tmp_path / "model.crnn"), str(path), "--max-bytes", "2k"]) == 0
    assert "crnn: --max-bytes leaves the counts of words out" in capsys.readouterr().err
    assert "Counts of words" not in path.read_text(encoding="utf-8")


def test_a_quantized_mixture_keeps_its_words_and_rounds_its_models(mixed, poet):
    for found, text in ((mixture(dtype="float32"), TEXT[:500]), (mixture(VERSES, dtype="float32"), VERSES)):
        small = found.quantize()
        assert small.members_ == found.members_
        assert small.models_[0].scales_ is not None
        assert abs(small.score(text) - found.score(text)) < 0.05
        assert small.score(text) != found.score(text)
        assert small.quantize().score(text) == small.score(text)
    with pytest.raises(InvalidInputError, match="dtype='float32'"):
        mixed.quantize()


def test_the_command_trains_a_mixture_with_words(long_enough, tmp_path, capsys, monkeypatch):
    (tmp_path / "text.txt").write_text(NOVEL, encoding="utf-8")
    model = str(tmp_path / "model.crnn")
    monkeypatch.setattr(weights_fit, "MIN_GAIN_OF_WORDS", -9.0)
    assert cli.main(["train", str(tmp_path / "text.txt"), "-o", model, "--time", "0.5s", "--random-state", "0"]) == 0
    assert ", counts and words, weights " in capsys.readouterr().err
    assert Mixture.load(model).members_ == ["network", "counts", "words"]


def test_letters_of_the_mixture_are_those_of_the_words(mixed):
    np.testing.assert_array_equal(mixed._words.counts.arrays["letters"], letters_of(mixed.vocabulary_)[:-1])
