"""Folders and files that are not PARTONOMY's are refused in one line that says what is expected."""

from __future__ import annotations

from pathlib import Path

import pytest
from partonomy_world import Read, World

from partonomy_data.errors import SourceError
from partonomy_data.sources.base import reader

COCO = b'{"images": [], "annotations": [], "categories": []}'
STATE = b'{"checked": {}, "unchecked": {}, "excluded_parts": [], "excluded_objects": []}'


def refusal(read: Read, path: Path, **asked: object) -> str:
    """The one line with which a source is refused."""
    with pytest.raises(SourceError) as caught:
        read(path, **asked)
    line = str(caught.value)
    assert "\n" not in line
    assert caught.value.where
    assert caught.value.mend
    return line


def test_the_reader_is_found_by_its_name() -> None:
    assert reader("partonomy").name == "partonomy"


def test_an_empty_folder_is_refused(world: World, read: Read) -> None:
    """The rule `not_partonomy`."""
    assert "is an empty folder" in refusal(read, world.root)


def test_photographs_alone_are_refused(world: World, read: Read) -> None:
    world.photograph("airplanes--private/1.jpg")
    line = refusal(read, world.root)
    assert "holds neither masks nor a descriptor" in line
    assert "graph.yaml, images/ and masks/" in line


def test_a_folder_of_masks_that_is_empty_is_refused(world: World, read: Read) -> None:
    world.photograph("airplanes--private/1.jpg")
    (world.root / "masks").mkdir()
    assert "holds no usable mask" in refusal(read, world.root)


def test_a_path_that_is_not_there_is_refused(world: World, read: Read) -> None:
    assert "no such file or folder" in refusal(read, world.root / "nowhere")


def test_a_folder_of_photographs_that_is_not_there_is_refused(world: World, read: Read) -> None:
    world.plane()
    assert "--images" in refusal(read, world.root, images=world.root / "nowhere")


@pytest.mark.parametrize("name", ["instances.json", "descriptor.json", "annotations/instances_val.json"])
def test_coco_json_is_refused_by_name(world: World, read: Read, name: str) -> None:
    path = world.write(name, COCO)
    for source in (path, world.root):
        assert "is COCO JSON" in refusal(read, source)


def test_the_state_of_the_annotation_tool_is_refused(world: World, read: Read) -> None:
    """The rule `annotator_state`."""
    path = world.write("annotations.json", STATE)
    for source in (path, world.root):
        assert "state of the annotation tool" in refusal(read, source)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "is empty"),
        (b'{"instances": [{"image_path": "a', "ends early"),
        (b"<html>", "not valid JSON"),
        (b"{}", "has no `instances`"),
        (b"[]", "holds no usable mask"),
        (b'{"instances": []}', "holds no usable mask"),
        (b'{"instances": 5}', "not what was expected"),
        (b'{"instances": [], "part_graph": {"a": [[]]}}', "part_graph"),
        (b"5", "not what was expected"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"instances": [null]}', "holds no usable mask"),
    ],
)
@pytest.mark.parametrize("name", ["descriptor.json", "core_portable.json"])
def test_a_file_that_is_no_descriptor_is_refused(
    world: World, read: Read, name: str, content: bytes, what: str
) -> None:
    world.photograph("1.jpg")
    path = world.write(name, content)
    assert what in refusal(read, path)
    assert what in refusal(read, world.root)


def test_a_file_that_is_no_json_is_refused(world: World, read: Read) -> None:
    world.plane()
    assert "is not a JSON file" in refusal(read, world.root / "graph.yaml")


def test_several_descriptors_have_to_be_chosen_from(world: World, read: Read) -> None:
    for name in ("a-descriptor.json", "b-descriptor.json"):
        world.write(name, b'{"instances": []}')
    line = refusal(read, world.root)
    assert "a-descriptor.json, b-descriptor.json" in line


def test_the_flat_layout_without_its_photographs_is_refused(world: World, read: Read) -> None:
    world.write("x_portable.json", b'{"instances": []}')
    assert "folder of photographs is missing" in refusal(read, world.root)
