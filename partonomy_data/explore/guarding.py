"""What stands before every page: the hosts and methods that are admitted, and the headers of every answer.

Pages hold names and texts that others wrote. They are escaped; should one slip through all the same, the browser is
told to run no script and load nothing but what this server has. A page of another site that points its own name at
this machine (DNS rebinding) is refused by the Host that the browser sends.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from typing import Final
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Final = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
METHODS: Final = ("GET", "HEAD")


def is_loopback(host: str) -> bool:
    """Whether a host's name or address is this machine's own and no other machine's way to it."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def host_of(header: str) -> str | None:
    """The host of a Host header, without its port; None if it isn't one."""
    try:
        parts = urlsplit(f"//{header}")
        _ = parts.port  # raises ValueError where it is no number
    except ValueError:
        return None
    return parts.hostname if not (parts.path or parts.query or parts.fragment or parts.username) else None


class Guard:
    """Refuses strange hosts and all methods but GET and HEAD, and sets the headers of whatever the application answers."""

    def __init__(self, application: ASGIApp, hosts: Collection[str]) -> None:
        """`hosts`: names besides this machine's own that the server may be called by."""
        self._application, self._hosts = application, frozenset(host.lower() for host in hosts)

    def _admitted(self, scope: Scope) -> bool:
        given = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
        host = host_of(given[0]) if len(given) == 1 else None
        return host is not None and (is_loopback(host) or host.lower() in self._hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        if not self._admitted(scope):
            await _refuse(send, 421, "This server is not known by that name. Start it with --host and that name.")
            return
        if scope["method"] not in METHODS:
            await _refuse(send, 405, "The explorer only shows: GET and HEAD are all that it knows.")
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                names = {name.encode() for name in HEADERS}
                kept = [(name, value) for name, value in message.get("headers", ()) if name.lower() not in names]
                message = {**message, "headers": [*kept, *_encoded()]}
            elif scope["method"] == "HEAD" and message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        await self._application({**scope, "method": "GET"}, receive, guarded)


def _encoded() -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode()) for name, value in HEADERS.items()]


async def _refuse(send: Send, status: int, line: str) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), *_encoded()]
    if status == 405:
        headers.append((b"allow", ", ".join(METHODS).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": f"{line}\n".encode()})
