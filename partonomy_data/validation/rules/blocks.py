"""Questions with the same choices, the questions of one photograph, and where the right choices stand."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Final

import pyarrow as pa

from partonomy_data.questions.settings import OBJECT_FIRST
from partonomy_data.validation.subject import Subject, read_parquet

_ALIKE: Final = (
    "question",
    "question_type",
    "names_object",
    "contrast_categories",
    "split",
    "source",
    "group_id",
    "referent",
    "evidence",
    "wording",
    "object_question",
    "object_balanced",
)


def block_is_alike(subject: Subject) -> pa.Table:
    """Questions of a block have one text, one kind, and the same choices in one order, of objects too."""
    same = " AND ".join(
        f"min({name}) IS NOT DISTINCT FROM max({name}) AND count({name}) IN (0, count(*))"
        for name in (*_ALIKE, "offered", "objects")
    )
    return subject.found(
        f"""SELECT question_id AS row, 'block ' || block_id AS reason FROM questions SEMI JOIN (
            SELECT block_id FROM (SELECT *, hash(list_transform(choices, lambda c: (c.text, c.parts, c.spans))) AS offered,
                hash(list_transform(object_choices, lambda c: (c.text, c.object_category))) AS objects
            FROM questions WHERE block_id IS NOT NULL) GROUP BY block_id HAVING NOT ({same})) USING (block_id)"""
    )


#: Of an evaluation split's photograph there is one object, group and manner of asking; the first column breaks else.
_ONE_OF_PHOTOGRAPH: Final = """SELECT question_id AS row, n || ' for photograph ' || cluster AS reason
    FROM questions JOIN splits USING (image_id) JOIN (
        SELECT cluster, count(DISTINCT {what}) || ' {called}' AS n FROM questions JOIN splits USING (image_id)
        WHERE questions.split <> 'train' GROUP BY cluster HAVING count(DISTINCT {what}) > 1) USING (cluster)"""

OF_QUESTIONS: Final = {
    "block_is_alike": block_is_alike,
    "each_choice_right_once": """SELECT question_id AS row, 'block ' || block_id || ': ' || r AS reason FROM questions JOIN (
            SELECT block_id, list_sort(list(correct_index))::VARCHAR AS r FROM questions WHERE block_id IS NOT NULL
            GROUP BY block_id
            HAVING list_sort(list(correct_index)) <> range(min(len(choices)))) USING (block_id)""",
    "block_photographs_differ": """SELECT question_id AS row, 'block ' || block_id AS reason FROM questions SEMI JOIN (
            SELECT block_id FROM questions JOIN splits USING (image_id) WHERE block_id IS NOT NULL
            GROUP BY block_id HAVING count(DISTINCT cluster) < count(*)) USING (block_id)""",
    "balanced_after_the_object": f"""SELECT question_id AS row, 'block ' || block_id || ': ' || n
            || ' object categories, balanced ' || balanced AS reason FROM questions JOIN (
            SELECT block_id, count(DISTINCT object_choices[correct_object_index + 1].object_category) AS n FROM questions
            WHERE question_type = '{OBJECT_FIRST}' AND block_id IS NOT NULL GROUP BY block_id) USING (block_id)
        WHERE balanced <> (n <= 1)""",
    "one_object_of_photograph": _ONE_OF_PHOTOGRAPH.format(what="object_id", called="objects"),
    "one_group_of_photograph": _ONE_OF_PHOTOGRAPH.format(what="coalesce(group_id, '')", called="groups"),
    "named_always_or_never": _ONE_OF_PHOTOGRAPH.format(what="names_object", called="manners of asking"),
    "asked_once": """SELECT q.question_id AS row, 'another asks the same of ' || q.object_id AS reason FROM questions q
        JOIN (SELECT object_id, question_type, contrast_categories AS others FROM questions
            GROUP BY ALL HAVING count(*) > 1) twice
        ON twice.object_id = q.object_id AND twice.question_type = q.question_type
        AND twice.others = q.contrast_categories""",
}


def positions_balanced(subject: Subject) -> pa.Table:
    """In blocks each place is right equally often; elsewhere nearly so (five standard deviations)."""
    return _of_counts(
        subject,
        "places",
        "SELECT balanced, len(choices)::INTEGER AS k, correct_index AS place, count(*) AS n FROM {rows} GROUP BY ALL",
        """WITH places AS (SELECT balanced, k, sum(n) AS n, unnest(range(k)) AS place FROM counted GROUP BY balanced, k),
        hits AS (SELECT balanced, k, place, sum(n) AS hits FROM counted GROUP BY ALL),
        expected AS (SELECT balanced, k, place, n::BIGINT AS n, coalesce(hits, 0)::BIGINT AS hits, n / k AS wanted,
            CASE WHEN balanced THEN 0 ELSE 5 * sqrt(n / k * (1 - 1 / k)) END AS allowed
            FROM places LEFT JOIN hits USING (balanced, k, place))
        SELECT k || ' choices, balanced ' || balanced AS row, string_agg('place ' || place || ': ' || hits || ' of ' || n,
            ', ' ORDER BY place) AS reason
        FROM expected GROUP BY k, balanced, n HAVING bool_or(abs(hits - wanted) > allowed + 1e-9)""",
    )


def objects_balanced(subject: Subject) -> pa.Table:
    """Where object questions are balanced, each object among those offered together is right equally often."""
    return _of_counts(
        subject,
        "objects",
        """SELECT split, question_type, list_sort(list_transform(object_choices, lambda c: c.object_category)) AS offered,
            object_choices[correct_object_index + 1].object_category AS own, count(*) AS n
        FROM {rows} WHERE object_balanced GROUP BY ALL""",
        """WITH counts AS (SELECT split, question_type, offered, own, sum(n)::BIGINT AS n FROM counted GROUP BY ALL)
        SELECT split || ' ' || question_type || ': ' || array_to_string(offered, ', ') AS row,
            string_agg(own || ' ' || n, ', ' ORDER BY own) AS reason
        FROM counts GROUP BY split, question_type, offered
        HAVING min(n) < max(n) OR count(*) < len(offered)""",
    )


def _of_counts(subject: Subject, what: str, count: str, judge: str) -> pa.Table:
    """What the query `judge` finds in `counted`: what `count` gives for `{rows}`, questions of a file at a time.

    Where nothing is kept of single files, it is counted at once, which is quicker.
    """

    def of(path: Path) -> tuple[pa.Table, bool]:
        return subject.found(count.format(rows=read_parquet([path]))), True

    files = [path for path in subject.files["questions"] if path not in subject.unreadable]
    if subject.cache is None or not files:
        counted = subject.found(count.format(rows="questions"))
    else:
        found = [subject.of_files(f"{what} of questions", [path], partial(of, path)) for path in files]
        counted = pa.concat_tables(found)
    subject.connection.register("counted", counted)
    try:
        return subject.found(judge)
    finally:
        subject.connection.unregister("counted")


CHECKS: Final = {
    "version": {"positions_balanced": positions_balanced, "objects_balanced": objects_balanced},
}
