"""The page of evidence has the table of the measured losses."""

import tomllib

from benchmarks import evidence


def test_the_page_has_every_measured_loss():
    lines = evidence.rows(tomllib.loads(evidence.FIGURES.read_text(encoding="utf-8")))
    assert "\n".join(lines) in evidence.EVIDENCE.read_text(encoding="utf-8")


def test_runs_that_differ_in_their_seeds_are_one_entry():
    runs = [
        {"text": "t", "contender": "crnn", "seconds": 15.0, "build": "abc", "nats": nats, "seed": seed}
        for seed, nats in enumerate((1.5, 1.25, 1.75))
    ]
    (entry,) = evidence.entries(runs)
    assert entry.startswith('{ name = "crnn-15s", nats = 1.500, seconds = 15, seeds = 3, range = [1.250, 1.750] }')
