"""Refreshing: the last build again, if anything has changed since. Whether it has is told in seconds, before any flow starts.

What a build saw is remembered in the store's `work/last`: its settings, the code, and all files of its sources. Without it
(`work/` may be deleted) a refresh builds, and takes up what finished shards there are.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.feather as feather

from partonomy_data.config import BuildConfig, convert, excluded
from partonomy_data.errors import StoreError, UsageError
from partonomy_data.ingest import seen
from partonomy_data.pipeline import keeping, runs
from partonomy_data.pipeline.code import code_digest
from partonomy_data.pipeline.keeping import Kept
from partonomy_data.pipeline.reading import Finished
from partonomy_data.pipeline.steps import Workspace
from partonomy_data.sources import files, listing
from partonomy_data.sources.base import reader
from partonomy_data.store import manifest
from partonomy_data.store.layout import Layout
from partonomy_data.store.pointer import read_current
from partonomy_data.store.remote import state


class Last(msgspec.Struct, frozen=True):
    """What the last build that published rested on, beside the files of its sources."""

    settings: str
    """Digest of all settings that decide what is published, and of the files that they name."""
    code: str
    folders: dict[str, list[str]]
    """Source → the places that it was read from."""
    complete: bool
    """False where a further build would go on: a cap or a silent language model, or a source that failed."""
    run_id: str = ""
    """The build. If another one is recorded after it, that one was cut off before it could remember anything."""


@dataclass(frozen=True, slots=True)
class Status:
    """Whether there is anything to do."""

    config: BuildConfig
    """The settings of the last build."""
    version: str | None
    """The current version."""
    reasons: list[str] = field(default_factory=list)
    """What has changed, a clause each; nothing if nothing has."""

    @property
    def changed(self) -> bool:
        """Whether a build is called for."""
        return bool(self.reasons)


def status(root: Path, *, verify: bool = False) -> Status:
    """What has changed since the last build. With `verify` all files are hashed again.

    Raises UsageError where nothing was built yet, or by a tool that didn't write down how.
    """
    config = last_config(root)
    state.follow(root)
    workspace = Workspace(root.resolve())
    current = read_current(root)
    reasons = _of_store(root, current)
    last = _last(root, workspace)
    if last is None:
        return Status(config, current, [*reasons, "what the last build saw is not remembered"])
    if last.settings != settings_digest(config):
        reasons.append("the settings, or a file that they name, have changed")
    if last.code != _code(config):
        reasons.append("the code or a library has changed")
    if not last.complete:
        reasons.append("the last build left something to be done")
    for name, folders in sorted(last.folders.items()):
        for place, folder in enumerate(folders):
            reasons += _of_folder(workspace, name, place, Path(folder), verify)
    return Status(config, current, reasons)


def _last(root: Path, workspace: Workspace) -> Last | None:
    """What the last build that published saw; None if it isn't remembered, or only what one before it saw."""
    try:
        last = msgspec.json.decode((workspace.last / "last.json").read_bytes(), type=Last)
    except (OSError, msgspec.MsgspecError):
        return None
    newest = next(runs.newest(root), {}).get("report")
    return last if isinstance(newest, dict) and newest.get("run_id") == last.run_id else None


def _of_store(root: Path, current: str | None) -> list[str]:
    if current is None:
        return ["nothing is published"]
    try:
        manifest.read(root, current)
    except StoreError as error:
        return [f"the current version is damaged ({error.what})"]
    return []


def _of_folder(workspace: Workspace, name: str, place: int, folder: Path, verify: bool) -> list[str]:
    path, start = _listing_path(workspace, name, place), time.time_ns()
    try:
        before = feather.read_table(path, memory_map=False)
        change = listing.compare(folder, before, verify=verify)
    except (OSError, pa.ArrowException) as error:
        return [f"{name}: its files can't be compared with what they were ({error})"]
    now = listing.settled(change.now, start)
    if not change and not now.equals(before):
        with suppress(OSError):  # a full disk, or one that can only be read: they are hashed the next time too
            _write_listing(path, now)  # touched, and found to be the same: not to be hashed the next time
    kinds = {"changed": change.changed, "new": change.added, "gone": change.removed}
    return [f"{name}: {len(paths):,} {kind} ({listing.some(paths)})" for kind, paths in kinds.items() if paths]


def keep(root: Path, config: BuildConfig) -> dict[str, Kept]:
    """What is kept of the sources, should one of them fail; nothing if it isn't what the last build had of them."""
    workspace = Workspace(root.resolve())
    if _last(root, workspace) is None:
        return {}
    return keeping.load(workspace.last, sorted(config.sources), workspace.shards)


def last_config(root: Path) -> BuildConfig:
    """The settings of the newest build that published. Raises UsageError if there is none."""
    for content in runs.newest(root):
        given = content.get("config")
        if isinstance(given, dict) and given.get("sources"):
            return convert(given, "the settings of the last build")
    mend = "Run `partonomy build` with the sources once"
    unreadable = next(iter(sorted(Layout(root).runs.glob("*/run.json"), reverse=True)), None)
    if unreadable is not None:
        raise UsageError("this doesn't say how the last build was done", where=str(unreadable), mend=mend)
    raise UsageError("nothing was built here yet, so that there is nothing to refresh", where=str(root), mend=mend)


