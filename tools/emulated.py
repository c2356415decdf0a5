"""Build and test the package for another processor in an emulated Debian: sudo python3 tools/emulated.py arm64.

    python3 tools/emulated.py arm64                          tests of the compiled code, of training and of files
    python3 tools/emulated.py arm64 tests/test_golden.py     these tests

Debian is installed once, in build/emulated-ARCHITECTURE; QEMU runs its programs, twenty times slower than a processor
would. The build is installed there as a user installs it. Linux, as root, with Debian's or Ubuntu's packages
debootstrap, debian-archive-keyring and qemu-user-static.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SUITE = "trixie"
EMULATORS = {"arm64": "qemu-aarch64", "armhf": "qemu-arm", "ppc64el": "qemu-ppc64le", "s390x": "qemu-s390x"}
# The processor that QEMU emulates, where its default is not right: NumPy's OpenBLAS takes kernels for that one's matrix
# extension (SME), and their products in float64 come out wrong under QEMU 10.
PROCESSORS = {"arm64": "neoverse-n1"}
PACKAGES = "python3-venv,python3-dev,gcc,libc6-dev,ca-certificates"
TESTS = (
    "tests/kernels",
    "tests/training/test_trainer.py",
    "tests/training/test_learning.py",
    "tests/inference/test_packed_network.py",
    "tests/sampling/test_text_sampler.py",
    "tests/files",
    "tests/test_golden.py",
    "tests/runtime/test_build_info.py",
)
# How this machine reaches the network. pip's settings in the environment, PIP_INDEX_URL and others, are handed on too.
NETWORK = ("etc/resolv.conf", "etc/ssl/certs/ca-certificates.crt", "etc/pip.conf")
FORMATS = Path("/proc/sys/fs/binfmt_misc")  # where Linux is told which programs an emulator runs


def register(emulator: str) -> None:
    """Let Linux start programs of the other processor through the emulator."""
    line = Path("/usr/lib/binfmt.d") / f"{emulator}.conf"
    if not shutil.which("debootstrap") or not line.exists():
        raise SystemExit("apt-get install debootstrap debian-archive-keyring qemu-user-static qemu-user-binfmt")
    if not (FORMATS / "status").exists():
        subprocess.run(["mount", "-t", "binfmt_misc", "binfmt_misc", str(FORMATS)], check=True)
    if not (FORMATS / emulator).exists():  # systemd, which does this when the package is installed, may not run here
        (FORMATS / "register").write_text(line.read_text())


def system(architecture: str, machine: Path = Path("/")) -> Path:
    """Return the folder of the emulated Debian; install it if it is missing, and connect it as this machine is."""
    folder = ROOT / "build" / f"emulated-{architecture}"
    complete = folder / "etc" / "debootstrap-is-complete"
    if not complete.exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        options = [f"--arch={architecture}", "--variant=minbase", f"--include={PACKAGES}"]
        subprocess.run(["debootstrap", *options, SUITE, str(folder)], check=True)
        complete.touch()
    for name in NETWORK:
        if (machine / name).exists():
            shutil.copy(machine / name, folder / name)
    return folder


def run(folder: Path, command: str, processor: str | None) -> int:
    """Run a shell's command inside, with folders of the kernel that vanish with it; return the exit code."""
    kept = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LANG": "C.UTF-8", "PIP_DEFAULT_TIMEOUT": "300"}
    kept |= {"CRNN_BUILD": "all"}
    kept |= {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")}
    kept |= {"QEMU_CPU": processor} if processor else {}
    place = shlex.quote(str(folder))
    mounts = f"mount -t proc proc {place}/proc && mount --rbind /dev {place}/dev"
    program = f"{mounts} && exec chroot {place} /bin/sh -e -c {shlex.quote(command)}"
    return subprocess.run(["unshare", "--mount", "/bin/sh", "-e", "-c", program], env={**os.environ, **kept}).returncode


def copy_sources(folder: Path) -> None:
    """Copy the files that git knows, as they are now, to /crnn inside."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    shutil.rmtree(folder / "crnn", ignore_errors=True)
    for name in filter(None, listed.split("\0")):
        target = folder / "crnn" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, target)


def main() -> int:
    """Install Debian, build, test, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("architecture", choices=EMULATORS)
    parser.add_argument("tests", nargs="*", default=TESTS, help="passed to pytest (default: tests of compiled code)")
    options = parser.parse_args()
    register(EMULATORS[options.architecture])
    folder = system(options.architecture)
    copy_sources(folder)
    python = "/environment/bin/python"
    steps = (
        "python3 -m venv --clear /environment",
        f"{python} -m pip install --only-binary numpy,scipy /crnn pytest pytest-xdist hypothesis",
        f"mv /crnn/src /crnn/sources && cd /crnn && {python} -m crnn info --build",  # the installed package is tested
        f"cd /crnn && {python} -m pytest -q -n 0 -p no:cacheprovider -o testpaths= {shlex.join(options.tests)}",
    )
    for step in steps:
        print(f"+ {step}", flush=True)
        if code := run(folder, step, PROCESSORS.get(options.architecture)):
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
