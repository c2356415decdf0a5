"""MinCharRNN: the gist's model with the gist's names, around the compiled algorithm in `classic.pyx`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from ..arrays import Array
from ..errors import DivergenceError, InvalidInputError, NotFittedError, short_repr
from ..parameters.checks import checked_dtype, checked_float, checked_int, generator
from ..runtime.signals import signals_deferred
from ..runtime.threads import scipy_blas
from .compiled import read_symbols, train_steps
from .layout import cut

if TYPE_CHECKING:
    from ..char_rnn import CharRNN

BLOCK_STEPS = 100  # between two chances for Ctrl-C: some 15 ms
READ_AT_ONCE = 1000  # symbols that `loss` reads in one call
NAMES_IN_CHAR_RNN = {"Wxh": "Wxh_l0", "Whh": "Whh_l0", "bh": "bh_l0", "Why": "Why", "by": "by"}


class MinCharRNN:
    """Min-char-rnn with the gist's parameters, names and defaults, compiled.

    This class is for reading and for comparing. Use `CharRNN` for everything else: it validates, saves and stops by
    itself, and with several streams it is faster. See ``docs/min_char_rnn.md``.

    Before `train`, all other methods raise `NotFittedError`.

    Parameters
    ----------
    hidden_size : int, default=100
        Number H of hidden units.
    seq_length : int, default=25
        Number T of characters in a chunk.
    learning_rate : float, default=0.1
        Learning rate of Adagrad.
    batch_size : int, default=1
        Number B of streams: the text is cut into B equal parts, which are read in parallel.
    clip : float or None, default=5.0
        Limit of each element of a gradient; None: no limit.
    dtype : {"float64", "float32"}, default="float64"
        Type of the weights and of the arithmetic.
    random_state : None, int, SeedSequence or Generator, default=None
        Seed of the initial weights.

    Attributes
    ----------
    chars : list of str
        The V symbols of the first training text, sorted.
    n : int
        Number of steps taken.
    p : int
        Position of the next chunk in each stream.
    smooth_loss : float
        Smoothed loss in nats per chunk, which starts at T ln V.
    params : dict of str to ndarray
        The weights by the gist's names, to read or to write: ``params["Why"][...] = 0``.
    memory : dict of str to ndarray
        Adagrad's sums of squares by the gist's names, as views in the shapes of `params`.

    Examples
    --------
    >>> from crnn.classic import MinCharRNN
    >>> text = "to be or not to be, that is the question: " * 20
    >>> model = MinCharRNN(32, random_state=0).train(text, 2000)
    >>> model.sample(20, prime="to be or", temperature=0.1, random_state=0)
    ' not to be, that is '
    >>> model.loss(text) < 0.5
    True
    """

    _w: Array  # all weights, in the order of `cut`
    _memory: Array  # Adagrad's sums, in the same order
    _state: Array  # (B, H)

    def __init__(
        self,
        hidden_size: int = 100,
        seq_length: int = 25,
        learning_rate: float = 0.1,
        *,
        batch_size: int = 1,
        clip: float | None = 5.0,
        dtype: Any = "float64",
        random_state: Any = None,
    ) -> None:
        self.hidden_size = checked_int("hidden_size", hidden_size, 1, 10_000)
        self.seq_length = checked_int("seq_length", seq_length, 1, 100_000)
        self.learning_rate = checked_float("learning_rate", learning_rate, above=0)
        self.batch_size = checked_int("batch_size", batch_size, 1, 10_000)
        self.clip = None if clip is None else checked_float("clip", clip, above=0)
        self.dtype = checked_dtype("dtype", dtype)
        self.random_state = random_state
        generator(random_state)  # raises an error if it is not a source of random numbers
        self.chars: list[str] = []
        self.n = 0
        self.p = 0
        self.smooth_loss = math.nan

    def train(self, text: str, steps: int) -> Self:
        """Take a number of steps, each on the next chunk of a text, and return the model.

        The first call draws the weights and takes the text's characters as symbols. Further calls continue where the
        last one ended. Ctrl-C stops training after at most 100 more steps; all steps until then count.

        Parameters
        ----------
        text : str
            At least ``batch_size * seq_length + 1`` characters.
        steps : int
            Number of steps, at least 0.

        Raises
        ------
        DivergenceError
            If a loss is not finite. The model is then as it was before the last 100 steps or fewer.

        Examples
        --------
        >>> from crnn.classic import MinCharRNN
        >>> model = MinCharRNN(8, seq_length=5, random_state=0).train("abc" * 20, 300)
        >>> model.n, round(model.smooth_loss, 1)
        (300, 4.1)
        """
        steps = checked_int("steps", steps, 0)
        if not isinstance(text, str):
            raise InvalidInputError(f"text must be a str, not a {type(text).__name__}")
        needed = self.batch_size * self.seq_length + 1
        if len(text) < needed:
            raise InvalidInputError(
                f"text has {len(text)} characters, but batch_size * seq_length + 1 = {needed} are needed, since "
                f"the target of each character is the next one. Pass a longer text or a smaller seq_length."
            )
        if not self.chars:
            self._begin(sorted(set(text)))
        ids = self._encode(text)
        while steps > 0:
            losses = np.empty(min(steps, BLOCK_STEPS))
            self._train_block(ids, losses)
            steps -= len(losses)
        return self

    def _train_block(self, ids: NDArray[np.int32], losses: NDArray[np.float64]) -> None:
        """Take a step for each entry of `losses`, or none at all."""
        w = self._w.copy()
        memory = self._memory.copy()
        state = self._state.copy()
        clip = np.finfo(self.dtype).max if self.clip is None else self.clip
        with scipy_blas.one_thread():
            position = train_steps(
                w, memory, state, ids, self.p, self.seq_length, len(self.chars), self.learning_rate, clip, losses
            )
        finite = np.isfinite(losses)
        if not finite.all():
            good = int(np.argmin(finite))
            raise DivergenceError(self.n + good + 1, losses[good - 1] if good else math.nan)
        if not np.isfinite(w).all():
            raise DivergenceError(self.n + len(losses), losses[-1], "weights")
        with signals_deferred():
            self._w = w
            self._memory = memory
            self._state = state
            self._next = int(ids[position])
            self.p = position
            self.n += len(losses)
            for loss in losses.tolist():
                self.smooth_loss = 0.999 * self.smooth_loss + 0.001 * loss

    def loss(self, text: str) -> float:
        """Return the mean loss of a text's characters after the first, in nats, reading from a state of zeros.

        Parameters
        ----------
        text : str
            At least two characters, all among the model's symbols.

        Returns
        -------
        float
            Nats per character.

        Examples
        --------
        >>> from crnn.classic import MinCharRNN
        >>> model = MinCharRNN(8, seq_length=5, random_state=0).train("abc" * 20, 300)
        >>> model.loss("abcabc") < model.loss("acbacb")
        True
        """
        ids = self._encode(text)
        if len(ids) < 2:
            raise InvalidInputError(f"text must have at least 2 characters, not {len(ids)}")
        state = np.zeros((1, self.hidden_size), self.dtype)
        total = 0.0
        with scipy_blas.one_thread():
            for first in range(0, len(ids) - 1, READ_AT_ONCE):
                total += read_symbols(self._w, state, ids[first : first + READ_AT_ONCE + 1], len(self.chars))
        return total / (len(ids) - 1)

    def sample(
        self, length: int = 200, *, prime: str | None = None, temperature: float = 1.0, random_state: Any = None
    ) -> str:
        """Return characters drawn one after another.

        Parameters
        ----------
        length : int, default=200
            Number of characters.
        prime : str, default=None
            Text to continue, read from a state of zeros. None: as in the gist, continue from the first stream's state
            and the character that training reads next.
        temperature : float, default=1.0
            Positive number that divides the logits.
        random_state : None, int, SeedSequence or Generator, default=None
            Source of the draws.

        Returns
        -------
        str
            The characters after `prime`.

        Examples
        --------
        >>> from crnn.classic import MinCharRNN
        >>> model = MinCharRNN(8, seq_length=5, random_state=0).train("abc" * 20, 300)
        >>> model.sample(6, prime="ab", temperature=0.1, random_state=0)
        'cabcab'
        """
        length = checked_int("length", length, 0)
        temperature = checked_float("temperature", temperature, above=0)
        rng = generator(random_state)
        read = self._encode("" if prime is None else prime).tolist()
        Wx, Wh, bh, Wy, by = cut(self._w.astype(np.float64), len(self.chars), self.hidden_size)
        h: Array = np.zeros(self.hidden_size)
        if not read:
            h = self._state[0]
            read = [self._next]
        for symbol in read:
            h = np.tanh(Wx[symbol] + h @ Wh + bh)
        drawn = []
        for _ in range(length):
            y = (h @ Wy + by) / temperature
            p = np.exp(y - y.max())
            symbol = rng.choice(len(p), p=p / p.sum())
            drawn.append(self.chars[symbol])
            h = np.tanh(Wx[symbol] + h @ Wh + bh)
        return "".join(drawn)

    @property
    def params(self) -> dict[str, Array]:
        """The weights by the gist's names, to read or to write: ``params["Why"][...] = 0``.

        ``Wxh`` (H, V), ``Whh`` (H, H), ``Why`` (V, H), ``bh`` (H, 1) and ``by`` (V, 1) are views, renewed by `train`.
        """
        self._encode("")
        return self._named(self._w)

    @property
    def memory(self) -> dict[str, Array]:
        """Adagrad's sums of squares by the gist's names, as views in the shapes of `params`."""
        self._encode("")
        return self._named(self._memory)

    def to_char_rnn(self) -> CharRNN:
        """Return a `CharRNN` with these settings, symbols, weights and sums of Adagrad.

        Examples
        --------
        >>> from crnn.classic import MinCharRNN
        >>> model = MinCharRNN(8, seq_length=5, random_state=0).train("abc" * 20, 300)
        >>> other = model.to_char_rnn()
        >>> other.sample(6, prime="ab", temperature=0.1, random_state=0)
        'cabcab'
        """
        from ..char_rnn import CharRNN

        params = self.params
        memory = self.memory
        alphabet = "".join(self.chars)
        model = CharRNN(
            self.hidden_size,
            seq_length=self.seq_length,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            clip=self.clip,
            dtype=self.dtype.name,
            vocabulary=alphabet,
            max_steps=0,
        )
        model.fit(alphabet)
        with model.editing():
            for name, other in NAMES_IN_CHAR_RNN.items():
                shape = model.params_[other].shape
                model.params_[other][...] = params[name].reshape(shape)
                model.optimizer_state_["sum"][other][...] = memory[name].reshape(shape)
        return model.set_params(max_steps=None)

    @classmethod
    def from_char_rnn(cls, model: CharRNN) -> Self:
        """Return a `MinCharRNN` with the settings, symbols and weights of a fitted `CharRNN`.

        Adagrad's sums are copied too, if the model has them.

        Parameters
        ----------
        model : CharRNN
            A network with one tanh layer, trained on a text.

        Examples
        --------
        >>> from crnn import CharRNN
        >>> from crnn.classic import MinCharRNN
        >>> model = CharRNN(8, max_steps=100, random_state=0).fit("abc" * 20)
        >>> MinCharRNN.from_char_rnn(model).params["Whh"].shape
        (8, 8)
        """
        from ..char_rnn import CharRNN

        if not isinstance(model, CharRNN):
            raise InvalidInputError(f"model must be a CharRNN, not a {type(model).__name__}")
        params = model.params_
        if model.cell_ != "rnn" or params.keys() != set(NAMES_IN_CHAR_RNN.values()) or model.scales_ is not None:
            raise InvalidInputError(
                f"model must have one tanh layer and neither embedding, bigrams nor 8-bit weights, not {model!r}"
            )
        chars = [symbol for symbol in model.vocabulary_ if isinstance(symbol, str)]
        if len(chars) < len(model.vocabulary_):
            raise InvalidInputError(
                f"model must be trained on one text, so that all its symbols are characters, not {model.vocabulary_!r}"
            )
        dtype = params["Why"].dtype
        learning_rate = 0.1 if model.learning_rate is None else model.learning_rate
        new = cls(
            params["Why"].shape[1],
            model.seq_length,
            learning_rate,
            batch_size=model.batch_size,
            clip=model.clip,
            dtype=dtype,
        )
        new._begin(chars)
        sums = model.optimizer_state_.get("sum", {})
        for name, other in NAMES_IN_CHAR_RNN.items():
            new.params[name][...] = params[other].reshape(new.params[name].shape)
            if other in sums:
                new.memory[name][...] = sums[other].reshape(new.params[name].shape)
        return new

    def _begin(self, chars: list[str]) -> None:
        """Draw weights for these symbols, and set all else to zero."""
        V = len(chars)
        H = self.hidden_size
        self.chars = chars
        self.n = 0
        self.p = 0
        self.smooth_loss = self.seq_length * math.log(V)
        self._w = np.zeros(V * H + H * H + H + H * V + V, self.dtype)
        self._memory = np.zeros_like(self._w)
        self._state = np.zeros((self.batch_size, H), self.dtype)
        self._next = 0
        rng = generator(self.random_state)
        params = self._named(self._w)
        for name in ("Wxh", "Whh", "Why"):
            params[name][...] = 0.01 * rng.standard_normal(params[name].shape)

    def _named(self, vector: Array) -> dict[str, Array]:
        """Return a vector's parts by the gist's names, as views in the gist's shapes."""
        Wx, Wh, bh, Wy, by = cut(vector, len(self.chars), self.hidden_size)
        return {"Wxh": Wx.T, "Whh": Wh.T, "Why": Wy.T, "bh": bh[:, None], "by": by[:, None]}

    def _encode(self, text: str) -> NDArray[np.int32]:
        """Return the ids of a text's characters."""
        if not self.chars:
            raise NotFittedError("this MinCharRNN has no weights yet. Call train(text, steps) first.")
        if not isinstance(text, str):
            raise InvalidInputError(f"text must be a str, not a {type(text).__name__}")
        codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
        table = np.full(0x110000, -1, np.intc)  # the id of each code point
        table[[ord(char) for char in self.chars]] = range(len(self.chars))
        ids: NDArray[np.int32] = table[codes]
        unknown = codes[ids < 0]
        if len(unknown):
            raise InvalidInputError(
                f"text has {short_repr(chr(unknown[0]))}, which is not among the model's {len(self.chars)} symbols. "
                f"Remove it, or train a model on a text that has it."
            )
        return ids
