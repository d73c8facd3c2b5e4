"""The canonical names that a source's categories get, as flat look-ups by the source's own keys."""

from __future__ import annotations

from collections import defaultdict

import msgspec

from partonomy_data.errors import SourceError
from partonomy_data.sources.records import Vocabulary
from partonomy_data.taxonomy.names import SourceNames


class PartLabel(msgspec.Struct, frozen=True):
    """What a source's part category becomes in the tables."""

    part_category: str
    source_category: str
    object_key: str
    side: str | None = None
    position: str | None = None
    ordinal: int | None = None


class ObjectLabel(msgspec.Struct, frozen=True):
    """What a source's object category becomes in the tables."""

    object_category: str
    source_category: str
    parts: tuple[str, ...]
    """Canonical names of the parts that the source's vocabulary gives it, sorted, each once."""


class Labels(msgspec.Struct, frozen=True):
    """All of one source's labels, by `ObjectName.key` and `PartName.key`."""

    objects: dict[str, ObjectLabel]
    parts: dict[str, PartLabel]
    refused: dict[str, tuple[str, str]] = {}
    """Keys of categories whose name can't be used, with the rule and the reason; their rows go to quarantine."""

    def object(self, key: str) -> ObjectLabel:
        """Raises SourceError if a reader yields a category that its vocabulary lacks."""
        try:
            return self.objects[key]
        except KeyError:
            raise _undeclared("object", key) from None

    def part(self, key: str) -> PartLabel:
        """Raises SourceError if a reader yields a category that its vocabulary lacks."""
        try:
            return self.parts[key]
        except KeyError:
            raise _undeclared("part", key) from None


def _undeclared(kind: str, key: str) -> SourceError:
    return SourceError(
        f"the reader yielded the {kind} category {key!r}, which its plan's vocabulary does not declare",
        mend="Declare every category in Plan.vocabulary",
    )


def make(vocabulary: Vocabulary, names: SourceNames) -> Labels:
    """The labels of one source. Categories that could not be named are among `refused`."""
    refused = {row.row_id: (row.rule, row.reason) for row in names.rejected}
    parts = {
        part.key: PartLabel(
            named.part_category, part.source_category, part.object_key, named.side, named.position, named.ordinal
        )
        for part in vocabulary.parts
        if (named := names.parts.get(part.key)) is not None
    }
    of_object: dict[str, set[str]] = defaultdict(set)
    for label in parts.values():
        of_object[label.object_key].add(label.part_category)
    objects = {
        thing.key: ObjectLabel(names.objects[thing.key], thing.source_category, tuple(sorted(of_object[thing.key])))
        for thing in vocabulary.objects
        if thing.key in names.objects
    }
    for part in vocabulary.parts:
        if part.key not in parts and part.key not in refused:
            refused[part.key] = refused.get(part.object_key, ("name_empty", "its object category has no usable name"))
    return Labels(objects, parts, refused)
