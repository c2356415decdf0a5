"""How near is the recurrent product to the BLAS's best, and is it right?"""

import pytest

from benchmarks import work
from benchmarks.conftest import needs


@pytest.mark.parametrize("n_threads", ["1", "2"])
@pytest.mark.parametrize("B", ["16", "50", "100"])
@pytest.mark.parametrize("H", ["128", "256", "512", "1024"])
def test_recurrent_product(timed, sized, H, B, n_threads):
    product = work.recurrent_product(H, B, n_threads, sized(work.OPERATIONS, "1"))
    assert timed(product, group=f"recurrent product, {n_threads} threads") > 0


@pytest.mark.parametrize("contender", ["numpy", "torch"])
@pytest.mark.parametrize("n_threads", ["1", "2"])
@pytest.mark.parametrize("B", ["16", "50", "100"])
@pytest.mark.parametrize("H", ["128", "256", "512", "1024"])
def test_peer_product(timed, sized, H, B, n_threads, contender):
    needs(contender)
    product = work.peer_product(contender, H, B, n_threads, sized(work.OPERATIONS, "1"))
    assert timed(product, group=f"recurrent product, {n_threads} threads") > 0


@pytest.mark.parametrize("n_threads", ["1", "2"])
def test_sgemm(timed, n_threads):
    assert timed(work.sgemm(n_threads), group=f"recurrent product, {n_threads} threads") == 2 * work.SGEMM_SIZE**3
