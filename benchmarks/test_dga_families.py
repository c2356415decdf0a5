"""`benchmarks.dga_families` on a few names."""

import numpy as np

from benchmarks import dga_families


def test_names_are_read_by_their_kind(tmp_path):
    path = tmp_path / "families.csv"
    path.write_text("dga,gozi,morti.com\nlegit,alexa,www.example.org\ndga,ramdo,qx.net\n")
    assert dga_families.read(path) == (["www.example"], {"gozi": ["morti"], "ramdo": ["qx"]})


def test_recalls_at_the_rates_of_false_alarms():
    clean = [str(i) for i in range(100)]  # scores of 0 to 99; the threshold of 1 in 100 is 1
    found = dga_families.recalls(lambda names: np.array(list(map(float, names))), clean, ["0", "0.5", "1", "7"])
    assert found == [0.5, 0.0, 0.0]


def test_a_classifier_of_two_kinds_of_names():
    score = dga_families.classifier(["anna", "hanna", "nina"] * 7, ["xqz", "zqx", "qzxq"] * 5)
    ordinary, generated = score(["annina", "xzq"])
    assert ordinary > 0 > generated
