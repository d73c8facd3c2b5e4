"""OpenAI's protocol as servers speak it: requests in the form that each of them takes, and what they answer."""

from __future__ import annotations

import json
import re
from typing import Any, Final, TypeGuard
from urllib.parse import urlsplit

import msgspec

from partonomy_data.errors import UsageError
from partonomy_data.llm import keys
from partonomy_data.llm.request import Form, Message, Reply, Request

#: The looser form that takes the place of one that a server doesn't know.
_LOOSER: Final[dict[Form, Form]] = {"json_schema": "json_object", "json_object": "text"}
#: Complaints about the form of an answer.
ABOUT_FORM: Final = re.compile(r"response.?format|json.?schema|json.?object|structured.?output|guided|grammar")
_UNWANTED: Final = re.compile(
    r"unsupported|not.support|n't support|only the default|deprecated|unrecogni[sz]ed|unknown|unexpected|not (permitted|allowed)"
)
#: Codes of errors that say that there is no such model.
NO_SUCH_MODEL: Final = frozenset({"model_not_found", "invalid_model", "DeploymentNotFound"})
#: What is shorter is no secret, but a word that stands for "no key".
_SECRET_LENGTH: Final = 16
#: Characters of what a server says that are told on.
_MOST_SAID: Final = 240


class Dialect(msgspec.Struct, frozen=True):
    """What a server has shown that it takes."""

    form: Form = "json_schema"
    """What `auto` stands for."""
    tokens: str = "max_tokens"
    """The name of the cap on an answer's tokens."""
    temperature: bool = True
    seed: bool = True

    def body(self, request: Request) -> dict[str, Any]:
        """The request as it is sent to its `path`."""
        if request.form == "embedding":
            texts = [message.content for message in request.messages]
            return {"model": request.model, "input": texts, "encoding_format": "float"}
        body: dict[str, Any] = {
            "model": request.model,
            "messages": [_shown(message) for message in request.messages],
            self.tokens: request.max_tokens,
        }
        if self.temperature:
            body["temperature"] = request.temperature
        if self.seed and request.seed is not None:
            body["seed"] = request.seed
        form = self.form if request.form == "auto" else request.form
        if form == "json_schema":
            named = {"name": "answers", "strict": True, "schema": json.loads(bytes(request.schema))}
            body["response_format"] = {"type": "json_schema", "json_schema": named}
        elif form == "json_object":
            body["response_format"] = {"type": "json_object"}
        return body

    def after(self, request: Request, status: int, complaint: str, parameter: str | None) -> Dialect | None:
        """The dialect to send a refused request in once more; None if the refusal is about something else."""
        if status not in (400, 404, 422) or request.form == "embedding":
            return None
        said = f"{parameter or ''} {complaint}".lower()
        unwanted = _UNWANTED.search(said) is not None
        if self.tokens == "max_tokens" and (
            "max_completion_tokens" in said or (parameter == "max_tokens" and unwanted)
        ):
            return msgspec.structs.replace(self, tokens="max_completion_tokens")
        if self.temperature and unwanted and "temperature" in said:
            return msgspec.structs.replace(self, temperature=False)
        if self.seed and request.seed is not None and unwanted and re.search(r"\bseed\b", said):
            return msgspec.structs.replace(self, seed=False)
        if request.form == "auto" and self.form in _LOOSER and ABOUT_FORM.search(said):
            return msgspec.structs.replace(self, form=_LOOSER[self.form])
        return None


def path(request: Request) -> str:
    """Where a request is sent to, below the server's base URL."""
    return "/embeddings" if request.form == "embedding" else "/chat/completions"


def _shown(message: Message) -> dict[str, Any]:
    """A message as it is sent: with images as a list of contents, as servers that see take it."""
    if not message.images:
        return {"role": message.role, "content": message.content}
    images = [{"type": "image_url", "image_url": {"url": url}} for url in message.images]
    return {"role": message.role, "content": [*images, {"type": "text", "text": message.content}]}


