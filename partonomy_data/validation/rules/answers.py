"""Whether the correct choices are true: worked out anew from the masks and the part graph, with none of the code that made them.

visible     the parts of an object whose masks together have `min_part_pixels` pixels
has         (category, part): the part graph names it so, or by a name that is the same, broader or narrower

identification, part_to_whole, whole_to_part    all that is visible
intersection with A                             what of it A has
difference from B                               what of it B has not
contrast of A and B                             what of it A has, and B has not
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import pyarrow as pa

from partonomy_data.questions.claims import CONFIDENT
from partonomy_data.questions.settings import QuestionSettings
from partonomy_data.store.catalog import quoted
from partonomy_data.validation.subject import Subject

_TABLES: Final = """
CREATE OR REPLACE TEMP TABLE has AS
    WITH related AS (
        SELECT part_a AS one, part_b AS other FROM part_relations
        WHERE relation IN ('same', 'broader', 'narrower') AND confidence >= {confident}
        UNION SELECT part_b, part_a FROM part_relations
        WHERE relation IN ('same', 'broader', 'narrower') AND confidence >= {confident})
    SELECT object_category, part_category, true AS named FROM part_graph
    UNION ALL SELECT DISTINCT object_category, one, false FROM part_graph JOIN related ON other = part_category
    ANTI JOIN part_graph own ON own.object_category = part_graph.object_category AND own.part_category = one;
CREATE OR REPLACE TEMP TABLE instances AS
    SELECT object_id, part_category, list_sort(list(part_id)) AS part_ids, sum(area) >= {least} AS visible
    FROM parts SEMI JOIN questions USING (object_id) GROUP BY ALL;
CREATE OR REPLACE TEMP TABLE answer_faults AS
    WITH asked AS (
        SELECT question_id, object_id, question_type, contrast_categories AS others,
            choices[correct_index + 1].parts AS answer FROM questions),
    of_parts AS (
        SELECT question_id, question_type, part_category, list_contains(answer, part_category) AS named,
            CASE question_type WHEN 'difference' THEN NULL ELSE others[1] END AS alike,
            CASE question_type WHEN 'difference' THEN others[1] WHEN 'contrast' THEN others[2] END AS unlike
        FROM asked JOIN instances USING (object_id) WHERE visible),
    judged AS (
        SELECT p.*, a.named AS shared, b.named AS kept FROM of_parts p
        LEFT JOIN has a ON a.object_category = p.alike AND a.part_category = p.part_category
        LEFT JOIN has b ON b.object_category = p.unlike AND b.part_category = p.part_category)
    SELECT question_id, 'answer_is_visible' AS rule, 'it names a ' || part || ', which is not visible' AS reason
    FROM (SELECT question_id, object_id, unnest(answer) AS part FROM asked)
    ANTI JOIN (SELECT object_id, part_category AS part FROM instances WHERE visible) USING (object_id, part)
    UNION ALL SELECT question_id, 'answer_is_complete', 'it leaves out the ' || part_category FROM judged
    WHERE NOT named AND (alike IS NULL OR coalesce(shared, false)) AND (unlike IS NULL OR kept IS NULL)
    UNION ALL SELECT question_id, 'answer_agrees_with_part_graph',
        CASE WHEN shared IS NULL AND alike IS NOT NULL THEN alike || ' has no ' || part_category
            ELSE unlike || ' has a ' || part_category END
    FROM judged WHERE named AND ((alike IS NOT NULL AND shared IS NULL) OR (unlike IS NOT NULL AND kept IS NOT NULL));
