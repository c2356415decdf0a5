"""CharRNN: a character-level recurrent language model, from text to samples, scores and a file."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from . import corpus, sampling, scoring
from .corpus import Source, Streams
from .errors import InvalidInputError, NotFittedError
from .estimator import Estimator
from .inference import PackedNetwork
from .parameters import Layout, initialise
from .progress import Progress
from .settings import Settings, generator, threads, whole
from .trainer import Trainer
from .vocabulary import Vocabulary

Array = NDArray[Any]

HISTORY_LENGTH = 200  # most records of one call of fit or partial_fit; as a rule one for each 100 steps, at least 20


class CharRNN(Estimator):
    """A character-level recurrent language model: one tanh layer, truncated back-propagation, clipped Adagrad.

    With the defaults this is min-char-rnn, number for number (in float64): the text is swept from left to right in
    chunks of `seq_length` characters, the hidden state is carried from chunk to chunk, every gradient is clipped
    element by element, and Adagrad updates the weights after each chunk. See ``docs/mathematics.md``.

    Parameters
    ----------
    hidden_size : int, default=100
        H, the number of hidden units.
    seq_length : int, default=25
        T, the characters of a chunk: how far back in time gradients flow. A shorter text is one shorter chunk.
    batch_size : int, default=1
        B, the contiguous parts of the text that are swept side by side. The loss and the gradient are summed over
        time and averaged over these streams.
    optimizer : {"adagrad"}, default="adagrad"
    learning_rate : float, default=None
        None means the optimiser's usual one: 0.1 for Adagrad.
    clip : float, default=5.0
        Each element of each gradient is clipped to [-clip, clip]; None leaves them as they are.
    epochs : int, default=10
        Sweeps over the text that `fit` makes.
    max_steps : int, default=None
        If given, `fit` takes exactly this many steps (one chunk of each stream is a step) whatever `epochs` says, and
        `partial_fit` at most so many. 0 only builds the vocabulary and the weights.
    init_scale : float, default=0.01
        Standard deviation of the normal distribution of the first weights; biases start at zero.
    dtype : {"float32", "float64"}, default="float32"
        Of the weights and of all arithmetic.
    n_threads : int, default=None
        Threads that the streams of training, the samples and the parts of a score are dealt to. None: as many as
        there are cores, while the work stays worth it. The same number gives the same bits.
    random_state : int, SeedSequence, Generator or None, default=None
        Seeds the first weights. None: different ones each time.
    verbose : int, default=0
        0: silent. 1: a progress bar on standard error. 2: also a sample every few seconds.

    Attributes
    ----------
    params_ : dict of str to ndarray
        Writable views on the weights under min-char-rnn's names: ``Wxh_l0`` (H, V), ``Whh_l0`` (H, H), ``bh_l0`` (H,),
        ``Why`` (V, H), ``by`` (V,).
    optimizer_state_ : dict of str to dict
        The optimiser's memory by PyTorch's name, ``sum`` for Adagrad, each with views like those of `params_`.
    state_ : ndarray of shape (L, B, H)
        The hidden state carried from the last chunk to the next; L is 1. May be written to.
    vocabulary_ : Vocabulary
        The symbols in id order: sorted code points, or byte values.
    n_steps_ : int
        Steps taken so far.
    smooth_loss_ : float
        min-char-rnn's smoothed loss, in nats per chunk of `seq_length`: starts at T ln V, then 0.999 old + 0.001 new.
    history_ : list of dict
        Records of training, evenly spaced: ``step``, ``seconds`` (of the call), ``epoch`` (of the call),
        ``smooth_loss`` (nats per character) and ``chars_per_second``.

    Examples
    --------
    >>> from crnn import CharRNN
    >>> model = CharRNN(hidden_size=32, max_steps=2000, random_state=0).fit("to be or not to be, " * 50)
    >>> model.sample(20, prime="to be", temperature=0.1, random_state=0)
    ' or not to be, to be'
    >>> model.bits_per_char("to be or not to be") < 1
    True
    """

    # Set by fit, partial_fit and load; reading them earlier raises NotFittedError.
    vocabulary_: Vocabulary
    state_: Array
    n_steps_: int
    smooth_loss_: float
    history_: list[dict[str, float]]
    _layout: Layout
    _params: Array
    _sum: Array
    _rng: np.random.Generator
    _loss_length: int  # the characters of the chunk that smooth_loss_ speaks of

    def __init__(
        self,
        hidden_size: int = 100,
        *,
        seq_length: int = 25,
        batch_size: int = 1,
        optimizer: str = "adagrad",
        learning_rate: float | None = None,
        clip: float | None = 5.0,
        epochs: int = 10,
        max_steps: int | None = None,
        init_scale: float = 0.01,
        dtype: Any = "float32",
        n_threads: int | None = None,
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.hidden_size = hidden_size
        self.seq_length = seq_length
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.clip = clip
        self.epochs = epochs
        self.max_steps = max_steps
        self.init_scale = init_scale
        self.dtype = dtype
        self.n_threads = n_threads
        self.random_state = random_state
        self.verbose = verbose

    # ---------------------------------------------------------------- training

    def fit(self, X: Source, y: None = None) -> Self:
        """Train anew on a text.

        Parameters
        ----------
        X : str, bytes or os.PathLike
            The text itself; bytes for a model of bytes; or the path of a UTF-8 file, its newlines kept as they are.
        y : None
            Not used; there for the convention.

        Returns
        -------
        CharRNN
            The model itself.

        Raises
        ------
        ValueError
            If a parameter or the text is not usable: what is wrong, where, and the remedy. The model is unchanged.
        UnicodeDecodeError
            If a file is not UTF-8, with the offset.
        DivergenceError
            If a loss is not finite. The model then holds the last good weights.
        KeyboardInterrupt
            Ctrl-C: the model then holds the last complete update.

        Examples
        --------
        >>> CharRNN(hidden_size=8, epochs=1, random_state=0).fit("hello world " * 20).n_steps_
        9
        """
        settings = Settings.check(self.get_params())
        X = corpus.rereadable(X)
        vocabulary = Vocabulary.from_blocks(corpus.blocks(X))
        streams = Streams(corpus.encode(X, vocabulary), settings.batch_size, settings.seq_length)
        rng = generator(settings.random_state)
        n_steps = settings.epochs * streams.steps_per_sweep if settings.max_steps is None else settings.max_steps
        self._train(settings, self._started(settings, vocabulary, rng), streams, n_steps)
        return self

    def partial_fit(self, X: Source, y: None = None) -> Self:
        """Go on training with a text: weights, optimiser memory and hidden state are those of the model.

        The text is swept once, from its first character; at most `max_steps` steps are taken. A model that is not
        fitted starts anew, with the vocabulary of this text. As in min-char-rnn the state is set to zero when the
        next chunk would reach the last character, so a text of up to `seq_length` + 1 characters starts from zero.
        If `batch_size` is not that of the carried state, the state starts from zero as well.

        Parameters
        ----------
        X : str, bytes or os.PathLike
            As in `fit`, of the model's symbols.
        y : None
            Not used.

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
        >>> model.set_params(max_steps=3).partial_fit("hello world " * 20).n_steps_
        3
        """
        settings = Settings.check(self.get_params())
        X = corpus.rereadable(X)
        fitted = "vocabulary_" in vars(self)
        if fitted:
            self._check_fits(settings)
        vocabulary = self.vocabulary_ if fitted else Vocabulary.from_blocks(corpus.blocks(X))
        streams = Streams(corpus.encode(X, vocabulary), settings.batch_size, settings.seq_length)
        if fitted:
            learned = self._carried(settings)
        else:
            learned = self._started(settings, vocabulary, generator(settings.random_state))
        n_steps = streams.steps_per_sweep
        n_steps = n_steps if settings.max_steps is None else min(n_steps, settings.max_steps)
        self._train(settings, learned, streams, n_steps)
        return self

    def _started(self, settings: Settings, vocabulary: Vocabulary, rng: np.random.Generator) -> dict[str, Any]:
        """Return the attributes of a model that has seen no text yet."""
        layout = Layout(len(vocabulary), settings.hidden_size, settings.dtype)
        return {
            "_layout": layout,
            "_params": initialise(layout, rng, settings.init_scale),
            "_sum": layout.zeros(),
            "_rng": rng,
            "vocabulary_": vocabulary,
            "state_": np.zeros((1, settings.batch_size, settings.hidden_size), settings.dtype),
            "n_steps_": 0,
            "smooth_loss_": settings.seq_length * math.log(len(vocabulary)),
            "_loss_length": settings.seq_length,
            "history_": [],
        }

    def _carried(self, settings: Settings) -> dict[str, Any]:
        """Return the model's attributes, for settings under which they are carried on."""
        learned = dict(vars(self))
        if self.state_.shape[1] != settings.batch_size:
            learned["state_"] = np.zeros((1, settings.batch_size, settings.hidden_size), settings.dtype)
        learned["smooth_loss_"] *= settings.seq_length / self._loss_length
        learned["_loss_length"] = settings.seq_length
        return learned

    def _train(self, settings: Settings, learned: dict[str, Any], streams: Streams, n_steps: int) -> None:
        """Train what is in `learned`, which becomes the model's once everything is ready to start."""
        first, start = learned["n_steps_"], time.perf_counter()
        chars_per_step = streams.seq_length * streams.batch_size
        trainer = Trainer(
            learned["_layout"],
            learned["_params"],
            learned["_sum"],
            learned["state_"],
            streams,
            seq_length=settings.seq_length,
            n_steps=first,
            smooth_loss=learned["smooth_loss_"],
            learning_rate=settings.learning_rate,
            clip=settings.clip,
            n_threads=settings.n_threads,
        )
        vars(self).update(learned)
        every = max(min(-(-n_steps // 20), 100), n_steps // HISTORY_LENGTH, 1)

        def store() -> None:
            self.n_steps_, self.smooth_loss_ = trainer.cursor.n_steps, trainer.cursor.smooth_loss

        def look() -> None:
            store()
            done, seconds = self.n_steps_ - first, time.perf_counter() - start
            loss = self.smooth_loss_ / settings.seq_length
            progress.show(done, loss)
            if done % every == 0 or done == n_steps:
                self.history_.append(
                    {
                        "step": self.n_steps_,
                        "seconds": seconds,
                        "epoch": trainer.epoch,
                        "smooth_loss": loss,
                        "chars_per_second": done * chars_per_step / seconds,
                    }
                )

        with Progress(self, n_steps, chars_per_step) as progress:
            try:
                with trainer:
                    trainer.run(n_steps, every, look)
            finally:
                store()

    def _check_fits(self, settings: Settings) -> None:
        """Raise if a parameter was changed, or the state replaced, so that the weights no longer go with it."""
        for name, was in (("hidden_size", self._layout.hidden_size), ("dtype", self._layout.dtype)):
            if getattr(settings, name) != was:
                raise InvalidInputError(
                    f"{name} is now {getattr(settings, name)}, but the model was fitted with {was}; "
                    f"set it back, or call fit to start anew"
                )
        state = self.state_
        right = isinstance(state, np.ndarray) and state.dtype == settings.dtype and state.ndim == 3
        if not right or state.shape[::2] != (1, settings.hidden_size) or not state.shape[1]:
            raise InvalidInputError(
                f"state_ has shape {np.shape(state)} and type {getattr(state, 'dtype', type(state).__name__)}, not "
                f"(1, {settings.batch_size}, {settings.hidden_size}) and {settings.dtype}; write into it in place"
            )

    # ---------------------------------------------------------------- sampling

    def sample(
        self,
        n: int = 200,
        *,
        prime: str | bytes = "",
        temperature: float = 1.0,
        num_samples: int = 1,
        random_state: Any = None,
    ) -> Any:
        """Generate text.

        Parameters
        ----------
        n : int, default=200
            Characters to generate.
        prime : str or bytes, default=""
            Text that the state is led through first; not returned. Without one, the first character is drawn from
            what the zero state predicts.
        temperature : float, default=1.0
            Divides the logits: below 1 the likely becomes likelier, 0 always takes the likeliest.
        num_samples : int, default=1
            Samples to draw side by side. Sample i depends on `random_state` and on i alone.
        random_state : int, SeedSequence, Generator or None, default=None
            The same seed gives the same text. None: a different one each time.

        Returns
        -------
        str, bytes or list
            The text without the prime, bytes from a model of bytes; a list of them if `num_samples` is not 1.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            If an argument is out of range, or the prime holds a symbol that the model never saw.

        Examples
        --------
        >>> model = CharRNN(hidden_size=16, max_steps=1000, random_state=0).fit("ab" * 100)
        >>> model.sample(6, prime="a", temperature=0)
        'bababa'
        >>> model.sample(4, num_samples=2, temperature=0, prime="ab")
        ['abab', 'abab']
        """
        n, k = whole("n", n, 0), whole("num_samples", num_samples, 1)
        temperature = sampling.checked_temperature(temperature)
        ids = sampling.sample(
            self._packed("sample", one_row=k == 1),
            self._encode_prime(prime),
            n,
            k,
            temperature=temperature,
            random_state=random_state,
            n_threads=threads(self.n_threads),
        )
        texts = [self.vocabulary_.decode(row) for row in ids]
        return texts[0] if k == 1 else texts

    def stream(
        self,
        n: int | None = None,
        *,
        prime: str | bytes = "",
        temperature: float = 1.0,
        random_state: Any = None,
    ) -> Iterator[Any]:
        """Generate text character by character, without end unless `n` is given.

        Parameters
        ----------
        n : int, default=None
            Characters to generate; None: no end.
        prime, temperature, random_state
            As in `sample`; the same seed gives the same text as there.

        Returns
        -------
        iterator of str or bytes
            Characters, or bytes objects of length 1 from a model of bytes. They come from the weights as they were
            when `stream` was called.

        Raises
        ------
        NotFittedError, ValueError
            As `sample`, at the call.

        Examples
        --------
        >>> from itertools import islice
        >>> model = CharRNN(hidden_size=16, max_steps=1000, random_state=0).fit("ab" * 100)
        >>> list(islice(model.stream(prime="a", temperature=0), 3))
        ['b', 'a', 'b']
        """
        n = None if n is None else whole("n", n, 0)
        temperature = sampling.checked_temperature(temperature)
        blocks = sampling.stream(
            self._packed("stream", one_row=True),
            self._encode_prime(prime),
            n,
            temperature=temperature,
            bits=sampling.root(random_state),
        )
        symbols = self.vocabulary_
        return (symbols[int(i)] for block in blocks for i in block)

    # ----------------------------------------------------------------- scoring

    def score(self, X: Source, y: None = None, *, exact: bool = True) -> float:
        """Return the mean log-likelihood per symbol, in nats: higher is better, 0 is certainty.

        Every symbol counts, the first as predicted by the zero state.

        Parameters
        ----------
        X : str, bytes or os.PathLike
            As in `fit`, of the model's symbols.
        y : None
            Not used.
        exact : bool, default=True
            True: one state is carried through the whole text. False: a long text is cut in parts that are read side
            by side on several threads; each part finds its state from the 128 symbols before it. The result then
            differs by a little, and depends on the text alone, not on the threads.

        Returns
        -------
        float

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            If the text is empty or holds a symbol that the model never saw.

        Examples
        --------
        >>> model = CharRNN(hidden_size=16, max_steps=0, random_state=0).fit("abcd")
        >>> round(model.score("dcba"), 2)  # it has learned nothing: about -ln 4
        -1.39
        """
        network = self._packed("score", one_row=exact)
        ids = corpus.encode(X, self.vocabulary_)
        if not len(ids):
            raise InvalidInputError("X is empty; scoring needs at least 1 character")
        if exact:
            return scoring.log_likelihood(network, ids) / len(ids)
        return scoring.parallel_log_likelihood(network, ids, threads(self.n_threads)) / len(ids)

    def bits_per_char(self, X: Source, *, exact: bool = True) -> float:
        """Return the mean of -log2 P per symbol: `score` in bits, lower is better.

        Parameters, errors: as `score`.

        Examples
        --------
        >>> model = CharRNN(hidden_size=16, max_steps=0, random_state=0).fit("abcd")
        >>> round(model.bits_per_char("dcba"), 2)
        2.0
        """
        return -self.score(X, exact=exact) / math.log(2)

    def _packed(self, what: str, *, one_row: bool) -> PackedNetwork:
        if "vocabulary_" not in vars(self):
            raise NotFittedError.before(what, estimator=type(self).__name__)
        return PackedNetwork.pack(self._layout, self._params, one_row=one_row, scoring=what == "score")

    def _encode_prime(self, prime: str | bytes) -> Array:
        if not prime and isinstance(prime, str | bytes):
            return np.zeros(0, np.int32)  # the default "" serves a model of bytes too
        return self.vocabulary_.encode(prime, name="prime")

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
        from . import checkpoint

        if "vocabulary_" not in vars(self):
            raise NotFittedError.before("save", estimator=type(self).__name__)
        checkpoint.write(self, path, training_state=training_state)

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
        """
        from . import checkpoint

        model = cls()
        checkpoint.read(model, path)
        return model

    # -------------------------------------------------------------- attributes

    @property
    def params_(self) -> dict[str, Array]:
        """Writable views on the weights, in min-char-rnn's shapes."""
        return self._layout.named(self._params)

    @property
    def optimizer_state_(self) -> dict[str, dict[str, Array]]:
        """The optimiser's memory under PyTorch's names, each with writable views like `params_`."""
        return {"sum": self._layout.named(self._sum)}
