"""CharRNN: a character-level recurrent language model, from text to weights to file."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import TYPE_CHECKING, Any, BinaryIO, Self, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .adaptation.reading import Adapt, AdaptationOptions, AdaptiveReading, adapted_state, adaptive_reading
from .arrays import Array
from .display.loss_curve import curves_of
from .display.summary import describe_state
from .errors import NotFittedError
from .export.weights import require_package
from .files import network_file, run_file
from .files.run_file import unfinished_run, write_run
from .files.sealed_file import FilePart, write_path
from .inference.network import LabelNetworks, Use
from .inference.network_cache import NetworkCache
from .inference.packed_network import PackedNetwork
from .language_model import LanguageModel
from .model.draft import ExclusiveUse, LearnedArrays, begin_use, draft_of, editing, request_stop
from .model.state import ModelState, state_of_label
from .parameters.checks import FilePath, checked_int, checked_threads, has_items
from .parameters.settings import checked_parameter, rounds_operands
from .runtime.signals import call_at_end
from .scoring import string_states
from .text.labels import label_number
from .text.sources import TextLike, documents_of, require_rereadable, rereadable
from .text.vocabulary import Special, Text, Vocabulary
from .training.checkpoints import FINISHED, CheckpointFile, RunState
from .training.fit import FitArguments, Validation, check_texts, plan_training
from .training.gradients import TextGradient, gradient_of_text
from .training.run import TrainingRun

if TYPE_CHECKING:
    from .export.models import ExportedNetwork
    from .export.pytorch import TorchCharRNN


SAMPLES = 5  # documents shown at a time by verbose=2
SAMPLE_LENGTH = 200  # symbols shown of a running text


class CharRNN(LanguageModel):
    """A character-level recurrent language model: tanh, GRU or LSTM layers, truncated back-propagation.

    For the best model of a text, use `crnn.train`, which adds n-gram counts; `recommended` chooses a network alone.

    With the defaults this is min-char-rnn, number for number (in float64). The text is read from left to right in
    chunks of `seq_length` characters, and the hidden state is carried from chunk to chunk. After each chunk every
    gradient is clipped element by element, and Adagrad updates the weights. See ``docs/mathematics.md``.

    Before `fit`, methods that need a fitted model raise `NotFittedError`.

    Parameters
    ----------
    Model: the network, its alphabet and its initial weights

    hidden_size : int, default=100
        H, the number of hidden units of each layer.
    num_layers : int, default=1
        L, the number of layers. Each layer reads the hidden states of the layer below.
    cell : {"rnn", "gru", "lstm", "cifg"}, default="rnn"
        The kind of layer: tanh, or GRU and LSTM with PyTorch's equations. "cifg" is an LSTM with coupled input and
        forget gates (Greff et al. 2017) and three quarters of the weights; it lets in as much as it forgets.
    embedding_size : int or None, default=None
        E, the length of each symbol's learned vector, the input of the first layer. Use an embedding for alphabets of
        thousands of symbols: the first layer then has E G H input weights instead of V G H (G: gates). Two thirds of H
        predicted best, and a third 0.04 nats worse (``docs/development/measurements.md``). None: the first layer reads
        the symbols directly, which suits alphabets of up to a few hundred symbols.
    n_bigrams : int or None, default=None
        R, the number of symbol pairs with input weights of their own: the most frequent pairs in the text of `fit`.
        Their G H weights are added to the second symbol's, so that the gates see two symbols at once. A model of a few
        hundred units then learns faster (``docs/development/measurements.md``), but has R G H more weights. A chunk
        changes only the rows of the pairs it contains, at three tenths of the learning rate. None: no pairs.
    vocabulary : str, bytes, list of characters or None, default=None
        The characters of a new model, fixed in advance so that `partial_fit` can train on a stream of texts block by
        block. Any other character becomes the unknown symbol if `min_count` is 2 or more, otherwise it is an error. The
        parameter is not saved, but `vocabulary_` is. None: the characters of the first text.
    min_count : int, default=1
        Characters that occur less often in the text of `fit` become one unknown symbol. With 2 or more, the model
        accepts any text and treats new characters as the unknown symbol. With 1, a new character is an error.
    init_scale : float or None, default=None
        The standard deviation of the normal distribution of the initial weights; biases are zero. None: 0.01 for a
        single "rnn" layer, otherwise PyTorch's uniform distribution. An embedding starts from N(0, 1).
    dtype : {"float32", "float64"}, default="float32"
        The dtype of the weights and of all arithmetic.

    Optimization: chunks of text, the optimizer and its learning rate

    seq_length : int, default=25
        T, the number of characters in a chunk. Gradients flow back to the start of the chunk. A text shorter than T is
        a single chunk.
    batch_size : int, default=1
        B, the number of contiguous parts of the text, called streams, that are read in parallel. The loss and the
        gradient are summed over time and averaged over streams.
    optimizer : {"adagrad", "rmsprop", "adam"}, default="adagrad"
        The update rule for the weights. If the optimizer changes, `partial_fit` starts from a zero optimizer state.
    learning_rate : float or None, default=None
        The step size. None: the optimizer's default, 0.1 for "adagrad", 0.002 for "rmsprop", 0.002 for "adam".
    schedule : {"constant", "linear", "cosine", "exponential"}, default="constant"
        How the learning rate changes during one call of `fit` or `partial_fit`. Linear and cosine fall to 0 at its end.
        Exponential is char-rnn's decay: constant for 10 epochs, then multiplied by 0.97 in each epoch.
    warmup_steps : int or None, default=None
        The number of steps at the start of a call during which the learning rate rises linearly from nearly 0 to the
        schedule's value. None: no warm-up, unless `warmup_fraction` is given.
    warmup_fraction : float or None, default=None
        The warm-up as a fraction of the call, instead of `warmup_steps`.
    clip : float or None, default=5.0
        Each element of each gradient is clipped to [-clip, clip]. None: no clipping.
    clip_norm : float or None, default=None
        A gradient with a larger Euclidean norm is scaled down to this norm, before `clip`. None: no scaling.
    beta_1 : float, default=0.9
        The decay rate of Adam's first moment.
    beta_2 : float, default=0.999
        The decay rate of Adam's second moment; 0.99 suits short runs.
    n_sampled_symbols : int or None, default=None
        For alphabets of thousands of symbols: in training, a chunk's softmax covers the symbols that occur in the chunk
        and this many others, drawn at random to represent the rest (Jean et al. 2015). A step takes a fraction of the
        time, and training losses are estimates. Sampling, scoring and validation use all symbols. None: training also
        uses all symbols.

    Regularization: less overfitting, and better predictions at the start of texts

    weight_decay : float, default=0.0
        Decoupled weight decay, for Adam only (the combination is called AdamW).
    dropout : float, default=0.0
        The probability of dropping each output of each layer during training, at least 0 and below 1.
    weight_dropout : float, default=0.0
        The probability of dropping each recurrent weight during a step, at least 0 and below 1 (DropConnect, as in the
        AWD-LSTM of Merity, Keskar and Socher 2018). It helps more than `dropout` when training for many epochs; the two
        can be combined.
    state_reset : float, default=0.0
        The probability that, during training, a stream starts a chunk from a zero hidden state instead of the state
        carried over from the previous chunk; 1: always. Scoring and sampling start from a zero state, but training
        rarely does; values of 0.01 to 0.1 improve predictions at the start of texts.

    Budget: how long to train

    epochs : int, default=10
        How many times `fit` reads the text, unless `max_steps` or `max_seconds` is given.
    max_steps : int or None, default=None
        If given, `fit` takes exactly this many steps, and `partial_fit` at most this many. A step reads one chunk of
        each stream. 0 only builds the vocabulary and the weights.
    max_seconds : float or None, default=None
        If given, `fit` and `partial_fit` train until this long after the call, and read the text as often as time
        permits. The schedule then follows the time. If `max_steps` is also given, training ends at whichever limit
        comes first, and the schedule follows the limit that is closer. At least one step is taken.

    Validation: the loss on held-out text, and early stopping

    validation_fraction : float, default=0.0
        The fraction of the text, at its end, held out from training to measure the validation loss.
    eval_every : int or None, default=None
        Steps between two measurements of the validation loss. None: about 20 measurements, fewer if they would take
        more than 5 % of the time, unless `eval_seconds` is given. The loss is always measured at the end.
    eval_seconds : float or None, default=None
        Seconds between two measurements of the validation loss, instead of `eval_every`. The best weights may then
        differ from run to run.
    patience : int or None, default=None
        End training after this many measurements without a new lowest validation loss. None: never.
    restore_best : bool, default=True
        With a validation text, return to the weights with the lowest validation loss, no matter how training ends.

    Execution: arithmetic, threads, randomness and output

    callbacks : list of functions or None, default=None
        Functions called with the model and each new record of `history_`. Returning True ends training. A callback may
        write to `params_` and `state_` within `editing`, but must not train the model.
    matmul_precision : {"float32", "bfloat16"}, default="float32"
        "bfloat16": matrix products round their operands to bfloat16, in training, scoring and sampling. Sums, states,
        weights and the optimizer state stay float32, so `dtype` must be "float32". This is faster on processors with
        AMX or AVX512-BF16 (see ``docs/performance.md``), and works on every processor. `set_params` can change the
        precision at any time. Exported models have float32 weights and products.
    n_threads : int or None, default=None
        The number of threads for training, sampling and scoring, at most the number of processors that this process may
        use. None: as many as help, considering the process's affinity, the container's quota, hyper-threads,
        ``OMP_NUM_THREADS`` and the amount of work. Training also measures its steps and uses fewer threads on a busy
        machine. The results have the same bits for any number.
    random_state : int, SeedSequence, Generator or None, default=None
        The seed for initial weights, dropout and the order of documents: the same seed gives the same model. None: a
        different seed each time. `partial_fit` continues with the generator of `fit`.
    verbose : int, default=0
        0: silent. 1: the size of the data and a progress bar, on standard error. 2: also a sample every few seconds.

    Attributes
    ----------
    params_ : dict of str to ndarray
        The weights under min-char-rnn's names, as read-only views; within `editing`, copies to write to.
    optimizer_state_ : dict of str to dict of arrays or int
        The optimizer's state under PyTorch's names, read-only except within `editing`.
    state_ : ndarray of shape (L, B, H), or a tuple of arrays
        The hidden state carried from the last chunk to the next, (L, B, H), read-only except within `editing`.
    bigrams_ : list of (symbol, symbol) or None
        The symbols of each row of ``params_["bigrams"]``, None for an unused row; empty without `n_bigrams`.
    scales_ : dict of str to ndarray of float32, or None
        For a quantized model, the scale of each output of each matrix in `params_`; otherwise None.
    cell_ : str
        The cell type of the weights.
    vocabulary_ : Vocabulary
        The symbols in id order: sorted code points or byte values.
    labels_ : ndarray of shape (K,)
        The labels of the training documents, sorted, (K,); K = 0 for a model fitted without labels.
    n_steps_ : int
        Training steps taken so far.
    smooth_loss_ : float
        The smoothed loss of min-char-rnn, in nats per chunk of `seq_length`.
    history_ : list of dict
        Training records at even intervals, plus one for each measured validation loss.

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
        warmup_steps: int | None = None,
        warmup_fraction: float | None = None,
        clip: float | None = 5.0,
        clip_norm: float | None = None,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        n_sampled_symbols: int | None = None,
        weight_decay: float = 0.0,
        dropout: float = 0.0,
        weight_dropout: float = 0.0,
        state_reset: float = 0.0,
        epochs: int = 10,
        max_steps: int | None = None,
        max_seconds: float | None = None,
        validation_fraction: float = 0.0,
        eval_every: int | None = None,
        eval_seconds: float | None = None,
        patience: int | None = None,
        restore_best: bool = True,
        callbacks: Sequence[Callable[[Any, dict[str, Any]], Any]] | None = None,
        matmul_precision: str = "float32",
        n_threads: int | None = None,
        random_state: Any = None,
        verbose: int = 0,
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
        self.warmup_steps = warmup_steps
        self.warmup_fraction = warmup_fraction
        self.clip = clip
        self.clip_norm = clip_norm
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.n_sampled_symbols = n_sampled_symbols
        self.weight_decay = weight_decay
        self.dropout = dropout
        self.weight_dropout = weight_dropout
        self.state_reset = state_reset
        self.epochs = epochs
        self.max_steps = max_steps
        self.max_seconds = max_seconds
        self.validation_fraction = validation_fraction
        self.eval_every = eval_every
        self.eval_seconds = eval_seconds
        self.patience = patience
        self.restore_best = restore_best
        self.callbacks = callbacks
        self.matmul_precision = matmul_precision
        self.n_threads = n_threads
        self.random_state = random_state
        self.verbose = verbose

    # ---------------------------------------------------------------- training

    def fit(
        self,
        X: TextLike,
        y: ArrayLike | None = None,
        *,
        validation: Validation | None = None,
        sample_weight: ArrayLike | None = None,
        checkpoint: FilePath | None = None,
        checkpoint_every: int | None = None,
        checkpoint_seconds: float | None = None,
        comm: Any = None,
    ) -> Self:
        """Train a new model on a text, or on many short ones, and return it.

        Parameters
        ----------
        X : str, bytes, os.PathLike or iterable of str or bytes
            The text itself; bytes for a model of bytes; or the path of a UTF-8 file, whose newlines are kept.
            A list, or any other iterable of texts, contains documents, such as names, lines or molecules. The model
            then learns where documents start and end.
        y : array-like of shape (n,), default=None
            Only with documents: a label for each, text or number, such as the language of a name. The model learns the
            texts of each label, and how frequent the label is: `sample`, `score_samples` and `for_label` take a label.
            In losses a label counts as a symbol, the first of its document. None: the documents have no labels.
        validation : str, bytes, os.PathLike, iterable of str or bytes, or a pair (X, y), default=None
            A text for the validation loss, instead of the fraction `validation_fraction` of `X`. All its symbols
            must occur in `X`, unless `min_count` is 2 or more. If `X` contains documents, a text is one document. A
            tuple is always documents and their labels, which a model with labels needs.
        sample_weight : array-like of shape (n,), default=None
            Only with documents: a factor of at least 0 for each document's loss, such as its count in a list of counted
            names. A document of weight 2 is read once, and its gradient is doubled. `validation` and `score` ignore it.
        checkpoint : str, bytes, os.PathLike or None, default=None
            A file for saving the run at intervals, and when it is interrupted. `resume` finishes the call from this
            file, and `load` reads the model as an interruption would have left it, or at the end the final model.
        checkpoint_every : int or None, default=None
            Steps between checkpoints.
        checkpoint_seconds : float or None, default=None
            Seconds between checkpoints, instead of `checkpoint_every`. None: 60, unless `checkpoint_every` is given.
        comm : mpi4py.MPI.Comm, default=None
            The processes that train this model together; each makes the same call and ends with the same model.
            `batch_size` is their total. See ``docs/scale.md``. None: this process alone.

        Raises
        ------
        ValueError
            If a parameter or text is invalid, or another call is training the model, which is then unchanged.
        UnicodeDecodeError
            If a file is not UTF-8; the error gives the offset.
        DivergenceError
            If training diverges. The model then has the weights of the last good snapshot, about a second old, or those
            with the lowest validation loss.
        KeyboardInterrupt
            On Ctrl-C. The model then has the last complete update, or the weights with the lowest validation loss.

        Notes
        -----
        The validation loss is the mean of -ln P over the whole validation text, starting from a zero hidden state.
        `restore_best` restores weights, optimizer state, hidden state, `n_steps_` and `smooth_loss_` of the best step,
        and `partial_fit` continues from there. `history_` keeps the records of the undone steps.

        In each epoch the documents are shuffled by `random_state` and distributed over the `batch_size` streams, each
        after a boundary symbol (`crnn.BOUNDARY` in `vocabulary_`), which resets the state (``docs/mathematics.md``).
        Its end counts as a symbol in every loss and score. A document longer than 65,536 characters and than a stream's
        part of an epoch is learned in parts.

        Examples
        --------
        >>> from crnn import CharRNN
        >>> CharRNN(hidden_size=8, epochs=1, random_state=0).fit("hello world " * 20).n_steps_
        9
        >>> CharRNN(hidden_size=8, epochs=1, random_state=0).fit(["Anna", "Bob", "Eve"]).vocabulary_
        Vocabulary(9 characters: 'ABEabenov', crnn.BOUNDARY)
        >>> told = CharRNN(hidden_size=16, max_steps=1500, random_state=0).fit(["Anna", "Bob"], ["girl", "boy"])
        >>> told.sample(label="boy", temperature=0)
        'Bob'
        """
        limited = self.max_steps is not None or self.max_seconds is not None
        call = FitArguments(
            X,
            y=y,
            validation=validation,
            sample_weight=sample_weight,
            max_epochs=None if limited else self.epochs,
            checkpoint=checkpoint,
            checkpoint_every=checkpoint_every,
            checkpoint_seconds=checkpoint_seconds,
            comm=comm,
        )
        return self._train(call, anew=True)

    def partial_fit(
        self,
        X: TextLike,
        y: ArrayLike | None = None,
        *,
        validation: Validation | None = None,
        sample_weight: ArrayLike | None = None,
        epochs: int | None = None,
        extend_vocabulary: bool = False,
        checkpoint: FilePath | None = None,
        checkpoint_every: int | None = None,
        checkpoint_seconds: float | None = None,
        comm: Any = None,
    ) -> Self:
        """Continue training on a text, from the model's weights, optimizer state and hidden state.

        Training starts at the first character of `X`, wherever the last call ended, and reads the text once, or
        `epochs` times, taking at most `max_steps` steps. With `max_seconds` and without `epochs` it reads the text as
        often as time permits. The schedule, its warm-up and patience start over with each call; to finish an
        interrupted call instead, use `resume`. An unfitted model is fitted with the vocabulary of this text.

        The first chunk starts from the model's current hidden state, so that a long text can be passed block by block.
        The hidden state is reset wherever `fit` resets it: when the rest of the text is too short for another chunk. So
        a text of up to `seq_length` + 1 characters starts from a zero state, and so does the first text after
        `batch_size` has changed. Errors are as in `fit`; also a ValueError if a symbol is unknown to the model, or if a
        parameter was changed so that the weights no longer fit.

        Parameters
        ----------
        X, validation
            As in `fit`, with the model's symbols; documents only for a model fitted on documents, for which a single
            text is one document. The lowest validation loss is the lowest of this call.
        y, sample_weight, checkpoint, checkpoint_every, checkpoint_seconds, comm
            As in `fit`. A model fitted with labels requires labels, and accepts no new ones. The model must be the same
            in all processes of `comm`.
        epochs : int or None, default=None
            How often to read the text, at least 1. None: once, or with `max_seconds` as often as time permits.
        extend_vocabulary : bool, default=False
            Whether to add unknown characters of `X` to the vocabulary. The probabilities of the old symbols keep their
            proportions, and each new symbol is at first as probable as the old symbol with the lowest bias, usually the
            rarest. False: an unknown character is an error.

        Examples
        --------
        >>> from crnn import CharRNN
        >>> model = CharRNN(hidden_size=8, vocabulary="abcdehlorw ", random_state=0)
        >>> for block in ("hello world " * 20, "a bad world " * 20):  # blocks of an endless stream
        ...     _ = model.partial_fit(block)
        >>> model.vocabulary_
        Vocabulary(11 characters: ' abcdehlorw')
        """
        usual = 1 if self.max_seconds is None else None
        max_epochs = usual if epochs is None else checked_parameter("epochs", epochs)
        call = FitArguments(
            X,
            y=y,
            validation=validation,
            sample_weight=sample_weight,
            max_epochs=max_epochs,
            extend_vocabulary=extend_vocabulary,
            checkpoint=checkpoint,
            checkpoint_every=checkpoint_every,
            checkpoint_seconds=checkpoint_seconds,
            comm=comm,
        )
        return self._train(call)

    @classmethod
    def resume(
        cls,
        path: FilePath,
        X: TextLike,
        y: ArrayLike | None = None,
        *,
        validation: Validation | None = None,
        callbacks: Sequence[Callable[[Any, dict[str, Any]], Any]] | None = None,
        n_threads: int | None = None,
        verbose: int | None = None,
        comm: Any = None,
    ) -> Self:
        """Finish an interrupted call of `fit` or `partial_fit` from its checkpoint.

        On the same kind of processor the model is the same, to the bit, as if the call had not been interrupted. With
        `max_seconds` training takes the remaining seconds. Checkpoints are written to the same file. If the call
        had ended, the model is returned unchanged.

        Parameters
        ----------
        path : str, bytes or os.PathLike
            The file passed to the interrupted call as `checkpoint`.
        X : str, bytes, os.PathLike or iterable of str or bytes
            The text passed to the call, or the same text from elsewhere.
        y, validation
            As passed to the call.
        callbacks : list of functions or None, default=None
            The callbacks, which the file does not contain.
        n_threads, verbose : int or None, default=None
            New values for these parameters. None: unchanged.
        comm : mpi4py.MPI.Comm, default=None
            As in `fit`; the first process reads the file. The original number of processes gives the same bits.
            None: this process alone, which can finish what several have begun.

        Raises
        ------
        ValueError
            If the file contains no training call, `X` or `validation` is another text (the message gives the
            difference), or the call diverged. Nothing is changed.
        ModelFileError, OSError, DivergenceError, KeyboardInterrupt
            As for `load` and `fit`, or if the file cannot be written.

        Examples
        --------
        >>> import tempfile
        >>> from crnn import CharRNN
        >>> text = "to be or not to be, " * 50
        >>> def interrupt(model, record):
        ...     if record["step"] == 60:
        ...         raise KeyboardInterrupt
        >>> model = CharRNN(8, max_steps=100, callbacks=[interrupt], random_state=0)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     try:
        ...         model.fit(text, checkpoint=f"{folder}/run.crnn")
        ...     except KeyboardInterrupt:
        ...         model = CharRNN.resume(f"{folder}/run.crnn", text)
        >>> model.n_steps_, model.score(text) == CharRNN(8, max_steps=100, random_state=0).fit(text).score(text)
        (100, True)
        """
        given = {"callbacks": callbacks, "n_threads": n_threads, "verbose": verbose}
        parameters, state, run = unfinished_run(path, cls._defaults(), given, comm)
        model = cls._from_state(parameters, state)
        call = FitArguments(
            X,
            y=y,
            validation=validation,
            checkpoint=path,
            checkpoint_every=run.checkpoint_every,
            checkpoint_seconds=run.checkpoint_seconds,
            comm=comm,
            resumed=run,
        )
        return model._finish(call, run)

    def _finish(self, call: FitArguments, run: RunState) -> Self:
        """Finish a resumed call, if it had not ended."""
        if run.outcome == FINISHED:
            check_texts(run.texts, call, self.vocabulary_.labels)
            return self
        return self._train(call)

    def stop(self) -> None:
        """End the call of `fit` or `partial_fit` that is training this model, after the current step.

        The call returns as usual. Any thread or callback may call this. If no such call is running, nothing happens.

        Examples
        --------
        >>> from crnn import CharRNN
        >>> model = CharRNN(8, max_steps=10_000, callbacks=[lambda model, record: model.stop()], random_state=0)
        >>> model.fit("to be or not to be, " * 50).n_steps_ < 10_000
        True
        """
        request_stop(self)

    @classmethod
    def recommended(cls, X: TextLike, seconds: float, *, verbose: int = 1, **overrides: Any) -> Self:
        """Return an unfitted model with parameters for a text and a time limit.

        The choice follows recorded measurements, the length of the text, and the speed of this machine, measured by
        half a second of training. It is printed on standard error. See ``docs/train.md``.

        Parameters
        ----------
        X : str, bytes or os.PathLike
            The text to which the model will be fitted.
        seconds : float
            Time limit for `fit`.
        verbose : int, default=1
            0: print nothing. This is not the model's own `verbose`.
        **overrides
            Constructor parameters to fix rather than choose. The choice depends on `cell` (by default "cifg"),
            `n_threads`, `matmul_precision` and `dtype`. With another `optimizer` the learning rate is its usual one.
            `clip_norm` is proportional to `seq_length`. `n_bigrams` is 1,024 for "cifg" and "lstm", except for
            documents with a mean of less than 20 symbols; without bigrams the rate is higher.

        Examples
        --------
        >>> from crnn import CharRNN
        >>> model = CharRNN.recommended("to be or not to be, " * 500, seconds=2.0, verbose=0)
        >>> model.cell, model.schedule, model.max_seconds
        ('cifg', 'cosine', 2.0)
        """
        return cls._recommended(X, seconds, overrides, verbose=verbose)

    @classmethod
    def _recommended(
        cls, X: TextLike, seconds: float, overrides: dict[str, Any], *, verbose: int, in_mixture: bool = False
    ) -> Self:
        """Return the model of `recommended`; alone it may be worse than counts, which `verbose` then says."""
        from .training.recommended import recommended_parameters

        verbose = checked_int("verbose", verbose, 0)
        require_rereadable(X)  # by `fit`
        cls().set_params(**overrides)  # refuses unknown parameters
        parameters = recommended_parameters(X, seconds, overrides, verbose=verbose, in_mixture=in_mixture)
        return cls(**parameters)

    def _train(self, call: FitArguments, *, anew: bool = False) -> Self:
        """Train a new state, or continue from the model's."""
        use = ExclusiveUse()
        with use.running:
            begin_use(self, use)
            state = None if anew else vars(self).get("_learned")
            write = call.checkpoint.write if isinstance(call.checkpoint, CheckpointFile) else write_run
            plan = plan_training(call, self.get_params(), state, write)
            run = TrainingRun(plan, self, use, self._samples)
            keeping = call_at_end(lambda: self._keep(run.final_state))
            try:
                self._keep(run.state)
                run.run()
            finally:
                keeping.close()
        return self

    def _samples(self) -> Iterable[str | bytes]:
        """Return samples for display by ``verbose=2``."""
        if self.vocabulary_.boundary is None:
            return [self.sample(SAMPLE_LENGTH)]
        return self.sample(SAMPLE_LENGTH, n_samples=SAMPLES)

    # -------------------------------------------------------------- adaptation

    def adapt(
        self,
        X: TextLike,
        *,
        learning_rate: float = AdaptationOptions.learning_rate,
        decay: float = AdaptationOptions.decay,
        block_length: int = AdaptationOptions.block_length,
    ) -> Self:
        """Return a copy of the model whose weights have adapted to a text (dynamic evaluation).

        The copy keeps the parameters, counters and optimizer state; this model stays the same. The text is read once,
        in blocks. After each block the weights take a step against the gradient of its loss, and a step back toward the
        trained weights (Krause, Kahembwe, Murray and Renals 2018). Each weight's step is scaled by the size of its
        training gradients. See ``docs/mathematics.md`` and ``docs/adaptation.md``.

        Parameters
        ----------
        X : str, bytes, os.PathLike or iterable of str or bytes
            As for `score`. Documents are read in order.
        learning_rate : float, default=1.5e-4
            How far the weights adapt to each symbol, at least 0. Its meaning does not depend on `block_length`, nor on
            the `seq_length`, `batch_size` and optimizer used in training.
        decay : float, default=3e-6
            How far the weights move back toward the trained weights with each symbol, as a fraction of the distance,
            averaged over the weights; from 0 to 1.
        block_length : int, default=100
            The number of symbols in a block. The last block may be shorter.

        Raises
        ------
        ValueError
            If an argument is out of range, the text is empty or contains an unknown symbol, the model has
            labels (adapt ``model.for_label(label)`` instead), or the sizes of its training gradients are unknown.
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
        state = self._fitted("adapt")
        reading = self._reading_of(state, "adapt", AdaptationOptions.of(options), scoring=True)
        return self._from_state(self.get_params(), adapted_state(state, reading, X))

    # --------------------------------------------------- hidden states, gradients

    @overload
    def hidden_states(self, X: Text, *, cells: bool = False) -> Array: ...  # type: ignore[overload-overlap]
    @overload
    def hidden_states(self, X: Iterable[Text], *, cells: bool = False) -> list[Array]: ...
    def hidden_states(self, X: Text | Iterable[Text], *, cells: bool = False) -> Array | list[Array]:
        """Return the activations of all hidden units after each character of one or more texts.

        A ValueError is raised if a text contains an unknown symbol, or `cells` is True and the model has none.

        Parameters
        ----------
        X : str, bytes or iterable of str or bytes
            A text of the model's symbols, or several, which are read in parallel, each from the start.
        cells : bool, default=False
            Whether to return an LSTM's cells c instead of its outputs h.

        Returns
        -------
        ndarray of the model's dtype, shape (len(X), num_layers, hidden_size)
            For several texts, a list of such arrays, each with the same bits as alone.

        Examples
        --------
        >>> from crnn import CharRNN
        >>> model = CharRNN(hidden_size=16, num_layers=2, cell="lstm", max_steps=0).fit("abcd")
        >>> [cells.shape for cells in model.hidden_states(["abc", "d"], cells=True)]
        [(3, 2, 16), (1, 2, 16)]
        """
        part = string_states.checked_part(self._fitted("hidden_states").layout, cells=cells)
        one = isinstance(X, str | bytes | bytearray | memoryview) or not has_items(X)
        network, vocabulary = self._network("hidden_states", Use.ONE_TEXT if one else Use.MANY_STREAMS)
        self._require_no_labels("hidden_states", vocabulary)
        read = string_states.states_of_text if one else string_states.states_of_texts
        return read(network, vocabulary, X, checked_threads(self.n_threads), part=part)

    def transform(self, X: Iterable[Text], *, pooling: str = "last") -> Array:
        """Return features of many strings: the hidden states of all layers after each string.

        A classifier or regressor can learn from them, also in a scikit-learn pipeline. Errors are as for
        `score_samples`.

        Parameters
        ----------
        X : iterable of str, or of bytes for a model of bytes
            The strings, read in parallel on `n_threads` threads.
        pooling : {"last", "mean"}, default="last"
            The state after the last character, or the mean of the states after all characters. An empty string gives
            its initial state.

        Returns
        -------
        ndarray of the model's dtype, shape (n, num_layers * hidden_size)
            One block of columns per layer. The bits of a row do not depend on the other strings.

        Examples
        --------
        >>> from crnn import CharRNN
        >>> model = CharRNN(hidden_size=3, num_layers=2, max_steps=0).fit(["Anna", "Bob", "Eve"])
        >>> model.transform(["Ann", "Bo"]).shape
        (2, 6)
        """
        network, vocabulary = self._network("transform", Use.MANY_STREAMS)
        self._require_no_labels("transform", vocabulary)
        return string_states.features(network, vocabulary, X, checked_threads(self.n_threads), pooling=pooling)

    def fit_transform(self, X: TextLike, y: Any = None) -> Array:
        """Fit the model to strings, and return their features: ``fit(X).transform(X)``.

        A pipeline calls this. Its labels `y` are for its last step: the model does not learn them.

        Parameters
        ----------
        X : iterable of str, or of bytes for a model of bytes
            The strings.
        y : array-like, default=None
            Ignored.

        Returns
        -------
        ndarray of the model's dtype, shape (n, num_layers * hidden_size)
            As for `transform`.

        Examples
        --------
        >>> from crnn import CharRNN
        >>> CharRNN(hidden_size=3, max_steps=0).fit_transform(["Anna", "Bob", "Eve"], y=[0, 1, 0]).shape
        (3, 3)
        """
        texts = rereadable(X)
        return self.fit(texts).transform(documents_of(texts))

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Return the names of the features returned by `transform`: ``h_l0_0`` is unit 0 of layer 0.

        Scikit-learn's argument `input_features` is ignored.

        Examples
        --------
        >>> from crnn import CharRNN
        >>> CharRNN(hidden_size=2, max_steps=0).fit("abcd").get_feature_names_out().tolist()
        ['h_l0_0', 'h_l0_1']
        """
        layout = self._fitted("get_feature_names_out").layout
        names = [f"h_l{k}_{i}" for k in range(layout.num_layers) for i in range(layout.hidden_size)]
        return np.array(names, object)

    def gradient(self, text: str | bytes, at: int | None = None) -> TextGradient:
        """Return the loss of a text and its gradients by weights and states, not truncated at `seq_length`.

        Parameters
        ----------
        text : str or bytes
            At least one symbol. The starting state of every text predicts its first symbol.
        at : int, default=None
            The position of the only symbol whose loss counts, -log P of ``text[at]`` given the previous symbols. None:
            sum all losses, which gives ``surprisal(text).sum()``.

        Returns
        -------
        TextGradient
            `loss`, in nats; `params`, a dict of gradients with the names and shapes of `params_`; `states`, the
            gradient with respect to h after each symbol, (L, len(text), H), or for an LSTM the pair of gradients for h
            and c. The gradients are not clipped, and dropout is not applied.

        Raises
        ------
        ValueError
            If the text is empty or contains an unknown symbol, or `at` is not a position in it.
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
        self._require_no_labels("gradient")
        state = self._fitted("gradient")
        state.require_float("gradient")
        return gradient_of_text(state, text, at, bfloat16=self._bfloat16(state))

    def quantize(self) -> Self:
        """Return a model with 8-bit weights: smaller, and faster at sampling and scoring.

        Each matrix becomes 8-bit integers times one scale per output; biases stay float32. Products of states and
        weights are exact sums of integers, everything else is float32. So a text has the same bits whatever is
        scored with it; on other processors they differ slightly. The model file has about a quarter of the
        weights' size in float32, and about a tenth of the size of a file with Adam's optimizer state.

        The model samples, scores, saves and exports like any other; its `params_` are the rounded weights. It cannot be
        trained further, so keep the original for that. A ValueError is raised if the weights are float64, already have
        8 bits, or are not finite.

        Examples
        --------
        >>> from crnn import CharRNN
        >>> model = CharRNN(hidden_size=16, max_steps=1000, random_state=0).fit("ab" * 100)
        >>> abs(model.quantize().score("abab") - model.score("abab")) < 0.01
        True
        """
        return self._from_state(self.get_params(), self._fitted("quantize").quantized())

    # ------------------------------------------------------ model file, exports

    def save(self, path: FilePath | BinaryIO, *, training_state: bool = True) -> None:
        """Write the model to a file that `load` reads.

        The file is written to a temporary file and renamed when complete, so that an existing file is never half
        overwritten. The format is safetensors, with PyTorch's names of tensors; see ``docs/design.md``.

        Parameters
        ----------
        path : str, bytes, os.PathLike or binary file
            The path of the new file, or a file opened for writing, such as `io.BytesIO`.
        training_state : bool, default=True
            Whether to include the optimizer state, hidden state, counters, random state and `history_`, so that
            `partial_fit` continues exactly. The history has times, so two equal runs write equal files only without it.

        Raises
        ------
        ModelFileError
            If the weights are not finite.
        OSError
            If the file cannot be written; an existing file is then unchanged.

        Examples
        --------
        >>> import io
        >>> from crnn import CharRNN
        >>> model = CharRNN(hidden_size=8, max_steps=5, random_state=0).fit("hello world, " * 20)
        >>> model.save(file := io.BytesIO())
        >>> CharRNN.load(io.BytesIO(file.getvalue())).score("hello") == model.score("hello")
        True
        """
        write_path(path, partial(self._file_content, training_state=training_state))

    def _file_content(self, *, training_state: bool = True) -> bytes:
        state = self._fitted("save").copy_between_steps()  # another thread may be training the model
        return network_file.to_bytes(state, self.get_params(), training_state=training_state)

    @classmethod
    def _from_file(cls, path: FilePath | BinaryIO) -> Self:
        stored = network_file.read(path, cls._defaults())
        return cls._from_state(stored.parameters, stored.final_state)

    def to_torch(self) -> TorchCharRNN:
        """Return the network as a PyTorch module with the same logits.

        Its parameters are copies of the weights, under the names in a model file: ``rnn.weight_ih_l0``, ...,
        ``decoder.bias``, and ``embedding.weight`` if there is an embedding. Called with ids of shape (T, B), and a
        state unless it is zero, it returns the logits after each symbol, (T, B, V), and the final state. As in crnn, a
        stream reads the boundary of documents from the zero state. ``module.start()`` gives the logits of a text's
        first symbol. See ``docs/export.md``.

        PyTorch's cells have no table of bigrams: with `n_bigrams` they have R more inputs, one for each pair of symbols
        in the buffer ``pairs``, of at most a single 1, and ``rnn.weight_ih_l0`` has R more columns. With the cell
        "cifg", the input gate of the `torch.nn.LSTM` has the forget gate's weights, negated, which training in PyTorch
        does not preserve. The module has the model's dtype, and is in evaluation mode.

        Raises
        ------
        ModuleNotFoundError
            If PyTorch is not installed: ``pip install "crnn[torch]"``.
        ValueError
            If a weight is not finite.

        Examples
        --------
        >>> from crnn import CharRNN
        >>> model = CharRNN(8, max_steps=100, random_state=0).fit("abc" * 100)
        >>> module = model.to_torch()  # doctest: +SKIP
        >>> logits, state = module(module.encode("abcab"))  # doctest: +SKIP
        >>> logits.shape  # doctest: +SKIP
        torch.Size([5, 1, 3])
        """
        self._require_no_labels("to_torch")
        require_package("torch", "torch", "to_torch")
        from .export.pytorch import torch_module

        return torch_module(self)

    @classmethod
    def from_torch(
        cls,
        state_dict: Mapping[str, Any] | FilePath | Any,
        vocabulary: Vocabulary | str | bytes | Iterable[str | bytes | Special],
    ) -> Self:
        """Return a model with weights from PyTorch.

        The network is a `torch.nn.RNN` (tanh), `GRU` or `LSTM` named ``rnn`` that reads one-hot vectors, or a
        `torch.nn.Embedding` named ``embedding``, and a `torch.nn.Linear` named ``decoder`` from its last layer's output
        to logits. PyTorch's two biases of a gate are added, except for a GRU's gate n, which keeps both. An LSTM whose
        input gate has the forget gate's weights, negated, becomes the cell "cifg". With ``pairs`` (R, 2), as in a
        module from `to_torch`, the last R columns of ``rnn.weight_ih_l0`` become the bigrams of these pairs of ids. The
        model can be trained further with `partial_fit`. Its `dtype` is float64 if all tensors are.

        Parameters
        ----------
        state_dict : mapping of str to tensors or arrays, a module, or a path
            Weights under these names. A path may be a safetensors file or one written by `torch.save`; the latter is
            read with ``weights_only=True``, so that it runs no code.
        vocabulary : str, bytes or list
            The symbols in the order of the network's training ids, including `crnn.UNKNOWN` and
            `crnn.BOUNDARY` if it has them. The model's own ids follow the sorted symbols, and the weights are reordered
            to match.

        Raises
        ------
        ValueError
            If a tensor is missing, unused, not finite or inconsistent in shape, or if the number of symbols differs
            from the number of logits.
        ModuleNotFoundError
            If PyTorch is not installed, and a file in its format is to be read.
        OSError
            If a file cannot be read.

        Examples
        --------
        >>> import numpy as np
        >>> from crnn import CharRNN
        >>> state_dict = {
        ...     "rnn.weight_ih_l0": np.eye(2, 3), "rnn.weight_hh_l0": np.eye(2), "rnn.bias_ih_l0": np.ones(2),
        ...     "rnn.bias_hh_l0": np.ones(2), "decoder.weight": np.eye(3, 2), "decoder.bias": np.zeros(3),
        ... }
        >>> model = CharRNN.from_torch(state_dict, "bca")
        >>> model, model.vocabulary_
        (CharRNN(hidden_size=2, dtype='float64'), Vocabulary(3 characters: 'abc'))
        >>> model.params_["Wxh_l0"]  # a, which had id 2, has id 0
        array([[0., 1., 0.],
               [0., 0., 1.]])
        """
        from .export.pytorch import model_from_torch

        return cls._from_state(*model_from_torch(state_dict, vocabulary, cls().get_params()))

    def export_onnx(self, path: FilePath) -> None:
        """Write the network as an ONNX file, for any ONNX runtime.

        Inputs are ``ids`` (T, B) and the state (L, B, H), outputs ``logits`` (T, B, V) and the state; for the metadata
        see ``docs/export.md``. The graph does not reset the state at a boundary: start a call with zeros for each text.

        Parameters
        ----------
        path : str, bytes or os.PathLike
            The new file, usually with the suffix ``.onnx``.

        Raises
        ------
        ModuleNotFoundError
            If onnx is not installed: ``pip install "crnn[onnx]"``.
        ValueError, OSError
            As for `export_c`.

        Examples
        --------
        >>> from crnn import CharRNN
        >>> model = CharRNN(8, max_steps=100, random_state=0).fit("abc" * 100)
        >>> model.export_onnx("abc.onnx")  # doctest: +SKIP
        """
        from .export.onnx_file import export_onnx

        self._require_no_labels("export_onnx")
        export_onnx(self, path)

    def __getstate__(self) -> dict[str, Any]:
        """Return the contents of a pickle: the attributes, with the learned state as the bytes of a model file.

        The bytes are compact, and checked when read. Arrays, by contrast, would come back from joblib as read-only
        memory maps.
        """
        state = dict(vars(self))
        if "_learned" in state:
            state["_learned"] = network_file.state_to_bytes(self._learned)
            del state["_networks"]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore the result of `__getstate__`."""
        vars(self).update(state)
        if "_learned" in state:
            learned = state["_learned"]
            self._keep(network_file.state_from_bytes(learned) if isinstance(learned, bytes) else learned)

    def __copy__(self) -> Self:
        """Return a model that shares the learned state, but not the packed networks."""
        return self._with_attributes(**({"_networks": NetworkCache()} if "_learned" in vars(self) else {}))

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Return a model that shares nothing, without converting it to the bytes of a model file."""
        return self._with_attributes(**copy.deepcopy(vars(self), memo))

    # ---------------------------------------------------------------- learned

    # Missing before `fit`, `partial_fit` or `load`:
    _learned: ModelState
    _networks: NetworkCache  # for its weights

    @classmethod
    def _from_state(cls, parameters: Mapping[str, Any], state: ModelState) -> Self:
        """Return a fitted model with these parameters."""
        model = cls().set_params(**parameters)
        model._keep(state)
        return model

    def _keep(self, state: ModelState) -> None:
        """Make a state the model's own, and free whatever was packed for the previous one."""
        self._networks = NetworkCache()
        self._learned = state

    def _fitted(self, what: str) -> ModelState:
        """Return the state; a NotFittedError names the requested method `what`."""
        learned: ModelState | None = vars(self).get("_learned")
        if learned is None:
            raise NotFittedError.before(what, estimator=type(self).__name__)
        return learned

    def _vocabulary(self, what: str) -> Vocabulary:
        return self._fitted(what).vocabulary

    def _arrays(self, what: str) -> LearnedArrays:
        """Return the copies that this thread is editing, or otherwise read-only views."""
        draft = draft_of(self)
        return LearnedArrays.read_only(self._fitted(what)) if draft is None else draft.arrays

    def _network(self, what: str, use: Use) -> tuple[PackedNetwork, Vocabulary]:
        state = self._fitted(what)
        n_threads = checked_threads(self.n_threads)
        bfloat16 = self._bfloat16(state)
        network = self._networks.network(state, what, use, bfloat16=bfloat16, n_threads=n_threads)
        return network, state.vocabulary

    def _label_networks(self, what: str, use: Use = Use.MANY_STREAMS) -> tuple[LabelNetworks | None, Vocabulary]:
        state = self._fitted(what)
        n_threads = checked_threads(self.n_threads)
        if not state.vocabulary.labels:
            return None, state.vocabulary
        bfloat16 = self._bfloat16(state)
        networks = self._networks.label_networks(state, what, use, bfloat16=bfloat16, n_threads=n_threads)
        return networks, state.vocabulary

    def _exported_expression(self, *, int8: bool) -> str:
        return "model.quantize()" if self._exported("export_html", int8=int8).is_rounded else "model"

    def _compact(self, *, int8: bool) -> Self:
        is_float32 = self.scales_ is None and self.params_["Why"].dtype == np.float32
        return self.quantize() if int8 and is_float32 else self

    def _exported(self, what: str, *, int8: bool) -> ExportedNetwork:
        from .export.models import ExportedNetwork

        self._require_no_labels(what)
        return ExportedNetwork.of(self, int8=int8)

    def _adaptive_reading(
        self, what: str, adapt: Adapt, *, scoring: bool = False
    ) -> tuple[AdaptiveReading, Vocabulary]:
        options = AdaptationOptions.of(adapt)
        state = self._fitted(what)
        return self._reading_of(state, what, options, scoring=scoring), state.vocabulary

    def _reading_of(
        self, state: ModelState, what: str, options: AdaptationOptions, *, scoring: bool
    ) -> AdaptiveReading:
        """Return a reading that begins with the weights of a state."""
        self._require_no_labels(what, state.vocabulary)
        state.require_float(f"{what} with adapt" if what != "adapt" else what)
        state.check_finite(what)
        bfloat16 = self._bfloat16(state)
        return adaptive_reading(state, self.beta_2, options, scoring=scoring, bfloat16=bfloat16)

    def _bfloat16(self, state: ModelState) -> bool:
        """Return whether products round their operands."""
        return rounds_operands(self.matmul_precision, state.layout.dtype)

    def for_label(self, label: Any) -> Self:
        """Return a model of the texts with one label, from a model fitted with labels.

        It is an ordinary model of documents with weights of its own: it samples, scores, can be trained further, saved
        and exported. It has this model's probabilities given the label. A ValueError is raised if the model was fitted
        without labels, or without this label.

        Parameters
        ----------
        label : str, int, float or bool
            One of `labels_`.

        Examples
        --------
        >>> from crnn import CharRNN
        >>> model = CharRNN(16, max_steps=1500, random_state=0).fit(["anna", "bob"], ["girl", "boy"])
        >>> model.for_label("boy").beam_search(4, n_beams=1)[0][0]
        'bob'
        """
        state = self._fitted("for_label")
        if not state.vocabulary.labels:
            return super().for_label(label)  # raises
        return self._from_state(self.get_params(), state_of_label(state, label_number(label, self.labels_)))

    @property
    def labels_(self) -> Array:
        """The labels of the training documents, sorted, (K,); K = 0 for a model fitted without labels."""
        return np.array(self._fitted("reading labels_").vocabulary.labels)

    @property
    def cell_(self) -> str:
        """The cell type of the weights."""
        return self._fitted("reading cell_").layout.cell

    @property
    def params_(self) -> dict[str, Array]:
        """The weights under min-char-rnn's names, as read-only views; within `editing`, copies to write to.

        For layer k: ``Wxh_lk`` (G H, V), or (G H, H) from layer 1 on; ``Whh_lk`` (G H, H); ``bh_lk`` (G H,); for a GRU
        ``bhn_lk`` (H,). Then ``Why`` (V, H), ``by`` (V,). With `embedding_size`, ``embedding`` (V, E) comes first, with
        one row per symbol, and ``Wxh_l0`` is (G H, E). With `n_bigrams`, ``bigrams`` (R, G H) precedes everything, with
        one row per pair in `bigrams_`. G is the number of gates: 1, or 3 for GRU and "cifg", 4 for LSTM.
        """
        return self._arrays("reading params_").params

    def editing(self) -> AbstractContextManager[None]:
        """Return a context that lets you write to `params_`, `state_` and `optimizer_state_`.

        Within the ``with`` block the three attributes are copies visible only to this thread; the model continues to
        use the originals. At the end the copies are checked and replace the originals. After an error, in the block or
        in the check, the model is unchanged.

        A callback may edit the model being trained, and training continues from there; with several processes the first
        one's callbacks write for all. A ValueError is raised if another thread is training or editing the model, and at
        the end of the block if an array is missing, has another shape or is not finite; the message says which.

        Examples
        --------
        >>> import numpy as np
        >>> from crnn import CharRNN
        >>> model = CharRNN(8, max_steps=100, random_state=0).fit("abc" * 100)
        >>> with model.editing():
        ...     model.params_["by"][:] = 0
        ...     model.params_["Why"] = np.zeros((3, 8))
        >>> model.next_proba(["ab"]).round(2).tolist()
        [[0.33, 0.33, 0.33]]
        """
        return editing(self, partial(self._fitted, "editing"))

    @property
    def bigrams_(self) -> list[tuple[Any, Any] | None]:
        """The symbols of each row of ``params_["bigrams"]``, None for an unused row; empty without `n_bigrams`."""
        state = self._fitted("reading bigrams_")
        symbols = list(state.vocabulary)
        pairs = state.layout.pairs
        if pairs is None:
            return []
        return [None if before < 0 else (symbols[before], symbols[symbol]) for before, symbol in pairs.pairs.tolist()]

    @property
    def scales_(self) -> dict[str, NDArray[np.float32]] | None:
        """For a quantized model, the scale of each output of each matrix in `params_`; otherwise None.

        The matrices are the 8-bit integers times these scales. Outputs are rows of a matrix, or columns of
        ``"embedding"`` and ``"bigrams"``.
        """
        scales = self._fitted("reading scales_").scales
        return None if scales is None else {name: scale.copy() for name, scale in scales.items()}

    @property
    def optimizer_state_(self) -> dict[str, Any]:
        """The optimizer's state under PyTorch's names, read-only except within `editing`.

        ``sum`` for Adagrad, ``square_avg`` for RMSprop, ``exp_avg`` and ``exp_avg_sq`` for Adam, each with arrays
        shaped like `params_`. For Adam also ``step``, an int, which cannot be changed.
        """
        return self._arrays("reading optimizer_state_").optimizer_state

    @property
    def state_(self) -> Array | tuple[Array, ...]:
        """The hidden state carried from the last chunk to the next, (L, B, H), read-only except within `editing`.

        For an LSTM or "cifg" it is a tuple (h, c). With `n_bigrams` it is a tuple that ends with the last symbol read,
        int32 (1, B, 1): its id plus 1, or 0.
        """
        hidden = self._arrays("reading state_").hidden
        return hidden[0] if len(hidden) == 1 else hidden

    @property
    def n_steps_(self) -> int:
        """Training steps taken so far."""
        return self._fitted("reading n_steps_").n_steps

    @property
    def smooth_loss_(self) -> float:
        """The smoothed loss of min-char-rnn, in nats per chunk of `seq_length`.

        It starts at T ln V; each step changes it to 0.999 old + 0.001 new.
        """
        return self._fitted("reading smooth_loss_").smooth_loss

    @property
    def history_(self) -> list[dict[str, Any]]:
        """Training records at even intervals, plus one for each measured validation loss.

        ``step``; ``seconds``, ``epoch`` and ``chars_per_second`` (of the call); ``smooth_loss``, ``train_loss`` (the
        mean since the previous record, where later steps count slightly more) and ``validation_loss`` (None if not
        measured), in nats per character; ``learning_rate`` and ``gradient_norm`` (before clipping) of the last step.
        """
        return self._fitted("reading history_").history

    def _summary_line(self) -> str:
        return describe_state(self._fitted("its description"))

    def _curves_svg(self) -> str:
        return curves_of(self.history_)


def is_of_step(path: FilePath | FilePart, network: CharRNN) -> bool:
    """Return whether a file is of a network's last step; see `run_file.is_of_step`."""
    return run_file.is_of_step(path, network._fitted("save"))
