"""CharRNN: a character-level recurrent language model, from text to weights and to a file."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, Self

from .errors import InvalidInputError
from .export.export_methods import ExportMethods
from .files import checkpoint
from .inference.language_model import LanguageModel
from .model.extension import extended, widened
from .model.layout import Layout
from .model.state import ModelState
from .settings import OPTIMIZERS, Settings, checked, generator, real, threads
from .text.sources import TextLike, text_source
from .training.budget import Budget
from .training.data_summary import data_summary
from .training.exclusive import exclusive_training
from .training.memory_need import check_memory
from .training.run import TrainingRun, streams_for
from .training.trainer import threads_for
from .training.validation import training_and_validation_ids

SAMPLES = 5  # documents that verbose=2 shows at a time
SAMPLE_LENGTH = 200  # symbols of a running text that it shows


class CharRNN(LanguageModel, ExportMethods):
    """A character-level recurrent language model: tanh, GRU or LSTM layers, truncated back-propagation.

    With the defaults this is min-char-rnn, number for number (in float64): the text is swept from left to right in
    chunks of `seq_length` characters, the hidden state is carried from chunk to chunk, every gradient is clipped
    element by element, and Adagrad updates the weights after each chunk. See ``docs/mathematics.md``.

    Parameters
    ----------
    hidden_size : int, default=100
        H, the number of hidden units of each layer.
    num_layers : int, default=1
        L. Each layer reads the states of the one below it.
    cell : {"rnn", "gru", "lstm"}, default="rnn"
        What a layer is made of; GRU and LSTM as PyTorch has them.
    seq_length : int, default=25
        T, the characters of a chunk: how far back in time gradients flow. A shorter text is one shorter chunk.
    batch_size : int, default=1
        B, the contiguous parts of the text that are swept side by side. The loss and the gradient are summed over
        time and averaged over these streams.
    optimizer : {"adagrad", "rmsprop", "adam"}, default="adagrad"
        If it is changed, `partial_fit` begins with a new memory.
    learning_rate : float or None, default=None
        None means the optimiser's usual one: 0.1 for Adagrad, 0.002 for RMSprop and Adam.
    schedule : {"constant", "linear", "cosine", "exponential"}, default="constant"
        How the learning rate goes on within a call of `fit` or `partial_fit`: linear and cosine fall to 0 at its end;
        exponential is char-rnn's decay, 0.97 times as much in each sweep of the text after the 10th.
    warmup : int or float, default=0
        In the first so many steps (an int), or in the first part of the call (a float below 1), the learning rate
        rises in a straight line from nearly 0 to what the schedule says.
    clip : float or None, default=5.0
        Each element of each gradient is clipped to [-clip, clip]; None leaves them as they are.
    clip_norm : float or None, default=None
        Before that, a gradient whose Euclidean norm is larger is scaled down to it; None leaves it as it is.
    weight_decay : float, default=0.0
        Decoupled weight decay, for Adam only (then called AdamW).
    beta_1 : float, default=0.9
        How much of its first moment Adam keeps from step to step.
    beta_2 : float, default=0.999
        The same of the second moment; a shorter memory, 0.99, suits short runs.
    dropout : float, default=0.0
        Probability with which each output of each layer is dropped in training, at least 0 and below 1.
    weight_dropout : float, default=0.0
        Probability with which each recurrent weight is dropped in a training step, at least 0 and below 1 (DropConnect,
        as in the AWD-LSTM of Merity, Keskar and Socher 2018). Where a text is swept many times it helps more than
        `dropout` does; both may be given.
    epochs : int, default=10
        Sweeps over the text that `fit` makes; not used if `max_steps` or `max_seconds` is given.
    max_steps : int or None, default=None
        If given, `fit` takes exactly this many steps (one chunk of each stream is a step), and `partial_fit` at most
        so many. 0 only builds the vocabulary and the weights.
    max_seconds : float or None, default=None
        If given, `fit` and `partial_fit` train for so many seconds, from the call on, and sweep the text as often as
        that lasts; the schedule goes by the time. With `max_steps`, whichever comes first ends it. At least one step
        is taken.
    validation_fraction : float, default=0.0
        The part of the text, its end, that is not trained on, and whose loss is measured now and then.
    eval_every : int, float or None, default=None
        Steps (an int) or seconds (a float) between two measurements of the validation loss. None: about 20 of them,
        fewer if they would cost more than 5 % of the time. It is always measured at the end. After seconds, which
        weights are the best may differ from run to run.
    patience : int or None, default=None
        Training ends after so many measurements without a new lowest validation loss; None: never.
    restore_best : bool, default=True
        With a validation text: in the end, however it comes, the model is as it was when the validation loss was
        lowest.
    callbacks : list of functions or None, default=None
        Each is called with the model and the newest record of `history_`. Returning True ends the training. It may
        write to `params_` and `state_`, but not train the model.
    init_scale : float or None, default=None
        The first weights are from the normal distribution with this standard deviation, biases are zero. None: so
        with 0.01 for one layer of "rnn"; for all others PyTorch's uniform distribution.
    min_count : int, default=1
        Characters that `fit` sees less often become one unknown symbol. With 2 or more the model then takes any text:
        whatever it does not know is that symbol. With 1 a character that it never saw is an error.
    dtype : {"float32", "float64"}, default="float32"
        Of the weights and of all arithmetic.
    n_threads : int or None, default=None
        Threads that the streams of training, the samples and the parts of a score are dealt to. None: as many as
        there are cores, while the work stays worth it; more than that are used for training only. The same number
        gives the same bits.
    random_state : int, SeedSequence, Generator or None, default=None
        Seeds the first weights, the dropout and the order of documents. None: different ones each time. `partial_fit`
        goes on with what `fit` began.
    verbose : int, default=0
        0: silent. 1: a progress bar on standard error. 2: also a sample every few seconds.

    Attributes
    ----------
    params_ : dict of str to ndarray
        Writable views on the weights under min-char-rnn's names: for layer k ``Wxh_lk`` (G H, V), but (G H, H) from
        layer 1 on, ``Whh_lk`` (G H, H), ``bh_lk`` (G H,), for a GRU ``bhn_lk`` (H,); then ``Why`` (V, H), ``by`` (V,).
        G is the number of gates: 1, GRU 3, LSTM 4.
    optimizer_state_ : dict of str to dict
        The optimiser's memory under PyTorch's names, ``sum`` for Adagrad, ``square_avg`` for RMSprop, ``exp_avg`` and
        ``exp_avg_sq`` for Adam, each with views like those of `params_`; for Adam also ``step``, an int.
    state_ : ndarray of shape (L, B, H)
        The hidden state carried from the last chunk to the next, for an LSTM the tuple (h, c) of two. May be written
        to.
    vocabulary_ : Vocabulary
        The symbols in id order: sorted code points, or byte values.
    n_steps_ : int
        Steps taken so far.
    smooth_loss_ : float
        min-char-rnn's smoothed loss, in nats per chunk of `seq_length`: starts at T ln V, then 0.999 old + 0.001 new.
    history_ : list of dict
        Records of training, evenly spaced, and one for each measured validation loss: ``step``; ``seconds`` and
        ``epoch`` (of the call); ``smooth_loss``, ``train_loss`` (the mean since the record before, in which a later
        step counts a little more) and ``validation_loss`` (None if not measured), in nats per character;
        ``learning_rate`` and ``gradient_norm`` (before clipping) of the last step; ``chars_per_second`` (of the call).

    Examples
    --------
    >>> from crnn import CharRNN
    >>> model = CharRNN(hidden_size=32, max_steps=2000, random_state=0).fit("to be or not to be, " * 50)
    >>> model.sample(20, prime="to be", temperature=0.1, random_state=0)
    ' or not to be, to be'
    >>> model.bits_per_char("to be or not to be") < 1
    True
    """

    def __init__(
        self,
        hidden_size: int = 100,
        *,
        num_layers: int = 1,
        cell: str = "rnn",
        seq_length: int = 25,
        batch_size: int = 1,
        optimizer: str = "adagrad",
        learning_rate: float | None = None,
        schedule: str = "constant",
        warmup: int | float = 0,
        clip: float | None = 5.0,
        clip_norm: float | None = None,
        weight_decay: float = 0.0,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        dropout: float = 0.0,
        weight_dropout: float = 0.0,
        epochs: int = 10,
        max_steps: int | None = None,
        max_seconds: float | None = None,
        validation_fraction: float = 0.0,
        eval_every: int | float | None = None,
        patience: int | None = None,
        restore_best: bool = True,
        callbacks: Sequence[Callable[[Any, dict[str, Any]], Any]] | None = None,
        init_scale: float | None = None,
        min_count: int = 1,
        dtype: Any = "float32",
        n_threads: int | None = None,
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.cell = cell
        self.seq_length = seq_length
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.warmup = warmup
        self.clip = clip
        self.clip_norm = clip_norm
        self.weight_decay = weight_decay
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.dropout = dropout
        self.weight_dropout = weight_dropout
        self.epochs = epochs
        self.max_steps = max_steps
        self.max_seconds = max_seconds
        self.validation_fraction = validation_fraction
        self.eval_every = eval_every
        self.patience = patience
        self.restore_best = restore_best
        self.callbacks = callbacks
        self.init_scale = init_scale
        self.min_count = min_count
        self.dtype = dtype
        self.n_threads = n_threads
        self.random_state = random_state
        self.verbose = verbose

    # ---------------------------------------------------------------- training

    def fit(self, X: TextLike, y: None = None, *, validation: TextLike | None = None) -> Self:
        """Train anew on a text, or on many short ones.

        Parameters
        ----------
        X : str, bytes, os.PathLike or iterable of str or bytes
            The text itself; bytes for a model of bytes; or the path of a UTF-8 file, its newlines kept as they are.
            A list, or anything else that is no text and gives texts when it is run through once, holds documents:
            names, lines, molecules. Each starts and ends by itself, and the model learns where.
        y : None
            Not used; there for the convention.
        validation : str, bytes, os.PathLike or iterable of str or bytes, default=None
            A text whose loss is measured now and then, in place of the end of `X` that `validation_fraction` names,
            or of its last documents; all its symbols must occur in `X`, unless `min_count` is 2 or more. With
            documents in `X` a text is one document.

        Returns
        -------
        CharRNN
            The model itself.

        Raises
        ------
        ValueError
            If a parameter or a text is not usable, or another call is training the model: what is wrong, where, and
            the remedy. The model is unchanged.
        UnicodeDecodeError
            If a file is not UTF-8, with the offset.
        DivergenceError
            If a loss is not finite. The model then holds the last good weights, or those with the lowest validation
            loss.
        KeyboardInterrupt
            Ctrl-C: the model then holds the last complete update, or the weights with the lowest validation loss.

        Notes
        -----
        The validation loss is the mean of -ln P over the whole validation text, from a zero state on; see
        `crnn.training.evaluation.evaluate` for how it is measured. When `restore_best` puts the model back, weights,
        optimiser memory, state, `n_steps_` and `smooth_loss_` are all those of that step, and `partial_fit` goes on
        from there; only `history_` tells of the steps that are undone.

        Documents come in a new order in each epoch, shuffled by `random_state`, one after another in `batch_size`
        streams, parted by a boundary symbol (`crnn.BOUNDARY` in `vocabulary_`). The hidden state is zero where a
        document starts, and no gradient goes back beyond it, so that none is padded, and each is learned as if it were
        alone. Its end counts as a symbol in every loss and score. The states go on from epoch to epoch. A document
        longer than an epoch of a stream, and than 65,536 characters, is learned in parts.

        Examples
        --------
        >>> CharRNN(hidden_size=8, epochs=1, random_state=0).fit("hello world " * 20).n_steps_
        9
        >>> CharRNN(hidden_size=8, epochs=1, random_state=0).fit(["Anna", "Bob", "Eve"]).vocabulary_
        Vocabulary(9 characters: 'ABEabenov', crnn.BOUNDARY)
        """
        with exclusive_training(self):
            limited = self.max_steps is not None or self.max_seconds is not None
            self._learn(X, validation, state=None, max_epochs=None if limited else self.epochs)
        return self

    def partial_fit(
        self,
        X: TextLike,
        y: None = None,
        *,
        validation: TextLike | None = None,
        epochs: int | None = None,
        extend_vocabulary: bool = False,
    ) -> Self:
        """Go on training with a text, from the weights, optimizer state and hidden state of the model.

        Training starts at the first character of `X` and reads it once, or `epochs` times, but takes at most
        `max_steps` steps. With `max_seconds` and without `epochs` it reads the text as often as there is time for. The
        schedule begins anew with each call. A model that is not fitted starts anew, with the vocabulary of this text.

        The hidden state is zeroed where `fit` zeroes it: when fewer characters than another whole chunk are left of
        the text. So a text of up to `seq_length` + 1 characters starts from zero. If `batch_size` was changed, the
        hidden state starts from zero as well.

        Parameters
        ----------
        X : str, bytes, os.PathLike or iterable of str or bytes
            As in `fit`, of the model's symbols; documents only for a model that was fitted on documents, for which a
            text is one document.
        y : None
            Not used.
        validation : str, bytes, os.PathLike or iterable of str or bytes, default=None
            As in `fit`, of the model's symbols. The lowest loss is the lowest of this call.
        epochs : int or None, default=None
            How often the text is read, at least 1. None: once, or with `max_seconds` as often as there is time for.
        extend_vocabulary : bool, default=False
            Whether characters of `X` that the model does not know become symbols of it. What it has learned it keeps:
            the probabilities of the old symbols stay in proportion, and each new one is at first as probable as the
            old one of the lowest bias, as a rule the rarest. False: they are an error.

        Returns
        -------
        CharRNN
            The model itself.

        Raises
        ------
        ValueError, UnicodeDecodeError, DivergenceError, KeyboardInterrupt
            As in `fit`; also a ValueError that names a symbol the model does not know, or a parameter that has been
            changed to what the weights do not fit.

        Examples
        --------
        >>> model = CharRNN(hidden_size=8, max_steps=0, random_state=0).fit("hello world")
        >>> model.set_params(max_steps=None).partial_fit("hello world " * 20, epochs=2).n_steps_
        18
        """
        with exclusive_training(self):
            state = self._learned if self._is_fitted else None
            usual = 1 if self.max_seconds is None else None
            max_epochs = usual if epochs is None else checked("epochs", epochs)
            self._learn(X, validation, state=state, max_epochs=max_epochs, extend=extend_vocabulary)
        return self

    def _learn(
        self,
        X: TextLike,
        validation: TextLike | None,
        *,
        state: ModelState | None,
        max_epochs: int | None,
        extend: bool = False,
    ) -> None:
        """Train a new state, or carry `state` on, to the first of `max_seconds`, `max_steps` and `max_epochs`."""
        start = time.perf_counter()
        settings = Settings.check(self.get_params())
        source = text_source(X)
        held_out = None if validation is None else text_source(validation, "validation")
        if state is None:
            vocabulary, n_steps = source.vocabulary(settings.min_count), 0
        else:
            state.check(settings)
            vocabulary, n_steps = state.vocabulary, state.n_steps
            if extend:
                found = source.vocabulary(boundary=vocabulary.boundary is not None)
                vocabulary = extended(vocabulary, found)
        ids, validation_ids = training_and_validation_ids(source, held_out, vocabulary, settings)
        rng = generator(settings.random_state)  # checked even where it is not used
        rng = rng if state is None else state.rng
        streams = streams_for(ids, vocabulary, settings, rng, n_steps)
        layout = Layout(len(vocabulary), settings.hidden_size, settings.dtype, settings.cell, settings.num_layers)
        check_memory(
            layout,
            streams,
            len(OPTIMIZERS[settings.optimizer].memory),
            threads_for(layout, streams, settings.n_threads),
            keep_best=validation_ids is not None and settings.restore_best,
        )
        options: Any = {name: getattr(settings, name) for name in ("optimizer", "batch_size", "seq_length")}
        if state is None:
            state = ModelState.initial(layout, vocabulary, rng, init_scale=settings.init_scale, **options)
        else:
            state = state.carried_on(**options)
            if vocabulary is not state.vocabulary:
                state = widened(state, vocabulary, layout)
        budget = Budget.of_call(settings, streams.steps_per_epoch, max_epochs)
        callbacks = [partial(callback, self) for callback in settings.callbacks]
        run = TrainingRun(
            state,
            settings,
            streams,
            budget,
            validation_ids,
            start=start,
            callbacks=callbacks,
            summary=data_summary(ids, validation_ids, vocabulary) if settings.verbose else "",
            sample=self._samples,
        )
        self._learned = state
        try:
            run.run()
        finally:
            self._learned = run.final_state  # one assignment: a second Ctrl-C comes before or after it

    def _samples(self) -> Iterable[str | bytes]:
        """Return samples for ``verbose=2`` to show."""
        if self.vocabulary_.boundary is None:
            return [self.sample(SAMPLE_LENGTH)]
        samples: list[str | bytes] = self.sample(SAMPLE_LENGTH, num_samples=SAMPLES)
        return samples

    @classmethod
    def recommended(
        cls, X: TextLike, seconds: float, *, cell: str = "lstm", n_threads: int | None = None, verbose: int = 1
    ) -> Self:
        """Return a model that is not fitted, with parameters that make the most of a text in a given time.

        The choice follows the measurements of ``docs/measurements.md``, the length of the text, and half a second of
        training that shows how fast this machine is now. It is printed on standard error in one line, and is the
        returned model's parameters. A short text is learned by heart before a long time has passed: there the model
        has `max_steps` beside `max_seconds`, and takes less.

        Parameters
        ----------
        X : str, bytes or os.PathLike
            The text that the model will be fitted to.
        seconds : float
            That `fit` may take.
        cell : {"lstm", "gru", "rnn"}, default="lstm"
        n_threads : int or None, default=None
            As for the constructor.
        verbose : int, default=1
            0: nothing is printed.

        Returns
        -------
        CharRNN
            Change its parameters at will, then call `fit`.

        Raises
        ------
        ValueError
            If an argument is not usable.

        Examples
        --------
        >>> model = CharRNN.recommended("to be or not to be, " * 500, seconds=2.0, verbose=0)
        >>> model.cell, model.schedule, model.max_seconds
        ('lstm', 'cosine', 2.0)
        """
        from .training import recommended

        seconds = real("seconds", seconds, above=0.0)
        if cell not in recommended.RECIPES:
            raise InvalidInputError(f"cell must be one of {', '.join(map(repr, recommended.RECIPES))}, not {cell!r}")
        length = text_source(X).max_length
        if length < 2:
            raise InvalidInputError(f"X is too short: its length is {length}, but at least 2 symbols are needed")
        speed = recommended.measured_speed(threads(n_threads))
        parameters = recommended.recommend(length, seconds, speed=speed, cell=cell)
        if verbose:
            print(recommended.described(parameters, speed), file=sys.stderr)
        return cls(**parameters, n_threads=n_threads)

    # -------------------------------------------------------------- model file

    def save(self, path: str | os.PathLike[str], *, training_state: bool = True) -> None:
        """Write the model to a file.

        The file is written beside the target and put in its place when it is complete, so that an older file is
        never half overwritten. Its layout is that of safetensors, with PyTorch's names; see ``docs/design.md``.

        Parameters
        ----------
        path : str or os.PathLike
            The file.
        training_state : bool, default=True
            Also write what `partial_fit` needs to go on as if nothing had happened: optimiser memory, hidden state,
            step count and random state.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ModelFileError
            If the weights are not finite.
        OSError
            If the file cannot be written; an older file is then as it was.

        Examples
        --------
        >>> import tempfile, pathlib
        >>> model = CharRNN(hidden_size=8, max_steps=5, random_state=0).fit("hello world, " * 20)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     model.save(pathlib.Path(folder) / "hello.crnn")
        ...     again = CharRNN.load(pathlib.Path(folder) / "hello.crnn")
        >>> again.score("hello") == model.score("hello")
        True
        """
        checkpoint.write(self._fitted("save"), self.get_params(), path, training_state=training_state)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a model from a file.

        Parameters
        ----------
        path : str or os.PathLike
            A file that `save` wrote, with this or an older version.

        Returns
        -------
        CharRNN

        Raises
        ------
        ModelFileError
            If the file is damaged, of another kind, or of a newer format.
        OSError
            If it cannot be read.

        Examples
        --------
        >>> import tempfile
        >>> from pathlib import Path
        >>> from crnn import CharRNN
        >>> model = CharRNN(8, max_steps=100, random_state=0).fit("abc" * 100)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     model.save(Path(folder) / "abc.crnn")
        ...     again = CharRNN.load(Path(folder) / "abc.crnn")
        >>> again.score("abcabc") == model.score("abcabc")
        True
        """
        return cls._from_state(*checkpoint.read(path, cls().get_params()))
