"""Connections: an answer is what the server sent, and what breaks has the name that `httpx2` has for it."""

from __future__ import annotations

import asyncio
import gzip
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
import pytest

from partonomy_data.llm.connections import Connections

RESET = b"reset"


@contextmanager
def server(*answers: bytes) -> Iterator[str]:
    """Takes a connection for each of the answers, reads a request, sends the bytes and closes; RESET tears it."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            for answer in answers:
                connection, _ = listening.accept()
                with connection:
                    heard = b""
                    while not heard.endswith(b"{}"):
                        heard += connection.recv(1 << 16)
                    if answer == RESET:
                        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    else:
                        connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
        thread.join()


def post(url: str) -> httpx2.Response:
    async def once() -> httpx2.Response:
        async with httpx2.AsyncClient(transport=Connections(5.0), trust_env=False) as client:
            return await client.post(url, content=b"{}", timeout=20.0)

    return asyncio.run(once())


def answer(content: bytes, *headers: str, status: str = "200 OK") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(content)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + content


def test_an_answer_is_as_it_was_sent_and_what_was_packed_is_unpacked() -> None:
    said = '{"text": "größer"}'.encode()
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (said[:8], said[8:], b""))
    chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + chunks
    for sent in (answer(said), answer(gzip.compress(said), "Content-Encoding: gzip"), chunked):
        with server(sent) as url:
            found = post(url)
        assert (found.status_code, found.content) == (200, said)
        assert found.elapsed.total_seconds() > 0


def test_errors_and_sendings_on_are_answers_with_their_headers() -> None:
    with server(answer(b"later", "Retry-After: 7", "Set-Cookie: a=b", status="429 Too Many Requests")) as url:
        found = post(url)
    assert (found.status_code, found.headers["retry-after"]) == (429, "7")
    with server(answer(b"", "Location: http://elsewhere/", status="302 Found")) as url:
        assert post(url).status_code == 302


@pytest.mark.parametrize(
    ("sent", "kind"),
    [
        (b"", httpx2.RemoteProtocolError),
        (answer(b"much more than this")[:-5], httpx2.RemoteProtocolError),
        (b"220 mail.example ESMTP\r\n\r\n", httpx2.RemoteProtocolError),
        (answer(b"no gzip", "Content-Encoding: gzip"), httpx2.DecodingError),
        (RESET, httpx2.ReadError),
    ],
    ids=["closed", "cut", "no HTTP", "wrongly packed", "reset"],
)
def test_what_breaks_has_its_name(sent: bytes, kind: type[httpx2.RequestError]) -> None:
    with server(sent) as url, pytest.raises(kind):
        post(url)


def test_where_nobody_listens_is_no_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    with pytest.raises(httpx2.ConnectError, match=str(port)):
        post(f"http://127.0.0.1:{port}/v1")


def test_a_connection_serves_one_request_after_the_other() -> None:
    ports: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ports.append(writer.get_extra_info("peername")[1])
        for _ in range(3):
            await reader.readuntil(b"{}")
            writer.write(answer(b"yes"))
        writer.close()

    async def ask() -> list[bytes]:
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as listening:
            url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/v1"
            async with httpx2.AsyncClient(transport=Connections(5.0), trust_env=False) as client:
                return [(await client.post(url, content=b"{}")).content for _ in range(3)]

    assert asyncio.run(ask()) == [b"yes"] * 3
    assert len(ports) == 1
