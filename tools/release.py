"""Check a release: the wheels' sizes, the tests from an installed wheel, and the tag with all files; set the address.

    python tools/release.py wheels wheelhouse/*.whl       small, complete, and for glibc 2.28 or older
    python tools/release.py test wheelhouse               the tests, and the guides that need no other package
    python tools/release.py test wheelhouse --all         the comparisons and the guides to exports and curves too
    python tools/release.py test wheelhouse --all tests/test_docs.py      the guides alone
    python tools/release.py tag v1.2.3                    before the tag is pushed
    python tools/release.py tag v1.2.3 dist/*             before it is published for good
    python tools/release.py address https://…             of the repository, in all files that name it

`test` installs a wheel without a compiler: pip selects the wheel in the folder for the Python that runs this script,
and installs it in a new virtual environment. Nothing is compiled there, so all dependencies must be wheels as well.
The tests and guides are copied to an empty folder without the sources. While they run, no compiler is on the PATH.

`tag` compares the tag, the package's version, the change log and the name of every file. It also finds what the pages
still say from before the release, and what is still empty in packaging/publisher.toml. Among files there must be the
sources, and a wheel of every Python that pyproject.toml has cibuildwheel build for, for every platform. CONTRIBUTING.md
lists what to fill in.
"""

from __future__ import annotations

import argparse
import os
import re
import runpy
import shutil
import subprocess
import sys
import tempfile
import tomllib
import venv
import xml.etree.ElementTree as ET
import zipfile
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MAX_BYTES = 4_000_000  # of the wheel, and
MAX_BUILD_BYTES = 170_000  # of one instruction set and number type; gcc 16 writes 5 % more than gcc 12
NEWEST_GLIBC = (2, 28)
TEXTS = (
    "README.md",
    "CONTRIBUTING.md",
    "CODE_OF_CONDUCT.md",
    "CHANGELOG.md",
    "CITATION.cff",
    "SECURITY.md",
    "LICENSE",
)
COPIED = ("tests", "docs", *TEXTS, "pyproject.toml")
PUBLISHER = "packaging/publisher.toml"  # what only the publisher can fill in
PACKAGED = ("pyproject.toml", "packaging/conda-forge/recipe.yaml")
NO_ADDRESS = "https://example.org/crnn"  # until the repository is public
UNFINISHED = (NO_ADDRESS, "on the package index", "the first release", "unreleased")  # said before a release
COMPILERS = ("cc", "gcc", "clang", "c99", "tcc", "cl", "clang-cl", "x86_64-linux-gnu-gcc", "aarch64-linux-gnu-gcc")
PLATFORMS = (
    "manylinux.*x86_64",
    "manylinux.*aarch64",
    "musllinux.*x86_64",
    "musllinux.*aarch64",
    "macosx.*x86_64",
    "macosx.*arm64",
    "win_amd64",
)


def sizes(wheel: Path) -> Counter[str]:
    """Return the compressed bytes of the wheel's parts: builds of the kernels, what else is compiled, and the rest."""
    parts: Counter[str] = Counter()
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.infolist():
            kernels = re.match(r"crnn/_kernels/(\w+/\w+\d+)/", member.filename)
            compiled = member.filename.endswith((".so", ".pyd"))
            parts[kernels[1] if kernels else "compiled once" if compiled else "Python"] += member.compress_size
    return parts


def wanted_builds(name: str) -> list[str]:
    """Return the builds of the kernels that a wheel of this name must have."""
    table = runpy.run_path(str(ROOT / "src" / "crnn" / "_kernels" / "instruction_sets.py"))["INSTRUCTION_SETS"]
    tag = re.search(r"(linux|macosx|win)\w*?_(x86_64|amd64|aarch64|arm64)\.whl$", name)
    platform = f"{tag[1]}-{tag[2]}" if tag else ""
    built = [(key, entry) for key, entry in table.items() if re.search(entry.platforms, platform)]
    return [f"{key}/{kind}" for key, entry in built for kind in entry.kinds]


