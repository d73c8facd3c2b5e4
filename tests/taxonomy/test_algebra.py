"""Set algebra over part names that may be the same, broader or narrower."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from partonomy_data.taxonomy.algebra import PartRelations
from partonomy_data.taxonomy.overrides import INVERSE
from partonomy_data.taxonomy.relations import judge, table

PARTS = [
    "wing",
    "left wing",
    "right wing",
    "windscreen",
    "windshield",
    "rotor blade",
    "blade",
    "tire",
    "wheel",
    "front wheel",
    "tail",
]
RELATIONS = PartRelations.of_rows(judge(PARTS))
_SETS = st.sets(st.sampled_from([*PARTS, "horn"]))


def test_shared_parts_are_headed_by_the_broader_name() -> None:
    assert RELATIONS.share(["left wing", "windscreen", "tail", "tire"], ["wing", "windshield", "tail", "wheel"]) == [
        ("tail", "tail", "tail"),
        ("windscreen", "windscreen", "windshield"),
        ("wing", "left wing", "wing"),
    ]
    assert RELATIONS.minus(["left wing", "tire", "blade"], ["wing", "wheel"]) == ["blade", "tire"]


def test_sides_of_one_thing_share_nothing_with_each_other() -> None:
    assert RELATIONS.share(["left wing"], ["right wing"]) == []
    assert RELATIONS.relation("left wing", "right wing") == "distinct"
    assert RELATIONS.related("wing") == {"left wing": "broader", "right wing": "broader"}


def test_the_table_and_the_rows_give_the_same_and_little_confidence_can_be_left_out() -> None:
    assert PartRelations.of_table(table(PARTS)) == RELATIONS
    sure = PartRelations.of_table(table(PARTS), least=0.8)
    assert sure.relation("rotor blade", "blade") == "distinct"
    assert sure.relation("left wing", "wing") == "narrower"
    assert sure == PartRelations.of_rows(judge(PARTS), least=0.8)


@given(_SETS, _SETS)
def test_difference_and_intersection_split_a_set(a: set[str], b: set[str]) -> None:
    shared = RELATIONS.share(a, b)
    assert {part for _, part, _ in shared} | set(RELATIONS.minus(a, b)) == a
    assert not {part for _, part, _ in shared} & set(RELATIONS.minus(a, b))
    assert sorted((head, two, one) for head, one, two in shared) == RELATIONS.share(b, a)
    assert shared == sorted({(h, x, y) for x in a for y in b for h in heads(x, y)})


def heads(a: str, b: str) -> list[str]:
    """The head of a pair, straight from the definition; none if the two are distinct."""
    relation = RELATIONS.relation(a, b)
    return {"same": [min(a, b)], "broader": [a], "narrower": [b], "distinct": []}[relation]


@given(st.sampled_from([*PARTS, "horn"]), st.sampled_from([*PARTS, "horn"]))
def test_relations_read_the_other_way_are_inverse(a: str, b: str) -> None:
    assert RELATIONS.relation(a, b) == INVERSE[RELATIONS.relation(b, a)]
    assert (b in RELATIONS.related(a)) == (a != b and RELATIONS.relation(a, b) != "distinct")


@given(_SETS)
def test_a_set_shares_everything_with_itself_and_nothing_with_none(a: set[str]) -> None:
    assert RELATIONS.minus(a, a) == []
    assert RELATIONS.minus(a, set()) == sorted(a)
    assert RELATIONS.share(a, set()) == []
