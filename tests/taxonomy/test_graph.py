"""The taxonomy tables from counts and vocabularies."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from partonomy_data.sources.records import ObjectName, PartName, Vocabulary
from partonomy_data.taxonomy.graph import merge, summarise, tables
from partonomy_data.taxonomy.names import build
from partonomy_data.taxonomy.overrides import RelationOverride, overrides
from schemas.tables import schema


def vocabulary(pairs: dict[str, list[str]], *, curated: bool = True, parents: tuple[str, ...] = ()) -> Vocabulary:
    return Vocabulary(
        tuple(ObjectName(key=name, source_category=name, name=name, parents=parents) for name in pairs),
        tuple(
            PartName(key=f"{name}:{part}", object_key=name, source_category=part, name=part)
            for name, parts in pairs.items()
            for part in parts
        ),
        curated=curated,
    )


def annotated(source: str, *instances: tuple[str, str, list[str]]) -> tuple[pa.Table, pa.Table]:
    """Instances as (image, object category, part categories)."""
    text = pa.string()
    objects = [(f"{source}{n}", f"{source}/{image}", source, name) for n, (image, name, _) in enumerate(instances)]
    parts = [(f"{source}{n}", source, part) for n, (_, _, some) in enumerate(instances) for part in some]
    columns = [[row[i] for row in objects] for i in range(4)]
    part_columns = [[row[i] for row in parts] for i in range(3)]
    names = ("object_id", "image_id", "source", "object_category")
    part_names = ("object_id", "source", "part_category")
    return (
        pa.table({name: pa.array(column, text) for name, column in zip(names, columns, strict=True)}),
        pa.table({name: pa.array(column, text) for name, column in zip(part_names, part_columns, strict=True)}),
    )


PACO = vocabulary({"dog": ["leg", "ears"], "car": ["wheel"]})
PASCAL = vocabulary({"dog": ["leg", "tail", "horn"]}, curated=False, parents=("animals",))
PACO_ROWS = annotated("paco", ("1", "dog", ["leg", "leg"]), ("1", "dog", []), ("2", "dog", ["leg"]))
PASCAL_ROWS = annotated("pascal", ("1", "dog", ["tail"]), ("2", "dog", ["leg", "leg"]))


def made() -> dict[str, pa.Table]:
    vocabularies = {"paco": PACO, "pascal": PASCAL}
    return tables([summarise(*PACO_ROWS), summarise(*PASCAL_ROWS)], vocabularies, build(vocabularies))


def test_each_table_has_its_published_schema_and_is_sorted_by_its_key() -> None:
    for name, table in made().items():
        assert table.schema.equals(schema(name)), name
        table.validate(full=True)
        keys = [tuple(row.values()) for row in table.select(table.column_names[:2]).to_pylist()]
        assert keys == sorted(keys, key=lambda key: key[0])
    assert set(made()) == {
        "object_categories",
        "part_categories",
        "part_graph",
        "category_graph",
        "part_relations",
        "plausibility",
    }


def test_frequencies_count_the_instances_of_the_sources_that_declare_the_pair() -> None:
    graph = {(row["object_category"], row["part_category"]): row for row in made()["part_graph"].to_pylist()}
    leg, tail, ear, wheel = (
        graph[pair] for pair in (("dog", "leg"), ("dog", "tail"), ("dog", "ear"), ("car", "wheel"))
    )
    assert (leg["n_objects"], leg["n_with_part"], leg["frequency"]) == (5, 3, 0.6)
    assert (leg["sources"], leg["evidence"]) == (["paco", "pascal"], "annotated")
    assert (tail["n_objects"], tail["n_with_part"], tail["sources"]) == (2, 1, ["pascal"])
    assert (ear["n_objects"], ear["n_with_part"], ear["frequency"], ear["evidence"]) == (3, 0, 0.0, "curated")
    assert (wheel["n_objects"], wheel["frequency"], wheel["evidence"]) == (0, 0.0, "curated")


def test_a_pair_that_nobody_vouches_for_and_nobody_saw_is_left_out_but_its_part_is_listed() -> None:
    every = made()
    assert ("dog", "horn") not in zip(
        every["part_graph"]["object_category"].to_pylist(),
        every["part_graph"]["part_category"].to_pylist(),
        strict=True,
    )
    horn = next(row for row in every["part_categories"].to_pylist() if row["part_category"] == "horn")
    assert (horn["n_parts"], horn["n_object_categories"], horn["sources"]) == (0, 0, ["pascal"])


def test_categories_have_their_counts_sources_and_supercategory() -> None:
    every = made()
    assert every["object_categories"].to_pylist() == [
        {
            "object_category": "car",
            "supercategory": "vehicle",
            "sources": ["paco"],
            "source_categories": ["paco:car"],
            "n_objects": 0,
            "n_images": 0,
        },
        {
            "object_category": "dog",
            "supercategory": "animal",
            "sources": ["paco", "pascal"],
            "source_categories": ["paco:dog", "pascal:dog"],
            "n_objects": 5,
            "n_images": 4,
        },
    ]
    leg = next(row for row in every["part_categories"].to_pylist() if row["part_category"] == "leg")
    assert leg == {"part_category": "leg", "sources": ["paco", "pascal"], "n_parts": 5, "n_object_categories": 1}
    assert [tuple(row.values()) for row in every["category_graph"].to_pylist()] == [
        ("car", "vehicle", "curated"),
        ("dog", "animal", "pascal"),
        ("dog", "quadruped", "curated"),
        ("quadruped", "animal", "curated"),
    ]


def test_what_is_seen_is_plausible_because_it_is_annotated() -> None:
    verdicts = {(r["object_category"], r["part_category"]): r["verdict"] for r in made()["plausibility"].to_pylist()}
    assert verdicts == {
        ("car", "wheel"): "plausible",
        ("dog", "ear"): "plausible",
        ("dog", "leg"): "annotated",
        ("dog", "tail"): "annotated",
    }


def test_relations_are_between_the_parts_in_use_and_obey_the_overrides() -> None:
    vocabularies = {"paco": vocabulary({"car": ["front wheel", "wheel", "windscreen"]})}
    names = build(vocabularies)
    rows = tables([], vocabularies, names)["part_relations"].to_pylist()
    assert [(row["part_a"], row["relation"], row["part_b"]) for row in rows] == [
        ("front wheel", "narrower", "wheel"),
        ("wheel", "broader", "front wheel"),
    ]
    chosen = overrides((RelationOverride("wheel", "front wheel", "same"),))
    assert set(tables([], vocabularies, names, chosen)["part_relations"]["relation"].to_pylist()) == {"same"}


def test_annotated_pairs_count_even_if_no_vocabulary_declares_them() -> None:
    vocabularies = {"s": vocabulary({"dog": []})}
    every = tables([summarise(*annotated("s", ("1", "dog", ["leg"])))], vocabularies, build(vocabularies))
    assert every["part_graph"].to_pylist()[0]["frequency"] == 1.0


def test_a_name_that_many_keys_share_is_counted_once_for_each_object() -> None:
    legs = tuple(
        PartName(key=code, object_key="dog", source_category=code, name="leg", side=side)
        for code, side in (("lleg", "left"), ("rleg", "right"))
    )
    vocabularies = {"s": Vocabulary((ObjectName(key="dog", source_category="dog", name="dog"),), legs)}
    every = tables([summarise(*annotated("s", ("1", "dog", ["leg", "leg"])))], vocabularies, build(vocabularies))
    assert [(row["n_objects"], row["n_with_part"]) for row in every["part_graph"].to_pylist()] == [(1, 1)]
    assert every["part_categories"]["n_parts"].to_pylist() == [2]


@given(st.permutations(range(4)))
def test_the_tables_don_t_depend_on_the_order_of_shards_or_sources(order: list[int]) -> None:
    shards = [
        annotated("paco", ("1", "dog", ["leg"])),
        annotated("paco", ("2", "car", ["wheel"])),
        PASCAL_ROWS,
        annotated("pascal", ("3", "dog", [])),
    ]
    vocabularies = {"paco": PACO, "pascal": PASCAL}
    expected = tables([summarise(*shard) for shard in shards], vocabularies, build(vocabularies))
    turned = dict(reversed(vocabularies.items()))
    got = tables([merge([summarise(*shards[i])]) for i in order], turned, build(turned))
    assert all(got[name].equals(expected[name]) for name in expected)
