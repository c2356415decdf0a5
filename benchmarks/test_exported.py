"""How fast is an exported C program compared with `sample`, with floats and with 8-bit integers?"""

import shutil
import subprocess

import pytest

from crnn import CharRNN

N = 2000
TEXT = "".join(map(chr, range(32, 97))) * 20  # 65 symbols; the weights are as they were drawn

WAYS = ["crnn", "gcc", "gcc-int8", "clang", "clang-int8"]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("H", [128, 512])
def test_exported(timed, H, way, tmp_path):
    model = CharRNN(H, cell="lstm", max_steps=0, random_state=0).fit(TEXT)
    group = f"one sample of {N}, lstm, H = {H}"
    if way == "crnn":
        assert len(timed(model.sample, N, group=group)) == N
        return
    compiler, _, int8 = way.partition("-")
    if not shutil.which(compiler):
        pytest.skip(f"no {compiler}")
    model.export_c(tmp_path / "model.c", int8=bool(int8))
    subprocess.run([compiler, "-O3", "-march=native", "model.c", "-o", "model"], cwd=tmp_path, check=True)

    def written():
        return subprocess.run([tmp_path / "model", "-n", str(N)], capture_output=True, check=True).stdout

    assert len(timed(written, group=group)) == N + 1
