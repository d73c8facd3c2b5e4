"""`partonomy explore` on a store in a bucket: it shows the state folder, with what is current in the bucket."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import partonomy_data
from partonomy_data import cli_explore
from partonomy_data.store.pointer import read_current
from tests.store.remote.conftest import Remote


def test_the_version_that_is_current_in_the_bucket_is_shown(
    remote: Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("fastapi", reason="the extra [explore] is not installed")
    from starlette.testclient import TestClient

    from partonomy_data import explore
    from partonomy_data.explore.application import application

    served: list[Path] = []
    monkeypatch.setattr(explore, "serve", lambda root, **_: served.append(root))
    version = remote.publish()
    cli_explore.explore(remote.address, state=tmp_path / "other machine", images=None)
    (root,) = served
    assert root == tmp_path / "other machine"
    assert read_current(root) == version
    page: Any = TestClient(application(root), base_url="http://localhost").get("/")
    assert page.status_code == 200
    assert version in page.text
    with partonomy_data.open(root) as here, partonomy_data.open(remote.address) as there:
        assert here.questions().equals(there.questions())
