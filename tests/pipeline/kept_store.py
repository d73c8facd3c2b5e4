"""A store and its sources that many tests change, each of them anew: built once, and put back as they were."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import partonomy_data
from partonomy_data import BuildConfig
from partonomy_data.pipeline import refreshing
from partonomy_data.pipeline.progress import Silent
from partonomy_data.runners import find
from partonomy_data.store.files import files_under, link_tree
from tests.questions.changed_sources import config


def settled(folder: Path) -> None:
    """Has all files be so old that their time tells whether they changed; the same file has the same time again."""
    for path in files_under(folder):
        os.utime(path, ns=(1, path.stat().st_ino + 1))


@dataclass(frozen=True)
class KeptStore:
    """What a build left in `store`, and the sources that it read, in `sources`."""

    folder: Path
    contents: dict[Path, bytes]
    """Of each file of the sources."""

    @property
    def store(self) -> Path:
        """The store that a test has; the build was done here."""
        return self.folder / "now" / "store"

    @property
    def sources(self) -> Path:
        """The folder of the sources, beside the store."""
        return self.folder / "now" / "sources"

    def put_back(self) -> Path:
        """Undoes whatever was done to the store, the sources, or beside them; returns the store.

        The sources' files are those that the build read, with their inodes and times: it remembers them by these.
        """
        shutil.rmtree(self.folder / "now")
        link_tree(self.folder / "sources", self.sources)
        for path, content in self.contents.items():
            if path.read_bytes() != content:
                path.chmod(0o644)
                path.write_bytes(content)
        settled(self.sources)
        shutil.copytree(self.folder / "store", self.store, symlinks=True)
        return self.store


def build(folder: Path, demo: Path, names: tuple[str, ...]) -> KeptStore:
    """Builds a store of some of the demo world's sources, which are copied: links would let others see what is changed."""
    for name in names:
        shutil.copytree(demo / name, folder / "sources" / name)
    kept = KeptStore(folder, {})
    link_tree(folder / "sources", kept.sources)
    settled(kept.sources)
    kept.contents.update((path, path.read_bytes()) for path in files_under(kept.sources))
    partonomy_data.build(kept.store, config(kept.sources, names))
    shutil.copytree(kept.store, folder / "store", symlinks=True)
    return kept


def refreshed(root: Path, wanted: BuildConfig | None = None) -> partonomy_data.BuildReport:
    """What a refresh that has something to do comes to."""
    status = refreshing.status(root)
    assert status.changed
    given = wanted or status.config
    return find("local")(root, given, Silent(), keep=refreshing.keep(root, given))
