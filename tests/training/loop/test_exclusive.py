"""A model is trained by one call at a time, and by the next one however the last one ended."""

import os
import threading

import pytest
from command_line import POSIX
from test_char_rnn import TEXT, small

from crnn import InvalidInputError
from crnn.training.loop import exclusive
from crnn.training.loop.exclusive import ExclusiveUse, begin_use, draft_of, request_stop, use_for_editing


def test_calls_that_have_ended_are_forgotten():
    for _ in range(9):
        small(1).fit(TEXT)
    assert len(exclusive._in_use) <= 1


@pytest.fixture
def model():
    class Model:
        """Whatever is trained or edited."""

    return Model()


@pytest.mark.parametrize(("what", "message"), [("trained", "trained"), ("edited", "edited")])
def test_one_call_at_a_time_uses_a_model(model, what, message):
    first, second = ExclusiveUse(what), ExclusiveUse()
    with first.running:
        begin_use(model, first)
        begin_use(object(), second)  # another model
        with pytest.raises(InvalidInputError, match=f"^this model is being {message} by another call"):
            begin_use(model, second)
    begin_use(model, second)


def test_a_callback_edits_within_training_but_not_twice(model):
    training, editing = ExclusiveUse(), ExclusiveUse("edited")
    with training.running:
        begin_use(model, training)
        assert use_for_editing(model, editing) is training
        training.draft = draft = object()
        assert draft_of(model) is draft
        with pytest.raises(InvalidInputError, match=r"^this model is already being edited"):
            use_for_editing(model, editing)
    with editing.running:
        assert use_for_editing(model, editing) is editing
        with pytest.raises(InvalidInputError, match=r"^this model is already being edited"):
            use_for_editing(model, ExclusiveUse("edited"))


def test_another_thread_neither_edits_nor_sees_the_draft(model):
    training, found = ExclusiveUse(), []

    def look():
        found.append(draft_of(model))
        with pytest.raises(InvalidInputError, match=r"^this model is being trained by another call"):
            use_for_editing(model, ExclusiveUse("edited"))
        found.append("refused")

    with training.running:
        begin_use(model, training)
        training.draft = object()
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
    assert found == [None, "refused"]


def test_a_request_to_stop_is_for_the_call_that_runs(model):
    training = ExclusiveUse()
    assert (training.stopped, training.draft, draft_of(model)) == (False, None, None)
    request_stop(model)
    with training.running:
        begin_use(model, training)
        assert not training.stopped
        request_stop(object())
        assert not training.stopped
        request_stop(model)
        assert training.stopped


@POSIX
@pytest.mark.parametrize("by_another_thread", [False, True])
def test_forked_child_keeps_only_its_threads_calls(model, by_another_thread):
    """The other threads are not there. This thread's call goes on, if a callback has forked."""

    def use():
        call = ExclusiveUse()
        with call.running:
            begin_use(model, call)
            begun.set()
            assert done.wait(60)

    def child_can_begin():
        child = os.fork()
        if not child:
            try:
                begin_use(model, ExclusiveUse())
            except InvalidInputError:
                os._exit(1)
            os._exit(0)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

    begun, done, found = threading.Event(), threading.Event(), []
    if by_another_thread:
        thread = threading.Thread(target=use)
        thread.start()
        assert begun.wait(60)
        found.append(child_can_begin())
        done.set()
        thread.join()
    else:
        done.wait = lambda timeout: found.append(child_can_begin()) or True
        use()
    assert found == [by_another_thread]
