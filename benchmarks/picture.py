"""Plot speed and quality: `python -m benchmarks.picture` draws docs/speed.svg.

The figures come from the tables of docs/performance.md and docs/evidence.md; nothing is measured here. The plot's six
rows also stand in the page of evidence as a table, which `benchmarks.table --update` writes, too. Needs matplotlib (the
extra `plot`).
"""

from __future__ import annotations

import argparse
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.layouts import LABELS, LAYOUTS
from benchmarks.pages import DOCS, EVIDENCE, PERFORMANCE, replace_between

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BEGIN, END = "<!-- benchmarks.picture: begin -->", "<!-- benchmarks.picture: end -->"
PEERS = ("NumPy", "PyTorch", "JAX")
# Placeholders that are drawn first and then replaced by classes, so that one file suits a light and a dark page.
INK, FAINT, PAPER = "#010101", "#020202", "#030303"
COLORS = {"crnn": "#040404", "PyTorch": "#050505", "JAX": "#060606", "NumPy": "#070707"}
LIGHT = {
    INK: "#1f2328", FAINT: "#d1d9e0", PAPER: "#ffffff",
    COLORS["crnn"]: "#0969da", COLORS["PyTorch"]: "#cf4a22", COLORS["JAX"]: "#1a7f37", COLORS["NumPy"]: "#8250df",
}  # fmt: skip
DARK = {
    INK: "#e6edf3", FAINT: "#3d444d", PAPER: "#0d1117",
    COLORS["crnn"]: "#58a6ff", COLORS["PyTorch"]: "#ff8a65", COLORS["JAX"]: "#56d364", COLORS["NumPy"]: "#bc8cff",
}  # fmt: skip


@dataclass(frozen=True)
class Table:
    """One Markdown table: its header and its rows, each a tuple of stripped cells."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def row(self, *start: str) -> dict[str, str]:
        """Return the row that begins with these cells, by column."""
        for row in self.rows:
            if row[: len(start)] == start:
                return dict(zip(self.header, row, strict=True))
        raise ValueError(f"the table {self.header[0]!r} has no row that begins with {' | '.join(start)!r}")


def read_tables(path: Path) -> list[Table]:
    """Return the tables of a page in their order."""
    tables = []
    for block in re.findall(r"(?:^\|.*\|\n)+", path.read_text(encoding="utf-8"), re.MULTILINE):
        header, _, *rows = (tuple(cell.strip() for cell in line[1:-1].split("|")) for line in block.splitlines())
        tables.append(Table(header, tuple(rows)))
    return tables


def table(tables: Sequence[Table], *start: str) -> Table:
    """Return the first table whose header begins with these cells: the first on the page is the newest."""
    for candidate in tables:
        if candidate.header[: len(start)] == start:
            return candidate
    raise ValueError(f"no table begins with {' | '.join(start)!r}: is this the page of measurements?")


def number(cell: str) -> float | None:
    """Return the first number of a cell, or None for a dash or an empty cell.

    Examples
    --------
    >>> number("43.1×"), number("1,507 (3.7)"), number("–")
    (43.1, 1507.0, None)
    """
    found = re.match(r"\d[\d,]*(?:\.\d+)?", cell)
    return float(found[0].replace(",", "")) if found else None


class Row(NamedTuple):
    """One task: what crnn takes, and how many times as long each peer does."""

    task: str
    unit: str
    crnn: str
    times: dict[str, float]


class Task(NamedTuple):
    """Where one row is found: the tables of `benchmarks.table`, the columns, and the unit.

    crnn's figure is in the first table and column. A peer may do the work with fewer threads, so its figure is the
    best of all of them.
    """

    name: str
    tables: tuple[str, ...]
    columns: tuple[str, ...]
    unit: str


TASKS = (
    Task("Training, one stream: tanh, 100 units", ("step",), ("H = 100",), "µs"),
    Task("Training, 50 streams: tanh, 256 units", ("tanh",), ("H = 256, two threads", "H = 256"), "ms"),
    Task("Training, 50 streams: LSTM, 256 units", ("gated, two threads", "gated"), ("LSTM, H = 256",), "ms"),
    Task("Training, 50 streams: GRU, 256 units", ("gated, two threads", "gated"), ("GRU, H = 256",), "ms"),
    Task("Sampling a character: tanh, 100 units", ("sampling",), ("H = 100",), "µs"),
    Task("Scoring a character: tanh, 256 units", ("scoring",), ("two threads", "one thread"), "µs"),
)
NOT_FLOAT32 = ("bfloat16", "float64")


def figures_in_float32(tables: Sequence[Table], task: Task) -> dict[str, float]:
    """Return each label's least time of a task, in float32."""
    found: dict[str, float] = {}
    for name in task.tables:
        page = table(tables, LAYOUTS[name].head)
        for cells in page.rows:
            if any(word in cell for word in NOT_FLOAT32 for cell in cells[:2]):
                continue
            row = dict(zip(page.header, cells, strict=True))
            times = [number(row[column]) for column in task.columns]
            known = [time for time in times if time is not None]
            if known:
                least = min(known)
                found[cells[0]] = min(least, found.get(cells[0], least))
    return found


