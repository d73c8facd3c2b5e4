"""Tables of the part taxonomy: categories, the two graphs, relations between part names, plausibility."""

from __future__ import annotations

import pyarrow as pa

from schemas.columns import STRINGS, Column, Table

OBJECT_CATEGORIES = Table(
    "object_categories",
    "an object name",
    (
        Column("object_category", pa.string(), "Canonical name: lower case, singular, American spelling"),
        Column(
            "supercategory",
            pa.string(),
            "Its nearest parent in `category_graph`; null if it has none",
            nullable=True,
        ),
        Column("sources", STRINGS, "Sources that have the category, sorted"),
        Column(
            "source_categories",
            STRINGS,
            "What each source calls it, as `<source>:<category>`, sorted (`partimagenet:n02088364`, a wnid)",
        ),
        Column("n_objects", pa.int64(), "Object instances"),
        Column("n_images", pa.int64(), "Photographs with at least one instance"),
    ),
    key=("object_category",),
)

PART_CATEGORIES = Table(
    "part_categories",
    "a part name",
    (
        Column("part_category", pa.string(), "Canonical name: lower case, singular, American spelling"),
        Column("sources", STRINGS, "Sources that have the part, sorted"),
        Column("n_parts", pa.int64(), "Part instances"),
        Column("n_object_categories", pa.int64(), "Object categories that have the part in `part_graph`"),
    ),
    key=("part_category",),
)

PART_GRAPH = Table(
    "part_graph",
    "object has part",
    (
        Column("object_category", pa.string(), "Canonical name of the whole"),
        Column("part_category", pa.string(), "Canonical name of the part"),
        Column("n_objects", pa.int64(), "Instances of the object category in the sources that declare the pair"),
        Column("n_with_part", pa.int64(), "Those of them with at least one annotated instance of the part"),
        Column("frequency", pa.float64(), "n_with_part / n_objects; 0 where there is no instance"),
        Column("sources", STRINGS, "Sources that declare the pair, sorted"),
        Column(
            "evidence",
            pa.string(),
            "`annotated` (seen in a photograph), `curated` (declared by a source's authors, not seen) or `judged`",
        ),
    ),
    key=("object_category", "part_category"),
)

CATEGORY_GRAPH = Table(
    "category_graph",
    "is-a",
    (
        Column("child", pa.string(), "Canonical name of the narrower object category"),
        Column("parent", pa.string(), "Canonical name of the broader one"),
        Column("source", pa.string(), "The source that says so"),
    ),
    key=("child", "parent", "source"),
)

PART_RELATIONS = Table(
    "part_relations",
    "two part names",
    (
        Column("part_a", pa.string(), "A canonical part name"),
        Column("part_b", pa.string(), "Another"),
        Column(
            "relation",
            pa.string(),
            "`same`, `broader`, `narrower` or `distinct`; read: part_a is … than (as) part_b",
        ),
        Column(
            "method",
            pa.string(),
            "Who decided: `override`, `curated`, `exact`, `lexical`, `llm`, `head_noun`, `llm_unsure`, `closure`",
        ),
        Column("confidence", pa.float32(), "0 to 1"),
        Column(
            "call_id",
            pa.string(),
            "The language model's call that the decision rests on, if one does (`llm_calls`); of several, one",
            nullable=True,
        ),
    ),
    key=("part_a", "part_b"),
)

PLAUSIBILITY = Table(
    "plausibility",
    "could an X have a P?",
    (
        Column("object_category", pa.string(), "Canonical name of the whole"),
        Column("part_category", pa.string(), "Canonical name of the part"),
        Column("verdict", pa.string(), "`annotated`, `plausible` or `implausible`"),
        Column("method", pa.string(), "Who decided: `source`, or `llm`"),
        Column("confidence", pa.float32(), "0 to 1"),
        Column(
            "call_id",
            pa.string(),
            "The language model's call that the decision rests on, if one does (`llm_calls`)",
            nullable=True,
        ),
    ),
    key=("object_category", "part_category"),
)
