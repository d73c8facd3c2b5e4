"""Whether a question says in words what its row says, and whether what it says of its object fits that one alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import pyarrow as pa

from partonomy_data.questions.claims import CONFIDENT
from partonomy_data.questions.nouns import plain
from partonomy_data.questions.regions import AS_LARGE, INSIDE
from partonomy_data.questions.wording import PLACES
from partonomy_data.store.catalog import quoted
from partonomy_data.validation.rules.common import found
from partonomy_data.validation.subject import Subject

#: Questions that are looked at again at a time.
_BATCH: Final = 4096

#: Categories of which one may be called by the other's name: one is broader, or they differ by a qualifier alone.
_ALIKE: Final = r"""CREATE OR REPLACE TEMP TABLE alike_kinds AS
    WITH RECURSIVE above(child, parent) AS (
        SELECT child, parent FROM category_graph UNION
        SELECT a.child, g.parent FROM above a JOIN category_graph g ON g.child = a.parent),
    bare AS (SELECT object_category AS name, trim(regexp_replace(object_category, '\s*\([^()]*\)\s*', ' ', 'g')) AS bare
        FROM object_categories)
    SELECT * FROM (SELECT child AS one, parent AS other FROM above UNION SELECT parent, child FROM above
        UNION SELECT a.name, b.name FROM bare a JOIN bare b USING (bare)) WHERE one <> other"""
_BOX: Final = quoted(PLACES[True].strip())


def _see_alike(subject: Subject) -> None:
    if "alike_kinds" not in subject.memory:
        subject.connection.execute(_ALIKE)
        subject.memory["alike_kinds"] = True


def contrast_is_another_kind(subject: Subject) -> pa.Table:
    """No object is compared with what it could be called itself."""
    _see_alike(subject)
    return subject.found(
        """SELECT question_id AS row, own || ' is compared with ' || q.other AS reason FROM (
            SELECT question_id, object_category AS own, unnest(contrast_categories) AS other
            FROM questions JOIN objects USING (object_id) WHERE len(contrast_categories) > 0) q
        LEFT JOIN alike_kinds a ON a.one = own AND a.other = q.other WHERE own = q.other OR a.one IS NOT NULL"""
    )


_LOW: Final = "greatest(b.bbox[{0}]::DOUBLE, region[{0}])"
_HIGH: Final = "least(b.bbox[{0}]::DOUBLE + b.bbox[{1}], region[{0}]::DOUBLE + region[{1}])"
_COMMON: Final = " * ".join(f"greatest(0, {_HIGH.format(x, w)} - {_LOW.format(x)})" for x, w in ((1, 3), (2, 4)))
_AREA: Final = "coalesce({0}.area, {0}.bbox[3]::DOUBLE * {0}.bbox[4])"
#: Where a crop points at an object, no other that is half as large and mostly inside could be meant.
_CROP_SHOWS_ONE: Final = f"""SELECT question_id AS row,
        'its crop shows ' || min(b.object_id || ', a ' || b.object_category) AS reason
    FROM questions q JOIN objects o USING (object_id)
    JOIN objects b ON b.image_id = o.image_id AND b.object_id <> o.object_id
    WHERE q.referent = 'crop' AND (NOT q.names_object OR b.object_category = o.object_category)
    AND b.bbox[3] * b.bbox[4] > 0 AND {_AREA.format("b")} >= {AS_LARGE} * {_AREA.format("o")}
    AND {_COMMON} >= {INSIDE} * b.bbox[3]::DOUBLE * b.bbox[4] GROUP BY question_id"""


def unique_is_alone(subject: Subject) -> pa.Table:
    """Where neither a crop nor a box points at it, the object is the only one that the question could mean."""
    _see_alike(subject)
    return subject.found(
        """WITH beside AS (
            SELECT o.object_id, count(*) AS n, count(*) FILTER (b.object_category = o.object_category OR a.one IS NOT NULL)
                AS alike
            FROM objects o JOIN objects b ON b.image_id = o.image_id AND b.object_id <> o.object_id
            LEFT JOIN alike_kinds a ON a.one = o.object_category AND a.other = b.object_category GROUP BY o.object_id)
        SELECT question_id AS row, if(names_object, alike || ' like it', n || ' others') || ' in ' || image_id AS reason
        FROM questions JOIN beside USING (object_id)
        WHERE referent = 'unique' AND (NOT names_object OR alike > 0)"""
    )


def wrong_objects_are_wrong(subject: Subject) -> pa.Table:
    """No wrong object choice is annotated in the photograph, nor could the object be called so."""
    _see_alike(subject)
    return subject.found(
        """WITH offered AS (
            SELECT question_id, image_id, object_choices[correct_object_index + 1].object_category AS own,
                unnest(list_transform(object_choices, lambda c: c.object_category)) AS other
            FROM questions WHERE object_choices IS NOT NULL)
        SELECT question_id AS row, 'the photograph shows a ' || other AS reason FROM offered
        SEMI JOIN (SELECT image_id, object_category AS other FROM objects) USING (image_id, other) WHERE other <> own
        UNION ALL SELECT question_id, 'a ' || own || ' could be called a ' || offered.other FROM offered
        JOIN alike_kinds ON one = own AND alike_kinds.other = offered.other"""
    )


def categories_are_named(subject: Subject) -> pa.Table:
    """A question names what it compares with, its object where it says so, and a box where one is drawn."""
    doubtful = subject.connection.sql(
        f"""SELECT * FROM (
            SELECT question_id, question,
                contains(question, {_BOX}) <> (referent = 'box')
                    OR coalesce(contains(object_question, {_BOX}) <> (referent = 'box'), false) AS misplaced,
                list_filter(list_append(contrast_categories, if(names_object, object_category, NULL)),
                    lambda name: NOT contains(question, name)) AS missing,
                list_filter(object_choices, lambda c: NOT contains(c.text, c.object_category)) AS unsaid
            FROM questions JOIN objects USING (object_id))
        WHERE misplaced OR len(missing) > 0 OR len(unsaid) > 0"""
    ).to_arrow_reader(_BATCH)
    return found(
        (row["question_id"], row["question"]) for batch in doubtful for row in batch.to_pylist() if _unnamed(row)
    )


def _unnamed(row: Mapping[str, Any]) -> bool:
    """Whether a name is missing as it would be written, too."""
    return bool(
        row["misplaced"]
        or any(plain(name) not in row["question"] for name in row["missing"])
        or any(plain(choice["object_category"]) not in choice["text"] for choice in row["unsaid"] or ())
    )


#: Both directions have their rows (`part_relations.inverse_present`).
_RELATED: Final = f"""SELECT part_a AS one, part_b AS other FROM part_relations
    WHERE relation IN ('same', 'broader', 'narrower') AND confidence >= {CONFIDENT}"""

#: `linked`: the few questions that offer two names of which one could be said for the other. Of each pair of their choices,
#: the parts that only one of both lists; a pair of which each such part has a name beside it in the other is `alike`.
_SAME: Final = """WITH related AS (
        SELECT part_a AS one, part_b AS other FROM part_relations WHERE relation IN ('same', 'broader', 'narrower')
        UNION SELECT part_b, part_a FROM part_relations WHERE relation IN ('same', 'broader', 'narrower')),
    offered AS (
        SELECT question_id, list_distinct(flatten(list_transform(choices, lambda c: c.parts))) AS parts FROM questions),
    linked AS (
        SELECT DISTINCT question_id FROM (SELECT question_id, parts, unnest(parts) AS one FROM offered)
        JOIN related USING (one) WHERE list_contains(parts, other)),
    lists AS (
        SELECT question_id, unnest(list_transform(choices, lambda c: c.parts)) AS parts, unnest(range(len(choices))) AS place
        FROM questions SEMI JOIN linked USING (question_id)),
    pairs AS (
        SELECT question_id, a.place AS i, b.place AS j, a.parts AS mine, b.parts AS theirs
        FROM lists a JOIN lists b USING (question_id) WHERE a.place <> b.place),
    more AS (
        SELECT question_id, i, j, theirs, unnest(list_filter(mine, lambda part: NOT list_contains(theirs, part))) AS part
        FROM pairs),
    other AS (
        SELECT question_id, i, j FROM more ANTI JOIN (
            SELECT question_id, i, j, part FROM more JOIN related ON one = part WHERE list_contains(theirs, other))
        USING (question_id, i, j, part)),
    apart AS (SELECT question_id, i, j FROM other UNION SELECT question_id, j, i FROM other)
    SELECT question_id AS row, array_to_string(mine, ', ') || ' is ' || array_to_string(theirs, ', ') AS reason
    FROM pairs ANTI JOIN apart USING (question_id, i, j) WHERE i < j"""

CHECKS: Final = {
    "choices_mean_different_parts": _SAME,
    "contrast_is_another_kind": contrast_is_another_kind,
    "unique_is_alone": unique_is_alone,
    "crop_shows_one": _CROP_SHOWS_ONE,
    "wrong_objects_are_wrong": wrong_objects_are_wrong,
    "categories_are_named": categories_are_named,
    "phrases_are_spelled": """SELECT m.question_id AS row, m.part_category || ' is called ' || m.phrase AS reason
        FROM question_masks m JOIN (
            SELECT question_id, s.part AS part_category, text[s.start + 1 : s.end] AS spelled FROM (
                SELECT question_id, choices[correct_index + 1].text AS text, unnest(choices[correct_index + 1].spans) AS s
                FROM questions)) USING (question_id, part_category) WHERE m.phrase <> spelled""",
    "contrast_parts_hold": f"""SELECT question_id AS row, m.part_category || ' is the ' || coalesce(m.contrast_part, '?')
            || ' of ' || coalesce(q.contrast_categories[1], 'nothing') AS reason
        FROM question_masks m JOIN questions q USING (question_id)
        LEFT JOIN part_graph g ON g.object_category = q.contrast_categories[1] AND g.part_category = m.contrast_part
        LEFT JOIN ({_RELATED}) r ON r.one = m.part_category AND r.other = m.contrast_part
        WHERE (q.question_type IN ('intersection', 'contrast')) <> (m.contrast_part IS NOT NULL)
        OR m.contrast_part IS NOT NULL AND (g.part_category IS NULL OR m.contrast_part <> m.part_category AND r.one IS NULL)""",
}
