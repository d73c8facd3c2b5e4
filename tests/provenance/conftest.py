"""The small store of the store's own tests, for rows that a build doesn't make."""

from __future__ import annotations

from tests.store.conftest import one_version, published, root

__all__ = ["one_version", "published", "root"]
