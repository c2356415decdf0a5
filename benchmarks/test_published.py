"""The split and the tables of `benchmarks.published`, on small texts."""

import pytest

import crnn
from benchmarks import published
from benchmarks.published import Split

TEXT = "to be or not to be, that is the question; " * 200
SPLIT = Split(TEXT[:6000], TEXT[6000:7000], TEXT[7000:])


def test_each_row_of_the_text_is_cut_into_three_parts():
    content = b"".join(bytes([65 + i % 7]) * 32_500 for i in range(100)) + b"rest"
    split = published.paper_split(content)
    assert [len(part) for part in split] == [2_600_000, 320_000, 330_000]
    assert split.test[3299:3301] == "AB"  # 33 chunks of each row
    assert split.training[26_000] == "B"


def test_refuses_another_text(tmp_path):
    path = tmp_path / "book.txt"
    path.write_bytes(b"another book")
    with pytest.raises(SystemExit, match="would not compare"):
        published.read("warpeace", path)


def test_other_splits(tmp_path):
    path = tmp_path / "text8"
    path.write_text("a" * 90 + "b" * 5 + "c" * 5, encoding="utf-8")
    assert published.read("text8", path) == ("a" * 90, "b" * 5, "c" * 5)
    for part in ("train", "valid", "test"):
        (tmp_path / f"ptb.char.{part}.txt").write_text(" " + " ".join(part) + " \n", encoding="utf-8")
    assert published.read("ptb", tmp_path) == ("train\n", "valid\n", "test\n")


def test_usual_splits_have_no_validation_part(tmp_path):
    path = tmp_path / "text"
    path.write_text("ab" * 50, encoding="utf-8")
    assert published.read("text", path) == ("ab" * 45, "", "ab" * 5)


def test_rows():
    columns = published.HEAD[0].count("|")
    mixture = crnn.train(SPLIT.training, 0.3, verbose=0, random_state=0, hidden_size=8)
    few = [*published.ngrams(SPLIT, (1, 3)), *published.mixtures(SPLIT, [mixture], 0.3)]
    mixed = [*published.orders(SPLIT, mixture.models_[0])]
    assert {line.count("|") for line in few + mixed} == {columns}
    assert len(mixed) == len(published.MIXED_ORDERS)
    first, third, *_, adapting = (float(line.split("|")[-3]) for line in few)
    assert first > third > adapting
