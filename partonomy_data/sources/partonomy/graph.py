"""Which object has which parts: graph.yaml, a descriptor's `part_graph`, and the labels met beside them.

graph.yaml is foreign, so it is walked as a stream of events before anything is built from it: anchors that stand for
ever more copies, merge keys, tags that call code, and nesting deeper than the format's are refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec

from partonomy_data.errors import SourceError
from partonomy_data.sources.partonomy import labels
from partonomy_data.sources.partonomy.labels import CATEGORIES, CONVERTED, SEP
from partonomy_data.sources.records import ObjectName, PartName, Vocabulary

#: The keys of graph.yaml, of which one at least must be there.
KEYS = ("concepts", "instance_graph", "component_graph")
_LARGEST_FILE = 64 << 20
_MOST_LABELS = 1_000_000
_DEEPEST = 4
_PLAIN_TAGS = frozenset(f"tag:yaml.org,2002:{kind}" for kind in ("map", "seq", "str", "null"))
_REMEDY = "Fetch graph.yaml again, or take it away: the labels are then those of the folders"


@dataclass(slots=True)
class Concepts:
    """The objects and parts of a source, by canonical label, with the spelling that was met first."""

    objects: dict[str, str] = field(default_factory=dict)
    """`ObjectName.key` → as the source spells it."""
    parts: dict[str, tuple[str, str]] = field(default_factory=dict)
    """`PartName.key` → (`ObjectName.key`, as the source spells the part's label)."""
    mismatched: int = 0
    """Part labels that the graph puts under another object than the label itself names."""
    malformed: int = 0
    """Labels of the graph that are none."""
    shared_prefix: bool = False
    """True where the objects are called `object--…`, as in sets converted from COCO."""

    def add(self, label: labels.Label, spelling: str) -> bool:
        """Adds a label and, if it is a part's, its object. True if it wasn't known."""
        new = label.object_key not in self.objects
        if label.part is None:
            self.objects.setdefault(label.object_key, spelling)
            return new
        whole, separator, _ = spelling.partition(labels.PART_SEP)
        self.objects.setdefault(label.object_key, whole if separator else label.object_key)
        new = label.part_key not in self.parts
        self.parts.setdefault(label.part_key, (label.object_key, spelling))
        return new

    def add_graph(
        self,
        instance_graph: Mapping[str, Iterable[str]],
        component_graph: Mapping[str, Iterable[str]],
        concepts: Iterable[str] = (),
    ) -> None:
        """Adds what a graph declares; labels that are none are passed over (they name nothing that could be drawn)."""
        for spelling in (*concepts, *(label for members in instance_graph.values() for label in members)):
            self._add_spelled(spelling)
        for whole, components in component_graph.items():
            owner = labels.parse(whole)
            self._add_spelled(whole)
            for spelling in components:
                label = labels.resolve(whole, spelling)
                if label is None or label.part is None:
                    self.malformed += 1
                    continue
                self.mismatched += owner is not None and label.object_key != owner.object_key
                self.add(label, spelling)
        spellings = (*instance_graph, *component_graph)
        self.shared_prefix |= any(s == CONVERTED or s.startswith(CONVERTED + SEP) for s in spellings)

    def _add_spelled(self, spelling: str) -> None:
        label = labels.parse(spelling)
        if label is None:
            self.malformed += 1
        else:
            self.add(label, spelling)

    def vocabulary(self, *, curated: bool) -> Vocabulary:
        """The objects, parts and is-a pairs, in the order of their keys."""
        names = labels.object_names(self.objects)
        objects = []
        for key, name in names.items():
            category = key.partition(SEP)[0] if SEP in key else ""
            parents = (labels.category_word(category),) if category else ()
            objects.append(ObjectName(key=key, source_category=self.objects[key], name=name, parents=parents))
        parts = [
            PartName(key=key, object_key=whole, source_category=spelling, name=_part_name(key))
            for key, (whole, spelling) in sorted(self.parts.items())
        ]
        used = {key.partition(SEP)[0] for key in self.objects}
        chains = [(c.word, *c.more_general) for name, c in CATEGORIES.items() if name in used]
        edges = {pair for chain in chains for pair in pairwise(chain)}
        return Vocabulary(tuple(objects), tuple(parts), tuple(sorted(edges)), curated)


def _part_name(key: str) -> str:
    return labels.words(key.rpartition(labels.PART_SEP)[2])


class GraphFile(msgspec.Struct):
    """What is used of graph.yaml. `None` stands for an empty list in what people write by hand."""

    concepts: list[str] | None = None
    instance_graph: dict[str, list[str] | None] | None = None
    component_graph: dict[str, list[str] | None] | None = None


def load(path: Path) -> GraphFile:
    """Reads graph.yaml. Raises SourceError if it can't be read, isn't YAML of that shape, or isn't harmless."""
    try:
        with path.open("rb") as file:
            text = file.read(_LARGEST_FILE + 1)
    except OSError as error:
        raise SourceError(f"can't be read ({error.strerror})", where=str(path)) from error
    if len(text) > _LARGEST_FILE:
        raise SourceError(f"is larger than {_LARGEST_FILE >> 20} MiB", where=str(path), mend=_REMEDY)
    data = _harmless(text, path)
    if not isinstance(data, dict) or not any(key in data for key in KEYS):
        what = f"has none of the keys {', '.join(KEYS)}"
        raise SourceError(what, where=str(path), mend="Check that this is PARTONOMY's graph")
    try:
        return msgspec.convert({key: data.get(key) for key in KEYS}, GraphFile)
    except msgspec.ValidationError as error:
        raise SourceError(f"is not what was expected: {error}", where=str(path), mend=_REMEDY) from error


def _harmless(text: bytes, path: Path) -> Any:
    # PyYAML takes longer to import than the command line has for its help text.
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        trouble = _trouble(yaml, text, loader)
        if trouble is None:
            return yaml.load(text, Loader=loader)
    except (yaml.YAMLError, ValueError) as error:
        first = " ".join(str(error).split())[:160]
        raise SourceError(f"is not valid YAML: {first}", where=str(path), mend=_REMEDY) from error
    raise SourceError(trouble, where=str(path), mend=_REMEDY)


def _trouble(yaml: Any, text: bytes, loader: Any) -> str | None:
    """Why the YAML must not be built into objects, or None. Looks at one event at a time, so it can't be drowned."""
    depth, scalars = 0, 0
    sizes: dict[str, int] = {}
    open_anchors: list[tuple[str | None, int]] = []
    for event in yaml.parse(text, Loader=loader):
        tag = getattr(event, "tag", None)
        if tag is not None and tag not in _PLAIN_TAGS:
            return f"has the tag {tag!r}, which labels don't need"
        if isinstance(event, yaml.AliasEvent):
            scalars += sizes.get(event.anchor, _MOST_LABELS)
        elif isinstance(event, yaml.ScalarEvent):
            scalars += 1
            if event.value == "<<":
                return "merges mappings ('<<'), which the format doesn't"
        elif isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            open_anchors.append((event.anchor, scalars))
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
            anchor, before = open_anchors.pop()
            if anchor is not None:
                sizes[anchor] = scalars - before + 1
        if depth > _DEEPEST:
            return "is nested deeper than a graph of labels"
        if scalars > _MOST_LABELS:
            return f"holds more than {_MOST_LABELS:,} labels, counting each copy that its anchors stand for"
    return None
