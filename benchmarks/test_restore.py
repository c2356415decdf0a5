"""Does `benchmarks.restore` measure what it says?"""

import itertools
import random

from benchmarks import restore
from crnn import CharNGram

TEXT = "The function returns a list of strings. Été à la mer, déjà vu.\n" * 20


def test_damage_and_measures():
    texts = restore.held_out_texts(TEXT, 900)
    assert "\n".join(texts) == TEXT[:900].rstrip("\n")
    assert max(map(len, texts)) <= restore.LENGTH
    damaged = [restore.with_typos(text, 0.2, random.Random(0)) for text in texts]
    assert restore.share_fixed(texts, damaged, texts) == "1.000 fixed, 0.0000 broken"
    assert restore.share_fixed(texts, damaged, damaged) == "0.000 fixed, 0.0000 broken"
    assert restore.boundaries("a bc d") == {1, 3}
    assert restore.accents("Été") == {(0, "É"), (2, "é")}


def test_scans_are_damaged_and_measured():
    page = " ".join("".join(letters) for letters in itertools.product("modern", "clif", "hst", "alone", "aeiou"))
    scans = [restore.scanned(page, random.Random(0))]
    assert set(scans[0][1].values()) == set(restore.SCANS)
    assert restore.shares_of_scans([page], scans, [page]) == {"wrong": 0, "broken": 0} | dict.fromkeys(restore.SCANS, 1)
    shares = restore.shares_of_scans([page], scans, [scans[0][0]])
    assert 0.05 < shares.pop("wrong") < 0.2
    assert set(shares.values()) == {0}


def test_every_baseline_and_model_restores_what_it_has_learned():
    model = CharNGram(7).fit(TEXT)
    texts = [TEXT.split("\n")[0]] * 2
    for name, damaged, arguments, measure, baselines in restore.tasks(TEXT, texts):
        if not name.startswith("typos"):
            assert model.restore(damaged, prime="\n", **arguments) == texts
        for baseline in baselines.values():
            assert measure(baseline(damaged)) > measure(damaged) or name.startswith(("typos", "clean"))
