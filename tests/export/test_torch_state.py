import numpy as np
import pytest
from examples import random_language_model, saved

from crnn import BOUNDARY, UNKNOWN, CharRNN
from crnn.errors import InvalidInputError
from crnn.files.sealed_file import file_bytes

CELLS = {"rnn": "RNN", "gru": "GRU", "lstm": "LSTM"}


def torch_network(cell, num_layers, V=5, H=7, **options):
    """Return PyTorch's own network of random weights, two biases each."""
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    return torch.nn.ModuleDict({
        "rnn": getattr(torch.nn, CELLS[cell])(V, H, num_layers, **options),
        "decoder": torch.nn.Linear(H, V),
    }).double()  # fmt: skip


def tensors(cell="gru", *, gates=3, V=3, H=2):
    """Return a state_dict of arrays, of one layer."""
    rng = np.random.default_rng(0)
    shapes = {
        "rnn.weight_ih_l0": (gates * H, V), "rnn.weight_hh_l0": (gates * H, H), "rnn.bias_ih_l0": (gates * H,),
        "rnn.bias_hh_l0": (gates * H,), "decoder.weight": (V, H), "decoder.bias": (V,),
    }  # fmt: skip
    return {name: rng.normal(size=shape) for name, shape in shapes.items()}


@pytest.mark.peers
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("num_layers", [1, 2])
@pytest.mark.parametrize("cell", CELLS)
def test_logits_are_those_of_pytorch(cell, num_layers, bias):
    network = torch_network(cell, num_layers, bias=bias)
    model = CharRNN.from_torch(network.state_dict(), "abcde")
    assert (model.cell, model.num_layers, model.hidden_size, model.dtype) == (cell, num_layers, 7, "float64")
    torch = pytest.importorskip("torch")
    ids = torch.tensor([4, 0, 3, 3, 1])
    output, _ = network["rnn"](torch.nn.functional.one_hot(ids, 5).double())
    probabilities = network["decoder"](output).softmax(-1).detach().numpy()
    prefixes = ["eaddb"[: i + 1] for i in range(5)]
    np.testing.assert_allclose(model.next_proba(prefixes), probabilities, rtol=1e-12)


@pytest.mark.peers
@pytest.mark.parametrize(
    ("cell", "source", "parameters"),
    [
        ("rnn", "abcba", {}), ("gru", b"abcba", {"num_layers": 2}), ("lstm", ["abc", "ba"], {"num_layers": 2}),
        ("cifg", "abcba", {"num_layers": 2}), ("gru", ["abc", "ba"], {"embedding_size": 2}),
        ("rnn", ["abc", "ba"], {"n_bigrams": 3}), ("lstm", ["abc", "ba"], {"embedding_size": 2, "n_bigrams": 11}),
        ("cifg", ["abc", "ba"], {"embedding_size": 2, "n_bigrams": 11}),
    ],
)  # fmt: skip
def test_torch_round_trip_keeps_all_weights(cell, source, parameters, dtype):
    """Of the names' pairs of symbols there are 5, fewer than 11."""
    pytest.importorskip("torch")
    model = random_language_model(source, cell=cell, dtype=dtype, **parameters)
    again = CharRNN.from_torch(model.to_torch(), model.vocabulary_)
    R = min(parameters["n_bigrams"], 5) if "n_bigrams" in parameters else None
    assert (again.cell, again.dtype, again.n_bigrams) == (cell, dtype.name, R)
    assert again.embedding_size == parameters.get("embedding_size")
    assert again.vocabulary_ == model.vocabulary_
    assert again.bigrams_ == model.bigrams_
    for name, array in model.params_.items():
        np.testing.assert_array_equal(again.params_[name], array)


def test_the_rows_of_an_embedding_move_with_their_symbols():
    state_dict = tensors() | {"embedding.weight": np.arange(12.0).reshape(3, 4), "rnn.weight_ih_l0": np.ones((6, 4))}
    model = CharRNN.from_torch(state_dict, "bca")
    assert model.params_["embedding"][:, 0].tolist() == [8, 0, 4]


def test_the_pairs_get_the_ids_of_their_symbols():
    weights = {"pairs": np.array([[0, 1], [-1, -1], [2, 0]]), "rnn.weight_ih_l0": np.arange(36.0).reshape(6, 6)}
    model = CharRNN.from_torch(tensors() | weights, "bca")
    assert model.bigrams_ == [("b", "c"), None, ("a", "b")]
    np.testing.assert_array_equal(model.params_["bigrams"], weights["rnn.weight_ih_l0"][:, 3:].T)
    np.testing.assert_array_equal(model.params_["Wxh_l0"], weights["rnn.weight_ih_l0"][:, [2, 0, 1]])


