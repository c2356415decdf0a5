"""Random texts and random settings: a model learns them, is scored, sampled and saved, and ruin is an error."""

import contextlib
import copy
import io
import math
import pickle

import numpy as np

from crnn import CharRNN, DivergenceError, InvalidInputError, ModelFileError
from crnn.text.vocabulary import Vocabulary

TEXT = "to be or not to be, that is the question. " * 5
ALPHABETS = [
    range(0x110000), range(128), range(0xD800, 0xE000), [0, 10, 13, 0x2028, 0xFEFF, 0xFFFE, 0xFFFF, 0x10FFFF, 0xD800],
    range(0x1F300, 0x1F700), range(0x4E00, 0x9FFF), [97, 98], [0x202E, 0x202A, 0x200B, 0x0301, 101],
]  # fmt: skip


def text_of(rng):
    """Return a random text, or random bytes."""
    length = int([0, 1, 2, 3, 7, 26, 60, 300][rng.integers(8)])
    if rng.integers(3) == 0:
        return rng.integers(0, int(rng.choice([1, 2, 4, 256])), length).astype(np.uint8).tobytes()
    alphabet = ALPHABETS[rng.integers(len(ALPHABETS))]
    return "".join(chr(alphabet[i]) for i in rng.integers(0, len(alphabet), length))


def text_case(i, folder):
    """Try one text: it comes back from ids, a model learns it, scores it, samples and is saved."""
    rng = np.random.default_rng([11, i])
    text = text_of(rng)
    lines = bool(rng.integers(2))
    given = {"hidden_size": 3, "seq_length": 4, "max_steps": int(rng.integers(3)), "random_state": i, "n_threads": 1,
             "min_count": int(rng.integers(1, 3)), "batch_size": int(rng.integers(1, 4)),
             "cell": ["rnn", "gru", "lstm", "cifg"][rng.integers(4)]}  # fmt: skip
    if len(text):
        vocabulary = Vocabulary.from_text(text)
        if vocabulary.decode(vocabulary.encode(text)) != text:
            return "the text does not come back from its ids"
    try:
        model = CharRNN(**given).fit([text, text[::2]] if lines else text)
    except InvalidInputError:
        return None if len(text) < 20 or given["min_count"] > 1 else "a text of 20 symbols was refused"
    log_p = model.score_samples([text])
    if not (np.isfinite(log_p).all() and (log_p <= 0).all()):
        return f"log P is {log_p}"
    sample = model.sample(20, random_state=i)
    if not isinstance(sample, type(text)):
        return f"a sample is {type(sample).__name__}"
    if i % 10 == 0:
        model.save(folder / "model")
        if CharRNN.load(folder / "model").score_samples([text]) != log_p:
            return "a loaded model scores otherwise"
    return None


def settings_of(rng):
    """Return random settings, most of them foolish."""
    optimizer = ["adagrad", "rmsprop", "adam"][rng.integers(3)]
    given = {
        "hidden_size": int(rng.integers(1, 9)), "cell": ["rnn", "gru", "lstm", "cifg"][rng.integers(4)],
        "num_layers": int(rng.integers(1, 3)), "seq_length": int(rng.integers(1, 26)),
        "batch_size": int(rng.integers(1, 4)), "optimizer": optimizer, "dtype": ["float32", "float64"][rng.integers(2)],
        "learning_rate": float(10 ** rng.uniform(-3, [2, 8, 38, 300][rng.integers(4)])),
        "clip": [None, 5.0, 1e30][rng.integers(3)], "clip_norm": [None, 1.0, 1e30][rng.integers(3)],
        "init_scale": [None, None, 1.0, 1e10, 1e29][rng.integers(5)], "max_steps": int(rng.integers(1, 400)),
        "dropout": [0.0, 0.3][rng.integers(2)], "random_state": int(rng.integers(9)), "n_threads": 1,
    }  # fmt: skip
    if optimizer == "adam":
        decay = float(10 ** rng.uniform(-2, 6))
        given |= {"weight_decay": [0.0, decay][rng.integers(2)], "beta_2": [0.0, 0.999][rng.integers(2)]}
    return given


