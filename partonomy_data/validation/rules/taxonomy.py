"""Names of objects and parts, the two graphs over them, and what objects could have.

All counts are made anew, from `objects` and `parts`. Relations between part names are in `relations`, the calls that
judgements rest on in `calls`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Final

import pyarrow as pa

from partonomy_data.store.catalog import quoted
from partonomy_data.taxonomy.categories import CURATED
from partonomy_data.taxonomy.words import BadName, is_plain, normalise
from partonomy_data.validation.rules import Check, calls, relations
from partonomy_data.validation.rules.common import doubled, found, orphans
from partonomy_data.validation.rules.counts import section
from partonomy_data.validation.subject import ROW, Subject

_PAIR: Final = ROW["part_graph"]
_KEY: Final[Mapping[str, str]] = {
    "object_categories": "object_category",
    "part_categories": "part_category",
    "part_graph": "object_category, part_category",
}
#: SQL of the sources whose annotations show what a row is about: the row's columns, and `shown`.
_SHOWN: Final[Mapping[str, str]] = {
    "object_categories": "SELECT object_category, list(DISTINCT source) AS shown FROM objects GROUP BY ALL",
    "part_categories": "SELECT part_category, list(DISTINCT source) AS shown FROM parts GROUP BY ALL",
    "part_graph": "SELECT object_category, part_category, list(source) AS shown FROM seen_pairs GROUP BY ALL",
}
#: What is wrong with a row's `sources`, as SQL; null where nothing is. `built` are the sources of the build.
_OF_SOURCES: Final = """CASE
    WHEN len(sources) = 0 THEN 'it names no source'
    WHEN sources <> list_sort(list_distinct(sources)) THEN 'its sources are not in order, or one comes twice'
    WHEN NOT list_has_all({built}, sources) THEN 'of no source of the build: '
        || array_to_string(list_filter(sources, lambda one: NOT list_contains({built}, one)), ', ')
    WHEN NOT list_has_all(sources, coalesce(shown, [])) THEN 'it leaves out '
        || array_to_string(list_sort(list_filter(shown, lambda one: NOT list_contains(sources, one))), ', ') END"""


_BAD: Final = pa.schema([("name", pa.string()), ("how", pa.string())])


def _see_pairs(subject: Subject) -> None:
    """Makes the table `seen_pairs`: object category, part category, source, and `n` objects of these with such a part."""
    if "seen_pairs" not in subject.memory:
        subject.connection.execute(
            """CREATE TEMP TABLE seen_pairs AS
            SELECT object_category, part_category, p.source, count(DISTINCT object_id) AS n
            FROM parts p JOIN objects USING (object_id) GROUP BY ALL"""
        )
        subject.memory["seen_pairs"] = True


def counted(subject: Subject, table: str, column: str, recount: str) -> pa.Table:
    """The rows of `table` whose `column` isn't the `n` that the query `recount` has for their key; 0 where it has none."""
    _see_pairs(subject)
    return subject.found(
        f"""SELECT {ROW[table]} AS row, {column} || ', counted ' || coalesce(n, 0)::BIGINT AS reason
        FROM {table} LEFT JOIN ({recount}) USING ({_KEY[table]}) WHERE {column} <> coalesce(n, 0)"""
    )


#: (table, column) → its recount.
_RECOUNTS: Final[Mapping[tuple[str, str], str]] = {
    ("object_categories", "n_objects"): "SELECT object_category, count(*) AS n FROM objects GROUP BY 1",
    ("object_categories", "n_images"): "SELECT object_category, count(DISTINCT image_id) AS n FROM objects GROUP BY 1",
    ("part_categories", "n_parts"): "SELECT part_category, count(*) AS n FROM parts GROUP BY 1",
    ("part_categories", "n_object_categories"): """SELECT part_category, count(DISTINCT object_category) AS n
        FROM part_graph GROUP BY 1""",
    # Only the sources that declare the pair: one that doesn't label wings has no say in how many birds have some.
    ("part_graph", "n_objects"): """SELECT object_category, part_category, sum(n) AS n
        FROM (SELECT DISTINCT object_category, part_category, unnest(sources) AS source FROM part_graph)
        JOIN (SELECT object_category, source, count(*) AS n FROM objects GROUP BY ALL) USING (object_category, source)
        GROUP BY ALL""",
    ("part_graph", "n_with_part"): "SELECT object_category, part_category, sum(n) AS n FROM seen_pairs GROUP BY ALL",
}


def sources_hold(subject: Subject, table: str) -> pa.Table:
    """The rows of `table` whose sources aren't in order, aren't of the build, or lack one whose annotations show it."""
    _see_pairs(subject)
    inputs = section(subject.manifest, "inputs")
    built = f"[{', '.join(map(quoted, sorted(inputs)))}]::VARCHAR[]" if inputs else "sources"
    return subject.found(
        f"""SELECT * FROM (SELECT {ROW[table]} AS row, {_OF_SOURCES.format(built=built)} AS reason
        FROM {table} LEFT JOIN ({_SHOWN[table]}) USING ({_KEY[table]})) WHERE reason IS NOT NULL"""
    )


