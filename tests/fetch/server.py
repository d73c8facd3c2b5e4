"""A real HTTP server on this machine with the faults that servers have."""

from __future__ import annotations

import re
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass
class Served:
    """A file and how it is served."""

    content: bytes
    etag: str | None = '"one"'
    modified: str | None = "Thu, 26 Nov 2026 10:00:00 GMT"
    ranges: bool = True
    """Whether it heeds `Range`."""
    conditions: bool = True
    """Whether it heeds `If-Range`."""
    says_length: bool = True
    cuts: list[int] = field(default_factory=list)
    """The next answers break off after so many bytes of their body."""
    answers: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    """The next answers are these instead: status and headers."""
    hold_at: int | None = None
    """So many bytes of a body are sent; the rest waits until `go` is set."""
    reached: threading.Event = field(default_factory=threading.Event)
    go: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True)
class Asked:
    """A request, and what was answered."""

    path: str
    start: int | None
    """Where the range begins that was asked for; None if none was."""
    if_range: str | None
    status: int
    sent: int
    """Bytes of body that were sent."""


class Server:
    """Files by name, and the requests for them."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.files: dict[str, Served] = {}
        self.asked: list[Asked] = []

    @property
    def starts(self) -> list[int | None]:
        """Where each request's range began."""
        return [one.start for one in self.asked]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    served: Server

    def do_GET(self) -> None:
        name = self.path.lstrip("/")
        found = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start, if_range = (int(found[1]) if found else None), self.headers.get("If-Range")
        file = self.served.files.get(name)
        status, headers = (404, {}) if file is None else file.answers.pop(0) if file.answers else (200, {})
        if file is None or status != 200:
            return self._answer(name, start, if_range, status, headers, b"", None)
        body, headers = file.content, {"ETag": file.etag, "Last-Modified": file.modified}
        same = if_range is None or not file.conditions or if_range in (file.etag, file.modified)
        if start is not None and file.ranges and same:
            total = len(body)
            if start >= total:
                return self._answer(name, start, if_range, 416, {"Content-Range": f"bytes */{total}"}, b"", None)
            status, body = 206, body[start:]
            headers["Content-Range"] = f"bytes {start}-{total - 1}/{total}"
        return self._answer(name, start, if_range, status, headers, body, file)

    def _answer(
        self,
        name: str,
        start: int | None,
        if_range: str | None,
        status: int,
        headers: dict[str, str | None],
        body: bytes,
        file: Served | None,
    ) -> None:
        cut = file.cuts.pop(0) if file is not None and file.cuts else None
        sent = len(body) if cut is None else min(cut, len(body))
        self.served.asked.append(Asked(name, start, if_range, status, sent))
        self.send_response(status)
        for key, text in headers.items():
            if text is not None:
                self.send_header(key, text)
        if file is None or file.says_length:
            self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        held = None if file is None else file.hold_at
        if file is not None and held is not None:
            self.wfile.write(body[:held])
            file.reached.set()
            file.go.wait(15)
            body, sent = body[held:], sent - held
        try:
            self.wfile.write(body[:sent])
            if sent < len(body):
                self.connection.shutdown(socket.SHUT_WR)
        except ConnectionError:
            pass  # who asked has been killed
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


def self_signed(folder: Path) -> Path:
    """A key with a certificate for this machine that nobody else signed, in one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    alternatives = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(1).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    signed = made.add_extension(alternatives, critical=False).sign(key, hashes.SHA256())
    plain = serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    path = folder / "server.pem"
    path.write_bytes(pem + signed.public_bytes(serialization.Encoding.PEM))
    return path


class _Http(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Says nothing of clients that hang up."""


@contextmanager
def serving(certificate: Path | None = None) -> Iterator[Server]:
    """A server of its own on a free port; over https with a certificate."""

    class Handler(_Handler):
        pass

    with _Http(("127.0.0.1", 0), Handler) as http:
        served = Handler.served = Server(http.server_address[1])
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            http.socket = context.wrap_socket(http.socket, server_side=True)
            served.url = served.url.replace("http", "https")
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield served
        finally:
            for file in served.files.values():
                file.go.set()
            http.shutdown()
            thread.join()
