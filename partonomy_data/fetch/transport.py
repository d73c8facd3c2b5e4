"""One request over http or https: proxies from the environment, certificates checked, and which failures pass.

Ranges, validators and Retry-After as in RFC 9110.
"""

from __future__ import annotations

import http.client
import re
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import Message
from email.utils import parsedate_to_datetime
from typing import IO, Protocol
from urllib.parse import urlsplit

from partonomy_data.fetch.space import FetchError

#: Statuses that another try may not meet.
_PASSING = frozenset((408, 425, 429, 500, 502, 503, 504))
_MEANT = {
    401: "it wants to know who asks",
    403: "it isn't given to everybody",
    404: "there is no such file",
    410: "the file is gone",
}


class Passing(Exception):
    """A failure that may not be met again. `wait` is how many seconds the server asks for, if it does."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.wait = wait


class Response(Protocol):
    """What is used of an answer."""

    status: int
    headers: Message

    def read1(self, amount: int) -> bytes:
        """What has come, at most so many bytes; empty at the end, and where the connection was cut."""
        ...

    def close(self) -> None:
        """Gives up the connection."""
        ...


@dataclass(frozen=True, slots=True)
class ContentRange:
    """What a `206` holds: bytes from `start` of `total` (None if it doesn't say)."""

    start: int
    total: int | None


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirections, but not from https to http."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        if urlsplit(req.full_url).scheme == "https" and urlsplit(newurl).scheme != "https":
            raise FetchError(f"{req.full_url}: it is redirected to {newurl}, which is not https. Nothing was fetched.")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def opener() -> urllib.request.OpenerDirector:
    """What makes requests: with the proxies of the environment, and with the system's certificates."""
    checked = urllib.request.HTTPSHandler(context=ssl.create_default_context())
    made = urllib.request.build_opener(_Redirects, checked)
    made.addheaders = [("User-Agent", "partonomy-data"), ("Accept-Encoding", "identity")]
    return made


def ask(through: urllib.request.OpenerDirector, url: str, headers: Mapping[str, str], timeout: float) -> Response:
    """The answer, of status 200, 206 or 416. Raises Passing, or FetchError where trying again would not help."""
    request = urllib.request.Request(url, headers=dict(headers))
    try:
        response: Response = through.open(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        if error.code == 416:
            return error  # type: ignore[return-value]  # it is a response as well
        with error:
            raise _refused(url, error.code, error.headers) from error
    except urllib.error.URLError as error:
        if isinstance(error.reason, ssl.SSLCertVerificationError):
            raise FetchError(
                f"{url}: its certificate doesn't hold ({error.reason.verify_message})."
                " Check this machine's clock and certificates; nothing was fetched."
            ) from error
        raise Passing(f"no connection ({error.reason})") from error
    except (OSError, http.client.HTTPException) as error:
        raise Passing(cut(error)) from error
    if response.status not in (200, 206):
        response.close()
        raise FetchError(f"{url}: the server answers {response.status}, which is no file.")
    return response


def _refused(url: str, status: int, headers: Message) -> Exception:
    if status in _PASSING:
        return Passing(f"the server answers {status}", retry_after(headers))
    meant = _MEANT.get(status, "it refuses")
    return FetchError(
        f"{url}: the server answers {status}: {meant}. Look at docs/fetching.md, or name a mirror (--from)."
    )


def cut(error: BaseException) -> str:
    """What a failure of the connection is, in a clause."""
    if isinstance(error, TimeoutError):
        return "the server is silent"
    return f"the connection was cut ({type(error).__name__})"


def retry_after(headers: Message) -> float | None:
    """Seconds that a server asks to be left alone, given in seconds or as a date; None if it doesn't."""
    text = (headers.get("Retry-After") or "").strip()
    if re.fullmatch(r"[0-9]{1,9}", text):
        return float(text)
    with suppress(ValueError, TypeError):
        then = parsedate_to_datetime(text)
        return max(0.0, (then - datetime.now(then.tzinfo and UTC)).total_seconds())
    return None


def content_range(headers: Message) -> ContentRange | None:
    """The range that a `206` or `416` states (`bytes 5-9/10`, `bytes */10`); None if it can't be read."""
    found = re.fullmatch(r"bytes\s+(?:([0-9]+)-[0-9]+|\*)/([0-9]+|\*)", (headers.get("Content-Range") or "").strip())
    if found is None:
        return None
    start, total = found.groups()
    return ContentRange(int(start or 0), None if total == "*" else int(total))


def length(headers: Message) -> int | None:
    """Bytes that the body has; None if it isn't said."""
    text = (headers.get("Content-Length") or "").strip()
    return int(text) if re.fullmatch(r"[0-9]{1,18}", text) else None


def validator(headers: Message) -> str | None:
    """What tells whether a file is still the same, for `If-Range`: a strong ETag, or the time of its last change."""
    tag = (headers.get("ETag") or "").strip()
    if tag.startswith('"'):
        return tag
    return headers.get("Last-Modified")
