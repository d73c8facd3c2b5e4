"""Publishing versions of the tables, and reading them: staging, atomic publish, catalog, queries, versions."""

from partonomy_data.store.catalog import relink
from partonomy_data.store.diff import Diff, diff
from partonomy_data.store.history import VersionInfo, prune, rollback, verify, versions
from partonomy_data.store.lock import build_lock
from partonomy_data.store.migrations import Migrated, migrate
from partonomy_data.store.publish import Published, publish
from partonomy_data.store.query import Answer, Limits
from partonomy_data.store.reader import Store, open
from partonomy_data.store.render import FORMATS, render

__all__ = [
    "FORMATS",
    "Answer",
    "Diff",
    "Limits",
    "Migrated",
    "Published",
    "Store",
    "VersionInfo",
    "build_lock",
    "diff",
    "migrate",
    "open",
    "prune",
    "publish",
    "relink",
    "render",
    "rollback",
    "verify",
    "versions",
]
