"""The Files and the Batch API of a server, over the `openai` package. What goes wrong is an answer as well: `Trouble`.

Each call is tried again here, not by the package: whether a batch was made by a call that no answer came to has to be
looked up before it is made once more.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import IO, Any, Final, Literal, TypeVar

import httpx2
import msgspec
import openai

from partonomy_data.llm import keys
from partonomy_data.llm.batch_files import Url
from partonomy_data.llm.pace import LONGEST_RETRY_AFTER_S, retry_after
from partonomy_data.llm.protocol import NO_SUCH_MODEL, complaint_of, loopback, told

T = TypeVar("T")

_CONNECT_SECONDS: Final = 20.0
_FIRST_WAIT_S: Final = 0.5
_LONGEST_WAIT_S: Final = 8.0
#: Batches in one page of the list.
_PAGE: Final = 100
#: Clocks may differ by this much.
_CLOCKS_S: Final = 86_400.0
_CHUNK: Final = 1 << 18
_MOST_OF_ID: Final = 1024

CHECK_KEY: Final = "Set the variable that llm.key_env names to a key of this server"
CHECK_MODEL: Final = "Check llm.model, and that llm.endpoint is the server's base URL (it mostly ends in /v1)"
ADD_CREDIT: Final = "Add credit to the account, and run it again: what was answered is kept"
ASK_LIVE: Final = "Ask it with --llm openai if it has no Batch API, and check llm.endpoint (it mostly ends in /v1)"
LATER: Final = "Run it again later: batches that were made are kept, and waited for then"


@dataclass(frozen=True, slots=True)
class Trouble:
    """What came in the place of what was asked for."""

    kind: Literal["missing", "passing", "lasting"]
    """missing: there is no such thing on the server. passing: it may be over some other time, all tries were in vain."""
    reason: str
    """One line; never holds a key."""
    mend: str
    wait_s: float | None = None
    """Seconds that the server asks to wait."""


class Said(msgspec.Struct, frozen=True):
    """What a server says of a batch, or of a file."""

    id: str
    status: str = ""
    created_at: float | None = None
    input_file_id: str | None = None
    output_file_id: str | None = None
    error_file_id: str | None = None
    errors: Any = None


class _Page(msgspec.Struct, frozen=True):
    data: list[Said]
    has_more: bool = False


class BatchApi:
    """A server. Its methods wait for its answer; none raises for what it answers."""

    def __init__(self, endpoint: str, key: str | None, *, timeout_s: float, tries: int) -> None:
        """`timeout_s` is for an answer, or a piece of a file, to come."""
        self._key, self._timeout_s, self._tries = key, timeout_s, tries
        with ExitStack() as stack:
            stack.enter_context(keys.kept_from_logs(key))
            http = httpx2.Client(trust_env=not loopback(endpoint), follow_redirects=False)
            stack.callback(http.close)
            self._client = openai.OpenAI(
                # Without any, the package would send the key for OpenAI to whatever server this is.
                api_key=key or "none",
                base_url=endpoint,
                max_retries=0,
                timeout=httpx2.Timeout(timeout_s, connect=min(_CONNECT_SECONDS, timeout_s)),
                http_client=http,
            )
            self._open = stack.pop_all()

    def close(self) -> None:
        """Closes all connections."""
        self._open.close()

    def upload(self, file: IO[bytes], name: str) -> str | Trouble:
        """Uploads a file of requests, and returns its id."""

        def call() -> Said:
            raw = self._client.files.with_raw_response.create(file=(name, file), purpose="batch")
            return msgspec.json.decode(raw.content, type=Said)

        return self._id(self._tried(call))

    def create(self, file_id: str, sha256: str, url: Url) -> str | Trouble:
        """Makes a batch of a file of requests to a `url`, once, and returns its id.

        If that fails, it may still have been made: see `find`.
        """
        since = time.time()

        def call() -> Said:
            raw = self._client.batches.with_raw_response.create(
                input_file_id=file_id, endpoint=url, completion_window="24h", metadata={"sha256": sha256}
            )
            return msgspec.json.decode(raw.content, type=Said)

        return self._id(self._tried(call, lambda: self._found(file_id, since)))

    def find(self, file_id: str, since: float) -> str | Trouble | None:
        """The id of the batch that was made of a file since a time (Unix seconds); None if there is none.

        None, too, on a server that doesn't list its batches.
        """
        found = self._found(file_id, since)
        return None if found is None else self._id(found)

    def state(self, batch_id: str) -> Said | Trouble:
        """How a batch stands."""

        def call() -> Said:
            return msgspec.json.decode(self._client.batches.with_raw_response.retrieve(batch_id).content, type=Said)

        return self._tried(call)

    def download(self, file_id: str, into: IO[bytes]) -> Trouble | None:
        """Adds the lines of a file of results to a file of ours."""
        end = into.seek(0, os.SEEK_END)

        def call() -> Trouble | None:
            # A try that broke has left some.
            into.seek(end)
            into.truncate()
            with self._client.files.with_streaming_response.content(file_id) as response:
                for chunk in response.iter_bytes(_CHUNK):
                    into.write(chunk)
            into.write(b"\n")
            into.seek(end)
            if into.read(_CHUNK).lstrip()[:1] in (b"{", b""):
                return None
            # Such a page, again: it would be taken for no results, and all would be paid for once more.
            return Trouble("passing", "what the server answered is no file of results", LATER)

        # The list of a server's files may lag behind that of its batches.
        return self._tried(call, also="missing")

    def _found(self, file_id: str, since: float) -> Said | Trouble | None:
        after: str | openai.Omit = openai.omit
        while True:
            page = self._tried(lambda: self._page(after))  # noqa: B023 - called at once
            if isinstance(page, Trouble):
                return None if page.kind == "missing" else page
            for one in page.data:
                if one.input_file_id == file_id:
                    return one
            # The newest come first.
            if not page.has_more or not page.data or (page.data[-1].created_at or 0) < since - _CLOCKS_S:
                return None
            if page.data[-1].id == after:
                return None
            after = page.data[-1].id

    def _page(self, after: str | openai.Omit) -> _Page:
        raw = self._client.batches.with_raw_response.list(limit=_PAGE, after=after)
        return msgspec.json.decode(raw.content, type=_Page)

    def _id(self, said: Said | Trouble) -> str | Trouble:
        if isinstance(said, Trouble):
            return said
        usable = 0 < len(said.id) <= _MOST_OF_ID and said.id.isascii() and said.id.isprintable()
        if usable and keys.scrubbed(said.id, self._key) == said.id:
            return said.id
        return Trouble("lasting", "the server gave an id that is none", ASK_LIVE)

    def _tried(
        self, call: Callable[[], T], between: Callable[[], T | Trouble | None] = lambda: None, *, also: str = ""
    ) -> T | Trouble:
        """What a call comes to after all tries, which passing trouble has, and that of the kind `also`.

        `between` them, what it was to bring about may turn up.
        """
        n = 1
        while True:
            got = self._once(call)
            if not isinstance(got, Trouble):
                return got
            if got.kind not in ("passing", also) or n == self._tries:
                return replace(got, reason=got.reason + (f" after {n} tries" if n > 1 else ""))
            time.sleep(min(_FIRST_WAIT_S * 2 ** (n - 1), _LONGEST_WAIT_S) if got.wait_s is None else got.wait_s)
            n += 1
            found = between()
            if found is not None:
                return found

    def _once(self, call: Callable[[], T]) -> T | Trouble:
        try:
            return call()
        except openai.APIStatusError as error:
            return self._refused(error)
        except openai.APITimeoutError:
            return Trouble("passing", f"no answer within {self._timeout_s:g} s", LATER)
        except (openai.APIConnectionError, httpx2.HTTPError) as error:
            return self._unreached(error.__cause__ if isinstance(error, openai.APIError) else error)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            # A page of whatever stands between, or a server that has no such thing.
            return Trouble("passing", "what the server answered is not of the Batch API", ASK_LIVE)

    def _unreached(self, cause: BaseException | None) -> Trouble:
        said = told(f"{type(cause).__name__} {cause}" if cause else "", self._key)
        if isinstance(cause, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.UnsupportedProtocol):
            return Trouble("passing", f"no server could be reached ({said})", f"Start it, or name another. {LATER}")
        return Trouble("passing", f"the connection broke ({said})", LATER)

    def _refused(self, error: openai.APIStatusError) -> Trouble:
        status, headers, code = error.status_code, error.response.headers, error.code or ""
        said = told(complaint_of(error.body), self._key)
        reason = f"the server answered {status}" + (f" ({said})" if said else "")
        hopeless = mend_of(status, code) or (CHECK_KEY if status == 403 else None)
        wait = retry_after(headers)
        if hopeless == CHECK_KEY:
            reason = f"{'the key was refused' if self._key else 'a key is needed'}: {reason}"
        if hopeless is not None:
            return Trouble("lasting", reason, hopeless)
        if status in (404, 405, 501):
            return Trouble("missing", reason, ASK_LIVE)
        if 300 <= status < 400:
            to = told(headers.get("location", "nowhere"), self._key)
            return Trouble("lasting", f"{reason} and sends on to {to}", "Name the address itself with llm.endpoint")
        if not may_pass(status):
            return Trouble("lasting", reason, CHECK_MODEL)
        if wait is not None and wait > LONGEST_RETRY_AFTER_S:
            return Trouble("lasting", f"{reason} and asks to wait {wait:,.0f} s", LATER)
        return Trouble("passing", reason, LATER, wait)


def mend_of(status: int, code: str) -> str | None:
    """How to mend what every request would fail at; None if it is nothing of that kind."""
    if code == "insufficient_quota":
        return ADD_CREDIT
    if code in NO_SUCH_MODEL:
        return CHECK_MODEL
    return CHECK_KEY if status == 401 else None


def may_pass(status: int) -> bool:
    """Whether what was refused so may be taken another time."""
    return status in (408, 409, 425, 429) or status >= 500