def is_answer(body: object) -> TypeGuard[dict[str, Any]]:
    """Whether it is a chat completion, whatever it says, or a list of embeddings, and not an error in their place."""
    return isinstance(body, dict) and ("choices" in body or "error" not in body)


def reply_of(body: dict[str, Any], latency_s: float | None) -> Reply:
    """A chat completion, as servers write it, as a reply. What isn't there, or isn't what it should be, is None.

    Embeddings are a reply that answers each text, by its number, with the `vector`, as `vectors` packs it.
    """
    choices, usage = body.get("choices"), body.get("usage")
    choice = choices[0] if isinstance(choices, list) and choices else None
    choice = choice if isinstance(choice, dict) else {}
    message = choice.get("message")
    message = message if isinstance(message, dict) else {}
    usage = usage if isinstance(usage, dict) else {}

    def text(value: object) -> str | None:
        return writable(value) if isinstance(value, str) else None

    def count(value: object) -> int | None:
        return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63 else None

    vectors = _vectors(body) if "choices" not in body and "data" in body else None
    return Reply(
        text=text(message.get("content")) if vectors is None else vectors,
        finish=text(choice.get("finish_reason")) if vectors is None else "stop",
        refusal=text(message.get("refusal")) or None,
        prompt_tokens=count(usage.get("prompt_tokens")),
        completion_tokens=count(usage.get("completion_tokens")),
        latency_s=latency_s,
    )


def _vectors(body: dict[str, Any]) -> str:
    from partonomy_data.llm.vectors import packed

    answers = []
    for one in body["data"] if isinstance(body["data"], list) else []:
        number, vector = (one.get("index"), one.get("embedding")) if isinstance(one, dict) else (None, None)
        if isinstance(number, int) and isinstance(vector, list):
            try:
                answers.append({"n": number + 1, "vector": packed(vector)})
            except (ValueError, TypeError):
                continue  # it has no answer, then
    return json.dumps({"answers": answers})


def without_key(reply: Reply, key: str | None) -> Reply:
    """The reply without a key that it should repeat. A word like `none`, for a server without keys, may stay."""
    if not key or len(key) < _SECRET_LENGTH:
        return reply
    said = {name: getattr(reply, name) for name in ("text", "finish", "refusal")}
    return msgspec.structs.replace(
        reply, **{name: text and text.replace(key, keys.HIDDEN) for name, text in said.items()}
    )


def complaint_of(body: object) -> str:
    """What a server says is wrong, in the shapes of OpenAI, FastAPI (with the place, without the input) and others."""
    match body:
        case {"error": dict() | str() as inner}:
            return complaint_of(inner)
        case {"message": str(message)} | {"detail": str(message)}:
            return message
        case {"detail": list(details)}:
            return "; ".join(f"{one.get('loc')}: {one.get('msg')}" for one in details if isinstance(one, dict))
        case str():
            return body
        case None:
            return ""
    return json.dumps(body, ensure_ascii=False)


def writable(text: str) -> str:
    """The text, which stands for half a surrogate pair with a `?`: that can be said in JSON, and written nowhere."""
    return text.encode("utf-8", "replace").decode()


def told(text: str, key: str | None) -> str:
    """What a server said, on one line, of a bearable length, and without the key."""
    line = " ".join(keys.scrubbed(writable(text), key).split())
    return line if len(line) <= _MOST_SAID else line[:_MOST_SAID] + "…"


def address(endpoint: str) -> str:
    """The address without a final slash. Raises UsageError if it is none."""
    try:
        parts = urlsplit(endpoint)
        usable = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port > 0)
        usable = usable and parts.username is None and endpoint.isascii() and endpoint.isprintable()
    except ValueError:
        usable = False
    if not usable:
        raise UsageError(
            "this is no address of a server",
            where="llm.endpoint",
            mend="Give its base URL, without user and password, such as http://127.0.0.1:8000/v1",
        )
    return endpoint.rstrip("/")


def loopback(endpoint: str) -> bool:
    """Whether it is a server on this machine, which no proxy can reach."""
    host = urlsplit(endpoint).hostname or ""
    return host in ("localhost", "::1") or host.startswith("127.")
