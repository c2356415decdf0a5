"""Many short strings: the command's tables at a small size, and the peer's scores."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import short_strings


def test_strings() -> None:
    drawn = short_strings.strings(700)
    assert {len(text) for text in drawn} == set(range(10, 21))
    assert set("".join(drawn)) == set(short_strings.ALPHABET)
    assert len(set(drawn)) == 700
    assert drawn == short_strings.strings(700) != short_strings.strings(700, seed=1)


def test_stages() -> None:
    lines = short_strings.profile(5, 97)
    names = [line.split("|")[1].strip() for line in lines[2:]]
    assert names[0] == "reading the file"
    assert names[-1] == "the whole call"
    shares = np.array([[float(cell.rstrip("% ")) for cell in line.split("|")[3:6:2]] for line in lines[2:]])
    assert shares[-1].tolist() == [100, 100]
    assert (shares[:-1].sum(axis=0) > 99).all()  # more where a stage alone takes longer than in the whole


@pytest.mark.peers
def test_the_peer_scores_alike() -> None:
    pytest.importorskip("torch")
    from benchmarks.peers.torch_documents import TorchDocuments

    model, texts = short_strings.fresh(7), [*short_strings.strings(53), ""]
    expected = model.score_samples(texts)
    for at_a_time in (5, 256):
        found = TorchDocuments(model, 1).score_packed(texts, at_a_time)
        np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    short_strings.main(["--small"])
    out = capsys.readouterr().out
    for row in ("encoding", "logits and softmax of 65 symbols", "LSTM 16, crnn, int8", 'LSTM 16, reduce="min"'):
        assert out.count(f"| {row} |") == 1
