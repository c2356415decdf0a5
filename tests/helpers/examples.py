"""Small networks, texts and runs that several test files share."""

import contextlib
import dataclasses
import io
import itertools
import math
from types import SimpleNamespace

import numpy as np
import pytest
from small_models import learned_state

from crnn import CharRNN, TextClassifier, _kernels
from crnn.files.network_contents import expected_tensors, network_contents
from crnn.files.sealed_file import open_model
from crnn.inference.network import Context, Use
from crnn.inference.packed_network import CallLimits, PackedNetwork
from crnn.model.layout import Layout, SymbolPairs
from crnn.model.state import ModelState, gradient_rms, spread_rms
from crnn.parameters.kinds import CELLS, OPTIMIZERS
from crnn.reference import network as reference
from crnn.reference import sampling as reference_sampling
from crnn.reference.network import adaptive_surprisal, zero_state
from crnn.sampling.controls import OFF, CheckedControls, Uniforms, root
from crnn.sampling.limits import LIMITS, SamplingLimits
from crnn.sampling.samples import SampleRequest, TextSamples
from crnn.sampling.text_sampler import text_sampler
from crnn.text.documents import boundaries, n_unpredicted, pack
from crnn.text.sources import text_source
from crnn.text.streams import TextStreams
from crnn.text.vocabulary import Vocabulary
from crnn.text_classifier import SHORT_TEXTS
from crnn.training.team import MAX_SHARDS
from crnn.training.trainer import StepSettings, Trainer


def stored_network(path):
    """Return the contents of the file of a network."""
    with open_model(path, "network", expected_tensors) as contents:
        return network_contents(*contents)


def saved(model, **keywords):
    """Return the bytes that `save` writes."""
    model.save(file := io.BytesIO(), **keywords)
    return file.getvalue()


ISAS = _kernels.available("float32")
SEEDS = [(ISAS[-1], 0), *(pytest.param(ISAS[-1], seed, marks=pytest.mark.slow) for seed in range(1, 10))]
SEEDS += [pytest.param(isa, 0, marks=pytest.mark.slow) for isa in ISAS[:-1]]  # only other last digits, like other seeds
"""Instruction sets and seeds for what documentation trains; all but one are slow."""


def share_of_spaces(text):
    """Return the share of spaces in a text, with one space for each run of white space."""
    return " ".join(text.split()).count(" ") / len(text)


def sets(*kinds):
    """Return parameters of a test: the processor's instruction sets for number types, skipped if they are not built.

    With one kind, the names of its sets; otherwise pairs of a kind and a name.
    """
    return [
        pytest.param(
            name if len(kinds) == 1 else (kind, name),
            id=name if len(kinds) == 1 else f"{kind}-{name}",
            marks=[] if name in _kernels.available(kind) else pytest.mark.skip(reason=not_built(name, kind)),
        )
        for kind in kinds
        for name in _kernels.supported(kind)
    ]


