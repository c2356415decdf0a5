"""Names that the docstrings' examples use without importing them."""

import pytest

import crnn
import crnn.plot


@pytest.fixture(autouse=True, scope="session")
def example_names(doctest_namespace):
    """Add the models and the plots to the names of every example."""
    doctest_namespace.update(CharNGram=crnn.CharNGram, CharRNN=crnn.CharRNN, plot=crnn.plot)
