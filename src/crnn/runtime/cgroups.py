"""Control groups: Linux's limits for a container or a user's session."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path


def control_groups(controller: str, root: Path = Path("/")) -> Iterator[Path]:
    """Yield the folders of this process's control groups, from its own group up to the root.

    Both versions of control groups are read. In a container the path in ``/proc`` may name a group that only the host
    can see; the root of the mounted hierarchy is then the container's group. `root` is the folder of ``proc`` and
    ``sys``; tests pass their own.

    Examples
    --------
    >>> list(control_groups("memory", Path("/nowhere")))
    []
    """
    try:
        lines = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return
    mounted = root / "sys/fs/cgroup"
    for line in lines:
        _, controllers, path = (line + "::").split(":")[:3]
        if controllers == "":  # version 2; when combined with version 1, it is mounted in its own folder
            tops = [mounted, mounted / "unified"]
        elif controller in controllers.split(","):
            tops = [mounted / controllers, mounted / controller]
        else:
            continue
        parts = [part for part in path.split("/") if part not in ("", "..")]
        for top in tops:
            for depth in range(len(parts), -1, -1):
                yield top.joinpath(*parts[:depth])


def first_line(path: Path) -> str | None:
    """Return the first line of a file without its end, or None if the file cannot be read.

    Examples
    --------
    >>> first_line(Path("/nowhere")) is None
    True
    """
    try:
        return path.read_text(encoding="ascii").partition("\n")[0].strip()
    except (OSError, ValueError):
        return None


def whole_number(text: str | None) -> int | None:
    """Return the number in a text, or None unless the text is a number without a sign.

    `int` is not called for other texts: Python 3.11 drops the exception of a signal that arrives while `int` composes
    its error message.
    """
    return int(text) if text is not None and text.isascii() and text.isdecimal() else None
