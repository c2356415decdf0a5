"""How fast is an exported page, and how long does a report take? `python -m benchmarks.pages`.

Characters a second that a page writes in headless Chromium, and seconds of `crnn report` on a text of 1 MB. Needs the
extra `browser`, and Chromium with its driver from the system.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from crnn import CharRNN

sys.path.append(str(Path(__file__).parent.parent / "tests"))  # the tests drive the same pages

N = 600  # characters that a page writes at a time
SYMBOLS = "".join(map(chr, range(32, 97)))  # 65


def written_per_second(hidden_size: int, repeats: int, folder: Path) -> Iterator[int]:
    """Yield how many characters a second the page of an LSTM says that it writes."""
    from browser import browser, fill, opened, wait

    page = folder / "page.html"
    CharRNN(hidden_size, cell="lstm", max_steps=0, random_state=0).fit(SYMBOLS).export_html(page)
    with browser(folder / "profile") as driver:
        opened(driver, page)
        fill(driver, "length", str(N))
        fill(driver, "rate", "0")  # as fast as it can
        for _ in range(repeats):
            driver.execute_script("document.getElementById('progress').removeAttribute('data-speed')")
            driver.find_element("id", "write").click()
            yield int(wait(driver, "return document.getElementById('progress').dataset.speed"))


def report_seconds(cell: str, hidden_size: int, folder: Path) -> float:
    """Return the seconds of the command `crnn report` on 1 MB of text, the start of Python among them."""
    text = "".join(SYMBOLS[(i * i + i // 7) % 65] for i in range(1_000_000))
    (folder / "text.txt").write_text(text, encoding="utf-8")
    model = folder / "model.crnn"
    CharRNN(hidden_size, cell=cell, max_steps=50, random_state=0).fit(text[:10_000]).save(model)
    start = time.perf_counter()
    command = [sys.executable, "-m", "crnn", "report", str(model), str(folder / "text.txt"), "-o"]
    subprocess.run([*command, str(folder / "report.html")], check=True, capture_output=True)
    return time.perf_counter() - start


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5, help="of writing (default: 5); the highest speed counts")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for hidden_size in (128, 256, 512):
            speeds = list(written_per_second(hidden_size, arguments.repeats, folder))
            print(f"page, LSTM of {hidden_size}: {max(speeds):,} characters a second (each time: {speeds})", flush=True)
        for cell, hidden_size in (("rnn", 100), ("gru", 256), ("lstm", 512)):
            seconds = report_seconds(cell, hidden_size, folder)
            print(f"crnn report on 1 MB, {cell} of {hidden_size}: {seconds:.1f} s", flush=True)


if __name__ == "__main__":
    main()
