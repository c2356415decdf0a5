"""Write the page: its texts, and the scripts that train, plot and write."""

from __future__ import annotations

from html import escape

from ..datasets import english_towns
from ..errors import InvalidInputError
from ..export.page import fill_in, html_page, printable_title
from ..export.script import assets
from ..parameters.checks import FilePath, checked_path
from ..runtime.atomic_file import write_atomically

EXPORT = "crnn.export"
TITLE = "min-char-rnn, learning in this page"
STORY = "The Lamp and the Sea, a play"  # written for this page
MAX_TEXT = 2_000_000  # characters, as in ``text.js``
MIN_TEXT = 2  # one to read, and one to guess
TOWN_STRIDE = 199  # has no common divisor with the number of towns

# The order matters: later files use definitions of earlier files.
ENGINE_LIBRARY = ("stored.js", "network.js", "random.js", "sampling.js")
ENGINE = ("training.js", "model_file.js", "engine.js")
INTERFACE_LIBRARY = ("elements.js", "symbols.js", "worker.js", "text_view.js", "units_view.js", "axes.js")
INTERFACE = ("text.js", "settings.js", "experiments.js", "chart.js", "play_page.js")


def write_play_page(path: FilePath, text: str | None = None, name: str = "your text") -> None:
    """Write the page to a file; see `page_bytes`."""
    write_atomically(checked_path("path", path), page_bytes(text, name))


def page_bytes(text: str | None = None, name: str = "your text") -> bytes:
    """Return a self-contained HTML page that trains min-char-rnn on a text, encoded as UTF-8.

    The page is the same for the same arguments, and loads nothing. `name` is shown for `text`. Without a text, the page
    starts with a play that was written for it.
    """
    if text is None:
        story = assets(__package__, ["story.txt"])
        name = STORY
    else:
        if not MIN_TEXT <= len(text) <= MAX_TEXT:
            raise InvalidInputError(
                f"the text has {len(text):,} characters, but the page takes {MIN_TEXT} to {MAX_TEXT:,}. Pass another "
                "text."
            )
        story = text
    body = fill_in(assets(__package__, ["play.html"]), name=escape(printable_title(name)), limit=f"{MAX_TEXT:,}")
    return html_page(
        title=TITLE,
        body=body,
        style="\n".join([assets(EXPORT, ["page.css"]), assets(__package__, ["play.css"])]),
        engine="\n".join([assets(EXPORT, ENGINE_LIBRARY), assets(__package__, ENGINE)]),
        script="\n".join([assets(EXPORT, INTERFACE_LIBRARY), assets(__package__, INTERFACE)]),
        data={"texts": {"story": story, "towns": shuffled_towns()}},
        weights="",
    )


def shuffled_towns() -> str:
    """Return the English towns, one a line, in an order that puts every letter into the held-out tenth."""
    towns = english_towns()
    return "\n".join(towns[TOWN_STRIDE * i % len(towns)] for i in range(len(towns))) + "\n"
