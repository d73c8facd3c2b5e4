"""What the flows tell a server: ids that depend on what is told alone, and nothing where nobody is to be told."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prefect.settings import PREFECT_API_URL, temporary_settings

import partonomy_data
from flows import events
from partonomy_data import BuildConfig, SourceSetting
from partonomy_data.errors import PartonomyError, StoreError
from partonomy_data.validation.settings import ValidationSettings
from tests.flows.serving import free_port
from tests.helpers import paco
from tests.helpers.command import partonomy

VERSIONS = st.text("0123456789abcdef", min_size=16, max_size=16)
MODELS = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,20}", fullmatch=True)
PLACES = st.from_regex(r"/[a-z]{1,8}(/[a-z]{1,8}){0,2}", fullmatch=True)


@pytest.fixture
def nobody() -> Iterator[None]:
    """No Prefect server is set."""
    with temporary_settings(restore_defaults={PREFECT_API_URL}):
        yield


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small store, built without Prefect."""
    folder = tmp_path_factory.mktemp("told")
    config = BuildConfig(
        sources={"paco": SourceSetting(str(paco.write(folder / "paco")))},
        validation=ValidationSettings(data_docs=False),
        workers=1,
    )
    partonomy_data.build(folder / "store", config)
    return folder / "store"


@given(PLACES, VERSIONS, MODELS, PLACES, VERSIONS, MODELS)
def test_an_event_is_the_same_if_and_only_if_it_tells_the_same(
    root: str, version: str, model: str, other_root: str, other_version: str, other_model: str
) -> None:
    one = events.model_trained(Path(root), version, model)
    again = events.model_trained(Path(root), version, model)
    assert (one.id, one.payload, one.resource) == (again.id, again.payload, again.resource)
    other = events.model_trained(Path(other_root), other_version, other_model)
    same = (root, version, model) == (other_root, other_version, other_model)
    assert (one.id == other.id) == same
    assert (one.resource == other.resource) == (root == other_root)


def test_a_published_version_is_told_of_with_its_parent_and_rows(store: Path) -> None:
    version = (store / "CURRENT").read_text().strip()
    told = events.dataset_published(store, version)
    assert told.event == "partonomy.dataset.published"
    assert told.payload["root"] == str(store.resolve())
    assert (told.payload["version"], told.payload["parent"]) == (version, None)
    assert (told.payload["rows"]["parts"], told.payload["rows"]["images"]) == (3, 3)
    assert json.loads(json.dumps(told.payload)) == told.payload
    assert {one.role: one.id for one in told.related} == {"version": f"partonomy.version.{version}"}


def test_another_name_of_the_same_folder_is_the_same_store(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = (store / "CURRENT").read_text().strip()
    (tmp_path / "link").symlink_to(store)
    monkeypatch.chdir(store.parent)
    ids = {events.dataset_published(root, version).id for root in (store, Path("store"), tmp_path / "link")}
    assert len(ids) == 1


@pytest.mark.usefixtures("nobody")
def test_without_a_server_nothing_is_told_and_nothing_noted(store: Path) -> None:
    told = events.announce(store)
    assert not told.sent
    assert told.why.startswith("there is no Prefect server to tell of version ")
    assert not events.send(events.model_trained(store, told.version, "m"))
    assert not (store / "work" / "emitted").exists()
    done = partonomy("publish", "--root", store)
    assert done.status == 2
    assert done.err.count("\n") == 1
    assert "there is no Prefect server to tell" in done.err


def test_a_server_that_can_not_be_reached_is_said_in_one_line_and_not_noted(store: Path) -> None:
    with temporary_settings({PREFECT_API_URL: f"http://127.0.0.1:{free_port()}/api"}):
        with pytest.raises(PartonomyError, match=r"is published, but the Prefect server at http.* could not be told"):
            events.announce(store)
        done = partonomy("publish", "--root", store)
    assert done.status == 1
    assert done.err.count("\n") == 1
    assert not (store / "work" / "emitted").exists()


def test_what_is_not_there_is_not_told_of(store: Path) -> None:
    with pytest.raises(StoreError, match="there is no version"):
        events.dataset_published(store, "0" * 16)
    with pytest.raises(StoreError, match="is not the name of a version"):
        events.model_trained(store, "x", "m")
    with pytest.raises(StoreError, match="can't name a folder"):
        events.model_trained(store, "0" * 16, f"..{os.sep}m")


def test_a_runner_that_tells_nobody_is_said_so(tmp_path: Path) -> None:
    done = partonomy("publish", "--root", tmp_path, "--runner", "local")
    assert (done.status, done.err) == (
        2,
        "partonomy: the runner 'local' tells nobody of versions. Name another with --runner.\n",
    )
