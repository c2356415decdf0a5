"""Check built wheels (``python tools/check_wheel.py dist/*.whl``): small, and for glibc 2.28 or older."""

import re
import subprocess
import sys
import zipfile
from collections import Counter
from pathlib import Path

MAX_BYTES = 4_000_000
MAX_BUILD_BYTES = 160_000  # of the wheel, the kernels of one instruction set and number type
NEWEST_GLIBC = (2, 28)


def sizes(wheel: Path) -> Counter[str]:
    """Return the compressed bytes of the wheel's parts: builds of the kernels, what else is compiled, and the rest."""
    parts: Counter[str] = Counter()
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.infolist():
            kernels = re.match(r"crnn/_kernels/(\w+/\w+\d+)/", member.filename)
            compiled = member.filename.endswith((".so", ".pyd"))
            parts[kernels[1] if kernels else "core and cpu" if compiled else "Python"] += member.compress_size
    return parts


def fault(wheel: Path) -> str | None:
    """Return what is wrong with a wheel, or None."""
    size, parts = wheel.stat().st_size, sizes(wheel)
    print(f"{wheel.name}: {size} bytes;", ", ".join(f"{name} {part}" for name, part in parts.items()))
    if size > MAX_BYTES:
        return f"{size} bytes, more than {MAX_BYTES}"
    for name in parts.keys() - {"core and cpu", "Python"}:
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


def main() -> int:
    """Check the wheels named on the command line."""
    faults = {name: fault(Path(name)) for name in sys.argv[1:]}
    for name, text in faults.items():
        if text:
            print(f"{name}: {text}", file=sys.stderr)
    return int(not faults or any(faults.values()))


if __name__ == "__main__":
    sys.exit(main())
