"""Vocabularies → canonical names: shared across sources, kept apart where things differ."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partonomy_data.sources.records import ObjectName, PartName, Vocabulary
from partonomy_data.taxonomy.names import RULES, build
from partonomy_data.taxonomy.overrides import NameOverride, overrides


def vocabulary(
    *objects: tuple[str, str] | tuple[str, str, Iterable[str]],
    parts: Iterable[tuple[str, str]] = (),
    edges: tuple[tuple[str, str], ...] = (),
) -> Vocabulary:
    """Objects as (key, name, parents), parts as (object key, name)."""
    return Vocabulary(
        tuple(
            ObjectName(key=row[0], source_category=row[0], name=row[1], parents=tuple(row[2]) if len(row) > 2 else ())
            for row in objects
        ),
        tuple(PartName(key=f"{key}:{name}", object_key=key, source_category=name, name=name) for key, name in parts),
        edges,
    )


def test_one_name_in_two_sources_is_one_category() -> None:
    made = build(
        {
            "paco": vocabulary(("car_(automobile)", "car (automobile)"), ("mouse", "mouse (computer equipment)")),
            "pascal_part": vocabulary(("car", "car"), ("aeroplane", "aeroplane")),
        }
    )
    assert made.sources["paco"].objects == {"car_(automobile)": "car", "mouse": "mouse"}
    assert made.sources["pascal_part"].objects == {"car": "car", "aeroplane": "airplane"}


def test_a_qualifier_that_is_no_mere_gloss_stays_where_another_source_has_the_bare_name() -> None:
    boats = vocabulary(("s", "shell (crew boat)"))
    assert build({"boats": boats}).sources["boats"].objects == {"s": "shell"}
    made = build({"boats": boats, "sea": vocabulary(("x", "shell"))})
    assert made.sources["boats"].objects == {"s": "shell (crew boat)"}
    assert made.sources["sea"].objects == {"x": "shell"}
    assert [(r.source, r.rule) for r in made.reports] == [("boats", "qualifier_kept")]


def test_a_qualifier_stays_where_the_bare_name_is_a_supercategory() -> None:
    made = build({"a": vocabulary(("b", "aircraft (boat)", ["boat"]), ("c", "jet", ["aircraft"]))})
    assert made.sources["a"].objects["b"] == "aircraft (boat)"
    assert made.supercategory == {"aircraft (boat)": "boat", "jet": "aircraft"}


def test_two_categories_of_one_source_are_told_apart_by_their_supercategory_else_a_number() -> None:
    made = build(
        {
            "partonomy": vocabulary(
                ("boats--submarine", "submarine", ["boats"]),
                ("ships--submarine", "submarine", ["ships"]),
                ("garden--garden hose", "garden hose", ["garden"]),
                ("garden--hose", "Garden Hoses", ["garden"]),
                ("c1", "crane"),
                ("c2", "crane"),
                ("c3", "crane (2)"),
                ("c4", "crane", ["vehicle"]),
            )
        }
    )
    assert made.sources["partonomy"].objects == {
        "boats--submarine": "submarine (boat)",
        "ships--submarine": "submarine (ship)",
        "garden--garden hose": "garden hose",
        "garden--hose": "garden hose (2)",
        "c1": "crane",
        "c2": "crane (3)",
        "c3": "crane (2)",
        "c4": "crane (vehicle)",
    }
    apart = [r.spellings[0] for r in made.reports if r.rule == "names_kept_apart"]
    assert len(apart) == 7


def test_equal_names_of_things_of_different_kinds_are_two_categories() -> None:
    made = build(
        {
            "partimagenet": vocabulary(("n02012849", "crane", ["bird"]), ("n04252225", "snowplow", ["car"])),
            "partonomy": vocabulary(("vehicles--crane", "crane", ["vehicles"]), ("car", "car", ["vehicles"])),
            "paco": vocabulary(("crane", "crane")),
        }
    )
    assert made.sources["partimagenet"].objects["n02012849"] == "crane (bird)"
    assert made.sources["partonomy"].objects["vehicles--crane"] == "crane (vehicle)"
    assert made.sources["paco"].objects["crane"] == "crane"
    assert ("crane (bird)", "bird", "partimagenet") in made.edges
    assert {r.rule for r in made.reports} == {"kinds_kept_apart"}


def test_parts_share_their_canonical_name_and_keep_side_position_and_number() -> None:
    legs = [
        PartName(
            key=f"d{code}",
            object_key="d",
            source_category=code,
            name="leg",
            full_name=full,
            side=side,
            position="front",
        )
        for code, full, side in (("lfleg", "left front legs", "left"), ("rfleg", "right front leg", "right"))
    ]
    wheel = PartName(key="w", object_key="d", source_category="wheel_2", name="Wheels", ordinal=2)
    dog = ObjectName(key="d", source_category="dog", name="dog")
    parts = build({"s": Vocabulary((dog,), (*legs, wheel))}).sources["s"].parts
    assert [parts[leg.key].part_category for leg in legs] == ["leg", "leg"]
    assert (parts["dlfleg"].side, parts["dlfleg"].position, parts["dlfleg"].full_name) == (
        "left",
        "front",
        "left front leg",
    )
    assert (parts["w"].part_category, parts["w"].ordinal, parts["w"].source_category) == ("wheel", 2, "wheel_2")
    assert parts["w"].full_name == "wheel"


def test_two_part_names_of_one_object_that_become_one_are_reported() -> None:
    made = build(
        {"s": vocabulary(("a", "door"), ("b", "bag"), parts=[("a", "handle"), ("a", "handles"), ("b", "handle")])}
    )
    assert {part.part_category for part in made.sources["s"].parts.values()} == {"handle"}
    assert [(r.rule, r.canonical, r.spellings) for r in made.reports] == [
        ("part_names_merged", ("door", "handle"), ("handle", "handles"))
    ]


def test_bad_names_are_rejected_and_take_nothing_else_along() -> None:
    made = build(
        {
            "s": vocabulary(("a", "{}"), ("b", "bag"), parts=[("a", "handle"), ("b", "..."), ("b", "strap")]),
            "t": vocabulary(("a", "apple")),
        }
    )
    assert [(row.table, row.row_id, row.rule) for row in made.rejected] == [
        ("object_categories", "a", "name_empty"),
        ("part_categories", "b:...", "name_empty"),
    ]
    assert made.sources["s"].rejected == made.rejected
    assert made.sources["t"].rejected == ()
    assert made.sources["s"].objects == {"b": "bag"}
    assert set(made.sources["s"].parts) == {"b:strap"}


def test_a_part_of_an_undeclared_object_is_an_error_of_the_reader() -> None:
    with pytest.raises(ValueError, match="unknown object 'x'"):
        build({"s": vocabulary(("a", "bag"), parts=[("x", "strap")])})


def test_an_override_wins_and_may_merge_two_categories() -> None:
    chosen = overrides(
        names=(
            NameOverride("s", "bin", "trash can"),
            NameOverride("s", "straps", "shoulder strap", kind="part"),
            NameOverride("other", "bag", "sack"),
        )
    )
    words = vocabulary(("trash_can", "trash can"), ("bin", "bin"), ("bag", "bag"), parts=[("bag", "straps")])
    made = build({"s": words}, chosen)
    assert made.sources["s"].objects == {"trash_can": "trash can", "bin": "trash can", "bag": "bag"}
    assert made.sources["s"].parts["bag:straps"].part_category == "shoulder strap"
    assert made.reports == ()


def test_supercategories_come_from_parents_and_edges_and_skip_a_parent_of_the_same_name() -> None:
    made = build(
        {
            "a": vocabulary(("n1", "Retriever", ["Dogs", "Animals"]), ("n2", "bottle", ["Bottle", "Containers"])),
            "b": vocabulary(("x", "retriever", ["pet"]), edges=(("pets", "Animal"), ("pet", "pet"), ("{}", "pet"))),
        }
    )
    assert tuple(edge for edge in made.edges if edge[2] in ("a", "b")) == (
        ("bottle", "container", "a"),
        ("dog", "animal", "a"),
        ("pet", "animal", "b"),
        ("retriever", "dog", "a"),
        ("retriever", "pet", "b"),
    )
    assert made.supercategory == {"bottle": "container", "retriever": "dog"}


def test_a_cycle_of_supercategories_loses_the_edge_that_closes_it_and_says_so() -> None:
    made = build({"a": vocabulary(("t", "tank", ["vehicle"])), "b": vocabulary(("v", "vehicles", ["tank"]))})
    assert made.edges == (("tank", "vehicle", "a"),)
    assert [(r.source, r.rule, r.canonical) for r in made.reports] == [("b", "category_cycle", ("vehicle", "tank"))]


_OBJECTS = st.lists(
    st.tuples(
        st.sampled_from(["crane", "Cranes", "crane (bird)", "crane (machine)", "crane (2)", "kite", "bird", "{}"]),
        st.lists(st.sampled_from(["bird", "vehicle", "Toys", "crane"]), max_size=2),
    ),
    max_size=8,
)


@given(st.dictionaries(st.sampled_from(["a", "b", "c"]), _OBJECTS))
def test_no_two_categories_of_a_source_become_one_and_no_order_matters(
    listed: dict[str, list[tuple[str, list[str]]]],
) -> None:
    rows = {source: [(f"k{i}", *row) for i, row in enumerate(some)] for source, some in listed.items()}
    made = build({source: vocabulary(*some) for source, some in rows.items()})
    for source, some in rows.items():
        canonical = list(made.sources[source].objects.values())
        assert len(set(canonical)) == len(canonical)
        assert len(canonical) + len(made.sources[source].rejected) == len(some)
    turned = {source: vocabulary(*reversed(rows[source])) for source in sorted(rows, reverse=True)}
    again = build(turned)
    assert {s: dict(n.objects) for s, n in again.sources.items()} == {
        s: dict(n.objects) for s, n in made.sources.items()
    }
    assert again.edges == made.edges
    assert again.reports == made.reports


@given(_OBJECTS)
def test_a_source_alone_keeps_its_names_beside_one_that_shares_none(some: list[tuple[str, list[str]]]) -> None:
    own = vocabulary(*[(f"k{i}", *row) for i, row in enumerate(some)])
    other = vocabulary(("z", "zebra", ["animal"]))
    assert build({"a": own}).sources["a"] == build({"a": own, "z": other}).sources["a"]


def test_all_rules_are_declared_once() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)
    assert all(rule.outcome in {"repaired", "quarantined", "kept", "refused"} for rule in RULES)


def test_importing_names_loads_no_language_library_and_no_yaml() -> None:
    heavy = {"inflect", "simplemma", "yaml", "pandas"}
    code = f"import sys, partonomy_data.taxonomy.names; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
