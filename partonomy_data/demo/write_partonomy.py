"""The demo world as PARTONOMY: folders named by labels, one JSON file for each mask, and the graph of concepts."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec
import yaml
from PIL import Image

from partonomy_data.demo import annotate, naming, truth
from partonomy_data.demo.encoded import Encoded
from partonomy_data.demo.photographs import Drawn, entries, subject
from partonomy_data.demo.world import World, build

#: Where the authors' machine had the photographs: the masks say so with an absolute path.
AUTHORS = "/data/authors/partonomy"
#: Where a part's name begins in a label.
PART_SEPARATOR = "--part:"
_ORIENTATION = 0x0112

#: By the photograph's turn (of 48): how its file is odd. All others are plain JPEG files called `.jpg`.
_TURNED, _LYING, _UNLABELED = 5, 9, 41
_EXTENSIONS = {13: "png", 17: "JPG", 21: "jpeg", 25: "webp"}
_TURNS = 48


def _save(drawn: Drawn, folder: Path, stem: str) -> str:
    """Writes the photograph, and gives its path below `folder`."""
    turn = drawn.job.ordinal % _TURNS
    name = f"{stem}.{_EXTENSIONS.get(turn, 'jpg')}"
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = drawn.picture.pixels
    if turn == _TURNED:
        # Stored lying on its side; orientation 6 says to turn it clockwise. The masks are those of the upright one.
        exif = Image.Exif()
        exif[_ORIENTATION] = 6
        pixels.transpose(Image.Transpose.ROTATE_90).save(path, "JPEG", quality=91, exif=exif)
    elif turn == _LYING or path.suffix == ".webp":
        pixels.save(path, "WEBP", quality=90, method=2)
    elif path.suffix == ".png":
        pixels.save(path, "PNG", compress_level=3)
    else:
        pixels.save(path, "JPEG", quality=91)
    return name


class _Masks:
    """Writes the masks of one photograph, several of a label side by side."""

    def __init__(self, folder: Path, image: str) -> None:
        self._folder, self._image = folder, image
        self._counts: Counter[str] = Counter()

    def write(self, label: str, rle: dict[str, object], is_root: bool) -> str:
        """Writes a mask, and gives its path below the folder. A label with a "/" makes a nested folder."""
        self._counts[label] += 1
        name = f"masks/{label}/{PurePosixPath(self._image).stem}-{self._counts[label]}.json"
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        row = {**rle, "image_path": f"{AUTHORS}/{self._image}", "is_root_concept": is_root}
        path.write_bytes(msgspec.json.encode(row))
        return name


def _unlabeled(drawn: Drawn) -> Drawn:
    """The photograph as if nobody had labeled it yet."""
    skipped = annotate.OVERLOOKED_STATE
    objects = tuple(
        replace(view, state=skipped, parts=tuple(replace(part, state=skipped) for part in view.parts))
        for view in drawn.objects
    )
    return replace(drawn, objects=objects)


def encode(drawn: Drawn, folder: Path) -> Encoded:
    """Writes the photograph and its masks below `folder/partonomy`."""
    base = folder / "partonomy"
    label = subject(drawn.world, "partonomy", drawn.job.ordinal)[2].name
    concepts = len(entries(drawn.world, "partonomy"))
    copy = drawn.job.ordinal // (2 * concepts) * 2 + drawn.job.ordinal % 2 + 1
    image = _save(drawn, base, f"images/{label}/{label}-{copy}")
    masks = _Masks(base, image)
    keys: dict[int, tuple[str, list[list[str]]]] = {}
    n_parts = 0
    if drawn.job.ordinal % _TURNS == _UNLABELED:
        drawn = _unlabeled(drawn)
    for view in drawn.objects:
        if view.entry is None or view.state != annotate.ANNOTATED:
            continue
        masks.write(view.entry.name, drawn.runs.rle(view.labels), True)
        found = []
        for part in view.parts:
            part_label = f"{view.entry.name}{PART_SEPARATOR}{part.part.name}"
            found.append([masks.write(part_label, drawn.runs.rle(part.labels), False)])
            n_parts += 1
        keys[view.number] = (view.entry.name, found)
    return Encoded(
        source="partonomy",
        split="",
        truth=truth.line(drawn, image.removeprefix("images/"), f"partonomy/{image}", keys),
        n_objects=len(keys),
        n_parts=n_parts,
    )


def graph(world: World) -> dict[str, Any]:
    """The graph of concepts: those of each category, and the parts of each."""
    found = sorted(world.of_source("partonomy"), key=lambda pair: pair[1].name)
    instances: dict[str, list[str]] = {}
    components: dict[str, list[str]] = {}
    for index, entry in found:
        instances.setdefault(entry.group, []).append(entry.name)
        parts = naming.vocabulary(entry, world.categories[index].slot_names)
        components[entry.name] = [f"{entry.name}{PART_SEPARATOR}{part}" for part in parts]
    return {
        "concepts": [entry.name for _, entry in found],
        "instance_graph": instances,
        "component_graph": components,
    }


class PartonomyFiles:
    """Writes the graph; the rest is on disk already."""

    def __init__(self, folder: Path, world_seed: int) -> None:
        self._folder, self._seed = folder, world_seed

    def add(self, encoded: Encoded) -> None:
        """Takes a photograph; nothing is left to join."""

    def close(self) -> None:
        """Writes graph.yaml."""
        path = self._folder / "partonomy" / "graph.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.dump(graph(build(self._seed)), indent=4), encoding="utf-8")
