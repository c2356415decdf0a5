"""Check built wheels (``python tools/check_wheel.py dist/*.whl``): small, and for manylinux_2_28 or older."""

import re
import subprocess
import sys
import zipfile
from collections import Counter
from pathlib import Path

MAX_BYTES = 4_000_000
MAX_INSTRUCTION_SET_BYTES = 260_000  # of the wheel, the kernels of both number types
NEWEST_GLIBC = (2, 28)


def sizes(wheel: Path) -> Counter[str]:
    """Return the compressed bytes of the wheel's parts: each instruction set, what else is compiled, and the rest."""
    parts: Counter[str] = Counter()
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.infolist():
            kernels = re.match(r"crnn/_kernels/(\w+)/float\d+/", member.filename)
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
        if parts[name] > MAX_INSTRUCTION_SET_BYTES:
            return f"the kernels for {name} have {parts[name]} bytes, more than {MAX_INSTRUCTION_SET_BYTES}"
    if "linux" not in wheel.name or "musllinux" in wheel.name:
        return None
    shown = subprocess.run(
        [sys.executable, "-m", "auditwheel", "show", str(wheel)], capture_output=True, text=True, check=True
    ).stdout
    tag = re.search(r'platform tag:\s+"manylinux_(\d+)_(\d+)', " ".join(shown.split()))
    if tag is None or (int(tag[1]), int(tag[2])) > NEWEST_GLIBC:
        return f"auditwheel finds it consistent with no manylinux_2_28 or older:\n{shown}"
    print(f"{wheel.name}: manylinux_{tag[1]}_{tag[2]}")
    return None


def main() -> int:
    """Check the wheels named on the command line."""
    faults = {name: fault(Path(name)) for name in sys.argv[1:]}
    for name, text in faults.items():
        if text:
            print(f"{name}: {text}", file=sys.stderr)
    return int(not faults or any(faults.values()))


if __name__ == "__main__":
    sys.exit(main())
