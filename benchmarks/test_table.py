"""A file of pytest-benchmark becomes a table with medians per step, processor, day and commit."""

from benchmarks.table import tables


def bench(param, dtype, median):
    info = {"steps": 100, "dtype": dtype}
    return {"group": "a step", "param": param, "extra_info": info, "stats": {"median": median}}


def test_the_slowest_stands_first():
    measured = {
        "machine_info": {"cpu": {"brand_raw": "Some Processor"}, "machine": "x86_64"},
        "commit_info": {"id": "0123456789abcdef"},
        "datetime": "2030-01-02T03:04:05",
        "benchmarks": [
            bench("crnn", "float32", 0.004),
            bench("numpy", "float64", 0.1),
            {"group": None, "param": None, "extra_info": {}, "stats": {"median": 1}},
        ],
    }
    assert tables(measured).splitlines() == [
        "A step",
        "",
        "| | dtype | µs per step | times the fastest |",
        "|---|---|---|---|",
        "| numpy | float64 | 1000 | 25.0 |",
        "| crnn | float32 | 40 | 1.0 |",
        "",
        "Some Processor, 2030-01-02, commit 01234567, one thread.",
    ]
