"""The exported ARPA file gives the model's own probabilities, read by a few lines of Python and by KenLM."""

import math

import numpy as np
import pytest

from crnn import CharNGram
from crnn.export.arpa_file import _readable

WORDS = ["anna", "hannah", "a b", "ba", "nab", "b", "hannah"] * 3


def arpa(path):
    """Return {n-gram: (log10 p, log10 back-off)} and the numbers of n-grams in the header and in the file."""
    table, header, sizes = {}, [], []
    for line in path.read_text().splitlines():
        if line.startswith("ngram"):
            header.append(int(line.removeprefix(f"ngram {len(header) + 1}=")))
        elif line.endswith("-grams:"):
            sizes.append(0)
        elif "\t" in line:
            p, words, back_off = line.split("\t")
            table[tuple(words.split(" "))] = float(p), float(back_off)
            sizes[-1] += 1
    return table, header, sizes


def log10_p(table, context, word):
    if (*context, word) in table:
        return table[(*context, word)][0]
    return table.get(context, (0, 0))[1] + log10_p(table, context[1:], word)


def score(table, words, order):
    """Return the natural logarithm of the probability of words[1:] after the context words[:1], maybe empty."""
    found = (log10_p(table, tuple(words[max(0, i - order + 1) : i]), words[i]) for i in range(1, len(words)))
    return math.log(10) * sum(found)


@pytest.mark.parametrize("order", [2, 3, 6])
def test_arpa_of_documents_has_the_models_probabilities(tmp_path, order):
    model = CharNGram(order, min_count=2, vocabulary="abnhz ").fit(WORDS)  # no z occurs
    model.export_arpa(tmp_path / "words.arpa", space="_")
    table, header, sizes = arpa(tmp_path / "words.arpa")
    assert header == sizes
    assert len(sizes) == order
    for text in ["anna", "hb", "", "zb a", "na?b"]:
        words = ["<s>", *({" ": "_", "?": "<unk>"}.get(c, c) for c in text), "</s>"]
        expected = model.score_samples([text], errors="replace")[0]
        assert score(table, words, order) == pytest.approx(expected, abs=1e-5 * len(words))


@pytest.mark.parametrize("text", ["to be\nor not", "to|be|\nor", b"to be\xffnot"])
def test_arpa_of_running_text_has_no_sentence_marks(tmp_path, text):
    model = CharNGram(3).fit(text * 3)
    model.export_arpa(tmp_path / "text.arpa")
    table = arpa(tmp_path / "text.arpa")[0]
    marks = {words: numbers for words, numbers in table.items() if "<s>" in words or "</s>" in words}
    assert marks == {("<s>",): (-99, 0), ("</s>",): (-99, 0)}
    if isinstance(text, bytes):
        words = [f"{byte:02x}" for byte in text]
    else:
        words = [{" ": "|", "\n": "<U+000A>"}.get(c, c) for c in text]
    assert score(table, ["", *words], 3) == pytest.approx(model.score_samples([text])[0], abs=1e-4)


@pytest.mark.parametrize("order", [1, 7])
def test_orders_that_kenlm_does_not_read(tmp_path, order):
    with pytest.warns(UserWarning, match=r"order=6"):
        CharNGram(order).fit("abc" * 9).export_arpa(tmp_path / "a.arpa")


@pytest.mark.parametrize(("symbol", "shown"), [
    ("a", "a"), ("\x1f", "<U+001F>"), ("\x85", "<U+0085>"), ("\u3000", "<U+3000>"), ("\ud7ff", "\ud7ff"),
    ("\ud800", "<U+D800>"), ("\udfff", "<U+DFFF>"), ("\ue000", "\ue000"), (b"\x0a", "0a"),
])  # fmt: skip
def test_tokens_can_be_written_and_have_no_space(symbol, shown):
    assert _readable(symbol) == shown


@pytest.mark.peers
@pytest.mark.parametrize("order", [2, 3, 4, 5, 6])
def test_kenlm_agrees(tmp_path, order):
    kenlm = pytest.importorskip("kenlm")
    rng = np.random.default_rng(0)
    texts = ["".join(rng.choice(list("abcde f"), 9)) for _ in range(300)]
    path = tmp_path / "texts.arpa"
    model = CharNGram(order, min_count=2).fit([*texts, "é"])
    model.export_arpa(path)
    reader = kenlm.Model(str(path))
    for text in ["abc de", "", "xbx c", "ffffff", *texts[:20]]:
        words = " ".join(text.replace(" ", "|"))
        expected = model.score_samples([text], errors="replace")[0]
        assert math.log(10) * reader.score(words) == pytest.approx(expected, abs=1e-4 * (len(text) + 1))
    running = CharNGram(order).fit(" ".join(texts))
    running.export_arpa(path)
    found = kenlm.Model(str(path)).score("a b c | d e", bos=False, eos=False)
    assert math.log(10) * found == pytest.approx(running.score_samples(["abc de"])[0], abs=6e-4)
