"""CharRNN: a character-level recurrent language model, from text to weights and to a file."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Self

from numpy.typing import ArrayLike

from .errors import InvalidInputError
from .export_methods import ExportMethods
from .files import checkpoint as model_checkpoint
from .parameters.checks import checked_float, checked_int, checked_threads
from .parameters.documentation import with_parameters
from .parameters.settings import checked_parameter
from .resumable_training import CHECKPOINT_SECONDS, ResumableTraining
from .text.sources.sources import TextLike, text_source
from .training.loop.text_gradient import TextGradient, text_gradient
from .training.preparation.preparation import Call


@with_parameters
class CharRNN(ResumableTraining, ExportMethods):
    """A character-level recurrent language model: tanh, GRU or LSTM layers, truncated back-propagation.

    With the defaults this is min-char-rnn, number for number (in float64). The text is read from left to right in
    chunks of `seq_length` characters, and the hidden state is carried from chunk to chunk. After each chunk every
    gradient is clipped element by element, and Adagrad updates the weights. See ``docs/mathematics.md``.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    params_ : dict of str to ndarray
        Writable views of the weights under min-char-rnn's names. For layer k: ``Wxh_lk`` (G H, V), from layer 1 on
        (G H, H); ``Whh_lk`` (G H, H); ``bh_lk`` (G H,); for a GRU ``bhn_lk`` (H,). Then ``Why`` (V, H), ``by`` (V,).
        With `embedding_size` first ``embedding`` (V, E), row v of which is that of symbol v, and ``Wxh_l0`` (G H, E).
        With `n_bigrams` before all ``bigrams`` (R, G H), of the pairs in `bigrams_`.
        G is the number of gates: 1, GRU 3, LSTM 4, "cifg" 3.
    optimizer_state_ : dict of str to dict
        The optimizer's state under PyTorch's names: ``sum`` for Adagrad, ``square_avg`` for RMSprop, ``exp_avg`` and
        ``exp_avg_sq`` for Adam, each with views like those of `params_`. For Adam also ``step``, an int.
    state_ : ndarray of shape (L, B, H)
        The hidden state carried from the last chunk to the next; for an LSTM and "cifg" a tuple (h, c). With
        `n_bigrams` a tuple, at whose end is the symbol that was read last, (1, B, 1): its id plus 1, or 0. May be
        written to.
    bigrams_ : list of tuple or None
        The pair of symbols of each row of ``params_["bigrams"]``; without `n_bigrams` empty.
    vocabulary_ : Vocabulary
        The symbols in id order: sorted code points, or byte values.
    n_steps_ : int
        Steps taken so far.
    smooth_loss_ : float
        min-char-rnn's smoothed loss, in nats per chunk of `seq_length`. It starts at T ln V; each step makes it
        0.999 old + 0.001 new.
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
        embedding_size: int | None = None,
        n_bigrams: int | None = None,
        vocabulary: str | bytes | Iterable[str] | Iterable[bytes] | None = None,
        min_count: int = 1,
        init_scale: float | None = None,
        dtype: Any = "float32",
        seq_length: int = 25,
        batch_size: int = 1,
        optimizer: str = "adagrad",
        learning_rate: float | None = None,
        schedule: str = "constant",
        warmup: int | float = 0,
        clip: float | None = 5.0,
        clip_norm: float | None = None,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        sampled_softmax: int | None = None,
        weight_average: float = 0.0,
        weight_decay: float = 0.0,
        dropout: float = 0.0,
        weight_dropout: float = 0.0,
        state_reset: float = 0.0,
        epochs: int = 10,
        max_steps: int | None = None,
        max_seconds: float | None = None,
        validation_fraction: float = 0.0,
        eval_every: int | float | None = None,
        patience: int | None = None,
        restore_best: bool = True,
        callbacks: Sequence[Callable[[Any, dict[str, Any]], Any]] | None = None,
        matmul_precision: str = "float32",
        n_threads: int | None = None,
        random_state: Any = None,
        verbose: int = 0,
        average_every: int = 1,
        outer_learning_rate: float | None = None,
        outer_momentum: float = 0.0,
    ) -> None:
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.cell = cell
        self.embedding_size = embedding_size
        self.n_bigrams = n_bigrams
        self.vocabulary = vocabulary
        self.min_count = min_count
        self.init_scale = init_scale
        self.dtype = dtype
        self.seq_length = seq_length
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.warmup = warmup
        self.clip = clip
        self.clip_norm = clip_norm
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.sampled_softmax = sampled_softmax
        self.weight_average = weight_average
        self.weight_decay = weight_decay
        self.dropout = dropout
        self.weight_dropout = weight_dropout
        self.state_reset = state_reset
        self.epochs = epochs
        self.max_steps = max_steps
        self.max_seconds = max_seconds
        self.validation_fraction = validation_fraction
        self.eval_every = eval_every
        self.patience = patience
        self.restore_best = restore_best
        self.callbacks = callbacks
        self.matmul_precision = matmul_precision
        self.n_threads = n_threads
        self.random_state = random_state
        self.verbose = verbose
        self.average_every = average_every
        self.outer_learning_rate = outer_learning_rate
        self.outer_momentum = outer_momentum

    # ---------------------------------------------------------------- training

    def fit(
        self,
        X: TextLike,
        y: None = None,
        *,
        validation: TextLike | None = None,
        sample_weight: ArrayLike | None = None,
        labels: ArrayLike | None = None,
        validation_labels: ArrayLike | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        checkpoint_every: int | float = CHECKPOINT_SECONDS,
        comm: Any = None,
    ) -> Self:
        """Train a new model on a text, or on many short ones.

        Parameters
        ----------
        X : str, bytes, os.PathLike or iterable of str or bytes
            The text itself; bytes for a model of bytes; or the path of a UTF-8 file, whose newlines are kept.
            A list, or any other iterable of texts, holds documents, such as names, lines or molecules. The model
            learns where a document starts and ends.
        y : None
            Not used, present for scikit-learn's convention.
        validation : str, bytes, os.PathLike or iterable of str or bytes, default=None
            A text to measure the validation loss on, instead of the fraction `validation_fraction` of `X`. All its
            symbols must occur in `X`, unless `min_count` is 2 or more. If `X` holds documents, a text is one document.
        sample_weight : array-like of shape (n,), default=None
            With documents: a factor of the loss of each, at least 0, such as its count in a list of counted names. A
            document of weight 2 is read once, and its gradient is doubled. `validation` and `score` do not weigh.
        labels : array-like of shape (n,), default=None
            With documents: a label of each, text or number, such as the language of a name. The model learns the texts
            of each label, and how frequent the label is: `sample`, `score_samples` and `for_label` take a label. In
            losses it counts as a symbol, the first of its document. Unlike `y` it is learned.
        validation_labels : array-like, default=None
            The labels of the documents of `validation`.
        checkpoint : str, os.PathLike or None, default=None
            A file that training is saved in as it goes on, and when it is interrupted. From it `resume` finishes the
            call, and `load` reads the model as an interruption would have left it. At the end it holds the model.
        checkpoint_every : int or float, default=60.0
            Steps (an int) or seconds (a float) between two checkpoints.
        comm : mpi4py.MPI.Comm, default=None
            The processes that train this model together; each makes the same call and has the same model afterwards.
            `batch_size` is their total. See ``docs/scaling.md``. None: this process alone.

        Returns
        -------
        CharRNN
            The model itself.

        Raises
        ------
        ValueError
            If a parameter or a text cannot be used, or another call is training the model. The message says what is
            wrong, where, and how to mend it. The model is unchanged.
        UnicodeDecodeError
            If a file is not UTF-8; it gives the offset.
        DivergenceError
            If a loss is not finite. The model then holds the last good weights, or those with the lowest validation
            loss.
        KeyboardInterrupt
            On Ctrl-C. The model then holds the last complete update, or the weights with the lowest validation loss.

        Notes
        -----
        The validation loss is the mean of -ln P over the whole validation text, starting from a hidden state of zeros;
        `crnn.training.loop.evaluation.evaluate` says how it is measured. `restore_best` restores weights, optimizer
        state, hidden state, `n_steps_` and `smooth_loss_` of the best step, and `partial_fit` goes on from there.
        `history_` keeps the records of the steps that are undone.

        In each epoch the documents are shuffled by `random_state` and distributed over the `batch_size` streams. A
        boundary symbol (`crnn.BOUNDARY` in `vocabulary_`) separates them. The hidden state is zeroed where a document
        starts, and no gradient flows back beyond that, so that each document is learned as if it were alone, without
        padding. Its end counts as a symbol in every loss and score. The hidden state is carried from epoch to epoch. A
        document longer than 65,536 characters and than a stream's part of an epoch is learned in parts.

        Examples
        --------
        >>> CharRNN(hidden_size=8, epochs=1, random_state=0).fit("hello world " * 20).n_steps_
        9
        >>> CharRNN(hidden_size=8, epochs=1, random_state=0).fit(["Anna", "Bob", "Eve"]).vocabulary_
        Vocabulary(9 characters: 'ABEabenov', crnn.BOUNDARY)
        >>> counted = CharRNN(hidden_size=8, epochs=200, random_state=0).fit(["Anna", "Bob"], sample_weight=[9, 1])
        >>> bool(counted.score(["Anna"]) > counted.score(["Bob"]))
        True
        >>> told = CharRNN(hidden_size=16, max_steps=1500, random_state=0).fit(["Anna", "Bob"], labels=["girl", "boy"])
        >>> told.sample(label="boy", temperature=0)
        'Bob'
        """
        limited = self.max_steps is not None or self.max_seconds is not None
        call = Call(X, validation, sample_weight, labels, validation_labels, None if limited else self.epochs)
        return self._train(call, checkpoint, checkpoint_every, anew=True, comm=comm)

    def partial_fit(
        self,
        X: TextLike,
        y: None = None,
        *,
        validation: TextLike | None = None,
        sample_weight: ArrayLike | None = None,
        labels: ArrayLike | None = None,
        validation_labels: ArrayLike | None = None,
        epochs: int | None = None,
        extend_vocabulary: bool = False,
        checkpoint: str | os.PathLike[str] | None = None,
        checkpoint_every: int | float = CHECKPOINT_SECONDS,
        comm: Any = None,
    ) -> Self:
        """Go on training with a text, from the weights, optimizer state and hidden state of the model.

        Training starts at the first character of `X`, wherever the last call ended, and reads it once, or `epochs`
        times, but takes at most `max_steps` steps. With `max_seconds` and without `epochs` it reads the text as often
        as there is time for. The schedule, its warm-up and patience begin anew with each call; `resume` instead
        finishes a call that was interrupted. A model that is not fitted starts anew, with the vocabulary of this text.

        The first chunk starts from the hidden state that the model has, so that the blocks of a long text can be given
        one after another. The hidden state is zeroed where `fit` zeroes it: when fewer characters than another whole
        chunk are left of the text. So a text of up to `seq_length` + 1 characters starts from zero. If `batch_size` was
        changed, the hidden state starts from zero as well.

        Parameters
        ----------
        X : str, bytes, os.PathLike or iterable of str or bytes
            As in `fit`, of the model's symbols; documents only for a model that was fitted on documents, for which a
            text is one document.
        y : None
            Not used.
        validation : str, bytes, os.PathLike or iterable of str or bytes, default=None
            As in `fit`, of the model's symbols. The lowest loss is the lowest of this call.
        sample_weight, labels, validation_labels : array-like, default=None
            As in `fit`; a model that was fitted with labels needs them, and takes no others.
        epochs : int or None, default=None
            How often the text is read, at least 1. None: once, or with `max_seconds` as often as there is time for.
        extend_vocabulary : bool, default=False
            Whether unknown characters of `X` are added to the vocabulary. The probabilities of the old symbols stay in
            proportion, and each new symbol is at first as probable as the old symbol with the lowest bias, usually the
            rarest. False: an unknown character is an error.
        checkpoint : str, os.PathLike or None, default=None
        checkpoint_every : int or float, default=60.0
        comm : mpi4py.MPI.Comm, default=None
            As in `fit`. The model must be the same in all processes.

        Returns
        -------
        CharRNN
            The model itself.

        Raises
        ------
        ValueError, UnicodeDecodeError, DivergenceError, KeyboardInterrupt
            As in `fit`; also a ValueError if the model does not know a symbol, or if a parameter was changed so that
            the weights no longer fit.

        Examples
        --------
        >>> model = CharRNN(hidden_size=8, max_steps=0, random_state=0).fit("hello world")
        >>> model.set_params(max_steps=None).partial_fit("hello world " * 20, epochs=2).n_steps_
        18
        >>> model = CharRNN(hidden_size=8, vocabulary="abcdehlorw ", random_state=0)
        >>> for block in ("hello world " * 20, "a bad world " * 20):  # blocks of an endless stream
        ...     _ = model.partial_fit(block)
        >>> model.vocabulary_
        Vocabulary(11 characters: ' abcdehlorw')
        """
        usual = 1 if self.max_seconds is None else None
        max_epochs = usual if epochs is None else checked_parameter("epochs", epochs)
        call = Call(X, validation, sample_weight, labels, validation_labels, max_epochs, extend_vocabulary)
        return self._train(call, checkpoint, checkpoint_every, comm=comm)

    @classmethod
    def recommended(cls, X: TextLike, seconds: float, *, fit: bool = False, verbose: int = 1, **overrides: Any) -> Self:
        """Return a model with parameters that suit a text and a training time.

        The choice follows measurements recorded in ``docs/measurements.md``, the length of the text, and the speed of
        this machine, which is measured by half a second of training. The choice is printed on standard error. For a
        short text and a long time, `max_steps` ends the training before the model learns the text by heart. Products
        are in bfloat16 where training is then at least 1.1 times as fast; the model's scores and samples are too.

        Parameters
        ----------
        X : str, bytes or os.PathLike
            The text that the model will be fitted to.
        seconds : float
            Time that `fit` may take.
        fit : bool, default=False
            Whether the model is fitted to `X`.
        verbose : int, default=1
            0: nothing is printed. It is not the model's own `verbose`.
        **overrides
            Parameters of the constructor that are given, not chosen. The choice depends on `cell` ("cifg" if it is not
            given), `n_threads`, `matmul_precision` and `dtype`. With another `optimizer` the learning rate is that
            optimizer's usual one. `clip_norm` is in proportion to `seq_length`. `n_bigrams` is 1,024 for "cifg" and
            "lstm", except for documents of less than 20 symbols on the average; without it the rate is higher.

        Returns
        -------
        CharRNN
            Without `fit`, its parameters may be changed before it is fitted.

        Raises
        ------
        ValueError
            If an argument is not usable.

        Examples
        --------
        >>> model = CharRNN.recommended("to be or not to be, " * 500, seconds=2.0, verbose=0)
        >>> model.cell, model.schedule, model.max_seconds
        ('cifg', 'cosine', 2.0)
        >>> model = CharRNN.recommended(["anna", "bob", "eva"], 0.1, cell="gru", min_count=2, fit=True, verbose=0)
        >>> model.vocabulary_
        Vocabulary(3 characters: 'abn', crnn.UNKNOWN, crnn.BOUNDARY)
        """
        from .training.recommend import machine_speed, recommended

        seconds = checked_float("seconds", seconds, above=0.0)
        cls().set_params(**overrides)  # refuses what is no parameter
        for name, value in overrides.items():
            checked_parameter(name, value)
        cell = overrides.get("cell", recommended.DEFAULT_CELL)
        if cell not in recommended.ADVICE:
            raise InvalidInputError(f"cell must be one of {', '.join(map(repr, recommended.ADVICE))}, not {cell!r}")
        X = list(X) if isinstance(X, Iterator) else X  # which is read again by `fit`
        source = text_source(X)
        length = source.max_length
        if length < 2:
            raise InvalidInputError(f"X is too short: its length is {length}, but at least 2 symbols are needed")
        precisions = machine_speed.usable_precisions(overrides.get("matmul_precision"), overrides.get("dtype"))
        n_threads = checked_threads(overrides.get("n_threads"))
        speed, precision = machine_speed.measured_speed(n_threads, precisions=precisions)
        parameters = recommended.recommend(
            length,
            seconds,
            speed=speed,
            matmul_precision=precision,
            cell=cell,
            n_documents=source.n_documents if source.holds_documents else None,
        )
        parameters = recommended.overridden(parameters, overrides)
        if verbose:
            print(recommended.described(parameters, speed), file=sys.stderr)
        model = cls(**parameters)
        return model.fit(X) if fit else model

    # --------------------------------------------------------------- gradients

    def gradient(self, text: str | bytes, at: int | None = None) -> TextGradient:
        """Return the loss of a text and its gradients with respect to weights and states, not cut at `seq_length`.

        Parameters
        ----------
        text : str or bytes
            One symbol or more. Its first symbol is predicted by the state that every text starts from.
        at : int, default=None
            The position of the one symbol whose loss counts, -log P of ``text[at]`` given those before it. None: all
            losses are summed, which gives ``surprisal(text).sum()``.

        Returns
        -------
        TextGradient
            `loss`, in nats; `params`, a dict of gradients with the names and shapes of `params_`; `states`, the
            gradient with respect to h after each symbol, (L, len(text), H), and of an LSTM the pair of those of h and
            c. They are not clipped, and nothing is dropped.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            If the text is empty or holds a symbol that the model never saw, or `at` is no position in it.
        DivergenceError
            If the loss is not finite.

        Examples
        --------
        >>> from crnn import CharRNN
        >>> model = CharRNN(hidden_size=16, max_steps=1000, random_state=0).fit("ab" * 100)
        >>> loss, params, states = model.gradient("abab", at=3)
        >>> bool(abs(loss - model.surprisal("abab")[3]) < 1e-5), params["Why"].shape, states.shape
        (True, (2, 16), (1, 4, 16))
        """
        state = self._for_any_text("gradient")
        ids = state.vocabulary.encode(text, name="text")
        if not len(ids):
            raise InvalidInputError("text is empty: a gradient needs at least 1 symbol")
        if at is not None and checked_int("at", at, 0) >= len(ids):
            raise InvalidInputError(f"at is {at}, but the text has the positions 0 to {len(ids) - 1}")
        return text_gradient(state, ids, at, bfloat16=self._bfloat16(state))

    # -------------------------------------------------------------- model file

    def save(self, path: str | os.PathLike[str], *, training_state: bool = True) -> None:
        """Write the model to a file.

        The file is written beside the target and renamed when it is complete, so that an older file is never half
        overwritten. The format is safetensors, with PyTorch's names of tensors; see ``docs/design.md``.

        Parameters
        ----------
        path : str or os.PathLike
            The file.
        training_state : bool, default=True
            Whether to write also the optimizer state, hidden state, counters and random state, from which
            `partial_fit` continues exactly.

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
        snapshot = self._fitted("save").copy_between_steps()  # another thread may be training the model
        model_checkpoint.write(snapshot, self.get_params(), path, training_state=training_state)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a model from a file.

        Parameters
        ----------
        path : str or os.PathLike
            A file that `save` wrote.

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
        return cls._from_state(*model_checkpoint.read(path, cls().get_params()))
