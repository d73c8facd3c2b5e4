"""Each question by itself: its choices, spans, edits, what it points at, and the masks of its answer.

What can be told from a question's own row is told for all rules in one pass over the table, which goes through all
choices once; only rows that break a rule are kept of it. Whether an answer is true is in `answers`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from partonomy_data.questions.admission import ordinary_words
from partonomy_data.questions.nouns import plain
from partonomy_data.questions.regions import MARGIN
from partonomy_data.questions.settings import OBJECT_FIRST, TWO_TURNS
from partonomy_data.questions.wording import PLACES
from partonomy_data.validation.rules import answers, blocks, said, worded
from partonomy_data.validation.subject import Subject

_TYPES: Final = "('identification', 'intersection', 'difference', 'contrast', 'part_to_whole', 'whole_to_part')"
_TWO_TURNS: Final = "(" + ", ".join(f"'{name}'" for name in TWO_TURNS) + ")"
_CONTRASTS: Final = (
    "CASE question_type WHEN 'contrast' THEN 2 WHEN 'intersection' THEN 1 WHEN 'difference' THEN 1 ELSE 0 END"
)
_CORRECT: Final = "choices[correct_index + 1]"
_REPLACED: Final = "list_filter(c.edits, lambda e: e.op = 'replace')"

#: Rule → SQL that is true where a row of `questions` keeps it.
_OF_ROW: Final[Mapping[str, str]] = {
    "values_known": f"""question_type IN {_TYPES} AND referent IN ('unique', 'crop', 'box')
        AND evidence IN ('verified', 'unverified')
        AND split IN ('train', 'val', 'test', 'test_unseen_object', 'test_unseen_part', 'test_unseen_pair')""",
    "one_correct_choice": """list_sum(list_transform(choices, lambda c: c.is_correct::INTEGER)) = 1
        AND correct_index >= 0 AND coalesce(choices[correct_index + 1].is_correct, false)""",
    "choices_differ": """len(list_distinct(list_transform(choices, lambda c: list_sort(c.parts)))) = len(choices)
        AND len(list_distinct(list_transform(choices, lambda c: c.text))) = len(choices)""",
    "choices_list_parts": """len(list_filter(choices,
        lambda c: len(c.parts) = 0 OR len(list_distinct(c.parts)) < len(c.parts))) = 0""",
    "spans_in_order": """len(list_filter(choices, lambda c: len(list_filter(c.spans, lambda s, i:
        s.start < 0 OR s.end <= s.start OR s.end > length(c.text)
        OR s.start < CASE WHEN i = 1 THEN 0 ELSE c.spans[i - 1].end END)) > 0)) = 0""",
    "spans_are_the_parts": """len(list_filter(choices, lambda c:
        list_sort(list_transform(c.spans, lambda s: s.part)) <> list_sort(c.parts))) = 0""",
    "choices_read_alike": """len(list_distinct(list_transform(choices, lambda c:
            [c.text[1 : c.spans[1].start], c.text[c.spans[-1].end + 1 : length(c.text)]]))) = 1
        AND len(list_distinct(list_transform(choices, lambda c: list_transform(c.spans, lambda s, i:
            c.text[CASE WHEN i = 1 THEN 0 ELSE c.spans[i - 1].end END + 1 : s.start]))))
        = len(list_distinct(list_transform(choices, lambda c: len(c.spans))))""",
    "edits_lead_to_choices": f"""len(list_filter(choices, lambda c: list_sort(list_concat(
            list_filter({_CORRECT}.parts, lambda p:
                NOT list_contains(list_transform(list_filter(c.edits, lambda e: e.op <> 'add'), lambda e: e.part), p)),
            list_concat(list_transform({_REPLACED}, lambda e: e.replacement),
                list_transform(list_filter(c.edits, lambda e: e.op = 'add'), lambda e: e.part))))
        <> list_sort(c.parts)
        OR NOT list_has_all({_CORRECT}.parts, list_transform(list_filter(c.edits, lambda e: e.op <> 'add'), lambda e: e.part))
        OR len(list_filter(c.edits, lambda e: e.op NOT IN ('add', 'delete', 'replace')
            OR (e.op = 'replace') <> (e.replacement IS NOT NULL))) > 0)) = 0""",
    "chance_is_of_choices": "len(choices) BETWEEN 2 AND 9 AND abs(chance - 1.0 / len(choices)) < 1e-6",
    "balanced_is_in_a_block": f"""(block_id IS NOT NULL) = (group_id IS NOT NULL)
        AND (NOT balanced OR block_id IS NOT NULL) AND (block_id IS NOT NULL OR split = 'train')
        AND (balanced OR block_id IS NULL OR question_type = '{OBJECT_FIRST}')""",
    "contrasts_fit_type": f"""len(contrast_categories) = {_CONTRASTS}
        AND len(list_distinct(contrast_categories)) = len(contrast_categories)""",
    "two_turns_fit_type": f"""(question_type IN {_TWO_TURNS}) = (object_question IS NOT NULL)
        AND (object_question IS NULL) = (object_choices IS NULL)
        AND (object_question IS NULL) = (correct_object_index IS NULL)
        AND (object_question IS NULL) = (object_balanced IS NULL)
        AND NOT (question_type IN {_TWO_TURNS} AND names_object)""",
    "one_correct_object": """object_choices IS NULL OR (
        list_sum(list_transform(object_choices, lambda c: c.is_correct::INTEGER)) = 1
        AND correct_object_index >= 0 AND coalesce(object_choices[correct_object_index + 1].is_correct, false)
        AND len(list_distinct(list_transform(object_choices, lambda c: c.text))) = len(object_choices)
        AND len(list_distinct(list_transform(object_choices, lambda c: c.object_category))) = len(object_choices))""",
    "region_fits_referent": """(region IS NULL) = (referent = 'unique') AND NOT (referent = 'box' AND split <> 'train')""",
}


def _of_row(rule: str) -> Callable[[Subject], pa.Table]:
    def check(subject: Subject) -> pa.Table:
        if "questions" not in subject.memory:
            subject.memory["questions"] = _verdicts(subject)
        verdicts = subject.memory["questions"]
        return pa.table({"row": verdicts["question_id"].filter(pc.invert(verdicts[rule]))})

    return check


def _verdicts(subject: Subject) -> pa.Table:
    """The questions that break a rule, with what they keep: `question_id`, and a bool column for each rule."""
    kept = ", ".join(f"coalesce({sql}, false) AS {name}" for name, sql in _OF_ROW.items())
    rows = f"SELECT question_id, {kept} FROM questions"
    return subject.found(f"SELECT * FROM ({rows}) WHERE NOT ({' AND '.join(_OF_ROW)})")


def spans_spell_parts(subject: Subject) -> pa.Table:
    """The phrase is the part's name, or a name that the part is the same as or narrower than, or its last words."""
    odd = subject.found(
        """SELECT question_id AS row, c.text[s.start + 1 : s.end] AS phrase, s.part AS part FROM (
            SELECT question_id, unnest(choices) AS c FROM questions WHERE len(list_filter(choices, lambda c:
                len(list_filter(c.spans, lambda s: c.text[s.start + 1 : s.end] <> s.part)) > 0)) > 0),
            unnest(c.spans) AS spans(s) WHERE c.text[s.start + 1 : s.end] <> s.part"""
    )
    broader = {
        (row["phrase"], row["part"])
        for row in subject.found(
            """SELECT part_a AS phrase, part_b AS part FROM part_relations WHERE relation IN ('same', 'broader')
            UNION SELECT part_b, part_a FROM part_relations WHERE relation IN ('same', 'narrower')"""
        ).to_pylist()
    }
    pairs = set(zip(odd["phrase"].to_pylist(), odd["part"].to_pylist(), strict=True))
    wrong = {one for one in pairs if one not in broader and one[0] != plain(one[1])}
    rows = [one for one in odd.to_pylist() if (one["phrase"], one["part"]) in wrong] if wrong else []
    return pa.table(
        {
            "row": pa.array([one["row"] for one in rows], pa.string()),
            "reason": pa.array([f"{one['phrase']!r} stands for {one['part']!r}" for one in rows], pa.string()),
        }
    )


