"""The benchmark of malware domains on lists made for it."""

import numpy as np
import pytest

from benchmarks import dga_families


def test_rates_are_of_the_clean_names():
    clean = [str(i) for i in range(1000)]
    assert dga_families.recalls(lambda names: np.array(names, float), clean, ["-1", "5", "500"]) == [
        2 / 3,
        1 / 3,
        1 / 3,
    ]


@pytest.mark.filterwarnings("ignore::UserWarning")  # so few names
def test_every_family_has_a_row(tmp_path, monkeypatch, capsys):
    top, families = tmp_path / "top.csv", tmp_path / "families.csv"
    names = [a + b + a for a in "abcdefgh" for b in "ijkl"]
    top.write_text("".join(f"{i},{name}.org\n" for i, name in enumerate(names)))
    families.write_text("".join(f"{kind},{kind}{i % 2},x{i}z.net\n" for kind in ("dga", "legit") for i in range(8)))
    monkeypatch.setattr("sys.argv", ["dga_families", str(top), str(families)])
    dga_families.main()
    rows = capsys.readouterr().out.splitlines()
    assert [row.split()[0] for row in rows[-2:]] == ["dga0", "dga1"]
    assert [row.count("|") for row in rows[1:4]] == [5, 5, 5]
