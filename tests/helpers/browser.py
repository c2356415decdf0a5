"""Pages in headless Chromium; tests that use it are skipped where Chromium, its driver or selenium is missing."""

import contextlib
import json
import shutil
import time

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM, DRIVER = next(filter(None, map(shutil.which, NAMES)), None), shutil.which("chromedriver")
ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
WAIT = 60  # seconds for anything that a page does


@contextlib.contextmanager
def browser(folder):
    """Give a driver of Chromium with a new profile in a folder."""
    if not (CHROMIUM and DRIVER):
        pytest.skip("chromium and chromedriver are not installed")
    webdriver = pytest.importorskip("selenium.webdriver")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in [*ARGUMENTS, f"--user-data-dir={folder}"]:
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    try:
        yield driver
    finally:
        driver.quit()


def opened(driver, path, *, width=1100, height=900, dark=False):
    """Open a file and wait until all of it is drawn."""
    set_size(driver, width, height)
    set_dark(driver, dark)
    driver.get_log("browser"), driver.get_log("performance")  # forget the previous page's entries
    driver.get(path.as_uri())
    wait(driver, "return 'ready' in document.body.dataset")
    return driver


def set_size(driver, width, height=900):
    driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500},
    )


def set_dark(driver, dark):
    features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def wait(driver, script, *arguments):
    """Run a script until it returns something true, and return that."""
    end = time.monotonic() + WAIT
    while not (value := driver.execute_script(script, *arguments)):
        assert time.monotonic() < end, f"{script}: {driver.get_log('browser')}"
        time.sleep(0.05)
    return value


def faults(driver):
    """Return console messages, and the addresses of requests for anything outside the file."""
    messages = [entry["message"] for entry in driver.get_log("browser")]
    return messages, sorted(network_events(driver)[0])


def network_events(driver):
    """Return the addresses of requests for anything outside the file, and the requests that CSP blocked."""
    events = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    sent, blocked = {}, set()
    for event in events:
        parameters = event["params"]
        if event["method"] == "Network.requestWillBeSent":
            sent[parameters["requestId"]] = parameters["request"]["url"]
        elif event["method"] == "Network.loadingFailed" and parameters.get("blockedReason") == "csp":
            blocked.add(sent[parameters["requestId"]])
    return {url for url in sent.values() if not url.startswith(("file:", "blob:", "data:"))}, blocked


def text_of(driver, element_id):
    return driver.execute_script("return document.getElementById(arguments[0]).textContent", element_id)


def fill(driver, element_id, value):
    """Give a field a value as a user does."""
    driver.execute_script(
        "const field = document.getElementById(arguments[0]); field.value = arguments[1];"
        "field.dispatchEvent(new Event('input')); field.dispatchEvent(new Event('change'));",
        element_id,
        value,
    )


# The contrast of each visible text with the background that it stands on, as WCAG 2 defines it; the lowest ones.
CONTRAST = """
const parse = (color) => color.match(/[0-9.]+/g).map(Number);
const luminance = ([r, g, b]) => [r, g, b].map((v) => v / 255)
  .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
  .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
const background = (element) => {
  for (let e = element; e; e = e.parentElement) {
    const color = parse(getComputedStyle(e).backgroundColor);
    if (color.length < 4 || color[3] > 0) return color;
  }
  return [255, 255, 255];
};
const found = new Map();
for (const element of document.body.querySelectorAll("*")) {
  const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
  if (!own || !element.checkVisibility() || element.disabled || element.closest("script")) continue;
  const style = getComputedStyle(element);
  const ink = element instanceof SVGElement ? parse(style.fill) : parse(style.color);
  const pair = [luminance(ink), luminance(background(element))].sort((a, b) => b - a);
  found.set(`${element.tagName}.${element.getAttribute("class") || ""}`, (pair[0] + 0.05) / (pair[1] + 0.05));
}
return [...found].filter(([, ratio]) => ratio < 4.5);
"""
