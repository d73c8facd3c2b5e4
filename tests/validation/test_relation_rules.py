"""Relations between part names: what contradicts, or doesn't follow through, is told; what the taxonomy makes never is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from partonomy_data.errors import UsageError
from partonomy_data.taxonomy.judges import Judgement
from partonomy_data.taxonomy.overrides import INVERSE, RELATIONS, RelationOverride, overrides
from partonomy_data.taxonomy.relations import table
from partonomy_data.validation.rules import relations
from partonomy_data.validation.settings import ValidationSettings
from partonomy_data.validation.subject import Subject
from schemas.tables import schema
from tests.validation.damage import Change, adding, damaged, doubling, dropping, first, found, read

Rules = dict[str, dict[str, str | None]]
CHECKS = {"part_relations": relations.CHECKS}


@pytest.fixture
def broken(version: Path, tmp_path: Path) -> Callable[..., Rules]:
    """`broken(change, …)`: the rules that these changes of `part_relations` break, and the rows that they name."""

    def check(*changes: Change) -> Rules:
        for change in changes:
            damaged(version, "part_relations", change)
        return {rule: rows for (_, rule), rows in found(version, tmp_path, CHECKS).items()}

    return check


def related(a: str, relation: str, b: str, **values: Any) -> list[Change]:
    """Both rows of a pair of names."""
    common = {"method": "curated", "confidence": 0.95, "call_id": None, **values}
    return [
        adding(part_a=a, part_b=b, relation=relation, **common),
        adding(part_a=b, part_b=a, relation=INVERSE[relation], **common),
    ]


@pytest.fixture
def apart(version: Path) -> tuple[str, str, str]:
    """Three part names that have no relation to any other, in the order of the alphabet."""
    known = set(read(version, "part_relations")["part_a"].to_pylist())
    free = [one for one in read(version, "part_categories")["part_category"].to_pylist() if one not in known]
    return free[0], free[1], free[2]


def test_the_demo_world_keeps_all_rules(version: Path, tmp_path: Path) -> None:
    assert found(version, tmp_path, CHECKS) == {}


def test_a_pair_that_comes_twice(version: Path, broken: Callable[..., Rules]) -> None:
    row = first(version, "part_relations")
    assert broken(doubling(row)) == {"key_unique": {f"{row['part_a']} / {row['part_b']}": "2 rows"}}


def test_a_name_that_no_part_has(broken: Callable[..., Rules]) -> None:
    assert broken(*related("left flux capacitor", "narrower", "wing")) == {
        "parts_known": {
            "left flux capacitor / wing": "there is no left flux capacitor",
            "wing / left flux capacitor": "there is no left flux capacitor",
        }
    }


def test_a_name_related_to_itself(broken: Callable[..., Rules]) -> None:
    change = adding(part_a="wing", part_b="wing", relation="same", method="curated", confidence=0.5)
    assert broken(change) == {"two_names": {"wing / wing": None}}


@pytest.mark.parametrize(
    ("values", "rule", "reason"),
    [
        ({"relation": "part of"}, "values_known", "part of, by curated"),
        ({"method": "guess"}, "values_known", "distinct, by guess"),
        ({"confidence": 1.5}, "confidence_in_range", "1.5"),
        ({"confidence": -0.5}, "confidence_in_range", "-0.5"),
        ({"method": "llm"}, "call_known", "it names no call"),
        ({"method": "llm_unsure"}, "call_known", "it names no call"),
        ({"method": "llm", "call_id": "call_0123456789abcdef"}, "call_known", "there is no call_0123456789abcdef"),
        ({"call_id": "call_0123456789abcdef"}, "call_known", "there is no call_0123456789abcdef"),
    ],
)
def test_what_is_wrong_with_a_judgement(
    broken: Callable[..., Rules], apart: tuple[str, str, str], values: dict[str, Any], rule: str, reason: str
) -> None:
    a, b, _ = apart
    changes = [
        adding(
            **{
                "part_a": one,
                "part_b": other,
                "relation": "distinct",
                "method": "curated",
                "confidence": 0.95,
                **values,
            }
        )
        for one, other in ((a, b), (b, a))
    ]
    assert broken(*changes) == {rule: {f"{a} / {b}": reason, f"{b} / {a}": reason}}


@pytest.mark.parametrize(
    ("back", "reasons"),
    [
        ({"confidence": 0.5}, ("distinct, the other way round distinct",) * 2),
        ({"method": "override"}, ("distinct, the other way round distinct",) * 2),
        ({"relation": "broader"}, ("distinct, the other way round broader", "broader, the other way round distinct")),
    ],
)
def test_directions_that_do_not_agree(
    broken: Callable[..., Rules], apart: tuple[str, str, str], back: dict[str, Any], reasons: tuple[str, str]
) -> None:
    a, b, _ = apart
    common = {"relation": "distinct", "method": "curated", "confidence": 0.95}
    told = broken(adding(part_a=a, part_b=b, **common), adding(**{"part_a": b, "part_b": a, **common, **back}))
    assert told == {"inverse_present": dict(zip((f"{a} / {b}", f"{b} / {a}"), reasons, strict=True))}


def test_a_direction_that_is_missing(version: Path, broken: Callable[..., Rules]) -> None:
    row = first(version, "part_relations", relation="distinct")
    told = broken(dropping(row))
    assert told == {"inverse_present": {f"{row['part_b']} / {row['part_a']}": "distinct, the other way round none"}}


def test_names_that_are_narrower_than_themselves(broken: Callable[..., Rules], apart: tuple[str, str, str]) -> None:
    a, b, c = apart
    unsure = {"confidence": 0.5}
    told = broken(
        *related(a, "narrower", b, **unsure),
        *related(b, "narrower", c, **unsure),
        *related(c, "narrower", a, confidence=0.25),
    )
    assert told == {"never_narrower_than_itself": {f"{c} / {a}": f"{c} → {a} → {b} → {c}"}}


def test_a_name_that_is_narrower_than_what_is_surely_the_same(
    broken: Callable[..., Rules], apart: tuple[str, str, str]
) -> None:
    a, b, c = apart
    told = broken(
        *related(a, "same", b), *related(b, "narrower", c, confidence=0.5), *related(c, "narrower", a, confidence=0.25)
    )
    assert list(told) == ["never_narrower_than_itself"]
    assert list(told["never_narrower_than_itself"]) == [f"{c} / {a}"]


@pytest.mark.parametrize(
    ("first_two", "last_two", "due"),
    [
        ("same", "same", "same"),
        ("same", "narrower", "narrower"),
        ("narrower", "same", "narrower"),
        ("narrower", "narrower", "narrower"),
    ],
)
def test_what_follows_and_is_not_there(
    broken: Callable[..., Rules], apart: tuple[str, str, str], first_two: str, last_two: str, due: str
) -> None:
    a, b, c = apart
    told = broken(*related(a, first_two, b), *related(b, last_two, c))
    reason = f"none, by way of {b} {due}"
    both = {f"{a} / {c}": reason, f"{c} / {a}": reason} if due == "same" else {f"{a} / {c}": reason}
    assert told == {"follows_through": both}


@pytest.mark.parametrize("method", ["closure", "curated"])
def test_names_that_are_distinct_though_a_third_is_the_same_as_both(
    broken: Callable[..., Rules], apart: tuple[str, str, str], method: str
) -> None:
    a, b, c = apart
    told = broken(*related(a, "same", b), *related(b, "same", c), *related(a, "distinct", c, method=method))
    reason = f"distinct, by way of {b} same"
    assert told == {"follows_through": {f"{a} / {c}": reason, f"{c} / {a}": reason}}


def test_a_pair_that_was_judged_by_itself_may_be_distinct_though_it_follows_to_be_narrower(
    broken: Callable[..., Rules], apart: tuple[str, str, str]
) -> None:
    a, b, c = apart
    distinct = related(a, "distinct", c, method="override", confidence=1.0)
    assert broken(*related(a, "narrower", b), *related(b, "narrower", c), *distinct) == {}


def test_what_holds_of_some_objects_only_is_not_passed_on(
    broken: Callable[..., Rules], apart: tuple[str, str, str]
) -> None:
    a, b, c = apart
    assert broken(*related(a, "same", b, confidence=0.85), *related(b, "narrower", c)) == {}


def rules_broken(rows: pa.Table, parts: list[str], calls: list[str]) -> dict[str, list[str]]:
    """The rules that a table of relations breaks, and the rows that do."""
    with duckdb.connect(":memory:") as connection:
        connection.register("part_relations", rows)
        connection.register("part_categories", pa.table({"part_category": pa.array(parts, pa.string())}))
        connection.register("llm_calls", pa.table({"call_id": pa.array(calls, pa.string())}))
        subject = Subject(Path(), {}, ValidationSettings(), Path(), connection, {}, {}, {})
        told = {
            rule: (subject.found(check) if isinstance(check, str) else check(subject))["row"].to_pylist()
            for rule, check in relations.CHECKS.items()
        }
    return {rule: some for rule, some in told.items() if some}


_PARTS = [
    "antenna",
    "aerial",
    "blade",
    "left wing",
    "rotor blade",
    "tail rotor blade",
    "tail wing",
    "tire",
    "tyre",
    "wing",
]
_PAIR = st.lists(st.sampled_from(_PARTS), min_size=2, max_size=2, unique=True)
_FURTHER = st.builds(
    lambda pair, relation, sure: Judgement(
        pair[0], pair[1], "distinct" if sure < 0.5 else relation, "llm_unsure" if sure < 0.5 else "llm", sure, "call_1"
    ),
    _PAIR,
    st.sampled_from(RELATIONS),
    st.sampled_from([0.3, 0.85, 0.9, 0.95]),
)
_OVERRIDE = st.builds(
    lambda pair, relation: RelationOverride(pair[0], pair[1], relation), _PAIR, st.sampled_from(RELATIONS)
)


@given(st.lists(_FURTHER, max_size=12), st.lists(_OVERRIDE, max_size=3))
def test_whatever_is_judged_the_taxonomy_makes_of_it_what_keeps_all_rules(
    further: list[Judgement], rows: list[RelationOverride]
) -> None:
    try:
        made = table(_PARTS, overrides(tuple(rows)), further)
    except UsageError:  # the overrides contradict one another
        return
    assert rules_broken(made, _PARTS, ["call_1"]) == {}


def test_the_rules_do_tell_of_a_table_by_itself() -> None:
    row = {"part_a": "wing", "part_b": "wing", "relation": "same", "method": "exact", "confidence": 0.98}
    assert rules_broken(pa.Table.from_pylist([row], schema("part_relations")), ["wing"], []) == {
        "two_names": ["wing / wing"]
    }
