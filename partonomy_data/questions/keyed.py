"""Random choices that depend on nothing but what they are for: hashes of a seed, an id and a purpose."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import TypeVar

import pyarrow as pa
import pyarrow.ipc

T = TypeVar("T")


def hexdigest(*of: object, size: int = 8) -> str:
    """`2 * size` hex digits of a hash of the values' texts."""
    return blake2b("\0".join(map(str, of)).encode("utf-8", "surrogatepass"), digest_size=size).hexdigest()


def number(*of: object) -> int:
    """A whole number from 0 to 2**64 - 1."""
    return int.from_bytes(
        blake2b("\0".join(map(str, of)).encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big"
    )


def shuffled(items: Sequence[T], *of: object) -> list[T]:
    """The items in an order that the key decides, whatever order they come in; they must have distinct texts."""
    return sorted(items, key=lambda item: number(*of, item))


def permutation(length: int, *of: object) -> list[int]:
    """The numbers from 0 to `length` - 1 in an order that the key decides."""
    return shuffled(range(length), *of)


def table_digest(table: pa.Table) -> str:
    """Digest of a table's content, in the chunks that it has."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return blake2b(sink.getvalue(), digest_size=16).hexdigest()
