"""Rows of a store by id. Tables are sorted by id, and ids of what belongs together begin alike, so that a look-up reads
a few row groups, whatever the size of the table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from partonomy_data.store import Store

Row = dict[str, Any]

#: Sorts after every hex digit.
_AFTER_HEX: Final = "g"
#: Sorts after every character.
_AFTER_ALL: Final = "\U0010ffff"
_MASK: Final = "* EXCLUDE (mask), mask.size AS mask_size, strlen(mask.counts) AS mask_bytes"


class Lookups:
    """The rows of one open store."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def rows(self, sql: str, *parameters: Any) -> list[Row]:
        """The rows of a SELECT as dictionaries."""
        found: list[Row] = self.store.select(sql, list(parameters)).rows.to_pylist()
        return found

    def one(self, table: str, key: str, value: str) -> Row | None:
        """The row of `table` whose `key` is `value`, None if there is none; instead of a mask its size and bytes."""
        if table == "questions":  # by far the widest rows, of files that are sorted by id
            found = self.between(table, value, f"{value}\0")
            return found[0] if found else None
        columns = _MASK if table in ("objects", "parts") else "*"
        found = self.rows(f"SELECT {columns} FROM {table} WHERE {key} = $1 LIMIT 1", value)
        return found[0] if found else None

    def parts_of(self, object_id: str) -> list[Row]:
        """The parts of an object: their ids begin as its own does."""
        first = f"prt_{object_id[4:10]}"
        return self.rows(
            "SELECT part_id, part_category, area, match_method FROM parts "
            "WHERE part_id >= $1 AND part_id < $2 AND object_id = $3 ORDER BY part_id",
            first,
            first + _AFTER_HEX,
            object_id,
        )

    def parts(self, part_ids: Sequence[str]) -> dict[str, Row]:
        """Parts of one photograph, by id."""
        if not part_ids:
            return {}
        found = self.rows(
            f"SELECT {_MASK} FROM parts WHERE part_id BETWEEN $1 AND $2 AND part_id IN (SELECT unnest($3::VARCHAR[]))",
            min(part_ids),
            max(part_ids),
            list(part_ids),
        )
        return {row["part_id"]: row for row in found}

    def between(self, table: str, first: str, before: str, columns: Sequence[str] | None = None) -> list[Row]:
        """The rows whose id is `first` or after it, and before `before`, as dictionaries."""
        found: list[Row] = self.store.between(table, first, before, columns).to_pylist()
        return found

    def named_in(self, question_id: str) -> list[Row]:
        """The parts that a question names, each with the ids of its masks, by name."""
        found = self.between("question_masks", question_id, f"{question_id}\0")
        return sorted(found, key=lambda one: str(one["part_category"]))

    def asked_with(self, question_id: str, columns: Sequence[str] | None = None) -> list[Row]:
        """The questions whose ids begin as this one's does, it among them: all that share its group or block are there."""
        unit = question_id[: len("qst_") + 12]
        return self.between("questions", unit, unit + _AFTER_HEX, columns) if len(question_id) > len(unit) else []

    def relations(self, parts: Iterable[str]) -> list[Row]:
        """What is known of every two of these part names."""
        return self.rows(
            "SELECT * FROM part_relations WHERE part_a IN (SELECT unnest($1::VARCHAR[])) "
            "AND part_b IN (SELECT unnest($1::VARCHAR[])) ORDER BY part_a, part_b",
            sorted(set(parts)),
        )

    def plausibility(self, categories: Iterable[str], parts: Iterable[str]) -> list[Row]:
        """Whether objects of these categories could have these parts."""
        return self.rows(
            "SELECT * FROM plausibility WHERE object_category IN (SELECT unnest($1::VARCHAR[])) "
            "AND part_category IN (SELECT unnest($2::VARCHAR[])) ORDER BY object_category, part_category",
            sorted(set(categories)),
            sorted(set(parts)),
        )

    def calls(self, call_ids: Iterable[str | None]) -> list[Row]:
        """Calls of a language model."""
        wanted = sorted({one for one in call_ids if one})
        if not wanted:
            return []
        return self.rows(
            "SELECT * FROM llm_calls WHERE call_id IN (SELECT unnest($1::VARCHAR[])) ORDER BY call_id", wanted
        )

    def quarantined(self, row_id: str) -> list[Row]:
        """The rows of quarantine that the source calls so."""
        return self.rows("SELECT * FROM quarantine WHERE row_id = $1 ORDER BY ALL", row_id)

    def quarantined_of_image(self, image_id: str) -> list[Row]:
        """Which rows of a photograph are in quarantine, its own among them."""
        return self.rows(
            "SELECT table_name, row_id, rule, reason FROM quarantine "
            "WHERE row_id = $1 OR starts_with(row_id, $2) ORDER BY ALL",
            image_id,
            f"{image_id}#",
        )

    def beginning(self, table: str, key: str, start: str, limit: int) -> list[str]:
        """The first values of `key` that begin with `start`; of names with folders, also those that end with it."""
        sql = f"SELECT DISTINCT {key} AS id FROM {table} WHERE {key} >= $1 AND {key} < $2"
        parameters: list[Any] = [start, start + _AFTER_ALL]
        if key in ("image_id", "row_id"):
            sql += f" OR ends_with({key}, $3)"
            parameters.append(f"/{start}")
        return [row["id"] for row in self.rows(f"{sql} ORDER BY id LIMIT {int(limit)}", *parameters)]
