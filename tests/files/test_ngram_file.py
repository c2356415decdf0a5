"""The file of counts: it comes back as it was, and whatever somebody makes of it is refused or gives probabilities."""

import io
import json

import numpy as np
import pytest
from examples import saved
from hypothesis import given, settings
from hypothesis import strategies as st
from small_models import learned_state
from texts import TEXT

from crnn import CharNGram, InvalidInputError, ModelFileError
from crnn.files import ngram_file
from crnn.files.sealed_file import sealed_bytes
from crnn.ngram.stored_counts import packed

DEFAULTS = CharNGram().get_params()


def read(content):
    """Return the counts in a file."""
    return ngram_file.read(io.BytesIO(content), DEFAULTS)[1]


@pytest.fixture(scope="module")
def learned():
    source = CharNGram(4).fit(TEXT)
    return read(saved(source))


def sealed(learned, tensors=(), **metadata):
    """The bytes of a file with other tensors or metadata, under a true checksum."""
    documents = {"configuration": "{}", "vocabulary": vocabulary(*learned.vocabulary.codes.tolist())}
    own = {"format": "crnn", "format_version": "2", "kind": "ngram", **documents, **metadata}
    arrays = {**packed(learned.counts), **dict(tensors)}
    kept = {name: array for name, array in arrays.items() if array is not None}
    return sealed_bytes({key: value for key, value in own.items() if value is not None}, kept)


@given(
    st.one_of(
        st.text(st.characters(codec=None), min_size=1, max_size=40),
        st.binary(min_size=1, max_size=40),
        st.lists(st.text("ab\0", max_size=9), min_size=1, max_size=5),
    ),
    st.integers(1, 7),
)
@settings(max_examples=30, deadline=None)
def test_counts_come_back(text, order):
    model = CharNGram(order).fit(text)
    again = CharNGram.load(io.BytesIO(saved(model)))
    assert (again.vocabulary_, again.get_params()) == (model.vocabulary_, model.get_params())
    assert again.score(text) == model.score(text)
    assert saved(again) == saved(model)


def test_parameters_missing_from_a_file_are_the_defaults(learned, tmp_path):
    (tmp_path / "model").write_bytes(sealed(learned, configuration='{"order": 4}'))
    parameters, found = ngram_file.read(tmp_path / "model", DEFAULTS)
    assert parameters == {**DEFAULTS, "order": 4}
    assert found.counts.n_grams == learned.counts.n_grams


def test_parameters_that_could_not_be_read_are_not_written(learned):
    with pytest.raises(InvalidInputError, match="order must be a whole number of at least 1"):
        ngram_file.to_bytes(learned, {**DEFAULTS, "order": 0})


@pytest.fixture(scope="module")
def labeled():
    return read(saved(CharNGram(3).fit(["ab", "ba"], y=["f", "m"])))


def labeled_file(learned, *, remove=(), labels=("f", "m"), **tensors):
    """The bytes of a labeled model's file, with some tensors exchanged or removed."""
    own = {f"{k}.{name}": array for k, part in enumerate(learned.labeled.parts) for name, array in packed(part).items()}
    own = {**own, "frequencies": learned.labeled.frequencies, **tensors}
    metadata = {"format": "crnn", "format_version": "2", "kind": "ngram", "configuration": "{}"}
    metadata["vocabulary"] = vocabulary(97, 98, boundary=True, labels=list(labels))
    return sealed_bytes(metadata, {name: own[name] for name in own if name not in remove})


def vocabulary(*codes, **more):
    return json.dumps({"kind": "characters", "codes": [*codes], **more})


def test_metadata_and_tensors_are_believed_only_after_a_check(learned):
    unsorted = vocabulary(98, 97, *range(200, 200 + len(learned.vocabulary) - 2))
    for metadata, message in (
        ({"configuration": None}, "it has no configuration"),
        ({"vocabulary": None}, "it has no vocabulary"),
        ({"configuration": "[]"}, "configuration must be a JSON object"),
        ({"configuration": '{"hidden_size": 3}'}, "'hidden_size' is not a parameter"),
        ({"configuration": '{"order": 0}'}, "order must be a whole number of at least 1"),
        ({"configuration": '{"vocabulary": 7}'}, "vocabulary must be"),
        ({"configuration": "{" * 10**4}, "its configuration cannot be read"),
        ({"vocabulary": vocabulary()}, "at least one symbol"),
        ({"vocabulary": vocabulary(97, 98)}, "damaged"),
        ({"vocabulary": unsorted}, "its vocabulary cannot be used"),
        ({"vocabulary": vocabulary(97, boundary=True, labels=["x"])}, "it has no tensor '0.counts'"),
        ({"tensors": {"counts": None}}, "it has no tensor 'counts'"),
        ({"tensors": {"weights": np.zeros(3, np.float32)}}, "'weights' that does not belong to its model"),
        ({"tensors": {"lengths": np.array([2**40] * 3)}}, "fewer bytes than n-grams"),
        ({"tensors": {"lengths": np.array([8, 8], np.int32)}}, "64 bits"),
        ({"tensors": {"sizes": np.full(9, 255, np.uint8)}}, "damaged"),
        ({"tensors": {"symbols": np.zeros((3, 3), np.uint8)}}, "one-dimensional array of bytes"),
    ):
        with pytest.raises(ModelFileError, match=message):
            CharNGram.load(io.BytesIO(sealed(learned, **metadata)))


def test_labels_are_believed_only_after_a_check(labeled):
    shorter = packed(learned_state(CharNGram(2).fit(["ba"])).counts).items()
    for change, message in (
        ({"remove": ["frequencies"]}, "it has no tensor 'frequencies'"),
        ({"frequencies": np.array([1.0, 0.0])}, "its labels have no numbers of texts"),
        ({"frequencies": np.array([1.0, np.nan])}, "its labels have no numbers of texts"),
        ({"frequencies": np.ones(3)}, "its tensor 'frequencies' is F64"),
        ({"frequencies": np.ones(2, np.float32)}, "its tensor 'frequencies' is F32"),
        ({"remove": ["1.counts"]}, "it has no tensor '1.counts'"),
        ({"labels": ["f", "m", "x"]}, "it has no tensor '2.counts'"),
        ({"labels": ["f"]}, r"it has a tensor '1\.\w+' that does not belong to its model"),
        ({f"1.{name}": array for name, array in shorter}, "its labels have n-grams of different lengths"),
    ):
        with pytest.raises(ModelFileError, match=message):
            CharNGram.load(io.BytesIO(labeled_file(labeled, **change)))