def in_turns(names, cases, fixtures="kernels, dtype"):
    """Parametrize a test over cases, each with one of the kinds of kernels that these fixtures set, in turns."""
    isas, dtypes = sets("float32"), ["float32", "float64"]
    pairs = [pair for types in (dtypes, dtypes[::-1]) for pair in zip(isas, itertools.cycle(types))]
    kinds = {
        "kernels, dtype": [pytest.param(*isa.values, dtype, marks=isa.marks) for isa, dtype in pairs],
        "kernels": isas,
        "bfloat16_kernels": sets("bfloat16"),
        "precision": sets("bfloat16", "int8"),
    }[fixtures]
    kinds = [kind.values for kind in kinds if not kind.marks]  # that are built
    n = len(kinds)
    # Each round begins one kind later: a list of cases may itself repeat every few entries.
    dealt = [(*kinds[(i + i // n) % n], *case) for i, case in enumerate(cases)]
    return pytest.mark.parametrize(f"{fixtures}, {names}", dealt, indirect=fixtures.split(", "))


def not_built(name, kind):
    """Return why a test of an instruction set's kernels is skipped."""
    return f"the {kind} kernels for {name} are not built: set CRNN_BUILD=all and install again"


def single_kernels(dtype):
    """Return the functions of the kernels in use that only tests call; skip the test if the build has none."""
    name = f"crnn._kernels.{_kernels.instruction_set}.{np.dtype(dtype).name}.for_tests"
    return pytest.importorskip(name, reason=f"only pip install -e builds {name}")


@contextlib.contextmanager
def instruction_set(name):
    """Use the kernels of one instruction set."""
    before = _kernels.forced
    _kernels.use(name)
    try:
        yield
    finally:
        _kernels.use(before)


def network(
    V, H, dtype=np.float64, *, cell="rnn", num_layers=1, embedding_size=None, n_bigrams=None, seed=0, scale=0.5
):
    """Return a layout and parameters in it, all of them drawn from N(0, scale^2), biases too.

    With a large H the entries of Wh are smaller: a network that does not forget makes rounding errors grow.
    """
    rng = np.random.default_rng(seed)
    pairs = None if n_bigrams is None else bigram_pairs(V, n_bigrams)
    layout = Layout(V, H, np.dtype(dtype), cell, num_layers, embedding_size, pairs)
    flat = layout.zeros()
    part = layout.tensors(flat)
    for array in part:
        array[...] = scale * rng.standard_normal(array.shape)
    for layer in part.layers:
        layer.Wh[:] *= min(1, 0.8 / (scale * np.sqrt(H)))
    return layout, flat


def bigram_pairs(V, n, *, seed=4):
    """Return n pairs of V symbols; if there are fewer, the last rows have none."""
    chosen = np.random.default_rng(seed).permutation(V * V)[:n]
    return SymbolPairs(np.concatenate([np.stack(np.divmod(chosen, V), 1), np.full((n - len(chosen), 2), -1)]))


def memory(layout, optimizer="adagrad", *, seed=1):
    """Return an optimizer state as after some training, a list of arrays: squares 0.1 … 2, Adam's mean -0.3 … 0.3."""
    rng = np.random.default_rng(seed)
    memories = []
    for name in OPTIMIZERS[optimizer].state:
        flat = layout.zeros()
        for part in layout.tensors(flat):
            part[...] = rng.uniform(*((-0.3, 0.3) if name == "exp_avg" else (0.1, 2)), part.shape)
        memories.append(flat)
    return memories


def states(B, H, dtype=np.float64, *, cell="rnn", num_layers=1, V=None, seed=2):
    """Return the hidden state carried from chunk to chunk, a tuple of arrays (L, B, H).

    With V the last symbols of a model of bigrams follow, of V there are; the first stream has read none.
    """
    rng = np.random.default_rng(seed)
    n = len(CELLS[cell].states)
    h_and_c = tuple(rng.uniform(-0.9, 0.9, (num_layers, B, H)).astype(dtype) for _ in range(n))
    return h_and_c if V is None else (*h_and_c, (np.arange(B) % (V + 1)).astype(np.int32).reshape(1, B, 1))


def model_state(layout, params, memory, hidden, *, T, optimizer="adagrad", n_steps=0, optimizer_start=0, boundary=None):
    """Return the state of a model with these arrays, for training in chunks of T; labels follow a boundary."""
    V = layout.vocab_size
    vocabulary = Vocabulary(np.arange(V))
    if boundary is not None:
        vocabulary = Vocabulary(np.arange(boundary), boundary=True, labels=range(V - boundary - 1))
    return ModelState(
        layout=layout, params=params, optimizer=optimizer, optimizer_start=optimizer_start, hidden=hidden,
        optimizer_state=dict(zip(OPTIMIZERS[optimizer].state, memory, strict=True)),
        vocabulary=vocabulary, rng=np.random.default_rng(0), n_steps=n_steps,
        smooth_loss=T * float(np.log(layout.vocab_size)), loss_length=T, history=[],
    )  # fmt: skip


def symbols(V, n, dtype=np.uint8, *, seed=3):
    """Return n ids below V; V - 1 is among them."""
    ids = np.random.default_rng(seed).integers(V, size=n).astype(dtype)
    ids[n // 2] = V - 1
    return ids


def packed_documents(documents, boundary=9):
    """Return documents, sequences of ids, packed in one row."""
    ids = np.array([i for document in documents for i in document], np.uint8)
    return pack(ids, np.array(list(map(len, documents))), boundary)


def unpacked_documents(packed, boundary=9):
    """Return the documents of a row of ids, as tuples."""
    assert packed[0] == packed[-1] == boundary
    return [tuple(part[1:].tolist()) for part in np.split(packed, boundaries(packed, boundary))[1:-1]]


class Run:
    """One run of training: a trainer, and copies of all arrays that it changes.

    `learning_rate` is a number or a function of the step. By default each thread has a shard of its own.
    """

    def __init__(
        self, layout, params, memory, state, ids, *, T, n_threads=1, n_shards=None, learning_rate=0.1, clip=5.0,
        clip_norm=math.inf, weight_decay=0.0, beta_1=0.9, beta_2=0.999, optimizer="adagrad", n_steps=0,
        optimizer_start=0, dropout=0.0, weight_dropout=0.0, state_reset=0.0, dropout_seed=0, bfloat16=False,
        n_sampled_symbols=0, boundary=None, reduce=None,
    ):  # fmt: skip
        self.layout, self.params = layout, params.copy()
        self.memory = [flat.copy() for flat in memory]
        self.state = tuple(array.copy() for array in state)
        self.streams = TextStreams(ids, state[0].shape[1], T)
        self.losses, self.positions, self.taken = [], [], []
        self.rate = learning_rate if callable(learning_rate) else lambda step: learning_rate
        alone = {"own_streams": range, "from_first": bool, "all": bool}
        processes = None if reduce is None else SimpleNamespace(reduce=reduce, **alone)
        self.trainer = Trainer(
            model_state(
                layout,
                self.params,
                self.memory,
                self.state,
                T=T,
                optimizer=optimizer,
                n_steps=n_steps,
                optimizer_start=optimizer_start,
                boundary=boundary,
            ),
            self.streams,
            StepSettings(
                T,
                clip=clip,
                clip_norm=clip_norm,
                weight_decay=weight_decay,
                beta_1=beta_1,
                beta_2=beta_2,
                dropout=dropout,
                weight_dropout=weight_dropout,
                state_reset=state_reset,
                dropout_seed=dropout_seed,
                bfloat16=bfloat16,
                n_sampled_symbols=n_sampled_symbols,
            ),
            n_threads=min(n_threads, state[0].shape[1]),
            n_shards=min(n_threads, state[0].shape[1], MAX_SHARDS) if n_shards is None else n_shards,
            processes=processes,
        )

    def steps(self, *counts, after_each=lambda: None):
        """Take steps in pieces of these sizes; record loss, position and steps taken after each; return the run."""
        with self.trainer as trainer:
            for n in counts:
                first = self.cursor.n_steps
                trainer.advance(np.array([self.rate(first + i) for i in range(n)], np.float64))
                self.losses.append(self.loss)
                self.taken.append(n + (self.taken[-1] if self.taken else 0))
                self.positions.append(self.cursor.position)
                after_each()
            trainer.finish()
        return self

    @property
    def sum(self):
        """Adagrad's sum of squares."""
        (sum_,) = self.memory
        return sum_

    @property
    def cursor(self):
        return self.trainer.cursor

    @property
    def loss(self):
        """The loss of the last step, computed before its update."""
        return self.cursor.last_loss

    def bits(self):
        """Return all that training changes, as bytes."""
        c = self.cursor
        numbers = np.array([c.position, c.n_steps, c.smooth_loss, c.last_loss])
        return b"".join(a.tobytes() for a in (self.params, *self.memory, *self.state, numbers))


def in_double(layout, *flats):
    """Return the layout in double precision, and the same numbers in it: parts start elsewhere."""
    wide = dataclasses.replace(layout, dtype=np.dtype("float64"))
    out = [wide.zeros() for _ in flats]
    for flat, narrow in zip(out, flats, strict=True):
        for a, b in zip(wide.tensors(flat), layout.tensors(narrow), strict=True):
            a[...] = b
    return wide, *out


def state_in_double(state):
    """Return a hidden state in double precision; symbols stay integers."""
    return tuple(array.astype(np.float64) if array.dtype.kind == "f" else array.copy() for array in state)


def check_packed_weights(run, kernels):
    """Two steps of a run must leave the panels that packing its weights anew makes."""
    trainer = run.trainer
    trainer.panels[:] = np.nan  # what packing leaves out shows
    trainer.load_arrays()
    before = trainer.panels.tobytes()
    run.steps(2)
    fresh = np.full_like(trainer.panels, np.nan)
    kernels.pack_weights(trainer.network, run.params, fresh)
    assert not np.isnan(fresh).any()
    assert trainer.panels.tobytes() == fresh.tobytes() != before


def contiguous_parts(streams):
    """Return the streams of a text, (B, S + 1): neighbors share a symbol."""
    S = streams.stream_length - 1
    return np.stack([streams.ids[b * S : b * S + S + 1] for b in range(streams.batch_size)])


def random_language_model(symbols, *, hidden_size=7, scale=0.7, **parameters):
    """Return a model of these symbols with random weights and biases, and rows of bigrams, not trained."""
    model = CharRNN(hidden_size, max_steps=0, init_scale=scale, **{"dtype": "float64", "random_state": 0, **parameters})
    model.fit(symbols)
    rng = np.random.default_rng(1)
    with model.editing():
        for name, array in model.params_.items():
            if name.startswith("b"):
                array[...] = scale * rng.standard_normal(array.shape)
    return model


def classifier_of(**parameters):
    """Return a classifier with a network alone; parameters it doesn't have itself go to the network."""
    own = {name: parameters.pop(name) for name in ("class_weight", "directions", "min_steps") if name in parameters}
    return TextClassifier(CharRNN(**{**SHORT_TEXTS, **parameters}), **own)


def spoil(model, name, place, value):
    """Write a weight past the checks of `editing`."""
    state = learned_state(model)
    state.layout.named(state.params)[name][place] = value
    state.gate.changes += 1


def bounded(model):
    """Make the last symbol of a model the boundary of documents; return the model."""
    learned_state(model).vocabulary = Vocabulary(model.vocabulary_.codes[:-1], model.vocabulary_.kind, boundary=True)
    return model


def adaptable(cell, dtype, *, documents=False, optimizer="adam", hidden_size=7, num_layers=2, **parameters):
    """Return a model of a, b, c and d with random weights and the optimizer state of 50 steps of training."""
    options = {"cell": cell, "dtype": dtype, "optimizer": optimizer, "num_layers": num_layers, "batch_size": 3}
    options |= parameters
    model = random_language_model(["abcd"] if documents else "abcd", hidden_size=hidden_size, scale=0.5, **options)
    state, rng = learned_state(model), np.random.default_rng(3)
    for flat in state.optimizer_state.values():
        for part in state.layout.tensors(flat):
            part[...] = rng.uniform(0.1, 2, part.shape)
    state.n_steps = 50
    return model


def adapted_by_reference(model, text, *, learning_rate, decay, block_length):
    """Return the surprisal of a text, learned from on the way, and the weights after it, in float64."""
    state = learned_state(model)
    layout, boundary = state.layout, state.vocabulary.boundary
    trained, p = (layout.tensors(state.params.astype(np.float64)) for _ in range(2))
    rms = layout.tensors(spread_rms(layout, gradient_rms(state, model.beta_2)).astype(np.float64))
    ids = text_source(text).ids(state.vocabulary).astype(np.intp)
    rates = {"learning_rate": learning_rate, "decay": decay, "block_length": block_length, "boundary": boundary}
    nats = adaptive_surprisal(p, layout.cell, ids, trained, rms, **rates)
    flat = np.zeros(layout.size)
    for part, array in zip(layout.tensors(flat), p, strict=True):
        part[...] = array
    return nats[n_unpredicted(boundary) :], layout.named(flat)


def packed(model, use, **limits):
    """Return the network of a model as inference uses it."""
    state = learned_state(model)
    boundary = state.vocabulary.boundary
    return PackedNetwork.pack(state.layout, state.params, use=use, boundary=boundary, limits=CallLimits(**limits))


def repeated(state, streams):
    """Return the state of one stream as the state of several."""
    return tuple(np.repeat(part, streams, axis=1) for part in state)


def drawn(packed, state, samples, n, *, temperature=1.0, calls=None):
    """Draw n symbols of each of these samples, all from the state of one stream, with the sampler that users get.

    Returns the symbols (n, B), the states after them, and the uniform numbers (n, B) that chose them. `calls` are the
    symbols drawn at a time.
    """
    uniforms = Uniforms(root(4), range(max(samples) + 1))
    numbers, uniforms.states = uniforms.states[list(samples)], uniforms.states[list(samples)]
    context = Context(state, np.zeros(packed.symbols, np.bool_))
    controls = CheckedControls(numbers={**OFF, "temperature": temperature})
    assert len(samples) <= LIMITS.rows  # else a text waits until another one ends
    sampler = text_sampler(packed, context, n + 1, uniforms, controls)  # no text ends: it may have one symbol more
    for steps in [n] if calls is None else calls:
        sampler.advance(steps)
    assert (sampler.lengths == n).all()
    after = sampler.draws.states()
    uniforms.states = numbers
    return sampler.symbols(n).T.copy(), after, uniforms.draw(n)


def limited_samples(model, length, *, n_samples, random_state, prime="", n_threads=1, limits=None, **controls):
    """Return `model.sample(length, …)` of a network, drawn with other limits."""
    request = SampleRequest(length, prime, None, controls)
    network = packed(model, use=Use.MANY_STREAMS)
    options = {"n_threads": n_threads, "limits": SamplingLimits(**limits or {})}
    return TextSamples.of(network, model.vocabulary_, request, random_state, **options).texts(range(n_samples))


def reference_state(model, prime=""):
    """Return parameters and state after a text as the reference implementation takes them, in float64."""
    parameters = learned_state(model).layout.tensors(learned_state(model).params.astype(np.float64))
    state, boundary = zero_state(parameters, model.cell, 1), model.vocabulary_.boundary
    ids = [*([] if boundary is None else [boundary]), *model.vocabulary_.encode(prime).tolist()]
    if ids:
        state = reference.state_after(reference.forward(parameters, model.cell, np.array(ids)[:, None], state)[0])
    return parameters, state


def reference_controls(model, **options):
    """Return the controls of sampling as the reference implementation takes them."""
    controls = CheckedControls.check(model.vocabulary_, options)
    return {**controls.numbers, "bias": 0.0 if controls.bias is None else controls.bias}


def reference_sample(model, n, prime="", *, seed, i=0, **options):
    """Return sample i of a model with this seed, drawn by the reference implementation."""
    parameters, state = reference_state(model, prime)
    seen = np.zeros((1, len(model.vocabulary_)), np.bool_)
    seen[0, model.vocabulary_.encode(prime)] = True
    uniforms = Uniforms(root(seed), range(i, i + 1)).draw(n)
    controls = reference_controls(model, **options)
    ids, _ = reference_sampling.sample(parameters, model.cell, state, uniforms, seen, **controls)
    ends = np.append(np.flatnonzero(ids[:, 0] == model.vocabulary_.boundary), n)
    return model.vocabulary_.decode(ids[: ends[0], 0])
