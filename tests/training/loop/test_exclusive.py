"""A model is trained by one call at a time, and by the next one however the last one ended."""

from interrupted_runs import interrupted_everywhere
from test_char_rnn import TEXT, small

from crnn.training.loop import exclusive
from crnn.training.preparation import training_call


def test_wherever_ctrl_c_comes_the_next_call_can_train():
    def wanted(code):
        name = code.co_filename
        return name == exclusive.__file__ or (name, code.co_name) == (training_call.__file__, "train")

    model = small(1)
    places = []
    for place in interrupted_everywhere(lambda: model.fit(TEXT), wanted):
        assert model.fit(TEXT).n_steps_ == 1, place
        places.append(place)
    assert sum(exclusive.__file__ in place for place in places) > 5


def test_calls_that_have_ended_are_forgotten():
    for _ in range(9):
        small(1).fit(TEXT)
    assert len(exclusive._in_use) <= 1
