"""Install a built wheel without a compiler, and run the tests and all guides from there.

    python tools/installed_wheel.py wheelhouse/              the tests, and the guides that need no other package
    python tools/installed_wheel.py wheelhouse/ --all        the comparisons and the guides to exports and curves too
    python tools/installed_wheel.py wheelhouse/ --all tests/test_docs.py       the guides alone

pip selects the wheel in the folder for the Python that runs this script, and installs it in a new virtual environment.
Nothing is compiled there, so all dependencies must be wheels as well. The tests and guides are copied to an empty
folder without the sources. While they run, no compiler is on the PATH.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import venv
import xml.etree.ElementTree as ET
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TEXTS = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "CITATION.cff", "SECURITY.md", "LICENSE")
COPIED = ("tests", "docs", *TEXTS, "pyproject.toml")
COMPILERS = ("cc", "gcc", "clang", "c99", "tcc", "cl", "clang-cl", "x86_64-linux-gnu-gcc", "aarch64-linux-gnu-gcc")


def environment(scripts: Path) -> dict[str, str]:
    """Return the variables of the tests: the PATH has the environment's own programs and, on Windows, the system's."""
    kept = {name: value for name, value in os.environ.items() if name not in {"CC", "CXX", "PYTHONPATH", "VIRTUAL_ENV"}}
    folders = [str(scripts)]
    if os.name == "nt":
        folders.append(os.path.join(os.environ["SYSTEMROOT"], "System32"))
    path = os.pathsep.join(folders)
    for name in COMPILERS:
        if found := shutil.which(name, path=path):
            raise RuntimeError(f"there is a compiler: {found}")
    return kept | {"PATH": path}


def install(folder: Path, wheels: Path, extras: str) -> tuple[Path, dict[str, str]]:
    """Make an environment with the wheel and its extras; return its Python and the variables to run it with."""
    venv.create(folder, with_pip=True, clear=True)
    scripts = folder / ("Scripts" if os.name == "nt" else "bin")
    python, variables = scripts / ("python.exe" if os.name == "nt" else "python"), environment(scripts)
    pip = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", "--only-binary", ":all:"]
    # Without its dependencies and from nowhere else: a release of the same name must not be tested in its place.
    subprocess.run([*pip, "--no-index", "--no-deps", "--find-links", str(wheels), "crnn"], env=variables, check=True)
    subprocess.run([*pip, f"crnn[{extras}]"], env=variables, check=True)
    return python, variables


def skipped_guides(report: Path) -> list[str]:
    """Return the guides that a run of the tests left out."""
    cases = ET.parse(report).getroot().iter("testcase")
    return [
        case.attrib["name"]
        for case in cases
        if case.find("skipped") is not None and case.attrib["classname"].endswith("test_docs")
    ]


def run(python: Path, variables: dict[str, str], place: Path, tests: list[str], *, guides: bool) -> int:
    """Run tests from a folder without the sources; return the exit code, 1 where a guide was left out."""
    for name in COPIED:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, place / name)
    subprocess.run([str(python), "-m", "crnn", "info", "--build"], cwd=place, env=variables, check=True)
    report = place / "report.xml"
    command = [str(python), "-m", "pytest", *tests, "-o", "testpaths=", "-q", "-rs", "-p", "no:cacheprovider"]
    code = subprocess.run([*command, f"--junitxml={report}"], cwd=place, env=variables, check=False).returncode
    left_out = skipped_guides(report) if guides and report.exists() else []
    for name in left_out:
        print(f"left out: {name}", file=sys.stderr)
    return code or int(bool(left_out))


def main() -> int:
    """Install, run, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wheels", type=Path, help="the folder of the wheels")
    parser.add_argument("--all", action="store_true", help="install the extra `peers` too; no guide may be left out")
    parser.add_argument("tests", nargs="*", default=["tests"], help="passed to pytest (default: all tests)")
    options = parser.parse_intermixed_args()  # tests may follow an option
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "tested"
        place.mkdir()
        extras = "test,peers" if options.all else "test"
        python, variables = install(Path(folder) / "environment", options.wheels.resolve(), extras)
        return run(python, variables, place, options.tests, guides=options.all)


if __name__ == "__main__":
    sys.exit(main())
