"""Whatever changes a model's weights, whatever other threads do: a fresh process gives the same score, to the bit."""

import copy
import pickle
import subprocess
import sys
import threading

import numpy as np
import pytest
import weight_scores
from texts import TEXT
from weight_scores import STRINGS, scores

from crnn import CharNGram, CharRNN, DivergenceError
from crnn.training.trainer import Trainer

NAMES = ["anna", "bob", "eve", "otto", "hannah"] * 7
OPTIONS = {"hidden_size": 19, "cell": "lstm", "max_steps": 12, "n_threads": 1, "random_state": 0}


def fitted(text=TEXT, **options):
    return CharRNN(**{**OPTIONS, **options}).fit(text)


def fresh(paths):
    """Return the scores of models in a process that has never seen another state of them."""
    lines = "".join(f"{path}\n" for path in paths)
    done = subprocess.run(
        [sys.executable, weight_scores.__file__], input=lines, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def edit(model, path):
    with model.editing():
        model.params_["Whh_l0"][:] *= 1.5
        model.params_["by"] = np.arange(len(model.vocabulary_))


def edit_and_fail(model, path):
    with pytest.raises(ZeroDivisionError), model.editing():
        model.params_["by"][:] = 1 / len(np.zeros(0))


def edit_in_a_callback(model, path):
    def callback(model, record):
        seen.append(scores(model))
        edit(model, path)
        seen.append(scores(model))

    seen = []
    model.set_params(callbacks=[callback], max_steps=3).partial_fit(TEXT).set_params(callbacks=None)
    assert len(set(seen)) == len(seen) > 2


def interrupt(model, path):
    def callback(model, record):
        seen.append(scores(model))
        raise KeyboardInterrupt

    seen = []
    model.set_params(callbacks=[callback])
    with pytest.raises(KeyboardInterrupt):
        model.partial_fit(TEXT)
    assert seen == [scores(model)]
    model.set_params(callbacks=None)


def diverge(model, path):
    rate, model.learning_rate = model.learning_rate, 1e38
    with pytest.raises(DivergenceError):
        model.partial_fit(TEXT)
    model.learning_rate = rate


def resume(model, path):
    def callback(model, record):
        scores(model)
        if record["step"] == 20:
            raise KeyboardInterrupt

    model.set_params(callbacks=[callback], max_steps=20)
    with pytest.raises(KeyboardInterrupt):
        model.partial_fit(TEXT, checkpoint=path)
    return CharRNN.resume(path, TEXT).set_params(callbacks=None)


def come_back(model, path):
    scores(pickle.loads(pickle.dumps(model)).partial_fit(TEXT))
    return pickle.loads(pickle.dumps(model))


def through_pytorch(model, path):
    pytest.importorskip("torch")
    return CharRNN.from_torch(model.to_torch(), model.vocabulary_)


WAYS = {
    "nothing": lambda model, path: None,
    "fit": lambda model, path: model.fit(TEXT[::-1]),
    "partial_fit": lambda model, path: model.partial_fit(TEXT),
    "a larger vocabulary": lambda model, path: model.partial_fit(TEXT + "XYZ", extend_vocabulary=True),
    "the best weights": lambda model, path: model.set_params(max_steps=40, eval_every=3, learning_rate=0.5).partial_fit(
        TEXT, validation=TEXT[::-1]
    ),
    "edit": edit,
    "an edit that fails": edit_and_fail,
    "an edit in a callback": edit_in_a_callback,
    "Ctrl-C": interrupt,
    "divergence": diverge,
    "resume": resume,
    "adapt": lambda model, path: model.adapt(TEXT[::-1]),
    "adapt a copy": lambda model, path: scores(model.adapt(TEXT[::-1])) and None,
    "pickle": come_back,
    "PyTorch": through_pytorch,
    "deepcopy": lambda model, path: copy.deepcopy(model).partial_fit(TEXT),
    "train a deepcopy": lambda model, path: scores(copy.deepcopy(model).partial_fit(TEXT)) and None,
    "precision": lambda model, path: model.set_params(matmul_precision="bfloat16"),
    "threads": lambda model, path: model.set_params(n_threads=2),
}


@pytest.fixture(scope="module")
def changed(tmp_path_factory):
    """For each way of changing weights: the scores before, after, and in a fresh process."""
    folder, found, paths = tmp_path_factory.mktemp("changed"), {}, {}
    for i, (name, way) in enumerate(WAYS.items()):
        model = fitted()
        before = scores(model)
        try:
            other = way(model, str(folder / "run"))
        except BaseException as error:  # of this way alone
            found[name] = error
            continue
        model = model if other is None else other
        found[name], paths[name] = [before, scores(model)], str(folder / str(i))
        model.save(paths[name])
    for name, answer in zip(paths, fresh(list(paths.values())), strict=True):
        found[name].append(answer)
    return found


SAME = (
    "nothing", "an edit that fails", "divergence", "adapt a copy", "pickle", "PyTorch", "train a deepcopy", "threads",
)  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_a_model_scores_as_in_a_fresh_process(changed, way):
    if isinstance(changed[way], BaseException):
        raise changed[way]
    before, after, wanted = changed[way]
    assert str(after) == wanted
    assert (after == before) == (way in SAME)


def test_models_of_documents_and_of_their_labels(tmp_path):
    labels = [name[0] for name in NAMES]
    told = CharRNN(**OPTIONS).fit(NAMES, y=labels)
    models = [fitted(NAMES), told.for_label("a"), told.for_label("o")]
    told.partial_fit(NAMES, y=labels)
    models += [copy.deepcopy(models[0]).partial_fit(NAMES), told.for_label("a"), told.for_label("o")]
    found, paths = [str(scores(model)) for model in models], [str(tmp_path / str(i)) for i in range(len(models))]
    for model, path in zip(models, paths, strict=True):
        model.save(path)
    assert found == fresh(paths)
    assert len(set(found)) == len(found)


def moment(model):
    """Return a score that depends on all weights."""
    return model.start().feed(STRINGS[0]).log_prob


class Lookers:
    """Threads that score a model until the block ends."""

    def __init__(self, model, count=3):
        self.seen, self._errors, self._done = set(), [], threading.Event()
        self._threads = [threading.Thread(target=self._look, args=(model, i)) for i in range(count)]

    def _look(self, model, i):
        calls = [moment, lambda model: model.score_samples([STRINGS[0]])[0], lambda model: -model.surprisal(STRINGS[0])]
        try:
            while not self._done.is_set():
                found = calls[i % 3](model)
                self.seen.add(found if isinstance(found, float) else float(np.add.accumulate(found)[-1]))
        except BaseException as error:
            self._errors.append(error)

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exception):
        self._done.set()
        for thread in self._threads:
            thread.join()
        assert self._errors == []


