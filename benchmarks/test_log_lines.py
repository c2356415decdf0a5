"""Are the lines and anomalies of `benchmarks.log_lines` what it says?"""

from itertools import islice

import pytest

from benchmarks.log_lines import KINDS, SERVICES, anomalies, masked, mixed_lines, usual_lines


def service(line):
    return line.split("[")[0].rsplit(" ", 1)[1]


def test_a_seed_determines_the_lines():
    lines = list(islice(usual_lines(3), 50))
    assert lines == list(islice(usual_lines(3), 50))
    assert not set(lines) & set(islice(usual_lines(4), 50))
    assert mixed_lines(40, 3, 5) == mixed_lines(40, 3, 5)


def test_every_service_writes_and_most_masked_lines_repeat():
    lines = list(islice(usual_lines(), 5000))
    assert {service(line) for line in lines} == set(SERVICES)
    assert len(set(lines)) == 5000
    assert 0.1 < len({masked(line) for line in lines}) / 5000 < 0.6
    assert sorted(line[:23] for line in lines) == [line[:23] for line in lines]


def test_numbers_addresses_and_keys_are_masked():
    assert masked("sshd[77]: from 10.2.3.4 SHA256:aB3x, 0a:1b:22:33:4d:5e in 12.5 ms") == (
        "sshd[0]: from 0.0.0.0 SHA0:aB0x, 0 in 0.0 ms"
    )
    assert masked("accede facade 12ab34cd56") == "accede facade 0"  # hexadecimal digits, but words


@pytest.mark.parametrize("kind", KINDS)
def test_anomalies_are_no_usual_lines(kind):
    usual = {masked(line).partition(": ")[2] for line in islice(usual_lines(), 5000)}
    found = list(islice(anomalies(kind), 200))
    assert sum(masked(line).partition(": ")[2] in usual for line in found) <= 2
    assert (service(found[0]) in SERVICES) == (kind != "other service")


def test_mixed_lines_have_the_kinds_in_random_order():
    lines = mixed_lines(100, 7, 2)
    kinds = [line.kind for line in lines]
    assert {kind: kinds.count(kind) for kind in ("", *KINDS)} == {"": 100, **dict.fromkeys(KINDS, 7)}
    assert kinds != sorted(kinds)
