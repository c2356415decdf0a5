"""AdaptiveModel: a language model whose weights can follow the text that it reads."""

from __future__ import annotations

from typing import Self

from .adaptation.adaptation_rule import AdaptationRule
from .adaptation.adaptive_reading import Adapt, AdaptiveReading, read_all
from .adaptation.options import AdaptationOptions
from .adaptation.weight_learner import WeightLearner
from .errors import InvalidInputError
from .language_model import LanguageModel
from .model.gradient_rms import gradient_rms
from .text.sources.sources import TextLike

__all__ = ["AdaptiveModel"]


class AdaptiveModel(LanguageModel):
    """A language model that adapts; the trained weights are in `_learned`."""

    beta_2: float

    def adapt(
        self,
        X: TextLike,
        *,
        learning_rate: float = AdaptationOptions.learning_rate,
        decay: float = AdaptationOptions.decay,
        block_length: int = AdaptationOptions.block_length,
    ) -> Self:
        """Return a copy of the model whose weights have followed a text: dynamic evaluation.

        The text is read once, in blocks. After each block the weights take a step against the gradient of its loss, and
        a step back towards the trained weights (Krause, Kahembwe, Murray and Renals 2018). Each weight's step is scaled
        by how large its gradients were in training. ``docs/mathematics.md`` has the equations,
        ``docs/adaptation.md`` examples.

        Parameters
        ----------
        X : str, bytes, os.PathLike or iterable of str or bytes
            As for `score`. Documents are read in their order.
        learning_rate : float, default=1.5e-4
            How far the weights follow each symbol, at least 0. It means the same for every `block_length`, and whatever
            `seq_length`, `batch_size` and optimizer the model was trained with.
        decay : float, default=3e-6
            The share of the way back to the trained weights that is taken with each symbol, on the average of the
            weights; at least 0.
        block_length : int, default=100
            The symbols of a block. The last block may be shorter.

        Returns
        -------
        CharRNN
            A fitted model with the parameters, counters and optimizer state of this one, which is unchanged.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            If an argument is out of range, the text is empty or holds a symbol that the model never saw, the model has
            labels (adapt ``model.for_label(label)``), or it knows no gradients of training.
        DivergenceError
            If a loss is not finite.

        Examples
        --------
        >>> from crnn import CharRNN
        >>> model = CharRNN(hidden_size=32, max_steps=2000, random_state=0).fit("to be or not to be, " * 50)
        >>> adapted = model.adapt("to be or to be, " * 50)
        >>> bool(adapted.score("to be or to be, ") > model.score("to be or to be, "))
        True
        """
        options = {"learning_rate": learning_rate, "decay": decay, "block_length": block_length}
        reading = self._adaptive_reading("adapt", options, scoring=True)
        ids, _ = self._scored_ids(X)
        for after, _ in read_all(reading, ids):
            reading = after
        learner = reading.learn_rest()
        assert isinstance(learner, WeightLearner)
        state = self._fitted("adapt").copy_between_steps()
        state.params[...] = learner.params
        return self._from_state(self.get_params(), state)

    def _adaptive_reading(self, what: str, adapt: Adapt, *, scoring: bool = False) -> AdaptiveReading:
        options, state = AdaptationOptions.of(adapt), self._for_any_text(what)
        state.check_finite(what)
        with state.gate.turn, state.gate.steps():  # another thread may be training it
            trained, rms = state.params.copy(), gradient_rms(state, self.beta_2)
        if rms is None:
            raise InvalidInputError(
                "adaptation needs to know how large the gradients of training were, and this model was "
                "not trained, or comes from a file of weights without them: call partial_fit with a text like that "
                "of its training first"
            )
        rule = AdaptationRule(state.layout, trained, rms, options)
        learner = WeightLearner(
            rule, trained, state.vocabulary.boundary, scoring=scoring, bfloat16=self._bfloat16(state)
        )
        return AdaptiveReading.begin(learner)
