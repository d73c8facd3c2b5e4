"""The connections to a server: `aiohttp`'s, beneath the client of `httpx2` that the `openai` package sends by.

`httpx2`'s own take half of the processor's time of a request: they go through their pool twice for each, and read HTTP in
Python. An answer is taken whole here, as no answer of a language model is long; what goes wrong is told in `httpx2`'s words.
"""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Final

import aiohttp
import httpx2

#: Seconds for which a connection that nobody uses is kept; servers close theirs after as many or more.
_KEPT_SECONDS: Final = 15.0
#: What broke, as `httpx2` calls it; the first that fits.
_BROKEN: Final[tuple[tuple[type[Exception], type[httpx2.TransportError]], ...]] = (
    (aiohttp.ConnectionTimeoutError, httpx2.ConnectTimeout),
    (aiohttp.ServerTimeoutError, httpx2.ReadTimeout),
    (aiohttp.ClientConnectorError, httpx2.ConnectError),
    (aiohttp.ServerDisconnectedError, httpx2.RemoteProtocolError),
    (aiohttp.ClientPayloadError, httpx2.RemoteProtocolError),
    (aiohttp.ClientResponseError, httpx2.RemoteProtocolError),
    (aiohttp.InvalidURL, httpx2.UnsupportedProtocol),
    (aiohttp.ClientError, httpx2.ReadError),
    (OSError, httpx2.ReadError),
)


class Connections(httpx2.AsyncBaseTransport):
    """As many as are wanted at once, each kept for the next request."""

    def __init__(self, connect_s: float) -> None:
        """`connect_s` are the seconds after which a server that doesn't take a connection is given up."""
        self._connect_s = connect_s
        self._session: aiohttp.ClientSession | None = None

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """As the base class. The answer is read whole; cancelling gives its connection up."""
        begun = time.perf_counter()
        try:
            async with self._opened().request(
                request.method,
                str(request.url),
                headers=request.headers.multi_items(),
                data=await request.aread() or None,
                allow_redirects=False,
            ) as answer:
                content = await answer.read()
        except (aiohttp.ClientError, OSError) as error:
            kind = next(kind for broken, kind in _BROKEN if isinstance(error, broken))
            raise kind(str(error) or type(error).__name__, request=request) from error
        response = httpx2.Response(answer.status, headers=answer.raw_headers, content=content, request=request)
        response.elapsed = timedelta(seconds=time.perf_counter() - begun)
        return response

    async def aclose(self) -> None:
        """Closes all connections."""
        if self._session is not None:
            await self._session.close()

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            # The deadline of a whole exchange is the client's (`pace.PacedClient`).
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=0, keepalive_timeout=_KEPT_SECONDS, ssl=httpx2.create_ssl_context()
                ),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._connect_s),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,  # `httpx2.Response` does it
                skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
                trust_env=False,
            )
        return self._session
