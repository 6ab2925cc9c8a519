"""An unreliable network between the functions and the local AWS: calls are dropped, delayed, doubled and throttled."""

import http.client
import json
import random
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NoReturn

HOP = frozenset({"connection", "transfer-encoding", "keep-alive"})
DELAY_SECONDS = (0.2, 2.0)
OUTAGE_EVERY_SECONDS, OUTAGE_SECONDS = 25.0, 4.0
SERVICES = ("DynamoDB", "AmazonSQS", "AmazonSSM", "AWSEvents", "s3")
RATES = {"dropped before": 0.015, "dropped after": 0.015, "delayed": 0.03, "doubled": 0.01, "throttled": 0.02}
"""Fault → how likely it is to meet a call. Besides, one service at a time is out for a while."""
THROTTLED = {
    "DynamoDB": (400, "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException"),
    "AmazonSQS": (400, "com.amazonaws.sqs#RequestThrottled"),
    "AWSEvents": (400, "ThrottlingException"),
    "AmazonSSM": (400, "ThrottlingException"),
}
SLOW_DOWN = b"<?xml version='1.0'?><Error><Code>SlowDown</Code><Message>slow down</Message></Error>"


@dataclass
class Faults:
    """Which fault the next call meets; the same seed gives the same dice. Nothing happens until ``on`` is set."""

    seed: int
    on: bool = False
    met: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._dice = random.Random(self.seed)
        self._lock = threading.Lock()
        self._begun = time.monotonic()

    def next(self, service: str) -> str | None:
        """A fault, or None as most of the time."""
        with self._lock:
            if not self.on:
                return None
            elapsed = time.monotonic() - self._begun
            out = SERVICES[int(elapsed / OUTAGE_EVERY_SECONDS) % len(SERVICES)]
            drawn = self._dice.random()
            fault = "outage" if service == out and elapsed % OUTAGE_EVERY_SECONDS < OUTAGE_SECONDS else None
            for name, rate in RATES.items():
                if fault is None and drawn < rate:
                    fault = name
                drawn -= rate
            self.met["calls"] += 1
            if fault is not None:
                self.met[fault] += 1
            return fault

    def delay(self) -> float:
        """Seconds."""
        with self._lock:
            return self._dice.uniform(*DELAY_SECONDS)


class _Proxy(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, port: int, faults: Faults) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.port = port
        self.faults = faults


class _Handler(BaseHTTPRequestHandler):
    server: "_Proxy"
    protocol_version = "HTTP/1.1"

    def handle_one_request(self) -> None:
        # A client that hangs up, as killed ones do, is none of the proxy's troubles.
        with suppress(ConnectionError, BrokenPipeError, TimeoutError):
            super().handle_one_request()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the counts say it all."""

    def do_ANY(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        service = (self.headers.get("X-Amz-Target") or "s3").partition("_")[0].partition(".")[0]
        fault = None if "X-Amz-Signature=" in self.path else self.server.faults.next(service)
        if fault in {"outage", "dropped before"}:
            self._hang_up()
        if fault == "throttled":
            status, code = THROTTLED.get(service, (503, "SlowDown"))
            content = SLOW_DOWN if service == "s3" else json.dumps({"__type": code, "message": "slow down"}).encode()
            self._answer(status, {"Content-Type": "application/x-amz-json-1.0", "x-amzn-ErrorType": code}, content)
            return
        if fault == "delayed":
            time.sleep(self.server.faults.delay())
        for _time in range(2 if fault == "doubled" else 1):
            status, headers, content = self._forwarded(body)
        if fault == "dropped after":
            self._hang_up()
        self._answer(status, headers, content)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = do_ANY  # noqa: N815

    def _forwarded(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)
        connection.request(self.command, self.path, body, dict(self.headers.items()))
        with connection.getresponse() as answer:
            content = answer.read()
        connection.close()
        return answer.status, {n: v for n, v in answer.getheaders() if n.lower() not in HOP}, content

    def _answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() != "content-length" or self.command == "HEAD":
                self.send_header(name, value)
        if self.command != "HEAD":
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _hang_up(self) -> NoReturn:
        self.close_connection = True
        self.connection.close()
        raise ConnectionResetError


def unreliable(port: int, faults: Faults) -> int:
    """The port of a proxy, already serving, in front of the local AWS at ``port``."""
    server = _Proxy(port, faults)
    threading.Thread(target=server.serve_forever, name="unreliable network", daemon=True).start()
    return int(server.server_address[1])
