"""Shards by keyed hash: even, ordered, and independent of all but the photograph itself."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from partonomy_data.sources import buckets


@given(st.text(), st.sampled_from([1, 2, 4, 64, 256]))
def test_a_shard_is_within_range_and_halving_the_shards_joins_neighbours(image_id: str, count: int) -> None:
    shard = buckets.shard_of(buckets.image_prefix(image_id), count)
    assert 0 <= shard < count
    assert buckets.shard_of(buckets.image_prefix(image_id), max(count // 2, 1)) == (shard // 2 if count > 1 else 0)


def test_shards_in_order_hold_prefixes_in_order() -> None:
    prefixes = sorted(buckets.image_prefix(str(n)) for n in range(2000))
    shards = [buckets.shard_of(prefix, 16) for prefix in prefixes]
    assert shards == sorted(shards)


def test_photographs_spread_evenly() -> None:
    found = Counter(buckets.shard_of(buckets.image_prefix(f"paco/{n:012d}"), 16) for n in range(16_000))
    assert max(found.values()) < 1200
    assert min(found.values()) > 800


def test_shard_count_is_a_power_of_two_that_keeps_shards_small() -> None:
    most = buckets.PHOTOGRAPHS_PER_SHARD
    assert [buckets.shard_count(n) for n in (0, most, most + 1, 16 * most, 10**7)] == [1, 1, 2, 16, 256]


@given(st.sets(st.text(min_size=1), max_size=30), st.integers(1, 10))
def test_a_limit_keeps_a_subset_that_grows_with_it(ids: set[str], limit: int) -> None:
    chosen = buckets.choose(sorted(ids), limit)
    assert chosen == buckets.choose(sorted(ids, reverse=True), limit)
    assert chosen <= buckets.choose(ids, limit + 1) <= ids
    assert len(chosen) == min(limit, len(ids))
