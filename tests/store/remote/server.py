"""A server that speaks S3's protocol (moto), in a process of its own, which can be told to know less, and counts what it sends.

Run as a script it prints its port. `/control` takes JSON with settings, and gives the counts since the last time.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

Start = Callable[..., Any]


class Watched:
    """The application of moto, between which and its clients some headers get lost."""

    def __init__(self, application: Callable[[dict[str, Any], Start], Iterable[bytes]]) -> None:
        self.application = application
        self.settings: dict[str, Any] = {}
        self.counts: dict[str, int] = {}

    def __call__(self, environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        """WSGI."""
        if environ["PATH_INFO"] == "/control":
            return self.control(environ, start)
        method = environ["REQUEST_METHOD"]
        if self.settings.get("conditions") is False:
            for name in ("HTTP_IF_MATCH", "HTTP_IF_NONE_MATCH"):
                environ.pop(name, None)

        def answer(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            if self.settings.get("checksums") is False:
                headers = [one for one in headers if not one[0].lower().startswith("x-amz-checksum")]
            if method == "GET":
                sent = sum(int(value) for name, value in headers if name.lower() == "content-length")
                self.count("sent", sent)
            return start(status, headers, *rest)

        self.count("copied" if "HTTP_X_AMZ_COPY_SOURCE" in environ else method)
        return self.application(environ, answer)

    def count(self, what: str, by: int = 1) -> None:
        """Adds to a count."""
        self.counts[what] = self.counts.get(what, 0) + by

    def control(self, environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        """Takes settings, gives counts."""
        length = int(environ.get("CONTENT_LENGTH") or 0)
        self.settings = json.loads(environ["wsgi.input"].read(length) or b"{}")
        told, self.counts = self.counts, {}
        start("200 OK", [("Content-Type", "application/json")])
        return [json.dumps(told).encode()]


def main() -> None:
    """Serves until it is killed."""
    import logging

    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    application = Watched(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, application, threaded=True)
    print(server.server_port, flush=True)
    server.serve_forever()


class Server:
    """A server that runs."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def control(self, **settings: Any) -> dict[str, int]:
        """Sets `conditions` and `checksums` (known unless False), and returns the counts since the last time."""
        return self._post("/control", json.dumps(settings))

    def admit(self, requests: int) -> None:
        """From so many requests on, looks at who asks, and what they may."""
        self._post("/moto-api/reset-auth", str(requests))

    def _post(self, path: str, body: str) -> Any:
        request = Request(self.url + path, body.encode(), method="POST")
        request.add_header("Content-Type", "application/octet-stream")
        with urlopen(request) as answer:
            return json.loads(answer.read())


@contextmanager
def serving() -> Iterator[Server]:
    """A server meanwhile."""
    command = [sys.executable, str(Path(__file__).resolve())]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        try:
            yield Server(int(process.stdout.readline()))
        finally:
            process.kill()


if __name__ == "__main__":
    main()
