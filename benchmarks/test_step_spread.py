"""The spread of a step's time over processes: a run over a small case, and the table."""

from benchmarks import step_spread


def test_processes_of_each_number_of_threads_make_a_row(monkeypatch, capsys):
    monkeypatch.setattr(step_spread, "CASE", ("lstm", 7, 5, 3, 2))
    step_spread.main(["--processes", "2", "--repeats", "1", "--threads", "1", "2"])
    rows = [line.split("|") for line in capsys.readouterr().out.splitlines() if line.startswith("| ")][1:]
    assert [row[1].strip() for row in rows] == ["1", "2"]
    assert all(row[2].strip() == "2" and float(row[3]) <= float(row[4]) <= float(row[5]) for row in rows)


def test_the_table_has_the_extremes_and_the_median():
    assert step_spread.table({2: [3.0, 1.0, 2.04]})[2] == "| 2 | 3 | 1.0 | 2.0 | 3.0 |"
