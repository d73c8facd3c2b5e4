"""Short stable ids: hashes of what they identify, those of one photograph beginning alike.

An id is a prefix, six hex digits of the photograph's hash, and ten of the item's own. So rows sorted by id keep a
photograph's rows together, and a look-up by id reads one slice of a table. The build checks that no two rows share one.
"""

from __future__ import annotations

from hashlib import blake2b

from partonomy_data.sources.buckets import image_prefix


def object_id(image_id: str, key: str, prefix: str | None = None) -> str:
    """The id of the object that its source calls `key` in that photograph; its `prefix` may be given, to save time."""
    return f"obj_{prefix or image_prefix(image_id)}{_own(image_id, key, b'object')}"


def part_id(image_id: str, key: str, prefix: str | None = None) -> str:
    """The id of the part that its source calls `key` in that photograph; its `prefix` may be given, to save time."""
    return f"prt_{prefix or image_prefix(image_id)}{_own(image_id, key, b'part')}"


def _own(image_id: str, key: str, kind: bytes) -> str:
    return blake2b(f"{image_id}\0{key}".encode(), digest_size=5, person=kind).hexdigest()


__all__ = ["image_prefix", "object_id", "part_id"]