def object_is_not_named(subject: Subject) -> pa.Table:
    """A box or a part is "named" by the words of any question; that says nothing of which object it is."""
    found = subject.found(
        """SELECT question_id AS row, question AS reason, own FROM (
            SELECT question_id, question, object_category AS own, list_reduce(
                list_prepend(lower(question), list_sort(contrast_categories, 'DESC')),
                lambda text, name: replace(text, name, '')) AS rest
            FROM questions JOIN objects USING (object_id)
            WHERE NOT names_object AND contains(lower(question), lower(object_category)))
        WHERE regexp_matches(rest, '(^|[^\\pL\\pN_])' || regexp_escape(lower(own)) || '($|[^\\pL\\pN_])')"""
    )
    said = ordinary_words().union(*(place.split() for place in PLACES.values()))
    plain_names = [own for own in found["own"].unique().to_pylist() if said.issuperset(own.split())]
    telling = pc.invert(pc.is_in(found["own"], value_set=pa.array(plain_names, pa.string())))
    return found.filter(telling).select(["row", "reason"])


#: A margin of each side's extent around the object's box, in whole pixels, within the photograph; a drawn box has none.
_REGION: Final = f"""WITH boxes AS (
        SELECT question_id, referent, region, list_transform(o.bbox::FLOAT[], lambda one: one::DOUBLE) AS b,
            i.width AS across, i.height AS down
        FROM questions q JOIN objects o USING (object_id) JOIN images i ON i.image_id = q.image_id
        WHERE q.region IS NOT NULL),
    sides AS (
        SELECT question_id, region, CASE referent WHEN 'box' THEN [b[1], b[2], b[1] + b[3], b[2] + b[4]] ELSE [
            floor(greatest(b[1] - b[3] * {MARGIN}::DOUBLE, 0)), floor(greatest(b[2] - b[4] * {MARGIN}::DOUBLE, 0)),
            ceil(least(b[1] + b[3] * (1 + {MARGIN}::DOUBLE), across)), ceil(least(b[2] + b[4] * (1 + {MARGIN}::DOUBLE), down))
            ] END AS s FROM boxes)
    SELECT question_id AS row, 'region ' || region::VARCHAR || ', due is ' || [s[1], s[2], s[3] - s[1], s[4] - s[2]]::VARCHAR
        AS reason
    FROM sides WHERE NOT coalesce(abs(region[1] - s[1]) < 0.01 AND abs(region[2] - s[2]) < 0.01
        AND abs(region[3] - (s[3] - s[1])) < 0.01 AND abs(region[4] - (s[4] - s[2])) < 0.01, false)"""

