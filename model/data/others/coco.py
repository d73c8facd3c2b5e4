"""COCO's JSON: phrases that mean one thing (`referring`), or categories and all that is of them (`semantic`).

A phrase is an annotation's `phrase`, `caption`, or each of its `sentences` (texts, or objects with `raw` or `sent`). Masks are
polygons or run lengths; a photograph's masks of one category are united.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from model.data.others.rows import Left, Photograph, row
from partonomy_data import masks
from partonomy_data.masks import RleJson

_REFERRING: Final = (
    ("Where is {} in the image?", "It is here: {}."),
    ("Segment {}.", "This is {}."),
    ("Can you show me {}?", "Here you see {}."),
)
_SEMANTIC: Final = (
    ("Where is the {} in the image?", "It is here: the {}."),
    ("Segment all that is {}.", "This is {}."),
    ("Can you show me the {}?", "Here you see the {}."),
)
#: Masks that are made together.
_AT_ONCE: Final = 4096

Row = Mapping[str, Any]


class _Image(msgspec.Struct):
    id: int | str
    file_name: str
    width: int
    height: int


class _Category(msgspec.Struct):
    id: int
    name: str


class _Annotation(msgspec.Struct):
    id: int | str
    image_id: int | str
    segmentation: list[list[float]] | RleJson | None = None
    category_id: int | None = None
    iscrowd: int = 0
    phrase: str | None = None
    caption: str | None = None
    sentences: list[Any] = []

    def phrases(self) -> list[str]:
        """What the annotation is called."""
        found = [one.get("raw") or one.get("sent") if isinstance(one, dict) else one for one in self.sentences]
        every = [self.phrase, self.caption, *found]
        return [" ".join(one.split()).rstrip(".") for one in every if isinstance(one, str) and one.strip(" .\n\t")]


class Content(msgspec.Struct):
    """A file of COCO's JSON, as far as it is used."""

    images: list[_Image]
    annotations: list[_Annotation]
    categories: list[_Category] = []


def referring(name: str, content: Content, stamp: Callable[[str], str | None], left: Left) -> Iterator[Row]:
    """A row for each phrase. `stamp` tells a photograph's file by its `uri`; None where it isn't there."""
    for photograph, annotation, counts in _masks(content, content.annotations, stamp, left):
        phrases = annotation.phrases()
        if not phrases:
            left.out("annotations without a phrase", str(annotation.id))
        for number, phrase in enumerate(phrases):
            yield _asked(name, f"{annotation.id}/{number}", photograph, _REFERRING, phrase, [counts])


def semantic(name: str, content: Content, stamp: Callable[[str], str | None], left: Left) -> Iterator[Row]:
    """A row for each category in each photograph."""
    names = {one.id: " ".join(one.name.replace("_", " ").split()) for one in content.categories}
    of_image = sorted(content.annotations, key=lambda one: (str(one.image_id), one.category_id or 0))
    found: dict[int, list[str]] = {}
    last: Photograph | None = None
    for photograph, annotation, counts in _masks(content, of_image, stamp, left):
        if last is not None and photograph is not last:
            yield from _categories(name, last, found, names)
            found = {}
        last = photograph
        if annotation.category_id not in names:
            left.out("annotations of no known category", str(annotation.id))
            continue
        found.setdefault(annotation.category_id, []).append(counts)
    if last is not None:
        yield from _categories(name, last, found, names)


def _categories(
    name: str, photograph: Photograph, found: Mapping[int, Sequence[str]], names: Mapping[int, str]
) -> Iterator[Row]:
    for category, counts in sorted(found.items()):
        yield _asked(name, f"{photograph.uri}/{category}", photograph, _SEMANTIC, names[category], counts)


def _asked(
    name: str,
    number: str,
    photograph: Photograph,
    wordings: Sequence[tuple[str, str]],
    phrase: str,
    counts: Sequence[str],
) -> Row:
    """A question after a phrase, worded by its number alone."""
    drawn = int.from_bytes(hashlib.sha256(f"{name}/{number}".encode()).digest()[:4], "big")
    question, answer = wordings[drawn % len(wordings)]
    start = answer.index("{}")
    named = (start, start + len(phrase), phrase)
    return row(name, number, photograph, question.format(phrase), answer.format(phrase), named=named, masks=counts)


def _masks(
    content: Content, annotations: Sequence[_Annotation], stamp: Callable[[str], str | None], left: Left
) -> Iterator[tuple[Photograph, _Annotation, str]]:
    """Annotations with their photographs and masks, in their order; others are left out, and counted."""
    photographs: dict[int | str, Photograph | None] = {}
    for one in content.images:
        there = stamp(one.file_name)
        photographs[one.id] = None if there is None else Photograph(one.file_name, one.width, one.height, there)
    for start in range(0, len(annotations), _AT_ONCE):
        usable: list[tuple[Photograph, _Annotation]] = []
        for annotation in annotations[start : start + _AT_ONCE]:
            photograph = photographs.get(annotation.image_id)
            if annotation.image_id not in photographs:
                left.out("annotations of no known photograph", str(annotation.id))
            elif photograph is None:
                left.out("annotations whose photograph isn't there", str(annotation.id))
            elif not annotation.segmentation:
                left.out("annotations without a mask", str(annotation.id))
            else:
                usable.append((photograph, annotation))
        yield from _encoded(usable, left)


def _encoded(
    usable: Sequence[tuple[Photograph, _Annotation]], left: Left
) -> Iterator[tuple[Photograph, _Annotation, str]]:
    made = masks.encode_many(
        [annotation.segmentation or [] for _, annotation in usable],
        [photograph.height for photograph, _ in usable],
        [photograph.width for photograph, _ in usable],
    )
    for place, (photograph, annotation) in enumerate(usable):
        counts = made.counts[place]
        if counts is None:
            left.out("masks that can't be used", f"{annotation.id}: {made.errors[place]}")
        else:
            yield photograph, annotation, counts.decode()


def read(path: Path) -> Content:
    """A file. Raises what msgspec and the file system raise."""
    return msgspec.json.decode(path.read_bytes(), type=Content)
