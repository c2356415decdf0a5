"""A model is trained by one call at a time, and by the next one however the last one ended."""

import copy
import os
import pickle
import threading

import pytest
from command_line import POSIX
from small_models import bits, small
from texts import SOLILOQUY as TEXT

from crnn import InvalidInputError
from crnn.model import draft
from crnn.model.draft import ExclusiveUse, begin_use


def test_calls_that_have_ended_are_forgotten():
    for _ in range(9):
        small(1).fit(TEXT)
    assert len(draft._in_use) <= 1


@pytest.fixture
def model():
    class Model:
        """Whatever is trained or edited."""

    return Model()


@POSIX
@pytest.mark.parametrize("by_another_thread", [False, True])
def test_forked_child_keeps_only_its_threads_calls(model, by_another_thread):
    """The other threads are not there. This thread's call continues, if a callback has forked."""

    def child_can_begin():
        child = os.fork()
        if not child:
            try:
                begin_use(model, ExclusiveUse())
            except InvalidInputError:
                os._exit(1)
            os._exit(0)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

    call = ExclusiveUse()
    with call.running:
        begin_use(model, call)
        assert (in_thread(child_can_begin) if by_another_thread else child_can_begin()) is by_another_thread


def in_thread(work):
    """Return what a function returns, or the exception that it raises, on another thread."""
    found = []

    def run():
        try:
            found.append(work())
        except Exception as error:
            found.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return found[0]


def edited(model, value, error=None):
    """Write a value to some arrays, and then perhaps raise an error."""
    with model.editing():
        model.state_[:] = 3
        model.params_["by"][:] = value
        if error:
            raise error


def arrays(model):
    """Return all arrays that can be edited."""
    return [*model.params_.values(), *model.optimizer_state_["exp_avg"].values(), *model.state_]


def test_all_arrays_can_be_written_to_within_and_none_without():
    model = small(cell="lstm", optimizer="adam").fit(TEXT)
    score = model.score(TEXT)
    for array in arrays(model):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0.5
    with model.editing():
        for array in arrays(model):
            array[...] = 0.5
        assert model.score(TEXT) == score  # until the end the model is what it was
    assert all((array == 0.5).all() for array in arrays(model))
    assert model.score(TEXT) != score
    for name in ("params_", "state_", "optimizer_state_", "vocabulary_", "n_steps_", "smooth_loss_", "history_"):
        with pytest.raises(AttributeError):
            setattr(model, name, getattr(model, name))


def test_failed_edits_leave_the_model_unchanged():
    model = small().fit(TEXT)
    before = bits(model)
    with pytest.raises(ZeroDivisionError):
        edited(model, 3, ZeroDivisionError)
    assert bits(model) == before
    with model.editing():  # and it can be edited
        pass
    assert bits(model) == before


def test_nested_editing_is_an_error():
    model = small().fit(TEXT)
    with model.editing():
        model.params_["by"][:] = 3
        with pytest.raises(InvalidInputError, match="already being edited"), model.editing():
            pass
        with pytest.raises(InvalidInputError, match="is being edited by another call"):
            model.fit(TEXT)
        with copy.deepcopy(model).editing() as other:  # another model
            assert other is None
    assert (model.params_["by"] == 3).all()


def test_other_threads_neither_see_nor_change_an_edit():
    model = small().fit(TEXT)
    before, score = bits(model), model.score(TEXT)

    def edit():
        with model.editing():
            raise AssertionError

    with model.editing():
        model.params_["by"][:] = 3
        assert in_thread(lambda: bits(model)) == before
        assert in_thread(lambda: model.score(TEXT)) == score
        assert isinstance(in_thread(lambda: model.params_["by"].__setitem__(0, 1)), ValueError)
        for work in (edit, lambda: model.partial_fit(TEXT)):
            assert "is being edited by another call" in str(in_thread(work))
    assert in_thread(lambda: model.params_["by"][0]) == 3


def test_copies_made_while_editing_have_the_old_weights_and_arrays_can_be_kept():
    model = small().fit(TEXT)
    before = bits(model)
    with model.editing():
        kept = model.params_
        kept["by"][:] = 3
        copies = [copy.deepcopy(model), copy.copy(model), pickle.loads(pickle.dumps(model))]
        assert [bits(made) for made in copies] == [before] * 3
    assert "draft" not in str(vars(model)).lower()
    kept["by"][:] = 4  # a copy that nobody looks at any more
    assert (model.params_["by"] == 3).all()
