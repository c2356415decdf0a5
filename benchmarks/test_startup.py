"""What do the import, a save and a load cost?"""

import subprocess
import sys

import pytest

from benchmarks.cases import Case, crnn_model
from crnn import CharRNN

PROBE = """
import time, numpy, scipy.linalg
start = time.perf_counter()
import crnn
print(time.perf_counter() - start)
"""


def test_import(timed):
    def seconds() -> float:
        return float(subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=True).stdout)

    found = timed(seconds, group="import, in a process of its own")
    print(f"import crnn: {found:.3f} s beyond numpy and scipy.linalg")
    assert found > 0


@pytest.mark.parametrize("H", [100, 512])
def test_file(timed, H, tmp_path):
    model = crnn_model(Case(H, 25, 1, 200))

    def save_and_load() -> CharRNN:
        model.save(tmp_path / "model")
        return CharRNN.load(tmp_path / "model")

    again = timed(save_and_load, group="save and load")
    assert (again.params_["Whh_l0"] == model.params_["Whh_l0"]).all()