def test_threads_score_while_another_one_edits_pickles_and_adapts():
    model = fitted()
    allowed = {moment(copy.deepcopy(model))}
    with Lookers(model) as looking:
        for i in range(24):
            with model.editing():
                model.params_["by"][i % 5] += 0.25
            allowed.add(moment(copy.deepcopy(model)))
            assert moment(model) == moment(pickle.loads(pickle.dumps(model)))
            if i % 8 == 0:
                assert moment(model.adapt(TEXT[:99])) not in allowed
    assert looking.seen <= allowed
    assert len(looking.seen) > 1


@pytest.mark.parametrize("n_threads", [1, 2])
def test_threads_that_score_while_another_one_trains_see_whole_steps(n_threads, monkeypatch):
    def advance(trainer, rates):
        for rate in rates:  # one at a time: each leaves weights that may be seen
            plain(trainer, np.array([rate]))
            now = moment(CharRNN._from_state(parameters, trainer.state.copy()))
            assert moment(model) == now
            allowed.add(now)

    model = fitted(n_threads=n_threads, batch_size=4)
    parameters, plain, allowed = model.get_params(), Trainer.advance, {moment(copy.deepcopy(model))}
    monkeypatch.setattr(Trainer, "advance", advance)
    with Lookers(model) as looking:
        for _ in range(2):
            model.partial_fit(TEXT)
    assert looking.seen <= allowed
    assert len(looking.seen) > 1
    assert moment(model) == moment(copy.deepcopy(model))


def test_a_network_made_before_a_change_keeps_its_weights():
    model = fitted()
    state, batches = model.start(), model.score_batches([[STRINGS[0]], STRINGS])
    before, expected = moment(model), [next(model.score_batches([STRINGS]))]
    first = next(batches)
    edit(model, None)
    assert state.feed(STRINGS[0]).log_prob == before == first[0] != moment(model)
    np.testing.assert_array_equal(list(batches), expected)


TEXTS = ["dbd", "bc", "dcbdcb"]
CALLS = {
    "sample": lambda model: model.sample(9, prime="b", random_state=3),
    "stream": lambda model: "".join(model.stream(9, random_state=3)),
    "beam_search": lambda model: model.beam_search(3, prime="b"),
    "restore": lambda model: model.restore("bcdb", gaps="b"),
    "start": lambda model: model.start("b").feed("cd").log_prob,
    "start with adapt": lambda model: model.start("b", adapt=True).feed("cd").log_prob,
    "score": lambda model: model.score("bcdb"),
    "score with exact=False": lambda model: model.score("bcdb" * 99, exact=False),
    "score with adapt": lambda model: model.score("bcdb", adapt=True),
    "score_samples": lambda model: model.score_samples(TEXTS).tolist(),
    "score_samples of one": lambda model: model.score_samples(TEXTS[:1]).tolist(),
    "score_batches": lambda model: [scores.tolist() for scores in model.score_batches([TEXTS])],
    "next_proba": lambda model: model.next_proba(TEXTS).tolist(),
    "surprisal": lambda model: model.surprisal("bcdb").tolist(),
    "surprisal with adapt": lambda model: model.surprisal("bcdb", adapt=True).tolist(),
    "rank": lambda model: model.rank("bcdb").tolist(),
    "guess_number": lambda model: model.guess_number(["bcdb"], 30, 0, length=4).estimate.tolist(),
    "hidden_states": lambda model: model.hidden_states("bcdb").tolist(),
    "transform": lambda model: model.transform(TEXTS).tolist(),
    "adapt": lambda model: model.adapt("bcdb" * 30).surprisal("bcdb").tolist(),
}


@pytest.mark.parametrize("cls", [CharRNN, CharNGram])
@pytest.mark.parametrize("n", [1, 2, 3])
def test_a_call_reads_weights_and_symbols_of_one_time(cls, n, monkeypatch):
    """Another thread fits the model to other symbols after the call has looked at it n times."""
    parameters = {"hidden_size": 7, "max_steps": 30, "random_state": 0} if cls is CharRNN else {"order": 3}
    before, after = (cls(**parameters).fit(text) for text in ("bcdbd" * 9, "abdacab" * 9))
    plain, left = cls._fitted, []

    def fitted_then_changed(model, what):
        found = plain(model, what)
        if left and not left.pop():
            vars(model).update(vars(copy.copy(after)))
        return found

    for name, call in CALLS.items():
        if hasattr(before, name.split()[0]):
            allowed = [call(before), call(after)]
            model = copy.copy(before)
            with monkeypatch.context() as patch:
                patch.setattr(cls, "_fitted", fitted_then_changed)
                left[:] = [False, *[True] * (n - 1)]
                assert call(model) in allowed, name
