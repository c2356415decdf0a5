"""NetworkCache: a model's packed networks, kept until the weights change."""

from __future__ import annotations

from typing import Any, NamedTuple
from weakref import ref

import numpy as np
from numpy.typing import NDArray

from ..model.state import ModelState, state_of_label
from .network import LabelNetworks, Use
from .packed_network import PackedNetwork, PackedState


class NetworkCache:
    """Packs a model's weights when a network is first needed, and keeps it until the weights change.

    A call that finds its network takes no lock, so it waits neither for training nor for a longer call. A call that
    packs waits for the running training steps to end. Copying or pickling a cache gives an empty one.
    """

    def __init__(self) -> None:
        self._forms: _Forms | None = None
        self._label_forms: _LabelForms | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return NetworkCache, ()

    def __eq__(self, other: object) -> bool:
        """Treat all caches as equal: they hold no part of a model."""
        return isinstance(other, NetworkCache)

    __hash__ = None  # type: ignore[assignment]

    def network(
        self,
        state: ModelState,
        what: str,
        use: Use,
        *,
        bfloat16: bool = False,
        n_threads: int | None = 1,
    ) -> PackedNetwork:
        """Return a network with a state's current weights; `what` is the method that needs it, for the error."""
        bfloat16 = bfloat16 and state.scales is None
        forms = self._forms
        if forms is None or not forms.is_current(state, bfloat16):
            with state.gate.turn, state.gate.steps():
                forms = self._forms  # another thread may already have packed
                if forms is None or not forms.is_current(state, bfloat16):
                    state.check_finite(what)
                    first = _packed_state(state, use, bfloat16=bfloat16)
                    forms = self._forms = _Forms(state, first)
        return forms.form(use, n_threads)

    def label_networks(
        self,
        state: ModelState,
        what: str,
        use: Use = Use.MANY_STREAMS,
        *,
        bfloat16: bool = False,
        n_threads: int | None = 1,
    ) -> LabelNetworks:
        """Return the networks of the texts with each label: one for all, whose texts start after the label's symbol.

        With pairs of symbols there is one for each label, because a label and a text's first symbol may be a pair.
        """
        bfloat16 = bfloat16 and state.scales is None
        labels = self._label_forms
        if labels is None or not labels.forms[0].is_current(state, bfloat16):
            with state.gate.turn, state.gate.steps():
                labels = self._label_forms
                if labels is None or not labels.forms[0].is_current(state, bfloat16):
                    state.check_finite(what)
                    labels = self._label_forms = _LabelForms.of(state, bfloat16)
        networks = [forms.form(use, n_threads) for forms in labels.forms]
        networks *= len(labels.starts) // len(networks)
        return LabelNetworks(networks, labels.starts, labels.log_prior)


class _Forms:
    """The packed forms of the weights of a state, locked by its gate, or of weights derived from them."""

    def __init__(self, state: ModelState, first: PackedNetwork) -> None:
        self._gate = state.gate
        self._changes = state.gate.changes
        self._params = ref(state.params)
        self._precision_and_boundary = first.bfloat16, first.boundary
        self._forms = {first.use: first}

    def is_current(self, state: ModelState, bfloat16: bool) -> bool:
        """Return whether the weights are still the state's, and are packed for this precision."""
        return (
            self._params() is state.params
            and self._changes == state.gate.changes
            and self._precision_and_boundary == (bfloat16, state.vocabulary.boundary)
        )

    def form(self, use: Use, n_threads: int | None) -> PackedNetwork:
        """Return the form for a use; forms that differ only in their number of threads share all arrays."""
        network = self._forms.get(use)
        if network is None:
            with self._gate.turn:  # one thread packs, the others wait for the result
                network = self._forms.get(use)
                if network is None:  # any other form has the same weights, however the state has changed since
                    network = next(iter(self._forms.values())).repack(use)
                    self._forms[use] = network
        if network.n_threads != n_threads:
            network = self._forms[use] = network._replace(n_threads=n_threads)
        return network


class _LabelForms(NamedTuple):
    """The packed forms of networks whose softmax covers the symbols of texts alone, for a model with labels."""

    forms: list[_Forms]  # of one network for all labels, or of each label's
    starts: list[PackedState]  # after each label's symbol, read-only
    log_prior: NDArray[np.float64]  # of each label

    @classmethod
    def of(cls, state: ModelState, bfloat16: bool) -> _LabelForms:
        """Pack a state that is locked by its gate."""
        boundary = state.vocabulary.boundary
        K = len(state.vocabulary.labels)
        assert boundary is not None  # labels need documents
        whole = _packed_state(state, Use.MANY_STREAMS, bfloat16=bfloat16)
        together = whole.zero_state(K)
        whole.feed(boundary + 1 + np.arange(K, dtype=np.int32)[None, :], together)
        starts = [tuple([np.ascontiguousarray(part[:, k : k + 1]) for part in together]) for k in range(K)]
        label_states = [state_of_label(state, k) for k in range(1 if state.layout.pairs is None else K)]
        packed = [_packed_state(narrowed, Use.MANY_STREAMS, bfloat16=bfloat16) for narrowed in label_states]
        if state.layout.pairs is not None:
            starts = [network.copy(network.start()) for network in packed]
        for part in (part for start in starts for part in start):
            part.flags.writeable = False
        return cls([_Forms(state, network) for network in packed], starts, log_prior(whole, K))


def log_prior(network: PackedNetwork, K: int) -> NDArray[np.float64]:
    """Return log P of each label, the last K symbols, in nats: the probability that it starts a document."""
    y = network.logits_after(network.start())[0, : network.symbols][-K:].astype(np.float64)
    log_p: NDArray[np.float64] = y - np.logaddexp.reduce(y)
    return log_p


def _packed_state(state: ModelState, use: Use, *, bfloat16: bool) -> PackedNetwork:
    """Return the network with a state's weights."""
    boundary = state.vocabulary.boundary
    return PackedNetwork.pack(
        state.layout,
        state.params,
        use=use,
        boundary=boundary,
        bfloat16=bfloat16,
        scales=state.scales,
    )
