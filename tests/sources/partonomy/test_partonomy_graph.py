"""graph.yaml: what it declares, and what is refused in it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from partonomy_world import Read, World

from partonomy_data.errors import SourceError
from partonomy_data.sources.partonomy import graph

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{letter}: &{letter} [{', '.join(['*' + chr(ord(letter) - 1)] * 9)}]\n" for letter in "bcdefghij"
)
MERGE_BOMB = "a: &a {x: 1}\n" + "".join(
    f"{letter}: &{letter}\n  <<: [{', '.join(['*' + chr(ord(letter) - 1)] * 9)}]\n" for letter in "bcdefghij"
)
WIDE_BOMB = f"component_graph:\n  k: &a [{', '.join(['x'] * 2000)}]\n" + "".join(
    f"  k{number}: *a\n" for number in range(2000)
)


def test_objects_and_parts_of_the_graph_are_declared_whether_or_not_they_have_masks(world: World, read: Read) -> None:
    world.plane()
    vocabulary = read(world.root).plan.vocabulary
    assert [whole.key for whole in vocabulary.objects] == ["airplanes--private"]
    assert [(part.object_key, part.name) for part in vocabulary.parts] == [
        ("airplanes--private", "nose"),
        ("airplanes--private", "wings"),
    ]
    assert vocabulary.curated


def test_objects_have_their_category_as_parent_and_it_has_more_general_ones(world: World, read: Read) -> None:
    world.plane()
    vocabulary = read(world.root).plan.vocabulary
    assert vocabulary.objects[0].parents == ("airplane",)
    assert vocabulary.edges == (("aircraft", "vehicle"), ("airplane", "aircraft"))


def test_without_a_graph_the_folders_say_what_there_is(world: World, read: Read) -> None:
    world.plane()
    (world.root / "graph.yaml").unlink()
    reading = read(world.root)
    assert [part.key for part in reading.plan.vocabulary.parts] == ["airplanes--private--part:wings"]
    assert not reading.plan.vocabulary.curated
    assert reading.repairs["graph_missing"] == 1


def test_a_part_that_is_drawn_but_not_in_the_graph_is_kept(world: World, read: Read) -> None:
    world.plane()
    world.mask("airplanes--private--part:tail/0.json", "airplanes--private/1.jpg", (2, 10, 6, 19))
    reading = read(world.root)
    assert "airplanes--private--part:tail" in {part.key for part in reading.plan.vocabulary.parts}
    assert len(reading.photographs["airplanes--private/1.jpg"].parts) == 2
    assert reading.repairs["part_not_in_graph"] == 1


def test_a_part_listed_under_another_object_belongs_to_the_one_that_its_label_names(world: World, read: Read) -> None:
    world.plane()
    world.graph(
        {
            "airplanes--private": ["airplanes--private--part:wings"],
            "boats--canoe": ["airplanes--private--part:nose"],
        }
    )
    reading = read(world.root)
    of_part = {part.key: part.object_key for part in reading.plan.vocabulary.parts}
    assert of_part["airplanes--private--part:nose"] == "airplanes--private"
    assert reading.repairs["graph_pair_mismatch"] == 1


def test_labels_of_the_graph_that_are_none_are_left_out_and_counted(world: World, read: Read) -> None:
    world.plane()
    world.graph({"airplanes--private": ["airplanes--private--part:wings", "airplanes--private--part:"], "boats--": []})
    reading = read(world.root)
    # The empty object is in the list of its category, among the concepts, and a key of the components.
    assert reading.repairs["graph_label_malformed"] == 4
    assert [whole.key for whole in reading.plan.vocabulary.objects] == ["airplanes--private"]


def test_the_older_list_of_concepts_that_holds_parts_too_is_understood(world: World, read: Read) -> None:
    world.plane()
    world.write("graph.yaml", b"concepts: [airplanes--private, 'airplanes--private--part:tail']\ncomponent_graph:\n")
    keys = [part.key for part in read(world.root).plan.vocabulary.parts]
    assert keys == ["airplanes--private--part:tail", "airplanes--private--part:wings"]


def test_a_list_that_yaml_shares_by_an_anchor_is_read_at_both_places(tmp_path: Path) -> None:
    shared = ["a--b", "a--c"]
    path = tmp_path / "graph.yaml"
    path.write_text(yaml.dump({"concepts": shared, "instance_graph": {"a": shared}}, indent=4))
    assert "&id001" in path.read_text()
    found = graph.load(path)
    assert found.concepts == shared
    assert found.instance_graph == {"a": shared}


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (BOMB, "copy that its anchors stand for"),
        (MERGE_BOMB, "merges mappings"),
        (WIDE_BOMB, "copy that its anchors stand for"),
        ("concepts: !!python/object/apply:os.system ['true']\n", "tag"),
        ("concepts: !!python/tuple [a--b]\n", "tag"),
        ("concepts: !local [a--b]\n", "tag"),
        ("[" * 100_000, "nested deeper"),
        ("component_graph:\n  a: [\n", "not valid YAML"),
        ("concepts: {a: b}\n", "not what was expected"),
        ("component_graph: {a--b: [[a--b--part:c]]}\n", "not what was expected"),
        ("instance_graph: {1: [a--b]}\n", "not what was expected"),
        ("concepts: [2001-99-99]\n", "not valid YAML"),
        ("names: [a, b]\n", "none of the keys"),
        ("", "none of the keys"),
        ("just text", "none of the keys"),
        ("\x00", "not valid YAML"),
    ],
)
def test_a_graph_that_is_not_harmless_or_not_a_graph_is_refused_in_one_line(
    world: World, read: Read, text: str, what: str
) -> None:
    """The rule `graph_not_harmless`."""
    world.plane()
    path = world.write("graph.yaml", text.encode())
    with pytest.raises(SourceError) as caught:
        read(world.root)
    assert what in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
