"""A request as it is sent, its reply, and the key that the answer store knows it by."""

from __future__ import annotations

import hashlib
from typing import Literal, TypeAlias

import msgspec

#: How an answer's form is enforced: by the server with the JSON schema; as some JSON object; by the prompt alone; or by
#: the strictest of these that the server takes, which the transport finds out. `embedding`: each message is a text of which
#: an embedding is wanted.
Form: TypeAlias = Literal["auto", "json_schema", "json_object", "text", "embedding"]


class Message(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A message of the conversation."""

    role: Literal["system", "user", "assistant"]
    content: str
    images: tuple[str, ...] = ()
    """Data URLs of what is shown before the text; a message without any has the key that it had before there were any."""


class Request(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """All that an answer depends on. Holds no secret."""

    endpoint: str
    """The server's base URL."""
    model: str
    messages: tuple[Message, ...]
    schema: msgspec.Raw
    """JSON schema of the answer."""
    form: Form
    max_tokens: int
    temperature: float
    seed: int | None = None

    @property
    def key(self) -> str:
        """SHA-256 of the request, 64 hex digits; equal requests have equal keys on every machine."""
        return hashlib.sha256(msgspec.json.encode(self, order="deterministic")).hexdigest()


class Reply(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What came back for a request that the server answered. Whether it is of use is for others to say."""

    text: str | None
    finish: str | None
    """`stop`, `length`, `content_filter`, …, as the server said."""
    refusal: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    latency_s: float | None = None
    """Seconds from sending to the last byte; None where answers come in files."""


class Failure(msgspec.Struct, frozen=True, gc=False):
    """No answer came, after all tries; nothing is known to have been charged."""

    reason: str
    """One line; never holds a key."""