def test_gates_are_coupled_only_if_all_their_weights_are():
    named = {name: np.zeros_like(array) for name, array in tensors(gates=4).items()}
    assert CharRNN.from_torch(named, "abc").cell == "lstm"  # zeros could be either
    named["rnn.weight_hh_l0"][:4] = np.array([[-0.5], [-2.0], [0.5], [2.0]])
    model = CharRNN.from_torch(named, "abc")
    assert model.cell == "cifg"
    np.testing.assert_array_equal(model.params_["Whh_l0"], [[0.5] * 2, [2.0] * 2, *[[0.0] * 2] * 4])
    named["rnn.bias_hh_l0"][0] = 0.1
    assert CharRNN.from_torch(named, "abc").cell == "lstm"


@pytest.mark.peers
def test_pt_and_safetensors_files_are_read(tmp_path):
    torch, save_file = pytest.importorskip("torch"), pytest.importorskip("safetensors.numpy").save_file
    network = torch_network("lstm", 1)
    torch.save(network.state_dict(), tmp_path / "model.pt")
    save_file({name: tensor.numpy() for name, tensor in network.state_dict().items()}, tmp_path / "model.safetensors")
    expected = CharRNN.from_torch(network, "abcde").score("abcdeab")
    for name in ("model.pt", "model.safetensors"):
        assert CharRNN.from_torch(tmp_path / name, "abcde").score("abcdeab") == expected
        assert CharRNN.from_torch(str(tmp_path / name), "abcde").score("abcdeab") == expected


def test_a_safetensors_file_of_another_program(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(file_bytes({}, tensors()))
    expected = CharRNN.from_torch(tensors(), "abc").score("abcab")
    assert CharRNN.from_torch(tmp_path / "model.safetensors", "abc").score("abcab") == expected


CONTENT = file_bytes({}, {name: array.astype(np.float16) for name, array in tensors().items()})


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (CONTENT[:-1], r"tensors of float16, float32 or float64: its tensors have 102 bytes, but 101 bytes"),
        (CONTENT.replace(b'"F16"', b'"I16"'), r"impossible tensor\. If they have another type, convert them"),
        (saved(random_language_model("abc")), r"model file of crnn\. Load it with CharRNN\.load"),
    ],
    ids=["damaged", "another type", "model file"],
)
def test_refuses_other_files(tmp_path, content, words):
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(InvalidInputError, match=words):
        CharRNN.from_torch(tmp_path / "file", "abc")


@pytest.mark.peers
def test_file_that_would_run_code(tmp_path):
    torch = pytest.importorskip("torch")
    torch.save(torch_network("rnn", 1), tmp_path / "model.pt")  # a whole module: pickled classes
    with pytest.raises(InvalidInputError, match=r"model\.pt' contains objects other than tensors"):
        CharRNN.from_torch(tmp_path / "model.pt", "abcde")


@pytest.mark.peers
def test_half_precision_becomes_float32():
    torch = pytest.importorskip("torch")
    half = {name: torch.tensor(array).bfloat16() for name, array in tensors().items()}
    assert CharRNN.from_torch(half, "abc").params_["Why"].dtype == np.float32


def test_symbols_in_any_order():
    """The same network, whatever the order of its ids."""
    named = tensors(V=4)
    symbols = ["b", BOUNDARY, "a", UNKNOWN]
    model = CharRNN.from_torch(named, symbols)
    assert list(model.vocabulary_) == ["a", "b", UNKNOWN, BOUNDARY]
    for i, symbol in enumerate(symbols):
        place = list(model.vocabulary_).index(symbol)
        np.testing.assert_array_equal(model.params_["Wxh_l0"][:, place], named["rnn.weight_ih_l0"][:, i])
        np.testing.assert_array_equal(model.params_["Why"][place], named["decoder.weight"][i])
        assert model.params_["by"][place] == named["decoder.bias"][i]


def test_vocabulary_may_be_bytes():
    assert CharRNN.from_torch(tensors(), b"cab").vocabulary_ == CharRNN(2, max_steps=0).fit(b"abc").vocabulary_


