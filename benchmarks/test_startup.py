"""What do the import, a save and a load cost?"""

import subprocess
import sys

import numpy as np
import pytest

from benchmarks.cases import ACCUMULATOR, Case, crnn_model
from benchmarks.conftest import needs
from crnn import CharRNN

PROBE = """
import time, numpy
start = time.perf_counter()
{}
print(time.perf_counter() - start)
"""


@pytest.mark.parametrize("contender", ["crnn", "torch", "jax"])
def test_import(timed, contender):
    needs(contender)
    # `import crnn` alone imports next to nothing: see `tools/reliability.py --figures imports`.
    statement = "from crnn import CharRNN" if contender == "crnn" else f"import {contender}"
    command = [sys.executable, "-c", PROBE.format(statement)]

    def seconds() -> float:
        return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    found = timed(seconds, group="import, in a process of its own", rounds=3)
    print(f"{statement}: {found:.3f} s beyond numpy")
    assert found > 0


def file_by_numpy(tensors, path):
    np.savez(path, **tensors)
    with np.load(path) as found:
        return dict(found)


def file_by_torch(tensors, path):
    import torch

    torch.save(tensors, path)
    return torch.load(path)


def file_by_safetensors(tensors, path):
    from safetensors.torch import load_file, save_file

    save_file(tensors, path)
    return load_file(path)


FILES = {"numpy": file_by_numpy, "torch": file_by_torch, "torch-safetensors": file_by_safetensors}


@pytest.mark.parametrize("contender", ["crnn", *FILES])
@pytest.mark.parametrize("H", [100, 512])
def test_file(timed, H, contender, tmp_path):
    """Weights and Adagrad's memory, and back. crnn's file has a checksum and is on the disk when save returns."""
    needs(contender)
    case = Case(H, 25, 1, 200)
    group = f"save and load, H = {H}"
    if contender == "crnn":
        model = crnn_model(case)

        def save_and_load() -> CharRNN:
            model.save(tmp_path / "model")
            return CharRNN.load(tmp_path / "model")

        again = timed(save_and_load, group=group)
        assert (again.params_["Whh_l0"] == model.params_["Whh_l0"]).all()
        return
    tensors = {name: array.astype(np.float32) for name, array in case.weights().items()}
    tensors |= {f"sum.{name}": np.full_like(array, ACCUMULATOR) for name, array in tensors.items()}
    if contender.startswith("torch"):
        import torch

        tensors = {name: torch.from_numpy(array) for name, array in tensors.items()}
    again = timed(FILES[contender], tensors, tmp_path / "model.npz", group=group)
    assert again.keys() == tensors.keys()
    assert all((again[name] == tensors[name]).all() for name in tensors)
