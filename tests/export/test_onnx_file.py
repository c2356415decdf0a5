import json

import numpy as np
import pytest
from examples import random_language_model

from crnn.export.onnx_file import IR_VERSION, OPSET

onnx = pytest.importorskip("onnx")
pytestmark = pytest.mark.peers

ATOL = 1e-5


def session(model, path):
    runtime = pytest.importorskip("onnxruntime")
    model.export_onnx(path)
    onnx.checker.check_model(str(path), full_check=True)
    return runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def zeros(model, B):
    """Return the state at the start of texts, by the names of the inputs."""
    names = ("h0", "c0") if model.cell in ("lstm", "cifg") else ("h0",)
    state = {name: np.zeros((model.num_layers, B, model.hidden_size), np.float32) for name in names}
    return state if model.n_bigrams is None else {**state, "symbol0": np.zeros((1, B), np.int64)}


def softmax(logits):
    p = np.exp(logits - logits.max(-1, keepdims=True))
    return p / p.sum(-1, keepdims=True)


@pytest.mark.parametrize(
    ("num_layers", "options"),
    [(1, {}), (2, {}), (2, {"embedding_size": 3}), (1, {"n_bigrams": 13}), (2, {"embedding_size": 3, "n_bigrams": 11})],
)
@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm", "cifg"])
def test_onnx_gives_the_models_probabilities_and_states(cell, num_layers, options, dtype, tmp_path):
    """Texts side by side, in two calls of different lengths: probabilities and states."""
    model = random_language_model("abcdeadbbec", cell=cell, num_layers=num_layers, dtype=dtype, **options)
    run = session(model, tmp_path / "model.onnx").run
    texts = ["aecdbba", "bbbddea", "cadcade"]
    ids = np.array([model.vocabulary_.encode(text) for text in texts]).T.astype(np.int64)
    first, *state = run(None, {"ids": ids[:2], **zeros(model, 3)})
    rest, *state = run(None, {"ids": ids[2:], **dict(zip(zeros(model, 3), state, strict=True))})
    found = softmax(np.concatenate([first, rest]))
    for b, text in enumerate(texts):
        expected = model.next_proba([text[: t + 1] for t in range(7)])
        np.testing.assert_allclose(found[:, b], expected, rtol=0, atol=ATOL)
        np.testing.assert_allclose(state[0][:, b], model.hidden_states(text)[-1], rtol=0, atol=ATOL)


@pytest.mark.parametrize(("cell", "n_bigrams"), [("rnn", None), ("gru", None), ("lstm", None), ("gru", 7)])
def test_onnx_document_starts_and_ends_with_the_boundary(cell, n_bigrams, tmp_path):
    """It starts from zeros with the boundary, and ends with it."""
    model = random_language_model(["abc", "ba", "ca", ""], cell=cell, dtype="float32", n_bigrams=n_bigrams)
    loaded = session(model, tmp_path / "model.onnx")
    vocabulary = json.loads(loaded.get_modelmeta().custom_metadata_map["vocabulary"])
    codes = {chr(code): i for i, code in enumerate(vocabulary["codes"])}
    ids = np.array([[vocabulary["boundary"]], [codes["c"]], [codes["a"]]])
    logits, *_ = loaded.run(None, {"ids": ids, **zeros(model, 1)})
    p = softmax(logits[:, 0])
    total = np.log([p[0, codes["c"]], p[1, codes["a"]], p[2, vocabulary["boundary"]]]).sum()
    assert total == pytest.approx(model.score_samples(["ca"])[0], abs=ATOL)


def test_first_symbol_of_a_text(tmp_path):
    model = random_language_model("abc", dtype="float32")
    model.export_onnx(tmp_path / "model.onnx")
    constants = {t.name: onnx.numpy_helper.to_array(t) for t in onnx.load(tmp_path / "model.onnx").graph.initializer}
    np.testing.assert_allclose(softmax(constants["decoder.bias"]), model.next_proba([""])[0], atol=ATOL)


def test_onnx_header_names_versions_inputs_and_outputs(tmp_path):
    random_language_model(b"a\x00\xff", cell="lstm", num_layers=2).export_onnx(tmp_path / "model.onnx")
    proto = onnx.load(tmp_path / "model.onnx")
    assert (proto.producer_name, proto.ir_version) == ("crnn", IR_VERSION)
    assert [(opset.domain, opset.version) for opset in proto.opset_import] == [("", OPSET)]
    assert (IR_VERSION, OPSET) == (8, 17)  # which runtimes since 2022 read
    assert [value.name for value in proto.graph.input] == ["ids", "h0", "c0"]
    assert [value.name for value in proto.graph.output] == ["logits", "hn", "cn"]
    shape = proto.graph.output[0].type.tensor_type.shape.dim
    assert [d.dim_param or d.dim_value for d in shape] == ["T", "B", 3]
    (metadata,) = proto.metadata_props
    expected = {"kind": "bytes", "codes": [0, 97, 255], "unknown": None, "boundary": None}
    assert (metadata.key, json.loads(metadata.value)) == ("vocabulary", expected)
    assert "zero" in proto.graph.doc_string
