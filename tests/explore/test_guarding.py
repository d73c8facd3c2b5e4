"""Who may ask, and what every answer tells the browser."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from partonomy_data.explore.guarding import HEADERS, host_of, is_loopback

PATHS = ("/", "/static/explorer.css", "/static/none", "/nowhere", "/switch", "/favicon.ico")


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_forbids_foreign_and_inline_content(client: TestClient, path: str) -> None:
    answer = client.get(path, follow_redirects=False)
    for name, value in HEADERS.items():
        assert answer.headers[name] == value
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy


def test_pages_pictures_and_errors_have_the_headers_too(client: TestClient, base: str) -> None:
    for path in (base, f"{base}question?id=none", f"{base}picture?id=none"):
        assert client.get(path).headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "localhost@evil.example", "",
                                  "10.0.0.1", "0.0.0.0", "localhost/x", "a:b:c"])  # fmt: skip
def test_other_hosts_are_refused(client: TestClient, host: str) -> None:
    answer = client.get("/", headers={"host": host}, follow_redirects=False)
    assert answer.status_code == 421
    assert answer.headers["x-frame-options"] == "DENY"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8000", "[::1]:9", "LOCALHOST:1", "127.0.0.2"])
def test_this_machine_is_admitted(client: TestClient, host: str) -> None:
    assert client.get("/", headers={"host": host}, follow_redirects=False).status_code == 307


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_only_reading_is_admitted(client: TestClient, base: str, method: str) -> None:
    answer = client.request(method, f"{base}sql")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD"


def test_head_answers_as_get_does_without_a_body(client: TestClient, base: str) -> None:
    answer = client.head(base)
    assert answer.status_code == 200
    assert answer.content == b""


def test_hosts_are_told_apart() -> None:
    assert host_of("a.example:80") == "a.example"
    assert host_of("[::1]:80") == "::1"
    assert host_of("a.example:x") is None
    assert host_of("u@a.example") is None
    assert [one for one in ("localhost", "127.9.9.9", "::1", "0.0.0.0", "example.org", "192.168.0.1") if is_loopback(one)] == [
        "localhost", "127.9.9.9", "::1",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "name", ["../application.py", "..%2fapplication.py", "%2e%2e/opening.py", "explorer.css/..", "x"]
)
def test_static_files_are_the_three_and_no_other(client: TestClient, name: str) -> None:
    assert client.get(f"/static/{name}").status_code == 404
