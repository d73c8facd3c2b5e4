"""Part-annotated datasets as one queryable, versioned store.

    import partonomy_data
    store = partonomy_data.open("ROOT")                 # the current version
    store.sql("SELECT part_category FROM part_categories ORDER BY n_parts DESC LIMIT 5")

The names in `__all__` are public; nothing else is. They are imported when they are first used, so that
`import partonomy_data` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from partonomy_data.config import BuildConfig, SourceSetting
    from partonomy_data.errors import PartonomyError, QueryError, SourceError, StoreError, UsageError
    from partonomy_data.pipeline import build
    from partonomy_data.pipeline.runs import BuildReport
    from partonomy_data.provenance import explain
    from partonomy_data.store import Store, migrate, open, prune, relink, rollback, versions
    from partonomy_data.store.diff import diff

_HOMES = {
    "BuildConfig": "partonomy_data.config",
    "BuildReport": "partonomy_data.pipeline.runs",
    "PartonomyError": "partonomy_data.errors",
    "QueryError": "partonomy_data.errors",
    "SourceError": "partonomy_data.errors",
    "SourceSetting": "partonomy_data.config",
    "Store": "partonomy_data.store",
    "StoreError": "partonomy_data.errors",
    "UsageError": "partonomy_data.errors",
    "build": "partonomy_data.pipeline",
    "diff": "partonomy_data.store.diff",
    "explain": "partonomy_data.provenance",
    "migrate": "partonomy_data.store",
    "open": "partonomy_data.store",
    "prune": "partonomy_data.store",
    "relink": "partonomy_data.store",
    "rollback": "partonomy_data.store",
    "versions": "partonomy_data.store",
}

__all__ = [
    "BuildConfig",
    "BuildReport",
    "PartonomyError",
    "QueryError",
    "SourceError",
    "SourceSetting",
    "Store",
    "StoreError",
    "UsageError",
    "build",
    "diff",
    "explain",
    "migrate",
    "open",
    "prune",
    "relink",
    "rollback",
    "versions",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
