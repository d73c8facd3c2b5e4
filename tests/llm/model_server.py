"""A server that speaks the chat completions of OpenAI over real HTTP, with answers and faults that a test gives.

    with ModelServer(answer, faults=script([status(500), None, refusal()])) as server:
        … server.endpoint … server.seen … server.most_at_once …

Also as a process of its own, for tests that kill its clients:

    python -m tests.llm.model_server --port-file F --log F [--answer module:function]
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import socket
import struct
import sys
import threading
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any

#: From the body of a request to the answer: text as it is, or what is to be said as JSON.
Answer = Callable[[dict[str, Any]], "dict[str, Any] | str"]
#: What happens in the place of an answer.
Fault = Callable[["Exchange"], None]
#: From the number of a request (from 0 on, in the order of arrival) and its body to its fault, if it has one.
Faults = Callable[[int, dict[str, Any]], "Fault | None"]
#: How long anything is waited for before a test fails.
PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class Seen:
    """A request as it came in."""

    path: str
    headers: Mapping[str, str]
    body: dict[str, Any]


def numbered(body: dict[str, Any]) -> dict[str, Any]:
    """An answer without content to each item of a request, as `packing` numbers them."""
    lines = body["messages"][1]["content"].splitlines()
    return {"answers": [{"n": json.loads(line)["n"]} for line in lines]}


def spelled(text: str) -> list[float]:
    """How often a text has each three letters, in 256 numbers."""
    counts = [0.0] * 256
    for at in range(len(text) + 1):
        counts[zlib.crc32(f"^{text}$"[at : at + 3].encode()) % 256] += 1
    return counts


class ModelServer:
    """The server, from `with` or `start` to `close`. What it has seen may be looked at meanwhile, and after."""

    def __init__(
        self,
        answer: Answer = numbered,
        *,
        faults: Faults = lambda _number, _body: None,
        headers: Callable[[int], Mapping[str, str]] = lambda _number: {},
        log: Path | None = None,
    ) -> None:
        """`headers` are added to good answers, by the number of the request. `log` gets a line for each request."""
        self.answer, self.faults, self.headers, self.log = answer, faults, headers, log
        self.seen: list[Seen] = []
        self.most_at_once = 0
        self.released = threading.Event()
        """Set when what is held back is to be let go; at the latest on closing."""
        self.bugs: list[BaseException] = []
        self._at_once = 0
        self._changed = threading.Condition()
        self._http = _Http(("127.0.0.1", 0), self)
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    @property
    def endpoint(self) -> str:
        """Its base URL."""
        return f"http://127.0.0.1:{self._http.server_address[1]}/v1"

    @property
    def bodies(self) -> list[dict[str, Any]]:
        """The bodies of all requests, in the order of arrival."""
        return [one.body for one in self.seen]

    def __enter__(self) -> ModelServer:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        if error is None and self.bugs:
            raise self.bugs[0]

    def start(self) -> None:
        """Begins to answer."""
        self._thread.start()

    def close(self) -> None:
        """Lets all go and stops."""
        self.released.set()
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    def wait_for(self, met: Callable[[ModelServer], bool]) -> None:
        """Waits until something has come true of it. Raises TimeoutError where it doesn't."""
        with self._changed:
            if not self._changed.wait_for(lambda: met(self), PATIENCE_S):
                raise TimeoutError(f"not after {len(self.seen)} requests, {self._at_once} at once")

    @property
    def at_once(self) -> int:
        """Requests that are being answered."""
        return self._at_once

    def _come(self, seen: Seen) -> int:
        with self._changed:
            number = len(self.seen)
            self.seen.append(seen)
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            if self.log is not None:
                descriptor = os.open(self.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
                os.write(descriptor, json.dumps(seen.body).encode() + b"\n")
                os.close(descriptor)
            self._changed.notify_all()
        return number

    def _gone(self) -> None:
        with self._changed:
            self._at_once -= 1
            self._changed.notify_all()


class _Http(ThreadingHTTPServer):
    request_queue_size = 256

    def __init__(self, address: tuple[str, int], owner: ModelServer) -> None:
        self.owner = owner
        super().__init__(address, Exchange)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes is part of the tests; anything else is a bug in them."""
        error = sys.exception()
        if error is not None and not isinstance(error, ConnectionError):
            self.owner.bugs.append(error)


class Exchange(BaseHTTPRequestHandler):
    """A connection's requests, one after the other."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Http
    body: dict[str, Any]

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""

    def do_POST(self) -> None:
        owner = self.server.owner
        self.body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        number = owner._come(Seen(self.path, {k.lower(): v for k, v in self.headers.items()}, self.body))
        try:
            if self.path not in ("/v1/chat/completions", "/v1/embeddings"):
                self.reply(404, {"error": {"message": f"there is no {self.path}"}})
                return
            fault = owner.faults(number, self.body)
            if fault is not None:
                fault(self)
            elif self.path == "/v1/embeddings":
                self.reply(200, self.embedded())
            else:
                self.complete(headers=owner.headers(number))
        finally:
            owner._gone()

    def embedded(self) -> dict[str, Any]:
        """The body of an answer with an embedding of each text: how often it has each three letters. The last comes first."""
        texts = self.body["input"]
        data = [{"object": "embedding", "index": n, "embedding": spelled(text)} for n, text in enumerate(texts)]
        sent = sum(map(len, texts)) // 4
        usage = {"prompt_tokens": sent, "total_tokens": sent}
        return {"object": "list", "model": self.body["model"], "data": data[::-1], "usage": usage}

    def complete(self, *, headers: Mapping[str, str] | None = None, **message: Any) -> None:
        """A whole answer; `message` and `finish_reason` take the place of what the test's own says."""
        said = self.server.owner.answer(self.body) if "content" not in message else ""
        finish = message.pop("finish_reason", "stop")
        content = said if isinstance(said, str) else json.dumps(said)
        choice = {"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": content, **message}}
        self.reply(200, self.completion([choice]), headers)

    def completion(self, choices: list[dict[str, Any]]) -> dict[str, Any]:
        """The body of an answer."""
        sent = sum(len(message["content"]) for message in self.body["messages"]) // 4
        received = sum(len(choice["message"].get("content") or "") for choice in choices) // 4
        usage = {"prompt_tokens": sent, "completion_tokens": received, "total_tokens": sent + received}
        head = {"id": "chatcmpl-1", "object": "chat.completion", "created": 0, "model": self.body["model"]}
        return {**head, "choices": choices, "usage": usage}

    def reply(self, code: int, body: object, headers: Mapping[str, str] | None = None) -> None:
        """Sends JSON, or text as it is."""
        content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.begin(code, len(content), headers)
        self.wfile.write(content)

    def begin(self, code: int, length: int, headers: Mapping[str, str] | None = None) -> None:
        """Sends the head of an answer."""
        self.send_response(code)
        for name, value in {
            "content-type": "application/json",
            "content-length": str(length),
            **(headers or {}),
        }.items():
            self.send_header(name, value)
        self.end_headers()


