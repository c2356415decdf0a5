"""Build the documentation's site and check it (``python tools/build_site.py``).

Sphinx's warnings are errors. Then every link within the site must point to an existing page or heading, and no page may
load anything from another site. ``--external`` checks the links to other sites instead.
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

ROOT = Path(__file__).resolve().parent.parent
SITE = ROOT / "build" / "site"
ELSEWHERE = re.compile(r"^(?:https?:)?//")
LOADED_LINKS = {"stylesheet", "icon", "preload", "modulepreload", "prefetch", "preconnect", "dns-prefetch", "manifest"}


class Page(HTMLParser):
    """The anchors, links and loaded resources of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.anchors, self.links, self.loaded = {""}, list[str](), list[str]()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Record an element's anchors, links and resources."""
        found = {name: value or "" for name, value in attrs}
        self.anchors |= {found[name] for name in ("id", "name") if name in found}
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
        elif tag == "link" and LOADED_LINKS & set(found.get("rel", "").split()):
            self.loaded.append(found["href"])
        if tag != "a" and "src" in found:
            self.loaded.append(found["src"])


def faults(site: Path) -> list[str]:
    """Return a site's faults: broken links, and resources loaded from other sites."""
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
                found.append(f"{name} links to {url}: no such file")
            elif goal in pages and unquote(anchor) not in pages[goal].anchors:
                found.append(f"{name} links to {url}: no such heading")
    for path in sorted(site.rglob("*.css")):
        for url in re.findall(r"(?:url\(|@import)\s*[\"']?([^\"')\s]+)", path.read_text(encoding="utf-8")):
            if ELSEWHERE.match(url):
                found.append(f"{path.relative_to(site)} loads {url}")
    return found


def sphinx(builder: str, output: Path) -> int:
    """Run Sphinx on the documentation; return its exit status."""
    pages = output.with_name(f".{output.name}-pages")
    shutil.rmtree(pages, ignore_errors=True)  # results of blocks are made when a page is read
    command = [sys.executable, "-m", "sphinx", "-b", builder, "-W", "--keep-going", "-q", "-d", str(pages)]
    return subprocess.run([*command, str(ROOT / "docs"), str(output)], check=False).returncode


def main() -> int:
    """Build the site and check it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--external", action="store_true", help="check the links to other sites instead")
    if parser.parse_args().external:
        return sphinx("linkcheck", SITE.with_name("site-links"))
    shutil.rmtree(SITE, ignore_errors=True)
    if sphinx("html", SITE):
        return 1
    found = faults(SITE)
    print(*found, sep="\n", file=sys.stderr, end="\n" if found else "")
    print(f"{SITE / 'index.html'}: {sum(1 for _ in SITE.rglob('*.html'))} pages")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
