"""A comparison of two versions as text for people, or as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any, Final

from partonomy_data.store.diff import Diff, Key, TableDiff
from partonomy_data.store.facts import Fact

#: Columns named for a table, and facts of the manifests; how many more there are is said.
_COLUMNS: Final = 4
_FACTS: Final = 20


def as_json(found: Diff) -> str:
    """All of it, as a JSON object; keys are lists of the key columns' values."""
    return json.dumps({"same": found.same, **asdict(found)}, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def as_text(found: Diff) -> str:
    """A table of the tables that differ, the keys that were asked for, and what the manifests say differently."""
    differing = [one for one in found.tables if not one.same]
    lines = [f"from version {found.old} to version {found.new}", ""]
    if differing:
        lines.append(f"{'table':<18}{'added':>12}{'gone':>12}{'changed':>12}  columns that changed")
        lines += map(_line, differing)
        same = [one.table for one in found.tables if one.same]
        lines += ["", f"no row differs in {', '.join(same)}"] if same else []
    else:
        lines.append("no row differs")
    lacking = [f"{one.table}.{column}" for one in found.tables for column in one.not_compared]
    if lacking:
        lines.append(f"not compared, as only one of the versions has them: {', '.join(lacking)}")
    for one in differing:
        lines += _keys(one)
    return "\n".join([*lines, *_facts(found.facts)]) + "\n"


def _line(one: TableDiff) -> str:
    named = [f"{name} {n:,}" for name, n in list(one.columns.items())[:_COLUMNS]]
    if len(one.columns) > _COLUMNS:
        named.append(f"and {len(one.columns) - _COLUMNS} more")
    return f"{one.table:<18}{one.added:>12,}{one.gone:>12,}{one.changed:>12,}  {', '.join(named)}".rstrip()


def _keys(one: TableDiff) -> Iterator[str]:
    """The keys that are listed, and how many rows are not."""
    kinds: tuple[tuple[str, int, Sequence[Key]], ...] = (
        ("added", one.added, one.added_keys),
        ("gone", one.gone, one.gone_keys),
        ("changed", one.changed, one.changed_keys),
    )
    for kind, total, keys in kinds:
        if keys:
            yield from ("", f"{one.table}, {kind} ({', '.join(one.key)}):")
            yield from ("  " + ", ".join(_plain(value) for value in key) for key in keys)
            if total > len(keys):
                yield f"  and {total - len(keys):,} more"


def _facts(facts: Sequence[Fact]) -> Iterator[str]:
    if facts:
        yield from ("", "what the manifests say of how they were made:")
        yield from (f"  {one.name}: {_plain(one.old)} → {_plain(one.new)}" for one in facts[:_FACTS])
    if len(facts) > _FACTS:
        yield f"  and {len(facts) - _FACTS:,} more (--format json lists them)"


def _plain(value: Any) -> str:
    """A value on one line; control characters are shown, not sent to the terminal."""
    text = "none" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
