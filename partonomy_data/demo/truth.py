"""What is truly visible, kept beside the sources for tests alone: no reader looks at it.

    truth/<source>.jsonl.gz     one line for each photograph
    truth/world.json            the world: categories, parts, what each source calls them

A line has `source`, `file_name` as the source writes it, `path` below the source's folder, `split`, `width`, `height`
and `objects`, back to front. An object has `object_key` (what the source calls it: PACO's annotation id, PartImageNet's
wnid, the index in Pascal-Part's struct array, PARTONOMY's label; null if the source doesn't have it), `category` and
`super_category` of the world, `source_category`, `state`, `annotated`, `box` xywh, `pixels`, `rle`, and `parts`: every part with
a visible pixel that the source has a name for. A part has `parts` (the world's names), `source_part`, `keys` (annotation
ids, the Pascal code, mask files; empty if not annotated), `state`, `annotated`, `pixels`, `rle`. The mask of a part covers
the parts that lie within it (the eye is in the head's mask too), as in Pascal-Part, in all four sources.
States: see `partonomy_data.demo.annotate`.
"""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import msgspec

from partonomy_data.demo import annotate, naming
from partonomy_data.demo.photographs import Drawn
from partonomy_data.demo.world import World

#: By number of the object: its key, and the keys of its parts' annotations in the order of its parts.
Keys = Mapping[int, tuple[str, list[list[str]]]]


def line(drawn: Drawn, file_name: str, path: str, keys: Keys) -> bytes:
    """A photograph's line, without the line break."""
    objects = []
    for view in drawn.objects:
        key, part_keys = keys.get(view.number, (None, [[] for _ in view.parts]))
        objects.append(
            {
                "object_key": key,
                "category": view.category.name,
                "super_category": view.category.super_category,
                "source_category": view.entry.name if view.entry else None,
                "state": view.state,
                "annotated": view.state == annotate.ANNOTATED,
                "box": drawn.runs.box(view.labels),
                "pixels": view.pixels,
                "rle": drawn.runs.rle(view.labels),
                "parts": [
                    {
                        "parts": part.concepts,
                        "source_part": part.part.name,
                        "keys": found,
                        "state": part.state,
                        "annotated": part.state == annotate.ANNOTATED,
                        "pixels": part.pixels,
                        "rle": drawn.runs.rle(part.labels),
                    }
                    for part, found in zip(view.parts, part_keys, strict=True)
                ],
            }
        )
    row = {
        "source": drawn.job.source,
        "file_name": file_name,
        "path": path,
        "split": drawn.job.split,
        "width": drawn.scene.width,
        "height": drawn.scene.height,
        "objects": objects,
    }
    return msgspec.json.encode(row)


def describe(world: World) -> dict[str, Any]:
    """The world as JSON: its categories, and by source what each entry and its parts are in the world's words."""
    sources: dict[str, list[dict[str, Any]]] = {}
    for source in naming.SOURCES:
        for index, entry in world.of_source(source):
            category = world.categories[index]
            sources.setdefault(source, []).append(
                {
                    "source_category": entry.name,
                    "group": entry.group,
                    "category": category.name,
                    "parts": naming.vocabulary(entry, category.slot_names),
                }
            )
    return {
        "world_seed": world.seed,
        "categories": [
            {"category": item.name, "super_category": item.super_category, "parts": item.part_names}
            for item in world.categories
        ],
        "sources": sources,
    }


class TruthFiles:
    """The truth folder while it is being written; a context manager."""

    def __init__(self, folder: Path, world: World) -> None:
        folder.mkdir(parents=True)
        (folder / "world.json").write_bytes(msgspec.json.format(msgspec.json.encode(describe(world)), indent=1))
        self._raw: dict[str, IO[bytes]] = {}
        self._files: dict[str, gzip.GzipFile] = {}
        for source in naming.SOURCES:
            self._raw[source] = (folder / f"{source}.jsonl.gz").open("wb")
            # No name and no time in the header, so that equal lines are equal bytes.
            self._files[source] = gzip.GzipFile("", "wb", 1, self._raw[source], mtime=0)

    def add(self, source: str, row: bytes) -> None:
        """Appends a photograph's line."""
        self._files[source].write(row + b"\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for source in naming.SOURCES:
            self._files[source].close()
            self._raw[source].close()
