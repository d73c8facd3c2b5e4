"""How far rules look: each finds what it finds on all rows where only what it is said to look at can be seen."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

import pytest

from partonomy_data.validation import touched
from partonomy_data.validation.reach import LINKS, NAMES, Reach, reaches
from partonomy_data.validation.rules import checks
from partonomy_data.validation.subject import Subject
from partonomy_data.validation.suites import suites
from schemas.tables import TABLES
from tests.validation.damage import damaged
from tests.validation.staged import Once, Staged, column, two_sources_in_few_files

Key = tuple[str, str]
_KNOWN = {(suite, one.rule) for suite, of in suites().items() for one in of.expectations}
#: What rules of a block see.
_OF_BLOCKS = frozenset({"questions", "splits"})


def of(*scopes: str) -> list[Key]:
    return sorted(key for key, reach in reaches().items() if reach.scope in scopes)


def test_what_is_listed_are_rules_and_a_rule_is_listed_once() -> None:
    assert set(reaches()) == _KNOWN
    named = [name for reach in reaches().values() for name in reach.tables or ()]
    assert set(named) <= set(TABLES)
    assert {name for key in of("photograph") for name in reaches()[key].tables or ()} <= set(NAMES)


def test_links_and_names_are_columns_of_their_tables() -> None:
    linked = {table: [name for name, _ in links] for table, links in LINKS.items()}
    for table, columns in [*linked.items(), *NAMES.items()]:
        assert set(columns) <= set(TABLES[table].schema().names)


def test_links_take_in_each_column_by_which_rows_point_at_others() -> None:
    """A table of one photograph's rows that had such a column besides would be looked up where it can't be seen."""
    keys = {"image_id", "object_id", "part_id", "question_id", "annotation_id", "cluster", "photograph", "sha256"}
    for table, links in LINKS.items():
        assert keys & set(TABLES[table].schema().names) == {name for name, _ in links}


def test_rules_about_single_rows_are_few_that_look_at_everything() -> None:
    everything = [key for key, reach in reaches().items() if reach == Reach("whole")]
    assert {suite for suite, _ in everything} == {"version"}


@pytest.fixture(scope="module")
def staged(once: Once, tmp_path_factory: pytest.TempPathFactory) -> Staged:
    """A version whose tables lack every third row, so that rules which compare rows have something to find."""
    staged = Staged.of(two_sources_in_few_files(once), tmp_path_factory.mktemp("reach"))
    staged.settings = {"blind_questions": 20_000}
    for table in TABLES:
        if any((staged.folder / table).rglob("*.parquet")) and column(
            staged.folder, table, TABLES[table].schema().names[0]
        ):
            damaged(staged.folder, table, lambda rows: rows.take([i for i in range(rows.num_rows) if i % 3 > 0]))
    return staged


@pytest.fixture(scope="module")
def subject(staged: Staged) -> Iterator[Subject]:
    with staged.open() as opened:
        yield opened


def seeing(subject: Subject, tables: frozenset[str], names: frozenset[str]) -> Subject:
    """The subject with these tables alone, of `names` the columns that rules may look at; no files, and no version before."""
    connection = subject.connection.cursor()
    with suppress(Exception):
        connection.execute("DETACH alone")
    connection.execute("ATTACH ':memory:' AS alone")
    for table in tables | names:
        columns = ", ".join(NAMES[table]) if table in names else "*"
        connection.execute(f"CREATE VIEW alone.main.{table} AS SELECT {columns} FROM memory.main.{table}")
    connection.execute("USE alone")
    return replace(subject, connection=connection, files={}, unreadable={}, memory={}, rows={}, parent=None)


def told(subject: Subject, key: Key) -> set[str]:
    check = checks()[key]
    found = subject.found(check) if isinstance(check, str) else check(subject)
    return set(found["row"].to_pylist())


@pytest.mark.parametrize("key", of("photograph", "block"), ids=".".join)
def test_a_rule_of_rows_needs_no_more_than_it_is_said_to(subject: Subject, key: Key) -> None:
    reach = reaches()[key]
    tables = frozenset(LINKS) if reach.scope == "photograph" else _OF_BLOCKS
    alone = seeing(subject, tables, reach.tables or frozenset())
    assert told(alone, key) == told(subject, key)


@pytest.mark.parametrize("key", [key for key in of("whole") if reaches()[key].tables is not None], ids=".".join)
def test_a_rule_of_whole_tables_needs_no_more_than_it_is_said_to(subject: Subject, key: Key) -> None:
    tables = reaches()[key].tables
    assert tables is not None
    alone = seeing(subject, tables, frozenset())
    if key[0] == "version":  # some go by files where findings are kept of them, which is not so here
        alone = replace(alone, files={"questions": []})
    assert told(alone, key) == told(subject, key)


# What is touched


@pytest.fixture(scope="module")
def halves(staged: Staged) -> Iterator[tuple[tuple[Subject, Subject], tuple[Subject, Subject]]]:
    """The photographs in two halves, by what is linked; and their blocks, of which some are in both."""
    with staged.open() as one, staged.open() as other:
        for subject in (one, other):
            subject.connection.execute("CREATE TEMP TABLE reached (kind VARCHAR, value VARCHAR)")
            subject.connection.execute("CREATE TEMP TABLE changed_blocks (block_id VARCHAR)")
        one.connection.execute("INSERT INTO reached SELECT 'image', image_id FROM images WHERE hash(image_id) % 2 = 0")
        first = touched.loaded(one, touched.closed(one))
        other.connection.register("known", one.found("SELECT DISTINCT kind, value FROM reached"))
        for table, links in LINKS.items():
            for name, kind in links:
                other.connection.execute(
                    f"""INSERT INTO reached SELECT DISTINCT '{kind}', {name} FROM {table} WHERE {name} NOTNULL
                    AND {name} NOT IN (SELECT value FROM known WHERE kind = '{kind}')"""
                )
        second = touched.loaded(other, touched.closed(other))
        yield (first, second), (touched.blocks_of(one), touched.blocks_of(other))


def test_each_row_is_in_one_of_both_halves(
    subject: Subject, halves: tuple[tuple[Subject, Subject], tuple[Subject, Subject]]
) -> None:
    one, other = halves[0]
    for table in LINKS:
        assert one.rows[table] + other.rows[table] == subject.rows[table]
        assert min(one.rows[table], other.rows[table]) > 0


@pytest.mark.parametrize("key", of("photograph", "block"), ids=".".join)
def test_a_rule_finds_in_the_halves_what_it_finds_in_all(
    subject: Subject, halves: tuple[tuple[Subject, Subject], tuple[Subject, Subject]], key: Key
) -> None:
    one, other = halves[reaches()[key].scope == "block"]
    assert told(one, key) | told(other, key) == told(subject, key)
