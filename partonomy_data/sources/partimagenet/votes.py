"""Which of the 11 super-categories each class belongs to, by the categories of its annotations.

No file of PartImageNet says so: it is the super-category of most annotations of the class. Where there are label
maps only, a few of them are looked at, those whose names have the smallest keyed hash.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from partonomy_data.sources import coco_json
from partonomy_data.sources.buckets import image_prefix
from partonomy_data.sources.partimagenet import label_maps

#: Label maps that are looked at for each class.
MAPS_PER_CLASS = 8


class _Vote(msgspec.Struct, gc=False):
    image_id: int
    category_id: int


def of_annotations(
    annotations: Iterable[msgspec.Raw], wnids: Mapping[int, str], supercategories: Mapping[int, str]
) -> Counter[tuple[str, str]]:
    """(wnid, super-category) → number of annotations; by the wnid of each image id and the owner of each category id."""
    decoder = msgspec.json.Decoder(_Vote)
    votes: Counter[tuple[str, str]] = Counter()
    for raw in annotations:
        try:
            vote = decoder.decode(raw)
        except coco_json.MALFORMED:
            continue  # rejected when the annotation itself is read
        if vote.image_id in wnids and vote.category_id in supercategories:
            votes[wnids[vote.image_id], supercategories[vote.category_id]] += 1
    return votes


def of_maps(maps: Mapping[str, Sequence[tuple[str, Path]]]) -> tuple[Counter[tuple[str, str]], set[Path]]:
    """The same from label maps (image_id, file) by wnid: one vote for each label in a map; and the files looked at."""
    votes: Counter[tuple[str, str]] = Counter()
    looked_at: set[Path] = set()
    for wnid, members in sorted(maps.items()):
        with_labels = 0
        for _, path in sorted(members, key=lambda member: (image_prefix(member[0]), member[0])):
            looked_at.add(path)
            found = _labels(path)
            votes.update((wnid, label_maps.LABELS[label][1]) for label in found)
            with_labels += bool(found)
            if with_labels == MAPS_PER_CLASS:
                break
    return votes, looked_at


def _labels(path: Path) -> list[int]:
    try:
        found = label_maps.counts(label_maps.read(path))
    except label_maps.UnreadableMap:
        return []  # rejected when the photograph itself is read
    return [label for label in found if label < label_maps.BACKGROUND]


def decide(votes: Counter[tuple[str, str]]) -> dict[str, str]:
    """Wnid → super-category; the first by name where two have as many votes."""
    by_wnid: dict[str, dict[str, int]] = defaultdict(dict)
    for (wnid, supercategory), count in votes.items():
        by_wnid[wnid][supercategory] = count
    return {wnid: min(counts, key=lambda name: (-counts[name], name)) for wnid, counts in sorted(by_wnid.items())}