def pairs_listed(subject: Subject) -> pa.Table:
    """What photographs show and the part graph has no row for."""
    _see_pairs(subject)
    return subject.found(
        f"""SELECT {_PAIR} AS row, sum(n)::BIGINT || ' objects have it' AS reason FROM seen_pairs
        ANTI JOIN part_graph USING (object_category, part_category) GROUP BY object_category, part_category"""
    )


def names_are(subject: Subject, table: str, columns: Iterable[str], wrong: Callable[[str], str | None]) -> pa.Table:
    """The rows of `table` with a name in one of `columns` that something is `wrong` with."""
    bad: dict[str, str] = {}
    for column in columns:
        for name in subject.found(f"SELECT DISTINCT {column} AS name FROM {table}")["name"].to_pylist():
            if (how := wrong(name)) is not None:
                bad[name] = how
    subject.connection.register("bad_names", pa.table({"name": list(bad), "how": list(bad.values())}, schema=_BAD))
    both = " UNION ALL ".join(
        f"SELECT {ROW[table]} AS row, how AS reason FROM {table} JOIN bad_names ON name = {column}"
        for column in columns
    )
    try:
        return subject.found(both)
    finally:
        subject.connection.unregister("bad_names")


def names_canonical(subject: Subject, table: str, columns: Iterable[str]) -> pa.Table:
    """The rows of `table` with a name that the rules would write otherwise; with an overrides file the user's word wins."""
    overridden = section(subject.manifest, "config").get("overrides")
    return found([]) if overridden else names_are(subject, table, columns, not_canonical)


def not_plain(name: str) -> str | None:
    """What is wrong with a name's form, whoever gave it; None if nothing is."""
    if is_plain(name) or _canonical(name) == name:
        return None
    return f"{name!r} is not in lower case, with single spaces and no other signs"


def not_canonical(name: str) -> str | None:
    """What the rules would make of a plain name; None if they leave it as it is."""
    due = _canonical(name)
    return None if due == name or not_plain(name) else f"the rules write {name!r} as {due!r}"


def _canonical(name: str) -> str | None:
    try:
        return normalise(name)
    except BadName:
        return None


def source_of_edge_known(subject: Subject) -> pa.Table:
    """The pairs of the category graph that neither a source of the build nor the curated table has."""
    inputs = section(subject.manifest, "inputs")
    if not inputs:
        return found([])
    known = ", ".join(map(quoted, sorted({*inputs, CURATED})))
    return subject.found(
        f"SELECT {ROW['category_graph']} AS row, 'of no source of the build' AS reason FROM category_graph"
        f" WHERE source NOT IN ({known})"
    )


#: A category that is above itself, and the pairs on the way.
_ACYCLIC: Final = f"""WITH RECURSIVE pairs_up AS (SELECT DISTINCT child, parent FROM category_graph WHERE child <> parent),
    above AS (SELECT child AS start, parent AS name FROM pairs_up
        UNION SELECT start, parent FROM above JOIN pairs_up ON child = name)
    SELECT {ROW["category_graph"]} AS row, 'another way leads from ' || parent || ' up to ' || child AS reason
    FROM category_graph JOIN above ON start = parent AND name = child WHERE child <> parent"""

#: A supercategory is a parent in the category graph, one that a source declares if any does.
_SUPERCATEGORY: Final = f"""WITH parents AS (SELECT child, list_sort(list(DISTINCT parent)) AS known,
        list_sort(list(DISTINCT parent) FILTER (source <> '{CURATED}')) AS declared FROM category_graph GROUP BY child),
    due AS (SELECT object_category, supercategory, coalesce(declared, known) AS due
        FROM object_categories LEFT JOIN parents ON child = object_category)
    SELECT object_category AS row, coalesce(supercategory, 'none') || ', in category_graph '
        || coalesce(array_to_string(due, ', '), 'none') AS reason
    FROM due WHERE CASE WHEN supercategory IS NULL OR due IS NULL THEN supercategory IS NOT NULL OR due IS NOT NULL
        ELSE NOT list_contains(due, supercategory) END"""

