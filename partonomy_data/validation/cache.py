"""What was found out about single files, kept from one build to the next: a file that hasn't changed isn't gone through again.

Findings are kept under the digests of the files that they follow from, and of the code. They are for builds; a published
version is always looked at anew.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.feather as feather

from partonomy_data.sources.files import digest
from partonomy_data.store.files import sha256


@dataclass(slots=True)
class Cache:
    """Findings in a folder. `code` is the digest of the code that makes them."""

    folder: Path
    code: str
    _digests: dict[Path, str] = field(default_factory=dict)
    _used: set[str] = field(default_factory=set)

    def of(self, name: str, inputs: Sequence[Path], find: Callable[[], tuple[pa.Table, bool]]) -> pa.Table:
        """What `find` gives for these files, kept if it says so: that it follows from them alone."""
        key = digest(name, self.code, *(self._digest(path) for path in inputs))
        path = self.folder / f"{key}.arrow"
        self._used.add(path.name)
        try:
            return feather.read_table(path, memory_map=False)
        except (OSError, pa.ArrowException):
            found, lasting = find()
        if lasting:
            self.folder.mkdir(parents=True, exist_ok=True)
            aside = path.with_suffix(f".{os.getpid()}.tmp")
            feather.write_feather(found, aside, compression="uncompressed")
            aside.rename(path)
        return found

    def keep_used(self) -> None:
        """Removes what this build had no use for."""
        for path in self.folder.iterdir() if self.folder.is_dir() else ():
            if path.name not in self._used:
                path.unlink(missing_ok=True)

    def _digest(self, path: Path) -> str:
        if path not in self._digests:
            self._digests[path] = sha256(path)
        return self._digests[path]
