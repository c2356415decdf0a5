"""Models in many processes: joblib and Dask score, sample and search as one process does."""

import warnings

import numpy as np
import pytest

from crnn import CharRNN
from crnn.runtime.threads import default_threads

pytestmark = [pytest.mark.peers, pytest.mark.filterwarnings("ignore")]

NAMES = ["anna", "bob", "nana", "abba", "nan", "otto", "", "banana"] * 12
GRID = {"hidden_size": [3, 5]}


def _function():
    return lambda part, model: model.score_samples(part).tolist()


scores_of = _function()  # sent by value: the processes cannot import this module


@pytest.fixture(scope="module")
def model():
    return CharRNN(7, cell="gru", max_steps=40, random_state=0).fit(NAMES)


@pytest.fixture(scope="module")
def client():
    distributed = pytest.importorskip("distributed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with (
            distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
            distributed.Client(cluster) as client,
        ):
            yield client


def test_a_dask_bag_is_scored(client, model):
    import dask.bag

    bag = dask.bag.from_sequence(NAMES, npartitions=5)
    # Use a unique name: a file named by its content could belong to another test, which may be deleting it.
    sent = client.scatter(model, broadcast=True, hash=False)
    found = bag.map_partitions(scores_of, sent).compute()
    np.testing.assert_array_equal(found, model.score_samples(NAMES))


def test_a_process_of_a_cluster_uses_one_thread(client):
    assert set(client.run(default_threads).values()) == {1}


def test_joblib_scores_parts(model):
    joblib = pytest.importorskip("joblib")
    parts = [NAMES[i::3] for i in range(3)]
    found = joblib.Parallel(n_jobs=2)(joblib.delayed(scores_of)(part, model) for part in parts)
    assert found == [scores_of(part, model) for part in parts]


@pytest.mark.parametrize("backend", ["loky", "dask"])
def test_a_search_finds_the_same_on_all_backends(backend, request):
    joblib = pytest.importorskip("joblib")
    selection = pytest.importorskip("sklearn.model_selection")
    if backend == "dask":
        request.getfixturevalue("client")
    estimator = CharRNN(max_steps=20, n_threads=1, random_state=0)
    alone = selection.GridSearchCV(estimator, GRID, cv=2).fit(NAMES)
    with joblib.parallel_backend(backend, n_jobs=2):
        found = selection.GridSearchCV(estimator, GRID, cv=2).fit(NAMES)
    np.testing.assert_array_equal(found.cv_results_["mean_test_score"], alone.cv_results_["mean_test_score"])
    assert found.best_params_ == alone.best_params_
