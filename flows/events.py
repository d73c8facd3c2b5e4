"""What the flows tell a Prefect server, and so whoever waits there for it.

    partonomy.dataset.published    a version is the current one of a store, for the first time     root, version, parent, rows
    partonomy.model.trained        a model was trained on a version                                root, version, model_id

An event's id is made from what it tells, so that telling it twice is telling it once: the server drops what it knows.
It is sent when what it tells has happened, never before. That a version was announced is noted in the store's
`work/emitted`; where a run ended between the two, the next one finds no note, and makes up for it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid4, uuid5

import httpx
from prefect.client.orchestration import get_client
from prefect.events import Event, RelatedResource, Resource
from prefect.events.filters import EventFilter, EventIDFilter
from prefect.runtime import flow_run
from prefect.settings import PREFECT_API_URL

from partonomy_data.errors import PartonomyError, UsageError
from partonomy_data.store import files, manifest
from partonomy_data.store.layout import Layout, check_folder_name, check_version_name
from partonomy_data.store.pointer import require_current

DATASET_PUBLISHED: Final = "partonomy.dataset.published"
MODEL_TRAINED: Final = "partonomy.model.trained"

#: The ids of all events are made under this one.
_NAMESPACE: Final = UUID("5e8c7a64-6a0f-5d0b-9d3c-0f2f5f6f0b61")


@dataclass(frozen=True, slots=True)
class Announced:
    """What came of announcing a version."""

    version: str
    sent: bool
    why: str
    """In words: what was done, or why nothing was."""


def server() -> str | None:
    """The API of the Prefect server that is told; None where a flow would start a temporary one, at which nobody waits."""
    url: str | None = PREFECT_API_URL.value()
    return url or None


def dataset_published(root: Path, version: str) -> Event:
    """The event that a version is published. Raises StoreError if there is no such version."""
    found = manifest.read(root, version)
    return _event(DATASET_PUBLISHED, root, version, {"parent": found.content["parent"], "rows": found.rows()})


def model_trained(root: Path, version: str, model_id: str) -> Event:
    """The event that a model was trained on a version. Raises StoreError for names that can't be."""
    check_folder_name(model_id)
    return _event(MODEL_TRAINED, root, check_version_name(version), {"model_id": model_id}, key=model_id)


def send(event: Event) -> bool:
    """Whether there is a server to tell that hadn't known the event. Raises PartonomyError if it can't be told."""
    if server() is None:
        return False
    try:
        with get_client(sync_client=True) as client:
            if client.read_events(EventFilter(id=EventIDFilter(id=[event.id])), limit=1).total:
                return False
            client.request("POST", "/events", json=[event.model_dump(mode="json")])
    except (httpx.HTTPError, RuntimeError) as error:
        raise PartonomyError(
            f"the Prefect server at {server()} could not be told of {event.event} ({str(error) or type(error).__name__})"
        ) from error
    return True


def announce(root: Path, version: str | None = None, *, again: bool = False, force: bool = False) -> Announced:
    """Tells the server that a version (the current one if none is named) is published, unless that was done before.

    `again` tells a server that may not know of it, whatever the note says; `force` makes it news even to one that does.
    Raises StoreError if there is no such version, and PartonomyError if the server can't be told.
    """
    version = check_version_name(version or require_current(root))
    url, note = server(), Layout(root).work / "emitted" / version
    if url is None:
        return Announced(version, False, f"there is no Prefect server to tell of version {version}")
    if note.is_file() and not (again or force):
        return Announced(version, False, f"version {version} was announced before")
    event = dataset_published(root, version)
    if force:
        event = event.model_copy(update={"id": uuid4()})
    try:
        sent = send(event)
    except PartonomyError as error:
        raise PartonomyError(
            f"version {version} is published, but {error}; the next run of a flow tells of it"
        ) from error
    told = {"event": str(event.id), "server": url, "at": datetime.now(UTC).isoformat(timespec="seconds")}
    files.write_json(note, told)
    why = f"{'told' if sent else 'nothing new for'} {url}: version {version} is published (event {event.id})"
    return Announced(version, sent, why)


def announce_at_hand(root: Path, version: str | None = None, *, again: bool = False, force: bool = False) -> Announced:
    """`announce` for the command line, where it is wrong use if there is no server to tell. Raises UsageError."""
    if server() is None:
        raise UsageError(
            "there is no Prefect server to tell",
            where="PREFECT_API_URL",
            mend="Start one (make serve), and set the variable to its API",
        )
    return announce(root, version, again=again, force=force)


def _event(name: str, root: Path, version: str, more: dict[str, Any], key: str = "") -> Event:
    """An event about a version of a store, with an id that its name, the store, the version and `key` decide."""
    place = str(root.resolve())
    store = f"partonomy.store.{hashlib.sha256(place.encode()).hexdigest()[:16]}"
    related = {"version": f"partonomy.version.{version}"}
    if flow_run.id:
        related["flow-run"] = f"prefect.flow-run.{flow_run.id}"
    return Event(
        id=uuid5(_NAMESPACE, "\n".join([name, place, version, key])),
        event=name,
        resource=Resource({"prefect.resource.id": store, "prefect.resource.name": place}),
        related=[
            RelatedResource({"prefect.resource.id": one, "prefect.resource.role": role})
            for role, one in related.items()
        ],
        payload={"root": place, "version": version, **more},
    )
