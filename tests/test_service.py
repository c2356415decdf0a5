"""The HTTP service of docs/service.md, saved and started as the page says, and asked by a client."""

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

import crnn
from crnn import AnomalyDetector, CharNGram

ROOT = Path(__file__).parent.parent
sys.path.append(str(ROOT / "docs" / "extensions"))
blocks = pytest.importorskip("python_blocks", reason="an installed package has no documentation")

CLEAN = [f"job {a}{b} done" for a in "abcdefghijklmnopqrst" for b in "abcdefghijklmnopqrst"]
SECONDS = 60  # to wait for anything


def save_detector(path, lines=CLEAN, mask=None):
    """Save a detector to which other letters are anomalies, in a file with another time than the files before it."""
    detector = AnomalyDetector(CharNGram(order=2, min_count=2), 0.05, mask=mask, random_state=0)
    detector.fit(lines).save(path)
    save_detector.time += 1
    os.utime(path, (save_detector.time, save_detector.time))


save_detector.time = 1_000_000_000


class Service:
    """A running service in a folder of its own."""

    def __init__(self, folder):
        self.folder, self.file = folder, folder / "log.crnn"
        page = (ROOT / "docs" / "service.md").read_text(encoding="utf-8")
        (source,) = (block.source for block in blocks.python_blocks(page) if "class Judge" in block.source)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        start = f'Server(("127.0.0.1", {self.port}), Judge).serve_forever()\n'
        (folder / "service.py").write_text(source + start, encoding="utf-8")
        environment = os.environ | {"PYTHONPATH": str(Path(crnn.__file__).parent.parent)}
        with open(folder / "stderr", "wb") as stderr:
            self.process = subprocess.Popen([sys.executable, "service.py"], cwd=folder, env=environment, stderr=stderr)
        end = time.monotonic() + SECONDS
        while True:
            try:
                return self.connection().close()
            except ConnectionRefusedError:
                assert self.process.poll() is None
                assert time.monotonic() < end
                time.sleep(0.05)

    def connection(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        connection.connect()
        return connection

    def post(self, body):
        """Return the status and the answer to a request."""
        with closing(self.connection()) as connection:
            return posted(connection, body)

    def metrics(self):
        with closing(self.connection()) as connection:
            connection.request("GET", "/metrics")
            return dict(line.split() for line in connection.getresponse().read().decode().splitlines())


def posted(connection, body):
    connection.request("POST", "/", body)
    with connection.getresponse() as answer:
        return answer.status, json.loads(answer.read())


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    service = Service(tmp_path_factory.mktemp("service"))
    yield service
    service.process.terminate()
    service.process.wait()
    assert (service.folder / "stderr").read_text() == ""  # no traceback in a thread of a request


LINES = json.dumps([CLEAN[0], "JOB"])


def test_without_a_detector_the_reason_is_told_and_a_later_failure_keeps_the_old_one(service):
    service.file.unlink(missing_ok=True)
    status, reason = service.post(LINES)
    assert status == 503
    assert reason.startswith("the detector cannot be loaded: ")
    assert "No such file or directory: 'log.crnn'" in reason
    service.file.write_bytes(b"no detector")
    for _ in range(2):  # the second time, the file has not changed
        status, reason = service.post(LINES)
        assert status == 503
        assert "model file 'log.crnn'" in reason
    save_detector(service.file)
    assert service.post(LINES) == (200, [1, -1])
    service.file.write_bytes(b"no detector")
    assert service.post(LINES) == (200, [1, -1])
    service.file.unlink()
    assert service.post(LINES) == (200, [1, -1])
    errors = int(service.metrics()["crnn_load_errors_total"])
    assert errors == 5
    save_detector(service.file, [line.upper() for line in CLEAN])
    assert service.post(LINES) == (200, [-1, -1])
    assert service.post(json.dumps([CLEAN[0].upper()])) == (200, [1])
    assert int(service.metrics()["crnn_load_errors_total"]) == errors


def test_a_wrong_body_gets_400_and_a_message(service):
    save_detector(service.file)
    no_list = 'the body is not a JSON list of strings, such as ["a line"]'
    for body, message in (
        *((body, "the body is not JSON: ") for body in ("{", "", b'["\xff"]', "[" * 100_000)),
        *((body, no_list) for body in ("{}", "[1, 2]", '["a", null]')),
    ):
        status, answer = service.post(body)
        assert status == 400
        assert answer.startswith(message)
        assert service.post(LINES) == (200, [1, -1])


def ask(service, head):
    """Send the head of a request alone, and return everything that comes until the service closes the connection."""
    with socket.create_connection(("127.0.0.1", service.port), SECONDS) as connection:
        connection.sendall(head)
        return connection.makefile("rb").read().decode()


def test_a_missing_or_wrong_content_length_is_told(service):
    answer = ask(service, b"POST / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert answer.startswith("HTTP/1.1 411 Length Required\r\n")
    assert answer.endswith('"the request has no Content-Length"')
    for length in ("-1", "abc", "10000000", "9" * 5000):
        answer = ask(service, f"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n".encode())
        assert answer.startswith("HTTP/1.1 400 ")
        assert answer.endswith(f'"Content-Length is {length[:20]}, expected at most 9,999,999 bytes"')


def test_a_connection_is_kept_and_an_answer_comes_in_one_write(service):
    save_detector(service.file)
    service.post(LINES)
    request = f"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {len(LINES)}\r\n\r\n{LINES}".encode()
    with closing(service.connection()) as connection:
        own = connection.sock
        for _ in range(5):
            assert posted(connection, LINES) == (200, [1, -1])
            assert connection.sock is own
        for _ in range(20):
            own.sendall(request)
            assert own.recv(1 << 16).endswith(b"\r\n\r\n[1, -1]")


def test_unknown_symbols_and_empty_lists_are_judged(service):
    save_detector(service.file)
    assert service.post("[]") == (200, [])
    assert service.post(json.dumps(["\0\ud800", CLEAN[0]])) == (200, [-1, 1])


def test_the_mask_in_the_file_is_applied_and_its_digits_are_not_counted_as_unknown(service):
    line = json.dumps(["job ab done 4711"])
    save_detector(service.file, [f"{line} {n}" for n, line in enumerate(CLEAN)], mask=["digits"])
    unknown = int(service.metrics()["crnn_unknown_total"])
    assert service.post(line) == (200, [1])
    assert int(service.metrics()["crnn_unknown_total"]) == unknown
    save_detector(service.file)
    assert service.post(line) == (200, [-1])
