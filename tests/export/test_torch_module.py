import copy
import pickle

import numpy as np
import pytest
from examples import random_language_model

from crnn.errors import InvalidInputError

pytestmark = [pytest.mark.peers, pytest.mark.usefixtures("torch")]  # a fixture: its import takes seconds

ATOL = {"float32": 1e-5, "float64": 1e-12}
CELLS = [*((cell, layers) for cell in ("rnn", "gru", "lstm") for layers in (1, 2)), ("cifg", 2)]


@pytest.mark.parametrize("source", ["ebdbbacda", ["ebdbbacda", "da", ""]], ids=["text", "documents"])
@pytest.mark.parametrize(("cell", "embedding_size"), [("rnn", None), ("gru", 3), ("lstm", None), ("cifg", 3)])
def test_torch_module_with_bigrams_gives_the_models_probabilities(cell, embedding_size, source, dtype):
    """Some pairs have rows and some don't; two calls read the text, and the first ends within a pair."""
    options = {"cell": cell, "num_layers": 2, "dtype": dtype, "embedding_size": embedding_size, "n_bigrams": 5}
    model = random_language_model(source, **options)
    module = model.to_torch()
    ids = module.encode("ebbacdaeb")
    found = module.log_probabilities(ids)[:, 0].detach()
    np.testing.assert_allclose(found, -model.surprisal("ebbacdaeb")[:9], rtol=0, atol=ATOL[dtype.name])
    _, state = module.start()
    for part in (ids[:1], ids[1:6], ids[6:6], ids[6:]):
        logits, state = module(part, state)
    np.testing.assert_allclose(
        logits[-1, 0].softmax(-1).detach(), model.next_proba(["ebbacdaeb"])[0], rtol=0, atol=ATOL[dtype.name]
    )


@pytest.mark.parametrize("source", ["abcde", ["abcde", ""]], ids=["text", "documents"])
@pytest.mark.parametrize(("cell", "layers", "embedding_size"), [*((*kind, None) for kind in CELLS), ("cifg", 1, 3)])
def test_torch_module_gives_the_models_log_probabilities(cell, layers, embedding_size, source, dtype, torch):
    """Of a whole text, its first symbol included."""
    model = random_language_model(source, cell=cell, num_layers=layers, dtype=dtype, embedding_size=embedding_size)
    module = model.to_torch()
    assert isinstance(module.embedding, torch.nn.Embedding) == (embedding_size is not None)
    found = module.log_probabilities(module.encode("ebbacda"))
    assert (found.shape, found.dtype) == ((7, 1), getattr(torch, dtype.name))
    np.testing.assert_allclose(found[:, 0].detach(), -model.surprisal("ebbacda"), rtol=0, atol=ATOL[dtype.name])


@pytest.mark.parametrize(("cell", "layers", "n_bigrams"), [*((*kind, None) for kind in CELLS), ("gru", 2, 4)])
def test_state_restarts_at_document_boundaries(cell, layers, n_bigrams, torch):
    """Two streams of documents, which end at different places, and one that starts with a boundary."""
    model = random_language_model(["abcde", "da", ""], cell=cell, num_layers=layers, n_bigrams=n_bigrams)
    module, b = model.to_torch(), model.vocabulary_.boundary
    streams = [[b, 0, 3, b, b, 4, 1], [2, 2, b, 0, 1, b, 3]]
    logits, state = module(torch.tensor(streams).T)
    for i, stream in enumerate(streams):
        start = stream.index(b)
        last = len(stream) - stream[::-1].index(b)
        for t in range(start, len(stream)):
            document = stream[max(j for j in range(t + 1) if stream[j] == b) + 1 : t + 1]
            prefix = model.vocabulary_.decode(document)
            np.testing.assert_allclose(logits[t, i].softmax(-1).detach(), model.next_proba([prefix])[0], atol=1e-12)
        h = state[0] if isinstance(state, tuple) else state
        read = model.hidden_states(model.vocabulary_.decode(stream[last:]))
        np.testing.assert_allclose(h[:, i].detach(), read[-1], atol=1e-12)


def test_state_continues(torch):
    model = random_language_model("abcde", cell="lstm", num_layers=2)
    module = model.to_torch()
    ids = torch.tensor([[0, 3], [2, 2], [4, 0]])
    whole, end = module(ids)
    first, state = module(ids[:1])
    nothing, state = module(ids[:0], state)
    rest, state = module(ids[1:], state)
    assert nothing.shape == (0, 2, 5)
    torch.testing.assert_close(torch.cat([first, rest]), whole)
    torch.testing.assert_close(state, end)


def test_no_gradient_beyond_a_boundary(torch):
    model = random_language_model(["ab", ""], cell="gru")
    module, b = model.to_torch(), model.vocabulary_.boundary
    state = torch.ones(1, 1, 7, dtype=torch.float64, requires_grad=True)
    module(torch.tensor([[0], [b], [1]]), state)[0][1:].sum().backward()
    assert not state.grad.any()


def test_weights_are_copies_that_train(torch):
    model = random_language_model("abc")
    module, before = model.to_torch(), model.params_["Why"].copy()
    assert not module.training
    module(module.encode("abc"))[0].sum().backward()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter += parameter.grad
    np.testing.assert_array_equal(model.params_["Why"], before)


def test_untrained_torch_module_has_the_right_layers(torch):
    """One layer of the vanilla cell, which reads one-hot vectors."""
    from crnn.export.pytorch import TorchCharRNN

    module = TorchCharRNN(random_language_model("abc").vocabulary_, 5)
    assert (module.rnn.mode, module.rnn.num_layers, module.rnn.hidden_size, module.rnn.input_size) == (
        "RNN_TANH",
        1,
        5,
        3,
    )
    assert module.embedding is module.pairs is None
    logits, state = module(torch.tensor([[0, 1], [2, 2]]))
    assert (tuple(logits.shape), tuple(state.shape)) == ((2, 2, 3), (1, 2, 5))
    logits, state = module.start()
    assert (tuple(logits.shape), tuple(state.shape)) == ((1, 3), (1, 1, 5))
    assert not state.any()


def test_copies_and_pickles(torch):
    module = random_language_model(["abc"], cell="lstm", n_bigrams=2).to_torch()
    ids = module.encode("cab")
    for other in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        torch.testing.assert_close(other(ids)[0], module(ids)[0])


def test_ids_of_one_axis(torch):
    module = random_language_model("abc").to_torch()
    with pytest.raises(InvalidInputError, match=r"shape \(3,\), but must have shape \(T, B\)"):
        module(torch.tensor([0, 1, 2]))
