"""ResumableTraining: a call of training, and its stop."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, Self

from .inference.language_model import LanguageModel
from .settings import Settings
from .training.exclusive import exclusive_training, request_stop
from .training.preparation import Call, Hooks, prepared_run

SAMPLES = 5  # documents that verbose=2 shows at a time
SAMPLE_LENGTH = 200  # symbols of a running text that it shows


class ResumableTraining(LanguageModel):
    """The training of a language model, whose state is in `_learned`."""

    callbacks: Sequence[Callable[[Any, dict[str, Any]], Any]] | None

    def stop(self) -> None:
        """End the call of `fit` or `partial_fit` that is training this model after the current step.

        The call returns as at its usual end. Any thread may call this, and so may a callback. Without such a call
        nothing happens.

        Examples
        --------
        >>> from crnn import CharRNN
        >>> model = CharRNN(8, max_steps=10**9, callbacks=[lambda model, record: model.stop()], random_state=0)
        >>> model.fit("to be or not to be, " * 50).n_steps_ < 10**9
        True
        """
        request_stop(self)

    def _train(self, call: Call, *, anew: bool = False) -> Self:
        """Train a new state, or carry the model's on, to the first of `max_seconds`, `max_steps` and `max_epochs`."""
        with exclusive_training(self) as stop:
            start = time.perf_counter()
            settings = Settings.check(self.get_params())
            hooks = Hooks([partial(callback, self) for callback in settings.callbacks], self._samples, stop, None)
            state = None if anew or not self._is_fitted else self._learned
            run = prepared_run(call, settings, state, start, hooks)
            self._learned = run.state
            try:
                run.run()
            finally:
                self._learned = run.final_state  # one assignment: a second Ctrl-C comes before or after it
        return self

    def _samples(self) -> Iterable[str | bytes]:
        """Return samples for ``verbose=2`` to show."""
        if self.vocabulary_.boundary is None:
            return [self.sample(SAMPLE_LENGTH)]
        return self.sample(SAMPLE_LENGTH, num_samples=SAMPLES)
