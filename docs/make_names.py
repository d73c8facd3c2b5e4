"""Writes docs/names.md: what name normalisation does to the published category lists of the datasets.

    python docs/make_names.py SAMPLES > docs/names.md

SAMPLES holds paco/paco_lvis_v1_categories_attributes_parts.json, partonomy/concept_hierarchy.csv and
partimagenet/LOC_synset_mapping.txt, as the datasets' authors publish them.
"""

from __future__ import annotations

import csv
import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from partonomy_data.sources.records import ObjectName, PartName, Vocabulary
from partonomy_data.taxonomy.names import Names, build, normalise, trace

#: Kinds of change, the one that says most first; each name is listed under the first that applies to it.
KINDS = {
    "typo": "typing errors of the source",
    "joined": "words that the source ran together",
    "spelling": "American spelling",
    "apart": "told apart from another category of the same name",
    "parentheses": "a qualifier in parentheses that nothing calls for",
    "plural": "the head noun's singular",
    "letter": "a single letter and its word",
    "characters": "signs that no name has",
    "separators": "underscores, hyphens, spaces",
    "case": "lower case",
}
#: Kinds that need no list: some examples say it all.
TRIVIAL = ("separators", "case")

#: Class names of the VOC annotations, and parts of VLPart's 93 categories.
PASCAL = {
    "aeroplane": "body,wing,tail,wheel",
    "bicycle": "wheel,handlebar,saddle",
    "bird": "beak,head,eye,leg,foot,wing,neck,tail,torso",
    "boat": "",
    "bottle": "body,cap",
    "bus": "license plate,headlight,door,mirror,window,wheel",
    "car": "license plate,headlight,door,mirror,window,wheel",
    "cat": "head,leg,ear,eye,paw,neck,nose,tail,torso",
    "chair": "",
    "cow": "head,leg,ear,eye,neck,horn,muzzle,tail,torso",
    "diningtable": "",
    "dog": "head,leg,ear,eye,paw,neck,nose,muzzle,tail,torso",
    "horse": "head,leg,ear,eye,neck,muzzle,tail,torso",
    "motorbike": "wheel,handlebar,headlight,saddle",
    "person": "hair,head,ear,eye,nose,neck,mouth,arm,hand,leg,foot,torso",
    "pottedplant": "plant,pot",
    "sheep": "head,leg,ear,eye,neck,horn,muzzle,tail,torso",
    "sofa": "",
    "train": "",
    "tvmonitor": "",
}


class Change(NamedTuple):
    """A name that became another."""

    source: str
    what: str
    """`object` or `part`"""
    before: str
    after: str
    kind: str


def vocabularies(samples: Path) -> dict[str, Vocabulary]:
    """The published lists as vocabularies: paco, partonomy, imagenet (PartImageNet's classes are some of it), pascal."""
    return {
        "paco": paco(samples),
        "partonomy": partonomy(samples),
        "imagenet": imagenet(samples),
        "pascal": _vocabulary(((name, name, ()) for name in PASCAL), _pairs(PASCAL.items())),
    }


def paco(samples: Path) -> Vocabulary:
    """PACO's 75 object and 456 object-part categories ("trash_can", "trash_can:handle")."""
    with (samples / "paco/paco_lvis_v1_categories_attributes_parts.json").open(encoding="utf-8") as file:
        names = [row["name"] for row in json.load(file)["categories"]]
    objects = ((name, name, ()) for name in names if ":" not in name)
    pairs = (name.split(":", 1) for name in names if ":" in name)
    return _vocabulary(objects, ((key, part) for key, part in pairs))


def partonomy(samples: Path) -> Vocabulary:
    """PARTONOMY's 539 concepts in 13 categories, with their 2,123 parts."""
    objects: list[tuple[str, str, tuple[str, ...]]] = []
    parts: list[tuple[str, str]] = []
    section = ""
    with (samples / "partonomy/concept_hierarchy.csv").open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        next(rows)
        for name, listed in rows:
            if name.endswith(" concepts") and not listed:
                section = name.partition(" has ")[0]
            elif name:
                key = f"{section}--{name}"
                objects.append((key, name, (section,)))
                parts += [(key, part.strip()) for part in listed.split(",") if part.strip()]
    return _vocabulary(objects, parts)


