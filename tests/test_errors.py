import copy
import math
import pickle

import pytest

from crnn.errors import DivergenceError, InvalidInputError, ModelFileError, NotFittedError, short_repr


def test_each_error_is_the_built_in_one_that_callers_expect():
    for error, bases in (
        (InvalidInputError, (ValueError, TypeError)),
        (ModelFileError, (ValueError,)),
        (NotFittedError, (ValueError, AttributeError)),
        (DivergenceError, (ArithmeticError,)),
    ):
        assert all(issubclass(error, base) for base in bases)


@pytest.mark.parametrize("remedy", ["", "save it again"])
def test_the_remedy_of_a_model_file_error_is_its_end(remedy):
    error = ModelFileError("it is odd; or not", remedy=remedy)
    text = f"it is odd; or not; {remedy}" if remedy else "it is odd; or not"
    for copied in (error, pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert (str(copied), copied.message, copied.remedy) == (text, "it is odd; or not", remedy)


def test_not_fitted_names_what_was_asked_for_and_the_remedy():
    error = NotFittedError.before("sample")
    assert type(error) is NotFittedError
    assert str(error).startswith("this CharRNN is not fitted yet")
    assert "fit" in str(error)
    assert str(error).endswith("before sample.")
    assert "this Other is" in str(NotFittedError.before("params_", estimator="Other"))


LOWER = "Lower learning_rate or clip."


@pytest.mark.parametrize(
    ("kind", "last_loss", "message"),
    [
        ("loss", 4.5, f"the loss of step 7 is not finite (last finite loss: 4.5 nats per chunk). {LOWER}"),
        ("loss", math.nan, f"the loss of step 7 is not finite (there was no finite loss before it). {LOWER}"),
        ("loss", math.inf, f"the loss of step 7 is not finite (there was no finite loss before it). {LOWER}"),
        ("weights", 4.5, f"the weights after step 7 are not finite (last finite loss: 4.5 nats per chunk). {LOWER}"),
        ("ruin", 1234567.25, "the mean loss before step 7 is 1.23457e+06 nats per chunk, more than 10 "
         f"times that of a uniform guess. {LOWER}"),
        ("adaptation", 4.5, "the loss of block 7, or the weights after it, are not finite. Lower the learning_rate of "
         "adapt"),
    ],
)  # fmt: skip
def test_each_kind_of_divergence_has_a_message(kind, last_loss, message):
    error = DivergenceError(7, last_loss, kind)
    assert (str(error), error.kind, error.step) == (message, kind, 7)


def test_long_values_are_truncated():
    assert [short_repr("a" * n) for n in (198, 199)] == [repr("a" * 198), repr("a" * 199)[:200] + "..."]