def settings_case(i, folder):
    """Train with random settings: the weights stay finite, the model can be saved, and ruin is an error."""
    given = settings_of(np.random.default_rng([13, i]))
    model = CharRNN(**given)
    diverged = False
    try:
        model.fit(TEXT)
    except DivergenceError:
        diverged = True
    for name, array in model.params_.items():
        if not np.isfinite(array).all():
            return f"{name} is not finite with {given}"
    model.save(folder / "model")
    CharRNN.load(folder / "model")
    uniform = model.seq_length * math.log(len(model.vocabulary_))
    losses = [record["train_loss"] * model.seq_length for record in model.history_[-5:]]
    if not diverged and model.n_steps_ >= 100 and min(losses) > 1e6 * uniform:  # shorter calls are not judged
        return f"success with losses of {losses} nats, {given}"
    return None


ODD_NUMBERS = [0.0, -0.0, 5e-324, -5e-324, 1e-45, -1e-40, 1e300, -1e38, 3.4e38, 1.0]
NANS = {4: [0x7FC00001, 0xFFC12345], 8: [0x7FF8000000000001, 0xFFFDEADBEEF01234]}  # quiet ones with payloads


def learned_bits(model):
    """Return every array that training changes, as bytes."""
    arrays = {f"params.{name}": array for name, array in model.params_.items()}
    for part, named in model.optimizer_state_.items():
        if isinstance(named, dict):
            arrays |= {f"{part}.{name}": array for name, array in named.items()}
    states = model.state_ if isinstance(model.state_, tuple) else (model.state_,)
    arrays |= {f"state.{i}": array for i, array in enumerate(states)}
    return {name: array.tobytes() for name, array in arrays.items()}


def write_odd_numbers(rng, model):
    """Put odd numbers into random places of a model's weights, and NaN, which no public method does."""
    learned = model._learned
    for array in learned.layout.named(learned.params).values():
        flat = array.reshape(-1)
        places = rng.integers(0, flat.size, 3)
        with np.errstate(over="ignore"):
            odd = rng.choice(ODD_NUMBERS, 3).astype(flat.dtype)
        flat[places] = np.where(np.isfinite(odd), odd, np.finfo(flat.dtype).max)
        if rng.integers(50) == 0:
            flat.view(f"u{flat.itemsize}")[places[0]] = NANS[flat.itemsize][rng.integers(2)]


def file_case(i, folder):
    """Save a model after absurd training, and load it: all bits come back, or the weights are refused as not finite."""
    rng = np.random.default_rng([17, i])
    given = settings_of(rng) | {"max_steps": int(rng.integers(1, 12)), "random_state": [None, i][rng.integers(2)]}
    if rng.integers(2):  # each step multiplies the weights by about -1e7; then zeros are negative, too
        given |= {"optimizer": "adam", "learning_rate": 1e5, "weight_decay": 100.0}
    if rng.integers(2):
        given |= {"vocabulary": "#", "min_count": 2}  # all symbols of the text are unknown
    model = CharRNN(**given)
    with contextlib.suppress(DivergenceError):
        model.fit(TEXT)
    if rng.integers(2):
        write_odd_numbers(rng, model)
    is_finite = all(np.isfinite(array).all() for array in model.params_.values())
    before = learned_bits(model)
    for copied in (copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))):
        if learned_bits(copied(model)) != before:
            return f"a copy has other bits, {given}"
    file = io.BytesIO()
    try:
        model.save(file)
    except ModelFileError:
        return f"finite weights were not saved, {given}" if is_finite else None
    if not is_finite:
        return f"weights that are not finite were saved, {given}"
    loaded = CharRNN.load(io.BytesIO(file.getvalue()))
    after = learned_bits(loaded)
    if after != before:
        return f"{[name for name in before if after[name] != before[name]]} have other bits after a file, {given}"
    again = io.BytesIO()
    loaded.save(again)
    return None if again.getvalue() == file.getvalue() else f"the loaded model writes another file, {given}"
