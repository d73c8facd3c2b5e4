"""A row's content as one number, as an SQL expression that DuckDB can run over millions of rows.

DuckDB's own `hash` of a list takes an empty one for none, and `[[a], [b]]` for `[[a, b]]`. So lists are hashed with their
lengths, and structs with whether they are there, down to the plain values.
"""

from __future__ import annotations

import pyarrow as pa


def hashed(expression: str, kind: pa.DataType, depth: int = 0) -> str:
    """An SQL expression for the hash (UBIGINT) of `expression`, which is of the Arrow type `kind`.

    Values that differ, nulls included, have different hashes but for one chance in 2^64; equal ones have equal hashes,
    0 and -0 among them. `depth` is the number of lists that `expression` lies in.
    """
    if pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind):
        element = f"x{depth}"
        inner = hashed(element, kind.value_type, depth + 1)
        return f"hash(list_transform({expression}, lambda {element}: {inner}), len({expression}))"
    if pa.types.is_struct(kind):
        inner = ", ".join(hashed(f'{expression}."{one.name}"', one.type, depth) for one in kind.fields)
        return f"hash({expression} IS NULL, {inner})"
    return f"hash({expression})"
