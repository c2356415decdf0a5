"""Settings: the table of the constructor's parameters, each stated once, and the check when training starts.

The options of ``crnn train`` are generated from the table, and ``python tools/fill_docstrings.py`` writes the class
docstring of `CharRNN` from it. To add a parameter, add an entry here, its place in the signature and body of
``CharRNN.__init__``, and the code that uses it; then run the tool.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Literal, NamedTuple, get_type_hints

import numpy as np

from ..errors import InvalidInputError
from .checks import (
    MAX_SCALE,
    MAX_SIZE,
    MAX_STEPS,
    Check,
    checked_bool,
    checked_callables,
    checked_choice,
    checked_dtype,
    checked_float,
    checked_int,
    checked_steps,
    checked_vocabulary,
)
from .intervals import refuse_both
from .kinds import CELLS, MAX_LAYERS, OPTIMIZERS
from .schedules import SCHEDULES

MATMUL_PRECISIONS = ("float32", "bfloat16")

Group = Literal["model", "optimization", "regularization", "budget", "validation", "execution"]

GROUPS: dict[Group, str] = {
    "model": "the network, its alphabet and its initial weights",
    "optimization": "chunks of text, the optimizer and its learning rate",
    "regularization": "less overfitting, and better predictions at the start of texts",
    "budget": "how long to train",
    "validation": "the loss on held-out text, and early stopping",
    "execution": "arithmetic, threads, randomness and output",
}


class Parameter(NamedTuple):
    """Everything about a parameter except its name and its type annotation."""

    group: Group
    kind: str  # the type in words, as in a docstring
    default: Any
    check: Check | None  # takes name and value, and returns the setting or raises; None: checked where it is used
    text: str  # in reStructuredText


def _int(minimum: int, maximum: int = MAX_STEPS) -> Check:
    return partial(checked_int, minimum=minimum, maximum=maximum)


def _float(**bounds: float) -> Check:
    return lambda name, value: checked_float(name, value, **bounds)


def _choice(known: Iterable[str]) -> Check:
    return partial(checked_choice, known=tuple(known))


def _or_none(check: Check, none: Any = None) -> Check:
    return lambda name, value: none if value is None else check(name, value)


def _choices(known: Iterable[str]) -> str:
    return "{" + ", ".join(f'"{name}"' for name in known) + "}"


@dataclass(frozen=True)
class Settings:
    """The checked parameters of `CharRNN`, with every None resolved that does not depend on the text.

    A field's type is the type of the checked value, and its annotation holds the rest of the table.
    """

    # fmt: off
    hidden_size: Annotated[int, Parameter(
        "model", "int", 100, _int(1, MAX_SIZE),
        "H, the number of hidden units of each layer.",
    )]
    num_layers: Annotated[int, Parameter(
        "model", "int", 1, _int(1, MAX_LAYERS),
        "L, the number of layers. Each layer reads the hidden states of the layer below.",
    )]
    cell: Annotated[str, Parameter(
        "model", _choices(CELLS), "rnn", _choice(CELLS),
        'The kind of layer: tanh, or GRU and LSTM with PyTorch\'s equations. "cifg" is an LSTM with coupled input and '
        "forget gates (Greff et al. 2017) and three quarters of the weights; it lets in as much as it forgets.",
    )]
    embedding_size: Annotated[int | None, Parameter(
        "model", "int or None", None, _or_none(_int(1, MAX_SIZE)),
        "E, the length of each symbol's learned vector, the input of the first layer. Use an embedding for alphabets "
        "of thousands of symbols: the first layer then has E G H input weights instead of V G H (G: gates). Two thirds "
        "of H predicted best, and a third 0.04 nats worse (``docs/development/measurements.md``). None: the first "
        "layer reads the symbols directly, which suits alphabets of up to a few hundred symbols.",
    )]
    n_bigrams: Annotated[int | None, Parameter(
        "model", "int or None", None, _or_none(_int(1, MAX_SIZE)),
        "R, the number of symbol pairs with input weights of their own: the most frequent pairs in the text of `fit`. "
        "Their G H weights are added to the second symbol's, so that the gates see two symbols at once. A model "
        "of a few hundred units then learns faster (``docs/development/measurements.md``), but has R G H more weights. "
        "A chunk changes only the rows of the pairs it contains, at three tenths of the learning rate. None: no pairs.",
    )]
    vocabulary: Annotated[str | bytes | None, Parameter(
        "model", "str, bytes, list of characters or None", None, _or_none(checked_vocabulary),
        "The characters of a new model, fixed in advance so that `partial_fit` can train on a stream of texts block by "
        "block. Any other character becomes the unknown symbol if `min_count` is 2 or more, otherwise it is an error. "
        "The parameter is not saved, but `vocabulary_` is. None: the characters of the first text.",
    )]
    min_count: Annotated[int, Parameter(
        "model", "int", 1, _int(1),
        "Characters that occur less often in the text of `fit` become one unknown symbol. With 2 or more, the model "
        "accepts any text and treats new characters as the unknown symbol. With 1, a new character is an error.",
    )]
    init_scale: Annotated[float | None, Parameter(
        "model", "float or None", None, _or_none(_float(minimum=0.0, below=MAX_SCALE)),
        "The standard deviation of the normal distribution of the initial weights; biases are zero. None: 0.01 for a "
        'single "rnn" layer, otherwise PyTorch\'s uniform distribution. An embedding starts from N(0, 1).',
    )]
    dtype: Annotated[np.dtype[Any], Parameter(
        "model", _choices(("float32", "float64")), "float32", checked_dtype,
        "The dtype of the weights and of all arithmetic.",
    )]

    seq_length: Annotated[int, Parameter(
        "optimization", "int", 25, _int(1, MAX_SIZE),
        "T, the number of characters in a chunk. Gradients flow back to the start of the chunk. A text shorter than T "
        "is a single chunk.",
    )]
    batch_size: Annotated[int, Parameter(
        "optimization", "int", 1, _int(1, MAX_SIZE),
        "B, the number of contiguous parts of the text, called streams, that are read in parallel. The loss and the "
        "gradient are summed over time and averaged over streams.",
    )]
    optimizer: Annotated[str, Parameter(
        "optimization", _choices(OPTIMIZERS), "adagrad", _choice(OPTIMIZERS),
        "The update rule for the weights. If the optimizer changes, `partial_fit` starts from a "
        "zero optimizer state.",
    )]
    learning_rate: Annotated[float, Parameter(
        "optimization", "float or None", None, _or_none(_float(above=0.0)),
        "The step size. None: the optimizer's default, "
        + ", ".join(f'{kind.learning_rate:g} for "{name}"' for name, kind in OPTIMIZERS.items()) + ".",
    )]
    schedule: Annotated[str, Parameter(
        "optimization", _choices(SCHEDULES), "constant", _choice(SCHEDULES),
        "How the learning rate changes during one call of `fit` or `partial_fit`. Linear and cosine fall to 0 at its "
        "end. Exponential is char-rnn's decay: constant for 10 epochs, then multiplied by 0.97 in each epoch.",
    )]
    warmup_steps: Annotated[int | None, Parameter(
        "optimization", "int or None", None, _or_none(partial(checked_steps, minimum=0, otherwise="warmup_fraction")),
        "The number of steps at the start of a call during which the learning rate rises linearly from nearly 0 to the "
        "schedule's value. None: no warm-up, unless `warmup_fraction` is given.",
    )]
    warmup_fraction: Annotated[float | None, Parameter(
        "optimization", "float or None", None, _or_none(_float(minimum=0.0, below=1.0)),
        "The warm-up as a fraction of the call, instead of `warmup_steps`.",
    )]
    clip: Annotated[float, Parameter(
        "optimization", "float or None", 5.0, _or_none(_float(above=0.0), math.inf),
        "Each element of each gradient is clipped to [-clip, clip]. None: no clipping.",
    )]
    clip_norm: Annotated[float, Parameter(
        "optimization", "float or None", None, _or_none(_float(above=0.0), math.inf),
        "A gradient with a larger Euclidean norm is scaled down to this norm, before `clip`. None: no scaling.",
    )]
    beta_1: Annotated[float, Parameter(
        "optimization", "float", 0.9, _float(minimum=0.0, below=1.0),
        "The decay rate of Adam's first moment.",
    )]
    beta_2: Annotated[float, Parameter(
        "optimization", "float", 0.999, _float(minimum=0.0, below=1.0),
        "The decay rate of Adam's second moment; 0.99 suits short runs.",
    )]
    n_sampled_symbols: Annotated[int | None, Parameter(
        "optimization", "int or None", None, _or_none(_int(1, MAX_SIZE)),
        "For alphabets of thousands of symbols: in training, a chunk's softmax covers the symbols that occur in the "
        "chunk and this many others, drawn at random to represent the rest (Jean et al. 2015). A step takes a fraction "
        "of the time, and training losses are estimates. Sampling, scoring and validation use all symbols. None: "
        "training also uses all symbols.",
    )]

    weight_decay: Annotated[float, Parameter(
        "regularization", "float", 0.0, _float(minimum=0.0),
        "Decoupled weight decay, for Adam only (the combination is called AdamW).",
    )]
    dropout: Annotated[float, Parameter(
        "regularization", "float", 0.0, _float(minimum=0.0, below=1.0),
        "The probability of dropping each output of each layer during training, at least 0 and below 1.",
    )]
    weight_dropout: Annotated[float, Parameter(
        "regularization", "float", 0.0, _float(minimum=0.0, below=1.0),
        "The probability of dropping each recurrent weight during a step, at least 0 and below 1 (DropConnect, as "
        "in the AWD-LSTM of Merity, Keskar and Socher 2018). It helps more than `dropout` when training for many "
        "epochs; the two can be combined.",
    )]
    state_reset: Annotated[float, Parameter(
        "regularization", "float", 0.0, _float(minimum=0.0, maximum=1.0),
        "The probability that, during training, a stream starts a chunk from a zero hidden state instead of the state "
        "carried over from the previous chunk; 1: always. Scoring and sampling start from a zero state, but training "
        "rarely does; values of 0.01 to 0.1 improve predictions at the start of texts.",
    )]

    epochs: Annotated[int, Parameter(
        "budget", "int", 10, _int(1, MAX_SIZE),
        "How many times `fit` reads the text, unless `max_steps` or `max_seconds` is given.",
    )]
    max_steps: Annotated[int | None, Parameter(
        "budget", "int or None", None, _or_none(_int(0, MAX_STEPS)),
        "If given, `fit` takes exactly this many steps, and `partial_fit` at most this many. A step reads one "
        "chunk of each stream. 0 only builds the vocabulary and the weights.",
    )]
    max_seconds: Annotated[float | None, Parameter(
        "budget", "float or None", None, _or_none(_float(above=0.0)),
        "If given, `fit` and `partial_fit` train until this long after the call, and read the text as often as time "
        "permits. The schedule then follows the time. If `max_steps` is also given, training ends at whichever limit "
        "comes first, and the schedule follows the limit that is closer. At least one step is taken.",
    )]

    validation_fraction: Annotated[float, Parameter(
        "validation", "float", 0.0, _float(minimum=0.0, below=1.0),
        "The fraction of the text, at its end, held out from training to measure the validation loss.",
    )]
    eval_every: Annotated[int | None, Parameter(
        "validation", "int or None", None, _or_none(partial(checked_steps, minimum=1, otherwise="eval_seconds")),
        "Steps between two measurements of the validation loss. None: about 20 measurements, fewer if they would take "
        "more than 5 % of the time, unless `eval_seconds` is given. The loss is always measured at the end.",
    )]
    eval_seconds: Annotated[float | None, Parameter(
        "validation", "float or None", None, _or_none(_float(above=0.0)),
        "Seconds between two measurements of the validation loss, instead of `eval_every`. The best weights may then "
        "differ from run to run.",
    )]
    patience: Annotated[int | None, Parameter(
        "validation", "int or None", None, _or_none(_int(1)),
        "End training after this many measurements without a new lowest validation loss. None: never.",
    )]
    restore_best: Annotated[bool, Parameter(
        "validation", "bool", True, checked_bool,
        "With a validation text, return to the weights with the lowest validation loss, no matter how training ends.",
    )]

    callbacks: Annotated[tuple[Callable[[Any, dict[str, Any]], Any], ...], Parameter(
        "execution", "list of functions or None", None, _or_none(checked_callables, ()),
        "Functions called with the model and each new record of `history_`. Returning True ends training. A callback "
        "may write to `params_` and `state_` within `editing`, but must not train the model.",
    )]
    matmul_precision: Annotated[str, Parameter(
        "execution", _choices(MATMUL_PRECISIONS), "float32", _choice(MATMUL_PRECISIONS),
        '"bfloat16": matrix products round their operands to bfloat16, in training, scoring and sampling. Sums, '
        'states, weights and the optimizer state stay float32, so `dtype` must be "float32". This is faster on '
        "processors with AMX or AVX512-BF16 (see ``docs/performance.md``), and works on every processor. `set_params` "
        "can change the precision at any time. Exported models have float32 weights and products.",
    )]
    n_threads: Annotated[int | None, Parameter(
        "execution", "int or None", None, _or_none(_int(1)),
        "The number of threads for training, sampling and scoring, at most the number of processors that this process "
        "may use. None: as many as help, considering the process's affinity, the container's quota, hyper-threads, "
        "``OMP_NUM_THREADS`` and the amount of work. Training also measures its steps and uses fewer threads on a "
        "busy machine. The results have the same bits for any number.",
    )]
    random_state: Annotated[Any, Parameter(
        "execution", "int, SeedSequence, Generator or None", None,
        None,  # `generator` checks it: making a generator may advance another one
        "The seed for initial weights, dropout and the order of documents: the same seed gives the same model. None: a "
        "different seed each time. `partial_fit` continues with the generator of `fit`.",
    )]
    verbose: Annotated[int, Parameter(
        "execution", "int", 0, _int(0),
        "0: silent. 1: the size of the data and a progress bar, on standard error. 2: also a sample every few seconds.",
    )]

    # fmt: on

    @classmethod
    def check(cls, parameters: Mapping[str, Any]) -> Settings:
        """Return the settings, or raise an `InvalidInputError` that names the first invalid parameter."""
        values = {name: checked_parameter(name, parameters[name]) for name in PARAMETERS}
        if values["weight_decay"] and not OPTIMIZERS[values["optimizer"]].decays_weights:
            able = " or ".join(repr(name) for name, kind in OPTIMIZERS.items() if kind.decays_weights)
            raise InvalidInputError(
                f"weight_decay is {values['weight_decay']:g}, but optimizer={values['optimizer']!r} does not decay "
                f"weights. Set weight_decay to 0, or optimizer to {able}."
            )
        for first, second in (("warmup_steps", "warmup_fraction"), ("eval_every", "eval_seconds")):
            refuse_both(first, values[first], second, values[second])
        rounds_operands(values["matmul_precision"], values["dtype"])
        if values["learning_rate"] is None:
            values["learning_rate"] = OPTIMIZERS[values["optimizer"]].learning_rate
        return cls(**values)


PARAMETERS: dict[str, Parameter] = {
    name: hint.__metadata__[0] for name, hint in get_type_hints(Settings, include_extras=True).items()
}


def checked_parameter(name: str, value: Any) -> Any:
    """Return a parameter's value in the type that training uses, or raise `InvalidInputError`; other parameters do not
    matter.
    """
    check = PARAMETERS[name].check
    return value if check is None else check(name, value)


def rounds_operands(matmul_precision: Any, dtype: np.dtype[Any]) -> bool:
    """Return whether products round their operands to bfloat16; raise an error if the dtype does not allow it."""
    if isinstance(matmul_precision, str) and matmul_precision == "float32":  # the usual case, as in `checked_threads`
        return False
    bfloat16: bool = checked_parameter("matmul_precision", matmul_precision) == "bfloat16"
    if bfloat16 and dtype != np.float32:
        raise InvalidInputError(
            f"matmul_precision is 'bfloat16', but dtype is {dtype.name!r}. Set dtype to 'float32', or "
            f"matmul_precision to 'float32'."
        )
    return bfloat16
