"""All the tables by name: the one place that says what a published version holds."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from schemas import photographs, questions, taxonomy
from schemas.columns import Column, Table

#: Version of the schemas; raised whenever a column is added or changes its name, type or meaning, or a table is added.
#: Each rise has a step in `partonomy_data.store.migrations`.
SCHEMA_VERSION: Final = 3

#: The tables of a published version, in the order of the way of the data.
TABLES: Final[dict[str, Table]] = {
    table.name: table
    for table in (
        photographs.IMAGES,
        photographs.OBJECTS,
        photographs.PARTS,
        photographs.PART_EVIDENCE,
        photographs.ATTRIBUTES,
        taxonomy.OBJECT_CATEGORIES,
        taxonomy.PART_CATEGORIES,
        taxonomy.PART_GRAPH,
        taxonomy.CATEGORY_GRAPH,
        taxonomy.PART_RELATIONS,
        taxonomy.PLAUSIBILITY,
        photographs.SPLITS,
        questions.QUESTIONS,
        questions.QUESTION_MASKS,
        questions.LLM_CALLS,
        photographs.QUARANTINE,
    )
}

#: Tables that are filled after publishing, by evaluating models; the catalog has views over them.
EVALUATION_TABLES: Final[dict[str, Table]] = {
    table.name: table for table in (questions.PREDICTIONS, questions.EVALUATIONS)
}


def table(name: str) -> Table:
    """The table called `name`. Raises KeyError if there is none."""
    return TABLES[name] if name in TABLES else EVALUATION_TABLES[name]


def schema(name: str) -> pa.Schema:
    """The Arrow schema of the table called `name`. Raises KeyError if there is none."""
    return table(name).schema()


__all__ = ["EVALUATION_TABLES", "SCHEMA_VERSION", "TABLES", "Column", "Table", "schema", "table"]
