"""A server that speaks OpenAI's Files and Batch API over real HTTP, beside the chat completions of `model_server`.

    with BatchServer(answer, api=at("create", 0, status(500)), items=..., ends=...) as server:
        … server.endpoint … server.batches … server.calls …

A batch goes on by a step each time that it is looked at. Its results come in an order that is not that of its requests.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.llm.model_server import Answer, Exchange, Fault, ModelServer, numbered

#: From the name of a call (upload, create, list, state, content) and how many of them came before to its fault.
Calls = Callable[[str, int], "Fault | None"]
#: What a batch has of a request: a completion as it would be → lines, each with the name of its file (output, error).
Item = Callable[[str, dict[str, Any]], "list[tuple[str, dict[str, Any] | str]]"]
#: From the body of a request, and how often the same key came before, to what the batch has of it.
Items = Callable[[dict[str, Any], int], "Item | None"]

STEPS = ("validating", "in_progress", "finalizing")


@dataclass
class Made:
    """A batch."""

    id: str
    file_id: str
    metadata: Mapping[str, str]
    lines: list[dict[str, Any]]
    created_at: int = 2_000_000_000
    looks: int = 0
    files: dict[str, str] = field(default_factory=dict)
    """Ids of the files of results, once there are any: output, error."""

    @property
    def keys(self) -> list[str]:
        """`custom_id` of its requests."""
        return [line["custom_id"] for line in self.lines]


def answered(key: str, completion: dict[str, Any]) -> list[tuple[str, dict[str, Any] | str]]:
    """The usual."""
    return [("output", _line(key, response={"status_code": 200, "request_id": "r", "body": completion}))]


def refused(status: int, message: str = "no", **error: Any) -> Item:
    """An error of the chat completions, in the file of errors."""
    body = {"error": {"message": message, "type": "t", **error}}
    return lambda key, _: [("error", _line(key, response={"status_code": status, "request_id": "r", "body": body}))]


def unanswered(code: str, message: str = "no time") -> Item:
    """An error of the batch."""
    return lambda key, _: [("error", _line(key, error={"code": code, "message": message}))]


def lines(*some: Item) -> Item:
    """Several lines for one request, or none."""
    return lambda key, completion: [line for one in some for line in one(key, completion)]


def verbatim(text: str) -> Item:
    """A line as it is."""
    return lambda _key, _completion: [("output", text)]


def at(name: str, number: int, *faults: Fault) -> Calls:
    """Faults of calls of one name, from a number on."""

    def calls(called: str, before: int) -> Fault | None:
        return faults[before - number] if called == name and number <= before < number + len(faults) else None

    return calls


def _line(key: str, response: object = None, error: object = None) -> dict[str, Any]:
    return {"id": f"batch_req_{key[:8]}", "custom_id": key, "response": response, "error": error}


def _no_faults(_name: str, _before: int) -> Fault | None:
    return None


class BatchServer(ModelServer):
    """As `ModelServer`; `seen` has what came to its chat completions only."""

    def __init__(
        self,
        answer: Answer = numbered,
        *,
        api: Calls = _no_faults,
        late: Calls = _no_faults,
        items: Items = lambda _body, _before: None,
        ends: Callable[[int], tuple[str, list[dict[str, Any]]]] = lambda _number: ("completed", []),
        lists: bool = True,
    ) -> None:
        """`api` are faults in the place of calls; those of `late` come when all was done but the answer.

        `ends` says by the number of a batch how it ends, and its errors. `lists`: whether batches are listed.
        """
        super().__init__(answer)
        self.api, self.late, self.items, self.ends, self.lists = api, late, items, ends, lists
        self.files: dict[str, bytes] = {}
        self.batches: list[Made] = []
        self.calls: Counter[str] = Counter()
        self.headers_seen: list[Mapping[str, str]] = []
        self.met: Counter[str] = Counter()
        self._http.RequestHandlerClass = BatchExchange

    def __enter__(self) -> BatchServer:
        self.start()
        return self

    @property
    def sent(self) -> Counter[str]:
        """Keys of all requests of all batches."""
        return Counter(key for batch in self.batches for key in batch.keys)

    @property
    def sent_bodies(self) -> list[dict[str, Any]]:
        """The bodies of all requests of all batches."""
        return [line["body"] for batch in self.batches for line in batch.lines]

    def add_file(self, content: bytes) -> str:
        """Keeps a file, and returns its id."""
        self.files[f"file-{len(self.files)}"] = content
        return f"file-{len(self.files) - 1}"


class BatchExchange(Exchange):
    """A connection's requests, one after the other."""

    @property
    def owner(self) -> BatchServer:
        owner = self.server.owner
        assert isinstance(owner, BatchServer)
        return owner

    def do_GET(self) -> None:
        parts = urlsplit(self.path).path.removeprefix("/v1/").split("/")
        match parts:
            case ["batches"]:
                self._call("list", self._list)
            case ["batches", batch_id]:
                self._call("state", lambda: self._state(batch_id))
            case ["files", file_id, "content"]:
                self._call("content", lambda: self.owner.files.get(file_id))
            case _:
                self.reply(404, {"error": {"message": f"there is no {self.path}"}})

    def do_POST(self) -> None:
        match self.path:
            case "/v1/files":
                content = self.rfile.read(int(self.headers["content-length"]))
                self._call("upload", lambda: self._upload(content))
            case "/v1/batches":
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                self._call("create", lambda: self._create(body))
            case _:
                super().do_POST()

    def _call(self, name: str, does: Callable[[], object]) -> None:
        owner = self.owner
        with owner._changed:
            before = owner.calls[name]
            owner.calls[name] += 1
            owner.headers_seen.append({k.lower(): v for k, v in self.headers.items()})
            fault = owner.api(name, before)
            said = does() if fault is None else None
            fault = fault or owner.late(name, before)
        if fault is not None:
            fault(self)
        elif said is None:
            self.reply(404, {"error": {"message": f"there is no {self.path}"}})
        else:
            self.reply(200, said.decode() if isinstance(said, bytes) else said)

    def _upload(self, content: bytes) -> object:
        boundary = self.headers["content-type"].partition("boundary=")[2].encode()
        fields = {}
        for part in content.split(b"--" + boundary)[1:-1]:
            head, _, value = part.partition(b"\r\n\r\n")
            fields[head.partition(b'name="')[2].partition(b'"')[0].decode()] = value[:-2]
        assert fields["purpose"] == b"batch"
        return self._file(self.owner.add_file(fields["file"]))

    def _file(self, file_id: str) -> object:
        size = len(self.owner.files[file_id])
        return {"id": file_id, "object": "file", "bytes": size, "created_at": 0, "filename": "f", "purpose": "batch"}

    def _create(self, body: dict[str, Any]) -> object:
        owner = self.owner
        assert body["endpoint"] in ("/v1/chat/completions", "/v1/embeddings")
        assert body["completion_window"] == "24h"
        requests = [json.loads(line) for line in owner.files[body["input_file_id"]].split(b"\n") if line]
        assert all((one["method"], one["url"]) == ("POST", body["endpoint"]) for one in requests)
        assert len({one["custom_id"] for one in requests}) == len(requests)
        batch_id = f"batch_{len(owner.batches)}"
        owner.batches.append(Made(batch_id, body["input_file_id"], body.get("metadata") or {}, requests))
        return self._said(owner.batches[-1])

    def _list(self) -> object:
        if not self.owner.lists:
            return None
        query = parse_qs(urlsplit(self.path).query)
        newest = self.owner.batches[::-1]
        start = next((n for n, one in enumerate(newest, 1) if [one.id] == query.get("after")), 0)
        page = newest[start : start + 2]
        return {"object": "list", "data": list(map(self._said, page)), "has_more": start + 2 < len(newest)}

    def _state(self, batch_id: str) -> object:
        for number, one in enumerate(self.owner.batches):
            if one.id == batch_id:
                one.looks += 1
                if one.looks == len(STEPS) and self.owner.ends(number)[0] != "failed":
                    self._work(number, one)
                return self._said(one)
        return None

    def _work(self, number: int, one: Made) -> None:
        """Answers all requests of a batch."""
        owner = self.owner
        found: dict[str, list[str]] = {"output": [], "error": []}
        for line in one.lines:
            key, self.body = line["custom_id"], line["body"]
            item = owner.items(self.body, owner.met[key]) or answered
            owner.met[key] += 1
            for name, text in item(key, self.embedded() if "input" in self.body else self._completed()):
                found[name].append(text if isinstance(text, str) else json.dumps(text, ensure_ascii=False))
        for name, texts in found.items():
            random.Random(number).shuffle(texts)
            if texts:
                one.files[name] = owner.add_file("".join(f"{text}\n" for text in texts).encode())

    def _completed(self) -> dict[str, Any]:
        said = self.owner.answer(self.body)
        message = {"role": "assistant", "content": said if isinstance(said, str) else json.dumps(said)}
        return self.completion([{"index": 0, "finish_reason": "stop", "message": message}])

    def _said(self, one: Made) -> dict[str, Any]:
        ended = one.looks >= len(STEPS)
        status, errors = self.owner.ends(self.owner.batches.index(one))
        return {
            "id": one.id,
            "object": "batch",
            "endpoint": "/v1/chat/completions",
            "completion_window": "24h",
            "created_at": one.created_at,
            "input_file_id": one.file_id,
            "metadata": one.metadata,
            "status": status if ended else STEPS[one.looks],
            "errors": {"object": "list", "data": errors} if ended and errors else None,
            "output_file_id": one.files.get("output"),
            "error_file_id": one.files.get("error"),
        }
