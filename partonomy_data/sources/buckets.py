"""Which shard a photograph belongs to, by a keyed hash of its id: independent of order, and of all other photographs."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

#: Photographs that one shard should hold at most, about: small enough for bounded memory, large enough to be worth a task.
PHOTOGRAPHS_PER_SHARD = 2048
#: Hex digits of the photograph's hash that all ids within it begin with (see `partonomy_data.ids`).
PREFIX_DIGITS = 6


def image_prefix(image_id: str) -> str:
    """The six hex digits that stand for a photograph in the ids of all that it holds."""
    return blake2b(image_id.encode(), digest_size=PREFIX_DIGITS // 2, person=b"photograph").hexdigest()


def shard_count(n_images: int) -> int:
    """A power of two from 1 to 256, so that a shard holds about `PHOTOGRAPHS_PER_SHARD` photographs at most."""
    count = 1
    while count < 256 and n_images > count * PHOTOGRAPHS_PER_SHARD:
        count *= 2
    return count


def shard_of(prefix: str, count: int) -> int:
    """The shard (0 … count-1) of a photograph with this `prefix`; shards in order hold prefixes in order."""
    return int(prefix, 16) * count >> (4 * PREFIX_DIGITS)


def choose(image_ids: Iterable[str], limit: int | None) -> set[str]:
    """The photographs that `--limit` keeps: those with the smallest keyed hash. All of them if `limit` is None."""
    ids = set(image_ids)
    if limit is None or len(ids) <= limit:
        return ids
    return set(
        sorted(ids, key=lambda image_id: blake2b(image_id.encode(), digest_size=16, person=b"limit").digest())[:limit]
    )
