"""What the manifest says of rows, rules, shards and questions, held against the tables.

A manifest is foreign text once it is published: what it lacks counts as nothing said, not as an error of its own.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, Final

import pyarrow as pa

from partonomy_data.ingest.shard import COUNTED
from partonomy_data.store.parquet import EMPTY_FILE
from partonomy_data.validation.rules.common import found
from partonomy_data.validation.subject import Subject

#: Tables whose rows the counts are of. Rows that no table of these has (names, say) are only read and rejected.
_WITH_ROWS: Final = (*COUNTED, "questions")
#: Tables with a file for each shard of a source that has rows of them: wherever there is any, there are photographs.
_OF_SHARDS: Final = ("images", "objects", "parts", "part_evidence", "attributes")
_SHARD: Final = re.compile(r"(\d+)-of-(\d+)\.parquet")
#: Tables whose rows say which rules were applied to them.
_REPAIRED: Final = ("images", "objects", "parts", "quarantine")


def counts_conserved(subject: Subject) -> pa.Table:
    """Rows that were lost on the way, or that the manifest counts otherwise than the tables, by source and table."""
    return found(_uncounted(subject))


def _uncounted(subject: Subject) -> Iterator[tuple[str, str]]:
    out = {
        (row["source"], table): row["n"]
        for table in _WITH_ROWS
        for row in subject.found(f"SELECT source, count(*) AS n FROM {table} GROUP BY source").to_pylist()
    }
    rejected = {
        (row["source"], row["table_name"]): row["n"]
        for row in subject.found("SELECT source, table_name, count(*) AS n FROM quarantine GROUP BY ALL").to_pylist()
    }
    said = {
        (source, table): section(tables, table)
        for source, tables in section(subject.manifest, "counts").items()
        if isinstance(tables, Mapping)
        for table in tables
    }
    # Questions are counted by source only where validation rejected some.
    here = {key for key in out if key[1] != "questions"} | rejected.keys()
    for source, table in sorted(here | said.keys()):
        unit = f"{table} of {source}"
        one = said.get((source, table))
        if one is None:
            yield unit, "the manifest has no counts of them"
            continue
        read, derived, kept, quarantined = (number(one, name) for name in ("read", "derived", "out", "quarantined"))
        if read + derived != kept + quarantined:
            yield unit, f"{read:,} read + {derived:,} derived ≠ {kept:,} out + {quarantined:,} in quarantine"
        elif table in _WITH_ROWS and kept != (n := out.get((source, table), 0)):
            yield unit, f"{n:,} rows, counted {kept:,}"
        elif quarantined != (n := rejected.get((source, table), 0)):
            yield unit, f"{n:,} rows in quarantine, counted {quarantined:,}"


def quarantine_counted(subject: Subject) -> pa.Table:
    """Rules that more rows in quarantine broke than the manifest says it was applied to, by source."""
    return _more_than_said(subject, ["SELECT source, rule FROM quarantine"])


def repairs_counted(subject: Subject) -> pa.Table:
    """Rules that rows name more often, as what was repaired in them or why they were rejected, than the manifest."""
    repaired = [f"SELECT source, unnest(repairs) AS rule FROM {table} WHERE len(repairs) > 0" for table in _REPAIRED]
    return _more_than_said(subject, ["SELECT source, rule FROM quarantine", *repaired])


def _more_than_said(subject: Subject, queries: list[str]) -> pa.Table:
    said = section(subject.manifest, "rules")
    applied = subject.found(f"SELECT source, rule, count(*) AS n FROM ({' UNION ALL '.join(queries)}) GROUP BY ALL")
    return found(
        (f"{row['rule']} of {row['source']}", f"counted {row['n']:,}, the manifest says {most:,}")
        for row in applied.to_pylist()
        if row["n"] > (most := number(section(said, row["source"]), row["rule"]))
    )


def shards_complete(subject: Subject) -> pa.Table:
    """Files of shards that are missing, that aren't called as shards are, or that are of another number of shards."""
    return found(_odd_shards(subject))


def _odd_shards(subject: Subject) -> Iterator[tuple[str, str]]:
    have: dict[tuple[str, str], set[int]] = defaultdict(set)
    inputs = section(subject.manifest, "inputs")
    paths = {path for files in subject.files.values() for path in files} | set(subject.unreadable)
    for path in sorted(paths):
        table, *folders, name = path.relative_to(subject.folder).parts
        if table not in _OF_SHARDS or name == EMPTY_FILE:
            continue
        source = "/".join(folders).removeprefix("source=")
        shard, of = _SHARD.fullmatch(name), number(section(inputs, source), "shards")
        unit = path.relative_to(subject.folder).as_posix()
        if shard is None:
            yield unit, "it is not called as the file of a shard is"
        elif int(shard[2]) != of or int(shard[1]) >= of:
            yield unit, f"the manifest has {of:,} shards of {source}"
        else:
            have[source, table].add(int(shard[1]))
    rows = {row["source"]: row["n"] for row in _images(subject)}
    for source in sorted(inputs):
        of, images = number(section(inputs, source), "shards"), have[source, "images"]
        due = set().union(*(have[source, table] for table in _OF_SHARDS))
        if rows.get(source, 0) < number(section(subject.manifest, "counts", source, "images"), "out"):
            due = set(range(of))  # which of them had no photograph to begin with can't be told
        for shard_number in sorted(due - images):
            yield f"images/source={source}/{shard_number:03d}-of-{of:03d}.parquet", "there is no such file"


def _images(subject: Subject) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = subject.found("SELECT source, count(*) AS n FROM images GROUP BY source").to_pylist()
    return rows


def questions_counted(subject: Subject) -> pa.Table:
    """Whether the manifest says how many questions there are."""
    said, n = number(section(subject.manifest, "questions"), "questions"), subject.rows["questions"]
    return found([] if said == n else [("questions", f"{n:,} rows, the manifest says {said:,}")])


def section(of: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    """A mapping within the manifest; an empty one where there is none."""
    for name in names:
        inner = of.get(name)
        of = inner if isinstance(inner, Mapping) else {}
    return of


def number(of: Mapping[str, Any], name: str) -> int:
    """A whole number of the manifest; 0 where there is none."""
    value = of.get(name)
    return value if isinstance(value, int) else 0