CHECKS: Final = {
    "questions": {
        "id_unique": "SELECT question_id AS row FROM questions GROUP BY 1 HAVING count(*) > 1",
        **{name: _of_row(name) for name in _OF_ROW},
        "spans_spell_parts": spans_spell_parts,
        "object_exists": """SELECT question_id AS row, CASE WHEN o.object_id IS NULL THEN 'there is no ' || q.object_id
                ELSE q.object_id || ' is in ' || o.image_id || ' of ' || o.source || if(o.merged, ', and merged', '') END
                AS reason
            FROM questions q LEFT JOIN objects o USING (object_id) WHERE o.object_id IS NULL
            OR o.image_id <> q.image_id OR o.source <> q.source OR o.merged""",
        "object_is_offered": """SELECT question_id AS row, 'its object is a ' || o.object_category AS reason
            FROM questions q JOIN objects o USING (object_id) WHERE q.object_choices IS NOT NULL
            AND q.object_choices[q.correct_object_index + 1].object_category IS DISTINCT FROM o.object_category""",
        "object_is_not_named": object_is_not_named,
        "region_holds_object": """SELECT question_id AS row, 'region ' || q.region::VARCHAR || ', object '
                || o.bbox::VARCHAR || ', image ' || i.width || 'x' || i.height AS reason
            FROM questions q JOIN objects o USING (object_id) JOIN images i ON i.image_id = q.image_id
            WHERE q.region IS NOT NULL AND NOT coalesce(
                q.region[1] <= o.bbox[1] + 1 AND q.region[2] <= o.bbox[2] + 1
                AND q.region[1] + q.region[3] >= o.bbox[1] + o.bbox[3] - 1
                AND q.region[2] + q.region[4] >= o.bbox[2] + o.bbox[4] - 1 AND q.region[1] >= 0 AND q.region[2] >= 0
                AND q.region[1] + q.region[3] <= i.width + 0.5 AND q.region[2] + q.region[4] <= i.height + 0.5, false)""",
        "region_is_the_objects": _REGION,
        "split_is_of_photograph": """SELECT question_id AS row, 'its photograph is in ' || coalesce(s.split, 'no split')
                AS reason
            FROM questions q LEFT JOIN splits s USING (image_id) WHERE s.split IS DISTINCT FROM q.split""",
        "verified_by_evidence": """SELECT DISTINCT question_id AS row, 'nothing is known of its ' || e.part_category AS reason
            FROM questions q JOIN part_evidence e USING (object_id)
            WHERE q.evidence = 'verified' AND e.status = 'unknown'""",
        **worded.CHECKS,
        **said.CHECKS,
        **answers.CHECKS,
        **blocks.OF_QUESTIONS,
    },
    "question_masks": {
        "key_unique": """SELECT question_id || ' / ' || part_category AS row FROM question_masks
            GROUP BY question_id, part_category HAVING count(*) > 1""",
        "question_exists": """SELECT question_id || ' / ' || part_category AS row
            FROM question_masks ANTI JOIN questions USING (question_id)""",
        "has_masks": "SELECT question_id || ' / ' || part_category AS row FROM question_masks WHERE len(part_ids) = 0",
    },
}
