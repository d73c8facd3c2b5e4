"""Versions that are open: each with the connection that its pages query, and its photographs."""

from __future__ import annotations

import shutil
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from partonomy_data import store
from partonomy_data.errors import StoreError, UsageError
from partonomy_data.explore import index
from partonomy_data.photographs.places import Photographs, of_store
from partonomy_data.store import Limits, Store, VersionInfo, catalog
from partonomy_data.store import manifest as manifests
from partonomy_data.store.layout import VERSION_NAME, Layout, check_version_name
from partonomy_data.store.pointer import require_current

Row = dict[str, Any]

#: Versions that are kept open at a time; one that wasn't looked at for longest is closed for another.
MOST_OPEN: Final = 2
#: What the pages' queries, and those of the SQL box, may take.
MEMORY: Final = "128MB"
THREADS: Final = 2
#: Answers that are kept for each version: counts of filters, facets, and the like.
MOST_KEPT: Final = 512


class Opened:
    """A version that is open. Its methods may be called from several threads."""

    def __init__(self, root: Path, version: str, given: Mapping[str, str]) -> None:
        """Makes the version's small tables, unless they are there, which takes a while for millions of questions."""
        self.root, self.version = root, version
        self.store: Store = store.open(root, version, Limits(memory=MEMORY, threads=1))
        self._temporary: Path | None = None
        try:
            listed = manifests.read(root, version)
            self._files = catalog.files_of(root, listed)
            readable = [path for paths in self._files.values() for path in paths]
            file, self._temporary = index.prepared(root, version, catalog.views(root, listed), readable)
            self._connection = index.connect(file, list(map(str, readable)), memory=MEMORY, threads=THREADS)
            # What the files say of themselves is read now, not when the first page asks for it.
            for table in ("questions", "question_masks"):
                self.store.between(table, "", "\0")
        except BaseException:
            self.store.close()
            self._clear()
            raise
        self.photographs: Photographs = of_store(root, given)
        self._kept: OrderedDict[tuple[str, tuple[Any, ...]], list[Row]] = OrderedDict()
        self._lock = threading.Lock()

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """The rows of a SELECT of the explorer's own as dictionaries."""
        with self._connection.cursor() as cursor:
            cursor.execute(sql, list(parameters))
            names = [column[0] for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def one(self, sql: str, parameters: Sequence[Any] = ()) -> Row | None:
        """The first row, None if there is none."""
        found = self.rows(sql, parameters)
        return found[0] if found else None

    def kept(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """As `rows`, of a SELECT whose few rows stay the same as long as the version is open: asked once, and kept."""
        key = (sql, tuple(parameters))
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        found = self.rows(sql, parameters)
        with self._lock:
            self._kept[key] = found
            if len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        return found

    def names(self, sql: str, parameters: Sequence[Any] = ()) -> list[str]:
        """The first column of `kept`."""
        return [str(next(iter(row.values()))) for row in self.kept(sql, parameters)]

    @cached_property
    def models(self) -> list[str]:
        """The models whose answers to this version's questions are known."""
        return sorted({path.parents[1].name for path in self._files["predictions"]})

    @cached_property
    def has_calls(self) -> bool:
        """Whether a language model had a part in the version."""
        return bool(self.store.manifest["tables"].get("llm_calls"))

    @property
    def evaluated(self) -> tuple[str, ...]:
        """The files of models' answers that were there when it was opened."""
        return tuple(map(str, [*self._files["predictions"], *self._files["evaluations"]]))

    def close(self) -> None:
        """Closes the files."""
        self._connection.close()
        self.store.close()
        self._clear()

    def _clear(self) -> None:
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)


class Versions:
    """The versions of a store, opened as they are asked for."""

    def __init__(self, root: Path, given: Mapping[str, str]) -> None:
        """`given`: folders of photographs by source. Raises UsageError for a store that isn't on this machine's disk."""
        if str(root).startswith(("s3:/", "http:/", "https:/")):
            raise UsageError(
                "the explorer reads stores on this machine's disk", where=str(root), mend="Copy the version"
            )
        self.root, self._given = Path(root).expanduser().absolute(), dict(given)
        self._open: OrderedDict[str, Opened] = OrderedDict()
        self._retired: list[Opened] = []
        self._lock = threading.Lock()

    def current(self) -> str:
        """The name of the published version. Raises StoreError where there is none."""
        return require_current(self.root)

    def current_or_none(self) -> str | None:
        """The name of the published version; None where there is none, or CURRENT is damaged."""
        try:
            return self.current()
        except StoreError:
            return None

    def names(self) -> list[str]:
        """The names of the published versions, newest first."""
        folder = Layout(self.root).versions
        found = [path for path in folder.iterdir() if VERSION_NAME.fullmatch(path.name)] if folder.is_dir() else []
        return [path.name for path in sorted(found, key=lambda path: -path.stat().st_mtime)]

    def listed(self) -> list[VersionInfo]:
        """The published versions, newest first."""
        return store.versions(self.root)[::-1]

    def get(self, version: str) -> Opened:
        """The version, opened if it isn't. Raises StoreError if there is none of that name, or it can't be read."""
        check_version_name(version)
        with self._lock:
            found = self._open.get(version)
            if found is not None and found.evaluated == self._evaluated(version):
                self._open.move_to_end(version)
                return found
            if found is not None:
                self._retire(version)
            if not Layout(self.root).version(version).is_dir():
                raise StoreError(f"there is no version {version}", where=str(self.root))
            opened = Opened(self.root, version, self._given)
            self._open[version] = opened
            while len(self._open) > MOST_OPEN:
                self._retire(next(iter(self._open)))
            return opened

    def _retire(self, version: str) -> None:
        """Takes a version out. A page may still be reading it, so that it is closed when the next one is taken out."""
        for one in self._retired:
            one.close()
        self._retired = [self._open.pop(version)]

    def _evaluated(self, version: str) -> tuple[str, ...]:
        layout = Layout(self.root)
        return tuple(
            map(str, [*layout.evaluation_files("predictions", version), *layout.evaluation_files("evaluations")])
        )

    def close(self) -> None:
        """Closes all of them."""
        with self._lock:
            for one in (*self._open.values(), *self._retired):
                one.close()
            self._open.clear()
            self._retired = []
