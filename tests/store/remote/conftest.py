"""A server of S3's protocol, and small stores in its buckets."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from partonomy_data.store.lock import build_lock
from partonomy_data.store.remote import state
from partonomy_data.store.remote.address import Address
from partonomy_data.store.remote.bucket import Bucket
from partonomy_data.store.remote.connecting import connect
from tests.store.conftest import publish_tables
from tests.store.remote.server import Server, serving

NUMBERS = count()


@pytest.fixture(scope="session")
def environment() -> Iterator[pytest.MonkeyPatch]:
    """The variables that lead to the server, and nowhere else."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        patch.setenv("AWS_ACCESS_KEY_ID", "key")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.setenv("AWS_CONFIG_FILE", os.devnull)
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
        yield patch


@pytest.fixture(scope="session")
def running(environment: pytest.MonkeyPatch) -> Iterator[Server]:
    """The server."""
    with serving() as server:
        environment.setenv("AWS_ENDPOINT_URL", server.url)
        yield server


@pytest.fixture
def server(running: Server) -> Iterator[Server]:
    """The server, which knows all that S3 knows when the test begins, and counts from then on."""
    running.control()
    yield running
    running.control()


@dataclass(frozen=True)
class Remote:
    """A store in a bucket, and its state folder."""

    address: str
    state: Path

    @property
    def bucket(self) -> Bucket:
        """Its bucket, connected."""
        return connect(self._address)

    @property
    def _address(self) -> Address:
        bucket, _, prefix = self.address.removeprefix("s3://").partition("/")
        return Address(bucket, prefix)

    def publish(self, seed: int = 0, n_images: int = 10, folder: Path | None = None) -> str:
        """Publishes a small store from the state folder, or another one, and returns its version."""
        here = state.local(self.address, folder or self.state)
        here.mkdir(parents=True, exist_ok=True)
        with build_lock(here):
            state.begin(here)
            return publish_tables(here, seed, n_images)

    def put(self, path: str, content: bytes) -> None:
        """Writes an object as another tool might."""
        self.client.put_object(Bucket=self._address.bucket, Key=self._address.key(path), Body=content)

    def put_folder(self, folder: Path, version: str) -> None:
        """Copies a version's folder, and makes it current, as another tool might."""
        for path in folder.rglob("*"):
            if path.is_file():
                self.put(f"versions/{version}/{path.relative_to(folder).as_posix()}", path.read_bytes())
        self.put("CURRENT", f"{version}\n".encode())

    def delete(self, path: str) -> None:
        """Removes an object."""
        self.client.delete_object(Bucket=self._address.bucket, Key=self._address.key(path))

    @property
    def client(self) -> Any:
        """Botocore's client."""
        return self.bucket.client

    def current(self) -> str:
        """What CURRENT says."""
        return self.bucket.get("CURRENT").body.decode().strip()


def new_bucket(folder: Path) -> Remote:
    """A store in a new bucket, with nothing in it."""
    name = f"bucket-{next(NUMBERS)}"
    connect(Address(name, "")).client.create_bucket(Bucket=name)
    return Remote(f"s3://{name}/a/store", folder / "state")


@pytest.fixture
def remote(server: Server, tmp_path: Path) -> Remote:
    """A new bucket, with nothing in it."""
    made = new_bucket(tmp_path)
    server.control()
    return made


@pytest.fixture(scope="session")
def one_remote(running: Server, tmp_path_factory: pytest.TempPathFactory) -> Remote:
    """A store with one version, to be read only."""
    made = new_bucket(tmp_path_factory.mktemp("remote"))
    made.publish()
    return made