def settings_digest(config: BuildConfig) -> str:
    """Digest of all that decides what is published, but for the sources' content and the code."""
    plain = msgspec.to_builtins(config)
    for name in ("workers", "verify", "validation", "overrides", "exclude"):
        plain.pop(name)
    # How fast and how patiently a model is asked changes nothing; what it may cost, how much of it is asked, does.
    for name in ("concurrency", "timeout_s", "tries", "key_env", "key_block", "answers"):
        plain["llm"].pop(name)
    overrides = files.sha256(Path(config.overrides)) if config.overrides else ""
    return files.digest(msgspec.json.encode(plain, order="deterministic"), excluded(config.exclude), overrides)


def _code(config: BuildConfig) -> str:
    packages = sorted({type(reader(name)).__module__.partition(".")[0] for name in config.sources})
    return files.digest(*(code_digest(package) for package in packages))


def remember(finished: Finished, *, complete: bool) -> None:
    """Writes down what a build that has just published rested on. Call it with the build lock held."""
    workspace, config = finished.workspace, finished.config
    (workspace.last / "last.json").unlink(missing_ok=True)
    keeping.save(workspace.last, finished.kept())
    contents, start = _photographs(finished), int(finished.clock.started.timestamp() * 1e9)
    for name, folders in finished.listings.items():
        for place, (folder, listed) in enumerate(folders.items()):
            if name not in finished.failed:
                known = _contents(finished, name, Path(folder), listed, contents.get(name, {}))
                _write_listing(
                    _listing_path(workspace, name, place), listing.settled(_with(listed, Path(folder), known), start)
                )
    last = Last(
        settings=settings_digest(config),
        code=_code(config),
        folders={name: config.sources[name].folders() for name in sorted(config.sources)},
        complete=complete and not finished.failed,
        run_id=finished.clock.run_id,
    )
    aside = workspace.last / "last.json.tmp"
    aside.write_bytes(msgspec.json.encode(last))
    aside.rename(workspace.last / "last.json")


def _photographs(finished: Finished) -> dict[str, dict[str, str]]:
    """Source → photograph, relative to its folder of photographs → SHA-256."""
    source_of = {result.key: name for name, results in finished.results.items() for result in results}
    found: dict[str, dict[str, str]] = {}
    for path in finished.workspace.shards.glob(f"*{seen.SUFFIX}"):
        known = seen.recall(path.parent, path.stem)
        if known is not None and known.key in source_of:
            found.setdefault(source_of[known.key], {}).update((one.path, one.sha256) for one in known.photographs)
    return found


def _contents(
    finished: Finished, name: str, folder: Path, listed: pa.Table, photographs: Mapping[str, str]
) -> dict[str, str]:
    """Path in a folder → SHA-256, of all that the build hashed."""
    plan = finished.plans[name]
    known: dict[str, str] = {}
    if plan.images_root is not None:
        inside = os.path.relpath(plan.images_root, folder.resolve())
        if inside == "." or not inside.startswith(".."):
            start = "" if inside == "." else f"{inside}/"
            known = {_plain(start + path): digest for path, digest in photographs.items()}
    wanted: dict[str, list[str]] = {file.path.rsplit("/", 1)[-1]: [] for file in plan.files}
    for path in listed["path"].to_pylist():
        ending = path.rsplit("/", 1)[-1]
        if ending in wanted:
            wanted[ending].append(path)
    for file in plan.files:
        at = [path for path in wanted[file.path.rsplit("/", 1)[-1]] if f"/{path}".endswith(f"/{file.path}")]
        if not at:  # a link out of the folder leads to it, which listings don't follow
            places = (f"{start}{file.path}" for start in ("", "annotations/"))
            at = [place for place in places if (folder / place).is_file()][:1]
        if len(at) == 1:
            known[at[0]] = file.sha256
    return known


def _plain(path: str) -> str:
    """A path as listings have it. Nearly all are so as they are, and there are as many as photographs."""
    return os.path.normpath(path) if "//" in path or "./" in path else path


def _with(listed: pa.Table, folder: Path, known: Mapping[str, str]) -> pa.Table:
    """The listing of a folder with what is known of contents, and with the files that are known and not in it."""
    paths = listed["path"].to_pylist()
    digests = pa.array([known.get(path) for path in paths], pa.string())
    further = known.keys() - set(paths)
    with_contents = listed.set_column(4, listing.LISTING.field("sha256"), digests)
    return listing.joined(with_contents, folder, {path: known[path] for path in sorted(further)})


def _listing_path(workspace: Workspace, name: str, place: int) -> Path:
    return workspace.last / f"{name}-{place}.arrow"


def _write_listing(path: Path, listed: pa.Table) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_suffix(f".{os.getpid()}.tmp")
    feather.write_feather(listed, aside, compression="zstd")
    aside.rename(path)
