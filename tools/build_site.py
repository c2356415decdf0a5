"""Build the site of the documentation and check it (``python tools/build_site.py``).

A warning of Sphinx is an error. Afterwards every link within the site must lead to a page or a heading of it, and no
page may load anything from elsewhere. ``--external`` checks the links to other sites instead.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

ROOT = Path(__file__).parent.parent
ELSEWHERE = re.compile(r"^(?:https?:)?//")
LOADED_LINKS = {"stylesheet", "icon", "preload", "modulepreload", "prefetch", "preconnect", "dns-prefetch", "manifest"}


class Page(HTMLParser):
    """The anchors of a page, the links in it, and what it loads."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.anchors, self.links, self.loaded = {""}, list[str](), list[str]()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take in an element."""
        found = {name: value or "" for name, value in attrs}
        self.anchors |= {found[name] for name in ("id", "name") if name in found}
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
        elif tag == "link" and LOADED_LINKS & set(found.get("rel", "").split()):
            self.loaded.append(found["href"])
        if tag != "a" and "src" in found:
            self.loaded.append(found["src"])


def faults(site: Path) -> list[str]:
    """Return what is wrong with a site: links that lead nowhere, and what is loaded from elsewhere."""
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}
    found = []
    for path, page in pages.items():
        name = path.relative_to(site)
        found += [f"{name} loads {url}" for url in page.loaded if ELSEWHERE.match(url)]
        targets = [*page.links, *(url for url in page.loaded if not url.startswith("data:"))]
        for url in targets:
            if re.match(r"[a-z]+:", url) or ELSEWHERE.match(url):
                continue
            place, _, anchor = url.partition("#")
            file = unquote(place.partition("?")[0])
            goal = (path.parent / file).resolve() if file else path.resolve()
            if not goal.is_file():
                found.append(f"{name} leads to {url}: there is no such file")
            elif goal in pages and unquote(anchor) not in pages[goal].anchors:
                found.append(f"{name} leads to {url}: there is no such place")
    for path in sorted(site.rglob("*.css")):
        for url in re.findall(r"(?:url\(|@import)\s*[\"']?([^\"')\s]+)", path.read_text(encoding="utf-8")):
            if ELSEWHERE.match(url):
                found.append(f"{path.relative_to(site)} loads {url}")
    return found


def sphinx(builder: str, output: Path) -> int:
    """Run Sphinx on the documentation."""
    command = [sys.executable, "-m", "sphinx", "-b", builder, "-W", "--keep-going", "-q", "-d"]
    return subprocess.run([*command, str(cache_of(output)), str(ROOT / "docs"), str(output)], check=False).returncode


def cache_of(output: Path) -> Path:
    """Return the folder next to the site in which Sphinx keeps parsed pages."""
    return output.with_name(f".{output.name}-pages")


def main() -> int:
    """Build and check."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "build" / "site", help="default: build/site")
    parser.add_argument("--external", action="store_true", help="check the links to other sites instead")
    parser.add_argument("--keep", action="store_true", help="build only the pages that have changed")
    arguments = parser.parse_args()
    site = arguments.output.resolve()
    if arguments.external:
        return sphinx("linkcheck", site.with_name(f"{site.name}-links"))
    if not arguments.keep:
        for folder in (site, cache_of(site)):  # what a page leaves behind is made when it is read
            shutil.rmtree(folder, ignore_errors=True)
    if sphinx("html", site):
        return 1
    found = faults(site)
    print(*found, sep="\n", file=sys.stderr, end="\n" if found else "")
    print(f"{site / 'index.html'}: {sum(1 for _ in site.rglob('*.html'))} pages")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