def imagenet(samples: Path) -> Vocabulary:
    """The 1,000 ImageNet classes by the first name of their synset."""
    lines = (samples / "partimagenet/LOC_synset_mapping.txt").read_text(encoding="utf-8").splitlines()
    rows = (line.partition(" ")[::2] for line in lines)
    return _vocabulary((wnid, names.split(",")[0].strip(), ()) for wnid, names in rows)


def _pairs(listed: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    return ((key, part) for key, parts in listed for part in parts.split(",") if part)


def _vocabulary(
    objects: Iterable[tuple[str, str, tuple[str, ...]]], parts: Iterable[tuple[str, str]] = ()
) -> Vocabulary:
    return Vocabulary(
        objects=tuple(
            ObjectName(key=key, source_category=name, name=name, parents=parents) for key, name, parents in objects
        ),
        parts=tuple(
            PartName(key=f"{key}:{part}", object_key=key, source_category=part, name=part) for key, part in parts
        ),
        curated=True,
    )


def changes(source: str, vocabulary: Vocabulary, names: Names) -> list[Change]:
    """The names of `source` that became others, each once."""
    made = names.sources[source]
    spelled = {("object", one.name, made.objects[one.key]) for one in vocabulary.objects}
    spelled |= {("part", part.name, made.parts[part.key].part_category) for part in vocabulary.parts}
    out = []
    for what, before, after in sorted(spelled):
        kinds = set(trace(before)[1])
        if after != normalise(before):
            kinds.add("apart" if after.startswith(normalise(before)) else "parentheses")
        if after != before:
            out.append(Change(source, what, before, after, next(kind for kind in KINDS if kind in kinds)))
    return out


def render(samples: Path) -> str:
    """The text of docs/names.md."""
    lists = vocabularies(samples)
    found: dict[str, list[Change]] = defaultdict(list)
    names = {source: build({source: vocabulary}) for source, vocabulary in lists.items()}
    for source, vocabulary in lists.items():
        for change in changes(source, vocabulary, names[source]):
            found[change.kind].append(change)
    lines = [
        "# Names that normalisation changes",
        "",
        "Written by `docs/make_names.py` from the category lists that the datasets' authors publish: PACO's 531 categories,",
        "the 539 concepts of PARTONOMY with their parts, the first names of ImageNet's 1,000 synsets (PartImageNet's classes",
        "are among them), and Pascal-Part's classes and parts. Each list is made canonical on its own here; in a build, two",
        "sources that use one name share the category. `source_category` keeps what the source said.",
        "",
        "## Counts",
        "",
        f"| change | {' | '.join(lists)} |",
        f"|---|{'---:|' * len(lists)}",
    ]
    for kind, meaning in KINDS.items():
        counts = [sum(change.source == source for change in found[kind]) for source in lists]
        lines.append(f"| {kind}: {meaning} | {' | '.join(map(str, counts))} |")
    for kind, meaning in KINDS.items():
        if found[kind]:
            lines += ["", f"## {kind}: {meaning}", ""]
            lines += list(_listed(found[kind], kind in TRIVIAL))
    return "\n".join([*lines, *_merged(lists, names), ""])


def _listed(some: list[Change], trivial: bool) -> Iterator[str]:
    groups: dict[tuple[str, str], list[Change]] = defaultdict(list)
    for change in some:
        groups[change.source, change.what].append(change)
    for (source, what), members in groups.items():
        shown = members[:5] if trivial else members
        names = ", ".join(f"{change.before} → {change.after}" for change in shown)
        more = f", and {len(members) - len(shown)} more" if len(members) > len(shown) else ""
        yield f"- {source}, {what}s ({len(members)}): {names}{more}"


def _merged(lists: dict[str, Vocabulary], names: dict[str, Names]) -> Iterator[str]:
    """Lines on part names of one source that became one."""
    yield from ("", "## Part names of one source that became one", "")
    for source, vocabulary in lists.items():
        spelled: dict[str, set[str]] = defaultdict(set)
        for part in vocabulary.parts:
            spelled[names[source].sources[source].parts[part.key].part_category].add(part.name)
        for canonical, several in sorted(spelled.items()):
            if len(several) > 1:
                yield f"- {source}: {' | '.join(sorted(several))} → {canonical}"
    yield from ("", "Of one object category, so that the object had two part names for one part:", "")
    for source in lists:
        for report in names[source].reports:
            if report.rule == "part_names_merged":
                yield f"- {source}, {report.canonical[0]}: {' | '.join(report.spellings)} → {report.canonical[1]}"


if __name__ == "__main__":
    sys.stdout.write(render(Path(sys.argv[1])))