def speed_rows(tables: Sequence[Table]) -> list[Row]:
    """Return the six tasks with the figures of the pages; a peer's time is its fastest program's."""
    rows = []
    for task in TASKS:
        page = table(tables, LAYOUTS[task.tables[0]].head)
        start = (LABELS["crnn"], "float32") if "dtype" in page.header else (LABELS["crnn"],)
        cell = page.row(*start)[task.columns[0]]
        own = number(cell)
        assert own is not None, f"{task.name}: {cell!r} is not a time"
        found = figures_in_float32(tables, task)
        times = {}
        for peer in PEERS:
            of_peer = [time for label, time in found.items() if peer in label]
            if of_peer:
                times[peer] = min(of_peer) / own
        rows.append(Row(task.name, task.unit, cell, times))
    return rows


QUALITY_ROWS = {"a network": "a network", "a network with counts of characters": "a network\nwith counts"}


def quality_rows(tables: Sequence[Table]) -> dict[str, dict[str, float]]:
    """Return the nats per character of crnn and PyTorch after the same time, by what they train."""
    page = table(tables, "", "crnn", "PyTorch")
    rows = {}
    for name in QUALITY_ROWS:
        cells = page.row(name)
        rows[name] = {program: _nats(cells[program]) for program in ("crnn", "PyTorch")}
    return rows


def _nats(cell: str) -> float:
    found = number(cell.strip("*"))
    assert found is not None, f"{cell!r} is not a loss"
    return found


