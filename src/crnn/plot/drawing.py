"""What plots share: axes, checks, colors, visible characters, legends."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ..char_rnn import CharRNN
from ..errors import InvalidInputError, short_repr
from ..language_model import LanguageModel
from ..parameters.checks import has_items
from ..text.vocabulary import BOUNDARY

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap


def axes_for(ax: Axes | None, width: float, height: float) -> Axes:
    """Return the Axes to draw on: `ax`, or new Axes in a new figure, whose size is in inches.

    The figure is made with pyplot, so that notebooks and ``plt.show()`` display it.
    """
    try:
        from matplotlib import axes, pyplot
    except ImportError as error:
        raise ImportError("crnn.plot needs matplotlib. Install it with pip install 'crnn[plot]'.") from error
    if ax is not None:
        if not isinstance(ax, axes.Axes):
            raise InvalidInputError(f"ax must be a matplotlib Axes or None, not {short_repr(ax)}")
        return ax
    return pyplot.subplots(figsize=(width, height), layout="constrained")[1]


def check_model_and_text(model: Any, text: Any, name: str = "text", *, cls: type[LanguageModel] = CharRNN) -> None:
    """Raise an error unless this is a fitted model and a text of its kind; the symbols are not looked at.

    With `cls`, the model may be any language model.
    """
    if not isinstance(model, cls):
        wanted = "CharRNN" if cls is CharRNN else "CharRNN, CharNGram or Mixture"
        raise InvalidInputError(f"model must be a fitted {wanted}, not {_other_model(model)}")
    model.vocabulary_.check_kind(text, name)


def _other_model(model: Any) -> str:
    """Return the end of an error message about a model of the wrong kind."""
    if isinstance(model, LanguageModel):
        name = type(model).__name__
        if hasattr(model, "models_"):
            return f"a {name}. Pass its network, such as {name.lower()}.models_[0]."
        return f"a {name}, which is not a network."
    return short_repr(model)


# Okabe and Ito's colors, starting with those that stand out on the background; dashes distinguish curves without color.
LINES_ON_LIGHT = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
LINES_ON_DARK = ("#56B4E9", "#E69F00", "#009E73", "#CC79A7", "#F0E442", "#D55E00")
STYLES = ("-", "--", "-.", ":")

DARK = 0.5  # a background of lower luminance is dark


def luminance(color: Any) -> float:
    """Return the relative luminance of a color, from 0 (black) to 1 (white), as defined by WCAG 2."""
    from matplotlib.colors import to_rgb

    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(color)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrasting_color(color: Any) -> str:
    """Return black or white, whichever is easier to read on a background of this color."""
    # The ratios (L + 0.05) / 0.05 against black and 1.05 / (L + 0.05) against white are equal at L = 0.179.
    return "black" if luminance(color) > 0.179 else "white"


def line_color(ax: Axes, i: int) -> str:
    """Return the color of the i-th curve, counted from 0, on the background of `ax`."""
    lines = LINES_ON_DARK if luminance(_base(ax)) < DARK else LINES_ON_LIGHT
    return lines[i % len(lines)]


def sequential_colors(ax: Axes) -> Colormap:
    """Return a colormap from the background of `ax` (nothing) to a strong orange or red (much).

    Its luminance changes monotonically, so it also works in gray.
    """
    base = _base(ax)
    ends = ["#7f2704", "#e6550d", "#fdd0a2"] if luminance(base) < DARK else ["#fee0b6", "#f1801c", "#7f2704"]
    return _colormap("crnn_sequential", [base, *ends])


def diverging_colors(ax: Axes) -> Colormap:
    """Return a colormap from blue (negative) through the background of `ax` (zero) to orange (positive)."""
    base = _base(ax)
    if luminance(base) < DARK:
        return _colormap("crnn_diverging", ["#9ecae1", "#2171b5", base, "#c04f04", "#fdbe85"])
    return _colormap("crnn_diverging", ["#08519c", "#6baed6", base, "#fd8d3c", "#a63603"])


def _base(ax: Axes) -> Any:
    """Return the visible background of `ax`, which is the figure's if the Axes have none."""
    from matplotlib.colors import to_rgba

    for color in (ax.get_facecolor(), ax.figure.get_facecolor()):
        if to_rgba(color)[3] > DARK:
            return color
    return "white"


def _colormap(name: str, colors: list[Any]) -> Colormap:
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list(name, colors)


_SHOWN = {" ": "\N{OPEN BOX}", "\n": "\N{DOWNWARDS ARROW WITH CORNER LEFTWARDS}", "\t": "\N{RIGHTWARDS ARROW}"}
_END = "\N{END OF PROOF}"
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def glyph(symbol: Any, *, space: bool = False) -> str:
    """Return one visible character for any symbol; bytes are read as Latin-1.

    Line ends and tabs become arrows, the end of a document a square; a combining mark stands on a dotted circle.
    Everything else that cannot be shown becomes the replacement character: control characters, surrogates, characters
    that change the writing direction, unknown symbols. With `space`, a space becomes an open box.
    """
    if symbol is BOUNDARY:
        return _END
    if isinstance(symbol, bytes):
        symbol = symbol.decode("latin-1")
    if not isinstance(symbol, str):
        return _REPLACEMENT
    if symbol == " ":
        return _SHOWN[" "] if space else " "
    if symbol in _SHOWN:
        return _SHOWN[symbol]
    if unicodedata.combining(symbol):
        return "\N{DOTTED CIRCLE}" + symbol
    return symbol if symbol.isprintable() else _REPLACEMENT


# Parameters that change nothing in what a model is or learns.
_SILENT = frozenset({"callbacks", "n_threads", "random_state", "verbose"})


def named_models(models: CharRNN | Iterable[CharRNN] | Mapping[str, CharRNN]) -> dict[str, CharRNN]:
    """Return models by their names in a legend: a mapping's keys, otherwise the models' differing parameters."""
    if isinstance(models, CharRNN):
        return {"model": models}
    if not has_items(models):
        raise InvalidInputError(f"models must be a CharRNN, or a list or dict of them, not {_other_model(models)}")
    collection = dict(models) if isinstance(models, Mapping) else list(models)
    for model in collection.values() if isinstance(collection, dict) else collection:
        if not isinstance(model, CharRNN):
            raise InvalidInputError(
                f"models contains {short_repr(model)}, which is not a CharRNN. Pass models, or a dict of them."
            )
    if not collection:
        raise InvalidInputError("models is empty. Pass at least one.")
    if isinstance(collection, dict):
        return {str(name): model for name, model in collection.items()}
    parameters = [{name: str(value) for name, value in model.get_params().items()} for model in collection]
    different = [name for name in parameters[0] if name not in _SILENT and len({p[name] for p in parameters}) > 1]
    named: dict[str, CharRNN] = {}
    for model, values in zip(collection, parameters, strict=True):
        base = ", ".join(f"{name}={values[name]}" for name in different) or "model"
        label = base
        count = 1
        while label in named:
            count += 1
            label = f"{base} ({count})"
        named[label] = model
    return named
