"""The comparison of two versions: the verdict, and that every work in its list can be done."""

from pathlib import Path

import pytest

import crnn
from benchmarks import compare

SOURCES = Path(crnn.__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("base", "head", "expected"),
    [
        (0.200, 0.221, True),
        (0.200, 0.219, False),  # by less than a tenth
        (0.050, 0.059, False),  # by less than 10 ms
        (0.050, 0.061, True),
        (0.200, 0.100, False),
    ],
)
def test_a_version_is_slower_by_both_margins(base, head, expected):
    assert compare.is_slower(base, head) == expected
    assert compare.row("some work", base, head).endswith("SLOWER") == expected


def test_the_row_shows_milliseconds_and_the_change():
    assert compare.row("some work", 0.2, 0.15).split() == ["some", "work", "200.0", "150.0", "-25.0%"]


def test_a_version_that_is_not_imported_is_refused(tmp_path):
    with pytest.raises(RuntimeError, match=r"crnn (is not|cannot be) imported from"):
        compare.check_is_used(tmp_path)


def test_both_versions_do_the_work(monkeypatch, capsys):
    if not (SOURCES / "src").is_dir():
        pytest.skip("crnn is not imported from its sources")
    monkeypatch.setattr(compare, "WORK", {"some work": "train crnn rnn 1 7 5 3 11 1"})
    monkeypatch.setattr(compare, "ABSOLUTE_SECONDS", 1e9)  # a busy machine makes neither slower
    root = str(SOURCES)
    assert compare.main([root, root, "--no-build", "--repeats", "1"]) == 0
    assert capsys.readouterr().out.splitlines()[1].startswith("some work")


def test_every_work_is_of_a_known_kind():
    from benchmarks.work import KINDS

    assert {arguments.split()[0] for arguments in compare.WORK.values()} <= KINDS.keys()