def wheel_fault(wheel: Path) -> str | None:
    """Return what is wrong with a wheel, or None."""
    size, parts = wheel.stat().st_size, sizes(wheel)
    print(f"{wheel.name}: {size} bytes;", ", ".join(f"{name} {part}" for name, part in parts.items()))
    if lacking := [name for name in wanted_builds(wheel.name) if name not in parts]:
        return f"the kernels for {', '.join(lacking)} are missing: build with CRNN_BUILD=all"
    with zipfile.ZipFile(wheel) as archive:
        if any("/for_tests." in name for name in archive.namelist()):
            return "it has the modules for_tests, which only tests call"
    if size > MAX_BYTES:
        return f"{size} bytes, more than {MAX_BYTES}"
    for name in parts.keys() - {"compiled once", "Python"}:
        if parts[name] > MAX_BUILD_BYTES:
            return f"the kernels for {name} have {parts[name]} bytes, more than {MAX_BUILD_BYTES}"
    if "linux" not in wheel.name or "musllinux" in wheel.name:
        return None
    shown = subprocess.run(
        [sys.executable, "-m", "auditwheel", "show", str(wheel)], capture_output=True, text=True, check=True
    ).stdout
    needed = glibc(" ".join(shown.split()), local="manylinux" not in wheel.name)
    if needed is None or needed > NEWEST_GLIBC:
        return f"auditwheel finds that it needs more than glibc {NEWEST_GLIBC[0]}.{NEWEST_GLIBC[1]}:\n{shown}"
    print(f"{wheel.name}: glibc {needed[0]}.{needed[1]}")
    return None


def glibc(shown: str, *, local: bool) -> tuple[int, int] | None:
    """Return the oldest version of glibc that runs a wheel, by what auditwheel shows of it; None if it shows none.

    A wheel built outside the images of manylinux is linked with the newest log, exp and pow that its system has, so
    libm's versions say nothing about the sources, but the C library's versions do.
    """
    tag = re.search(r'platform tag: "manylinux_(\d+)_(\d+)', shown)
    if not local or not tag:
        return (int(tag[1]), int(tag[2])) if tag else None
    versions = re.search(r"libc\.so\.6 with versions \{(.*?)\}", shown)
    return max((int(a), int(b)) for a, b in re.findall(r"GLIBC_(\d+)\.(\d+)", versions[1])) if versions else None


def check_wheels(wheels: list[Path]) -> int:
    """Print what is wrong with wheels; return the exit code."""
    faults = {wheel: wheel_fault(wheel) for wheel in wheels}
    for wheel, text in faults.items():
        if text:
            print(f"{wheel}: {text}", file=sys.stderr)
    return int(any(faults.values()))


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


def group(name: str) -> list[str]:
    """Return the packages of one of pyproject.toml's dependency groups."""
    with open(ROOT / "pyproject.toml", "rb") as file:
        return list(tomllib.load(file)["dependency-groups"][name])


def install(folder: Path, wheels: Path, packages: list[str]) -> tuple[Path, dict[str, str]]:
    """Make an environment with the wheel, what its tests need, and other packages.

    Return its Python and the variables to run it with.
    """
    venv.create(folder, with_pip=True, clear=True)
    scripts = folder / ("Scripts" if os.name == "nt" else "bin")
    python, variables = scripts / ("python.exe" if os.name == "nt" else "python"), environment(scripts)
    pip = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", "--only-binary", ":all:"]
    # Without its dependencies and from nowhere else: a release of the same name must not be tested in its place.
    subprocess.run([*pip, "--no-index", "--no-deps", "--find-links", str(wheels), "crnn"], env=variables, check=True)
    # A requirement without wheels for this Python can be built beforehand, and lies in the same folder.
    subprocess.run([*pip, "--find-links", str(wheels), "crnn[test]", *packages], env=variables, check=True)
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


