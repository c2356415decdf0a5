"""Check what a release would publish (``python tools/check_tag.py v1.2.3 dist/*``), before it is published for good.

The tag, the package's version, the change log and the name of every file agree, and no file is missing: there are the
sources, and a wheel of every Python that pyproject.toml has cibuildwheel build for, for every platform.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PLATFORMS = (
    "manylinux.*x86_64",
    "manylinux.*aarch64",
    "musllinux.*x86_64",
    "musllinux.*aarch64",
    "macosx.*x86_64",
    "macosx.*arm64",
    "win_amd64",
)


def version() -> str:
    """Return the version that the sources state."""
    names: dict[str, str] = {}
    exec((ROOT / "src" / "crnn" / "_version.py").read_text(encoding="utf-8"), names)
    return names["__version__"]


def pythons() -> list[str]:
    """Return the tags of the Pythons that wheels are built for, such as "cp311"."""
    with open(ROOT / "pyproject.toml", "rb") as file:
        return [name.removesuffix("-*") for name in tomllib.load(file)["tool"]["cibuildwheel"]["build"]]


def faults(tag: str, changes: str, names: list[str]) -> list[str]:
    """Return what is wrong with a release.

    Parameters
    ----------
    tag : str
        The tag of the commit.
    changes : str
        The change log.
    names : list of str
        The names of the files to publish.
    """
    found, right = [], version()
    if tag != f"v{right}":
        found.append(f"the tag is {tag}, but the version of the sources is {right}: the tag must be v{right}")
    if not re.search(rf"^## \[{re.escape(right)}\] - \d{{4}}-\d\d-\d\d$", changes, re.MULTILINE):
        found.append(f"CHANGELOG.md has no heading '## [{right}] - YYYY-MM-DD'")
    wanted = {rf"crnn-{re.escape(right)}\.tar\.gz": f"crnn-{right}.tar.gz"}
    for python in pythons():  # of a Python without the lock only the ABI's tag ends in t
        for platform in PLATFORMS:
            pattern = rf"crnn-{re.escape(right)}-{python.rstrip('t')}-{python}-{platform}\.whl"
            wanted[pattern] = f"the wheel of {python} for {platform}"
    right_names = {name: [pattern for pattern in wanted if re.fullmatch(pattern, name)] for name in names}
    there = {pattern for patterns in right_names.values() for pattern in patterns}
    found += [f"{what} is missing" for pattern, what in wanted.items() if pattern not in there]
    found += [f"{name} does not belong to this release" for name, patterns in right_names.items() if not patterns]
    return found


def main() -> int:
    """Check the tag and the files named on the command line."""
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    found = faults(sys.argv[1], changes, [Path(name).name for name in sys.argv[2:]])
    print("\n".join(found) or f"{sys.argv[1]}: {len(sys.argv) - 2} files, none missing")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
