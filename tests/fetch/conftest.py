"""A server for each test, and catalogues of what it serves."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from partonomy_data.fetch.catalogue import Dataset, File, Licence
from partonomy_data.fetch.download import Patience
from partonomy_data.fetch.job import Report, fetch
from tests.fetch.server import Served, Server, serving

LICENCE = Licence(name="a licence", url="https://example.org/licence", covers="all", terms="Be kind.")
#: Neither compressible nor a multiple of any buffer's size.
CONTENT = b"".join(hashlib.sha256(bytes([n % 256, n // 256])).digest() for n in range(40_000)) + b"end"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def zipped(members: Mapping[str, bytes]) -> bytes:
    """A zip file."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return made.getvalue()


class Site:
    """A dataset `thing` of one file on a server, and a folder that it is fetched to."""

    def __init__(self, server: Server, home: Path) -> None:
        self.server, self.home, self.waits = server, home, list[float]()
        self.patience = Patience(tries=3, first=0.5, timeout=20, sleep=self.waits.append)

    def serve(self, name: str, content: bytes, **how: Any) -> Served:
        self.server.files[name] = Served(content, **how)
        return self.server.files[name]

    def known(self, name: str, *, checked: bool = True, **more: Any) -> dict[str, Dataset]:
        """A catalogue of it; `checked` has the checksum of what is served now."""
        if checked and "sha256" not in more and "md5" not in more:
            more["sha256"] = sha256(self.server.files[name].content)
        if "sha256" in more or "md5" in more:
            more["checksum_from"] = "the tests"
        file = File(url=f"{self.server.url}/{name}", what="a thing", **more)
        return {"thing": Dataset(title="A thing", licences=[LICENCE], files=[file])}

    def fetch(self, name: str, **more: Any) -> Report:
        """Fetches it."""
        known = self.known(name, **more)
        return fetch("thing", self.home, accept_licence=True, known=known, patience=self.patience)

    def beside(self, name: str) -> Path:
        return self.home / ".fetch" / name

    def tree(self) -> dict[str, bytes]:
        """All files but those beside the dataset, with their content."""
        paths = (path for path in sorted(self.home.rglob("*")) if path.is_file() and ".fetch" not in path.parts)
        return {path.relative_to(self.home).as_posix(): path.read_bytes() for path in paths}


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as running:
        yield running


@pytest.fixture
def site(server: Server, tmp_path: Path) -> Site:
    return Site(server, tmp_path / "thing")