def draw(rows: Sequence[Row], quality: dict[str, dict[str, float]]) -> Figure:
    """Return the figure in placeholder colors."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    style = {
        "font.family": "sans-serif", "font.size": 10,
        "text.color": INK, "axes.labelcolor": INK, "xtick.color": INK, "ytick.color": INK, "axes.edgecolor": FAINT,
    }  # fmt: skip
    with mpl.rc_context(style):
        figure = Figure(figsize=(5.2, 7), facecolor=PAPER)  # narrow enough to be read on a phone
        above, below = figure.subplots(2, 1, height_ratios=(2.6, 1))
        figure.subplots_adjust(left=0.33, right=0.9, top=0.93, bottom=0.11, hspace=0.42)
        _draw_speed(above, rows)
        _draw_quality(below, quality)
        for axes in (above, below):
            axes.set_facecolor(PAPER)
            axes.tick_params(length=0, pad=6)
            for side in ("top", "right", "left"):
                axes.spines[side].set_visible(False)
    return figure


def _draw_speed(axes: Axes, rows: Sequence[Row]) -> None:
    """Draw a row of dots for each task, on a logarithmic axis; crnn is the line at 1."""
    axes.set_title("Time, as a multiple of crnn’s", loc="left", fontsize=10.5, weight="bold", pad=14)
    axes.set_xscale("log")
    axes.set_xlim(0.93, 62)
    axes.set_ylim(len(rows) - 0.45, -0.75)
    axes.axvline(1, color=COLORS["crnn"], linewidth=2.5, ymax=0.93)
    axes.text(1, -0.58, "crnn", color=COLORS["crnn"], ha="center", va="center", weight="bold")
    for y, row in enumerate(rows):
        axes.plot([1, max(row.times.values())], [y, y], color=FAINT, linewidth=1.5, zorder=0)
        for peer, times in row.times.items():
            axes.plot(times, y, "o", color=COLORS[peer], markersize=7.5)
            side = _side(row.times, peer)
            axes.annotate(
                rounded(times), (times, y), (3 * side, 8), textcoords="offset points", color=COLORS[peer],
                ha={-1: "right", 0: "center", 1: "left"}[side], va="center", fontsize=8.5,
            )  # fmt: skip
    axes.set_yticks(range(len(rows)), [row.task.replace(": ", ":\n") for row in rows])
    axes.set_xticks([1, 2, 5, 10, 20, 50], ["1", "2×", "5×", "10×", "20×", "50×"])
    axes.minorticks_off()
    for k, peer in enumerate(PEERS):
        axes.plot(9, 1.6 + 0.62 * k, "o", color=COLORS[peer], markersize=7.5)
        axes.text(11.2, 1.6 + 0.62 * k, peer, color=COLORS[peer], va="center")


def _side(times: dict[str, float], peer: str) -> int:
    """Return where a dot's label goes: above it (0), or left or right where a neighbor's would overlap it."""
    near = [value for other, value in times.items() if other != peer and 1 / 1.6 < value / times[peer] < 1.6]
    return (1 if times[peer] > near[0] else -1) if near else 0


def _draw_quality(axes: Axes, quality: dict[str, dict[str, float]]) -> None:
    """Draw the loss on unseen text after a minute: a dot for each program, a row for each kind of model."""
    axes.set_title("Loss on unseen text after a minute", loc="left", fontsize=10.5, weight="bold", pad=14)
    for y, losses in enumerate(quality.values()):
        axes.plot(sorted(losses.values()), [y, y], color=FAINT, linewidth=1.5, zorder=0)
        for program, nats in losses.items():
            axes.plot(nats, y, "o", color=COLORS[program], markersize=7.5)
            axes.annotate(
                f"{nats:.3f}", (nats, y), (0, 11), textcoords="offset points", color=COLORS[program],
                ha="center", va="center", fontsize=8.5,
            )  # fmt: skip
    axes.set_yticks(range(len(quality)), [QUALITY_ROWS[name] for name in quality])
    axes.set_ylim(len(quality) - 0.5, -0.75)
    values = [nats for losses in quality.values() for nats in losses.values()]
    margin = 0.12 * (max(values) - min(values))
    axes.set_xlim(min(values) - margin, max(values) + margin)
    axes.set_xlabel("nats per character of Tiny Shakespeare’s last tenth; two cores", fontsize=9)


def rounded(times: float) -> str:
    """Return a ratio with one decimal, halves rounded up.

    Examples
    --------
    >>> rounded(1.95), rounded(43.1)
    ('2.0×', '43.1×')
    """
    return f"{Decimal(str(times)).quantize(Decimal('0.1'), ROUND_HALF_UP)}×"


def themed(svg: str) -> str:
    """Return an SVG that takes its colors from the page's light or dark scheme.

    A program that knows no style sheets in an SVG shows the light one.
    """
    names = {placeholder: f"c{i}" for i, placeholder in enumerate(LIGHT)}

    def sheet(colors: dict[str, str]) -> str:
        return " ".join(f".f{names[k]}{{fill:{v}}} .s{names[k]}{{stroke:{v}}}" for k, v in colors.items())

    def styled(match: re.Match[str]) -> str:
        style, classes = match[1], []
        for kind, prefix in (("fill", "f"), ("stroke", "s")):
            found = re.search(rf"{kind}: (#0[1-7]0[1-7]0[1-7])", style)
            if found and found[1] in names:
                classes.append(prefix + names[found[1]])
                style = style.replace(found[0], "")
        style = "; ".join(part.strip() for part in style.split(";") if part.strip())
        return (f'class="{" ".join(classes)}" ' if classes else "") + (f'style="{style}"' if style else "")

    svg = re.sub(r'style="([^"]*)"', styled, svg)
    css = f"<style>{sheet(LIGHT)} @media (prefers-color-scheme: dark) {{ {sheet(DARK)} }}</style>"
    return re.sub(r"(<svg[^>]*>)", rf"\1\n {css}", svg, count=1)


def as_svg(figure: Figure) -> str:
    """Return the text of the SVG: the same figures give the same bytes."""
    import matplotlib as mpl

    file = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "crnn"}):  # text stays text
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    lines = (line.rstrip() for line in themed(file.getvalue()).splitlines())
    return "\n".join(line for line in lines if line) + "\n"


def markdown(rows: Sequence[Row]) -> list[str]:
    """Return the six rows as a table."""
    lines = [f"| | crnn | {' | '.join(PEERS)} |", "|---|---|---|---|---|"]
    for row in rows:
        cells = [rounded(row.times[peer]) if peer in row.times else "–" for peer in PEERS]
        lines.append(f"| {row.task} | {row.crnn} {row.unit} | {' | '.join(cells)} |")
    return lines


def update_evidence() -> list[Row]:
    """Write the table of speed into the page of evidence; return its rows."""
    rows = speed_rows(read_tables(PERFORMANCE))
    replace_between(EVIDENCE, BEGIN, END, markdown(rows))
    return rows


def main() -> None:
    """Draw the picture and write the table."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    rows = update_evidence()
    (DOCS / "speed.svg").write_text(as_svg(draw(rows, quality_rows(read_tables(EVIDENCE)))), encoding="utf-8")


if __name__ == "__main__":
    main()