def test_installed(wheels: Path, tests: list[str], *, everything: bool) -> int:
    """Install a wheel and run tests there; return the exit code."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "tested"
        place.mkdir()
        packages = group("peers") if everything else []
        python, variables = install(Path(folder) / "environment", wheels.resolve(), packages)
        return run(python, variables, place, tests, guides=everything)


def version() -> str:
    """Return the version that the sources state."""
    names: dict[str, str] = {}
    exec((ROOT / "src" / "crnn" / "_version.py").read_text(encoding="utf-8"), names)
    return names["__version__"]


def pythons() -> list[str]:
    """Return the tags of the Pythons that wheels are built for, such as "cp311"."""
    with open(ROOT / "pyproject.toml", "rb") as file:
        return [name.removesuffix("-*") for name in tomllib.load(file)["tool"]["cibuildwheel"]["build"]]


def release_faults(tag: str, changes: str, names: list[str]) -> list[str]:
    """Return what is wrong with a release: the commit's tag, the change log, and the names of the files to publish."""
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
    if names:
        found += [f"{what} is missing" for pattern, what in wanted.items() if pattern not in there]
    found += [f"{name} does not belong to this release" for name, patterns in right_names.items() if not patterns]
    return found


def written(root: Path) -> dict[str, str]:
    """Return the texts of a release by the names of their files."""
    pages = sorted(
        path.relative_to(root).as_posix() for kind in ("*.md", "*.ipynb") for path in (root / "docs").rglob(kind)
    )
    return {name: (root / name).read_text(encoding="utf-8") for name in (*TEXTS, *PACKAGED, *pages)}


def unfinished(root: Path = ROOT) -> list[str]:
    """Return where the files of a release still contain a phrase that publishing makes wrong."""
    lines = [
        (name, number, line)
        for name, text in written(root).items()
        if name != "CONTRIBUTING.md"  # lists what to fill in
        for number, line in enumerate(text.splitlines(), 1)
    ]
    return [f"{name}:{number}: {text!r}" for name, number, line in lines for text in UNFINISHED if text in line]


def blanks(root: Path = ROOT) -> list[str]:
    """Return what the publisher has not filled in yet."""
    with open(root / PUBLISHER, "rb") as file:
        values = tomllib.load(file)
    return [f"{PUBLISHER}: {name} is empty" for name, value in values.items() if not value]


def address(root: Path = ROOT) -> str:
    """Return the repository's address."""
    with open(root / "pyproject.toml", "rb") as file:
        return str(tomllib.load(file)["project"]["urls"]["Repository"])


def set_address(new: str, root: Path = ROOT) -> int:
    """Replace the repository's address in all files that name it; return the exit code."""
    if not re.fullmatch(r"https://[\w./-]+[\w-]", new):
        print(f"{new!r} is not an address such as https://example.org/name", file=sys.stderr)
        return 1
    old = address(root)
    for name, text in written(root).items():
        if old in text:
            (root / name).write_text(text.replace(old, new), encoding="utf-8")
            print(f"{name}: {text.count(old)} times")
    return 0


def check_tag(tag: str, files: list[Path]) -> int:
    """Print what is wrong with a release; return the exit code."""
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    found = release_faults(tag, changes, [file.name for file in files]) + unfinished() + blanks()
    print("\n".join(found) or f"{tag}: nothing is missing, {len(files)} files")
    return int(bool(found))


def main() -> int:
    """Run a check, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("check", choices=["wheels", "test", "tag", "address"])
    parser.add_argument("--all", action="store_true", help="test: install the group `peers` too; no guide is left out")
    parser.add_argument(
        "arguments", nargs="+", help="wheels; a folder and tests (default: all); a tag and files; or an address"
    )
    options = parser.parse_intermixed_args()  # tests may follow an option
    first, *rest = options.arguments
    if options.check == "wheels":
        return check_wheels([Path(name) for name in options.arguments])
    if options.check == "test":
        return test_installed(Path(first), rest or ["tests"], everything=options.all)
    if options.check == "address":
        return set_address(first)
    return check_tag(first, [Path(name) for name in rest])


if __name__ == "__main__":
    sys.exit(main())