def test_imported_model_continues_training():
    model = CharRNN.from_torch(tensors(), "abc")
    before = model.score("abcabcabc")
    assert model.set_params(epochs=1).partial_fit("abc" * 100).score("abcabcabc") > before


ROWS = {"rnn.weight_ih_l0": np.ones((6, 4))}  # of an embedding with 4 columns
PAIRS = {"rnn.weight_ih_l0": np.ones((6, 5))}  # of two pairs of symbols


@pytest.mark.parametrize(("changes", "vocabulary", "words"), [
    (ROWS | {"embedding.weight": np.ones((2, 4))}, "bca",
     r"embedding.weight has shape \(2, 4\), but the other tensors require shape \(3, 4\)"),
    (ROWS | {"embedding.weight": np.ones((3, 5))}, "bca",
     r"rnn.weight_ih_l0 has shape \(6, 4\), but the other tensors require shape \(6, 5\)"),
    (ROWS | {"embedding.weight": np.ones(4)}, "bca", r"embedding.weight has shape \(4,\), but must be a matrix"),
    *((PAIRS | {"pairs": np.array(pairs)}, "bca", words) for pairs, words in (
        ([[0, 1]], r"weight_ih_l0 has shape \(6, 5\), but .* require shape \(6, 4\)"),
        ([0, 1], r"pairs has shape \(2,\), but must have shape \(R, 2\)"),
        ([[0, 1], [0, 3]], r"pairs\[1\] is \[0, 3\], but ids are 0 to 2"),
        ([[0, 1], [0, -1]], r"pairs\[1\] is \[0, -1\], but ids are 0 to 2"),
        ([[0, 0.5], [0, 1]], r"pairs\[0\] is \[0, 0.5\], but ids are 0 to 2"),
        ([[0, 1], [0, 1]], r"pairs\[1\] is \[0, 1\], a duplicate of pairs\[0\]"))),
    (PAIRS | {"bigrams.weight": np.ones((2, 6))}, "bca", r"'bigrams.weight', .* Load model files with CharRNN.load"),
    ({"rnn.weight_hh_l0": None}, "abc",
     "does not contain 'rnn.weight_hh_l0'. Expected names are .* Found: decoder.bias"),
    ({"rnn.weight_hh_l0": None, **{f"z{i}": np.ones(1) for i in range(9)}}, "abc", r"rnn.weight_ih_l0, z0, z1, z2\.$"),
    ({"decoder.weight": np.ones((3, 0))}, "abc", "has 6 rows, but decoder.weight has H = 0 columns"),
    ({"rnn.weight_ih_l1": np.ones((6, 2))}, "abc", "contains an unexpected name, 'rnn.weight_ih_l1'"),
    ({"rnn.weight_hh_l1": np.ones((6, 2))}, "abc", "does not contain 'rnn.weight_ih_l1'"),
    ({"rnn.weight_hh_l0": np.ones((4, 2))}, "abc", "has 4 rows, but decoder.weight has H = 2 columns"),
    (ROWS, "abc", r"rnn.weight_ih_l0 has shape \(6, 4\).* require shape \(6, 3\)"),
    ({"decoder.weight": np.ones(3)}, "abc", "but must be a matrix"),
    ({"decoder.bias": np.array([0, np.nan, 0])}, "abc", "decoder.bias contains a number that is not finite"),
    ({"epoch": "three"}, "abc", "is of type str, not a tensor"),
    ({}, "ab", "decoder.weight has 3 rows, but the vocabulary has 2 symbols"),
    ({}, "aba", r"vocabulary\[2\] is 'a', a duplicate of vocabulary\[0\]"),
    ({}, ["a", "b", "cd"], r"vocabulary\[2\] is 'cd', but a symbol must be one character"),
    ({}, ["a", b"b", "c"], "symbols must be all str or all bytes"),
    ({}, ["a", 1.5, "c"], r"vocabulary\[1\] is 1.5"),
    ({}, {"a": 0, "b": 1, "c": 2}, "vocabulary is of type dict"),
    ({}, 3, "vocabulary is of type int"),
    ([1], "abc", "state_dict is of type list"),
], ids=str)  # fmt: skip
def test_refuses_other_networks(changes, vocabulary, words):
    given = changes
    if isinstance(changes, dict):
        given = {name: array for name, array in (tensors() | changes).items() if array is not None}
    with pytest.raises(InvalidInputError, match=words):
        CharRNN.from_torch(given, vocabulary)
