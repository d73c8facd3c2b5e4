"""Where things lie in a store's folder, and the names that may be used there."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from partonomy_data.errors import StoreError

VERSION_NAME: Final = re.compile(r"[0-9a-f]{16}")
FOLDER_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
MANIFEST: Final = "manifest.json"
CARD: Final = "README.md"
CROISSANT: Final = "croissant.json"
#: A few small photographs, for who looks at the folder with `datasets`.
PREVIEW: Final = "preview.parquet"


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths of a store. Nothing is read or made by asking for one."""

    root: Path

    @property
    def current(self) -> Path:
        """Text: the name of the published version."""
        return self.root / "CURRENT"

    @property
    def catalog(self) -> Path:
        """DuckDB database with views over one version's tables."""
        return self.root / "catalog.duckdb"

    @property
    def versions(self) -> Path:
        """One folder for each published version."""
        return self.root / "versions"

    @property
    def runs(self) -> Path:
        """What is true of a run, not of the data: one folder for each run."""
        return self.root / "runs"

    @property
    def models(self) -> Path:
        """Trained models."""
        return self.root / "models"

    @property
    def evaluations(self) -> Path:
        """Predictions and metrics: `<model_id>/<version>/{predictions,evaluations}*.parquet`."""
        return self.root / "evaluations"

    @property
    def answers(self) -> Path:
        """What language models answered; never deleted."""
        return self.root / "answers"

    @property
    def work(self) -> Path:
        """Staging, caches and locks; may be deleted whenever nothing runs."""
        return self.root / "work"

    @property
    def build_lock(self) -> Path:
        """Held while a build runs."""
        return self.work / "build.lock"

    @property
    def pointer_lock(self) -> Path:
        """Held for the moment in which CURRENT and the catalog move."""
        return self.work / "pointer.lock"

    def version(self, name: str) -> Path:
        """The folder of a version. Raises StoreError if `name` can't be a version's."""
        return self.versions / check_version_name(name)

    def manifest(self, name: str) -> Path:
        """The manifest of a version."""
        return self.version(name) / MANIFEST

    def reader_lock(self, name: str) -> Path:
        """Shared by all who read a version; `prune` needs it for itself."""
        return self.work / "readers" / f"{check_version_name(name)}.lock"

    def evaluation(self, model_id: str, version: str) -> Path:
        """The folder of a model's predictions and metrics on a version."""
        return self.evaluations / check_folder_name(model_id) / check_version_name(version)

    def evaluation_files(self, table: str, version: str | None = None) -> list[Path]:
        """Parquet files of `predictions` or `evaluations`, of one version of the data or of all, sorted."""
        return sorted(self.evaluations.glob(f"*/{version or '*'}/{table}*.parquet"))


def new_run_id(started: datetime | None = None) -> str:
    """A name of a folder in `runs`, by when it was started (now), that no other has."""
    return f"{started or datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"


def check_version_name(name: str) -> str:
    """`name` itself if it is 16 lower-case hex digits. Raises StoreError otherwise."""
    if not VERSION_NAME.fullmatch(name):
        raise StoreError(
            f"{name!r} is not the name of a version (16 hex digits)", mend="`partonomy versions` lists them"
        )
    return name


def check_folder_name(name: str) -> str:
    """`name` itself if it may name a folder of a store (a model's, a run's). Raises StoreError otherwise."""
    if not FOLDER_NAME.fullmatch(name):
        raise StoreError(f"{name!r} can't name a folder of the store", mend="Use letters, digits, '.', '_' and '-'")
    return name
