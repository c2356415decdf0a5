"""What a type checker says of a text is what it is: mypy reads this file, and the tests run it."""

from typing import assert_type

from crnn import CharRNN
from crnn.restoring.restorer import Restored

MODEL = CharRNN(3, max_steps=0, random_state=0).fit("abab")
BYTES = CharRNN(3, max_steps=0, random_state=0).fit(b"abab")


def test_sample_is_of_the_type_of_the_prime() -> None:
    text = MODEL.sample(5, temperature=0.5)
    assert type(assert_type(text, str)) is str
    text = MODEL.sample(prime="ab", n_samples=1, random_state=0)
    assert type(assert_type(text, str)) is str
    raw = BYTES.sample(5, prime=b"", top_k=1)
    assert type(assert_type(raw, bytes)) is bytes


def test_several_samples_are_a_list() -> None:
    texts = MODEL.sample(5, n_samples=3, unique=True)
    assert [type(text) for text in assert_type(texts, list[str])] == [str] * 3
    raws = BYTES.sample(5, prime=b"a", n_samples=2)
    assert [type(raw) for raw in assert_type(raws, list[bytes])] == [bytes] * 2


def test_a_prime_of_either_type_gives_either_type() -> None:
    for model, prime in ((MODEL, "ab"), (BYTES, b"ab")):
        text = model.sample(5, prime=prime)
        assert type(assert_type(text, str | bytes)) is type(prime)


def test_stream_gives_characters_of_the_type_of_the_prime() -> None:
    characters = list(MODEL.stream(3, stop=["c"]))
    assert [type(c) for c in assert_type(characters, list[str])] == [str] * 3
    values = list(BYTES.stream(3, prime=b""))
    assert [type(value) for value in assert_type(values, list[bytes])] == [bytes] * 3


def test_beam_search_gives_texts_of_the_type_of_the_prime() -> None:
    (text, log_prob), *_ = MODEL.beam_search(2)
    assert type(assert_type(text, str)) is str
    assert type(assert_type(log_prob, float)) is float
    (raw, _), *_ = BYTES.beam_search(2, prime=b"a")
    assert type(assert_type(raw, bytes)) is bytes


def test_restore_gives_texts_of_the_type_of_the_damaged_ones() -> None:
    assert type(assert_type(MODEL.restore("A", case=True), str)) is str
    assert type(assert_type(BYTES.restore(b"A", case=True), bytes)) is bytes
    assert type(assert_type(MODEL.restore(["A", "b"], case=True), list[str])) is list
    assert type(assert_type(BYTES.restore([b"A"], case=True), list[bytes])) is list
    assert type(assert_type(MODEL.restore("A", case=True, changes=True), Restored)) is Restored
    (restored,) = assert_type(MODEL.restore(["A"], case=True, changes=True), list[Restored])
    assert type(restored) is Restored
