"""NetworkCache: a model's packed networks, kept until its weights change."""

from __future__ import annotations

from typing import Any
from weakref import ref

from ...model.state import ModelState
from .packed_network import PackedNetwork


class NetworkCache:
    """Packs a model's weights when a network is first needed, and keeps it until the weights change.

    A call that finds its network takes no lock, so it waits neither for training nor for a longer call. A call that
    packs waits for the running training steps to end, so that the network has the weights between two steps.

    Copying or pickling a cache gives an empty one. A forked child may use its parent's packed networks.
    """

    def __init__(self) -> None:
        self._kept: _Forms | None = None

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
        *,
        one_row: bool,
        scoring: bool = False,
        bfloat16: bool = False,
        n_threads: int | None = 1,
    ) -> PackedNetwork:
        """Return a network with a state's current weights, which another thread may be training; see
        `PackedNetwork.pack`.

        `what` is the method that needs the network, for the error.
        """
        bfloat16 = bfloat16 and state.scales is None
        scoring = scoring and one_row  # many rows have only one form
        kept = self._kept
        if kept is None or not kept.is_current(state, bfloat16):
            with state.gate.turn, state.gate.steps():
                kept = self._kept  # another thread may already have packed
                if kept is None or not kept.is_current(state, bfloat16):
                    state.check_finite(what)
                    first = PackedNetwork.pack(
                        state.layout,
                        state.params,
                        one_row=one_row,
                        scoring=scoring,
                        boundary=state.vocabulary.boundary,
                        bfloat16=bfloat16,
                        n_threads=n_threads,
                        scales=state.scales,
                    )
                    kept = self._kept = _Forms(state, first)
        return kept.form(one_row, scoring, n_threads)


class _Forms:
    """The packed forms of a state's weights at one moment.

    The state must be locked by its gate, so that no thread changes it.
    """

    def __init__(self, state: ModelState, first: PackedNetwork) -> None:
        self._gate, self._changes, self._params = state.gate, state.gate.changes, ref(state.params)
        self._precision_and_boundary = first.bfloat16, first.boundary
        self._forms = {(first.one_row, first.scoring): first}

    def is_current(self, state: ModelState, bfloat16: bool) -> bool:
        """Return whether the weights are still the state's, and are packed for this precision."""
        return (
            self._params() is state.params
            and self._changes == state.gate.changes
            and self._precision_and_boundary == (bfloat16, state.vocabulary.boundary)
        )

    def form(self, one_row: bool, scoring: bool, n_threads: int | None) -> PackedNetwork:
        """Return the form for a use; forms that differ only in their number of threads share all arrays."""
        network = self._forms.get((one_row, scoring))
        if network is None:
            with self._gate.turn:  # one thread packs, the others wait for the result
                network = self._forms.get((one_row, scoring))
                if network is None:  # any other form has the same weights, however the state has changed since
                    network = next(iter(self._forms.values())).repacked(one_row=one_row, scoring=scoring)
                    self._forms[one_row, scoring] = network
        if network.n_threads != n_threads:
            network = self._forms[one_row, scoring] = network._replace(n_threads=n_threads)
        return network
