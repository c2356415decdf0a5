"""How near is the recurrent product to the BLAS's best, and is it right?"""

import pytest

from benchmarks import work


@pytest.mark.parametrize("n_threads", ["1", "2"])
@pytest.mark.parametrize("B", ["16", "50", "100"])
@pytest.mark.parametrize("H", ["128", "256", "512", "1024"])
def test_recurrent_product(timed, H, B, n_threads):
    assert timed(work.recurrent_product(H, B, n_threads), group=f"recurrent product, {n_threads} threads") > 0


@pytest.mark.parametrize("n_threads", ["1", "2"])
def test_sgemm(timed, n_threads):
    assert timed(work.sgemm(n_threads), group=f"recurrent product, {n_threads} threads") == 2 * work.SGEMM_SIZE**3
