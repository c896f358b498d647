"""A proxy before an S3 service that breaks what it is told to: answers, bodies, connections.

with Proxy(endpoint) as proxy:
    proxy.breaks.append(Break("lost answer", method="PUT", key="_delta_log"))
"""

from __future__ import annotations

import random
import socket
import threading
import time
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import urlsplit

#: Headers that belong to one connection.
OWN = {"connection", "transfer-encoding", "keep-alive", "content-length", "date", "server"}


@dataclass
class Break:
    """What goes wrong with requests: '500', '503', 'slow', 'reset' in the body, 'lost answer' after it was done.

    It meets requests of a method whose path holds `key`, `times` of them, or each by `chance`.
    """

    kind: str
    method: str = ""
    key: str = ""
    times: int = 1
    chance: float = 1.0

    def meets(self, method: str, path: str, luck: random.Random) -> bool:
        """Whether this request is broken; it is counted then."""
        if self.times <= 0 or self.method not in ("", method) or self.key not in path or luck.random() >= self.chance:
            return False
        self.times -= 1
        return True


@dataclass
class Proxy:
    """Passes requests on; PUTs one after the other, since moto checks a condition without a lock."""

    endpoint: str
    breaks: list[Break] = field(default_factory=list)
    requests: list[tuple[str, str]] = field(default_factory=list)
    bytes_sent: int = 0

    def __enter__(self) -> Self:
        proxy, target, puts = self, urlsplit(self.endpoint), threading.Lock()
        luck, guard = random.Random(5), threading.Lock()  # noqa: S311  (faults, not secrets)

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def pass_on(self) -> None:
                with guard:
                    proxy.requests.append((self.command, self.path))
                    broken = next((b.kind for b in proxy.breaks if b.meets(self.command, self.path, luck)), "")
                sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if self.headers.get("Expect"):
                    self.headers.replace_header("Expect", "")
                if broken in ("500", "503"):
                    self.refuse(int(broken))
                    return
                if broken == "slow":
                    time.sleep(0.5)
                try:
                    self.answer(*self.asked(sent), broken)
                except (HTTPException, OSError):
                    self.close_connection = True

            def asked(self, sent: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
                connection = HTTPConnection(target.hostname or "", target.port or 80, timeout=60)
                headers = {name: value for name, value in self.headers.items() if name.lower() != "expect"}
                with puts if self.command in ("PUT", "POST", "DELETE") else threading.Lock():
                    connection.request(self.command, self.path, sent, headers)
                    found = connection.getresponse()
                    content = found.read()
                connection.close()
                return found.status, found.getheaders(), content

            def answer(self, status: int, headers: list[tuple[str, str]], content: bytes, broken: str) -> None:
                if broken == "lost answer":
                    self.cut()
                    return
                self.send_response(status)
                length = next((v for n, v in headers if n.lower() == "content-length"), str(len(content)))
                for name, value in headers:
                    if name.lower() not in OWN:
                        self.send_header(name, value)
                self.send_header("Content-Length", length if self.command == "HEAD" else str(len(content)))
                self.end_headers()
                if self.command == "HEAD":
                    return
                if broken == "reset":
                    self.wfile.write(content[: len(content) // 2])
                    self.wfile.flush()
                    self.cut()
                    return
                with guard:
                    proxy.bytes_sent += len(content)
                self.wfile.write(content)

            def refuse(self, status: int) -> None:
                code = "SlowDown" if status == 503 else "InternalError"
                content = f"<Error><Code>{code}</Code></Error>".encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(content)

            def cut(self) -> None:
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)

            do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = pass_on  # noqa: N815  (named by http.server)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 64

            def handle_error(self, *_: object) -> None:
                """A connection that was cut on purpose."""

        self._server = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
