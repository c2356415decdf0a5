"""The tables of `benchmarks.anomalies` on little data, and that the figures in them are what they say."""

from itertools import islice

import pytest

from benchmarks import anomalies, domain_names

pytest.importorskip("sklearn")
pytestmark = pytest.mark.filterwarnings("ignore:(no alarm is likely|the threshold was set by)")


def cells(line):
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_table_of_logs():
    _, _, head, rule, *rows = anomalies.logs(4000, 2000, 30, network=0.5)
    assert len(cells(head)) == len(cells(rule)) == len(cells(rows[0]))
    by_name = {cells(row)[0]: cells(row) for row in rows}
    assert len(by_name) == 11
    detector = by_name["**AnomalyDetector()**, joint"]
    assert 0.6 < float(detector[3]) <= 1
    assert float(detector[4]) > float(by_name["TF-IDF + SGDOneClassSVM"][4])
    assert [len(cells(row)) for row in rows] == [len(cells(head))] * 11


def test_the_table_of_domains():
    _, _, head, _, *rows = anomalies.domains(3000, 200, network=0.5)
    assert cells(head)[2:-2] == list(domain_names.KINDS)
    table = {cells(row)[0]: cells(row) for row in rows}
    assert len(table) == 5 + 4 + 2
    assert float(table["the same model, mean"][2]) > 0.95


@pytest.mark.parametrize("kind", domain_names.KINDS)
def test_names_of_a_kind(kind):
    names = [*islice(domain_names.odd_names(kind, 3), 50)]
    assert names == [*islice(domain_names.odd_names(kind, 3), 50)]
    assert len(set(names)) > 40
