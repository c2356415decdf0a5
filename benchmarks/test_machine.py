"""Does `benchmarks.machine` name the processor?"""

import platform

import pytest

from benchmarks.machine import processor

AMD = "processor\t: 0\ncpu family\t: 26\nmodel\t\t: 2\nmodel name\t: AMD EPYC\nflags\t\t: fpu\n"


@pytest.mark.parametrize(
    ("cpuinfo", "name"),
    [
        (AMD, "AMD EPYC (family 26, model 2)"),
        ("model name\t: A processor\n", "A processor"),
        ("Features\t: fp asimd\n", platform.processor()),
    ],
)
def test_generations_with_the_same_brand_have_different_names(tmp_path, cpuinfo, name):
    (tmp_path / "cpuinfo").write_text(cpuinfo)
    assert processor(tmp_path / "cpuinfo") == name


def test_systems_without_the_file_have_pythons_name(tmp_path):
    assert processor(tmp_path / "missing") == platform.processor()