"""


def _fault(rule: str) -> Callable[[Subject], pa.Table]:
    def check(subject: Subject) -> pa.Table:
        _prepare(subject)
        return subject.found(f"SELECT question_id AS row, reason FROM answer_faults WHERE rule = '{rule}'")

    return check


def _prepare(subject: Subject) -> None:
    if "answers" not in subject.memory:
        given = subject.manifest.get("config", {}).get("questions", {})
        least = int(given.get("min_part_pixels", QuestionSettings().min_part_pixels))
        subject.connection.execute(_TABLES.format(confident=CONFIDENT, least=least))
        subject.memory["answers"] = True


def masks_are_all_instances(subject: Subject) -> pa.Table:
    """A part that an answer names has the masks of all its instances in the object."""
    _prepare(subject)
    return subject.found(
        """SELECT m.question_id AS row, m.part_category || ' has not the masks of its instances' AS reason
        FROM question_masks m JOIN questions q USING (question_id)
        LEFT JOIN instances i ON i.object_id = q.object_id AND i.part_category = m.part_category
        WHERE i.part_ids IS NULL OR list_sort(m.part_ids) <> i.part_ids"""
    )


#: `offered`: the choices of questions of which one names a part that is annotated and too small to be asked for; `may` are
#: these parts, and what they could be called. `omitting` leave out a visible part, `adding` name one that isn't there.
_TINY: Final = """WITH related AS (
        SELECT part_a AS one, part_b AS other FROM part_relations WHERE relation IN ('same', 'broader', 'narrower')
        UNION SELECT part_b, part_a FROM part_relations WHERE relation IN ('same', 'broader', 'narrower')),
    named AS (
        SELECT question_id, object_id, unnest(list_distinct(flatten(list_transform(choices, lambda c: c.parts)))) AS part
        FROM questions SEMI JOIN (SELECT object_id FROM instances WHERE NOT visible) USING (object_id)),
    tiny AS (
        SELECT question_id, part FROM named JOIN instances i ON i.object_id = named.object_id AND part_category = part
        WHERE NOT visible),
    may AS (SELECT question_id, part FROM tiny UNION SELECT question_id, other FROM tiny JOIN related ON one = part),
    offered AS (
        SELECT question_id, choices[correct_index + 1].parts AS answer, correct_index,
            unnest(list_transform(choices, lambda c: c.parts)) AS parts, unnest(range(len(choices))) AS place
        FROM questions SEMI JOIN tiny USING (question_id)),
    wrong AS (SELECT * FROM offered WHERE place <> correct_index),
    gone AS (
        SELECT question_id, place, parts, unnest(list_filter(answer, lambda p: NOT list_contains(parts, p))) AS part
        FROM wrong),
    new AS (
        SELECT question_id, place, answer, unnest(list_filter(parts, lambda p: NOT list_contains(answer, p))) AS part
        FROM wrong),
    omitting AS (
        SELECT question_id, place FROM gone ANTI JOIN (
            SELECT question_id, place, part FROM gone JOIN related ON one = part WHERE list_contains(parts, other))
        USING (question_id, place, part)),
    adding AS (
        SELECT question_id, place FROM new ANTI JOIN (
            SELECT question_id, place, part FROM new JOIN related ON one = part WHERE list_contains(answer, other))
        USING (question_id, place, part) ANTI JOIN may USING (question_id, part))
    SELECT question_id AS row, 'wrong by parts alone that are too small: ' || array_to_string(parts, ', ') AS reason
    FROM wrong ANTI JOIN omitting USING (question_id, place) ANTI JOIN adding USING (question_id, place)"""

#: Of each verified question, the wrong choices that name the whole answer, and parts of which no label says that they
#: don't show.
_UNLABELED: Final = """WITH more AS (
        SELECT question_id, object_id, choices[correct_index + 1].parts AS answer, correct_index,
            unnest(list_transform(choices, lambda c: c.parts)) AS parts, unnest(range(len(choices))) AS place
        FROM questions WHERE evidence = 'verified'),
    new AS (
        SELECT question_id, object_id, place, parts,
            unnest(list_filter(parts, lambda p: NOT list_contains(answer, p))) AS part
        FROM more WHERE place <> correct_index AND list_has_all(parts, answer)),
    lacking AS (
        SELECT question_id, place FROM new
        SEMI JOIN (SELECT object_id, part_category AS part FROM part_evidence WHERE status = 'absent') USING (object_id, part))
    SELECT question_id AS row, 'no label says that it is wrong: ' || array_to_string(parts, ', ') AS reason
    FROM new ANTI JOIN lacking USING (question_id, place)"""


def wrong_by_more_than_tiny_parts(subject: Subject) -> pa.Table:
    """A part that is annotated, and too small to be asked for, makes no choice wrong by itself."""
    _prepare(subject)
    return subject.found(_TINY)


def verified_contrasts_are_curated(subject: Subject) -> pa.Table:
    """What a verified question compares with has parts that a source's authors chose one by one."""
    given = subject.manifest.get("config", {}).get("questions", {})
    curated = ", ".join(quoted(one) for one in given.get("curated_sources", QuestionSettings().curated_sources))
    return subject.found(
        f"""SELECT question_id AS row, 'nobody chose the parts of a ' || other AS reason FROM (
            SELECT question_id, unnest(contrast_categories) AS other FROM questions WHERE evidence = 'verified')
        ANTI JOIN (
            SELECT object_category AS other FROM part_graph WHERE list_has_any(sources, [{curated}]::VARCHAR[]))
        USING (other)"""
    )


CHECKS: Final = {
    **{name: _fault(name) for name in ("answer_is_visible", "answer_is_complete", "answer_agrees_with_part_graph")},
    "named_parts_have_masks": """SELECT question_id AS row,
            'masks of ' || coalesce(array_to_string(m.parts, ', '), 'nothing') AS reason
        FROM (SELECT question_id, list_sort(choices[correct_index + 1].parts) AS answer FROM questions)
        LEFT JOIN (SELECT question_id, list_sort(list(part_category)) AS parts FROM question_masks GROUP BY 1) m
        USING (question_id) WHERE m.parts IS DISTINCT FROM answer""",
    "masks_are_all_instances": masks_are_all_instances,
    "wrong_by_more_than_tiny_parts": wrong_by_more_than_tiny_parts,
    "verified_contrasts_are_curated": verified_contrasts_are_curated,
    "verified_choices_are_labeled": _UNLABELED,
}
