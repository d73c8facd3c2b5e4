"""Relations between part names: both directions, no contradiction, and all that follows from them.

What is *passed on*, as `taxonomy.relations` has it, follows through: what is sure, what is narrower by its head noun, and
what follows itself. A pair that was judged by itself keeps its own judgement.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import pyarrow as pa

from partonomy_data.taxonomy.ordering import Contradiction, Ordering
from partonomy_data.taxonomy.overrides import INVERSE, RELATIONS
from partonomy_data.taxonomy.relations import METHODS, SURE
from partonomy_data.validation.rules import Check, calls
from partonomy_data.validation.rules.common import doubled, found
from partonomy_data.validation.subject import ROW, Subject

_ROW: Final = ROW["part_relations"]
#: The table has 32 bits, in which 0.9 is a little less.
_IS_SURE: Final = f"confidence >= {SURE}::FLOAT"
_PASSED_ON: Final = f"""SELECT part_a, part_b, relation FROM part_relations
    WHERE part_a <> part_b AND (relation = 'same' AND {_IS_SURE}
        OR relation = 'narrower' AND ({_IS_SURE} OR method IN ('closure', 'head_noun')))"""
_TURNED: Final = "CASE t.relation " + " ".join(f"WHEN '{one}' THEN '{INVERSE[one]}'" for one in RELATIONS) + " END"


def never_narrower_than_itself(subject: Subject) -> pa.Table:
    """The relations that, with those that are surer, make a name narrower than itself."""
    rows = subject.found(
        f"""SELECT part_a, part_b, relation, confidence FROM part_relations WHERE part_a <> part_b
        AND (relation = 'narrower' OR relation = 'same' AND {_IS_SURE})
        ORDER BY relation = 'narrower', confidence DESC, part_a, part_b"""
    )
    ordering = Ordering()
    wrong = []
    for a, b, relation, confidence in zip(*(column.to_pylist() for column in rows.columns), strict=True):
        try:
            (ordering.same if relation == "same" else ordering.narrower)(a, b, confidence)
        except Contradiction as error:
            wrong.append((f"{a} / {b}", " → ".join(error.cycle)))
    return found(wrong)


#: The pairs of part names between which something follows, and which have another row or none.
_FOLLOWS: Final = f"""WITH passed AS ({_PASSED_ON}),
    due AS (SELECT x.part_a, y.part_b, x.part_b AS between,
            CASE WHEN x.relation = 'same' AND y.relation = 'same' THEN 'same' ELSE 'narrower' END AS relation
        FROM passed x JOIN passed y ON x.part_b = y.part_a WHERE x.part_a <> y.part_b)
    SELECT d.part_a || ' / ' || d.part_b AS row,
        coalesce(r.relation, 'none') || ', by way of ' || between || ' ' || d.relation AS reason
    FROM due d LEFT JOIN part_relations r ON r.part_a = d.part_a AND r.part_b = d.part_b
    WHERE r.relation IS NULL OR (r.relation <> d.relation AND (r.method = 'closure' OR d.relation = 'same'))"""

CHECKS: Final[Mapping[str, Check]] = {
    "key_unique": doubled("part_relations"),
    "parts_known": " UNION ALL ".join(
        f"""SELECT {_ROW} AS row, 'there is no ' || {name} AS reason FROM part_relations
        ANTI JOIN part_categories ON part_category = {name}"""
        for name in ("part_a", "part_b")
    ),
    "two_names": f"SELECT {_ROW} AS row FROM part_relations WHERE part_a = part_b",
    "values_known": f"""SELECT {_ROW} AS row, relation || ', by ' || method AS reason FROM part_relations
        WHERE relation NOT IN {RELATIONS} OR method NOT IN {(*METHODS, "closure")}""",
    "confidence_in_range": f"""SELECT {_ROW} AS row, confidence::VARCHAR AS reason FROM part_relations
        WHERE NOT confidence BETWEEN 0 AND 1""",
    "inverse_present": f"""SELECT t.part_a || ' / ' || t.part_b AS row,
            t.relation || ', the other way round ' || coalesce(r.relation, 'none') AS reason
        FROM part_relations t LEFT JOIN part_relations r ON r.part_a = t.part_b AND r.part_b = t.part_a
        WHERE t.relation IN {RELATIONS} AND coalesce(r.relation IN {RELATIONS}, true)
        AND (r.relation, r.method, r.confidence, r.call_id)
            IS DISTINCT FROM ({_TURNED}, t.method, t.confidence, t.call_id)""",
    "never_narrower_than_itself": never_narrower_than_itself,
    "follows_through": _FOLLOWS,
    "call_known": calls.known("part_relations", ("llm", "llm_unsure")),
}