def script(faults: Iterable[Fault | None]) -> Faults:
    """The faults of the first requests, in the order of arrival; all later ones have none."""
    given = list(faults)
    return lambda number, _body: given[number] if number < len(given) else None


def status(number: int, message: str = "no", headers: Mapping[str, str] | None = None, **error: Any) -> Fault:
    """An error as OpenAI puts it; `error` has `code`, `param`, `type`."""
    return lambda exchange: exchange.reply(number, {"error": {"message": message, **error}}, headers)


def body(code: int, content: object, headers: Mapping[str, str] | None = None) -> Fault:
    """Whatever a server may say: JSON, or text as it is."""
    return lambda exchange: exchange.reply(code, content, headers)


def says(text: str | None, finish: str = "stop") -> Fault:
    """Another answer than the test's own: of a wrong schema, cut off (`length`), stopped (`content_filter`)."""
    return lambda exchange: exchange.complete(content=text, finish_reason=finish)


def refusal(text: str = "I can't help with that") -> Fault:
    """A refusal, as OpenAI puts it."""
    return lambda exchange: exchange.complete(content=None, refusal=text)


def empty_choices() -> Fault:
    """An answer without any choice."""
    return lambda exchange: exchange.reply(200, exchange.completion([]))


def echoed_key(code: int) -> Fault:
    """An error that repeats the key that was sent."""
    return lambda exchange: exchange.reply(
        code, {"error": {"message": f"bad key: {exchange.headers['authorization']}\nin your request"}}
    )


def held(gate: threading.Event | None = None) -> Fault:
    """The test's own answer, but not before a gate is opened, or the server lets all go."""

    def answer(exchange: Exchange) -> None:
        (gate or exchange.server.owner.released).wait(PATIENCE_S)
        exchange.complete()

    return answer


def drip(exchange: Exchange) -> None:
    """A byte now and then, without end: each comes in time, and all together never do."""
    exchange.begin(200, 10**9)
    while not exchange.server.owner.released.wait(0.02):
        exchange.wfile.write(b" ")


def reset(exchange: Exchange) -> None:
    """Half an answer, and then the connection is torn."""
    exchange.begin(200, 1000)
    exchange.wfile.write(b'{"choices": [')
    exchange.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    exchange.connection.close()
    exchange.close_connection = True
    raise ConnectionResetError


def without(field: str, error: Fault) -> Faults:
    """A server that doesn't know a field, or one of its values (`field.type=value`)."""
    path, _, value = field.partition("=")

    def faults(_number: int, body: dict[str, Any]) -> Fault | None:
        found: Any = body
        for name in path.split("."):
            found = found.get(name) if isinstance(found, dict) else None
        return error if found is not None and value in ("", str(found)) else None

    return faults


def main() -> None:
    """Serves until its standard input is closed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port-file", type=Path, required=True, help="gets the base URL")
    parser.add_argument("--log", type=Path, required=True, help="gets the body of each request, a line each")
    parser.add_argument("--answer", default="tests.llm.model_server:numbered", help="module:function")
    options = parser.parse_args()
    module, _, name = options.answer.partition(":")
    with ModelServer(getattr(importlib.import_module(module), name), log=options.log) as server:
        aside = options.port_file.with_suffix(".tmp")
        aside.write_text(server.endpoint)
        os.replace(aside, options.port_file)
        print(server.endpoint, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
