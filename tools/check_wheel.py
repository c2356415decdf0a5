"""Check built wheels (``python tools/check_wheel.py dist/*.whl``): small, and for manylinux_2_28 or older."""

import re
import subprocess
import sys
from pathlib import Path

MOST_BYTES = 1_500_000
NEWEST_GLIBC = (2, 28)


def fault(wheel: Path) -> str | None:
    """Return what is wrong with a wheel, or None."""
    size = wheel.stat().st_size
    if size > MOST_BYTES:
        return f"{size} bytes, more than {MOST_BYTES}"
    if "linux" not in wheel.name:
        return None
    shown = subprocess.run(
        [sys.executable, "-m", "auditwheel", "show", str(wheel)], capture_output=True, text=True, check=True
    ).stdout
    tag = re.search(r'platform tag:\s+"manylinux_(\d+)_(\d+)', " ".join(shown.split()))
    if tag is None or (int(tag[1]), int(tag[2])) > NEWEST_GLIBC:
        return f"auditwheel finds it consistent with no manylinux_2_28 or older:\n{shown}"
    print(f"{wheel.name}: {size} bytes, manylinux_{tag[1]}_{tag[2]}")
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