#: What each source calls a category: names of its sources, and those that its objects have. An older build didn't say.
_SOURCE_CATEGORIES: Final = """WITH shown AS (
        SELECT object_category, list(DISTINCT source || ':' || source_category) AS seen FROM objects GROUP BY ALL),
    told AS (SELECT object_category, sources, source_categories AS said, coalesce(seen, []) AS seen
        FROM object_categories LEFT JOIN shown USING (object_category) WHERE len(source_categories) > 0)
    SELECT * FROM (SELECT object_category AS row, CASE
        WHEN said <> list_sort(list_distinct(said)) THEN 'they are not in order, or one comes twice'
        WHEN NOT list_has_all(said, seen) THEN 'it leaves out '
            || array_to_string(list_sort(list_filter(seen, lambda one: NOT list_contains(said, one))), ', ')
        WHEN NOT list_has_all(sources, list_transform(said, lambda one: split_part(one, ':', 1)))
            THEN 'one is of a source that has no such category' END AS reason FROM told) WHERE reason IS NOT NULL"""

_PLAUSIBLE: Final = ROW["plausibility"]


def _names(table: str, *columns: str) -> dict[str, Check]:
    return {
        "names_plain": partial(names_are, table=table, columns=columns, wrong=not_plain),
        "names_canonical": partial(names_canonical, table=table, columns=columns),
    }


def _counts(table: str) -> dict[str, Check]:
    return {
        f"{column}_counted": partial(counted, table=table, column=column, recount=recount)
        for (of, column), recount in _RECOUNTS.items()
        if of == table
    }


CHECKS: Final[Mapping[str, Mapping[str, Check]]] = {
    "object_categories": {
        "key_unique": doubled("object_categories"),
        **_names("object_categories", "object_category"),
        "sources_hold": partial(sources_hold, table="object_categories"),
        **_counts("object_categories"),
        "supercategory_in_graph": _SUPERCATEGORY,
        "source_categories_hold": _SOURCE_CATEGORIES,
    },
    "part_categories": {
        "key_unique": doubled("part_categories"),
        **_names("part_categories", "part_category"),
        "sources_hold": partial(sources_hold, table="part_categories"),
        **_counts("part_categories"),
    },
    "part_graph": {
        "key_unique": doubled("part_graph"),
        "object_category_known": orphans("part_graph", "object_category", "object_categories"),
        "part_category_known": orphans("part_graph", "part_category", "part_categories"),
        "pairs_listed": pairs_listed,
        "sources_hold": partial(sources_hold, table="part_graph"),
        **_counts("part_graph"),
        "frequency_is_ratio": f"""SELECT {_PAIR} AS row,
                frequency || ', not ' || n_with_part || ' of ' || n_objects AS reason FROM part_graph
            WHERE abs(frequency - CASE WHEN n_objects = 0 THEN 0 ELSE n_with_part / n_objects END) > 1e-12""",
        "evidence_known": f"""SELECT {_PAIR} AS row, evidence AS reason FROM part_graph
            WHERE evidence NOT IN ('annotated', 'curated', 'judged')""",
        "annotated_is_seen": f"""SELECT {_PAIR} AS row, evidence || ', seen in ' || n_with_part AS reason
            FROM part_graph WHERE (evidence = 'annotated') <> (n_with_part > 0)""",
    },
    "category_graph": {
        "key_unique": doubled("category_graph"),
        **_names("category_graph", "child", "parent"),
        "source_known": source_of_edge_known,
        "no_self_loop": f"SELECT {ROW['category_graph']} AS row FROM category_graph WHERE child = parent",
        "acyclic": _ACYCLIC,
    },
    "plausibility": {
        "key_unique": doubled("plausibility"),
        "object_category_known": orphans("plausibility", "object_category", "object_categories"),
        "part_category_known": orphans("plausibility", "part_category", "part_categories"),
        "values_known": f"""SELECT {_PLAUSIBLE} AS row, verdict || ', by ' || method AS reason FROM plausibility
            WHERE verdict NOT IN ('annotated', 'plausible', 'implausible') OR method NOT IN ('source', 'llm')""",
        "confidence_in_range": f"""SELECT {_PLAUSIBLE} AS row, confidence::VARCHAR AS reason FROM plausibility
            WHERE NOT confidence BETWEEN 0 AND 1 OR method = 'source' AND confidence <> 1""",
        "graph_is_plausible": f"""SELECT {_PAIR} AS row,
                CASE WHEN p.verdict IS NULL THEN 'it has no row' ELSE p.verdict || ', by ' || p.method END AS reason
            FROM part_graph g LEFT JOIN plausibility p USING (object_category, part_category)
            WHERE p.verdict IS NULL OR p.verdict = 'implausible' OR p.method <> 'source'""",
        "annotated_as_in_graph": f"""SELECT {_PLAUSIBLE} AS row,
                p.verdict || ', in part_graph ' || coalesce(g.evidence, 'not there') AS reason
            FROM plausibility p LEFT JOIN part_graph g USING (object_category, part_category)
            WHERE (p.verdict = 'annotated') <> (coalesce(g.evidence, '') = 'annotated')""",
        "call_known": calls.known("plausibility", ("llm",)),
    },
    "part_relations": relations.CHECKS,
    "llm_calls": calls.CHECKS,
}
