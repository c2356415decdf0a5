"""How long does a sampled character take, of one text and of 64 at once, compared with the peers?"""

from __future__ import annotations

import pytest

from benchmarks.cases import dtype_of
from benchmarks.conftest import needs

CHARACTERS = {100: 40_000, 512: 6_000}  # by the number of units: some 30 ms of crnn's time
SLOW = ("numpy", "torch")
SLOWNESS = 16


@pytest.mark.parametrize("contender", ["numpy-float32", "torch", "jax", "crnn"])
@pytest.mark.parametrize("n_samples", [1, 64])
@pytest.mark.parametrize("H", [100, 512])
def test_sampling(timed, workers, sized, H, n_samples, contender):
    needs(contender)
    if contender.startswith("numpy") and n_samples > 1:
        pytest.skip("the script draws one text at a time")
    characters = CHARACTERS[H] // (SLOWNESS if n_samples > 1 or contender.startswith(SLOW) else 1)
    characters = sized(characters, 50)
    worker = workers.of(contender, 1)
    assert worker.prepare("sample", contender, "rnn", H, characters, n_samples, 1) == characters * n_samples
    column = f"H = {H}" + ", 64 texts" * (n_samples > 1)
    units = characters * n_samples
    timed(worker.repeat, table="sampling", contender=contender, column=column, units=units, dtype=dtype_of(contender))
